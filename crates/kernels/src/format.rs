//! How weights are stored: formats, sizes, and a matrix in any of them.
//!
//! The quantised formats are those of GGUF files, byte for byte: a row is a sequence of blocks, each with its own
//! scale. What a block holds stands in `formats`.

use crate::formats;
use crate::isa::Isa;

/// The storage format of a weight.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Format {
    F32,
    F16,
    Bf16,
    /// Blocks of 32: f16 scale, 32 signed bytes.
    Q8_0,
    /// Blocks of 32: f16 scale, 32 four-bit values minus 8.
    Q4_0,
    /// Blocks of 32: f16 scale and minimum, 32 four-bit values.
    Q4_1,
    /// Blocks of 32: f16 scale, 32 five-bit values minus 16.
    Q5_0,
    /// Blocks of 256 in eight groups with six-bit scales and minimums, four-bit values.
    Q4K,
    /// As `Q4K` with five-bit values.
    Q5K,
    /// Blocks of 256 in sixteen groups with eight-bit scales, six-bit values minus 32.
    Q6K,
}

impl Format {
    pub const ALL: [Format; 10] = [
        Format::F32,
        Format::F16,
        Format::Bf16,
        Format::Q8_0,
        Format::Q4_0,
        Format::Q4_1,
        Format::Q5_0,
        Format::Q4K,
        Format::Q5K,
        Format::Q6K,
    ];

    /// Values per block; rows are whole blocks.
    pub fn block_len(self) -> usize {
        match self {
            Format::F32 | Format::F16 | Format::Bf16 => 1,
            Format::Q8_0 | Format::Q4_0 | Format::Q4_1 | Format::Q5_0 => 32,
            Format::Q4K | Format::Q5K | Format::Q6K => 256,
        }
    }

    /// Bytes per block.
    pub fn block_bytes(self) -> usize {
        match self {
            Format::F32 => 4,
            Format::F16 | Format::Bf16 => 2,
            Format::Q8_0 => 34,
            Format::Q4_0 => 18,
            Format::Q4_1 => 20,
            Format::Q5_0 => 22,
            Format::Q4K => 144,
            Format::Q5K => 176,
            Format::Q6K => 210,
        }
    }

    /// Bytes of a row of `cols` values; `None` when it is no whole number of blocks or does not fit memory.
    pub fn row_bytes(self, cols: usize) -> Option<usize> {
        if !cols.is_multiple_of(self.block_len()) {
            return None;
        }
        (cols / self.block_len()).checked_mul(self.block_bytes())
    }

    /// The name as GGUF tools write it.
    pub fn name(self) -> &'static str {
        match self {
            Format::F32 => "F32",
            Format::F16 => "F16",
            Format::Bf16 => "BF16",
            Format::Q8_0 => "Q8_0",
            Format::Q4_0 => "Q4_0",
            Format::Q4_1 => "Q4_1",
            Format::Q5_0 => "Q5_0",
            Format::Q4K => "Q4_K",
            Format::Q5K => "Q5_K",
            Format::Q6K => "Q6_K",
        }
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A weight of `rows` outputs and `cols` inputs over bytes that somebody else owns.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    format: Format,
    rows: usize,
    cols: usize,
    row_bytes: usize,
    bytes: &'a [u8],
}

impl<'a> Matrix<'a> {
    /// `None` when a row is no whole number of blocks or `bytes` has not exactly the size of the matrix.
    pub fn new(format: Format, rows: usize, cols: usize, bytes: &'a [u8]) -> Option<Self> {
        let row_bytes = format.row_bytes(cols)?;
        if row_bytes.checked_mul(rows)? != bytes.len() {
            return None;
        }
        Some(Self { format, rows, cols, row_bytes, bytes })
    }

    /// An f32 matrix over a slice of `rows · cols` values.
    pub fn from_f32(rows: usize, cols: usize, values: &'a [f32]) -> Option<Self> {
        // SAFETY: any f32 may be read as four bytes.
        let bytes = unsafe {
            std::slice::from_raw_parts(values.as_ptr().cast::<u8>(), std::mem::size_of_val(values))
        };
        Self::new(Format::F32, rows, cols, bytes)
    }

    pub fn format(&self) -> Format {
        self.format
    }

    /// Outputs.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Inputs.
    pub fn cols(&self) -> usize {
        self.cols
    }

    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The stored bytes of one row.
    pub fn row(&self, row_idx: usize) -> &'a [u8] {
        assert!(row_idx < self.rows, "row {row_idx} of a matrix of {} rows", self.rows);
        &self.bytes[row_idx * self.row_bytes..(row_idx + 1) * self.row_bytes]
    }

    /// One row as f32: how an embedding table is read.
    pub fn dequantize_row(&self, out: &mut [f32], row_idx: usize) {
        self.dequantize_row_on(Isa::detect(), out, row_idx);
    }

    pub(crate) fn dequantize_row_on(&self, isa: Isa, out: &mut [f32], row_idx: usize) {
        dequantize_on(isa, out, self.format, self.row(row_idx));
    }

    /// Rows `start..start + n_rows` as a matrix of their own (for example one of several fused projections).
    pub fn slice_rows(&self, start: usize, n_rows: usize) -> Matrix<'a> {
        assert!(
            start.checked_add(n_rows).is_some_and(|end| end <= self.rows),
            "rows {start} + {n_rows} of a matrix of {} rows",
            self.rows
        );
        let bytes = &self.bytes[start * self.row_bytes..(start + n_rows) * self.row_bytes];
        Matrix { rows: n_rows, bytes, ..*self }
    }
}

/// Writes the stored values as f32. Every instruction set gives the same bits.
///
/// # Panics
/// When `bytes` is not exactly `out.len()` values of the format.
pub fn dequantize(out: &mut [f32], format: Format, bytes: &[u8]) {
    dequantize_on(Isa::detect(), out, format, bytes);
}

pub(crate) fn dequantize_on(isa: Isa, out: &mut [f32], format: Format, bytes: &[u8]) {
    assert_eq!(
        format.row_bytes(out.len()),
        Some(bytes.len()),
        "{} values of {format} in {} bytes",
        out.len(),
        bytes.len()
    );
    formats::dequantize(isa, out, format, bytes);
}

/// Stores f32 values as `Q8_0` or `Q4_0`, rounding to nearest. The scale is the largest magnitude over 127 for
/// `Q8_0`, and the value of largest magnitude over −8 for `Q4_0`, which then is met exactly.
///
/// # Panics
/// For another format, or when `values` is no whole number of blocks.
pub fn quantize(format: Format, values: &[f32]) -> Vec<u8> {
    assert!(
        format.row_bytes(values.len()).is_some(),
        "{} values are no whole number of {format} blocks",
        values.len()
    );
    match format {
        Format::Q8_0 => formats::legacy::quantize_q8_0(values),
        Format::Q4_0 => formats::legacy::quantize_q4_0(values),
        _ => panic!("there is no quantiser for {format}"),
    }
}
