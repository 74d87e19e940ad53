//! A Llama of 3 layers and 128 tokens with random weights (golden/llama-tiny), and letters for its tokens.

use corpus::tokenizer::{Roles, TokenType, Tokenizer, Vocabulary, VocabularyKind};
use infer::Engine;
use model::decoder::Decoder;
use std::path::Path;

pub(crate) const TINY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden/llama-tiny");
pub(crate) const VOCAB: u32 = 128;
pub(crate) const CONTEXT: usize = 256;

/// Letters for the tiny model: token 3 is a space, 4… are `!`, `"`, `#` and so on.
fn tokenizer() -> Tokenizer {
    other_tokenizer(|_| {}, Some(2))
}

/// The same with a change, and another token to end answers with.
pub(crate) fn other_tokenizer(change: impl Fn(&mut Vec<String>), eos: Option<u32>) -> Tokenizer {
    let mut tokens =
        vec!["<pad>".to_string(), "<s>".to_string(), "</s>".to_string(), "▁".to_string()];
    tokens.extend((b'!'..=b'~').map(|byte| (byte as char).to_string()));
    tokens.extend((tokens.len() as u32..VOCAB).map(|id| format!("({id})")));
    change(&mut tokens);
    let mut types = vec![TokenType::Normal; tokens.len()];
    types[..3].fill(TokenType::Control);
    Tokenizer::from_vocabulary(Vocabulary {
        kind: VocabularyKind::SentencePieceBpe,
        scores: vec![0.0; tokens.len()],
        types,
        tokens,
        roles: Roles { unk: Some(0), bos: Some(1), eos, ..Roles::default() },
        ..Vocabulary::default()
    })
    .unwrap()
}

pub(crate) fn engine_at(path: &Path) -> Engine {
    let decoder = Decoder::load(path).unwrap();
    Engine::from_parts("llama-tiny", decoder, Some(tokenizer()), None, 2)
}

pub(crate) fn engine() -> Engine {
    engine_at(Path::new(TINY))
}

pub(crate) fn prompt(len: usize) -> Vec<u32> {
    (0..len as u32).map(|i| 3 + (i * 37 + 11) % (VOCAB - 3)).collect()
}

/// The token of one letter.
pub(crate) fn letter(letter: char) -> u32 {
    4 + u32::from(letter) - u32::from('!')
}
