//! From sources to shards: damage is named and passed over, and what counts is marked.

use corpus::build::{self, build};
use corpus::config::Config;
use corpus::shards::Shards;
use corpus::tokenizer::{Special, Tokenizer};
use corpus::{Error, read};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::fs;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

fn config(folder: &Path, text: &str) -> Config {
    let path = folder.join("corpus.toml");
    fs::write(&path, text).unwrap();
    Config::read(&path).unwrap()
}

/// Everything that a source gives: texts, and faults.
fn read_all(config: &Config) -> (Vec<String>, Vec<read::Fault>) {
    let (mut texts, mut faults) = (Vec::new(), Vec::new());
    for (number, source) in config.sources.iter().enumerate() {
        read::read(number, source, &mut |found| {
            match found {
                read::Found::Raw(raw) => {
                    let place = raw.place.clone();
                    match raw.decode() {
                        Ok(read::Body::Text(text)) => texts.push(text),
                        Ok(read::Body::Chat(messages)) => {
                            texts.push(format!("{} messages", messages.len()));
                        }
                        Err(problem) => faults.push(read::Fault { place, problem }),
                    }
                }
                read::Found::Fault(fault) => faults.push(fault),
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    }
    (texts, faults)
}

fn source_only(folder: &Path, source: &str) -> Config {
    config(
        folder,
        &format!("[[source]]\n{source}\n[output]\ndir = \"out\"\n[tokenizer]\nvocab_size = 300\n"),
    )
}

fn write_parquet(path: &Path, texts: &[Option<&str>]) {
    let schema = parse_message_type("message m { required int64 n; optional binary text (UTF8); }");
    let properties = WriterProperties::builder()
        .set_compression(parquet::basic::Compression::ZSTD(Default::default()))
        .build();
    let file = fs::File::create(path).unwrap();
    let mut writer =
        SerializedFileWriter::new(file, Arc::new(schema.unwrap()), Arc::new(properties)).unwrap();
    for group in texts.chunks(2) {
        let mut rows = writer.next_row_group().unwrap();
        let mut column = rows.next_column().unwrap().unwrap();
        let numbers: Vec<i64> = (0..group.len() as i64).collect();
        column.typed::<parquet::data_type::Int64Type>().write_batch(&numbers, None, None).unwrap();
        column.close().unwrap();
        let mut column = rows.next_column().unwrap().unwrap();
        let values: Vec<ByteArray> =
            group.iter().flatten().map(|&text| ByteArray::from(text)).collect();
        let levels: Vec<i16> = group.iter().map(|text| i16::from(text.is_some())).collect();
        column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None).unwrap();
        column.close().unwrap();
        rows.close().unwrap();
    }
    writer.close().unwrap();
}

#[test]
fn a_parquet_column_is_read_and_missing_values_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    write_parquet(&path, &[Some("one"), None, Some("three"), Some("vier ö"), Some("five")]);
    let text = source_only(folder.path(), "kind = \"parquet\"\npaths = [\"t.parquet\"]");
    assert_eq!(
        read_all(&text),
        (["one", "three", "vier ö", "five"].map(String::from).into(), Vec::new())
    );
    let numbers =
        source_only(folder.path(), "kind = \"parquet\"\npaths = [\"t.parquet\"]\nfield = \"n\"");
    assert!(read_all(&numbers).1[0].problem.contains("no text"));
    let none =
        source_only(folder.path(), "kind = \"parquet\"\npaths = [\"t.parquet\"]\nfield = \"body\"");
    assert!(read_all(&none).1[0].problem.contains("no column `body`"));
}

#[test]
fn damaged_files_of_every_kind_are_named_and_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let parquet = folder.path().join("whole.parquet");
    let texts = ["some words", "and some more words", "the end of it"];
    write_parquet(&parquet, &texts.map(Some));
    let lines = texts.map(|text| format!("{{\"text\": \"{text}\"}}\n")).concat();
    let zst = zstd::encode_all(lines.as_bytes(), 3).unwrap();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(lines.as_bytes()).unwrap();
    let gz = gz.finish().unwrap();
    let files = [
        ("parquet", "d.parquet", fs::read(&parquet).unwrap()),
        ("jsonl", "d.jsonl.zst", zst),
        ("jsonl", "d.jsonl.gz", gz),
        ("jsonl", "d.jsonl", lines.into_bytes()),
    ];
    for (kind, name, whole) in files {
        let path = folder.path().join(name);
        let source =
            source_only(folder.path(), &format!("kind = \"{kind}\"\npaths = [\"{name}\"]"));
        fs::write(&path, &whole).unwrap();
        assert_eq!(read_all(&source).0, texts, "{name}");
        for cut in (1..whole.len()).step_by(5) {
            fs::write(&path, &whole[..cut]).unwrap();
            let (found, faults) = read_all(&source);
            assert!(found.len() <= 3, "{name}");
            // A plain file cut between two lines is only shorter.
            assert!(found.len() == 3 || !faults.is_empty() || name == "d.jsonl", "{name} at {cut}");
            let mut flipped = whole.clone();
            flipped[cut] ^= 0x55;
            fs::write(&path, &flipped).unwrap();
            read_all(&source);
        }
    }
}

#[test]
fn only_what_the_assistant_says_counts() {
    let folder = tempfile::tempdir().unwrap();
    let line = serde_json::json!({"messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Two plus two?"},
        {"role": "assistant", "content": "Four."},
        {"role": "user", "content": "And one more? <|im_end|>"},
        {"role": "assistant", "content": "Five, jo@example.org."},
    ]});
    fs::write(folder.path().join("chat.jsonl"), format!("{line}\n")).unwrap();
    let config = config(
        folder.path(),
        "[[source]]\nkind = \"chat\"\npaths = [\"chat.jsonl\"]\n[output]\ndir = \"out\"\n[private]\n\
         [tokenizer]\nvocab_size = 300\n[shards]\nsequence_length = 400\n",
    );
    let report = build(&config, 2, &mut |_| ()).unwrap();
    assert_eq!((report.documents_in, report.documents_out, report.masked.mail), (1, 1, 1));
    let shards = Shards::open(&folder.path().join("out")).unwrap();
    let tokenizer = Tokenizer::from_json(&fs::read(shards.tokenizer_path()).unwrap()).unwrap();
    assert_eq!(shards.vocab_size(), tokenizer.vocab_size());
    let sequence = shards.sequence(0).unwrap();
    let counted = sequence.counted.unwrap();
    let pieces = |counts: bool| -> String {
        let tokens = sequence.tokens.iter().zip(&counted).filter(|(_, c)| **c == counts);
        tokens
            .map(|(&token, _)| String::from_utf8_lossy(&tokenizer.piece_bytes(token)).into_owned())
            .collect()
    };
    assert_eq!(pieces(true), "Four.<|im_end|>Five, [mail address].<|im_end|>");
    assert!(
        pieces(false).contains(
            "<|im_start|>assistant\n\n<|im_start|>user\nAnd one more? <|im_end|><|im_end|>"
        )
    );
    // The letters of a control token inside a message are letters.
    let end = tokenizer.encode("<|im_end|>", Special::Parse, false)[0];
    assert_eq!(sequence.tokens.iter().filter(|&&token| token == end).count(), 5);
}

#[test]
fn near_copies_and_evaluation_texts_are_dropped_and_the_held_out_share_is_apart() {
    let folder = tempfile::tempdir().unwrap();
    let texts = folder.path().join("texts");
    fs::create_dir(&texts).unwrap();
    // Words of three letters in an order of its own for each text.
    let text = |seed: u64| -> String {
        let mut state = seed + 1;
        let mut letter = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            char::from(b'a' + ((state >> 33) % 20) as u8)
        };
        (0..80).map(|_| [letter(), letter(), letter(), ' '].iter().collect::<String>()).collect()
    };
    for seed in 0..40 {
        fs::write(texts.join(format!("{seed:02}.txt")), text(seed)).unwrap();
    }
    fs::write(texts.join("near.txt"), text(7) + "and a little more").unwrap();
    let quiz: String = text(9).split(' ').skip(30).take(20).collect::<Vec<_>>().join(" ");
    fs::write(folder.path().join("quiz.txt"), quiz).unwrap();
    let config = config(
        folder.path(),
        "[[source]]\nkind = \"text\"\npaths = [\"texts\"]\n[output]\ndir = \"out\"\n\
         [decontaminate]\nagainst = [\"quiz.txt\"]\n\
         [tokenizer]\nvocab_size = 300\n[shards]\nsequence_length = 50\nheld_out = 0.1\n",
    );
    let report = build(&config, 2, &mut |_| ()).unwrap();
    assert_eq!(report.dropped["duplicates/near"], 1);
    assert_eq!(report.dropped["evaluation/quiz.txt"], 1);
    assert_eq!((report.documents_in, report.documents_out), (41, 39));
    assert_eq!(report.held_out.documents, 4);
    let out = folder.path().join("out");
    let held_out = Shards::open(&out.join(build::HELD_OUT)).unwrap();
    assert_eq!(held_out.n_tokens(), report.held_out.tokens);
    assert_eq!(held_out.n_tokens() + Shards::open(&out).unwrap().n_tokens(), report.tokens);
    // A second build does not overwrite the first.
    assert!(matches!(build(&config, 1, &mut |_| ()), Err(Error::OutputExists { .. })));
}
