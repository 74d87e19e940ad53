//! A projection: a stored matrix and, for some, a bias.

use kernels::activation::add_bias;
use kernels::matmul::matmul;
use kernels::pool::Pool;

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
        matmul(pool, y, x, &self.matrix.view());
        if let Some(bias) = &self.bias {
            add_bias(pool, y, bias);
        }
    }
}
