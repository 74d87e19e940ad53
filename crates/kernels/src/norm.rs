//! Normalisation of each row to unit size.
//!
//! RMSNorm: y = x · gain / sqrt(mean(x²) + eps), arXiv 1910.07467.
//! LayerNorm: y = (x − mean) · gain / sqrt(variance + eps) + bias, arXiv 1607.06450.
//! Shapes: x, y [rows, width]; gain, bias [width].

use crate::gemm::Update;
use crate::isa::{Isa, Kernel};
use crate::lanes::Lanes;
use crate::pool::Pool;
use crate::scratch::{self, SharedMut};

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

/// Rows whose contributions to a gain's gradient are added before they meet those of other rows. Fixed, so that the
/// order of summation does not depend on threads.
const GRADIENT_ROWS: usize = 64;

/// The gradient of [`rms_norm`]: with r = 1 / sqrt(mean(x²) + eps),
/// dx (+)= r · (dy ∘ gain − x · r² · mean(dy ∘ gain ∘ x)) and dgain (+)= Σ_rows dy ∘ x · r.
///
/// # Panics
/// When lengths differ.
pub fn rms_norm_gradient(
    pool: &Pool,
    dx: &mut [f32],
    dgain: &mut [f32],
    dy: &[f32],
    x: &[f32],
    gain: &[f32],
    eps: f32,
    (update_x, update_gain): (Update, Update),
) {
    check(dx.len(), x.len(), gain.len());
    check(dy.len(), x.len(), gain.len());
    assert_eq!(dgain.len(), gain.len(), "dgain and gain differ in length");
    let width = gain.len();
    let n = x.len() / width;
    let n_parts = n.div_ceil(GRADIENT_ROWS);
    scratch::with(n_parts * width, |parts| {
        let shared = SharedMut::new(parts);
        let dx = SharedMut::new(dx);
        pool.run(n_parts, |part_idx| {
            let rows = part_idx * GRADIENT_ROWS..n.min((part_idx + 1) * GRADIENT_ROWS);
            let range = rows.start * width..rows.end * width;
            // SAFETY: tasks have disjoint rows and one part each.
            let (dx, dgain) = unsafe {
                (dx.part(range.start, range.len()), shared.part(part_idx * width, width))
            };
            let (dy, x) = (&dy[range.clone()], &x[range]);
            pool.isa().dispatch(RmsGradient { dx, dgain, dy, x, gain, eps, update: update_x });
        });
        add_parts(dgain, parts, update_gain);
    });
}

/// total (+)= Σ parts, in order.
pub(crate) fn add_parts(total: &mut [f32], parts: &[f32], update: Update) {
    if update == Update::Replace {
        total.fill(0.0);
    }
    for part in parts.chunks_exact(total.len().max(1)) {
        total.iter_mut().zip(part).for_each(|(total, part)| *total += part);
    }
}

/// sums[width] (+)= Σ_rows x: the gradient of a bias. Runs of 64 rows are added first, as above.
///
/// # Panics
/// When x is no whole number of rows.
pub fn column_sums(pool: &Pool, sums: &mut [f32], x: &[f32], update: Update) {
    let width = sums.len();
    check(x.len(), x.len(), width);
    let n_parts = x.len().div_ceil((GRADIENT_ROWS * width).max(1));
    scratch::with(n_parts * width, |parts| {
        let shared = SharedMut::new(parts);
        pool.run(n_parts, |part_idx| {
            // SAFETY: one part per task.
            let part = unsafe { shared.part(part_idx * width, width) };
            part.fill(0.0);
            let first = part_idx * GRADIENT_ROWS * width;
            let rows = &x[first..x.len().min(first + GRADIENT_ROWS * width)];
            for row in rows.chunks_exact(width) {
                part.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
            }
        });
        add_parts(sums, parts, update);
    });
}

struct RmsGradient<'a> {
    dx: &'a mut [f32],
    dgain: &'a mut [f32],
    dy: &'a [f32],
    x: &'a [f32],
    gain: &'a [f32],
    eps: f32,
    update: Update,
}

impl Kernel for RmsGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { dx, dgain, dy, x, gain, eps, update } = self;
        let width = gain.len();
        dgain.fill(0.0);
        let rows = dx.chunks_exact_mut(width).zip(dy.chunks_exact(width));
        for ((dx, dy), x) in rows.zip(x.chunks_exact(width)) {
            rms_gradient_row(lanes, dx, dgain, dy, x, gain, eps, update);
        }
    }
}

/// One row of [`rms_norm_gradient`]; `dgain` is added to.
#[inline(always)]
pub(crate) fn rms_gradient_row<L: Lanes>(
    lanes: L,
    dx: &mut [f32],
    dgain: &mut [f32],
    dy: &[f32],
    x: &[f32],
    gain: &[f32],
    eps: f32,
    update: Update,
) {
    let width = gain.len();
    assert!(dx.len() == width && dgain.len() == width && dy.len() == width && x.len() == width);
    // SAFETY: x has `width` values.
    let r = unsafe { inverse_rms(lanes, x.as_ptr(), width, eps) };
    let mut sums = [lanes.splat(0.0); 2];
    let mut rest = 0.0;
    let mut i = 0;
    while i + L::N <= width {
        // SAFETY: i + N stays below the width of all three.
        let (dy, gain, x) = unsafe {
            (
                lanes.load(dy.as_ptr().add(i)),
                lanes.load(gain.as_ptr().add(i)),
                lanes.load(x.as_ptr().add(i)),
            )
        };
        let sum = &mut sums[i / L::N % 2];
        *sum = lanes.fma(lanes.mul(dy, gain), x, *sum);
        i += L::N;
    }
    while i < width {
        rest += dy[i] * gain[i] * x[i];
        i += 1;
    }
    let mean = (lanes.sum(lanes.add(sums[0], sums[1])) + rest) / width as f32;
    let pull = r * r * mean;
    for i in 0..width {
        dgain[i] += dy[i] * x[i] * r;
    }
    // Plain loops: compiled inside a kernel, they become vector code.
    if update == Update::Add {
        for i in 0..width {
            dx[i] += r * (dy[i] * gain[i] - x[i] * pull);
        }
    } else {
        for i in 0..width {
            dx[i] = r * (dy[i] * gain[i] - x[i] * pull);
        }
    }
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
pub(crate) unsafe fn inverse_rms<L: Lanes>(lanes: L, x: *const f32, width: usize, eps: f32) -> f32 {
    // SAFETY: the caller's promise.
    let squares = unsafe { sum_of_squares(lanes, x, width, 0.0) };
    1.0 / (squares / width as f32 + eps).sqrt()
}

/// y = x · scale · gain.
///
/// # Safety
/// `x` and `y` point to as many values as `gain` has; they may be the same.
#[inline(always)]
pub(crate) unsafe fn scale_row<L: Lanes>(
    lanes: L,
    y: *mut f32,
    x: *const f32,
    gain: &[f32],
    scale: f32,
) {
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
