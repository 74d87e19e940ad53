//! Many rows of x: a block of the weight is dequantised once and multiplied with all of them.
//!
//! ```text
//! for each task: ROW_BLOCK weight rows (and, when the weight is small, a range of rows of x)
//!     for each DEPTH inputs
//!         dequantise and transpose the block into panels, panel[k][2N rows]
//!         for each 6 rows of x
//!             for each panel: y[6, 2N] (+)= x[6, DEPTH] · panel
//! ```
//! DEPTH 512: six rows of x are 12 KB and stay in the first-level cache while the panels pass. ROW_BLOCK 32 rows of
//! that depth are 64 KB and stay in the second-level cache while the rows of x pass. The sum over one DEPTH is
//! finished in registers before it is added to y, so an element's order of summation depends on nothing but `cols`.

use std::ops::Range;

use super::tile::{self, TILE_ROWS, Update};
use crate::format::Matrix;
use crate::formats;
use crate::isa::{Isa, Kernel};
use crate::lanes::Lanes;
use crate::pool::Pool;
use crate::scratch::{self, SharedMut};

/// Weight rows per task; a multiple of the panel width of every instruction set (16 and 32).
const ROW_BLOCK: usize = 32;
/// Inputs per pass; a multiple of every block length.
pub(super) const DEPTH: usize = 512;
/// A task gets no fewer rows of x than this, or packing would outweigh multiplying.
const LEAST_X_ROWS: usize = 48;

pub(super) fn matmul(pool: &Pool, y: &mut [f32], x: &[f32], w: &Matrix<'_>) {
    let n = x.len() / w.cols();
    let n_row_blocks = w.rows().div_ceil(ROW_BLOCK);
    // Several tasks per thread, so that threads end at about the same time.
    let wanted = (4 * pool.n_threads()).div_ceil(n_row_blocks);
    let n_x_blocks = wanted.min(n / LEAST_X_ROWS).max(1);
    let x_block = n.div_ceil(n_x_blocks).next_multiple_of(TILE_ROWS);
    let n_x_blocks = n.div_ceil(x_block);
    let y = SharedMut::new(y);
    pool.run(n_row_blocks * n_x_blocks, |task_idx| {
        let (row_block, x_idx) = (task_idx / n_x_blocks, task_idx % n_x_blocks);
        let rows = row_block * ROW_BLOCK..w.rows().min((row_block + 1) * ROW_BLOCK);
        let x_rows = x_idx * x_block..n.min((x_idx + 1) * x_block);
        let depth = w.cols().min(DEPTH);
        scratch::with(ROW_BLOCK * depth.next_multiple_of(8), |packed| {
            for start in (0..w.cols()).step_by(DEPTH) {
                let inputs = start..w.cols().min(start + DEPTH);
                pack(pool.isa(), packed, w, rows.clone(), inputs.clone());
                pool.isa().dispatch(Multiply {
                    y,
                    x,
                    packed,
                    cols: w.cols(),
                    n_outputs: w.rows(),
                    rows: rows.clone(),
                    x_rows: x_rows.clone(),
                    inputs,
                });
            }
        });
    });
}

/// Dequantises `rows` × `inputs` of `w` into panels of 2 N rows: panel p, input k, row r of the panel at
/// `packed[(p · depth + k) · 2N + r]` with `depth` the number of inputs rounded up to 8. Missing rows are zeros.
fn pack(isa: Isa, packed: &mut [f32], w: &Matrix<'_>, rows: Range<usize>, inputs: Range<usize>) {
    let width = 2 * isa.lanes();
    let depth = inputs.len().next_multiple_of(8);
    let format = w.format();
    let block_of = |col: usize| col / format.block_len() * format.block_bytes();
    let bytes = block_of(inputs.start)..block_of(inputs.end);
    scratch::with(8 * depth, |values| {
        for first in (0..rows.len().next_multiple_of(width)).step_by(8) {
            for (r, values) in values.chunks_exact_mut(depth).enumerate() {
                let row_idx = rows.start + first + r;
                let n_filled = if row_idx < rows.end { inputs.len() } else { 0 };
                let (filled, rest) = values.split_at_mut(n_filled);
                if n_filled > 0 {
                    formats::dequantize(isa, filled, format, &w.row(row_idx)[bytes.clone()]);
                }
                rest.fill(0.0);
            }
            let (panel, column) = (first / width, first % width);
            let panel = &mut packed[panel * depth * width..(panel + 1) * depth * width];
            isa.dispatch_8(Transpose { panel, values, width, column, depth });
        }
    });
}

/// Eight rows of `depth` values become columns `column … column + 7` of a panel of `width`.
struct Transpose<'a> {
    panel: &'a mut [f32],
    values: &'a [f32],
    width: usize,
    column: usize,
    depth: usize,
}

impl Kernel for Transpose<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { panel, values, width, column, depth } = self;
        assert!(panel.len() == depth * width && values.len() == 8 * depth && column + 8 <= width);
        for k in (0..depth).step_by(8) {
            // SAFETY: depth is a multiple of 8, so k + 8 columns of 8 rows are read, and 8 columns of k + 8 rows
            // of the panel are written.
            unsafe {
                let to = panel.as_mut_ptr().add(k * width + column);
                lanes.transpose_8x8(to, width, values.as_ptr().add(k), depth);
            }
        }
    }
}

/// All tiles of one packed block.
struct Multiply<'a> {
    y: SharedMut<f32>,
    x: &'a [f32],
    packed: &'a [f32],
    cols: usize,
    n_outputs: usize,
    rows: Range<usize>,
    x_rows: Range<usize>,
    inputs: Range<usize>,
}

impl Kernel for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let width = 2 * L::N;
        let depth = self.inputs.len().next_multiple_of(8);
        let update = if self.inputs.start == 0 { Update::Replace } else { Update::Add };
        for x_row in self.x_rows.clone().step_by(TILE_ROWS) {
            let n_x = TILE_ROWS.min(self.x_rows.end - x_row);
            for first in (0..self.rows.len()).step_by(width) {
                let n_rows = width.min(self.rows.len() - first);
                // SAFETY: x has rows of `cols`, of which the inputs are a part; the panel has `depth` rows of `width`; y has rows of
                // `n_outputs`, and this task alone writes its columns of its rows.
                unsafe {
                    tile::multiply(
                        lanes,
                        self.y.pointer().add(x_row * self.n_outputs + self.rows.start + first),
                        self.n_outputs,
                        self.x.as_ptr().add(x_row * self.cols + self.inputs.start),
                        self.cols,
                        self.packed.as_ptr().add(first * depth),
                        width,
                        self.inputs.len(),
                        n_x,
                        n_rows,
                        update,
                    );
                }
            }
        }
    }
}
