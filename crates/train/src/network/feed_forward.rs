//! A layer's second half: norm, router, experts (or one dense block); and its gradient.

use kernels::experts::{self, Shape, Slots};
use kernels::gemm::{self, Update};
use kernels::norm;
use kernels::router::{self, RouterLoss, Sorted};

use super::{Network, Share, balance_factors, layer, sized};
use crate::batch::Batch;
use crate::layout::Layer;

impl Network {
    /// From `kept.middle` to `scratch.stream`.
    pub(super) fn feed_forward(&mut self, parameters: &[f32], layer_idx: usize, batch: &Batch) {
        let at = layer(&self.layout, layer_idx).clone();
        let (n, hidden) = (batch.len(), self.config.hidden);
        let shape = Shape { hidden, inner: at.inner };
        let mut kept = std::mem::take(&mut self.kept[layer_idx]);
        let mut scratch = std::mem::take(&mut self.scratch);
        let pool = &self.pool;
        let middle = &kept.middle[..n * hidden];
        let normed = sized(&mut scratch.normed, n * hidden);
        self.norm(normed, middle, &parameters[at.feed_forward_norm.clone()]);
        if let Some(router) = at.router.clone() {
            let experts = self.config.experts_of(layer_idx).expect("a router has experts");
            let logits = sized(&mut scratch.router_logits, n * experts.n_experts);
            gemm::linear(pool, logits, normed, &parameters[router], hidden, Update::Replace);
            let (all, some) = (experts.n_experts, experts.n_active);
            router::choose(pool, &mut kept.choice, logits, all, some, experts.renormalise);
            router::sort(&mut kept.sorted, &kept.choice, all);
        }
        let dense = [0, n as u32];
        let slots = slots(&at, &kept.sorted, &dense);
        let h = sized(&mut kept.h, slots.len() * 2 * at.inner);
        let a = sized(&mut scratch.a, slots.len() * at.inner);
        experts::gate_up(pool, h, a, normed, &parameters[at.gate_up.clone()], slots, shape);
        let stream = sized(&mut scratch.stream, n * hidden);
        stream.copy_from_slice(middle);
        let down = &parameters[at.down.clone()];
        if at.router.is_some() {
            let by_slot = sized(&mut scratch.by_slot, slots.len() * hidden);
            experts::down(pool, by_slot, a, down, slots, shape, Update::Replace);
            experts::combine(pool, stream, by_slot, &kept.sorted.slot_of, hidden);
        } else {
            experts::down(pool, stream, a, down, slots, shape, Update::Add);
        }
        self.kept[layer_idx] = kept;
        self.scratch = scratch;
    }

    /// From the gradient of the stream after the layer to that in its middle, both in `scratch.stream`.
    pub(super) fn feed_forward_gradient(
        &mut self,
        parameters: &[f32],
        gradients: &mut [f32],
        layer_idx: usize,
        batch: &Batch,
        share: Share<'_>,
    ) {
        let at = layer(&self.layout, layer_idx).clone();
        let (n, hidden) = (batch.len(), self.config.hidden);
        let shape = Shape { hidden, inner: at.inner };
        let mut kept = std::mem::take(&mut self.kept[layer_idx]);
        let mut scratch = std::mem::take(&mut self.scratch);
        let pool = &self.pool;
        let dense = [0, n as u32];
        let slots = slots(&at, &kept.sorted, &dense);
        let middle = &kept.middle[..n * hidden];
        let stream = &mut scratch.stream[..n * hidden];
        let gain = &parameters[at.feed_forward_norm.clone()];
        let normed = sized(&mut scratch.normed, n * hidden);
        self.norm(normed, middle, gain);

        let h = &mut kept.h[..slots.len() * 2 * at.inner];
        let a = sized(&mut scratch.a, slots.len() * at.inner);
        let n_partials = slots.len() * experts::weight_partials(at.inner);
        let dweight = sized(&mut scratch.dweight, n_partials);
        let down = &parameters[at.down.clone()];
        experts::activation_gradient(pool, h, a, dweight, stream, down, slots, shape);
        let d_down = &mut gradients[at.down.clone()];
        experts::down_gradient(pool, d_down, stream, a, slots, shape, share.update);
        let d_gate_up = &mut gradients[at.gate_up.clone()];
        experts::gate_up_gradient(pool, d_gate_up, h, normed, slots, shape, share.update);

        let dnormed = sized(&mut scratch.dnormed, n * hidden);
        let gate_up = &parameters[at.gate_up.clone()];
        if let Some(router) = at.router.clone() {
            let by_slot = sized(&mut scratch.by_slot, slots.len() * hidden);
            experts::input_gradient(pool, by_slot, h, gate_up, slots, shape, Update::Replace);
            let renormalise =
                self.config.experts_of(layer_idx).is_some_and(|experts| experts.renormalise);
            let load: Vec<u64> =
                slots.starts.windows(2).map(|pair| u64::from(pair[1] - pair[0])).collect();
            let mut balance = balance_factors(&load, share.earlier_load.get(layer_idx));
            balance.iter_mut().for_each(|factor| *factor *= self.auxiliary.balance);
            let loss = RouterLoss {
                balance: &balance,
                z: self.auxiliary.router_z,
                n_tokens: share.n_tokens as f32,
            };
            let dlogits = sized(&mut scratch.router_logits, n * load.len());
            router::gradient(pool, dlogits, &kept.choice, &kept.sorted, dweight, loss, renormalise);
            let d_router = &mut gradients[router.clone()];
            gemm::linear_weight_gradient(pool, d_router, dlogits, normed, hidden, share.update);
            let router = &parameters[router];
            gemm::linear_input_gradient(pool, dnormed, dlogits, router, hidden, Update::Replace);
            experts::combine(pool, dnormed, by_slot, &kept.sorted.slot_of, hidden);
        } else {
            experts::input_gradient(pool, dnormed, h, gate_up, slots, shape, Update::Replace);
        }
        let dgain = &mut gradients[at.feed_forward_norm.clone()];
        let eps = self.config.norm_eps;
        let updates = (Update::Add, share.update);
        norm::rms_norm_gradient(pool, stream, dgain, dnormed, middle, gain, eps, updates);
        self.kept[layer_idx] = kept;
        self.scratch = scratch;
    }
}

/// The layer's visits: what the router chose, or every token once.
fn slots<'a>(at: &Layer, sorted: &'a Sorted, dense: &'a [u32; 2]) -> Slots<'a> {
    if at.router.is_some() {
        Slots { starts: &sorted.starts, token: Some(&sorted.token), weight: Some(&sorted.weight) }
    } else {
        Slots { starts: dense, token: None, weight: None }
    }
}
