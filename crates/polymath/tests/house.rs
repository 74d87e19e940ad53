//! The shape of the house, held by a test: who may use whom, where `unsafe` may stand, how long a file may get.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Each crate of ours and those of ours it may use. ARCHITECTURE.md says why.
const MAY_USE: &[(&str, &[&str])] = &[
    ("kernels", &[]),
    ("corpus", &[]),
    ("vault", &[]),
    ("ledger", &[]),
    ("model", &["kernels"]),
    ("infer", &["kernels", "model", "corpus"]),
    ("plan", &["model"]),
    ("train", &["kernels", "model", "corpus", "infer", "ledger"]),
    ("assistant", &["infer", "corpus", "vault"]),
    ("server", &["assistant", "infer", "corpus", "vault", "ledger", "plan"]),
    (
        "polymath",
        &[
            "server",
            "assistant",
            "train",
            "plan",
            "infer",
            "ledger",
            "model",
            "kernels",
            "corpus",
            "vault",
        ],
    ),
];

/// Files outside `kernels` in which `unsafe` may stand: the memory map, whose file others could change.
const MAY_BE_UNSAFE: &[&str] = &["crates/model/src/weights/map.rs"];

const MAX_LINES: usize = 800;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace root")
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

fn all_sources() -> Vec<(String, String)> {
    let root = root();
    let mut paths = Vec::new();
    sources(&root.join("crates"), &mut paths);
    assert!(paths.len() > 50, "found only {} source files", paths.len());
    paths
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a source file");
            let name = path.strip_prefix(&root).expect("below the root").to_string_lossy();
            (name.replace('\\', "/"), text)
        })
        .collect()
}

#[test]
fn a_crate_uses_only_crates_on_lower_floors() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let may_use: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let packages = metadata["packages"].as_array().expect("packages");
    assert_eq!(packages.len(), may_use.len(), "a new crate gets a line in MAY_USE");
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let used = dependency["name"].as_str().expect("a name");
            if may_use.contains_key(used) {
                assert!(may_use[name].contains(&used), "{name} may not use {used}");
            }
        }
    }
}

#[test]
fn unsafe_code_stands_only_in_kernels_and_the_memory_map() {
    for (name, text) in all_sources() {
        let allowed = name.starts_with("crates/kernels/") || MAY_BE_UNSAFE.contains(&name.as_str());
        let found = text.lines().find(|line| {
            let code = line.split("//").next().unwrap_or("");
            code.contains("unsafe {") || code.contains("unsafe fn") || code.contains("unsafe impl")
        });
        assert!(allowed || found.is_none() || name.ends_with("house.rs"), "{name}: {found:?}");
    }
}

#[test]
fn no_source_file_is_longer_than_a_chapter() {
    for (name, text) in all_sources() {
        let lines = text.lines().count();
        assert!(lines <= MAX_LINES, "{name} has {lines} lines; give its second subject a file");
    }
}

#[test]
fn only_the_command_line_depends_on_anyhow() {
    let root = root();
    for (name, _) in MAY_USE.iter().filter(|(name, _)| *name != "polymath") {
        let manifest = std::fs::read_to_string(root.join("crates").join(name).join("Cargo.toml"))
            .expect("a manifest");
        assert!(!manifest.contains("anyhow"), "{name} has an error type of its own");
    }
}
