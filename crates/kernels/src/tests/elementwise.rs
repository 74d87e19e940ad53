use proptest::prelude::*;

use super::{Random, assert_close, every_isa, every_pool};
use crate::isa::{Isa, Kernel};
use crate::lanes::Lanes;
use crate::{activation, maths, norm, reference, softmax};

#[derive(Clone, Copy, Debug)]
enum Function {
    Exp,
    Erf,
    Tanh,
    Sigmoid,
}

struct Apply<'a> {
    x: &'a mut [f32],
    function: Function,
}

impl Kernel for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        for chunk in self.x.chunks_exact_mut(L::N) {
            // SAFETY: the chunk has N values.
            unsafe {
                let v = lanes.load(chunk.as_ptr());
                let y = match self.function {
                    Function::Exp => maths::exp(lanes, v),
                    Function::Erf => maths::erf(lanes, v),
                    Function::Tanh => maths::tanh(lanes, v),
                    Function::Sigmoid => maths::sigmoid(lanes, v),
                };
                lanes.store(chunk.as_mut_ptr(), y);
            }
        }
    }
}

fn apply(isa: Isa, function: Function, x: &[f32]) -> Vec<f32> {
    let mut y = x.to_vec();
    isa.dispatch(Apply { x: &mut y, function });
    y
}

/// A fine grid from `from` to `to`, a whole number of vectors.
fn grid(from: f32, to: f32) -> Vec<f32> {
    (0..160_000).map(|i| from + (to - from) * i as f32 / 160_000.0).collect()
}

#[test]
fn exp_is_accurate_to_2e_7_and_zero_far_below() {
    let x = grid(-86.8, 88.6);
    for isa in every_isa() {
        for (x, y) in x.iter().zip(apply(isa, Function::Exp, &x)) {
            let exact = f64::from(*x).exp();
            let error = (f64::from(y) / exact - 1.0).abs();
            assert!(error < 2e-7, "exp({x}) = {y} on {isa}: relative error {error:e}");
        }
        let ends = [f32::NEG_INFINITY, -1e30, -87.5, 0.0, 88.7, f32::NAN, -87.0, 1.0];
        let y = apply(isa, Function::Exp, &ends.repeat(2));
        assert_eq!(y[..4], [0.0, 0.0, 0.0, 1.0]);
        assert!(y[4].is_finite() && y[5].is_nan());
    }
}

#[test]
fn erf_tanh_and_sigmoid_are_accurate_to_3e_7() {
    let x = grid(-12.0, 12.0);
    for isa in every_isa() {
        for function in [Function::Erf, Function::Tanh, Function::Sigmoid] {
            for (x, y) in x.iter().zip(apply(isa, function, &x)) {
                let v = f64::from(*x);
                let exact = match function {
                    Function::Erf => reference::erf(v),
                    Function::Tanh => v.tanh(),
                    _ => 1.0 / (1.0 + (-v).exp()),
                };
                let error = (f64::from(y) - exact).abs();
                assert!(error < 3e-7, "{function:?}({x}) = {y} on {isa}: error {error:e}");
            }
        }
    }
}

#[test]
fn the_reference_error_function_meets_published_values() {
    for (v, exact) in [(0.5, 0.520_499_877_8), (1.0, 0.842_700_792_9), (2.0, 0.995_322_265_0)] {
        assert!((reference::erf(v) - exact).abs() < 1e-9);
        assert!((reference::erf(-v) + exact).abs() < 1e-9);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn activations_agree_with_the_reference(len in 0usize..300, spread in 0.1f32..20.0, seed: u64) {
        let random = &mut Random(seed);
        let gate: Vec<f32> = random.values(len).iter().map(|v| v * spread).collect();
        let up = random.values(len);
        for pool in every_pool() {
            let isa = pool.isa().name();
            let map = |f: fn(f32) -> f32| -> Vec<f32> { gate.iter().map(|&v| f(v)).collect() };
            let times_up = |v: Vec<f32>| -> Vec<f32> { v.iter().zip(&up).map(|(a, b)| a * b).collect() };
            let mut y = vec![f32::NAN; len];
            activation::silu_mul(&pool, &mut y, &gate, &up);
            assert_close(&y, &times_up(map(reference::silu)), 1e-6, isa);
            activation::gelu_tanh_mul(&pool, &mut y, &gate, &up);
            assert_close(&y, &times_up(map(reference::gelu_tanh)), 1e-6, isa);
            for (run, f) in [
                (activation::silu as fn(&_, &mut _), reference::silu as fn(f32) -> f32),
                (activation::gelu_tanh, reference::gelu_tanh),
                (activation::gelu_erf, reference::gelu_erf),
            ] {
                y.copy_from_slice(&gate);
                run(&pool, &mut y);
                assert_close(&y, &map(f), 1e-6, isa);
            }
            y.copy_from_slice(&gate);
            activation::soft_cap(&pool, &mut y, 5.0);
            let capped: Vec<f32> = gate.iter().map(|v| 5.0 * (v / 5.0).tanh()).collect();
            assert_close(&y, &capped, 2e-6, isa);
            y.copy_from_slice(&gate);
            activation::add(&pool, &mut y, &up);
            activation::scale(&pool, &mut y, 0.5);
            let sums: Vec<f32> = gate.iter().zip(&up).map(|(a, b)| (a + b) * 0.5).collect();
            prop_assert_eq!(&y, &sums);
        }
    }

    #[test]
    fn a_bias_is_added_to_every_row(rows in 0usize..40, width in 1usize..40, seed: u64) {
        let random = &mut Random(seed);
        let (x, bias) = (random.values(rows * width), random.values(width));
        let expected: Vec<f32> = x.iter().enumerate().map(|(i, v)| v + bias[i % width]).collect();
        for pool in every_pool() {
            let mut y = x.clone();
            activation::add_bias(&pool, &mut y, &bias);
            prop_assert_eq!(&y, &expected);
        }
    }

    #[test]
    fn norms_agree_with_the_reference(rows in 0usize..70, width in 1usize..600, seed: u64) {
        let random = &mut Random(seed);
        let x = random.values(rows * width);
        let (gain, bias) = (random.values(width), random.values(width));
        let mut expected = vec![0.0; x.len()];
        for pool in every_pool() {
            let mut y = vec![f32::NAN; x.len()];
            norm::rms_norm(&pool, &mut y, &x, &gain, 1e-5);
            reference::rms_norm(&mut expected, &x, &gain, 1e-5);
            assert_close(&y, &expected, 2e-6, pool.isa().name());
            y.copy_from_slice(&x);
            norm::rms_norm_in_place(&pool, &mut y, &gain, 1e-5);
            assert_close(&y, &expected, 2e-6, pool.isa().name());
            if width > 1 {
                // A width of one has no variance, only rounding noise over the root of eps.
                norm::layer_norm(&pool, &mut y, &x, &gain, &bias, 1e-5);
                reference::layer_norm(&mut expected, &x, &gain, &bias, 1e-5);
                assert_close(&y, &expected, 2e-5, pool.isa().name());
            }
        }
    }

    #[test]
    fn softmax_and_its_logarithm_agree_with_the_reference(
        rows in 0usize..4, width in 1usize..400, spread in 0.1f32..90.0, seed: u64,
    ) {
        let x: Vec<f32> = Random(seed).values(rows * width).iter().map(|v| v * spread).collect();
        let (mut probabilities, mut logs) = (x.clone(), x.clone());
        probabilities.chunks_exact_mut(width).for_each(reference::softmax);
        logs.chunks_exact_mut(width).for_each(reference::log_softmax);
        for isa in every_isa() {
            let mut y = x.clone();
            softmax::softmax_on(isa, &mut y, width);
            assert_close(&y, &probabilities, 1e-6, isa.name());
            y.copy_from_slice(&x);
            softmax::log_softmax_on(isa, &mut y, width);
            assert_close(&y, &logs, 1e-6, isa.name());
        }
    }
}
