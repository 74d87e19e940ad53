//! Few rows of x: panels are read once, in order, and meet the bytes of x on the spot. A lane is an output.

use std::marker::PhantomData;
use std::ops::Range;

use super::blocks::{self, Sixteen};
use super::{Interleaved, PANEL};
use crate::format::Format;
use crate::isa::{Isa, Kernel};
use crate::lanes::Lanes;
use crate::rounded::{BLOCK, CHUNK, Rounded, RoundedRow, q_sum, sum_of_eight};
use crate::scratch::SharedMut;

/// Rows of x that meet a panel together. Where there are more, they meet it again while it is in the cache.
const X_ROWS: usize = 4;

/// Blocks of 256 that are asked for ahead: their parts are not read strictly in order, which the machine's own fetching
/// does not foresee. One less or more is a few per cent slower; for blocks of 32 asking gains nothing.
const AHEAD: usize = 3;

/// y[n, rows] for the panels of one task.
pub(in crate::rounded) fn matmul(
    isa: Isa,
    y: SharedMut<f32>,
    x: &Rounded,
    w: &Interleaved<'_>,
    panels: Range<usize>,
) {
    if x.n <= X_ROWS {
        return Few { y, x, first: 0, w, panels }.dispatch(isa);
    }
    for panel in panels {
        for first in (0..x.n).step_by(X_ROWS) {
            Few { y, x, first, w, panels: panel..panel + 1 }.dispatch(isa);
        }
    }
}

struct Few<'a> {
    y: SharedMut<f32>,
    x: &'a Rounded,
    /// The first of the rows of x.
    first: usize,
    w: &'a Interleaved<'a>,
    panels: Range<usize>,
}

impl Few<'_> {
    fn dispatch(self, isa: Isa) {
        match self.x.n - self.first {
            1 => self.of::<1>(isa),
            2 => self.of::<2>(isa),
            3 => self.of::<3>(isa),
            _ => self.of::<X_ROWS>(isa),
        }
    }

    fn of<const N_X: usize>(self, isa: Isa) {
        match self.w.format() {
            Format::Q8_0 => self.run::<blocks::Q8_0, N_X, 1>(isa),
            Format::Q4_0 => self.run::<blocks::Q4_0, N_X, 1>(isa),
            Format::Q4_1 => self.run::<blocks::Q4_1, N_X, 1>(isa),
            Format::Q5_0 => self.run::<blocks::Q5_0, N_X, 1>(isa),
            Format::Q4K => self.run::<blocks::Q4K, N_X, 8>(isa),
            Format::Q5K => self.run::<blocks::Q5K, N_X, 8>(isa),
            Format::Q6K => self.run::<blocks::Q6K, N_X, 8>(isa),
            Format::F32 | Format::F16 | Format::Bf16 => unreachable!("checked when it was made"),
        }
    }

    fn run<S: Sixteen, const N_X: usize, const N_SUMS: usize>(self, isa: Isa) {
        if isa.has_vectors_16() || S::SHIFT == 0 {
            isa.dispatch_bytes(Products::<S, N_X, N_SUMS, false>(self, PhantomData));
        } else {
            isa.dispatch_bytes(Products::<S, N_X, N_SUMS, true>(self, PhantomData));
        }
    }
}

/// With `SIGNED` integers get their sign back, because 16 bits would not hold products of those without.
struct Products<'a, S, const N_X: usize, const N_SUMS: usize, const SIGNED: bool>(
    Few<'a>,
    PhantomData<S>,
);

impl<S: Sixteen, const N_X: usize, const N_SUMS: usize, const SIGNED: bool> Kernel
    for Products<'_, S, N_X, N_SUMS, SIGNED>
{
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        for panel in self.0.panels.clone() {
            for part in 0..PANEL / L::N {
                // SAFETY: the panel is this task's and has this part.
                unsafe { self.outputs(lanes, panel, part) };
            }
        }
    }
}

impl<S: Sixteen, const N_X: usize, const N_SUMS: usize, const SIGNED: bool>
    Products<'_, S, N_X, N_SUMS, SIGNED>
{
    /// N outputs of a panel.
    ///
    /// # Safety
    /// The panel is this task's and has this part.
    #[inline(always)]
    unsafe fn outputs<L: Lanes>(&self, lanes: L, panel: usize, part: usize) {
        let &Few { y, x, first: first_x, w, .. } = &self.0;
        let order = S::ORDER;
        let block_len = S::GROUPS * S::GROUP;
        let n_blocks = w.cols() / block_len;
        let mut of_x = [x.row(first_x); N_X];
        for m in 0..N_X {
            of_x[m] = x.row(first_x + m);
        }
        let bytes = w.panel(panel).as_ptr();
        let zero = lanes.splat(0.0);
        let mut sums = [[zero; N_SUMS]; N_X];
        let mut totals = [zero; N_X];
        for b in 0..n_blocks {
            let (at, first) = (bytes.wrapping_add(b * PANEL * S::BYTES), b * block_len);
            // Where a group stands in its block is known to the compiler: shifts are constants then.
            macro_rules! groups {
                ($($group:literal)*) => {$(
                    if $group < S::GROUPS {
                        let (first, sum) = (first + $group * S::GROUP, order.sum_of($group));
                        if S::GROUPS > 1 {
                            let bytes = PANEL * S::BYTES;
                            let lines = $group * bytes / S::GROUPS / 64..($group + 1) * bytes / S::GROUPS / 64;
                            for line in lines {
                                lanes.prefetch(at.wrapping_add(AHEAD * bytes + 64 * line));
                            }
                        }
                        // SAFETY: the panel has this block of each row, and rows of x reach as far.
                        unsafe { self.group(lanes, at, ($group, part), &of_x, first, sum, &mut sums) };
                    }
                )*};
            }
            groups!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
            let end = (b + 1) * block_len;
            if N_SUMS > 1 && (end.is_multiple_of(CHUNK) || end == w.cols()) {
                for m in 0..N_X {
                    let mut eight = [zero; 8];
                    eight.copy_from_slice(&sums[m]);
                    let sum = sum_of_eight(lanes, eight);
                    totals[m] = if end <= CHUNK { sum } else { lanes.add(totals[m], sum) };
                    sums[m] = [zero; N_SUMS];
                }
            }
        }
        for m in 0..N_X {
            let total = if N_SUMS > 1 { totals[m] } else { sums[m][0] };
            // SAFETY: y has a row of as many values as w has rows for each row of x, and this task alone writes those
            // of its panels.
            unsafe {
                let to = y.pointer().add((first_x + m) * w.rows() + panel * PANEL + part * L::N);
                lanes.store(to, total);
            }
        }
    }

    /// Adds the products of one group of values, `first` and those that follow.
    ///
    /// # Safety
    /// `at` points to sixteen blocks with this group, and rows of x have these values.
    #[inline(always)]
    unsafe fn group<L: Lanes>(
        &self,
        lanes: L,
        at: *const u8,
        (group, part): (usize, usize),
        of_x: &[RoundedRow<'_>; N_X],
        first: usize,
        sum: usize,
        sums: &mut [[L::F; N_SUMS]; N_X],
    ) {
        let is_shifted = S::SHIFT > 0 && !SIGNED;
        // Two sums of integers: half of a group fits 16 bits in any format, and neither waits for the other.
        let mut integers = [[lanes.splat_int(0); 2]; N_X];
        // SAFETY: the caller's promise; q_sums has a sum for every 16 values.
        unsafe {
            if is_shifted {
                for m in 0..N_X {
                    let q_sum = q_sum(of_x[m].q_sums, first, S::GROUP);
                    integers[m][0] = lanes.splat_int(-i32::from(S::SHIFT) * q_sum);
                }
            }
            for half in 0..2 {
                let mut narrow = [lanes.splat_int(0); N_X];
                if is_shifted {
                    for m in 0..N_X {
                        narrow[m] = integers[m][half];
                    }
                }
                for i in 0..S::GROUP / 8 {
                    let k = half * S::GROUP / 8 + i;
                    let mut p = S::four(lanes, at, group, k, part);
                    if SIGNED {
                        let shift = i32::from_ne_bytes([S::SHIFT.wrapping_neg(); 4]);
                        p = lanes.add_bytes(p, lanes.splat_int(shift));
                    }
                    for m in 0..N_X {
                        let four = of_x[m].q.as_ptr().add(first + 4 * k).cast::<i32>();
                        let q = lanes.splat_int(four.read_unaligned());
                        narrow[m] = if SIGNED {
                            lanes.dot_signed(narrow[m], p, q)
                        } else if is_shifted {
                            lanes.dot_bytes(narrow[m], p, q)
                        } else {
                            lanes.dot_short(narrow[m], p, q)
                        };
                    }
                }
                for m in 0..N_X {
                    let wide = SIGNED || is_shifted;
                    integers[m][half] = if wide { narrow[m] } else { lanes.widen(narrow[m]) };
                }
            }
            let (scales, minimums) = S::factors(lanes, at, group, part);
            for m in 0..N_X {
                let dots = lanes.to_float(lanes.add_int(integers[m][0], integers[m][1]));
                let x_scale = lanes.splat(*of_x[m].scales.get_unchecked(first / BLOCK));
                let mut to = sums[m][sum];
                if S::HAS_MINIMUMS {
                    let x_sum = lanes.splat(*of_x[m].sums.get_unchecked(first / BLOCK));
                    to = lanes.fma(minimums, x_sum, to);
                }
                sums[m][sum] = lanes.fma(dots, lanes.mul(scales, x_scale), to);
            }
        }
    }
}
