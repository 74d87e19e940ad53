//! From a blocking thread to a response body, line by line, and back: when the reader leaves, the work stops.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures_core::Stream;
use serde::Serialize;
use tokio::sync::mpsc;

/// Lines that may wait for a slow reader before the work waits too.
const WAITING_LINES: usize = 256;

/// One JSON value per line.
pub(crate) const NDJSON: &str = "application/x-ndjson";

/// Set when nobody waits for the result any more.
///
/// The vault looks at a plain flag and `infer` at its own; both are set together.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    flag: Arc<AtomicBool>,
    generation: infer::Cancel,
}

impl Cancel {
    pub fn cancel(&self) {
        self.flag.store(true, Ordering::Relaxed);
        self.generation.cancel();
    }

    pub fn is_cancelled(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }

    pub fn flag(&self) -> &AtomicBool {
        &self.flag
    }

    pub fn generation(&self) -> &infer::Cancel {
        &self.generation
    }
}

/// Where blocking work puts what the reader should see.
pub struct Lines {
    sender: mpsc::Sender<Bytes>,
    cancel: Cancel,
}

impl Lines {
    /// One JSON value and a newline (NDJSON).
    pub fn json(&mut self, value: &impl Serialize) {
        match serde_json::to_vec(value) {
            Ok(mut line) => {
                line.push(b'\n');
                self.raw(line);
            }
            Err(error) => self.raw(format!("{{\"error\":\"{error}\"}}\n")),
        }
    }

    /// Bytes as they are; waits while the reader is slow, cancels when it has left.
    pub fn raw(&mut self, bytes: impl Into<Bytes>) {
        if self.sender.blocking_send(bytes.into()).is_err() {
            self.cancel.cancel();
        }
    }

    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }
}

/// Runs `work` on a blocking thread and streams what it writes.
///
/// A panic in `work` ends the body early; the server goes on.
pub fn respond(
    media_type: &'static str,
    work: impl FnOnce(&mut Lines) + Send + 'static,
) -> Response {
    let (sender, receiver) = mpsc::channel(WAITING_LINES);
    let cancel = Cancel::default();
    let mut lines = Lines { sender, cancel: cancel.clone() };
    tokio::task::spawn_blocking(move || work(&mut lines));
    let mut response = Response::new(Body::from_stream(Reader { receiver, cancel }));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The reading end. Dropped when the connection closes, which is how a disconnect is noticed even while the
/// work has nothing to say.
struct Reader {
    receiver: mpsc::Receiver<Bytes>,
    cancel: Cancel,
}

impl Stream for Reader {
    type Item = Result<Bytes, std::convert::Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.receiver.poll_recv(context).map(|line| line.map(Ok))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}
