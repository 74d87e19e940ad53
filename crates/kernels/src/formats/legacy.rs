//! The formats with blocks of 32.
//!
//! ```text
//! Q8_0  d: f16, q: 32 × i8                           value = d · q
//! Q4_0  d: f16, 16 bytes of nibbles                  value = d · (nibble − 8)
//! Q4_1  d: f16, m: f16, 16 bytes of nibbles          value = d · nibble + m
//! Q5_0  d: f16, 32 fifth bits, 16 bytes of nibbles   value = d · (nibble + 16 · bit − 16)
//! ```
//! Bit i of the fifth bits belongs to value i. Values 0–15 are the low nibbles of the 16 bytes, values 16–31 the high ones.

use half::f16;

use super::{Block, Sink, read_f16};
use crate::lanes::Lanes;

pub(crate) struct Q8_0;
pub(crate) struct Q4_0;
pub(crate) struct Q4_1;
pub(crate) struct Q5_0;

impl Block for Q8_0 {
    const LEN: usize = 32;
    const BYTES: usize = 34;

    #[inline(always)]
    unsafe fn visit<L: Lanes, S: Sink<L>>(lanes: L, block: *const u8, sink: &mut S) {
        // SAFETY: all offsets lie inside the 34 bytes of the block.
        unsafe {
            let scale = lanes.splat(read_f16(block));
            let mut column = 0;
            while column < 32 {
                let q = lanes.to_float(lanes.load_i8(block.add(2 + column)));
                sink.put(lanes, column, lanes.mul(scale, q));
                column += L::N;
            }
        }
    }
}

impl Block for Q4_0 {
    const LEN: usize = 32;
    const BYTES: usize = 18;

    #[inline(always)]
    unsafe fn visit<L: Lanes, S: Sink<L>>(lanes: L, block: *const u8, sink: &mut S) {
        // SAFETY: all offsets lie inside the 18 bytes of the block.
        unsafe {
            let scale = read_f16(block);
            // d · (q − 8) = d · q − 8 d, and all three are exact in f32.
            let (scale, offset) = (lanes.splat(scale), lanes.splat(-8.0 * scale));
            nibbles_32(lanes, block.add(2), scale, offset, sink);
        }
    }
}

impl Block for Q4_1 {
    const LEN: usize = 32;
    const BYTES: usize = 20;

    #[inline(always)]
    unsafe fn visit<L: Lanes, S: Sink<L>>(lanes: L, block: *const u8, sink: &mut S) {
        // SAFETY: all offsets lie inside the 20 bytes of the block.
        unsafe {
            let scale = lanes.splat(read_f16(block));
            let minimum = lanes.splat(read_f16(block.add(2)));
            nibbles_32(lanes, block.add(4), scale, minimum, sink);
        }
    }
}

impl Block for Q5_0 {
    const LEN: usize = 32;
    const BYTES: usize = 22;

    #[inline(always)]
    unsafe fn visit<L: Lanes, S: Sink<L>>(lanes: L, block: *const u8, sink: &mut S) {
        // SAFETY: all offsets lie inside the 22 bytes of the block.
        unsafe {
            let scale = read_f16(block);
            let (scale, offset) = (lanes.splat(scale), lanes.splat(-16.0 * scale));
            let fifth = fifth_bits(block.add(2).cast::<u32>().read_unaligned());
            let mut column = 0;
            while column < 16 {
                let bytes = lanes.load_u8(block.add(6 + column));
                let low = lanes.and(bytes, lanes.splat_int(15));
                let high = lanes.shift_right::<4>(bytes);
                let low = lanes.or(low, lanes.load_u8(fifth.as_ptr().add(column)));
                let high = lanes.or(high, lanes.load_u8(fifth.as_ptr().add(16 + column)));
                sink.put(lanes, column, lanes.fma(scale, lanes.to_float(low), offset));
                sink.put(lanes, 16 + column, lanes.fma(scale, lanes.to_float(high), offset));
                column += L::N;
            }
        }
    }
}

/// Byte i is 16 where bit i is set, else 0.
#[inline(always)]
pub(crate) fn fifth_bits(bits: u32) -> [u8; 32] {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let mut bytes = [0; 32];
    for (part, bits) in bits.to_le_bytes().into_iter().enumerate() {
        // Byte j keeps bit j of its copy; adding 127 carries any bit to the top of its byte and no further.
        let single = (u64::from(bits) * EACH) & 0x8040_2010_0804_0201;
        let sixteen = ((single + 127 * EACH) & (128 * EACH)) >> 3;
        bytes[8 * part..8 * part + 8].copy_from_slice(&sixteen.to_le_bytes());
    }
    bytes
}

/// `scale · nibble + offset` for the 32 nibbles of 16 bytes.
///
/// # Safety
/// `q` points to 16 readable bytes.
#[inline(always)]
unsafe fn nibbles_32<L: Lanes, S: Sink<L>>(
    lanes: L,
    q: *const u8,
    scale: L::F,
    offset: L::F,
    sink: &mut S,
) {
    let mut column = 0;
    while column < 16 {
        // SAFETY: the caller promises the 16 bytes.
        unsafe {
            let bytes = lanes.load_u8(q.add(column));
            let low = lanes.to_float(lanes.and(bytes, lanes.splat_int(15)));
            let high = lanes.to_float(lanes.shift_right::<4>(bytes));
            sink.put(lanes, column, lanes.fma(scale, low, offset));
            sink.put(lanes, 16 + column, lanes.fma(scale, high, offset));
        }
        column += L::N;
    }
}

pub(crate) fn quantize_q8_0(values: &[f32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(values.len() / 32 * 34);
    for block in values.chunks_exact(32) {
        let largest = block.iter().fold(0.0f32, |a, v| a.max(v.abs()));
        let scale = largest / 127.0;
        let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
        bytes.extend(f16::from_f32(scale).to_le_bytes());
        bytes.extend(block.iter().map(|v| ((v * inverse).round() as i8).cast_unsigned()));
    }
    bytes
}

pub(crate) fn quantize_q4_0(values: &[f32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(values.len() / 32 * 18);
    for block in values.chunks_exact(32) {
        let extreme = block.iter().fold(0.0f32, |a, &v| if v.abs() > a.abs() { v } else { a });
        let scale = extreme / -8.0;
        let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
        let nibble = |v: f32| (v * inverse + 8.5).clamp(0.0, 15.0) as u8;
        bytes.extend(f16::from_f32(scale).to_le_bytes());
        bytes.extend((0..16).map(|i| nibble(block[i]) | nibble(block[16 + i]) << 4));
    }
    bytes
}
