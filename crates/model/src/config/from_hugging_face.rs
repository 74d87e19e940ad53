//! The decoder's description from a Hugging Face `config.json`.
//!
//! Both spellings of rotary settings are read: `rope_theta` with `rope_scaling` (transformers 4) and
//! `rope_parameters` (transformers 5). A key that is left out has the default of its family's
//! configuration class. Falcon's file speaks another language and is read in [`super::falcon`].

use std::path::Path;

use kernels::rope::Layout;
use serde_json::Value;

use super::fields::Fields;
use super::rotary::{YARN_TURNS, yarn_magnitude};
use super::{
    Activation, Biases, Block, DecoderConfig, Experts, Norm, QkNorm, Reach, Rotary, Scaling,
    every_nth_global,
};
use crate::Error;

/// What the name of an architecture implies.
#[derive(Clone, Copy)]
struct Family {
    name: &'static str,
    gemma: bool,
    qk_norm: Option<QkNorm>,
    /// Whether the head is the embedding when `tie_word_embeddings` is absent.
    tied_head: bool,
    qkv_bias: bool,
    windows: Windows,
    default_base: f64,
    attention_soft_cap: Option<f64>,
    logit_soft_cap: Option<f64>,
    experts: Option<ExpertKeys>,
}

/// Which layers see a window only, where `layer_types` does not say.
#[derive(Clone, Copy, PartialEq)]
enum Windows {
    Never,
    /// All but one in so many.
    Period(usize),
    /// With `use_sliding_window`, those from `max_window_layers` on.
    Later,
    /// All, where `sliding_window` is set.
    All,
}

/// What a family calls the numbers of its experts.
#[derive(Clone, Copy)]
struct ExpertKeys {
    width: &'static str,
    /// Whether weights are scaled to sum to one when `norm_topk_prob` is absent.
    renormalise: bool,
}

const LLAMA: Family = Family {
    name: "LlamaForCausalLM",
    gemma: false,
    qk_norm: None,
    tied_head: false,
    qkv_bias: false,
    windows: Windows::Never,
    default_base: 10_000.0,
    attention_soft_cap: None,
    logit_soft_cap: None,
    experts: None,
};

const QWEN3: Family = Family {
    name: "Qwen3ForCausalLM",
    qk_norm: Some(QkNorm::Head),
    windows: Windows::Later,
    ..LLAMA
};

const GEMMA2: Family = Family {
    name: "Gemma2ForCausalLM",
    gemma: true,
    tied_head: true,
    windows: Windows::Period(2),
    attention_soft_cap: Some(50.0),
    logit_soft_cap: Some(30.0),
    ..LLAMA
};

const FAMILIES: &[Family] = &[
    LLAMA,
    Family { name: "Qwen2ForCausalLM", qkv_bias: true, windows: Windows::Later, ..LLAMA },
    QWEN3,
    Family {
        name: "Qwen3MoeForCausalLM",
        windows: Windows::Never,
        experts: Some(ExpertKeys { width: "moe_intermediate_size", renormalise: false }),
        ..QWEN3
    },
    Family {
        name: "MixtralForCausalLM",
        windows: Windows::All,
        default_base: 1_000_000.0,
        experts: Some(ExpertKeys { width: "intermediate_size", renormalise: true }),
        ..LLAMA
    },
    Family {
        name: "OlmoeForCausalLM",
        qk_norm: Some(QkNorm::Width),
        experts: Some(ExpertKeys { width: "intermediate_size", renormalise: false }),
        ..LLAMA
    },
    GEMMA2,
    Family {
        name: "Gemma3ForCausalLM",
        qk_norm: Some(QkNorm::Head),
        windows: Windows::Period(6),
        default_base: 1_000_000.0,
        attention_soft_cap: None,
        logit_soft_cap: None,
        ..GEMMA2
    },
];

impl DecoderConfig {
    /// Reads the parsed `config.json`; `path` is what errors name.
    pub fn from_hugging_face(json: &Value, path: &Path) -> Result<Self, Error> {
        let fields = Fields { json, path };
        let architecture = json["architectures"][0].as_str().unwrap_or("of no name").to_owned();
        if architecture == "FalconForCausalLM" {
            return super::falcon::config(&fields, architecture)?.validated(path);
        }
        let Some(family) = FAMILIES.iter().find(|family| family.name == architecture) else {
            let what = format!("the architecture {architecture}");
            return Err(Error::unsupported(
                path,
                what,
                "decoders of the families Llama, Falcon, Qwen 2, Qwen 3, Qwen 3 MoE, Mixtral, OLMoE, Gemma 2 and Gemma 3 run",
            ));
        };
        fields.refuse_the_unknown()?;
        let hidden = fields.size("hidden_size")?;
        let n_heads = fields.size("num_attention_heads")?;
        let head_dim = match fields.optional_size("head_dim")? {
            Some(head_dim) => head_dim,
            None => hidden / n_heads.max(1),
        };
        let attention_scale = match fields.number("query_pre_attn_scalar")? {
            Some(scalar) if family.gemma => 1.0 / scalar.sqrt(),
            _ => 1.0 / (head_dim as f64).sqrt(),
        };
        let (layers, window) = fields.layers(family)?;
        let (rotary, local_rotary) = fields.rotaries(head_dim, family.default_base)?;
        let soft_cap =
            |key, default| Ok(fields.nullable_number(key, default)?.map(|cap| cap as f32));
        let attention_bias = fields.flag("attention_bias", false)?;
        let config = Self {
            vocab: fields.size("vocab_size")?,
            hidden,
            n_heads,
            n_kv_heads: fields.optional_size("num_key_value_heads")?.unwrap_or(n_heads),
            head_dim,
            feed_forward: fields.size("intermediate_size")?,
            gated: true,
            experts: fields.experts(family)?,
            context_len: fields.size("max_position_embeddings")?,
            norm: Norm::Rms,
            norm_eps: fields.number("rms_norm_eps")?.unwrap_or(1e-6) as f32,
            gain_offset: if family.gemma { 1.0 } else { 0.0 },
            post_norms: family.gemma,
            block: Block::Sequential,
            qk_norm: family.qk_norm,
            layers,
            rotary,
            window,
            local_rotary,
            activation: fields.activation()?,
            attention_scale: attention_scale as f32,
            attention_soft_cap: soft_cap("attn_logit_softcapping", family.attention_soft_cap)?,
            logit_soft_cap: soft_cap("final_logit_softcapping", family.logit_soft_cap)?,
            embedding_scale: if family.gemma { (hidden as f32).sqrt() } else { 1.0 },
            tied_head: fields.flag("tie_word_embeddings", family.tied_head)?,
            biases: Biases {
                qkv: family.qkv_bias || attention_bias,
                attention_output: attention_bias,
                feed_forward: fields.flag("mlp_bias", false)?,
            },
            architecture,
        };
        config.validated(path)
    }
}

impl Fields<'_> {
    /// Settings that change what a model computes and that the decoder does not know.
    fn refuse_the_unknown(&self) -> Result<(), Error> {
        if self.flag("use_bidirectional_attention", false)? {
            let what = "attention in both directions";
            let hint = "causal decoders run; use an encoder for embeddings";
            return Err(Error::unsupported(self.path, what, hint));
        }
        if self.number("clip_qkv")?.is_some() {
            let hint = "models without clip_qkv run";
            return Err(Error::unsupported(self.path, "clipped queries and keys (clip_qkv)", hint));
        }
        Ok(())
    }

    fn activation(&self) -> Result<Activation, Error> {
        let name = self.text("hidden_activation")?.or(self.text("hidden_act")?).unwrap_or("silu");
        activation_named(name, self.path)
    }

    /// How far each layer looks, and the size of the window.
    fn layers(&self, family: &Family) -> Result<(Vec<Reach>, usize), Error> {
        let n_layers = self.n_layers()?;
        let layers = match self.get("layer_types") {
            Some(types) => self.layer_types(types, n_layers)?,
            None => self.layers_by_habit(family, n_layers)?,
        };
        let window = match layers.contains(&Reach::Local) {
            true => self.size("sliding_window")?,
            false => 0,
        };
        Ok((layers, window))
    }

    fn layer_types(&self, types: &Value, n_layers: usize) -> Result<Vec<Reach>, Error> {
        let types = types.as_array().map(Vec::as_slice).unwrap_or_default();
        if types.len() != n_layers {
            let what = format!("layer_types has {} entries for {n_layers} layers", types.len());
            return Err(Error::malformed(self.path, what));
        }
        let reach = |kind: &Value| match kind.as_str() {
            Some("full_attention") => Ok(Reach::Global),
            Some("sliding_attention") => Ok(Reach::Local),
            _ => Err(Error::unsupported(
                self.path,
                format!("a layer of type {kind}"),
                "layers of full_attention and sliding_attention run",
            )),
        };
        types.iter().map(reach).collect()
    }

    fn layers_by_habit(&self, family: &Family, n_layers: usize) -> Result<Vec<Reach>, Error> {
        let windowed = match family.windows {
            Windows::Never => false,
            Windows::Period(_) => true,
            Windows::Later => self.flag("use_sliding_window", false)?,
            Windows::All => self.get("sliding_window").is_some(),
        };
        if !windowed {
            if self.flag("use_sliding_window", false)? {
                let hint = "add layer_types to config.json (transformers 5 writes it)";
                let what = "use_sliding_window without layer_types";
                return Err(Error::unsupported(self.path, what, hint));
            }
            return Ok(vec![Reach::Global; n_layers]);
        }
        Ok(match family.windows {
            Windows::Period(usual) => {
                let period = self.optional_size("sliding_window_pattern")?.unwrap_or(usual);
                every_nth_global(n_layers, period)
            }
            Windows::Later => {
                let first = self.optional_size("max_window_layers")?.unwrap_or(28);
                let reach = |layer| if layer < first { Reach::Global } else { Reach::Local };
                (0..n_layers).map(reach).collect()
            }
            _ => vec![Reach::Local; n_layers],
        })
    }

    fn experts(&self, family: &Family) -> Result<Option<Experts>, Error> {
        let Some(keys) = family.experts else { return Ok(None) };
        let n_layers = self.n_layers()?;
        let listed = self.sizes("mlp_only_layers")?.unwrap_or_default();
        let step = self.optional_size("decoder_sparse_step")?.unwrap_or(1);
        // Both names are in use, for Qwen's models too.
        let n_experts = match self.optional_size("num_local_experts")? {
            Some(n_experts) => n_experts,
            None => self.size("num_experts")?,
        };
        let dense = |layer: &usize| {
            listed.contains(layer) || step == 0 || !(layer + 1).is_multiple_of(step)
        };
        let dense_layers: Vec<usize> = (0..n_layers).filter(dense).collect();
        if n_experts == 0 || dense_layers.len() == n_layers {
            return Ok(None);
        }
        Ok(Some(Experts {
            n_experts,
            n_active: self.size("num_experts_per_tok")?,
            width: self.size(keys.width)?,
            renormalise: self.flag("norm_topk_prob", keys.renormalise)?,
            dense_layers,
        }))
    }

    /// Rotation in global and in local layers.
    pub(super) fn rotaries(
        &self,
        head_dim: usize,
        default_base: f64,
    ) -> Result<(Rotary, Rotary), Error> {
        let settings = self.settings("full_attention");
        let global = self.rotary(head_dim, settings, "rope_theta", default_base)?;
        let settings = self.settings("sliding_attention");
        let mut local = self.rotary(head_dim, settings, "rope_local_base_freq", 10_000.0)?;
        let per_kind =
            self.get("rope_parameters").is_some_and(|all| all.get("full_attention").is_some());
        if !per_kind && self.get("rope_local_base_freq").is_none() {
            // One setting for all layers: Gemma 2 and whoever has no local layers.
            local = global.clone();
        } else if !per_kind {
            local.scaling = Scaling::None;
        }
        Ok((global, local))
    }

    /// The object that holds rotary settings for layers of this kind.
    fn settings(&self, kind: &str) -> Option<&Value> {
        let parameters = self.get("rope_parameters").or(self.get("rope_scaling"))?;
        Some(parameters.get(kind).unwrap_or(parameters))
    }

    fn rotary(
        &self,
        head_dim: usize,
        settings: Option<&Value>,
        base_key: &str,
        default_base: f64,
    ) -> Result<Rotary, Error> {
        let nothing = Value::Null;
        let settings = Fields { json: settings.unwrap_or(&nothing), path: self.path };
        let base = settings.number("rope_theta")?.or(self.number(base_key)?);
        let partial = settings
            .number("partial_rotary_factor")?
            .or(self.number("partial_rotary_factor")?)
            .unwrap_or(1.0);
        let dim = (head_dim as f64 * partial) as usize;
        let scaling = self.scaling(&settings)?;
        Ok(Rotary { dim, base: base.unwrap_or(default_base), scaling, layout: Layout::Halves })
    }

    fn scaling(&self, settings: &Fields<'_>) -> Result<Scaling, Error> {
        let kind = settings.text("rope_type")?.or(settings.text("type")?).unwrap_or("default");
        let need = |key: &'static str| {
            settings.number(key)?.ok_or_else(|| {
                let what = format!("rotary setting {key}");
                Error::missing(self.path, what, "fetch config.json again")
            })
        };
        Ok(match kind {
            // Dynamic scaling leaves the frequencies alone up to `max_position_embeddings`, which is also our context.
            "default" | "dynamic" => Scaling::None,
            "linear" => Scaling::Linear { factor: need("factor")? },
            "llama3" => Scaling::Llama3 {
                factor: need("factor")?,
                low_frequency_factor: need("low_freq_factor")?,
                high_frequency_factor: need("high_freq_factor")?,
                trained_context: need("original_max_position_embeddings")?,
            },
            "yarn" => self.yarn(settings)?,
            other => {
                return Err(Error::unsupported(
                    self.path,
                    format!("rotary scaling of type {other}"),
                    "models with linear, dynamic, Llama 3 or YaRN scaling, or none, run",
                ));
            }
        })
    }

    fn yarn(&self, settings: &Fields<'_>) -> Result<Scaling, Error> {
        let longest = self.number("max_position_embeddings")?;
        let trained = settings.number("original_max_position_embeddings")?.or(longest);
        let trained_context = trained.ok_or_else(|| {
            let what = "rotary setting original_max_position_embeddings";
            Error::missing(self.path, what, "fetch config.json again")
        })?;
        // DeepSeek leaves the factor to the ratio of the two contexts.
        let ratio = longest.map(|longest| longest / trained_context);
        let factor = settings.number("factor")?.or(ratio).unwrap_or(1.0);
        let strength = |key| settings.number(key).map(|strength| strength.filter(|&s| s != 0.0));
        let magnitude = match (strength("mscale")?, strength("mscale_all_dim")?) {
            (Some(one), Some(all)) => yarn_magnitude(factor, one) / yarn_magnitude(factor, all),
            _ => yarn_magnitude(factor, 1.0),
        };
        Ok(Scaling::Yarn {
            factor,
            trained_context,
            fast_turns: settings.number("beta_fast")?.unwrap_or(YARN_TURNS.0),
            slow_turns: settings.number("beta_slow")?.unwrap_or(YARN_TURNS.1),
            whole_pairs: settings.flag("truncate", true)?,
            magnitude: settings.number("attention_factor")?.unwrap_or(magnitude),
        })
    }
}

/// The activation that Hugging Face calls `name`.
pub(super) fn activation_named(name: &str, path: &Path) -> Result<Activation, Error> {
    match name {
        "silu" | "swish" => Ok(Activation::Silu),
        "gelu_pytorch_tanh" | "gelu_new" => Ok(Activation::GeluTanh),
        "gelu" => Ok(Activation::Gelu),
        _ => Err(Error::unsupported(
            path,
            format!("the activation {name}"),
            "silu, gelu and gelu_pytorch_tanh run",
        )),
    }
}
