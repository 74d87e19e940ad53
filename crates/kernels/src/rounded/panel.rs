//! Many rows of x: a panel of 16 weight rows is unpacked once and multiplied with all of them.
//!
//! ```text
//! for each task: one panel, or two (and, when the weight is small, a range of rows of x)
//!     for each DEPTH inputs
//!         unpack the panels: bytes [depth / 4][16 rows][4], scales and minimums [groups][16]
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
//! are wide from the start. With vectors of a whole panel two are taken at once: eight bytes of x loaded for sixteen products
//! instead of eight, because two loads a cycle are what one panel waits for.

mod fill;
mod tile;

use std::ops::Range;

use super::interleaved::PANEL;
use super::unpack::group_len;
use super::{CHUNK, Order, Rounded, Target, Weight, interleaved};
use crate::format::Format;
use crate::isa::Isa;
use crate::pool::{Pool, locate};
use crate::scratch;
use tile::{SUM_STRIDE, Shifted, Signed, Task, Unsigned, With};

/// Inputs per pass, a multiple of every block length: 16 KB of bytes and 4 KB of scales, in the first-level cache
/// beside four rows of x.
const DEPTH: usize = CHUNK;
/// A task gets no fewer rows of x than this, or unpacking would outweigh multiplying.
const LEAST_X_ROWS: usize = 64;

pub(super) fn matmul(pool: &Pool, targets: &[Target<'_>], x: &Rounded) {
    let width = PANEL * panels_of(pool.isa());
    let n_panels = |target: &Target<'_>| target.w.rows().div_ceil(width);
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
        let target = &targets[target_idx];
        let start = panel * width;
        let rows = start..target.w.rows().min(start + width);
        one_task(pool, target, x, rows, x_rows);
    });
}

/// Panels that are multiplied together: two where sums need one register for each row of x.
fn panels_of(isa: Isa) -> usize {
    if isa.has_vectors_16() { 2 } else { 1 }
}

/// What is added to integers with a sign, so that they have none: VNNI multiplies bytes of which one has no sign. 0 for
/// formats without signs, and where there is no VNNI and 16 bits would not hold the products.
fn shift(isa: Isa, format: Format) -> u8 {
    match format {
        Format::Q8_0 if isa.has_vectors_16() => 128,
        Format::Q6K if isa.has_vectors_16() => 32,
        _ => 0,
    }
}

fn one_task(
    pool: &Pool,
    target: &Target<'_>,
    x: &Rounded,
    rows: Range<usize>,
    x_rows: Range<usize>,
) {
    let w = &target.w;
    let format = w.format();
    let n_panels = rows.len().div_ceil(PANEL);
    let depth = w.cols().min(DEPTH);
    let group = group_len(format);
    let in_two_runs = matches!(format, Format::Q5_0 | Format::Q5K) && !pool.isa().has_vectors_16();
    scratch::with_bytes(n_panels * PANEL * depth, |p| {
        let order = Order::of(format);
        let n_sums = if order == Order::InTurn { 1 } else { 8 };
        let sums_len = n_panels * n_sums * SUM_STRIDE;
        scratch::with(sums_len + 2 * n_panels * PANEL * (depth / group), |factors| {
            let (sums, factors) = factors.split_at_mut(sums_len);
            for start in (0..w.cols()).step_by(DEPTH) {
                let inputs = start..w.cols().min(start + DEPTH);
                let n_groups = inputs.len() / group;
                let (scales, rest) = factors.split_at_mut(n_panels * PANEL * n_groups);
                let minimums = &mut rest[..n_panels * PANEL * n_groups];
                let p = &mut p[..n_panels * PANEL * inputs.len()];
                let panels = p
                    .chunks_exact_mut(PANEL * inputs.len())
                    .zip(scales.chunks_exact_mut(PANEL * n_groups))
                    .zip(minimums.chunks_exact_mut(PANEL * n_groups));
                let shift = shift(pool.isa(), format);
                for (first, ((p, scales), minimums)) in rows.clone().step_by(PANEL).zip(panels) {
                    let (isa, inputs) = (pool.isa(), inputs.clone());
                    match w {
                        Weight::Rows(w) => {
                            let w = w.slice_rows(first, PANEL.min(rows.end - first));
                            fill::panel(isa, p, scales, minimums, &w, inputs);
                            if shift > 0 {
                                p.iter_mut().for_each(|p| *p = p.wrapping_add(shift));
                            }
                        }
                        Weight::Panels(w) => {
                            let w = (w, first / PANEL);
                            interleaved::panel(isa, p, scales, minimums, w, inputs, shift > 0);
                        }
                    }
                }
                let task = Task {
                    y: target.y,
                    n_outputs: w.rows(),
                    x,
                    shift,
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
                };
                let isa = pool.isa();
                match format {
                    _ if shift > 0 => isa.dispatch_bytes(With(task, Shifted)),
                    Format::Q8_0 | Format::Q6K => isa.dispatch_bytes(With(task, Signed)),
                    _ if in_two_runs => isa.dispatch_bytes(With(task, Unsigned::<2>)),
                    _ => isa.dispatch_bytes(With(task, Unsigned::<1>)),
                }
            }
        });
    });
}
