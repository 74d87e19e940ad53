//! Blocks of 256 in groups with scales of their own, row by row.

use std::marker::PhantomData;

use super::Few;
use crate::formats::read_f16;
use crate::isa::Kernel8;
use crate::lanes::Lanes8;
use crate::rounded::BLOCK;

/// Groups of 32 values per block.
const GROUPS: usize = 8;

/// How one format stores 256 values. `products` adds a block's products with N_X rows of x to the sums of each.
pub(super) trait Large {
    const BYTES: usize;

    /// # Safety
    /// `block` points to `BYTES` readable bytes, and the rows of x reach 256 bytes and 8 scales and sums.
    unsafe fn products<L: Lanes8, const N_X: usize>(
        lanes: L,
        block: *const u8,
        x: &[Part; N_X],
        sums: &mut [[L::F; 2]; N_X],
    );
}

/// What a block meets of one row of x.
#[derive(Clone, Copy)]
pub(super) struct Part {
    q: *const i8,
    scales: *const f32,
    sums: *const f32,
}

pub(super) struct Q4K;
pub(super) struct Q5K;
pub(super) struct Q6K;

/// d · scale and −dmin · minimum of the eight groups, from the first 16 bytes of a block of `Q4_K` or `Q5_K`. The
/// six-bit numbers are put together for four groups at a time.
///
/// # Safety
/// `block` points to 16 readable bytes.
#[inline(always)]
unsafe fn factors<L: Lanes8>(lanes: L, block: *const u8) -> (L::F, L::F) {
    const SIX: u32 = 0x3f3f_3f3f;
    const FOUR: u32 = 0x0f0f_0f0f;
    // SAFETY: the caller's promise; the two arrays are of eight bytes.
    unsafe {
        let (d, d_min) = (read_f16(block), read_f16(block.add(2)));
        let [a, b, c] = block.add(4).cast::<[u32; 3]>().read_unaligned();
        let scales = u64::from(a & SIX) | u64::from(c & FOUR | a >> 2 & 0x3030_3030) << 32;
        let minimums = u64::from(b & SIX) | u64::from(c >> 4 & FOUR | b >> 2 & 0x3030_3030) << 32;
        let scales = lanes.to_float(lanes.load_u8(scales.to_le_bytes().as_ptr()));
        let minimums = lanes.to_float(lanes.load_u8(minimums.to_le_bytes().as_ptr()));
        (lanes.mul(scales, lanes.splat(d)), lanes.mul(minimums, lanes.splat(-d_min)))
    }
}

/// The scales of the groups for each row of x; the minimums are done with.
///
/// # Safety
/// As for [`Large::products`].
#[inline(always)]
unsafe fn weigh<L: Lanes8, const N_X: usize>(
    lanes: L,
    block: *const u8,
    x: &[Part; N_X],
    sums: &mut [[L::F; 2]; N_X],
) -> [[f32; GROUPS]; N_X] {
    let mut scaled = [[0.0; GROUPS]; N_X];
    // SAFETY: the caller's promise.
    unsafe {
        let (scales, minimums) = factors(lanes, block);
        for m in 0..N_X {
            lanes.store(scaled[m].as_mut_ptr(), lanes.mul(scales, lanes.load(x[m].scales)));
            sums[m][0] = lanes.fma(minimums, lanes.load(x[m].sums), sums[m][0]);
        }
    }
    scaled
}

/// Adds the products of a group's bytes.
///
/// # Safety
/// The rows of x reach the group.
#[inline(always)]
unsafe fn group<L: Lanes8, const N_X: usize>(
    lanes: L,
    idx: usize,
    p: L::I,
    x: &[Part; N_X],
    scaled: &[[f32; GROUPS]; N_X],
    sums: &mut [[L::F; 2]; N_X],
) {
    for m in 0..N_X {
        // SAFETY: the caller's promise.
        let q = unsafe { lanes.load_int(x[m].q.add(BLOCK * idx)) };
        let dot = lanes.to_float(lanes.dot_bytes(lanes.splat_int(0), p, q));
        sums[m][idx % 2] = lanes.fma(dot, lanes.splat(scaled[m][idx]), sums[m][idx % 2]);
    }
}

impl Large for Q4K {
    const BYTES: usize = 144;

    #[inline(always)]
    unsafe fn products<L: Lanes8, const N_X: usize>(
        lanes: L,
        block: *const u8,
        x: &[Part; N_X],
        sums: &mut [[L::F; 2]; N_X],
    ) {
        let nibble = lanes.splat_int(0x0f0f_0f0f);
        // SAFETY: the caller's promise; all offsets lie inside the block.
        unsafe {
            let scaled = weigh(lanes, block, x, sums);
            for pair in 0..4 {
                let bytes = lanes.load_int(block.add(16 + 32 * pair).cast());
                let low = lanes.and(bytes, nibble);
                let high = lanes.and(lanes.shift_right::<4>(bytes), nibble);
                group(lanes, 2 * pair, low, x, &scaled, sums);
                group(lanes, 2 * pair + 1, high, x, &scaled, sums);
            }
        }
    }
}

impl Large for Q5K {
    const BYTES: usize = 176;

    #[inline(always)]
    unsafe fn products<L: Lanes8, const N_X: usize>(
        lanes: L,
        block: *const u8,
        x: &[Part; N_X],
        sums: &mut [[L::F; 2]; N_X],
    ) {
        let (nibble, bit) = (lanes.splat_int(0x0f0f_0f0f), lanes.splat_int(0x1010_1010));
        // SAFETY: the caller's promise; all offsets lie inside the block.
        unsafe {
            let scaled = weigh(lanes, block, x, sums);
            let mut fifth = lanes.load_int(block.add(16).cast());
            for pair in 0..4 {
                let bytes = lanes.load_int(block.add(48 + 32 * pair).cast());
                let low = lanes.and(bytes, nibble);
                let high = lanes.and(lanes.shift_right::<4>(bytes), nibble);
                let low = lanes.or(low, lanes.and(lanes.shift_left::<4>(fifth), bit));
                let high = lanes.or(high, lanes.and(lanes.shift_left::<3>(fifth), bit));
                group(lanes, 2 * pair, low, x, &scaled, sums);
                group(lanes, 2 * pair + 1, high, x, &scaled, sums);
                fifth = lanes.shift_right::<2>(fifth);
            }
        }
    }
}

impl Large for Q6K {
    const BYTES: usize = 210;

    #[inline(always)]
    unsafe fn products<L: Lanes8, const N_X: usize>(
        lanes: L,
        block: *const u8,
        x: &[Part; N_X],
        sums: &mut [[L::F; 2]; N_X],
    ) {
        let (nibble, pair) = (lanes.splat_int(0x0f0f_0f0f), lanes.splat_int(0x3030_3030));
        let bias = lanes.splat_int(i32::from_ne_bytes([0xe0; 4]));
        // SAFETY: the caller's promise; all offsets lie inside the block.
        unsafe {
            let d = lanes.splat(read_f16(block.add(208)));
            let mut factors = [0.0f32; 2 * GROUPS];
            for half in 0..2 {
                let scales = lanes.to_float(lanes.load_i8(block.add(192 + 8 * half)));
                lanes.store(factors.as_mut_ptr().add(8 * half), lanes.mul(scales, d));
            }
            for half in 0..2 {
                let low = [
                    lanes.load_int(block.add(64 * half).cast()),
                    lanes.load_int(block.add(64 * half + 32).cast()),
                ];
                let bits = lanes.load_int(block.add(128 + 32 * half).cast());
                let p = [
                    lanes.or(
                        lanes.and(low[0], nibble),
                        lanes.and(lanes.shift_left::<4>(bits), pair),
                    ),
                    lanes.or(
                        lanes.and(low[1], nibble),
                        lanes.and(lanes.shift_left::<2>(bits), pair),
                    ),
                    lanes.or(
                        lanes.and(lanes.shift_right::<4>(low[0]), nibble),
                        lanes.and(bits, pair),
                    ),
                    lanes.or(
                        lanes.and(lanes.shift_right::<4>(low[1]), nibble),
                        lanes.and(lanes.shift_right::<2>(bits), pair),
                    ),
                ];
                for quarter in 0..4 {
                    let idx = 4 * half + quarter;
                    // 32 bytes are two groups of 16, whose sums fill half of the lanes each.
                    let factor = lanes.halves(factors[2 * idx], factors[2 * idx + 1]);
                    let p = lanes.add_bytes(p[quarter], bias);
                    for m in 0..N_X {
                        let q = lanes.load_int(x[m].q.add(BLOCK * idx));
                        let dot = lanes.to_float(lanes.dot_signed(lanes.splat_int(0), p, q));
                        let factor = lanes.mul(factor, lanes.splat(*x[m].scales.add(idx)));
                        sums[m][idx % 2] = lanes.fma(dot, factor, sums[m][idx % 2]);
                    }
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

impl<B: Large, const N_X: usize> Kernel8 for Products<'_, B, N_X> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes8>(self, lanes: L) {
        let n_blocks = self.few.w.cols() / (GROUPS * BLOCK);
        let x: [Part; N_X] = std::array::from_fn(|m| {
            let row = self.few.x_row(m);
            Part { q: row.q.as_ptr(), scales: row.scales.as_ptr(), sums: row.sums.as_ptr() }
        });
        for row_idx in self.few.rows.clone() {
            let row = self.few.w.row(row_idx).as_ptr();
            let mut x = x;
            let mut sums = [[lanes.splat(0.0); 2]; N_X];
            for idx in 0..n_blocks {
                // SAFETY: the row of w and those of x have this many blocks.
                unsafe {
                    B::products(lanes, row.add(idx * B::BYTES), &x, &mut sums);
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
