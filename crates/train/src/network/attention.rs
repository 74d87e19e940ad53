//! A layer's first half: norm, projections, heads, attention, output; and its gradient.

use kernels::causal::{self, Kept as Attended, Texts};
use kernels::gemm::{self, Update};
use kernels::heads::{self, GainGradient, HeadNorm};
use kernels::{activation, norm};

use super::{Network, layer, sized, two_ranges};
use crate::batch::Batch;
use crate::layout::Layer;

impl Network {
    /// From `kept.input` to `kept.middle`.
    pub(super) fn attention(&mut self, parameters: &[f32], layer_idx: usize, batch: &Batch) {
        let at = layer(&self.layout, layer_idx).clone();
        let (n, hidden, heads) = (batch.len(), self.config.hidden, self.heads());
        let mut kept = std::mem::take(&mut self.kept[layer_idx]);
        let mut scratch = std::mem::take(&mut self.scratch);
        let normed = sized(&mut scratch.normed, n * hidden);
        self.norm(normed, &kept.input[..n * hidden], &parameters[at.attention_norm.clone()]);
        let raw = sized(&mut kept.raw, n * heads.raw_width());
        gemm::linear(&self.pool, raw, normed, &parameters[at.qkv.clone()], hidden, Update::Replace);
        if let Some(bias) = at.qkv_bias.clone() {
            activation::add_bias(&self.pool, raw, &parameters[bias]);
        }
        let turned = sized(&mut scratch.turned, n * heads.turned_width());
        let (table, texts) = self.texts(layer_idx, batch);
        let norms = self.head_norm(parameters, &at);
        heads::turn(&self.pool, turned, raw, norms, &self.turns[table], &batch.positions, heads);
        let width = self.config.query_width();
        let attended = sized(&mut kept.attended, n * width);
        let log_sum = sized(&mut kept.log_sum, n * heads.n_heads);
        causal::attention(&self.pool, attended, log_sum, turned, raw, texts);
        let middle = sized(&mut kept.middle, n * hidden);
        middle.copy_from_slice(&kept.input[..n * hidden]);
        gemm::linear(&self.pool, middle, attended, &parameters[at.output], width, Update::Add);
        self.kept[layer_idx] = kept;
        self.scratch = scratch;
    }

    /// From the gradient of the stream after attention to that before it, both in `scratch.stream`.
    pub(super) fn attention_gradient(
        &mut self,
        parameters: &[f32],
        gradients: &mut [f32],
        layer_idx: usize,
        batch: &Batch,
        update: Update,
    ) {
        let at = layer(&self.layout, layer_idx).clone();
        let (n, hidden, heads) = (batch.len(), self.config.hidden, self.heads());
        let width = self.config.query_width();
        let kept = std::mem::take(&mut self.kept[layer_idx]);
        let mut scratch = std::mem::take(&mut self.scratch);
        let pool = &self.pool;
        let (input, attended) = (&kept.input[..n * hidden], &kept.attended[..n * width]);
        let raw = &kept.raw[..n * heads.raw_width()];
        let stream = &mut scratch.stream[..n * hidden];

        let d_o = sized(&mut scratch.d_o, n * width);
        let output = &parameters[at.output.clone()];
        gemm::linear_input_gradient(pool, d_o, stream, output, width, Update::Replace);
        let d_output = &mut gradients[at.output.clone()];
        gemm::linear_weight_gradient(pool, d_output, stream, attended, width, update);

        let (table, texts) = self.texts(layer_idx, batch);
        let turns = &self.turns[table];
        let turned = sized(&mut scratch.turned, n * heads.turned_width());
        let norms = self.head_norm(parameters, &at);
        heads::turn(pool, turned, raw, norms, turns, &batch.positions, heads);
        let dturned = sized(&mut scratch.dturned, n * heads.turned_width());
        let draw = sized(&mut scratch.draw, n * heads.raw_width());
        let log_sum = &kept.log_sum[..n * heads.n_heads];
        let attended = Attended { turned, raw, o: attended, log_sum };
        causal::attention_gradient(pool, dturned, draw, d_o, attended, texts);
        let norms = norms.zip(at.qk_norm.as_ref()).map(|(norms, (query, key))| {
            let (query, key) = two_ranges(gradients, query, key);
            (norms, GainGradient { query, key, update })
        });
        heads::turn_gradient(pool, draw, dturned, raw, norms, turns, &batch.positions, heads);

        if let Some(bias) = at.qkv_bias.clone() {
            norm::column_sums(pool, &mut gradients[bias], draw, update);
        }
        let gain = &parameters[at.attention_norm.clone()];
        let normed = sized(&mut scratch.normed, n * hidden);
        self.norm(normed, input, gain);
        let d_qkv = &mut gradients[at.qkv.clone()];
        gemm::linear_weight_gradient(pool, d_qkv, draw, normed, hidden, update);
        let dnormed = sized(&mut scratch.dnormed, n * hidden);
        let qkv = &parameters[at.qkv];
        gemm::linear_input_gradient(pool, dnormed, draw, qkv, hidden, Update::Replace);
        let dgain = &mut gradients[at.attention_norm];
        let eps = self.config.norm_eps;
        norm::rms_norm_gradient(
            pool,
            stream,
            dgain,
            dnormed,
            input,
            gain,
            eps,
            (Update::Add, update),
        );
        self.kept[layer_idx] = kept;
        self.scratch = scratch;
    }

    /// The layer's table of angles, and the batch as attention sees it.
    fn texts<'a>(&self, layer_idx: usize, batch: &'a Batch) -> (usize, Texts<'a>) {
        let (table, window) = self.reach(layer_idx);
        let scale = self.config.attention_scale;
        (table, Texts { starts: &batch.starts, heads: self.heads(), scale, window })
    }

    fn head_norm<'a>(&self, parameters: &'a [f32], at: &Layer) -> Option<HeadNorm<'a>> {
        let (query, key) = at.qk_norm.clone()?;
        Some(HeadNorm {
            query_gain: &parameters[query],
            key_gain: &parameters[key],
            eps: self.config.norm_eps,
        })
    }
}
