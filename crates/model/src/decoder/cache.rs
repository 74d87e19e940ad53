//! What a decoder remembers of the tokens it has seen.

use std::collections::TryReserveError;

use half::f16;
use kernels::attention::{Keys, Stored};
use kernels::pool::Pool;

use crate::Error;
use crate::config::DecoderConfig;

/// Keys and values of every layer for the positions seen so far: as f32, or as half floats for a decoder that
/// computes in [`super::Precision::Fast`] from quantised weights. The first tokens decide; a cache that
/// remembers something stays what it is.
///
/// Memory grows with the number of positions, up to the capacity; see [`KvCache::bytes_per_token`].
#[derive(Debug)]
pub struct KvCache {
    layers: Vec<Layer>,
    len: usize,
    capacity: usize,
    /// Values of one position in one layer's keys.
    width: usize,
}

/// One layer's keys and values.
#[derive(Debug, Clone)]
pub(super) enum Layer {
    Full(Remembered<f32>),
    Half(Remembered<f16>),
}

/// Keys and values `[len, kv_heads, head_dim]` of a layer, stored in one way.
#[derive(Debug, Clone)]
pub(super) struct Remembered<E> {
    pub(super) keys: Keys<E>,
    pub(super) values: Vec<E>,
}

impl<E: Stored> Remembered<E> {
    fn none(width: usize) -> Self {
        Self { keys: Keys::new(width), values: Vec::new() }
    }

    fn truncate(&mut self, len: usize) {
        self.values.truncate(len * self.keys.width());
        self.keys.truncate(len);
    }

    fn first(&self, len: usize) -> Self {
        let values = self.values[..len * self.keys.width()].to_vec();
        Self { keys: self.keys.first(len), values }
    }

    fn reserve(&mut self, n_tokens: usize) -> Result<(), TryReserveError> {
        self.keys.try_reserve(n_tokens)?;
        self.values.try_reserve(n_tokens.saturating_mul(self.keys.width()))
    }

    fn extend(&mut self, pool: &Pool, keys: &[f32], values: &[f32]) {
        self.keys.extend(pool, keys);
        let start = self.values.len();
        self.values.resize(start + values.len(), E::ZERO);
        E::convert(&mut self.values[start..], values);
    }
}

impl Layer {
    fn empty(width: usize, compact: bool) -> Self {
        match compact {
            true => Self::Half(Remembered::none(width)),
            false => Self::Full(Remembered::none(width)),
        }
    }

    fn truncate(&mut self, len: usize) {
        match self {
            Self::Full(remembered) => remembered.truncate(len),
            Self::Half(remembered) => remembered.truncate(len),
        }
    }

    fn first(&self, len: usize) -> Self {
        match self {
            Self::Full(remembered) => Self::Full(remembered.first(len)),
            Self::Half(remembered) => Self::Half(remembered.first(len)),
        }
    }

    fn reserve(&mut self, n_tokens: usize) -> Result<(), TryReserveError> {
        match self {
            Self::Full(remembered) => remembered.reserve(n_tokens),
            Self::Half(remembered) => remembered.reserve(n_tokens),
        }
    }
}

impl KvCache {
    /// An empty cache for at most `capacity` positions, whatever the model's context length.
    pub fn new(config: &DecoderConfig, capacity: usize) -> Self {
        let width = config.kv_width();
        let layers = (0..config.n_layers()).map(|_| Layer::empty(width, false)).collect();
        Self { layers, len: 0, capacity, width }
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
        self.layers.iter_mut().for_each(|layer| layer.truncate(len));
        self.len = len;
    }

    /// A cache of its own for the first `len` positions.
    pub fn copy(&self, len: usize) -> Self {
        let len = len.min(self.len);
        let layers = self.layers.iter().map(|layer| layer.first(len)).collect();
        Self { layers, len, capacity: self.capacity, width: self.width }
    }

    /// Memory that each remembered position takes at most; half of it where half floats are kept.
    pub fn bytes_per_token(config: &DecoderConfig) -> usize {
        config.n_layers() * 2 * config.kv_width() * size_of::<f32>()
    }

    /// Makes room for `n_tokens` more in every layer, so that nothing can fail half-way. An empty cache becomes
    /// one of half floats if `compact`, else one of f32.
    pub(super) fn reserve(
        &mut self,
        config: &DecoderConfig,
        n_tokens: usize,
        compact: bool,
    ) -> Result<(), Error> {
        let width = config.kv_width();
        let fits = (self.layers.len(), self.width) == (config.n_layers(), width);
        assert!(fits, "the cache belongs to another model");
        let needed = self.len.saturating_add(n_tokens);
        if needed > self.capacity {
            return Err(Error::Context { needed, capacity: self.capacity });
        }
        for layer in &mut self.layers {
            if self.len == 0 && compact != matches!(layer, Layer::Half(_)) {
                *layer = Layer::empty(width, compact);
            }
            layer.reserve(n_tokens).map_err(|_| Error::Memory {
                what: "key-value cache",
                bytes: n_tokens.saturating_mul(Self::bytes_per_token(config)),
            })?;
        }
        Ok(())
    }

    /// Appends new positions to a layer; returns all that it remembers.
    pub(super) fn append(
        &mut self,
        pool: &Pool,
        layer_idx: usize,
        keys: &[f32],
        values: &[f32],
    ) -> &Layer {
        let layer = &mut self.layers[layer_idx];
        // After a pass that broke off half-way there may be more than is counted.
        layer.truncate(self.len);
        match layer {
            Layer::Full(remembered) => remembered.extend(pool, keys, values),
            Layer::Half(remembered) => remembered.extend(pool, keys, values),
        }
        layer
    }

    pub(super) fn advance(&mut self, n_tokens: usize) {
        self.len += n_tokens;
    }
}
