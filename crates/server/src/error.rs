//! What can go wrong between a request and its answer, with the way out, and how the page is told.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "cannot listen on {addr}: Polymath serves this machine only; use an address such as 127.0.0.1:8080 and, \
         from elsewhere, an SSH tunnel to it"
    )]
    NotLoopback { addr: std::net::SocketAddr },
    #[error("cannot listen on {addr}: {source}; try another port, or port 0 for any free one")]
    Bind { addr: std::net::SocketAddr, source: std::io::Error },
    #[error("this machine gives no random numbers ({0}), so no safe address can be made")]
    Random(String),
    #[error("{0}")]
    Refused(String),
    #[error("{what} is not here; {hint}")]
    NotFound { what: String, hint: String },
    #[error("{0}")]
    BadRequest(String),
    #[error("too many requests are waiting; try again in a moment")]
    Busy,
    #[error("{0}")]
    Failed(String),
}

impl Error {
    /// What the vault says is written for people already; only its sort decides the status.
    pub(crate) fn vault(error: vault::error::Error) -> Self {
        use vault::error::Error as Vault;
        match error {
            Vault::NoSuchSource(_) | Vault::UnknownSource(_) | Vault::Filter { .. } => {
                Error::BadRequest(error.to_string())
            }
            Vault::UnknownItem(id) => Error::NotFound {
                what: format!("item {id}"),
                hint: "it may have been removed since; search for it again".into(),
            },
            _ => Error::Failed(error.to_string()),
        }
    }

    /// What the planner says names the field and the way out already.
    pub(crate) fn plan(error: plan::Error) -> Self {
        match error {
            plan::Error::Stopped => Error::Busy,
            error => Error::BadRequest(error.to_string()),
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Error::Refused(_) => StatusCode::FORBIDDEN,
            Error::NotFound { .. } => StatusCode::NOT_FOUND,
            Error::BadRequest(_) => StatusCode::BAD_REQUEST,
            Error::Busy => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// The page reads `{"error": "sentence"}` and shows the sentence.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        (self.status(), Json(json!({ "error": self.to_string() }))).into_response()
    }
}
