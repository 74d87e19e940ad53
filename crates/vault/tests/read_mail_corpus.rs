//! 6,046 real mails (SpamAssassin's public corpus): nothing is lost, nothing panics.
//!
//! The corpus is found through `POLYMATH_TEST_MAIL` or in `.cache/mail` of the workspace; without it the tests
//! say so and pass.

use std::path::PathBuf;

use vault::item::{Item, Kind};
use vault::read::{self, Failure, Limits};

const FOLDERS: [&str; 5] = ["easy-ham-1", "easy-ham-2", "hard-ham-1", "spam-1", "spam-2"];

fn corpus() -> Option<PathBuf> {
    let fallback = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.cache/mail");
    let root = std::env::var_os("POLYMATH_TEST_MAIL").map_or_else(fallback, PathBuf::from);
    let there = FOLDERS.iter().all(|f| root.join(f).is_dir());
    if !there {
        eprintln!("skipped: no mail corpus at {} (set POLYMATH_TEST_MAIL)", root.display());
    }
    there.then_some(root)
}

/// Paths of the messages, without the labels (`.json`) that stand beside them.
fn messages(root: &std::path::Path) -> Vec<String> {
    let entries = read::walk(root, &read::walk::Rules::default());
    let files = entries.into_iter().filter_map(|e| match e {
        read::walk::Entry::File { path, .. } => Some(path),
        _ => None,
    });
    files.filter(|p| p.ends_with(".txt") && FOLDERS.iter().any(|f| p.starts_with(f))).collect()
}

#[test]
fn every_real_mail_yields_its_message_and_nothing_else_is_lost() {
    let Some(root) = corpus() else { return };
    let paths = messages(&root);
    let mut mails = 0;
    let mut attachments = 0;
    let mut failures: Vec<Failure> = Vec::new();
    let mut not_one = Vec::new();
    let (mut undated, mut nobody, mut empty, mut replacement) = (0, 0, Vec::new(), Vec::new());
    for path in &paths {
        let mut own = 0;
        read::file(&root, path, &Limits::default(), &mut |read| match read {
            Ok(item) if item.kind == Kind::Mail && item.parent.is_none() => {
                own += 1;
                undated += usize::from(item.when.is_none());
                nobody += usize::from(item.people.is_empty());
                if item.sections.is_empty() {
                    empty.push(path.clone());
                }
                if text(&item).contains('\u{fffd}') {
                    replacement.push(path.clone());
                }
            }
            Ok(_) => attachments += 1,
            Err(failure) => failures.push(failure),
        });
        mails += own;
        if own != 1 {
            not_one.push((path.clone(), own));
        }
    }
    eprintln!(
        "{} files: {mails} mails, {attachments} attachments, {} failures; {undated} without date, \
         {nobody} without people, {} without text, {} with undecodable characters",
        paths.len(),
        failures.len(),
        empty.len(),
        replacement.len()
    );
    for failure in &failures {
        eprintln!("  {failure}");
    }
    for path in replacement.iter().chain(&empty).take(60) {
        eprintln!("  look: {path}");
    }
    for (path, n) in not_one.iter().take(20) {
        eprintln!("  {n} messages in {path}");
    }
    assert!(not_one.is_empty(), "{} files are not exactly one message", not_one.len());
    assert_eq!(mails, paths.len());
}

fn text(item: &Item) -> String {
    item.sections.iter().map(|s| s.text.as_str()).collect::<Vec<_>>().join("\n")
}
