//! Fetching and choosing models.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::Page;
use crate::{Error, stream};

#[derive(Deserialize)]
pub(super) struct Named {
    name: String,
}

pub(super) async fn pull(State(page): State<Page>, Json(model): Json<Named>) -> Response {
    stream::respond(stream::NDJSON, move |lines| {
        let cancel = lines.cancel().clone();
        let result = page.backend.pull(&model.name, &cancel, &mut |step| lines.json(&step));
        if let Err(error) = result {
            lines.json(&json!({ "error": error.to_string() }));
        }
    })
}

pub(super) async fn select(
    State(page): State<Page>,
    Json(model): Json<Named>,
) -> Result<Response, Error> {
    page.run(move |backend| backend.select(&model.name)).await?;
    Ok(Json(json!({})).into_response())
}
