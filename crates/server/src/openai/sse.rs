//! Server-sent events from a generation that runs on a blocking thread.
//!
//! The status line has to be right, so the response starts only when the model accepted the prompt: a prompt that
//! is too long is a plain `400`, streaming or not.

use axum::body::Bytes;
use axum::response::Response;
use serde_json::Value;
use tokio::sync::oneshot;

use super::Fault;
use crate::stream::{self, Cancel, Lines};

/// Writes events; the reader leaving cancels the work.
pub(super) struct Events<'a> {
    lines: &'a mut Lines,
    started: Option<oneshot::Sender<Result<(), Fault>>>,
}

impl Events<'_> {
    /// The prompt was accepted: the response may start.
    pub(super) fn start(&mut self) {
        if let Some(started) = self.started.take() {
            // A client that has left does not hear it; the first event will notice.
            let _ = started.send(Ok(()));
        }
    }

    pub(super) fn send(&mut self, event: &Value) {
        self.lines.raw(Bytes::from(format!("data: {event}\n\n")));
    }

    pub(super) fn cancel(&self) -> Cancel {
        self.lines.cancel().clone()
    }
}

/// Runs `work`; what it sends is streamed, a fault before the start becomes the response itself.
pub(super) async fn respond(
    work: impl FnOnce(&mut Events<'_>) -> Result<(), Fault> + Send + 'static,
) -> Result<Response, Fault> {
    let (started, accepted) = oneshot::channel();
    let response = stream::respond("text/event-stream", move |lines| {
        let mut events = Events { lines, started: Some(started) };
        match (work(&mut events), events.started.take()) {
            (Err(fault), Some(started)) => drop(started.send(Err(fault))),
            (Err(fault), None) => events.send(&fault.json()),
            (Ok(()), _) => events.lines.raw("data: [DONE]\n\n"),
        }
    });
    accepted.await.map_err(|_| Fault::broke_off())??;
    Ok(response)
}

/// Runs `work` to its end for an answer in one piece; the client leaving cancels it.
pub(super) async fn whole<T: Send + 'static>(
    work: impl FnOnce(&Cancel) -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let guard = CancelOnDrop(Cancel::default());
    let cancel = guard.0.clone();
    tokio::task::spawn_blocking(move || work(&cancel)).await.map_err(|_| Fault::broke_off())?
}

/// When the connection closes the handler's future is dropped, and this with it.
struct CancelOnDrop(Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
