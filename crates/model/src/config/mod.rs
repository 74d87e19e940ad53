//! What a model is made of, as plain numbers: one description for all decoder families, one for encoders.
//!
//! The descriptions are built from GGUF metadata ([`DecoderConfig::from_gguf`]) or from a Hugging Face
//! `config.json` ([`DecoderConfig::from_hugging_face`]). What a family does differently is decided
//! there, once; the decoder reads only the fields below and knows no family.

mod encoder;
mod falcon;
mod fields;
mod from_gguf;
mod from_hugging_face;
mod rotary;

use std::path::Path;

use crate::Error;
pub use encoder::{EncoderConfig, Pooling};
pub(crate) use rotary::yarn_magnitude;
pub use rotary::{Rotary, Scaling};

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
    /// Inner width of a dense feed-forward block. What it says where every block has experts is not used.
    pub feed_forward: usize,
    /// Whether feed-forward blocks, dense ones and experts, have a gate: act(h·Wgate) ∘ h·Wup instead of act(h·Wup).
    pub gated: bool,
    /// Set where feed-forward blocks are mixtures of experts.
    pub experts: Option<Experts>,
    /// Positions the model was made for.
    pub context_len: usize,
    pub norm: Norm,
    pub norm_eps: f32,
    /// Added to each stored norm gain: Gemma stores `w` and means `1 + w` (GGUF files have it added already).
    pub gain_offset: f32,
    /// Norms after attention and after the feed-forward block, before the residual sum (Gemma).
    pub post_norms: bool,
    pub block: Block,
    /// RMSNorm of queries and keys before rotation.
    pub qk_norm: Option<QkNorm>,
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

/// What stands before blocks and before the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Norm {
    /// Divided by the root of the mean square, times a gain.
    Rms,
    /// Mean zero and variance one, times a gain, plus a bias.
    Layer,
}

/// How a layer's two halves are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Block {
    /// The feed-forward half reads what attention added.
    Sequential,
    /// Both halves read the layer's input, through one norm or through one each (Falcon).
    Parallel { two_norms: bool },
}

/// What a norm of queries and keys runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QkNorm {
    /// Each head by itself (Qwen 3, Gemma 3).
    Head,
    /// All heads together (OLMoE).
    Width,
}

/// A router and its experts, in every layer but those listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Experts {
    pub n_experts: usize,
    /// Experts that work on each token.
    pub n_active: usize,
    /// Inner width of one expert.
    pub width: usize,
    /// Whether the chosen experts' weights are scaled to sum to one.
    pub renormalise: bool,
    /// Layers whose feed-forward block is dense all the same, in rising order.
    pub dense_layers: Vec<usize>,
}

/// Which projections add a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Biases {
    pub qkv: bool,
    pub attention_output: bool,
    pub feed_forward: bool,
}

/// What bends the feed-forward block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    Silu,
    /// GELU in its tanh approximation.
    GeluTanh,
    /// GELU by the error function.
    Gelu,
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

    /// The experts of a layer; `None` where its feed-forward block is dense.
    pub fn experts_of(&self, layer_idx: usize) -> Option<&Experts> {
        self.experts.as_ref().filter(|experts| !experts.dense_layers.contains(&layer_idx))
    }

    /// How many layers have experts.
    pub fn n_sparse_layers(&self) -> usize {
        self.experts.as_ref().map_or(0, |experts| self.n_layers() - experts.dense_layers.len())
    }

    /// Widest inner width of any feed-forward block, an expert counting as one.
    pub fn inner_width(&self) -> usize {
        let experts = self.experts.as_ref().map_or(0, |experts| experts.width);
        let dense = if self.n_sparse_layers() < self.n_layers() { self.feed_forward } else { 0 };
        experts.max(dense)
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
            rotary.check().map_err(|what| Error::malformed(path, what))?;
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
        if !self.gated && self.experts.is_some() {
            return malformed("it has experts without a gate".into());
        }
        if let Some(experts) = &self.experts {
            experts.check(self.n_layers()).map_err(|what| Error::malformed(path, what))?;
        }
        Ok(self)
    }
}

impl Experts {
    /// What is wrong with it, if anything.
    fn check(&self, n_layers: usize) -> Result<(), String> {
        let Self { n_experts, n_active, width, .. } = *self;
        let rising = self.dense_layers.windows(2).all(|pair| pair[0] < pair[1]);
        let inside = self.dense_layers.last().is_none_or(|&last| last < n_layers);
        match () {
            () if n_experts == 0 || n_experts > 1 << 16 => {
                Err(format!("its number of experts is {n_experts}, outside 1…65536"))
            }
            () if n_active == 0 || n_active > n_experts => {
                Err(format!("{n_active} of {n_experts} experts cannot work on a token"))
            }
            () if width == 0 || width > 1 << 22 => {
                Err(format!("its expert size is {width}, outside 1…4194304"))
            }
            () if n_experts * n_layers > 1 << 18 => {
                Err(format!("it claims {n_experts} experts in each of {n_layers} layers"))
            }
            () if !rising || !inside => Err("its list of dense layers makes no sense".into()),
            () => Ok(()),
        }
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

    #[test]
    fn the_last_layer_of_each_group_is_global() {
        let layers = every_nth_global(18, 6);
        let global: Vec<usize> = (0..18).filter(|&layer| layers[layer] == Reach::Global).collect();
        assert_eq!(global, [5, 11, 17]);
    }
}
