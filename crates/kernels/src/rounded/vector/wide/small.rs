//! Blocks of 32, sixteen weight rows at a time: a lane is a weight row, as with eight.

use std::marker::PhantomData;

use super::super::{Few, Places};
use super::ROWS;
use crate::isa::Kernel16;
use crate::lanes::Lanes16;
use crate::rounded::BLOCK;
use crate::rounded::blocks::pairs::{SmallPair, taken_off};

pub(in crate::rounded::vector) struct Products<'a, S, const N_X: usize> {
    few: Few<'a>,
    format: PhantomData<S>,
}

impl<'a, S, const N_X: usize> Products<'a, S, N_X> {
    pub(in crate::rounded::vector) fn new(few: Few<'a>) -> Self {
        Self { few, format: PhantomData }
    }
}

impl<S: SmallPair, const N_X: usize> Kernel16 for Products<'_, S, N_X> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes16>(self, lanes: L) {
        let places = Places::<ROWS>::of(&self.few);
        for step in 0..places.n_steps {
            // SAFETY: the places are this task's.
            unsafe { self.rows(lanes, &places, step) };
        }
    }
}

impl<S: SmallPair, const N_X: usize> Products<'_, S, N_X> {
    /// One weight row of each place.
    ///
    /// # Safety
    /// The places are this task's, and have `step`.
    #[inline(always)]
    unsafe fn rows<L: Lanes16>(&self, lanes: L, places: &Places<ROWS>, step: usize) {
        let w = self.few.w;
        let row = places.rows(step);
        let first = w.row(row[0]).as_ptr();
        let mut offsets = [0i32; ROWS];
        for r in 0..ROWS {
            offsets[r] = ((row[r] - row[0]) * w.row(0).len()) as i32;
        }
        // SAFETY: the array takes a vector.
        let offsets_of_words = unsafe { lanes.load_int(offsets.as_ptr().cast()) };
        let of_x = self.few.x_rows::<N_X>();
        let zero = lanes.splat(0.0);
        let mut sums = [zero; N_X];
        for b in 0..w.cols() / BLOCK {
            // SAFETY: all rows have this many blocks.
            unsafe {
                let block = first.add(b * S::BYTES);
                let mut quarters = [[lanes.splat_int(0); 2]; N_X];
                let mut q = [lanes.splat_int(0); N_X];
                let mut starts = q;
                for m in 0..N_X {
                    q[m] = lanes.load_int_twice(of_x[m].q.as_ptr().add(BLOCK * b));
                    starts[m] = taken_off::<L, S>(lanes, q[m]);
                }
                for half in 0..2 {
                    let mut dots = [[lanes.splat_int(0); 4]; N_X];
                    for i in 0..4 {
                        let r = 4 * half + i;
                        let a = block.add(offsets[r] as usize);
                        let b = block.add(offsets[r + ROWS / 2] as usize);
                        let p = S::integers(lanes, a, b);
                        for m in 0..N_X {
                            dots[m][i] = lanes.dot_bytes(starts[m], p, q[m]);
                        }
                    }
                    for m in 0..N_X {
                        quarters[m][half] = lanes.quarter_sums(dots[m]);
                    }
                }
                let words = lanes.gather_words(block, offsets_of_words);
                let (scales, second) = lanes.half_floats(words);
                let second = if S::HAS_MINIMUM { second } else { scales };
                let minimums = lanes.mul(second, lanes.splat(S::OFFSET));
                for m in 0..N_X {
                    let dots = lanes.unite_quarters(quarters[m][0], quarters[m][1]);
                    let dots = lanes.to_float(dots);
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
                self.few.store(m, &row, &values);
            }
        }
    }
}
