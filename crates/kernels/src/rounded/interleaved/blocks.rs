//! Where the parts of a block stand in sixteen of them, and how they become integers and factors.

use super::PANEL;
use crate::format::Format;
use crate::lanes::Lanes;
use crate::rounded::{BLOCK, Order};

/// The places of the parts of one stored block.
pub(super) struct Parts {
    /// Where the half floats stand.
    halves: &'static [usize],
    /// Where the fifth bits of `Q5_0` stand: as words their bits would have to be spread over each word's bytes.
    fifth: Option<usize>,
    /// Where the words begin and how many there are, part after part.
    words: &'static [(usize, usize)],
}

impl Parts {
    pub(super) fn of(format: Format) -> Self {
        let (halves, fifth, words): (&[usize], _, &[(usize, usize)]) = match format {
            Format::Q8_0 => (&[0], None, &[(2, 8)]),
            Format::Q4_0 => (&[0], None, &[(2, 4)]),
            Format::Q4_1 => (&[0, 2], None, &[(4, 4)]),
            Format::Q5_0 => (&[0], Some(2), &[(6, 4)]),
            Format::Q4K => (&[0, 2], None, &[(4, 35)]),
            Format::Q5K => (&[0, 2], None, &[(4, 43)]),
            // The scale stands last, the scales of groups before it; of each half first what all its groups read.
            Format::Q6K => (&[208], None, &[(192, 4), (128, 8), (0, 16), (160, 8), (64, 16)]),
            Format::F32 | Format::F16 | Format::Bf16 => unreachable!("{format} holds no integers"),
        };
        Self { halves, fifth, words }
    }

    /// Puts a stored block where row `r` of sixteen has it.
    pub(super) fn put(&self, sixteen: &mut [u8], block: &[u8], r: usize) {
        let mut to = 0;
        for &at in self.halves {
            sixteen[to + 2 * r..][..2].copy_from_slice(&block[at..at + 2]);
            to += 2 * PANEL;
        }
        if let Some(at) = self.fifth {
            for four in 0..8 {
                let bits = block[at + four / 2] >> (four % 2 * 4) & 15;
                // The first of two rows that share a byte clears it.
                let byte = &mut sixteen[to + 8 * four + r / 2];
                *byte = if r.is_multiple_of(2) { bits } else { *byte & 15 | bits << 4 };
            }
            to += 4 * PANEL;
        }
        for &(at, n) in self.words {
            for word in block[at..at + 4 * n].chunks_exact(4) {
                sixteen[to + 4 * r..][..4].copy_from_slice(word);
                to += 4 * PANEL;
            }
        }
    }

    /// The inverse: the stored block of row `r`.
    pub(super) fn take(&self, block: &mut [u8], sixteen: &[u8], r: usize) {
        let mut from = 0;
        for &at in self.halves {
            block[at..at + 2].copy_from_slice(&sixteen[from + 2 * r..][..2]);
            from += 2 * PANEL;
        }
        if let Some(at) = self.fifth {
            for pair in 0..4 {
                let four = |i| sixteen[from + 8 * (2 * pair + i) + r / 2] >> (r % 2 * 4) & 15;
                block[at + pair] = four(0) | four(1) << 4;
            }
            from += 4 * PANEL;
        }
        for &(at, n) in self.words {
            for word in block[at..at + 4 * n].chunks_exact_mut(4) {
                word.copy_from_slice(&sixteen[from + 4 * r..][..4]);
                from += 4 * PANEL;
            }
        }
    }
}

/// How sixteen blocks of one format become integers p without a sign and factors of N rows: those of vector `part` of a
/// panel's 16 / N.
pub(super) trait Sixteen {
    /// Bytes of a block of one row.
    const BYTES: usize;
    /// Groups of values with a factor of their own in a block.
    const GROUPS: usize = 1;
    /// Values per group.
    const GROUP: usize = BLOCK;
    /// What was added to p so that it has no sign, where what a format stores has one.
    const SHIFT: u8 = 0;
    /// Whether groups have minimums.
    const HAS_MINIMUMS: bool = true;
    /// Scales times this are the minimums of formats that store none.
    const OFFSET: f32 = 0.0;
    const ORDER: Order = Order::InTurn;

    /// Values 4 k … 4 k + 3 of group `group`.
    ///
    /// # Safety
    /// `at` points to sixteen blocks.
    unsafe fn four<L: Lanes>(lanes: L, at: *const u8, group: usize, k: usize, part: usize) -> L::I;

    /// The scales and the minimums of a group: here of formats with one half float per block.
    ///
    /// # Safety
    /// As above.
    #[inline(always)]
    unsafe fn factors<L: Lanes>(
        lanes: L,
        at: *const u8,
        _group: usize,
        part: usize,
    ) -> (L::F, L::F) {
        // SAFETY: the caller's promise.
        let scales = unsafe { halves(lanes, at, part) };
        (scales, lanes.mul(scales, lanes.splat(Self::OFFSET)))
    }
}

/// Bytes of a vector of words, and of one of half floats.
const WORDS: usize = 4 * PANEL;
const HALVES: usize = 2 * PANEL;

/// # Safety
/// `at` points to a word for each of sixteen rows.
#[inline(always)]
unsafe fn words<L: Lanes>(lanes: L, at: *const u8, part: usize) -> L::I {
    // SAFETY: the caller's promise.
    unsafe { lanes.load_int(at.add(4 * L::N * part).cast()) }
}

/// # Safety
/// `at` points to a half float for each of sixteen rows.
#[inline(always)]
unsafe fn halves<L: Lanes>(lanes: L, at: *const u8, part: usize) -> L::F {
    // SAFETY: the caller's promise.
    unsafe { lanes.load_f16(at.add(2 * L::N * part)) }
}

/// The low halves of bytes, or their high ones.
#[inline(always)]
fn nibbles<L: Lanes>(lanes: L, words: L::I, high: bool) -> L::I {
    let words = if high { lanes.shift_right::<4>(words) } else { words };
    lanes.and(words, lanes.splat_int(0x0f0f_0f0f))
}

pub(super) struct Q8_0;
pub(super) struct Q4_0;
pub(super) struct Q4_1;
pub(super) struct Q5_0;
pub(super) struct Q4K;
pub(super) struct Q5K;
pub(super) struct Q6K;

impl Sixteen for Q8_0 {
    const BYTES: usize = 34;
    const SHIFT: u8 = 128;
    const HAS_MINIMUMS: bool = false;

    #[inline(always)]
    unsafe fn four<L: Lanes>(lanes: L, at: *const u8, _: usize, k: usize, part: usize) -> L::I {
        // SAFETY: the caller's promise.
        let p = unsafe { words(lanes, at.add(HALVES + WORDS * k), part) };
        lanes.add_bytes(p, lanes.splat_int(i32::from_ne_bytes([0x80; 4])))
    }
}

impl Sixteen for Q4_0 {
    const BYTES: usize = 18;
    const OFFSET: f32 = -8.0;

    #[inline(always)]
    unsafe fn four<L: Lanes>(lanes: L, at: *const u8, _: usize, k: usize, part: usize) -> L::I {
        // SAFETY: the caller's promise.
        let both = unsafe { words(lanes, at.add(HALVES + WORDS * (k % 4)), part) };
        nibbles(lanes, both, k >= 4)
    }
}

impl Sixteen for Q4_1 {
    const BYTES: usize = 20;

    #[inline(always)]
    unsafe fn four<L: Lanes>(lanes: L, at: *const u8, _: usize, k: usize, part: usize) -> L::I {
        // SAFETY: the caller's promise.
        let both = unsafe { words(lanes, at.add(2 * HALVES + WORDS * (k % 4)), part) };
        nibbles(lanes, both, k >= 4)
    }
    #[inline(always)]
    unsafe fn factors<L: Lanes>(lanes: L, at: *const u8, _: usize, part: usize) -> (L::F, L::F) {
        // SAFETY: the caller's promise.
        unsafe { (halves(lanes, at, part), halves(lanes, at.add(HALVES), part)) }
    }
}

impl Sixteen for Q5_0 {
    const BYTES: usize = 22;
    const OFFSET: f32 = -16.0;

    #[inline(always)]
    unsafe fn four<L: Lanes>(lanes: L, at: *const u8, _: usize, k: usize, part: usize) -> L::I {
        // SAFETY: the caller's promise.
        unsafe {
            let both = words(lanes, at.add(HALVES + WORDS + WORDS * (k % 4)), part);
            let fifth = lanes.load_bits_as_16(at.add(HALVES + 8 * k + L::N / 2 * part));
            lanes.or(nibbles(lanes, both, k >= 4), fifth)
        }
    }
}

/// The factors of a group of `Q4_K` or `Q5_K`: six bits each, of which those of groups 4 … 7 stand in two places.
///
/// # Safety
/// `at` points to sixteen blocks.
#[inline(always)]
unsafe fn six_bit_factors<L: Lanes>(
    lanes: L,
    at: *const u8,
    group: usize,
    part: usize,
) -> (L::F, L::F) {
    // SAFETY: the caller's promise.
    let (d, d_min, a, b, c) = unsafe {
        let three = at.add(2 * HALVES);
        (
            halves(lanes, at, part),
            halves(lanes, at.add(HALVES), part),
            words(lanes, three, part),
            words(lanes, three.add(WORDS), part),
            words(lanes, three.add(2 * WORDS), part),
        )
    };
    let byte = 8 * (group as u32 % 4);
    let (mut scale, mut minimum) = (lanes.shift_right_by(a, byte), lanes.shift_right_by(b, byte));
    if group >= 4 {
        // Two upper bits from there, four lower ones from the third word.
        let (four, two) = (lanes.splat_int(15), lanes.splat_int(0x30));
        scale = lanes.and(lanes.shift_right::<2>(scale), two);
        scale = lanes.or(scale, lanes.and(lanes.shift_right_by(c, byte), four));
        minimum = lanes.and(lanes.shift_right::<2>(minimum), two);
        minimum = lanes.or(minimum, lanes.and(lanes.shift_right_by(c, byte + 4), four));
    }
    let six = lanes.splat_int(63);
    let scale = lanes.to_float(lanes.and(scale, six));
    let minimum = lanes.to_float(lanes.and(minimum, six));
    (lanes.mul(scale, d), lanes.mul(minimum, lanes.sub(lanes.splat(0.0), d_min)))
}

/// Groups share words in pairs: the low halves first.
///
/// # Safety
/// `at` points to 32 words of each row.
#[inline(always)]
unsafe fn half_words<L: Lanes>(
    lanes: L,
    at: *const u8,
    group: usize,
    k: usize,
    part: usize,
) -> L::I {
    // SAFETY: the caller's promise.
    let both = unsafe { words(lanes, at.add(WORDS * (group / 2 * 8 + k)), part) };
    nibbles(lanes, both, !group.is_multiple_of(2))
}

impl Sixteen for Q4K {
    const BYTES: usize = 144;
    const GROUPS: usize = 8;
    const ORDER: Order = Order::ByEight;

    #[inline(always)]
    unsafe fn four<L: Lanes>(lanes: L, at: *const u8, group: usize, k: usize, part: usize) -> L::I {
        // SAFETY: the caller's promise.
        unsafe { half_words(lanes, at.add(2 * HALVES + 3 * WORDS), group, k, part) }
    }
    #[inline(always)]
    unsafe fn factors<L: Lanes>(
        lanes: L,
        at: *const u8,
        group: usize,
        part: usize,
    ) -> (L::F, L::F) {
        // SAFETY: the caller's promise.
        unsafe { six_bit_factors(lanes, at, group, part) }
    }
}

impl Sixteen for Q5K {
    const BYTES: usize = 176;
    const GROUPS: usize = 8;
    const ORDER: Order = Order::ByEight;

    #[inline(always)]
    unsafe fn four<L: Lanes>(lanes: L, at: *const u8, group: usize, k: usize, part: usize) -> L::I {
        // SAFETY: the caller's promise.
        unsafe {
            let fifth_at = at.add(2 * HALVES + 3 * WORDS);
            let fifth = words(lanes, fifth_at.add(WORDS * k), part);
            // Bit `group` of each byte to where 16 stands.
            let fifth = match group {
                0 => lanes.shift_left::<4>(fifth),
                1 => lanes.shift_left::<3>(fifth),
                2 => lanes.shift_left::<2>(fifth),
                3 => lanes.shift_left::<1>(fifth),
                4 => fifth,
                5 => lanes.shift_right::<1>(fifth),
                6 => lanes.shift_right::<2>(fifth),
                _ => lanes.shift_right::<3>(fifth),
            };
            let low = half_words(lanes, fifth_at.add(8 * WORDS), group, k, part);
            lanes.or(low, lanes.and(fifth, lanes.splat_int(0x1010_1010)))
        }
    }
    #[inline(always)]
    unsafe fn factors<L: Lanes>(
        lanes: L,
        at: *const u8,
        group: usize,
        part: usize,
    ) -> (L::F, L::F) {
        // SAFETY: the caller's promise.
        unsafe { six_bit_factors(lanes, at, group, part) }
    }
}

impl Sixteen for Q6K {
    const BYTES: usize = 210;
    const GROUPS: usize = 16;
    const GROUP: usize = 16;
    const SHIFT: u8 = 32;
    const ORDER: Order = Order::BySixteen;
    const HAS_MINIMUMS: bool = false;

    #[inline(always)]
    unsafe fn four<L: Lanes>(lanes: L, at: *const u8, group: usize, k: usize, part: usize) -> L::I {
        // Of each half of a block: 64 bytes of low halves, 32 of four pairs of upper bits.
        let (half, quarter, k) = (group / 8, group % 8 / 2, group % 2 * 4 + k);
        // SAFETY: the caller's promise.
        unsafe {
            let upper_at = at.add(HALVES + WORDS * (4 + 24 * half));
            let low_at = upper_at.add(WORDS * (8 + quarter % 2 * 8));
            let low = words(lanes, low_at.add(WORDS * k), part);
            let upper = words(lanes, upper_at.add(WORDS * k), part);
            let upper = match quarter {
                0 => lanes.shift_left::<4>(upper),
                1 => lanes.shift_left::<2>(upper),
                2 => upper,
                _ => lanes.shift_right::<2>(upper),
            };
            let upper = lanes.and(upper, lanes.splat_int(0x3030_3030));
            lanes.or(nibbles(lanes, low, quarter >= 2), upper)
        }
    }
    #[inline(always)]
    unsafe fn factors<L: Lanes>(
        lanes: L,
        at: *const u8,
        group: usize,
        part: usize,
    ) -> (L::F, L::F) {
        // SAFETY: the caller's promise.
        unsafe {
            let d = halves(lanes, at, part);
            let scales = words(lanes, at.add(HALVES + WORDS * (group / 4)), part);
            let scales = match group % 4 {
                0 => lanes.shift_left::<24>(scales),
                1 => lanes.shift_left::<16>(scales),
                2 => lanes.shift_left::<8>(scales),
                _ => scales,
            };
            // With its sign, as bits 24 … 31; 2⁻²⁴ of that is exact.
            let scales =
                lanes.to_float(lanes.and(scales, lanes.splat_int(0xff00_0000_u32.cast_signed())));
            let scales = lanes.mul(scales, lanes.splat(1.0 / 16_777_216.0));
            (lanes.mul(scales, d), lanes.splat(0.0))
        }
    }
}
