//! The text stage: from files on disk to searchable items.
//!
//! The walk lists what is there; rows of `file` that are new or look changed become *pending*; reading threads parse
//! pending files and prepare their items; one writer stores them in bounded transactions, each of which leaves
//! everything in it searchable. A file stops being pending in the transaction that stores its last item, never
//! before: whatever kills the process, the next sync reads again exactly the files that were under way.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::prepare::{Prepared, prepare};
use super::schema::READ_WITH;
use super::source::{Source, SourceId, now_s, sources};
use super::write::{OpenFile, Put, Writer};
use super::{Vault, from_hex, lock, people};
use crate::error::{Error, Result};
use crate::index::terms::Terms;
use crate::item::Place;
use crate::read::{self, Failure, Limits, walk};

/// What is being done right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Listing files.
    Scan,
    /// Reading and storing text.
    Text,
    /// Removing what is gone from disk.
    Remove,
    /// Making vectors.
    Vectors,
}

/// How far a sync or an embedding run is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Progress {
    pub phase: Phase,
    /// Files (text) or chunks (vectors) done and in all.
    pub done: u64,
    pub total: u64,
    /// Items stored so far.
    pub items: u64,
    /// Bytes of files (text) or of text (vectors) done so far, also those of a mailbox that is half read.
    pub bytes: u64,
    /// Bytes of files in all; 0 when nobody knows.
    pub total_bytes: u64,
    /// Items (text) or chunks (vectors) per second since the start.
    pub items_per_s: f64,
    pub eta_s: Option<f64>,
}

/// What a sync did; an attachment is part of the item it hangs on.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SyncReport {
    pub files_read: u64,
    pub items_new: u64,
    pub items_changed: u64,
    pub items_moved: u64,
    pub items_unchanged: u64,
    pub items_removed: u64,
    pub bytes: u64,
    pub text_ms: f64,
    /// What could not be read, at most 1,000; `status` has them all.
    pub failures: Vec<(String, String)>,
    /// Sources that could not be reached; nothing of them was removed.
    pub unreachable: Vec<(PathBuf, String)>,
}

/// A transaction is committed after this many items, bytes of text, or this long.
const BATCH_ITEMS: usize = 512;
const BATCH_BYTES: usize = 8 << 20;
const BATCH_TIME: Duration = Duration::from_millis(700);
/// Prepared items waiting for the writer; with [`Limits::text_bytes`] this bounds the memory.
const QUEUE: usize = 48;

impl Vault {
    /// Brings one source, or all, up to date: reads what is new or changed, removes what is gone.
    pub fn sync(
        &self,
        which: Option<SourceId>,
        cancel: &AtomicBool,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<SyncReport> {
        let _claim = self.claim("sync.lock", "syncing")?;
        let begun = Instant::now();
        let mut report = SyncReport::default();
        let all = self.read(|db| Ok(sources(db)?))?;
        if let Some(id) = which
            && !all.iter().any(|source| source.id == id)
        {
            return Err(Error::UnknownSource(id.0.to_string()));
        }
        for source in all.iter().filter(|source| which.is_none_or(|id| id == source.id)) {
            let mut run = Run {
                vault: self,
                source,
                cancel,
                progress,
                report: &mut report,
                begun: Instant::now(),
                total: (0, 0),
                done: 0,
            };
            run.sync(&all)?;
        }
        self.tidy()?;
        report.text_ms = begun.elapsed().as_secs_f64() * 1e3;
        Ok(report)
    }
}

/// Where a path of the source is stored, and whether this walk met it.
struct Row {
    id: i64,
    seen: bool,
}

/// A file to read.
struct Job {
    id: i64,
    path: String,
    bytes: u64,
    sha256: Option<Vec<u8>>,
}

/// What a reading thread says; `job` is an index into the list of jobs.
enum Said {
    Item(usize, Box<Prepared>),
    Failed(usize, Failure),
    /// All said about a file; its hash when it could be read, and whether anything but titles was in it.
    Done {
        job: usize,
        sha256: Option<Vec<u8>>,
        has_text: bool,
    },
    /// Looked changed but holds the same bytes.
    Same(usize),
}

struct Run<'a, 'p> {
    vault: &'a Vault,
    source: &'a Source,
    cancel: &'a AtomicBool,
    progress: &'p mut dyn FnMut(&Progress),
    report: &'a mut SyncReport,
    begun: Instant,
    /// (files, bytes) to read
    total: (u64, u64),
    done: u64,
}

impl Run<'_, '_> {
    fn sync(&mut self, all: &[Source]) -> Result<()> {
        self.tell(Phase::Scan);
        let root = self.source.root.clone();
        if let Err(cause) = std::fs::metadata(&root).and_then(|meta| {
            if meta.is_dir() { std::fs::read_dir(&root).map(drop) } else { Ok(()) }
        }) {
            self.report.unreachable.push((root, cause.to_string()));
            return Ok(());
        }
        let entries = self.list(all);
        let vanished = self.note(&entries)?;
        let jobs = self.jobs()?;
        self.total = (jobs.len() as u64, jobs.iter().map(|job| job.bytes).sum());
        let mut writer = Writer::new(vanished.iter().copied().collect());
        self.read_all(&jobs, &mut writer)?;
        self.tell(Phase::Remove);
        for some in vanished.chunks(64) {
            self.check()?;
            let removed = self.vault.write(|db| {
                let mut n_removed = 0;
                for &file in some {
                    n_removed += writer.remove_items_of(db, file, &HashSet::new())?;
                    db.prepare_cached("DELETE FROM failure WHERE file = ?1")?.execute([file])?;
                    db.prepare_cached("DELETE FROM file WHERE id = ?1")?.execute([file])?;
                }
                writer.flush(db)?;
                Ok(n_removed)
            })?;
            self.report.items_removed += removed as u64;
        }
        let source = self.source.id.0;
        self.vault.write(|db| {
            people::regroup(db)?;
            db.execute("UPDATE source SET synced_at = ?2 WHERE id = ?1", params![source, now_s()])?;
            Ok(())
        })
    }

    /// The walk, without what belongs to other sources or to the vault itself.
    fn list(&self, all: &[Source]) -> Vec<walk::Entry> {
        let root = &self.source.root;
        let mut apart: Vec<(String, &'static str)> = Vec::new();
        let inside = |path: &Path| {
            let relative = path.strip_prefix(root).ok()?;
            (!relative.as_os_str().is_empty()).then(|| relative.to_string_lossy().into_owned())
        };
        for other in all.iter().filter(|other| other.id != self.source.id) {
            apart.extend(inside(&other.root).map(|path| (path, "another-source")));
        }
        apart.extend(inside(self.vault.dir()).map(|path| (path, "the-vault-itself")));
        let mut entries = walk(root, &walk::Rules::default());
        for entry in &mut entries {
            let path = entry.path();
            let below = |folder: &str| {
                path.strip_prefix(folder)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            if let Some((_, rule)) = apart.iter().find(|(folder, _)| below(folder)) {
                *entry = walk::Entry::Excluded { path: path.to_owned(), rule };
            }
        }
        entries
    }

    /// Writes down what the walk saw; returns the files that were stored and are gone.
    fn note(&mut self, entries: &[walk::Entry]) -> Result<Vec<i64>> {
        let source = self.source.id.0;
        // A source's paths have no index in the database: this is what keeps one row for each.
        let mut known: HashMap<String, Row> = self.vault.read(|db| {
            let mut files = db.prepare("SELECT path, id FROM file WHERE source = ?1")?;
            let rows = files.query_map([source], |row| {
                Ok((row.get(0)?, Row { id: row.get(1)?, seen: false }))
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })?;
        // A file changed within the clock's grain of now may change again unseen; it is hashed next time.
        let settled_s = now_s() - 2;
        let mut n_files = 0u64;
        for some in entries.chunks(2_000) {
            self.check()?;
            self.vault.write(|db| {
                for entry in some {
                    let row = known.get_mut(entry.path());
                    let id = row.as_ref().map(|row| row.id);
                    n_files += u64::from(note_entry(db, source, id, entry, settled_s)?);
                    match row {
                        Some(row) => row.seen = true,
                        None => {
                            let id = db.last_insert_rowid();
                            known.insert(entry.path().to_owned(), Row { id, seen: true });
                        }
                    }
                }
                Ok(())
            })?;
        }
        self.vault.write(|db| {
            db.execute(
                "UPDATE source SET files_there = ?2 WHERE id = ?1",
                params![source, n_files],
            )?;
            Ok(())
        })?;
        // What lies below a folder that could not be listed has not vanished.
        let unlisted: Vec<String> = entries
            .iter()
            .filter_map(|entry| match entry {
                walk::Entry::Failed { path, .. } if path.is_empty() => Some(String::new()),
                walk::Entry::Failed { path, .. } => {
                    Some(format!("{}/", path.trim_end_matches('/')))
                }
                _ => None,
            })
            .collect();
        known.retain(|path, row| {
            !row.seen && !unlisted.iter().any(|folder| path.starts_with(folder))
        });
        let mut vanished: Vec<i64> = known.into_values().map(|row| row.id).collect();
        vanished.sort_unstable();
        Ok(vanished)
    }

    fn jobs(&self) -> Result<Vec<Job>> {
        self.vault.read(|db| {
            let mut pending = db.prepare(
                "SELECT id, path, size, sha256 FROM file WHERE state = 0 AND source = ?1 ORDER BY path",
            )?;
            let rows = pending.query_map([self.source.id.0], |row| {
                Ok(Job {
                    id: row.get(0)?,
                    path: row.get(1)?,
                    bytes: row.get(2)?,
                    sha256: row.get(3)?,
                })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Reads the jobs on all cores and stores what comes.
    fn read_all(&mut self, jobs: &[Job], writer: &mut Writer) -> Result<()> {
        if jobs.is_empty() {
            return Ok(());
        }
        let base = base(&self.source.root).to_path_buf();
        let n_threads = std::thread::available_parallelism().map_or(2, usize::from).min(16);
        let stop = AtomicBool::new(false);
        let next = Mutex::new(0..jobs.len());
        let (say, hear) = sync_channel(QUEUE);
        std::thread::scope(|scope| {
            for _ in 0..n_threads.min(jobs.len()) {
                let say = say.clone();
                let (base, next, stop, cancel) = (&base, &next, &stop, self.cancel);
                scope.spawn(move || {
                    let stopped = || stop.load(Ordering::Relaxed) || cancel.load(Ordering::Relaxed);
                    let mut terms = Terms::default();
                    while let Some(job) = lock(next).next() {
                        if stopped() || !read_job(base, &jobs[job], job, &mut terms, &say) {
                            return;
                        }
                    }
                });
            }
            drop(say);
            let stored = self.store(jobs, hear, writer);
            stop.store(true, Ordering::Relaxed);
            stored
        })
    }

    /// The writing side: transactions of bounded size until the readers are done.
    fn store(&mut self, jobs: &[Job], hear: Receiver<Said>, writer: &mut Writer) -> Result<()> {
        let mut open: HashMap<usize, Open> = HashMap::new();
        let mut held: Option<Said> = None;
        loop {
            self.check()?;
            let first = match held.take() {
                Some(said) => said,
                None => match hear.recv() {
                    Ok(said) => said,
                    Err(_) => return Ok(()),
                },
            };
            let mut tally = Tally::default();
            let stored = self.vault.write(|db| {
                let begun = Instant::now();
                let mut said = first;
                loop {
                    tally.add(take(db, jobs, self.source.id.0, &mut open, writer, said)?);
                    if tally.items >= BATCH_ITEMS
                        || tally.text_bytes >= BATCH_BYTES
                        || begun.elapsed() >= BATCH_TIME
                    {
                        break;
                    }
                    // The write lock is not held while a slow file is being read.
                    match hear.recv_timeout(Duration::from_millis(40)) {
                        Ok(next) => said = next,
                        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
                    }
                }
                writer.flush(db)?;
                Ok(())
            });
            if stored.is_err() {
                writer.identifiers.forget_all();
                return stored;
            }
            tally.report(self.report);
            self.done += tally.files;
            self.tell(Phase::Text);
        }
    }

    fn check(&self) -> Result<()> {
        if self.cancel.load(Ordering::Relaxed) { Err(Error::Cancelled) } else { Ok(()) }
    }

    fn tell(&mut self, phase: Phase) {
        let report = &self.report;
        let items = report.items_new + report.items_changed + report.items_moved;
        let seconds = self.begun.elapsed().as_secs_f64().max(1e-3);
        let (total, total_bytes) = self.total;
        let share = report.bytes as f64 / total_bytes.max(1) as f64;
        let eta_s = (phase == Phase::Text && share > 0.0).then(|| seconds / share - seconds);
        let told = Progress {
            phase,
            done: self.done,
            total,
            items,
            bytes: report.bytes,
            total_bytes,
            items_per_s: items as f64 / seconds,
            eta_s: eta_s.map(|eta| eta.max(0.0)),
        };
        (self.progress)(&told);
    }
}

/// Where the paths of a source begin: its root, or the folder of a source that is one file.
pub(crate) fn base(root: &Path) -> &Path {
    if root.is_file() { root.parent().unwrap_or(root) } else { root }
}

/// Writes the row of one entry, a new one where it has none; true when it is a file to read.
fn note_entry(
    db: &Connection,
    source: i64,
    row: Option<i64>,
    entry: &walk::Entry,
    settled_s: i64,
) -> rusqlite::Result<bool> {
    match entry {
        walk::Entry::File { path, bytes, modified_s } => {
            let changed = if *modified_s < settled_s { *modified_s } else { -1 };
            db.prepare_cached(
                "INSERT INTO file(id, source, path, size, modified_s, state)
                 VALUES(?6, ?1, ?2, ?3, ?4, 0) ON CONFLICT(id) DO UPDATE SET size = ?3, modified_s = ?4,
                   state = CASE WHEN size = ?3 AND modified_s = ?4 AND ?4 >= 0 AND read_with = ?5
                     AND state IN (1, 2, 3) AND sha256 IS NOT NULL THEN state ELSE 0 END",
            )?
            .execute(params![source, path, *bytes as i64, changed, READ_WITH, row])?;
            Ok(true)
        }
        walk::Entry::Excluded { path, rule } => {
            state_without_reading(db, source, row, path, 4, rule)?;
            Ok(false)
        }
        walk::Entry::Failed { path, reason } => {
            state_without_reading(db, source, row, path, 3, reason)?;
            Ok(false)
        }
    }
}

fn state_without_reading(
    db: &Connection,
    source: i64,
    row: Option<i64>,
    path: &str,
    state: u8,
    reason: &str,
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO file(id, source, path, size, modified_s, state, reason)
         VALUES(?5, ?1, ?2, 0, -1, ?3, ?4) ON CONFLICT(id) DO UPDATE SET state = ?3, reason = ?4, sha256 = NULL",
    )?
    .execute(params![source, path, state, reason, row])?;
    Ok(())
}

/// Reads one file on a reading thread; false when nobody listens any more.
fn read_job(
    base: &Path,
    job: &Job,
    number: usize,
    terms: &mut Terms,
    say: &SyncSender<Said>,
) -> bool {
    let real = walk::to_path(base, &job.path);
    if let Some(before) = &job.sha256
        && hash_file(&real).is_some_and(|now| now == *before)
    {
        return say.send(Said::Same(number)).is_ok();
    }
    let mut heard = true;
    let mut has_text = false;
    let mut whole: Option<String> = None;
    // A mistake of ours in one file is that file's failure; it must not end the sync of all others.
    let read = catch_unwind(AssertUnwindSafe(|| {
        read::file(base, &job.path, &Limits::default(), &mut |result| {
            if !heard {
                return;
            }
            let said = match result {
                Ok(item) => {
                    has_text |= item.sections.iter().any(|section| !section.text.trim().is_empty());
                    if item.place.part.is_empty() {
                        whole = Some(item.content_sha256.clone());
                    }
                    Said::Item(number, Box::new(prepare(item, terms)))
                }
                Err(failure) => Said::Failed(number, failure),
            };
            heard = say.send(said).is_ok();
        });
    }));
    if read.is_err() {
        let failure = Failure {
            place: Place { path: job.path.clone(), part: String::new() },
            reason: "reading it made Polymath stumble; this is a mistake in Polymath".to_owned(),
            hint: "please report it, if you can with the file".to_owned(),
        };
        heard = say.send(Said::Failed(number, failure)).is_ok();
    }
    let sha256 = whole.and_then(|hex| from_hex(&hex)).or_else(|| hash_file(&real));
    heard && say.send(Said::Done { job: number, sha256, has_text }).is_ok()
}

fn hash_file(path: &Path) -> Option<Vec<u8>> {
    let mut file = File::open(path).ok()?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).ok()? {
            0 => return Some(hash.finalize().to_vec()),
            n => hash.update(&buffer[..n]),
        }
    }
}

struct Open {
    file: OpenFile,
    failures: Vec<(String, String)>,
    /// Bytes of its items so far, at most those of the file.
    bytes: u64,
}

#[derive(Default)]
struct Tally {
    items: usize,
    text_bytes: usize,
    files: u64,
    bytes: u64,
    removed: u64,
    puts: [u64; 4],
    failures: Vec<(String, String)>,
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.items += other.items;
        self.text_bytes += other.text_bytes;
        self.files += other.files;
        self.bytes += other.bytes;
        self.removed += other.removed;
        for (mine, theirs) in self.puts.iter_mut().zip(other.puts) {
            *mine += theirs;
        }
        self.failures.extend(other.failures);
    }

    fn report(&mut self, report: &mut SyncReport) {
        report.files_read += self.files;
        report.bytes += self.bytes;
        report.items_removed += self.removed;
        report.items_new += self.puts[Put::New as usize];
        report.items_changed += self.puts[Put::Changed as usize];
        report.items_moved += self.puts[Put::Moved as usize];
        report.items_unchanged += self.puts[Put::Unchanged as usize];
        let room = 1_000usize.saturating_sub(report.failures.len());
        report.failures.extend(self.failures.drain(..).take(room));
    }
}

/// Stores one thing a reading thread said.
fn take(
    db: &Connection,
    jobs: &[Job],
    source: i64,
    open: &mut HashMap<usize, Open>,
    writer: &mut Writer,
    said: Said,
) -> rusqlite::Result<Tally> {
    let mut tally = Tally::default();
    let mut begin = |number: usize| -> rusqlite::Result<()> {
        if let Entry::Vacant(slot) = open.entry(number) {
            let file = jobs[number].id;
            db.prepare_cached("DELETE FROM failure WHERE file = ?1")?.execute([file])?;
            slot.insert(Open { file: OpenFile::new(file, source), failures: Vec::new(), bytes: 0 });
        }
        Ok(())
    };
    match said {
        Said::Item(number, prepared) => {
            begin(number)?;
            if let Some(open) = open.get_mut(&number) {
                let put = writer.put(db, &mut open.file, &prepared)?;
                // An attachment comes with its mail and is not counted beside it.
                if prepared.item.parent.is_none() {
                    tally.puts[put as usize] += 1;
                }
                tally.items = 1;
                tally.text_bytes = prepared.laid.text.len();
                if prepared.item.parent.is_none() {
                    let before = open.bytes;
                    open.bytes = (before + prepared.item.bytes).min(jobs[number].bytes);
                    tally.bytes = open.bytes - before;
                }
            }
        }
        Said::Failed(number, failure) => {
            begin(number)?;
            db.prepare_cached(
                "INSERT INTO failure(file, part, reason, hint) VALUES(?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                jobs[number].id,
                failure.place.part,
                failure.reason,
                failure.hint
            ])?;
            tally.failures.push((jobs[number].path.clone(), failure.reason.clone()));
            if let Some(open) = open.get_mut(&number) {
                open.failures.push((failure.reason, failure.hint));
            }
        }
        Said::Done { job: number, sha256, has_text } => {
            begin(number)?;
            if let Some(open) = open.remove(&number) {
                tally.removed = writer.close_file(db, &open.file)? as u64;
                close(db, &open, sha256, has_text)?;
                tally.bytes = jobs[number].bytes - open.bytes;
            }
            tally.files = 1;
        }
        Said::Same(number) => {
            db.prepare_cached(
                "UPDATE file SET read_with = ?2, state = CASE
                   WHEN n_items = 0 THEN 3 WHEN has_text THEN 1 ELSE 2 END WHERE id = ?1",
            )?
            .execute(params![jobs[number].id, READ_WITH])?;
            tally.files = 1;
            tally.bytes = jobs[number].bytes;
        }
    }
    Ok(tally)
}

/// The file is stored whole: from now on it counts as read.
fn close(
    db: &Connection,
    open: &Open,
    sha256: Option<Vec<u8>>,
    has_text: bool,
) -> rusqlite::Result<()> {
    let n_items = open.file.n_items();
    let state = match (n_items, has_text) {
        (0, _) if !open.failures.is_empty() => 3,
        (_, true) => 1,
        (_, false) => 2,
    };
    let (reason, hint) = match open.failures.first() {
        Some((reason, hint)) => (Some(reason), Some(hint)),
        None => (None, None),
    };
    db.prepare_cached(
        "UPDATE file SET state = ?2, sha256 = ?3, reason = ?4, hint = ?5, n_items = ?6, read_with = ?7,
           has_text = ?8 WHERE id = ?1",
    )?
    .execute(params![open.file.file, state, sha256, reason, hint, n_items, READ_WITH, has_text])?;
    Ok(())
}
