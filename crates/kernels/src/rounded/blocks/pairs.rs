//! Two blocks at once, in vectors of 64 bytes: integers of the first block in the lower half, of the second in the
//! upper. Integers have no sign here: where a format's p has one, [`Pair::SHIFT`] is added, and taken off by
//! [`taken_off`] from where the sums start.

use super::{Q4_0, Q4_1, Q4K, Q5_0, Q5K, Q6K, Q8_0};
use crate::formats::read_f16;
use crate::lanes::Lanes16;

/// What both families of formats have.
pub(in crate::rounded) trait Pair {
    const BYTES: usize;
    /// What is added to p so that it has no sign.
    const SHIFT: u8 = 0;
}

/// −SHIFT · Σ q in sums of four: where the sums of products with p + SHIFT start.
#[inline(always)]
pub(in crate::rounded) fn taken_off<L: Lanes16, P: Pair + ?Sized>(lanes: L, q: L::I) -> L::I {
    let zero = lanes.splat_int(0);
    if P::SHIFT == 0 {
        return zero;
    }
    let shift = lanes.splat_int(i32::from_ne_bytes([P::SHIFT; 4]));
    lanes.sub_int(zero, lanes.dot_bytes(zero, shift, q))
}

/// Blocks of 32 values with one scale.
pub(in crate::rounded) trait SmallPair: Pair {
    /// See [`super::Small::OFFSET`].
    const OFFSET: f32;
    /// Whether the second half float of a block is what `OFFSET` multiplies; elsewhere that is its scale.
    const HAS_MINIMUM: bool = false;

    /// # Safety
    /// Both point to `BYTES` readable bytes.
    unsafe fn integers<L: Lanes16>(lanes: L, a: *const u8, b: *const u8) -> L::I;
}

impl Pair for Q8_0 {
    const BYTES: usize = 34;
    const SHIFT: u8 = 128;
}

impl SmallPair for Q8_0 {
    const OFFSET: f32 = 0.0;

    #[inline(always)]
    unsafe fn integers<L: Lanes16>(lanes: L, a: *const u8, b: *const u8) -> L::I {
        // SAFETY: bytes 2 … 33 are the block's.
        let p = unsafe { lanes.load_pair(a.add(2), b.add(2)) };
        lanes.xor(p, lanes.splat_int(i32::from_ne_bytes([0x80; 4])))
    }
}

impl Pair for Q4_0 {
    const BYTES: usize = 18;
}

impl SmallPair for Q4_0 {
    const OFFSET: f32 = -8.0;

    #[inline(always)]
    unsafe fn integers<L: Lanes16>(lanes: L, a: *const u8, b: *const u8) -> L::I {
        // SAFETY: bytes 2 … 17 are the block's.
        unsafe { lanes.load_nibble_pair(a.add(2), b.add(2)) }
    }
}

impl Pair for Q4_1 {
    const BYTES: usize = 20;
}

impl SmallPair for Q4_1 {
    const OFFSET: f32 = 1.0;
    const HAS_MINIMUM: bool = true;

    #[inline(always)]
    unsafe fn integers<L: Lanes16>(lanes: L, a: *const u8, b: *const u8) -> L::I {
        // SAFETY: bytes 4 … 19 are the block's.
        unsafe { lanes.load_nibble_pair(a.add(4), b.add(4)) }
    }
}

impl Pair for Q5_0 {
    const BYTES: usize = 22;
}

impl SmallPair for Q5_0 {
    const OFFSET: f32 = -16.0;

    #[inline(always)]
    unsafe fn integers<L: Lanes16>(lanes: L, a: *const u8, b: *const u8) -> L::I {
        // SAFETY: bytes 2 … 21 are the block's.
        unsafe {
            let fifth = |block: *const u8| block.add(2).cast::<u32>().read_unaligned();
            let which = u64::from(fifth(a)) | u64::from(fifth(b)) << 32;
            let p = lanes.load_nibble_pair(a.add(6), b.add(6));
            lanes.add_bytes_where(p, which, lanes.splat_int(0x1010_1010))
        }
    }
}

/// Blocks of 256 values in groups of 32.
pub(in crate::rounded) trait LargePair: Pair {
    /// The 32 integers of group `group` of both blocks.
    ///
    /// # Safety
    /// Both of `two` point to `BYTES` readable bytes, and `group` is below 8.
    unsafe fn integers<L: Lanes16>(lanes: L, two: [*const u8; 2], group: usize) -> L::I;
}

impl Pair for Q4K {
    const BYTES: usize = 144;
}

impl LargePair for Q4K {
    #[inline(always)]
    unsafe fn integers<L: Lanes16>(lanes: L, two: [*const u8; 2], group: usize) -> L::I {
        // SAFETY: the caller's promise.
        unsafe { half_bytes(lanes, two, 16, group) }
    }
}

impl Pair for Q5K {
    const BYTES: usize = 176;
}

impl LargePair for Q5K {
    #[inline(always)]
    unsafe fn integers<L: Lanes16>(lanes: L, two: [*const u8; 2], group: usize) -> L::I {
        // SAFETY: the caller's promise.
        unsafe {
            let fifth = pair(lanes, two, 16);
            let fifth =
                lanes.and(lanes.shift_right_by(fifth, group as u32), lanes.splat_int(0x0101_0101));
            let low = half_bytes(lanes, two, 48, group);
            lanes.or(low, lanes.shift_left::<4>(fifth))
        }
    }
}

impl Pair for Q6K {
    const BYTES: usize = 210;
    const SHIFT: u8 = 32;
}

impl LargePair for Q6K {
    #[inline(always)]
    unsafe fn integers<L: Lanes16>(lanes: L, two: [*const u8; 2], group: usize) -> L::I {
        let (half, quarter) = (group / 4, group % 4);
        let (low_at, upper_at) = (64 * half + 32 * (quarter % 2), 128 + 32 * half);
        // SAFETY: the caller's promise.
        unsafe {
            let low = pair(lanes, two, low_at);
            let low = if quarter < 2 { low } else { lanes.shift_right::<4>(low) };
            let upper = pair(lanes, two, upper_at);
            let upper = lanes
                .and(lanes.shift_right_by(upper, 2 * quarter as u32), lanes.splat_int(0x0303_0303));
            lanes.or(lanes.and(low, lanes.splat_int(0x0f0f_0f0f)), lanes.shift_left::<4>(upper))
        }
    }
}

/// 32 bytes of each block from `at` on.
///
/// # Safety
/// Both have them.
#[inline(always)]
unsafe fn pair<L: Lanes16>(lanes: L, [a, b]: [*const u8; 2], at: usize) -> L::I {
    // SAFETY: the caller's promise.
    unsafe { lanes.load_pair(a.add(at), b.add(at)) }
}

/// Group `group` of those that share 32 bytes in pairs, from `at` on: the low halves first.
///
/// # Safety
/// Both have 128 bytes there.
#[inline(always)]
unsafe fn half_bytes<L: Lanes16>(lanes: L, two: [*const u8; 2], at: usize, group: usize) -> L::I {
    // SAFETY: the caller's promise.
    let both = unsafe { pair(lanes, two, at + 32 * (group / 2)) };
    let part = if group.is_multiple_of(2) { both } else { lanes.shift_right::<4>(both) };
    lanes.and(part, lanes.splat_int(0x0f0f_0f0f))
}

/// [`super::factors_of_eight`] of both blocks.
///
/// # Safety
/// Both have 16 bytes.
#[inline(always)]
pub(in crate::rounded) unsafe fn factors_of_eight<L: Lanes16>(
    lanes: L,
    [a, b]: [*const u8; 2],
) -> (L::F, L::F) {
    // SAFETY: the caller's promise; the arrays are of sixteen bytes.
    unsafe {
        let (of_a, of_b) = (super::six_bit_factors(a), super::six_bit_factors(b));
        let scales = lanes.to_float(lanes.load_u8([of_a.0, of_b.0].as_ptr().cast()));
        let minimums = lanes.to_float(lanes.load_u8([of_a.1, of_b.1].as_ptr().cast()));
        let d = lanes.splat_pair(read_f16(a), read_f16(b));
        let d_min = lanes.splat_pair(-read_f16(a.add(2)), -read_f16(b.add(2)));
        (lanes.mul(scales, d), lanes.mul(minimums, d_min))
    }
}

/// d · scale of groups 8 `half` … 8 `half` + 7 of both blocks of `Q6_K`.
///
/// # Safety
/// Both have 210 bytes.
#[inline(always)]
pub(in crate::rounded) unsafe fn factors_of_half<L: Lanes16>(
    lanes: L,
    [a, b]: [*const u8; 2],
    half: usize,
) -> L::F {
    // SAFETY: the caller's promise; the array is of sixteen bytes.
    unsafe {
        let eight = |block: *const u8| block.add(192 + 8 * half).cast::<u64>().read_unaligned();
        let scales = lanes.to_float(lanes.load_i8([eight(a), eight(b)].as_ptr().cast()));
        lanes.mul(scales, lanes.splat_pair(read_f16(a.add(208)), read_f16(b.add(208))))
    }
}
