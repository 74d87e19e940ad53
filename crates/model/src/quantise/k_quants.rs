//! Blocks of 256 whose groups have small integer scales of their own.
//!
//! For each group the rounded values q are fixed by a trial scale; given q, the scale (and minimum) with the least
//! weighted squared error is a linear least-squares problem with a closed solution. So: try some scales around the
//! one that just covers the range, solve for each, keep the best. Large values weigh more, because they move the
//! products they take part in most. Then the groups' scales are rounded to integers over a common factor,
//! and the values are rounded again with the scales that will really be read.
//!
//! A block with a value that is not a finite number is stored as zeros where it cannot be compared; nothing
//! panics.

use half::f16;

use super::legacy::inverse;

/// Q4_K: eight groups of 32, value = d · scale · nibble − d_min · minimum, six bits each for scale and minimum.
pub(super) fn q4_k(out: &mut Vec<u8>, block: &[f32; 256]) {
    let quants = groups_of_32(out, block, 15.0);
    for pair in quants.as_chunks::<64>().0 {
        out.extend((0..32).map(|i| pair[i] | pair[32 + i] << 4));
    }
}

/// Q5_K: the same with five bits, the fifth ones together: bit g of byte i belongs to value i of group g.
pub(super) fn q5_k(out: &mut Vec<u8>, block: &[f32; 256]) {
    let quants = groups_of_32(out, block, 31.0);
    let fifth =
        |i: usize| (0..8).fold(0, |bits, group| bits | (quants[32 * group + i] >> 4) << group);
    out.extend((0..32).map(fifth));
    for pair in quants.as_chunks::<64>().0 {
        out.extend((0..32).map(|i| (pair[i] & 15) | (pair[32 + i] & 15) << 4));
    }
}

/// Chooses the scales and minimums of Q4_K and Q5_K, writes them, and rounds the values with them to 0…`top`.
fn groups_of_32(out: &mut Vec<u8>, block: &[f32; 256], top: f32) -> [u8; 256] {
    let fits: [Affine; 8] =
        std::array::from_fn(|group| fit_affine(&block[32 * group..][..32], top));
    let largest = |part: fn(&Affine) -> f32| fits.iter().map(part).fold(0.0, f32::max);
    let (d, d_min) = (largest(|fit| fit.scale) / 63.0, largest(|fit| fit.drop) / 63.0);
    let six_bits = |v: f32, unit: f32| (v * inverse(unit)).round().clamp(0.0, 63.0) as u8;
    let scales: [u8; 8] = std::array::from_fn(|group| six_bits(fits[group].scale, d));
    let minimums: [u8; 8] = std::array::from_fn(|group| six_bits(fits[group].drop, d_min));
    let (d, d_min) = (f16::from_f32(d), f16::from_f32(d_min));
    out.extend(d.to_le_bytes());
    out.extend(d_min.to_le_bytes());
    out.extend(pack_six_bits(scales, minimums));
    std::array::from_fn(|i| {
        let (scale, minimum) = (f32::from(scales[i / 32]), f32::from(minimums[i / 32]));
        let (scale, drop) = (d.to_f32() * scale, d_min.to_f32() * minimum);
        ((block[i] + drop) * inverse(scale)).round().clamp(0.0, top) as u8
    })
}

/// Q6_K: sixteen groups of 16, value = d · scale · (six bits − 32), eight bits with sign for the scale.
pub(super) fn q6_k(out: &mut Vec<u8>, block: &[f32; 256]) {
    let fits: [f32; 16] = std::array::from_fn(|group| fit_symmetric(&block[16 * group..][..16]));
    let extreme = fits.iter().fold(0.0_f32, |a, &v| if v.abs() > a.abs() { v } else { a });
    let d = extreme / -128.0;
    let scale = |fit: &f32| (fit * inverse(d)).round().clamp(-128.0, 127.0) as i8;
    let scales: [i8; 16] = std::array::from_fn(|group| scale(&fits[group]));
    let d = f16::from_f32(d);

    let mut quants = [0_u8; 256];
    for (i, quant) in quants.iter_mut().enumerate() {
        let scale = d.to_f32() * f32::from(scales[i / 16]);
        *quant = ((block[i] * inverse(scale)).round().clamp(-32.0, 31.0) + 32.0) as u8;
    }
    for half in quants.as_chunks::<128>().0 {
        out.extend((0..64).map(|i| (half[i] & 15) | (half[64 + i] & 15) << 4));
    }
    for half in quants.as_chunks::<128>().0 {
        let pairs = |i: usize| (0..4).fold(0, |bits, p| bits | (half[32 * p + i] >> 4) << (2 * p));
        out.extend((0..32).map(pairs));
    }
    out.extend(scales.map(i8::cast_unsigned));
    out.extend(d.to_le_bytes());
}

/// Where `kernels` reads them: the first four of each whole, the last four with their upper bits above those.
fn pack_six_bits(scales: [u8; 8], minimums: [u8; 8]) -> [u8; 12] {
    std::array::from_fn(|i| match i {
        0..4 => scales[i] | (scales[i + 4] >> 4) << 6,
        4..8 => minimums[i - 4] | (minimums[i] >> 4) << 6,
        _ => (scales[i - 4] & 15) | (minimums[i - 4] & 15) << 4,
    })
}

/// value ≈ scale · q − drop, both not negative.
#[derive(Debug, Clone, Copy)]
struct Affine {
    scale: f32,
    drop: f32,
}

/// Trial scales stretch or shrink the covering one by up to so many steps of `STEP`.
const TRIALS: i32 = 20;
const STEP: f32 = 0.1;

/// The best scale and minimum for q in 0…`top`.
fn fit_affine(x: &[f32], top: f32) -> Affine {
    let mean_square = x.iter().map(|v| v * v).sum::<f32>() / x.len() as f32;
    let weight = |v: f32| mean_square.sqrt() + v.abs();
    let smallest = x.iter().copied().fold(0.0, f32::min);
    let largest = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let range = largest - smallest;
    let mut best = Affine { scale: range.max(0.0) / top, drop: -smallest };
    let covering = best;
    let error = |fit: Affine| {
        let rounding = |&v: &f32| {
            let q = ((v + fit.drop) * inverse(fit.scale)).round().clamp(0.0, top);
            let miss = fit.scale * q - fit.drop - v;
            weight(v) * miss * miss
        };
        x.iter().map(rounding).sum::<f32>()
    };
    let mut least = error(best);
    if range <= 0.0 {
        return best;
    }
    for trial in -10..=TRIALS {
        let trial = Affine { scale: range / (top + STEP * trial as f32), ..covering };
        let Some(solved) = solve_affine(x, trial, top, &weight) else { continue };
        let solved_error = error(solved);
        if solved_error < least {
            (best, least) = (solved, solved_error);
        }
    }
    best
}

/// Scale and minimum with the least weighted squared error for the q that `trial` gives.
fn solve_affine(
    x: &[f32],
    trial: Affine,
    top: f32,
    weight: &impl Fn(f32) -> f32,
) -> Option<Affine> {
    let (mut w, mut wq, mut wqq, mut wx, mut wxq) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for &v in x {
        let q = ((v + trial.drop) * inverse(trial.scale)).round().clamp(0.0, top);
        let one = weight(v);
        w += one;
        wq += one * q;
        wqq += one * q * q;
        wx += one * v;
        wxq += one * v * q;
    }
    let determinant = w * wqq - wq * wq;
    if determinant <= 0.0 {
        return None;
    }
    let scale = (w * wxq - wx * wq) / determinant;
    let drop = -(wqq * wx - wq * wxq) / determinant;
    // A minimum above zero cannot be stored: without one, the best scale is a simple projection.
    let fit =
        if drop < 0.0 { Affine { scale: wxq / wqq, drop: 0.0 } } else { Affine { scale, drop } };
    (fit.scale > 0.0 && fit.scale.is_finite() && fit.drop.is_finite()).then_some(fit)
}

/// The best scale for q in −32…31. Its sign is free, so that the value of largest magnitude may take −32.
fn fit_symmetric(x: &[f32]) -> f32 {
    let extreme = x.iter().fold(0.0_f32, |a, &v| if v.abs() > a.abs() { v } else { a });
    if extreme == 0.0 || !extreme.is_finite() {
        return 0.0;
    }
    let (mut best, mut least_missed) = (0.0, f32::NEG_INFINITY);
    for trial in -9..=9 {
        let inverse = -(32.0 + STEP * trial as f32) / extreme;
        let (mut wxq, mut wqq) = (0.0, 0.0);
        for &v in x {
            let q = (v * inverse).round().clamp(-32.0, 31.0);
            wxq += v * v * v * q;
            wqq += v * v * q * q;
        }
        // With the best scale wxq / wqq, the error falls by wxq² / wqq.
        if wqq > 0.0 && wxq * wxq / wqq > least_missed {
            (best, least_missed) = (wxq / wqq, wxq * wxq / wqq);
        }
    }
    if best.is_finite() { best } else { 0.0 }
}
