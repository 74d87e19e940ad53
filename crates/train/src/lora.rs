//! Low-rank adapters (arXiv 2106.09685): W = W₀ + s · B A with W₀ frozen, A [rank, in], B [out, rank], s = alpha / rank.
//!
//! The weights are merged before each pass, and the gradient of the merged weight gives those of its factors:
//! dB = s · dW Aᵀ, dA = s · Bᵀ dW. That is the same mathematics as running the adapter beside the frozen layer, for
//! every layer of every family, at the price of one more array of the model's size.

use kernels::gemm::{self, Update};
use kernels::pool::Pool;

use crate::initial::Random;
use crate::layout::{Kind, Layout, Tensor};

/// The adapters of a model's projections.
#[derive(Debug, Clone)]
pub struct Adapters {
    /// Their own layout: A and B of each adapted tensor.
    layout: Layout,
    /// For each adapter, the index of its tensor in the model's layout.
    adapted: Vec<usize>,
    rank: usize,
    scale: f32,
}

impl Adapters {
    /// Adapters of `rank` for all projections of attention and feed-forward blocks.
    pub fn new(model: &Layout, rank: usize, alpha: f32) -> Self {
        let (mut tensors, mut adapted, mut len) = (Vec::new(), Vec::new(), 0);
        for (idx, tensor) in model.tensors.iter().enumerate() {
            if !matches!(tensor.kind, Kind::Matrix | Kind::Output) {
                continue;
            }
            adapted.push(idx);
            let base = tensor.name.trim_end_matches(".weight");
            let shapes = [("lora_A", [rank, tensor.shape[1]]), ("lora_B", [tensor.shape[0], rank])];
            for (part, shape) in shapes {
                let range = len..len + shape[0] * shape[1];
                len = range.end;
                let name = format!("{base}.{part}.weight");
                tensors.push(Tensor { name, shape: shape.to_vec(), range, kind: Kind::Matrix });
            }
        }
        let nothing = 0..0;
        let layout = Layout {
            tensors,
            layers: Vec::new(),
            embedding: nothing.clone(),
            final_norm: nothing.clone(),
            head: nothing,
            len,
        };
        Self { layout, adapted, rank, scale: alpha / rank as f32 }
    }

    /// Where the adapters lie in their own array.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// First values: A as in a new layer, B zero, so that the model is what it was.
    pub fn initial(&self, seed: u64) -> Vec<f32> {
        let mut values = vec![0.0; self.layout.len];
        for (idx, tensor) in self.layout.tensors.iter().enumerate().step_by(2) {
            let mut random =
                Random::new(seed ^ (idx as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let deviation = 1.0 / (tensor.shape[1] as f64).sqrt();
            let values = &mut values[tensor.range.clone()];
            values.iter_mut().for_each(|v| *v = (random.normal() * deviation) as f32);
        }
        values
    }

    /// merged = base + s · B A for the adapted tensors; the others are copied.
    pub fn merge(
        &self,
        pool: &Pool,
        merged: &mut [f32],
        base: &[f32],
        model: &Layout,
        values: &[f32],
    ) {
        merged.copy_from_slice(base);
        for (pair, &idx) in self.layout.tensors.chunks_exact(2).zip(&self.adapted) {
            let tensor = &model.tensors[idx];
            let a = &values[pair[0].range.clone()];
            let scaled: Vec<f32> =
                values[pair[1].range.clone()].iter().map(|b| b * self.scale).collect();
            let to = &mut merged[tensor.range.clone()];
            gemm::linear_input_gradient(pool, to, &scaled, a, tensor.shape[1], Update::Add);
        }
    }

    /// The adapters' gradients from those of the merged weights.
    pub fn gradients(
        &self,
        pool: &Pool,
        out: &mut [f32],
        model: &Layout,
        full: &[f32],
        values: &[f32],
    ) {
        for (pair, &idx) in self.layout.tensors.chunks_exact(2).zip(&self.adapted) {
            let tensor = &model.tensors[idx];
            let (n_out, n_in) = (tensor.shape[0], tensor.shape[1]);
            let dw = &full[tensor.range.clone()];
            let (a, b) = (&values[pair[0].range.clone()], &values[pair[1].range.clone()]);
            let db = &mut out[pair[1].range.clone()];
            gemm::linear(pool, db, dw, a, n_in, Update::Replace);
            db.iter_mut().for_each(|v| *v *= self.scale);
            let da = &mut out[pair[0].range.clone()];
            debug_assert_eq!(b.len(), n_out * self.rank);
            gemm::linear_weight_gradient(pool, da, b, dw, n_in, Update::Replace);
            da.iter_mut().for_each(|v| *v *= self.scale);
        }
    }
}
