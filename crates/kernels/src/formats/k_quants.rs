//! The formats with blocks of 256 whose groups have small integer scales of their own.
//!
//! ```text
//! Q4_K  d: f16, dmin: f16, 12 bytes of 8 six-bit (scale, min), 128 bytes of nibbles
//!       value = d · scale · nibble − dmin · min, eight groups of 32
//! Q5_K  the same with 32 bytes of fifth bits before the nibbles
//! Q6_K  128 bytes of low nibbles, 64 bytes of upper bit pairs, 16 × i8 scale, d: f16
//!       value = d · scale · (six bits − 32), sixteen groups of 16
//! ```
//! In `Q4_K` and `Q5_K`, 32 bytes of nibbles carry two groups: the low nibbles first. Bit g of a byte of fifth bits
//! belongs to group g. In `Q6_K` each half of 128 values takes its low nibbles from 64 bytes (first the low nibbles
//! of all, then the high ones) and its bit pairs from 32 bytes (pair p belongs to values 32 p … 32 p + 31).

use super::{Block, Sink, read_f16};
use crate::lanes::Lanes;

pub(crate) struct Q4K;
pub(crate) struct Q5K;
pub(crate) struct Q6K;

/// The eight six-bit scales and minimums of the 12 bytes: the first four of each lie in the low six bits of bytes
/// 0–3 and 4–7; of the last four, bytes 8–11 hold the low four bits (scale below, minimum above) and the top bits
/// of bytes 0–3 and 4–7 the upper two.
pub(crate) fn scales_and_minimums(packed: [u8; 12]) -> ([u8; 8], [u8; 8]) {
    let (mut scales, mut minimums) = ([0; 8], [0; 8]);
    for i in 0..4 {
        scales[i] = packed[i] & 63;
        minimums[i] = packed[i + 4] & 63;
        scales[i + 4] = (packed[i + 8] & 15) | (packed[i] >> 6) << 4;
        minimums[i + 4] = (packed[i + 8] >> 4) | (packed[i + 4] >> 6) << 4;
    }
    (scales, minimums)
}

/// `d · scale` and `−dmin · min` of the eight groups, from the first 16 bytes of a block.
///
/// # Safety
/// `block` points to 16 readable bytes.
#[inline(always)]
unsafe fn group_factors(block: *const u8) -> ([f32; 8], [f32; 8]) {
    // SAFETY: the caller's promise.
    let (d, d_min, packed) = unsafe {
        (read_f16(block), read_f16(block.add(2)), block.add(4).cast::<[u8; 12]>().read_unaligned())
    };
    let (scales, minimums) = scales_and_minimums(packed);
    (scales.map(|s| d * f32::from(s)), minimums.map(|m| -d_min * f32::from(m)))
}

impl Block for Q4K {
    const LEN: usize = 256;
    const BYTES: usize = 144;

    #[inline(always)]
    unsafe fn visit<L: Lanes, S: Sink<L>>(lanes: L, block: *const u8, sink: &mut S) {
        // SAFETY: all offsets lie inside the 144 bytes of the block.
        unsafe {
            let (scales, offsets) = group_factors(block);
            for pair in 0..4 {
                let q = block.add(16 + 32 * pair);
                let scale = [lanes.splat(scales[2 * pair]), lanes.splat(scales[2 * pair + 1])];
                let offset = [lanes.splat(offsets[2 * pair]), lanes.splat(offsets[2 * pair + 1])];
                let mut i = 0;
                while i < 32 {
                    let bytes = lanes.load_u8(q.add(i));
                    let low = lanes.to_float(lanes.and(bytes, lanes.splat_int(15)));
                    let high = lanes.to_float(lanes.shift_right::<4>(bytes));
                    sink.put(lanes, 64 * pair + i, lanes.fma(scale[0], low, offset[0]));
                    sink.put(lanes, 64 * pair + 32 + i, lanes.fma(scale[1], high, offset[1]));
                    i += L::N;
                }
            }
        }
    }
}

impl Block for Q5K {
    const LEN: usize = 256;
    const BYTES: usize = 176;

    #[inline(always)]
    unsafe fn visit<L: Lanes, S: Sink<L>>(lanes: L, block: *const u8, sink: &mut S) {
        // SAFETY: all offsets lie inside the 176 bytes of the block.
        unsafe {
            let (scales, offsets) = group_factors(block);
            for pair in 0..4 {
                let q = block.add(48 + 32 * pair);
                let fifth = block.add(16);
                let scale = [lanes.splat(scales[2 * pair]), lanes.splat(scales[2 * pair + 1])];
                let offset = [lanes.splat(offsets[2 * pair]), lanes.splat(offsets[2 * pair + 1])];
                // Bit 2·pair (and the next) of each fifth byte, as a mask and as the value 16 or 0.
                let low_bit = lanes.splat_int(1 << (2 * pair));
                let high_bit = lanes.splat_int(2 << (2 * pair));
                let weight = [
                    lanes.splat(16.0 / (1 << (2 * pair)) as f32),
                    lanes.splat(16.0 / (2 << (2 * pair)) as f32),
                ];
                let mut i = 0;
                while i < 32 {
                    let bytes = lanes.load_u8(q.add(i));
                    let bits = lanes.load_u8(fifth.add(i));
                    let low = lanes.to_float(lanes.and(bytes, lanes.splat_int(15)));
                    let high = lanes.to_float(lanes.shift_right::<4>(bytes));
                    let low = lanes.fma(lanes.to_float(lanes.and(bits, low_bit)), weight[0], low);
                    let high =
                        lanes.fma(lanes.to_float(lanes.and(bits, high_bit)), weight[1], high);
                    sink.put(lanes, 64 * pair + i, lanes.fma(scale[0], low, offset[0]));
                    sink.put(lanes, 64 * pair + 32 + i, lanes.fma(scale[1], high, offset[1]));
                    i += L::N;
                }
            }
        }
    }
}

impl Block for Q6K {
    const LEN: usize = 256;
    const BYTES: usize = 210;

    #[inline(always)]
    unsafe fn visit<L: Lanes, S: Sink<L>>(lanes: L, block: *const u8, sink: &mut S) {
        // SAFETY: all offsets lie inside the 210 bytes of the block.
        unsafe {
            let d = read_f16(block.add(208));
            let group_scale = |group: usize| {
                lanes.splat(d * f32::from(block.add(192 + group).cast::<i8>().read()))
            };
            let (nibble, pair) = (lanes.splat_int(15), lanes.splat_int(3));
            let bias = lanes.splat_int(-32);
            for half in 0..2 {
                let low = block.add(64 * half);
                let upper = block.add(128 + 32 * half);
                let mut i = 0;
                while i < 32 {
                    let first = lanes.load_u8(low.add(i));
                    let second = lanes.load_u8(low.add(32 + i));
                    let bits = lanes.load_u8(upper.add(i));
                    let six_bits = [
                        lanes.or(
                            lanes.and(first, nibble),
                            lanes.shift_left::<4>(lanes.and(bits, pair)),
                        ),
                        lanes.or(
                            lanes.and(second, nibble),
                            lanes.shift_left::<4>(lanes.and(lanes.shift_right::<2>(bits), pair)),
                        ),
                        lanes.or(
                            lanes.shift_right::<4>(first),
                            lanes.shift_left::<4>(lanes.and(lanes.shift_right::<4>(bits), pair)),
                        ),
                        lanes.or(
                            lanes.shift_right::<4>(second),
                            lanes.shift_left::<4>(lanes.shift_right::<6>(bits)),
                        ),
                    ];
                    for (quarter, q) in six_bits.into_iter().enumerate() {
                        let scale = group_scale(8 * half + 2 * quarter + i / 16);
                        let value = lanes.mul(scale, lanes.to_float(lanes.add_int(q, bias)));
                        sink.put(lanes, 128 * half + 32 * quarter + i, value);
                    }
                    i += L::N;
                }
            }
        }
    }
}
