//! Row products: y[s, ·] = x[row(s), ·] · b, many rows against one right factor per group.
//!
//! ```text
//! for each task: a group's run of at most ROWS rows × a block of columns
//!     for each DEPTH of k
//!         pack the block of b (≤ 256 KB: it stays in the second-level cache)
//!         for each 6 rows:   for each panel: tile
//!         after the last k:  epilogue over the 6 rows, whose results are still in the first-level cache
//! ```
//! Columns of a block come in up to two runs, so that an epilogue sees a gate beside the value it gates. An
//! element's sum is finished in registers over one DEPTH and then added to y: its order depends on k alone.

use std::ops::Range;

use super::pack::Right;
#[cfg(target_arch = "x86_64")]
use super::split;
use super::tile::{self, RowPointers, TILE_ROWS, Update};
use crate::isa::{Isa, Kernel};
use crate::lanes::Lanes;
use crate::pool::Pool;
use crate::scratch::{self, SharedMut};
#[cfg(target_arch = "x86_64")]
use crate::tiles::Tiles;

/// Rows per task at most: enough that packing is a few percent of multiplying.
const ROWS: usize = 1020;
/// Rows per task at least, where a group has as many.
const LEAST_ROWS: usize = 96;
/// Columns per block.
const COLUMNS: usize = 128;
/// Where blocks of columns may begin: whole steps of every kind of product.
pub(crate) const COLUMN_STEP: usize = 32;
/// Inputs per pass.
pub(super) const DEPTH: usize = 512;
/// Rows that are packed together for tiles: with 384 inputs 288 KB of the second-level cache.
#[cfg(target_arch = "x86_64")]
const SPLIT_ROWS: usize = 128;

/// The rows of a factor: all of `values`, or those that `index` names, in its order.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// [n, width]
    pub values: &'a [f32],
    pub width: usize,
    pub index: Option<&'a [u32]>,
}

impl<'a> Rows<'a> {
    /// Every row of `values`.
    pub fn all(values: &'a [f32], width: usize) -> Self {
        Self { values, width, index: None }
    }

    /// The rows that `index` names.
    pub fn gathered(values: &'a [f32], width: usize, index: &'a [u32]) -> Self {
        Self { values, width, index: Some(index) }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.index
            .map_or_else(|| self.values.len().checked_div(self.width).unwrap_or(0), <[u32]>::len)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Row `s`.
    #[inline(always)]
    pub(crate) fn row(&self, s: usize) -> &'a [f32] {
        let row = self.index.map_or(s, |index| index[s] as usize);
        &self.values[row * self.width..][..self.width]
    }
}

/// What follows the last sum of a strip of at most six rows.
pub(crate) trait Epilogue: Sync {
    /// `rows` are rows of y; `cols` the two runs of columns that are finished.
    fn strip<L: Lanes>(&self, lanes: L, rows: Range<usize>, cols: &[Range<usize>; 2]);
}

/// Nothing follows.
pub(crate) struct Nothing;

impl Epilogue for Nothing {
    #[inline(always)]
    fn strip<L: Lanes>(&self, _: L, _: Range<usize>, _: &[Range<usize>; 2]) {}
}

/// One product of [`multiply`]: groups of consecutive rows, each with a right factor of its own.
pub(crate) struct Product<'a, E> {
    pub(crate) x: Rows<'a>,
    /// Rows of group g: `starts[g] .. starts[g + 1]`.
    pub(crate) starts: &'a [u32],
    /// Columns of y.
    pub(crate) n_cols: usize,
    /// Columns are taken as pairs (j, j + n_cols / 2), for epilogues that join two halves.
    pub(crate) paired: bool,
    pub(crate) update: Update,
    pub(crate) epilogue: E,
}

/// y[s, j] (+)= Σ_k x[row(s), k] · b_g[k][j] with g the group of row s; `right(g)` has `x.width` rows.
pub(crate) fn multiply<'a, E: Epilogue>(
    pool: &Pool,
    y: SharedMut<f32>,
    product: &Product<'a, E>,
    right: impl Fn(usize) -> Right<'a> + Sync,
) {
    let columns = columns(pool.isa(), product.x.width);
    let span = if product.paired { product.n_cols / 2 } else { product.n_cols };
    let block = block(span, if product.paired { columns / 2 } else { columns });
    let n_blocks = span.div_ceil(block);
    let runs = runs(product.starts, pool.n_threads(), n_blocks);
    let n_tasks = runs.len() * n_blocks;
    pool.run(n_tasks, |task_idx| {
        // Neighbouring tasks share rows of x, which are then still in the cache.
        let (group, rows) = &runs[task_idx / n_blocks];
        let first = task_idx % n_blocks * block;
        let run = first..span.min(first + block);
        let cols = if product.paired {
            [run.clone(), run.start + span..run.end + span]
        } else {
            [run, 0..0]
        };
        task(pool.isa(), y, product, right(*group), rows.clone(), cols);
    });
}

/// Columns per task of `span`: as few tasks as `most` allows, and of about the same size, for each packs all its rows.
fn block(span: usize, most: usize) -> usize {
    let n_blocks = span.div_ceil(most).max(1);
    span.div_ceil(n_blocks).next_multiple_of(COLUMN_STEP).clamp(1, most)
}

/// Columns per task at most.
fn columns(isa: Isa, depth: usize) -> usize {
    #[cfg(target_arch = "x86_64")]
    if isa.tiles().is_some() {
        return split::columns(depth);
    }
    let _ = (isa, depth);
    COLUMNS
}

/// Every group's rows, cut so that all threads have work.
fn runs(starts: &[u32], n_threads: usize, n_blocks: usize) -> Vec<(usize, Range<usize>)> {
    let n_rows = starts.last().map_or(0, |&end| end as usize);
    // Whole blocks of columns are tasks too; two tasks per thread let the threads end together.
    let wanted = (n_rows * n_blocks.max(1)).div_ceil(2 * n_threads).max(LEAST_ROWS);
    let most = wanted.min(ROWS).next_multiple_of(TILE_ROWS);
    let mut runs = Vec::with_capacity(starts.len() + n_rows / most);
    for (group, pair) in starts.windows(2).enumerate() {
        let (start, end) = (pair[0] as usize, pair[1] as usize);
        if start == end {
            continue;
        }
        let n_runs = (end - start).div_ceil(most);
        let length = (end - start).div_ceil(n_runs).next_multiple_of(TILE_ROWS);
        for first in (start..end).step_by(length) {
            runs.push((group, first..end.min(first + length)));
        }
    }
    runs
}

fn task<E: Epilogue>(
    isa: Isa,
    y: SharedMut<f32>,
    product: &Product<'_, E>,
    right: Right<'_>,
    rows: Range<usize>,
    cols: [Range<usize>; 2],
) {
    #[cfg(target_arch = "x86_64")]
    if let Some(tiles) = isa.tiles() {
        return split_task(isa, tiles, y, product, right, rows, cols);
    }
    let width = 2 * isa.lanes();
    let depth = product.x.width;
    let k_most = depth.min(DEPTH);
    let sizes = cols.clone().map(|run| run.len().next_multiple_of(width));
    if depth == 0 {
        isa.dispatch(Strips { y, product, packed: &[], rows, cols, depth: 0..0, last: true });
        return;
    }
    scratch::with((sizes[0] + sizes[1]) * k_most, |packed| {
        for start in (0..depth).step_by(DEPTH) {
            let range = start..depth.min(start + DEPTH);
            let (one, two) = packed.split_at_mut(sizes[0] * range.len());
            right.pack(isa, one, range.clone(), cols[0].clone());
            right.pack(isa, two, range.clone(), cols[1].clone());
            let last = range.end == depth;
            let (rows, cols) = (rows.clone(), cols.clone());
            isa.dispatch(Strips { y, product, packed, rows, cols, depth: range, last });
        }
    });
}

/// The same with tiles: rows are packed too, and met by all columns of the task.
#[cfg(target_arch = "x86_64")]
fn split_task<E: Epilogue>(
    isa: Isa,
    tiles: Tiles,
    y: SharedMut<f32>,
    product: &Product<'_, E>,
    right: Right<'_>,
    rows: Range<usize>,
    cols: [Range<usize>; 2],
) {
    let depth = product.x.width;
    let k_most = depth.min(DEPTH);
    let right_len = |k| cols.clone().map(|run| split::packed_len(run.len(), k));
    let [first, second] = right_len(k_most);
    scratch::with(first + second, |packed| {
        scratch::with(split::packed_len(SPLIT_ROWS, k_most), |left| {
            for start in (0..depth.max(1)).step_by(DEPTH) {
                let range = start..depth.min(start + DEPTH);
                let k = range.len();
                let (one, two) = packed.split_at_mut(right_len(k)[0]);
                split::pack_right(one, right, range.clone(), cols[0].clone());
                split::pack_right(two, right, range.clone(), cols[1].clone());
                let update = if start == 0 { product.update } else { Update::Add };
                for row in rows.clone().step_by(SPLIT_ROWS) {
                    let strip = row..rows.end.min(row + SPLIT_ROWS);
                    split::pack_left(left, product.x, strip.clone(), range.clone());
                    for (run, packed) in cols.iter().zip([&*one, &*two]) {
                        let sizes = (strip.len(), run.len(), k);
                        // SAFETY: y has rows of `n_cols`, and this task alone writes these columns of these rows;
                        // both factors were just packed.
                        unsafe {
                            let c = y.pointer().add(row * product.n_cols + run.start);
                            split::multiply(
                                tiles,
                                c,
                                product.n_cols,
                                (left, packed),
                                sizes,
                                update,
                            );
                        }
                    }
                    if range.end == depth {
                        isa.dispatch(Finish {
                            epilogue: &product.epilogue,
                            rows: strip,
                            cols: &cols,
                        });
                    }
                }
            }
        });
    });
}

/// The epilogue of rows that are done.
#[cfg(target_arch = "x86_64")]
struct Finish<'a, E> {
    epilogue: &'a E,
    rows: Range<usize>,
    cols: &'a [Range<usize>; 2],
}

#[cfg(target_arch = "x86_64")]
impl<E: Epilogue> Kernel for Finish<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        for row in self.rows.clone().step_by(TILE_ROWS) {
            let strip = row..self.rows.end.min(row + TILE_ROWS);
            self.epilogue.strip(lanes, strip, self.cols);
        }
    }
}

/// All strips of one task over one packed block.
struct Strips<'a, 'b, E> {
    y: SharedMut<f32>,
    product: &'b Product<'a, E>,
    packed: &'b [f32],
    rows: Range<usize>,
    cols: [Range<usize>; 2],
    depth: Range<usize>,
    last: bool,
}

impl<E: Epilogue> Kernel for Strips<'_, '_, E> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { y, product, packed, rows, cols, depth, last } = self;
        let width = 2 * L::N;
        let k = depth.len();
        let update = if depth.start == 0 { product.update } else { Update::Add };
        for row in rows.clone().step_by(TILE_ROWS) {
            let n_rows = TILE_ROWS.min(rows.end - row);
            let pointer = |i: usize| product.x.row(row + i.min(n_rows - 1))[depth.clone()].as_ptr();
            let a = RowPointers(std::array::from_fn(pointer));
            let mut panel = packed.as_ptr();
            for run in &cols {
                for col in run.clone().step_by(width) {
                    let n_cols = width.min(run.end - col);
                    // SAFETY: the row pointers reach k values; the packed block has a panel of k · width for each
                    // step; y has rows of n_cols, and this task alone writes these columns of these rows.
                    unsafe {
                        let c = y.pointer().add(row * product.n_cols + col);
                        tile::multiply(
                            lanes,
                            c,
                            product.n_cols,
                            a,
                            panel,
                            k,
                            n_rows,
                            n_cols,
                            update,
                        );
                        panel = panel.add(k * width);
                    }
                }
            }
            if last {
                product.epilogue.strip(lanes, row..row + n_rows, &cols);
            }
        }
    }
}
