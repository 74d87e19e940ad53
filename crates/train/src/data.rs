//! Batches from shards: what step s reads is a function of the seed and s alone.
//!
//! Step s of a run with B sequences per step reads positions (s − 1)·B … s·B − 1 of the shuffled order; slot j goes to
//! worker j mod n. Nothing needs saving to go on with the same data after a stop, with any number of workers.

use std::path::Path;

use corpus::shards::{Order, Sequence, Shards};

use crate::Error;
use crate::batch::Batch;

/// Shards in a run's order.
#[derive(Debug)]
pub struct Data {
    shards: Shards,
    order: Order,
    /// Sequences per step, all workers together.
    per_step: u64,
    /// Sequences per micro-batch of a worker.
    per_pass: usize,
}

impl Data {
    /// Opens shards for batches of about `batch_tokens` in passes of about `pass_tokens`.
    ///
    /// # Errors
    /// When the shards are missing, damaged or empty.
    pub fn open(
        directory: &Path,
        seed: u64,
        batch_tokens: u64,
        pass_tokens: u64,
    ) -> Result<Self, Error> {
        let shards = Shards::open(directory)?;
        if shards.n_sequences() == 0 {
            return Err(Error::malformed(
                directory,
                "it holds no sequences",
                "build the corpus from sources that pass its filters",
            ));
        }
        let mean = (shards.n_tokens() as f64 / shards.n_sequences() as f64).max(1.0);
        let sequences = |tokens: u64| (tokens as f64 / mean).round().max(1.0) as u64;
        let order = Order::new(shards.n_sequences(), seed);
        let per_pass = sequences(pass_tokens.min(batch_tokens)) as usize;
        Ok(Self { shards, order, per_step: sequences(batch_tokens), per_pass })
    }

    /// The shards themselves.
    pub fn shards(&self) -> &Shards {
        &self.shards
    }

    /// Sequences per step.
    pub fn per_step(&self) -> u64 {
        self.per_step
    }

    /// The part of passes that worker `rank` of `size` makes in step `step` (from 1).
    ///
    /// # Errors
    /// When a shard cannot be read.
    pub fn passes(&self, step: u64, rank: usize, size: usize) -> Result<Vec<Batch>, Error> {
        let first = (step - 1) * self.per_step;
        let slots: Vec<u64> = (rank as u64..self.per_step).step_by(size).collect();
        let mut passes = Vec::new();
        for slots in slots.chunks(self.per_pass) {
            let mut batch = Batch::new();
            for slot in slots {
                push(&mut batch, &self.shards.sequence(self.order.at(first + slot))?);
            }
            passes.push(batch);
        }
        Ok(passes)
    }

    /// The first `n` sequences as they lie, in passes: for evaluation on held-out shards.
    ///
    /// # Errors
    /// When a shard cannot be read.
    pub fn in_order(&self, n: u64) -> Result<Vec<Batch>, Error> {
        let mut passes = Vec::new();
        let mut batch = Batch::new();
        for idx in 0..n.min(self.shards.n_sequences()) {
            push(&mut batch, &self.shards.sequence(idx)?);
            if (idx + 1).is_multiple_of(self.per_pass as u64) {
                passes.push(std::mem::take(&mut batch));
                batch = Batch::new();
            }
        }
        if !batch.is_empty() {
            passes.push(batch);
        }
        Ok(passes)
    }
}

/// Adds the documents of a sequence as texts of their own.
fn push(batch: &mut Batch, sequence: &Sequence) {
    let end = sequence.tokens.len();
    for (idx, &start) in sequence.starts.iter().enumerate() {
        let start = start as usize;
        let stop = sequence.starts.get(idx + 1).map_or(end, |&next| next as usize);
        let counted = sequence.counted.as_ref().map(|counted| &counted[start..stop]);
        batch.push(&sequence.tokens[start..stop], counted);
    }
}
