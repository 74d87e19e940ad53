//! A question, and the answer as it forms.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::json;

use super::Page;
use crate::Error;
use crate::backend::{Life, Question};
use crate::stream;

/// Characters a question may have; beyond that it is a document, not a question.
const MAX_QUESTION: usize = 8_000;

pub(super) async fn ask(
    State(page): State<Page>,
    Path(life): Path<Life>,
    Json(question): Json<Question>,
) -> Result<Response, Error> {
    let length = question.question.chars().count();
    if question.question.trim().is_empty() {
        return Err(Error::BadRequest("the question is empty; type what you want to know".into()));
    }
    if length > MAX_QUESTION {
        return Err(Error::BadRequest(format!(
            "the question has {length} characters; ask in at most {MAX_QUESTION}, or add the text as a file"
        )));
    }
    Ok(stream::respond(stream::NDJSON, move |lines| {
        let cancel = lines.cancel().clone();
        let result = page.backend.ask(life, &question, &cancel, &mut |event| lines.json(&event));
        if let Err(error) = result {
            lines.json(&json!({ "event": "error", "data": error.to_string() }));
        }
    }))
}
