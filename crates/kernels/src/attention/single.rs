//! Attention of few queries: tasks are blocks of keys, so that a single query keeps all threads busy.
//!
//! ```text
//! for each task: one query, KEY_BLOCK keys
//!     for each key head, and the query heads that read it in twos and threes
//!         scores of 4 keys at a time; softmax within the block, its maximum and sum kept
//!         sums = Σ weight · value
//! per query and head: the blocks' sums, scaled to their common maximum, over their common sum
//! ```
//! Roof: reading keys and values once, from the third-level cache or from memory. So a task takes all heads of its
//! keys, which lie side by side, and a row that is loaded serves all query heads that share it. (With a task per
//! head, three heads of SmolLM2 read each key three times in pieces of 256 bytes: 40 % of the time of a token.)

use std::ops::Range;

use super::{Shape, Stored};
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::maths;
use crate::pool::Pool;
use crate::reduce::highest;
use crate::scratch::{self, SharedMut};
use crate::softmax::exp_sum;

/// Keys per task: their scores stay in small arrays, and 500 keys still make work for eight threads.
const KEY_BLOCK: usize = 64;

pub(super) fn attend<E: Stored>(
    pool: &Pool,
    out: &mut [f32],
    q: &[f32],
    k: &[E],
    v: &[E],
    shape: &Shape,
) {
    let Shape { n_queries, n_keys, heads, head_dim, mask, .. } = *shape;
    let n_blocks_of = |query: usize| mask.keys(query, n_keys).len().div_ceil(KEY_BLOCK);
    let n_blocks = (0..n_queries).map(n_blocks_of).max().unwrap_or(0);
    let width = heads * (head_dim + 2);
    scratch::with(n_queries * n_blocks * width, |parts| {
        let shared = SharedMut::new(parts);
        pool.run(n_queries * n_blocks, |task_idx| {
            let (query_idx, block) = (task_idx / n_blocks, task_idx % n_blocks);
            let seen = mask.keys(query_idx, n_keys);
            let start = (seen.start + block * KEY_BLOCK).min(seen.end);
            // SAFETY: each task has its own part.
            let part = unsafe { shared.part(task_idx * width, width) };
            let (stats, sums) = part.split_at_mut(2 * heads);
            let q = &q[query_idx * heads * head_dim..][..heads * head_dim];
            let keys = start..seen.end.min(start + KEY_BLOCK);
            pool.isa().dispatch(Block { stats, sums, q, k, v, keys, shape });
        });
        for (query_idx, out) in out.chunks_exact_mut(heads * head_dim).enumerate() {
            let parts = &parts[query_idx * n_blocks * width..][..n_blocks * width];
            pool.isa().dispatch(Unite { out, parts, heads, head_dim });
        }
    });
}

/// One block of keys of one query.
struct Block<'a, E> {
    /// Maximum and sum of each head.
    stats: &'a mut [f32],
    /// [heads, head_dim]
    sums: &'a mut [f32],
    q: &'a [f32],
    k: &'a [E],
    v: &'a [E],
    keys: Range<usize>,
    shape: &'a Shape,
}

impl<E: Stored> Kernel for Block<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self, lanes: L) {
        let Shape { heads, kv_heads, .. } = *self.shape;
        let group = heads / kv_heads;
        for kv_head in 0..kv_heads {
            let (mut head, end) = (kv_head * group, (kv_head + 1) * group);
            while head < end {
                // Four are two and two: of three and one, the one would load everything for itself.
                let n = match end - head {
                    4 => 2,
                    left => left.min(3),
                };
                match n {
                    1 => self.heads::<L, 1>(lanes, head, kv_head),
                    2 => self.heads::<L, 2>(lanes, head, kv_head),
                    _ => self.heads::<L, 3>(lanes, head, kv_head),
                }
                head += n;
            }
        }
    }
}

impl<E: Stored> Block<'_, E> {
    /// H query heads from `head` on, which read `kv_head`.
    #[inline(always)]
    fn heads<L: Lanes, const H: usize>(&mut self, lanes: L, head: usize, kv_head: usize) {
        let Shape { kv_heads, head_dim, scale, soft_cap, .. } = *self.shape;
        let n = self.keys.len();
        let stride = kv_heads * head_dim;
        let start = (self.keys.start * kv_heads + kv_head) * head_dim;
        let q = &self.q[head * head_dim..][..H * head_dim];
        let sums = &mut self.sums[head * head_dim..][..H * head_dim];
        if n == 0 {
            for h in 0..H {
                (self.stats[2 * (head + h)], self.stats[2 * (head + h) + 1]) =
                    (f32::NEG_INFINITY, 0.0);
            }
            return sums.fill(0.0);
        }
        let mut scores = [[0.0f32; KEY_BLOCK]; H];
        let (k, v) = (&self.k[start..], &self.v[start..]);
        assert!((n - 1) * stride + head_dim <= k.len() && k.len() == v.len());
        // SAFETY: n rows of `head_dim` at distance `stride` lie inside k and v, H rows inside q and sums.
        unsafe {
            let mut key = 0;
            while key < n {
                // At the end some keys are multiplied twice.
                let at = key.min(n.saturating_sub(4));
                let rows = std::array::from_fn(|j| k.as_ptr().add((at + j).min(n - 1) * stride));
                let products = multiply::<L, E, H>(lanes, q.as_ptr(), rows, head_dim);
                for h in 0..H {
                    for j in 0..4.min(n - at) {
                        scores[h][at + j] = products[h][j] * scale;
                    }
                }
                key += 4;
            }
            for h in 0..H {
                if let Some(cap) = soft_cap {
                    cap_scores(lanes, &mut scores[h], cap);
                }
                let largest = highest(lanes, &scores[h][..n]);
                let terms = scores[h].as_mut_ptr();
                self.stats[2 * (head + h)] = largest;
                self.stats[2 * (head + h) + 1] = exp_sum(lanes, terms, n, largest, Some(terms));
            }
            weighted_sums::<L, E, H>(
                lanes,
                sums.as_mut_ptr(),
                &scores,
                n,
                v.as_ptr(),
                stride,
                head_dim,
            );
        }
    }
}

/// The products of H rows of q, one after the other, with four keys.
///
/// # Safety
/// q points to H rows of `head_dim`, each of the keys to one.
#[inline(always)]
unsafe fn multiply<L: Lanes, E: Stored, const H: usize>(
    lanes: L,
    q: *const f32,
    keys: [*const E; 4],
    head_dim: usize,
) -> [[f32; 4]; H] {
    let mut sums = [[lanes.splat(0.0); 4]; H];
    let mut dim = 0;
    // SAFETY: dim + N ≤ head_dim.
    unsafe {
        while dim + L::N <= head_dim {
            let mut row = [lanes.splat(0.0); 4];
            for j in 0..4 {
                row[j] = E::load(lanes, keys[j].add(dim));
            }
            for h in 0..H {
                let q = lanes.load(q.add(h * head_dim + dim));
                for j in 0..4 {
                    sums[h][j] = lanes.fma(q, row[j], sums[h][j]);
                }
            }
            dim += L::N;
        }
    }
    let mut products = [[0.0; 4]; H];
    for h in 0..H {
        products[h] = lanes.sums_of_four(sums[h]);
    }
    while dim < head_dim {
        for h in 0..H {
            for j in 0..4 {
                // SAFETY: dim < head_dim.
                products[h][j] +=
                    unsafe { *q.add(h * head_dim + dim) * (*keys[j].add(dim)).to_f32() };
            }
        }
        dim += 1;
    }
    products
}

/// sums[h · head_dim ..] = Σ_j weights[h][j] · values[j · stride ..] for n rows of values.
///
/// # Safety
/// `sums` points to H rows of `head_dim`, `values` to n at distance `stride`.
#[inline(always)]
unsafe fn weighted_sums<L: Lanes, E: Stored, const H: usize>(
    lanes: L,
    sums: *mut f32,
    weights: &[[f32; KEY_BLOCK]; H],
    n: usize,
    values: *const E,
    stride: usize,
    head_dim: usize,
) {
    let mut dim = 0;
    // SAFETY: dim and the vectors behind it stay below `head_dim`.
    unsafe {
        while dim + 4 * L::N <= head_dim {
            columns::<L, E, H, 4>(
                lanes,
                sums.add(dim),
                weights,
                n,
                values.add(dim),
                stride,
                head_dim,
            );
            dim += 4 * L::N;
        }
        while dim + L::N <= head_dim {
            columns::<L, E, H, 1>(
                lanes,
                sums.add(dim),
                weights,
                n,
                values.add(dim),
                stride,
                head_dim,
            );
            dim += L::N;
        }
        while dim < head_dim {
            for h in 0..H {
                let value = |j: usize| (*values.add(j * stride + dim)).to_f32();
                *sums.add(h * head_dim + dim) = (0..n).map(|j| weights[h][j] * value(j)).sum();
            }
            dim += 1;
        }
    }
}

/// V vectors of columns of [`weighted_sums`], which stay in registers while all keys pass.
///
/// # Safety
/// As there, for these columns.
#[inline(always)]
unsafe fn columns<L: Lanes, E: Stored, const H: usize, const V: usize>(
    lanes: L,
    sums: *mut f32,
    weights: &[[f32; KEY_BLOCK]; H],
    n: usize,
    values: *const E,
    stride: usize,
    head_dim: usize,
) {
    let mut total = [[lanes.splat(0.0); V]; H];
    for j in 0..n {
        let mut row = [lanes.splat(0.0); V];
        for part in 0..V {
            // SAFETY: the caller's promise.
            row[part] = unsafe { E::load(lanes, values.add(j * stride + part * L::N)) };
        }
        for h in 0..H {
            let weight = lanes.splat(weights[h][j]);
            for part in 0..V {
                total[h][part] = lanes.fma(weight, row[part], total[h][part]);
            }
        }
    }
    for h in 0..H {
        for part in 0..V {
            // SAFETY: the caller's promise.
            unsafe { lanes.store(sums.add(h * head_dim + part * L::N), total[h][part]) };
        }
    }
}

/// The blocks of one query together.
struct Unite<'a> {
    out: &'a mut [f32],
    /// Per block: maximum and sum of each head, then [heads, head_dim].
    parts: &'a [f32],
    heads: usize,
    head_dim: usize,
}

impl Kernel for Unite<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { out, parts, heads, head_dim } = self;
        let width = heads * (head_dim + 2);
        for (head, out) in out.chunks_exact_mut(head_dim).enumerate() {
            out.fill(0.0);
            let mut largest = f32::NEG_INFINITY;
            for part in parts.chunks_exact(width) {
                largest = largest.max(part[2 * head]);
            }
            let mut total = 0.0;
            for part in parts.chunks_exact(width) {
                // Blocks without a key have no sum, and must not give −∞ − −∞.
                if part[2 * head + 1] == 0.0 {
                    continue;
                }
                let weight = (part[2 * head] - largest).exp();
                total += weight * part[2 * head + 1];
                let sums = &part[2 * heads + head * head_dim..][..head_dim];
                add_scaled(lanes, out, sums, weight);
            }
            if total != 0.0 {
                let inverse = 1.0 / total;
                out.iter_mut().for_each(|v| *v *= inverse);
            }
        }
    }
}

/// out += x · factor.
#[inline(always)]
fn add_scaled<L: Lanes>(lanes: L, out: &mut [f32], x: &[f32], factor: f32) {
    let vector = lanes.splat(factor);
    let whole = out.len() / L::N * L::N;
    for i in (0..whole).step_by(L::N) {
        // SAFETY: i + N ≤ the length of both, which are equal.
        unsafe {
            let at = out.as_mut_ptr().add(i);
            lanes.store(at, lanes.fma(lanes.load(x.as_ptr().add(i)), vector, lanes.load(at)));
        }
    }
    for i in whole..out.len() {
        out[i] += x[i] * factor;
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
