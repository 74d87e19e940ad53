use proptest::prelude::*;

use super::{Random, assert_close, every_isa, every_pool};
use crate::format::{Format, Matrix, dequantize, dequantize_on, quantize};
use crate::isa::Isa;
use crate::matmul::matmul;
use crate::pool::Pool;
use crate::reference;

/// Stored rows whose every bit pattern may occur, except that scales are finite and moderate.
pub(super) fn stored(random: &mut Random, format: Format, n_values: usize) -> Vec<u8> {
    let mut bytes = random.bytes(format.row_bytes(n_values).unwrap());
    let half_float = |random: &mut Random| half::f16::from_f32(random.unit()).to_le_bytes();
    let halves: &[usize] = match format {
        Format::F32 => {
            return random.values(n_values).iter().flat_map(|v| v.to_le_bytes()).collect();
        }
        Format::Bf16 => {
            let values = random.values(n_values);
            return values.iter().flat_map(|&v| half::bf16::from_f32(v).to_le_bytes()).collect();
        }
        Format::F16 | Format::Q8_0 | Format::Q4_0 | Format::Q5_0 => &[0],
        Format::Q4_1 | Format::Q4K | Format::Q5K => &[0, 2],
        Format::Q6K => &[208],
    };
    for block in bytes.chunks_exact_mut(format.block_bytes()) {
        for &at in halves {
            block[at..at + 2].copy_from_slice(&half_float(random));
        }
    }
    bytes
}

pub(super) fn any_format() -> impl Strategy<Value = Format> {
    prop::sample::select(Format::ALL.to_vec())
}

/// Largest Σ |x w| of an output, the scale of its rounding error.
pub(super) fn magnitude(x: &[f32], w: &Matrix<'_>) -> f32 {
    let mut row = vec![0.0; w.cols()];
    let mut largest = 0.0f32;
    for row_idx in 0..w.rows() {
        w.dequantize_row(&mut row, row_idx);
        for x in x.chunks_exact(w.cols().max(1)) {
            largest = largest.max(x.iter().zip(&row).map(|(a, b)| (a * b).abs()).sum());
        }
    }
    largest
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_isa_dequantises_to_the_same_values_as_the_reference(
        format in any_format(), n_blocks in 0usize..70, offset in 0usize..5, seed: u64,
    ) {
        let random = &mut Random(seed);
        let n_values = n_blocks * format.block_len();
        let mut bytes = random.bytes(offset);
        bytes.extend(stored(random, format, n_values));
        let bytes = &bytes[offset..];
        let expected: Vec<f32> = (0..n_values).map(|i| reference::value(format, bytes, i)).collect();
        for isa in every_isa() {
            let mut got = vec![f32::NAN; n_values];
            dequantize_on(isa, &mut got, format, bytes);
            prop_assert_eq!(&got, &expected, "{} on {}", format, isa);
        }
    }

    #[test]
    fn products_agree_with_the_reference(
        format in any_format(), n in 0usize..14, rows in 0usize..70, size in 0usize..40, offset in 0usize..4, seed: u64,
    ) {
        let random = &mut Random(seed);
        let cols = match format.block_len() {
            1 => size * size / 2,
            32 => size * 32,
            block => size / 8 * block,
        };
        let bytes = stored(random, format, rows * cols);
        let w = Matrix::new(format, rows, cols, &bytes).unwrap();
        let n = if cols == 0 { 0 } else { n };
        let x = random.values(offset + n * cols);
        let x = &x[offset..];
        let mut expected = vec![0.0; n * rows];
        reference::matmul(&mut expected, x, &w);
        // Rounding grows with the root of the number of terms, and at most linearly in their sizes.
        let tolerance = 4e-7 * magnitude(x, &w).max(1.0);
        for pool in every_pool() {
            let mut y = vec![f32::NAN; n * rows];
            matmul(&pool, &mut y, x, &w);
            assert_close(&y, &expected, tolerance, &format!("{format} [{n}, {rows}, {cols}] on {}", pool.isa()));
        }
    }

    #[test]
    fn a_row_has_the_same_bits_alone_and_in_company(
        format in any_format(), n in 1usize..20, rows in 1usize..70, size in 1usize..50, seed: u64,
    ) {
        let random = &mut Random(seed);
        let cols = match format.block_len() {
            1 => size * size / 2 + 1,
            32 => size * 32,
            block => size.div_ceil(8) * block,
        };
        let bytes = stored(random, format, rows * cols);
        let w = Matrix::new(format, rows, cols, &bytes).unwrap();
        let x = random.values(n * cols);
        for pool in every_pool() {
            let mut together = vec![f32::NAN; n * rows];
            matmul(&pool, &mut together, &x, &w);
            for part in [1, 2, 4, 7] {
                for (x, together) in x.chunks(part * cols).zip(together.chunks(part * rows)) {
                    let mut y = vec![f32::NAN; together.len()];
                    matmul(&pool, &mut y, x, &w);
                    let same = y.iter().zip(together).all(|(a, b)| a.to_bits() == b.to_bits());
                    prop_assert!(same, "{format}, {part} of {n} rows, [{rows}, {cols}] on {}", pool.isa());
                }
            }
        }
    }

    #[test]
    fn the_number_of_threads_does_not_change_a_bit(
        format in any_format(), n in 1usize..200, rows in 1usize..100, seed: u64,
    ) {
        let random = &mut Random(seed);
        let cols = 768;
        let bytes = stored(random, format, rows * cols);
        let w = Matrix::new(format, rows, cols, &bytes).unwrap();
        let x = random.values(n * cols);
        let mut alone = vec![0.0; n * rows];
        matmul(&Pool::new(1), &mut alone, &x, &w);
        for n_threads in [2, 3, 7] {
            let mut shared = vec![0.0; n * rows];
            matmul(&Pool::new(n_threads), &mut shared, &x, &w);
            prop_assert!(alone.iter().zip(&shared).all(|(a, b)| a.to_bits() == b.to_bits()));
        }
    }

    #[test]
    fn quantised_values_come_back_within_half_a_step(n_blocks in 0usize..20, seed: u64) {
        let values = Random(seed).values(n_blocks * 32);
        for (format, steps) in [(Format::Q8_0, 127.0), (Format::Q4_0, 8.0)] {
            let bytes = quantize(format, &values);
            let mut back = vec![0.0; values.len()];
            dequantize(&mut back, format, &bytes);
            for (values, back) in values.chunks(32).zip(back.chunks(32)) {
                let largest = values.iter().fold(0.0f32, |a, v| a.max(v.abs()));
                // Q4_0 has eight steps on the side of the extreme and seven on the other, where the end is cut.
                let allowed = largest / steps * if format == Format::Q4_0 { 1.01 } else { 0.51 } + largest / 1024.0;
                for (a, b) in values.iter().zip(back) {
                    prop_assert!((a - b).abs() <= allowed, "{} {} → {}, allowed {}", format, a, b, allowed);
                }
            }
        }
    }
}

#[test]
fn long_sums_pass_block_borders_of_the_panel_path() {
    let random = &mut Random(7);
    let (n, rows, cols) = (61, 45, 1536 + 77);
    let weights = random.values(rows * cols);
    let w = Matrix::from_f32(rows, cols, &weights).unwrap();
    let x = random.values(n * cols);
    let mut expected = vec![0.0; n * rows];
    reference::matmul(&mut expected, &x, &w);
    for pool in every_pool() {
        let mut y = vec![f32::NAN; n * rows];
        matmul(&pool, &mut y, &x, &w);
        assert_close(&y, &expected, 1e-4, pool.isa().name());
    }
}

#[test]
fn a_matrix_refuses_bytes_of_another_size() {
    assert!(Matrix::new(Format::Q4_0, 2, 64, &[0; 72]).is_some());
    assert!(Matrix::new(Format::Q4_0, 2, 64, &[0; 71]).is_none());
    assert!(Matrix::new(Format::Q4_0, 2, 63, &[0; 72]).is_none());
    assert!(Matrix::new(Format::F32, usize::MAX, usize::MAX, &[]).is_none());
    assert!(Matrix::new(Format::F32, 0, usize::MAX, &[]).is_none());
}

#[test]
fn rows_of_a_slice_are_rows_of_the_whole() {
    let values: Vec<f32> = (0..12).map(|v| v as f32).collect();
    let w = Matrix::from_f32(4, 3, &values).unwrap();
    let mut row = [0.0; 3];
    w.slice_rows(1, 2).dequantize_row(&mut row, 1);
    assert_eq!(row, [6.0, 7.0, 8.0]);
}

#[test]
fn the_portable_path_is_always_available() {
    assert_eq!(Isa::available()[0], Isa::scalar());
}
