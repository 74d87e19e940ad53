//! The dense feed-forward block: `(act(h·Wgate) ∘ h·Wup)·Wdown`.
//!
//! It reads the normed residual stream and leaves what is to be added to it in `update`.

use kernels::activation;
use kernels::pool::Pool;

use super::cache::Scratch;
use super::layer::Names;
use crate::Error;
use crate::config::{Activation, DecoderConfig};
use crate::weights::linear::{Linear, apply_all};

/// The projections of one layer's feed-forward block.
#[derive(Debug)]
pub(super) struct FeedForward {
    gate: Linear,
    up: Linear,
    down: Linear,
}

impl FeedForward {
    pub(super) fn new(config: &DecoderConfig, names: &Names<'_>) -> Result<Self, Error> {
        let (hidden, inner) = (config.hidden, config.feed_forward);
        let biased = config.biases.feed_forward;
        Ok(Self {
            gate: names.linear("ffn_gate", inner, hidden, biased)?,
            up: names.linear("ffn_up", inner, hidden, biased)?,
            down: names.linear("ffn_down", hidden, inner, biased)?,
        })
    }

    /// `update` = the block's answer to `normed`.
    pub(super) fn run(&self, pool: &Pool, config: &DecoderConfig, scratch: &mut Scratch) {
        let Scratch { normed, update, gate, up, gated, precision, .. } = scratch;
        apply_all(pool, &mut [(&self.gate, &mut gate[..]), (&self.up, &mut up[..])], normed);
        match config.activation {
            Activation::Silu => activation::silu_mul(pool, &mut gated.values, gate, up),
            Activation::GeluTanh => activation::gelu_tanh_mul(pool, &mut gated.values, gate, up),
        }
        gated.refresh(pool, config.feed_forward, *precision);
        apply_all(pool, &mut [(&self.down, update)], gated);
    }
}
