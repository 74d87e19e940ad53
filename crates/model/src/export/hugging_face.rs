//! Writing a Hugging Face folder: `config.json`, `model.safetensors` in one file or several with an index.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::Progress;
use super::family::Family;
use super::file::Output;
use super::gguf::commonest;
use super::tensors::Planned;
use crate::Error;
use crate::config::{Activation, Block, DecoderConfig, Reach, Rotary, Scaling};
use crate::quantise::Encoding;

/// Files of weights are no larger than this unless one tensor is.
pub(super) const SHARD_BYTES: usize = 5_000_000_000;

/// Writes the tensors into `folder`, which is there and empty; errors speak of `target`.
pub(super) fn write(
    folder: &Path,
    target: &Path,
    tensors: &[Planned],
    shard_bytes: usize,
    n_threads: usize,
    progress: &mut Progress<'_>,
) -> Result<(), Error> {
    let shards = shards(tensors, shard_bytes);
    let name = |idx: usize| match shards.len() {
        1 => "model.safetensors".to_owned(),
        n => format!("model-{:05}-of-{n:05}.safetensors", idx + 1),
    };
    let mut places = Map::new();
    for (idx, shard) in shards.iter().enumerate() {
        let mut out = Output::create(&folder.join(name(idx)), target)?;
        out.write(&header(shard))?;
        for tensor in *shard {
            tensor.write(&mut out, n_threads)?;
            places.insert(tensor.name.clone(), name(idx).into());
            progress.add(tensor.bytes(), &tensor.name);
        }
        out.finish()?;
    }
    if shards.len() > 1 {
        let total: usize = tensors.iter().map(Planned::bytes).sum();
        let index = json!({ "metadata": { "total_size": total }, "weight_map": places });
        write_json(&folder.join("model.safetensors.index.json"), target, &index)?;
    }
    Ok(())
}

/// Writes a JSON file as people read it.
pub(super) fn write_json(path: &Path, target: &Path, value: &Value) -> Result<(), Error> {
    let mut out = Output::create(path, target)?;
    out.write(format!("{value:#}\n").as_bytes())?;
    out.finish()
}

/// Runs of tensors that fit one file.
fn shards(tensors: &[Planned], shard_bytes: usize) -> Vec<&[Planned]> {
    let (mut shards, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (idx, tensor) in tensors.iter().enumerate() {
        if idx > start && bytes + tensor.bytes() > shard_bytes {
            shards.push(&tensors[start..idx]);
            (start, bytes) = (idx, 0);
        }
        bytes += tensor.bytes();
    }
    shards.push(&tensors[start..]);
    shards
}

/// Its length as u64, then JSON padded with spaces, so that the data begin at a multiple of eight.
fn header(tensors: &[Planned]) -> Vec<u8> {
    let mut entries = BTreeMap::from([("__metadata__".to_owned(), json!({ "format": "pt" }))]);
    let mut offset = 0;
    for tensor in tensors {
        let end = offset + tensor.bytes();
        let entry = json!({
            "dtype": tensor.encoding.name(),
            "shape": tensor.shape,
            "data_offsets": [offset, end],
        });
        entries.insert(tensor.name.clone(), entry);
        offset = end;
    }
    let mut json = json!(entries).to_string().into_bytes();
    json.resize(json.len().next_multiple_of(8), b' ');
    [&(json.len() as u64).to_le_bytes()[..], &json].concat()
}

/// `config.json` of a family.
pub(super) fn describe(
    config: &DecoderConfig,
    family: &Family,
    tensors: &[Planned],
    path: &Path,
) -> Result<Map<String, Value>, Error> {
    let dtype = match commonest(tensors) {
        Encoding::F16 => "float16",
        Encoding::Bf16 => "bfloat16",
        _ => "float32",
    };
    let mut fields = object(json!({
        "architectures": [family.class],
        "model_type": family.model_type,
        "torch_dtype": dtype,
        "vocab_size": config.vocab,
        "hidden_size": config.hidden,
        "num_hidden_layers": config.n_layers(),
        "num_attention_heads": config.n_heads,
        "max_position_embeddings": config.context_len,
        "tie_word_embeddings": config.tied_head,
        "rope_theta": config.rotary.base,
    }));
    if let Some(scaling) = scaling(&config.rotary, path)? {
        fields.insert("rope_scaling".to_owned(), scaling);
    }
    fields.extend(object(match family.model_type {
        "falcon" => falcon(config),
        _ => llama_like(config),
    }));
    if let Some(experts) = &config.experts {
        let step_and_layers = match family.model_type {
            "qwen3_moe" => json!({
                "moe_intermediate_size": experts.width,
                "decoder_sparse_step": 1,
                "mlp_only_layers": experts.dense_layers,
            }),
            // Here the one size is that of an expert.
            _ => json!({ "intermediate_size": experts.width }),
        };
        fields.extend(object(step_and_layers));
        let count =
            if family.model_type == "mixtral" { "num_local_experts" } else { "num_experts" };
        fields.insert(count.to_owned(), experts.n_experts.into());
        fields.insert("num_experts_per_tok".to_owned(), experts.n_active.into());
        fields.insert("norm_topk_prob".to_owned(), experts.renormalise.into());
    }
    if family.is_gemma() {
        fields.extend(object(gemma(config)));
    }
    Ok(fields)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn activation(config: &DecoderConfig) -> &'static str {
    match config.activation {
        Activation::Silu => "silu",
        Activation::GeluTanh => "gelu_pytorch_tanh",
        Activation::Gelu => "gelu",
    }
}

fn llama_like(config: &DecoderConfig) -> Value {
    json!({
        "num_key_value_heads": config.n_kv_heads,
        "head_dim": config.head_dim,
        "intermediate_size": config.feed_forward,
        "rms_norm_eps": number(config.norm_eps),
        "hidden_act": activation(config),
        "attention_bias": config.biases.attention_output,
        "mlp_bias": config.biases.feed_forward,
    })
}

fn falcon(config: &DecoderConfig) -> Value {
    let multi_query = config.n_kv_heads == 1 && config.n_heads > 1;
    let two_norms = config.block == (Block::Parallel { two_norms: true });
    // One norm fits both generations; grouped heads fit the second alone.
    let second_generation = two_norms || !(multi_query || config.n_kv_heads == config.n_heads);
    json!({
        "alibi": false,
        "new_decoder_architecture": second_generation,
        "num_ln_in_parallel_attn": if two_norms { 2 } else { 1 },
        "multi_query": multi_query,
        "num_kv_heads": config.n_kv_heads,
        "parallel_attn": config.block != Block::Sequential,
        "bias": config.biases.feed_forward,
        "ffn_hidden_size": config.feed_forward,
        "activation": activation(config),
        "layer_norm_epsilon": number(config.norm_eps),
    })
}

fn gemma(config: &DecoderConfig) -> Value {
    let kind = |reach: &Reach| match reach {
        Reach::Global => "full_attention",
        Reach::Local => "sliding_attention",
    };
    json!({
        "hidden_activation": activation(config),
        "layer_types": config.layers.iter().map(kind).collect::<Vec<_>>(),
        "sliding_window": config.window,
        "rope_local_base_freq": config.local_rotary.base,
        "query_pre_attn_scalar": score_divisor(config),
        "attn_logit_softcapping": config.attention_soft_cap.map(number),
        "final_logit_softcapping": config.logit_soft_cap.map(number),
    })
}

/// The square of what attention scores are divided by: a whole number in all models there are, and `transformers`
/// wants it written as one.
fn score_divisor(config: &DecoderConfig) -> Value {
    let square = 1.0 / f64::from(config.attention_scale).powi(2);
    if (square - square.round()).abs() < 1e-3 {
        json!(square.round() as u64)
    } else {
        json!(square)
    }
}

/// The shortest decimal that means this f32.
fn number(value: f32) -> Value {
    value.to_string().parse::<f64>().map_or(Value::Null, Value::from)
}

fn scaling(rotary: &Rotary, path: &Path) -> Result<Option<Value>, Error> {
    Ok(Some(match &rotary.scaling {
        Scaling::None => return Ok(None),
        Scaling::Linear { factor } => json!({ "rope_type": "linear", "factor": factor }),
        Scaling::Llama3 {
            factor,
            low_frequency_factor,
            high_frequency_factor,
            trained_context,
        } => json!({
            "rope_type": "llama3",
            "factor": factor,
            "low_freq_factor": low_frequency_factor,
            "high_freq_factor": high_frequency_factor,
            "original_max_position_embeddings": *trained_context as u64,
        }),
        Scaling::Yarn {
            factor,
            trained_context,
            fast_turns,
            slow_turns,
            whole_pairs,
            magnitude,
        } => json!({
            "rope_type": "yarn",
            "factor": factor,
            "original_max_position_embeddings": *trained_context as u64,
            "beta_fast": fast_turns,
            "beta_slow": slow_turns,
            "truncate": whole_pairs,
            "attention_factor": magnitude,
        }),
        Scaling::Divisors(divisors) => match rotary.llama3_of(divisors) {
            Some(llama3) => return scaling(&Rotary { scaling: llama3, ..rotary.clone() }, path),
            None => {
                let what = "its rotation is slowed by a table that is not Llama 3's, and config.json has no place for one";
                return Err(Error::export(path, what, "export to GGUF"));
            }
        },
    }))
}
