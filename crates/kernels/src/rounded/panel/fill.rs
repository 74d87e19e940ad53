//! Sixteen stored rows to a panel: bytes [inputs / 4][16 rows][4], scales and minimums [groups][16].
//!
//! Eight rows at a time: 32 bytes of each, as words, are an 8 × 8 matrix that is transposed in registers.

use std::marker::PhantomData;
use std::ops::Range;

use super::PANEL;
use crate::format::{Format, Matrix};
use crate::isa::{Isa, Kernel, Kernel8};
use crate::lanes::{Lanes, Lanes8};
use crate::rounded::BLOCK;
use crate::rounded::blocks::{self, Large, Small, factors, factors_of_eight, factors_of_sixteen};
use crate::rounded::unpack::{group_len, unpack};
use crate::scratch;

/// Unpacks `inputs` of all rows of `w`, 1 to 16 of them. What stands in the places of rows that are missing is
/// unspecified.
pub(super) fn panel(
    isa: Isa,
    p: &mut [u8],
    scales: &mut [f32],
    minimums: &mut [f32],
    w: &Matrix<'_>,
    inputs: Range<usize>,
) {
    let format = w.format();
    let n_groups = inputs.len() / group_len(format);
    assert!(p.len() == PANEL * inputs.len() && scales.len() == PANEL * n_groups);
    assert!(minimums.len() == scales.len() && inputs.end <= w.cols());
    for first in [0, 8] {
        let rows = std::array::from_fn(|r| {
            let row = w.row((first + r).min(w.rows() - 1));
            &row[inputs.start / format.block_len() * format.block_bytes()..]
        });
        let eight =
            Eight { p: &mut *p, scales: &mut *scales, minimums: &mut *minimums, rows, first };
        if !isa.has_vectors_8() {
            eight.portable(isa, format);
            continue;
        }
        match format {
            Format::Q8_0 => isa.dispatch_vectors_8(With::<blocks::Q8_0>(eight, PhantomData)),
            Format::Q4_0 => isa.dispatch_vectors_8(With::<blocks::Q4_0>(eight, PhantomData)),
            Format::Q4_1 => isa.dispatch_vectors_8(With::<blocks::Q4_1>(eight, PhantomData)),
            Format::Q5_0 => isa.dispatch_vectors_8(With::<blocks::Q5_0>(eight, PhantomData)),
            Format::Q4K => isa.dispatch_vectors_8(WithEight::<blocks::Q4K>(eight, PhantomData)),
            Format::Q5K => isa.dispatch_vectors_8(WithEight::<blocks::Q5K>(eight, PhantomData)),
            Format::Q6K => isa.dispatch_vectors_8(WithSixteen(eight)),
            Format::F32 | Format::F16 | Format::Bf16 => unreachable!("checked by the caller"),
        }
    }
}

/// Eight rows on their way to rows `first … first + 7` of the panel.
struct Eight<'a> {
    p: &'a mut [u8],
    scales: &'a mut [f32],
    minimums: &'a mut [f32],
    rows: [&'a [u8]; 8],
    first: usize,
}

struct With<'a, S>(Eight<'a>, PhantomData<S>);
struct WithEight<'a, B>(Eight<'a>, PhantomData<B>);
struct WithSixteen<'a>(Eight<'a>);

impl Eight<'_> {
    /// Rows of 32 inputs from `input` on, to their places.
    ///
    /// # Safety
    /// The panel has these inputs.
    #[inline(always)]
    unsafe fn put<L: Lanes8>(&mut self, lanes: L, input: usize, rows: [L::I; 8]) {
        // SAFETY: the caller's promise: eight groups of four inputs, of which each has 64 bytes.
        unsafe {
            let to = self.p.as_mut_ptr().add(input * PANEL + 4 * self.first);
            for (four, words) in lanes.transpose_words(rows).into_iter().enumerate() {
                lanes.store_int(to.add(4 * PANEL * four), words);
            }
        }
    }

    fn portable(self, isa: Isa, format: Format) {
        let Self { p, scales, minimums, rows, first } = self;
        let len = p.len() / PANEL;
        let n_groups = scales.len() / PANEL;
        let n_bytes = len / format.block_len() * format.block_bytes();
        scratch::with_bytes(8 * len, |unpacked| {
            scratch::with(2 * n_groups, |factors| {
                let (row_scales, row_minimums) = factors.split_at_mut(n_groups);
                for (r, (row, bytes)) in rows.iter().zip(unpacked.chunks_exact_mut(len)).enumerate()
                {
                    unpack(format, bytes, row_scales, row_minimums, &row[..n_bytes]);
                    for group in 0..n_groups {
                        scales[group * PANEL + first + r] = row_scales[group];
                        minimums[group * PANEL + first + r] = row_minimums[group];
                    }
                }
                isa.dispatch_8(Interleave { p, rows: unpacked, first });
            });
        });
    }
}

impl<S: Small> Kernel8 for With<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes8>(self, lanes: L) {
        let mut eight = self.0;
        let (first, rows) = (eight.first, eight.rows);
        for block in 0..eight.p.len() / (PANEL * BLOCK) {
            let mut integers = [lanes.splat_int(0); 8];
            let mut pairs = [0u32; 8];
            // SAFETY: the rows reach this block, and so do the panel, its scales and its minimums.
            unsafe {
                for r in 0..8 {
                    let at = rows[r].as_ptr().add(block * S::BYTES);
                    integers[r] = S::integers(lanes, at);
                    pairs[r] = S::factors(at);
                }
                eight.put(lanes, block * BLOCK, integers);
                let (scales, minimums) = factors::<L, S>(lanes, pairs);
                let at = block * PANEL + first;
                lanes.store(eight.scales.as_mut_ptr().add(at), scales);
                lanes.store(eight.minimums.as_mut_ptr().add(at), minimums);
            }
        }
    }
}

impl<B: Large> Kernel8 for WithEight<'_, B> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes8>(self, lanes: L) {
        let mut eight = self.0;
        for block in 0..eight.p.len() / (PANEL * 8 * BLOCK) {
            let (mut scales, mut minimums) = ([[0.0f32; 8]; 8], [[0.0f32; 8]; 8]);
            // SAFETY: the rows reach this block, and so do the panel, its scales and its minimums.
            unsafe {
                for r in 0..8 {
                    let at = eight.rows[r].as_ptr().add(block * B::BYTES);
                    let (scale, minimum) = factors_of_eight(lanes, at);
                    lanes.store(scales[r].as_mut_ptr(), scale);
                    lanes.store(minimums[r].as_mut_ptr(), minimum);
                }
                let to = 8 * block * PANEL + eight.first;
                let (to_scales, to_minimums) = (&mut eight.scales[to..], &mut eight.minimums[to..]);
                lanes.transpose_8x8(to_scales.as_mut_ptr(), PANEL, scales.as_ptr().cast(), 8);
                lanes.transpose_8x8(to_minimums.as_mut_ptr(), PANEL, minimums.as_ptr().cast(), 8);
                put_groups::<B, L>(lanes, &mut eight, block);
            }
        }
    }
}

impl Kernel8 for WithSixteen<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes8>(self, lanes: L) {
        let mut eight = self.0;
        eight.minimums.fill(0.0);
        for block in 0..eight.p.len() / (PANEL * 8 * BLOCK) {
            let mut scales = [[0.0f32; 16]; 8];
            // SAFETY: the rows reach this block, and so do the panel and its scales.
            unsafe {
                for r in 0..8 {
                    let at = eight.rows[r].as_ptr().add(block * blocks::Q6K::BYTES);
                    let factors = factors_of_sixteen(lanes, at);
                    for half in 0..2 {
                        lanes.store(scales[r].as_mut_ptr().add(8 * half), factors[half]);
                    }
                }
                for half in 0..2 {
                    let to = &mut eight.scales[(16 * block + 8 * half) * PANEL + eight.first..];
                    let from = scales.as_ptr().cast::<f32>().add(8 * half);
                    lanes.transpose_8x8(to.as_mut_ptr(), PANEL, from, 16);
                }
                put_groups::<blocks::Q6K, L>(lanes, &mut eight, block);
            }
        }
    }
}

/// The integers of a block of 256 of each row.
///
/// # Safety
/// The rows reach this block, and so does the panel.
#[inline(always)]
unsafe fn put_groups<B: Large, L: Lanes8>(lanes: L, eight: &mut Eight<'_>, block: usize) {
    for group in 0..8 {
        let mut integers = [lanes.splat_int(0); 8];
        // SAFETY: the caller's promise.
        unsafe {
            for r in 0..8 {
                let at = eight.rows[r].as_ptr().add(block * B::BYTES);
                integers[r] = B::integers(lanes, at, group);
            }
            eight.put(lanes, (8 * block + group) * BLOCK, integers);
        }
    }
}

/// Eight rows of bytes become rows `first … first + 7` of the panel, four bytes at a time.
struct Interleave<'a> {
    p: &'a mut [u8],
    rows: &'a [u8],
    first: usize,
}

impl Kernel for Interleave<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let len = self.rows.len() / 8;
        assert!(
            self.p.len() == PANEL * len && len.is_multiple_of(BLOCK) && self.first + 8 <= PANEL
        );
        // Four bytes are moved as if they were an f32; nothing is computed with them.
        for start in (0..len).step_by(BLOCK) {
            // SAFETY: 8 rows of 32 bytes from `start` on, to 8 columns of 8 groups of the panel. Buffers of bytes
            // are parts of buffers of f32 and as aligned.
            unsafe {
                let to = self.p.as_mut_ptr().add(start * PANEL + 4 * self.first).cast::<f32>();
                lanes.transpose_8x8(to, PANEL, self.rows.as_ptr().add(start).cast(), len / 4);
            }
        }
    }
}
