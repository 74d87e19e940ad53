//! `tokenizer.json`: special tokens are cut out here, not in the library that runs the rest, and nothing
//! changes by that. The expected ids are those of Python's `tokenizers` 0.23 on the same file.

use corpus::Error;
use corpus::tokenizer::{Roles, Special, Tokenizer};

const FILE: &str = include_str!("reference/metaspace_first.json");

#[test]
fn special_tokens_are_found_as_the_library_finds_them() {
    let tokenizer = Tokenizer::from_json(FILE.as_bytes()).unwrap();
    for (text, ids, decoded) in [
        ("ab b", &[1, 7, 13, 2][..], "ab b"),
        ("ab</s>ab", &[1, 7, 2, 8, 2], "abab"),
        ("</s>ab", &[1, 2, 8, 2], "ab"),
        (" ab", &[1, 7, 2], "ab"),
        ("a  <mask>b", &[1, 6, 14, 5, 2], "ab"),
        ("abBOXab", &[1, 7, 15, 8, 2], "abBOXab"),
        ("zz</s>", &[1, 3, 0, 2, 2], ""),
        ("", &[1, 2], ""),
    ] {
        assert_eq!(tokenizer.encode(text, Special::Parse, true), ids, "{text}");
        assert_eq!(tokenizer.decode(ids), decoded, "{text}");
    }
}

#[test]
fn in_plain_text_the_name_of_a_special_token_is_letters() {
    let tokenizer = Tokenizer::from_json(FILE.as_bytes()).unwrap();
    // `<`, `/`, `s`, `>` are pieces 10, 12, 9, 11; `BOX` is no control token and stays whole.
    assert_eq!(tokenizer.encode("ab</s>ab", Special::Text, false), [7, 10, 12, 9, 11, 8]);
    assert_eq!(tokenizer.encode("abBOXab", Special::Text, false), [7, 15, 8]);
}

#[test]
fn roles_are_guessed_and_can_be_corrected() {
    let tokenizer = Tokenizer::from_json(FILE.as_bytes()).unwrap();
    assert_eq!((tokenizer.bos(), tokenizer.eos(), tokenizer.unk()), (Some(1), Some(2), Some(0)));
    assert!(tokenizer.is_special(14) && !tokenizer.is_special(15));
    let corrected =
        tokenizer.with_roles(Roles { eos: Some(14), bos: Some(99), ..Roles::default() });
    assert_eq!(
        (corrected.bos(), corrected.eos()),
        (Some(1), Some(14)),
        "an id out of range is not taken"
    );
}

#[test]
fn damaged_files_are_errors() {
    let halves = FILE.char_indices().map(|(at, _)| &FILE[..at]).step_by(97);
    for damaged in halves.chain(["", "{}", "[]", "null"]) {
        assert!(matches!(Tokenizer::from_json(damaged.as_bytes()), Err(Error::Json(_))));
    }
    let odd = FILE.replace("\"type\": \"Unigram\"", "\"type\": 7");
    assert!(matches!(Tokenizer::from_json(odd.as_bytes()), Err(Error::Json(_))));
    // The library panics on this one; its message on stderr is expected here.
    let mut value: serde_json::Value = serde_json::from_str(FILE).unwrap();
    value["decoder"] = 7.into();
    assert!(matches!(Tokenizer::from_json(value.to_string().as_bytes()), Err(Error::Json(_))));
    // And on a merge that makes a longer piece than there is (found by fuzzing).
    let long = r#"{"version":"1.0","added_tokens":[],"model":{"type":"BPE","vocab":{"a":9,"b":0},"merges":["a b"]}}"#;
    assert!(matches!(Tokenizer::from_json(long.as_bytes()), Err(Error::Json(_))));
    let far = FILE.replace("\"id\": 15", "\"id\": 4000000000");
    // The library numbers added tokens itself; whatever it does, no table of four billion is made.
    if let Ok(tokenizer) = Tokenizer::from_json(far.as_bytes()) {
        assert!(tokenizer.vocab_size() < 100);
    }
}
