//! Few rows of x: weights are read once, dequantised into registers or a small buffer, and multiplied into 1 to 4 sums.
//!
//! ```text
//! for each 16 weight rows
//!     for each block of inputs
//!         dequantise the block of each row (F32 is used where it lies)
//!         for each 8 inputs, for each 8 of the rows
//!             transpose 8 × 8 in registers: a lane for each weight row
//!             sums [8] += x · column, input after input
//! ```
//! Roof: reading the weight from memory. Transposing makes a lane add in the order of the panels, and so to the same
//! bits: what a row of x gives does not depend on how many rows there are.

use std::marker::PhantomData;
use std::ops::Range;

use super::panel::DEPTH;
use crate::format::{Format, Matrix};
use crate::formats::{Block, Padded, Store, with_block};
use crate::isa::Kernel8;
use crate::lanes::{Lanes8, store_part};
use crate::pool::Pool;
use crate::scratch::SharedMut;

/// Weight bytes per task: large enough that claiming it costs nothing beside reading it, small enough that threads
/// end together.
const TASK_BYTES: usize = 32 * 1024;
/// Weight rows taken together: two vectors, so that one is multiplied while the other waits for its sum.
const ROWS: usize = 16;
/// The longest block of a format.
const MOST_LEN: usize = 256;

/// # Panics
/// Where the pool has no [`crate::isa::Isa::has_vectors_8`].
pub(super) fn matmul(pool: &Pool, y: &mut [f32], x: &[f32], w: &Matrix<'_>) {
    let n = x.len() / w.cols();
    let row_bytes = w.row(0).len();
    let task_rows = (TASK_BYTES / row_bytes).clamp(1, w.rows().div_ceil(pool.n_threads()));
    let task_rows = task_rows.next_multiple_of(ROWS);
    let y = SharedMut::new(y);
    pool.run(w.rows().div_ceil(task_rows), |task_idx| {
        let rows = task_idx * task_rows..w.rows().min((task_idx + 1) * task_rows);
        let rows = Rows { y, x, w, rows };
        with_block!(w.format(), B => match n {
            1 => pool.isa().dispatch_vectors_8(Products::<B, 1> { rows, n, block: PhantomData }),
            _ => pool.isa().dispatch_vectors_8(Products::<B, 4> { rows, n, block: PhantomData }),
        });
    });
}

/// The weight rows of one task.
struct Rows<'a> {
    y: SharedMut<f32>,
    x: &'a [f32],
    w: &'a Matrix<'a>,
    rows: Range<usize>,
}

/// These rows times `n` ≤ `N_X` rows of x. Where n is smaller, the last row is multiplied more than once: dequantising
/// dominates, and there is half as much code.
struct Products<'a, B, const N_X: usize> {
    rows: Rows<'a>,
    n: usize,
    block: PhantomData<B>,
}

/// Dequantised blocks of the rows taken together; rows do not share the sets of a cache.
struct Buffer([[f32; MOST_LEN + 8]; ROWS]);

impl<B: Block, const N_X: usize> Kernel8 for Products<'_, B, N_X> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes8>(self, lanes: L) {
        let Rows { x, w, rows, .. } = &self.rows;
        assert!(self.n >= 1 && self.n <= N_X && x.len() == self.n * w.cols());
        let mut buffer = Buffer([[0.0; MOST_LEN + 8]; ROWS]);
        for row_idx in rows.clone().step_by(ROWS) {
            // SAFETY: the row is this task's.
            unsafe { self.sixteen(lanes, &mut buffer, row_idx) };
        }
    }
}

impl<B: Block, const N_X: usize> Products<'_, B, N_X> {
    /// Sixteen weight rows from `row_idx` on, or as many as the task has left.
    ///
    /// # Safety
    /// Row `row_idx` is this task's.
    #[inline(always)]
    unsafe fn sixteen<L: Lanes8>(&self, lanes: L, buffer: &mut Buffer, row_idx: usize) {
        let Rows { y, x, w, rows } = &self.rows;
        let cols = w.cols();
        let n_rows = ROWS.min(rows.end - row_idx);
        let mut row = [w.row(row_idx); ROWS];
        for r in 0..ROWS {
            row[r] = w.row(row_idx + r.min(n_rows - 1));
        }
        let mut of_x = [x.as_ptr(); N_X];
        for m in 0..N_X {
            of_x[m] = x[m.min(self.n - 1) * cols..].as_ptr();
        }
        // F32 needs no dequantising, and all sixteen rows lie at one distance.
        let in_place = B::BYTES == 4 * B::LEN && n_rows == ROWS;
        let mut totals = [[lanes.splat(0.0); 2]; N_X];
        for start in (0..cols).step_by(DEPTH) {
            let end = cols.min(start + DEPTH);
            let mut sums = [[lanes.splat(0.0); 2]; N_X];
            for first in (start..end).step_by(B::LEN) {
                let n = B::LEN.min(end - first);
                // SAFETY: rows of w and x have these inputs; the buffer has room for a block of each row.
                unsafe {
                    let (values, stride) = match in_place {
                        true => (row[0].as_ptr().cast::<f32>().add(first), cols),
                        false => {
                            dequantise::<L, B>(lanes, buffer, &row, first / B::LEN, n);
                            (buffer.0[0].as_ptr(), MOST_LEN + 8)
                        }
                    };
                    let mut column = 0;
                    while column + 8 <= n {
                        let of_x = of_x.map(|x| x.wrapping_add(first + column));
                        multiply(lanes, &mut sums, &of_x, values.add(column), stride, 8);
                        column += 8;
                    }
                    if column < n {
                        // Eight columns are read: those that are missing lie in the buffer.
                        dequantise::<L, B>(lanes, buffer, &row, first / B::LEN, n);
                        let values = buffer.0[0].as_ptr().add(column);
                        let of_x = of_x.map(|x| x.wrapping_add(first + column));
                        multiply(lanes, &mut sums, &of_x, values, MOST_LEN + 8, n - column);
                    }
                }
            }
            for m in 0..N_X {
                for half in 0..2 {
                    let sum = sums[m][half];
                    totals[m][half] =
                        if start == 0 { sum } else { lanes.add(totals[m][half], sum) };
                }
            }
        }
        for m in 0..self.n {
            for half in 0..2 {
                let n = n_rows.saturating_sub(8 * half);
                let at = m * w.rows() + row_idx + 8 * half;
                // SAFETY: y has n rows of as many values as w has rows; this task alone writes these columns.
                unsafe { store_part(lanes, y.pointer().wrapping_add(at), n, totals[m][half]) };
            }
        }
    }
}

/// Block `block` of each row, or the `n` values that are left of a row, filled up with zeros.
///
/// # Safety
/// The rows have this block or at least these values.
#[inline(always)]
unsafe fn dequantise<L: Lanes8, B: Block>(
    lanes: L,
    buffer: &mut Buffer,
    rows: &[&[u8]; ROWS],
    block: usize,
    n: usize,
) {
    for r in 0..ROWS {
        let out = buffer.0[r].as_mut_ptr();
        let bytes = &rows[r][block * B::BYTES..];
        if n == B::LEN {
            // SAFETY: the caller's promise, and the buffer's rows hold a block.
            unsafe { B::visit(lanes, bytes.as_ptr(), &mut Store { out }) };
        } else {
            let padded = Padded::new(bytes);
            // SAFETY: only plain formats leave a remainder, and their blocks are of the padded size.
            unsafe { B::visit(lanes, padded.0.as_ptr(), &mut Store { out }) };
        }
    }
}

/// Adds the products with the first `n` of eight columns to the sums.
///
/// # Safety
/// `values` reaches sixteen rows of eight values at distance `stride`, the rows of x `n` values.
#[inline(always)]
unsafe fn multiply<L: Lanes8, const N_X: usize>(
    lanes: L,
    sums: &mut [[L::F; 2]; N_X],
    x: &[*const f32; N_X],
    values: *const f32,
    stride: usize,
    n: usize,
) {
    for half in 0..2 {
        // SAFETY: the caller's promise.
        unsafe {
            let columns = lanes.load_columns(values.add(8 * half * stride), stride);
            for c in 0..8 {
                if c < n {
                    for m in 0..N_X {
                        let factor = lanes.splat(*x[m].add(c));
                        sums[m][half] = lanes.fma(factor, columns[c], sums[m][half]);
                    }
                }
            }
        }
    }
}
