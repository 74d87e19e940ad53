//! `polymath eval` as scripts use it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden").join(name)
}

/// The tiny Llama of `golden/` with a tokenizer, in a folder of its own.
fn model(folder: &Path) -> String {
    for file in ["llama-tiny/config.json", "llama-tiny/model.safetensors"]
        .iter()
        .chain(&["eval/plain/tokenizer.json", "eval/plain/tokenizer_config.json"])
    {
        let from = golden(file);
        std::fs::copy(&from, folder.join(from.file_name().expect("a name"))).expect("a copy");
    }
    folder.display().to_string()
}

fn run(home: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_polymath"))
        .arg("eval")
        .args(arguments)
        .env("POLYMATH_HOME", home)
        .env("POLYMATH_OFFLINE", "1")
        .output()
        .expect("polymath starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn tasks_give_their_metrics_with_errors_and_a_line_per_document() {
    let home = tempfile::tempdir().expect("a folder");
    let model = model(home.path());
    let data = golden("eval/data").display().to_string();
    let samples = home.path().join("samples.jsonl").display().to_string();
    let arguments = ["--model", &model, "arc_easy", "blimp", "--data", &data, "--limit", "2"];
    let output = run(home.path(), &[&arguments[..], &["--json", "--samples", &samples]].concat());
    assert!(output.status.success(), "{}", said(&output));
    let document: Value = serde_json::from_slice(&output.stdout).expect("one document");
    let results = document["results"].as_array().expect("results");
    // Two metrics of arc_easy, the set of pairs, and each of its 67 parts.
    assert_eq!(results.len(), 2 + 1 + 67);
    for result in results {
        for key in ["task", "metric", "value", "stderr", "n"] {
            assert!(!result[key].is_null(), "{key} of {result}");
        }
    }
    let first = |task: &str| results.iter().find(|result| result["task"] == task).expect("a row");
    assert_eq!((&first("arc_easy")["metric"], &first("arc_easy")["n"]), (&"acc".into(), &2.into()));
    let parts = results.iter().filter(|result| result["task"] != "blimp").skip(2);
    let mean = parts.map(|part| part["value"].as_f64().expect("a number")).sum::<f64>() / 67.0;
    assert!((first("blimp")["value"].as_f64().expect("a number") - mean).abs() < 1e-12);
    assert_eq!(document["tasks"].as_array().map(Vec::len), Some(68));
    let log = std::fs::read_to_string(&samples).expect("the log");
    assert_eq!(log.lines().count(), 2 * 68);
}

#[test]
fn a_wrong_task_is_wrong_usage_and_missing_data_says_how_to_get_it() {
    let home = tempfile::tempdir().expect("a folder");
    let model = model(home.path());
    let output = run(home.path(), &["--model", &model, "helaswag"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("did you mean hellaswag"), "{}", said(&output));
    let output = run(home.path(), &["--model", &model, "hellaswag"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("Rowan/hellaswag"), "{}", said(&output));
    // A task without a model, a model without a task.
    for arguments in [&["hellaswag"][..], &["--model", &model]] {
        assert_eq!(run(home.path(), arguments).status.code(), Some(2));
    }
}

#[test]
fn the_list_names_the_tasks_and_whose_data_is_here() {
    let home = tempfile::tempdir().expect("a folder");
    let output = run(home.path(), &["--list", "--json"]);
    assert!(output.status.success(), "{}", said(&output));
    let document: Value = serde_json::from_slice(&output.stdout).expect("one document");
    let tasks = document["tasks"].as_array().expect("tasks");
    let find = |name: &str| tasks.iter().find(|task| task["task"] == name).expect("the task");
    assert_eq!(find("blimp")["carried_licence"], "CC BY 4.0");
    assert_eq!(find("gsm8k")["carried_licence"], "MIT");
    assert!(find("hellaswag")["carried_licence"].is_null());
}
