//! Attention of few queries: one task per query and head, dot products along the head.
//!
//! Roof: reading keys and values once per query head, from the second- or third-level cache.

use super::Shape;
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::maths;
use crate::pool::Pool;
use crate::reduce::{dot, highest};
use crate::scratch::SharedMut;
use crate::softmax::exp_sum;

/// Keys between two looks at the running maximum. Their scores stay in one small array.
const KEY_BLOCK: usize = 64;

pub(super) fn attend(pool: &Pool, out: &mut [f32], q: &[f32], k: &[f32], v: &[f32], shape: &Shape) {
    let head_dim = shape.head_dim;
    let out = SharedMut::new(out);
    pool.run(shape.n_queries * shape.heads, |task_idx| {
        let (query_idx, head) = (task_idx / shape.heads, task_idx % shape.heads);
        let start = task_idx * head_dim;
        // SAFETY: each task has one head of one query.
        let out = unsafe { out.part(start, head_dim) };
        let q = &q[start..start + head_dim];
        pool.isa().dispatch(OneHead { out, q, k, v, query_idx, head, shape });
    });
}

struct OneHead<'a> {
    out: &'a mut [f32],
    q: &'a [f32],
    k: &'a [f32],
    v: &'a [f32],
    query_idx: usize,
    head: usize,
    shape: &'a Shape,
}

impl Kernel for OneHead<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Shape { n_keys, heads, kv_heads, head_dim, mask, scale, soft_cap, .. } = *self.shape;
        let kv_head = self.head / (heads / kv_heads);
        let row_of = |key: usize| (key * kv_heads + kv_head) * head_dim;
        let keys = mask.keys(self.query_idx, n_keys);
        let (mut running_max, mut running_sum) = (f32::NEG_INFINITY, 0.0f32);
        self.out.fill(0.0);
        for first in keys.clone().step_by(KEY_BLOCK) {
            let n = KEY_BLOCK.min(keys.end - first);
            let mut scores = [f32::NEG_INFINITY; KEY_BLOCK];
            for i in 0..n {
                let key = &self.k[row_of(first + i)..][..head_dim];
                scores[i] = dot(lanes, self.q, key) * scale;
            }
            if let Some(cap) = soft_cap {
                cap_scores(lanes, &mut scores, cap);
            }
            let block_max = highest(lanes, &scores[..n]);
            let new_max = running_max.max(block_max);
            if new_max > running_max {
                // The first time round this is e^−∞ = 0 over sums that are 0.
                let correction = (running_max - new_max).exp();
                running_sum *= correction;
                for v in self.out.iter_mut() {
                    *v *= correction;
                }
                running_max = new_max;
            }
            let terms = scores.as_mut_ptr();
            // SAFETY: the array has n scores, which become the weights.
            running_sum += unsafe { exp_sum(lanes, terms, n, running_max, Some(terms)) };
            let values = &self.v[row_of(first)..];
            weighted_sum(lanes, self.out, &scores[..n], values, kv_heads * head_dim);
        }
        if running_sum > 0.0 {
            let inverse = 1.0 / running_sum;
            for v in self.out.iter_mut() {
                *v *= inverse;
            }
        }
    }
}

/// x = cap · tanh(x / cap) of one block of scores.
#[inline(always)]
pub(super) fn cap_scores<L: Lanes>(lanes: L, scores: &mut [f32], cap: f32) {
    assert!(scores.len().is_multiple_of(L::N), "scores come in whole vectors");
    let (factor, inverse) = (lanes.splat(cap), lanes.splat(1.0 / cap));
    for chunk in scores.chunks_exact_mut(L::N) {
        // SAFETY: the chunk has N values.
        unsafe {
            let v = lanes.mul(lanes.load(chunk.as_ptr()), inverse);
            lanes.store(chunk.as_mut_ptr(), lanes.mul(factor, maths::tanh(lanes, v)));
        }
    }
}

/// out += Σ_j weights[j] · values[j · stride ..].
#[inline(always)]
fn weighted_sum<L: Lanes>(
    lanes: L,
    out: &mut [f32],
    weights: &[f32],
    values: &[f32],
    stride: usize,
) {
    assert!((weights.len() - 1) * stride + out.len() <= values.len());
    let mut i = 0;
    // Four vectors of `out` at a time stay in registers while all keys pass.
    // SAFETY: the assertion covers all reads; i stays below the length of `out`.
    unsafe {
        while i + 4 * L::N <= out.len() {
            let at = out.as_mut_ptr().add(i);
            let mut sums = [lanes.splat(0.0); 4];
            for (part, sum) in sums.iter_mut().enumerate() {
                *sum = lanes.load(at.add(part * L::N));
            }
            for (j, &weight) in weights.iter().enumerate() {
                let (weight, row) = (lanes.splat(weight), values.as_ptr().add(j * stride + i));
                for (part, sum) in sums.iter_mut().enumerate() {
                    *sum = lanes.fma(weight, lanes.load(row.add(part * L::N)), *sum);
                }
            }
            for (part, sum) in sums.into_iter().enumerate() {
                lanes.store(at.add(part * L::N), sum);
            }
            i += 4 * L::N;
        }
        while i + L::N <= out.len() {
            let mut sum = lanes.load(out.as_ptr().add(i));
            for (j, &weight) in weights.iter().enumerate() {
                let row = lanes.load(values.as_ptr().add(j * stride + i));
                sum = lanes.fma(lanes.splat(weight), row, sum);
            }
            lanes.store(out.as_mut_ptr().add(i), sum);
            i += L::N;
        }
    }
    while i < out.len() {
        for (j, &weight) in weights.iter().enumerate() {
            out[i] += weight * values[j * stride + i];
        }
        i += 1;
    }
}
