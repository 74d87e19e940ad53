//! Few rows of x: stored blocks become integers in registers and meet the bytes of x on the spot.
//!
//! Roof: reading the weight from memory. Formats with blocks of 32 give each of eight weight rows a lane; the blocks of
//! 256 bring eight scales and give each scale a lane. A block of 32 weights costs about ten vector instructions either
//! way, of which AVX2 starts three or four per cycle; vectors of 64 bytes (`wide`) need about six.
//!
//! Memory is read in many places at once ([`Places`]): one place after the other, two cores of a Xeon read 21 GB/s in
//! pages of 4 KB, and eight places side by side 38.

mod large;
mod small;
mod wide;

use std::ops::Range;

use super::interleaved::{self, PANEL};
use super::unpack::{group_len, unpack};
use super::{BLOCK, CHUNK, Order, Rounded, RoundedRow, Target, Weight, blocks};
use crate::format::{Format, Matrix};
use crate::isa::Isa;
use crate::lanes::array::multiply_add;
use crate::pool::{Pool, locate};
use crate::scratch::{self, SharedMut};

/// Weight bytes per task: enough that the machine's own prefetching pays, and for large weights still many tasks, so
/// that threads end together.
const TASK_BYTES: std::ops::RangeInclusive<usize> = 16 * 1024..=256 * 1024;
/// Tasks per thread for weights in between.
const TASKS_PER_THREAD: usize = 4;
/// Weight rows taken together with 8 lanes.
const ROWS: usize = 8;

pub(super) fn matmul(pool: &Pool, targets: &[Target<'_>], x: &Rounded) {
    let total_bytes: usize = targets.iter().map(|target| target.w.bytes().len()).sum();
    let task_bytes = (total_bytes / (TASKS_PER_THREAD * pool.n_threads()))
        .clamp(*TASK_BYTES.start(), *TASK_BYTES.end());
    let task_rows = |target: &Target<'_>| {
        let row_bytes = target.w.bytes().len() / target.w.rows();
        (task_bytes / row_bytes.max(1)).max(1).next_multiple_of(PANEL)
    };
    let n_tasks = |target: &Target<'_>| target.w.rows().div_ceil(task_rows(target));
    pool.run(targets.iter().map(n_tasks).sum(), |task_idx| {
        let (idx, part) = locate(targets, task_idx, n_tasks);
        let Target { y, w } = &targets[idx];
        let step = task_rows(&targets[idx]);
        let rows = part * step..w.rows().min((part + 1) * step);
        let isa = pool.isa();
        let w = match w {
            Weight::Rows(w) => w,
            Weight::Panels(w) => {
                let panels = rows.start / PANEL..rows.end / PANEL;
                return interleaved::matmul(isa, *y, x, w, panels);
            }
        };
        let few = Few { y: *y, x, w, rows };
        match x.n {
            1 => few.run::<1>(isa),
            2 => few.run::<2>(isa),
            3 => few.run::<3>(isa),
            n => unreachable!("{n} rows of x are not few"),
        }
    });
}

/// The weight rows of a task and the rows of x.
struct Few<'a> {
    y: SharedMut<f32>,
    x: &'a Rounded,
    w: &'a Matrix<'a>,
    rows: Range<usize>,
}

impl Few<'_> {
    fn run<const N_X: usize>(self, isa: Isa) {
        if isa.has_vectors_16() && wide::reaches(&self) {
            return wide::run::<N_X>(isa, self);
        }
        if !isa.has_vectors_8() {
            return portable(self);
        }
        match self.w.format() {
            Format::Q8_0 => isa.dispatch_vectors_8(small::Products::<blocks::Q8_0, N_X>::new(self)),
            Format::Q4_0 => isa.dispatch_vectors_8(small::Products::<blocks::Q4_0, N_X>::new(self)),
            Format::Q4_1 => isa.dispatch_vectors_8(small::Products::<blocks::Q4_1, N_X>::new(self)),
            Format::Q5_0 => isa.dispatch_vectors_8(small::Products::<blocks::Q5_0, N_X>::new(self)),
            Format::Q4K => isa.dispatch_vectors_8(large::Products::<blocks::Q4K, N_X>::new(self)),
            Format::Q5K => isa.dispatch_vectors_8(large::Products::<blocks::Q5K, N_X>::new(self)),
            Format::Q6K => isa.dispatch_vectors_8(large::Products::<blocks::Q6K, N_X>::new(self)),
            Format::F32 | Format::F16 | Format::Bf16 => unreachable!("checked by the caller"),
        }
    }

    /// The rows of x.
    #[inline(always)]
    fn x_rows<const N_X: usize>(&self) -> [RoundedRow<'_>; N_X] {
        let mut rows = [self.x.row(0); N_X];
        for m in 0..N_X {
            rows[m] = self.x.row(m);
        }
        rows
    }

    /// Where these weight rows begin.
    #[inline(always)]
    fn first_blocks<const N: usize>(&self, rows: &[usize; N]) -> [*const u8; N] {
        let mut first = [self.w.row(rows[0]).as_ptr(); N];
        for r in 0..N {
            first[r] = self.w.row(rows[r]).as_ptr();
        }
        first
    }

    /// # Safety
    /// `row_idx` is one of this task's rows, and `m` a row of x.
    #[inline(always)]
    unsafe fn store_one(&self, m: usize, row_idx: usize, value: f32) {
        // SAFETY: y has a row of as many values as w has rows for each row of x, and this task alone writes column
        // `row_idx`.
        unsafe { *self.y.pointer().add(m * self.w.rows() + row_idx) = value };
    }

    /// A value for each of several rows, of which some may be the same with the same value.
    ///
    /// # Safety
    /// As `store_one`, for all of these rows.
    #[inline(always)]
    unsafe fn store<const N: usize>(&self, m: usize, rows: &[usize; N], values: &[f32; N]) {
        for r in 0..N {
            // SAFETY: the caller's promise.
            unsafe { self.store_one(m, rows[r], values[r]) };
        }
    }
}

/// N places in a task's weight rows, far from each other, that are read side by side: the machine fetches ahead within a
/// page of memory, so N places are read faster than one.
struct Places<const N: usize> {
    rows: Range<usize>,
    /// Rows of a place.
    n_steps: usize,
}

impl<const N: usize> Places<N> {
    #[inline(always)]
    fn of(few: &Few<'_>) -> Self {
        let mut n_steps = few.rows.len().div_ceil(N);
        let row_bytes = few.w.row(0).len();
        // Places at multiples of a page share the few lines that the first cache has for such addresses.
        if n_steps > 1 && (n_steps * row_bytes / 64).is_multiple_of(16) {
            n_steps += 1;
        }
        Self { rows: few.rows.clone(), n_steps }
    }

    /// Row `step` of each place. Where there are too few, the last one is read more than once.
    #[inline(always)]
    fn rows(&self, step: usize) -> [usize; N] {
        let mut rows = [self.rows.end - 1; N];
        for (place, row) in rows.iter_mut().enumerate() {
            *row = (*row).min(self.rows.start + place * self.n_steps + step);
        }
        rows
    }
}

/// One weight row at a time, unpacked to bytes and multiplied in plain integers.
fn portable(few: Few<'_>) {
    let Few { y, x, w, rows } = few;
    let (format, cols) = (w.format(), w.cols());
    let group = group_len(format);
    let n_groups = cols / group;
    scratch::with_bytes(cols, |p| {
        scratch::with(2 * n_groups, |factors| {
            let (scales, minimums) = factors.split_at_mut(n_groups);
            for row_idx in rows {
                unpack(format, p, scales, minimums, w.row(row_idx));
                let row = WeightRow { p, scales, minimums, format };
                for i in 0..x.n {
                    // SAFETY: as in `Few::store_one`.
                    unsafe { *y.pointer().add(i * w.rows() + row_idx) = row.meet(x.row(i)) };
                }
            }
        });
    });
}

/// A weight row, unpacked.
struct WeightRow<'a> {
    p: &'a [u8],
    scales: &'a [f32],
    minimums: &'a [f32],
    format: Format,
}

impl WeightRow<'_> {
    /// The product with a row of x, added in the order that [`Order`] says.
    fn meet(&self, x: RoundedRow<'_>) -> f32 {
        let group = group_len(self.format);
        let order = Order::of(self.format);
        let signed = matches!(self.format, Format::Q8_0 | Format::Q6K);
        let mut total = 0.0;
        let mut sums = [0.0f32; 8];
        for (g, (p, q)) in self.p.chunks_exact(group).zip(x.q.chunks_exact(group)).enumerate() {
            let (block, sum) = (g * group / BLOCK, &mut sums[order.sum_of(g)]);
            let pairs = p.iter().zip(q);
            let dot: i32 = if signed {
                pairs.map(|(&p, &q)| i32::from(p.cast_signed()) * i32::from(q)).sum()
            } else {
                pairs.map(|(&p, &q)| i32::from(p) * i32::from(q)).sum()
            };
            if !signed {
                *sum = multiply_add(self.minimums[g], x.sums[block], *sum);
            }
            *sum = multiply_add(dot as f32, self.scales[g] * x.scales[block], *sum);
            let end = (g + 1) * group;
            if order != Order::InTurn && (end.is_multiple_of(CHUNK) || end == self.p.len()) {
                let sum = tree(std::mem::take(&mut sums));
                total = if end <= CHUNK { sum } else { total + sum };
            }
        }
        if order == Order::InTurn { sums[0] } else { total }
    }
}

/// Eight numbers added up as [`crate::lanes::Lanes::sum`] does.
fn tree(v: [f32; 8]) -> f32 {
    ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]))
}
