//! What is measured: each kernel at sizes of small models (SmolLM2-135M, MiniLM) and of larger ones.

use std::time::Duration;

use super::{Measurement, Mismatch, Peaks, best_seconds};
use crate::attention::{Keys, Mask, Shape, attend};
use crate::format::{Format, Matrix};
use crate::int8::{self, Epilogue, PackedWeights};
use crate::matmul::matmul;
use crate::pool::Pool;
use crate::rope::{Layout, Rotation, rotate};
use crate::rounded::interleaved::{Interleaved, PANEL};
use crate::rounded::{self, Product, Rounded, Weight};
use crate::{activation, norm, reference};

/// Answers checked per kernel.
const N_CHECKS: usize = 40;

type Report<'a> = &'a mut dyn FnMut(Measurement);

/// `decode_bytes` is the size of the weights that one row of x meets.
pub(super) fn all(
    pool: &Pool,
    peaks: &Peaks,
    effort: Duration,
    decode_bytes: usize,
    report: Report<'_>,
) -> Result<(), Mismatch> {
    for (format, n, rows, cols) in [
        (Format::F32, 1024, 1024, 1024),
        (Format::F32, 512, 1536, 576),
        (Format::Q4_1, 512, 576, 576),
        (Format::Q4_1, 512, 1536, 576),
        (Format::Q4_1, 512, 576, 1536),
        (Format::Q4K, 512, 2048, 768),
        (Format::Q8_0, 16, 1536, 576),
    ] {
        product(pool, peaks, effort, report, format, n, rows, cols)?;
    }
    for format in Format::ALL {
        let cols = 768;
        let rows = decode_bytes / (cols / format.block_len() * format.block_bytes());
        let rows = (rows / PANEL).max(1) * PANEL;
        product(pool, peaks, effort, report, format, 1, rows, cols)?;
        if rounded::supports(format) {
            for how in [(format, false), (format, true)] {
                rounded_product(pool, peaks, effort, report, how, 1, rows, cols)?;
                rounded_product(pool, peaks, effort, report, how, 8, rows, cols)?;
                rounded_product(pool, peaks, effort, report, how, 256, 1536, cols)?;
            }
        }
    }
    for (n, rows, cols) in [(128, 384, 384), (256, 1536, 384), (256, 384, 1536), (2048, 1536, 384)]
    {
        int8_product(pool, peaks, effort, report, n, rows, cols)?;
    }
    for (name, n_queries, n_keys, heads, kv_heads, head_dim) in [
        ("attention, sentence", 128, 128, 12, 12, 32),
        ("attention, paragraph", 256, 256, 12, 12, 32),
        ("attention, prompt", 512, 512, 9, 3, 64),
        ("attention, decode", 1, 1024, 9, 3, 64),
    ] {
        let sizes = [n_queries, n_keys, heads, kv_heads, head_dim];
        attention(pool, peaks, effort, report, name, sizes)?;
    }
    element_wise(pool, effort, report)
}

fn product(
    pool: &Pool,
    peaks: &Peaks,
    effort: Duration,
    report: Report<'_>,
    format: Format,
    n: usize,
    rows: usize,
    cols: usize,
) -> Result<(), Mismatch> {
    let (name, size) = (format!("matmul {format}"), format!("[{n}] × {rows} × {cols}"));
    let bytes = weights(format, rows * cols);
    let Some(w) = Matrix::new(format, rows, cols, &bytes) else {
        unreachable!("the bytes were made for this matrix");
    };
    let x = values(n * cols);
    let mut y = vec![0.0; n * rows];
    matmul(pool, &mut y, &x, &w);
    for check in 0..N_CHECKS {
        let (i, row) = (check % n, check * (rows - 1) / N_CHECKS);
        let mut expected = [0.0];
        reference::matmul(&mut expected, &x[i * cols..(i + 1) * cols], &w.slice_rows(row, 1));
        verify(&name, &size, y[i * rows + row], expected[0], 1e-4)?;
    }
    let seconds = best_seconds(effort, || matmul(pool, &mut y, &x, &w));
    let (value, unit, peak) = if n == 1 {
        (bytes.len() as f64, "GB/s", peaks.read_gb_s)
    } else {
        (2.0 * (n * rows * cols) as f64, "GFLOP/s", peaks.f32_gflops)
    };
    let value = value / seconds / 1e9;
    report(Measurement { name, size, value, unit, share_of_peak: Some(value / peak) });
    Ok(())
}

fn rounded_product(
    pool: &Pool,
    peaks: &Peaks,
    effort: Duration,
    report: Report<'_>,
    (format, in_panels): (Format, bool),
    n: usize,
    rows: usize,
    cols: usize,
) -> Result<(), Mismatch> {
    let how = if in_panels { "in panels" } else { "rounded" };
    let (name, size) = (format!("{how} {format}"), format!("[{n}] × {rows} × {cols}"));
    let bytes = weights(format, rows * cols);
    let Some(w) = Matrix::new(format, rows, cols, &bytes) else {
        unreachable!("the bytes were made for this matrix");
    };
    let mut panels = Vec::new();
    if in_panels {
        panels.resize(bytes.len(), 0);
        Interleaved::write(pool, &mut panels, &w);
    }
    let panels = Interleaved::new(format, rows, cols, &panels);
    let weight = panels.map_or(Weight::Rows(w), Weight::Panels);
    let mut x = Rounded::default();
    x.fill(pool, &values(n * cols), cols);
    let exact = x.to_f32();
    let mut y = vec![0.0; n * rows];
    rounded::matmul(pool, &mut [Product { y: &mut y, w: weight }], &x);
    for check in 0..N_CHECKS {
        let (i, row) = (check % n, check * (rows - 1) / N_CHECKS);
        let mut expected = [0.0];
        reference::matmul(&mut expected, &exact[i * cols..(i + 1) * cols], &w.slice_rows(row, 1));
        verify(&name, &size, y[i * rows + row], expected[0], 1e-4)?;
    }
    let seconds = best_seconds(effort, || {
        rounded::matmul(pool, &mut [Product { y: &mut y, w: weight }], &x);
    });
    let (value, unit, peak) = if n == 1 {
        (bytes.len() as f64, "GB/s", peaks.read_gb_s)
    } else {
        (2.0 * (n * rows * cols) as f64, "GOP/s", peaks.int8_gops)
    };
    let value = value / seconds / 1e9;
    report(Measurement { name, size, value, unit, share_of_peak: Some(value / peak) });
    Ok(())
}

fn int8_product(
    pool: &Pool,
    peaks: &Peaks,
    effort: Duration,
    report: Report<'_>,
    n: usize,
    rows: usize,
    cols: usize,
) -> Result<(), Mismatch> {
    let size = format!("[{n}] × {rows} × {cols}");
    let (weights, x, bias) = (values(rows * cols), values(n * cols), vec![0.25; rows]);
    let packed = PackedWeights::from_f32(rows, cols, &weights);
    let Some(w) = Matrix::from_f32(rows, cols, &weights) else {
        unreachable!("the weights were made for this matrix");
    };
    let mut y = vec![0.0; n * rows];
    for (name, epilogue) in [("int8", Epilogue::None), ("int8 + GELU", Epilogue::Gelu)] {
        let multiply = |y: &mut [f32]| {
            let product = int8::Product { y, w: &packed, bias: Some(&bias) };
            int8::matmul(pool, &mut [product], &x, epilogue);
        };
        multiply(&mut y);
        for check in 0..N_CHECKS {
            let (i, row) = (check % n, check * (rows - 1) / N_CHECKS);
            let mut expected = [0.0];
            reference::matmul(&mut expected, &x[i * cols..(i + 1) * cols], &w.slice_rows(row, 1));
            let sum = expected[0] + bias[row];
            let expected = if epilogue == Epilogue::Gelu { reference::gelu_erf(sum) } else { sum };
            // Rounding both factors to seven and eight bits: a few parts in a thousand of the sum's size √cols.
            verify(name, &size, y[i * rows + row], expected, 0.02 * (cols as f32).sqrt())?;
        }
        let seconds = best_seconds(effort, || multiply(&mut y));
        let value = 2.0 * (n * rows * cols) as f64 / seconds / 1e9;
        report(Measurement {
            name: name.into(),
            size: size.clone(),
            value,
            unit: "GOP/s",
            share_of_peak: Some(value / peaks.int8_gops),
        });
    }
    Ok(())
}

fn attention(
    pool: &Pool,
    peaks: &Peaks,
    effort: Duration,
    report: Report<'_>,
    name: &str,
    [n_queries, n_keys, heads, kv_heads, head_dim]: [usize; 5],
) -> Result<(), Mismatch> {
    let size = format!("{n_queries} × {n_keys}, {heads}/{kv_heads} heads of {head_dim}");
    let causal = heads != kv_heads;
    let first = n_keys - n_queries;
    let mask = if causal { Mask::Causal { first, window: None } } else { Mask::None };
    let scale = 1.0 / (head_dim as f32).sqrt();
    let shape = Shape { n_queries, n_keys, heads, kv_heads, head_dim, mask, scale, soft_cap: None };
    let q = values(n_queries * heads * head_dim);
    let (k, v) = (values(n_keys * kv_heads * head_dim), values(n_keys * kv_heads * head_dim));
    let mut out = vec![0.0; q.len()];
    let mut keys = Keys::new(shape.kv_heads * shape.head_dim);
    keys.set(pool, &k);
    let blocks = keys.blocks(&v);
    attend(pool, &mut out, &q, &blocks, &shape);
    let mut expected = vec![0.0; q.len()];
    reference::attend(&mut expected, &q, &k, &v, &shape);
    for (got, expected) in out.iter().zip(&expected) {
        verify(name, &size, *got, *expected, 1e-5)?;
    }
    let seconds = best_seconds(effort, || attend(pool, &mut out, &q, &blocks, &shape));
    let n_pairs: usize = (0..n_queries).map(|query| mask.keys(query, n_keys).len()).sum();
    let value = (4 * n_pairs * heads * head_dim) as f64 / seconds / 1e9;
    let share_of_peak = Some(value / peaks.f32_gflops);
    report(Measurement { name: name.into(), size, value, unit: "GFLOP/s", share_of_peak });
    Ok(())
}

/// Operations on 256 rows of 1,536 values, which the second- and third-level caches hold.
fn element_wise(pool: &Pool, effort: Duration, report: Report<'_>) -> Result<(), Mismatch> {
    const ROWS: usize = 256;
    const WIDTH: usize = 1536;
    let (x, up, gain) = (values(ROWS * WIDTH), values(ROWS * WIDTH), values(WIDTH));
    let positions: Vec<u32> = (0..ROWS as u32).collect();
    let inv_freq: Vec<f32> = (0..32).map(|i| 10_000f32.powf(-(i as f32) / 32.0)).collect();
    let rotation = Rotation::new(&positions, &inv_freq);
    let mut y = x.clone();
    let mut measure = |name: &str, expected: &[f32], work: &mut dyn FnMut(&mut [f32])| {
        let size = format!("[{ROWS}] × {WIDTH}");
        y.copy_from_slice(&x);
        work(&mut y);
        for (got, expected) in y.iter().zip(expected) {
            verify(name, &size, *got, *expected, 1e-5)?;
        }
        let value = x.len() as f64 / best_seconds(effort, || work(&mut y)) / 1e9;
        let unit = "10⁹ values/s";
        report(Measurement { name: name.into(), size, value, unit, share_of_peak: None });
        Ok(())
    };
    let mut expected = vec![0.0; x.len()];
    reference::rms_norm(&mut expected, &x, &gain, 1e-5);
    measure("rms_norm", &expected, &mut |y| norm::rms_norm(pool, y, &x, &gain, 1e-5))?;
    reference::layer_norm(&mut expected, &x, &gain, &gain, 1e-5);
    measure("layer_norm", &expected, &mut |y| norm::layer_norm(pool, y, &x, &gain, &gain, 1e-5))?;
    let expected: Vec<f32> = x.iter().zip(&up).map(|(x, up)| reference::silu(*x) * up).collect();
    measure("silu_mul", &expected, &mut |y| activation::silu_mul(pool, y, &x, &up))?;
    let expected: Vec<f32> = x.iter().map(|x| reference::gelu_erf(*x)).collect();
    measure("gelu_erf", &expected, &mut |y| activation::gelu_erf(pool, y))?;
    let mut expected = x.clone();
    reference::rotate(&mut expected, &positions, &inv_freq, WIDTH / 64, 64, Layout::Halves);
    measure("rotate", &expected, &mut |y| {
        rotate(pool, y, &rotation, WIDTH / 64, 64, Layout::Halves);
    })
}

fn verify(name: &str, size: &str, got: f32, expected: f32, tolerance: f32) -> Result<(), Mismatch> {
    if (got - expected).abs() <= tolerance * expected.abs().max(1.0) {
        return Ok(());
    }
    Err(Mismatch { name: name.into(), size: size.into(), got, expected })
}

/// Numbers between −1 and 1 without a pattern that a kernel could profit from.
fn values(len: usize) -> Vec<f32> {
    bits(len).map(|bits| (bits >> 8) as f32 / (1 << 23) as f32 - 1.0).collect()
}

/// Stored weights of moderate size in any format.
fn weights(format: Format, n_values: usize) -> Vec<u8> {
    let half = |v: f32| half::f16::from_f32(v).to_le_bytes();
    let scales: &[usize] = match format {
        Format::F32 => return values(n_values).iter().flat_map(|v| v.to_le_bytes()).collect(),
        Format::F16 => return values(n_values).into_iter().flat_map(half).collect(),
        Format::Bf16 => {
            let brain = |v| half::bf16::from_f32(v).to_le_bytes();
            return values(n_values).into_iter().flat_map(brain).collect();
        }
        Format::Q8_0 | Format::Q4_0 | Format::Q5_0 => &[0],
        Format::Q4_1 | Format::Q4K | Format::Q5K => &[0, 2],
        Format::Q6K => &[208],
    };
    let n_bytes = n_values / format.block_len() * format.block_bytes();
    let mut bytes: Vec<u8> = bits(n_bytes).map(|bits| (bits >> 24) as u8).collect();
    for block in bytes.chunks_exact_mut(format.block_bytes()) {
        for &at in scales {
            block[at..at + 2].copy_from_slice(&half(1.0 / 512.0));
        }
    }
    bytes
}

/// A linear congruential generator (Knuth's constants), its upper half.
fn bits(len: usize) -> impl Iterator<Item = u32> {
    let mut state = 1u64;
    (0..len).map(move |_| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 32) as u32
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_answer_is_not_measured() {
        assert!(verify("sum", "2", 2.0, 2.000_01, 1e-5).is_ok());
        let message = verify("sum", "2", 2.1, 2.0, 1e-5).unwrap_err().to_string();
        assert_eq!(message, "sum 2 computes 2.1 where the reference has 2");
    }

    #[test]
    fn every_kernel_passes_its_check_and_reports_a_rate() {
        let pool = Pool::new(2);
        let peaks = Peaks { f32_gflops: 1.0, int8_gops: 1.0, read_gb_s: 1.0 };
        let mut results = Vec::new();
        all(&pool, &peaks, Duration::ZERO, 1 << 20, &mut |result| results.push(result)).unwrap();
        assert!(results.len() > 20);
        assert!(results.iter().all(|result| result.value > 0.0 && result.value.is_finite()));
    }
}
