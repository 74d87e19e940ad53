//! The families that Hugging Face's `tokenizers` runs for us: Unigram, WordPiece, and whatever a
//! `tokenizer.json` describes.
//!
//! Special tokens are ours to find (see [`special`](super::special)), so the library is told to treat them
//! as ordinary text, and to neither cut nor pad.

use super::normalize::Normalizer;
use super::sentencepiece::SPACE;
use super::special::Whole;
use super::vocabulary::{Roles, TokenType};
use super::{PieceStyle, Vocabulary};
use crate::Error;
use serde_json::Value;
use tokenizers::models::ModelWrapper;
use tokenizers::models::unigram::Unigram;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::bert::BertNormalizer;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};

#[derive(Debug)]
pub(super) struct Library {
    inner: tokenizers::Tokenizer,
    normalizer: Option<(Normalizer, bool)>,
    /// The first stretch of a text, and no other, is encoded as if a space stood before it.
    space_before_first: bool,
}

/// What a `tokenizer.json` says beyond the algorithm.
pub(super) struct Described {
    pub(super) library: Library,
    pub(super) tokens: Vec<String>,
    pub(super) types: Vec<TokenType>,
    pub(super) wholes: Vec<Whole>,
    pub(super) roles: Roles,
    pub(super) prefix: Vec<u32>,
    pub(super) suffix: Vec<u32>,
    pub(super) style: PieceStyle,
    pub(super) drops_first_space: bool,
}

impl Library {
    pub(super) fn unigram(v: &Vocabulary) -> Result<Self, Error> {
        if v.scores.len() != v.tokens.len() {
            let (n, m) = (v.scores.len(), v.tokens.len());
            return Err(Error::Vocabulary(format!("{n} scores for {m} tokens")));
        }
        let unknown =
            v.roles.unk.ok_or_else(|| Error::Vocabulary("no unknown token".to_string()))?;
        // A control token must not come out of text, and an empty piece would match everywhere; neither may
        // leave the table, whose positions are the ids. A text that holds NUL never matches these names.
        let piece = |(id, (token, score)): (usize, (&String, &f32))| {
            let normal =
                matches!(v.types.get(id), None | Some(TokenType::Normal | TokenType::UserDefined));
            let usable = (normal || id as u32 == unknown) && !token.is_empty();
            (if usable { token.clone() } else { format!("\0{id}\0") }, f64::from(*score))
        };
        let pieces = v.tokens.iter().zip(&v.scores).enumerate().map(piece).collect();
        let model = Unigram::from(pieces, Some(unknown as usize), false).map_err(vocabulary)?;
        let mut inner = tokenizers::Tokenizer::new(model);
        let before = if v.add_space_prefix { PrependScheme::Always } else { PrependScheme::Never };
        inner.with_pre_tokenizer(Some(Metaspace::new(SPACE, before, true)));
        let normalizer = Normalizer::new(v.charsmap.as_deref(), &v.replacements);
        let normalizer = Some((normalizer, v.trim_space));
        Ok(Self { inner, normalizer, space_before_first: false })
    }

    pub(super) fn word_piece(v: &Vocabulary) -> Result<Self, Error> {
        let unknown = v.roles.unk.and_then(|id| v.tokens.get(id as usize));
        let unknown = unknown.ok_or_else(|| Error::Vocabulary("no unknown token".to_string()))?;
        let ids = v.tokens.iter().enumerate().map(|(id, token)| (token.clone(), id as u32));
        // Through the library's own JSON form, because its builder asks for a map type of a third crate.
        let described = serde_json::json!({
            "type": "WordPiece",
            "unk_token": unknown,
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": ids.map(|(token, id)| (token, id.into())).collect::<serde_json::Map<_, _>>(),
        });
        let model: WordPiece = serde_json::from_str(&described.to_string())
            .map_err(|e| Error::Vocabulary(e.to_string()))?;
        let mut inner = tokenizers::Tokenizer::new(model);
        let normalizer = BertNormalizer::new(true, true, None, v.lowercase);
        inner.with_normalizer(Some(normalizer)).map_err(vocabulary)?;
        inner.with_pre_tokenizer(Some(BertPreTokenizer));
        Ok(Self { inner, normalizer: None, space_before_first: false })
    }

    /// `first`: nothing stands before this stretch of text.
    pub(super) fn encode(&self, ids: &mut Vec<u32>, text: &str, first: bool) {
        let normalized = self.normalizer.as_ref().map(|(n, trim)| n.apply(text, *trim));
        let mut text = normalized.as_deref().unwrap_or(text);
        let spaced;
        if self.space_before_first && first && !text.is_empty() && !text.starts_with([' ', SPACE]) {
            spaced = format!(" {text}");
            text = &spaced;
        }
        // The library's models fail only where a piece is unknown and no token stands for that, which
        // `new` has ruled out; an empty result is then the truth, not a mistake passed over.
        if let Ok(encoding) = self.inner.encode_fast(text, false) {
            ids.extend_from_slice(encoding.get_ids());
        }
    }
}

impl Described {
    pub(super) fn new(bytes: &[u8]) -> Result<Self, Error> {
        let mut inner = read(bytes)?;
        inner.with_truncation(None).map_err(json)?;
        inner.with_padding(None);
        inner.set_encode_special_tokens(true);

        let tokens = tokens_by_id(&inner)?;
        let mut types = vec![TokenType::Normal; tokens.len()];
        let mut wholes = Vec::new();
        for (id, token) in inner.get_added_tokens_decoder() {
            if token.special
                && let Some(kind) = types.get_mut(id as usize)
            {
                *kind = TokenType::Control;
                wholes.push(Whole {
                    text: token.content,
                    id,
                    control: true,
                    strip_left: token.lstrip,
                    strip_right: token.rstrip,
                    single_word: token.single_word,
                });
            }
        }
        let (prefix, suffix) = frame(&inner).map_err(json)?;
        hide_control_pieces(&mut inner, &types)?;
        let decoder =
            serde_json::to_value(inner.get_decoder()).map_err(|e| Error::Json(e.to_string()))?;
        let (style, drops_first_space) = style(&decoder);
        let space_before_first = take_over_first_space(&mut inner)?;
        let roles = well_known_roles(|name| inner.token_to_id(name));
        let library = Library { inner, normalizer: None, space_before_first };
        // A vocabulary without a token for the unknown fails here, not in the middle of somebody's text.
        library.inner.encode_fast("a\u{10fffd}", false).map_err(json)?;
        Ok(Self { library, tokens, types, wholes, roles, prefix, suffix, style, drops_first_space })
    }
}

/// Reads the file. The library panics on some files that end early or hold a number where an object belongs,
/// so the syntax is checked first, and what still panics becomes an error here.
fn read(bytes: &[u8]) -> Result<tokenizers::Tokenizer, Error> {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes)
        .map_err(|e| Error::Json(e.to_string()))?;
    match std::panic::catch_unwind(|| tokenizers::Tokenizer::from_bytes(bytes)) {
        Ok(read) => read.map_err(json),
        Err(_) => {
            Err(Error::Json("a part of it does not have the form that it should".to_string()))
        }
    }
}

/// A Unigram table lists control tokens among its pieces, with a score that text can reach: `</s>` in a mail
/// would become the token. They are renamed to what no text contains; [`special`](super::special) finds them.
fn hide_control_pieces(
    inner: &mut tokenizers::Tokenizer,
    types: &[TokenType],
) -> Result<(), Error> {
    let ModelWrapper::Unigram(model) = inner.get_model() else { return Ok(()) };
    let described = serde_json::to_value(model).map_err(|e| Error::Json(e.to_string()))?;
    let unknown = described["unk_id"].as_u64().map(|id| id as usize);
    let byte_fallback = described["byte_fallback"].as_bool().unwrap_or(false);
    let piece = |(id, (piece, score)): (usize, &(String, f64))| {
        let control = types.get(id) == Some(&TokenType::Control) && Some(id) != unknown;
        (if control { format!("\0{id}\0") } else { piece.clone() }, *score)
    };
    let pieces = model.iter().enumerate().map(piece).collect();
    let hidden = Unigram::from(pieces, unknown, byte_fallback).map_err(json)?;
    inner.with_model(hidden);
    Ok(())
}

fn vocabulary(error: tokenizers::Error) -> Error {
    Error::Vocabulary(error.to_string())
}

fn json(error: tokenizers::Error) -> Error {
    Error::Json(error.to_string())
}

/// The vocabulary as a list; ids without a token are empty pieces.
fn tokens_by_id(inner: &tokenizers::Tokenizer) -> Result<Vec<String>, Error> {
    let vocab = inner.get_vocab(true);
    let len = vocab.values().max().map_or(0, |&id| id as usize + 1);
    if len > 4 * vocab.len() + 1024 {
        return Err(Error::Json(format!(
            "token id {} in a vocabulary of {}",
            len - 1,
            vocab.len()
        )));
    }
    let mut tokens = vec![String::new(); len];
    for (token, id) in vocab {
        tokens[id as usize] = token;
    }
    Ok(tokens)
}

/// What the post-processor puts before and after one text, found out by letting it.
fn frame(inner: &tokenizers::Tokenizer) -> tokenizers::Result<(Vec<u32>, Vec<u32>)> {
    let body = inner.encode_fast("a", false)?.get_ids().to_vec();
    let whole = inner.encode_fast("a", true)?.get_ids().to_vec();
    let at = (0..=whole.len().saturating_sub(body.len())).find(|&i| whole[i..].starts_with(&body));
    let at = at.unwrap_or(0);
    Ok((whole[..at].to_vec(), whole.get(at + body.len()..).unwrap_or(&[]).to_vec()))
}

/// How pieces become bytes, read off the decoder's description.
fn style(decoder: &Value) -> (PieceStyle, bool) {
    let parts = match decoder.get("decoders") {
        Some(Value::Array(parts)) => parts.as_slice(),
        _ => std::slice::from_ref(decoder),
    };
    let kind =
        |part: &Value| part.get("type").and_then(Value::as_str).unwrap_or_default().to_string();
    let mut style = PieceStyle::Plain;
    let mut drops_first_space = false;
    for part in parts {
        match kind(part).as_str() {
            "ByteLevel" => style = PieceStyle::Letters,
            "WordPiece" => (style, drops_first_space) = (PieceStyle::Words, true),
            "ByteFallback" | "Replace" => style = PieceStyle::Spaces,
            "Metaspace" => {
                style = PieceStyle::Spaces;
                drops_first_space =
                    part.get("prepend_scheme").and_then(Value::as_str) != Some("never");
            }
            "Strip" => drops_first_space |= part.get("start").and_then(Value::as_u64) == Some(1),
            _ => {}
        }
    }
    (style, drops_first_space)
}

/// "A space before the first stretch only" depends on where a stretch stands, which the library no longer
/// sees once we cut the text at special tokens. So its pre-tokenizer is told "never", and we do it.
fn take_over_first_space(inner: &mut tokenizers::Tokenizer) -> Result<bool, Error> {
    fn rewrite(value: &mut Value) -> bool {
        if let Some(parts) = value.get_mut("pretokenizers").and_then(Value::as_array_mut) {
            return parts.iter_mut().map(rewrite).filter(|found| *found).count() > 0;
        }
        let first = value.get("type").and_then(Value::as_str) == Some("Metaspace")
            && value.get("prepend_scheme").and_then(Value::as_str) == Some("first");
        if first {
            value["prepend_scheme"] = "never".into();
        }
        first
    }
    let as_json = |e: serde_json::Error| Error::Json(e.to_string());
    let mut described = serde_json::to_value(inner.get_pre_tokenizer()).map_err(as_json)?;
    let found = rewrite(&mut described);
    if found {
        let changed: PreTokenizerWrapper = serde_json::from_value(described).map_err(as_json)?;
        inner.with_pre_tokenizer(Some(changed));
    }
    Ok(found)
}

/// `tokenizer.json` does not say which token plays which role; these names are used for nothing else.
/// Who knows better (a `config.json`) sets the roles with [`super::Tokenizer::with_roles`].
fn well_known_roles(id: impl Fn(&str) -> Option<u32>) -> Roles {
    let first = |names: &[&str]| names.iter().find_map(|name| id(name));
    Roles {
        bos: first(&["<s>", "<bos>", "<|begin_of_text|>", "[CLS]"]),
        eos: first(&[
            "</s>",
            "<eos>",
            "<|eot_id|>",
            "<|im_end|>",
            "<|end_of_text|>",
            "<|endoftext|>",
            "[SEP]",
        ]),
        unk: first(&["<unk>", "[UNK]"]),
        sep: first(&["[SEP]"]),
        pad: first(&["<pad>", "[PAD]", "<|endoftext|>"]),
        cls: first(&["[CLS]"]),
        mask: first(&["<mask>", "[MASK]"]),
    }
}
