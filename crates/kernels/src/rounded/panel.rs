//! Many rows of x: a panel of 16 weight rows is unpacked once and multiplied with all of them.
//!
//! ```text
//! for each task: one panel (and, when the weight is small, a range of rows of x)
//!     for each DEPTH inputs
//!         unpack the panel: bytes [depth / 4][16 rows][4], scales and minimums [groups][16]
//!         for each 4 rows of x (8 with AVX-512)
//!             for each group of 32 inputs (16 in Q6_K)
//!                 integers [4, 16] = Σ over four inputs at a time: broadcast x bytes · panel bytes
//!                 sums [4, 16] += minimum · x_sum, += integers · (scale · x_scale)
//! ```
//! Which of up to eight sums a group is added to, and when they become y, is the [`Order`] of the format.
//!
//! AVX2 adds products of bytes in pairs into 16 bits (`vpmaddubsw`). With p ≤ 15 all eight pairs of a group fit there,
//! with p ≤ 31 four do, and only then one instruction widens them: two instructions per 32 products where the usual
//! three would be. That makes up for the scales, which cost a quarter on top. Signed formats widen each time; with VNNI sums
//! are wide from the start.

mod fill;
#[cfg(target_arch = "x86_64")]
mod tile;

use std::ops::Range;

use super::unpack::group_len;
use super::{BLOCK, CHUNK, Order, Rounded, Target, locate};
use crate::format::Format;
use crate::isa::Kernel;
use crate::lanes::{Lanes, load_part, store_part};
use crate::pool::Pool;
use crate::scratch;
#[cfg(target_arch = "x86_64")]
use crate::tiles::{TILE, Tiles as Hardware};

/// Weight rows of a panel: a vector of AVX-512, two of AVX2.
const PANEL: usize = 16;
/// Inputs per pass, a multiple of every block length: 16 KB of bytes and 4 KB of scales, in the first-level cache
/// beside four rows of x.
const DEPTH: usize = CHUNK;
/// Rows of x whose sums grow together, at most.
const MOST_X_ROWS: usize = 32;
/// Rows of x from which tiles are used.
#[cfg(target_arch = "x86_64")]
const LEAST_TILE_ROWS: usize = 16;
/// A task gets no fewer rows of x than this, or unpacking would outweigh multiplying.
const LEAST_X_ROWS: usize = 64;

pub(super) fn matmul(pool: &Pool, targets: &[Target<'_>], x: &Rounded) {
    let n_panels = |target: &Target<'_>| target.w.rows().div_ceil(PANEL);
    let total: usize = targets.iter().map(n_panels).sum();
    // Several tasks per thread, so that threads end at about the same time.
    let wanted = (4 * pool.n_threads()).div_ceil(total.max(1));
    let n_x_blocks = wanted.min(x.n / LEAST_X_ROWS).max(1);
    let x_block = x.n.div_ceil(n_x_blocks).next_multiple_of(8);
    let n_x_blocks = x.n.div_ceil(x_block);
    pool.run(total * n_x_blocks, |task_idx| {
        let (panel_idx, x_idx) = (task_idx / n_x_blocks, task_idx % n_x_blocks);
        let (target_idx, panel) = locate(targets, panel_idx, n_panels);
        let x_rows = x_idx * x_block..x.n.min((x_idx + 1) * x_block);
        one_panel(pool, &targets[target_idx], x, panel, x_rows);
    });
}

fn one_panel(pool: &Pool, target: &Target<'_>, x: &Rounded, panel: usize, x_rows: Range<usize>) {
    let w = &target.w;
    let format = w.format();
    let rows = panel * PANEL..w.rows().min((panel + 1) * PANEL);
    let depth = w.cols().min(DEPTH);
    let group = group_len(format);
    let in_two_runs = matches!(format, Format::Q5_0 | Format::Q5K) && !pool.isa().has_vectors_16();
    scratch::with_bytes(PANEL * depth, |p| {
        let order = Order::of(format);
        let n_sums = if order == Order::InTurn { 1 } else { 8 };
        let sums_len = n_sums * MOST_X_ROWS * PANEL;
        scratch::with(sums_len + 2 * PANEL * (depth / group), |factors| {
            let (sums, factors) = factors.split_at_mut(sums_len);
            for start in (0..w.cols()).step_by(DEPTH) {
                let inputs = start..w.cols().min(start + DEPTH);
                let n_groups = inputs.len() / group;
                let (scales, rest) = factors.split_at_mut(PANEL * n_groups);
                let minimums = &mut rest[..PANEL * n_groups];
                let p = &mut p[..PANEL * inputs.len()];
                let w = target.w.slice_rows(rows.start, rows.len());
                fill::panel(pool.isa(), p, scales, minimums, &w, inputs.clone());
                let tiles = Tiles {
                    target,
                    x,
                    x_rows: x_rows.clone(),
                    rows: rows.clone(),
                    inputs,
                    p,
                    scales,
                    minimums,
                    pairs: group / 8 / if in_two_runs { 2 } else { 1 },
                    sums: sums.as_mut_ptr(),
                    n_sums,
                    sum_at: std::array::from_fn(|group| SUM_STRIDE * order.sum_of(group)),
                    #[cfg(target_arch = "x86_64")]
                    tiles: pool.isa().tiles(),
                };
                let isa = pool.isa();
                match format {
                    Format::Q8_0 | Format::Q6K => isa.dispatch_bytes(With(tiles, Signed)),
                    _ if in_two_runs => isa.dispatch_bytes(With(tiles, Unsigned::<2>)),
                    _ => isa.dispatch_bytes(With(tiles, Unsigned::<1>)),
                }
            }
        });
    });
}

/// A panel's bytes and what they meet.
struct Tiles<'a> {
    target: &'a Target<'a>,
    x: &'a Rounded,
    x_rows: Range<usize>,
    rows: Range<usize>,
    inputs: Range<usize>,
    p: &'a [u8],
    scales: &'a [f32],
    minimums: &'a [f32],
    /// Groups of 8 inputs per run, see [`group_sums`].
    pairs: usize,
    /// Where sums grow: [n_sums][32][16].
    sums: *mut f32,
    /// 1, or 8 that become one at the end of the inputs.
    n_sums: usize,
    /// Where those stand that group g mod 8 is added to.
    sum_at: [usize; 8],
    #[cfg(target_arch = "x86_64")]
    tiles: Option<Hardware>,
}

/// Between two of up to eight sums of a tile.
const SUM_STRIDE: usize = MOST_X_ROWS * PANEL;

/// How bytes of a panel meet bytes of x.
trait Sign {
    const HAS_MINIMUMS: bool;
    /// Whether tiles are faster than vectors, which need five instructions for signed bytes and one for unsigned ones.
    #[cfg(target_arch = "x86_64")]
    const BY_TILES: bool = !Self::HAS_MINIMUMS;
    /// How often sums are widened within a group.
    const RUNS: usize;
    fn dot<L: Lanes>(lanes: L, sum: L::I, p: L::I, q: L::I) -> L::I;
    fn widen<L: Lanes>(lanes: L, sum: L::I) -> L::I;
}

/// A group fits 16 bits in `RUNS` parts.
struct Unsigned<const RUNS: usize>;
struct Signed;

impl<const RUNS: usize> Sign for Unsigned<RUNS> {
    const HAS_MINIMUMS: bool = true;
    const RUNS: usize = RUNS;

    #[inline(always)]
    fn dot<L: Lanes>(lanes: L, sum: L::I, p: L::I, q: L::I) -> L::I {
        lanes.dot_short(sum, p, q)
    }
    #[inline(always)]
    fn widen<L: Lanes>(lanes: L, sum: L::I) -> L::I {
        lanes.widen(sum)
    }
}

impl Sign for Signed {
    const HAS_MINIMUMS: bool = false;
    const RUNS: usize = 1;

    #[inline(always)]
    fn dot<L: Lanes>(lanes: L, sum: L::I, p: L::I, q: L::I) -> L::I {
        lanes.dot_signed(sum, p, q)
    }
    #[inline(always)]
    fn widen<L: Lanes>(_: L, sum: L::I) -> L::I {
        sum
    }
}

struct With<'a, S>(Tiles<'a>, S);

impl<S: Sign> Kernel for With<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        self.0.run::<L, S>(lanes);
    }
}

/// The sums of one group for M rows of x, of `pairs` times eight inputs in each run.
///
/// `pairs` is a number in memory rather than a constant on purpose: fully unrolled, the loop is rearranged by the
/// compiler until nothing stays in registers.
///
/// # Safety
/// `p` reaches the panel's bytes of the group, `q` with stride `stride` the bytes of M rows of x.
#[inline(always)]
unsafe fn group_sums<L: Lanes, S: Sign, const M: usize>(
    lanes: L,
    mut p: *const u8,
    mut q: *const i8,
    stride: usize,
    pairs: usize,
) -> [[L::I; 2]; M] {
    let n_vectors = PANEL / L::N;
    let mut total = [[lanes.splat_int(0); 2]; M];
    for run in 0..S::RUNS {
        let mut sums = [[lanes.splat_int(0); 2]; M];
        for _ in 0..pairs {
            for _ in 0..2 {
                // SAFETY: the caller's promise.
                unsafe {
                    let mut weights = [lanes.splat_int(0); 2];
                    for v in 0..n_vectors {
                        weights[v] = lanes.load_int(p.add(4 * L::N * v).cast());
                    }
                    for m in 0..M {
                        let four = q.add(m * stride).cast::<i32>().read_unaligned();
                        let bytes = lanes.splat_int(four);
                        for v in 0..n_vectors {
                            sums[m][v] = S::dot(lanes, sums[m][v], weights[v], bytes);
                        }
                    }
                    (p, q) = (p.add(4 * PANEL), q.add(4));
                }
            }
        }
        for m in 0..M {
            for v in 0..n_vectors {
                let wide = S::widen(lanes, sums[m][v]);
                total[m][v] = if run == 0 { wide } else { lanes.add_int(total[m][v], wide) };
            }
        }
    }
    total
}

impl Tiles<'_> {
    #[inline(always)]
    fn run<L: Lanes, S: Sign>(&self, lanes: L) {
        let mut row = self.x_rows.start;
        #[cfg(target_arch = "x86_64")]
        if let Some(tiles) = self.tiles.filter(|_| S::BY_TILES) {
            let _configured = tiles.configure_bytes(self.group::<S>());
            while row + LEAST_TILE_ROWS <= self.x_rows.end {
                let n = tile::ROWS.min((self.x_rows.end - row) / TILE * TILE);
                // SAFETY: `n` rows from `row` on lie inside the task's, and tiles are configured for a group.
                unsafe { self.by_tiles::<L, S>(lanes, row, n) };
                row += n;
            }
        }
        if L::N == PANEL {
            while row + 8 <= self.x_rows.end {
                // SAFETY: eight rows from `row` on lie inside the task's.
                unsafe { self.tile::<L, S, 8>(lanes, row) };
                row += 8;
            }
        }
        while row + 4 <= self.x_rows.end {
            // SAFETY: four rows from `row` on lie inside the task's.
            unsafe { self.tile::<L, S, 4>(lanes, row) };
            row += 4;
        }
        if row + 2 <= self.x_rows.end {
            // SAFETY: two rows from `row` on lie inside the task's.
            unsafe { self.tile::<L, S, 2>(lanes, row) };
            row += 2;
        }
        if row < self.x_rows.end {
            // SAFETY: the row is one of the task's.
            unsafe { self.tile::<L, S, 1>(lanes, row) };
        }
    }

    /// Inputs that share a scale.
    #[inline(always)]
    fn group<S: Sign>(&self) -> usize {
        8 * self.pairs * S::RUNS
    }

    /// Sums of `n` rows of x before this pass.
    ///
    /// # Safety
    /// Rows `row … row + n` belong to this task, and `sums` has room for them.
    #[inline(always)]
    unsafe fn begin<L: Lanes>(&self, lanes: L, row: usize, n: usize) {
        let sums = self.sums;
        // SAFETY: the caller's promise.
        unsafe {
            for i in 0..self.n_sums {
                for at in (0..n * PANEL).step_by(L::N) {
                    lanes.store(sums.add(SUM_STRIDE * i + at), lanes.splat(0.0));
                }
            }
            if self.n_sums == 1 && self.inputs.start > 0 {
                for m in 0..n {
                    sums.add(m * PANEL)
                        .copy_from_nonoverlapping(self.y_row(row + m), self.rows.len());
                }
            }
        }
    }

    /// 16 or 32 rows of x by the panel, with integer sums by tiles; while their scales are met, those of the next two
    /// groups are computed.
    ///
    /// # Safety
    /// Rows `row … row + n` belong to this task; tiles are configured for a group.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn by_tiles<L: Lanes, S: Sign>(&self, lanes: L, row: usize, n: usize) {
        let group = self.group::<S>();
        let n_groups = self.inputs.len() / group;
        let mut buffers = [const { tile::Sums([[[0; PANEL]; tile::ROWS]; 2]) }; 2];
        // SAFETY: the caller's promise; groups below `n_groups` are the panel's and x's.
        unsafe {
            self.begin(lanes, row, n);
            self.two_groups::<S>(&mut buffers[0], row, n, 0);
            for first in (0..n_groups).step_by(2) {
                let [one, two] = &mut buffers;
                let (now, next) = if first % 4 == 0 { (one, two) } else { (two, one) };
                if first + 2 < n_groups {
                    self.two_groups::<S>(next, row, n, first + 2);
                }
                for g in first..n_groups.min(first + 2) {
                    self.meet_scales::<L, S>(lanes, &now.0[g - first], row, n, g);
                }
            }
            for m in 0..n {
                self.store(lanes, m, row + m);
            }
        }
    }

    /// Integer sums of groups `first` and `first + 1`; of the last one twice where it has no second.
    ///
    /// # Safety
    /// As [`Self::by_tiles`], for groups of the panel.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn two_groups<S: Sign>(&self, to: &mut tile::Sums, row: usize, n: usize, first: usize) {
        let (group, cols) = (self.group::<S>(), self.x.cols);
        let step = if first + 1 < self.inputs.len() / group { group } else { 0 };
        let lower = if n > TILE { row + TILE } else { row };
        let input = first * group;
        // SAFETY: the caller's promise.
        unsafe {
            let q = [row, lower]
                .map(|row| self.x.q.as_ptr().add(row * cols + self.inputs.start + input));
            let p = [input, input + step].map(|input| self.p.as_ptr().add(input * PANEL));
            tile::sums(to, q, cols, step, p);
        }
    }

    /// Adds a group's integer sums, times their scales. (Signed formats have no minimums.)
    ///
    /// # Safety
    /// As [`Self::by_tiles`], for group `g` of the panel.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn meet_scales<L: Lanes, S: Sign>(
        &self,
        lanes: L,
        integers: &[[i32; PANEL]; tile::ROWS],
        row: usize,
        n: usize,
        g: usize,
    ) {
        let n_blocks = self.x.cols / BLOCK;
        let block = row * n_blocks + (self.inputs.start + g * self.group::<S>()) / BLOCK;
        // SAFETY: the caller's promise.
        unsafe {
            let x_scales = self.x.scales.as_ptr().add(block);
            let to = self.sums.add(*self.sum_at.get_unchecked(g % 8));
            for at in (0..PANEL).step_by(L::N) {
                let scales = lanes.load(self.scales.as_ptr().add(g * PANEL + at));
                for m in 0..n {
                    let x_scale = lanes.splat(*x_scales.add(m * n_blocks));
                    let to = to.add(m * PANEL + at);
                    let integer = lanes.load_int(integers.get_unchecked(m).as_ptr().add(at).cast());
                    let scale = lanes.mul(scales, x_scale);
                    lanes.store(to, lanes.fma(lanes.to_float(integer), scale, lanes.load(to)));
                }
            }
        }
    }

    /// M rows of x by the panel.
    ///
    /// # Safety
    /// Rows `row … row + M` belong to this task.
    #[inline(always)]
    unsafe fn tile<L: Lanes, S: Sign, const M: usize>(&self, lanes: L, row: usize) {
        let n_vectors = PANEL / L::N;
        let (cols, n_blocks) = (self.x.cols, self.x.cols / BLOCK);
        let group = self.group::<S>();
        let sums = self.sums;
        // SAFETY: `sums` has room for M rows, the panel has `inputs` inputs, and rows of x are `cols` long.
        unsafe {
            self.begin(lanes, row, M);
            let q = self.x.q.as_ptr().add(row * cols + self.inputs.start);
            let first_block = row * n_blocks + self.inputs.start / BLOCK;
            let x_scales = self.x.scales.as_ptr().add(first_block);
            let x_sums = self.x.sums.as_ptr().add(first_block);
            for g in 0..self.inputs.len() / group {
                // Sums stay in memory, where each is met once per group: there are too many for the registers, and
                // a compiler that knows where they are moves all of them in and out around every loop.
                let sums = std::hint::black_box(sums.add(*self.sum_at.get_unchecked(g % 8)));
                let p = self.p.as_ptr().add(g * group * PANEL);
                let integers = group_sums::<L, S, M>(lanes, p, q.add(g * group), cols, self.pairs);
                let block = g * group / BLOCK;
                for m in 0..M {
                    let x_scale = lanes.splat(*x_scales.add(m * n_blocks + block));
                    let x_sum = lanes.splat(*x_sums.add(m * n_blocks + block));
                    for v in 0..n_vectors {
                        let at = g * PANEL + L::N * v;
                        let to = sums.add(m * PANEL + L::N * v);
                        let scale = lanes.mul(lanes.load(self.scales.as_ptr().add(at)), x_scale);
                        let mut sum = lanes.load(to);
                        if S::HAS_MINIMUMS {
                            let minimum = lanes.load(self.minimums.as_ptr().add(at));
                            sum = lanes.fma(minimum, x_sum, sum);
                        }
                        sum = lanes.fma(lanes.to_float(integers[m][v]), scale, sum);
                        lanes.store(to, sum);
                    }
                }
            }
            for m in 0..M {
                self.store(lanes, m, row + m);
            }
        }
    }

    /// The task's outputs for a row of x.
    ///
    /// # Safety
    /// `row` is one of this task's rows of x.
    #[inline(always)]
    unsafe fn y_row(&self, row: usize) -> *mut f32 {
        // SAFETY: y has a row of as many values as w has rows for each row of x.
        unsafe { self.target.y.pointer().add(row * self.target.w.rows() + self.rows.start) }
    }

    /// # Safety
    /// `row` is one of this task's rows of x, and its sums stand in row `m`.
    #[inline(always)]
    unsafe fn store<L: Lanes>(&self, lanes: L, m: usize, row: usize) {
        let n_cols = self.rows.len();
        // SAFETY: this task alone writes these columns of y, and vectors reach them directly only when the panel is
        // full.
        unsafe {
            let y = self.y_row(row);
            let sums = self.sums.add(m * PANEL);
            for at in (0..PANEL).step_by(L::N) {
                let n = n_cols.saturating_sub(at);
                let mut sum = lanes.load(sums.add(at));
                if self.n_sums > 1 {
                    sum = tree(lanes, sums.add(at));
                    if self.inputs.start > 0 {
                        sum = lanes.add(load_part(lanes, y.wrapping_add(at), n), sum);
                    }
                }
                store_part(lanes, y.wrapping_add(at), n, sum);
            }
        }
    }
}

/// The eight sums of N outputs, added up as [`Lanes::sum`] adds eight lanes.
///
/// # Safety
/// `sums` points to the first.
#[inline(always)]
unsafe fn tree<L: Lanes>(lanes: L, sums: *const f32) -> L::F {
    let mut v = [lanes.splat(0.0); 8];
    for i in 0..8 {
        // SAFETY: the caller's promise.
        v[i] = unsafe { lanes.load(sums.add(SUM_STRIDE * i)) };
    }
    let evens = lanes.add(lanes.add(v[0], v[4]), lanes.add(v[2], v[6]));
    let odds = lanes.add(lanes.add(v[1], v[5]), lanes.add(v[3], v[7]));
    lanes.add(evens, odds)
}
