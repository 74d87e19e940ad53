//! Several texts from one request: `n` choices, a list of prompts. They run together.

use std::sync::{Mutex, PoisonError};

use super::{Fault, Generate, Generated, Models, Piece};
use crate::stream::Cancel;

/// What happens on the way; called from several threads, one at a time.
pub(super) trait Hear: Send {
    /// The first prompt was accepted.
    fn start(&mut self);
    fn piece(&mut self, index: usize, piece: &Piece);
}

/// Generates all texts. The first fault ends the others.
pub(super) fn generate_all(
    models: &dyn Models,
    generates: &[Generate],
    cancel: &Cancel,
    hear: &mut dyn Hear,
) -> Result<Vec<Generated>, Fault> {
    let hear = Mutex::new(hear);
    let heard = || hear.lock().unwrap_or_else(PoisonError::into_inner);
    let one = |(index, generate): (usize, &Generate)| {
        let done = models.generate(generate, cancel, &mut || heard().start(), &mut |piece| {
            heard().piece(index, piece);
        });
        done.inspect_err(|_| cancel.cancel())
    };
    if let [only] = generates {
        return Ok(vec![one((0, only))?]);
    }
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let one = &one;
        let threads: Vec<_> =
            generates.iter().enumerate().map(|each| scope.spawn(move || one(each))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(Err(Fault::broke_off()))).collect()
    });
    outcomes.into_iter().collect()
}

/// Collects what is said.
pub(super) struct Collected(pub(super) Vec<Vec<Piece>>);

impl Collected {
    pub(super) fn new(n: usize) -> Self {
        Self(vec![Vec::new(); n])
    }
}

impl Hear for Collected {
    fn start(&mut self) {}

    fn piece(&mut self, index: usize, piece: &Piece) {
        self.0[index].push(piece.clone());
    }
}
