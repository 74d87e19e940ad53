//! Outer products: c_g[i][j] (+)= Σ_s a[row(s), i] · b[row'(s), j] over the rows s of group g: a weight's gradient.
//!
//! ```text
//! for each task: a group's block of BLOCK rows × COLUMNS columns of c
//!     for each DEPTH of the group's rows s
//!         pack the block's columns of a and of b
//!         for each 6 rows of c:   for each panel of b: tile
//! ```
//! Packing reads both factors in long runs. The sum over one DEPTH is finished in registers and added to c, so the
//! order of summation depends only on where in its group a row stands.

use std::ops::Range;

use super::pack::{pack_left, pack_rows};
use super::rows::Rows;
#[cfg(target_arch = "x86_64")]
use super::split;
use super::tile::{self, Columns, TILE_ROWS, Update};
use crate::isa::{Isa, Kernel};
use crate::lanes::Lanes;
use crate::pool::Pool;
use crate::scratch::{self, SharedMut};
#[cfg(target_arch = "x86_64")]
use crate::tiles::Tiles;

/// Rows of c per task at most; a multiple of 6.
const BLOCK: usize = 384;
/// The same where one gradient is cut for all threads: each then has two blocks rather than one of this height.
const BLOCK_ALONE: usize = 342;
/// Neither side of a task's block is halved below this.
const LEAST_BLOCK: usize = 96;
/// Rows of the factors per pass.
const DEPTH: usize = 192;
/// Rows of c per task at most with tiles: packed blocks then take at most 1.6 MB of a second-level cache of 2.
#[cfg(target_arch = "x86_64")]
const SPLIT_BLOCK: usize = 512;
/// Rows of the factors per pass with tiles.
#[cfg(target_arch = "x86_64")]
const SPLIT_DEPTH: usize = 256;
/// What packing an element of either factor takes, in multiply-adds of the tile: fitted to rates of four shapes.
const PACKED_LEFT: f64 = 80.0;
const PACKED_RIGHT: f64 = 48.0;
/// Columns of c per task at most: few rows of many columns pack less than a square does.
const COLUMNS: usize = 512;

/// One gradient of [`accumulate`]: c is `[groups, a.width, b.width]`, each group at `offset(g)` of `c`.
pub(crate) struct Outer<'a> {
    pub(crate) a: Rows<'a>,
    pub(crate) b: Rows<'a>,
    /// Rows of group g: `starts[g] .. starts[g + 1]`.
    pub(crate) starts: &'a [u32],
    pub(crate) update: Update,
}

/// Writes every group's c; a group without rows gets zeros (or nothing to add).
pub(crate) fn accumulate(
    pool: &Pool,
    c: SharedMut<f32>,
    outer: &Outer<'_>,
    offset: impl Fn(usize) -> usize + Sync,
) {
    let n_groups = outer.starts.len() - 1;
    let (n_rows, n_cols) = (outer.a.width, outer.b.width);
    let tallest = tallest(pool.isa(), n_groups, pool.n_threads());
    let (row_block, col_block) = blocks(tallest, n_groups, n_rows, n_cols, pool.n_threads());
    let n_row_blocks = n_rows.div_ceil(row_block);
    let n_blocks = n_row_blocks * n_cols.div_ceil(col_block);
    pool.run(n_groups * n_blocks, |task_idx| {
        let (group, block) = (task_idx / n_blocks, task_idx % n_blocks);
        let (row, col) = (block % n_row_blocks * row_block, block / n_row_blocks * col_block);
        let rows = row..n_rows.min(row + row_block);
        let cols = col..n_cols.min(col + col_block);
        let depth = outer.starts[group] as usize..outer.starts[group + 1] as usize;
        // SAFETY: the offset leads to this group's [a.width, b.width] values.
        let c = SharedMut::from_pointer(unsafe { c.pointer().add(offset(group)) });
        if !depth.is_empty() {
            task(pool.isa(), c, outer, rows, cols, depth);
        } else if outer.update == Update::Replace {
            for row in rows {
                // SAFETY: the task's own part of its group's c.
                unsafe { c.part(row * n_cols + cols.start, cols.len()) }.fill(0.0);
            }
        }
    });
}

/// Rows of c per task at most.
fn tallest(isa: Isa, n_groups: usize, n_threads: usize) -> usize {
    #[cfg(target_arch = "x86_64")]
    if isa.tiles().is_some() {
        return SPLIT_BLOCK;
    }
    let _ = isa;
    if n_groups < 2 * n_threads { BLOCK_ALONE } else { BLOCK }
}

/// Rows and columns of c per task. A block's perimeter is packed and its area multiplied, so blocks should be large;
/// but the threads should end together.
fn blocks(
    tallest: usize,
    n_groups: usize,
    n_rows: usize,
    n_cols: usize,
    n_threads: usize,
) -> (usize, usize) {
    let size = |of: usize, parts: usize| of.div_ceil(parts).max(1);
    let fewest = |of: usize, most: usize| of.div_ceil(most).max(1);
    let most = |of: usize, fewest: usize| of.div_ceil(LEAST_BLOCK).max(fewest);
    let (row_parts, col_parts) = (fewest(n_rows, tallest), fewest(n_cols, COLUMNS));
    let mut best = (f64::MAX, row_parts, col_parts);
    for rows in row_parts..=most(n_rows, row_parts) {
        for cols in col_parts..=most(n_cols, col_parts) {
            let n_tasks = n_groups * rows * cols;
            let rounds = n_tasks.div_ceil(n_threads) * n_threads;
            let idle = rounds as f64 / n_tasks as f64;
            let packed =
                PACKED_LEFT / size(n_cols, cols) as f64 + PACKED_RIGHT / size(n_rows, rows) as f64;
            let cost = idle * (1.0 + packed);
            if cost < best.0 {
                best = (cost, rows, cols);
            }
        }
    }
    let (_, row_parts, col_parts) = best;
    (
        size(n_rows, row_parts).next_multiple_of(TILE_ROWS),
        size(n_cols, col_parts).next_multiple_of(32),
    )
}

fn task(
    isa: Isa,
    c: SharedMut<f32>,
    outer: &Outer<'_>,
    rows: Range<usize>,
    cols: Range<usize>,
    depth: Range<usize>,
) {
    #[cfg(target_arch = "x86_64")]
    if let Some(tiles) = isa.tiles() {
        return split_task(tiles, c, outer, rows, cols, depth);
    }
    let width = 2 * isa.lanes();
    let k_most = depth.len().min(DEPTH);
    let n_left = rows.len().next_multiple_of(TILE_ROWS);
    let n_right = cols.len().next_multiple_of(width);
    scratch::with(n_left * k_most, |left| {
        scratch::with(n_right * k_most, |right| {
            for start in depth.clone().step_by(DEPTH) {
                let range = start..depth.end.min(start + DEPTH);
                pack_left(left, range.clone(), |s| outer.a.row(s), rows.clone());
                pack_rows(isa, right, outer.b, range.clone(), cols.clone());
                let update = if start == depth.start { outer.update } else { Update::Add };
                let (left, right, rows, cols) = (&*left, &*right, rows.clone(), cols.clone());
                let (k, stride) = (range.len(), outer.b.width);
                isa.dispatch(Strips { c, stride, left, right, rows, cols, k, update });
            }
        });
    });
}

/// The same with tiles.
#[cfg(target_arch = "x86_64")]
fn split_task(
    tiles: Tiles,
    c: SharedMut<f32>,
    outer: &Outer<'_>,
    rows: Range<usize>,
    cols: Range<usize>,
    depth: Range<usize>,
) {
    let (stride, k_most) = (outer.b.width, depth.len().min(SPLIT_DEPTH));
    scratch::with(split::packed_len(rows.len(), k_most), |left| {
        scratch::with(split::packed_len(cols.len(), k_most), |right| {
            for start in depth.clone().step_by(SPLIT_DEPTH) {
                let range = start..depth.end.min(start + SPLIT_DEPTH);
                split::pack_columns::<true>(left, outer.a, range.clone(), rows.clone());
                split::pack_columns::<false>(right, outer.b, range.clone(), cols.clone());
                let update = if start == depth.start { outer.update } else { Update::Add };
                let sizes = (rows.len(), cols.len(), range.len());
                // SAFETY: this task alone writes these rows and columns of c; both factors were just packed.
                unsafe {
                    let c = c.pointer().add(rows.start * stride + cols.start);
                    split::multiply(tiles, c, stride, (left, right), sizes, update);
                }
            }
        });
    });
}

/// All tiles of one pair of packed blocks.
struct Strips<'a> {
    c: SharedMut<f32>,
    /// Columns of c.
    stride: usize,
    left: &'a [f32],
    right: &'a [f32],
    rows: Range<usize>,
    cols: Range<usize>,
    k: usize,
    update: Update,
}

impl Kernel for Strips<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { c, stride, left, right, rows, cols, k, update } = self;
        let width = 2 * L::N;
        for (strip_idx, row) in rows.clone().step_by(TILE_ROWS).enumerate() {
            let n_rows = TILE_ROWS.min(rows.end - row);
            let strip = &left[strip_idx * k * TILE_ROWS..];
            let a = Columns { base: strip.as_ptr(), stride: TILE_ROWS };
            for (panel_idx, col) in cols.clone().step_by(width).enumerate() {
                let n_cols = width.min(cols.end - col);
                // SAFETY: the strip and the panel have k rows; this task alone writes these rows of c.
                unsafe {
                    let panel = right.as_ptr().add(panel_idx * k * width);
                    let c = c.pointer().add(row * stride + col);
                    tile::multiply(lanes, c, stride, a, panel, k, n_rows, n_cols, update);
                }
            }
        }
    }
}
