//! From what a model's files say about their tokenizer to [`corpus`]'s plain description of one.

use crate::{Error, inspect};
use corpus::chat::ChatTemplate;
use corpus::tokenizer::{Roles, TokenType, Tokenizer, Vocabulary, VocabularyKind};
use model::gguf::Gguf;
use model::packed_encoder::{PackedEncoder, RawVocabulary, is_packed};
use serde_json::Value;
use std::path::Path;

/// How a model's text is handled: what belongs to the tokens rather than to the network.
#[derive(Debug, Default)]
pub(crate) struct Text {
    pub(crate) tokenizer: Option<Tokenizer>,
    pub(crate) template: Option<ChatTemplate>,
    /// Tokens that end an answer.
    pub(crate) end: Vec<u32>,
}

/// Names under which models end a turn; a control token with such a name ends an answer whether the file
/// lists it or not, because many files list only one of two.
const END_NAMES: [&str; 9] = [
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<end_of_turn>",
    "<|end|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "</s>",
    "<eos>",
];

impl Text {
    /// From the metadata of a GGUF file; a file without a tokenizer gives an empty one.
    pub(crate) fn from_gguf(gguf: &Gguf) -> Result<Self, Error> {
        let Some(vocabulary) = vocabulary_from_gguf(gguf)? else { return Ok(Self::default()) };
        let tokenizer = Tokenizer::from_vocabulary(vocabulary).map_err(at(gguf.path()))?;
        let extra = ["eot_token_id", "eom_token_id"];
        let extra = extra.iter().map(|key| id(gguf, key)).collect::<Result<Vec<_>, _>>()?;
        let source = gguf.string("tokenizer.chat_template")?;
        Self::new(tokenizer, source, extra.into_iter().flatten().collect(), gguf.path())
    }

    /// From the files of a Hugging Face directory; one without `tokenizer.json` gives an empty one.
    pub(crate) fn from_directory(directory: &Path) -> Result<Self, Error> {
        let path = directory.join("tokenizer.json");
        if !path.exists() {
            return Ok(Self::default());
        }
        let bytes = std::fs::read(&path).map_err(|e| unreadable(&path, &e))?;
        let tokenizer = Tokenizer::from_json(&bytes).map_err(at(&path))?;
        let config = optional_json(&directory.join("tokenizer_config.json"))?;
        let roles = roles_from_json(&config, &tokenizer);
        let tokenizer = tokenizer.with_roles(roles);
        let mut end = Vec::new();
        for name in ["config.json", "generation_config.json"] {
            let json = optional_json(&directory.join(name))?;
            let ids = match &json["eos_token_id"] {
                Value::Array(ids) => ids.clone(),
                single => vec![single.clone()],
            };
            end.extend(
                ids.iter().filter_map(Value::as_u64).filter_map(|id| u32::try_from(id).ok()),
            );
        }
        let source = template_of_directory(directory)?;
        Self::new(tokenizer, source.as_deref(), end, directory)
    }

    fn new(
        tokenizer: Tokenizer,
        template: Option<&str>,
        mut end: Vec<u32>,
        path: &Path,
    ) -> Result<Self, Error> {
        end.extend(tokenizer.eos());
        let named = END_NAMES.iter().filter_map(|name| tokenizer.token_id(name));
        end.extend(named.filter(|&id| tokenizer.is_special(id)));
        end.sort_unstable();
        end.dedup();
        let text = |id: Option<u32>| id.and_then(|id| tokenizer.piece(id)).unwrap_or_default();
        let template = template.filter(|source| !source.trim().is_empty());
        let template = template
            .map(|source| ChatTemplate::new(source, &text(tokenizer.bos()), &text(tokenizer.eos())))
            .transpose()
            .map_err(at(path))?;
        Ok(Self { tokenizer: Some(tokenizer), template, end })
    }
}

/// The tokenizer of a model at `path` — a GGUF file, a Hugging Face directory, or a packed encoder — without
/// its weights.
pub fn tokenizer(path: &Path) -> Result<Tokenizer, Error> {
    let found = if path.is_dir() {
        Text::from_directory(path)?.tokenizer
    } else if is_packed(&inspect::first_bytes(path)?) {
        Some(packed_tokenizer(PackedEncoder::open(path)?.vocabulary, path)?)
    } else {
        Text::from_gguf(&Gguf::open(path)?)?.tokenizer
    };
    found.ok_or_else(|| Error::NoTokenizer { path: path.to_owned() })
}

/// What GGUF files without a tokenizer say in its place.
pub(crate) const NO_VOCABULARY: &str = "no_vocab";

/// The vocabulary that a GGUF file describes under `tokenizer.ggml.*`.
pub(crate) fn vocabulary_from_gguf(gguf: &Gguf) -> Result<Option<Vocabulary>, Error> {
    let key = |name: &str| format!("tokenizer.ggml.{name}");
    let Some(family) = gguf.string(&key("model"))?.filter(|name| *name != NO_VOCABULARY) else {
        return Ok(None);
    };
    let pre = gguf.string(&key("pre"))?.unwrap_or("default").to_string();
    // Files that predate the flags mean these.
    let bos_by_default = matches!(pre.as_str(), "llama-bpe" | "llama3" | "llama-v3" | "tekken");
    let (kind, add_bos, add_eos) = match family {
        "gpt2" => (VocabularyKind::ByteBpe { pre }, bos_by_default, false),
        "llama" => (VocabularyKind::SentencePieceBpe, true, false),
        "t5" => (VocabularyKind::Unigram, false, true),
        "bert" => (VocabularyKind::WordPiece, true, true),
        other => {
            let source = corpus::Error::Vocabulary(format!(
                "a tokenizer of the kind `{other}` is not supported"
            ));
            return Err(Error::Corpus { path: gguf.path().to_owned(), source });
        }
    };
    let flag =
        |name: &str, default: bool| gguf.boolean(&key(name)).map(|flag| flag.unwrap_or(default));
    let space = matches!(kind, VocabularyKind::SentencePieceBpe | VocabularyKind::Unigram);
    let kinds = gguf.integers(&key("token_type"))?.unwrap_or_default();
    let charsmap = gguf.integers(&key("precompiled_charsmap"))?;
    Ok(Some(Vocabulary {
        tokens: gguf.strings(&key("tokens"))?.unwrap_or_default(),
        scores: gguf.floats(&key("scores"))?.unwrap_or_default(),
        types: kinds.into_iter().map(token_type).collect(),
        merges: gguf.strings(&key("merges"))?.unwrap_or_default(),
        roles: Roles {
            bos: id(gguf, "bos_token_id")?,
            eos: id(gguf, "eos_token_id")?,
            unk: id(gguf, "unknown_token_id")?,
            // Older files spell it with an e.
            sep: id(gguf, "separator_token_id")?.or(id(gguf, "seperator_token_id")?),
            pad: id(gguf, "padding_token_id")?,
            cls: id(gguf, "cls_token_id")?,
            mask: id(gguf, "mask_token_id")?,
        },
        add_bos: flag("add_bos_token", add_bos)?,
        add_eos: flag("add_eos_token", add_eos)?,
        add_space_prefix: flag("add_space_prefix", space)?,
        lowercase: kind == VocabularyKind::WordPiece,
        charsmap: charsmap.map(|bytes| bytes.into_iter().map(|byte| byte as u8).collect()),
        replacements: Vec::new(),
        trim_space: flag("remove_extra_whitespaces", false)?,
        kind,
    }))
}

/// The tokenizer of a packed encoder file.
pub(crate) fn packed_tokenizer(raw: RawVocabulary, path: &Path) -> Result<Tokenizer, Error> {
    let token_type = |piece: &String| match piece.as_str() {
        "<s>" | "</s>" | "<pad>" | "<mask>" => TokenType::Control,
        "<unk>" => TokenType::Unknown,
        _ => TokenType::Normal,
    };
    let vocabulary = Vocabulary {
        kind: VocabularyKind::Unigram,
        types: raw.pieces.iter().map(token_type).collect(),
        tokens: raw.pieces,
        scores: raw.scores,
        roles: Roles {
            bos: Some(raw.bos),
            eos: Some(raw.eos),
            pad: Some(raw.pad),
            unk: Some(raw.unk),
            ..Roles::default()
        },
        add_bos: true,
        add_eos: true,
        add_space_prefix: true,
        replacements: raw.replacements,
        ..Vocabulary::default()
    };
    Tokenizer::from_vocabulary(vocabulary).map_err(at(path))
}

/// GGUF's numbers for token types.
fn token_type(number: i64) -> TokenType {
    match number {
        2 => TokenType::Unknown,
        3 => TokenType::Control,
        4 => TokenType::UserDefined,
        5 => TokenType::Unused,
        6 => TokenType::Byte,
        _ => TokenType::Normal,
    }
}

fn id(gguf: &Gguf, name: &str) -> Result<Option<u32>, Error> {
    let number = gguf.integer(&format!("tokenizer.ggml.{name}"))?;
    Ok(number.and_then(|number| u32::try_from(number).ok()))
}

/// `tokenizer_config.json` names tokens by their text, or by an object with the text.
pub(crate) fn roles_from_json(config: &Value, tokenizer: &Tokenizer) -> Roles {
    let role = |key: &str| {
        let value = &config[key];
        let text = value.as_str().or_else(|| value["content"].as_str())?;
        tokenizer.token_id(text)
    };
    Roles {
        bos: role("bos_token"),
        eos: role("eos_token"),
        unk: role("unk_token"),
        sep: role("sep_token"),
        pad: role("pad_token"),
        cls: role("cls_token"),
        mask: role("mask_token"),
    }
}

/// The source of a folder's chat template: a file of its own, or a field of the tokenizer's configuration.
pub(crate) fn template_of_directory(directory: &Path) -> Result<Option<String>, Error> {
    let path = directory.join("chat_template.jinja");
    if path.exists() {
        return std::fs::read_to_string(&path).map(Some).map_err(|e| unreadable(&path, &e));
    }
    let config = optional_json(&directory.join("tokenizer_config.json"))?;
    Ok(template_from_json(&config["chat_template"]))
}

/// One template, or a list of named ones of which `default` is meant.
fn template_from_json(value: &Value) -> Option<String> {
    let named = |name: &str| {
        let all = value.as_array()?;
        let found = all.iter().find(|entry| entry["name"].as_str() == Some(name))?;
        found["template"].as_str().map(str::to_string)
    };
    value.as_str().map(str::to_string).or_else(|| named("default"))
}

/// A JSON file, or `null` where there is none.
pub(crate) fn optional_json(path: &Path) -> Result<Value, Error> {
    match path.exists() {
        true => Ok(model::safetensors::read_json(path)?),
        false => Ok(Value::Null),
    }
}

fn at(path: &Path) -> impl Fn(corpus::Error) -> Error {
    move |source| Error::Corpus { path: path.to_owned(), source }
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::Read { path: path.to_owned(), reason: error.to_string() }
}
