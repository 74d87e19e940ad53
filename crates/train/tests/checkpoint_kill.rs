//! A process that saves checkpoints without pause is killed at arbitrary moments, again and again. After each kill there
//! is a whole checkpoint to go on from, and none is older than what the process had reported as saved.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;
use train::checkpoint::{Array, Keep, Snapshot, Store};

const FOLDER: &str = "POLYMATH_TEST_CHECKPOINTS";
const KILLS: u64 = 100;

/// What the checkpoint of a step holds, so that the other process can tell whether it is what was saved.
fn snapshot(step: u64) -> Snapshot {
    let values = |n: usize| (0..n).map(|i| (step * 1_000 + i as u64) as f32 * 0.37).collect();
    Snapshot {
        arrays: vec![
            Array { name: "weights".into(), shape: vec![150, 1_000], values: values(150_000) },
            Array { name: "bias".into(), shape: vec![3], values: values(3) },
        ],
        state: json!({ "step": step }),
    }
}

/// Step of the newest whole checkpoint, and how many saves or removals were cut off.
fn newest(folder: &Path) -> (u64, usize) {
    let mut store = Store::open(folder, Keep::default()).expect("a store");
    let mut reports = Vec::new();
    let Some(loaded) = store.latest(&mut reports).expect("a folder") else {
        return (0, reports.len());
    };
    assert_eq!(loaded.snapshot, snapshot(loaded.step));
    for report in &reports {
        assert!(report.what.contains("being written or removed"), "{report}");
    }
    (loaded.step, reports.len())
}

/// The process that is killed: this test program, started again by the test below.
#[test]
fn the_process_that_saves() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let mut store = Store::open(folder, Keep { last: 2, every: 0 }).expect("a store");
    let loaded = store.latest(&mut Vec::new()).expect("a folder");
    let first = loaded.map_or(0, |loaded| loaded.step) + 1;
    for step in first.. {
        let begun = store.begin_save(step, snapshot(step));
        if let Some(saved) = begun.previous {
            let mut out = std::io::stdout().lock();
            writeln!(out, "saved {}", saved.expect("a checkpoint").step).expect("a reader");
            out.flush().expect("a reader");
        }
    }
}

#[test]
fn a_kill_at_any_moment_leaves_the_newest_reported_checkpoint_or_a_newer_one() {
    let folder = tempfile::tempdir().expect("a folder");
    // A small generator (xorshift) chooses the moments; the schedule of two processes makes them arbitrary anyway.
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    let (mut reached, mut cut_off) = (0, 0);
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "the_process_that_saves", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("this program runs");
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let reports = random % 4;
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let mut reported = reached;
        for _ in 0..reports {
            let saved = lines
                .by_ref()
                .map_while(Result::ok)
                .find_map(|line| line.split("saved ").nth(1)?.trim().parse::<u64>().ok());
            reported = saved.unwrap_or(reported);
        }
        // A little further into the next save, by work instead of by the clock.
        let work = (0..random % 20_000_000).fold(random, |sum, i| sum.rotate_left(5) ^ i);
        std::hint::black_box(work);
        child.kill().expect("killed");
        child.wait().expect("gone");
        let (newest, leftovers) = newest(folder.path());
        (reached, cut_off) = (newest, cut_off + leftovers);
        assert!(reached >= reported, "kill {kill}: {reported} was reported, {reached} is left");
    }
    eprintln!(
        "{KILLS} kills, {cut_off} of them in the middle of a save or a removal; step {reached} reached"
    );
    assert!(reached >= 1, "no checkpoint in {KILLS} lives");
}
