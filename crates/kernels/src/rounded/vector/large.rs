//! Blocks of 256 in groups with scales of their own.
//!
//! A lane is a group: eight groups of 32 (in `Q6_K` twice eight of 16) are added up as integers, which is exact, and
//! their eight numbers meet eight scales at once. Lanes are added up after every `CHUNK` inputs. Panels keep eight sums
//! per output to add in the same order.

use std::marker::PhantomData;

use super::{Few, Places, ROWS};
use crate::isa::Kernel8;
use crate::lanes::Lanes8;
use crate::rounded::blocks::{Large, Q4K, Q5K, Q6K, factors_of_eight, factors_of_sixteen};
use crate::rounded::{BLOCK, CHUNK, RoundedRow};

/// Groups of 32 values per block.
const GROUPS: usize = 8;

/// How a block of a format meets x; as written here for formats with eight scales and minimums.
pub(super) trait Meet: Large {
    /// Adds the products of block `idx` of a weight row with N_X rows of x to the sums of each.
    ///
    /// # Safety
    /// `block` points to a block, and the rows of x have block `idx`.
    #[inline(always)]
    unsafe fn meet<L: Lanes8, const N_X: usize>(
        lanes: L,
        block: *const u8,
        x: &[RoundedRow<'_>; N_X],
        idx: usize,
        sums: &mut [L::F; N_X],
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let halves = half_dots::<L, Self, N_X>(lanes, block, x, idx);
            let (scales, minimums) = factors_of_eight(lanes, block);
            for m in 0..N_X {
                let dots = lanes.to_float(lanes.unite_halves(halves[m][0], halves[m][1]));
                let of_x = lanes.load(x[m].scales.as_ptr().add(idx * GROUPS));
                let sums_of_x = lanes.load(x[m].sums.as_ptr().add(idx * GROUPS));
                let scales = lanes.mul(scales, of_x);
                sums[m] = lanes.fma(minimums, sums_of_x, sums[m]);
                sums[m] = lanes.fma(dots, scales, sums[m]);
            }
        }
    }

    /// Σ p q of four times eight bytes twice: where p has no sign.
    #[inline(always)]
    fn dots<L: Lanes8>(lanes: L, p: L::I, q: L::I) -> L::I {
        lanes.dot_pairs(p, q)
    }
}

impl Meet for Q4K {}

impl Meet for Q5K {}

impl Meet for Q6K {
    #[inline(always)]
    unsafe fn meet<L: Lanes8, const N_X: usize>(
        lanes: L,
        block: *const u8,
        x: &[RoundedRow<'_>; N_X],
        idx: usize,
        sums: &mut [L::F; N_X],
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let halves = half_dots::<L, Self, N_X>(lanes, block, x, idx);
            let factors = factors_of_sixteen(lanes, block);
            for half in 0..2 {
                // Halves of vectors are groups of 16 here: even ones in the lower four lanes, odd ones in the upper.
                let scales = lanes.evens_then_odds(factors[half]);
                for m in 0..N_X {
                    let of_x = x[m].scales.as_ptr().add(idx * GROUPS + 4 * half);
                    let of_x = lanes.load_four_twice(of_x);
                    let dots = lanes.to_float(halves[m][half]);
                    sums[m] = lanes.fma(dots, lanes.mul(scales, of_x), sums[m]);
                }
            }
        }
    }

    #[inline(always)]
    fn dots<L: Lanes8>(lanes: L, p: L::I, q: L::I) -> L::I {
        lanes.dot_signed_pairs(p, q)
    }
}

/// The products of a block with N_X rows of x, added up to halves of groups of 32: see [`Lanes8::half_sums`].
///
/// # Safety
/// As [`Meet::meet`].
#[inline(always)]
unsafe fn half_dots<L: Lanes8, B: Meet + ?Sized, const N_X: usize>(
    lanes: L,
    block: *const u8,
    x: &[RoundedRow<'_>; N_X],
    idx: usize,
) -> [[L::I; 2]; N_X] {
    let mut halves = [[lanes.splat_int(0); 2]; N_X];
    for half in 0..2 {
        let mut dots = [[lanes.splat_int(0); 4]; N_X];
        for g in 0..4 {
            // SAFETY: the caller's promise.
            unsafe {
                let p = B::integers(lanes, block, 4 * half + g);
                for m in 0..N_X {
                    let q = x[m].q.as_ptr().add((idx * GROUPS + 4 * half + g) * BLOCK);
                    let q = lanes.load_int(q);
                    dots[m][g] = B::dots(lanes, p, q);
                }
            }
        }
        for m in 0..N_X {
            halves[m][half] = lanes.short_half_sums(dots[m]);
        }
    }
    halves
}

pub(super) struct Products<'a, B, const N_X: usize> {
    few: Few<'a>,
    format: PhantomData<B>,
}

impl<'a, B, const N_X: usize> Products<'a, B, N_X> {
    pub(super) fn new(few: Few<'a>) -> Self {
        Self { few, format: PhantomData }
    }
}

impl<B: Meet, const N_X: usize> Kernel8 for Products<'_, B, N_X> {
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

impl<B: Meet, const N_X: usize> Products<'_, B, N_X> {
    /// One weight row of each place.
    ///
    /// # Safety
    /// The places are this task's, and have `step`.
    #[inline(always)]
    unsafe fn rows<L: Lanes8>(&self, lanes: L, places: &Places<ROWS>, step: usize) {
        const CHUNK_BLOCKS: usize = CHUNK / (GROUPS * BLOCK);
        let w = self.few.w;
        let n_blocks = w.cols() / (GROUPS * BLOCK);
        let row_idx = places.rows(step);
        let first = self.few.first_blocks(&row_idx);
        let x = self.few.x_rows::<N_X>();
        let mut totals = [[0.0; ROWS]; N_X];
        for chunk in (0..n_blocks).step_by(CHUNK_BLOCKS) {
            let mut sums = [[lanes.splat(0.0); N_X]; ROWS];
            for idx in chunk..n_blocks.min(chunk + CHUNK_BLOCKS) {
                for r in 0..ROWS {
                    // SAFETY: the rows of w and those of x have this many blocks.
                    unsafe {
                        let block = first[r].add(idx * B::BYTES);
                        B::meet(lanes, block, &x, idx, &mut sums[r]);
                    }
                }
            }
            for r in 0..ROWS {
                for m in 0..N_X {
                    let sum = lanes.sum(sums[r][m]);
                    totals[m][r] = if chunk == 0 { sum } else { totals[m][r] + sum };
                }
            }
        }
        for m in 0..N_X {
            // SAFETY: the rows are this task's.
            unsafe { self.few.store(m, &row_idx, &totals[m]) };
        }
    }
}
