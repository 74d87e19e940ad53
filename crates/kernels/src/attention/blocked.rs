//! Attention of many queries: one task per head and block of queries, both products through the register tile.
//!
//! ```text
//! for each block of KEY_BLOCK keys that any query of the task sees
//!     keys [head_dim][keys] and values [keys][head_dim] as f32, padded to whole tiles
//!     for each GROUP_QUERIES queries
//!         scores [queries, keys] = q · kᵀ
//!         per query: scores → weights within the block; joined with what came before
//!         sums [queries, head_dim] = before · sums + factor · weights · v
//! out = sums / running sum
//! ```
//! Keys, values and the scores of a group are 44 KB where a key has 64 values, and stay in the first-level cache or close
//! to it; the sums of 96 queries are 24 KB more. Under a causal mask each tile of six queries stops at the last key that
//! one of them sees.

use std::ops::Range;

use super::keys::GROUP;
use super::{Block, KEY_BLOCK, NO_MAX, Shape, Stored, inverse, join, weigh};
use crate::isa::{Isa, Kernel};
use crate::lanes::Lanes;
use crate::matmul::tile::{self, TILE_ROWS, Update};
use crate::pool::Pool;
use crate::scratch::{self, SharedMut};

/// With 48 the keys of 128 queries are made ready three times instead of twice, and it was 4–7 % slower.
const QUERY_BLOCK: usize = 96;
/// Queries whose scores exist at one time. A whole number of tiles and of vectors.
const GROUP_QUERIES: usize = 48;

pub(super) fn attend<E: Stored>(
    pool: &Pool,
    out: &mut [f32],
    q: &[f32],
    blocks: &[Block<'_, E>],
    shape: &Shape,
) {
    let out = SharedMut::new(out);
    let n_blocks = shape.n_queries.div_ceil(QUERY_BLOCK);
    pool.run(n_blocks * shape.heads, |task_idx| {
        let (block_idx, head) = (task_idx / shape.heads, task_idx % shape.heads);
        let start = block_idx * QUERY_BLOCK;
        let queries = start..shape.n_queries.min(start + QUERY_BLOCK);
        one_head(pool.isa(), out, q, blocks, shape, head, queries);
    });
}

/// The buffers of one task, parts of one scratch buffer.
struct Buffers<'a> {
    /// [head_dim][2N] panels.
    keys: &'a mut [f32],
    /// [KEY_BLOCK][padded].
    values: &'a mut [f32],
    /// [GROUP_QUERIES][KEY_BLOCK].
    scores: &'a mut [f32],
    /// [QUERY_BLOCK][padded].
    sums: &'a mut [f32],
}

/// Numbers of each query of the task; QUERY_BLOCK is a whole number of vectors.
struct Stats {
    /// Maximum and sum of the blocks so far.
    max: [f32; QUERY_BLOCK],
    sum: [f32; QUERY_BLOCK],
    /// Of the block at hand.
    block_max: [f32; QUERY_BLOCK],
    block_sum: [f32; QUERY_BLOCK],
    /// What sums of the blocks so far and of the block at hand are multiplied by.
    before: [f32; QUERY_BLOCK],
    factor: [f32; QUERY_BLOCK],
}

fn one_head<E: Stored>(
    isa: Isa,
    out: SharedMut<f32>,
    q: &[f32],
    blocks: &[Block<'_, E>],
    shape: &Shape,
    head: usize,
    queries: Range<usize>,
) {
    let Shape { n_keys, heads, kv_heads, head_dim, mask, .. } = *shape;
    let padded = head_dim.next_multiple_of(2 * isa.lanes());
    let sizes =
        [head_dim * KEY_BLOCK, KEY_BLOCK * padded, GROUP_QUERIES * KEY_BLOCK, QUERY_BLOCK * padded];
    scratch::with(sizes.iter().sum(), |buffer| {
        let (keys, buffer) = buffer.split_at_mut(sizes[0]);
        let (values, buffer) = buffer.split_at_mut(sizes[1]);
        let (scores, sums) = buffer.split_at_mut(sizes[2]);
        sums.fill(0.0);
        let mut buffers = Buffers { keys, values, scores, sums };
        let none = [0.0; QUERY_BLOCK];
        let mut stats = Stats {
            max: [NO_MAX; QUERY_BLOCK],
            sum: none,
            block_max: [NO_MAX; QUERY_BLOCK],
            block_sum: none,
            before: none,
            factor: none,
        };
        // What any query sees: the first query starts first, the last ends last.
        let seen = mask.keys(queries.start, n_keys).start..mask.keys(queries.end - 1, n_keys).end;
        let kv_head = head / (heads / kv_heads);
        for start in (seen.start / KEY_BLOCK * KEY_BLOCK..seen.end).step_by(KEY_BLOCK) {
            let keys = start..seen.end.min(start + KEY_BLOCK);
            let Buffers { keys: panels, values, .. } = &mut buffers;
            let (head_start, stride) = (kv_head * head_dim, kv_heads * head_dim);
            let block = &blocks[start / KEY_BLOCK];
            let (k, v) = (&block.keys[head_start * GROUP..], &block.values[head_start..]);
            let n = keys.len();
            isa.dispatch(Arrange { panels, values, k, v, n, stride, head_dim, padded });
            isa.dispatch(KeyBlock {
                buffers: &mut buffers,
                stats: &mut stats,
                q,
                shape,
                head,
                queries: queries.clone(),
                keys,
                padded,
            });
        }
        isa.dispatch(Finish {
            out,
            sums: buffers.sums,
            stats: &stats,
            shape,
            head,
            queries,
            padded,
        });
    });
}

/// Groups of keys to panels [head_dim][2 N] and rows of values to rows of `padded`, as f32. What stands in the places of
/// missing keys is unspecified.
struct Arrange<'a, E> {
    panels: &'a mut [f32],
    values: &'a mut [f32],
    /// The block's first group, from the head's first value on; the next ones lie `stride` values further.
    k: &'a [E],
    /// The block's first value of the head.
    v: &'a [E],
    n: usize,
    stride: usize,
    head_dim: usize,
    padded: usize,
}

impl<E: Stored> Kernel for Arrange<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { panels, values, k, v, n, stride, head_dim, padded } = self;
        let n_groups = n.div_ceil(GROUP);
        assert!(panels.len() == KEY_BLOCK * head_dim && n <= KEY_BLOCK && n > 0);
        assert!(((n_groups - 1) * stride + head_dim) * GROUP <= k.len());
        let width = 2 * L::N;
        for group in 0..n_groups {
            let first = group * GROUP;
            let to = &mut panels[first / width * width * head_dim + first % width..];
            for dim in 0..head_dim {
                for i in (0..GROUP).step_by(L::N) {
                    // SAFETY: the groups were checked above; a panel has `head_dim` rows of `width`.
                    unsafe {
                        let from = k.as_ptr().add((group * stride + dim) * GROUP + i);
                        lanes.store(to.as_mut_ptr().add(dim * width + i), E::load(lanes, from));
                    }
                }
            }
        }
        let whole = head_dim / L::N * L::N;
        for (key, to) in values.chunks_exact_mut(padded).enumerate().take(n) {
            let from = &v[key * stride..][..head_dim];
            for i in (0..whole).step_by(L::N) {
                // SAFETY: i + N ≤ head_dim, the length of one and less than that of the other.
                unsafe {
                    lanes.store(to.as_mut_ptr().add(i), E::load(lanes, from.as_ptr().add(i)));
                }
            }
            if whole < padded {
                to[whole..].fill(0.0);
                let mut rest = [E::ZERO; 16];
                rest[..head_dim - whole].copy_from_slice(&from[whole..]);
                // SAFETY: rows are whole vectors; the array has one.
                unsafe {
                    lanes.store(to.as_mut_ptr().add(whole), E::load(lanes, rest.as_ptr()));
                }
            }
        }
    }
}

/// One block of keys for all queries of a task.
struct KeyBlock<'a, 'b> {
    buffers: &'a mut Buffers<'b>,
    stats: &'a mut Stats,
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
        for first in (0..self.queries.len()).step_by(GROUP_QUERIES) {
            let group = first..self.queries.len().min(first + GROUP_QUERIES);
            self.score(lanes, group.clone());
            self.weigh(lanes, group.clone());
            self.add_values(lanes, group);
        }
    }
}

impl KeyBlock<'_, '_> {
    /// scores = q · kᵀ for a group of the task's queries.
    #[inline(always)]
    fn score<L: Lanes>(&mut self, lanes: L, group: Range<usize>) {
        let Shape { heads, head_dim, .. } = *self.shape;
        let width = 2 * L::N;
        for first in group.clone().step_by(TILE_ROWS) {
            let n_rows = TILE_ROWS.min(group.end - first);
            let n_keys = self.n_seen(first + n_rows - 1);
            let q_start = ((self.queries.start + first) * heads + self.head) * head_dim;
            for key in (0..n_keys).step_by(width) {
                // SAFETY: scores are [GROUP_QUERIES][KEY_BLOCK], panels [head_dim][width]; q has these queries.
                unsafe {
                    tile::multiply(
                        lanes,
                        self.buffers
                            .scores
                            .as_mut_ptr()
                            .add((first - group.start) * KEY_BLOCK + key),
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
    }

    /// The group's sums take in this block's values.
    #[inline(always)]
    fn add_values<L: Lanes>(&mut self, lanes: L, group: Range<usize>) {
        let width = 2 * L::N;
        for first in group.clone().step_by(TILE_ROWS) {
            let n_rows = TILE_ROWS.min(group.end - first);
            let n_keys = self.n_seen(first + n_rows - 1);
            for dim in (0..self.padded).step_by(width) {
                // SAFETY: sums and values have rows of `padded`, a multiple of the width; weights of KEY_BLOCK.
                unsafe {
                    tile::multiply(
                        lanes,
                        self.buffers.sums.as_mut_ptr().add(first * self.padded + dim),
                        self.padded,
                        self.buffers.scores.as_ptr().add((first - group.start) * KEY_BLOCK),
                        KEY_BLOCK,
                        self.buffers.values.as_ptr().add(dim),
                        self.padded,
                        n_keys,
                        n_rows,
                        width,
                        Update::Blend {
                            before: self.stats.before.as_ptr().add(first),
                            factor: self.stats.factor.as_ptr().add(first),
                        },
                    );
                }
            }
        }
    }

    /// Keys of this block up to the last that query `i` of the task sees; earlier queries see no later ones.
    #[inline(always)]
    fn n_seen(&self, i: usize) -> usize {
        let end = self.shape.mask.keys(self.queries.start + i, self.shape.n_keys).end;
        end.clamp(self.keys.start, self.keys.end) - self.keys.start
    }

    /// Scores of a group become weights, and the block's maxima and sums join those of the blocks before.
    #[inline(always)]
    fn weigh<L: Lanes>(&mut self, lanes: L, group: Range<usize>) {
        let Shape { mask, scale, soft_cap, n_keys, .. } = *self.shape;
        let (scores, _) = self.buffers.scores.as_chunks_mut::<KEY_BLOCK>();
        for (i, scores) in group.clone().zip(scores) {
            let seen = mask.keys(self.queries.start + i, n_keys);
            let from = seen.start.clamp(self.keys.start, self.keys.end) - self.keys.start;
            let to = seen.end.clamp(self.keys.start, self.keys.end) - self.keys.start;
            let (max, sum) = if from < to {
                weigh(lanes, scores, from..to, scale, soft_cap)
            } else {
                scores.fill(0.0);
                (NO_MAX, 0.0)
            };
            self.stats.block_max[i] = max;
            self.stats.block_sum[i] = sum;
        }
        let Stats { max, sum, block_max, block_sum, before, factor } = &mut *self.stats;
        for i in group.step_by(L::N) {
            // SAFETY: i is below QUERY_BLOCK, which is a whole number of vectors.
            unsafe {
                let mut running =
                    [lanes.load(max.as_ptr().add(i)), lanes.load(sum.as_ptr().add(i))];
                let block =
                    [lanes.load(block_max.as_ptr().add(i)), lanes.load(block_sum.as_ptr().add(i))];
                let factors = join(lanes, &mut running, block);
                lanes.store(max.as_mut_ptr().add(i), running[0]);
                lanes.store(sum.as_mut_ptr().add(i), running[1]);
                lanes.store(before.as_mut_ptr().add(i), factors.0);
                lanes.store(factor.as_mut_ptr().add(i), factors.1);
            }
        }
    }
}

/// Sums of weighted values, divided by the sums of weights, to their places.
struct Finish<'a> {
    out: SharedMut<f32>,
    sums: &'a [f32],
    stats: &'a Stats,
    shape: &'a Shape,
    head: usize,
    queries: Range<usize>,
    padded: usize,
}

impl Kernel for Finish<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, _: L) {
        let Shape { heads, head_dim, .. } = *self.shape;
        for (i, query_idx) in self.queries.enumerate() {
            // SAFETY: each task has its own head of its own queries.
            let out =
                unsafe { self.out.part((query_idx * heads + self.head) * head_dim, head_dim) };
            let inverse = inverse(self.stats.sum[i]);
            for (out, sum) in out.iter_mut().zip(&self.sums[i * self.padded..]) {
                *out = sum * inverse;
            }
        }
    }
}
