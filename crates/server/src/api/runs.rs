//! Training runs: the list, and a run's report as a page of its own.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::Page;
use crate::Error;
use crate::runs::REPORT_POLICY;

pub(super) async fn list(State(page): State<Page>) -> Result<Response, Error> {
    Ok(Json(page.run(|backend| backend.runs()).await?).into_response())
}

/// Opened in a tab of its own; its policy lets it load nothing and run nothing.
pub(super) async fn report(
    State(page): State<Page>,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    let report = page.run(move |backend| backend.run_page(&id)).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, REPORT_POLICY),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, report).into_response())
}
