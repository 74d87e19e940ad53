//! Sources: adding them, reading them again, and how complete they are.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::Page;
use super::item::safe_name;
use crate::Error;
use crate::backend::{Backend, Life, OnProgress};
use crate::stream::{self, Cancel};

/// The largest file taken by dropping it on the page; larger ones are added by their path.
const MAX_UPLOAD_BYTES: usize = 256 << 20;
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(300);

pub(super) async fn status(
    State(page): State<Page>,
    Path(life): Path<Life>,
) -> Result<Response, Error> {
    Ok(Json(page.run(move |backend| backend.status(life)).await?).into_response())
}

#[derive(Deserialize)]
pub(super) struct WhyQuery {
    path: String,
}

pub(super) async fn why(
    State(page): State<Page>,
    Path(life): Path<Life>,
    Query(query): Query<WhyQuery>,
) -> Result<Response, Error> {
    Ok(Json(page.run(move |backend| backend.why(life, &query.path)).await?).into_response())
}

#[derive(Deserialize)]
pub(super) struct Add {
    path: String,
}

pub(super) async fn add(State(page): State<Page>, Json(add): Json<Add>) -> Result<Response, Error> {
    let path = expand(add.path.trim());
    let shown = path.display();
    if !path.is_absolute() {
        return Err(Error::BadRequest(format!(
            "{:?} is not a whole path; write it from the root, such as /home/you/Documents",
            add.path
        )));
    }
    if !path.exists() {
        return Err(Error::BadRequest(format!(
            "{shown} is not on this machine; check the spelling"
        )));
    }
    Ok(progress_stream(page, move |backend, cancel, progress| backend.add(&path, cancel, progress)))
}

/// `~/Mail` as the shell would have it.
fn expand(path: &str) -> std::path::PathBuf {
    match (path.strip_prefix('~'), std::env::home_dir()) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
            home.join(rest.trim_start_matches('/'))
        }
        _ => path.into(),
    }
}

#[derive(Deserialize)]
pub(super) struct Sync {
    source: Option<i64>,
}

pub(super) async fn sync(State(page): State<Page>, Json(sync): Json<Sync>) -> Response {
    progress_stream(page, move |backend, cancel, progress| {
        backend.sync(sync.source, cancel, progress)
    })
}

/// Streams a reading. Leaving the page stops it between two batches; what is stored stays, the rest is read by
/// the next sync.
fn progress_stream(
    page: Page,
    work: impl FnOnce(&dyn Backend, &Cancel, OnProgress<'_>) -> Result<(), Error> + Send + 'static,
) -> Response {
    stream::respond(stream::NDJSON, move |lines| {
        let cancel = lines.cancel().clone();
        let result = work(page.backend.as_ref(), &cancel, &mut |progress| lines.json(&progress));
        match result {
            Ok(()) => lines.json(&json!({ "stage": "done" })),
            Err(error) => lines.json(&json!({ "error": error.to_string() })),
        }
    })
}

#[derive(Deserialize)]
pub(super) struct Forget {
    source: i64,
}

pub(super) async fn forget(
    State(page): State<Page>,
    Json(forget): Json<Forget>,
) -> Result<Response, Error> {
    page.run(move |backend| backend.forget(forget.source)).await?;
    Ok(Json(json!({})).into_response())
}

#[derive(Deserialize)]
pub(super) struct Upload {
    name: String,
}

/// Keeps a dropped file, whole or not at all. Reading it is the next `sync`.
pub(super) async fn upload(
    State(page): State<Page>,
    Query(upload): Query<Upload>,
    body: axum::body::Body,
) -> Result<Response, Error> {
    let whole = axum::body::to_bytes(body, MAX_UPLOAD_BYTES);
    let Ok(bytes) = tokio::time::timeout(UPLOAD_TIMEOUT, whole).await else {
        return Ok(StatusCode::REQUEST_TIMEOUT.into_response());
    };
    let too_large = |_| {
        Error::BadRequest(format!(
            "{} is larger than {} MB; add it by its path instead",
            upload.name,
            MAX_UPLOAD_BYTES >> 20
        ))
    };
    let (bytes, name) = (bytes.map_err(too_large)?, safe_name(&upload.name));
    page.run(move |backend| {
        let folder = backend.drop_folder()?;
        let (partial, whole) = (folder.join(format!(".{name}.part")), folder.join(&name));
        let written = std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(&partial, &bytes))
            .and_then(|()| std::fs::rename(&partial, &whole));
        written.map_err(|error| {
            Error::Failed(format!("cannot keep {}: {error}; is the disk full?", whole.display()))
        })
    })
    .await?;
    Ok(Json(json!({})).into_response())
}
