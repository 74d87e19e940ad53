//! Blocks of 256 in groups with scales of their own, two weight rows in each vector: a lane is a group of one of the two,
//! as with one row in vectors of 32 bytes.

use std::marker::PhantomData;

use super::super::{Few, Places};
use super::ROWS;
use crate::isa::Kernel16;
use crate::lanes::Lanes16;
use crate::rounded::blocks::pairs::{LargePair, factors_of_eight, factors_of_half, taken_off};
use crate::rounded::blocks::{Q4K, Q5K, Q6K};
use crate::rounded::{BLOCK, CHUNK, RoundedRow};

/// Groups of 32 values per block.
const GROUPS: usize = 8;
/// Pairs of weight rows read side by side.
const PAIRS: usize = ROWS / 2;
/// Blocks between the one that is multiplied and the one that is asked for. A place is left for fifteen others between
/// two of its blocks, and the machine does not always see that it will come back.
const AHEAD: usize = 3;

/// How two blocks of a format meet x; as written here for formats with eight scales and minimums.
pub(in crate::rounded::vector) trait MeetPair: LargePair {
    /// Adds the products of block `idx` of two weight rows with N_X rows of x to the sums of both.
    ///
    /// # Safety
    /// `two` point to a block each, and x has block `idx`.
    #[inline(always)]
    unsafe fn meet<L: Lanes16, const N_X: usize>(
        lanes: L,
        two: [*const u8; 2],
        x: &[RoundedRow<'_>; N_X],
        idx: usize,
        sums: &mut [L::F; N_X],
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let quarters = quarter_dots::<L, Self, N_X>(lanes, two, x, idx);
            let (scales, minimums) = factors_of_eight(lanes, two);
            for m in 0..N_X {
                let dots = lanes.unite_quarters(quarters[m][0], quarters[m][1]);
                let of_x = lanes.load_eight_twice(x[m].scales.as_ptr().add(idx * GROUPS));
                let sums_of_x = lanes.load_eight_twice(x[m].sums.as_ptr().add(idx * GROUPS));
                sums[m] = lanes.fma(minimums, sums_of_x, sums[m]);
                sums[m] = lanes.fma(lanes.to_float(dots), lanes.mul(scales, of_x), sums[m]);
            }
        }
    }
}

impl MeetPair for Q4K {}

impl MeetPair for Q5K {}

impl MeetPair for Q6K {
    #[inline(always)]
    unsafe fn meet<L: Lanes16, const N_X: usize>(
        lanes: L,
        two: [*const u8; 2],
        x: &[RoundedRow<'_>; N_X],
        idx: usize,
        sums: &mut [L::F; N_X],
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let quarters = quarter_dots::<L, Self, N_X>(lanes, two, x, idx);
            for half in 0..2 {
                // Quarters of vectors are groups of 16 here: even ones in the lower four lanes of a row's eight.
                let scales = factors_of_half(lanes, two, half);
                let scales = lanes.evens_then_odds_of_halves(scales);
                for m in 0..N_X {
                    let of_x = x[m].scales.as_ptr().add(idx * GROUPS + 4 * half);
                    let scales = lanes.mul(scales, lanes.load_four_times(of_x));
                    sums[m] = lanes.fma(lanes.to_float(quarters[m][half]), scales, sums[m]);
                }
            }
        }
    }
}

/// The products of two blocks with N_X times 256 values, added up to quarters: see [`Lanes16::quarter_sums`].
///
/// # Safety
/// As [`MeetPair::meet`].
#[inline(always)]
unsafe fn quarter_dots<L: Lanes16, B: LargePair + ?Sized, const N_X: usize>(
    lanes: L,
    two: [*const u8; 2],
    x: &[RoundedRow<'_>; N_X],
    idx: usize,
) -> [[L::I; 2]; N_X] {
    let mut quarters = [[lanes.splat_int(0); 2]; N_X];
    for half in 0..2 {
        let mut dots = [[lanes.splat_int(0); 4]; N_X];
        for i in 0..4 {
            let group = 4 * half + i;
            // SAFETY: the caller's promise.
            unsafe {
                let p = B::integers(lanes, two, group);
                for m in 0..N_X {
                    let q = x[m].q.as_ptr().add((idx * GROUPS + group) * BLOCK);
                    let q = lanes.load_int_twice(q);
                    dots[m][i] = lanes.dot_bytes(taken_off::<L, B>(lanes, q), p, q);
                }
            }
        }
        for m in 0..N_X {
            quarters[m][half] = lanes.quarter_sums(dots[m]);
        }
    }
    quarters
}

pub(in crate::rounded::vector) struct Products<'a, B, const N_X: usize> {
    few: Few<'a>,
    format: PhantomData<B>,
}

impl<'a, B, const N_X: usize> Products<'a, B, N_X> {
    pub(in crate::rounded::vector) fn new(few: Few<'a>) -> Self {
        Self { few, format: PhantomData }
    }
}

impl<B: MeetPair, const N_X: usize> Kernel16 for Products<'_, B, N_X> {
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

impl<B: MeetPair, const N_X: usize> Products<'_, B, N_X> {
    /// One weight row of each place.
    ///
    /// # Safety
    /// The places are this task's, and have `step`.
    #[inline(always)]
    unsafe fn rows<L: Lanes16>(&self, lanes: L, places: &Places<ROWS>, step: usize) {
        const CHUNK_BLOCKS: usize = CHUNK / (GROUPS * BLOCK);
        let w = self.few.w;
        let n_blocks = w.cols() / (GROUPS * BLOCK);
        let row = places.rows(step);
        let first = self.few.first_blocks(&row);
        let x = self.few.x_rows::<N_X>();
        let mut totals = [[0.0; ROWS]; N_X];
        for chunk in (0..n_blocks).step_by(CHUNK_BLOCKS) {
            let mut sums = [[lanes.splat(0.0); N_X]; PAIRS];
            for idx in chunk..n_blocks.min(chunk + CHUNK_BLOCKS) {
                let at = idx * B::BYTES;
                for pair in 0..PAIRS {
                    // SAFETY: the rows of w and those of x have this many blocks.
                    unsafe {
                        let two = [first[pair].add(at), first[pair + PAIRS].add(at)];
                        for block in two {
                            for line in 0..B::BYTES.div_ceil(64) {
                                lanes.prefetch(block.wrapping_add(AHEAD * B::BYTES + 64 * line));
                            }
                        }
                        B::meet(lanes, two, &x, idx, &mut sums[pair]);
                    }
                }
            }
            for pair in 0..PAIRS {
                for m in 0..N_X {
                    let [a, b] = lanes.sum_halves(sums[pair][m]);
                    let (of_a, of_b) = (totals[m][pair], totals[m][pair + PAIRS]);
                    totals[m][pair] = if chunk == 0 { a } else { of_a + a };
                    totals[m][pair + PAIRS] = if chunk == 0 { b } else { of_b + b };
                }
            }
        }
        for m in 0..N_X {
            // SAFETY: the rows are this task's.
            unsafe { self.few.store(m, &row, &totals[m]) };
        }
    }
}
