//! One layer: attention, then feed-forward, each between its norms and added to the residual stream.

use kernels::activation;
use kernels::norm::{rms_norm, rms_norm_in_place};
use kernels::pool::Pool;
use kernels::rope::Rotation;

use super::attention::{Attention, Remembered};
use super::cache::Scratch;
use super::feed_forward::FeedForward;
use crate::Error;
use crate::config::DecoderConfig;
use crate::weights::Weights;
use crate::weights::linear::Linear;

/// The weights of one layer.
#[derive(Debug)]
pub(super) struct Layer {
    attention_norm: Vec<f32>,
    attention: Attention,
    post_attention_norm: Option<Vec<f32>>,
    feed_forward_norm: Vec<f32>,
    feed_forward: FeedForward,
    post_feed_forward_norm: Option<Vec<f32>>,
}

/// Where the tensors of one layer are found.
pub(super) struct Names<'a> {
    pub(super) weights: &'a Weights,
    pub(super) layer_idx: usize,
}

impl Names<'_> {
    /// The full name of a part of this layer.
    pub(super) fn of(&self, part: &str) -> String {
        format!("blk.{}.{part}", self.layer_idx)
    }

    /// The projection `part` of this layer.
    pub(super) fn linear(
        &self,
        part: &str,
        rows: usize,
        cols: usize,
        biased: bool,
    ) -> Result<Linear, Error> {
        Linear::load(self.weights, &self.of(part), rows, cols, biased)
    }
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
        let names = Names { weights, layer_idx };
        let norm =
            |part: &str| gain(config, weights, &names.of(&format!("{part}.weight")), config.hidden);
        let post_norm = |part: &str| match config.post_norms {
            true => norm(part).map(Some),
            false => Ok(None),
        };
        Ok(Self {
            attention_norm: norm("attn_norm")?,
            attention: Attention::new(config, &names)?,
            post_attention_norm: post_norm("post_attention_norm")?,
            feed_forward_norm: norm("ffn_norm")?,
            feed_forward: FeedForward::new(config, &names)?,
            post_feed_forward_norm: post_norm("post_ffw_norm")?,
        })
    }

    pub(super) fn is_local(&self) -> bool {
        self.attention.is_local()
    }

    /// Takes the residual stream of a chunk through the layer.
    pub(super) fn run(
        &self,
        pool: &Pool,
        config: &DecoderConfig,
        scratch: &mut Scratch,
        remembered: Remembered<'_>,
        rotation: &Rotation,
    ) {
        norm_input(pool, config, scratch, &self.attention_norm);
        self.attention.run(pool, config, scratch, remembered, rotation);
        add_update(pool, config, scratch, self.post_attention_norm.as_deref());
        norm_input(pool, config, scratch, &self.feed_forward_norm);
        self.feed_forward.run(pool, config, scratch);
        add_update(pool, config, scratch, self.post_feed_forward_norm.as_deref());
    }
}

/// Norms the residual stream for the block that follows.
fn norm_input(pool: &Pool, config: &DecoderConfig, scratch: &mut Scratch, gain: &[f32]) {
    rms_norm(pool, &mut scratch.normed.values, &scratch.x, gain, config.norm_eps);
    scratch.normed.refresh(pool, config.hidden, scratch.precision);
}

/// Adds what a block left in `update` to the residual stream, normed first where the family does so.
fn add_update(pool: &Pool, config: &DecoderConfig, scratch: &mut Scratch, norm: Option<&[f32]>) {
    if let Some(norm) = norm {
        rms_norm_in_place(pool, &mut scratch.update, norm, config.norm_eps);
    }
    activation::add(pool, &mut scratch.x, &scratch.update);
}
