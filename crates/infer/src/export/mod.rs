//! Turning a model into files that other programs load, with its tokenizer and template.
//!
//! The weights are [`model::export`]'s business. What belongs to the text goes by one plain description,
//! [`corpus::tokenizer::Vocabulary`]: it is read from either kind of source ([`from_json`]) and written to either
//! kind of target ([`to_json`], [`to_gguf`]). Before a tokenizer is written, both descriptions of it are run over a
//! text that finds their corners; when they cut it differently, the tokenizer is left out and a remark says so.

mod from_json;
mod probe;
mod to_gguf;
mod to_json;

use std::path::Path;

use corpus::tokenizer::Vocabulary;
use model::export::{Entry, Options, Written};
use model::gguf::Gguf;
use model::quantise::Encoding;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::vocabulary::{optional_json, vocabulary_from_gguf};
use crate::{Error, inspect};

/// Kinds of files to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// One GGUF file.
    Gguf,
    /// A folder with `config.json`, safetensors and the tokenizer's files.
    HuggingFace,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exported {
    pub n_tensors: usize,
    /// Bytes of all tensors.
    pub bytes: u64,
    /// What could not be taken along, and why.
    pub remarks: Vec<String>,
}

/// Writes the model at `from` (a GGUF file or a folder) to `to`. `encoding` is the type of matrices; `None` keeps
/// them as they are stored, where the target has that type. `on_progress` is told bytes done, bytes in all, and
/// the tensor's name.
pub fn export(
    from: &Path,
    target: Target,
    to: &Path,
    encoding: Option<Encoding>,
    n_threads: usize,
    on_progress: &mut dyn FnMut(u64, u64, &str),
) -> Result<Exported, Error> {
    let same = from.canonicalize().ok().zip(to.canonicalize().ok()).is_some_and(|(a, b)| a == b);
    if same {
        return Err(model::Error::Export {
            path: to.to_owned(),
            what: "it is the model itself".to_owned(),
            hint: "name another file",
        }
        .into());
    }
    let (config, weights) = model::decoder::read(from)?;
    let source = Source::open(from, config.vocab)?;
    let mut options = Options { encoding, n_threads, on_progress };
    let mut remarks = source.remarks.clone();
    let written = match target {
        Target::Gguf => {
            let more = source.gguf_metadata(config.vocab)?;
            model::export::to_gguf(to, &config, &weights, &source.name, more, &mut options)
        }
        Target::HuggingFace => {
            let (fields, files) = source.hugging_face_files(&mut remarks)?;
            model::export::to_hugging_face(to, &config, &weights, fields, &files, &mut options)
        }
    };
    let Written { n_tensors, bytes } = written?;
    Ok(Exported { n_tensors, bytes, remarks })
}

/// What is known of a model beyond its network.
struct Source<'a> {
    path: &'a Path,
    name: String,
    gguf: Option<Gguf>,
    vocabulary: Option<Vocabulary>,
    template: Option<String>,
    licence: Option<String>,
    remarks: Vec<String>,
}

/// Files of a folder that are taken along as they are.
const TEXT_FILES: [&str; 9] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "generation_config.json",
];

/// Fields of `config.json` that belong to the text, not to the network.
const TEXT_FIELDS: [&str; 3] = ["bos_token_id", "eos_token_id", "pad_token_id"];

impl<'a> Source<'a> {
    fn open(path: &'a Path, vocab: usize) -> Result<Self, Error> {
        let mut source = Self {
            path,
            name: inspect::name_of(path),
            gguf: None,
            vocabulary: None,
            template: None,
            licence: None,
            remarks: Vec::new(),
        };
        if path.is_dir() {
            match from_json::read(path, vocab)? {
                from_json::Found::Nothing => {}
                from_json::Found::Vocabulary(vocabulary) => source.vocabulary = Some(*vocabulary),
                from_json::Found::Unsayable(why) => source.remarks.push(why),
            }
            source.template = crate::vocabulary::template_of_directory(path)?;
            source.licence = inspect::licence_of_card(path);
        } else {
            let gguf = Gguf::open(path)?;
            source.vocabulary = vocabulary_from_gguf(&gguf)?;
            source.template = gguf.string("tokenizer.chat_template")?.map(str::to_owned);
            if let Some(name) = gguf.string("general.name")? {
                source.name = name.to_owned();
            }
            source.gguf = Some(gguf);
        }
        Ok(source)
    }

    fn gguf_metadata(&self, vocab: usize) -> Result<Vec<(String, Entry)>, Error> {
        if let Some(gguf) = &self.gguf {
            // What another GGUF file says about text and origin is taken over word for word.
            let ours = ["architecture", "file_type", "quantization_version", "alignment"]
                .map(|key| format!("general.{key}"));
            let keys = gguf.metadata().map(|(key, _)| key).filter(|key| {
                key.starts_with("tokenizer.")
                    || key.starts_with("general.") && ours.iter().all(|ours| ours != key)
            });
            let raw = |key: &str| Some((key.to_owned(), Entry::Raw(gguf.raw(key)?.to_vec())));
            let entries: Vec<_> = keys.filter_map(raw).collect();
            if entries.iter().any(|(key, _)| key == "tokenizer.ggml.model") {
                return Ok(entries);
            }
            return Ok([entries, to_gguf::no_vocabulary()].concat());
        }
        let mut entries = match &self.vocabulary {
            Some(vocabulary) => to_gguf::metadata(vocabulary, vocab),
            None => to_gguf::no_vocabulary(),
        };
        if let Some(template) = &self.template {
            entries.push(("tokenizer.chat_template".to_owned(), Entry::Text(template.clone())));
        }
        if let Some(licence) = &self.licence {
            entries.push(("general.license".to_owned(), Entry::Text(licence.clone())));
        }
        Ok(entries)
    }

    /// Fields for `config.json`, and the files beside it.
    #[allow(clippy::type_complexity)]
    fn hugging_face_files(
        &self,
        remarks: &mut Vec<String>,
    ) -> Result<(Map<String, Value>, Vec<(String, Vec<u8>)>), Error> {
        if self.gguf.is_none() {
            // Here the files themselves go along, so whatever GGUF could not say does not matter.
            remarks.clear();
            let config = optional_json(&self.path.join("config.json"))?;
            let field = |key: &&str| Some((key.to_string(), config.get(key)?.clone()));
            let mut files = Vec::new();
            for name in TEXT_FILES {
                let path = self.path.join(name);
                if path.is_file() {
                    let bytes = std::fs::read(&path)
                        .map_err(|e| Error::Read { path, reason: e.to_string() })?;
                    files.push((name.to_owned(), bytes));
                }
            }
            return Ok((TEXT_FIELDS.iter().filter_map(field).collect(), files));
        }
        let Some(vocabulary) = &self.vocabulary else { return Ok(Default::default()) };
        let roles = &vocabulary.roles;
        let ids =
            [("bos_token_id", roles.bos), ("eos_token_id", roles.eos), ("pad_token_id", roles.pad)];
        let fields = ids.into_iter().filter_map(|(key, id)| Some((key.to_owned(), json!(id?))));
        let mut files = Vec::new();
        match to_json::tokenizer(vocabulary) {
            Ok(tokenizer) => {
                let config = to_json::tokenizer_config(vocabulary, self.template.as_deref());
                files.push(("tokenizer.json".to_owned(), tokenizer.to_string().into_bytes()));
                let config = format!("{config:#}\n").into_bytes();
                files.push(("tokenizer_config.json".to_owned(), config));
            }
            Err(why) => remarks.push(format!("the tokenizer was left out: {why}")),
        }
        if let Some(template) = &self.template {
            files.push(("chat_template.jinja".to_owned(), template.clone().into_bytes()));
        }
        Ok((fields.collect(), files))
    }
}
