//! A vocabulary as GGUF metadata, under the keys that `vocabulary_from_gguf` reads.

use corpus::tokenizer::{TokenType, Vocabulary, VocabularyKind};
use model::export::Entry;

/// All keys of a vocabulary, brought to `vocab` tokens: readers want as many as the embedding has rows.
pub(super) fn metadata(vocabulary: &Vocabulary, vocab: usize) -> Vec<(String, Entry)> {
    let key = |name: &str| format!("tokenizer.ggml.{name}");
    let filler = |id: usize| format!("[PAD{id}]");
    let tokens = (0..vocab).map(|id| vocabulary.tokens.get(id).cloned().unwrap_or(filler(id)));
    let types = (0..vocab).map(|id| match id < vocabulary.tokens.len() {
        true => type_number(vocabulary.types.get(id).copied().unwrap_or_default()),
        false => type_number(TokenType::Unused),
    });
    let mut entries = vec![
        (key("tokens"), Entry::Texts(tokens.collect())),
        (key("token_type"), Entry::Integers(types.collect())),
        (key("add_bos_token"), Entry::Flag(vocabulary.add_bos)),
        (key("add_eos_token"), Entry::Flag(vocabulary.add_eos)),
    ];
    let mut add = |name: &str, entry| entries.push((key(name), entry));
    match &vocabulary.kind {
        VocabularyKind::ByteBpe { pre } => {
            add("model", Entry::Text("gpt2".to_owned()));
            add("pre", Entry::Text(pre.clone()));
            add("merges", Entry::Texts(vocabulary.merges.clone()));
        }
        _ => {
            add("model", Entry::Text("llama".to_owned()));
            add("pre", Entry::Text("default".to_owned()));
            let mut scores = vocabulary.scores.clone();
            scores.resize(vocab, LAST);
            add("scores", Entry::Numbers(scores));
            add("add_space_prefix", Entry::Flag(vocabulary.add_space_prefix));
        }
    }
    let roles = &vocabulary.roles;
    for (name, id) in [
        ("bos_token_id", roles.bos),
        ("eos_token_id", roles.eos),
        ("unknown_token_id", roles.unk),
        ("padding_token_id", roles.pad),
    ] {
        if let Some(id) = id.filter(|&id| (id as usize) < vocab) {
            add(name, Entry::Size(id));
        }
    }
    entries
}

/// The score of a token that no merge makes.
pub(super) const LAST: f32 = -1e9;

/// What a file without a tokenizer says.
pub(super) fn no_vocabulary() -> Vec<(String, Entry)> {
    vec![(
        "tokenizer.ggml.model".to_owned(),
        Entry::Text(crate::vocabulary::NO_VOCABULARY.to_owned()),
    )]
}

/// GGUF's number.
fn type_number(kind: TokenType) -> i32 {
    match kind {
        TokenType::Normal => 1,
        TokenType::Unknown => 2,
        TokenType::Control => 3,
        TokenType::UserDefined => 4,
        TokenType::Unused => 5,
        TokenType::Byte => 6,
    }
}
