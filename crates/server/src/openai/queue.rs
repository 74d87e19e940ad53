//! Who embeds next: one at a time, in the order of arrival.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Fault;

/// Requests that may wait; the next one is told to come back.
const MAX_WAITING: usize = 64;

/// A first-come queue in front of the model (tokio's semaphore is fair).
#[derive(Clone)]
pub(super) struct Queue {
    turn: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
}

impl Default for Queue {
    fn default() -> Self {
        Queue { turn: Arc::new(Semaphore::new(1)), waiting: Arc::default() }
    }
}

/// Leaves the queue even when the client went away while waiting.
struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Queue {
    /// Waits for a turn; holding the permit is having it.
    pub(super) async fn turn(&self) -> Result<OwnedSemaphorePermit, Fault> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _place = Place(&self.waiting);
        let full = || Fault::busy("too many requests wait for the model; try again shortly");
        if before >= MAX_WAITING {
            return Err(full());
        }
        self.turn.clone().acquire_owned().await.map_err(|_| full())
    }
}
