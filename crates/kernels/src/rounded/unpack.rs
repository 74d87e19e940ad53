//! Stored rows as integers with scales: the plain version, which also feeds the panels.
//!
//! value i = scales[i / group] · p[i] + minimums[i / group]; groups are 32 values, in `Q6_K` 16. Integers are
//! unsigned and small where the format has an offset anyway (`Q4_0`: 0 … 15 with minimum −8 d), so that several
//! products with bytes of x fit 16 bits; `Q8_0` and `Q6_K` are signed and their minimums zero.

use crate::format::Format;
use crate::formats::k_quants::scales_and_minimums;
use crate::formats::legacy::fifth_bits;
use crate::formats::read_f16;

/// Values that share a scale.
pub(super) fn group_len(format: Format) -> usize {
    if format == Format::Q6K { 16 } else { 32 }
}

/// Unpacks whole blocks: `p` their values, `scales` and `minimums` one per group.
#[inline(always)]
pub(super) fn unpack(
    format: Format,
    p: &mut [u8],
    scales: &mut [f32],
    minimums: &mut [f32],
    bytes: &[u8],
) {
    let (len, n_groups) = (format.block_len(), format.block_len() / group_len(format));
    let blocks = bytes.chunks_exact(format.block_bytes());
    let groups = scales.chunks_exact_mut(n_groups).zip(minimums.chunks_exact_mut(n_groups));
    for ((block, p), (scales, minimums)) in blocks.zip(p.chunks_exact_mut(len)).zip(groups) {
        match format {
            Format::Q8_0 => {
                (scales[0], minimums[0]) = (half(block, 0), 0.0);
                p.copy_from_slice(&block[2..34]);
            }
            Format::Q4_0 => {
                let d = half(block, 0);
                (scales[0], minimums[0]) = (d, -8.0 * d);
                nibbles(p, &block[2..18]);
            }
            Format::Q4_1 => {
                (scales[0], minimums[0]) = (half(block, 0), half(block, 2));
                nibbles(p, &block[4..20]);
            }
            Format::Q5_0 => {
                let d = half(block, 0);
                (scales[0], minimums[0]) = (d, -16.0 * d);
                nibbles(p, &block[6..22]);
                let bits = u32::from_le_bytes([block[2], block[3], block[4], block[5]]);
                p.iter_mut().zip(fifth_bits(bits)).for_each(|(p, fifth)| *p |= fifth);
            }
            Format::Q4K => {
                group_factors(scales, minimums, block);
                for (p, bytes) in p.chunks_exact_mut(64).zip(block[16..].chunks_exact(32)) {
                    nibbles(p, bytes);
                }
            }
            Format::Q5K => {
                group_factors(scales, minimums, block);
                let fifth = &block[16..48];
                for (pair, (p, bytes)) in
                    p.chunks_exact_mut(64).zip(block[48..].chunks_exact(32)).enumerate()
                {
                    nibbles(p, bytes);
                    let (low, high) = p.split_at_mut(32);
                    for i in 0..32 {
                        low[i] |= (fifth[i] >> (2 * pair) & 1) << 4;
                        high[i] |= (fifth[i] >> (2 * pair + 1) & 1) << 4;
                    }
                }
            }
            Format::Q6K => {
                let d = half(block, 208);
                for (scale, &factor) in scales.iter_mut().zip(&block[192..208]) {
                    *scale = d * f32::from(factor.cast_signed());
                }
                minimums.fill(0.0);
                for (part, p) in p.chunks_exact_mut(128).enumerate() {
                    six_bits(p, &block[64 * part..][..64], &block[128 + 32 * part..][..32]);
                }
            }
            Format::F32 | Format::F16 | Format::Bf16 => unreachable!("{format} holds no integers"),
        }
    }
}

#[inline(always)]
fn half(block: &[u8], at: usize) -> f32 {
    let bytes = &block[at..at + 2];
    // SAFETY: the slice has two bytes.
    unsafe { read_f16(bytes.as_ptr()) }
}

/// The low halves of the bytes, then the high ones.
#[inline(always)]
fn nibbles(p: &mut [u8], bytes: &[u8]) {
    let (low, high) = p.split_at_mut(bytes.len());
    for ((low, high), byte) in low.iter_mut().zip(high).zip(bytes) {
        (*low, *high) = (byte & 15, byte >> 4);
    }
}

/// Scales and minimums of the eight groups of `Q4_K` and `Q5_K`.
#[inline(always)]
fn group_factors(scales: &mut [f32], minimums: &mut [f32], block: &[u8]) {
    let (d, d_min) = (half(block, 0), half(block, 2));
    let mut packed = [0; 12];
    packed.copy_from_slice(&block[4..16]);
    let (factors, offsets) = scales_and_minimums(packed);
    for group in 0..8 {
        scales[group] = d * f32::from(factors[group]);
        minimums[group] = -d_min * f32::from(offsets[group]);
    }
}

/// Half a block of `Q6_K`, as signed bytes.
#[inline(always)]
fn six_bits(p: &mut [u8], low: &[u8], upper: &[u8]) {
    nibbles(p, low);
    for (quarter, p) in p.chunks_exact_mut(32).enumerate() {
        for (p, bits) in p.iter_mut().zip(upper) {
            *p = (*p | (bits >> (2 * quarter) & 3) << 4).wrapping_sub(32);
        }
    }
}
