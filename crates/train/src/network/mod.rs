//! The decoder with its gradients, written by hand: [`Network::pass`] goes forward and back over one micro-batch.
//!
//! Forward, each layer keeps what its gradient cannot cheaply compute again: its input and the residual stream in its
//! middle, the raw projections, the attention's output and log-sums, the router's choice, and gate and up. Norms, the
//! rotation and the inner activation are computed again on the way back. The head never holds all logits: a run of
//! rows goes forward, gives its loss and its gradient, and is forgotten. Buffers grow to the largest batch seen and
//! are kept, so a step allocates nothing of size.

mod attention;
mod feed_forward;
mod head;

use std::sync::Arc;

use kernels::gemm::Update;
use kernels::heads::Heads;
use kernels::pool::Pool;
use kernels::router::{Choice, Sorted};
use kernels::{embedding, norm};
use model::config::{DecoderConfig, Reach};

use crate::Error;
use crate::batch::Batch;
use crate::layout::{Layer, Layout};

/// Factors of the losses beside cross-entropy.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Auxiliary {
    /// Of the balance of experts over the whole batch, per layer; 1e-3 in Qwen 3.
    pub balance: f32,
    /// Of the squared log-sum of the router; 1e-3 in ST-MoE.
    pub router_z: f32,
    /// Of the squared log-sum of the logits; 1e-5 in OLMo.
    pub logit_z: f32,
}

/// What one pass found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// Σ of the cross-entropies that count, in nats.
    pub loss_sum: f64,
    /// How many there are.
    pub n_counted: usize,
    /// Visits of each expert in this micro-batch, by layer; empty for a dense layer.
    pub expert_load: Vec<Vec<u64>>,
    /// Σ over layers of the balance loss without its factor; 1 per sparse layer is a perfect balance.
    pub balance: f64,
}

/// How gradients of this micro-batch are scaled and joined with those of others.
#[derive(Debug, Clone, Copy)]
pub struct Share<'a> {
    /// Predictions that count in the whole batch, all micro-batches and workers together.
    pub n_counted: usize,
    /// Tokens of the whole batch.
    pub n_tokens: usize,
    /// Whether the gradients of earlier micro-batches stand in the array.
    pub update: Update,
    /// Visits of each expert, by layer, in earlier micro-batches of the batch and in other workers' parts: what the balance
    /// loss of a batch that is accumulated can know (Qiu et al., arXiv 2501.11873, keep the same buffer).
    pub earlier_load: &'a [Vec<u64>],
}

/// A model that can be trained: description, layout, tables and buffers. The parameters are the caller's.
pub struct Network {
    config: DecoderConfig,
    layout: Arc<Layout>,
    pool: Arc<Pool>,
    auxiliary: Auxiliary,
    /// Cosines and sines of each position, [positions, head_dim]; for global and for local layers.
    turns: [Vec<f32>; 2],
    kept: Vec<Kept>,
    scratch: Scratch,
}

/// What a layer keeps for its gradient.
#[derive(Debug, Default)]
struct Kept {
    /// The residual stream before the layer, [tokens, hidden].
    input: Vec<f32>,
    /// Queries, keys and values as projected.
    raw: Vec<f32>,
    /// What attention gave, [tokens, n_heads · head_dim].
    attended: Vec<f32>,
    /// [tokens, n_heads]
    log_sum: Vec<f32>,
    /// The residual stream after attention.
    middle: Vec<f32>,
    choice: Choice,
    sorted: Sorted,
    /// Gate and up of each slot.
    h: Vec<f32>,
}

/// Buffers that all layers share.
#[derive(Debug, Default)]
struct Scratch {
    normed: Vec<f32>,
    turned: Vec<f32>,
    /// Inner activations, [slots, inner].
    a: Vec<f32>,
    /// [slots, hidden]
    by_slot: Vec<f32>,
    /// Output of the last layer, then the gradient of the residual stream.
    stream: Vec<f32>,
    dnormed: Vec<f32>,
    d_o: Vec<f32>,
    dturned: Vec<f32>,
    draw: Vec<f32>,
    dweight: Vec<f32>,
    router_logits: Vec<f32>,
    logits: Vec<f32>,
    losses: Vec<f32>,
}

/// A buffer of at least this length, grown and not shrunk.
fn sized(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    &mut buffer[..len]
}

impl Network {
    /// A network for `config` on the pool's threads.
    ///
    /// # Errors
    /// When the model is of a kind that cannot be trained.
    pub fn new(
        config: DecoderConfig,
        pool: Arc<Pool>,
        auxiliary: Auxiliary,
    ) -> Result<Self, Error> {
        let layout = Arc::new(Layout::new(&config)?);
        let kept = (0..config.n_layers()).map(|_| Kept::default()).collect();
        Ok(Self {
            config,
            layout,
            pool,
            auxiliary,
            turns: [Vec::new(), Vec::new()],
            kept,
            scratch: Scratch::default(),
        })
    }

    /// The model's description.
    pub fn config(&self) -> &DecoderConfig {
        &self.config
    }

    /// Where its tensors lie.
    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// The threads it runs on.
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    fn heads(&self) -> Heads {
        Heads {
            n_heads: self.config.n_heads,
            n_kv_heads: self.config.n_kv_heads,
            dim: self.config.head_dim,
        }
    }

    /// Forward only: the losses that count, and how the experts were loaded.
    pub fn evaluate(&mut self, parameters: &[f32], batch: &Batch) -> Outcome {
        self.forward(parameters, batch);
        let mut outcome = self.outcome(&[]);
        self.head(parameters, None, batch, &mut outcome);
        outcome
    }

    /// Forward and back. `gradients` has the layout of `parameters` and is replaced or added to as `share` says.
    ///
    /// # Panics
    /// When the arrays have not the layout's length or a token is outside the vocabulary.
    pub fn pass(
        &mut self,
        parameters: &[f32],
        gradients: &mut [f32],
        batch: &Batch,
        share: Share<'_>,
    ) -> Outcome {
        assert_eq!(parameters.len(), self.layout.len, "parameters have another layout");
        assert_eq!(gradients.len(), self.layout.len, "gradients have another layout");
        self.forward(parameters, batch);
        let mut outcome = self.outcome(share.earlier_load);
        self.head(parameters, Some((&mut *gradients, share)), batch, &mut outcome);
        for layer_idx in (0..self.config.n_layers()).rev() {
            self.feed_forward_gradient(parameters, gradients, layer_idx, batch, share);
            self.attention_gradient(parameters, gradients, layer_idx, batch, share.update);
        }
        let update = if self.config.tied_head { Update::Add } else { share.update };
        let n = batch.len() * self.config.hidden;
        embedding::gradient(
            &self.pool,
            &mut gradients[self.layout.embedding.clone()],
            &self.scratch.stream[..n],
            &batch.tokens,
            self.config.hidden,
            update,
        );
        outcome
    }

    /// All layers; leaves the residual stream after the last in `scratch.stream`.
    fn forward(&mut self, parameters: &[f32], batch: &Batch) {
        self.make_turns(batch);
        let n = batch.len() * self.config.hidden;
        let table = &parameters[self.layout.embedding.clone()];
        let stream = sized(&mut self.scratch.stream, n);
        embedding::lookup(&self.pool, stream, table, &batch.tokens, self.config.hidden);
        for layer_idx in 0..self.config.n_layers() {
            // The layer's output takes the place of the buffer that becomes its input.
            std::mem::swap(&mut self.scratch.stream, &mut self.kept[layer_idx].input);
            self.attention(parameters, layer_idx, batch);
            self.feed_forward(parameters, layer_idx, batch);
        }
    }

    /// Makes sure that the tables of angles reach the longest text.
    fn make_turns(&mut self, batch: &Batch) {
        let longest = batch.positions.iter().max().map_or(0, |&p| p as usize + 1);
        let dim = self.config.head_dim;
        if self.turns[0].len() >= longest * dim {
            return;
        }
        let n = longest.next_power_of_two();
        for (turns, rotary) in
            self.turns.iter_mut().zip([&self.config.rotary, &self.config.local_rotary])
        {
            let frequencies = rotary.inverse_frequencies();
            let magnitude = rotary.magnitude();
            turns.clear();
            for position in 0..n {
                // The angle is an f32 product, as in PyTorch.
                let angles = || frequencies.iter().map(|f| position as f32 * f);
                turns.extend(angles().map(|angle| angle.cos() * magnitude));
                turns.extend(angles().map(|angle| angle.sin() * magnitude));
            }
        }
    }

    /// The table of a layer, and how far it looks back.
    fn reach(&self, layer_idx: usize) -> (usize, usize) {
        match self.config.layers[layer_idx] {
            Reach::Global => (0, usize::MAX),
            Reach::Local => (1, self.config.window),
        }
    }

    fn norm(&self, y: &mut [f32], x: &[f32], gain: &[f32]) {
        norm::rms_norm(&self.pool, y, x, gain, self.config.norm_eps);
    }

    /// Loads and balance of the forward pass that was just made.
    fn outcome(&self, earlier_load: &[Vec<u64>]) -> Outcome {
        let mut outcome = Outcome::default();
        for (layer_idx, kept) in self.kept.iter().enumerate() {
            let load = if self.layout.layers[layer_idx].router.is_some() {
                kept.sorted.starts.windows(2).map(|pair| u64::from(pair[1] - pair[0])).collect()
            } else {
                Vec::new()
            };
            if !load.is_empty() {
                let factors = balance_factors(&load, earlier_load.get(layer_idx));
                let n = kept.choice.log_sum.len().max(1);
                let mean = mean_probability(&kept.choice.probability, load.len(), n);
                outcome.balance +=
                    factors.iter().zip(mean).map(|(f, p)| f64::from(*f) * p).sum::<f64>();
            }
            outcome.expert_load.push(load);
        }
        outcome
    }
}

/// E · f_i, with f_i the share of all visits, earlier ones included, that went to expert i.
fn balance_factors(load: &[u64], earlier: Option<&Vec<u64>>) -> Vec<f32> {
    let count = |e: usize| load[e] + earlier.and_then(|earlier| earlier.get(e)).unwrap_or(&0);
    let total: u64 = (0..load.len()).map(count).sum();
    let factor = load.len() as f64 / total.max(1) as f64;
    (0..load.len()).map(|e| (count(e) as f64 * factor) as f32).collect()
}

fn mean_probability(probability: &[f32], n_experts: usize, n: usize) -> Vec<f64> {
    let mut mean = vec![0.0; n_experts];
    for row in probability.chunks_exact(n_experts) {
        mean.iter_mut().zip(row).for_each(|(mean, p)| *mean += f64::from(*p));
    }
    mean.iter_mut().for_each(|mean| *mean /= n as f64);
    mean
}

/// Two disjoint ranges of one array, for gradients that are written together.
fn two_ranges<'a>(
    values: &'a mut [f32],
    first: &std::ops::Range<usize>,
    second: &std::ops::Range<usize>,
) -> (&'a mut [f32], &'a mut [f32]) {
    assert!(first.end <= second.start, "ranges of a layer are in order");
    let (low, high) = values.split_at_mut(second.start);
    (&mut low[first.clone()], &mut high[..second.len()])
}

fn layer(layout: &Layout, layer_idx: usize) -> &Layer {
    &layout.layers[layer_idx]
}
