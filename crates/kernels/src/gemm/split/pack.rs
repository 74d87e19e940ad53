//! Factors split into three bf16 parts, in the order in which tiles are loaded.
//!
//! A packed factor is one stream of tiles for each 16 rows (left) or 16 columns (right): for each 32 values of k the
//! tiles of h, m and l, 16 rows of 64 bytes each.
//!
//! ```text
//! left tile    row i:  k, k + 1, …, k + 31         of row i of the factor
//! right tile   row p:  (k + 2p, k + 2p + 1) of column 0, of column 1, …, of column 15
//! ```
//! Seen as 16 × 16 pairs, either is the transpose of the other. So there are two ways of reading, along k and across
//! it, each with or without a transpose in registers.

use std::arch::x86_64::*;

use super::{BLOCK, TILE_K, packed_len, stream_len};
use crate::tiles::TILE;

/// The 16 rows of one tile, 64 bytes each.
type Tile = [__m512i; TILE];

/// Packs `n` rows (or columns) that are contiguous in k, the i-th at `row(i)`; `TRANSPOSED` makes a right factor.
/// What is missing in the last tiles becomes zero.
///
/// # Safety
/// `row(i)` points to `k` values for every i < n; the machine has AVX-512 (F, BW).
pub(super) unsafe fn along<const TRANSPOSED: bool>(
    to: &mut [f32],
    n: usize,
    k: usize,
    row: impl Fn(usize) -> *const f32,
) {
    assert!(to.len() >= packed_len(n, k), "a packed factor needs more room");
    let mut stream = to.as_mut_ptr();
    for first in (0..n).step_by(TILE) {
        let rows: [*const f32; TILE] = std::array::from_fn(|r| row((first + r).min(n - 1)));
        // SAFETY: the caller's promise, and the stream's length was checked above.
        unsafe {
            stream_along::<TRANSPOSED>(stream, &rows, (n - first).min(TILE), k);
            stream = stream.add(stream_len(k));
        }
    }
}

/// Packs `n` columns of `k` rows, the s-th at `row(s)`; `TRANSPOSED` makes a left factor.
///
/// # Safety
/// `row(s)` points to `n` values for every s < k; the machine has AVX-512 (F, BW).
pub(super) unsafe fn across<const TRANSPOSED: bool>(
    to: &mut [f32],
    n: usize,
    k: usize,
    row: impl Fn(usize) -> *const f32,
) {
    assert!(to.len() >= packed_len(n, k), "a packed factor needs more room");
    for (block, first) in (0..k).step_by(TILE_K).enumerate() {
        let rows: [*const f32; TILE_K] = std::array::from_fn(|s| row((first + s).min(k - 1)));
        for (stream, col) in (0..n).step_by(TILE).enumerate() {
            // SAFETY: the caller's promise, and the streams' lengths were checked above.
            unsafe {
                let tile = to.as_mut_ptr().add(stream * stream_len(k) + block * BLOCK);
                let n_rows = (k - first).min(TILE_K);
                tile_across::<TRANSPOSED>(tile, &rows, n_rows, col, (n - col).min(TILE));
            }
        }
    }
}

/// # Safety
/// As [`along`], for one stream.
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn stream_along<const TRANSPOSED: bool>(
    mut to: *mut f32,
    rows: &[*const f32; TILE],
    n_rows: usize,
    k: usize,
) {
    for first in (0..k).step_by(TILE_K) {
        let n = (k - first).min(TILE_K);
        let mut parts = [[_mm512_setzero_si512(); TILE]; 3];
        for r in 0..n_rows {
            // SAFETY: the row has `n` values from `first` on.
            let (low, high) = unsafe {
                let from = rows[r].add(first);
                (load(from, n), load(from.wrapping_add(16), n.saturating_sub(16)))
            };
            let (low, high) = (split(low), split(high));
            for part in 0..3 {
                parts[part][r] = in_order(low[part], high[part]);
            }
        }
        // SAFETY: the stream has a block for these values of k.
        unsafe {
            store::<TRANSPOSED>(to, &parts);
            to = to.add(BLOCK);
        }
    }
}

/// # Safety
/// As [`across`], for one block of tiles.
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn tile_across<const TRANSPOSED: bool>(
    to: *mut f32,
    rows: &[*const f32; TILE_K],
    n_rows: usize,
    col: usize,
    n_cols: usize,
) {
    let mut parts = [[_mm512_setzero_si512(); TILE]; 3];
    for pair in 0..n_rows.div_ceil(2) {
        let second = if 2 * pair + 1 < n_rows { n_cols } else { 0 };
        // SAFETY: both rows have `n_cols` values from `col` on.
        let (even, odd) = unsafe {
            (load(rows[2 * pair].add(col), n_cols), load(rows[2 * pair + 1].add(col), second))
        };
        let (even, odd) = (split(even), split(odd));
        for part in 0..3 {
            parts[part][pair] = _mm512_or_si512(_mm512_srli_epi32::<16>(even[part]), odd[part]);
        }
    }
    // SAFETY: the caller's promise.
    unsafe { store::<TRANSPOSED>(to, &parts) };
}

/// The first `n` of 16 values, the others zero.
///
/// # Safety
/// `from` points to `min(n, 16)` values.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn load(from: *const f32, n: usize) -> __m512 {
    // SAFETY: the caller's promise; lanes that the mask leaves out are not read.
    unsafe {
        match n {
            16.. => _mm512_loadu_ps(from),
            _ => _mm512_maskz_loadu_ps((1u16 << n).wrapping_sub(1), from),
        }
    }
}

/// h, m and l, each in the upper half of its lane.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn split(x: __m512) -> [__m512i; 3] {
    let h = rounded(x);
    let rest = _mm512_sub_ps(x, _mm512_castsi512_ps(h));
    let m = rounded(rest);
    let l = _mm512_sub_ps(rest, _mm512_castsi512_ps(m));
    // Eight bits are left at most, unless it is not a number, whose lower bits must not reach the neighbour.
    [h, m, _mm512_and_si512(_mm512_castps_si512(l), upper_half())]
}

/// To the nearest bf16, and the larger one in the middle, in the upper half of the lane.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn rounded(x: __m512) -> __m512i {
    let half = _mm512_add_epi32(_mm512_castps_si512(x), _mm512_set1_epi32(0x8000));
    _mm512_and_si512(half, upper_half())
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn upper_half() -> __m512i {
    _mm512_set1_epi32(0xFFFF_0000_u32.cast_signed())
}

/// The upper halves of the lanes of `low`, then those of `high`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn in_order(low: __m512i, high: __m512i) -> __m512i {
    const ODD: [u16; 32] = {
        let mut index = [0; 32];
        let mut i = 0;
        while i < 32 {
            index[i] = 2 * i as u16 + 1;
            i += 1;
        }
        index
    };
    // SAFETY: 64 bytes are read of 64.
    let odd = unsafe { _mm512_loadu_si512(ODD.as_ptr().cast()) };
    _mm512_permutex2var_epi16(low, odd, high)
}

/// # Safety
/// `to` points to [`BLOCK`] values.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn store<const TRANSPOSED: bool>(to: *mut f32, parts: &[Tile; 3]) {
    for (part, tile) in parts.iter().enumerate() {
        let tile = if TRANSPOSED { &transposed(tile) } else { tile };
        for (r, row) in tile.iter().enumerate() {
            // SAFETY: three parts of 16 rows of 16 lanes.
            unsafe { _mm512_storeu_si512(to.add((part * TILE + r) * 16).cast(), *row) };
        }
    }
}

/// 16 × 16 lanes: in quarters of vectors, then whole quarters.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn transposed(tile: &Tile) -> Tile {
    let mut pairs = *tile;
    for r in 0..8 {
        let (a, b) = (tile[2 * r], tile[2 * r + 1]);
        pairs[2 * r] = _mm512_unpacklo_epi32(a, b);
        pairs[2 * r + 1] = _mm512_unpackhi_epi32(a, b);
    }
    // Row 4 q + c of `fours`: column c of each quarter, of rows 4 q … 4 q + 3.
    let mut fours = pairs;
    for q in 0..4 {
        for half in 0..2 {
            let (a, b) = (pairs[4 * q + half], pairs[4 * q + 2 + half]);
            fours[4 * q + 2 * half] = _mm512_unpacklo_epi64(a, b);
            fours[4 * q + 2 * half + 1] = _mm512_unpackhi_epi64(a, b);
        }
    }
    let mut all = fours;
    for c in 0..4 {
        let (a, b) = (fours[c], fours[4 + c]);
        let (c2, d) = (fours[8 + c], fours[12 + c]);
        let low = (_mm512_shuffle_i32x4::<0x44>(a, b), _mm512_shuffle_i32x4::<0x44>(c2, d));
        let high = (_mm512_shuffle_i32x4::<0xEE>(a, b), _mm512_shuffle_i32x4::<0xEE>(c2, d));
        all[c] = _mm512_shuffle_i32x4::<0x88>(low.0, low.1);
        all[4 + c] = _mm512_shuffle_i32x4::<0xDD>(low.0, low.1);
        all[8 + c] = _mm512_shuffle_i32x4::<0x88>(high.0, high.1);
        all[12 + c] = _mm512_shuffle_i32x4::<0xDD>(high.0, high.1);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tiles::Tiles;

    fn value(bits: u16) -> f32 {
        f32::from_bits(u32::from(bits) << 16)
    }

    /// Part `part` of element (i, k) of a packed left factor.
    fn left(packed: &[f32], k_len: usize, part: usize, i: usize, k: usize) -> f32 {
        let row = i / TILE * stream_len(k_len) + k / TILE_K * BLOCK + (part * TILE + i % TILE) * 16;
        let pair = packed[row + k % TILE_K / 2].to_bits();
        value((pair >> (k % 2 * 16)) as u16)
    }

    /// Part `part` of element (k, j) of a packed right factor.
    fn right(packed: &[f32], k_len: usize, part: usize, k: usize, j: usize) -> f32 {
        let row = part * TILE + k % TILE_K / 2;
        let at = j / TILE * stream_len(k_len) + k / TILE_K * BLOCK + row * 16 + j % TILE;
        value((packed[at].to_bits() >> (k % 2 * 16)) as u16)
    }

    #[test]
    fn three_parts_add_up_to_every_bit_in_all_four_arrangements() {
        if Tiles::detect().is_none() {
            return;
        }
        let (n, k) = (37, 71);
        let values: Vec<f32> = (0..n * k).map(|i| (i as f32 * 0.7).sin() * 1.7e3).collect();
        let columns: Vec<f32> = (0..n * k).map(|i| values[i % n * k + i / n]).collect();
        let row = |i: usize| values[i * k..].as_ptr();
        let column = |s: usize| columns[s * n..].as_ptr();
        let fresh = || vec![f32::NAN; packed_len(n, k)];
        let (mut a, mut b, mut c, mut d) = (fresh(), fresh(), fresh(), fresh());
        // SAFETY: rows have k values and there are n of them; columns have n, and there are k.
        unsafe {
            along::<false>(&mut a, n, k, row);
            along::<true>(&mut b, n, k, row);
            across::<false>(&mut c, n, k, column);
            across::<true>(&mut d, n, k, column);
        }
        for i in 0..n.next_multiple_of(TILE) {
            for s in 0..k.next_multiple_of(TILE_K) {
                let expected = if i < n && s < k { values[i * k + s] } else { 0.0 };
                for packed in [&a, &d] {
                    let sum: f32 = [2, 1, 0].map(|part| left(packed, k, part, i, s)).iter().sum();
                    assert_eq!(sum, expected, "left ({i}, {s})");
                }
                for packed in [&b, &c] {
                    let sum: f32 = [2, 1, 0].map(|part| right(packed, k, part, s, i)).iter().sum();
                    assert_eq!(sum, expected, "right ({s}, {i})");
                }
            }
        }
    }
}
