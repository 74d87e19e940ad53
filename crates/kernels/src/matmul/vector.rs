//! Few rows of x: each weight row is read once, unpacked in registers, and multiplied into 1 to 4 sums.
//!
//! Roof: reading the weight from memory (SmolLM2-135M in Q4_1 is 98 MB per token). Per 8 weights AVX2 needs about
//! six instructions, so two cores keep up with their memory.

use std::marker::PhantomData;
use std::ops::Range;

use crate::format::{Format, Matrix};
use crate::formats::{Block, PADDED_LEN, Padded, Sink, with_block};
use crate::isa::{Isa, Kernel};
use crate::lanes::Lanes;
use crate::pool::Pool;
use crate::reduce::Dot;
use crate::scratch::{self, SharedMut};

/// Weight bytes per task: large enough that claiming it costs nothing beside reading it, small enough that threads
/// end together.
const TASK_BYTES: usize = 32 * 1024;

pub(super) fn matmul(pool: &Pool, y: &mut [f32], x: &[f32], w: &Matrix<'_>) {
    let n = x.len() / w.cols();
    let row_bytes = w.row(0).len();
    let task_rows = (TASK_BYTES / row_bytes).clamp(1, w.rows().div_ceil(pool.n_threads()));
    let y = SharedMut::new(y);
    pool.run(w.rows().div_ceil(task_rows), |task_idx| {
        let rows = task_idx * task_rows..w.rows().min((task_idx + 1) * task_rows);
        if pool.isa().is_portable() {
            portable(pool.isa(), y, x, w, rows);
            return;
        }
        let rows = Rows { y, x, w, rows };
        with_block!(w.format(), B => match n {
            1 => pool.isa().dispatch_vectors(Products::<B, 1, 4> { rows, n, block: PhantomData }),
            _ => pool.isa().dispatch_vectors(Products::<B, 4, 2> { rows, n, block: PhantomData }),
        });
    });
}

/// Without intrinsics, unpacking into registers is beyond what compilers keep there: each row is dequantised to a
/// buffer first. That is two passes, and a tenth of the code to compile.
fn portable(isa: Isa, y: SharedMut<f32>, x: &[f32], w: &Matrix<'_>, rows: Range<usize>) {
    scratch::with(w.cols(), |row| {
        for row_idx in rows {
            w.dequantize_row_on(isa, row, row_idx);
            for (i, x) in x.chunks_exact(w.cols()).enumerate() {
                let product = isa.dispatch(Dot { a: x, b: row });
                // SAFETY: y has a row of as many values as w has rows for each row of x, and this task alone
                // writes column `row_idx`.
                unsafe { *y.pointer().add(i * w.rows() + row_idx) = product };
            }
        }
    });
}

/// The weight rows of one task.
struct Rows<'a> {
    y: SharedMut<f32>,
    x: &'a [f32],
    w: &'a Matrix<'a>,
    rows: Range<usize>,
}

/// These rows times `n` ≤ `N_X` rows of x, with `SUMS` partial sums each to hide the latency of the adder. Where n
/// is smaller, the last row is multiplied more than once: unpacking dominates, and there is half as much code.
struct Products<'a, B, const N_X: usize, const SUMS: usize> {
    rows: Rows<'a>,
    n: usize,
    block: PhantomData<B>,
}

impl<B: Block, const N_X: usize, const SUMS: usize> Kernel for Products<'_, B, N_X, SUMS> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Rows { y, x, w, rows } = self.rows;
        let cols = w.cols();
        assert!(self.n >= 1 && self.n <= N_X && x.len() == self.n * cols);
        let n_blocks = cols / B::LEN;
        let rest = cols % B::LEN;
        let mut x_rows = [x.as_ptr(); N_X];
        let mut x_ends = [[0.0; PADDED_LEN]; N_X];
        for m in 0..N_X {
            let x = &x[m.min(self.n - 1) * cols..][..cols];
            x_rows[m] = x.as_ptr();
            if rest > 0 {
                x_ends[m][..rest].copy_from_slice(&x[cols - rest..]);
            }
        }
        for row_idx in rows {
            let row = w.row(row_idx);
            let mut sums = [[lanes.splat(0.0); SUMS]; N_X];
            let mut x = x_rows;
            for idx in 0..n_blocks {
                // SAFETY: the row holds `n_blocks` blocks, and so does each row of x.
                unsafe {
                    let block = row.as_ptr().add(idx * B::BYTES);
                    B::visit(lanes, block, &mut Multiply { x, sums: &mut sums });
                    for x in &mut x {
                        *x = x.add(B::LEN);
                    }
                }
            }
            if rest > 0 {
                let block = Padded::new(&row[n_blocks * B::BYTES..]);
                let mut sink =
                    Multiply { x: x_ends.each_ref().map(|x| x.as_ptr()), sums: &mut sums };
                // SAFETY: only plain formats leave a remainder, and their blocks are of the padded size.
                unsafe { B::visit(lanes, block.0.as_ptr(), &mut sink) };
            }
            for m in 0..self.n {
                let mut total = sums[m][0];
                for part in 1..SUMS {
                    total = lanes.add(total, sums[m][part]);
                }
                // SAFETY: y has n rows of as many values as w has rows; this task alone writes column `row_idx`.
                unsafe { *y.pointer().add(m * w.rows() + row_idx) = lanes.sum(total) };
            }
        }
    }
}

/// Multiplies the values of a block into sums.
struct Multiply<'a, F, const N_X: usize, const SUMS: usize> {
    x: [*const f32; N_X],
    sums: &'a mut [[F; SUMS]; N_X],
}

impl<L: Lanes, const N_X: usize, const SUMS: usize> Sink<L> for Multiply<'_, L::F, N_X, SUMS> {
    #[inline(always)]
    unsafe fn put(&mut self, lanes: L, column: usize, values: L::F) {
        let part = column / L::N % SUMS;
        for m in 0..N_X {
            // SAFETY: the pointers reach a whole block of x.
            let x = unsafe { lanes.load(self.x[m].add(column)) };
            self.sums[m][part] = lanes.fma(values, x, self.sums[m][part]);
        }
    }
}
