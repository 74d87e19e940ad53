//! Reading weight blocks with vectors.
//!
//! Each format says once how a block turns into vectors of f32 (`Block::visit`); what happens to them is up to a
//! `Sink`: stored, for dequantisation; multiplied into running sums, for the product with a vector. So there is one
//! unpacking per format for all operations and all vector widths. It multiplies by the scale in the same order as
//! the reference, and since scale times integer is exact in f32, all instruction sets agree to the bit.

pub(crate) mod k_quants;
pub(crate) mod legacy;
pub(crate) mod plain;

use crate::format::Format;
use crate::isa::{Isa, Kernel};
use crate::lanes::Lanes;

/// How one format stores `LEN` consecutive values in `BYTES` bytes.
pub(crate) trait Block {
    const LEN: usize;
    const BYTES: usize;

    /// Hands all values of a block to `sink`, `L::N` consecutive ones at a time, with the column of the first.
    ///
    /// # Safety
    /// `block` points to `BYTES` readable bytes.
    unsafe fn visit<L: Lanes, S: Sink<L>>(lanes: L, block: *const u8, sink: &mut S);
}

/// What becomes of the values of a block.
pub(crate) trait Sink<L: Lanes> {
    /// Columns are counted from the start of the block; each is put exactly once.
    ///
    /// # Safety
    /// The sink was made for a block that has these columns.
    unsafe fn put(&mut self, lanes: L, column: usize, values: L::F);
}

/// Calls a generic function with the `Block` type of a format.
macro_rules! with_block {
    ($format:expr, $block:ident => $body:expr) => {
        match $format {
            Format::F32 => {
                type $block = crate::formats::plain::F32;
                $body
            }
            Format::F16 => {
                type $block = crate::formats::plain::F16;
                $body
            }
            Format::Bf16 => {
                type $block = crate::formats::plain::Bf16;
                $body
            }
            Format::Q8_0 => {
                type $block = crate::formats::legacy::Q8_0;
                $body
            }
            Format::Q4_0 => {
                type $block = crate::formats::legacy::Q4_0;
                $body
            }
            Format::Q4_1 => {
                type $block = crate::formats::legacy::Q4_1;
                $body
            }
            Format::Q5_0 => {
                type $block = crate::formats::legacy::Q5_0;
                $body
            }
            Format::Q4K => {
                type $block = crate::formats::k_quants::Q4K;
                $body
            }
            Format::Q5K => {
                type $block = crate::formats::k_quants::Q5K;
                $body
            }
            Format::Q6K => {
                type $block = crate::formats::k_quants::Q6K;
                $body
            }
        }
    };
}
pub(crate) use with_block;

/// The f16 at `from`, as f32.
///
/// # Safety
/// `from` points to two readable bytes.
#[inline(always)]
pub(crate) unsafe fn read_f16(from: *const u8) -> f32 {
    // SAFETY: the caller's promise.
    let bits = u32::from(unsafe { from.cast::<u16>().read_unaligned() });
    // Exponent and fraction in their places; the exponent's bias is 15 here and 127 there. A subnormal gets the exponent
    // of the smallest normal number, and what that adds is taken off again. It never meets an instruction as a subnormal
    // f32, which costs Intel's processors some 150 cycles; scales of `Q6_K` usually are subnormal halves.
    let shifted = (bits & 0x7fff) << 13;
    let magnitude = match bits & 0x7c00 {
        0 => f32::from_bits(shifted + (113 << 23)) - f32::from_bits(113 << 23),
        0x7c00 => f32::from_bits(shifted | 0x7f80_0000),
        _ => f32::from_bits(shifted + (112 << 23)),
    };
    f32::from_bits(magnitude.to_bits() | (bits & 0x8000) << 16)
}

/// Stores values from `out` on.
pub(crate) struct Store {
    pub(crate) out: *mut f32,
}

impl<L: Lanes> Sink<L> for Store {
    #[inline(always)]
    unsafe fn put(&mut self, lanes: L, column: usize, values: L::F) {
        // SAFETY: `out` has room for the whole block.
        unsafe { lanes.store(self.out.add(column), values) };
    }
}

/// Dequantises `out.len()` values; sizes were checked by the caller.
pub(crate) fn dequantize(isa: Isa, out: &mut [f32], format: Format, bytes: &[u8]) {
    with_block!(format, B => isa.dispatch(Dequantize::<B> { out, bytes, block: std::marker::PhantomData }));
}

struct Dequantize<'a, B> {
    out: &'a mut [f32],
    bytes: &'a [u8],
    block: std::marker::PhantomData<B>,
}

impl<B: Block> Kernel for Dequantize<'_, B> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { out, bytes, .. } = self;
        let n_blocks = out.len() / B::LEN;
        for idx in 0..n_blocks {
            let values = &mut out[idx * B::LEN..(idx + 1) * B::LEN];
            let block = &bytes[idx * B::BYTES..(idx + 1) * B::BYTES];
            // SAFETY: both slices have the size of a block.
            unsafe { B::visit(lanes, block.as_ptr(), &mut Store { out: values.as_mut_ptr() }) };
        }
        // Only the plain formats can leave a remainder: it is padded to a block with zeros.
        let rest = &mut out[n_blocks * B::LEN..];
        if !rest.is_empty() {
            let padded = Padded::new(&bytes[n_blocks * B::BYTES..]);
            let mut values = [0.0f32; PADDED_LEN];
            // SAFETY: plain blocks are `PADDED_LEN` values and at most as many bytes as `Padded` holds.
            unsafe { B::visit(lanes, padded.0.as_ptr(), &mut Store { out: values.as_mut_ptr() }) };
            rest.copy_from_slice(&values[..rest.len()]);
        }
    }
}

/// Values in a block of a plain format; formats with larger blocks never have a remainder.
pub(crate) const PADDED_LEN: usize = 32;

/// The end of a row of a plain format, filled up with zeros.
pub(crate) struct Padded(pub(crate) [u8; PADDED_LEN * 4]);

impl Padded {
    #[inline(always)]
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let mut padded = [0; PADDED_LEN * 4];
        padded[..bytes.len()].copy_from_slice(bytes);
        Self(padded)
    }
}
#[cfg(test)]
mod tests {
    #[test]
    fn every_half_float_is_read_as_the_library_reads_it() {
        for bits in 0..=u16::MAX {
            // SAFETY: the array has two bytes.
            let read = unsafe { super::read_f16(bits.to_le_bytes().as_ptr()) };
            let expected = half::f16::from_bits(bits).to_f32();
            let same = read.to_bits() == expected.to_bits() || read.is_nan() && expected.is_nan();
            assert!(same, "{bits:#06x} is {read}, not {expected}");
        }
    }
}
