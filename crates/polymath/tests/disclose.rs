//! `polymath disclose` from outside: the made-up run of golden/ledger in every form, and damaged journals.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/ledger")
}

fn disclose(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_polymath"))
        .arg("disclose")
        .arg(folder)
        .args(arguments)
        .output()
        .expect("polymath runs")
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).expect("text")
}

/// A copy of the run whose journal went through `change`.
fn changed(change: impl Fn(String) -> String) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let text = std::fs::read_to_string(golden().join("journal.jsonl")).expect("a journal");
    std::fs::write(folder.path().join("journal.jsonl"), change(text)).expect("written");
    folder
}

#[test]
fn the_json_form_is_one_document_with_the_counted_totals() {
    let document: Value =
        serde_json::from_str(&said(&disclose(&golden(), &["--format", "json"]))).expect("JSON");
    let totals = std::fs::read(golden().join("totals.json")).expect("totals");
    let totals: Value = serde_json::from_slice(&totals).expect("JSON");
    for (section, id, total) in [
        ("compute", "model_flop", "model_flop"),
        ("compute", "palm_flop", "palm_flop"),
        ("compute", "issued_flop", "issued_flop"),
        ("data", "tokens", "tokens"),
        ("energy", "kwh_at_meter", "kwh_at_meter"),
        ("energy", "co2e_g", "co2e_g"),
    ] {
        let stated = document[section][id]["value"].as_f64().expect(id);
        let counted = totals[total].as_f64().expect(total);
        assert!((stated - counted).abs() <= 1e-12 * counted, "{id}: {stated} is not {counted}");
    }
    assert_eq!(document["journals"][0]["head"], totals["head"]);
}

#[test]
fn the_page_is_the_default_and_a_model_card_begins_with_front_matter() {
    let page = said(&disclose(&golden(), &[]));
    assert!(page.starts_with("# Disclosure: nano-example\n"));
    assert!(page.contains("| model FLOPs | 9.000e12 FLOP | derived:"));
    let card = said(&disclose(&golden(), &["--format", "hf"]));
    assert!(card.starts_with("---\nlicense: \"apache-2.0\"\n"));
    assert!(card.contains("\nco2_eq_emissions:\n  emissions: 0.0369"));
}

#[test]
fn the_spdx_form_holds_the_energy_and_only_its_own_elements() {
    let document: Value =
        serde_json::from_str(&said(&disclose(&golden(), &["--format", "spdx"]))).expect("JSON");
    let graph = document["@graph"].as_array().expect("a graph");
    let model = graph.iter().find(|element| element["type"] == "ai_AIPackage").expect("a model");
    let energy = &model["ai_energyConsumption"]["ai_trainingEnergyConsumption"][0];
    assert!((energy["ai_energyQuantity"].as_f64().expect("kWh") - 0.0013198).abs() < 1e-7);
    let ids: Vec<&Value> = graph.iter().filter_map(|element| element.get("spdxId")).collect();
    let listed =
        graph.iter().find_map(|element| element["element"].as_array()).expect("a document");
    assert!(listed.iter().all(|id| ids.contains(&id)));
}

#[test]
fn experiments_are_stated_apart() {
    let run = golden();
    let other = run.to_str().expect("a path");
    let text = said(&disclose(&run, &["--experiment", other, "--format", "json"]));
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let of = |id: &str| document["compute"][id]["value"].as_f64().expect("a number");
    assert_eq!(of("experiments_issued_flop"), of("issued_flop"));
    assert_eq!(of("cumulative_model_flop"), of("model_flop"));
}

#[test]
fn a_report_in_a_folder_that_the_configuration_names_tells_what_the_corpus_removed() {
    let run = changed(|text| text);
    let corpus = run.path().join("corpus");
    std::fs::create_dir(&corpus).expect("a folder");
    std::fs::write(
        corpus.join("build-report.json"),
        r#"{"dropped":{"too short":4},"hazards_removed":{"terms":2}}"#,
    )
    .expect("written");
    std::fs::write(run.path().join("run.toml"), "[data]\nshards = [\"corpus\"]\n")
        .expect("written");
    let page = said(&disclose(run.path(), &[]));
    assert!(
        page.contains("too short 4") && page.contains("hazardous content | 2 documents"),
        "{page}"
    );
}

#[test]
fn a_missing_or_changed_journal_is_refused_with_its_line() {
    let empty = tempfile::tempdir().expect("a folder");
    let changes = changed(|text| text.replacen("\"tokens\":4095", "\"tokens\":4096", 1));
    for (folder, reason) in [(&empty, "there is no journal"), (&changes, "line 3")] {
        let output = disclose(folder.path(), &["--format", "json"]);
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(complaint.contains(reason), "{complaint}");
    }
}

#[test]
fn an_unfinished_last_line_is_mentioned_and_left_alone() {
    let run = changed(|text| text[..text.len() - 9].to_string());
    let before = std::fs::read(run.path().join("journal.jsonl")).expect("a journal");
    let output = disclose(run.path(), &["--format", "md"]);
    assert!(said(&output).contains("the journal ends in the middle of the run"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("line 85 was never finished"));
    assert_eq!(std::fs::read(run.path().join("journal.jsonl")).expect("a journal"), before);
}

fn polymath(arguments: &[&std::ffi::OsStr]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_polymath")).args(arguments).output().expect("polymath runs")
}

/// A key pair and a signed disclosure of the golden run.
fn signed(folder: &Path) -> [PathBuf; 2] {
    let [key, document] = ["key", "disclosure.json"].map(|name| folder.join(name));
    let made = polymath(&["disclose".as_ref(), "key".as_ref(), key.as_ref()]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let arguments =
        ["--format", "json", "--sign", key.to_str().unwrap(), "--out", document.to_str().unwrap()];
    said(&disclose(&golden(), &arguments));
    [key, document]
}

fn verify(document: &Path, run: &Path, key: &Path) -> Output {
    let key = key.with_extension("pub");
    polymath(&[
        "disclose".as_ref(),
        "verify".as_ref(),
        document.as_ref(),
        "--run".as_ref(),
        run.as_ref(),
        "--public-key".as_ref(),
        key.as_ref(),
    ])
}

#[test]
fn a_signed_disclosure_holds_and_an_altered_one_does_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let [key, document] = signed(folder.path());
    let said = said(&verify(&document, &golden(), &key));
    assert!(
        said.contains("signature: holds") && said.contains("values: all as the journals say"),
        "{said}"
    );

    let text = std::fs::read_to_string(&document).expect("a document");
    let altered = text.replacen("9000000001890.0", "8000000001890.0", 1);
    assert_ne!(text, altered);
    std::fs::write(&document, &altered).expect("written");
    let output = verify(&document, &golden(), &key);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("the signature does not hold"));

    // Without the signature the recount finds it too, and names the place.
    let unsigned = polymath(&[
        "disclose".as_ref(),
        "verify".as_ref(),
        document.as_ref(),
        "--run".as_ref(),
        golden().as_ref(),
    ]);
    assert_eq!(unsigned.status.code(), Some(1));
    let said = String::from_utf8_lossy(&unsigned.stdout);
    assert!(said.contains("compute.model_flop.value: the document says 8000000001890"), "{said}");
}

#[test]
fn a_disclosure_of_another_journal_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let [key, document] = signed(folder.path());
    let shorter = changed(|text| text.lines().take(50).map(|line| format!("{line}\n")).collect());
    let output = verify(&document, shorter.path(), &key);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not one that"));
}

#[test]
fn keys_are_not_overwritten_and_the_secret_one_is_private() {
    let folder = tempfile::tempdir().expect("a folder");
    let [key, _] = signed(folder.path());
    let again = polymath(&["disclose".as_ref(), "key".as_ref(), key.as_ref()]);
    assert_eq!(again.status.code(), Some(1));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&key).expect("a key").permissions().mode() & 0o777, 0o600);
    }
}

/// The program whose format this is, where it is installed.
#[test]
fn minisign_agrees() {
    let folder = tempfile::tempdir().expect("a folder");
    let [key, document] = signed(folder.path());
    let check = || {
        Command::new("minisign")
            .arg("-Vqm")
            .arg(&document)
            .arg("-p")
            .arg(key.with_extension("pub"))
            .status()
    };
    let Ok(status) = check() else {
        eprintln!("minisign is not installed; nothing to compare with");
        return;
    };
    assert!(status.success());
    let text = std::fs::read_to_string(&document).expect("a document");
    std::fs::write(&document, text + " ").expect("written");
    assert!(!check().expect("minisign runs").success());
}

/// OPT-175B, with and without what was recomputed, and altered afterwards.
#[test]
fn someone_elses_run_is_disclosed_from_declared_facts_and_can_be_recounted() {
    let facts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/disclose/opt-175b.toml");
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("opt.json");
    let out_text = out.to_str().expect("a path");
    said(&disclose(&facts, &["--format", "json", "--out", out_text]));
    let text = std::fs::read_to_string(&out).expect("a document");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    let flop = |id: &str| document["compute"][id]["value"].as_f64().expect(id);
    assert!((flop("hardware_flop") / 4.30e23 - 1.0).abs() < 0.01);
    assert!((flop("six_n_d_flop") / 3.15e23 - 1.0).abs() < 0.01);
    let verify = |file: &Path| {
        let facts = facts.to_str().expect("a path");
        disclose(Path::new("verify"), &[file.to_str().expect("a path"), "--facts", facts])
    };
    assert!(said(&verify(&out)).contains("values: all as the facts say"));
    std::fs::write(&out, text.replace("1024", "1000")).expect("written");
    assert_eq!(verify(&out).status.code(), Some(1));
    assert!(said(&disclose(&facts, &[])).starts_with("# Disclosure: OPT-175B\n"));
}
