//! One layer: attention and feed-forward, each behind its norm, both added to the residual stream.
//!
//! ```text
//! sequential:  x += post?(attention(norm(x)));  x += post?(feed_forward(norm'(x)))
//! parallel:    x += attention(norm(x)) + feed_forward(norm'(x))      norm' may be the same as norm
//! ```

use kernels::activation;
use kernels::pool::Pool;
use kernels::rope::Rotation;

use super::attention::Attention;
use super::experts::Mixture;
use super::feed_forward::FeedForward;
use super::norm::Norm;
use super::parts::Segment;
use super::scratch::Scratch;
use crate::Error;
use crate::config::{Block, DecoderConfig};
use crate::weights::linear::Linear;
use crate::weights::{StoredMatrix, Weights};

/// The weights of one layer.
#[derive(Debug)]
pub(super) struct Layer {
    attention_norm: Norm,
    attention: Attention,
    post_attention_norm: Option<Norm>,
    /// `None` where both halves read the same normed stream.
    feed_forward_norm: Option<Norm>,
    feed_forward: Half,
    post_feed_forward_norm: Option<Norm>,
}

/// The second half of a layer.
#[derive(Debug)]
enum Half {
    Dense(FeedForward),
    Experts(Mixture),
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

impl Layer {
    pub(super) fn new(
        config: &DecoderConfig,
        weights: &Weights,
        layer_idx: usize,
    ) -> Result<Self, Error> {
        let names = Names { weights, layer_idx };
        let norm = |part: &str| Norm::load(config, weights, &names.of(part));
        let post_norm = |part: &str| match config.post_norms {
            true => norm(part).map(Some),
            false => Ok(None),
        };
        let (attention_norm, feed_forward_norm) = match config.block {
            Block::Sequential => (norm("attn_norm")?, Some(norm("ffn_norm")?)),
            Block::Parallel { two_norms: false } => (norm("attn_norm")?, None),
            // The names come from the family: the second norm is attention's.
            Block::Parallel { two_norms: true } => (norm("attn_norm_2")?, Some(norm("attn_norm")?)),
        };
        Ok(Self {
            attention_norm,
            attention: Attention::new(config, &names)?,
            post_attention_norm: post_norm("post_attention_norm")?,
            feed_forward_norm,
            feed_forward: match config.experts_of(layer_idx) {
                None => Half::Dense(FeedForward::new(config, &names)?),
                Some(experts) => Half::Experts(Mixture::new(config, experts, &names)?),
            },
            post_feed_forward_norm: post_norm("post_ffw_norm")?,
        })
    }

    pub(super) fn is_local(&self) -> bool {
        self.attention.is_local()
    }

    /// Whether experts are asked for as soon as they are chosen.
    pub(super) fn stream_experts(&mut self, is_streamed: bool) {
        if let Half::Experts(mixture) = &mut self.feed_forward {
            mixture.is_streamed = is_streamed;
        }
    }

    /// Asks for what every token reads: all but the experts.
    pub(super) fn will_need_shared(&self) {
        self.attention.will_need();
        match &self.feed_forward {
            Half::Dense(dense) => dense.will_need(),
            Half::Experts(mixture) => mixture.will_need_router(),
        }
    }

    /// The weights of fast products, in the order in which a pass reads them.
    pub(super) fn matrices_mut(&mut self) -> Vec<&mut StoredMatrix> {
        let mut matrices: Vec<&mut StoredMatrix> = self.attention.matrices_mut().collect();
        match &mut self.feed_forward {
            Half::Dense(dense) => matrices.extend(dense.matrices_mut()),
            Half::Experts(mixture) => matrices.extend(mixture.matrices_mut()),
        }
        matrices
    }

    /// Takes the residual stream of a pass through the layer.
    pub(super) fn run(
        &self,
        pool: &Pool,
        config: &DecoderConfig,
        scratch: &mut Scratch,
        segments: &mut [Segment<'_>],
        rotation: &Rotation,
    ) {
        norm_input(pool, config, scratch, &self.attention_norm);
        self.attention.run(pool, config, scratch, segments, rotation);
        let parallel = config.block != Block::Sequential;
        if parallel && let Some(norm) = &self.feed_forward_norm {
            // Before attention's answer is added: this half reads the layer's input.
            norm_input(pool, config, scratch, norm);
        }
        add_update(pool, scratch, self.post_attention_norm.as_ref());
        if !parallel && let Some(norm) = &self.feed_forward_norm {
            norm_input(pool, config, scratch, norm);
        }
        match &self.feed_forward {
            Half::Dense(dense) => dense.run(pool, config, scratch),
            Half::Experts(mixture) => mixture.run(pool, config, scratch),
        }
        add_update(pool, scratch, self.post_feed_forward_norm.as_ref());
    }
}

/// Norms the residual stream for the block that follows.
fn norm_input(pool: &Pool, config: &DecoderConfig, scratch: &mut Scratch, norm: &Norm) {
    norm.apply(pool, &mut scratch.normed.values, &scratch.x);
    scratch.normed.refresh(pool, config.hidden, scratch.precision);
}

/// Adds what a block left in `update` to the residual stream, normed first where the family does so.
fn add_update(pool: &Pool, scratch: &mut Scratch, norm: Option<&Norm>) {
    if let Some(norm) = norm {
        norm.apply_in_place(pool, &mut scratch.update);
    }
    activation::add(pool, &mut scratch.x, &scratch.update);
}
