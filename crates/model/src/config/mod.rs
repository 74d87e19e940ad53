//! What a model is made of, as plain numbers: one description for all decoder families, one for encoders.
//!
//! The descriptions are built from GGUF metadata ([`DecoderConfig::from_gguf`]) or from a Hugging Face
//! `config.json` ([`DecoderConfig::from_hugging_face`]). What a family does differently is decided
//! there, once; the decoder reads only the fields below and knows no family.

mod encoder;
mod from_gguf;
mod from_hugging_face;

use std::path::Path;

use kernels::rope::Layout;

use crate::Error;
pub use encoder::{EncoderConfig, Pooling};

/// A causal transformer.
#[derive(Debug, Clone, PartialEq)]
pub struct DecoderConfig {
    /// What the file calls its architecture (`llama`, `gemma3`, `Qwen3ForCausalLM`…). For people only.
    pub architecture: String,
    pub vocab: usize,
    /// Width of the residual stream.
    pub hidden: usize,
    pub n_heads: usize,
    /// Key and value heads; each serves `n_heads / n_kv_heads` query heads.
    pub n_kv_heads: usize,
    pub head_dim: usize,
    /// Inner width of a dense feed-forward block.
    pub feed_forward: usize,
    /// Set where feed-forward blocks are mixtures of experts.
    pub experts: Option<Experts>,
    /// Positions the model was made for.
    pub context_len: usize,
    pub norm_eps: f32,
    /// Added to each stored norm gain: Gemma stores `w` and means `1 + w` (GGUF files have it added already).
    pub gain_offset: f32,
    /// Norms after attention and after the feed-forward block, before the residual sum (Gemma).
    pub post_norms: bool,
    /// RMSNorm over each query and key head before rotation (Qwen 3, Gemma 3).
    pub qk_norm: bool,
    /// How far each layer looks back; its length is the number of layers.
    pub layers: Vec<Reach>,
    /// Rotation in global layers.
    pub rotary: Rotary,
    /// Positions that a local layer sees, its own included. 0 where there is no local layer.
    pub window: usize,
    /// Rotation in local layers.
    pub local_rotary: Rotary,
    pub activation: Activation,
    /// Factor on query · key.
    pub attention_scale: f32,
    /// `cap · tanh(score / cap)` on attention scores (Gemma 2).
    pub attention_soft_cap: Option<f32>,
    /// The same on logits.
    pub logit_soft_cap: Option<f32>,
    /// Factor on embeddings (Gemma: √hidden).
    pub embedding_scale: f32,
    /// The output matrix is the embedding matrix.
    pub tied_head: bool,
    pub biases: Biases,
}

/// Whether a layer sees all positions before it or only the last few.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    Global,
    Local,
}

/// A router and its experts, in every layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Experts {
    pub n_experts: usize,
    /// Experts that work on each token.
    pub n_active: usize,
    /// Inner width of one expert.
    pub width: usize,
    /// Whether the chosen experts' weights are scaled to sum to one.
    pub renormalise: bool,
}

/// Which projections add a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Biases {
    pub qkv: bool,
    pub attention_output: bool,
    pub feed_forward: bool,
}

/// Gate of the feed-forward block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    Silu,
    /// GELU in its tanh approximation.
    GeluTanh,
}

/// Rotary position embedding (arXiv 2104.09864).
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
    /// Each frequency divided by its own number: how GGUF stores the above (`rope_freqs.weight`).
    Divisors(Vec<f32>),
}

impl Rotary {
    /// Radians per position for each pair: `base^(−2i/dim)`, scaled. Length `dim / 2`.
    pub fn inverse_frequencies(&self) -> Vec<f32> {
        let frequency = |pair: usize| self.base.powf(-((2 * pair) as f64) / self.dim as f64);
        (0..self.dim / 2).map(|pair| self.scale(frequency(pair), pair) as f32).collect()
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
        }
    }
}

impl DecoderConfig {
    pub fn n_layers(&self) -> usize {
        self.layers.len()
    }

    /// Width of all query heads together.
    pub fn query_width(&self) -> usize {
        self.n_heads * self.head_dim
    }

    /// Width of all key heads (or value heads) together.
    pub fn kv_width(&self) -> usize {
        self.n_kv_heads * self.head_dim
    }

    /// Refuses sizes that cannot be meant, so that products of two of them cannot overflow later.
    fn validated(self, path: &Path) -> Result<Self, Error> {
        let malformed = |what: String| Err(Error::malformed(path, what));
        let sizes = [
            ("vocabulary size", self.vocab, 1 << 24),
            ("hidden size", self.hidden, 1 << 20),
            ("number of layers", self.n_layers(), 1 << 12),
            ("number of heads", self.n_heads, 1 << 12),
            ("number of key-value heads", self.n_kv_heads, 1 << 12),
            ("head size", self.head_dim, 1 << 14),
            ("feed-forward size", self.feed_forward, 1 << 22),
            ("context length", self.context_len, 1 << 28),
            ("rotated part of a head", self.rotary.dim, self.head_dim),
            ("rotated part of a head in local layers", self.local_rotary.dim, self.head_dim),
        ];
        for (what, size, limit) in sizes {
            if size == 0 || size > limit {
                return malformed(format!("its {what} is {size}, outside 1…{limit}"));
            }
        }
        if !self.n_heads.is_multiple_of(self.n_kv_heads) {
            let (heads, kv_heads) = (self.n_heads, self.n_kv_heads);
            return malformed(format!(
                "{heads} heads do not divide among {kv_heads} key-value heads"
            ));
        }
        if self.layers.contains(&Reach::Local) && self.window == 0 {
            return malformed("it has local layers and no window".into());
        }
        for rotary in [&self.rotary, &self.local_rotary] {
            if !rotary.dim.is_multiple_of(2) {
                return malformed(format!("the rotated part of a head is odd: {}", rotary.dim));
            }
            if let Scaling::Divisors(divisors) = &rotary.scaling
                && divisors.len() != rotary.dim / 2
            {
                return malformed(format!("rope_freqs has {} numbers", divisors.len()));
            }
            if rotary.inverse_frequencies().iter().any(|frequency| !frequency.is_finite()) {
                return malformed("its rotation frequencies are not finite numbers".into());
            }
        }
        let factors = [
            self.norm_eps,
            self.attention_scale,
            self.embedding_scale,
            self.attention_soft_cap.unwrap_or(1.0),
            self.logit_soft_cap.unwrap_or(1.0),
        ];
        if factors.iter().any(|factor| !factor.is_finite() || *factor < 0.0) {
            return malformed(
                "its scales, soft-caps and epsilon are not all finite numbers".into(),
            );
        }
        if let Some(experts) = self.experts
            && (experts.n_active == 0
                || experts.n_active > experts.n_experts
                || experts.n_experts > 1 << 16
                || experts.width == 0
                || experts.width > 1 << 22)
        {
            return malformed(format!("its experts make no sense: {experts:?}"));
        }
        Ok(self)
    }
}

/// Every `period`-th layer is global, the others local (Gemma: the last of each group).
fn every_nth_global(n_layers: usize, period: usize) -> Vec<Reach> {
    let reach = |layer: usize| {
        if (layer + 1).is_multiple_of(period) { Reach::Global } else { Reach::Local }
    };
    (0..n_layers).map(reach).collect()
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

    #[test]
    fn llama3_scaling_keeps_fast_pairs_and_slows_slow_ones() {
        let plain = rotary(Scaling::None).inverse_frequencies();
        let scaled = rotary(Scaling::Llama3 {
            factor: 8.0,
            low_frequency_factor: 1.0,
            high_frequency_factor: 4.0,
            trained_context: 8192.0,
        })
        .inverse_frequencies();
        assert_eq!(scaled[0], plain[0]);
        assert!((scaled[31] * 8.0 / plain[31] - 1.0).abs() < 1e-6);
        assert!(scaled.iter().zip(&plain).all(|(scaled, plain)| scaled <= plain));
    }

    #[test]
    fn the_last_layer_of_each_group_is_global() {
        let layers = every_nth_global(18, 6);
        let global: Vec<usize> = (0..18).filter(|&layer| layers[layer] == Reach::Global).collect();
        assert_eq!(global, [5, 11, 17]);
    }
}
