//! The attention block: projections, rotation, cache, attention, output projection.
//!
//! It reads the normed residual stream and leaves what is to be added to it in `update`; norms around the
//! block and the sum itself belong to the layer.

use kernels::attention::{self, Mask, Shape};
use kernels::norm::rms_norm_in_place;
use kernels::pool::Pool;
use kernels::rope::{self, Rotation};

use super::cache::Layer;
use super::layer::Names;
use super::norm::gain;
use super::parts::Segment;
use super::scratch::Scratch;
use crate::Error;
use crate::config::{DecoderConfig, QkNorm, Reach};
use crate::weights::StoredMatrix;
use crate::weights::linear::{Linear, apply_all};

/// The projections of one layer's attention.
#[derive(Debug)]
pub(super) struct Attention {
    layer_idx: usize,
    reach: Reach,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    /// Norms of queries and of keys: over a head each, or over all heads, as long as the gain.
    qk_norms: Option<(Vec<f32>, Vec<f32>)>,
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
            layer_idx: names.layer_idx,
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

    /// Asks for the weights.
    pub(super) fn will_need(&self) {
        let parts = [&self.query, &self.key, &self.value, &self.output];
        parts.iter().for_each(|part| part.matrix.will_need());
    }

    /// The weights of fast products, in the order in which a pass reads them.
    pub(super) fn matrices_mut(&mut self) -> impl Iterator<Item = &mut StoredMatrix> {
        [&mut self.query, &mut self.key, &mut self.value, &mut self.output]
            .into_iter()
            .map(|part| &mut part.matrix)
    }

    pub(super) fn is_local(&self) -> bool {
        self.reach == Reach::Local
    }

    /// `update` = attention of each segment's rows of `normed` over what its cache remembers and its own rows,
    /// which are appended to it.
    pub(super) fn run(
        &self,
        pool: &Pool,
        config: &DecoderConfig,
        scratch: &mut Scratch,
        segments: &mut [Segment<'_>],
        rotation: &Rotation,
    ) {
        let Scratch { normed, queries, keys, values, gathered, update, precision, .. } = scratch;
        let outputs = &mut [
            (&self.query, &mut queries[..]),
            (&self.key, &mut keys[..]),
            (&self.value, &mut values[..]),
        ];
        apply_all(pool, outputs, normed);
        if let Some((query_norm, key_norm)) = &self.qk_norms {
            rms_norm_in_place(pool, queries, query_norm, config.norm_eps);
            rms_norm_in_place(pool, keys, key_norm, config.norm_eps);
        }
        let layout = config.rotary.layout;
        rope::rotate(pool, queries, rotation, config.n_heads, config.head_dim, layout);
        rope::rotate(pool, keys, rotation, config.n_kv_heads, config.head_dim, layout);
        let (query_width, kv_width) = (config.query_width(), config.kv_width());
        let mut row = 0;
        for segment in segments {
            let rows = row..row + segment.n_tokens;
            row = rows.end;
            let new = rows.start * kv_width..rows.end * kv_width;
            let first = segment.cache.len();
            let (new_keys, new_values) = (&keys[new.clone()], &values[new]);
            let remembered = segment.cache.append(pool, self.layer_idx, new_keys, new_values);
            let shape = Shape {
                n_queries: segment.n_tokens,
                n_keys: first + segment.n_tokens,
                heads: config.n_heads,
                kv_heads: config.n_kv_heads,
                head_dim: config.head_dim,
                mask: Mask::Causal { first, window: self.is_local().then_some(config.window) },
                scale: config.attention_scale,
                soft_cap: config.attention_soft_cap,
            };
            let own = rows.start * query_width..rows.end * query_width;
            let gathered = &mut gathered.values[own.clone()];
            let queries = &queries[own];
            match remembered {
                Layer::Full(blocks) => attention::attend(pool, gathered, queries, &blocks, &shape),
                Layer::Half(blocks) => attention::attend(pool, gathered, queries, &blocks, &shape),
            }
        }
        gathered.refresh(pool, query_width, *precision);
        apply_all(pool, &mut [(&self.output, update)], gathered);
    }
}
