//! From many numbers to one: the largest.

use crate::lanes::Lanes;

/// The largest value; −∞ of none.
#[inline(always)]
pub(crate) fn highest<L: Lanes>(lanes: L, x: &[f32]) -> f32 {
    let mut best = lanes.splat(f32::NEG_INFINITY);
    let chunks = x.chunks_exact(L::N);
    let rest = chunks.remainder();
    for chunk in chunks {
        // SAFETY: the chunk has N values.
        best = lanes.max(best, unsafe { lanes.load(chunk.as_ptr()) });
    }
    rest.iter().fold(lanes.largest(best), |a, &v| if a > v { a } else { v })
}

/// The largest absolute value; 0 of none.
#[inline(always)]
pub(crate) fn largest_magnitude<L: Lanes>(lanes: L, x: &[f32]) -> f32 {
    let zero = lanes.splat(0.0);
    let mut best = zero;
    let chunks = x.chunks_exact(L::N);
    let rest = chunks.remainder();
    for chunk in chunks {
        // SAFETY: the chunk has N values.
        let v = unsafe { lanes.load(chunk.as_ptr()) };
        best = lanes.max(best, lanes.max(v, lanes.sub(zero, v)));
    }
    rest.iter().fold(lanes.largest(best), |a, v| a.max(v.abs()))
}
