//! The end of the model: the last norm, the logits of a run of rows at a time, their loss and its gradient.

use kernels::gemm::{self, Update};
use kernels::{loss, norm};

use super::{Network, Outcome, Share, sized};
use crate::batch::Batch;

/// Rows whose logits exist at once: enough for the products to run at full speed, and more of them while the logits are
/// no more than [`LOGITS`], for the head is packed again for each run of rows.
const ROWS: std::ops::RangeInclusive<usize> = 512..=2048;
/// 16 MB.
const LOGITS: usize = 4 << 20;

impl Network {
    /// Losses of the rows that count; with `back`, also the gradients of the head and of the last norm, and that of
    /// the stream, which replaces it in `scratch.stream`.
    pub(super) fn head(
        &mut self,
        parameters: &[f32],
        mut back: Option<(&mut [f32], Share<'_>)>,
        batch: &Batch,
        outcome: &mut Outcome,
    ) {
        let (n, hidden, vocab) = (batch.len(), self.config.hidden, self.config.vocab);
        let mut scratch = std::mem::take(&mut self.scratch);
        let pool = &self.pool;
        let stream = &mut scratch.stream[..n * hidden];
        let gain = &parameters[self.layout.final_norm.clone()];
        let head = &parameters[self.layout.head.clone()];
        // Rows that count, gathered; in most batches nearly all do.
        let rows: Vec<u32> = (0..n as u32).filter(|&t| batch.counted[t as usize]).collect();
        outcome.n_counted = rows.len();
        let normed = sized(&mut scratch.normed, n * hidden);
        self.norm(normed, stream, gain);
        let dnormed = sized(&mut scratch.dnormed, n * hidden);
        if back.is_some() {
            dnormed.fill(0.0);
        }
        let weight = back.as_ref().map_or(0.0, |(_, share)| 1.0 / share.n_counted.max(1) as f32);
        let mut update = back.as_ref().map_or(Update::Replace, |(_, share)| share.update);
        let n_rows = (LOGITS / vocab).clamp(*ROWS.start(), *ROWS.end());
        let weights = vec![weight; n_rows];
        let gathered = sized(&mut scratch.by_slot, 2 * n_rows * hidden);
        let (x, dx) = gathered.split_at_mut(n_rows * hidden);
        for run in rows.chunks(n_rows) {
            let (x, dx) = (&mut x[..run.len() * hidden], &mut dx[..run.len() * hidden]);
            for (x, &t) in x.chunks_exact_mut(hidden).zip(run) {
                x.copy_from_slice(&normed[t as usize * hidden..][..hidden]);
            }
            let logits = sized(&mut scratch.logits, run.len() * vocab);
            gemm::linear(pool, logits, x, head, hidden, Update::Replace);
            let targets: Vec<u32> = run.iter().map(|&t| batch.targets[t as usize]).collect();
            let losses = sized(&mut scratch.losses, run.len());
            let z = self.auxiliary.logit_z;
            loss::cross_entropy(pool, logits, losses, &targets, &weights[..run.len()], z);
            outcome.loss_sum += losses.iter().map(|&loss| f64::from(loss)).sum::<f64>();
            if let Some((gradients, _)) = &mut back {
                let d_head = &mut gradients[self.layout.head.clone()];
                gemm::linear_weight_gradient(pool, d_head, logits, x, hidden, update);
                update = Update::Add;
                gemm::linear_input_gradient(pool, dx, logits, head, hidden, Update::Replace);
                for (dx, &t) in dx.chunks_exact(hidden).zip(run) {
                    dnormed[t as usize * hidden..][..hidden].copy_from_slice(dx);
                }
            }
        }
        if let Some((gradients, share)) = back {
            if rows.is_empty() && share.update == Update::Replace {
                gradients[self.layout.head.clone()].fill(0.0);
            }
            let dgain = &mut gradients[self.layout.final_norm.clone()];
            let dstream = sized(&mut scratch.d_o, n * hidden);
            let updates = (Update::Replace, share.update);
            let eps = self.config.norm_eps;
            norm::rms_norm_gradient(pool, dstream, dgain, dnormed, stream, gain, eps, updates);
            stream.copy_from_slice(dstream);
        }
        self.scratch = scratch;
    }

    /// The likeliest token after `tokens`, the lower number among equals.
    ///
    /// # Panics
    /// When there are none.
    pub fn likeliest(&mut self, parameters: &[f32], tokens: &[u32]) -> u32 {
        let mut batch = Batch::new();
        batch.push(tokens, None);
        self.forward(parameters, &batch);
        let (hidden, vocab) = (self.config.hidden, self.config.vocab);
        let mut scratch = std::mem::take(&mut self.scratch);
        let last = &scratch.stream[(tokens.len() - 1) * hidden..tokens.len() * hidden];
        let normed = sized(&mut scratch.normed, hidden);
        self.norm(normed, last, &parameters[self.layout.final_norm.clone()]);
        let logits = sized(&mut scratch.logits, vocab);
        let head = &parameters[self.layout.head.clone()];
        gemm::linear(&self.pool, logits, normed, head, hidden, Update::Replace);
        let mut best = 0;
        for (token, &logit) in logits.iter().enumerate() {
            if logit > logits[best] {
                best = token;
            }
        }
        self.scratch = scratch;
        best as u32
    }

    /// Where the last forward pass first left the range of f32, in words.
    pub fn first_not_finite(&self, batch: &Batch) -> String {
        let n = batch.len() * self.config.hidden;
        let broken = |values: &[f32]| !values[..n.min(values.len())].iter().all(|v| v.is_finite());
        for (layer_idx, kept) in self.kept.iter().enumerate() {
            if broken(&kept.input) {
                return format!("before layer {layer_idx}");
            }
            if broken(&kept.middle) {
                return format!("in the attention of layer {layer_idx}");
            }
        }
        "in the last feed-forward block or the head".to_owned()
    }
}
