//! The number codes of a GGUF file: how a metadata value and a tensor's elements are stored.
//!
//! Codes and block sizes as in the format's specification (ggml `docs/gguf.md`) and ggml's type
//! table; types that ggml itself removed are left out.

use kernels::format::Format;

/// How a metadata value is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    String,
    Array,
    U64,
    I64,
    F64,
}

impl ValueType {
    pub(super) fn from_code(code: u32) -> Option<Self> {
        Some(match code {
            0 => Self::U8,
            1 => Self::I8,
            2 => Self::U16,
            3 => Self::I16,
            4 => Self::U32,
            5 => Self::I32,
            6 => Self::F32,
            7 => Self::Bool,
            8 => Self::String,
            9 => Self::Array,
            10 => Self::U64,
            11 => Self::I64,
            12 => Self::F64,
            _ => return None,
        })
    }

    /// Bytes per value; `None` for strings and arrays, whose length is in the file.
    pub(super) fn fixed_bytes(self) -> Option<usize> {
        match self {
            Self::U8 | Self::I8 | Self::Bool => Some(1),
            Self::U16 | Self::I16 => Some(2),
            Self::U32 | Self::I32 | Self::F32 => Some(4),
            Self::U64 | Self::I64 | Self::F64 => Some(8),
            Self::String | Self::Array => None,
        }
    }
}

/// How the elements of a tensor are stored, by ggml's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TensorType {
    pub code: u32,
    pub name: &'static str,
    /// Elements per block; a row is a whole number of blocks.
    pub block_len: usize,
    pub block_bytes: usize,
}

/// ggml code, name, elements per block, bytes per block.
const TENSOR_TYPES: &[(u32, &str, usize, usize)] = &[
    (0, "F32", 1, 4),
    (1, "F16", 1, 2),
    (2, "Q4_0", 32, 18),
    (3, "Q4_1", 32, 20),
    (6, "Q5_0", 32, 22),
    (7, "Q5_1", 32, 24),
    (8, "Q8_0", 32, 34),
    (9, "Q8_1", 32, 36),
    (10, "Q2_K", 256, 84),
    (11, "Q3_K", 256, 110),
    (12, "Q4_K", 256, 144),
    (13, "Q5_K", 256, 176),
    (14, "Q6_K", 256, 210),
    (15, "Q8_K", 256, 292),
    (16, "IQ2_XXS", 256, 66),
    (17, "IQ2_XS", 256, 74),
    (18, "IQ3_XXS", 256, 98),
    (19, "IQ1_S", 256, 50),
    (20, "IQ4_NL", 32, 18),
    (21, "IQ3_S", 256, 110),
    (22, "IQ2_S", 256, 82),
    (23, "IQ4_XS", 256, 136),
    (24, "I8", 1, 1),
    (25, "I16", 1, 2),
    (26, "I32", 1, 4),
    (27, "I64", 1, 8),
    (28, "F64", 1, 8),
    (29, "IQ1_M", 256, 56),
    (30, "BF16", 1, 2),
    (34, "TQ1_0", 256, 54),
    (35, "TQ2_0", 256, 66),
    (39, "MXFP4", 32, 17),
];

impl TensorType {
    pub(super) fn from_code(code: u32) -> Option<Self> {
        TENSOR_TYPES.iter().find(|entry| entry.0 == code).map(
            |&(code, name, block_len, block_bytes)| Self { code, name, block_len, block_bytes },
        )
    }

    /// The kernels' name for this type; `None` where they have no product for it.
    pub fn format(self) -> Option<Format> {
        Some(match self.name {
            "F32" => Format::F32,
            "F16" => Format::F16,
            "BF16" => Format::Bf16,
            "Q8_0" => Format::Q8_0,
            "Q4_0" => Format::Q4_0,
            "Q4_1" => Format::Q4_1,
            "Q5_0" => Format::Q5_0,
            "Q4_K" => Format::Q4K,
            "Q5_K" => Format::Q5K,
            "Q6_K" => Format::Q6K,
            _ => return None,
        })
    }
}
