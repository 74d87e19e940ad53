//! Attention of many queries: one task per head and block of queries, both products through the register tile.
//!
//! ```text
//! for each block of KEY_BLOCK keys that any query of the task sees
//!     rearrange the keys to [head_dim][keys], copy the values to [keys][head_dim], both padded to whole tiles
//!     scores [queries, keys] = q · kᵀ; scale, cap, mask
//!     per query: new maximum, rescale what is summed so far, scores → weights
//!     sums [queries, head_dim] += weights · v
//! out = sums / running sum
//! ```
//! With 96 queries and 64 keys of 64 values the working set (keys, values, scores, sums) is 80 KB, in the
//! second-level cache, and rearranging a block costs about a twentieth of multiplying with it. Under a causal mask
//! each tile of six queries stops at the last key that one of them sees.

use std::ops::Range;

use super::single::cap_scores;
use super::{Shape, Stored};
use crate::isa::{Isa, Kernel};
use crate::lanes::Lanes;
use crate::matmul::tile::{self, TILE_ROWS, Update};
use crate::pool::Pool;
use crate::reduce::highest;
use crate::scratch::{self, SharedMut};
use crate::softmax::exp_sum;

/// With 48 the keys of 128 queries are rearranged three times instead of twice, and it was 4–7 % slower.
const QUERY_BLOCK: usize = 96;
/// A multiple of the tile width of every instruction set.
const KEY_BLOCK: usize = 64;

pub(super) fn attend<E: Stored>(
    pool: &Pool,
    out: &mut [f32],
    q: &[f32],
    k: &[E],
    v: &[E],
    shape: &Shape,
) {
    let out = SharedMut::new(out);
    let n_blocks = shape.n_queries.div_ceil(QUERY_BLOCK);
    pool.run(n_blocks * shape.heads, |task_idx| {
        let (block_idx, head) = (task_idx / shape.heads, task_idx % shape.heads);
        let start = block_idx * QUERY_BLOCK;
        let queries = start..shape.n_queries.min(start + QUERY_BLOCK);
        one_block(pool.isa(), out, q, k, v, shape, head, queries);
    });
}

/// The buffers of one task, parts of one scratch buffer.
struct Buffers<'a> {
    /// [head_dim][2N] panels.
    keys: &'a mut [f32],
    /// [KEY_BLOCK][padded].
    values: &'a mut [f32],
    /// [QUERY_BLOCK][KEY_BLOCK].
    scores: &'a mut [f32],
    /// [QUERY_BLOCK][padded].
    sums: &'a mut [f32],
    running_max: &'a mut [f32],
    running_sum: &'a mut [f32],
}

fn one_block<E: Stored>(
    isa: Isa,
    out: SharedMut<f32>,
    q: &[f32],
    k: &[E],
    v: &[E],
    shape: &Shape,
    head: usize,
    queries: Range<usize>,
) {
    let Shape { n_keys, heads, kv_heads, head_dim, mask, .. } = *shape;
    let padded = head_dim.next_multiple_of(2 * isa.lanes());
    let sizes = [
        head_dim * KEY_BLOCK,
        KEY_BLOCK * padded,
        QUERY_BLOCK * KEY_BLOCK,
        QUERY_BLOCK * padded,
        QUERY_BLOCK,
        QUERY_BLOCK,
    ];
    scratch::with(sizes.iter().sum(), |buffer| {
        let (keys, buffer) = buffer.split_at_mut(sizes[0]);
        let (values, buffer) = buffer.split_at_mut(sizes[1]);
        let (scores, buffer) = buffer.split_at_mut(sizes[2]);
        let (sums, buffer) = buffer.split_at_mut(sizes[3]);
        let (running_max, running_sum) = buffer.split_at_mut(sizes[4]);
        sums.fill(0.0);
        running_max.fill(f32::NEG_INFINITY);
        running_sum.fill(0.0);
        let mut buffers = Buffers { keys, values, scores, sums, running_max, running_sum };
        // What any query sees: the first query starts first, the last ends last.
        let seen = mask.keys(queries.start, n_keys).start..mask.keys(queries.end - 1, n_keys).end;
        let kv_head = head / (heads / kv_heads);
        for first in seen.clone().step_by(KEY_BLOCK) {
            let n = KEY_BLOCK.min(seen.end - first);
            let start = (first * kv_heads + kv_head) * head_dim;
            let stride = kv_heads * head_dim;
            let mut rearrange = |k: &[f32], v: &[f32], stride: usize| {
                isa.dispatch_8(Rearrange {
                    keys: buffers.keys,
                    values: buffers.values,
                    k,
                    v,
                    n,
                    stride,
                    head_dim,
                    padded,
                    width: 2 * isa.lanes(),
                });
            };
            match (E::as_f32(&k[start..]), E::as_f32(&v[start..])) {
                (Some(k), Some(v)) => rearrange(k, v, stride),
                _ => scratch::with(2 * n * head_dim, |rows| {
                    let (wide_k, wide_v) = rows.split_at_mut(n * head_dim);
                    isa.dispatch(Widen { to: wide_k, from: &k[start..], stride, head_dim });
                    isa.dispatch(Widen { to: wide_v, from: &v[start..], stride, head_dim });
                    rearrange(wide_k, wide_v, head_dim);
                }),
            }
            isa.dispatch(KeyBlock {
                buffers: &mut buffers,
                q,
                shape,
                head,
                queries: queries.clone(),
                keys: first..first + n,
                padded,
            });
        }
        for (i, query_idx) in queries.enumerate() {
            // SAFETY: each task has its own head of its own queries.
            let out = unsafe { out.part((query_idx * heads + head) * head_dim, head_dim) };
            let total = buffers.running_sum[i];
            let inverse = if total > 0.0 { 1.0 / total } else { 0.0 };
            for (out, sum) in out.iter_mut().zip(&buffers.sums[i * padded..]) {
                *out = sum * inverse;
            }
        }
    });
}

/// Rows of one head side by side, as f32.
struct Widen<'a, E> {
    to: &'a mut [f32],
    from: &'a [E],
    stride: usize,
    head_dim: usize,
}

impl<E: Stored> Kernel for Widen<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { to, from, stride, head_dim } = self;
        for (idx, to) in to.chunks_exact_mut(head_dim).enumerate() {
            let from = &from[idx * stride..][..head_dim];
            let whole = head_dim / L::N * L::N;
            for i in (0..whole).step_by(L::N) {
                // SAFETY: i + N ≤ head_dim, the length of both.
                unsafe {
                    lanes.store(to.as_mut_ptr().add(i), E::load(lanes, from.as_ptr().add(i)));
                }
            }
            for i in whole..head_dim {
                to[i] = from[i].to_f32();
            }
        }
    }
}

/// Keys to panels [head_dim][width] of `width` keys each, values to rows of `padded`; missing keys are zeros.
struct Rearrange<'a> {
    keys: &'a mut [f32],
    values: &'a mut [f32],
    k: &'a [f32],
    v: &'a [f32],
    n: usize,
    stride: usize,
    head_dim: usize,
    padded: usize,
    width: usize,
}

impl Kernel for Rearrange<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { keys, values, k, v, n, stride, head_dim, padded, width } = self;
        assert!(keys.len() == head_dim * KEY_BLOCK && (n - 1) * stride + head_dim <= k.len());
        for first in (0..KEY_BLOCK).step_by(8) {
            let panel = &mut keys[first / width * width * head_dim + first % width..];
            for dim in (0..head_dim).step_by(8) {
                if first + 8 <= n && dim + 8 <= head_dim {
                    // SAFETY: 8 keys of at least dim + 8 values; the panel has `head_dim` rows of `width`, of which
                    // these 8 columns of these 8 rows are written.
                    unsafe {
                        let from = k.as_ptr().add(first * stride + dim);
                        lanes.transpose_8x8(
                            panel.as_mut_ptr().add(dim * width),
                            width,
                            from,
                            stride,
                        );
                    }
                } else {
                    for dim in dim..head_dim.min(dim + 8) {
                        for key in first..first + 8 {
                            let value = if key < n { k[key * stride + dim] } else { 0.0 };
                            panel[dim * width + key - first] = value;
                        }
                    }
                }
            }
        }
        for (key, row) in values.chunks_exact_mut(padded).enumerate().take(n) {
            row[..head_dim].copy_from_slice(&v[key * stride..][..head_dim]);
            row[head_dim..].fill(0.0);
        }
    }
}

/// One block of keys for all queries of a task.
struct KeyBlock<'a, 'b> {
    buffers: &'a mut Buffers<'b>,
    q: &'a [f32],
    shape: &'a Shape,
    head: usize,
    queries: Range<usize>,
    keys: Range<usize>,
    padded: usize,
}

impl Kernel for KeyBlock<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self, lanes: L) {
        let Shape { heads, head_dim, .. } = *self.shape;
        let n_queries = self.queries.len();
        let width = 2 * L::N;
        for first in (0..n_queries).step_by(TILE_ROWS) {
            let n_rows = TILE_ROWS.min(n_queries - first);
            let n_keys = self.n_seen(first + n_rows - 1);
            let q_start = ((self.queries.start + first) * heads + self.head) * head_dim;
            for key in (0..n_keys).step_by(width) {
                // SAFETY: scores are [QUERY_BLOCK][KEY_BLOCK], panels [head_dim][width]; q has these queries.
                unsafe {
                    tile::multiply(
                        lanes,
                        self.buffers.scores.as_mut_ptr().add(first * KEY_BLOCK + key),
                        KEY_BLOCK,
                        self.q.as_ptr().add(q_start),
                        heads * head_dim,
                        self.buffers.keys.as_ptr().add(key * head_dim),
                        width,
                        head_dim,
                        n_rows,
                        width,
                        Update::Replace,
                    );
                }
            }
        }
        self.weigh(lanes);
        for first in (0..n_queries).step_by(TILE_ROWS) {
            let n_rows = TILE_ROWS.min(n_queries - first);
            let n_keys = self.n_seen(first + n_rows - 1);
            for dim in (0..self.padded).step_by(width) {
                // SAFETY: sums and values have rows of `padded`, a multiple of the width; weights of KEY_BLOCK.
                unsafe {
                    tile::multiply(
                        lanes,
                        self.buffers.sums.as_mut_ptr().add(first * self.padded + dim),
                        self.padded,
                        self.buffers.scores.as_ptr().add(first * KEY_BLOCK),
                        KEY_BLOCK,
                        self.buffers.values.as_ptr().add(dim),
                        self.padded,
                        n_keys,
                        n_rows,
                        width,
                        Update::Add,
                    );
                }
            }
        }
    }
}

impl KeyBlock<'_, '_> {
    /// Keys of this block up to the last that query `i` of the task sees; earlier queries see no later ones.
    #[inline(always)]
    fn n_seen(&self, i: usize) -> usize {
        let end = self.shape.mask.keys(self.queries.start + i, self.shape.n_keys).end;
        end.clamp(self.keys.start, self.keys.end) - self.keys.start
    }

    /// Scores become weights, and what was summed before is scaled to the new maximum.
    #[inline(always)]
    fn weigh<L: Lanes>(&mut self, lanes: L) {
        let Shape { mask, scale, soft_cap, n_keys, .. } = *self.shape;
        for (i, query_idx) in self.queries.clone().enumerate() {
            let scores = &mut self.buffers.scores[i * KEY_BLOCK..(i + 1) * KEY_BLOCK];
            for score in scores.iter_mut() {
                *score *= scale;
            }
            if let Some(cap) = soft_cap {
                cap_scores(lanes, scores, cap);
            }
            let seen = mask.keys(query_idx, n_keys);
            let from = seen.start.clamp(self.keys.start, self.keys.end) - self.keys.start;
            let to = seen.end.clamp(self.keys.start, self.keys.end) - self.keys.start;
            if from >= to {
                scores.fill(0.0);
                continue;
            }
            scores[..from].fill(f32::NEG_INFINITY);
            scores[to..].fill(f32::NEG_INFINITY);
            let block_max = highest(lanes, scores);
            if block_max > self.buffers.running_max[i] {
                // The first time round this is e^−∞ = 0 over sums that are 0.
                let correction = (self.buffers.running_max[i] - block_max).exp();
                self.buffers.running_sum[i] *= correction;
                for v in &mut self.buffers.sums[i * self.padded..(i + 1) * self.padded] {
                    *v *= correction;
                }
                self.buffers.running_max[i] = block_max;
            }
            let terms = scores.as_mut_ptr();
            let shift = self.buffers.running_max[i];
            // SAFETY: the row has KEY_BLOCK scores, which become the weights.
            self.buffers.running_sum[i] +=
                unsafe { exp_sum(lanes, terms, KEY_BLOCK, shift, Some(terms)) };
        }
    }
}
