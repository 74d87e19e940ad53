//! f32 products by tiles of bf16 (AMX): each value is split into three.
//!
//! ```text
//! x = h + m + l      h = x rounded to bf16, m = x − h rounded, l = what is left: eight bits each, nothing lost
//! a · b ≈ aₕbₕ + aₕbₘ + aₘbₕ + aₕbₗ + aₘbₘ + aₗbₕ
//! ```
//! The three products left out are below 2⁻²⁵ of a · b, less than the rounding of an f32. All are added in f32, the
//! small ones first within each 32 values of k, and k in order. So the result is as good as that of f32 multiply-adds,
//! and six tile instructions, 96 cycles, do the work of 512 vector multiply-adds, 256 cycles. (Henry, Tang, Heinecke 2019,
//! "Leveraging the bfloat16 Artificial Intelligence Datatype For Higher-Precision Computations", arXiv:1904.06376.)
//!
//! Beyond f32's normal range it is coarser: parts below 2⁻¹²⁶ count as zero, and values within 2⁻⁹ of the largest f32
//! become infinite. What is not finite stays so, though an infinity may turn into "not a number".

mod pack;
mod product;

use std::ops::Range;

use super::pack::Right;
use super::rows::Rows;
use crate::tiles::TILE;
pub(super) use product::multiply;

/// Values of k in a tile.
const TILE_K: usize = 32;
/// f32 values that the three parts of a tile take, 1 KB each.
const BLOCK: usize = 768;

/// Columns of a right factor that a task packs at most: five eighths of the 2 MB that processors with tiles have as
/// second-level cache.
pub(super) fn columns(depth: usize) -> usize {
    const BYTES: usize = 5 << 18;
    (BYTES / (4 * stream_len(depth.clamp(1, super::rows::DEPTH)) / TILE) / 64 * 64).clamp(64, 512)
}

/// f32 values that a packed factor of `n` rows (left) or columns (right) takes, with a block that is only read ahead.
pub(super) fn packed_len(n: usize, k: usize) -> usize {
    n.div_ceil(TILE) * stream_len(k) + BLOCK
}

/// f32 values from one row or column of tiles to the next.
fn stream_len(k: usize) -> usize {
    k.div_ceil(TILE_K) * BLOCK
}

/// Packs columns `cols` of `depth` of a right factor.
pub(super) fn pack_right(
    to: &mut [f32],
    right: Right<'_>,
    depth: Range<usize>,
    cols: Range<usize>,
) {
    let k = depth.len();
    match right {
        // A column of the factor is a row of the weight.
        Right::Transposed { values, stride } => {
            let row = |j: usize| values[(cols.start + j) * stride..][depth.clone()].as_ptr();
            // SAFETY: the rows have `depth`, and there are as many as columns.
            unsafe { pack::along::<true>(to, cols.len(), k, row) };
        }
        Right::Plain { values, stride } => {
            let row = |s: usize| values[(depth.start + s) * stride..][cols.clone()].as_ptr();
            // SAFETY: the rows have `cols`, and there are k.
            unsafe { pack::across::<false>(to, cols.len(), k, row) };
        }
    }
}

/// Packs values `depth` of some rows as a left factor.
pub(super) fn pack_left(to: &mut [f32], x: Rows<'_>, rows: Range<usize>, depth: Range<usize>) {
    let row = |i: usize| x.row(rows.start + i)[depth.clone()].as_ptr();
    // SAFETY: each row has these values.
    unsafe { pack::along::<false>(to, rows.len(), depth.len(), row) };
}

/// Packs columns `cols` of rows `depth`: as a left factor, whose rows they become, or as a right one.
pub(super) fn pack_columns<const LEFT: bool>(
    to: &mut [f32],
    x: Rows<'_>,
    depth: Range<usize>,
    cols: Range<usize>,
) {
    let row = |s: usize| x.row(depth.start + s)[cols.clone()].as_ptr();
    // SAFETY: each row has these columns.
    unsafe { pack::across::<LEFT>(to, cols.len(), depth.len(), row) };
}
