//! The journal: what is written comes back, crashes cost at most the line being written, damage is named.

use std::fs;
use std::path::{Path, PathBuf};

use ledger::journal::{self, Contents, Journal, Torn};
use ledger::record::{Evaluation, Finished, Record, RunStarted, Sample, Step, Stopped};
use ledger::{Error, Timestamp};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).expect("a time")
}

fn step(step: u64) -> Record {
    let loss = 9.0 / (step as f64).sqrt();
    Record::Step(Step {
        step,
        tokens: 1000,
        loss,
        seconds: 1.5,
        model_flop: 1e9,
        ..Step::default()
    })
}

fn started() -> RunStarted {
    RunStarted { run_id: "r1".into(), seed: 7, ..RunStarted::default() }
}

fn journal_of(folder: &Path, steps: u64) -> (PathBuf, Journal) {
    let path = folder.join("journal.jsonl");
    let mut journal = Journal::create(&path, &started(), at(0)).expect("a journal");
    for n in 1..=steps {
        journal.append(&step(n), at(n as i64)).expect("appended");
    }
    (path, journal)
}

fn read(path: &Path) -> Contents {
    journal::read(path).expect("a sound journal")
}

#[test]
fn records_come_back_as_they_were_written_even_those_that_are_no_numbers() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, mut journal) = journal_of(folder.path(), 1);
    let odd = Step {
        step: 2,
        loss: f64::INFINITY,
        grad_norm: f64::NEG_INFINITY,
        learning_rate: 3.0e-4,
        model_flop: 9_007_199_254_740_991.0,
        expert_tokens: vec![vec![1, 2], vec![3, 0]],
        skipped: Some("loss is not finite".into()),
        ..Step::default()
    };
    let records = [
        Record::Step(odd),
        Record::Evaluation(Evaluation {
            name: "held-out bits per byte".into(),
            value: 1.25,
            ..Evaluation::default()
        }),
        Record::Sample(Sample {
            step: 2,
            text: "line one\nline \u{1F600} \"two\"".into(),
            ..Sample::default()
        }),
        Record::Stopped(Stopped { step: 2, reason: "asked to".into() }),
        Record::Finished(Finished { step: 2, weights_sha256: None }),
    ];
    for record in &records {
        journal.append(record, at(9)).expect("appended");
    }
    let contents = read(&path);
    let back: Vec<Record> = contents.entries.iter().skip(2).map(|e| e.record.clone()).collect();
    assert_eq!(back, records);
    assert_eq!(contents.head, journal.head());
    journal
        .append(&Record::Step(Step { step: 3, loss: f64::NAN, ..Step::default() }), at(9))
        .expect("appended");
    let Record::Step(last) = read(&path).entries.pop().expect("a line").record else {
        panic!("a step")
    };
    assert!(last.loss.is_nan());
}

/// The bytes of a small journal and the hashes `sha256sum` prints for its lines: the format is a promise to auditors.
#[test]
fn the_chain_is_the_sha256_of_the_line_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal.jsonl");
    fs::write(&path, include_str!("data/journal.jsonl")).expect("written");
    let contents = read(&path);
    assert_eq!(contents.entries.len(), 4);
    assert_eq!(contents.head, include_str!("data/journal.head").trim());
}

#[test]
fn a_torn_last_line_is_cut_off_reported_and_the_journal_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, journal) = journal_of(folder.path(), 3);
    let (head, whole) = (journal.head().to_string(), fs::read(&path).expect("bytes"));
    drop(journal);
    let (two, _) =
        whole.split_at(whole[..whole.len() - 1].iter().rposition(|b| *b == b'\n').unwrap() + 1);
    for kept in two.len() + 1..whole.len() {
        fs::write(&path, &whole[..kept]).expect("written");
        assert_eq!(read(&path).torn, Some(Torn { line: 4, bytes: (kept - two.len()) as u64 }));
        let (mut journal, contents) = Journal::open(&path).expect("repaired");
        assert!(contents.torn.is_some());
        assert_eq!(fs::read(&path).expect("bytes"), two);
        assert_eq!(journal.last_step(), 2);
        journal.append(&step(3), at(3)).expect("appended");
        assert_eq!(journal.head(), head, "the same records give the same chain");
    }
}

#[test]
fn any_flipped_bit_is_found_and_its_line_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, journal) = journal_of(folder.path(), 3);
    drop(journal);
    let sound = fs::read(&path).expect("bytes");
    let head = read(&path).head;
    for place in (0..sound.len()).step_by(5) {
        let mut bytes = sound.clone();
        bytes[place] ^= 1 << (place % 7);
        fs::write(&path, &bytes).expect("written");
        let line = sound[..place].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        match journal::read(&path) {
            // A change in the last line can leave a readable record; only the head tells.
            Ok(contents) => {
                assert!(line == 4 && (contents.head != head || contents.torn.is_some()));
            }
            Err(Error::Damaged { line: found, .. } | Error::Order { line: found, .. }) => {
                assert!(
                    found == line || found == line + 1,
                    "byte {place}: line {found}, not {line}"
                );
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn a_line_taken_out_or_put_in_breaks_the_chain() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, journal) = journal_of(folder.path(), 4);
    drop(journal);
    let text = fs::read_to_string(&path).expect("text");
    let lines: Vec<&str> = text.lines().collect();
    let variants = [
        (vec![0, 1, 3, 4], 3),
        (vec![0, 2, 1, 3, 4], 2),
        (vec![0, 1, 1, 2, 3, 4], 3),
        (vec![1, 2, 3, 4], 1),
    ];
    for (order, broken) in variants {
        let text: String = order.iter().map(|i| format!("{}\n", lines[*i])).collect();
        fs::write(&path, text).expect("written");
        let error = journal::read(&path).expect_err("a broken chain");
        assert!(matches!(error, Error::Damaged { line, .. } if line == broken), "{error}");
        assert!(error.to_string().contains(&format!("line {broken}")));
    }
}

#[test]
fn resuming_tells_how_many_steps_were_in_vain_and_steps_keep_their_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, mut journal) = journal_of(folder.path(), 5);
    assert!(matches!(journal.append(&step(7), at(6)), Err(Error::Order { line: 7, .. })));
    assert!(matches!(journal.append(&step(5), at(6)), Err(Error::Order { .. })));
    let resumed = journal.resume(3, at(7)).expect("resumed");
    assert_eq!((resumed.from_step, resumed.discarded_steps), (3, 2));
    journal.append(&step(4), at(8)).expect("appended");
    drop(journal);
    let (journal, contents) = Journal::open(&path).expect("a journal");
    assert_eq!((journal.last_step(), contents.entries.len()), (4, 8));
}

#[test]
fn one_journal_has_one_writer_and_is_never_overwritten() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, journal) = journal_of(folder.path(), 1);
    assert!(matches!(Journal::open(&path), Err(Error::Busy(_))));
    assert_eq!(read(&path).entries.len(), 2, "reading needs no lock");
    drop(journal);
    assert!(matches!(Journal::create(&path, &started(), at(0)), Err(Error::Exists(_))));
    assert!(Journal::open(&path).is_ok());
}

#[test]
fn a_missing_empty_or_foreign_file_is_no_journal() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal.jsonl");
    assert!(matches!(journal::read(&path), Err(Error::NoJournal(_))));
    for text in ["", "hello\n", "{}\n", "\n", "{\"previous\":\"\"}", "\0\0\0\0"] {
        fs::write(&path, text).expect("written");
        assert!(matches!(journal::read(&path), Err(Error::Damaged { line: 1, .. })), "{text:?}");
    }
}
