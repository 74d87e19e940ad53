//! A projection: a stored matrix and, for some, a bias; and what it reads.

use kernels::activation::add_bias;
use kernels::matmul::matmul;
use kernels::pool::Pool;
use kernels::rounded::{self, Product, Rounded, Weight};

use super::{StoredMatrix, Weights};
use crate::Error;

/// y = x·Wᵀ + b.
#[derive(Debug)]
pub struct Linear {
    pub matrix: StoredMatrix,
    pub bias: Option<Vec<f32>>,
}

impl Linear {
    /// Loads `{name}.weight` of `rows` outputs and `cols` inputs and, if `biased`, `{name}.bias`.
    pub fn load(
        weights: &Weights,
        name: &str,
        rows: usize,
        cols: usize,
        biased: bool,
    ) -> Result<Self, Error> {
        let matrix = weights.matrix(&format!("{name}.weight"), rows, cols)?;
        let bias = match biased {
            true => Some(weights.vector(&format!("{name}.bias"), rows)?),
            false => None,
        };
        Ok(Self { matrix, bias })
    }

    /// y `[n, rows]` = x `[n, cols]` · Wᵀ + b.
    pub fn apply(&self, pool: &Pool, y: &mut [f32], x: &[f32]) {
        matmul(pool, y, x, &self.matrix.rows_view());
        if let Some(bias) = &self.bias {
            add_bias(pool, y, bias);
        }
    }
}

/// How products of activations and quantised weights are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// In f32 from the weights as they are stored.
    #[default]
    Exact,
    /// In integers, from the weights as they are stored and activations rounded to eight bits in blocks of 32:
    /// up to twice as fast; docs/kernels.md says what it does to the perplexity. Weights that are stored as floats are
    /// multiplied exactly.
    Fast,
}

/// Rows of activations that several projections read: as f32 and, for fast products, rounded once for all of them.
#[derive(Debug, Default)]
pub struct Input {
    /// `[n, width]`; after a change, [`Input::refresh`].
    pub values: Vec<f32>,
    rounded: Rounded,
    is_rounded: bool,
    /// Rows that rounding would harm, and what it took away of them, rounded in turn.
    harmed: Vec<usize>,
    rests: Rounded,
}

impl Input {
    /// Makes what projections read from `values`, rows of `width`.
    pub fn refresh(&mut self, pool: &Pool, width: usize, precision: Precision) {
        self.is_rounded = precision == Precision::Fast && width.is_multiple_of(BLOCK) && width > 0;
        if self.is_rounded {
            self.rounded.fill(pool, &self.values, width);
            self.harmed.clear();
            self.harmed.extend(self.rounded.towering(TOWERING));
            if !self.harmed.is_empty() {
                self.rests.fill(pool, &self.rounded.rests(&self.values, &self.harmed), width);
            }
        }
    }
}

/// From this ratio of one block to the mean of the others on, what was rounded away of a row is multiplied too, and the
/// row is as good as exact. The first token of a text makes such rows: the "massive activations" (arXiv 2402.17762) that
/// all later tokens attend to.
const TOWERING: f32 = 16.0;

/// Values that are rounded together; all quantised rows are whole numbers of it.
const BLOCK: usize = 32;

/// y `[n, rows]` = x · Wᵀ + b for each of several projections of the same input, shared out among the threads together.
pub fn apply_all(pool: &Pool, outputs: &mut [(&Linear, &mut [f32])], x: &Input) {
    let products = outputs.iter_mut().map(|(linear, y)| (linear.matrix.view(), &mut **y));
    multiply_all(pool, products, x);
    for (linear, y) in outputs {
        if let Some(bias) = &linear.bias {
            add_bias(pool, y, bias);
        }
    }
}

/// [`apply_all`] for bare matrices.
pub fn multiply_all<'a>(
    pool: &Pool,
    products: impl Iterator<Item = (Weight<'a>, &'a mut [f32])>,
    x: &Input,
) {
    let mut in_integers = Vec::new();
    for (w, y) in products {
        match w {
            Weight::Rows(w) if !x.is_rounded || !rounded::supports(w.format()) => {
                matmul(pool, y, &x.values, &w);
            }
            _ => in_integers.push(Product { y, w }),
        }
    }
    if in_integers.is_empty() {
        return;
    }
    rounded::matmul(pool, &mut in_integers, &x.rounded);
    add_rests(pool, &mut in_integers, x);
}

/// Adds the products of what was rounded away of the rows that rounding would harm, all of them together.
fn add_rests(pool: &Pool, products: &mut [Product<'_>], x: &Input) {
    let n = x.harmed.len();
    if n == 0 {
        return;
    }
    let mut buffers: Vec<Vec<f32>> =
        products.iter().map(|product| vec![0.0; n * product.w.rows()]).collect();
    let mut of_rests: Vec<Product<'_>> = products
        .iter()
        .zip(&mut buffers)
        .map(|(product, y)| Product { y: &mut y[..], w: product.w })
        .collect();
    rounded::matmul(pool, &mut of_rests, &x.rests);
    for (product, rests) in products.iter_mut().zip(&buffers) {
        let rows = product.w.rows();
        for (&row, rest) in x.harmed.iter().zip(rests.chunks_exact(rows)) {
            let y = &mut product.y[row * rows..(row + 1) * rows];
            y.iter_mut().zip(rest).for_each(|(y, rest)| *y += rest);
        }
    }
}
