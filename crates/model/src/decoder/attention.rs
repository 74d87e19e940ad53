//! The attention block: projections, rotation, cache, attention, output projection.
//!
//! It reads the normed residual stream and leaves what is to be added to it in `update`; norms around the
//! block and the sum itself belong to the layer.

use kernels::attention::{self, Mask, Shape};
use kernels::norm::rms_norm_in_place;
use kernels::pool::Pool;
use kernels::rope::{self, Rotation};

use super::cache::Scratch;
use super::layer::Names;
use super::norm::gain;
use crate::Error;
use crate::config::{DecoderConfig, QkNorm, Reach};
use crate::weights::linear::{Linear, apply_all};

/// The projections of one layer's attention.
#[derive(Debug)]
pub(super) struct Attention {
    reach: Reach,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    /// Norms of queries and of keys: over a head each, or over all heads, as long as the gain.
    qk_norms: Option<(Vec<f32>, Vec<f32>)>,
}

/// The cache of one layer `[len, kv_heads, head_dim]`, ending in zeroed rows for this chunk, which are filled
/// in. The chunk's first position is `first`.
pub(super) struct Remembered<'a> {
    pub(super) keys: &'a mut [f32],
    pub(super) values: &'a mut [f32],
    pub(super) first: usize,
}

impl Attention {
    pub(super) fn new(config: &DecoderConfig, names: &Names<'_>) -> Result<Self, Error> {
        let (hidden, biases) = (config.hidden, config.biases);
        let (query, kv) = (config.query_width(), config.kv_width());
        let norm = |part, len| gain(config, names.weights, &names.of(part), len);
        let qk_norms = |query_len, key_len| {
            let query = norm("attn_q_norm.weight", query_len)?;
            Ok::<_, Error>(Some((query, norm("attn_k_norm.weight", key_len)?)))
        };
        Ok(Self {
            reach: config.layers[names.layer_idx],
            query: names.linear("attn_q", query, hidden, biases.qkv)?,
            key: names.linear("attn_k", kv, hidden, biases.qkv)?,
            value: names.linear("attn_v", kv, hidden, biases.qkv)?,
            output: names.linear("attn_output", hidden, query, biases.attention_output)?,
            qk_norms: match config.qk_norm {
                None => None,
                Some(QkNorm::Head) => qk_norms(config.head_dim, config.head_dim)?,
                Some(QkNorm::Width) => qk_norms(query, kv)?,
            },
        })
    }

    pub(super) fn is_local(&self) -> bool {
        self.reach == Reach::Local
    }

    /// `update` = attention over `normed` and what is remembered.
    pub(super) fn run(
        &self,
        pool: &Pool,
        config: &DecoderConfig,
        scratch: &mut Scratch,
        remembered: Remembered<'_>,
        rotation: &Rotation,
    ) {
        let Scratch { normed, queries, gathered, update, precision, .. } = scratch;
        let Remembered { keys, values, first } = remembered;
        let new_keys = &mut keys[first * config.kv_width()..];
        let new_values = &mut values[first * config.kv_width()..];
        let outputs = &mut [
            (&self.query, &mut queries[..]),
            (&self.key, new_keys),
            (&self.value, new_values),
        ];
        apply_all(pool, outputs, normed);
        if let Some((query_norm, key_norm)) = &self.qk_norms {
            rms_norm_in_place(pool, queries, query_norm, config.norm_eps);
            rms_norm_in_place(pool, new_keys, key_norm, config.norm_eps);
        }
        let layout = config.rotary.layout;
        rope::rotate(pool, queries, rotation, config.n_heads, config.head_dim, layout);
        rope::rotate(pool, new_keys, rotation, config.n_kv_heads, config.head_dim, layout);
        let shape = Shape {
            n_queries: normed.values.len() / config.hidden,
            n_keys: keys.len() / config.kv_width(),
            heads: config.n_heads,
            kv_heads: config.n_kv_heads,
            head_dim: config.head_dim,
            mask: Mask::Causal { first, window: self.is_local().then_some(config.window) },
            scale: config.attention_scale,
            soft_cap: config.attention_soft_cap,
        };
        attention::attend(pool, &mut gathered.values, queries, keys, values, &shape);
        gathered.refresh(pool, config.query_width(), *precision);
        apply_all(pool, &mut [(&self.output, update)], gathered);
    }
}
