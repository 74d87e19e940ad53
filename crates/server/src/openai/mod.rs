//! OpenAI's interface, so that programs written for it work against a model on this machine.
//!
//! | request | supported |
//! |---|---|
//! | `GET /v1/models`, `/v1/models/ID` | the models that are here |
//! | `POST /v1/chat/completions` | streaming and not; roles system, developer, user, assistant, tool; text parts; tools, also required ones; `response_format`; `n`; `logprobs`; see `openai/chat.rs` |
//! | `POST /v1/completions` | strings, lists of strings, one list of tokens; streaming and not; `n`; `logprobs` |
//! | `POST /v1/embeddings` | strings and lists of strings; `float` and `base64` |
//! | `GET /health`, `/metrics`, `/v1/openapi.json` | whether it lives; Prometheus counters; this interface as an OpenAPI document |
//!
//! What cannot be honoured is refused by name (`unsupported_value`), never silently ignored; fields that only label
//! a request (`user`, `metadata`) are. Generations run together in one batch (see [`infer::Batcher`]); when too many
//! wait, the next is told to come back (429 with `Retry-After`); a client that leaves stops its own. Nothing here
//! reaches the vault.

mod chat;
mod completions;
mod embeddings;
mod fan;
mod fault;
mod form;
mod logprobs;
mod metrics;
mod queue;
mod sampling;
mod sse;
mod tools;
mod whole_numbers;

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::auth::{self, Door};
use crate::serve;
use crate::stream::Cancel;
use corpus::chat::Message;
pub use fault::Fault;
use infer::{Counters, Form};
pub use logprobs::{Chosen, Likely};
use queue::Queue;
pub use sampling::Sampling;

/// A model that `/v1` answers with.
#[derive(Debug, Clone)]
pub struct Served {
    pub id: String,
    /// Seconds since 1970 of its file.
    pub created: u64,
}

#[derive(Debug, Clone)]
pub enum Prompt {
    Chat { messages: Vec<Message>, tools: Vec<Value> },
    Text(String),
    Tokens(Vec<u32>),
}

/// One text to generate.
#[derive(Debug, Clone)]
pub struct Generate {
    pub model: String,
    pub prompt: Prompt,
    /// `None` goes on until the model ends or its context is full.
    pub max_tokens: Option<usize>,
    pub sampling: Sampling,
    pub stop: Vec<String>,
    /// What the text has to be.
    pub form: Option<Form>,
    /// Say how probable each token was, and so many others in its place.
    pub top_logprobs: Option<usize>,
}

/// Text on its way out, with the tokens it is made of where their probabilities were asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Piece {
    pub text: String,
    pub tokens: Vec<Chosen>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    Stop,
    Length,
}

impl Finish {
    fn name(self) -> &'static str {
        match self {
            Finish::Stop => "stop",
            Finish::Length => "length",
        }
    }
}

#[derive(Debug, Clone)]
pub struct Generated {
    pub finish: Finish,
    pub prompt_tokens: usize,
    pub completion_tokens: usize,
    /// Tokens of the prompt that were known from before.
    pub cached_tokens: usize,
}

#[derive(Debug, Clone)]
pub struct Embedded {
    pub vectors: Vec<Vec<f32>>,
    pub tokens: usize,
}

/// What `/v1` needs of the models. Calls block; the HTTP layer makes them from blocking threads, many at a time.
pub trait Models: Send + Sync + 'static {
    fn list(&self) -> Vec<Served>;
    /// Calls `on_start` once when the prompt was accepted, then `on_piece` with each piece of text.
    fn generate(
        &self,
        request: &Generate,
        cancel: &Cancel,
        on_start: &mut dyn FnMut(),
        on_piece: &mut dyn FnMut(&Piece),
    ) -> Result<Generated, Fault>;
    fn embed(&self, model: &str, texts: &[String]) -> Result<Embedded, Fault>;
    /// What was done since the start, per loaded model.
    fn counters(&self) -> Vec<(String, Counters)>;
}

#[derive(Clone)]
pub(crate) struct Api {
    models: Arc<dyn Models>,
    queue: Queue,
}

pub(crate) fn router(models: Arc<dyn Models>, door: Arc<Door>) -> Router {
    let api = Api { models, queue: Queue::default() };
    let router = Router::new()
        .route("/models", get(list))
        .route("/models/{*id}", get(one))
        .route("/chat/completions", post(chat::chat))
        .route("/completions", post(completions::completions))
        .route("/embeddings", post(embeddings::embeddings))
        .route("/openapi.json", get(document))
        .fallback(unknown)
        .with_state(api);
    serve::limited(router).layer(from_fn_with_state(door, need_key))
}

/// `/health` is everybody's; `/metrics` is for those who have a key.
pub(crate) fn watching(models: Arc<dyn Models>, door: Arc<Door>) -> Router {
    let counters = move || async move {
        let plain = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
        (plain, metrics::page(&models.counters()))
    };
    Router::new()
        .route("/metrics", get(counters).layer(from_fn_with_state(door, need_key)))
        .route("/health", get(|| async { Json(json!({ "status": "ok" })) }))
}

/// The interface described by OpenAPI 3.1.
async fn document() -> Response {
    let document = include_str!("openapi.json");
    ([(header::CONTENT_TYPE, "application/json")], document).into_response()
}

async fn need_key(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    if auth::bearer_allowed(&door, request.headers()) {
        return next.run(request).await;
    }
    let fault = Fault::new(
        StatusCode::UNAUTHORIZED,
        "this server wants its API key as `Authorization: Bearer KEY`",
    );
    fault.code("invalid_api_key").into_response()
}

async fn unknown() -> Response {
    Fault::new(
        StatusCode::NOT_FOUND,
        "no such request; here are /v1/models, /v1/chat/completions, /v1/completions and /v1/embeddings",
    )
    .code("unknown_url")
    .into_response()
}

fn model_json(model: &Served) -> Value {
    json!({ "id": model.id, "object": "model", "created": model.created, "owned_by": "polymath" })
}

/// Listing looks at the disk, so it runs on a blocking thread.
async fn served(api: &Api) -> Result<Vec<Served>, Fault> {
    let models = api.models.clone();
    tokio::task::spawn_blocking(move || models.list()).await.map_err(|_| Fault::broke_off())
}

async fn list(State(api): State<Api>) -> Result<Response, Fault> {
    let data: Vec<Value> = served(&api).await?.iter().map(model_json).collect();
    Ok(Json(json!({ "object": "list", "data": data })).into_response())
}

async fn one(State(api): State<Api>, Path(id): Path<String>) -> Result<Response, Fault> {
    let served = served(&api).await?;
    let model = served.iter().find(|model| model.id == id).ok_or_else(|| Fault::no_model(&id))?;
    Ok(Json(model_json(model)).into_response())
}

/// `chatcmpl-…`: unique enough to tell two answers apart.
fn answer_id(prefix: &str) -> String {
    let mut bytes = [0; 12];
    // Without random numbers the server would not have started; a constant id would harm nobody.
    let _ = getrandom::fill(&mut bytes);
    bytes.iter().fold(format!("{prefix}-"), |id, byte| format!("{id}{byte:02x}"))
}

fn unix_now() -> u64 {
    std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs())
}
