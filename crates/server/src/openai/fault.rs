//! Errors in the shape that OpenAI's clients read.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A refusal or failure: `{"error": {message, type, param, code}}`.
#[derive(Debug, Clone)]
pub struct Fault {
    status: StatusCode,
    message: String,
    param: Option<String>,
    code: Option<&'static str>,
}

impl Fault {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Fault { status, message: message.into(), param: None, code: None }
    }

    pub fn bad(message: impl Into<String>) -> Self {
        Fault::new(StatusCode::BAD_REQUEST, message)
    }

    pub fn failed(message: impl Into<String>) -> Self {
        Fault::new(StatusCode::INTERNAL_SERVER_ERROR, message).code("server_error")
    }

    pub fn broke_off() -> Self {
        Fault::failed("the work on this request broke off; the server goes on, please try again")
    }

    pub fn no_model(model: &str) -> Self {
        Fault::new(
            StatusCode::NOT_FOUND,
            format!("the model {model:?} is not here; /v1/models lists those that are, `polymath model pull` fetches more"),
        )
        .param("model")
        .code("model_not_found")
    }

    /// So many requests wait that one more would only wait longer.
    pub fn busy(message: impl Into<String>) -> Self {
        Fault::new(StatusCode::TOO_MANY_REQUESTS, message).code("rate_limit_exceeded")
    }

    /// The prompt, or prompt and asked-for answer together, do not fit.
    pub fn context_length(limit: usize, prompt: usize, asked: Option<usize>) -> Self {
        let answer = asked.map_or(String::new(), |n| format!(" and {n} for the completion"));
        Fault::bad(format!(
            "This model's maximum context length is {limit} tokens, but the request needs {prompt} for the prompt{answer}; \
             shorten the messages or ask for fewer tokens."
        ))
        .param("messages")
        .code("context_length_exceeded")
    }

    pub fn unsupported(param: &str, why: &str) -> Self {
        Fault::bad(format!("{param}: {why}")).param(param).code("unsupported_value")
    }

    #[must_use]
    pub fn param(mut self, param: &str) -> Self {
        self.param = Some(param.into());
        self
    }

    #[must_use]
    pub fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    pub(crate) fn json(&self) -> Value {
        let sort = match self.status.as_u16() {
            401 => "authentication_error",
            429 => "rate_limit_error",
            500.. => "server_error",
            _ => "invalid_request_error",
        };
        json!({ "error": {
            "message": self.message, "type": sort, "param": self.param, "code": self.code,
        } })
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.json())).into_response();
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// A request's body, or what is wrong with it.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(body)
        .map_err(|error| Fault::bad(format!("the body does not fit: {error}")))
}
