//! `polymath release` and `serve --require-release` as people type them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden").join(name)
}

/// A home with a tiny model, its evaluation, limits, two reviewers' keys and a policy that wants both.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = Self { folder: tempfile::tempdir().expect("a folder") };
        let model = desk.path("model");
        std::fs::create_dir(&model).expect("made");
        for file in [
            "llama-tiny/config.json",
            "llama-tiny/model.safetensors",
            "eval/plain/tokenizer.json",
            "eval/plain/tokenizer_config.json",
        ] {
            let from = golden(file);
            std::fs::copy(&from, model.join(from.file_name().expect("a name"))).expect("a copy");
        }
        std::fs::write(desk.path("limits.md"), "Speaks no language.").expect("written");
        let mut policy = "name = \"house\"\nsignatures = 2\ndisclosure = false\n\
            [[threshold]]\ntask = \"arc_easy\"\nmetric = \"acc\"\nat_least = 0\n"
            .to_owned();
        for name in ["anna", "ben"] {
            desk.done(&["disclose", "key", &desk.name(name)]);
            let key = std::fs::read_to_string(desk.path(&format!("{name}.pub"))).expect("a key");
            let key = key.lines().nth(1).expect("its second line");
            policy += &format!("[[reviewer]]\nname = \"{name}\"\nkey = \"{key}\"\n");
        }
        std::fs::write(desk.path("policy.toml"), policy).expect("written");
        let data = golden("eval/data").display().to_string();
        let results = desk.done(&[
            "eval",
            "--model",
            &desk.name("model"),
            "arc_easy",
            "--data",
            &data,
            "--limit",
            "2",
            "--json",
        ]);
        std::fs::write(desk.path("results.json"), results).expect("written");
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn name(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_polymath"));
        command
            .args(arguments)
            .env("POLYMATH_HOME", self.path("home"))
            .env("POLYMATH_OFFLINE", "1");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("polymath starts")
    }

    fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
        String::from_utf8(output.stdout).expect("text")
    }

    fn release(&self, what: &str, more: &[&str]) -> Output {
        let (model, policy) = (self.name("model"), self.name("policy.toml"));
        self.run(&[&["release", what, &model, "--policy", &policy], more].concat())
    }

    fn make(&self) -> Output {
        let (results, limits) = (self.name("results.json"), self.name("limits.md"));
        self.release("make", &["--results", &results, "--limits", &limits])
    }

    fn serve(&self) -> Command {
        let (model, policy) = (self.name("model"), self.name("policy.toml"));
        let addr = "127.0.0.1:0";
        self.command(&["serve", "--model", &model, "--addr", addr, "--require-release", &policy])
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Status and body of a request for a completion.
fn complete(address: &str, model: &str) -> String {
    let body = format!(r#"{{"model":"{model}","prompt":"a","max_tokens":1}}"#);
    let mut stream = TcpStream::connect(address).expect("connected");
    write!(
        stream,
        "POST /v1/completions HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn a_reviewed_model_is_served_and_no_other() {
    let desk = Desk::new();
    // Nothing is there yet, then nobody has signed.
    let refused = desk.serve().output().expect("polymath starts");
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("no release manifest"), "{}", said(&refused));
    let made = desk.make();
    assert!(made.status.success(), "{}", said(&made));
    let refused = desk.serve().output().expect("polymath starts");
    assert!(said(&refused).contains("0 of the 2 approvals"), "{}", said(&refused));
    for name in ["anna", "ben"] {
        let signed = desk.release("sign", &["--key", &desk.name(name)]);
        assert!(signed.status.success(), "{}", said(&signed));
    }
    let verdict = desk.release("verify", &["--json"]);
    assert!(verdict.status.success(), "{}", said(&verdict));
    let verdict: Value = serde_json::from_slice(&verdict.stdout).expect("one document");
    assert_eq!(verdict["released"], true);
    assert_eq!(verdict["reviews"].as_array().map(Vec::len), Some(2));

    // Another model of this house, which nobody reviewed.
    let other = desk.path("home/models/smollm2-135m");
    std::fs::create_dir_all(&other).expect("made");
    std::fs::write(other.join("other.gguf"), "GGUF").expect("written");
    let fetched = r#"{"name":"smollm2-135m","source":"here","files":[{"path":"other.gguf","bytes":4,"sha256":""}]}"#;
    std::fs::write(other.join("manifest.json"), fetched).expect("written");
    let mut child = desk.serve().stdout(Stdio::piped()).spawn().expect("polymath starts");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("its output");
    let served = Served(child);
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
    let address = address.unwrap_or_else(|| panic!("no address in {line:?}"));
    let answer = complete(address, "model");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let answer = complete(address, "smollm2-135m");
    assert!(
        answer.starts_with("HTTP/1.1 403") && answer.contains("no release manifest"),
        "{answer}"
    );
    drop(served);

    // One byte of the weights.
    let weights = desk.path("model/model.safetensors");
    let mut bytes = std::fs::read(&weights).expect("read");
    *bytes.last_mut().expect("weights") ^= 1;
    std::fs::write(&weights, bytes).expect("written");
    let refused = desk.serve().output().expect("polymath starts");
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("model.safetensors is not the file that was reviewed"));
    // No reviewer can be led to sign for what they did not see, and results of other weights are not taken.
    let signed = desk.release("sign", &["--key", &desk.name("anna")]);
    assert!(said(&signed).contains("cannot be released whoever approves"), "{}", said(&signed));
    let made = desk.release(
        "make",
        &[
            "--replace",
            "--results",
            &desk.name("results.json"),
            "--limits",
            &desk.name("limits.md"),
        ],
    );
    assert!(said(&made).contains("no file of this model has it"), "{}", said(&made));
}

#[test]
fn an_objection_shuts_the_gate_and_needs_a_reason() {
    let desk = Desk::new();
    assert!(desk.make().status.success());
    for name in ["anna", "ben"] {
        assert!(desk.release("sign", &["--key", &desk.name(name)]).status.success());
    }
    let empty = desk.release("sign", &["--key", &desk.name("ben"), "--object", " "]);
    assert_eq!(empty.status.code(), Some(1));
    let objected = desk.release("sign", &["--key", &desk.name("ben"), "--object", "not yet"]);
    assert!(objected.status.success(), "{}", said(&objected));
    let verdict = desk.release("verify", &[]);
    assert_eq!(verdict.status.code(), Some(1));
    let text = String::from_utf8_lossy(&verdict.stdout);
    assert!(text.contains("against it: ben objects: not yet"), "{text}");
}

#[test]
fn the_example_policy_is_a_policy_that_lets_nothing_unsigned_out() {
    let desk = Desk::new();
    let policy = golden("../examples/release/policy.toml").display().to_string();
    let (model, limits) = (desk.name("model"), desk.name("limits.md"));
    let made = desk.run(&["release", "make", &model, "--policy", &policy, "--limits", &limits]);
    assert!(made.status.success(), "{}", said(&made));
    let verdict = desk.run(&["release", "verify", &model, "--policy", &policy, "--json"]);
    assert_eq!(verdict.status.code(), Some(1));
    let verdict: Value = serde_json::from_slice(&verdict.stdout).expect("one document");
    let faults = verdict["faults"].as_array().expect("faults");
    let kinds: Vec<&str> = faults.iter().filter_map(|fault| fault["fault"].as_str()).collect();
    assert_eq!(kinds, ["no_disclosure", "unknown", "unknown", "unknown", "too_few"]);
}
