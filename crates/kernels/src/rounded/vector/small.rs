//! Blocks of 32, four weight rows at a time.

use std::marker::PhantomData;

use super::{Few, ROWS};
use crate::isa::Kernel8;
use crate::lanes::Lanes8;
use crate::rounded::BLOCK;

/// How one format stores 32 values as integers: value = d · (p + OFFSET) or, in `Q4_1`, d · p + m.
pub(super) trait Small {
    const BYTES: usize;
    /// What the second of the two halves is multiplied by, to give the part of a value that p has not.
    const OFFSET: f32;

    /// Two half floats: d, and the m that belongs to `OFFSET`.
    ///
    /// # Safety
    /// `block` points to `BYTES` readable bytes.
    unsafe fn factors(block: *const u8) -> u32;

    /// Σ p q in partial sums.
    ///
    /// # Safety
    /// As above.
    unsafe fn dot<L: Lanes8>(lanes: L, block: *const u8, q: L::I) -> L::I;
}

pub(super) struct Q8_0;
pub(super) struct Q4_0;
pub(super) struct Q4_1;
pub(super) struct Q5_0;

/// d, twice.
///
/// # Safety
/// `block` points to two readable bytes.
#[inline(always)]
unsafe fn twice(block: *const u8) -> u32 {
    // SAFETY: the caller's promise.
    u32::from(unsafe { block.cast::<u16>().read_unaligned() }) * 0x1_0001
}

impl Small for Q8_0 {
    const BYTES: usize = 34;
    const OFFSET: f32 = 0.0;

    #[inline(always)]
    unsafe fn factors(block: *const u8) -> u32 {
        // SAFETY: the caller's promise.
        u32::from(unsafe { block.cast::<u16>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn dot<L: Lanes8>(lanes: L, block: *const u8, q: L::I) -> L::I {
        // SAFETY: bytes 2 … 33 are the block's.
        let p = unsafe { lanes.load_int(block.add(2).cast()) };
        lanes.dot_signed(lanes.splat_int(0), p, q)
    }
}

impl Small for Q4_0 {
    const BYTES: usize = 18;
    const OFFSET: f32 = -8.0;

    #[inline(always)]
    unsafe fn factors(block: *const u8) -> u32 {
        // SAFETY: the caller's promise.
        unsafe { twice(block) }
    }
    #[inline(always)]
    unsafe fn dot<L: Lanes8>(lanes: L, block: *const u8, q: L::I) -> L::I {
        // SAFETY: bytes 2 … 17 are the block's.
        let p = unsafe { lanes.load_nibbles(block.add(2)) };
        lanes.dot_bytes(lanes.splat_int(0), p, q)
    }
}

impl Small for Q4_1 {
    const BYTES: usize = 20;
    const OFFSET: f32 = 1.0;

    #[inline(always)]
    unsafe fn factors(block: *const u8) -> u32 {
        // SAFETY: the caller's promise.
        unsafe { block.cast::<u32>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn dot<L: Lanes8>(lanes: L, block: *const u8, q: L::I) -> L::I {
        // SAFETY: bytes 4 … 19 are the block's.
        let p = unsafe { lanes.load_nibbles(block.add(4)) };
        lanes.dot_bytes(lanes.splat_int(0), p, q)
    }
}

impl Small for Q5_0 {
    const BYTES: usize = 22;
    const OFFSET: f32 = -16.0;

    #[inline(always)]
    unsafe fn factors(block: *const u8) -> u32 {
        // SAFETY: the caller's promise.
        unsafe { twice(block) }
    }
    #[inline(always)]
    unsafe fn dot<L: Lanes8>(lanes: L, block: *const u8, q: L::I) -> L::I {
        // SAFETY: bytes 2 … 21 are the block's.
        let (p, bits) = unsafe {
            (lanes.load_nibbles(block.add(6)), block.add(2).cast::<u32>().read_unaligned())
        };
        let fifth = lanes.and(lanes.spread_bits(bits), lanes.splat_int(0x1010_1010));
        lanes.dot_bytes(lanes.splat_int(0), lanes.or(p, fifth), q)
    }
}

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
        let x: [_; N_X] = std::array::from_fn(|m| self.few.x_row(m));
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
                let factors = lanes.from_half_pairs(pairs);
                let mut scaled = [[0.0f32; 8]; N_X];
                for m in 0..N_X {
                    let of_x =
                        lanes.alternate(*x[m].scales.get_unchecked(b), *x[m].sums.get_unchecked(b));
                    let factors = lanes.mul(factors, of_x);
                    offsets[m] = lanes.add(offsets[m], factors);
                    lanes.store(scaled[m].as_mut_ptr(), factors);
                }
                for r in 0..R {
                    for m in 0..N_X {
                        let q = lanes.load_int(x[m].q.as_ptr().add(BLOCK * b));
                        let dot = lanes.to_float(S::dot(lanes, block[r], q));
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
