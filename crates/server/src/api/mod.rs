//! The page's own interface, all under `/api`. JSON in and out; long work streams NDJSON, one value per line.
//!
//! Every request needs the session's cookie and key (see [`crate::auth`]). `LIFE` is `sample` or `own`.
//! A failure is `{"error": "a sentence with the way out"}` with a fitting status, or as the last line of a stream.
//!
//! | request | answer |
//! |---|---|
//! | `POST /api/session` | `{key}`, once per cookie; the only one that needs no key |
//! | `GET /api/state` | [`State`](crate::backend::State): lives, models, settings, what went over the network |
//! | `POST /api/settings` | [`Settings`](crate::backend::Settings) in |
//! | `POST /api/LIFE/ask` | [`Question`](crate::backend::Question) in; stream of `{event, data}`: `reading`, `sources`, `text`…, `done` |
//! | `GET /api/LIFE/search?q=&kind=&person=&list=&media=&limit=` | [`Found`](crate::backend::Found) |
//! | `GET /api/LIFE/card` | [`Card`](crate::backend::Card): what I found |
//! | `GET /api/LIFE/status` | [`Status`](crate::backend::Status): there and here per source, failures |
//! | `GET /api/LIFE/why?path=` | `[Why]`: where a path stands and by what |
//! | `GET /api/LIFE/item/ID` | [`ItemView`](crate::backend::ItemView) |
//! | `GET /api/LIFE/item/ID/html` | the sanitised original for a sandboxed frame |
//! | `GET /api/LIFE/item/ID/original` | the bytes, as a download |
//! | `POST /api/vault/add` | `{path}` in; stream of [`Progress`](crate::backend::Progress) |
//! | `POST /api/vault/sync` | `{source?}` in; the same stream |
//! | `POST /api/vault/upload?name=` | a file's bytes in; kept in the drop folder, to be synced |
//! | `POST /api/vault/forget` | `{source}` in |
//! | `GET /api/plan` | [`Known`](plan::overview::Known): chips, examples, published runs beside their predictions |
//! | `POST /api/plan` | a plan, named as in `examples/plan`, as JSON in; [`Overview`](plan::overview::Overview) |
//! | `POST /api/plan/choices` | the same in; `[Choice]`: the best on a quarter to four times the chips |
//! | `GET /api/runs` | `[`[`RunState`](crate::runs::RunState)`]`, the last written first |
//! | `GET /api/runs/ID/report` | a run's report, a page of its own |
//! | `POST /api/models/pull` | `{name}` in; stream of [`Download`](crate::backend::Download) |
//! | `POST /api/models/select` | `{name}` in |

mod ask;
mod item;
mod models;
mod planning;
mod runs;
mod search;
mod vault;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use tokio::sync::Semaphore;

use crate::auth::{self, Door};
use crate::backend::{Backend, Settings};
use crate::{Error, serve};

/// Short jobs (a search, an item) that may block at once; more wait their turn.
const MAX_SHORT_JOBS: usize = 16;

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct Page {
    backend: Arc<dyn Backend>,
    short_jobs: Arc<Semaphore>,
}

impl Page {
    /// Runs a short blocking job; a panic in it becomes an error of this request alone.
    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&dyn Backend) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let seat = self.short_jobs.clone().acquire_owned().await.map_err(|_| Error::Busy)?;
        let backend = self.backend.clone();
        let work = move || {
            let _seat = seat;
            job(backend.as_ref())
        };
        let broke =
            |_| Error::Failed("the work on this request broke off; please try again".into());
        tokio::task::spawn_blocking(work).await.map_err(broke)?
    }
}

pub(crate) fn router(backend: Arc<dyn Backend>, door: Arc<Door>) -> Router {
    let page = Page { backend, short_jobs: Arc::new(Semaphore::new(MAX_SHORT_JOBS)) };
    let small = Router::new()
        .route("/state", get(state))
        .route("/settings", post(settings))
        .route("/{life}/ask", post(ask::ask))
        .route("/{life}/search", get(search::search))
        .route("/{life}/card", get(search::card))
        .route("/{life}/status", get(vault::status))
        .route("/{life}/why", get(vault::why))
        .route("/{life}/item/{id}", get(item::item))
        .route("/{life}/item/{id}/html", get(item::html))
        .route("/{life}/item/{id}/original", get(item::original))
        .route("/vault/add", post(vault::add))
        .route("/vault/sync", post(vault::sync))
        .route("/vault/forget", post(vault::forget))
        .route("/plan", get(planning::known).post(planning::overview))
        .route("/plan/choices", post(planning::choices))
        .route("/runs", get(runs::list))
        .route("/runs/{id}/report", get(runs::report))
        .route("/models/pull", post(models::pull))
        .route("/models/select", post(models::select))
        .with_state(page.clone());
    let signed_in = serve::limited(small)
        .route("/vault/upload", post(vault::upload).with_state(page))
        .layer(from_fn_with_state(door.clone(), auth::need_session));
    let sign_in = Router::new().route("/session", post(session)).with_state(door);
    Router::new().merge(signed_in).merge(sign_in).fallback(unknown)
}

async fn unknown() -> Response {
    let error = json!({ "error": "no such request; reload the page" });
    (StatusCode::NOT_FOUND, Json(error)).into_response()
}

async fn session(State(door): State<Arc<Door>>, headers: HeaderMap) -> Response {
    match door.key(&headers) {
        Ok(Some(key)) => Json(json!({ "key": key })).into_response(),
        Ok(None) => {
            let error = "open the address that Polymath printed in the terminal once more";
            (StatusCode::UNAUTHORIZED, Json(json!({ "error": error }))).into_response()
        }
        Err(error) => error.into_response(),
    }
}

async fn state(State(page): State<Page>) -> Result<Response, Error> {
    Ok(Json(page.run(|backend| Ok(backend.state())).await?).into_response())
}

async fn settings(
    State(page): State<Page>,
    Json(settings): Json<Settings>,
) -> Result<Response, Error> {
    page.run(move |backend| backend.save_settings(settings)).await?;
    Ok(Json(json!({})).into_response())
}
