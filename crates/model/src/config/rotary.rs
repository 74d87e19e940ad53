//! Rotary position embedding: how fast each pair of a head's elements turns.
//!
//! A pair i of a head of d rotated elements turns by `base^(−2i/d)` radians per position (arXiv 2104.09864).
//! Contexts longer than those first trained on are reached by slowing pairs down; the ways to do so are in
//! [`Scaling`].

use kernels::rope::Layout;

/// Rotation of queries and keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Rotary {
    /// How many of a head's elements are rotated, from the first.
    pub dim: usize,
    pub base: f64,
    pub scaling: Scaling,
    /// Which elements form a pair: GGUF's Llama weights are permuted for neighbours, all others pair halves.
    pub layout: Layout,
}

/// How rotation is slowed down for contexts longer than those first trained on.
#[derive(Debug, Clone, PartialEq)]
pub enum Scaling {
    None,
    /// All frequencies divided by `factor` (arXiv 2306.15595).
    Linear {
        factor: f64,
    },
    /// Llama 3.1: low frequencies divided by `factor`, high ones kept, those between interpolated.
    Llama3 {
        factor: f64,
        low_frequency_factor: f64,
        high_frequency_factor: f64,
        trained_context: f64,
    },
    /// YaRN (arXiv 2309.00071): the same idea with a ramp over the pairs' indices, and scores sharpened by
    /// enlarging queries and keys.
    Yarn {
        factor: f64,
        trained_context: f64,
        /// Turns within the trained context above which a pair is kept.
        fast_turns: f64,
        /// Turns below which it is slowed by the whole factor.
        slow_turns: f64,
        /// Whether the ramp begins and ends at whole pairs.
        whole_pairs: bool,
        /// Factor on sines and cosines, and so on queries and on keys.
        magnitude: f64,
    },
    /// Each frequency divided by its own number: how GGUF stores Llama 3.1's scaling (`rope_freqs.weight`).
    Divisors(Vec<f32>),
}

/// YaRN's usual numbers of turns.
pub(super) const YARN_TURNS: (f64, f64) = (32.0, 1.0);

/// YaRN's usual enlargement of queries and keys for a context `factor` times as long.
pub(crate) fn yarn_magnitude(factor: f64, strength: f64) -> f64 {
    if factor <= 1.0 { 1.0 } else { 0.1 * strength * factor.ln() + 1.0 }
}

impl Rotary {
    /// Radians per position for each pair: `base^(−2i/dim)`, scaled. Length `dim / 2`.
    pub fn inverse_frequencies(&self) -> Vec<f32> {
        let frequency = |pair: usize| self.base.powf(-((2 * pair) as f64) / self.dim as f64);
        (0..self.dim / 2).map(|pair| self.scale(frequency(pair), pair) as f32).collect()
    }

    /// Factor on the sines and cosines of all pairs.
    pub fn magnitude(&self) -> f32 {
        match self.scaling {
            Scaling::Yarn { magnitude, .. } => magnitude as f32,
            _ => 1.0,
        }
    }

    fn scale(&self, frequency: f64, pair: usize) -> f64 {
        match &self.scaling {
            Scaling::None => frequency,
            Scaling::Linear { factor } => frequency / factor,
            Scaling::Divisors(divisors) => frequency / f64::from(divisors[pair]),
            Scaling::Llama3 {
                factor,
                low_frequency_factor: low,
                high_frequency_factor: high,
                trained_context,
            } => {
                // How often the pair turns within the context it was trained on.
                let turns = trained_context * frequency / std::f64::consts::TAU;
                if turns < *low {
                    frequency / factor
                } else if turns > *high {
                    frequency
                } else {
                    let keep = (turns - low) / (high - low);
                    (1.0 - keep) * frequency / factor + keep * frequency
                }
            }
            Scaling::Yarn { factor, .. } => {
                let slowed = self.yarn_ramp(pair);
                slowed * frequency / factor + (1.0 - slowed) * frequency
            }
        }
    }

    /// How much of YaRN's slowing pair number `pair` gets, from 0 to 1.
    fn yarn_ramp(&self, pair: usize) -> f64 {
        let Scaling::Yarn { trained_context, fast_turns, slow_turns, whole_pairs, .. } =
            self.scaling
        else {
            return 0.0;
        };
        let dim = self.dim as f64;
        // The pair that turns so often within the trained context.
        let pair_of = |turns: f64| {
            dim * (trained_context / (turns * std::f64::consts::TAU)).ln() / (2.0 * self.base.ln())
        };
        let (mut start, mut end) = (pair_of(fast_turns), pair_of(slow_turns));
        if whole_pairs {
            (start, end) = (start.floor(), end.ceil());
        }
        let (start, mut end) = (start.max(0.0), end.min(dim - 1.0));
        if start == end {
            end += 0.001;
        }
        ((pair as f64 - start) / (end - start)).clamp(0.0, 1.0)
    }

    /// Llama 3's rule with its usual turns (1 and 4) that gives these divisors, if one does.
    pub(crate) fn llama3_of(&self, divisors: &[f32]) -> Option<Scaling> {
        let (low, high) = (1.0, 4.0);
        let factor = f64::from(divisors.iter().copied().fold(1.0, f32::max));
        let rule = |trained_context: f64| Scaling::Llama3 {
            factor,
            low_frequency_factor: low,
            high_frequency_factor: high,
            trained_context,
        };
        // A pair between the two limits gives the context away; without one, the usual numbers are tried.
        let between = divisors.iter().enumerate().filter_map(|(pair, &divisor)| {
            let keep = (1.0 / f64::from(divisor) - 1.0 / factor) / (1.0 - 1.0 / factor);
            let frequency = self.base.powf(-((2 * pair) as f64) / self.dim as f64);
            let turns = low + keep * (high - low);
            let inside = 0.001 < keep && keep < 0.999;
            inside.then(|| (turns * std::f64::consts::TAU / frequency).round())
        });
        let usual = (5..20).map(|power| f64::from(1 << power));
        between.chain(usual).map(rule).find(|rule| {
            let ours = Self { scaling: rule.clone(), ..self.clone() };
            let theirs = Self { scaling: Scaling::Divisors(divisors.to_vec()), ..self.clone() };
            let pairs = ours.inverse_frequencies().into_iter().zip(theirs.inverse_frequencies());
            pairs.into_iter().all(|(ours, theirs)| (ours / theirs - 1.0).abs() < 1e-4)
        })
    }

    /// What is wrong with it, if anything.
    pub(super) fn check(&self) -> Result<(), String> {
        if !self.dim.is_multiple_of(2) {
            return Err(format!("the rotated part of a head is odd: {}", self.dim));
        }
        if let Scaling::Divisors(divisors) = &self.scaling
            && divisors.len() != self.dim / 2
        {
            return Err(format!("rope_freqs has {} numbers", divisors.len()));
        }
        let finite = |numbers: &[f32]| numbers.iter().all(|number| number.is_finite());
        if !finite(&self.inverse_frequencies()) || !finite(&[self.magnitude()]) {
            return Err("its rotation frequencies are not finite numbers".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rotary(scaling: Scaling) -> Rotary {
        Rotary { dim: 64, base: 500_000.0, scaling, layout: Layout::Halves }
    }

    #[test]
    fn plain_frequencies_run_from_one_to_nearly_the_inverse_base() {
        let frequencies = rotary(Scaling::None).inverse_frequencies();
        assert_eq!(frequencies.len(), 32);
        assert_eq!(frequencies[0], 1.0);
        let last = 500_000_f64.powf(-62.0 / 64.0) as f32;
        assert!((frequencies[31] / last - 1.0).abs() < 1e-6);
    }

    fn keeps_fast_pairs_and_slows_slow_ones(scaling: Scaling) {
        let plain = rotary(Scaling::None).inverse_frequencies();
        let scaled = rotary(scaling).inverse_frequencies();
        assert_eq!(scaled[0], plain[0]);
        assert!((scaled[31] * 8.0 / plain[31] - 1.0).abs() < 1e-6);
        assert!(scaled.iter().zip(&plain).all(|(scaled, plain)| scaled <= plain));
    }

    #[test]
    fn llama3_scaling_keeps_fast_pairs_and_slows_slow_ones() {
        keeps_fast_pairs_and_slows_slow_ones(Scaling::Llama3 {
            factor: 8.0,
            low_frequency_factor: 1.0,
            high_frequency_factor: 4.0,
            trained_context: 8192.0,
        });
    }

    #[test]
    fn yarn_keeps_fast_pairs_and_slows_slow_ones() {
        keeps_fast_pairs_and_slows_slow_ones(Scaling::Yarn {
            factor: 8.0,
            trained_context: 8192.0,
            fast_turns: 32.0,
            slow_turns: 1.0,
            whole_pairs: true,
            magnitude: yarn_magnitude(8.0, 1.0),
        });
    }
}
