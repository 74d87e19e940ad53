//! Blocks of 32 with one scale, and for Q4_1 a minimum.

use half::f16;

/// Fifteen steps from the smallest to the largest value.
pub(super) fn q4_1(out: &mut Vec<u8>, block: &[f32; 32]) {
    let smallest = block.iter().copied().fold(f32::INFINITY, f32::min);
    let largest = block.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let scale = (largest - smallest) / 15.0;
    let inverse = inverse(scale);
    let nibble = |v: f32| ((v - smallest) * inverse + 0.5).clamp(0.0, 15.0) as u8;
    out.extend(f16::from_f32(scale).to_le_bytes());
    out.extend(f16::from_f32(smallest).to_le_bytes());
    out.extend((0..16).map(|i| nibble(block[i]) | nibble(block[16 + i]) << 4));
}

/// Steps of a sixteenth of the value of largest magnitude, which is met exactly.
pub(super) fn q5_0(out: &mut Vec<u8>, block: &[f32; 32]) {
    let extreme = block.iter().fold(0.0_f32, |a, &v| if v.abs() > a.abs() { v } else { a });
    let scale = extreme / -16.0;
    let inverse = inverse(scale);
    let quants = block.map(|v| (v * inverse + 16.5).clamp(0.0, 31.0) as u8);
    let high_bits = (0..32).fold(0_u32, |bits, i| bits | u32::from(quants[i] >> 4) << i);
    out.extend(f16::from_f32(scale).to_le_bytes());
    out.extend(high_bits.to_le_bytes());
    out.extend((0..16).map(|i| (quants[i] & 15) | (quants[16 + i] & 15) << 4));
}

/// 1 / v, and 0 for 0: a block of nothing stays nothing.
pub(super) fn inverse(v: f32) -> f32 {
    if v == 0.0 { 0.0 } else { 1.0 / v }
}
