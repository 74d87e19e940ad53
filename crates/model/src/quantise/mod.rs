//! From f32 to the storage types of weight files.
//!
//! What each block holds stands in `kernels::format`; this module chooses its numbers. The simple types keep the
//! rule that readers of the format know: a scale from the largest value, everything rounded to nearest. The
//! K-quants search for scales ([`k_quants`]), which halves nothing of the size and a good part of the error.

mod k_quants;
mod legacy;

use half::{bf16, f16};
use kernels::format::{self, Format};

/// A storage type that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    F32,
    F16,
    Bf16,
    Q8_0,
    Q5_0,
    Q4_0,
    Q4_1,
    Q4K,
    Q5K,
    Q6K,
}

impl Encoding {
    pub const ALL: [Encoding; 10] = [
        Encoding::F32,
        Encoding::F16,
        Encoding::Bf16,
        Encoding::Q8_0,
        Encoding::Q5_0,
        Encoding::Q4_0,
        Encoding::Q4_1,
        Encoding::Q4K,
        Encoding::Q5K,
        Encoding::Q6K,
    ];

    /// The name as GGUF tools write it.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::F32 => "F32",
            Encoding::F16 => "F16",
            Encoding::Bf16 => "BF16",
            Encoding::Q8_0 => "Q8_0",
            Encoding::Q5_0 => "Q5_0",
            Encoding::Q4_0 => "Q4_0",
            Encoding::Q4_1 => "Q4_1",
            Encoding::Q4K => "Q4_K",
            Encoding::Q5K => "Q5_K",
            Encoding::Q6K => "Q6_K",
        }
    }

    /// The type of that name, whatever its case.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|encoding| encoding.name().eq_ignore_ascii_case(name))
    }

    /// Values per block; rows are whole blocks.
    pub fn block_len(self) -> usize {
        match self {
            Encoding::F32 | Encoding::F16 | Encoding::Bf16 => 1,
            Encoding::Q8_0 | Encoding::Q5_0 | Encoding::Q4_0 | Encoding::Q4_1 => 32,
            Encoding::Q4K | Encoding::Q5K | Encoding::Q6K => 256,
        }
    }

    /// Bytes per block.
    pub fn block_bytes(self) -> usize {
        match self {
            Encoding::F32 => 4,
            Encoding::F16 | Encoding::Bf16 => 2,
            Encoding::Q8_0 => 34,
            Encoding::Q5_0 => 22,
            Encoding::Q4_0 => 18,
            Encoding::Q4_1 => 20,
            Encoding::Q4K => 144,
            Encoding::Q5K => 176,
            Encoding::Q6K => 210,
        }
    }

    /// The nearest type that stores rows of `cols` values: a K-quant falls back to a type of blocks of 32 with
    /// at least as many bits, a type of blocks to F16.
    pub fn for_rows_of(self, cols: usize) -> Self {
        let fits = |encoding: Self| cols.is_multiple_of(encoding.block_len());
        let fallback = match self {
            Encoding::Q4K => Encoding::Q5_0,
            Encoding::Q5K | Encoding::Q6K => Encoding::Q8_0,
            other => other,
        };
        if fits(self) {
            self
        } else if fits(fallback) {
            fallback
        } else {
            Encoding::F16
        }
    }

    /// Appends `values`, whole blocks of them, to `out`.
    ///
    /// # Panics
    /// When `values` is no whole number of blocks.
    pub fn encode(self, out: &mut Vec<u8>, values: &[f32]) {
        let block_len = self.block_len();
        assert!(
            values.len().is_multiple_of(block_len),
            "{} values are no whole number of blocks of {}",
            values.len(),
            self.name()
        );
        match self {
            Encoding::F32 => out.extend(values.iter().flat_map(|v| v.to_le_bytes())),
            Encoding::F16 => {
                out.extend(values.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()));
            }
            Encoding::Bf16 => {
                out.extend(values.iter().flat_map(|&v| bf16::from_f32(v).to_le_bytes()));
            }
            Encoding::Q8_0 => out.extend(format::quantize(Format::Q8_0, values)),
            Encoding::Q4_0 => out.extend(format::quantize(Format::Q4_0, values)),
            Encoding::Q4_1 => by_block(values, |block: &[f32; 32]| legacy::q4_1(out, block)),
            Encoding::Q5_0 => by_block(values, |block: &[f32; 32]| legacy::q5_0(out, block)),
            Encoding::Q4K => by_block(values, |block: &[f32; 256]| k_quants::q4_k(out, block)),
            Encoding::Q5K => by_block(values, |block: &[f32; 256]| k_quants::q5_k(out, block)),
            Encoding::Q6K => by_block(values, |block: &[f32; 256]| k_quants::q6_k(out, block)),
        }
    }
}

fn by_block<const N: usize>(values: &[f32], encode: impl FnMut(&[f32; N])) {
    values.as_chunks::<N>().0.iter().for_each(encode);
}
