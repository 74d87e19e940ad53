//! Working memory of one pass through the network.

use std::sync::{Mutex, PoisonError};

use super::experts::Routing;
use crate::config::DecoderConfig;
use crate::weights::linear::{Input, Precision};

/// Buffers of one pass, each `[tokens, width]`; they keep the size of the longest pass so far.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// The residual stream.
    pub(super) x: Vec<f32>,
    /// A normed copy of it, and later what a block adds to it.
    pub(super) normed: Input,
    pub(super) queries: Vec<f32>,
    /// Keys and values of the new tokens, on their way into the caches.
    pub(super) keys: Vec<f32>,
    pub(super) values: Vec<f32>,
    /// What attention gathered, all heads side by side.
    pub(super) gathered: Input,
    /// What a block adds to the residual stream.
    pub(super) update: Vec<f32>,
    pub(super) inner: Inner,
    pub(super) routing: Routing,
    pub(super) positions: Vec<u32>,
    pub(super) precision: Precision,
}

impl Scratch {
    /// Sizes all buffers for `n_tokens` tokens.
    pub(super) fn resize(&mut self, config: &DecoderConfig, n_tokens: usize) {
        let inner = config.inner_width();
        let widths = [
            (&mut self.x, config.hidden),
            (&mut self.normed.values, config.hidden),
            (&mut self.queries, config.query_width()),
            (&mut self.keys, config.kv_width()),
            (&mut self.values, config.kv_width()),
            (&mut self.gathered.values, config.query_width()),
            (&mut self.update, config.hidden),
            (&mut self.inner.gate, inner),
            (&mut self.inner.up, inner),
        ];
        for (buffer, width) in widths {
            buffer.resize(n_tokens * width, 0.0);
        }
    }
}

/// What is inside a feed-forward block. The widest one sizes it; a narrower one uses the beginning.
#[derive(Debug, Default)]
pub(super) struct Inner {
    gate: Vec<f32>,
    up: Vec<f32>,
    gated: Input,
}

impl Inner {
    /// Gate, up and gated, `len` values of each.
    pub(super) fn first(&mut self, len: usize) -> (&mut [f32], &mut [f32], &mut Input) {
        self.gated.values.resize(len, 0.0);
        (&mut self.gate[..len], &mut self.up[..len], &mut self.gated)
    }
}

/// Buffers between passes: as many as have run at the same time.
#[derive(Debug, Default)]
pub(super) struct Idle(Mutex<Vec<Scratch>>);

impl Idle {
    pub(super) fn take(&self) -> Scratch {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    pub(super) fn give(&self, scratch: Scratch) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
    }
}
