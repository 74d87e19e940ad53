//! The decoder's description from a Hugging Face `config.json`.
//!
//! Both spellings of rotary settings are read: `rope_theta` with `rope_scaling` (transformers 4) and
//! `rope_parameters` (transformers 5). A key that is left out has the default of its family's
//! configuration class.

use std::path::Path;

use kernels::rope::Layout;
use serde_json::Value;

use super::{Activation, Biases, DecoderConfig, Experts, Reach, Rotary, Scaling, every_nth_global};
use crate::Error;

/// What the name of an architecture implies.
#[derive(Clone, Copy)]
struct Family {
    name: &'static str,
    gemma: bool,
    qk_norm: bool,
    /// Whether the head is the embedding when `tie_word_embeddings` is absent.
    tied_head: bool,
    qkv_bias: bool,
    global_period: usize,
    attention_soft_cap: Option<f64>,
    logit_soft_cap: Option<f64>,
}

const LLAMA: Family = Family {
    name: "LlamaForCausalLM",
    gemma: false,
    qk_norm: false,
    tied_head: false,
    qkv_bias: false,
    global_period: 0,
    attention_soft_cap: None,
    logit_soft_cap: None,
};

const FAMILIES: &[Family] = &[
    LLAMA,
    Family { name: "Qwen2ForCausalLM", qkv_bias: true, ..LLAMA },
    Family { name: "Qwen3ForCausalLM", qk_norm: true, ..LLAMA },
    Family { name: "Qwen3MoeForCausalLM", qk_norm: true, ..LLAMA },
    Family {
        name: "Gemma2ForCausalLM",
        gemma: true,
        tied_head: true,
        global_period: 2,
        attention_soft_cap: Some(50.0),
        logit_soft_cap: Some(30.0),
        ..LLAMA
    },
    Family {
        name: "Gemma3ForCausalLM",
        gemma: true,
        qk_norm: true,
        tied_head: true,
        global_period: 6,
        ..LLAMA
    },
];

impl DecoderConfig {
    /// Reads the parsed `config.json`; `path` is what errors name.
    pub fn from_hugging_face(json: &Value, path: &Path) -> Result<Self, Error> {
        let fields = Fields { json, path };
        let architecture = json["architectures"][0].as_str().unwrap_or("of no name").to_owned();
        let Some(family) = FAMILIES.iter().find(|family| family.name == architecture) else {
            let what = format!("the architecture {architecture}");
            return Err(Error::unsupported(
                path,
                what,
                "decoders of the families Llama, Qwen 2, Qwen 3, Gemma 2 and Gemma 3 run",
            ));
        };
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
        let layers = fields.layers(family)?;
        let window = match layers.contains(&Reach::Local) {
            true => fields.size("sliding_window")?,
            false => 0,
        };
        let (rotary, local_rotary) = fields.rotaries(head_dim)?;
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
            experts: fields.experts(&architecture)?,
            context_len: fields.size("max_position_embeddings")?,
            norm_eps: fields.number("rms_norm_eps")?.unwrap_or(1e-6) as f32,
            gain_offset: if family.gemma { 1.0 } else { 0.0 },
            post_norms: family.gemma,
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
        if fields.flag("use_bidirectional_attention", false)? {
            let what = "attention in both directions";
            return Err(Error::unsupported(
                path,
                what,
                "causal decoders run; use an encoder for embeddings",
            ));
        }
        config.validated(path)
    }
}

/// A JSON object and the file it came from.
pub(super) struct Fields<'a> {
    pub(super) json: &'a Value,
    pub(super) path: &'a Path,
}

impl Fields<'_> {
    /// The value under `key`; JSON's null counts as absent.
    fn get(&self, key: &str) -> Option<&Value> {
        self.json.get(key).filter(|value| !value.is_null())
    }

    fn wrong(&self, key: &str, wanted: &str) -> Error {
        Error::malformed(self.path, format!("{key} is not {wanted}"))
    }

    pub(super) fn optional_size(&self, key: &str) -> Result<Option<usize>, Error> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let size = value.as_u64().and_then(|size| usize::try_from(size).ok());
        size.map(Some).ok_or_else(|| self.wrong(key, "a whole number"))
    }

    pub(super) fn size(&self, key: &str) -> Result<usize, Error> {
        self.optional_size(key)?
            .ok_or_else(|| Error::missing(self.path, key, "fetch config.json of the model again"))
    }

    pub(super) fn number(&self, key: &str) -> Result<Option<f64>, Error> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value.as_f64().map(Some).ok_or_else(|| self.wrong(key, "a number"))
    }

    /// A number whose absence means `default` and whose null means none.
    fn nullable_number(&self, key: &str, default: Option<f64>) -> Result<Option<f64>, Error> {
        if self.json.get(key).is_none() { Ok(default) } else { self.number(key) }
    }

    fn flag(&self, key: &str, default: bool) -> Result<bool, Error> {
        let Some(value) = self.get(key) else { return Ok(default) };
        value.as_bool().ok_or_else(|| self.wrong(key, "true or false"))
    }

    fn text(&self, key: &str) -> Result<Option<&str>, Error> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| self.wrong(key, "text"))
    }

    fn activation(&self) -> Result<Activation, Error> {
        let name = self.text("hidden_activation")?.or(self.text("hidden_act")?).unwrap_or("silu");
        match name {
            "silu" | "swish" => Ok(Activation::Silu),
            "gelu_pytorch_tanh" | "gelu_new" => Ok(Activation::GeluTanh),
            _ => Err(Error::unsupported(
                self.path,
                format!("the activation {name}"),
                "silu and gelu_pytorch_tanh run",
            )),
        }
    }

    fn layers(&self, family: &Family) -> Result<Vec<Reach>, Error> {
        let n_layers = self.size("num_hidden_layers")?;
        if n_layers > 1 << 12 {
            return Err(Error::malformed(self.path, format!("it claims {n_layers} layers")));
        }
        let Some(types) = self.get("layer_types") else {
            if self.flag("use_sliding_window", false)? {
                return Err(Error::unsupported(
                    self.path,
                    "use_sliding_window without layer_types",
                    "add layer_types to config.json (transformers 5 writes it)",
                ));
            }
            let period = self.optional_size("sliding_window_pattern")?;
            let period = period.unwrap_or(family.global_period);
            return Ok(match family.global_period > 0 && period > 0 {
                true => every_nth_global(n_layers, period),
                false => vec![Reach::Global; n_layers],
            });
        };
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

    fn experts(&self, architecture: &str) -> Result<Option<Experts>, Error> {
        if architecture != "Qwen3MoeForCausalLM" {
            return Ok(None);
        }
        let dense_layers = self.get("mlp_only_layers").and_then(Value::as_array);
        let sparse_step = self.optional_size("decoder_sparse_step")?.unwrap_or(1);
        if sparse_step != 1 || dense_layers.is_some_and(|layers| !layers.is_empty()) {
            let what = "dense layers among layers with experts";
            return Err(Error::unsupported(
                self.path,
                what,
                "models with experts in every layer run",
            ));
        }
        Ok(Some(Experts {
            n_experts: self.size("num_experts")?,
            n_active: self.size("num_experts_per_tok")?,
            width: self.size("moe_intermediate_size")?,
            renormalise: self.flag("norm_topk_prob", false)?,
        }))
    }

    /// Rotation in global and in local layers.
    fn rotaries(&self, head_dim: usize) -> Result<(Rotary, Rotary), Error> {
        let global = self.rotary(head_dim, self.settings("full_attention"), "rope_theta")?;
        let mut local =
            self.rotary(head_dim, self.settings("sliding_attention"), "rope_local_base_freq")?;
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
    ) -> Result<Rotary, Error> {
        let nothing = Value::Null;
        let settings = Fields { json: settings.unwrap_or(&nothing), path: self.path };
        let base = settings.number("rope_theta")?.or(self.number(base_key)?).unwrap_or(10_000.0);
        let partial = settings
            .number("partial_rotary_factor")?
            .or(self.number("partial_rotary_factor")?)
            .unwrap_or(1.0);
        let kind = settings.text("rope_type")?.or(settings.text("type")?).unwrap_or("default");
        let need = |key: &'static str| {
            settings.number(key)?.ok_or_else(|| {
                Error::missing(
                    self.path,
                    format!("rotary setting {key}"),
                    "fetch config.json again",
                )
            })
        };
        let scaling = match kind {
            "default" => Scaling::None,
            "linear" => Scaling::Linear { factor: need("factor")? },
            "llama3" => Scaling::Llama3 {
                factor: need("factor")?,
                low_frequency_factor: need("low_freq_factor")?,
                high_frequency_factor: need("high_freq_factor")?,
                trained_context: need("original_max_position_embeddings")?,
            },
            other => {
                return Err(Error::unsupported(
                    self.path,
                    format!("rotary scaling of type {other}"),
                    "models with linear or Llama 3 scaling, or none, run",
                ));
            }
        };
        let dim = (head_dim as f64 * partial) as usize;
        Ok(Rotary { dim, base, scaling, layout: Layout::Halves })
    }
}
