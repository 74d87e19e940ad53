//! What a decoder remembers of the tokens it has seen.

use crate::Error;
use crate::config::DecoderConfig;

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
    /// Values of one position in one layer's keys.
    width: usize,
}

impl KvCache {
    /// An empty cache for at most `capacity` positions, whatever the model's context length.
    pub fn new(config: &DecoderConfig, capacity: usize) -> Self {
        let empty = || (0..config.n_layers()).map(|_| Vec::new()).collect();
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
        let first = |layer: &Vec<f32>| layer[..len * self.width].to_vec();
        Self {
            keys: self.keys.iter().map(first).collect(),
            values: self.values.iter().map(first).collect(),
            len,
            capacity: self.capacity,
            width: self.width,
        }
    }

    /// Memory that each remembered position takes.
    pub fn bytes_per_token(config: &DecoderConfig) -> usize {
        config.n_layers() * 2 * config.kv_width() * size_of::<f32>()
    }

    /// Makes room for `n_tokens` more in every layer, so that nothing can fail half-way.
    pub(super) fn reserve(&mut self, config: &DecoderConfig, n_tokens: usize) -> Result<(), Error> {
        let width = config.kv_width();
        let fits = (self.keys.len(), self.width) == (config.n_layers(), width);
        assert!(fits, "the cache belongs to another model");
        let needed = self.len.saturating_add(n_tokens);
        if needed > self.capacity {
            return Err(Error::Context { needed, capacity: self.capacity });
        }
        for layer in self.keys.iter_mut().chain(&mut self.values) {
            layer.try_reserve(n_tokens.saturating_mul(width)).map_err(|_| Error::Memory {
                what: "key-value cache",
                bytes: n_tokens.saturating_mul(Self::bytes_per_token(config)),
            })?;
        }
        Ok(())
    }

    /// Appends new positions to a layer; returns all its keys and values `[len + n, kv_heads, head_dim]`.
    pub(super) fn append(
        &mut self,
        layer_idx: usize,
        new_keys: &[f32],
        new_values: &[f32],
    ) -> (&[f32], &[f32]) {
        let (keys, values) = (&mut self.keys[layer_idx], &mut self.values[layer_idx]);
        // After a pass that broke off half-way there may be more than is counted.
        keys.truncate(self.len * self.width);
        values.truncate(self.len * self.width);
        keys.extend_from_slice(new_keys);
        values.extend_from_slice(new_values);
        (keys, values)
    }

    pub(super) fn advance(&mut self, n_tokens: usize) {
        self.len += n_tokens;
    }
}
