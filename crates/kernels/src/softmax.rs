//! Softmax and its logarithm over rows of logits.
//!
//! softmax(x)ᵢ = e^(xᵢ − max x) / Σ e^(xⱼ − max x). Sums are f32, in as many partial sums as the vector has lanes.

use crate::isa::{Isa, Kernel};
use crate::lanes::Lanes;
use crate::maths;
use crate::reduce::highest;

/// Each row of `width` values of `x` becomes a probability distribution, in place.
///
/// # Panics
/// When `x` is no whole number of rows.
pub fn softmax(x: &mut [f32], width: usize) {
    softmax_on(Isa::detect(), x, width);
}

/// Each row of `width` values of `x` becomes log-probabilities, in place.
///
/// # Panics
/// When `x` is no whole number of rows.
pub fn log_softmax(x: &mut [f32], width: usize) {
    log_softmax_on(Isa::detect(), x, width);
}

pub(crate) fn softmax_on(isa: Isa, x: &mut [f32], width: usize) {
    for row in rows(x, width) {
        isa.dispatch(Softmax { x: row });
    }
}

pub(crate) fn log_softmax_on(isa: Isa, x: &mut [f32], width: usize) {
    for row in rows(x, width) {
        isa.dispatch(LogSoftmax { x: row });
    }
}

fn rows(x: &mut [f32], width: usize) -> std::slice::ChunksExactMut<'_, f32> {
    assert!(
        if width == 0 { x.is_empty() } else { x.len().is_multiple_of(width) },
        "x of {} values is no whole number of rows of {width}",
        x.len()
    );
    x.chunks_exact_mut(width.max(1))
}

struct Softmax<'a> {
    x: &'a mut [f32],
}

impl Kernel for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let highest = highest(lanes, self.x);
        // SAFETY: reads and writes the whole of x, each element read before it is written.
        let total = unsafe {
            exp_sum(lanes, self.x.as_ptr(), self.x.len(), highest, Some(self.x.as_mut_ptr()))
        };
        let inverse = 1.0 / total;
        for v in self.x {
            *v *= inverse;
        }
    }
}

struct LogSoftmax<'a> {
    x: &'a mut [f32],
}

impl Kernel for LogSoftmax<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let highest = highest(lanes, self.x);
        // SAFETY: reads the whole of x.
        let total = unsafe { exp_sum(lanes, self.x.as_ptr(), self.x.len(), highest, None) };
        let log_total = total.ln();
        for v in self.x {
            *v = (*v - highest) - log_total;
        }
    }
}

/// Σ e^(xᵢ − shift); the terms are stored when there is a place for them, which may be x itself.
///
/// # Safety
/// `x` and `terms` point to `len` values.
#[inline(always)]
pub(crate) unsafe fn exp_sum<L: Lanes>(
    lanes: L,
    x: *const f32,
    len: usize,
    shift: f32,
    terms: Option<*mut f32>,
) -> f32 {
    let offset = lanes.splat(shift);
    let mut sum = lanes.splat(0.0);
    let mut i = 0;
    // SAFETY: i + N ≤ len; at the end only the `len − i` values left are copied.
    unsafe {
        while i + L::N <= len {
            let e = maths::exp(lanes, lanes.sub(lanes.load(x.add(i)), offset));
            sum = lanes.add(sum, e);
            if let Some(terms) = terms {
                lanes.store(terms.add(i), e);
            }
            i += L::N;
        }
        if i < len {
            let mut values = [f32::NEG_INFINITY; 16];
            std::ptr::copy_nonoverlapping(x.add(i), values.as_mut_ptr(), len - i);
            let e = maths::exp(lanes, lanes.sub(lanes.load(values.as_ptr()), offset));
            sum = lanes.add(sum, e);
            if let Some(terms) = terms {
                lanes.store(values.as_mut_ptr(), e);
                std::ptr::copy_nonoverlapping(values.as_ptr(), terms.add(i), len - i);
            }
        }
    }
    lanes.sum(sum)
}
