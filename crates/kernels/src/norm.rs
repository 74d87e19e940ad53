//! Normalisation of each row to unit size.
//!
//! RMSNorm: y = x · gain / sqrt(mean(x²) + eps), arXiv 1910.07467.
//! LayerNorm: y = (x − mean) · gain / sqrt(variance + eps) + bias, arXiv 1607.06450.
//! Shapes: x, y [rows, width]; gain, bias [width].

use crate::isa::{Isa, Kernel};
use crate::lanes::Lanes;
use crate::pool::Pool;
use crate::scratch::SharedMut;

/// Rows per task, in elements: a task below this costs less than handing it over.
const TASK_ELEMENTS: usize = 16 * 1024;

/// y = x · gain / sqrt(mean(x²) + eps), row by row.
///
/// # Panics
/// When x is no whole number of rows or y differs in length.
pub fn rms_norm(pool: &Pool, y: &mut [f32], x: &[f32], gain: &[f32], eps: f32) {
    check(y.len(), x.len(), gain.len());
    by_rows(pool, y, gain.len(), |first, y| {
        let x = &x[first * gain.len()..][..y.len()];
        rows(pool.isa(), y, x, gain, None, eps);
    });
}

/// [`rms_norm`] in place: for heads that are normalised where they stand.
pub fn rms_norm_in_place(pool: &Pool, x: &mut [f32], gain: &[f32], eps: f32) {
    check(x.len(), x.len(), gain.len());
    by_rows(pool, x, gain.len(), |_, x| {
        pool.isa().dispatch(InPlace { x, gain, eps });
    });
}

/// y = (x − mean) · gain / sqrt(variance + eps) + bias, row by row; the variance divides by the width.
///
/// # Panics
/// When x is no whole number of rows, y differs in length, or gain and bias do.
pub fn layer_norm(pool: &Pool, y: &mut [f32], x: &[f32], gain: &[f32], bias: &[f32], eps: f32) {
    check(y.len(), x.len(), gain.len());
    assert_eq!(gain.len(), bias.len(), "gain and bias differ in length");
    by_rows(pool, y, gain.len(), |first, y| {
        let x = &x[first * gain.len()..][..y.len()];
        rows(pool.isa(), y, x, gain, Some(bias), eps);
    });
}

fn check(y_len: usize, x_len: usize, width: usize) {
    assert_eq!(y_len, x_len, "y and x differ in length");
    assert!(
        if width == 0 { x_len == 0 } else { x_len.is_multiple_of(width) },
        "x of {x_len} values is no whole number of rows of {width}"
    );
}

/// Hands out whole rows of `y` together with the index of the first.
pub(crate) fn by_rows(
    pool: &Pool,
    y: &mut [f32],
    width: usize,
    work: impl Fn(usize, &mut [f32]) + Sync,
) {
    if y.is_empty() {
        return;
    }
    let n_rows = y.len() / width;
    let task_rows = (TASK_ELEMENTS / width).max(1);
    let y = SharedMut::new(y);
    pool.run(n_rows.div_ceil(task_rows), |task_idx| {
        let first = task_idx * task_rows;
        let n = task_rows.min(n_rows - first);
        // SAFETY: tasks have disjoint ranges of rows.
        work(first, unsafe { y.part(first * width, n * width) });
    });
}

fn rows(isa: Isa, y: &mut [f32], x: &[f32], gain: &[f32], bias: Option<&[f32]>, eps: f32) {
    match bias {
        None => isa.dispatch(Rms { y, x, gain, eps }),
        Some(bias) => isa.dispatch(Layer { y, x, gain, bias, eps }),
    }
}

struct Rms<'a> {
    y: &'a mut [f32],
    x: &'a [f32],
    gain: &'a [f32],
    eps: f32,
}

impl Kernel for Rms<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let width = self.gain.len();
        for (y, x) in self.y.chunks_exact_mut(width).zip(self.x.chunks_exact(width)) {
            // SAFETY: x, y and gain are `width` long.
            unsafe {
                let scale = inverse_rms(lanes, x.as_ptr(), width, self.eps);
                scale_row(lanes, y.as_mut_ptr(), x.as_ptr(), self.gain, scale);
            }
        }
    }
}

struct InPlace<'a> {
    x: &'a mut [f32],
    gain: &'a [f32],
    eps: f32,
}

impl Kernel for InPlace<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let width = self.gain.len();
        for x in self.x.chunks_exact_mut(width) {
            let x = x.as_mut_ptr();
            // SAFETY: x and gain are `width` long; each element is read before it is written.
            unsafe {
                let scale = inverse_rms(lanes, x, width, self.eps);
                scale_row(lanes, x, x, self.gain, scale);
            }
        }
    }
}

/// # Safety
/// `x` points to `width` values.
#[inline(always)]
unsafe fn inverse_rms<L: Lanes>(lanes: L, x: *const f32, width: usize, eps: f32) -> f32 {
    // SAFETY: the caller's promise.
    let squares = unsafe { sum_of_squares(lanes, x, width, 0.0) };
    1.0 / (squares / width as f32 + eps).sqrt()
}

/// y = x · scale · gain.
///
/// # Safety
/// `x` and `y` point to as many values as `gain` has; they may be the same.
#[inline(always)]
unsafe fn scale_row<L: Lanes>(lanes: L, y: *mut f32, x: *const f32, gain: &[f32], scale: f32) {
    let width = gain.len();
    let factor = lanes.splat(scale);
    let mut i = 0;
    // SAFETY: i stays below `width`, which all three have.
    unsafe {
        while i + L::N <= width {
            let unit = lanes.mul(lanes.load(x.add(i)), factor);
            lanes.store(y.add(i), lanes.mul(unit, lanes.load(gain.as_ptr().add(i))));
            i += L::N;
        }
        while i < width {
            *y.add(i) = *x.add(i) * scale * gain[i];
            i += 1;
        }
    }
}

/// Σ (x − mean)², in four partial sums.
///
/// # Safety
/// `x` points to `width` values.
#[inline(always)]
unsafe fn sum_of_squares<L: Lanes>(lanes: L, x: *const f32, width: usize, mean: f32) -> f32 {
    let shift = lanes.splat(mean);
    let mut sums = [lanes.splat(0.0); 4];
    let mut i = 0;
    // SAFETY: i stays below `width`.
    unsafe {
        while i + 4 * L::N <= width {
            for (part, sum) in sums.iter_mut().enumerate() {
                let v = lanes.sub(lanes.load(x.add(i + part * L::N)), shift);
                *sum = lanes.fma(v, v, *sum);
            }
            i += 4 * L::N;
        }
        while i + L::N <= width {
            let v = lanes.sub(lanes.load(x.add(i)), shift);
            sums[0] = lanes.fma(v, v, sums[0]);
            i += L::N;
        }
    }
    let pairs = [lanes.add(sums[0], sums[1]), lanes.add(sums[2], sums[3])];
    let mut total = lanes.sum(lanes.add(pairs[0], pairs[1]));
    while i < width {
        // SAFETY: i stays below `width`.
        let v = unsafe { *x.add(i) } - mean;
        total += v * v;
        i += 1;
    }
    total
}

struct Layer<'a> {
    y: &'a mut [f32],
    x: &'a [f32],
    gain: &'a [f32],
    bias: &'a [f32],
    eps: f32,
}

impl Kernel for Layer<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let width = self.gain.len();
        for (y, x) in self.y.chunks_exact_mut(width).zip(self.x.chunks_exact(width)) {
            let mean = mean(lanes, x);
            // SAFETY: x is `width` long.
            let squares = unsafe { sum_of_squares(lanes, x.as_ptr(), width, mean) };
            let scale = 1.0 / (squares / width as f32 + self.eps).sqrt();
            let (shift, factor) = (lanes.splat(mean), lanes.splat(scale));
            let mut i = 0;
            while i + L::N <= width {
                // SAFETY: i + N ≤ width, which all four have.
                unsafe {
                    let centred = lanes.sub(lanes.load(x.as_ptr().add(i)), shift);
                    let unit = lanes.mul(centred, factor);
                    let gain = lanes.load(self.gain.as_ptr().add(i));
                    let bias = lanes.load(self.bias.as_ptr().add(i));
                    lanes.store(y.as_mut_ptr().add(i), lanes.fma(unit, gain, bias));
                }
                i += L::N;
            }
            while i < width {
                y[i] = (x[i] - mean) * scale * self.gain[i] + self.bias[i];
                i += 1;
            }
        }
    }
}

#[inline(always)]
fn mean<L: Lanes>(lanes: L, x: &[f32]) -> f32 {
    let mut sum = lanes.splat(0.0);
    let chunks = x.chunks_exact(L::N);
    let rest: f32 = chunks.remainder().iter().sum();
    for chunk in chunks {
        // SAFETY: the chunk has N values.
        sum = lanes.add(sum, unsafe { lanes.load(chunk.as_ptr()) });
    }
    (lanes.sum(sum) + rest) / x.len() as f32
}
