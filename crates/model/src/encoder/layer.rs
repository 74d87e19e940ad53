//! One encoder layer over a group of texts that lie one after the other.

use kernels::attention::{self, Keys, Mask, Shape};
use kernels::norm::layer_norm;
use kernels::pool::Pool;

use super::Precision;
use super::projection::{Epilogue, Projection};
use crate::Error;
use crate::config::EncoderConfig;
use crate::weights::Weights;

/// Gain and bias of a LayerNorm.
#[derive(Debug)]
pub(super) struct Norm {
    pub(super) gain: Vec<f32>,
    pub(super) bias: Vec<f32>,
}

impl Norm {
    pub(super) fn load(weights: &Weights, name: &str, width: usize) -> Result<Self, Error> {
        Ok(Self {
            gain: weights.vector(&format!("{name}.weight"), width)?,
            bias: weights.vector(&format!("{name}.bias"), width)?,
        })
    }
}

/// The weights of one layer.
#[derive(Debug)]
pub(super) struct Layer {
    query: Projection,
    key: Projection,
    value: Projection,
    output: Projection,
    attention_norm: Norm,
    up: Projection,
    down: Projection,
    output_norm: Norm,
}

/// Buffers of one group, each `[tokens, width]`.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) x: Vec<f32>,
    queries: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
    gathered: Vec<f32>,
    /// A second residual stream: norms write from one to the other.
    pub(super) update: Vec<f32>,
    inner: Vec<f32>,
}

impl Scratch {
    pub(super) fn resize(&mut self, config: &EncoderConfig, n_tokens: usize) {
        let hidden = config.hidden;
        let widths = [
            (&mut self.x, hidden),
            (&mut self.queries, hidden),
            (&mut self.keys, hidden),
            (&mut self.values, hidden),
            (&mut self.gathered, hidden),
            (&mut self.update, hidden),
            (&mut self.inner, config.feed_forward),
        ];
        for (buffer, width) in widths {
            buffer.resize(n_tokens * width, 0.0);
        }
    }
}

impl Layer {
    pub(super) fn new(
        config: &EncoderConfig,
        weights: &Weights,
        layer_idx: usize,
        precision: Precision,
    ) -> Result<Self, Error> {
        let (hidden, inner) = (config.hidden, config.feed_forward);
        let name = |part: &str| format!("blk.{layer_idx}.{part}");
        let linear =
            |part: &str, rows, cols| Projection::load(weights, &name(part), rows, cols, precision);
        Ok(Self {
            query: linear("attn_q", hidden, hidden)?,
            key: linear("attn_k", hidden, hidden)?,
            value: linear("attn_v", hidden, hidden)?,
            output: linear("attn_output", hidden, hidden)?,
            attention_norm: Norm::load(weights, &name("attn_output_norm"), hidden)?,
            up: linear("ffn_up", inner, hidden)?,
            down: linear("ffn_down", hidden, inner)?,
            output_norm: Norm::load(weights, &name("layer_output_norm"), hidden)?,
        })
    }

    /// Takes the group's token vectors `scratch.x` through the layer, in place. `lengths` are its texts' tokens.
    pub(super) fn run(
        &self,
        pool: &Pool,
        config: &EncoderConfig,
        scratch: &mut Scratch,
        lengths: &[usize],
        precision: Precision,
    ) {
        let Scratch { x, queries, keys, values, gathered, update, inner } = scratch;
        let outputs = [(&self.query, &mut queries[..]), (&self.key, keys), (&self.value, values)];
        Projection::apply_each(pool, outputs, x, precision);
        let mut start = 0;
        let mut arranged = Keys::new(config.hidden);
        for &length in lengths {
            let span = start..start + length * config.hidden;
            let shape = Shape {
                n_queries: length,
                n_keys: length,
                heads: config.n_heads,
                kv_heads: config.n_heads,
                head_dim: config.head_dim(),
                mask: Mask::None,
                scale: 1.0 / (config.head_dim() as f32).sqrt(),
                soft_cap: None,
            };
            let (q, k, v) = (&queries[span.clone()], &keys[span.clone()], &values[span.clone()]);
            arranged.set(pool, k);
            attention::attend(pool, &mut gathered[span.clone()], q, &arranged.blocks(v), &shape);
            start = span.end;
        }
        self.output.apply(pool, x, gathered, Epilogue::Add, precision);
        let Norm { gain, bias } = &self.attention_norm;
        layer_norm(pool, update, x, gain, bias, config.norm_eps);
        self.up.apply(pool, inner, update, Epilogue::Gelu, precision);
        self.down.apply(pool, update, inner, Epilogue::Add, precision);
        let Norm { gain, bias } = &self.output_norm;
        layer_norm(pool, x, update, gain, bias, config.norm_eps);
    }
}
