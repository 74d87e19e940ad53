//! Few rows of x: each weight row is read once, unpacked in registers, and multiplied into 1 to 4 sums.
//!
//! Roof: reading the weight from memory (SmolLM2-135M in Q4_1 is 98 MB per token). Per 8 weights AVX2 needs about
//! six instructions, so two cores keep up with their memory.

use std::marker::PhantomData;
use std::ops::Range;

use crate::format::{Format, Matrix};
use crate::formats::{Block, PADDED_LEN, Padded, Sink, with_block};
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::pool::Pool;
use crate::scratch::SharedMut;

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
        with_block!(w.format(), B => match n {
            1 => pool.isa().dispatch(Rows::<B, 1, 4> { y, x, w, rows, block: PhantomData }),
            2 => pool.isa().dispatch(Rows::<B, 2, 4> { y, x, w, rows, block: PhantomData }),
            3 => pool.isa().dispatch(Rows::<B, 3, 2> { y, x, w, rows, block: PhantomData }),
            4 => pool.isa().dispatch(Rows::<B, 4, 2> { y, x, w, rows, block: PhantomData }),
            _ => unreachable!("{n} rows of x belong to the panel path"),
        });
    });
}

/// Some weight rows times `N_X` rows of x, with `SUMS` partial sums each to hide the latency of the adder.
struct Rows<'a, B, const N_X: usize, const SUMS: usize> {
    y: SharedMut<f32>,
    x: &'a [f32],
    w: &'a Matrix<'a>,
    rows: Range<usize>,
    block: PhantomData<B>,
}

impl<B: Block, const N_X: usize, const SUMS: usize> Kernel for Rows<'_, B, N_X, SUMS> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let cols = self.w.cols();
        let n_blocks = cols / B::LEN;
        let rest = cols % B::LEN;
        for row_idx in self.rows {
            let row = self.w.row(row_idx);
            let mut sums = [[lanes.splat(0.0); SUMS]; N_X];
            for idx in 0..n_blocks {
                let mut x = [self.x.as_ptr(); N_X];
                for m in 0..N_X {
                    // SAFETY: x has N_X rows of `cols` values, and the block ends inside them.
                    x[m] = unsafe { self.x.as_ptr().add(m * cols + idx * B::LEN) };
                }
                // SAFETY: the row holds `n_blocks` blocks.
                unsafe {
                    let block = row.as_ptr().add(idx * B::BYTES);
                    B::visit(lanes, block, &mut Multiply { x, sums: &mut sums });
                }
            }
            if rest > 0 {
                let block = Padded::new(&row[n_blocks * B::BYTES..]);
                let mut x = [[0.0; PADDED_LEN]; N_X];
                let mut pointers = [self.x.as_ptr(); N_X];
                for m in 0..N_X {
                    x[m][..rest].copy_from_slice(&self.x[(m + 1) * cols - rest..(m + 1) * cols]);
                    pointers[m] = x[m].as_ptr();
                }
                // SAFETY: only plain formats leave a remainder, and their blocks are of the padded size.
                unsafe {
                    let mut sink = Multiply { x: pointers, sums: &mut sums };
                    B::visit(lanes, block.0.as_ptr(), &mut sink);
                }
            }
            for m in 0..N_X {
                let mut total = sums[m][0];
                for part in 1..SUMS {
                    total = lanes.add(total, sums[m][part]);
                }
                // SAFETY: y has N_X rows of `rows` values, and this task alone writes column `row_idx`.
                unsafe { *self.y.pointer().add(m * self.w.rows() + row_idx) = lanes.sum(total) };
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
