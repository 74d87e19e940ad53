//! Factors split into three bf16 parts, in the order in which tiles are loaded.
//!
//! A packed factor is one stream of tiles for each 16 rows (left) or 16 columns (right): for each 32 values of k the
//! tiles of h, m and l, 16 rows of 64 bytes each.
//!
//! ```text
//! left tile    row i:  (k, k + 16), (k + 1, k + 17), …, (k + 15, k + 31)  of row i of the factor
//! right tile   row p:  (k + p, k + p + 16)  of column 0, of column 1, …, of column 15
//! ```
//! A pair joins values that are 16 apart and no neighbours, because two vectors become pairs by a shift and an "or".
//! Seen as 16 × 16 pairs, either is the transpose of the other. So there are two ways of reading, along k and across
//! it, each with or without a transpose in place.

use std::arch::x86_64::*;

use super::{BLOCK, TILE_K, packed_len, stream_len};
use crate::tiles::TILE;

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
    if n == 0 || k == 0 {
        return;
    }
    let rows_from = |first: usize| -> [*const f32; TILE] {
        std::array::from_fn(|r| row((first + r).min(n - 1)))
    };
    let mut stream = to.as_mut_ptr();
    let mut rows = rows_from(0);
    for first in (0..n).step_by(TILE) {
        let next = rows_from(first + TILE);
        // SAFETY: the caller's promise, and the stream's length was checked above.
        unsafe {
            stream_along::<TRANSPOSED>(stream, &rows, &next, (n - first).min(TILE), k);
            stream = stream.add(stream_len(k));
        }
        rows = next;
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
    if n == 0 || k == 0 {
        return;
    }
    let rows_from = |first: usize| -> [*const f32; TILE_K] {
        std::array::from_fn(|s| row((first + s).min(k - 1)))
    };
    let mut rows = rows_from(0);
    for (block, first) in (0..k).step_by(TILE_K).enumerate() {
        let next = rows_from(first + TILE_K);
        let n_rows = (k - first).min(TILE_K);
        for (stream, col) in (0..n).step_by(TILE).enumerate() {
            // SAFETY: the caller's promise, and the streams' lengths were checked above.
            unsafe {
                let tile = to.as_mut_ptr().add(stream * stream_len(k) + block * BLOCK);
                let ahead = match col + TILE < n {
                    true => tile.wrapping_add(stream_len(k)),
                    false => to.as_mut_ptr().wrapping_add((block + 1) * BLOCK),
                };
                let n_cols = (n - col).min(TILE);
                tile_across::<TRANSPOSED>(tile, ahead, &rows, &next, n_rows, col, n_cols);
            }
        }
        rows = next;
    }
}

/// # Safety
/// As [`along`], for one stream.
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn stream_along<const TRANSPOSED: bool>(
    mut to: *mut f32,
    rows: &[*const f32; TILE],
    next: &[*const f32; TILE],
    n_rows: usize,
    k: usize,
) {
    for first in (0..k).step_by(TILE_K) {
        let n = (k - first).min(TILE_K);
        // SAFETY: the stream has a block for these values of k, and each row has `n` values from `first` on.
        unsafe {
            for r in 0..n_rows {
                let from = rows[r].add(first);
                fetch(next[r].wrapping_add(first));
                fetch(next[r].wrapping_add(first + 16));
                let low = split(load(from, n));
                let high = split(load(from.wrapping_add(16), n.saturating_sub(16)));
                store_pairs(to, to.wrapping_add(BLOCK), r, low, high);
            }
            finish::<TRANSPOSED>(to, n_rows);
            to = to.add(BLOCK);
        }
    }
}

/// # Safety
/// As [`across`], for one block of tiles.
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn tile_across<const TRANSPOSED: bool>(
    to: *mut f32,
    ahead: *const f32,
    rows: &[*const f32; TILE_K],
    next: &[*const f32; TILE_K],
    n_rows: usize,
    col: usize,
    n_cols: usize,
) {
    let n_pairs = n_rows.min(TILE);
    // SAFETY: the rows have `n_cols` values from `col` on, and `to` has room for three tiles.
    unsafe {
        for pair in 0..n_pairs {
            let other = pair + TILE;
            let n_other = if other < n_rows { n_cols } else { 0 };
            fetch(next[pair].wrapping_add(col));
            fetch(next[other].wrapping_add(col));
            let low = split(load(rows[pair].add(col), n_cols));
            let high = split(load(rows[other].add(col), n_other));
            store_pairs(to, ahead, pair, low, high);
        }
        finish::<TRANSPOSED>(to, n_pairs);
    }
}

/// Asks for a line that the next rows will read, where the second-level cache has room until then: rows are too short
/// and too many for the machine to see them coming.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn fetch(line: *const f32) {
    _mm_prefetch::<_MM_HINT_T1>(line.cast());
}

/// Row `r` of the tiles of all parts of pairs. The same rows of the block at `ahead`, which is written next, are asked
/// for: stores that wait for their lines hold up all others.
///
/// # Safety
/// `to` points to a block of three tiles.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn store_pairs(
    to: *mut f32,
    ahead: *const f32,
    r: usize,
    low: [__m512i; 3],
    high: [__m512i; 3],
) {
    for part in 0..3 {
        let both = _mm512_or_si512(_mm512_srli_epi32::<16>(low[part]), high[part]);
        let at = (part * TILE + r) * 16;
        _mm_prefetch::<_MM_HINT_T0>(ahead.wrapping_add(at).cast());
        // SAFETY: the caller's promise.
        unsafe { _mm512_storeu_si512(to.add(at).cast(), both) };
    }
}

/// Clears what lies below `n_rows` in the three tiles of a block, then transposes them or not.
///
/// # Safety
/// As [`store_pairs`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn finish<const TRANSPOSED: bool>(to: *mut f32, n_rows: usize) {
    for part in 0..3 {
        // SAFETY: the caller's promise.
        unsafe {
            for r in n_rows..TILE {
                let row = to.add((part * TILE + r) * 16);
                _mm512_storeu_si512(row.cast(), _mm512_setzero_si512());
            }
            if TRANSPOSED {
                transpose(to.add(part * TILE * 16));
            }
        }
    }
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

/// Transposes 16 × 16 lanes in place: in quarters of vectors, four rows at a time, then whole quarters.
///
/// # Safety
/// `tile` points to 16 rows of 16 lanes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn transpose(tile: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe {
        for q in 0..4 {
            // Row 4 q + c becomes column c of each quarter, of rows 4 q … 4 q + 3.
            let [w, x, y, z] = four_rows(tile.add(64 * q), 1);
            let (a, b) = (_mm512_unpacklo_epi32(w, x), _mm512_unpackhi_epi32(w, x));
            let (c, d) = (_mm512_unpacklo_epi32(y, z), _mm512_unpackhi_epi32(y, z));
            let low = [_mm512_unpacklo_epi64(a, c), _mm512_unpackhi_epi64(a, c)];
            let high = [_mm512_unpacklo_epi64(b, d), _mm512_unpackhi_epi64(b, d)];
            store_four(tile.add(64 * q), 1, [low[0], low[1], high[0], high[1]]);
        }
        for c in 0..4 {
            let [w, x, y, z] = four_rows(tile.add(16 * c), 4);
            let low = (_mm512_shuffle_i32x4::<0x44>(w, x), _mm512_shuffle_i32x4::<0x44>(y, z));
            let high = (_mm512_shuffle_i32x4::<0xEE>(w, x), _mm512_shuffle_i32x4::<0xEE>(y, z));
            let low = [
                _mm512_shuffle_i32x4::<0x88>(low.0, low.1),
                _mm512_shuffle_i32x4::<0xDD>(low.0, low.1),
            ];
            let high = [
                _mm512_shuffle_i32x4::<0x88>(high.0, high.1),
                _mm512_shuffle_i32x4::<0xDD>(high.0, high.1),
            ];
            store_four(tile.add(16 * c), 4, [low[0], low[1], high[0], high[1]]);
        }
    }
}

/// Four rows of a tile, `step` rows from each other.
///
/// # Safety
/// The tile has them.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn four_rows(first: *const f32, step: usize) -> [__m512i; 4] {
    let mut rows = [_mm512_setzero_si512(); 4];
    for r in 0..4 {
        // SAFETY: the caller's promise.
        rows[r] = unsafe { _mm512_loadu_si512(first.add(16 * r * step).cast()) };
    }
    rows
}

/// Writes them.
///
/// # Safety
/// As [`four_rows`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn store_four(first: *mut f32, step: usize, rows: [__m512i; 4]) {
    for r in 0..4 {
        // SAFETY: the caller's promise.
        unsafe { _mm512_storeu_si512(first.add(16 * r * step).cast(), rows[r]) };
    }
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
        let pair = packed[row + k % TILE].to_bits();
        value((pair >> (k % TILE_K / TILE * 16)) as u16)
    }

    /// Part `part` of element (k, j) of a packed right factor.
    fn right(packed: &[f32], k_len: usize, part: usize, k: usize, j: usize) -> f32 {
        let row = part * TILE + k % TILE;
        let at = j / TILE * stream_len(k_len) + k / TILE_K * BLOCK + row * 16 + j % TILE;
        value((packed[at].to_bits() >> (k % TILE_K / TILE * 16)) as u16)
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
