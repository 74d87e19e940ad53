//! Initial values, a function of the seed and of each tensor's place alone.
//!
//! ```text
//! embedding, head, projections    N(0, 0.02²), cut at 3 σ                  (OLMoE)
//! outputs into the stream         the same / √(2 · layers)                 (GPT-2)
//! router                          N(0, 0.006²)
//! gains                           1      biases  0
//! ```

use crate::layout::{Kind, Layout};

/// Parameters for a new model of `n_layers` layers.
pub fn parameters(layout: &Layout, n_layers: usize, seed: u64) -> Vec<f32> {
    let mut parameters = vec![0.0; layout.len];
    let deep = 1.0 / (2.0 * n_layers as f64).sqrt();
    for (tensor_idx, tensor) in layout.tensors.iter().enumerate() {
        let values = &mut parameters[tensor.range.clone()];
        let deviation = match tensor.kind {
            Kind::Gain => {
                values.fill(1.0);
                continue;
            }
            Kind::Bias => continue,
            Kind::Embedding | Kind::Head | Kind::Matrix => 0.02,
            Kind::Output => 0.02 * deep,
            Kind::Router => 0.006,
        };
        let stream = seed ^ (tensor_idx as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut random = Random { state: stream };
        values.iter_mut().for_each(|v| *v = (random.normal() * deviation) as f32);
    }
    parameters
}

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// Numbers that depend on `seed` alone.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in 0 < u ≤ 1.
    pub fn uniform(&mut self) -> f64 {
        ((self.bits() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }

    /// Standard normal (Box and Muller 1958), drawn again beyond three deviations.
    pub fn normal(&mut self) -> f64 {
        loop {
            let radius = (-2.0 * self.uniform().ln()).sqrt();
            let value = radius * (std::f64::consts::TAU * self.uniform()).cos();
            if value.abs() <= 3.0 {
                return value;
            }
        }
    }
}
