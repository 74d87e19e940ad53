//! What a chip must hold, by term, on the fullest pipeline stage.
//!
//! Activations follow arXiv 2205.05198 (equations 1-6), extended to grouped queries, gated feed-forward blocks and
//! experts; `tests/published.rs` checks them against that paper's figures. Sixteen-bit training with Adam keeps per
//! parameter 2 bytes of weight, 4 of gradient and 12 of optimiser state (arXiv 1910.02054, section 3.1).

use serde::Serialize;

use crate::chips::Precision;
use crate::layout::{Layout, Recompute};
use crate::step::Job;

/// Bytes on the fullest chip. The parts add up to `total`.
#[derive(Debug, Clone, Copy, Default, Serialize, PartialEq)]
pub struct Memory {
    pub weights: f64,
    pub gradients: f64,
    pub optimizer: f64,
    /// Kept for the backward pass, all micro-batches in flight.
    pub activations: f64,
    /// The layer at work: recomputed activations, gathered weights, logits.
    pub working: f64,
    /// Communication buffers, library workspaces, fragmentation.
    pub buffers: f64,
    pub total: f64,
}

/// Buffers for tokens that arrive unevenly, over what arrives on average. Stated, not fitted: between 1.0 and 1.6 it moves
/// few of the measured layouts.
const DROPLESS: f64 = 1.2;

/// The runtime's own share of a chip: context, libraries, communicator buffers.
const RUNTIME_BYTES: f64 = 2.5e9;

impl Memory {
    pub fn fits(&self, capacity_bytes: f64) -> bool {
        self.total <= capacity_bytes
    }
}

/// Kept bytes per token of one layer: split over tensor-parallel ranks or not, and the attention scores.
fn kept_per_token(job: &Job<'_>, layout: &Layout, moe: bool) -> f64 {
    let shape = &job.shape;
    let tp = f64::from(layout.tp);
    let split = if layout.sequence_parallel { tp } else { 1.0 };
    let (h, q, kv, v) = (shape.hidden, shape.query_width(), shape.kv_width(), shape.value_width());
    // Inputs of products are kept in the format they are multiplied in.
    let operand = if job.precision == Precision::Bf16 { 2.0 } else { 1.0 };
    let masks = if job.stack.dropout { 2.0 * h } else { 0.0 };
    let replicated = 4.0 * h + 2.0 * operand * h + masks;
    let up = shape.matrices() - 1.0;
    let selective = layout.recompute == Recompute::Selective && job.stack.flash;
    // Latent attention keeps what is compressed; selectively, queries and keys are expanded again.
    let attention = match shape.latent {
        Some(latent) => {
            let expanded = if selective { 0.0 } else { q + kv };
            2.0 * (latent.query_rank + latent.key_rank + latent.rope + expanded)
        }
        None => 2.0 * (q + kv),
    };
    // What attention gave is kept for its own backward pass, and once more where the projection reads it narrower.
    let attention = attention + if operand < 2.0 { (2.0 + operand) * v } else { 2.0 * v };
    let inner = 2.0 * up + operand;
    let (dense, routed) = match shape.experts {
        Some(experts) if moe => {
            // Arrived tokens, and the gate's inputs, selectively in the operand format. Software before 2025 also kept what
            // experts gave, to weigh it where it is combined; since then the weight goes into the activation before the
            // second product (arXiv 2603.07685, memory-efficient permutation).
            let gate = if selective { operand * up } else { inner };
            let copies = if selective || job.stack.date > 2025.0 { 1.0 } else { 2.0 };
            let per_expert = copies * operand * h + gate * experts.width;
            (inner * experts.shared_width, DROPLESS * experts.topk * per_expert)
        }
        _ => (inner * shape.ffn, 0.0),
    };
    // What the feed-forward block reads is kept, nothing inside it.
    let mlp = layout.recompute == Recompute::Mlp;
    let (dense, routed) = if mlp { (0.0, 0.0) } else { (dense, routed) };
    let norms = if selective { 2.0 * operand * h } else { 0.0 };
    let scores =
        if job.stack.flash || matches!(layout.recompute, Recompute::Selective | Recompute::Full) {
            0.0
        } else {
            5.0 * shape.heads * job.seq
        };
    (replicated - norms) / split + (attention + dense + routed + scores) / tp
}

/// Kept bytes per token of a layer, the mean of those with and without experts.
fn kept_of_layers(job: &Job<'_>, layout: &Layout) -> f64 {
    let moe_share = job.shape.moe_layers() / job.shape.layers;
    let mut kept = 0.0;
    if moe_share > 0.0 {
        kept += moe_share * kept_per_token(job, layout, true);
    }
    if moe_share < 1.0 {
        kept += (1.0 - moe_share) * kept_per_token(job, layout, false);
    }
    kept
}

/// Bytes that one layer keeps of one micro-batch.
pub(crate) fn kept(job: &Job<'_>, layout: &Layout) -> f64 {
    let tokens = f64::from(layout.micro_batch) * job.seq / f64::from(layout.cp);
    tokens * kept_of_layers(job, layout)
}

/// Bytes on the fullest chip under a layout.
pub fn memory(job: &Job<'_>, layout: &Layout) -> Memory {
    let shape = &job.shape;
    let (shared, routed) = job.local_weights(layout);
    let (shared_dp, routed_dp) = job.replicas(layout);
    let over = |zero: u8, bytes: f64| {
        if layout.zero >= zero {
            bytes * (shared / shared_dp + routed / routed_dp)
        } else {
            bytes * (shared + routed)
        }
    };
    // Blocks have scales along rows or along columns, so weights in them are kept twice.
    let narrow_copy = match job.precision {
        Precision::Bf16 | Precision::Fp8 => 0.0,
        Precision::Mxfp8 if job.stack.narrow_weights => 0.0,
        Precision::Mxfp8 => 2.0,
        Precision::Fp4 => 1.1,
    };
    let mut out = Memory {
        weights: over(3, 2.0 + narrow_copy),
        gradients: over(2, if layout.zero >= 2 { 2.0 } else { job.stack.kept_gradient_bytes }),
        optimizer: over(1, 12.0),
        ..Memory::default()
    };

    let (tp, pp, cp) = (f64::from(layout.tp), f64::from(layout.pp), f64::from(layout.cp));
    let tokens = f64::from(layout.micro_batch) * job.seq / cp;
    let in_flight = in_flight(job, layout);
    out.activations = tokens * layer_bytes(job, layout) * (shape.layers / pp).ceil() * in_flight;

    let none = Layout { recompute: Recompute::None, ..*layout };
    let one_layer = tokens * kept_of_layers(job, &none);
    let rebuilt = match layout.recompute {
        Recompute::Full | Recompute::Mlp => one_layer,
        // One layer leaves while the next is at work, and comes back likewise.
        Recompute::Offload => 2.0 * one_layer,
        Recompute::None | Recompute::Selective => 0.0,
    };
    let gathered = if layout.zero >= 3 { gathered(job, layout) } else { 0.0 };
    // Logits in half precision and their loss gradient in single precision, on the last stage.
    let logits = tokens * shape.vocab / tp * 6.0;
    let logits = if pp > 1.0 {
        // The last stage holds one micro-batch; the first, which is counted here, holds `in_flight`.
        (logits - out.activations * (1.0 - 1.0 / in_flight)).max(0.0)
    } else {
        logits
    };
    out.working = rebuilt.max(logits) + gathered;
    out.buffers = RUNTIME_BYTES;
    out.total =
        out.weights + out.gradients + out.optimizer + out.activations + out.working + out.buffers;
    out
}

/// Bytes per token that a layer keeps in the chip's memory, the mean of those that recompute and those that do not.
fn layer_bytes(job: &Job<'_>, layout: &Layout) -> f64 {
    let kept = |layout: &Layout| kept_of_layers(job, layout);
    if layout.recompute == Recompute::Offload {
        (1.0 - f64::from(layout.full_layers_pct) / 100.0) * kept(layout)
    } else if layout.recompute == Recompute::Full {
        let split = if layout.sequence_parallel { f64::from(layout.tp) } else { 1.0 };
        let share = f64::from(layout.full_layers_pct) / 100.0;
        let none = Layout { recompute: Recompute::None, ..*layout };
        let rest = if share < 1.0 { (1.0 - share) * kept(&none) } else { 0.0 };
        share * 2.0 * job.shape.hidden / split + rest
    } else {
        kept(layout)
    }
}

/// Micro-batches whose activations the first stage holds at once.
fn in_flight(job: &Job<'_>, layout: &Layout) -> f64 {
    let pp = f64::from(layout.pp);
    let micro_batches = layout.micro_batches(job.global_batch).max(1.0);
    let vpp = f64::from(layout.vpp.max(1));
    // As many as there are stages, interleaved a little more (section 4.2.3 there).
    if pp > 1.0 && job.stack.two_way {
        (pp + 1.0).min(micro_batches)
    } else if pp > 1.0 {
        let interleave = if vpp > 1.0 { 1.0 + (pp - 1.0) / (pp * vpp) } else { 1.0 };
        (pp * interleave).min(micro_batches)
    } else {
        1.0
    }
}

/// Sharded weights that are whole while a layer works: its weights and gradients, the next one's, and one table's.
fn gathered(job: &Job<'_>, layout: &Layout) -> f64 {
    let tp = f64::from(layout.tp);
    let layer = job.shape.moe_layer();
    let layer = (layer.attention + layer.dense) / tp + layer.routed / f64::from(layout.ep.max(1));
    2.0 * (2.0 + 2.0) * layer + (2.0 + 2.0) * job.shape.embedding_weights() / tp
}
