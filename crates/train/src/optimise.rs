//! From gradients to new parameters: AdamW for everything, or Muon for matrices and AdamW for the rest.
//!
//! Weight decay applies to matrices and not to embeddings, gains and biases. Muon (Jordan et al. 2024) steps along the
//! orthogonalised momentum of each matrix, every expert's by itself; its step is scaled by 0.2 √max(rows, columns)
//! (arXiv 2502.16982), so that AdamW's rate and decay fit it too.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use kernels::gemm::{self, Update};
use kernels::optimiser::{AdamW, adamw};
use kernels::pool::Pool;
use serde::{Deserialize, Serialize};

use crate::layout::{Kind, Layout, Tensor};

/// Which rule moves the matrices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    #[default]
    AdamW,
    Muon,
}

/// Everything but the learning rate, which changes with each step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    pub rule: Rule,
    pub beta1: f32,
    pub beta2: f32,
    pub eps: f32,
    pub weight_decay: f32,
    /// Of Muon.
    pub momentum: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rule: Rule::AdamW,
            beta1: 0.9,
            beta2: 0.95,
            eps: 1e-8,
            weight_decay: 0.1,
            momentum: 0.95,
        }
    }
}

/// Running averages, in the parameters' layout.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    /// Of gradients; Muon's momentum for the matrices it moves.
    pub first: Vec<f32>,
    /// Of their squares.
    pub second: Vec<f32>,
}

impl Moments {
    /// Zeros for `len` parameters.
    pub fn new(len: usize) -> Self {
        Self { first: vec![0.0; len], second: vec![0.0; len] }
    }
}

/// One step over all parameters. `step` counts from 1; `scale` is applied to the gradients (clipping).
pub fn step(
    pool: &Pool,
    layout: &Layout,
    settings: &Settings,
    parameters: &mut [f32],
    gradients: &[f32],
    moments: &mut Moments,
    (step, learning_rate, scale): (u64, f32, f32),
) {
    for (range, decays, by_muon) in runs(layout, settings.rule) {
        if by_muon {
            continue;
        }
        let update = AdamW {
            learning_rate,
            beta1: settings.beta1,
            beta2: settings.beta2,
            eps: settings.eps,
            weight_decay: if decays { settings.weight_decay } else { 0.0 },
            step,
            gradient_scale: scale,
        };
        adamw(
            pool,
            &mut parameters[range.clone()],
            &gradients[range.clone()],
            &mut moments.first[range.clone()],
            &mut moments.second[range],
            update,
        );
    }
    if settings.rule == Rule::Muon {
        muon(pool, layout, settings, parameters, gradients, moments, learning_rate, scale);
    }
}

/// FLOPs of the products in one step: those of Muon's iteration, none of AdamW's.
pub fn product_flops(layout: &Layout, rule: Rule) -> f64 {
    let one = |tensor: &Tensor| {
        let (rows, cols) = (tensor.shape[0] as f64, tensor.shape[1] as f64);
        let (r, c) = (rows.min(cols), rows.max(cols));
        // XXᵀ, its square, and the product with X.
        ITERATIONS as f64 * (2.0 * r * r * c + 2.0 * r * r * r + 2.0 * r * r * c)
    };
    if rule != Rule::Muon {
        return 0.0;
    }
    layout.tensors.iter().filter(|tensor| is_matrix(tensor)).map(one).sum()
}

/// What Muon moves.
fn is_matrix(tensor: &Tensor) -> bool {
    matches!(tensor.kind, Kind::Matrix | Kind::Output)
}

/// Neighbouring tensors that are treated alike: their range, whether they decay, whether Muon moves them.
fn runs(layout: &Layout, rule: Rule) -> Vec<(Range<usize>, bool, bool)> {
    let mut runs: Vec<(Range<usize>, bool, bool)> = Vec::new();
    for tensor in &layout.tensors {
        let matrix = is_matrix(tensor);
        let decays = matrix || tensor.kind == Kind::Router;
        let by_muon = rule == Rule::Muon && matrix;
        match runs.last_mut() {
            Some((range, d, m)) if *d == decays && *m == by_muon => range.end = tensor.range.end,
            _ => runs.push((tensor.range.clone(), decays, by_muon)),
        }
    }
    runs
}

/// Newton–Schulz steps.
const ITERATIONS: usize = 5;

/// One matrix of Muon's, with what belongs to it.
struct Part<'a> {
    shape: (usize, usize),
    parameters: &'a mut [f32],
    momentum: &'a mut [f32],
    gradients: &'a [f32],
}

fn muon(
    pool: &Pool,
    layout: &Layout,
    settings: &Settings,
    parameters: &mut [f32],
    gradients: &[f32],
    moments: &mut Moments,
    learning_rate: f32,
    scale: f32,
) {
    let (mut p, mut m, mut at) = (parameters, &mut moments.first[..], 0);
    let mut parts = Vec::new();
    for tensor in layout.tensors.iter().filter(|tensor| is_matrix(tensor)) {
        let skip = tensor.range.start - at;
        let (own_p, rest_p) = p.split_at_mut(skip).1.split_at_mut(tensor.range.len());
        let (own_m, rest_m) = m.split_at_mut(skip).1.split_at_mut(tensor.range.len());
        parts.push(Mutex::new(Part {
            shape: (tensor.shape[0], tensor.shape[1]),
            parameters: own_p,
            momentum: own_m,
            gradients: &gradients[tensor.range.clone()],
        }));
        (p, m, at) = (rest_p, rest_m, tensor.range.end);
    }
    // One matrix per task: products inside a task run on its thread alone, and no bit depends on how many there are.
    pool.run(parts.len(), |idx| {
        let mut part = parts[idx].lock().unwrap_or_else(PoisonError::into_inner);
        let Part { shape, parameters, momentum, gradients } = &mut *part;
        let mu = settings.momentum;
        for (m, g) in momentum.iter_mut().zip(gradients.iter()) {
            *m = mu * *m + g * scale;
        }
        // Nesterov: one step of momentum ahead.
        let ahead: Vec<f32> =
            gradients.iter().zip(momentum.iter()).map(|(g, m)| g * scale + mu * m).collect();
        let direction = orthogonalised(pool, &ahead, *shape);
        let size = 0.2 * (shape.0.max(shape.1) as f32).sqrt();
        let keep = 1.0 - learning_rate * settings.weight_decay;
        for (p, d) in parameters.iter_mut().zip(&direction) {
            *p = *p * keep - learning_rate * size * d;
        }
    });
}

/// The nearest matrix with orthonormal rows (or columns, whichever are fewer), roughly: five steps of the quintic
/// Newton–Schulz iteration X ← a X + (b XXᵀ + c (XXᵀ)²) X with Jordan's coefficients, which leave singular values
/// between about 0.7 and 1.2. `matrix` is [rows, cols].
pub fn orthogonalised(pool: &Pool, matrix: &[f32], (rows, cols): (usize, usize)) -> Vec<f32> {
    const COEFFICIENTS: (f32, f32, f32) = (3.4445, -4.775, 2.0315);
    let wide = rows <= cols;
    let mut x = if wide { matrix.to_vec() } else { transposed(matrix, rows, cols) };
    let (r, c) = if wide { (rows, cols) } else { (cols, rows) };
    let norm = x.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
    let scale = 1.0 / (norm + 1e-7) as f32;
    x.iter_mut().for_each(|v| *v *= scale);
    let (mut square, mut fourth) = (vec![0.0; r * r], vec![0.0; r * r]);
    let mut next = vec![0.0; r * c];
    let (a, b, d) = COEFFICIENTS;
    for _ in 0..ITERATIONS {
        gemm::linear(pool, &mut square, &x, &x, c, Update::Replace);
        gemm::linear(pool, &mut fourth, &square, &square, r, Update::Replace);
        for (f, s) in fourth.iter_mut().zip(&square) {
            *f = b * s + d * *f;
        }
        next.iter_mut().zip(&x).for_each(|(next, x)| *next = a * x);
        gemm::linear_input_gradient(pool, &mut next, &fourth, &x, c, Update::Add);
        std::mem::swap(&mut x, &mut next);
    }
    if wide { x } else { transposed(&x, r, c) }
}

fn transposed(matrix: &[f32], rows: usize, cols: usize) -> Vec<f32> {
    let mut out = vec![0.0; rows * cols];
    for row in 0..rows {
        for col in 0..cols {
            out[col * rows + row] = matrix[row * cols + col];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::initial::Random;

    /// By hand from the configuration: for each projection five times X·Xᵀ, its square and the product with X.
    #[test]
    fn the_products_of_muon_are_those_of_the_projections_and_adamw_has_none() {
        let (hidden, query, kv, inner) = (64, 96, 32, 80);
        let common = r#""hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 6, "head_dim": 16,
            "num_key_value_heads": 2, "vocab_size": 320, "max_position_embeddings": 128"#;
        let dense = r#""architectures": ["Qwen3ForCausalLM"], "intermediate_size": 80"#;
        let sparse = r#""architectures": ["Qwen3MoeForCausalLM"], "intermediate_size": 999, "norm_topk_prob": true,
            "moe_intermediate_size": 80, "num_experts": 5, "num_experts_per_tok": 2"#;
        let multiply_adds = |n: usize, k: usize, m: usize| (n * k * m) as f64;
        for (kind, experts) in [(dense, 1), (sparse, 5)] {
            let json = serde_json::from_str(&format!("{{{common}, {kind}}}")).unwrap();
            let path = std::path::Path::new("config.json");
            let config = model::config::DecoderConfig::from_hugging_face(&json, path).unwrap();
            let layout = Layout::new(&config).unwrap();
            let mut shapes = vec![(query, hidden), (kv, hidden), (kv, hidden), (hidden, query)];
            for _ in 0..experts {
                shapes.extend([(inner, hidden), (inner, hidden), (hidden, inner)]);
            }
            let mut expected = 0.0;
            for (rows, cols) in shapes {
                let (few, many) = if rows < cols { (rows, cols) } else { (cols, rows) };
                let once = multiply_adds(few, many, few)
                    + multiply_adds(few, few, few)
                    + multiply_adds(few, few, many);
                expected += 3.0 * 5.0 * 2.0 * once;
            }
            assert_eq!(product_flops(&layout, Rule::Muon), expected, "{experts} experts");
            assert_eq!(product_flops(&layout, Rule::AdamW), 0.0);
        }
    }

    /// The singular values of the result lie near one, and its left and right singular vectors are those of the
    /// matrix: M·Oᵀ is symmetric and positive.
    #[test]
    fn orthogonalised_matrices_have_singular_values_near_one() {
        let pool = Pool::new(1);
        for (rows, cols) in [(5, 9), (9, 5), (16, 16), (1, 7)] {
            let mut random = Random::new(rows as u64);
            let matrix: Vec<f32> = (0..rows * cols).map(|_| random.normal() as f32).collect();
            let o = orthogonalised(&pool, &matrix, (rows, cols));
            let squares: f32 = o.iter().map(|v| v * v).sum();
            let rank = rows.min(cols) as f32;
            assert!(squares > 0.4 * rank && squares < 1.5 * rank, "{squares} for rank {rank}");
            let product = |i: usize, j: usize| -> f32 {
                (0..cols).map(|k| matrix[i * cols + k] * o[j * cols + k]).sum()
            };
            for i in 0..rows {
                for j in 0..i {
                    let difference = (product(i, j) - product(j, i)).abs();
                    assert!(difference < 1e-3 * squares.max(1.0), "{rows}x{cols}: {difference}");
                }
            }
        }
    }
}
