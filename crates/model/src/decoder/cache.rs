//! What a decoder remembers of the tokens it has seen, and the working memory it needs to see more.

use super::experts::Routing;
use crate::Error;
use crate::config::DecoderConfig;
use crate::weights::linear::{Input, Precision};

/// Keys and values of every layer for the positions seen so far, as f32.
///
/// Memory grows with the number of positions, up to the capacity; see [`KvCache::bytes_per_token`].
#[derive(Debug)]
pub struct KvCache {
    /// Per layer `[len, kv_heads, head_dim]`.
    keys: Vec<Vec<f32>>,
    values: Vec<Vec<f32>>,
    len: usize,
    capacity: usize,
    pub(super) scratch: Scratch,
}

impl KvCache {
    /// An empty cache for at most `capacity` positions, whatever the model's context length.
    pub fn new(config: &DecoderConfig, capacity: usize) -> Self {
        let empty = || (0..config.n_layers()).map(|_| Vec::new()).collect();
        Self { keys: empty(), values: empty(), len: 0, capacity, scratch: Scratch::default() }
    }

    /// Positions remembered.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Positions there is room for.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Forgets all positions from `len` on; does nothing if there are fewer.
    pub fn truncate(&mut self, len: usize) {
        if len >= self.len {
            return;
        }
        for layer in self.keys.iter_mut().chain(&mut self.values) {
            let width = layer.len() / self.len;
            layer.truncate(len * width);
        }
        self.len = len;
    }

    /// Memory that each remembered position takes.
    pub fn bytes_per_token(config: &DecoderConfig) -> usize {
        config.n_layers() * 2 * config.kv_width() * size_of::<f32>()
    }

    /// Makes room for `n_tokens` more in every layer, so that nothing can fail half-way.
    pub(super) fn reserve(&mut self, config: &DecoderConfig, n_tokens: usize) -> Result<(), Error> {
        assert_eq!(self.keys.len(), config.n_layers(), "the cache belongs to another model");
        let needed = self.len.saturating_add(n_tokens);
        if needed > self.capacity {
            return Err(Error::Context { needed, capacity: self.capacity });
        }
        let width = config.kv_width();
        for layer in self.keys.iter_mut().chain(&mut self.values) {
            assert_eq!(layer.len(), self.len * width, "the cache belongs to another model");
            layer.try_reserve(n_tokens.saturating_mul(width)).map_err(|_| Error::Memory {
                what: "key-value cache",
                bytes: n_tokens.saturating_mul(Self::bytes_per_token(config)),
            })?;
        }
        Ok(())
    }

    /// Keys and values of a layer, each extended by `n_tokens` zeroed positions to fill in.
    pub(super) fn layer(
        &mut self,
        layer_idx: usize,
        n_tokens: usize,
    ) -> (&mut Vec<f32>, &mut Vec<f32>, &mut Scratch) {
        let width = self.scratch.kv_width;
        let len = (self.len + n_tokens) * width;
        let (keys, values) = (&mut self.keys[layer_idx], &mut self.values[layer_idx]);
        keys.resize(len, 0.0);
        values.resize(len, 0.0);
        (keys, values, &mut self.scratch)
    }

    pub(super) fn advance(&mut self, n_tokens: usize) {
        self.len += n_tokens;
    }
}

/// Buffers of one chunk, each `[tokens, width]`; they keep the size of the longest chunk so far.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// The residual stream.
    pub(super) x: Vec<f32>,
    /// A normed copy of it, and later what a block adds to it.
    pub(super) normed: Input,
    pub(super) queries: Vec<f32>,
    /// What attention gathered, all heads side by side.
    pub(super) gathered: Input,
    /// What a block adds to the residual stream.
    pub(super) update: Vec<f32>,
    pub(super) inner: Inner,
    pub(super) routing: Routing,
    pub(super) positions: Vec<u32>,
    pub(super) precision: Precision,
    kv_width: usize,
}

impl Scratch {
    /// Sizes all buffers for `n_tokens` tokens from position `first` on.
    pub(super) fn resize(&mut self, config: &DecoderConfig, first: usize, n_tokens: usize) {
        let inner = config.inner_width();
        let widths = [
            (&mut self.x, config.hidden),
            (&mut self.normed.values, config.hidden),
            (&mut self.queries, config.query_width()),
            (&mut self.gathered.values, config.query_width()),
            (&mut self.update, config.hidden),
            (&mut self.inner.gate, inner),
            (&mut self.inner.up, inner),
        ];
        for (buffer, width) in widths {
            buffer.resize(n_tokens * width, 0.0);
        }
        self.positions.clear();
        self.positions.extend((first..first + n_tokens).map(|position| position as u32));
        self.kv_width = config.kv_width();
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
