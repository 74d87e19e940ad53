//! From text to a mixture of experts that other programs run: corpus, training, GGUF, llama.cpp.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn polymath(folder: &Path, arguments: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_polymath"))
        .args(arguments)
        .current_dir(folder)
        .env("POLYMATH_HOME", folder.join("home"))
        .env("POLYMATH_OFFLINE", "1")
        .output()
        .expect("polymath runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {said}");
    output
}

fn document(folder: &Path, arguments: &[&str]) -> Value {
    serde_json::from_slice(&polymath(folder, arguments).stdout).expect("one JSON document")
}

/// A small mixture of experts that has read this project's documents, in `run/model`.
fn train(folder: &Path) {
    let documents = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let corpus = format!(
        "[[source]]\nname = \"docs\"\nkind = \"text\"\npaths = [{:?}]\nendings = [\"md\"]\nprose = false\n\
         cut_bytes = 2000\n[output]\ndir = \"corpus\"\n[tokenizer]\nvocab_size = 512\n\
         [shards]\nsequence_length = 128\nheld_out = 0.1\n",
        documents.display().to_string()
    );
    std::fs::write(folder.join("corpus.toml"), corpus).expect("written");
    polymath(folder, &["corpus", "build", "corpus.toml"]);
    let run = "run_dir = \"run\"\nseed = 1\n[data]\nshards = \"corpus\"\n[model]\ndepth = 1\nexperts = 8\nactive = 2\n\
         [training]\nsteps = 40\nbatch_tokens = 1024\n[evaluation]\nevery_steps = 1000\n";
    std::fs::write(folder.join("run.toml"), run).expect("written");
    let summary = document(folder, &["train", "run.toml", "--json"]);
    // 512 equally likely tokens cost 6.24 nats.
    assert!(summary["loss"].as_f64().is_some_and(|loss| loss < 5.6), "{summary}");
}

/// Log-probabilities after each token.
fn ours(folder: &Path, model: &str, tokens: &[u32]) -> Vec<Vec<f64>> {
    let list: Vec<String> = tokens.iter().map(u32::to_string).collect();
    let answer =
        document(folder, &["logits", "--model", model, "--tokens", &list.join(","), "--json"]);
    let row = |row: &Value| -> Vec<f64> {
        let row = row.as_array().expect("a row");
        let logits: Vec<f64> = row.iter().map(|x| x.as_f64().expect("a number")).collect();
        let most = logits.iter().copied().fold(f64::MIN, f64::max);
        let sum = most + logits.iter().map(|x| (x - most).exp()).sum::<f64>().ln();
        logits.iter().map(|x| x - sum).collect()
    };
    answer["logits"].as_array().expect("rows").iter().map(row).collect()
}

/// The five likeliest tokens after each one as llama.cpp sees them; `None` where the program is not here.
fn of_llama_cpp(model: &Path, tokens: &[u32]) -> Option<Vec<Vec<(usize, f64)>>> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = std::env::var_os("POLYMATH_TEST_LLAMA")
        .map_or(workspace.join(".cache/llama"), PathBuf::from);
    if !folder.join("node_modules/node-llama-cpp").is_dir() {
        eprintln!("skipped: {} has no node-llama-cpp; `scripts/test` fetches it", folder.display());
        return None;
    }
    let output = Command::new("node")
        .arg(workspace.join("golden/llama_probabilities.mjs"))
        .args([&folder, model])
        .arg(format!("{tokens:?}"))
        .output()
        .expect("node runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).expect("rows of pairs"))
}

#[test]
fn a_model_trained_here_runs_in_llama_cpp_with_the_same_probabilities() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    train(folder);
    let tokens: Vec<u32> = (0..60).map(|i| (i * 37 + 5) % 500).collect();
    let expected = ours(folder, "run/model", &tokens);

    polymath(folder, &["model", "export", "run/model", "--to", "gguf", "model.gguf"]);
    let again = ours(folder, "model.gguf", &tokens);
    let apart = expected.iter().flatten().zip(again.iter().flatten()).map(|(a, b)| (a - b).abs());
    assert!(apart.fold(0.0, f64::max) < 1e-5);
    let answer = document(
        folder,
        &["generate", "--model", "model.gguf", "--prompt", "The", "--max-tokens", "5", "--json"],
    );
    assert_eq!(answer["tokens"].as_array().map(Vec::len), Some(5));

    let Some(theirs) = of_llama_cpp(&folder.join("model.gguf"), &tokens) else { return };
    assert_eq!(theirs.len(), tokens.len());
    for (at, (theirs, ours)) in theirs.iter().zip(&expected).enumerate() {
        for &(token, probability) in theirs {
            let apart = (probability.ln() - ours[token]).abs();
            // It keeps keys and values as half floats.
            assert!(
                apart < 5e-3,
                "after token {at}: {token} has {probability}, here e^{}",
                ours[token]
            );
        }
        let best = (0..ours.len()).fold(0, |best, t| if ours[t] > ours[best] { t } else { best });
        let gap = ours[best] - ours[theirs[0].0];
        assert!(gap < 5e-3, "after token {at}: {best} here, {} there", theirs[0].0);
    }
}
