//! A vocabulary as `tokenizer.json`.

use std::collections::HashMap;

use corpus::tokenizer::{TokenType, Tokenizer, Vocabulary, VocabularyKind};
use serde_json::{Map, Value, json};

use super::probe;

/// The file of a vocabulary, or why there is none.
pub(super) fn tokenizer(vocabulary: &Vocabulary) -> Result<Value, String> {
    let json = match &vocabulary.kind {
        VocabularyKind::ByteBpe { pre } => {
            let rule = splitting_rule(pre).ok_or_else(|| {
                format!("its splitting rule {pre} is not known in tokenizer.json's terms")
            })?;
            byte_bpe(vocabulary, pre, rule)
        }
        VocabularyKind::SentencePieceBpe => sentence_piece(vocabulary),
        _ => return Err("it is of a kind that decoders do not use".to_owned()),
    };
    let theirs = Tokenizer::from_json(json.to_string().as_bytes()).map_err(|e| e.to_string())?;
    let ours = Tokenizer::from_vocabulary(vocabulary.clone()).map_err(|e| e.to_string())?;
    match probe::difference(&ours, &theirs) {
        None => Ok(json),
        Some(text) => {
            Err(format!("tokenizer.json cuts some text otherwise, for instance {text:?}"))
        }
    }
}

/// `tokenizer_config.json`.
pub(super) fn tokenizer_config(vocabulary: &Vocabulary, template: Option<&str>) -> Value {
    let mut config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": false,
        "add_bos_token": vocabulary.add_bos,
        "add_eos_token": vocabulary.add_eos,
    });
    let roles = &vocabulary.roles;
    for (key, id) in [
        ("bos_token", roles.bos),
        ("eos_token", roles.eos),
        ("unk_token", roles.unk),
        ("pad_token", roles.pad),
    ] {
        if let Some(token) = id.and_then(|id| vocabulary.tokens.get(id as usize)) {
            config[key] = token.as_str().into();
        }
    }
    if let Some(template) = template {
        config["chat_template"] = template.into();
    }
    config
}

/// The pre-tokenizer of a rule by GGUF's name for it.
fn splitting_rule(pre: &str) -> Option<Value> {
    let byte_level = |use_regex: bool| {
        json!({
            "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex
        })
    };
    let split = |regex: &str| json!({ "type": "Split", "pattern": { "Regex": regex }, "behavior": "Isolated", "invert": false });
    let digits = |one: bool| json!({ "type": "Digits", "individual_digits": one });
    let sequence = |parts: Vec<Value>| json!({ "type": "Sequence", "pretokenizers": parts });
    let words = |numbers: &str| {
        let contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
        format!(
            r"{contractions}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{numbers}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        )
    };
    Some(match pre {
        "gpt-2" | "olmo" => byte_level(true),
        "smollm" | "starcoder" => sequence(vec![digits(true), byte_level(true)]),
        "llama-bpe" | "llama3" | "llama-v3" => {
            sequence(vec![split(&words(r"\p{N}{1,3}")), byte_level(false)])
        }
        "qwen2" | "deepseek-r1-qwen" => sequence(vec![split(&words(r"\p{N}")), byte_level(false)]),
        "falcon" => sequence(vec![
            json!({ "type": "Punctuation", "behavior": "Contiguous" }),
            byte_level(true),
            digits(false),
            split("[0-9][0-9][0-9]"),
        ]),
        _ => return None,
    })
}

fn byte_bpe(vocabulary: &Vocabulary, pre: &str, rule: Value) -> Value {
    let whole_words_first = matches!(pre, "llama-bpe" | "llama3" | "llama-v3");
    let normalizer = match pre {
        "qwen2" | "deepseek-r1-qwen" => json!({ "type": "NFC" }),
        _ => Value::Null,
    };
    let merges: Vec<Value> = vocabulary
        .merges
        .iter()
        .filter_map(|merge| merge.split_once(' '))
        .map(|(a, b)| json!([a, b]))
        .collect();
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added_tokens(vocabulary),
        "normalizer": normalizer,
        "pre_tokenizer": rule,
        "post_processor": frame(vocabulary),
        "decoder": { "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true },
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
            "ignore_merges": whole_words_first, "vocab": table(vocabulary), "merges": merges,
        },
    })
}

fn sentence_piece(vocabulary: &Vocabulary) -> Value {
    let space = json!({ "type": "Replace", "pattern": { "String": " " }, "content": "\u{2581}" });
    let (normalizer, strip) = match vocabulary.add_space_prefix {
        true => (
            json!({ "type": "Sequence", "normalizers": [{ "type": "Prepend", "prepend": "\u{2581}" }, space] }),
            Some(json!({ "type": "Strip", "content": " ", "start": 1, "stop": 0 })),
        ),
        false => (space, None),
    };
    let mut decoders = vec![
        json!({ "type": "Replace", "pattern": { "String": "\u{2581}" }, "content": " " }),
        json!({ "type": "ByteFallback" }),
        json!({ "type": "Fuse" }),
    ];
    decoders.extend(strip);
    let unknown = vocabulary.roles.unk.and_then(|id| vocabulary.tokens.get(id as usize));
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added_tokens(vocabulary),
        "normalizer": normalizer,
        "pre_tokenizer": null,
        "post_processor": frame(vocabulary),
        "decoder": { "type": "Sequence", "decoders": decoders },
        "model": {
            "type": "BPE", "dropout": null, "unk_token": unknown, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
            "vocab": table(vocabulary), "merges": merges(vocabulary),
        },
    })
}

fn table(vocabulary: &Vocabulary) -> Map<String, Value> {
    vocabulary.tokens.iter().enumerate().map(|(id, token)| (token.clone(), json!(id))).collect()
}

/// Tokens that are taken whole.
fn added_tokens(vocabulary: &Vocabulary) -> Vec<Value> {
    let added = |(id, token): (usize, &String)| {
        let special = match vocabulary.types.get(id)? {
            TokenType::Control | TokenType::Unknown => true,
            TokenType::UserDefined => false,
            _ => return None,
        };
        Some(json!({
            "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": special,
        }))
    };
    vocabulary.tokens.iter().enumerate().filter_map(added).collect()
}

/// What is put before and after a text.
fn frame(vocabulary: &Vocabulary) -> Value {
    let token = |id: Option<u32>, wanted: bool| {
        id.filter(|_| wanted).and_then(|id| Some((id, vocabulary.tokens.get(id as usize)?)))
    };
    let before = token(vocabulary.roles.bos, vocabulary.add_bos);
    let after = token(vocabulary.roles.eos, vocabulary.add_eos);
    if before.is_none() && after.is_none() {
        return Value::Null;
    }
    let special =
        |(_, token): (u32, &String)| json!({ "SpecialToken": { "id": token, "type_id": 0 } });
    let one = |id: &str, kind: u32| json!({ "Sequence": { "id": id, "type_id": kind } });
    let single: Vec<Value> =
        before.map(special).into_iter().chain([one("A", 0)]).chain(after.map(special)).collect();
    let pair: Vec<Value> = single.iter().cloned().chain([one("B", 1)]).collect();
    let tokens: Map<String, Value> = before
        .into_iter()
        .chain(after)
        .map(|(id, token)| (token.clone(), json!({ "id": token, "ids": [id], "tokens": [token] })))
        .collect();
    json!({ "type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": tokens })
}

/// Every way to make a piece of two others, in the order in which SentencePiece would: the best score first.
fn merges(vocabulary: &Vocabulary) -> Vec<Value> {
    let ids: HashMap<&str, usize> =
        vocabulary.tokens.iter().enumerate().map(|(id, token)| (token.as_str(), id)).collect();
    let mut order: Vec<usize> = (0..vocabulary.tokens.len())
        .filter(|&id| matches!(vocabulary.types.get(id), None | Some(TokenType::Normal)))
        .collect();
    let score = |id: usize| vocabulary.scores.get(id).copied().unwrap_or(0.0);
    order.sort_by(|&a, &b| score(b).total_cmp(&score(a)).then(a.cmp(&b)));
    let mut merges = Vec::new();
    for id in order {
        let token = &vocabulary.tokens[id];
        let splits = token.char_indices().skip(1).map(|(at, _)| token.split_at(at));
        let mut pairs: Vec<_> =
            splits.filter_map(|(a, b)| Some((*ids.get(a)?, *ids.get(b)?, a, b))).collect();
        pairs.sort_unstable_by_key(|&(left, right, ..)| (left, right));
        merges.extend(pairs.into_iter().map(|(_, _, a, b)| json!([a, b])));
    }
    merges
}
