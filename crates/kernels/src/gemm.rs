//! Products of f32 matrices as training needs them: a layer, and the gradients of its inputs and of its weight.
//!
//! ```text
//! linear                  y[n, out]  = x[n, in] · wᵀ          w [out, in]
//! linear_input_gradient   dx[n, in]  = dy[n, out] · w
//! linear_weight_gradient  dw[out, in] = dyᵀ · x
//! ```
//! Rows may be gathered and come in groups that meet different weights (experts); [`crate::experts`] builds on the
//! grouped forms. Each output element is computed by one task in an order of summation that depends on the shapes
//! alone, so the bits are the same for any number of threads.

pub(crate) mod outer;
pub(crate) mod pack;
pub(crate) mod rows;
#[cfg(target_arch = "x86_64")]
pub(crate) mod split;
pub(crate) mod tile;

use crate::pool::Pool;
use crate::scratch::SharedMut;
use outer::Outer;
use pack::Right;
pub use rows::Rows;
use rows::{Nothing, Product};
pub use tile::Update;

/// y[n, out] (+)= x[n, in] · wᵀ, w [out, in].
///
/// # Panics
/// When the lengths do not fit together.
pub fn linear(pool: &Pool, y: &mut [f32], x: &[f32], w: &[f32], n_in: usize, update: Update) {
    let (n, n_out) = shape(x.len(), w.len(), n_in);
    assert_eq!(y.len(), n * n_out, "y is not [{n}, {n_out}]");
    let starts = [0, n as u32];
    let x = Rows::all(x, n_in);
    let product =
        Product { x, starts: &starts, n_cols: n_out, paired: false, update, epilogue: Nothing };
    let right = |_| Right::Transposed { values: w, stride: n_in };
    rows::multiply(pool, SharedMut::new(y), &product, right);
}

/// dx[n, in] (+)= dy[n, out] · w, w [out, in].
///
/// # Panics
/// When the lengths do not fit together.
pub fn linear_input_gradient(
    pool: &Pool,
    dx: &mut [f32],
    dy: &[f32],
    w: &[f32],
    n_in: usize,
    update: Update,
) {
    let (n, n_out) = shape(dx.len(), w.len(), n_in);
    assert_eq!(dy.len(), n * n_out, "dy is not [{n}, {n_out}]");
    let starts = [0, n as u32];
    let x = Rows::all(dy, n_out);
    let product =
        Product { x, starts: &starts, n_cols: n_in, paired: false, update, epilogue: Nothing };
    let right = |_| Right::Plain { values: w, stride: n_in };
    rows::multiply(pool, SharedMut::new(dx), &product, right);
}

/// dw[out, in] (+)= dyᵀ · x over n rows.
///
/// # Panics
/// When the lengths do not fit together.
pub fn linear_weight_gradient(
    pool: &Pool,
    dw: &mut [f32],
    dy: &[f32],
    x: &[f32],
    n_in: usize,
    update: Update,
) {
    let (n, n_out) = shape(x.len(), dw.len(), n_in);
    assert_eq!(dy.len(), n * n_out, "dy is not [{n}, {n_out}]");
    let (a, b) = (Rows::all(dy, n_out), Rows::all(x, n_in));
    let outer = Outer { a, b, starts: &[0, n as u32], update };
    outer::accumulate(pool, SharedMut::new(dw), &outer, |_| 0);
}

/// Rows of x and of w.
fn shape(x_len: usize, w_len: usize, n_in: usize) -> (usize, usize) {
    assert!(n_in > 0, "a layer without inputs");
    assert!(
        x_len.is_multiple_of(n_in) && w_len.is_multiple_of(n_in),
        "{x_len} values and a weight of {w_len} are no whole number of rows of {n_in}"
    );
    (x_len / n_in, w_len / n_in)
}
