//! The specification: each operation in its most obvious form, slow, one number at a time.
//!
//! The fast versions are tested against these at random shapes. They are public so that other crates can test
//! against them too.

use half::{bf16, f16};

use crate::attention::{Mask, Shape};
use crate::format::{Format, Matrix};
use crate::rope::Layout;

/// Value `idx` of a row stored in `format`.
pub fn value(format: Format, bytes: &[u8], idx: usize) -> f32 {
    let (block_len, block_bytes) = (format.block_len(), format.block_bytes());
    let block = &bytes[idx / block_len * block_bytes..][..block_bytes];
    let i = idx % block_len;
    let half_at = |at: usize| f16::from_le_bytes([block[at], block[at + 1]]).to_f32();
    match format {
        Format::F32 => f32::from_le_bytes([block[0], block[1], block[2], block[3]]),
        Format::F16 => half_at(0),
        Format::Bf16 => bf16::from_le_bytes([block[0], block[1]]).to_f32(),
        Format::Q8_0 => half_at(0) * f32::from(block[2 + i].cast_signed()),
        Format::Q4_0 => half_at(0) * (nibble(&block[2..], i, 16) - 8.0),
        Format::Q4_1 => half_at(0) * nibble(&block[4..], i, 16) + half_at(2),
        Format::Q5_0 => {
            let fifth = block[2 + i / 8] >> (i % 8) & 1;
            half_at(0) * (nibble(&block[6..], i, 16) + 16.0 * f32::from(fifth) - 16.0)
        }
        Format::Q4K => {
            let (scale, minimum) = six_bit_pair(&block[4..16], i / 32);
            let q = nibble(&block[16 + i / 64 * 32..], i % 64, 32);
            half_at(0) * scale * q - half_at(2) * minimum
        }
        Format::Q5K => {
            let (scale, minimum) = six_bit_pair(&block[4..16], i / 32);
            let fifth = block[16 + i % 32] >> (i / 32) & 1;
            let q = nibble(&block[48 + i / 64 * 32..], i % 64, 32) + 16.0 * f32::from(fifth);
            half_at(0) * scale * q - half_at(2) * minimum
        }
        Format::Q6K => {
            let (part, j) = (i / 128, i % 128);
            let low = nibble(&block[64 * part..], j, 64);
            let upper = block[128 + 32 * part + j % 32] >> (j / 32 * 2) & 3;
            let scale = f32::from(block[192 + i / 16].cast_signed());
            half_at(208) * scale * (low + 16.0 * f32::from(upper) - 32.0)
        }
    }
}

/// Nibble `i` where bytes 0 … n − 1 hold values 0 … n − 1 in their low and n … 2 n − 1 in their high halves.
fn nibble(bytes: &[u8], i: usize, n: usize) -> f32 {
    f32::from(if i < n { bytes[i] & 15 } else { bytes[i - n] >> 4 })
}

/// Scale and minimum of a group from the 12 packed bytes of the K formats.
fn six_bit_pair(packed: &[u8], group: usize) -> (f32, f32) {
    let (scale, minimum) = if group < 4 {
        (packed[group] & 63, packed[group + 4] & 63)
    } else {
        let both = packed[group + 4];
        ((both & 15) | packed[group - 4] >> 6 << 4, both >> 4 | packed[group] >> 6 << 4)
    };
    (f32::from(scale), f32::from(minimum))
}

/// y[n, rows] = x[n, cols] · wᵀ with sums in f64.
pub fn matmul(y: &mut [f32], x: &[f32], w: &Matrix<'_>) {
    let (rows, cols) = (w.rows(), w.cols());
    if rows == 0 || cols == 0 {
        y.fill(0.0);
        return;
    }
    for (x, y) in x.chunks_exact(cols).zip(y.chunks_exact_mut(rows)) {
        for (row_idx, y) in y.iter_mut().enumerate() {
            let row = w.row(row_idx);
            let weight = |col| f64::from(value(w.format(), row, col));
            *y = (0..cols).map(|col| f64::from(x[col]) * weight(col)).sum::<f64>() as f32;
        }
    }
}

/// See [`crate::norm::rms_norm`].
pub fn rms_norm(y: &mut [f32], x: &[f32], gain: &[f32], eps: f32) {
    let width = gain.len();
    for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
        let mean_square = x.iter().map(|v| v * v).sum::<f32>() / width as f32;
        let scale = 1.0 / (mean_square + eps).sqrt();
        for i in 0..width {
            y[i] = x[i] * scale * gain[i];
        }
    }
}

/// See [`crate::norm::layer_norm`].
pub fn layer_norm(y: &mut [f32], x: &[f32], gain: &[f32], bias: &[f32], eps: f32) {
    let width = gain.len();
    for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
        let mean = x.iter().sum::<f32>() / width as f32;
        let variance = x.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / width as f32;
        let scale = 1.0 / (variance + eps).sqrt();
        for i in 0..width {
            y[i] = (x[i] - mean) * scale * gain[i] + bias[i];
        }
    }
}

/// See [`crate::rope::rotate`].
pub fn rotate(
    x: &mut [f32],
    positions: &[u32],
    inv_freq: &[f32],
    heads: usize,
    head_dim: usize,
    layout: Layout,
) {
    let n_pairs = inv_freq.len();
    for (token, &position) in positions.iter().enumerate() {
        for head in 0..heads {
            let x = &mut x[(token * heads + head) * head_dim..][..head_dim];
            for (i, f) in inv_freq.iter().enumerate() {
                let (sin, cos) = (position as f32 * f).sin_cos();
                let (first, second) = match layout {
                    Layout::Halves => (i, i + n_pairs),
                    Layout::Interleaved => (2 * i, 2 * i + 1),
                };
                let (a, b) = (x[first], x[second]);
                x[first] = a * cos - b * sin;
                x[second] = b * cos + a * sin;
            }
        }
    }
}

/// See [`crate::attention::attend`].
pub fn attend(out: &mut [f32], q: &[f32], k: &[f32], v: &[f32], shape: &Shape) {
    let Shape { n_queries, n_keys, heads, kv_heads, head_dim, mask, scale, soft_cap } = *shape;
    for query in 0..n_queries {
        for head in 0..heads {
            let kv_head = head / (heads / kv_heads);
            let at = (query * heads + head) * head_dim;
            let q = &q[at..at + head_dim];
            let row = |key: usize| (key * kv_heads + kv_head) * head_dim;
            let sees = |key: usize| match mask {
                Mask::None => true,
                Mask::Causal { first, window } => {
                    let position = first + query;
                    key <= position && window.is_none_or(|w| key + w > position)
                }
            };
            let keys: Vec<usize> = (0..n_keys).filter(|&key| sees(key)).collect();
            let mut weights: Vec<f32> = keys
                .iter()
                .map(|&key| {
                    let score = scale * (0..head_dim).map(|i| q[i] * k[row(key) + i]).sum::<f32>();
                    soft_cap.map_or(score, |cap| cap * (score / cap).tanh())
                })
                .collect();
            softmax(&mut weights);
            for i in 0..head_dim {
                out[at + i] = keys.iter().zip(&weights).map(|(&key, w)| w * v[row(key) + i]).sum();
            }
        }
    }
}

/// One row; see [`crate::softmax::softmax`].
pub fn softmax(x: &mut [f32]) {
    let highest = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f64 = x.iter().map(|v| f64::from(v - highest).exp()).sum();
    for v in x {
        *v = (f64::from(*v - highest).exp() / total) as f32;
    }
}

/// One row; see [`crate::softmax::log_softmax`].
pub fn log_softmax(x: &mut [f32]) {
    let highest = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f64 = x.iter().map(|v| f64::from(v - highest).exp()).sum();
    for v in x {
        *v = (f64::from(*v - highest) - total.ln()) as f32;
    }
}

/// v · sigmoid(v).
pub fn silu(v: f32) -> f32 {
    let v = f64::from(v);
    (v / (1.0 + (-v).exp())) as f32
}

/// ½ v (1 + tanh(√(2/π) (v + 0.044715 v³))).
pub fn gelu_tanh(v: f32) -> f32 {
    let v = f64::from(v);
    let inner = (2.0 / std::f64::consts::PI).sqrt() * (v + 0.044715 * v * v * v);
    (0.5 * v * (1.0 + inner.tanh())) as f32
}

/// ½ v (1 + erf(v / √2)).
pub fn gelu_erf(v: f32) -> f32 {
    let v = f64::from(v);
    (0.5 * v * (1.0 + erf(v / std::f64::consts::SQRT_2))) as f32
}

/// The error function as the series 2/√π · e^(−v²) Σ 2ⁿ v^(2n+1) / (1·3·…·(2n+1)), which has no cancellation.
pub fn erf(v: f64) -> f64 {
    if v.abs() > 6.0 {
        return v.signum();
    }
    let (mut term, mut sum, mut n) = (v, v, 0.0);
    while term.abs() > sum.abs() * 1e-17 {
        n += 1.0;
        term *= 2.0 * v * v / (2.0 * n + 1.0);
        sum += term;
    }
    2.0 / std::f64::consts::PI.sqrt() * (-v * v).exp() * sum
}
