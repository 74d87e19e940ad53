//! What a BERT-like encoder is made of, from `config.json` and the sentence-transformers files beside it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::fields::Fields;
use crate::Error;
use crate::gguf::Gguf;
use crate::safetensors::{is_plain_name, read_json};

/// A bidirectional transformer that turns texts into vectors (BERT, arXiv 1810.04805).
///
/// Learned positions, LayerNorm after each residual sum, GELU in its exact (erf) form, biases everywhere.
#[derive(Debug, Clone, PartialEq)]
pub struct EncoderConfig {
    pub vocab: usize,
    pub hidden: usize,
    pub n_layers: usize,
    pub n_heads: usize,
    pub feed_forward: usize,
    /// Longest sequence, special tokens included: the size of the position table.
    pub max_positions: usize,
    /// Longest sequence the model was tuned for (`sentence_bert_config.json`), at most `max_positions`.
    pub max_tokens: usize,
    pub n_token_types: usize,
    pub norm_eps: f32,
    pub pooling: Pooling,
}

/// How token vectors become one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// The mean over all tokens, special ones included.
    Mean,
    /// The first token's vector.
    Cls,
}

/// Where a linear layer after pooling lies, if the model has one.
pub(crate) type DenseDirectory = Option<PathBuf>;

impl EncoderConfig {
    pub fn head_dim(&self) -> usize {
        self.hidden / self.n_heads
    }

    /// Reads `config.json` and, where present, `modules.json` with the pooling and dense parts it names.
    pub(crate) fn from_directory(directory: &Path) -> Result<(Self, DenseDirectory), Error> {
        let path = directory.join("config.json");
        let json = read_json(&path)?;
        let fields = Fields { json: &json, path: &path };
        let kind = json["model_type"].as_str().unwrap_or("of no name");
        if kind != "bert" {
            let what = format!("an encoder of the type {kind}");
            return Err(Error::unsupported(&path, what, "encoders of the type bert run"));
        }
        for (key, wanted) in [("hidden_act", "gelu"), ("position_embedding_type", "absolute")] {
            let value = json[key].as_str().unwrap_or(wanted);
            if value != wanted {
                let what = format!("{key} {value}");
                return Err(Error::unsupported(
                    &path,
                    what,
                    "BERT models with gelu and absolute positions run",
                ));
            }
        }
        let (pooling, dense) = read_modules(directory)?;
        let max_positions = fields.size("max_position_embeddings")?;
        let config = Self {
            vocab: fields.size("vocab_size")?,
            hidden: fields.size("hidden_size")?,
            n_layers: fields.size("num_hidden_layers")?,
            n_heads: fields.size("num_attention_heads")?,
            feed_forward: fields.size("intermediate_size")?,
            max_positions,
            max_tokens: max_tokens(directory)?.unwrap_or(max_positions).min(max_positions),
            n_token_types: fields.size("type_vocab_size")?,
            norm_eps: fields.number("layer_norm_eps")?.unwrap_or(1e-12) as f32,
            pooling,
        };
        Ok((config.validated(&path)?, dense))
    }

    /// Reads the metadata of a GGUF file with architecture `bert`.
    pub(crate) fn from_gguf(
        gguf: &Gguf,
        vocab: usize,
        n_token_types: usize,
    ) -> Result<Self, Error> {
        let size = |key: &str| {
            let key = format!("bert.{key}");
            let value = gguf.integer(&key)?.and_then(|value| usize::try_from(value).ok());
            value.ok_or_else(|| {
                let what = format!("metadata key {key}");
                Error::missing(
                    gguf.path(),
                    what,
                    "convert the model again with a current converter",
                )
            })
        };
        let pooling = match gguf.integer("bert.pooling_type")? {
            None | Some(1) => Pooling::Mean,
            Some(2) => Pooling::Cls,
            Some(other) => {
                let what = format!("pooling of type {other}");
                return Err(Error::unsupported(
                    gguf.path(),
                    what,
                    "mean (1) and CLS (2) pooling run",
                ));
            }
        };
        let max_positions = size("context_length")?;
        let eps = gguf.number("bert.attention.layer_norm_epsilon")?;
        let config = Self {
            vocab,
            hidden: size("embedding_length")?,
            n_layers: size("block_count")?,
            n_heads: size("attention.head_count")?,
            feed_forward: size("feed_forward_length")?,
            max_positions,
            max_tokens: max_positions,
            n_token_types,
            norm_eps: eps.unwrap_or(1e-12) as f32,
            pooling,
        };
        config.validated(gguf.path())
    }

    /// Refuses sizes that cannot be meant.
    pub(crate) fn validated(self, path: &Path) -> Result<Self, Error> {
        let sizes = [
            ("vocabulary size", self.vocab, 1 << 24),
            ("hidden size", self.hidden, 1 << 16),
            ("number of layers", self.n_layers, 1 << 10),
            ("number of heads", self.n_heads, 1 << 10),
            ("feed-forward size", self.feed_forward, 1 << 18),
            ("number of positions", self.max_positions, 1 << 20),
            ("sequence length", self.max_tokens, self.max_positions),
            ("number of token types", self.n_token_types, 1 << 10),
        ];
        for (what, size, limit) in sizes {
            if size == 0 || size > limit {
                let what = format!("its {what} is {size}, outside 1…{limit}");
                return Err(Error::malformed(path, what));
            }
        }
        if !self.hidden.is_multiple_of(self.n_heads) {
            let what =
                format!("width {} does not divide among {} heads", self.hidden, self.n_heads);
            return Err(Error::malformed(path, what));
        }
        if !self.norm_eps.is_finite() || self.norm_eps < 0.0 {
            return Err(Error::malformed(path, "its layer_norm_eps is not a small number"));
        }
        Ok(self)
    }
}

/// `sentence_bert_config.json` may shorten the sequence (MiniLM: 256 of 512).
fn max_tokens(directory: &Path) -> Result<Option<usize>, Error> {
    let path = directory.join("sentence_bert_config.json");
    if !path.is_file() {
        return Ok(None);
    }
    let json = read_json(&path)?;
    Fields { json: &json, path: &path }.optional_size("max_seq_length")
}

/// Pooling and dense layer as `modules.json` lists them; without that file, the mean and none.
fn read_modules(directory: &Path) -> Result<(Pooling, DenseDirectory), Error> {
    let mut pooling = Pooling::Mean;
    let mut dense = None;
    let path = directory.join("modules.json");
    let modules = if path.is_file() { read_json(&path)? } else { Value::Array(Vec::new()) };
    for module in modules.as_array().into_iter().flatten() {
        let kind = module["type"].as_str().unwrap_or_default();
        let kind = kind.rsplit('.').next().unwrap_or_default();
        let folder = module["path"].as_str().unwrap_or_default();
        if !folder.is_empty() && !is_plain_name(Path::new(folder)) {
            return Err(Error::malformed(&path, format!("{folder} is not the name of a folder")));
        }
        match kind {
            "Transformer" | "Normalize" => {}
            "Pooling" => pooling = read_pooling(&directory.join(folder).join("config.json"))?,
            "Dense" if dense.is_none() => dense = Some(directory.join(folder)),
            other => {
                let what = format!("a module of the type {other}");
                return Err(Error::unsupported(
                    &path,
                    what,
                    "Transformer, Pooling, one Dense and Normalize run",
                ));
            }
        }
    }
    Ok((pooling, dense))
}

fn read_pooling(path: &Path) -> Result<Pooling, Error> {
    let json = read_json(path)?;
    let on = |key: &str| json[key].as_bool().unwrap_or(false);
    let others = [
        "pooling_mode_max_tokens",
        "pooling_mode_mean_sqrt_len_tokens",
        "pooling_mode_lasttoken",
        "pooling_mode_weightedmean_tokens",
    ];
    match (on("pooling_mode_mean_tokens"), on("pooling_mode_cls_token")) {
        _ if others.iter().any(|key| on(key)) => {}
        (true, false) => return Ok(Pooling::Mean),
        (false, true) => return Ok(Pooling::Cls),
        _ => {}
    }
    Err(Error::unsupported(path, "this kind of pooling", "mean or CLS pooling alone runs"))
}
