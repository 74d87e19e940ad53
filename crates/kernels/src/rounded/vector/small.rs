//! Blocks of 32, eight weight rows at a time.
//!
//! A lane is a weight row: the products of a block are added up as integers, which is exact, until one number per row
//! is left, and that number meets its scale. So a lane adds in the order of the panels, and to the same bits. Adding
//! up takes 23 instructions for eight blocks, no more than converting and scaling eight vectors of partial sums would.

use std::marker::PhantomData;

use super::{Few, Places, ROWS};
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
        let places = Places::<ROWS>::of(&self.few);
        for step in 0..places.n_steps {
            // SAFETY: the places are this task's.
            unsafe { self.rows(lanes, &places, step) };
        }
    }
}

impl<S: Small, const N_X: usize> Products<'_, S, N_X> {
    /// One weight row of each place.
    ///
    /// # Safety
    /// The places are this task's, and have `step`.
    #[inline(always)]
    unsafe fn rows<L: Lanes8>(&self, lanes: L, places: &Places<ROWS>, step: usize) {
        let w = self.few.w;
        let row_idx = places.rows(step);
        let row = self.few.first_blocks(&row_idx);
        let of_x = self.few.x_rows::<N_X>();
        let mut sums = [lanes.splat(0.0); N_X];
        for b in 0..w.cols() / BLOCK {
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
        for m in 0..N_X {
            let mut values = [0.0; ROWS];
            // SAFETY: the array takes a vector, and these rows are this task's.
            unsafe {
                lanes.store(values.as_mut_ptr(), sums[m]);
                self.few.store(m, &row_idx, &values);
            }
        }
    }
}
