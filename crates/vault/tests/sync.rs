//! Promises of sync: incremental, complete, explained. All people are invented.

mod life;

use std::sync::atomic::AtomicBool;

use life::Life;
use vault::error::Error;
use vault::status::State;
use vault::store::Vault;

#[test]
fn a_second_sync_reads_nothing_again() {
    let life = Life::new().small();
    age(&life);
    life.sync(); // fresh files are hashed once more, because their clock could not tell
    let again = life.sync();
    assert_eq!(again.files_read, 0);
    assert_eq!(life.vault.status().unwrap().items, 3);
}

/// Makes every file look written an hour ago, so that its time tells whether it changed.
fn age(life: &Life) {
    let then = std::time::SystemTime::now() - std::time::Duration::from_secs(3_600);
    let mut folders = vec![life.files()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                std::fs::File::options()
                    .write(true)
                    .open(path)
                    .unwrap()
                    .set_modified(then)
                    .unwrap();
            }
        }
    }
}

#[test]
fn a_touched_file_with_the_same_bytes_is_hashed_but_not_stored_again() {
    let life = Life::new().small();
    let before = life.search("ferry").hits[0].chunk;
    age(&life);
    let report = life.sync();
    assert_eq!((report.files_read, report.items_new, report.items_changed), (3, 0, 0));
    assert_eq!(life.search("ferry").hits[0].chunk, before);
}

#[test]
fn a_changed_note_keeps_its_number_and_only_its_new_words_are_found() {
    let life = Life::new().small();
    let id = life.search("hat").hits[0].id;
    life.write("notes/Packing.md", "# Packing\n\nFor Lisbon: an umbrella.");
    let report = life.sync();
    assert_eq!((report.items_changed, report.items_new), (1, 0));
    assert_eq!(life.search("umbrella").hits[0].id, id);
    assert!(life.search("hat").hits.is_empty());
}

#[test]
fn a_moved_file_keeps_its_identity() {
    let life = Life::new().small();
    let hit = life.search("ferry").hits.remove(0);
    std::fs::create_dir_all(life.files().join("old/2026")).unwrap();
    std::fs::rename(life.files().join("mail/1.eml"), life.files().join("old/2026/x.eml")).unwrap();
    let report = life.sync();
    assert_eq!((report.items_moved, report.items_new, report.items_removed), (1, 0, 0));
    let moved = life.search("ferry").hits.remove(0);
    assert_eq!((moved.id, moved.path.as_str()), (hit.id, "old/2026/x.eml"));
}

#[test]
fn a_maildir_flag_keeps_even_the_chunk_and_its_vector() {
    let life = Life::new();
    life.mail(
        "in/cur/1.host:2,",
        "Anna Meier",
        "Ben Okafor",
        "Boat",
        "1",
        None,
        "The yellow boat.",
    );
    life.write("in/new/.keep", "");
    life.sync();
    let before = life.search("boat").hits.remove(0);
    let cur = life.files().join("in/cur");
    std::fs::rename(cur.join("1.host:2,"), cur.join("1.host:2,S")).unwrap();
    life.sync();
    let after = life.search("boat").hits.remove(0);
    assert_eq!((after.id, after.chunk), (before.id, before.chunk));
}

#[test]
fn a_removed_file_disappears() {
    let life = Life::new().small();
    std::fs::remove_file(life.files().join("notes/Packing.md")).unwrap();
    assert_eq!(life.sync().items_removed, 1);
    assert!(life.search("hat").hits.is_empty());
    assert!(matches!(life.vault.why("notes/Packing.md").unwrap()[0].state, State::Unknown { .. }));
}

#[test]
fn an_unplugged_source_loses_nothing() {
    let life = Life::new().small();
    let away = life.dir.path().join("away");
    std::fs::rename(life.files(), &away).unwrap();
    let report = life.sync();
    assert_eq!((report.unreachable.len(), report.items_removed), (1, 0));
    assert_eq!(life.titles("ferry")[0], "Lisbon trip");
    assert!(!life.vault.status().unwrap().sources[0].reachable);
}

#[test]
fn every_file_is_accounted_for_and_why_says_what_became_of_it() {
    let life = Life::new().small();
    life.write(".hidden", "x");
    life.write("node_modules/a/readme.md", "# no");
    life.write("broken.pdf", "%PDF-1.7\nnothing that a reader could use");
    life.sync();
    let status = life.vault.status().unwrap();
    let source = &status.sources[0];
    assert_eq!(source.files_there, source.files_here + source.failed + source.pending);
    assert_eq!(source.pending, 0);
    let state = |path: &str| life.vault.why(path).unwrap().remove(0).state;
    assert!(matches!(state("mail/1.eml"), State::Indexed { vectors: 0, .. }));
    assert!(matches!(state(".hidden"), State::Excluded { .. }));
    assert!(matches!(state("node_modules/a/readme.md"), State::Excluded { .. }));
    assert!(matches!(state("broken.pdf"), State::Failed { .. }), "{:?}", state("broken.pdf"));
    assert!(matches!(state("elsewhere.txt"), State::Unknown { .. }));
    life.write("later.md", "# Later");
    assert!(matches!(state("later.md"), State::Unknown { .. }));
    let id = life.search("ferry").hits[0].id;
    assert_eq!(life.vault.why(&id.to_string()).unwrap()[0].path, "mail/1.eml");
}

#[test]
fn a_single_file_can_be_a_source() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("one.md");
    std::fs::write(&file, "# One\n\nA lonely heron.").unwrap();
    let vault = Vault::open(&dir.path().join("vault")).unwrap();
    let id = vault.add(&file).unwrap();
    assert_eq!(vault.add(&file).unwrap(), id);
    vault.sync(None, &AtomicBool::new(false), &mut |_| {}).unwrap();
    let query = vault::search::Query { text: "heron".into(), ..Default::default() };
    assert_eq!(vault.search(&query, None).unwrap().hits[0].path, "one.md");
}

#[test]
fn a_folder_around_a_source_leaves_it_its_files() {
    let life = Life::new().small();
    life.mail("outer.eml", "Anna Meier", "Ben Okafor", "Outer", "5", None, "Outside words.");
    let mail = life.files().join("mail");
    assert_eq!(life.vault.add(&mail).unwrap(), life.vault.sources().unwrap()[0].id);
    let around = life.vault.add(life.dir.path()).unwrap();
    life.sync();
    let status = life.vault.status().unwrap();
    let outer = status.sources.iter().find(|source| source.id == around).unwrap();
    assert_eq!(outer.items, 0);
    assert_eq!(life.search("ferry").hits.iter().filter(|hit| hit.path == "mail/1.eml").count(), 1);
}

#[test]
fn a_cancelled_sync_says_so_and_the_next_goes_on() {
    let life = Life::new();
    for n in 0..40 {
        life.write(&format!("n{n}.md"), &format!("# Note {n}\n\nheron number{n}"));
    }
    let cancel = AtomicBool::new(true);
    let stopped = life.vault.sync(None, &cancel, &mut |_| {});
    assert!(matches!(stopped, Err(Error::Cancelled)));
    life.sync();
    assert_eq!(life.vault.status().unwrap().items, 40);
}

#[test]
fn a_second_sync_at_the_same_time_is_told_to_wait() {
    let life = Life::new().small();
    let other = Vault::open(life.vault.dir()).unwrap();
    let mut answer = None;
    life.write("x.md", "# X");
    life.vault
        .sync(None, &AtomicBool::new(false), &mut |_| {
            answer.get_or_insert_with(|| other.sync(None, &AtomicBool::new(false), &mut |_| {}));
        })
        .unwrap();
    assert!(matches!(answer, Some(Err(Error::Busy { .. }))));
}

#[test]
fn a_damaged_database_is_named_and_can_be_rebuilt_from_the_sources() {
    let life = Life::new().small();
    let dir = life.vault.dir().to_path_buf();
    let Life { dir: keep, vault } = life;
    drop(vault);
    std::fs::write(dir.join("vault.db"), vec![0x5a; 20_000]).unwrap();
    let error = Vault::open(&dir).err().unwrap();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("rebuild"), "{error}");
    let vault = Vault::rebuild(&dir).unwrap();
    vault.add(&keep.path().join("files")).unwrap();
    vault.sync(None, &AtomicBool::new(false), &mut |_| {}).unwrap();
    assert_eq!(vault.status().unwrap().items, 3);
}

#[test]
fn a_newer_vault_is_refused_with_the_way_out() {
    let life = Life::new();
    let dir = life.vault.dir().to_path_buf();
    let Life { dir: _keep, vault } = life;
    drop(vault);
    let db = rusqlite::Connection::open(dir.join("vault.db")).unwrap();
    db.pragma_update(None, "user_version", 999).unwrap();
    drop(db);
    let error = Vault::open(&dir).err().unwrap();
    assert!(matches!(error, Error::Newer { found: 999, .. }), "{error}");
}

#[test]
fn progress_ends_at_the_whole() {
    let life = Life::new();
    for n in 0..10 {
        life.write(&format!("n{n}.md"), "# Note\n\nsome words");
    }
    let mut last = (0, 0);
    life.vault
        .sync(None, &AtomicBool::new(false), &mut |progress| {
            last = (progress.done, progress.total);
        })
        .unwrap();
    assert_eq!(last, (10, 10));
}
