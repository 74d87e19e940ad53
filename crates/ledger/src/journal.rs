//! The journal of a run: JSON lines that are only ever appended, each carrying the SHA-256 of the line before it.
//!
//! ```text
//! {"previous":"0000…0000","at":"2026-11-24T09:00:00Z","record":{"kind":"run_started",…}}
//! {"previous":"5d41…a1f2","at":"2026-11-24T09:00:07Z","record":{"kind":"step","step":1,…}}
//! ```
//!
//! `previous` is the hash of the bytes of the line above without its line end, in lower-case hexadecimal; on the first
//! line it is 64 zeros. The hash of the last line, the **head**, stands for the whole journal: whoever knows it can tell
//! whether any byte above was changed, and `sed -n Np | tr -d '\n' | sha256sum` is all it takes to check a line.
//!
//! A record is written by one call with its line end, so a crash leaves at most one line without an end. Such a line is
//! cut off when the journal is opened for writing, and reported. Anything else that does not fit is damage, and an
//! error: it cannot come from a crash. [`Journal::sync`] makes what was appended survive a loss of power too; a trainer
//! calls it before a checkpoint is made valid, so that no checkpoint is ahead of its journal.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::record::{Entry, Record, Resumed, RunStarted};
use crate::{Error, Timestamp, sha256};

/// `previous` of the first line.
const NOTHING_BEFORE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A journal open for appending; the file is locked against a second writer.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    head: String,
    lines: u64,
    /// Length up to which the file holds whole lines.
    bytes: u64,
    last_step: u64,
}

/// What [`Journal::open`] and [`read`] found.
#[derive(Debug, Clone, PartialEq)]
pub struct Contents {
    pub entries: Vec<Entry>,
    /// Hash of the last line: it stands for the whole journal.
    pub head: String,
    /// A last line that a crash left unfinished.
    pub torn: Option<Torn>,
}

/// A last line without an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    pub line: u64,
    pub bytes: u64,
}

impl std::fmt::Display for Torn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {} was never finished ({} bytes, cut off)", self.line, self.bytes)
    }
}

#[derive(Serialize)]
struct LineToWrite<'a> {
    previous: &'a str,
    at: Timestamp,
    record: &'a Record,
}

#[derive(Deserialize)]
struct Line {
    previous: String,
    at: Timestamp,
    record: Record,
}

impl Journal {
    /// Begins the journal of a new run; there must be none yet.
    pub fn create(path: &Path, started: &RunStarted, at: Timestamp) -> Result<Self, Error> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(path)
            .map_err(|cause| Error::io("create", path, cause))?;
        lock(&file, path)?;
        let mut journal = Self {
            path: path.into(),
            file,
            head: NOTHING_BEFORE.into(),
            lines: 0,
            bytes: 0,
            last_step: 0,
        };
        journal.write(&Record::RunStarted(Box::new(started.clone())), at)?;
        journal.sync()?;
        Ok(journal)
    }

    /// Opens a journal to continue it: checks the whole chain and cuts off a line that a crash left unfinished.
    pub fn open(path: &Path) -> Result<(Self, Contents), Error> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .open(path)
            .map_err(|cause| Error::io("open", path, cause))?;
        lock(&file, path)?;
        file.seek(SeekFrom::Start(0)).map_err(|cause| Error::io("read", path, cause))?;
        let (contents, bytes) = scan(BufReader::new(&file), path)?;
        if contents.torn.is_some() {
            file.set_len(bytes).map_err(|cause| Error::io("repair", path, cause))?;
        }
        let journal = Self {
            path: path.into(),
            file,
            head: contents.head.clone(),
            lines: contents.entries.len() as u64,
            bytes,
            last_step: last_step(&contents.entries),
        };
        Ok((journal, contents))
    }

    /// Appends one record. A step must be the one after the last; to go back, [`Journal::resume`].
    pub fn append(&mut self, record: &Record, at: Timestamp) -> Result<(), Error> {
        let after = expect_in_order(record, self.last_step, self.lines + 1, &self.path)?;
        self.write(record, at)?;
        self.last_step = after;
        Ok(())
    }

    /// Notes that the run goes on from a checkpoint, and that the steps above it were in vain.
    pub fn resume(&mut self, from_step: u64, at: Timestamp) -> Result<Resumed, Error> {
        let discarded_steps = self.last_step.saturating_sub(from_step);
        let resumed = Resumed { from_step, discarded_steps };
        self.append(&Record::Resumed(resumed.clone()), at)?;
        self.sync()?;
        Ok(resumed)
    }

    /// Waits until everything appended so far stands on the disk.
    pub fn sync(&self) -> Result<(), Error> {
        self.file.sync_data().map_err(|cause| Error::io("write", &self.path, cause))
    }

    /// Hash of the last line.
    pub fn head(&self) -> &str {
        &self.head
    }

    /// The last step in the journal that no resumption has taken back.
    pub fn last_step(&self) -> u64 {
        self.last_step
    }

    fn write(&mut self, record: &Record, at: Timestamp) -> Result<(), Error> {
        let line = LineToWrite { previous: &self.head, at, record };
        let mut bytes = serde_json::to_vec(&line)
            .map_err(|cause| Error::io("write", &self.path, std::io::Error::other(cause)))?;
        let head = sha256::of(&bytes);
        bytes.push(b'\n');
        if let Err(cause) = self.file.write_all(&bytes) {
            // Part of the line may stand; the next one must not be glued to it. If even this fails, opening the
            // journal again will find the torn line.
            let _ = self.file.set_len(self.bytes);
            return Err(Error::io("write", &self.path, cause));
        }
        self.bytes += bytes.len() as u64;
        self.head = head;
        self.lines += 1;
        Ok(())
    }
}

/// Reads and checks a journal without changing it; another process may be writing it.
pub fn read(path: &Path) -> Result<Contents, Error> {
    let file = File::open(path).map_err(|cause| Error::io("open", path, cause))?;
    Ok(scan(BufReader::new(file), path)?.0)
}

/// The contents and the length of the whole lines in bytes.
fn scan(mut reader: impl BufRead, path: &Path) -> Result<(Contents, u64), Error> {
    let mut contents = Contents { entries: Vec::new(), head: NOTHING_BEFORE.into(), torn: None };
    let (mut bytes, mut last_step, mut text) = (0, 0, Vec::new());
    loop {
        text.clear();
        let n =
            reader.read_until(b'\n', &mut text).map_err(|cause| Error::io("read", path, cause))?;
        let line = contents.entries.len() as u64 + 1;
        if n == 0 {
            break;
        }
        if text.pop_if(|last| *last == b'\n').is_none() {
            contents.torn = Some(Torn { line, bytes: n as u64 });
            break;
        }
        let entry = check(&text, line, &contents.head, path)?;
        last_step = expect_in_order(&entry.record, last_step, line, path)?;
        contents.entries.push(entry);
        contents.head = sha256::of(&text);
        bytes += n as u64;
    }
    if contents.entries.is_empty() {
        let what = "no line says how the run started".into();
        return Err(Error::Damaged { path: path.into(), line: 1, what });
    }
    Ok((contents, bytes))
}

fn check(text: &[u8], line: u64, previous: &str, path: &Path) -> Result<Entry, Error> {
    let damaged = |what: String| Error::Damaged { path: path.into(), line, what };
    let read: Line = serde_json::from_slice(text)
        .map_err(|cause| damaged(format!("this is no record this version can read ({cause})")))?;
    if read.previous != previous {
        return Err(damaged("the hash it carries is not that of the line before it".into()));
    }
    if (line == 1) != matches!(read.record, Record::RunStarted(_)) {
        return Err(damaged("the start of the run is told on line 1 and nowhere else".into()));
    }
    Ok(Entry { line, at: read.at, record: read.record })
}

/// The last surviving step after this record.
fn expect_in_order(record: &Record, last: u64, line: u64, path: &Path) -> Result<u64, Error> {
    match record {
        Record::Step(step) if step.step != last + 1 => {
            let what = format!("step {} comes after step {last}", step.step);
            Err(Error::Order { path: path.into(), line, what })
        }
        Record::Step(step) => Ok(step.step),
        Record::Resumed(resumed) => Ok(resumed.from_step),
        _ => Ok(last),
    }
}

fn last_step(entries: &[Entry]) -> u64 {
    let step = |entry: &Entry| match &entry.record {
        Record::Step(step) => Some(step.step),
        Record::Resumed(resumed) => Some(resumed.from_step),
        _ => None,
    };
    entries.iter().rev().find_map(step).unwrap_or(0)
}

fn lock(file: &File, path: &Path) -> Result<(), Error> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(Error::Busy(path.into())),
        // Some network file systems know no locks; the run matters more than the guard.
        Err(TryLockError::Error(_)) => Ok(()),
    }
}
