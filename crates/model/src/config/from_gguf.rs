//! The decoder's description from GGUF metadata.
//!
//! Keys are `{architecture}.something`. GGUF leaves to the reader what every model of a family has in
//! common; those defaults are in [`Family`] and come from the families' papers and reference code.

use kernels::rope::Layout;

use super::rotary::{YARN_TURNS, yarn_magnitude};
use super::{
    Activation, Biases, Block, DecoderConfig, Experts, Norm, QkNorm, Reach, Rotary, Scaling,
    every_nth_global,
};
use crate::Error;
use crate::gguf::Gguf;
use crate::weights::Weights;

/// What the name of an architecture implies.
struct Family {
    name: &'static str,
    activation: Activation,
    post_norms: bool,
    qk_norm: Option<QkNorm>,
    norm: Norm,
    parallel: bool,
    gated: bool,
    layout: Layout,
    /// Whether the weights of the chosen experts are scaled to sum to one.
    renormalise: bool,
    scaled_embedding: bool,
    /// One layer in so many is global; 0: all are.
    global_period: usize,
    local_base: f64,
    /// A model with this many layers scales attention by its heads' share of the width, not by
    /// the head size (Gemma 2 and 3 27B).
    odd_scale_layers: usize,
}

const LLAMA: Family = Family {
    name: "llama",
    activation: Activation::Silu,
    post_norms: false,
    qk_norm: None,
    norm: Norm::Rms,
    parallel: false,
    gated: true,
    layout: Layout::Interleaved,
    renormalise: true,
    scaled_embedding: false,
    global_period: 0,
    local_base: 10_000.0,
    odd_scale_layers: 0,
};

const GEMMA3: Family = Family {
    name: "gemma3",
    activation: Activation::GeluTanh,
    post_norms: true,
    qk_norm: Some(QkNorm::Head),
    layout: Layout::Halves,
    scaled_embedding: true,
    global_period: 6,
    odd_scale_layers: 62,
    ..LLAMA
};

const QWEN3: Family =
    Family { name: "qwen3", layout: Layout::Halves, qk_norm: Some(QkNorm::Head), ..LLAMA };

const FAMILIES: &[Family] = &[
    LLAMA,
    Family {
        name: "falcon",
        activation: Activation::Gelu,
        norm: Norm::Layer,
        parallel: true,
        gated: false,
        layout: Layout::Halves,
        ..LLAMA
    },
    GEMMA3,
    Family { name: "gemma2", qk_norm: None, global_period: 2, odd_scale_layers: 46, ..GEMMA3 },
    Family { name: "qwen2", layout: Layout::Halves, ..LLAMA },
    QWEN3,
    Family { name: "qwen3moe", ..QWEN3 },
    Family {
        name: "olmoe",
        layout: Layout::Halves,
        qk_norm: Some(QkNorm::Width),
        renormalise: false,
        ..LLAMA
    },
];

impl DecoderConfig {
    /// Reads the metadata; shapes that the metadata leaves out are taken from `weights`.
    pub fn from_gguf(gguf: &Gguf, weights: &Weights) -> Result<Self, Error> {
        let keys = Keys::new(gguf)?;
        let Some(family) = FAMILIES.iter().find(|family| family.name == keys.architecture) else {
            return Err(Error::unsupported(
                gguf.path(),
                format!("the architecture {}", keys.architecture),
                "decoders of the families llama, falcon, gemma2, gemma3, qwen2, qwen3, qwen3moe and olmoe run",
            ));
        };
        let hidden = keys.size("embedding_length")?;
        let n_layers = keys.size("block_count")?;
        if n_layers > 1 << 12 {
            return Err(Error::malformed(gguf.path(), format!("it claims {n_layers} layers")));
        }
        let n_heads = keys.size("attention.head_count")?;
        let head_dim = match keys.optional_size("attention.key_length")? {
            Some(head_dim) => head_dim,
            None => hidden / n_heads.max(1),
        };
        if keys.optional_size("attention.value_length")?.unwrap_or(head_dim) != head_dim {
            return Err(Error::unsupported(
                gguf.path(),
                "keys and values of different sizes",
                "only models with equal key and value sizes run",
            ));
        }
        let embedding = weights.get("token_embd.weight").map(|tensor| tensor.shape.as_slice());
        let vocab = match embedding {
            Some([vocab, _]) => *vocab,
            _ => keys.size("vocab_size")?,
        };
        let window = keys.optional_size("attention.sliding_window")?.unwrap_or(0);
        let layers = keys.layers(family, n_layers, window)?;
        let scaled_dim =
            if n_layers == family.odd_scale_layers { hidden / n_heads.max(1) } else { head_dim };
        let (rotary, local_rotary) = keys.rotaries(family, head_dim, weights)?;
        let config = Self {
            vocab,
            hidden,
            n_heads,
            n_kv_heads: keys.optional_size("attention.head_count_kv")?.unwrap_or(n_heads),
            head_dim,
            feed_forward: keys.size("feed_forward_length")?,
            gated: family.gated,
            experts: keys.experts(family, n_layers, weights)?,
            context_len: keys.size("context_length")?,
            norm: family.norm,
            norm_eps: keys.norm_eps(family)?,
            gain_offset: 0.0,
            post_norms: family.post_norms,
            block: match family.parallel {
                true => Block::Parallel { two_norms: weights.contains("blk.0.attn_norm_2.weight") },
                false => Block::Sequential,
            },
            qk_norm: family.qk_norm,
            layers,
            rotary,
            window,
            local_rotary,
            activation: family.activation,
            attention_scale: 1.0 / (scaled_dim as f32).sqrt(),
            attention_soft_cap: keys.number("attn_logit_softcapping")?.map(|cap| cap as f32),
            logit_soft_cap: keys.number("final_logit_softcapping")?.map(|cap| cap as f32),
            embedding_scale: if family.scaled_embedding { (hidden as f32).sqrt() } else { 1.0 },
            tied_head: !weights.contains("output.weight"),
            biases: Biases {
                qkv: weights.contains("blk.0.attn_q.bias")
                    || weights.contains("blk.0.attn_qkv.bias"),
                attention_output: weights.contains("blk.0.attn_output.bias"),
                feed_forward: weights.contains("blk.0.ffn_up.bias"),
            },
            architecture: keys.architecture,
        };
        config.validated(gguf.path())
    }
}

/// Metadata under the architecture's prefix.
struct Keys<'a> {
    gguf: &'a Gguf,
    architecture: String,
}

impl<'a> Keys<'a> {
    fn new(gguf: &'a Gguf) -> Result<Self, Error> {
        let Some(architecture) = gguf.string("general.architecture")? else {
            return Err(Error::missing(
                gguf.path(),
                "metadata key general.architecture",
                "convert the model again with a current converter",
            ));
        };
        Ok(Self { gguf, architecture: architecture.to_owned() })
    }

    fn name(&self, key: &str) -> String {
        format!("{}.{key}", self.architecture)
    }

    fn optional_size(&self, key: &str) -> Result<Option<usize>, Error> {
        let value = self.gguf.integer(&self.name(key))?;
        Ok(value.map(|value| usize::try_from(value).unwrap_or(usize::MAX)))
    }

    fn size(&self, key: &str) -> Result<usize, Error> {
        self.optional_size(key)?.ok_or_else(|| {
            let what = format!("metadata key {}", self.name(key));
            Error::missing(
                self.gguf.path(),
                what,
                "convert the model again with a current converter",
            )
        })
    }

    fn number(&self, key: &str) -> Result<Option<f64>, Error> {
        self.gguf.number(&self.name(key))
    }

    /// How far each layer looks.
    fn layers(&self, family: &Family, n_layers: usize, window: usize) -> Result<Vec<Reach>, Error> {
        let period = self.optional_size("attention.sliding_window_pattern")?;
        let period = period.unwrap_or(family.global_period);
        Ok(match family.global_period > 0 && window > 0 && period > 0 {
            true => every_nth_global(n_layers, period),
            false => vec![Reach::Global; n_layers],
        })
    }

    fn norm_eps(&self, family: &Family) -> Result<f32, Error> {
        let (key, usual) = match family.norm {
            Norm::Rms => ("attention.layer_norm_rms_epsilon", 1e-6),
            Norm::Layer => ("attention.layer_norm_epsilon", 1e-5),
        };
        Ok(self.number(key)?.unwrap_or(usual) as f32)
    }

    fn experts(
        &self,
        family: &Family,
        n_layers: usize,
        weights: &Weights,
    ) -> Result<Option<Experts>, Error> {
        let Some(n_experts) = self.optional_size("expert_count")?.filter(|&n| n > 0) else {
            return Ok(None);
        };
        if self.number("attention.clamp_kqv")?.is_some() {
            let what = "clipped queries and keys (attention.clamp_kqv)";
            return Err(Error::unsupported(self.gguf.path(), what, "models without it run"));
        }
        // Mixtral and OLMoE have no dense layers, so their one feed-forward size is that of an expert.
        let width = match self.optional_size("expert_feed_forward_length")? {
            Some(width) => width,
            None => self.size("feed_forward_length")?,
        };
        let dense = |layer: &usize| weights.contains(&format!("blk.{layer}.ffn_up.weight"));
        Ok(Some(Experts {
            n_experts,
            n_active: self.size("expert_used_count")?,
            width,
            renormalise: family.renormalise,
            dense_layers: (0..n_layers).filter(dense).collect(),
        }))
    }

    /// Rotation in global and in local layers. Scaling concerns the global ones.
    fn rotaries(
        &self,
        family: &Family,
        head_dim: usize,
        weights: &Weights,
    ) -> Result<(Rotary, Rotary), Error> {
        let dim = self.optional_size("rope.dimension_count")?.unwrap_or(head_dim);
        let base = self.number("rope.freq_base")?.unwrap_or(10_000.0);
        let scaling = match weights.get("rope_freqs.weight") {
            Some(tensor) => {
                let len = tensor.shape.first().copied().unwrap_or(0);
                Scaling::Divisors(weights.vector("rope_freqs.weight", len)?)
            }
            None => self.scaling()?,
        };
        let local_base = self.number("rope.freq_base_swa")?;
        // Only Gemma 3 rotates local layers otherwise than global ones.
        let same = if family.name == "gemma3" { family.local_base } else { base };
        let local = Rotary {
            dim,
            base: local_base.unwrap_or(same),
            scaling: Scaling::None,
            layout: family.layout,
        };
        Ok((Rotary { dim, base, scaling, layout: family.layout }, local))
    }

    fn scaling(&self) -> Result<Scaling, Error> {
        let key = self.name("rope.scaling.type");
        match self.gguf.string(&key)? {
            None | Some("none") => Ok(Scaling::None),
            Some("linear") => {
                let factor = self.number("rope.scaling.factor")?.unwrap_or(1.0);
                Ok(Scaling::Linear { factor })
            }
            Some("yarn") => self.yarn(),
            Some(other) => Err(Error::unsupported(
                self.gguf.path(),
                format!("rotary scaling of type {other}"),
                "models with linear, Llama 3 or YaRN scaling, or none, run",
            )),
        }
    }

    fn yarn(&self) -> Result<Scaling, Error> {
        let factor = self.number("rope.scaling.factor")?.unwrap_or(1.0);
        let trained_context = match self.number("rope.scaling.original_context_length")? {
            Some(trained) => trained,
            None => self.size("context_length")? as f64,
        };
        let turns = |key, usual| Ok::<_, Error>(self.number(key)?.unwrap_or(usual));
        Ok(Scaling::Yarn {
            factor,
            trained_context,
            fast_turns: turns("rope.scaling.yarn_beta_fast", YARN_TURNS.0)?,
            slow_turns: turns("rope.scaling.yarn_beta_slow", YARN_TURNS.1)?,
            whole_pairs: true,
            magnitude: yarn_magnitude(factor, 1.0)
                * self.number("rope.scaling.attn_factor")?.unwrap_or(1.0),
        })
    }
}
