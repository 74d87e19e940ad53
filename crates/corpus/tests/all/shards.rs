//! Shards on disk: what goes in comes out, and what is damaged is refused.

use corpus::Error;
use corpus::shards::{Document, Order, Shards, Staging, WriteOptions, Writer, write};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

fn documents(lengths: &[usize]) -> Vec<Document> {
    let mut next = 0;
    let document = |&n: &usize| {
        let tokens: Vec<u32> = (next..next + n as u32).collect();
        next += n as u32;
        let counted = Some(tokens.iter().map(|token| token % 3 == 0).collect());
        Document { tokens, counted }
    };
    lengths.iter().map(document).collect()
}

fn sample(directory: &Path) -> Shards {
    let options = WriteOptions::new(5000, 64);
    write(directory, options, Some(b"{}"), documents(&[10, 200, 64, 3, 130, 1, 50])).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn every_token_and_mark_comes_back_once(
        lengths in prop::collection::vec(0_usize..300, 1..40),
        length in 1_u32..100,
        wide: bool,
        with_counted: bool,
    ) {
        prop_assume!(lengths.iter().sum::<usize>() > 0);
        let folder = tempfile::tempdir().unwrap();
        let vocab_size = if wide { 1 << 17 } else { 1 << 16 };
        let options = WriteOptions {
            counted: with_counted,
            file_bytes: 1 << 16,
            ..WriteOptions::new(vocab_size, length)
        };
        let shards = write(&folder.path().join("s"), options, None, documents(&lengths)).unwrap();
        shards.verify().unwrap();
        let mut seen = BTreeMap::new();
        for idx in 0..shards.n_sequences() {
            let sequence = shards.sequence(idx).unwrap();
            prop_assert!(sequence.tokens.len() <= length as usize);
            prop_assert_eq!(sequence.counted.is_some(), with_counted);
            for (at, &token) in sequence.tokens.iter().enumerate() {
                let counts = sequence.counted.as_ref().map(|counted| counted[at]);
                prop_assert!(counts.is_none_or(|counts| counts == (token % 3 == 0)));
                prop_assert!(seen.insert(token, ()).is_none(), "token {} twice", token);
            }
        }
        prop_assert_eq!(seen.len(), lengths.iter().sum::<usize>());
        prop_assert_eq!(shards.n_tokens(), seen.len() as u64);
    }
}

#[test]
fn the_same_documents_give_the_same_fingerprint_and_others_another() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| sample(&folder.path().join(name)));
    assert_eq!(a.fingerprint(), b.fingerprint());
    let other = write(
        &folder.path().join("c"),
        WriteOptions::new(5000, 64),
        Some(b"{}"),
        documents(&[10, 200, 64, 3, 130, 1, 51]),
    );
    assert_ne!(a.fingerprint(), other.unwrap().fingerprint());
}

#[test]
fn two_workers_and_one_read_the_same_sequences() {
    let folder = tempfile::tempdir().unwrap();
    let shards = sample(&folder.path().join("s"));
    let order = Order::new(shards.n_sequences(), 9);
    let read = |position: u64| shards.sequence(order.at(position)).unwrap();
    let alone: Vec<_> = (0..20).map(read).collect();
    let (even, odd): (Vec<_>, Vec<_>) =
        ((0..20).step_by(2).map(read).collect(), (1..20).step_by(2).map(read).collect());
    let together: Vec<_> = even.into_iter().zip(odd).flat_map(|(a, b)| [a, b]).collect();
    assert_eq!(alone, together);
}

#[test]
fn a_file_cut_at_any_length_is_refused_at_opening() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("s");
    sample(&directory);
    for name in ["tokens-00000.bin", "index.bin", "shards.json", "tokenizer.json"] {
        let path = directory.join(name);
        let whole = fs::read(&path).unwrap();
        for keep in (0..whole.len()).step_by(7) {
            fs::write(&path, &whole[..keep]).unwrap();
            let error = Shards::open(&directory).expect_err(name);
            assert!(matches!(error, Error::Shards { .. }), "{name} at {keep}: {error}");
        }
        fs::write(&path, &whole).unwrap();
    }
    assert!(Shards::open(&directory).is_ok());
}

#[test]
fn a_flipped_bit_anywhere_is_found_by_verify_and_never_panics() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("s");
    sample(&directory);
    for name in ["tokens-00000.bin", "index.bin", "shards.json"] {
        let path = directory.join(name);
        let whole = fs::read(&path).unwrap();
        for at in (0..whole.len()).step_by(5) {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            fs::write(&path, &flipped).unwrap();
            // White space in the manifest may change without harm: the data is still what it says.
            let Ok(shards) = Shards::open(&directory) else { continue };
            for idx in 0..shards.n_sequences() {
                let _ = shards.sequence(idx);
            }
            let blank = name == "shards.json" && whole[at].is_ascii_whitespace();
            assert!(blank || shards.verify().is_err(), "{name}, byte {at}");
        }
        fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn an_unfinished_directory_is_not_taken_for_a_whole_one_and_the_next_build_clears_it() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("s");
    let staging = Staging::begin(&target, false).unwrap();
    let mut writer = Writer::create(staging.path(), WriteOptions::new(100, 8)).unwrap();
    writer.push(&[1, 2, 3], None).unwrap();
    let partial = staging.path().to_path_buf();
    // A killed process runs no destructors.
    std::mem::forget(writer);
    assert!(matches!(Staging::begin(&target, false), Err(Error::OutputBusy { .. })));
    assert!(Shards::open(&partial).is_err());
    assert!(Shards::open(&target).is_err());
    drop(staging);
    fs::create_dir_all(&partial).unwrap();
    fs::write(partial.join("tokens-00000.bin"), b"torn").unwrap();
    sample(&target).verify().unwrap();
    assert!(!partial.exists());
}

#[test]
fn an_output_that_exists_is_replaced_only_on_request_and_only_if_it_is_a_corpus() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("s");
    sample(&target);
    assert!(matches!(Staging::begin(&target, false), Err(Error::OutputExists { .. })));
    let staging = Staging::begin(&target, true).unwrap();
    let mut writer = Writer::create(staging.path(), WriteOptions::new(100, 8)).unwrap();
    writer.push(&[1, 2, 3], None).unwrap();
    writer.finish(None).unwrap();
    staging.commit().unwrap();
    assert_eq!(Shards::open(&target).unwrap().n_tokens(), 3);
    let photos = folder.path().join("photos");
    fs::create_dir(&photos).unwrap();
    fs::write(photos.join("cat.jpg"), b"cat").unwrap();
    assert!(matches!(Staging::begin(&photos, true), Err(Error::OutputExists { .. })));
}

#[test]
fn a_token_outside_the_vocabulary_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let documents = [Document { tokens: vec![1, 99, 2], counted: None }];
    let error = write(&folder.path().join("s"), WriteOptions::new(50, 8), None, documents);
    assert!(matches!(error, Err(Error::Token { token: 99, vocab_size: 50 })));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
