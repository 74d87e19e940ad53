//! Blocks of 32, eight weight rows at a time.
//!
//! A lane is a weight row: the products of a block are added up as integers, which is exact, until one number per row
//! is left, and that number meets its scale. So a lane adds in the order of the panels, and to the same bits. Adding
//! up takes 23 instructions for eight blocks, no more than converting and scaling eight vectors of partial sums would.

use std::marker::PhantomData;

use super::{Few, ROWS};
use crate::isa::Kernel8;
use crate::lanes::Lanes8;
use crate::rounded::BLOCK;
use crate::rounded::blocks::{Small, factors, half_dots};

pub(super) struct Products<'a, S, const N_X: usize> {
    few: Few<'a>,
    format: PhantomData<S>,
}

impl<'a, S, const N_X: usize> Products<'a, S, N_X> {
    pub(super) fn new(few: Few<'a>) -> Self {
        Self { few, format: PhantomData }
    }
}

impl<S: Small, const N_X: usize> Kernel8 for Products<'_, S, N_X> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes8>(self, lanes: L) {
        for row_idx in self.few.rows.clone().step_by(ROWS) {
            // SAFETY: the rows are this task's.
            unsafe { self.rows(lanes, row_idx) };
        }
    }
}

impl<S: Small, const N_X: usize> Products<'_, S, N_X> {
    /// Eight weight rows from `row_idx` on, or as many as the task has left.
    ///
    /// # Safety
    /// Row `row_idx` is this task's.
    #[inline(always)]
    unsafe fn rows<L: Lanes8>(&self, lanes: L, row_idx: usize) {
        let Few { w, x, rows, .. } = &self.few;
        let row_bytes = w.cols() / BLOCK * S::BYTES;
        let first = w.row(row_idx).as_ptr();
        let mut row = [first; ROWS];
        for r in 0..ROWS {
            // At the end the last row is multiplied more than once.
            row[r] = w.row((row_idx + r).min(rows.end - 1)).as_ptr();
        }
        let mut of_x = [x.row(0); N_X];
        for m in 0..N_X {
            of_x[m] = x.row(m);
        }
        let mut sums = [lanes.splat(0.0); N_X];
        // Rows may be too short for the machine to notice that it reads eight of them side by side; so the next eight
        // are fetched while these are multiplied.
        let mut next = first.wrapping_add(ROWS * row_bytes);
        for b in 0..w.cols() / BLOCK {
            for line in 0..(ROWS * S::BYTES).div_ceil(64) {
                lanes.prefetch(next.wrapping_add(64 * line));
            }
            next = next.wrapping_add(ROWS * S::BYTES);
            let at = b * S::BYTES;
            // SAFETY: all rows have this many blocks.
            unsafe {
                let mut halves = [[lanes.splat_int(0); 2]; N_X];
                for half in 0..2 {
                    let mut p = [lanes.splat_int(0); 4];
                    for r in 0..4 {
                        p[r] = S::integers(lanes, row[4 * half + r].add(at));
                    }
                    for m in 0..N_X {
                        let q = lanes.load_int(of_x[m].q.as_ptr().add(BLOCK * b));
                        halves[m][half] = half_dots::<L, S>(lanes, p, q);
                    }
                }
                let mut pairs = [0; ROWS];
                for r in 0..ROWS {
                    pairs[r] = S::factors(row[r].add(at));
                }
                let (scales, minimums) = factors::<L, S>(lanes, pairs);
                for m in 0..N_X {
                    let dots = lanes.to_float(lanes.unite_halves(halves[m][0], halves[m][1]));
                    let x_scale = lanes.splat(*of_x[m].scales.get_unchecked(b));
                    if S::OFFSET != 0.0 {
                        let x_sum = lanes.splat(*of_x[m].sums.get_unchecked(b));
                        sums[m] = lanes.fma(minimums, x_sum, sums[m]);
                    }
                    sums[m] = lanes.fma(dots, lanes.mul(scales, x_scale), sums[m]);
                }
            }
        }
        let n_rows = ROWS.min(rows.end - row_idx);
        for m in 0..N_X {
            // SAFETY: these rows are this task's.
            unsafe { self.few.store(lanes, m, row_idx, n_rows, sums[m]) };
        }
    }
}
