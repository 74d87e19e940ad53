//! The innermost product of f32 values, shared by matrix products and attention.
//!
//! `tile` computes M × 2N sums of products in registers: with AVX2, 6 × 16 in 12 of the 16 registers, two for a row
//! of b, one for a broadcast element of a. Per step of k that is 8 loads for 12 multiply-adds, so the multipliers,
//! two per cycle against two loads per cycle, are what it waits for.

use crate::lanes::Lanes;

/// Rows of a per tile.
pub(crate) const TILE_ROWS: usize = 6;

/// c[i][j] = Σ_k a[i · a_stride + k] · b[k · b_stride + j] for M rows i and 2 N columns j, summed in order of k.
///
/// # Safety
/// The pointers reach all the elements named in the formula.
#[inline(always)]
unsafe fn tile<L: Lanes, const M: usize>(
    lanes: L,
    a: *const f32,
    a_stride: usize,
    b: *const f32,
    b_stride: usize,
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
                let factor = lanes.splat(*a.add(i * a_stride + k));
                c[i][0] = lanes.fma(factor, left, c[i][0]);
                c[i][1] = lanes.fma(factor, right, c[i][1]);
            }
            b = b.add(b_stride);
        }
    }
    c
}

/// What a tile does with what stands in c.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Update {
    Replace,
    Add,
    /// Row i of what stands there is multiplied by the i-th of the first, and the new, multiplied by the i-th of the
    /// second, is added.
    Blend {
        before: *const f32,
        factor: *const f32,
    },
}

/// c[i · c_stride + j] (+)= (factor_i ·) Σ_k a[i · a_stride + k] · b[k · b_stride + j] for `n_rows` ≤ `TILE_ROWS` rows and
/// `n_cols` ≤ 2 N columns. b must have 2 N readable columns; those beyond `n_cols` do not count.
///
/// # Safety
/// The pointers reach all the elements named in the formula, and c is not a or b.
#[inline(always)]
pub(crate) unsafe fn multiply<L: Lanes>(
    lanes: L,
    c: *mut f32,
    c_stride: usize,
    a: *const f32,
    a_stride: usize,
    b: *const f32,
    b_stride: usize,
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
                        let sums = tile::<L, $m>(lanes, a, a_stride, b, b_stride, k);
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
                match update {
                    Update::Replace => {}
                    Update::Add => {
                        left = lanes.add(lanes.load(row), left);
                        right = lanes.add(lanes.load(row.add(L::N)), right);
                    }
                    Update::Blend { before, factor } => {
                        let (before, factor) = (*before.add(i), *factor.add(i));
                        let (before, factor) = (lanes.splat(before), lanes.splat(factor));
                        let [old_left, old_right] = [lanes.load(row), lanes.load(row.add(L::N))];
                        left = lanes.fma(left, factor, lanes.mul(old_left, before));
                        right = lanes.fma(right, factor, lanes.mul(old_right, before));
                    }
                }
                lanes.store(row, left);
                lanes.store(row.add(L::N), right);
            } else {
                let mut values = [0.0f32; 32];
                lanes.store(values.as_mut_ptr(), sums[i][0]);
                lanes.store(values.as_mut_ptr().add(L::N), sums[i][1]);
                for j in 0..n_cols {
                    *row.add(j) = match update {
                        Update::Replace => values[j],
                        Update::Add => *row.add(j) + values[j],
                        Update::Blend { before, factor } => {
                            *row.add(j) * *before.add(i) + values[j] * *factor.add(i)
                        }
                    };
                }
            }
        }
    }
}
