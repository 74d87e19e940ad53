//! How long one training step takes: the sum of what one chip computes, moves and waits for.
//!
//! - A matrix product takes its FLOPs at the chip's achievable rate plus the share of its memory traffic that is
//!   not hidden: `2 m n k / rate + traffic · bytes / bandwidth`. The second term makes small and thin products slow.
//! - Element-wise work takes its bytes at HBM rate; every layer and pass has a launch gap.
//! - The pipeline idles `(pp − 1) / vpp` of a micro-batch's passes (arXiv 2104.04473, section 2.2).
//! - Tensor parallelism moves two gathers and two scatters of the activations per layer and pass (arXiv 2205.05198);
//!   routed experts take part in neither.
//! - Data parallelism reduces gradients and gathers weights once per step; with ZeRO-3 per micro-batch
//!   (arXiv 1910.02054).
//!
//! Evaluating a layout takes well under a microsecond, so that searches can be exhaustive.

use serde::Serialize;

use crate::chips::{Chip, Precision};
use crate::comm::Network;
use crate::constants::{Constants, Kernels, Stack};
use crate::layout::{Layout, Recompute};
use crate::shape::Shape;

/// What is trained, on what, with what.
#[derive(Debug, Clone)]
pub struct Job<'a> {
    pub shape: Shape,
    pub chip: &'a Chip,
    pub precision: Precision,
    pub seq: f64,
    /// Sequences per step.
    pub global_batch: f64,
    pub stack: &'a Stack,
    pub constants: &'a Constants,
    pub network: Network,
    kernels: Kernels,
}

/// Where a step's seconds go. The parts add up to `total_s`.
#[derive(Debug, Clone, Copy, Default, Serialize, PartialEq)]
pub struct Breakdown {
    /// Products of linear layers, forward and backward.
    pub matmul_s: f64,
    pub attention_s: f64,
    /// Norms, activations, residual sums, softmax, permutation of tokens, launch gaps.
    pub elementwise_s: f64,
    pub recompute_s: f64,
    /// Embedding and output head with its loss.
    pub head_s: f64,
    pub tp_s: f64,
    pub cp_s: f64,
    pub ep_s: f64,
    /// Idle while the pipeline fills and drains.
    pub bubble_s: f64,
    /// Passing activations between stages.
    pub pp_s: f64,
    /// Gradients and weights, as far as not hidden.
    pub dp_s: f64,
    pub optimizer_s: f64,
    /// Data, logging, synchronisation.
    pub fixed_s: f64,
    /// Waiting for the slowest chip.
    pub straggler_s: f64,
    pub total_s: f64,
}

/// Seconds of one pass of one micro-batch through one layer.
#[derive(Debug, Clone, Copy, Default)]
struct Pass {
    matmul: f64,
    attention: f64,
    elementwise: f64,
    tp: f64,
    cp: f64,
    ep: f64,
    /// What of all this is the feed-forward block's or the experts'.
    feed_forward: f64,
}

impl Pass {
    fn total(&self) -> f64 {
        self.matmul + self.attention + self.elementwise + self.tp + self.cp + self.ep
    }

    fn add(&mut self, other: &Pass, times: f64) {
        self.matmul += other.matmul * times;
        self.attention += other.attention * times;
        self.elementwise += other.elementwise * times;
        self.tp += other.tp * times;
        self.cp += other.cp * times;
        self.ep += other.ep * times;
        self.feed_forward += other.feed_forward * times;
    }
}

impl<'a> Job<'a> {
    pub fn new(
        shape: Shape,
        chip: &'a Chip,
        precision: Precision,
        seq: f64,
        global_batch: f64,
        stack: &'a Stack,
        constants: &'a Constants,
    ) -> Self {
        let network = Network::new(chip, f64::from(chip.domain), chip.nic_gb_s, constants);
        let kernels = constants.kernels_of(&chip.name);
        Self { shape, chip, precision, seq, global_batch, stack, constants, network, kernels }
    }

    /// The same job on chips wired differently.
    pub fn with_network(mut self, domain: f64, nic_gb_s: f64) -> Self {
        self.network = Network::new(self.chip, domain, nic_gb_s, self.constants);
        self
    }

    fn efficiency(&self, precision: Precision) -> f64 {
        let share = match precision {
            Precision::Bf16 => self.kernels.bf16,
            Precision::Fp8 => self.kernels.fp8,
            Precision::Mxfp8 => self.kernels.mxfp8,
            Precision::Fp4 => self.kernels.fp4,
        };
        share * self.stack.speed
    }

    /// Seconds of one product [m, k] × [k, n].
    fn matmul(&self, m: f64, n: f64, k: f64, precision: Precision) -> f64 {
        let rate = self.chip.peak(precision) * self.efficiency(precision);
        let bytes = (m * k + k * n) * precision.bytes() + m * n * 2.0;
        2.0 * m * n * k / rate + self.constants.general.gemm_traffic * bytes / self.chip.bandwidth()
    }

    /// Seconds of element-wise work on `bytes`.
    fn stream(&self, bytes: f64) -> f64 {
        bytes / (self.chip.bandwidth() * self.constants.general.hbm_efficiency)
    }

    /// Whether attention runs in one kernel that never writes the scores.
    pub fn fused_attention(&self) -> bool {
        self.stack.flash && !self.shape.sinks
    }

    /// Forward seconds of attention between projections on one chip.
    fn attention(&self, tokens: f64, layout: &Layout) -> f64 {
        let shape = &self.shape;
        let tp = f64::from(layout.tp);
        if self.fused_attention() {
            let width = (shape.query_width() + shape.value_width()) / (2.0 * shape.heads);
            let half = self.constants.general.flash_half_head_dim;
            // Context-parallel ranks take an early and a late part each, so that causal work is even.
            let parts = if layout.cp > 1 { 2.0 * f64::from(layout.cp) } else { 1.0 };
            let chunk = self.seq / parts;
            let half_seq =
                self.constants.general.flash_half_seq * self.chip.peak(Precision::Bf16) * 1e-15;
            // The constant is for heads of 128, as the papers measure.
            let narrow = width / (width + half) * (128.0 + half) / 128.0;
            let short = chunk / (chunk + half_seq);
            let share = self.kernels.flash * self.stack.attention_speed * narrow * short;
            let rate = self.chip.peak(Precision::Bf16) * share;
            let span = shape.mean_span(self.seq, self.stack.causal);
            return shape.attention_flops(span) * tokens / tp / rate;
        }
        let per_head = self.matmul(self.seq, self.seq, shape.head_dim, Precision::Bf16);
        let matrices = shape.heads / tp * tokens / self.seq;
        // Mask, softmax and dropout read and write the scores: 9 bytes per pair in half precision.
        let softmax = 9.0 * self.seq * shape.heads / tp * tokens * self.stack.unfused;
        2.0 * per_head * matrices + self.stream(softmax)
    }

    /// Products around attention, forward, for one layer.
    fn projections(&self, tokens: f64, tp: f64) -> f64 {
        let shape = &self.shape;
        let (h, q, kv) = (shape.hidden, shape.query_width(), shape.kv_width());
        let product = |n: f64, k: f64| self.matmul(tokens, n, k, self.precision);
        let inward = match shape.latent {
            None => product((q + kv) / tp, h),
            Some(latent) => {
                let expanded = kv - shape.heads * latent.rope;
                product(latent.query_rank, h)
                    + product(q / tp, latent.query_rank)
                    + product(latent.key_rank + latent.rope, h)
                    + product(expanded / tp, latent.key_rank)
            }
        };
        inward + product(h, shape.value_width() / tp)
    }

    /// Forward pass of one micro-batch through one layer with or without experts.
    fn forward(&self, layout: &Layout, moe: bool) -> Pass {
        let shape = &self.shape;
        let (tp, cp) = (f64::from(layout.tp), f64::from(layout.cp));
        let tokens = f64::from(layout.micro_batch) * self.seq / cp;
        let (h, q, kv, v) =
            (shape.hidden, shape.query_width(), shape.kv_width(), shape.value_width());
        let p = self.precision;
        let mut pass = Pass {
            matmul: self.projections(tokens, tp),
            attention: self.attention(tokens, layout),
            ..Pass::default()
        };

        // Two norms (read, write) and two residual sums with dropout (read twice, write): 20 bytes per element.
        let split = if layout.sequence_parallel { tp } else { 1.0 };
        let bytes = 20.0 * h / split + 4.0 * (q + kv) / tp;
        // Turning operands into narrow formats: read two bytes, write one each way.
        let quantise = if p == Precision::Bf16 { 0.0 } else { 4.0 };
        let general = &self.constants.general;
        let shown = if p == Precision::Fp4 { general.quantise_fp4 } else { general.quantise_fp8 }
            * quantise;
        let attention_quantised = shown * (2.0 * h + v / tp);
        let ffn_width = match shape.experts {
            Some(experts) if moe => experts.shared_width,
            _ => shape.ffn,
        };
        let before = pass.matmul;
        let (mut inner_bytes, mut inner_quantised) = (0.0, 0.0);
        if ffn_width > 0.0 {
            let up = shape.matrices() - 1.0;
            pass.matmul += self.matmul(tokens, up * ffn_width / tp, h, p)
                + self.matmul(tokens, h, ffn_width / tp, p);
            inner_bytes = 2.0 * (up + 1.0) * ffn_width / tp;
            inner_quantised = shown * ffn_width / tp;
        }
        let mut routed_bytes = 0.0;
        let mut inner_us = 0.0;
        if let (Some(experts), true) = (shape.experts, moe) {
            let ep = f64::from(layout.ep);
            let slowdown = self.stack.moe_slowdown;
            // Tokens that arrive on this chip, over all its experts; tensor-parallel ranks hold different ones.
            let arrivals = tokens * experts.topk / tp;
            let local = experts.n_experts / ep;
            let rows = arrivals / local;
            let up = shape.matrices() - 1.0;
            let product = self.matmul(rows, up * experts.width, h, p)
                + self.matmul(rows, h, experts.width, p);
            pass.matmul += product * local * slowdown;
            let moved =
                experts.topk / tp * (12.0 * h + (2.0 * (up + 1.0) + quantise) * experts.width);
            routed_bytes = (moved * slowdown + 8.0 * experts.n_experts) * self.stack.moe_unfused;
            inner_us = self.stack.moe_layer_us + self.stack.expert_us * local;
            pass.ep = self.expert_traffic(tokens / tp, layout) * slowdown;
        }
        let unfused = self.stack.unfused;
        let inner_bytes = inner_bytes * unfused + inner_quantised + routed_bytes;
        let inner_s = self.stream(inner_bytes * tokens) + inner_us * 1e-6;
        pass.elementwise = inner_s
            + self.stream((bytes * unfused + attention_quantised) * tokens)
            + self.stack.layer_us * 1e-6;
        if tp > 1.0 {
            // Routed experts take each rank's slice of the sequence as it is; only what is split over the ranks gathers it.
            let blocks = if ffn_width > 0.0 { 2.0 } else { 1.0 };
            pass.tp = self.tensor_traffic(tokens, tp, blocks, moe);
        }
        let inner_tp = if ffn_width > 0.0 { 0.5 * pass.tp } else { 0.0 };
        pass.feed_forward = pass.matmul - before + inner_s + pass.ep + inner_tp;
        if cp > 1.0 {
            // Keys and values of the other ranks come round the ring while attention runs (arXiv 2310.01889).
            let kv_bytes = 2.0 * tokens * kv / tp * cp;
            let time = self.network.gather(kv_bytes, cp, self.network.ring(cp, tp));
            // Each arriving part's output is merged into the sum: read, and the sum read and written in f32.
            let merged = self.stream(10.0 * tokens * v / tp * (cp - 1.0));
            // Each part is launched for itself.
            let gaps = (cp - 1.0) * self.stack.layer_us * 1e-6;
            pass.cp = (time - 0.8 * pass.attention).max(0.1 * time) + merged + gaps;
        }
        pass
    }

    /// Seconds in which `tp` ranks gather and scatter the activations of `tokens` around each of `blocks` blocks of a layer,
    /// forward, as far as products do not hide them.
    fn tensor_traffic(&self, tokens: f64, tp: f64, blocks: f64, moe: bool) -> f64 {
        // Products in four bits have no kernel that overlaps their communication, and models with experts are run without
        // it (recipes of Megatron-Bridge: DeepSeek-V3, Kimi K2, Qwen3 on H100).
        let alone = self.precision == Precision::Fp4 || moe;
        let exposed = 1.0 - if alone { 0.0 } else { self.stack.tp_overlap };
        let rate = self.network.ring(tp, 1.0);
        2.0 * blocks * self.network.gather(2.0 * tokens * self.shape.hidden, tp, rate) * exposed
    }

    /// Dispatch and combine of one layer, forward.
    fn expert_traffic(&self, tokens: f64, layout: &Layout) -> f64 {
        let Some(experts) = self.shape.experts else { return 0.0 };
        let ep = f64::from(layout.ep);
        if ep <= 1.0 {
            return 0.0;
        }
        let each = tokens * self.shape.hidden;
        // A token travels once to each chip, and across domains once to each domain, that has one of its experts.
        let distinct = |places: f64| places * (1.0 - (1.0 - 1.0 / places).powf(experts.topk));
        let bytes = 2.0 * 2.0 * each * distinct(ep);
        let mut reached = distinct((ep / self.network.domain).max(1.0));
        if experts.limited_groups > 0.0 {
            reached = reached.min(experts.limited_groups);
        }
        let crossing = 2.0 * 2.0 * each * reached;
        let time = self.network.all_to_all(bytes, crossing, ep, 1.0);
        // One chunk's traffic hides behind another's computation only where a stage holds several chunks.
        let interleaved = if layout.vpp > 1 { self.stack.ep_overlap_interleaved } else { 0.0 };
        time * (1.0 - self.stack.ep_overlap.max(interleaved))
    }

    /// Backward pass: both gradients of every product; fused attention computes its scores again.
    fn backward(&self, forward: &Pass) -> Pass {
        let attention = if self.stack.flash { self.constants.general.flash_backward } else { 2.0 };
        Pass {
            matmul: 2.0 * forward.matmul,
            attention: attention * forward.attention,
            elementwise: 1.5 * forward.elementwise,
            ..*forward
        }
    }

    fn recomputed(&self, forward: &Pass, layout: &Layout) -> f64 {
        let share = f64::from(layout.full_layers_pct) / 100.0;
        match layout.recompute {
            Recompute::None => 0.0,
            Recompute::Selective if self.stack.flash => 0.5 * forward.elementwise,
            Recompute::Selective => forward.attention,
            Recompute::Mlp => forward.feed_forward,
            Recompute::Offload => {
                // There and back, each beside one pass.
                let bytes = share * crate::memory::kept(self, layout);
                let link = self.chip.host_link_gb_s.max(1.0) * 1e9;
                2.0 * (bytes / link - 0.8 * forward.total()).max(0.0)
            }
            Recompute::Full => forward.total() * share,
        }
    }

    /// Output head with its loss, forward and backward, one micro-batch.
    fn head(&self, layout: &Layout) -> f64 {
        let tokens = f64::from(layout.micro_batch) * self.seq / f64::from(layout.cp);
        let width = self.shape.vocab / f64::from(layout.tp);
        let product = 3.0 * self.matmul(tokens, width, self.shape.hidden, Precision::Bf16);
        // Logits in half and single precision, loss forward and backward.
        product + self.stream(16.0 * tokens * width)
    }

    /// Chip-seconds of matrix products in one step at the achievable rate, nothing else: no layout needs less.
    pub fn matmul_bound(&self) -> f64 {
        let shape = &self.shape;
        let head = shape.embedding_weights();
        let rate = |precision| self.chip.peak(precision) * self.efficiency(precision);
        let per_token = 6.0 * (shape.active_weights() - head) / rate(self.precision)
            + 6.0 * head / rate(Precision::Bf16);
        // The router is counted among the weights but not among the products.
        let router = shape.experts.map_or(0.0, |experts| experts.n_experts * shape.hidden);
        let unseen = 6.0 * router * shape.moe_layers() / rate(self.precision);
        (per_token - unseen) * self.global_batch * self.seq
    }

    /// Layers on the fullest stage, and whether the stage with the head has one fewer.
    fn fullest_stage(&self, layout: &Layout) -> (f64, bool) {
        let share = self.shape.layers / f64::from(layout.pp);
        (share.ceil(), layout.pp > 1 && share.fract() != 0.0)
    }

    /// Seconds of one step under a layout, by part.
    pub fn step(&self, layout: &Layout) -> Breakdown {
        let pp = f64::from(layout.pp);
        let vpp = f64::from(layout.vpp.max(1));
        let micro_batches = layout.micro_batches(self.global_batch).max(1.0);
        let moe_share = self.shape.moe_layers() / self.shape.layers;
        let mut forward = Pass::default();
        if moe_share > 0.0 {
            forward.add(&self.forward(layout, true), moe_share);
        }
        if moe_share < 1.0 {
            forward.add(&self.forward(layout, false), 1.0 - moe_share);
        }
        let backward = self.backward(&forward);
        let again = self.recomputed(&forward, layout);
        let layer = forward.total() + backward.total() + again;
        let (fullest, head_stage_is_short) = self.fullest_stage(layout);
        let head = self.head(layout);
        let slowest = if self.stack.two_way && layout.pp > 1 {
            // The chip with the last stage has the first one too, and works on each half of the time.
            let short = f64::from(u8::from(head_stage_is_short));
            (fullest * layer).max((fullest - 0.5 * short) * layer + 0.5 * head)
        } else if head_stage_is_short {
            (fullest * layer).max((fullest - 1.0) * layer + head)
        } else {
            fullest * layer + head
        };
        let mean = (self.shape.layers * layer + head) / pp;

        let layers = micro_batches * fullest;
        let mut out = Breakdown {
            matmul_s: layers * (forward.matmul + backward.matmul),
            attention_s: layers * (forward.attention + backward.attention),
            elementwise_s: layers * (forward.elementwise + backward.elementwise),
            tp_s: layers * (forward.tp + backward.tp),
            cp_s: layers * (forward.cp + backward.cp),
            ep_s: layers * (forward.ep + backward.ep),
            recompute_s: layers * again,
            ..Breakdown::default()
        };
        out.head_s = micro_batches * (slowest - fullest * layer).max(0.0);
        out.bubble_s = (pp - 1.0) / vpp * mean;
        out.pp_s = self.stage_traffic(layout, micro_batches);
        let window = fullest * backward.total();
        out.dp_s = self.gradient_traffic(layout, micro_batches, window, fullest * layer);
        out.optimizer_s = self.optimizer(layout);
        out.fixed_s = self.stack.step_s;
        let busy = out.matmul_s
            + out.attention_s
            + out.elementwise_s
            + out.tp_s
            + out.cp_s
            + out.ep_s
            + out.recompute_s
            + out.head_s
            + out.bubble_s
            + out.pp_s;
        // A torus moves in lockstep; elsewhere every host has a clock of its own.
        let lockstep = if self.chip.is_tpu() { self.network.domain } else { 8.0 };
        let nodes = (f64::from(layout.chips()) / self.network.domain.min(lockstep)).max(1.0);
        let (tp, dp) = (f64::from(layout.tp), layout.dp);
        let shared = tp > 1.0 && tp < self.network.domain && layout.pp > 1 && dp > 1;
        let contention = if shared { self.stack.contention } else { 0.0 };
        out.straggler_s = busy * (self.constants.general.straggler * nodes.log2() + contention);
        out.total_s = busy + out.dp_s + out.optimizer_s + out.fixed_s + out.straggler_s;
        out
    }

    /// Activations between stages, not hidden part.
    fn stage_traffic(&self, layout: &Layout, micro_batches: f64) -> f64 {
        if layout.pp <= 1 {
            return 0.0;
        }
        let tokens = f64::from(layout.micro_batch) * self.seq / f64::from(layout.cp);
        // Tensor-parallel ranks each send a slice (scatter-gather, arXiv 2104.04473 section 4.1).
        let bytes = 2.0 * tokens * self.shape.hidden / f64::from(layout.tp);
        // Stages are the outermost division, as in Megatron: neighbours are a whole replica group apart.
        let pipeline_inside = f64::from(layout.chips()) <= self.network.domain;
        let rate = if pipeline_inside { self.network.scale_up } else { self.network.nic };
        let hop = bytes / rate + self.network.latency_s;
        let hops = 2.0 * f64::from(layout.vpp.max(1)) * micro_batches;
        hops * hop * (1.0 - self.stack.pp_overlap)
    }

    /// Weights on the fullest chip: those reduced over all data-parallel ranks, and routed experts.
    pub fn local_weights(&self, layout: &Layout) -> (f64, f64) {
        let (tp, pp) = (f64::from(layout.tp), f64::from(layout.pp));
        let (fullest, _) = self.fullest_stage(layout);
        let moe_share = self.shape.moe_layers() / self.shape.layers;
        let (moe, dense) = (self.shape.moe_layer(), self.shape.dense_layer());
        let shared = fullest
            * (moe_share * (moe.attention + moe.dense)
                + (1.0 - moe_share) * (dense.attention + dense.dense));
        let tables = if pp > 1.0 || self.shape.tied { 1.0 } else { 2.0 };
        let routed = fullest * moe_share * moe.routed / f64::from(layout.ep);
        ((shared + tables * self.shape.embedding_weights()) / tp, routed)
    }

    /// Chips that hold the same weights: shared ones, and routed experts.
    pub fn replicas(&self, layout: &Layout) -> (f64, f64) {
        let shared = f64::from(layout.dp * layout.cp);
        let routed = (shared * f64::from(layout.tp) / f64::from(layout.ep)).max(1.0);
        (shared, routed)
    }

    fn gradient_traffic(
        &self,
        layout: &Layout,
        micro_batches: f64,
        window: f64,
        micro_batch_s: f64,
    ) -> f64 {
        let (shared, routed) = self.local_weights(layout);
        let (shared_dp, routed_dp) = self.replicas(layout);
        let tp = f64::from(layout.tp);
        let rate = self.network.ring(shared_dp, tp);
        let routed_rate = self.network.ring(routed_dp, f64::from(layout.ep).max(tp));
        let gather = |bytes: f64| {
            self.network.gather(shared * bytes, shared_dp, rate)
                + self.network.gather(routed * bytes, routed_dp, routed_rate)
        };
        let reduce = gather(self.stack.gradient_bytes);
        let weights = gather(2.0);
        let hidden = self.stack.dp_overlap;
        match layout.zero {
            3 => {
                let each = 2.0 * weights + reduce;
                micro_batches * (each - hidden * micro_batch_s).max((1.0 - hidden) * each)
            }
            2 => {
                let each = reduce;
                let all = micro_batches * (each - hidden * window).max((1.0 - hidden) * each);
                all + weights * (1.0 - hidden)
            }
            _ => {
                let all = reduce + weights;
                (all - window).max((1.0 - hidden) * all)
            }
        }
    }

    /// Reading and writing weights, gradients and moments once.
    fn optimizer(&self, layout: &Layout) -> f64 {
        let (shared, routed) = self.local_weights(layout);
        let (shared_dp, routed_dp) = self.replicas(layout);
        let elements = if layout.zero >= 1 {
            shared / shared_dp + routed / routed_dp
        } else {
            shared + routed
        };
        // Adam: read and write master weights and both moments (24), read gradients (4), write half (2).
        self.stream(30.0 * elements)
    }
}
