//! A projection of the encoder in the precision that was asked for.

use kernels::activation;
use kernels::int8::{self, PackedWeights, Product};
use kernels::pool::Pool;

pub(super) use kernels::int8::Epilogue;

use super::Precision;
use crate::Error;
use crate::weights::Weights;
use crate::weights::linear::Linear;

/// Most inputs of an eight-bit product: beyond that its 32-bit sums could overflow.
const MAX_INT8_INPUTS: usize = 1 << 16;

/// x·Wᵀ + b with f32 arithmetic and, if it was loaded for it, with eight-bit arithmetic.
pub(super) struct Projection {
    exact: Linear,
    int8: Option<PackedWeights>,
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
        let exact = Linear::load(weights, name, rows, cols, true)?;
        if precision == Precision::Exact || cols > MAX_INT8_INPUTS {
            return Ok(Self { exact, int8: None });
        }
        let view = exact.matrix.rows_view();
        let mut values = vec![0.0; rows * cols];
        for (row_idx, row) in values.chunks_exact_mut(cols).enumerate() {
            view.dequantize_row(row, row_idx);
        }
        let int8 = Some(PackedWeights::from_f32(rows, cols, &values));
        Ok(Self { exact, int8 })
    }

    /// y `[n, rows]` = epilogue(x `[n, cols]` · Wᵀ + b); with [`Epilogue::Add`] it is added to y. Exact where no
    /// eight-bit weights were loaded.
    pub(super) fn apply(
        &self,
        pool: &Pool,
        y: &mut [f32],
        x: &[f32],
        epilogue: Epilogue,
        precision: Precision,
    ) {
        if let (Some(w), Precision::Int8) = (&self.int8, precision) {
            let product = Product { y, w, bias: self.exact.bias.as_deref() };
            return int8::matmul(pool, &mut [product], x, epilogue);
        }
        match epilogue {
            Epilogue::None => self.exact.apply(pool, y, x),
            Epilogue::Gelu => {
                self.exact.apply(pool, y, x);
                activation::gelu_erf(pool, y);
            }
            Epilogue::Add => {
                let mut update = vec![0.0; y.len()];
                self.exact.apply(pool, &mut update, x);
                activation::add(pool, y, &update);
            }
        }
    }

    /// Several projections of one x, each without an epilogue: in eight bits x is rounded once for all.
    pub(super) fn apply_each<const N: usize>(
        pool: &Pool,
        outputs: [(&Self, &mut [f32]); N],
        x: &[f32],
        precision: Precision,
    ) {
        if precision == Precision::Exact || outputs.iter().any(|(p, _)| p.int8.is_none()) {
            for (projection, y) in outputs {
                projection.apply(pool, y, x, Epilogue::None, precision);
            }
            return;
        }
        let mut products: Vec<Product<'_>> = outputs
            .into_iter()
            .filter_map(|(p, y)| {
                Some(Product { y, w: p.int8.as_ref()?, bias: p.exact.bias.as_deref() })
            })
            .collect();
        int8::matmul(pool, &mut products, x, Epilogue::None);
    }
}

impl std::fmt::Debug for Projection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let precision = if self.int8.is_some() { Precision::Int8 } else { Precision::Exact };
        write!(f, "{precision:?} {:?}", self.exact)
    }
}
