//! Killed at any moment, the vault loses nothing and the next sync completes.
//!
//! The test runs itself as a child process that syncs, kills it after a while that grows from run to run (the
//! moment matters, not the clock), and at the end compares with a vault that nobody disturbed.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;

use vault::lookup::items::{Filter, Order};
use vault::search::Query;
use vault::store::Vault;

const CHILD: &str = "VAULT_TEST_SYNC_THIS";
const N_MAILS: usize = 600;

#[test]
fn the_child_of_the_crash_test_syncs() {
    // Does its work only when the test below starts it.
    let Ok(dir) = std::env::var(CHILD) else { return };
    let vault = Vault::open(&Path::new(&dir).join("vault")).unwrap();
    vault.sync(None, &AtomicBool::new(false), &mut |_| {}).unwrap();
}

#[test]
fn killed_at_any_moment_the_next_sync_completes() {
    let dir = tempfile::tempdir().unwrap();
    write_mails(&dir.path().join("files"));
    let open = |name: &str| Vault::open(&dir.path().join(name)).unwrap();
    let vault = open("vault");
    vault.add(&dir.path().join("files")).unwrap();
    let mut seen = 0;
    let mut killed = 0;
    for round in 0..24u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["the_child_of_the_crash_test_syncs", "--exact"])
            .env(CHILD, dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Wait for `round` more things to be stored, then kill; sometimes at once.
        let mut polls = 0;
        let target = vault.status().unwrap().items + round % 5 * 20;
        while vault.status().unwrap().items < target && child.try_wait().unwrap().is_none() {
            polls += 1;
            assert!(polls < 1_000_000, "the child neither stores nor ends");
        }
        killed += u64::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        let items = vault.status().unwrap().items;
        assert!(items >= seen, "{items} items after a kill, {seen} before");
        seen = items;
        if round % 6 == 5 {
            // A change between two runs: everything must be read again.
            let at = dir.path().join(format!("files/{}.eml", round * 7));
            std::fs::write(at, mail(10_000 + round as usize)).unwrap();
        }
    }
    assert!(killed > 0, "no child was killed while it worked");
    vault.sync(None, &AtomicBool::new(false), &mut |_| {}).unwrap();
    let whole = open("whole");
    whole.add(&dir.path().join("files")).unwrap();
    whole.sync(None, &AtomicBool::new(false), &mut |_| {}).unwrap();
    assert_eq!(contents(&vault), contents(&whole));
    for word in ["heron17", "word3", "subject5"] {
        assert_eq!(found(&vault, word), found(&whole, word), "{word}");
    }
    assert_eq!(vault.status().unwrap().sources[0].pending, 0);
}

fn write_mails(dir: &Path) {
    std::fs::create_dir_all(dir).unwrap();
    for n in 0..N_MAILS {
        std::fs::write(dir.join(format!("{n}.eml")), mail(n)).unwrap();
    }
    let mbox: String = (0..200)
        .map(|n| format!("From x Mon Jun  1 09:00:00 2026\n{}\n", mail(5_000 + n)))
        .collect();
    std::fs::write(dir.join("old.mbox"), mbox).unwrap();
}

fn mail(n: usize) -> String {
    let words: Vec<String> =
        (0..60).map(|idx| format!("word{}", (n * 7 + idx * 13) % 500)).collect();
    let answers =
        if n % 3 == 1 { format!("In-Reply-To: <{}@example.org>\n", n - 1) } else { String::new() };
    format!(
        "From: P{} <p{}@example.org>\nTo: Me <me@example.org>\nSubject: subject{} of things\nMessage-ID: <{n}@example.org>\n{answers}\
         Date: Mon, 1 Jun 2026 09:00:00 +0000\n\nheron{n} {}\n",
        n % 9,
        n % 9,
        n % 11,
        words.join(" ")
    )
}

/// (path, part) → (title, content, text, number of its thread's messages)
fn contents(vault: &Vault) -> BTreeMap<(String, String), (String, String, usize)> {
    let entries = vault.list(&Filter::default(), Order::Oldest, usize::MAX / 2).unwrap();
    let of = |id| {
        let text = vault.text(id).unwrap().unwrap();
        let thread = vault.thread(id).unwrap().len();
        (text, thread)
    };
    entries
        .into_iter()
        .map(|entry| {
            let (text, thread) = of(entry.id);
            ((entry.path, entry.part), (entry.title, text, thread))
        })
        .collect()
}

fn found(vault: &Vault, word: &str) -> Vec<(String, String)> {
    let query = Query { text: word.into(), limit: 500, ..Query::default() };
    let hits = vault.search(&query, None).unwrap().hits;
    let mut places: Vec<_> = hits.into_iter().map(|hit| (hit.path, hit.part)).collect();
    places.sort();
    places
}
