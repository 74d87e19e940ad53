//! The norms of the residual stream: RMSNorm or LayerNorm, as the configuration says.

use kernels::norm::{layer_norm, rms_norm, rms_norm_in_place};
use kernels::pool::Pool;

use crate::Error;
use crate::config::{self, DecoderConfig};
use crate::weights::Weights;

/// A norm's gain and, for LayerNorm, its bias.
#[derive(Debug)]
pub(super) struct Norm {
    gain: Vec<f32>,
    bias: Option<Vec<f32>>,
    eps: f32,
}

impl Norm {
    /// The norm of the residual stream called `name`, without `.weight`.
    pub(super) fn load(
        config: &DecoderConfig,
        weights: &Weights,
        name: &str,
    ) -> Result<Self, Error> {
        let gain = gain(config, weights, &format!("{name}.weight"), config.hidden)?;
        let bias = match config.norm {
            config::Norm::Rms => None,
            config::Norm::Layer => Some(weights.vector(&format!("{name}.bias"), config.hidden)?),
        };
        Ok(Self { gain, bias, eps: config.norm_eps })
    }

    /// y = norm(x), row by row.
    pub(super) fn apply(&self, pool: &Pool, y: &mut [f32], x: &[f32]) {
        match &self.bias {
            None => rms_norm(pool, y, x, &self.gain, self.eps),
            Some(bias) => layer_norm(pool, y, x, &self.gain, bias, self.eps),
        }
    }

    /// x = norm(x). Only RMSNorm stands where this is needed, after a block.
    pub(super) fn apply_in_place(&self, pool: &Pool, x: &mut [f32]) {
        assert!(self.bias.is_none(), "no family has a LayerNorm after a block");
        rms_norm_in_place(pool, x, &self.gain, self.eps);
    }
}

/// A gain as it is meant: `gain_offset` is added to what is stored.
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
