//! One layer: attention, then feed-forward, each added to the residual stream.

use kernels::activation;
use kernels::attention::{self, Mask, Shape};
use kernels::norm::{rms_norm, rms_norm_in_place};
use kernels::pool::Pool;
use kernels::rope::{self, Rotation};

use super::cache::Scratch;
use crate::Error;
use crate::config::{Activation, DecoderConfig, Reach};
use crate::weights::Weights;
use crate::weights::linear::Linear;

/// The weights of one layer.
#[derive(Debug)]
pub(super) struct Layer {
    reach: Reach,
    attention_norm: Vec<f32>,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    /// Norms over each query and each key head.
    head_norms: Option<(Vec<f32>, Vec<f32>)>,
    post_attention_norm: Option<Vec<f32>>,
    feed_forward_norm: Vec<f32>,
    gate: Linear,
    up: Linear,
    down: Linear,
    post_feed_forward_norm: Option<Vec<f32>>,
}

/// A norm's gain as it is meant: `gain_offset` is added to what is stored.
pub(super) fn gain(
    config: &DecoderConfig,
    weights: &Weights,
    name: &str,
    len: usize,
) -> Result<Vec<f32>, Error> {
    let mut gain = weights.vector(name, len)?;
    gain.iter_mut().for_each(|value| *value += config.gain_offset);
    Ok(gain)
}

impl Layer {
    pub(super) fn new(
        config: &DecoderConfig,
        weights: &Weights,
        layer_idx: usize,
    ) -> Result<Self, Error> {
        let name = |part: &str| format!("blk.{layer_idx}.{part}");
        let norm = |part: &str, len| gain(config, weights, &name(&format!("{part}.weight")), len);
        let linear =
            |part: &str, rows, cols, biased| Linear::load(weights, &name(part), rows, cols, biased);
        let post_norm = |part: &str| match config.post_norms {
            true => norm(part, config.hidden).map(Some),
            false => Ok(None),
        };
        let (hidden, inner, biases) = (config.hidden, config.feed_forward, config.biases);
        let head_norms = match config.qk_norm {
            true => {
                Some((norm("attn_q_norm", config.head_dim)?, norm("attn_k_norm", config.head_dim)?))
            }
            false => None,
        };
        Ok(Self {
            reach: config.layers[layer_idx],
            attention_norm: norm("attn_norm", hidden)?,
            query: linear("attn_q", config.query_width(), hidden, biases.qkv)?,
            key: linear("attn_k", config.kv_width(), hidden, biases.qkv)?,
            value: linear("attn_v", config.kv_width(), hidden, biases.qkv)?,
            output: linear("attn_output", hidden, config.query_width(), biases.attention_output)?,
            head_norms,
            post_attention_norm: post_norm("post_attention_norm")?,
            feed_forward_norm: norm("ffn_norm", hidden)?,
            gate: linear("ffn_gate", inner, hidden, biases.feed_forward)?,
            up: linear("ffn_up", inner, hidden, biases.feed_forward)?,
            down: linear("ffn_down", hidden, inner, biases.feed_forward)?,
            post_feed_forward_norm: post_norm("post_ffw_norm")?,
        })
    }

    pub(super) fn is_local(&self) -> bool {
        self.reach == Reach::Local
    }

    /// Adds attention to the residual stream. `keys` and `values` `[len, kv_heads, head_dim]` end in
    /// zeroed rows for this chunk, which are filled in; the chunk's first position is `first`.
    pub(super) fn attend(
        &self,
        pool: &Pool,
        config: &DecoderConfig,
        scratch: &mut Scratch,
        keys: &mut [f32],
        values: &mut [f32],
        first: usize,
        rotation: &Rotation,
    ) {
        let Scratch { x, normed, queries, gathered, update, .. } = scratch;
        rms_norm(pool, normed, x, &self.attention_norm, config.norm_eps);
        let new_keys = &mut keys[first * config.kv_width()..];
        self.query.apply(pool, queries, normed);
        self.key.apply(pool, new_keys, normed);
        self.value.apply(pool, &mut values[first * config.kv_width()..], normed);
        if let Some((query_norm, key_norm)) = &self.head_norms {
            rms_norm_in_place(pool, queries, query_norm, config.norm_eps);
            rms_norm_in_place(pool, new_keys, key_norm, config.norm_eps);
        }
        let layout = config.rotary.layout;
        rope::rotate(pool, queries, rotation, config.n_heads, config.head_dim, layout);
        rope::rotate(pool, new_keys, rotation, config.n_kv_heads, config.head_dim, layout);
        let shape = Shape {
            n_queries: x.len() / config.hidden,
            n_keys: keys.len() / config.kv_width(),
            heads: config.n_heads,
            kv_heads: config.n_kv_heads,
            head_dim: config.head_dim,
            mask: Mask::Causal { first, window: self.is_local().then_some(config.window) },
            scale: config.attention_scale,
            soft_cap: config.attention_soft_cap,
        };
        attention::attend(pool, gathered, queries, keys, values, &shape);
        self.output.apply(pool, update, gathered);
        if let Some(norm) = &self.post_attention_norm {
            rms_norm_in_place(pool, update, norm, config.norm_eps);
        }
        activation::add(pool, x, update);
    }

    /// Adds the gated feed-forward block to the residual stream.
    pub(super) fn feed_forward(&self, pool: &Pool, config: &DecoderConfig, scratch: &mut Scratch) {
        let Scratch { x, normed, update, gate, up, gated, .. } = scratch;
        rms_norm(pool, normed, x, &self.feed_forward_norm, config.norm_eps);
        self.gate.apply(pool, gate, normed);
        self.up.apply(pool, up, normed);
        match config.activation {
            Activation::Silu => activation::silu_mul(pool, gated, gate, up),
            Activation::GeluTanh => activation::gelu_tanh_mul(pool, gated, gate, up),
        }
        self.down.apply(pool, update, gated);
        if let Some(norm) = &self.post_feed_forward_norm {
            rms_norm_in_place(pool, update, norm, config.norm_eps);
        }
        activation::add(pool, x, update);
    }
}
