use proptest::prelude::*;

use super::{Random, assert_close, every_pool};
use crate::format::Matrix;
use crate::int8::{self, Epilogue, PackedWeights, Product};
use crate::pool::Pool;
use crate::reference;

/// The row as it is after rounding to −127 … 127 steps of its largest magnitude.
fn rounded(row: &[f32]) -> Vec<f32> {
    let scale = row.iter().fold(0.0f32, |a, v| a.max(v.abs())) / 127.0;
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    row.iter().map(|v| (v * inverse).round_ties_even() * scale).collect()
}

fn matmul(
    pool: &Pool,
    y: &mut [f32],
    x: &[f32],
    w: &PackedWeights,
    bias: Option<&[f32]>,
    epilogue: Epilogue,
) {
    int8::matmul(pool, &mut [Product { y, w, bias }], x, epilogue);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The integers are exact, so the product of the rounded numbers is met to f32 rounding.
    #[test]
    fn products_of_rounded_numbers_are_exact(
        n in 0usize..80, rows in 0usize..230, cols in 1usize..300, with_bias: bool, end in 0usize..3, seed: u64,
    ) {
        let random = &mut Random(seed);
        let (weights, bias) = (random.values(rows * cols), random.values(rows));
        let (x, before) = (random.values(n * cols), random.values(n * rows));
        let packed = PackedWeights::from_f32(rows, cols, &weights);
        let bias = with_bias.then_some(&bias[..]);
        let rounded_weights = packed.dequantize();
        let rounded_x: Vec<f32> = x.chunks(cols).flat_map(rounded).collect();
        let w = Matrix::from_f32(rows, cols, &rounded_weights).unwrap();
        let mut expected = vec![0.0; n * rows];
        reference::matmul(&mut expected, &rounded_x, &w);
        let epilogue = [Epilogue::None, Epilogue::Gelu, Epilogue::Add][end];
        for (i, v) in expected.iter_mut().enumerate() {
            let sum = *v + bias.map_or(0.0, |b| b[i % rows]);
            *v = match epilogue {
                Epilogue::None => sum,
                Epilogue::Gelu => reference::gelu_erf(sum),
                Epilogue::Add => before[i] + sum,
            };
        }
        for pool in every_pool() {
            let mut y = before.clone();
            matmul(&pool, &mut y, &x, &packed, bias, epilogue);
            let tolerance = if epilogue == Epilogue::Gelu { 2.1e-4 } else { 5e-6 };
            assert_close(&y, &expected, tolerance, pool.isa().name());
        }
    }

    /// Products that share their x give the bits they give alone.
    #[test]
    fn together_as_alone(n in 1usize..70, rows in [1usize..230, 1..230, 1..20], cols in 1usize..200, seed: u64) {
        let random = &mut Random(seed);
        let x = random.values(n * cols);
        let packed = rows.map(|rows| PackedWeights::from_f32(rows, cols, &random.values(rows * cols)));
        for pool in every_pool() {
            let mut y = rows.map(|rows| vec![f32::NAN; n * rows]);
            let alone = packed.each_ref().map(|w| {
                let mut y = vec![0.0; n * w.rows()];
                matmul(&pool, &mut y, &x, w, None, Epilogue::Gelu);
                y
            });
            let mut products: Vec<Product<'_>> =
                y.iter_mut().zip(&packed).map(|(y, w)| Product { y, w, bias: None }).collect();
            int8::matmul(&pool, &mut products, &x, Epilogue::Gelu);
            prop_assert_eq!(&y, &alone);
        }
    }

    #[test]
    fn rounding_costs_about_a_percent(cols in 64usize..800, seed: u64) {
        let random = &mut Random(seed);
        let (n, rows) = (4, 32);
        let (weights, x) = (random.values(rows * cols), random.values(n * cols));
        let packed = PackedWeights::from_f32(rows, cols, &weights);
        let (mut exact, mut y) = (vec![0.0; n * rows], vec![0.0; n * rows]);
        reference::matmul(&mut exact, &x, &Matrix::from_f32(rows, cols, &weights).unwrap());
        matmul(&Pool::new(1), &mut y, &x, &packed, None, Epilogue::None);
        let norm = |v: &[f32]| v.iter().map(|v| v * v).sum::<f32>().sqrt();
        let difference: Vec<f32> = exact.iter().zip(&y).map(|(a, b)| a - b).collect();
        prop_assert!(norm(&difference) < 0.02 * norm(&exact));
    }
}

/// All bytes at the end of their range with the same sign: the sums of pairs are the largest there are.
#[test]
fn the_largest_products_do_not_saturate() {
    let (rows, cols) = (17, 512);
    let weights: Vec<f32> =
        (0..rows * cols).map(|i| if i / cols % 2 == 0 { 1.0 } else { -1.0 }).collect();
    let packed = PackedWeights::from_f32(rows, cols, &weights);
    let x = vec![3.0; 5 * cols];
    for pool in every_pool() {
        let mut y = vec![0.0; 5 * rows];
        matmul(&pool, &mut y, &x, &packed, None, Epilogue::None);
        let expected: Vec<f32> =
            (0..5 * rows).map(|i| if i % rows % 2 == 0 { 1536.0 } else { -1536.0 }).collect();
        assert_close(&y, &expected, 1e-6, pool.isa().name());
    }
}

#[test]
fn rows_of_zeros_give_the_bias() {
    let packed = PackedWeights::from_f32(3, 8, &[0.0; 24]);
    for pool in every_pool() {
        let mut y = vec![f32::NAN; 6];
        matmul(&pool, &mut y, &[0.0; 16], &packed, Some(&[1.0, 2.0, 3.0]), Epilogue::None);
        assert_eq!(y, [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
    }
}
