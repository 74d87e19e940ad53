//! The dense feed-forward block: `(act(h·Wgate) ∘ h·Wup)·Wdown`, or without a gate `act(h·Wup)·Wdown`.
//!
//! It reads the normed residual stream and leaves what is to be added to it in `update`.

use kernels::activation;
use kernels::pool::Pool;

use super::layer::Names;
use super::scratch::Scratch;
use crate::Error;
use crate::config::{Activation, DecoderConfig};
use crate::weights::StoredMatrix;
use crate::weights::linear::{Linear, apply_all};

/// The projections of one layer's feed-forward block.
#[derive(Debug)]
pub(super) struct FeedForward {
    /// `None` where the family has no gate (Falcon).
    gate: Option<Linear>,
    up: Linear,
    down: Linear,
}

impl FeedForward {
    pub(super) fn new(config: &DecoderConfig, names: &Names<'_>) -> Result<Self, Error> {
        let (hidden, inner) = (config.hidden, config.feed_forward);
        let biased = config.biases.feed_forward;
        Ok(Self {
            gate: match config.gated {
                true => Some(names.linear("ffn_gate", inner, hidden, biased)?),
                false => None,
            },
            up: names.linear("ffn_up", inner, hidden, biased)?,
            down: names.linear("ffn_down", hidden, inner, biased)?,
        })
    }

    /// Asks for the weights.
    pub(super) fn will_need(&self) {
        self.gate.iter().chain([&self.up, &self.down]).for_each(|part| part.matrix.will_need());
    }

    /// The weights of fast products, in the order in which a pass reads them.
    pub(super) fn matrices_mut(&mut self) -> impl Iterator<Item = &mut StoredMatrix> {
        let parts = self.gate.iter_mut().chain([&mut self.up, &mut self.down]);
        parts.map(|part| &mut part.matrix)
    }

    /// `update` = the block's answer to `normed`.
    pub(super) fn run(&self, pool: &Pool, config: &DecoderConfig, scratch: &mut Scratch) {
        let Scratch { normed, update, inner, precision, .. } = scratch;
        let len = normed.values.len() / config.hidden * config.feed_forward;
        let (gate, up, gated) = inner.first(len);
        match &self.gate {
            Some(projection) => {
                apply_all(pool, &mut [(projection, &mut *gate), (&self.up, &mut *up)], normed);
                bend_gate(pool, config.activation, &mut gated.values, gate, up);
            }
            None => {
                apply_all(pool, &mut [(&self.up, &mut gated.values[..])], normed);
                bend(pool, config.activation, &mut gated.values);
            }
        }
        gated.refresh(pool, config.feed_forward, *precision);
        apply_all(pool, &mut [(&self.down, update)], gated);
    }
}

/// gated = act(gate) ∘ up.
pub(super) fn bend_gate(
    pool: &Pool,
    activation: Activation,
    gated: &mut [f32],
    gate: &mut [f32],
    up: &[f32],
) {
    match activation {
        Activation::Silu => activation::silu_mul(pool, gated, gate, up),
        Activation::GeluTanh => activation::gelu_tanh_mul(pool, gated, gate, up),
        // No family has this gate, so it is worth two passes and no kernel.
        Activation::Gelu => {
            activation::gelu_erf(pool, gate);
            for ((gated, gate), up) in gated.iter_mut().zip(gate).zip(up) {
                *gated = *gate * up;
            }
        }
    }
}

/// x = act(x).
fn bend(pool: &Pool, activation: Activation, x: &mut [f32]) {
    match activation {
        Activation::Silu => activation::silu(pool, x),
        Activation::GeluTanh => activation::gelu_tanh(pool, x),
        Activation::Gelu => activation::gelu_erf(pool, x),
    }
}
