//! Writing GGUF version 3. The layout is described in [`crate::gguf`].

use std::path::Path;

use super::Progress;
use super::family::Family;
use super::file::Output;
use super::tensors::Planned;
use crate::Error;
use crate::config::{DecoderConfig, Norm, Reach, Scaling};
use crate::quantise::Encoding;

/// Offsets of tensors are multiples of this.
const ALIGNMENT: usize = 32;

/// A metadata value to write.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    Size(u32),
    Number(f32),
    Flag(bool),
    Text(String),
    Texts(Vec<String>),
    Numbers(Vec<f32>),
    Integers(Vec<i32>),
    /// As another file has it: type code, then the value ([`crate::gguf::Gguf::raw`]).
    Raw(Vec<u8>),
}

impl Entry {
    fn encode(&self, out: &mut Vec<u8>) {
        let list = |out: &mut Vec<u8>, kind: u32, len: usize| {
            out.extend(9_u32.to_le_bytes());
            out.extend(kind.to_le_bytes());
            out.extend((len as u64).to_le_bytes());
        };
        match self {
            Entry::Size(value) => {
                out.extend(4_u32.to_le_bytes());
                out.extend(value.to_le_bytes());
            }
            Entry::Number(value) => {
                out.extend(6_u32.to_le_bytes());
                out.extend(value.to_le_bytes());
            }
            Entry::Flag(value) => {
                out.extend(7_u32.to_le_bytes());
                out.push(u8::from(*value));
            }
            Entry::Text(text) => {
                out.extend(8_u32.to_le_bytes());
                string(out, text);
            }
            Entry::Texts(texts) => {
                list(out, 8, texts.len());
                texts.iter().for_each(|text| string(out, text));
            }
            Entry::Numbers(values) => {
                list(out, 6, values.len());
                out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            }
            Entry::Integers(values) => {
                list(out, 5, values.len());
                out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            }
            Entry::Raw(bytes) => out.extend(bytes),
        }
    }
}

fn string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

/// Writes header, metadata and tensors.
pub(super) fn write(
    out: &mut Output,
    metadata: &[(String, Entry)],
    tensors: &[Planned],
    n_threads: usize,
    progress: &mut Progress<'_>,
) -> Result<(), Error> {
    let mut head = b"GGUF".to_vec();
    head.extend(3_u32.to_le_bytes());
    head.extend((tensors.len() as u64).to_le_bytes());
    head.extend((metadata.len() as u64).to_le_bytes());
    for (key, entry) in metadata {
        string(&mut head, key);
        entry.encode(&mut head);
    }
    let mut offset = 0;
    for tensor in tensors {
        string(&mut head, &tensor.name);
        head.extend((tensor.shape.len() as u32).to_le_bytes());
        // Innermost first.
        head.extend(tensor.shape.iter().rev().flat_map(|&size| (size as u64).to_le_bytes()));
        head.extend(type_code(tensor.encoding).to_le_bytes());
        head.extend((offset as u64).to_le_bytes());
        offset += tensor.bytes().next_multiple_of(ALIGNMENT);
    }
    head.resize(head.len().next_multiple_of(ALIGNMENT), 0);
    out.write(&head)?;
    for tensor in tensors {
        tensor.write(out, n_threads)?;
        let bytes = tensor.bytes();
        out.write(&[0; ALIGNMENT][..bytes.next_multiple_of(ALIGNMENT) - bytes])?;
        progress.add(bytes, &tensor.name);
    }
    Ok(())
}

/// ggml's number for the type.
fn type_code(encoding: Encoding) -> u32 {
    match encoding {
        Encoding::F32 => 0,
        Encoding::F16 => 1,
        Encoding::Q4_0 => 2,
        Encoding::Q4_1 => 3,
        Encoding::Q5_0 => 6,
        Encoding::Q8_0 => 8,
        Encoding::Q4K => 12,
        Encoding::Q5K => 13,
        Encoding::Q6K => 14,
        Encoding::Bf16 => 30,
    }
}

/// `general.file_type` of a file whose matrices are mostly of this type.
fn file_type(encoding: Encoding) -> u32 {
    match encoding {
        Encoding::F32 => 0,
        Encoding::F16 => 1,
        Encoding::Q4_0 => 2,
        Encoding::Q4_1 => 3,
        Encoding::Q8_0 => 7,
        Encoding::Q5_0 => 8,
        Encoding::Q4K => 14,
        Encoding::Q5K => 16,
        Encoding::Q6K => 18,
        Encoding::Bf16 => 32,
    }
}

/// What the file says about the network, for a reader that knows the family.
pub(super) fn describe(
    config: &DecoderConfig,
    family: &Family,
    name: &str,
    tensors: &[Planned],
    path: &Path,
) -> Result<Vec<(String, Entry)>, Error> {
    let mut entries = vec![
        ("general.architecture".to_owned(), Entry::Text(family.gguf.to_owned())),
        ("general.name".to_owned(), Entry::Text(name.to_owned())),
        ("general.file_type".to_owned(), Entry::Size(file_type(commonest(tensors)))),
        ("general.quantization_version".to_owned(), Entry::Size(2)),
    ];
    let mut add = |key: &str, entry| entries.push((format!("{}.{key}", family.gguf), entry));
    let sizes = [
        ("vocab_size", config.vocab),
        ("block_count", config.n_layers()),
        ("context_length", config.context_len),
        ("embedding_length", config.hidden),
        ("feed_forward_length", config.feed_forward),
        ("attention.head_count", config.n_heads),
        ("attention.head_count_kv", config.n_kv_heads),
        ("attention.key_length", config.head_dim),
        ("attention.value_length", config.head_dim),
        ("rope.dimension_count", config.rotary.dim),
    ];
    for (key, size) in sizes {
        add(key, Entry::Size(size as u32));
    }
    let eps = match config.norm {
        Norm::Rms => "attention.layer_norm_rms_epsilon",
        Norm::Layer => "attention.layer_norm_epsilon",
    };
    add(eps, Entry::Number(config.norm_eps));
    add("rope.freq_base", Entry::Number(config.rotary.base as f32));
    rotary_scaling(config, &mut add);
    if let Some(experts) = &config.experts {
        if !experts.dense_layers.is_empty() {
            let what = "readers of this family's GGUF files expect experts in every layer, and some are dense";
            return Err(Error::export(path, what, "export to a Hugging Face folder"));
        }
        add("expert_count", Entry::Size(experts.n_experts as u32));
        add("expert_used_count", Entry::Size(experts.n_active as u32));
        add("expert_feed_forward_length", Entry::Size(experts.width as u32));
    }
    for (key, cap) in [
        ("attn_logit_softcapping", config.attention_soft_cap),
        ("final_logit_softcapping", config.logit_soft_cap),
    ] {
        if let Some(cap) = cap {
            add(key, Entry::Number(cap));
        }
    }
    if config.layers.contains(&Reach::Local) {
        add("attention.sliding_window", Entry::Size(config.window as u32));
        add("attention.sliding_window_pattern", Entry::Size(period(config, path)? as u32));
        if config.local_rotary.base != config.rotary.base {
            add("rope.freq_base_swa", Entry::Number(config.local_rotary.base as f32));
        }
    } else if family.is_gemma() {
        let what = "readers of this family's GGUF files expect local layers, and all are global";
        return Err(Error::export(path, what, "export to a Hugging Face folder"));
    }
    Ok(entries)
}

fn rotary_scaling(config: &DecoderConfig, add: &mut impl FnMut(&str, Entry)) {
    match &config.rotary.scaling {
        // The last two are in the tensor rope_freqs.
        Scaling::None | Scaling::Llama3 { .. } | Scaling::Divisors(_) => {}
        Scaling::Linear { factor } => {
            add("rope.scaling.type", Entry::Text("linear".to_owned()));
            add("rope.scaling.factor", Entry::Number(*factor as f32));
        }
        Scaling::Yarn { factor, trained_context, fast_turns, slow_turns, magnitude, .. } => {
            add("rope.scaling.type", Entry::Text("yarn".to_owned()));
            add("rope.scaling.factor", Entry::Number(*factor as f32));
            add("rope.scaling.original_context_length", Entry::Size(*trained_context as u32));
            add("rope.scaling.yarn_beta_fast", Entry::Number(*fast_turns as f32));
            add("rope.scaling.yarn_beta_slow", Entry::Number(*slow_turns as f32));
            // Readers multiply this with the usual enlargement.
            let usual = crate::config::yarn_magnitude(*factor, 1.0);
            if (magnitude / usual - 1.0).abs() > 1e-6 {
                add("rope.scaling.attn_factor", Entry::Number((magnitude / usual) as f32));
            }
        }
    }
}

/// One layer in so many is global, the last of each group; an error where the layers follow no such rule.
fn period(config: &DecoderConfig, path: &Path) -> Result<usize, Error> {
    let first = config.layers.iter().position(|reach| *reach == Reach::Global);
    let period = first.map_or(config.n_layers() + 1, |first| first + 1);
    let follows = |(layer, reach): (usize, &Reach)| {
        (*reach == Reach::Global) == (layer + 1).is_multiple_of(period)
    };
    if config.layers.iter().enumerate().all(follows) {
        return Ok(period);
    }
    let what = "GGUF says which layers are local by a period, and this model's follow none";
    Err(Error::export(path, what, "export to a Hugging Face folder"))
}

/// The type of most bytes.
pub(super) fn commonest(tensors: &[Planned]) -> Encoding {
    let bytes = |encoding: &Encoding| -> usize {
        let of_it = tensors.iter().filter(|tensor| tensor.encoding == *encoding);
        of_it.map(Planned::bytes).sum()
    };
    Encoding::ALL.into_iter().max_by_key(bytes).unwrap_or(Encoding::F32)
}
