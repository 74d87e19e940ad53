//! A register tile of the rounded product: up to eight rows of x by one panel or two.

use std::ops::Range;

use super::super::{BLOCK, Rounded, q_sum, sum_of_eight};
use super::PANEL;
use crate::isa::Kernel;
use crate::lanes::{Lanes, load_part, store_part};
use crate::scratch::SharedMut;

/// Rows of x whose sums grow together, at most.
const MOST_X_ROWS: usize = 8;
/// Between two of up to eight sums of a tile.
pub(super) const SUM_STRIDE: usize = MOST_X_ROWS * PANEL;

/// The bytes of one panel or two, one after the other like their scales, minimums and sums, and what they meet.
pub(super) struct Task<'a> {
    pub(super) y: SharedMut<f32>,
    /// Outputs of a row of y.
    pub(super) n_outputs: usize,
    pub(super) x: &'a Rounded,
    /// What was added to p; see [`super::shift`].
    pub(super) shift: u8,
    pub(super) x_rows: Range<usize>,
    pub(super) rows: Range<usize>,
    pub(super) inputs: Range<usize>,
    pub(super) p: &'a [u8],
    pub(super) scales: &'a [f32],
    pub(super) minimums: &'a [f32],
    /// Groups of 8 inputs per run, see [`group_sums`].
    pub(super) pairs: usize,
    /// Where sums of a panel grow: [n_sums][8][16].
    pub(super) sums: *mut f32,
    /// 1, or 8 that become one at the end of the inputs.
    pub(super) n_sums: usize,
    /// Where those stand that group g mod 8 is added to.
    pub(super) sum_at: [usize; 8],
}

/// How bytes of a panel meet bytes of x.
pub(super) trait Sign {
    const HAS_MINIMUMS: bool;
    /// How often sums are widened within a group.
    const RUNS: usize = 1;
    /// Whether p is greater than it should be by [`super::shift`].
    const IS_SHIFTED: bool = false;
    fn dot<L: Lanes>(lanes: L, sum: L::I, p: L::I, q: L::I) -> L::I;
    #[inline(always)]
    fn widen<L: Lanes>(_: L, sum: L::I) -> L::I {
        sum
    }
}

/// A group fits 16 bits in `RUNS` parts.
pub(super) struct Unsigned<const RUNS: usize>;
pub(super) struct Signed;
/// A sign was taken away.
pub(super) struct Shifted;

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

    #[inline(always)]
    fn dot<L: Lanes>(lanes: L, sum: L::I, p: L::I, q: L::I) -> L::I {
        lanes.dot_signed(sum, p, q)
    }
}

impl Sign for Shifted {
    const HAS_MINIMUMS: bool = false;
    const IS_SHIFTED: bool = true;

    #[inline(always)]
    fn dot<L: Lanes>(lanes: L, sum: L::I, p: L::I, q: L::I) -> L::I {
        lanes.dot_bytes(sum, p, q)
    }
}

pub(super) struct With<'a, S>(pub(super) Task<'a>, pub(super) S);

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
unsafe fn group_sums<L: Lanes, S: Sign, const M: usize, const P: usize>(
    lanes: L,
    (mut p, panel_stride): (*const u8, usize),
    (mut q, stride): (*const i8, usize),
    starts: [L::I; M],
    pairs: usize,
) -> [[[L::I; 2]; P]; M] {
    let n_vectors = PANEL / L::N;
    let mut total = [[[lanes.splat_int(0); 2]; P]; M];
    for run in 0..S::RUNS {
        let mut sums = starts.map(|start| [[start; 2]; P]);
        for _ in 0..pairs {
            for _ in 0..2 {
                // SAFETY: the caller's promise.
                unsafe {
                    let mut weights = [[lanes.splat_int(0); 2]; P];
                    for i in 0..P {
                        for v in 0..n_vectors {
                            let at = i * panel_stride + 4 * L::N * v;
                            weights[i][v] = lanes.load_int(p.add(at).cast());
                        }
                    }
                    for m in 0..M {
                        let four = q.add(m * stride).cast::<i32>().read_unaligned();
                        let bytes = lanes.splat_int(four);
                        for i in 0..P {
                            for v in 0..n_vectors {
                                sums[m][i][v] = S::dot(lanes, sums[m][i][v], weights[i][v], bytes);
                            }
                        }
                    }
                    (p, q) = (p.add(4 * PANEL), q.add(4));
                }
            }
        }
        for m in 0..M {
            for i in 0..P {
                for v in 0..n_vectors {
                    let wide = S::widen(lanes, sums[m][i][v]);
                    let sum = &mut total[m][i][v];
                    *sum = if run == 0 { wide } else { lanes.add_int(*sum, wide) };
                }
            }
        }
    }
    total
}

impl Task<'_> {
    #[inline(always)]
    fn run<L: Lanes, S: Sign>(&self, lanes: L) {
        // SAFETY: the rows lie inside the task's, and so do as many panels as it has.
        unsafe {
            if L::N == PANEL && self.rows.len() > PANEL {
                self.by_panels::<L, S, 2>(lanes);
            } else {
                self.by_panels::<L, S, 1>(lanes);
            }
        }
    }

    /// The task's rows of x by all of its P panels.
    ///
    /// # Safety
    /// The task has P panels.
    #[inline(always)]
    unsafe fn by_panels<L: Lanes, S: Sign, const P: usize>(&self, lanes: L) {
        let Range { start: mut row, end } = self.x_rows;
        // SAFETY: the rows lie inside the task's; the rest is the caller's promise.
        unsafe {
            if L::N == PANEL {
                while row + 8 <= end {
                    self.tile::<L, S, 8, P>(lanes, row);
                    row += 8;
                }
            }
            while row + 4 <= end {
                self.tile::<L, S, 4, P>(lanes, row);
                row += 4;
            }
            if row + 2 <= end {
                self.tile::<L, S, 2, P>(lanes, row);
                row += 2;
            }
            if row < end {
                self.tile::<L, S, 1, P>(lanes, row);
            }
        }
    }

    /// Inputs that share a scale.
    #[inline(always)]
    fn group<S: Sign>(&self) -> usize {
        8 * self.pairs * S::RUNS
    }

    /// Where the sums of a panel grow.
    ///
    /// # Safety
    /// The task has this panel.
    #[inline(always)]
    unsafe fn sums_of(&self, panel: usize) -> *mut f32 {
        // SAFETY: the caller's promise.
        unsafe { self.sums.add(panel * self.n_sums * SUM_STRIDE) }
    }

    /// Sums of `n` rows of x before this pass.
    ///
    /// # Safety
    /// Rows `row … row + n` and the first `n_panels` panels belong to this task, and `sums` has room for them.
    #[inline(always)]
    unsafe fn begin<L: Lanes>(&self, lanes: L, row: usize, n: usize, n_panels: usize) {
        for panel in 0..n_panels {
            // SAFETY: the caller's promise.
            unsafe {
                let sums = self.sums_of(panel);
                for i in 0..self.n_sums {
                    for at in (0..n * PANEL).step_by(L::N) {
                        lanes.store(sums.add(SUM_STRIDE * i + at), lanes.splat(0.0));
                    }
                }
                if self.n_sums == 1 && self.inputs.start > 0 {
                    for m in 0..n {
                        let (y, n_cols) = self.y_row(row + m, panel);
                        sums.add(m * PANEL).copy_from_nonoverlapping(y, n_cols);
                    }
                }
            }
        }
    }

    /// M rows of x by P panels.
    ///
    /// # Safety
    /// Rows `row … row + M` belong to this task, and it has P panels.
    #[inline(always)]
    unsafe fn tile<L: Lanes, S: Sign, const M: usize, const P: usize>(&self, lanes: L, row: usize) {
        let n_vectors = PANEL / L::N;
        let (cols, n_blocks) = (self.x.cols, self.x.cols / BLOCK);
        let group = self.group::<S>();
        let (n_groups, panel_stride) = (self.inputs.len() / group, PANEL * self.inputs.len());
        // SAFETY: `sums` has room for M rows, panels have `inputs` inputs, and rows of x are `cols` long.
        unsafe {
            self.begin(lanes, row, M, P);
            let q = self.x.q.as_ptr().add(row * cols + self.inputs.start);
            let first_block = row * n_blocks + self.inputs.start / BLOCK;
            let x_scales = self.x.scales.as_ptr().add(first_block);
            let x_sums = self.x.sums.as_ptr().add(first_block);
            for g in 0..n_groups {
                // Sums stay in memory, where each is met once per group: there are too many for the registers, and
                // a compiler that knows where they are moves all of them in and out around every loop.
                let sums = self.sums.add(*self.sum_at.get_unchecked(g % 8));
                let sums = std::hint::black_box(sums);
                let p = self.p.as_ptr().add(g * group * PANEL);
                let q = q.add(g * group);
                let (p, q) = ((p, panel_stride), (q, cols));
                let starts = self.starts::<L, S, M>(lanes, row, g);
                let integers = group_sums::<L, S, M, P>(lanes, p, q, starts, self.pairs);
                let mut scales = [[lanes.splat(0.0); 2]; P];
                let mut minimums = scales;
                for i in 0..P {
                    for v in 0..n_vectors {
                        let at = (i * n_groups + g) * PANEL + L::N * v;
                        scales[i][v] = lanes.load(self.scales.as_ptr().add(at));
                        if S::HAS_MINIMUMS {
                            minimums[i][v] = lanes.load(self.minimums.as_ptr().add(at));
                        }
                    }
                }
                let block = g * group / BLOCK;
                for m in 0..M {
                    let x_scale = lanes.splat(*x_scales.add(m * n_blocks + block));
                    let x_sum = lanes.splat(*x_sums.add(m * n_blocks + block));
                    for i in 0..P {
                        for v in 0..n_vectors {
                            let to = sums.add(i * self.n_sums * SUM_STRIDE + m * PANEL + L::N * v);
                            let mut sum = lanes.load(to);
                            if S::HAS_MINIMUMS {
                                sum = lanes.fma(minimums[i][v], x_sum, sum);
                            }
                            let scale = lanes.mul(scales[i][v], x_scale);
                            sum = lanes.fma(lanes.to_float(integers[m][i][v]), scale, sum);
                            lanes.store(to, sum);
                        }
                    }
                }
            }
            for m in 0..M {
                for i in 0..P {
                    self.store(lanes, m, row + m, i);
                }
            }
        }
    }

    /// Where sums of group `g` start.
    ///
    /// # Safety
    /// Rows `row … row + M` belong to this task, and panels have the group.
    #[inline(always)]
    unsafe fn starts<L: Lanes, S: Sign, const M: usize>(
        &self,
        lanes: L,
        row: usize,
        g: usize,
    ) -> [L::I; M] {
        let mut starts = [lanes.splat_int(0); M];
        if S::IS_SHIFTED {
            let group = self.group::<S>();
            let first = row * self.x.cols + self.inputs.start + g * group;
            for m in 0..M {
                // SAFETY: the caller's promise.
                let sum = unsafe { q_sum(&self.x.q_sums, first + m * self.x.cols, group) };
                starts[m] = lanes.splat_int(-i32::from(self.shift) * sum);
            }
        }
        starts
    }

    /// The outputs of a panel for a row of x, and how many there are.
    ///
    /// # Safety
    /// `row` is one of this task's rows of x, and the task has this panel.
    #[inline(always)]
    unsafe fn y_row(&self, row: usize, panel: usize) -> (*mut f32, usize) {
        let first = self.rows.start + panel * PANEL;
        // SAFETY: y has a row of as many values as w has rows for each row of x.
        let y = unsafe { self.y.pointer().add(row * self.n_outputs + first) };
        (y, PANEL.min(self.rows.end - first))
    }

    /// # Safety
    /// `row` is one of this task's rows of x, and its sums with this panel of the task stand in row `m`.
    #[inline(always)]
    unsafe fn store<L: Lanes>(&self, lanes: L, m: usize, row: usize, panel: usize) {
        // SAFETY: this task alone writes these columns of y, and vectors reach them directly only when the panel is
        // full.
        unsafe {
            let (y, n_cols) = self.y_row(row, panel);
            let sums = self.sums_of(panel).add(m * PANEL);
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

/// The eight sums of N outputs as one.
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
    sum_of_eight(lanes, v)
}
