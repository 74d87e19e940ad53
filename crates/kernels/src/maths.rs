//! Vectorised exponential and what follows from it.

use crate::lanes::Lanes;

/// `e^v`, relative error below 2e-7; exactly 0 below −86.9, `e^88.7` above 88.7,
/// not a number where `v` is not.
///
/// v = n · ln 2 + r with |r| ≤ ln 2 / 2, and e^v = 2^n · e^r. e^r is a polynomial of degree 6 with the smallest
/// maximum of its relative error, 4e-9, among those that begin like the series, so rounding dominates. ln 2 is split in
/// two so that n · ln 2 is exact enough.
#[inline(always)]
pub(crate) fn exp<L: Lanes>(lanes: L, v: L::F) -> L::F {
    const LOWEST: f32 = -86.9;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    /// f32 of this size are the whole numbers, so adding it rounds.
    const WHOLE: f32 = 1.5 * (1 << 23) as f32;
    const POLYNOMIAL: [f32; 7] =
        [1.0, 1.0, 0.5, 0.166_665_33, 0.041_667_24, 0.008_367_542, 0.001_386_372_7];
    let x = lanes.min(lanes.splat(88.7), v);
    let log_2_e = lanes.splat(std::f32::consts::LOG2_E);
    let n = lanes.sub(lanes.fma(x, log_2_e, lanes.splat(WHOLE)), lanes.splat(WHOLE));
    let r = lanes.fma(n, lanes.splat(-LN_2_HIGH), x);
    let r = lanes.fma(n, lanes.splat(-LN_2_LOW), r);
    let mut p = lanes.splat(POLYNOMIAL[6]);
    for i in (0..6).rev() {
        p = lanes.fma(p, r, lanes.splat(POLYNOMIAL[i]));
    }
    let result = lanes.times_power_of_two(p, n);
    lanes.select_less(v, lanes.splat(LOWEST), lanes.splat(0.0), result)
}

/// `1 / (1 + e^−v)`.
#[inline(always)]
pub(crate) fn sigmoid<L: Lanes>(lanes: L, v: L::F) -> L::F {
    let one = lanes.splat(1.0);
    lanes.div(one, lanes.add(one, exp(lanes, lanes.sub(lanes.splat(0.0), v))))
}

/// `tanh v = 2 · sigmoid(2v) − 1`, absolute error below 2e-7.
#[inline(always)]
pub(crate) fn tanh<L: Lanes>(lanes: L, v: L::F) -> L::F {
    let two = lanes.splat(2.0);
    lanes.fma(two, sigmoid(lanes, lanes.mul(two, v)), lanes.splat(-1.0))
}

/// The error function, absolute error below 3e-7.
///
/// For |v| < 1 its Taylor series 2/√π Σ (−1)ⁿ v^(2n+1) / (n! (2n+1)) up to v¹⁹ (truncation below 2e-8), which keeps
/// the relative error small too; beyond, 1 − (a₁ t + … + a₅ t⁵) e^(−v²) with t = 1 / (1 + p |v|), Abramowitz and
/// Stegun 7.1.26 (its own error is below 1.5e-7).
#[inline(always)]
pub(crate) fn erf<L: Lanes>(lanes: L, v: L::F) -> L::F {
    const P: f32 = 0.327_591_1;
    const A: [f32; 5] = [0.254_829_6, -0.284_496_72, 1.421_413_8, -1.453_152, 1.061_405_4];
    let zero = lanes.splat(0.0);
    let one = lanes.splat(1.0);
    let negated = lanes.sub(zero, v);
    let magnitude = lanes.max(negated, v);
    let t = lanes.div(one, lanes.fma(lanes.splat(P), magnitude, one));
    let mut p = lanes.splat(A[4]);
    for a in [A[3], A[2], A[1], A[0]] {
        p = lanes.fma(p, t, lanes.splat(a));
    }
    let minus_square = lanes.mul(negated, v);
    let tail = lanes.mul(lanes.mul(p, t), exp(lanes, minus_square));
    let positive = lanes.sub(one, tail);
    let far = lanes.select_less(v, zero, lanes.sub(zero, positive), positive);
    let mut series = lanes.splat(SERIES[9]);
    for n in (0..9).rev() {
        series = lanes.fma(series, minus_square, lanes.splat(SERIES[n]));
    }
    lanes.select_less(magnitude, one, lanes.mul(v, series), far)
}

/// 2/√π / (n! (2n+1)): the series of the error function without its signs.
const SERIES: [f32; 10] = {
    let mut terms = [0.0; 10];
    let mut inverse_factorial = 1.0;
    let mut n = 0;
    while n < 10 {
        terms[n] =
            (std::f64::consts::FRAC_2_SQRT_PI * inverse_factorial / (2 * n + 1) as f64) as f32;
        n += 1;
        inverse_factorial /= n as f64;
    }
    terms
};

/// ½ v (1 + erf(v / √2)).
#[inline(always)]
pub(crate) fn gelu<L: Lanes>(lanes: L, v: L::F) -> L::F {
    let erf = erf(lanes, lanes.mul(v, lanes.splat(std::f32::consts::FRAC_1_SQRT_2)));
    let half = lanes.mul(v, lanes.splat(0.5));
    lanes.fma(half, erf, half)
}

/// [`gelu`] within 2e-4, at a quarter of its cost, for values that are rounded to eight bits afterwards.
///
/// v · (½ + odd polynomial of v / 4), with v / 4 held to −1 … 1. The coefficients are a weighted least-squares fit,
/// iterated towards the smallest maximum of the error of the product, under the condition that they add up to ½:
/// so v ≥ 4 gives v and v ≤ −4 gives 0.
#[inline(always)]
pub(crate) fn gelu_coarse<L: Lanes>(lanes: L, v: L::F) -> L::F {
    const FIT: [f32; 7] =
        [1.591_481_1, -4.131_482_5, 8.974_02, -13.306_882, 12.521_02, -6.664_026_6, 1.515_869_8];
    let one = lanes.splat(1.0);
    let quarter = lanes.mul(v, lanes.splat(0.25));
    let t = lanes.min(one, lanes.max(lanes.splat(-1.0), quarter));
    let square = lanes.mul(t, t);
    let mut p = lanes.splat(FIT[6]);
    for n in (0..6).rev() {
        p = lanes.fma(p, square, lanes.splat(FIT[n]));
    }
    lanes.mul(v, lanes.fma(p, t, lanes.splat(0.5)))
}
