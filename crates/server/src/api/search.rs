//! Search while typing, and the card of what was found.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};

use super::Page;
use crate::Error;
use crate::backend::{Life, Search};

const DEFAULT_LIMIT: usize = 30;
const MAX_LIMIT: usize = 200;

pub(super) async fn search(
    State(page): State<Page>,
    Path(life): Path<Life>,
    Query(mut search): Query<Search>,
) -> Result<Response, Error> {
    search.limit = match search.limit {
        0 => DEFAULT_LIMIT,
        limit => limit.min(MAX_LIMIT),
    };
    Ok(Json(page.run(move |backend| backend.search(life, &search)).await?).into_response())
}

pub(super) async fn card(
    State(page): State<Page>,
    Path(life): Path<Life>,
) -> Result<Response, Error> {
    Ok(Json(page.run(move |backend| backend.card(life)).await?).into_response())
}
