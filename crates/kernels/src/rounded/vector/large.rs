//! Blocks of 256 in groups with scales of their own, row by row.

use std::marker::PhantomData;

use super::Few;
use crate::isa::Kernel8;
use crate::lanes::Lanes8;
use crate::rounded::BLOCK;
use crate::rounded::blocks::{Large, Q4K, Q5K, Q6K, factors_of_eight, factors_of_sixteen};

/// Groups of 32 values per block.
const GROUPS: usize = 8;

/// What a block meets of one row of x.
#[derive(Clone, Copy)]
pub(super) struct Part {
    q: *const i8,
    scales: *const f32,
    sums: *const f32,
}

/// How a block of a format meets x; as written here for formats with eight scales and minimums.
pub(super) trait Meet: Large {
    /// Adds a block's products with N_X rows of x to the sums of each.
    ///
    /// # Safety
    /// `block` points to a block, and the rows of x reach 256 bytes and 8 scales and sums.
    #[inline(always)]
    unsafe fn meet<L: Lanes8, const N_X: usize>(
        lanes: L,
        block: *const u8,
        x: &[Part; N_X],
        sums: &mut [[L::F; 2]; N_X],
    ) {
        let mut scaled = [[0.0; GROUPS]; N_X];
        // SAFETY: the caller's promise.
        unsafe {
            let (scales, minimums) = factors_of_eight(lanes, block);
            for m in 0..N_X {
                lanes.store(scaled[m].as_mut_ptr(), lanes.mul(scales, lanes.load(x[m].scales)));
                sums[m][0] = lanes.fma(minimums, lanes.load(x[m].sums), sums[m][0]);
            }
            for group in 0..GROUPS {
                let p = Self::integers(lanes, block, group);
                for m in 0..N_X {
                    let q = lanes.load_int(x[m].q.add(BLOCK * group));
                    let dot = lanes.to_float(lanes.dot_bytes(lanes.splat_int(0), p, q));
                    let sum = &mut sums[m][group % 2];
                    *sum = lanes.fma(dot, lanes.splat(scaled[m][group]), *sum);
                }
            }
        }
    }
}

impl Meet for Q4K {}

impl Meet for Q5K {}

impl Meet for Q6K {
    #[inline(always)]
    unsafe fn meet<L: Lanes8, const N_X: usize>(
        lanes: L,
        block: *const u8,
        x: &[Part; N_X],
        sums: &mut [[L::F; 2]; N_X],
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let factors = factors_of_sixteen(lanes, block);
            for group in 0..GROUPS {
                let p = Self::integers(lanes, block, group);
                // 32 bytes are two groups of 16, whose sums fill half of the lanes each.
                let factor = lanes.halves(factors[2 * group], factors[2 * group + 1]);
                for m in 0..N_X {
                    let q = lanes.load_int(x[m].q.add(BLOCK * group));
                    let dot = lanes.to_float(lanes.dot_signed(lanes.splat_int(0), p, q));
                    let factor = lanes.mul(factor, lanes.splat(*x[m].scales.add(group)));
                    let sum = &mut sums[m][group % 2];
                    *sum = lanes.fma(dot, factor, *sum);
                }
            }
        }
    }
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
        let n_blocks = self.few.w.cols() / (GROUPS * BLOCK);
        let x: [Part; N_X] = std::array::from_fn(|m| {
            let row = self.few.x.row(m);
            Part { q: row.q.as_ptr(), scales: row.scales.as_ptr(), sums: row.sums.as_ptr() }
        });
        for row_idx in self.few.rows.clone() {
            let row = self.few.w.row(row_idx).as_ptr();
            let mut x = x;
            let mut sums = [[lanes.splat(0.0); 2]; N_X];
            for idx in 0..n_blocks {
                // SAFETY: the row of w and those of x have this many blocks.
                unsafe {
                    B::meet(lanes, row.add(idx * B::BYTES), &x, &mut sums);
                    for x in &mut x {
                        x.q = x.q.add(GROUPS * BLOCK);
                        x.scales = x.scales.add(GROUPS);
                        x.sums = x.sums.add(GROUPS);
                    }
                }
            }
            for m in 0..N_X {
                let total = lanes.sum(lanes.add(sums[m][0], sums[m][1]));
                // SAFETY: the row is this task's.
                unsafe { self.few.store(m, row_idx, total) };
            }
        }
    }
}
