//! Attention of few queries: tasks are blocks of keys, so that a single query keeps all threads busy.
//!
//! ```text
//! for each task: one query, KEY_BLOCK keys
//!     for each key head, and the query heads that read it in twos and threes
//!         scores of 32 or 64 keys at a time, a key per lane; softmax within the block, its maximum and sum kept
//!         sums = Σ weight · value
//! per query and head: the blocks joined in their order
//! ```
//! Roof: reading keys and values once, from the third-level cache or from memory. So a task takes all heads of its
//! keys, which lie side by side, and a vector that is loaded serves all query heads that share it. (With a task per
//! head, three heads of SmolLM2 read each key three times in pieces of 256 bytes: 40 % of the time of a token.) Pieces of
//! a head are too short for the machine to foresee the next one, so it is asked for by hand: values while scores are
//! computed, the keys of the next head while values are added up.

use std::ops::Range;

use super::keys::GROUP;
use super::{Block, KEY_BLOCK, NO_MAX, Shape, Stored, inverse, join, weigh};
use crate::isa::Kernel;
use crate::lanes::{Lanes, load_part, store_part};
use crate::pool::Pool;
use crate::scratch::{self, SharedMut};

pub(super) fn attend<E: Stored>(
    pool: &Pool,
    out: &mut [f32],
    q: &[f32],
    blocks: &[Block<'_, E>],
    shape: &Shape,
) {
    let Shape { n_queries, n_keys, heads, head_dim, mask, .. } = *shape;
    let seen_blocks = |query: usize| {
        let seen = mask.keys(query, n_keys);
        seen.start / KEY_BLOCK..seen.end.div_ceil(KEY_BLOCK)
    };
    let n_blocks = (0..n_queries).map(|query| seen_blocks(query).len()).max().unwrap_or(0);
    let width = heads * (head_dim + 2);
    scratch::with(n_queries * n_blocks * width, |parts| {
        let shared = SharedMut::new(parts);
        pool.run(n_queries * n_blocks, |task_idx| {
            let query_idx = task_idx / n_blocks;
            let of_query = seen_blocks(query_idx);
            let block_idx = of_query.start + task_idx % n_blocks;
            if block_idx >= of_query.end {
                return;
            }
            // SAFETY: each task has its own part.
            let part = unsafe { shared.part(task_idx * width, width) };
            let (stats, sums) = part.split_at_mut(2 * heads);
            let q = &q[query_idx * heads * head_dim..][..heads * head_dim];
            let seen = mask.keys(query_idx, n_keys);
            let start = block_idx * KEY_BLOCK;
            let seen = seen.start.max(start) - start..seen.end.min(start + KEY_BLOCK) - start;
            let block = blocks[block_idx];
            pool.isa().dispatch(Partial { stats, sums, q, block, seen, shape });
        });
        for (query_idx, out) in out.chunks_exact_mut(heads * head_dim).enumerate() {
            let parts = &parts[query_idx * n_blocks * width..];
            let parts = &parts[..seen_blocks(query_idx).len() * width];
            pool.isa().dispatch(Unite { out, parts, heads, head_dim });
        }
    });
}

/// One block of keys of one query.
struct Partial<'a, E> {
    /// Maximum and sum of each head.
    stats: &'a mut [f32],
    /// [heads, head_dim]
    sums: &'a mut [f32],
    q: &'a [f32],
    block: Block<'a, E>,
    /// Which of its keys the query sees, at least one.
    seen: Range<usize>,
    shape: &'a Shape,
}

impl<E: Stored> Kernel for Partial<'_, E> {
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
                    1 => self.heads::<L, 1, 4>(lanes, head, kv_head),
                    2 => self.heads::<L, 2, 2>(lanes, head, kv_head),
                    _ => self.heads::<L, 3, 2>(lanes, head, kv_head),
                }
                head += n;
            }
        }
    }
}

impl<E: Stored> Partial<'_, E> {
    /// H query heads from `head` on, which read `kv_head`; scores of G groups of keys at a time.
    #[inline(always)]
    fn heads<L: Lanes, const H: usize, const G: usize>(
        &mut self,
        lanes: L,
        head: usize,
        kv_head: usize,
    ) {
        let Shape { kv_heads, head_dim, scale, soft_cap, .. } = *self.shape;
        let stride = kv_heads * head_dim;
        let v = &self.block.values[kv_head * head_dim..];
        assert!((self.seen.end - 1) * stride + head_dim <= v.len());
        for row in self.seen.clone() {
            fetch(lanes, v.as_ptr().wrapping_add(row * stride), head_dim);
        }
        let q = &self.q[head * head_dim..][..H * head_dim];
        let sums = &mut self.sums[head * head_dim..][..H * head_dim];
        let mut scores = [[0.0f32; KEY_BLOCK]; H];
        let (mut group, end) = (self.seen.start / GROUP, self.seen.end.div_ceil(GROUP));
        while group < end {
            let k = &self.block.keys[(group * stride + kv_head * head_dim) * GROUP..];
            let n = if group + G <= end { G } else { 1 };
            assert!(((n - 1) * stride + head_dim) * GROUP <= k.len());
            let at = group * GROUP;
            // SAFETY: the groups were just checked, q has H rows, and G groups from `group` on are in the block.
            unsafe {
                if n == G {
                    multiply::<L, E, H, G>(lanes, &mut scores, at, q, k.as_ptr(), stride, head_dim);
                } else {
                    multiply::<L, E, H, 1>(lanes, &mut scores, at, q, k.as_ptr(), stride, head_dim);
                }
            }
            group += n;
        }
        for h in 0..H {
            let (max, sum) = weigh(lanes, &mut scores[h], self.seen.clone(), scale, soft_cap);
            self.stats[2 * (head + h)] = max;
            self.stats[2 * (head + h) + 1] = sum;
        }
        if kv_head + 1 < kv_heads {
            for group in self.seen.start / GROUP..end {
                let first = group * stride + (kv_head + 1) * head_dim;
                fetch(
                    lanes,
                    self.block.keys.as_ptr().wrapping_add(first * GROUP),
                    head_dim * GROUP,
                );
            }
        }
        // SAFETY: as many rows of `head_dim` as the query sees lie inside v, H inside sums.
        unsafe {
            let sums = sums.as_mut_ptr();
            weighted_sums(lanes, sums, &scores, self.seen.clone(), v.as_ptr(), stride, head_dim);
        }
    }
}

/// Asks for the cache lines of `n` values.
#[inline(always)]
fn fetch<L: Lanes, E>(lanes: L, first: *const E, n: usize) {
    for line in 0..(n * size_of::<E>()).div_ceil(64) {
        lanes.prefetch(first.cast::<u8>().wrapping_add(64 * line));
    }
}

/// scores[h][at ..] = the products of H rows of q, one after the other, with G groups of keys, summed in order of the
/// values.
///
/// # Safety
/// q has H rows of `head_dim`; `keys` points to a group's first value of this head, others lie `stride` values further.
#[inline(always)]
unsafe fn multiply<L: Lanes, E: Stored, const H: usize, const G: usize>(
    lanes: L,
    scores: &mut [[f32; KEY_BLOCK]; H],
    at: usize,
    q: &[f32],
    keys: *const E,
    stride: usize,
    head_dim: usize,
) {
    let n_vectors = GROUP / L::N;
    let mut sums = [[[lanes.splat(0.0); 2]; G]; H];
    for dim in 0..head_dim {
        let mut row = [[lanes.splat(0.0); 2]; G];
        for g in 0..G {
            for i in 0..n_vectors {
                // SAFETY: the caller's promise.
                row[g][i] =
                    unsafe { E::load(lanes, keys.add((g * stride + dim) * GROUP + i * L::N)) };
            }
        }
        for h in 0..H {
            // SAFETY: dim < head_dim.
            let q = lanes.splat(unsafe { *q.get_unchecked(h * head_dim + dim) });
            for g in 0..G {
                for i in 0..n_vectors {
                    sums[h][g][i] = lanes.fma(q, row[g][i], sums[h][g][i]);
                }
            }
        }
    }
    for h in 0..H {
        let to = &mut scores[h][at..at + G * GROUP];
        for g in 0..G {
            for i in 0..n_vectors {
                // SAFETY: `to` has G groups.
                unsafe { lanes.store(to.as_mut_ptr().add(g * GROUP + i * L::N), sums[h][g][i]) };
            }
        }
    }
}

/// sums[h · head_dim ..] = Σ_j weights[h][j] · values[j · stride ..] for j in `seen`.
///
/// # Safety
/// `sums` points to H rows of `head_dim`, `values` to `seen.end` at distance `stride`.
#[inline(always)]
unsafe fn weighted_sums<L: Lanes, E: Stored, const H: usize>(
    lanes: L,
    sums: *mut f32,
    weights: &[[f32; KEY_BLOCK]; H],
    seen: Range<usize>,
    values: *const E,
    stride: usize,
    head_dim: usize,
) {
    let mut dim = 0;
    // SAFETY: dim and the vectors behind it stay below `head_dim`.
    unsafe {
        while dim + 4 * L::N <= head_dim {
            let (sums, values) = (sums.add(dim), values.add(dim));
            columns::<L, E, H, 4>(lanes, sums, weights, seen.clone(), values, stride, head_dim);
            dim += 4 * L::N;
        }
        while dim + L::N <= head_dim {
            let (sums, values) = (sums.add(dim), values.add(dim));
            columns::<L, E, H, 1>(lanes, sums, weights, seen.clone(), values, stride, head_dim);
            dim += L::N;
        }
        if dim < head_dim {
            let n = head_dim - dim;
            let mut total = [lanes.splat(0.0); H];
            for j in seen {
                let mut row = [E::ZERO; 16];
                row.as_mut_ptr().copy_from_nonoverlapping(values.add(j * stride + dim), n);
                let row = E::load(lanes, row.as_ptr());
                for h in 0..H {
                    total[h] = lanes.fma(lanes.splat(weights[h][j]), row, total[h]);
                }
            }
            for h in 0..H {
                store_part(lanes, sums.add(h * head_dim + dim), n, total[h]);
            }
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
    seen: Range<usize>,
    values: *const E,
    stride: usize,
    head_dim: usize,
) {
    let mut total = [[lanes.splat(0.0); V]; H];
    for j in seen {
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
            let mut running = [lanes.splat(NO_MAX), lanes.splat(0.0)];
            for part in parts.chunks_exact(width) {
                let block = [lanes.splat(part[2 * head]), lanes.splat(part[2 * head + 1])];
                let (before, factor) = join(lanes, &mut running, block);
                let sums = &part[2 * heads + head * head_dim..][..head_dim];
                blend(lanes, out, before, sums, factor);
            }
            let mut sum = [0.0; 16];
            // SAFETY: the array has as many values as the longest vector.
            unsafe { lanes.store(sum.as_mut_ptr(), running[1]) };
            let inverse = inverse(sum[0]);
            out.iter_mut().for_each(|v| *v *= inverse);
        }
    }
}

/// out = out · before + x · factor.
#[inline(always)]
fn blend<L: Lanes>(lanes: L, out: &mut [f32], before: L::F, x: &[f32], factor: L::F) {
    assert_eq!(out.len(), x.len());
    for i in (0..out.len()).step_by(L::N) {
        let n = out.len() - i;
        // SAFETY: `n` values are left of both.
        unsafe {
            let at = out.as_mut_ptr().add(i);
            let x = load_part(lanes, x.as_ptr().add(i), n);
            let old = lanes.mul(load_part(lanes, at, n), before);
            store_part(lanes, at, n, lanes.fma(x, factor, old));
        }
    }
}
