//! How stored blocks become integers in registers: the fast versions of `unpack`.

pub(super) mod pairs;

use crate::formats::read_f16;
use crate::lanes::Lanes8;

/// How one format stores 32 values as integers: value = d · (p + OFFSET) or, in `Q4_1`, d · p + m.
pub(in crate::rounded) trait Small {
    const BYTES: usize;
    /// What the second of the two halves is multiplied by, to give the part of a value that p has not.
    const OFFSET: f32;
    /// Whether p has a sign.
    const SIGNED: bool = false;

    /// Two half floats: d, and the m that belongs to `OFFSET`.
    ///
    /// # Safety
    /// `block` points to `BYTES` readable bytes.
    unsafe fn factors(block: *const u8) -> u32;

    /// The 32 integers p.
    ///
    /// # Safety
    /// As above.
    unsafe fn integers<L: Lanes8>(lanes: L, block: *const u8) -> L::I;
}

pub(in crate::rounded) struct Q8_0;
pub(in crate::rounded) struct Q4_0;
pub(in crate::rounded) struct Q4_1;
pub(in crate::rounded) struct Q5_0;

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
    const SIGNED: bool = true;

    #[inline(always)]
    unsafe fn factors(block: *const u8) -> u32 {
        // SAFETY: the caller's promise.
        u32::from(unsafe { block.cast::<u16>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn integers<L: Lanes8>(lanes: L, block: *const u8) -> L::I {
        // SAFETY: bytes 2 … 33 are the block's.
        unsafe { lanes.load_int(block.add(2).cast()) }
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
    unsafe fn integers<L: Lanes8>(lanes: L, block: *const u8) -> L::I {
        // SAFETY: bytes 2 … 17 are the block's.
        unsafe { lanes.load_nibbles(block.add(2)) }
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
    unsafe fn integers<L: Lanes8>(lanes: L, block: *const u8) -> L::I {
        // SAFETY: bytes 4 … 19 are the block's.
        unsafe { lanes.load_nibbles(block.add(4)) }
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
    unsafe fn integers<L: Lanes8>(lanes: L, block: *const u8) -> L::I {
        // SAFETY: bytes 2 … 21 are the block's.
        let (p, bits) = unsafe {
            (lanes.load_nibbles(block.add(6)), block.add(2).cast::<u32>().read_unaligned())
        };
        let fifth = lanes.and(lanes.spread_bits(bits), lanes.splat_int(0x1010_1010));
        lanes.or(p, fifth)
    }
}

/// The scales and the minimums of eight blocks, from their [`Small::factors`].
#[inline(always)]
pub(in crate::rounded) fn factors<L: Lanes8, S: Small>(lanes: L, pairs: [u32; 8]) -> (L::F, L::F) {
    let (scales, second) = lanes.half_pairs(pairs);
    let minimums = match S::OFFSET == 0.0 {
        true => lanes.splat(0.0),
        false => lanes.mul(second, lanes.splat(S::OFFSET)),
    };
    (scales, minimums)
}

/// Σ p q of one block of four rows each, by halves: see [`Lanes8::half_sums`].
#[inline(always)]
pub(in crate::rounded) fn half_dots<L: Lanes8, S: Small>(lanes: L, p: [L::I; 4], q: L::I) -> L::I {
    let mut dots = [lanes.splat_int(0); 4];
    if S::SIGNED {
        for r in 0..4 {
            dots[r] = lanes.dot_signed(dots[r], p[r], q);
        }
        return lanes.half_sums(dots);
    }
    for r in 0..4 {
        dots[r] = lanes.dot_pairs(p[r], q);
    }
    lanes.short_half_sums(dots)
}

/// d · scale and −dmin · minimum of the eight groups of a block of `Q4_K` or `Q5_K`.
///
/// # Safety
/// `block` points to 16 readable bytes.
#[inline(always)]
pub(in crate::rounded) unsafe fn factors_of_eight<L: Lanes8>(
    lanes: L,
    block: *const u8,
) -> (L::F, L::F) {
    // SAFETY: the caller's promise; the two arrays are of eight bytes.
    unsafe {
        let (d, d_min) = (read_f16(block), read_f16(block.add(2)));
        let (scales, minimums) = six_bit_factors(block);
        let scales = lanes.to_float(lanes.load_u8(scales.to_le_bytes().as_ptr()));
        let minimums = lanes.to_float(lanes.load_u8(minimums.to_le_bytes().as_ptr()));
        (lanes.mul(scales, lanes.splat(d)), lanes.mul(minimums, lanes.splat(-d_min)))
    }
}

/// The eight scales and the eight minimums in the first 16 bytes of a block of `Q4_K` or `Q5_K`, a byte each. Their six
/// bits are put together for four groups at a time.
///
/// # Safety
/// As above.
#[inline(always)]
unsafe fn six_bit_factors(block: *const u8) -> (u64, u64) {
    const SIX: u32 = 0x3f3f_3f3f;
    const FOUR: u32 = 0x0f0f_0f0f;
    // SAFETY: the caller's promise.
    let [a, b, c] = unsafe { block.add(4).cast::<[u32; 3]>().read_unaligned() };
    let scales = u64::from(a & SIX) | u64::from(c & FOUR | a >> 2 & 0x3030_3030) << 32;
    let minimums = u64::from(b & SIX) | u64::from(c >> 4 & FOUR | b >> 2 & 0x3030_3030) << 32;
    (scales, minimums)
}

/// How one format stores 256 values as integers, in groups of 32.
pub(in crate::rounded) trait Large {
    const BYTES: usize;

    /// The 32 integers of a group.
    ///
    /// # Safety
    /// `block` points to `BYTES` readable bytes, and `group` is below 8.
    unsafe fn integers<L: Lanes8>(lanes: L, block: *const u8, group: usize) -> L::I;
}

/// Eight scales and minimums per block, see [`factors_of_eight`].
pub(in crate::rounded) struct Q4K;
/// As `Q4K`.
pub(in crate::rounded) struct Q5K;
/// Sixteen scales, see [`factors_of_sixteen`]; p has a sign.
pub(in crate::rounded) struct Q6K;

impl Large for Q4K {
    const BYTES: usize = 144;

    #[inline(always)]
    unsafe fn integers<L: Lanes8>(lanes: L, block: *const u8, group: usize) -> L::I {
        // SAFETY: the caller's promise.
        unsafe { half_bytes(lanes, block.add(16), group) }
    }
}

impl Large for Q5K {
    const BYTES: usize = 176;

    #[inline(always)]
    unsafe fn integers<L: Lanes8>(lanes: L, block: *const u8, group: usize) -> L::I {
        // SAFETY: the caller's promise.
        unsafe {
            let fifth = lanes.load_int(block.add(16).cast());
            let fifth =
                lanes.and(lanes.shift_right_by(fifth, group as u32), lanes.splat_int(0x0101_0101));
            lanes.or(half_bytes(lanes, block.add(48), group), lanes.shift_left::<4>(fifth))
        }
    }
}

impl Large for Q6K {
    const BYTES: usize = 210;

    #[inline(always)]
    unsafe fn integers<L: Lanes8>(lanes: L, block: *const u8, group: usize) -> L::I {
        let (half, quarter) = (group / 4, group % 4);
        // SAFETY: the caller's promise.
        unsafe {
            let low = lanes.load_int(block.add(64 * half + 32 * (quarter % 2)).cast());
            let low = if quarter < 2 { low } else { lanes.shift_right::<4>(low) };
            let low = lanes.and(low, lanes.splat_int(0x0f0f_0f0f));
            let upper = lanes.load_int(block.add(128 + 32 * half).cast());
            let upper = lanes
                .and(lanes.shift_right_by(upper, 2 * quarter as u32), lanes.splat_int(0x0303_0303));
            let p = lanes.or(low, lanes.shift_left::<4>(upper));
            lanes.add_bytes(p, lanes.splat_int(i32::from_ne_bytes([0xe0; 4])))
        }
    }
}

/// Group `group` of those that share 32 bytes in pairs: the low halves first.
///
/// # Safety
/// `bytes` points to 128 readable bytes.
#[inline(always)]
unsafe fn half_bytes<L: Lanes8>(lanes: L, bytes: *const u8, group: usize) -> L::I {
    // SAFETY: the caller's promise.
    let both = unsafe { lanes.load_int(bytes.add(32 * (group / 2)).cast()) };
    let part = if group.is_multiple_of(2) { both } else { lanes.shift_right::<4>(both) };
    lanes.and(part, lanes.splat_int(0x0f0f_0f0f))
}

/// d · scale of the sixteen groups of `Q6_K`, eight and eight.
///
/// # Safety
/// `block` points to 210 readable bytes.
#[inline(always)]
pub(in crate::rounded) unsafe fn factors_of_sixteen<L: Lanes8>(
    lanes: L,
    block: *const u8,
) -> [L::F; 2] {
    let mut factors = [lanes.splat(0.0); 2];
    // SAFETY: the caller's promise.
    unsafe {
        let d = lanes.splat(read_f16(block.add(208)));
        for half in 0..2 {
            let scales = lanes.to_float(lanes.load_i8(block.add(192 + 8 * half)));
            factors[half] = lanes.mul(scales, d);
        }
    }
    factors
}
