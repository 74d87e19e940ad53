//! `polymath corpus` from outside: from folders of text to shards, the fields of its JSON, and bad input.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

fn polymath(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_polymath")).args(arguments).output().expect("polymath runs")
}

fn document(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

/// Prose that the rules keep: sentences of common words in another order each time, the same for every run.
fn prose(seed: u64) -> String {
    let adjectives = "old young quiet small bright heavy narrow early broken gentle distant green";
    let nouns =
        "gardener sailor teacher letter harbour winter baker river window story market forest";
    let verbs =
        "remembered painted followed carried described watched opened crossed promised repaired";
    let mut state = seed + 1;
    let mut pick = |words: &str| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let words: Vec<&str> = words.split(' ').collect();
        words[(state >> 33) as usize % words.len()].to_string()
    };
    let mut sentence = || {
        let [a, b, c] = [(); 3].map(|()| format!("{} {}", pick(adjectives), pick(nouns)));
        format!("The {a} {} that {b} and {} to be with {c}.", pick(verbs), pick(verbs))
    };
    (0..9).map(|_| sentence()).collect::<Vec<_>>().join(" ")
}

fn write_sources(folder: &Path) {
    let texts = folder.join("texts");
    fs::create_dir_all(texts.join("below")).unwrap();
    for i in 0..30 {
        fs::write(texts.join(format!("{i:02}.txt")), prose(i)).unwrap();
    }
    fs::write(texts.join("below/copy.txt"), prose(3)).unwrap();
    fs::write(texts.join("below/short.md"), "The committee that meets on Thursday has decided to keep both gardens open for children, \
         neighbours and visitors until late autumn, because nobody could think of any better use and because \
         flowers do not ask who pays.").unwrap();
    fs::write(texts.join("page.html"), format!("<html><body><p>{}</p></body></html>", prose(77)))
        .unwrap();
    let contact = format!("{} Write to jane.roe@example.org.", prose(78));
    fs::write(texts.join("contact.txt"), contact).unwrap();
    let mut lines = String::new();
    for i in 100..110 {
        lines += &format!("{}\n", json!({"body": prose(i)}));
    }
    lines += "{\"body\": torn\n{\"other\": 1}\n";
    let archive = fs::File::create(folder.join("lines.jsonl.gz")).unwrap();
    let mut archive = flate2::write::GzEncoder::new(archive, flate2::Compression::fast());
    archive.write_all(lines.as_bytes()).unwrap();
    archive.finish().unwrap();
    let torn = fs::read(folder.join("lines.jsonl.gz")).unwrap();
    fs::write(folder.join("torn.jsonl.gz"), &torn[..torn.len() / 2]).unwrap();
    let chat = json!({"messages": [
        {"role": "user", "content": "Where is the harbour?"},
        {"role": "assistant", "content": "Behind the garden."},
    ]});
    fs::write(folder.join("chat.jsonl"), format!("{chat}\n")).unwrap();
}

fn description(folder: &Path, output: &str) -> String {
    let path = folder.join(format!("{output}.toml"));
    let text = format!(
        r#"
[[source]]
kind = "text"
name = "texts"
paths = ["texts"]

[[source]]
kind = "jsonl"
paths = ["lines.jsonl.gz", "torn.jsonl.gz"]
field = "body"

[[source]]
kind = "chat"
paths = ["chat.jsonl"]

[output]
dir = "{output}"

[quality]
[language]
keep = ["eng"]
[private]
[hazard]

[tokenizer]
vocab_size = 400

[shards]
sequence_length = 64
held_out = 0.1
"#
    );
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_string()
}

#[test]
fn a_corpus_is_built_from_folders_archives_and_conversations_and_can_be_inspected() {
    let folder = tempfile::tempdir().unwrap();
    write_sources(folder.path());
    let built = document(&polymath(&[
        "corpus",
        "build",
        &description(folder.path(), "one"),
        "--json",
        "--threads",
        "1",
    ]));
    for field in ["documents_in", "documents_out", "tokens", "bytes"] {
        assert!(built[field].as_u64().expect(field) > 0, "{field}");
    }
    assert!(built["bytes_per_s"].as_f64().expect("bytes_per_s") > 0.0);
    assert_eq!(built["dropped"]["gopher_quality/gopher_short_doc"], 1);
    assert!(built["dropped"]["duplicates/exact"].as_u64().expect("copies") >= 1);
    assert_eq!(built["masked"]["mail"], 1);
    // Two bad lines, and the archive that ends too soon.
    assert!(built["faults"].as_u64().expect("faults") >= 3, "{}", built["fault_examples"]);
    let dropped: u64 =
        built["dropped"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(
        built["documents_in"].as_u64().unwrap(),
        built["documents_out"].as_u64().unwrap() + dropped
    );

    let one = folder.path().join("one");
    let inspected = document(&polymath(&["corpus", "inspect", one.to_str().unwrap(), "--json"]));
    assert_eq!(inspected["tokens"], built["tokens"]);
    assert_eq!(inspected["dropped"], built["dropped"]);
    assert_eq!(inspected["verified"], true);
    assert!(inspected["documents"][0].as_str().expect("a document").len() > 10);

    // Another number of threads makes the same data.
    let again = document(&polymath(&[
        "corpus",
        "build",
        &description(folder.path(), "two"),
        "--json",
        "--threads",
        "3",
    ]));
    assert_eq!(again["fingerprints"], built["fingerprints"]);
    assert_eq!(again["dropped"], built["dropped"]);
}

#[test]
fn what_cannot_be_built_is_said_with_a_way_out_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    write_sources(folder.path());
    let path = description(folder.path(), "out");
    let refused = |change: &dyn Fn(String) -> String, expected: &str| {
        let original = fs::read_to_string(&path).unwrap();
        fs::write(&path, change(original.clone())).unwrap();
        let output = polymath(&["corpus", "build", &path]);
        fs::write(&path, original).unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(expected), "{said}");
        assert!(!folder.path().join("out").exists() && !folder.path().join("out.partial").exists());
    };
    refused(&|text| text.replace("\"texts\"]", "\"nowhere\"]"), "cannot read");
    refused(&|text| text.replace("vocab_size = 400", "vocab_size = 7"), "at least 265");
    refused(&|text| text.replace("[quality]", "[qualiti]"), "qualiti");
    // Nothing passes: English where German is kept, and no conversation.
    let nothing_passes = |text: String| {
        let chat = "kind = \"chat\"\npaths = [\"chat.jsonl\"]";
        let german = "keep = [\"deu\"]\nmin_confidence = 0.0";
        text.replace(chat, "kind = \"text\"\npaths = [\"texts\"]")
            .replace("keep = [\"eng\"]", german)
    };
    refused(&nothing_passes, "no document is left");
}

#[test]
fn a_damaged_corpus_is_named_by_inspect() {
    let folder = tempfile::tempdir().unwrap();
    write_sources(folder.path());
    let built = polymath(&["corpus", "build", &description(folder.path(), "out"), "--json"]);
    document(&built);
    let out = folder.path().join("out");
    let tokens = out.join("tokens-00000.bin");
    let mut bytes = fs::read(&tokens).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&tokens, bytes).unwrap();
    let output = polymath(&["corpus", "inspect", out.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("tokens-00000.bin has changed") && said.contains("build the corpus again"),
        "{said}"
    );
}

/// From probability 0 on everything is called hazardous: all that is, and all that is not. That holds of the texts kept
/// apart and of those brought along.
#[test]
fn the_threshold_of_the_hazard_classifier_counts_for_every_row_and_is_told() {
    let set = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/hazard/xstest.jsonl");
    let set = set.to_str().unwrap();
    let asked = |threshold: &str| {
        let told = document(&polymath(&[
            "corpus",
            "hazard",
            set,
            "--test",
            set,
            "--threshold",
            threshold,
            "--json",
        ]));
        let rows = told["results"].as_array().expect("rows").clone();
        assert_eq!(rows.len(), 3);
        assert!(rows[2]["judge"] == "terms" && rows[2]["threshold"].is_null(), "{rows:?}");
        rows[..2].iter().for_each(|row| assert_eq!(row["judge"], "classifier"));
        [rows[0].clone(), rows[1].clone()]
    };
    let share = |row: &Value, name: &str| row["measured"][name].as_f64().expect("share");
    let thresholds = [("0", 0.0), ("0.5", 0.5), ("0.75", 0.75)];
    let (mut before, mut at_half) = ([(1.0, 1.0); 2], (1.0, 1.0));
    for (text, threshold) in thresholds {
        for (at, row) in asked(text).iter().enumerate() {
            assert_eq!(row["threshold"], threshold);
            let now = (share(row, "recall"), share(row, "false_alarms"));
            if threshold == 0.0 {
                assert_eq!(now, (1.0, 1.0), "{row}");
            }
            if threshold == 0.5 && at == 0 {
                at_half = now;
            }
            assert!(now.0 <= before[at].0 && now.1 <= before[at].1, "{row} after {before:?}");
            before[at] = now;
        }
    }
    assert!(before[0] != at_half, "half of the set is made to sound harmful: {before:?}");
    let table = polymath(&["corpus", "hazard", set, "--threshold", "0.75"]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(table.contains("threshold") && table.contains("0.75"), "{table}");
    let wrong = polymath(&["corpus", "hazard", set, "--threshold", "75"]);
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(wrong.status.code() == Some(1) && said.contains("--threshold is 75"), "{said}");
}
