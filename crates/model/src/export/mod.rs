//! A decoder's weights as files that other programs load: GGUF, or a Hugging Face folder.
//!
//! What [`crate::decoder::read`] gives is brought into the target's order and storage types tensor by tensor, over
//! the memory map of the source, so a model larger than memory can be converted. Before the result gets its name it
//! is read back and must describe the same model; what a format cannot say (layers of mixed kinds in GGUF, say) is
//! therefore an error and never a file that means something else.

mod family;
mod file;
mod gguf;
mod hugging_face;
mod plan;
mod tensors;

use std::path::Path;

use serde_json::{Map, Value};

use crate::Error;
use crate::config::DecoderConfig;
use crate::decoder::{self, Decoder};
use crate::quantise::Encoding;
use crate::weights::Weights;
use family::{Family, first_difference};
use file::{Output, Partial};
pub use gguf::Entry;
use plan::{Target, plan};
use tensors::Planned;

/// How to write.
pub struct Options<'a> {
    /// The type of matrices; `None` keeps each as it is stored.
    pub encoding: Option<Encoding>,
    pub n_threads: usize,
    /// Told after each tensor: bytes written, bytes in all, the tensor's name.
    pub on_progress: &'a mut dyn FnMut(u64, u64, &str),
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    pub n_tensors: usize,
    /// Bytes of all tensors.
    pub bytes: u64,
}

/// Writes a GGUF file of the decoder `config` over `weights`, both as [`crate::decoder::read`] gives them.
///
/// `name` becomes `general.name`; `more` is metadata beyond the network's description, above all the tokenizer.
/// The file appears under `path` complete or not at all, and replaces one that is there.
pub fn to_gguf(
    path: &Path,
    config: &DecoderConfig,
    weights: &Weights,
    name: &str,
    more: Vec<(String, Entry)>,
    options: &mut Options<'_>,
) -> Result<Written, Error> {
    let family = family_of(config, path)?;
    let tensors = plan(config, weights, family, Target::Gguf, options.encoding, path)?;
    let mut metadata = gguf::describe(config, family, name, &tensors, path)?;
    metadata.retain(|(key, _)| more.iter().all(|(other, _)| other != key));
    metadata.extend(more);
    let partial = Partial::new(path)?;
    let mut out = partial.create_file()?;
    let mut progress = Progress::new(&tensors, options.on_progress);
    gguf::write(&mut out, &metadata, &tensors, options.n_threads, &mut progress)?;
    out.finish()?;
    verify(partial.path(), path, config)?;
    partial.keep()?;
    Ok(written(&tensors))
}

/// Writes a Hugging Face folder of the decoder `config` over `weights`.
///
/// Weights become F32, F16 or BF16. `more` are fields for `config.json` beyond the network's description, `files`
/// are further files by name, above all the tokenizer's. The folder appears under `path` complete or not at
/// all; one that is there must be empty.
pub fn to_hugging_face(
    path: &Path,
    config: &DecoderConfig,
    weights: &Weights,
    more: Map<String, Value>,
    files: &[(String, Vec<u8>)],
    options: &mut Options<'_>,
) -> Result<Written, Error> {
    if let Some(encoding) = options.encoding.filter(|encoding| encoding.block_len() > 1) {
        let what = format!("Hugging Face weights are not stored as {}", encoding.name());
        return Err(Error::export(path, what, "use F32, F16 or BF16, or export to GGUF"));
    }
    if path.read_dir().is_ok_and(|mut entries| entries.next().is_some()) || path.is_file() {
        let hint = "name a folder that does not exist yet";
        return Err(Error::export(path, "something is there already", hint));
    }
    let family = family_of(config, path)?;
    let tensors = plan(config, weights, family, Target::HuggingFace, options.encoding, path)?;
    let mut fields = hugging_face::describe(config, family, &tensors, path)?;
    fields.extend(more);
    let partial = Partial::new(path)?;
    partial.create_folder()?;
    let folder = partial.path();
    let mut progress = Progress::new(&tensors, options.on_progress);
    let shard_bytes = hugging_face::SHARD_BYTES;
    hugging_face::write(folder, path, &tensors, shard_bytes, options.n_threads, &mut progress)?;
    hugging_face::write_json(&folder.join("config.json"), path, &Value::Object(fields))?;
    for (name, bytes) in files {
        let mut out = Output::create(&folder.join(name), path)?;
        out.write(bytes)?;
        out.finish()?;
    }
    verify(folder, path, config)?;
    partial.keep()?;
    Ok(written(&tensors))
}

fn family_of(config: &DecoderConfig, path: &Path) -> Result<&'static Family, Error> {
    Family::of(config).ok_or_else(|| {
        let what =
            format!("a model of the architecture {} cannot be exported", config.architecture);
        Error::export(
            path,
            what,
            "decoders can be exported: Llama, Falcon, Qwen, Mixtral, OLMoE, Gemma",
        )
    })
}

/// Reads back what was written under a temporary name and compares it with what was meant.
fn verify(temporary: &Path, path: &Path, config: &DecoderConfig) -> Result<(), Error> {
    let (found, weights) = decoder::read(temporary)?;
    if let Some(what) = first_difference(config, &found) {
        let what = format!("the format cannot say {what} of this model");
        return Err(Error::export(path, what, "export to the other format"));
    }
    Decoder::new(found, &weights).map(|_| ())
}

fn written(tensors: &[Planned]) -> Written {
    let bytes = tensors.iter().map(|tensor| tensor.bytes() as u64).sum();
    Written { n_tensors: tensors.len(), bytes }
}

/// How far the writing is.
struct Progress<'a> {
    done: u64,
    total: u64,
    tell: &'a mut dyn FnMut(u64, u64, &str),
}

impl<'a> Progress<'a> {
    fn new(tensors: &[Planned], tell: &'a mut dyn FnMut(u64, u64, &str)) -> Self {
        Self { done: 0, total: written(tensors).bytes, tell }
    }

    fn add(&mut self, bytes: usize, name: &str) {
        self.done += bytes as u64;
        (self.tell)(self.done, self.total, name);
    }
}
