//! What a decoder remembers of the tokens it has seen.

use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::Error;
use crate::config::DecoderConfig;

/// Keys and values of every layer for the positions seen so far: as f32, or as half floats for a decoder that
/// computes in [`super::Precision::Fast`] from quantised weights. The first tokens decide; a cache that
/// remembers something stays what it is.
///
/// Memory grows with the number of positions, up to the capacity; see [`KvCache::bytes_per_token`].
#[derive(Debug)]
pub struct KvCache {
    /// Per layer `[len, kv_heads, head_dim]`.
    keys: Vec<Layer>,
    values: Vec<Layer>,
    len: usize,
    capacity: usize,
    /// Values of one position in one layer's keys.
    width: usize,
}

/// One layer's keys or values.
#[derive(Debug, Clone)]
enum Layer {
    Full(Vec<f32>),
    Half(Vec<f16>),
}

/// All keys and values of a layer `[len, kv_heads, head_dim]`.
pub(super) enum Remembered<'a> {
    Full(&'a [f32], &'a [f32]),
    Half(&'a [f16], &'a [f16]),
}

impl Layer {
    fn empty(compact: bool) -> Self {
        if compact { Self::Half(Vec::new()) } else { Self::Full(Vec::new()) }
    }

    fn truncate(&mut self, len: usize) {
        match self {
            Self::Full(values) => values.truncate(len),
            Self::Half(values) => values.truncate(len),
        }
    }

    fn first(&self, len: usize) -> Self {
        match self {
            Self::Full(values) => Self::Full(values[..len].to_vec()),
            Self::Half(values) => Self::Half(values[..len].to_vec()),
        }
    }

    fn reserve(&mut self, n: usize) -> Result<(), std::collections::TryReserveError> {
        match self {
            Self::Full(values) => values.try_reserve(n),
            Self::Half(values) => values.try_reserve(n),
        }
    }

    fn extend(&mut self, new: &[f32]) {
        match self {
            Self::Full(values) => values.extend_from_slice(new),
            Self::Half(values) => {
                let start = values.len();
                values.resize(start + new.len(), f16::ZERO);
                values[start..].convert_from_f32_slice(new);
            }
        }
    }
}

impl KvCache {
    /// An empty cache for at most `capacity` positions, whatever the model's context length.
    pub fn new(config: &DecoderConfig, capacity: usize) -> Self {
        let empty = || (0..config.n_layers()).map(|_| Layer::empty(false)).collect();
        Self { keys: empty(), values: empty(), len: 0, capacity, width: config.kv_width() }
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
            layer.truncate(len * self.width);
        }
        self.len = len;
    }

    /// A cache of its own for the first `len` positions.
    pub fn copy(&self, len: usize) -> Self {
        let len = len.min(self.len);
        let first = |layer: &Layer| layer.first(len * self.width);
        Self {
            keys: self.keys.iter().map(first).collect(),
            values: self.values.iter().map(first).collect(),
            len,
            capacity: self.capacity,
            width: self.width,
        }
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
        let fits = (self.keys.len(), self.width) == (config.n_layers(), width);
        assert!(fits, "the cache belongs to another model");
        let needed = self.len.saturating_add(n_tokens);
        if needed > self.capacity {
            return Err(Error::Context { needed, capacity: self.capacity });
        }
        for layer in self.keys.iter_mut().chain(&mut self.values) {
            if self.len == 0 && compact != matches!(layer, Layer::Half(_)) {
                *layer = Layer::empty(compact);
            }
            layer.reserve(n_tokens.saturating_mul(width)).map_err(|_| Error::Memory {
                what: "key-value cache",
                bytes: n_tokens.saturating_mul(Self::bytes_per_token(config)),
            })?;
        }
        Ok(())
    }

    /// Appends new positions to a layer; returns all that it remembers.
    pub(super) fn append(
        &mut self,
        layer_idx: usize,
        new_keys: &[f32],
        new_values: &[f32],
    ) -> Remembered<'_> {
        let (keys, values) = (&mut self.keys[layer_idx], &mut self.values[layer_idx]);
        for (layer, new) in [(&mut *keys, new_keys), (&mut *values, new_values)] {
            // After a pass that broke off half-way there may be more than is counted.
            layer.truncate(self.len * self.width);
            layer.extend(new);
        }
        match (keys, values) {
            (Layer::Full(keys), Layer::Full(values)) => Remembered::Full(keys, values),
            (Layer::Half(keys), Layer::Half(values)) => Remembered::Half(keys, values),
            _ => unreachable!("keys and values of a layer are made together"),
        }
    }

    pub(super) fn advance(&mut self, n_tokens: usize) {
        self.len += n_tokens;
    }
}
