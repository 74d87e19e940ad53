//! f32 products for training against sums in f64.

use proptest::prelude::*;

use super::{Random, assert_close, every_isa, every_pool};
use crate::gemm::{Update, linear, linear_input_gradient, linear_weight_gradient};
use crate::pool::Pool;

/// c[i][j] = Σ_k a(i, k) b(k, j) on top of what stands in c.
fn naive(
    c: &mut [f32],
    (m, n, k): (usize, usize, usize),
    a: impl Fn(usize, usize) -> f32,
    b: impl Fn(usize, usize) -> f32,
) {
    for i in 0..m {
        for j in 0..n {
            let sum: f64 = (0..k).map(|k| f64::from(a(i, k)) * f64::from(b(k, j))).sum();
            c[i * n + j] = (f64::from(c[i * n + j]) + sum) as f32;
        }
    }
}

/// Lengths around every block boundary: 0, 1, odd, and beyond one pass.
fn any_size() -> impl Strategy<Value = (usize, usize, usize)> {
    (0usize..220, 1usize..150, prop_oneof![1usize..60, 500usize..540])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_three_products_of_a_layer_agree_with_sums_in_f64(
        (n, n_out, n_in) in any_size(), add: bool, seed: u64,
    ) {
        let random = &mut Random(seed);
        let (x, w) = (random.values(n * n_in), random.values(n_out * n_in));
        let dy = random.values(n * n_out);
        let update = if add { Update::Add } else { Update::Replace };
        let start = |len: usize, random: &mut Random| {
            if add { random.values(len) } else { vec![f32::NAN; len] }
        };
        let (y0, dx0) = (start(n * n_out, random), start(n * n_in, random));
        let dw0 = start(n_out * n_in, random);
        let zero = |v: &[f32]| if add { v.to_vec() } else { vec![0.0; v.len()] };
        let (mut y, mut dx, mut dw) = (zero(&y0), zero(&dx0), zero(&dw0));
        naive(&mut y, (n, n_out, n_in), |i, k| x[i * n_in + k], |k, j| w[j * n_in + k]);
        naive(&mut dx, (n, n_in, n_out), |i, k| dy[i * n_out + k], |k, j| w[k * n_in + j]);
        naive(&mut dw, (n_out, n_in, n), |i, k| dy[k * n_out + i], |k, j| x[k * n_in + j]);
        for pool in every_pool() {
            let name = pool.isa().name();
            let (mut got_y, mut got_dx, mut got_dw) = (y0.clone(), dx0.clone(), dw0.clone());
            linear(&pool, &mut got_y, &x, &w, n_in, update);
            assert_close(&got_y, &y, 2e-5, name);
            linear_input_gradient(&pool, &mut got_dx, &dy, &w, n_in, update);
            assert_close(&got_dx, &dx, 2e-5, name);
            linear_weight_gradient(&pool, &mut got_dw, &dy, &x, n_in, update);
            assert_close(&got_dw, &dw, 2e-5, name);
        }
    }

    #[test]
    fn products_have_the_same_bits_on_any_number_of_threads(
        (n, n_out, n_in) in any_size(), seed: u64,
    ) {
        let random = &mut Random(seed);
        let (x, w) = (random.values(n * n_in), random.values(n_out * n_in));
        let dy = random.values(n * n_out);
        for isa in every_isa() {
            let bits = |threads| {
                let pool = Pool::with_isa(threads, isa);
                let mut all = vec![0.0; n * n_out + n * n_in + n_out * n_in];
                let (y, rest) = all.split_at_mut(n * n_out);
                let (dx, dw) = rest.split_at_mut(n * n_in);
                linear(&pool, y, &x, &w, n_in, Update::Replace);
                linear_input_gradient(&pool, dx, &dy, &w, n_in, Update::Replace);
                linear_weight_gradient(&pool, dw, &dy, &x, n_in, Update::Replace);
                all.into_iter().map(f32::to_bits).collect::<Vec<_>>()
            };
            let alone = bits(1);
            prop_assert_eq!(&alone, &bits(3));
            prop_assert_eq!(&alone, &bits(8));
        }
    }
}
