//! Copies of parts of a factor in the order in which the tile reads them.
//!
//! A right panel is `panel[k][2N columns]`, missing columns zero; a left panel is `panel[k][6 rows]`, missing rows
//! zero. Packing costs about a cycle per element and is paid once for all rows that meet it.

use std::ops::Range;

use super::rows::Rows;
use super::tile::TILE_ROWS;
use crate::isa::{Isa, Kernel};
use crate::lanes::Lanes;

/// The right factor b[k][j] of a product, as it lies in memory.
#[derive(Clone, Copy)]
pub(crate) enum Right<'a> {
    /// b[k][j] = values[j · stride + k]: a weight stored `[out, in]`, multiplied by its transpose.
    Transposed { values: &'a [f32], stride: usize },
    /// b[k][j] = values[k · stride + j]: the weight itself.
    Plain { values: &'a [f32], stride: usize },
}

impl Right<'_> {
    /// Writes columns `cols` of rows `depth` into panels of `width` = 2 N columns: panel p at
    /// `to[p · depth.len() · width]`.
    pub(crate) fn pack(self, isa: Isa, to: &mut [f32], depth: Range<usize>, cols: Range<usize>) {
        isa.dispatch_8(Pack { to, right: self, width: 2 * isa.lanes(), depth, cols });
    }
}

/// Written for 8 lanes at most: rearrangement gains nothing from more.
struct Pack<'a> {
    to: &'a mut [f32],
    right: Right<'a>,
    width: usize,
    depth: Range<usize>,
    cols: Range<usize>,
}

impl Kernel for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { to, right, width, depth, cols } = self;
        let k = depth.len();
        for (panel_idx, first) in cols.clone().step_by(width).enumerate() {
            let n = width.min(cols.end - first);
            let panel = &mut to[panel_idx * k * width..][..k * width];
            match right {
                Right::Transposed { values, stride } => {
                    pack_transposed(lanes, panel, width, values, stride, depth.clone(), first, n);
                }
                Right::Plain { values, stride } => {
                    for (row, at) in panel.chunks_exact_mut(width).zip(depth.clone()) {
                        copy_row(lanes, row, &values[at * stride + first..][..n]);
                    }
                }
            }
        }
    }
}

/// Rows `depth` of gathered or plain rows into panels, as [`Right::pack`] does.
pub(crate) fn pack_rows(
    isa: Isa,
    to: &mut [f32],
    rows: Rows<'_>,
    depth: Range<usize>,
    cols: Range<usize>,
) {
    isa.dispatch_8(PackRows { to, rows, width: 2 * isa.lanes(), depth, cols });
}

struct PackRows<'a> {
    to: &'a mut [f32],
    rows: Rows<'a>,
    width: usize,
    depth: Range<usize>,
    cols: Range<usize>,
}

impl Kernel for PackRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { to, rows, width, depth, cols } = self;
        let k = depth.len();
        // Eight rows at a time: panels begin a multiple of the first-level cache's span apart, so that single rows
        // written to many of them would push each other out.
        for first_k in (0..k).step_by(8) {
            let last_k = k.min(first_k + 8);
            for (panel_idx, first) in cols.clone().step_by(width).enumerate() {
                let n = width.min(cols.end - first);
                let panel =
                    &mut to[(panel_idx * k + first_k) * width..(panel_idx * k + last_k) * width];
                for (to, s) in panel.chunks_exact_mut(width).zip(depth.start + first_k..) {
                    copy_row(lanes, to, &rows.row(s)[first..first + n]);
                }
            }
        }
    }
}

/// One row of a panel; what `from` lacks becomes zero. Vector by vector: a call of `memcpy` for 64 bytes costs more.
#[inline(always)]
fn copy_row<L: Lanes>(lanes: L, to: &mut [f32], from: &[f32]) {
    if from.len() == to.len() && to.len().is_multiple_of(L::N) {
        for at in (0..to.len()).step_by(L::N) {
            // SAFETY: both have N values from `at` on.
            unsafe { lanes.store(to.as_mut_ptr().add(at), lanes.load(from.as_ptr().add(at))) };
        }
    } else {
        to[..from.len()].copy_from_slice(from);
        to[from.len()..].fill(0.0);
    }
}

/// Columns `first … first + n` of a transposed factor into one panel.
#[inline(always)]
fn pack_transposed<L: Lanes>(
    lanes: L,
    panel: &mut [f32],
    width: usize,
    values: &[f32],
    stride: usize,
    depth: Range<usize>,
    first: usize,
    n: usize,
) {
    if n < width {
        panel.fill(0.0);
    }
    let whole = depth.len() / 8 * 8;
    let mut j = 0;
    while j + 8 <= n {
        let rows = &values[(first + j) * stride..(first + j + 7) * stride + depth.end];
        for k in (0..whole).step_by(8) {
            // SAFETY: 8 rows of 8 values end at 7 · stride + depth.start + k + 8 ≤ rows.len(); the panel has at
            // least k + 8 rows of `width` columns, and j + 8 ≤ width.
            unsafe {
                let to = panel.as_mut_ptr().add(k * width + j);
                lanes.transpose_8x8(to, width, rows.as_ptr().add(depth.start + k), stride);
            }
        }
        for k in whole..depth.len() {
            for r in 0..8 {
                panel[k * width + j + r] = rows[r * stride + depth.start + k];
            }
        }
        j += 8;
    }
    for j in j..n {
        let row = &values[(first + j) * stride + depth.start..][..depth.len()];
        for (k, &value) in row.iter().enumerate() {
            panel[k * width + j] = value;
        }
    }
}

/// Columns `cols` of the rows that `row` names, one for each k, into panels of six: panel p at
/// `to[p · depth.len() · 6]`.
#[inline(always)]
pub(crate) fn pack_left<'a>(
    to: &mut [f32],
    depth: Range<usize>,
    row: impl Fn(usize) -> &'a [f32],
    cols: Range<usize>,
) {
    let k = depth.len();
    // Eight rows at a time: a panel gets whole cache lines, and their sources are still at hand.
    for first_k in (0..k).step_by(8) {
        let rows = first_k..k.min(first_k + 8);
        for (panel_idx, first) in cols.clone().step_by(TILE_ROWS).enumerate() {
            let panel = &mut to[panel_idx * k * TILE_ROWS..][..k * TILE_ROWS];
            let n = TILE_ROWS.min(cols.end - first);
            let panel = &mut panel[rows.start * TILE_ROWS..rows.end * TILE_ROWS];
            for (to, k) in panel.chunks_exact_mut(TILE_ROWS).zip(rows.clone()) {
                let from = &row(depth.start + k)[first..first + n];
                if let Ok(six) = <&[f32; TILE_ROWS]>::try_from(from) {
                    to.copy_from_slice(six);
                } else {
                    to[..n].copy_from_slice(from);
                    to[n..].fill(0.0);
                }
            }
        }
    }
}
