//! The product of activations and a stored weight: y[n, rows] = x[n, cols] · wᵀ.
//!
//! Activations are f32, weights of any [`crate::format::Format`] are dequantised exactly, sums are f32. Two ways:
//! - For few rows of `x` (decoding) time goes into reading the weight once. `vector` multiplies each weight block into
//!   the sums of up to four rows of `x` on the spot. Without intrinsics that has no advantage, and panels do it too.
//! - For many (a prompt, a batch of sentences) time goes into arithmetic. `panel` dequantises a block of the weight
//!   once into a buffer that stays in the cache, and a register tile multiplies it with all rows of `x`.
//!
//! Both add in one order: input after input, and the sums of `DEPTH` inputs one after the other. So a row's products
//! have the same bits alone and in company.

pub(crate) mod panel;
pub(crate) mod tile;
mod vector;

use crate::format::Matrix;
use crate::pool::Pool;

/// Up to this many rows of `x` the weight is unpacked in registers, beyond it through the cache.
const VECTOR_ROWS: usize = 4;

/// y[n, rows] = x[n, cols] · wᵀ (`=`, not `+=`), `n` from the length of `x`.
///
/// # Panics
/// When `x` is no whole number of rows or `y` has not their number of outputs.
pub fn matmul(pool: &Pool, y: &mut [f32], x: &[f32], w: &Matrix<'_>) {
    let (rows, cols) = (w.rows(), w.cols());
    if rows == 0 || cols == 0 {
        assert!(x.is_empty() || cols > 0, "x has {} values for a weight of no inputs", x.len());
        assert!(y.is_empty() || rows > 0, "y has {} values for a weight of no outputs", y.len());
        y.fill(0.0);
        return;
    }
    let n = x.len() / cols;
    assert!(
        x.len() == n * cols && y.len() == n * rows,
        "y[{}] = x[{}] · wᵀ with w [{rows}, {cols}]: lengths are no whole number of rows, or differ",
        y.len(),
        x.len()
    );
    if n == 0 {
        return;
    }
    if n <= VECTOR_ROWS && pool.isa().has_vectors_8() {
        vector::matmul(pool, y, x, w);
    } else {
        panel::matmul(pool, y, x, w);
    }
}
