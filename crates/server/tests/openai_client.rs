//! The official `openai` Python client against the real server with a real model.
//!
//! Needs `POLYMATH_TEST_MODELS` (or `.cache/models` in the workspace) with SmolLM2 and, for the client, a Python
//! with `venv` whose `pip` reaches its index. Each absence skips with a message.

use std::path::{Path, PathBuf};
use std::process::Command;

use server::house::{House, HouseOptions};
use server::{ServeOptions, serve};

const MODEL: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";

#[test]
fn the_official_client_chats_streams_calls_and_reads_errors() {
    let Some(model) = test_model() else { return };
    let Some(python) = python_with_client() else { return };
    let home = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let house = House::open(HouseOptions {
        home: home.path().into(),
        vault: home.path().join("vault"),
        sample: None,
        model: Some(model.display().to_string()),
        draft: None,
        fetch: false,
        n_threads: 2,
        runs: vec![],
        gate: None,
    })
    .unwrap();
    let options = ServeOptions {
        addr: "127.0.0.1:0".parse().unwrap(),
        backend: house.clone(),
        models: house,
        api_keys: vec!["test-key".into()],
    };
    let server = runtime.block_on(serve(options)).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openai_client.py");
    let done = Command::new(python)
        .arg(script)
        .arg(format!("http://{}/v1", server.addr()))
        .arg("test-key")
        .output()
        .unwrap();
    let (said, complained) =
        (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{said}\n{complained}");
    runtime.block_on(server.shutdown());
}

fn test_model() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = std::env::var_os("POLYMATH_TEST_MODELS")
        .map_or(workspace.join(".cache/models"), PathBuf::from);
    let model = folder.join(MODEL);
    if !model.exists() {
        eprintln!(
            "skipped: {} is not here; `.ci/run` says how the models for tests are fetched",
            model.display()
        );
        return None;
    }
    Some(model)
}

/// A Python that has the client: `scripts/test` makes one.
fn python_with_client() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = std::env::var_os("POLYMATH_TEST_OPENAI")
        .map_or(workspace.join(".cache/openai-client/bin/python"), PathBuf::from);
    let has_client = Command::new(&python).args(["-c", "import openai"]).output();
    if has_client.is_ok_and(|done| done.status.success()) {
        return Some(python);
    }
    eprintln!("skipped: {} has no `openai`; `scripts/test` makes it", python.display());
    None
}
