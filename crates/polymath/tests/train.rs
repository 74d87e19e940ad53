//! `polymath train` killed at random moments or on a full disk: it always goes on, and ends where an undisturbed run ends.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use corpus::shards::{Document, WriteOptions, write};
use ledger::history::History;
use ledger::journal;
use serde_json::Value;
use tempfile::TempDir;
use train::initial::Random;

/// How often the run is killed; more when asked for.
const KILLS: usize = 8;

fn shards(dir: &Path) {
    let mut random = Random::new(11);
    let documents: Vec<Document> = (0..200)
        .map(|_| {
            let tokens = (0..40).map(|i| ((random.bits() % 5) as u32 + i) % 50).collect();
            Document { tokens, counted: None }
        })
        .collect();
    write(&dir.join("shards"), WriteOptions::new(50, 64), None, documents).expect("shards");
}

fn configuration(dir: &Path, name: &str) -> std::path::PathBuf {
    let path = dir.join(format!("{name}.toml"));
    let text = format!(
        "run_dir = \"{name}\"\nseed = 3\n[data]\nshards = \"shards\"\n[model]\ndepth = 1\nexperts = 4\nactive = 2\n\
         [training]\nsteps = 150\nbatch_tokens = 256\nlearning_rate = 0.003\n\
         [checkpoint]\nevery_steps = 5\nkeep_last = 2\n[evaluation]\nevery_steps = 1000\n"
    );
    std::fs::write(&path, text).expect("a configuration");
    path
}

fn polymath(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_polymath"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn finish(config: &str, resume: bool) -> (Output, Value) {
    let mut arguments = vec!["train", config, "--json", "--threads", "1"];
    arguments.extend(resume.then_some("--resume"));
    let output = polymath(&arguments).output().expect("the program runs");
    let json = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output, json)
}

fn losses(run_dir: &Path) -> Vec<(u64, u64)> {
    let contents = journal::read(&run_dir.join("journal.jsonl")).unwrap();
    let history = History::of(&contents.entries).unwrap();
    history.surviving().map(|step| (step.step, step.loss.to_bits())).collect()
}

#[test]
fn a_run_killed_at_random_moments_ends_as_one_that_was_not() {
    let dir = TempDir::new().unwrap();
    shards(dir.path());
    let whole = configuration(dir.path(), "whole");
    let began = Instant::now();
    let (output, json) = finish(whole.to_str().unwrap(), false);
    let lasted = began.elapsed();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(json["step"], 150);

    let kills = std::env::var("POLYMATH_TEST_KILLS").ok().and_then(|n| n.parse().ok());
    let kills = kills.unwrap_or(KILLS);
    let killed = configuration(dir.path(), "killed");
    let mut random = Random::new(u64::from(std::process::id()));
    let mut resume = false;
    for _ in 0..kills {
        let mut arguments = vec!["train", killed.to_str().unwrap(), "--threads", "1"];
        // A run that was killed before its first line is begun anew.
        resume = resume || dir.path().join("killed/journal.jsonl").exists();
        arguments.extend(resume.then_some("--resume"));
        let mut child =
            polymath(&arguments).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        // Waiting is what is tested here: any moment of a run's life is fair.
        let wait = lasted.mul_f64(random.uniform() * 0.5);
        std::thread::sleep(wait.min(Duration::from_secs(10)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let resume = dir.path().join("killed/journal.jsonl").exists();
    let (output, json) = finish(killed.to_str().unwrap(), resume);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(json["step"], 150);
    assert_eq!(losses(&dir.path().join("whole")), losses(&dir.path().join("killed")));
    let weights =
        |name: &str| std::fs::read(dir.path().join(name).join("model/model.safetensors")).unwrap();
    assert_eq!(weights("whole"), weights("killed"));
}

/// Gives a run a disk of `$1` KB, then one of 64 MB, and brings out what it left: arguments size, program, folder.
#[cfg(target_os = "linux")]
const SMALL_DISK: &str = r#"
mkdir -p "$3/disk" && mount -t tmpfs -o size="$1k" tmpfs "$3/disk" || exit 90
"$2" train "$3/disk.toml" --threads 1 > /dev/null 2> "$3/said-$1"; echo $? > "$3/code-$1"
mount -o remount,size=64m "$3/disk" || exit 91
resume=; [ -s "$3/disk/run/journal.jsonl" ] && resume=--resume
"$2" train "$3/disk.toml" --threads 1 $resume > /dev/null 2> "$3/again-$1" || { cat "$3/again-$1" >&2; exit 92; }
cp -r "$3/disk/run" "$3/run-$1"
"#;

#[cfg(target_os = "linux")]
#[test]
fn a_run_whose_disk_was_full_ends_as_one_whose_was_not() {
    let dir = TempDir::new().unwrap();
    shards(dir.path());
    let whole = configuration(dir.path(), "whole");
    let (output, _) = finish(whole.to_str().unwrap(), false);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(&whole).unwrap().replace("\"whole\"", "\"disk/run\"");
    std::fs::write(dir.path().join("disk.toml"), text).unwrap();
    let needed = kilobytes(&dir.path().join("whole"));

    // From no room for the first line to room for all but the last file.
    let mut n_full = 0;
    for size in [0.01, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.97].map(|part| (needed * part) as u64) {
        let size = size.max(4).to_string();
        let ours: [&std::ffi::OsStr; 3] =
            [size.as_ref(), env!("CARGO_BIN_EXE_polymath").as_ref(), dir.path().as_ref()];
        let output = Command::new("unshare")
            .args(["--map-root-user", "--mount", "sh", "-c", SMALL_DISK, "sh"])
            .args(ours)
            .output()
            .expect("unshare is part of every Linux");
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.code() == Some(90) || said.starts_with("unshare:") {
            eprintln!("skipped: this system lets nobody but root mount a small disk: {said}");
            return;
        }
        assert!(output.status.success(), "{size} KB: {said}");
        let read = |name: &str| std::fs::read_to_string(dir.path().join(format!("{name}-{size}")));
        if read("code").unwrap().trim() != "0" {
            n_full += 1;
            let said = read("said").unwrap();
            assert!(said.contains("full") && !said.contains("panicked"), "{size} KB: {said}");
        }
        let run = dir.path().join(format!("run-{size}"));
        assert_eq!(losses(&run), losses(&dir.path().join("whole")), "{size} KB");
        let weights = |run: &Path| std::fs::read(run.join("model/model.safetensors")).unwrap();
        assert_eq!(weights(&run), weights(&dir.path().join("whole")), "{size} KB");
    }
    assert!(n_full >= 4, "the disk was full {n_full} times only");
}

#[cfg(target_os = "linux")]
fn kilobytes(folder: &Path) -> f64 {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let sizes = entries.map(|entry| match entry.file_type().unwrap().is_dir() {
        true => kilobytes(&entry.path()),
        false => entry.metadata().unwrap().len() as f64 / 1e3,
    });
    sizes.sum()
}

#[test]
fn the_dial_alone_trains_and_says_what_it_cost() {
    let dir = TempDir::new().unwrap();
    shards(dir.path());
    let data = dir.path().join("shards");
    let run_dir = dir.path().join("run");
    let arguments = [
        "train",
        "--depth",
        "1",
        "--data",
        data.to_str().unwrap(),
        "--tokens",
        "20000",
        "--run-dir",
        run_dir.to_str().unwrap(),
        "--json",
    ];
    let output = polymath(&arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let json: Value = serde_json::from_slice(&output.stdout).expect("one JSON document");
    assert!(json["tokens"].as_u64().unwrap() >= 20_000);
    assert!(json["model_flop"].as_f64().unwrap() > 0.0 && json["joules"].as_f64().unwrap() > 0.0);
    let page = std::fs::read_to_string(run_dir.join("report.html")).unwrap();
    assert!(page.contains("<svg"), "the report has curves");
    let disclosed =
        polymath(&["disclose", run_dir.to_str().unwrap(), "--format", "json"]).output().unwrap();
    assert!(disclosed.status.success(), "{}", String::from_utf8_lossy(&disclosed.stderr));
    let document: Value = serde_json::from_slice(&disclosed.stdout).expect("one JSON document");
    the_plan_stands_beside_the_outcome(&document, &run_dir);
}

/// What was predicted before the first step is in the journal, and the disclosure says how far off it was.
fn the_plan_stands_beside_the_outcome(document: &Value, run_dir: &Path) {
    let contents = journal::read(&run_dir.join("journal.jsonl")).unwrap();
    let history = History::of(&contents.entries).unwrap();
    let planned = history.started.plan.as_ref().expect("a run on this machine is predicted");
    assert!(0.0 < planned.step_s_low && planned.step_s_low < planned.step_s);
    assert!(planned.step_s < planned.step_s_high && planned.method.contains("GFLOP/s"));
    let seconds: Vec<f64> = history.surviving().map(|step| step.seconds).collect();
    assert_eq!(planned.steps, seconds.len() as u64);
    let mean = seconds.iter().sum::<f64>() / seconds.len() as f64;
    let error = 100.0 * (planned.step_s / mean - 1.0);
    let stated = document["plan"]["step_error_pct"]["value"].as_f64().expect("an error");
    assert!((stated - error).abs() < 1e-6 * error.abs().max(1.0), "{stated} is not {error}");
}

#[test]
fn wrong_data_is_named() {
    let dir = TempDir::new().unwrap();
    let output = polymath(&["train", "--data", dir.path().to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains(dir.path().to_str().unwrap()), "{text}");
}
