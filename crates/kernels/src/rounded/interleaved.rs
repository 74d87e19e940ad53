//! Weights in panels of sixteen rows: what one output needs lies in one lane of the vectors that are read, one after
//! the other.
//!
//! As files store them, a vector is a block of one row, and the products of its 32 values have to be added up across
//! lanes, sixteen rows are read in sixteen places, and an operation of some 200 KB ends before the machine has begun to
//! fetch ahead. Sixteen rows together are one stream without sums across lanes: two cores of a Zen 5 read SmolLM2's
//! products of a token at 36 GB/s row by row and at 51 in panels, which is all that the memory gives.
//!
//! ```text
//! a block of 16 rows, in the order of its parts; r is the row
//!     half floats   [16]      scales, then minimums where the format has them
//!     fifth bits    [8][16]   of four neighbouring values each, in Q5_0
//!     words         [n][16]   word i of what the rows' blocks store: n words of four bytes of each row
//! ```
//! Bytes are moved and not changed, so a panel is as large as its rows and [`Interleaved::copy_row`] gives a row back.

mod blocks;
mod few;
mod fill;

pub(super) use few::matmul;
pub(super) use fill::panel;

use crate::format::{Format, Matrix};
use crate::isa::Isa;
use crate::pool::Pool;
use crate::scratch::SharedMut;
use blocks::Parts;

/// Weight rows of a panel.
pub const PANEL: usize = 16;

/// A weight of `rows` outputs and `cols` inputs in panels, over bytes that somebody else owns.
#[derive(Clone, Copy, Debug)]
pub struct Interleaved<'a> {
    format: Format,
    rows: usize,
    cols: usize,
    bytes: &'a [u8],
}

/// Whether products on this machine gain from panels, and a weight of this many outputs in this format has some.
pub fn gains(isa: Isa, format: Format, rows: usize) -> bool {
    isa.has_vectors_8() && super::supports(format) && rows > 0 && rows.is_multiple_of(PANEL)
}

impl<'a> Interleaved<'a> {
    /// `None` when the format holds no integers, rows are no whole number of panels, a row is no whole number of blocks, or
    /// `bytes` has not exactly the size of the matrix.
    pub fn new(format: Format, rows: usize, cols: usize, bytes: &'a [u8]) -> Option<Self> {
        // The size is that of the matrix in rows.
        Matrix::new(format, rows, cols, bytes)?;
        let is_whole = super::supports(format) && rows.is_multiple_of(PANEL);
        is_whole.then_some(Self { format, rows, cols, bytes })
    }

    /// Writes the rows of `from` into `to`, which has their size.
    ///
    /// # Panics
    /// When the format holds no integers, rows are no whole number of panels, or `to` has another size.
    pub fn write(pool: &Pool, to: &mut [u8], from: &Matrix<'_>) {
        let format = from.format();
        assert!(
            super::supports(format) && from.rows().is_multiple_of(PANEL),
            "{} rows of {format} make no panels",
            from.rows()
        );
        assert_eq!(to.len(), from.bytes().len(), "panels are as large as their rows");
        let panel_bytes = PANEL * from.bytes().len() / from.rows().max(1);
        let parts = Parts::of(format);
        let to = SharedMut::new(to);
        pool.run(from.rows() / PANEL, |panel_idx| {
            // SAFETY: each task has a panel of its own.
            let to = unsafe { to.part(panel_idx * panel_bytes, panel_bytes) };
            for r in 0..PANEL {
                let row = from.row(panel_idx * PANEL + r).chunks_exact(format.block_bytes());
                for (to, block) in to.chunks_exact_mut(PANEL * format.block_bytes()).zip(row) {
                    parts.put(to, block, r);
                }
            }
        });
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

    /// A row as it was stored.
    ///
    /// # Panics
    /// When there is no such row, or `to` has not its size.
    pub fn copy_row(&self, to: &mut [u8], row_idx: usize) {
        assert!(row_idx < self.rows, "row {row_idx} of a matrix of {} rows", self.rows);
        let block_bytes = self.format.block_bytes();
        let panel = self.panel(row_idx / PANEL);
        assert_eq!(to.len(), panel.len() / PANEL, "a row has another size");
        let blocks = to.chunks_exact_mut(block_bytes);
        for (to, sixteen) in blocks.zip(panel.chunks_exact(PANEL * block_bytes)) {
            Parts::of(self.format).take(to, sixteen, row_idx % PANEL);
        }
    }

    /// One row as f32, [cols].
    ///
    /// # Panics
    /// When there is no such row, or `out` has not its length.
    pub fn dequantize_row(&self, out: &mut [f32], row_idx: usize) {
        let mut row = vec![0; self.bytes.len() / self.rows];
        self.copy_row(&mut row, row_idx);
        crate::format::dequantize(out, self.format, &row);
    }

    fn panel(&self, panel_idx: usize) -> &'a [u8] {
        let panel_bytes = self.bytes.len() / self.rows * PANEL;
        &self.bytes[panel_idx * panel_bytes..(panel_idx + 1) * panel_bytes]
    }
}
