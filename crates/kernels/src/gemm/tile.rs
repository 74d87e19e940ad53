//! The register tile of f32 products: M × 2N sums over a packed right factor.
//!
//! The same arithmetic as `matmul::tile`, but the left factor may be rows that lie anywhere (gathered tokens) or
//! columns of a row-major array (the transpose in a weight's gradient), so it is reached through [`Left`].

use crate::lanes::Lanes;

/// Rows of the left factor per tile.
pub(crate) const TILE_ROWS: usize = 6;

/// Element (i, k) of the left factor of one tile.
pub(crate) trait Left: Copy {
    /// # Safety
    /// The element exists.
    unsafe fn at(self, i: usize, k: usize) -> f32;
}

/// Six rows, each contiguous in k. Rows beyond those asked for repeat one that exists.
#[derive(Clone, Copy)]
pub(crate) struct RowPointers(pub(crate) [*const f32; TILE_ROWS]);

/// `a[k · stride + i]`: the transpose of a row-major array, or a packed panel (stride = `TILE_ROWS`).
#[derive(Clone, Copy)]
pub(crate) struct Columns {
    pub(crate) base: *const f32,
    pub(crate) stride: usize,
}

impl Left for RowPointers {
    #[inline(always)]
    unsafe fn at(self, i: usize, k: usize) -> f32 {
        // SAFETY: the caller's promise.
        unsafe { *self.0[i].add(k) }
    }
}

impl Left for Columns {
    #[inline(always)]
    unsafe fn at(self, i: usize, k: usize) -> f32 {
        // SAFETY: the caller's promise.
        unsafe { *self.base.add(k * self.stride + i) }
    }
}

/// What a tile does with what stands in c.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Update {
    Replace,
    Add,
}

/// c[i · c_stride + j] (+)= Σ_k a(i, k) · b[k · 2N + j] for `n_rows` ≤ 6 rows and `n_cols` ≤ 2N columns, summed in
/// order of k and then added to c.
///
/// # Safety
/// a has `n_rows` × k elements, b has k × 2N readable ones, c has the rows and columns named and is neither.
#[inline(always)]
pub(crate) unsafe fn multiply<L: Lanes, A: Left>(
    lanes: L,
    c: *mut f32,
    c_stride: usize,
    a: A,
    b: *const f32,
    k: usize,
    n_rows: usize,
    n_cols: usize,
    update: Update,
) {
    macro_rules! rows {
        ($($m:literal)*) => {
            match n_rows {
                $($m => {
                    // SAFETY: the caller's promise.
                    unsafe {
                        let sums = tile::<L, A, $m>(lanes, a, b, k);
                        store(lanes, c, c_stride, sums, n_cols, update);
                    }
                })*
                _ => unreachable!("a tile of {n_rows} rows"),
            }
        };
    }
    rows!(1 2 3 4 5 6);
}

/// # Safety
/// As [`multiply`].
#[inline(always)]
unsafe fn tile<L: Lanes, A: Left, const M: usize>(
    lanes: L,
    a: A,
    b: *const f32,
    k: usize,
) -> [[L::F; 2]; M] {
    let mut c = [[lanes.splat(0.0); 2]; M];
    let mut b = b;
    for k in 0..k {
        // SAFETY: the caller's promise.
        unsafe {
            let left = lanes.load(b);
            let right = lanes.load(b.add(L::N));
            for i in 0..M {
                let factor = lanes.splat(a.at(i, k));
                c[i][0] = lanes.fma(factor, left, c[i][0]);
                c[i][1] = lanes.fma(factor, right, c[i][1]);
            }
            b = b.add(2 * L::N);
        }
    }
    c
}

/// # Safety
/// c has M rows of `n_cols` columns.
#[inline(always)]
unsafe fn store<L: Lanes, const M: usize>(
    lanes: L,
    c: *mut f32,
    c_stride: usize,
    sums: [[L::F; 2]; M],
    n_cols: usize,
    update: Update,
) {
    for i in 0..M {
        // SAFETY: the row has `n_cols` columns, and wide stores happen only when that is all of them.
        unsafe {
            let row = c.add(i * c_stride);
            if n_cols == 2 * L::N {
                let [mut left, mut right] = sums[i];
                if update == Update::Add {
                    left = lanes.add(lanes.load(row), left);
                    right = lanes.add(lanes.load(row.add(L::N)), right);
                }
                lanes.store(row, left);
                lanes.store(row.add(L::N), right);
            } else {
                let mut values = [0.0f32; 32];
                lanes.store(values.as_mut_ptr(), sums[i][0]);
                lanes.store(values.as_mut_ptr().add(L::N), sums[i][1]);
                for j in 0..n_cols {
                    let before = if update == Update::Add { *row.add(j) } else { 0.0 };
                    *row.add(j) = before + values[j];
                }
            }
        }
    }
}
