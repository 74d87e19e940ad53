//! From many numbers to one: the largest, and the sum of products.

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

/// Σ aᵢ bᵢ over the shorter length.
#[inline(always)]
pub(crate) fn dot<L: Lanes>(lanes: L, a: &[f32], b: &[f32]) -> f32 {
    let len = a.len().min(b.len());
    let mut sums = [lanes.splat(0.0); 2];
    let mut i = 0;
    // SAFETY: indices stay below both lengths.
    unsafe {
        while i + 2 * L::N <= len {
            for (part, sum) in sums.iter_mut().enumerate() {
                let at = i + part * L::N;
                *sum =
                    lanes.fma(lanes.load(a.as_ptr().add(at)), lanes.load(b.as_ptr().add(at)), *sum);
            }
            i += 2 * L::N;
        }
        if i + L::N <= len {
            let (a, b) = (lanes.load(a.as_ptr().add(i)), lanes.load(b.as_ptr().add(i)));
            sums[0] = lanes.fma(a, b, sums[0]);
            i += L::N;
        }
    }
    let mut total = lanes.sum(lanes.add(sums[0], sums[1]));
    while i < len {
        total += a[i] * b[i];
        i += 1;
    }
    total
}
