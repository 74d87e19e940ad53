//! Products in eight-bit integers: y[n, rows] = x[n, cols] · wᵀ + bias, approximately and several times faster.
//!
//! Weights are rounded once, at load, to −63 … 63 with one scale per output row; each row of activations is rounded
//! on the fly to −127 … 127 with a scale of its own. Products are summed exactly in i32, so every instruction set
//! gives the same integers; then  y = sum · x_scale · w_scale + bias  in f32.
//!
//! Why 63: the instruction of AVX2 (`vpmaddubsw`) multiplies *unsigned* by signed bytes and adds two products into
//! 16 bits, cutting what does not fit. Activations are therefore stored as q + 128 ∈ 1 … 255, and 2 · 255 · 63 =
//! 32,130 fits. The 128 comes out again by subtracting 128 · Σ w, known per row. Seven bits were taken from the
//! weights rather than the activations because the latter have the larger outliers.

mod product;
#[cfg(target_arch = "x86_64")]
mod tile;

use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::pool::Pool;
use crate::reduce::largest_magnitude;
use crate::scratch::{self, SharedMut};

/// Outputs whose weights lie interleaved; a vector of AVX-512, two of AVX2.
pub(crate) const PANEL: usize = 16;
/// Inputs are padded to whole tiles.
const DEPTH_STEP: usize = 64;
/// Largest |weight|, see the module.
const WEIGHT_MAX: f32 = 63.0;
/// Beyond this many inputs a sum could leave i32.
const MOST_COLS: usize = 1 << 16;

/// Weights in eight bits, arranged for the product: panel p, inputs 4 i … 4 i + 3, output r of the panel at bytes
/// `((p · depth / 4 + i) · 16 + r) · 4 …`, where `depth` is the number of inputs rounded up to 64, a
/// tile's.
pub struct PackedWeights {
    rows: usize,
    cols: usize,
    bytes: Vec<i8>,
    /// Per output, padded with zeros to whole panels.
    scales: Vec<f32>,
    /// −128 · Σ w per output, padded likewise.
    offsets: Vec<i32>,
}

impl PackedWeights {
    /// Rounds a weight of `rows` outputs and `cols` inputs to eight bits.
    ///
    /// # Panics
    /// When `weights` has another size, or `cols` exceeds 65,536.
    pub fn from_f32(rows: usize, cols: usize, weights: &[f32]) -> Self {
        assert_eq!(weights.len(), rows * cols, "weights are not [{rows}, {cols}]");
        assert!(cols <= MOST_COLS, "{cols} inputs could overflow the sums; at most {MOST_COLS}");
        let (n_panels, depth) = (rows.div_ceil(PANEL), cols.next_multiple_of(DEPTH_STEP));
        let mut packed = Self {
            rows,
            cols,
            bytes: vec![0; n_panels * PANEL * depth],
            scales: vec![0.0; n_panels * PANEL],
            offsets: vec![0; n_panels * PANEL],
        };
        for row_idx in 0..rows {
            let row = &weights[row_idx * cols..(row_idx + 1) * cols];
            let largest = row.iter().fold(0.0f32, |a, v| a.max(v.abs()));
            let scale = largest / WEIGHT_MAX;
            let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
            let panel = &mut packed.bytes[row_idx / PANEL * PANEL * depth..];
            let mut sum = 0;
            for (col, v) in row.iter().enumerate() {
                let q = (v * inverse).round().clamp(-WEIGHT_MAX, WEIGHT_MAX) as i8;
                panel[(col / 4 * PANEL + row_idx % PANEL) * 4 + col % 4] = q;
                sum += i32::from(q);
            }
            packed.scales[row_idx] = scale;
            packed.offsets[row_idx] = -128 * sum;
        }
        packed
    }

    /// Outputs.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Inputs.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The weight as it is after rounding, for tests and comparisons.
    pub fn dequantize(&self) -> Vec<f32> {
        let depth = self.depth();
        let mut weights = Vec::with_capacity(self.rows * self.cols);
        for row_idx in 0..self.rows {
            let panel = &self.bytes[row_idx / PANEL * PANEL * depth..];
            weights.extend((0..self.cols).map(|col| {
                let q = panel[(col / 4 * PANEL + row_idx % PANEL) * 4 + col % 4];
                f32::from(q) * self.scales[row_idx]
            }));
        }
        weights
    }

    fn depth(&self) -> usize {
        self.cols.next_multiple_of(DEPTH_STEP)
    }
}

/// What happens to a product before it is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Epilogue {
    /// y = x · wᵀ + bias.
    None,
    /// y = gelu_erf(x · wᵀ + bias), to 2e-4: far below the rounding of the products.
    Gelu,
    /// y += x · wᵀ + bias: the residual stream.
    Add,
}

/// One of the products that share their x.
pub struct Product<'a> {
    /// [n, rows]
    pub y: &'a mut [f32],
    pub w: &'a PackedWeights,
    /// [rows]
    pub bias: Option<&'a [f32]>,
}

/// y[n, rows] = epilogue(x[n, cols] · wᵀ + bias) for each product: x is rounded once.
///
/// # Panics
/// When `x` is no whole number of rows of some `w`, or a `y` or `bias` has not its size.
pub fn matmul(pool: &Pool, products: &mut [Product<'_>], x: &[f32], epilogue: Epilogue) {
    let Some(first) = products.first() else { return };
    let cols = first.w.cols;
    let n = x.len().checked_div(cols).unwrap_or(first.y.len() / first.w.rows.max(1));
    for Product { y, w, bias } in products.iter() {
        let rows = w.rows;
        assert!(
            w.cols == cols && x.len() == n * cols && y.len() == n * rows,
            "y[{}] = x[{}] · wᵀ with w [{rows}, {}]: lengths are no whole number of rows, or differ",
            y.len(),
            x.len(),
            w.cols
        );
        assert!(bias.is_none_or(|b| b.len() == rows), "bias is not [{rows}]");
    }
    if n == 0 {
        return;
    }
    // A line more than needed, so that rows of 4,096 bytes do not fall into the same set of the cache.
    let stride = cols.next_multiple_of(DEPTH_STEP) + 64;
    // Tiles are read whole; what stands in rows that do not exist is not used.
    scratch::with_bytes(n.next_multiple_of(16) * stride, |q| {
        scratch::with(n, |scales| {
            quantize_rows(pool, q, scales, x, cols, stride);
            product::run(pool, products, product::Bytes { q, scales, stride }, epilogue);
        });
    });
}

/// Rows per task; a task below some ten thousand values costs less than handing it over.
const QUANTIZE_ROWS: usize = 32;

/// Row i of x becomes bytes q + 128 at `i · stride` and their scale. Bytes beyond `cols` are left as they are: they
/// meet weights that are zero.
fn quantize_rows(
    pool: &Pool,
    q: &mut [u8],
    scales: &mut [f32],
    x: &[f32],
    cols: usize,
    stride: usize,
) {
    let n = scales.len();
    let (q, scales) = (SharedMut::new(q), SharedMut::new(scales));
    pool.run(n.div_ceil(QUANTIZE_ROWS), |task_idx| {
        let first = task_idx * QUANTIZE_ROWS;
        for i in first..n.min(first + QUANTIZE_ROWS) {
            // SAFETY: each row belongs to one task.
            let (q, scale) = unsafe { (q.part(i * stride, cols), &mut scales.part(i, 1)[0]) };
            *scale = pool.isa().dispatch(QuantizeRow { q, x: &x[i * cols..(i + 1) * cols] });
        }
    });
}

struct QuantizeRow<'a> {
    q: &'a mut [u8],
    x: &'a [f32],
}

impl Kernel for QuantizeRow<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> f32 {
        let largest = largest_magnitude(lanes, self.x);
        let scale = largest / 127.0;
        let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
        let (factor, offset) = (lanes.splat(inverse), lanes.splat_int(128));
        let mut i = 0;
        while i + L::N <= self.x.len() {
            // SAFETY: i + N ≤ the length of both; |x| · inverse ≤ 127 up to rounding, which cannot reach 127.5.
            unsafe {
                let v = lanes.mul(lanes.load(self.x.as_ptr().add(i)), factor);
                let q = lanes.add_int(lanes.round_to_int(v), offset);
                lanes.store_u8(self.q.as_mut_ptr().add(i), q);
            }
            i += L::N;
        }
        while i < self.x.len() {
            self.q[i] = ((self.x[i] * inverse).round_ties_even() as i32 + 128) as u8;
            i += 1;
        }
        scale
    }
}
