//! Products in integers with weights as files store them: y[n, rows] = x[n, cols] · wᵀ, where x is rounded to eight
//! bits in blocks of 32.
//!
//! ```text
//! x, 32 values:   x[i] ≈ scale · q[i],  q in −127 … 127
//! w, 32 values:   w[i] = d · p[i] + m,  p an integer of 4 to 8 bits; exactly what the file says
//! their product:  Σ w x ≈ d · scale · Σ p q  +  m · scale · Σ q
//! ```
//! Σ p q is exact in integers, and all 32-value products are added in f32. So the only thing lost against
//! [`crate::matmul`] is the rounding of x: half a step of the largest of 32 neighbours over 127 (what that does to the
//! perplexity of small language models stands in docs/kernels.md), while a vector instruction does four
//! times as many products. Weights in F32, F16 and BF16 have no integers and are left to [`crate::matmul`].
//!
//! Weights lie in rows, as files have them, or in panels of sixteen rows ([`interleaved`]), which are read faster.
//!
//! Two ways, as there: `vector` meets stored blocks in registers, for few rows of x; `panel` unpacks them once
//! into the layout of a register tile, for many. Both add in the same [`Order`], so that a row's products have the same
//! bits alone and in company.

mod blocks;
pub mod interleaved;
mod panel;
mod unpack;
mod vector;

use crate::format::{Format, Matrix};
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::pool::Pool;
use crate::scratch::SharedMut;
use interleaved::Interleaved;

/// Values of x that share a scale.
pub(crate) const BLOCK: usize = 32;
/// Values of x of which a sum of integers is kept: the smallest group of weights with a scale.
const Q_SUM: usize = 16;
const LARGEST_Q_SUM: f32 = 127.0 * Q_SUM as f32;
/// Inputs after which the sums of formats with blocks of 256 are added up; a whole number of their blocks.
const CHUNK: usize = 1024;
/// Up to this many rows of x blocks are unpacked in registers, beyond it through the cache.
const VECTOR_ROWS: usize = 3;
/// The same where sixteen rows lie together.
const PANEL_VECTOR_ROWS: usize = 16;

/// Rows of activations, rounded to eight bits in blocks of 32. Keeps its memory when it is filled again.
#[derive(Clone, Debug, Default)]
pub struct Rounded {
    n: usize,
    cols: usize,
    /// [n, cols]
    q: Vec<i8>,
    /// [n, cols / 32]
    scales: Vec<f32>,
    /// [n, cols / 32]: scale · Σ q.
    sums: Vec<f32>,
    /// [n, cols / 16]: Σ q.
    q_sums: Vec<i32>,
}

impl Rounded {
    /// Rounds x [n, cols]; what was here before is replaced.
    ///
    /// # Panics
    /// When x is no whole number of rows or a row no whole number of blocks of 32.
    pub fn fill(&mut self, pool: &Pool, x: &[f32], cols: usize) {
        assert!(
            cols > 0 && cols.is_multiple_of(BLOCK) && x.len().is_multiple_of(cols),
            "x [{}] is no whole number of rows of {cols} in blocks of {BLOCK}",
            x.len()
        );
        (self.n, self.cols) = (x.len() / cols, cols);
        self.q.resize(x.len(), 0);
        self.scales.resize(x.len() / BLOCK, 0.0);
        self.sums.resize(x.len() / BLOCK, 0.0);
        self.q_sums.resize(x.len() / Q_SUM, 0);
        let (q, scales, sums, q_sums) = (
            SharedMut::new(&mut self.q),
            SharedMut::new(&mut self.scales),
            SharedMut::new(&mut self.sums),
            SharedMut::new(&mut self.q_sums),
        );
        let n_blocks = x.len() / BLOCK;
        pool.run(n_blocks.div_ceil(TASK_BLOCKS), |task_idx| {
            let first = task_idx * TASK_BLOCKS;
            let n = TASK_BLOCKS.min(n_blocks - first);
            // SAFETY: tasks have disjoint ranges of blocks.
            let round = unsafe {
                Round {
                    q: q.part(first * BLOCK, n * BLOCK),
                    scales: scales.part(first, n),
                    sums: sums.part(first, n),
                    q_sums: q_sums.part(first * BLOCK / Q_SUM, n * BLOCK / Q_SUM),
                    x: &x[first * BLOCK..(first + n) * BLOCK],
                }
            };
            pool.isa().dispatch(round);
        });
    }

    /// Rows.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Values per row.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Rows in which one block towers over the others: its largest value is more than `ratio` times the mean of the
    /// other blocks' largest. What is rounded away there is as large as the other blocks' values.
    pub fn towering(&self, ratio: f32) -> impl Iterator<Item = usize> {
        let n_blocks = self.cols / BLOCK;
        self.scales.chunks_exact(n_blocks.max(1)).enumerate().filter_map(move |(row, scales)| {
            let largest = scales.iter().copied().fold(0.0, f32::max);
            let others = scales.iter().sum::<f32>() - largest;
            (largest * (n_blocks - 1) as f32 > ratio * others).then_some(row)
        })
    }

    /// What rounding x took away of some of its rows [rows.len(), cols].
    ///
    /// # Panics
    /// When x is not what was rounded, or a row does not exist.
    pub fn rests(&self, x: &[f32], rows: &[usize]) -> Vec<f32> {
        assert_eq!(x.len(), self.q.len(), "x is not what was rounded");
        let mut rests = Vec::with_capacity(rows.len() * self.cols);
        for &row in rows {
            let rounded = self.row(row);
            let blocks = x[row * self.cols..][..self.cols].chunks_exact(BLOCK);
            for ((x, q), scale) in blocks.zip(rounded.q.chunks_exact(BLOCK)).zip(rounded.scales) {
                rests.extend(x.iter().zip(q).map(|(x, &q)| x - f32::from(q) * scale));
            }
        }
        rests
    }

    /// The values after rounding, for tests and comparisons.
    pub fn to_f32(&self) -> Vec<f32> {
        let scale_of = |i: usize| self.scales[i / BLOCK];
        self.q.iter().enumerate().map(|(i, &q)| f32::from(q) * scale_of(i)).collect()
    }

    fn row(&self, i: usize) -> RoundedRow<'_> {
        let n_blocks = self.cols / BLOCK;
        let blocks = i * n_blocks..(i + 1) * n_blocks;
        RoundedRow {
            q: &self.q[i * self.cols..(i + 1) * self.cols],
            scales: &self.scales[blocks.clone()],
            sums: &self.sums[blocks],
            q_sums: &self.q_sums[i * self.cols / Q_SUM..(i + 1) * self.cols / Q_SUM],
        }
    }
}

/// In which order the terms of an output are added: two per group of values with a scale, first minimum · Σ x and then
/// scale · Σ p q, which is an exact integer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Group after group.
    InTurn,
    /// Groups g, g + 8, g + 16, … of a [`CHUNK`] in turn, then the eight sums as [`Lanes::sum`] adds lanes, then chunk
    /// after chunk: for blocks of 256, whose eight scales make a vector.
    ByEight,
    /// The same, with groups of 16 where halves of vectors leave them: even ones in sums 0 … 3, odd ones in 4 … 7.
    BySixteen,
}

impl Order {
    fn of(format: Format) -> Self {
        match format {
            Format::Q4K | Format::Q5K => Self::ByEight,
            Format::Q6K => Self::BySixteen,
            _ => Self::InTurn,
        }
    }

    /// Which of the (up to eight) sums group `group` is added to.
    #[inline(always)]
    fn sum_of(self, group: usize) -> usize {
        match self {
            Self::InTurn => 0,
            Self::ByEight => group % 8,
            Self::BySixteen => group % 2 * 4 + group % 8 / 2,
        }
    }
}

/// One row of [`Rounded`].
#[derive(Clone, Copy)]
struct RoundedRow<'a> {
    q: &'a [i8],
    scales: &'a [f32],
    sums: &'a [f32],
    q_sums: &'a [i32],
}

/// Blocks per task when rounding: some microseconds of work.
const TASK_BLOCKS: usize = 512;

struct Round<'a> {
    q: &'a mut [i8],
    scales: &'a mut [f32],
    sums: &'a mut [f32],
    q_sums: &'a mut [i32],
    x: &'a [f32],
}

impl Kernel for Round<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { q, scales, sums, q_sums, x } = self;
        let byte = lanes.splat_int(255);
        for (idx, x) in x.chunks_exact(BLOCK).enumerate() {
            // `odd` stays zero unless a value is infinite or not a number: then the scale becomes that too, and all
            // that it touches.
            let zero = lanes.splat(0.0);
            let (mut largest, mut odd) = (zero, zero);
            for part in x.chunks_exact(L::N) {
                // SAFETY: the chunk has N values.
                let v = unsafe { lanes.load(part.as_ptr()) };
                largest = lanes.max(largest, lanes.max(v, lanes.sub(zero, v)));
                odd = lanes.fma(v, zero, odd);
            }
            let scale = lanes.largest(largest) / 127.0 + lanes.sum(odd);
            // A scale too small to invert rounds to nothing.
            let inverse = if scale >= f32::MIN_POSITIVE { 1.0 / scale } else { 0.0 };
            let factor = lanes.splat(inverse);
            let mut halves = [lanes.splat_int(0); BLOCK / Q_SUM];
            let q = &mut q[idx * BLOCK..(idx + 1) * BLOCK];
            let mut i = 0;
            while i < BLOCK {
                // SAFETY: blocks have 32 values, a multiple of N; |x| · inverse rounds to 127 at most.
                unsafe {
                    let v = lanes.round_to_int(lanes.mul(lanes.load(x.as_ptr().add(i)), factor));
                    halves[i / Q_SUM] = lanes.add_int(halves[i / Q_SUM], v);
                    lanes.store_u8(q.as_mut_ptr().add(i).cast(), lanes.and(v, byte));
                }
                i += L::N;
            }
            scales[idx] = scale;
            let mut sum = 0.0;
            for (half, to) in
                q_sums[idx * BLOCK / Q_SUM..].iter_mut().take(BLOCK / Q_SUM).enumerate()
            {
                // Integers up to 16 · 127, and so exact; where x is not a number they are anything, and are kept small
                // enough to be multiplied with.
                let of_half = lanes.sum(lanes.to_float(halves[half]));
                *to = of_half.clamp(-LARGEST_Q_SUM, LARGEST_Q_SUM) as i32;
                sum += of_half;
            }
            sums[idx] = scale * sum;
        }
    }
}

/// Whether weights of this format are multiplied here.
pub fn supports(format: Format) -> bool {
    !matches!(format, Format::F32 | Format::F16 | Format::Bf16)
}

/// One of several products of the same activations.
pub struct Product<'a> {
    /// [n, rows of `w`], replaced.
    pub y: &'a mut [f32],
    pub w: Weight<'a>,
}

/// A weight as files store it, or rearranged.
#[derive(Clone, Copy, Debug)]
pub enum Weight<'a> {
    Rows(Matrix<'a>),
    Panels(Interleaved<'a>),
}

impl<'a> From<Matrix<'a>> for Weight<'a> {
    fn from(w: Matrix<'a>) -> Self {
        Self::Rows(w)
    }
}

impl<'a> From<Interleaved<'a>> for Weight<'a> {
    fn from(w: Interleaved<'a>) -> Self {
        Self::Panels(w)
    }
}

impl<'a> Weight<'a> {
    pub fn format(&self) -> Format {
        match self {
            Self::Rows(w) => w.format(),
            Self::Panels(w) => w.format(),
        }
    }

    /// Outputs.
    pub fn rows(&self) -> usize {
        match self {
            Self::Rows(w) => w.rows(),
            Self::Panels(w) => w.rows(),
        }
    }

    /// Inputs.
    pub fn cols(&self) -> usize {
        match self {
            Self::Rows(w) => w.cols(),
            Self::Panels(w) => w.cols(),
        }
    }

    pub fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Rows(w) => w.bytes(),
            Self::Panels(w) => w.bytes(),
        }
    }

    /// Rows of x up to which blocks are unpacked in registers.
    fn most_x_rows(&self) -> usize {
        match self {
            Self::Rows(_) => VECTOR_ROWS,
            Self::Panels(_) => PANEL_VECTOR_ROWS,
        }
    }

    /// One row as f32.
    pub fn dequantize_row(&self, out: &mut [f32], row_idx: usize) {
        match self {
            Self::Rows(w) => w.dequantize_row(out, row_idx),
            Self::Panels(w) => w.dequantize_row(out, row_idx),
        }
    }
}

/// All products, shared out together: the queries, keys and values of a layer cost one hand-over instead of three.
///
/// # Panics
/// When a weight has another number of inputs than x or a format without integers ([`supports`]), or a y not its
/// size.
pub fn matmul(pool: &Pool, products: &mut [Product<'_>], x: &Rounded) {
    for Product { y, w } in products.iter() {
        assert!(supports(w.format()), "{} holds no integers", w.format());
        assert!(
            w.cols() == x.cols && y.len() == x.n * w.rows(),
            "y[{}] = x[{}, {}] · wᵀ with w [{}, {}]: sizes differ",
            y.len(),
            x.n,
            x.cols,
            w.rows(),
            w.cols()
        );
    }
    if x.n == 0 {
        return;
    }
    let (few, many): (Vec<Target<'_>>, Vec<Target<'_>>) = products
        .iter_mut()
        .filter(|product| product.w.rows() > 0)
        .map(|Product { y, w }| Target { y: SharedMut::new(y), w: *w })
        .partition(|target| x.n <= target.w.most_x_rows());
    if !few.is_empty() {
        vector::matmul(pool, &few, x);
    }
    if !many.is_empty() {
        panel::matmul(pool, &many, x);
    }
}

/// A product whose outputs several tasks write.
#[derive(Clone, Copy)]
struct Target<'a> {
    y: SharedMut<f32>,
    w: Weight<'a>,
}

/// Σ q of a group of weights, from the sums of 16 of a row or of all rows; `first` is its first value there.
///
/// # Safety
/// The group, of 16 or 32 values, lies in what was summed.
#[inline(always)]
unsafe fn q_sum(q_sums: &[i32], first: usize, group: usize) -> i32 {
    let at = first / Q_SUM;
    // SAFETY: the caller's promise.
    unsafe {
        let sum = *q_sums.get_unchecked(at);
        if group == Q_SUM { sum } else { sum + *q_sums.get_unchecked(at + 1) }
    }
}

/// Eight sums as one, added as [`Lanes::sum`] adds eight lanes.
#[inline(always)]
fn sum_of_eight<L: Lanes>(lanes: L, v: [L::F; 8]) -> L::F {
    let evens = lanes.add(lanes.add(v[0], v[4]), lanes.add(v[2], v[6]));
    let odds = lanes.add(lanes.add(v[1], v[5]), lanes.add(v[3], v[7]));
    lanes.add(evens, odds)
}
