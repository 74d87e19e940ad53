//! A scaling law fitted to measured losses: L(N, D) = E + A / N^α + B / D^β (arXiv 2203.15556, approach 3).
//!
//! For given exponents the law is linear in E, A and B, so those are found by weighted least squares with none below
//! zero, and the exponents by a search over a grid that is refined around its best point. Residuals are relative, so
//! that no size counts more for having a larger loss. The search has no randomness.

use serde::Serialize;

/// A measured loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Weights that take part in a matrix product for each token.
    pub parameters: f64,
    pub tokens: f64,
    pub loss: f64,
}

/// E, A, α, B, β, and how far the points lie from them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Law {
    pub irreducible: f64,
    pub a: f64,
    pub alpha: f64,
    pub b: f64,
    pub beta: f64,
    /// Root of the mean square of the relative residuals, of the points it was fitted to.
    pub error: f64,
    /// The same for each point under the law fitted to the others; none with fewer than seven points.
    pub left_out_error: Option<f64>,
    pub n_points: usize,
}

/// The law has five numbers; fewer points than one more say nothing.
pub const LEAST_POINTS: usize = 6;

impl Law {
    /// The loss the law expects.
    pub fn loss(&self, parameters: f64, tokens: f64) -> f64 {
        self.irreducible + self.a * parameters.powf(-self.alpha) + self.b * tokens.powf(-self.beta)
    }

    /// Fits the law; `None` with too few points or values that no logarithm has.
    pub fn fit(points: &[Point]) -> Option<Self> {
        let usable =
            |p: &Point| [p.parameters, p.tokens, p.loss].iter().all(|v| v.is_finite() && *v > 0.0);
        if points.len() < LEAST_POINTS || !points.iter().all(usable) {
            return None;
        }
        let mut law = search(points)?;
        if points.len() > LEAST_POINTS {
            let mut sum = 0.0;
            for left_out in 0..points.len() {
                let mut others = points.to_vec();
                let point = others.remove(left_out);
                let expected = search(&others)?.loss(point.parameters, point.tokens);
                sum += (expected / point.loss - 1.0).powi(2);
            }
            law.left_out_error = Some((sum / points.len() as f64).sqrt());
        }
        Some(law)
    }
}

/// Exponents tried first, and how often the grid is made finer around the best.
const FIRST: [f64; 2] = [0.05, 1.25];
const STEPS: usize = 24;
const ROUNDS: usize = 5;

fn search(points: &[Point]) -> Option<Law> {
    let mut best: Option<Law> = None;
    let (mut centre, mut reach) = ([0.65, 0.65], (FIRST[1] - FIRST[0]) / 2.0);
    for _ in 0..ROUNDS {
        let exponent = |middle: f64, i: usize| {
            let at = middle - reach + 2.0 * reach * i as f64 / STEPS as f64;
            at.clamp(FIRST[0], FIRST[1])
        };
        for i in 0..=STEPS {
            for j in 0..=STEPS {
                let law = linear(points, exponent(centre[0], i), exponent(centre[1], j));
                if law.is_some_and(|law| best.is_none_or(|best| law.error < best.error)) {
                    best = law;
                }
            }
        }
        let found = best?;
        centre = [found.alpha, found.beta];
        reach *= 0.2;
    }
    best
}

/// E, A, B ≥ 0 for given exponents: the best of the seven choices of which of them may differ from zero.
fn linear(points: &[Point], alpha: f64, beta: f64) -> Option<Law> {
    // Scaled so that the three columns have like sizes.
    let n0 = points.iter().map(|p| p.parameters).fold(f64::INFINITY, f64::min);
    let d0 = points.iter().map(|p| p.tokens).fold(f64::INFINITY, f64::min);
    let rows: Vec<[f64; 3]> = points
        .iter()
        .map(|p| {
            let column = [1.0, (p.parameters / n0).powf(-alpha), (p.tokens / d0).powf(-beta)];
            column.map(|value| value / p.loss)
        })
        .collect();
    let mut best: Option<Law> = None;
    for mask in 1..8_u8 {
        let used: Vec<usize> = (0..3).filter(|k| mask & (1 << k) != 0).collect();
        let Some(x) = least_squares(&rows, &used) else { continue };
        if x.iter().any(|v| *v < 0.0) {
            continue;
        }
        let residual = |row: &[f64; 3]| (0..3).map(|k| row[k] * x[k]).sum::<f64>() - 1.0;
        let square: f64 = rows.iter().map(|row| residual(row).powi(2)).sum();
        let error = (square / rows.len() as f64).sqrt();
        if best.is_none_or(|best| error < best.error) {
            best = Some(Law {
                irreducible: x[0],
                a: x[1] * n0.powf(alpha),
                alpha,
                b: x[2] * d0.powf(beta),
                beta,
                error,
                left_out_error: None,
                n_points: points.len(),
            });
        }
    }
    best
}

/// The x with the least Σ (row · x − 1)², only `used` columns different from zero; by the normal equations.
fn least_squares(rows: &[[f64; 3]], used: &[usize]) -> Option<[f64; 3]> {
    let n = used.len();
    let mut matrix = [[0.0; 4]; 3];
    for row in rows {
        for (i, &column) in used.iter().enumerate() {
            for (j, &other) in used.iter().enumerate() {
                matrix[i][j] += row[column] * row[other];
            }
            matrix[i][3] += row[column];
        }
    }
    for pivot in 0..n {
        let largest = (pivot..n)
            .max_by(|&i, &j| matrix[i][pivot].abs().total_cmp(&matrix[j][pivot].abs()))?;
        matrix.swap(pivot, largest);
        if matrix[pivot][pivot].abs() < 1e-12 {
            return None;
        }
        let row = matrix[pivot];
        for (i, other) in matrix.iter_mut().enumerate().take(n) {
            if i != pivot {
                let factor = other[pivot] / row[pivot];
                for (value, &pivot_value) in other.iter_mut().zip(&row) {
                    *value -= factor * pivot_value;
                }
            }
        }
    }
    let mut x = [0.0; 3];
    for (i, &column) in used.iter().enumerate() {
        x[column] = matrix[i][3] / matrix[i][i];
    }
    Some(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points on the published law of Hoffmann et al. (2022) give that law back.
    #[test]
    fn a_known_law_is_found_again() {
        let known = |n: f64, d: f64| 1.69 + 406.4 * n.powf(-0.34) + 410.7 * d.powf(-0.28);
        let mut points = Vec::new();
        for n in [1e8, 3e8, 1e9, 3e9] {
            for d in [2e9, 1e10, 5e10] {
                points.push(Point { parameters: n, tokens: d, loss: known(n, d) });
            }
        }
        let law = Law::fit(&points).expect("enough points");
        assert!((law.alpha - 0.34).abs() < 0.01, "{law:?}");
        assert!((law.beta - 0.28).abs() < 0.01, "{law:?}");
        assert!((law.irreducible - 1.69).abs() < 0.05, "{law:?}");
        // Ten times beyond the points.
        let far = law.loss(3e10, 5e11) / known(3e10, 5e11) - 1.0;
        assert!(far.abs() < 0.005, "{far}");
        assert!(law.left_out_error.is_some_and(|error| error < 1e-3), "{law:?}");
    }

    #[test]
    fn too_little_is_no_law() {
        let point = Point { parameters: 1e6, tokens: 1e6, loss: 3.0 };
        assert_eq!(Law::fit(&[point; 5]), None);
        let broken = Point { loss: f64::NAN, ..point };
        assert_eq!(Law::fit(&[broken; 8]), None);
    }
}
