//! A folder's `tokenizer.json` as a plain vocabulary, for formats that have no place for the file itself.
//!
//! `tokenizer.json` spells a splitting rule out, GGUF has only names for the known ones. Which name is meant is
//! found out by trying: the one whose tokenizer cuts the probe text as the file's own does.

use std::collections::HashMap;
use std::path::Path;

use corpus::tokenizer::{Roles, Special, TokenType, Tokenizer, Vocabulary, VocabularyKind};
use serde_json::Value;

use super::probe;
use super::to_gguf::LAST;
use crate::Error;
use crate::vocabulary::{optional_json, roles_from_json};

/// What a folder says about its tokenizer.
pub(super) enum Found {
    /// It has none.
    Nothing,
    Vocabulary(Box<Vocabulary>),
    /// One that a plain vocabulary cannot describe; the sentence says why.
    Unsayable(String),
}

/// Names of splitting rules, the commonest first.
const RULES: [&str; 12] = [
    "llama-bpe",
    "qwen2",
    "smollm",
    "gpt-2",
    "falcon",
    "olmo",
    "gpt-4o",
    "tekken",
    "starcoder",
    "deepseek-coder",
    "deepseek-v3",
    "default",
];

pub(super) fn read(directory: &Path, vocab: usize) -> Result<Found, Error> {
    let path = directory.join("tokenizer.json");
    if !path.exists() {
        return Ok(Found::Nothing);
    }
    let at = |source| Error::Corpus { path: path.clone(), source };
    let bytes = std::fs::read(&path)
        .map_err(|e| Error::Read { path: path.clone(), reason: e.to_string() })?;
    let tokenizer = Tokenizer::from_json(&bytes).map_err(at)?;
    let config = optional_json(&directory.join("tokenizer_config.json"))?;
    let roles = roles_from_json(&config, &tokenizer);
    let json: Value = serde_json::from_slice(&bytes)
        .map_err(|e| Error::Read { path: path.clone(), reason: e.to_string() })?;
    let Some(mut vocabulary) = describe(&json, &tokenizer, roles, vocab) else {
        let kind = json["model"]["type"].as_str().unwrap_or("unknown");
        let why =
            format!("the tokenizer was left out: one of the kind {kind} is not written to GGUF");
        return Ok(Found::Unsayable(why));
    };
    let same = |vocabulary: &Vocabulary| {
        let ours = Tokenizer::from_vocabulary(vocabulary.clone()).map_err(|e| e.to_string())?;
        probe::difference(&ours, &tokenizer).map_or(Ok(()), Err)
    };
    let mut difference = String::new();
    let candidates: &[&str] = match vocabulary.kind {
        VocabularyKind::ByteBpe { .. } => &RULES,
        _ => &[""],
    };
    for rule in candidates {
        if let VocabularyKind::ByteBpe { pre } = &mut vocabulary.kind {
            *pre = (*rule).to_owned();
        }
        match same(&vocabulary) {
            Ok(()) => return Ok(Found::Vocabulary(Box::new(vocabulary))),
            Err(text) => difference = text,
        }
    }
    let why = format!(
        "the tokenizer was left out: GGUF has no name for the way in which it cuts text (for instance {difference:?})"
    );
    Ok(Found::Unsayable(why))
}

/// The file's tables; `None` for algorithms that no decoder uses.
fn describe(json: &Value, tokenizer: &Tokenizer, roles: Roles, vocab: usize) -> Option<Vocabulary> {
    let model = &json["model"];
    // Old files leave the type out.
    if model["type"].as_str().is_some_and(|kind| kind != "BPE") {
        return None;
    }
    let mut tokens = vec![String::new(); vocab];
    let mut types = vec![TokenType::Unused; vocab];
    for (token, id) in model["vocab"].as_object()? {
        let id = usize::try_from(id.as_u64()?).ok()?;
        // Tokens beyond the embedding cannot reach the network.
        if id < vocab {
            (tokens[id], types[id]) = (token.clone(), TokenType::Normal);
        }
    }
    for added in json["added_tokens"].as_array().into_iter().flatten() {
        let id = usize::try_from(added["id"].as_u64()?).ok()?;
        if id < vocab {
            tokens[id] = added["content"].as_str()?.to_owned();
            let special = added["special"].as_bool() == Some(true);
            types[id] = if special { TokenType::Control } else { TokenType::UserDefined };
        }
    }
    for (id, token) in tokens.iter_mut().enumerate().filter(|(_, token)| token.is_empty()) {
        *token = format!("[PAD{id}]");
    }
    let merges: Vec<String> = model["merges"].as_array()?.iter().filter_map(merge).collect();
    let described = |part: &str| json[part].to_string();
    let byte_level = described("pre_tokenizer").contains("\"ByteLevel\"")
        || described("decoder").contains("\"ByteLevel\"");
    let framed = tokenizer.encode("a", Special::Text, true);
    let bare = tokenizer.encode("a", Special::Text, false);
    let before = framed.first().filter(|id| bare.first() != Some(id));
    let after = framed.last().filter(|id| bare.last() != Some(id));
    let roles = Roles {
        bos: roles.bos.or(before.copied()),
        unk: roles.unk.or(model["unk_token"].as_str().and_then(|token| tokenizer.token_id(token))),
        ..roles
    };
    let mut vocabulary = Vocabulary {
        tokens,
        types,
        roles,
        add_bos: before.is_some(),
        add_eos: after.is_some(),
        ..Vocabulary::default()
    };
    if byte_level {
        vocabulary.kind = VocabularyKind::ByteBpe { pre: String::new() };
        vocabulary.merges = merges;
    } else {
        vocabulary.kind = VocabularyKind::SentencePieceBpe;
        let before = described("normalizer") + &described("pre_tokenizer");
        vocabulary.add_space_prefix = before.contains("\"Prepend\"")
            || before.contains("\"prepend_scheme\":\"always\"")
            || before.contains("\"prepend_scheme\":\"first\"");
        vocabulary.scores = scores(&vocabulary.tokens, &merges);
        mark_bytes(&mut vocabulary);
    }
    Some(vocabulary)
}

/// `"a b"`, or in newer files `["a", "b"]`.
fn merge(value: &Value) -> Option<String> {
    let pair =
        |list: &Vec<Value>| Some(format!("{} {}", list.first()?.as_str()?, list.get(1)?.as_str()?));
    value.as_str().map(str::to_owned).or_else(|| pair(value.as_array()?))
}

/// SentencePiece joins neighbours in order of the score of what they make: the earlier the merge, the higher.
fn scores(tokens: &[String], merges: &[String]) -> Vec<f32> {
    let mut ranks = HashMap::new();
    for (rank, merge) in merges.iter().enumerate() {
        ranks.entry(merge.replacen(' ', "", 1)).or_insert(rank);
    }
    tokens.iter().map(|token| ranks.get(token).map_or(LAST, |&rank| -(rank as f32))).collect()
}

fn mark_bytes(vocabulary: &mut Vocabulary) {
    let unknown = vocabulary.roles.unk;
    for (id, (token, kind)) in vocabulary.tokens.iter().zip(&mut vocabulary.types).enumerate() {
        let hex = token.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
        if hex.is_some_and(|hex| hex.len() == 2 && u8::from_str_radix(hex, 16).is_ok()) {
            *kind = TokenType::Byte;
        } else if unknown == Some(id as u32) {
            *kind = TokenType::Unknown;
        }
    }
}
