use proptest::prelude::*;

use super::matmul::{any_format, magnitude, stored};
use super::{Random, assert_close, every_pool};
use crate::format::Matrix;
use crate::pool::Pool;
use crate::reference;
use crate::rounded::interleaved::{Interleaved, PANEL};
use crate::rounded::{Product, Rounded, matmul, supports};

fn rounded(pool: &Pool, x: &[f32], cols: usize) -> Rounded {
    let mut rounded = Rounded::default();
    rounded.fill(pool, x, cols);
    rounded
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn products_of_rounded_activations_agree_with_the_reference_on_the_same_activations(
        format in any_format().prop_filter("integers", |&format| supports(format)),
        n in 0usize..30, rows in 0usize..70, size in 1usize..50, seed: u64,
    ) {
        let random = &mut Random(seed);
        let cols = if format.block_len() == 32 { size * 32 } else { size.div_ceil(8) * 256 };
        let bytes = stored(random, format, rows * cols);
        let w = Matrix::new(format, rows, cols, &bytes).unwrap();
        let x = random.values(n * cols);
        for pool in every_pool() {
            let x = rounded(&pool, &x, cols);
            let exact = x.to_f32();
            let mut expected = vec![0.0; n * rows];
            reference::matmul(&mut expected, &exact, &w);
            // Integers are exact; scales and sums round as in f32 products. Where a format takes an offset off
            // afterwards, the terms are up to twice as large as the values.
            let tolerance = 1e-6 * magnitude(&exact, &w).max(1.0);
            let mut y = vec![f32::NAN; n * rows];
            matmul(&pool, &mut [Product { y: &mut y, w: w.into() }], &x);
            assert_close(&y, &expected, tolerance, &format!("{format} [{n}, {rows}, {cols}] on {}", pool.isa()));
        }
    }

    #[test]
    fn a_row_has_the_same_bits_alone_and_in_company(
        format in any_format().prop_filter("integers", |&format| supports(format)),
        n in 1usize..30, rows in 1usize..70, size in 1usize..80, seed: u64,
    ) {
        let random = &mut Random(seed);
        let cols = if format.block_len() == 32 { size * 32 } else { size.div_ceil(8) * 256 };
        let bytes = stored(random, format, rows * cols);
        let w = Matrix::new(format, rows, cols, &bytes).unwrap();
        let x = random.values(n * cols);
        for pool in every_pool() {
            let mut together = vec![f32::NAN; n * rows];
            matmul(&pool, &mut [Product { y: &mut together, w: w.into() }], &rounded(&pool, &x, cols));
            // All numbers of rows up to what is multiplied in registers, and beyond it.
            for part in [1, 2, 3, 5] {
                for (x, together) in x.chunks(part * cols).zip(together.chunks(part * rows)) {
                    let mut y = vec![f32::NAN; together.len()];
                    matmul(&pool, &mut [Product { y: &mut y, w: w.into() }], &rounded(&pool, x, cols));
                    let same = y.iter().zip(together).all(|(a, b)| a.to_bits() == b.to_bits());
                    prop_assert!(same, "{format}, {part} of {n} rows, [{rows}, {cols}] on {}", pool.isa());
                }
            }
        }
    }

    #[test]
    fn panels_give_the_bits_of_rows_and_rows_back(
        format in any_format().prop_filter("integers", |&format| supports(format)),
        n in 1usize..20, n_panels in 1usize..5, size in 1usize..80, seed: u64,
    ) {
        let random = &mut Random(seed);
        let rows = n_panels * PANEL;
        let cols = if format.block_len() == 32 { size * 32 } else { size.div_ceil(8) * 256 };
        let bytes = stored(random, format, rows * cols);
        let w = Matrix::new(format, rows, cols, &bytes).unwrap();
        let mut panels = vec![0; bytes.len()];
        Interleaved::write(&Pool::new(2), &mut panels, &w);
        let panels = Interleaved::new(format, rows, cols, &panels).unwrap();
        let mut row = vec![0; bytes.len() / rows];
        for row_idx in 0..rows {
            panels.copy_row(&mut row, row_idx);
            prop_assert_eq!(&row[..], w.row(row_idx));
        }
        let x = random.values(n * cols);
        for pool in every_pool() {
            let x = rounded(&pool, &x, cols);
            let (mut by_rows, mut by_panels) = (vec![f32::NAN; n * rows], vec![f32::NAN; n * rows]);
            matmul(&pool, &mut [Product { y: &mut by_rows, w: w.into() }], &x);
            matmul(&pool, &mut [Product { y: &mut by_panels, w: panels.into() }], &x);
            let same = by_rows.iter().zip(&by_panels).all(|(a, b)| a.to_bits() == b.to_bits());
            prop_assert!(same, "{format} [{n}, {rows}, {cols}] on {}", pool.isa());
        }
    }

    #[test]
    fn rounding_moves_a_value_by_half_a_step_of_its_block(n in 0usize..4, n_blocks in 1usize..40, seed: u64) {
        let x = Random(seed).values(n * n_blocks * 32);
        for pool in every_pool() {
            let back = rounded(&pool, &x, n_blocks * 32).to_f32();
            prop_assert_eq!(back.len(), x.len());
            for (x, back) in x.chunks(32).zip(back.chunks(32)) {
                let step = x.iter().fold(0.0f32, |a, v| a.max(v.abs())) / 127.0;
                prop_assert!(x.iter().zip(back).all(|(x, back)| (x - back).abs() <= 0.501 * step));
            }
        }
    }

    #[test]
    fn products_together_and_on_any_number_of_threads_have_the_same_bits(
        format in any_format().prop_filter("integers", |&format| supports(format)),
        n in 1usize..40, rows in 1usize..50, more_rows in 0usize..50, seed: u64,
    ) {
        let random = &mut Random(seed);
        let cols = 512;
        let bytes = [stored(random, format, rows * cols), stored(random, format, more_rows * cols)];
        let w = [
            Matrix::new(format, rows, cols, &bytes[0]).unwrap(),
            Matrix::new(format, more_rows, cols, &bytes[1]).unwrap(),
        ];
        let x = rounded(&Pool::new(1), &random.values(n * cols), cols);
        let mut alone = [vec![0.0; n * rows], vec![0.0; n * more_rows]];
        for (y, &w) in alone.iter_mut().zip(&w) {
            matmul(&Pool::new(1), &mut [Product { y, w: w.into() }], &x);
        }
        for n_threads in [2, 5] {
            let mut first = vec![0.0; n * rows];
            let mut second = vec![0.0; n * more_rows];
            let mut both = [Product { y: &mut first, w: w[0].into() }, Product { y: &mut second, w: w[1].into() }];
            matmul(&Pool::new(n_threads), &mut both, &x);
            prop_assert_eq!(&first, &alone[0]);
            prop_assert_eq!(&second, &alone[1]);
        }
    }
}

#[test]
fn the_largest_integers_of_each_format_do_not_overflow() {
    use crate::format::Format;
    // All bits of all values set, and the other extreme, against x at its largest: the sums with the largest
    // magnitudes there are. Scales are 1, or the largest small integer where the format has them.
    for format in Format::ALL.into_iter().filter(|&format| supports(format)) {
        for fill in [0xff, 0x80, 0x7f, 0x00] {
            let cols = 256;
            let mut bytes = vec![fill; format.row_bytes(cols).unwrap()];
            for block in bytes.chunks_exact_mut(format.block_bytes()) {
                let halves: &[usize] = match format {
                    Format::Q6K => &[208],
                    Format::Q4_1 | Format::Q4K | Format::Q5K => &[0, 2],
                    _ => &[0],
                };
                for &at in halves {
                    block[at..at + 2].copy_from_slice(&half::f16::ONE.to_le_bytes());
                }
            }
            let w = Matrix::new(format, 1, cols, &bytes).unwrap();
            for n in [1, 12] {
                let x: Vec<f32> =
                    (0..n * cols).map(|i| if i / 3 % 2 == 0 { 1.0 } else { -1.0 }).collect();
                for x in [x, vec![1.0; n * cols], vec![-1.0; n * cols]] {
                    let mut expected = vec![0.0; n];
                    reference::matmul(&mut expected, &x, &w);
                    for pool in every_pool() {
                        let mut y = vec![f32::NAN; n];
                        matmul(
                            &pool,
                            &mut [Product { y: &mut y, w: w.into() }],
                            &rounded(&pool, &x, cols),
                        );
                        assert_close(
                            &y,
                            &expected,
                            1e-4,
                            &format!("{format} {fill} on {}", pool.isa()),
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn what_is_not_a_number_stays_visible() {
    use crate::format::Format;
    let (rows, cols) = (PANEL, 64);
    for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for at in [0, 17, 31, 63] {
            for n in [1, 5, 20] {
                let mut x = vec![0.5; n * cols];
                x[(n - 1) * cols + at] = odd;
                // Another in the other half of the block, so that their sums meet.
                x[(n - 1) * cols + (at ^ 16)] = odd;
                let bytes = [0x3c, 0x3c].repeat(17 * 2 * rows);
                let w = Matrix::new(Format::Q8_0, rows, cols, &bytes).unwrap();
                let mut panels = vec![0; bytes.len()];
                Interleaved::write(&Pool::new(1), &mut panels, &w);
                let panels = Interleaved::new(Format::Q8_0, rows, cols, &panels).unwrap();
                for pool in every_pool() {
                    for w in [w.into(), panels.into()] {
                        let mut y = vec![0.0; n * rows];
                        let x = rounded(&pool, &x, cols);
                        matmul(&pool, &mut [Product { y: &mut y, w }], &x);
                        let (fine, last) = y.split_at((n - 1) * rows);
                        assert!(fine.iter().all(|y| y.is_finite()));
                        let on = pool.isa();
                        assert!(
                            last.iter().all(|y| !y.is_finite()),
                            "{odd} at {at} of {n} on {on}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn bytes_of_another_size_or_rows_that_fill_no_panel_make_no_panels() {
    use crate::format::Format;
    assert!(Interleaved::new(Format::Q4_0, 16, 64, &[0; 16 * 36]).is_some());
    assert!(Interleaved::new(Format::Q4_0, 16, 64, &[0; 16 * 36 - 1]).is_none());
    assert!(Interleaved::new(Format::Q4_0, 15, 64, &[0; 15 * 36]).is_none());
    assert!(Interleaved::new(Format::F32, 16, 1, &[0; 64]).is_none());
    assert!(Interleaved::new(Format::Q4_0, usize::MAX / 16 * 16, 64, &[]).is_none());
}
