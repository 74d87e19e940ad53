//! Blocks of 32, four weight rows at a time.

use std::marker::PhantomData;

use super::{Few, ROWS};
use crate::isa::Kernel8;
use crate::lanes::Lanes8;
use crate::rounded::BLOCK;
use crate::rounded::blocks::{Small, dot};

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
        let mut row_idx = self.few.rows.start;
        while row_idx + ROWS <= self.few.rows.end {
            // SAFETY: the rows are this task's.
            unsafe { self.rows::<L, ROWS>(lanes, row_idx) };
            row_idx += ROWS;
        }
        while row_idx < self.few.rows.end {
            // SAFETY: the row is this task's.
            unsafe { self.rows::<L, 1>(lanes, row_idx) };
            row_idx += 1;
        }
    }
}

impl<S: Small, const N_X: usize> Products<'_, S, N_X> {
    /// R ≤ `ROWS` weight rows from `row_idx` on. The order of summation of a row does not depend on R.
    ///
    /// # Safety
    /// The rows are this task's.
    #[inline(always)]
    unsafe fn rows<L: Lanes8, const R: usize>(&self, lanes: L, row_idx: usize) {
        let mut block: [*const u8; R] =
            std::array::from_fn(|r| self.few.w.row(row_idx + r).as_ptr());
        let x: [_; N_X] = std::array::from_fn(|m| self.few.x.row(m));
        let mut sums = [[lanes.splat(0.0); N_X]; R];
        let mut offsets = [lanes.splat(0.0); N_X];
        // Rows may be too short for the machine to notice that it reads R of them side by side; so the next R are
        // fetched while these are multiplied.
        let mut next = block[0].wrapping_add(R * self.few.w.row(row_idx).len());
        for b in 0..self.few.w.cols() / BLOCK {
            for line in 0..(R * S::BYTES).div_ceil(64) {
                lanes.prefetch(next.wrapping_add(64 * line));
            }
            next = next.wrapping_add(R * S::BYTES);
            // SAFETY: all rows have this many blocks.
            unsafe {
                let mut pairs = [0; ROWS];
                for r in 0..R {
                    pairs[r] = S::factors(block[r]);
                }
                let factors = lanes.half_pairs(pairs);
                let mut scaled = [[0.0f32; 8]; N_X];
                for m in 0..N_X {
                    let of_x =
                        lanes.alternate(*x[m].scales.get_unchecked(b), *x[m].sums.get_unchecked(b));
                    let factors = lanes.mul(factors, of_x);
                    offsets[m] = lanes.add(offsets[m], factors);
                    lanes.store(scaled[m].as_mut_ptr(), factors);
                }
                for r in 0..R {
                    let p = S::integers(lanes, block[r]);
                    for m in 0..N_X {
                        let q = lanes.load_int(x[m].q.as_ptr().add(BLOCK * b));
                        let dot = lanes.to_float(dot::<L, S>(lanes, p, q));
                        sums[r][m] = lanes.fma(dot, lanes.splat(scaled[m][2 * r]), sums[r][m]);
                    }
                    block[r] = block[r].add(S::BYTES);
                }
            }
        }
        for m in 0..N_X {
            let mut offset = [0.0f32; 8];
            // SAFETY: the array has a value per lane, and the rows are this task's.
            unsafe {
                lanes.store(offset.as_mut_ptr(), offsets[m]);
                for r in 0..R {
                    let rest = if S::OFFSET == 0.0 { 0.0 } else { S::OFFSET * offset[2 * r + 1] };
                    self.few.store(m, row_idx + r, lanes.sum(sums[r][m]) + rest);
                }
            }
        }
    }
}
