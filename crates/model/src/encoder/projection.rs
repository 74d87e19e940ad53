//! A projection of the encoder in the precision that was asked for.

use kernels::activation;
use kernels::int8::{self, PackedWeights};
use kernels::pool::Pool;

pub(super) use kernels::int8::Epilogue;

use super::Precision;
use crate::Error;
use crate::weights::Weights;
use crate::weights::linear::Linear;

/// Most inputs of an eight-bit product: beyond that its 32-bit sums could overflow.
const MAX_INT8_INPUTS: usize = 1 << 16;

/// x·Wᵀ + b with f32 or eight-bit arithmetic.
pub(super) enum Projection {
    Exact(Linear),
    Int8 { weights: PackedWeights, bias: Vec<f32> },
}

impl Projection {
    /// Loads `{name}.weight` of `rows` outputs and `cols` inputs and `{name}.bias`.
    pub(super) fn load(
        weights: &Weights,
        name: &str,
        rows: usize,
        cols: usize,
        precision: Precision,
    ) -> Result<Self, Error> {
        let linear = Linear::load(weights, name, rows, cols, true)?;
        if precision == Precision::Exact || cols > MAX_INT8_INPUTS {
            return Ok(Self::Exact(linear));
        }
        let view = linear.matrix.view();
        let mut values = vec![0.0; rows * cols];
        for (row_idx, row) in values.chunks_exact_mut(cols).enumerate() {
            view.dequantize_row(row, row_idx);
        }
        let weights = PackedWeights::from_f32(rows, cols, &values);
        Ok(Self::Int8 { weights, bias: linear.bias.unwrap_or_default() })
    }

    /// y `[n, rows]` = epilogue(x `[n, cols]` · Wᵀ + b); with [`Epilogue::Add`] it is added to y.
    pub(super) fn apply(&self, pool: &Pool, y: &mut [f32], x: &[f32], epilogue: Epilogue) {
        match (self, epilogue) {
            (Self::Int8 { weights, bias }, _) => {
                int8::matmul(pool, y, x, weights, Some(bias), epilogue);
            }
            (Self::Exact(linear), Epilogue::None) => linear.apply(pool, y, x),
            (Self::Exact(linear), Epilogue::Gelu) => {
                linear.apply(pool, y, x);
                activation::gelu_erf(pool, y);
            }
            (Self::Exact(linear), Epilogue::Add) => {
                let mut update = vec![0.0; y.len()];
                linear.apply(pool, &mut update, x);
                activation::add(pool, y, &update);
            }
        }
    }
}

impl std::fmt::Debug for Projection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exact(linear) => linear.fmt(f),
            Self::Int8 { weights, .. } => {
                write!(f, "Int8 [{}, {}]", weights.rows(), weights.cols())
            }
        }
    }
}
