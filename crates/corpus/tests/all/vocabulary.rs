//! Vocabularies that contradict themselves are errors, never panics, and odd ones do what their format says.

use corpus::Error;
use corpus::tokenizer::{Roles, Special, TokenType, Tokenizer, Vocabulary, VocabularyKind};

fn strings(tokens: &[&str]) -> Vec<String> {
    tokens.iter().map(|token| token.to_string()).collect()
}

fn sentencepiece(tokens: &[&str], scores: &[f32]) -> Vocabulary {
    Vocabulary {
        kind: VocabularyKind::SentencePieceBpe,
        tokens: strings(tokens),
        scores: scores.to_vec(),
        roles: Roles { unk: Some(0), ..Roles::default() },
        ..Vocabulary::default()
    }
}

fn byte_bpe(pre: &str, tokens: &[&str], merges: &[&str]) -> Vocabulary {
    Vocabulary {
        kind: VocabularyKind::ByteBpe { pre: pre.to_string() },
        tokens: strings(tokens),
        merges: strings(merges),
        ..Vocabulary::default()
    }
}

#[test]
fn contradictions_are_errors_that_say_what_is_wrong() {
    let short = sentencepiece(&["<unk>", "a"], &[0.0]);
    let typed =
        Vocabulary { types: vec![TokenType::Normal], ..sentencepiece(&["a", "b"], &[0.0; 2]) };
    let role = Vocabulary {
        roles: Roles { eos: Some(9), ..Roles::default() },
        ..byte_bpe("gpt-2", &["a"], &[])
    };
    let nothing = Vocabulary { roles: Roles::default(), ..sentencepiece(&["a"], &[0.0]) };
    let merge = byte_bpe("gpt-2", &["a", "b"], &["a b"]);
    let single = byte_bpe("gpt-2", &["a", "b"], &["ab"]);
    let unigram = Vocabulary {
        kind: VocabularyKind::Unigram,
        tokens: strings(&["a"]),
        ..Vocabulary::default()
    };
    let words = Vocabulary {
        kind: VocabularyKind::WordPiece,
        tokens: strings(&["a"]),
        ..Vocabulary::default()
    };
    for wrong in [short, typed, role, nothing, merge, single, unigram, words] {
        let error = Tokenizer::from_vocabulary(wrong.clone());
        assert!(matches!(error, Err(Error::Vocabulary(_))), "{wrong:?}");
    }
    let unknown = Tokenizer::from_vocabulary(byte_bpe("no-such-rule", &["a"], &[]));
    assert!(matches!(unknown, Err(Error::UnknownPreTokenizer(_))));
}

#[test]
fn pieces_are_joined_in_order_of_score_the_leftmost_of_equals_first() {
    let v = sentencepiece(
        &["<unk>", "a", "b", "ab", "ba", "aba"],
        &[0.0, -9.0, -9.0, -2.0, -1.0, -3.0],
    );
    let tokenizer = Tokenizer::from_vocabulary(v).unwrap();
    // `ba` scores best: a|ba, then aba.
    assert_eq!(tokenizer.encode("aba", Special::Text, false), [5]);
    // ab|ab would be worth more, but `ba` in the middle goes first.
    assert_eq!(tokenizer.encode("abab", Special::Text, false), [5, 2]);
    // A run of unknown characters is one unknown token.
    assert_eq!(tokenizer.encode("a漢字b", Special::Text, false), [1, 0, 2]);
}

#[test]
fn a_whole_word_is_taken_before_the_merge_rules_where_the_rule_says_so() {
    let tokens = ["a", "b", "c", "ab", "abc"];
    let encode = |pre| {
        let tokenizer = Tokenizer::from_vocabulary(byte_bpe(pre, &tokens, &["a b"])).unwrap();
        tokenizer.encode("abc", Special::Text, false)
    };
    assert_eq!(encode("gpt-2"), [3, 2]);
    assert_eq!(encode("llama-bpe"), [4]);
}

#[test]
fn decoding_holds_back_half_a_character_and_replaces_what_is_none() {
    let bytes: Vec<String> = (0..256).map(|byte| format!("<0x{byte:02X}>")).collect();
    let v = Vocabulary {
        kind: VocabularyKind::SentencePieceBpe,
        scores: vec![0.0; 256],
        types: vec![TokenType::Byte; 256],
        tokens: bytes,
        ..Vocabulary::default()
    };
    let tokenizer = Tokenizer::from_vocabulary(v).unwrap();
    let ids = tokenizer.encode("é漢", Special::Text, false);
    assert_eq!(ids, [0xc3, 0xa9, 0xe6, 0xbc, 0xa2]);
    let mut stream = tokenizer.stream();
    let parts: Vec<Option<String>> = ids.iter().map(|&id| stream.push(id)).collect();
    assert_eq!(parts, [None, Some("é".into()), None, None, Some("漢".into())]);

    let mut stream = tokenizer.stream();
    assert_eq!(stream.push(0xe6), None);
    assert_eq!(stream.push(b'a'.into()).as_deref(), Some("\u{fffd}a"));
    assert_eq!(stream.push(0xf0), None);
    assert_eq!(stream.finish().as_deref(), Some("\u{fffd}"));
    assert_eq!(stream.finish(), None);
    assert_eq!(tokenizer.decode(&[0xe6, 0x61, 0xf0, 9999]), "\u{fffd}a\u{fffd}");
}

#[test]
fn a_space_prefix_goes_in_and_comes_out_again() {
    let tokens = ["<unk>", "▁", "a", "▁a", "</s>"];
    let mut v = sentencepiece(&tokens, &[0.0, -1.0, -2.0, -0.5, 0.0]);
    v.types = vec![TokenType::Normal; 5];
    v.types[4] = TokenType::Control;
    v.add_space_prefix = true;
    let tokenizer = Tokenizer::from_vocabulary(v).unwrap();
    assert_eq!(tokenizer.encode("a a", Special::Text, false), [3, 3]);
    assert_eq!(tokenizer.decode(&[3, 3]), "a a");
    assert_eq!(tokenizer.encode("a</s>a", Special::Parse, false), [3, 4, 3]);
    assert_eq!(tokenizer.piece(3).as_deref(), Some("▁a"));
    assert_eq!(tokenizer.piece_bytes(3), b" a");
}

#[test]
fn a_million_letters_without_a_space_are_encoded_in_good_time() {
    let tokens = ["<unk>", "a", "aa", "aaaa", "aaaaaaaa"];
    let tokenizer =
        Tokenizer::from_vocabulary(sentencepiece(&tokens, &[0.0, -9.0, -3.0, -2.0, -1.0])).unwrap();
    let ids = tokenizer.encode(&"a".repeat(1 << 20), Special::Text, false);
    // A quadratic merge loop would run for hours here.
    assert_eq!(ids, vec![4; 1 << 17]);
}
