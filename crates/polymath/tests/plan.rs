//! `polymath plan` from outside: the fields of its JSON, and errors that name line and way out.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn polymath(arguments: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    Command::new(env!("CARGO_BIN_EXE_polymath"))
        .current_dir(root)
        .args(arguments)
        .output()
        .expect("polymath runs")
}

fn json(arguments: &[&str]) -> Value {
    let output = polymath(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

#[test]
fn plan_predict_gives_each_row_a_prediction_or_a_reason() {
    let document =
        json(&["plan", "predict", "--runs", "crates/plan/data/published_runs.tsv", "--json"]);
    let rows = document["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 313);
    for row in rows {
        assert!(row["id"].is_string());
        if row["reason"].is_null() {
            assert!(row["step_s"].as_f64().expect("step_s") > 0.0);
            assert!(row["mfu_pct"].as_f64().expect("mfu_pct") > 0.0);
            assert!(row["memory_gb"].is_f64() && row["fits"].is_boolean());
            assert!(row["breakdown"]["matmul_s"].is_f64());
        }
    }
}

#[test]
fn plan_search_gives_layouts_with_time_money_energy_and_failures() {
    let document =
        json(&["plan", "search", "examples/plan/moe-1t.toml", "--why", "tp=8,pp=4", "--json"]);
    let best = &document["best"][0];
    for field in ["step_s", "memory_gb", "mfu_pct", "days", "dollars", "kwh", "kgco2e", "failures"]
    {
        assert!(best[field].as_f64().expect(field) > 0.0, "{field}");
    }
    assert!(document["layouts_per_s"].is_f64() && document["why"]["reason"].is_string());
    assert!(document["flags"]["megatron"].is_string());
}

#[test]
fn plan_timeline_gives_models_by_month_and_a_verdict_for_each_claim() {
    let document = json(&["plan", "timeline", "examples/plan/inflection.toml", "--json"]);
    let months = document["months"].as_array().expect("months");
    assert_eq!(months.len(), 34);
    assert!(months[0]["dense"]["active_parameters"].as_f64().expect("a size") > 1e11);
    let verdicts: Vec<bool> = document["claims"]
        .as_array()
        .expect("claims")
        .iter()
        .map(|claim| claim["feasible"].as_bool().expect("a verdict"))
        .collect();
    assert_eq!(verdicts, [true, false, false, true]);
}

#[test]
fn a_bad_plan_is_an_error_with_line_and_way_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("plan.toml");
    std::fs::write(&path, "[cluster]\nchip = \"H100\"\nchips = \"many\"\n").expect("written");
    let output = polymath(&["plan", "search", path.to_str().expect("a path")]);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1));
    for word in ["line 3, column 9", "cluster.chips", "chips = 16384", "examples/plan"] {
        assert!(message.contains(word), "{word}: {message}");
    }
}
