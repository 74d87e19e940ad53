//! The checkpoints of one run: saving beside the training, finding the newest whole one, keeping some.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use super::{Error, Loaded, Snapshot, read, write};

/// Endings of names that are no checkpoints: one being written, one being taken away.
pub(super) const PARTIAL: &str = "partial";
pub(super) const REMOVING: &str = "removing";

/// Which checkpoints stay after a save.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// The newest so many; at least 1.
    pub last: usize,
    /// Those whose step is a multiple of this as well; 0 keeps none of them.
    pub every: u64,
}

impl Default for Keep {
    /// Three, so that two may be damaged.
    fn default() -> Self {
        Self { last: 3, every: 0 }
    }
}

/// The folder of a run's checkpoints. There is one writer; the journal's lock sees to that.
pub struct Store {
    folder: PathBuf,
    keep: Keep,
    create: write::Create,
    in_flight: Option<InFlight>,
    /// Names found damaged: kept as they are.
    damaged: Arc<BTreeSet<String>>,
}

struct InFlight {
    step: u64,
    thread: JoinHandle<Result<Saved, Error>>,
}

/// A checkpoint that stands.
#[derive(Debug)]
pub struct Saved {
    pub step: u64,
    pub bytes: u64,
    /// From the order to save until everything stood on the disk.
    pub seconds: f64,
    /// Hash of the manifest.
    pub sha256: String,
    /// Older checkpoints taken away after it, as [`Keep`] says.
    pub removed: Vec<String>,
    /// The snapshot back, so that the next one can use its memory.
    pub snapshot: Snapshot,
}

/// A save has begun.
#[derive(Debug)]
pub struct Begun {
    /// What became of the save before, if nobody asked yet.
    pub previous: Option<Result<Saved, Error>>,
    /// How long this call waited for it.
    pub waited_s: f64,
}

/// Something in the folder that was not used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub name: String,
    pub what: String,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "checkpoint {} is not used: {}", self.name, self.what)
    }
}

impl Store {
    /// Opens the folder of a run's checkpoints; it is made if there is none.
    pub fn open(folder: &Path, keep: Keep) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(|cause| Error::io("make folder", folder, cause))?;
        Ok(Self {
            folder: folder.into(),
            keep: Keep { last: keep.last.max(1), ..keep },
            create: write::create_file,
            in_flight: None,
            damaged: Arc::default(),
        })
    }

    /// A store whose files are made by `create`.
    #[cfg(test)]
    pub(super) fn with_disk(folder: &Path, keep: Keep, create: write::Create) -> Self {
        let mut store = Self::open(folder, keep).expect("a folder");
        store.create = create;
        store
    }

    /// Saves beside the training. Waits for the save before, whose outcome it hands over: an error there does not
    /// keep this one from being tried.
    pub fn begin_save(&mut self, step: u64, snapshot: Snapshot) -> Begun {
        let began = Instant::now();
        let previous = self.finish();
        let waited_s = began.elapsed().as_secs_f64();
        let (folder, keep, create) = (self.folder.clone(), self.keep, self.create);
        let damaged = Arc::clone(&self.damaged);
        let thread =
            std::thread::spawn(move || save(&folder, keep, &damaged, step, snapshot, create));
        self.in_flight = Some(InFlight { step, thread });
        Begun { previous, waited_s }
    }

    /// The outcome of the save in flight if it is done; does not wait.
    pub fn poll(&mut self) -> Option<Result<Saved, Error>> {
        self.in_flight.as_ref().filter(|save| save.thread.is_finished())?;
        self.finish()
    }

    /// Waits for the save in flight. A run calls this before it ends.
    pub fn finish(&mut self) -> Option<Result<Saved, Error>> {
        let InFlight { step, thread } = self.in_flight.take()?;
        Some(thread.join().unwrap_or(Err(Error::Lost { step })))
    }

    /// The newest checkpoint that is whole. Whatever is newer and is not, is reported.
    pub fn latest(&mut self, reports: &mut Vec<Report>) -> Result<Option<Loaded>, Error> {
        self.latest_until(u64::MAX, reports)
    }

    /// The newest whole checkpoint of at most `step` steps.
    pub fn latest_until(
        &mut self,
        step: u64,
        reports: &mut Vec<Report>,
    ) -> Result<Option<Loaded>, Error> {
        for name in names(&self.folder)?.into_iter().filter(|name| is_leftover(name)) {
            reports.push(Report {
                name,
                what: "it was being written or removed when the run stopped".into(),
            });
        }
        let found = checkpoints(&self.folder)?;
        for found in found.into_iter().rev().filter(|found| found.step <= step) {
            match read::checkpoint(&self.folder.join(&found.name), found.step) {
                Ok(loaded) => return Ok(Some(loaded)),
                Err(what) => {
                    Arc::make_mut(&mut self.damaged).insert(found.name.clone());
                    reports.push(Report { name: found.name, what });
                }
            }
        }
        Ok(None)
    }

    /// Steps of the checkpoints in the folder, whole or not, oldest first.
    pub fn steps(&self) -> Result<Vec<u64>, Error> {
        Ok(checkpoints(&self.folder)?.into_iter().map(|found| found.step).collect())
    }
}

impl Drop for Store {
    /// A save that has begun is brought to its end.
    fn drop(&mut self) {
        let _ = self.finish();
    }
}

/// The work of the thread: sweep, write, keep.
fn save(
    folder: &Path,
    keep: Keep,
    damaged: &BTreeSet<String>,
    step: u64,
    snapshot: Snapshot,
    create: write::Create,
) -> Result<Saved, Error> {
    for name in names(folder)?.iter().filter(|name| is_leftover(name)) {
        write::remove(folder, name)
            .map_err(|cause| Error::io("remove leftover", &folder.join(name), cause))?;
    }
    let name = free_name(folder, step);
    let written = write::checkpoint(folder, name, step, &snapshot, create)?;
    let removed = thin_out(folder, keep, damaged, &written.name)?;
    Ok(Saved {
        step,
        bytes: written.bytes,
        seconds: written.seconds,
        sha256: written.sha256,
        removed,
        snapshot,
    })
}

/// Takes away what [`Keep`] does not keep; never `newest`, which was just written.
fn thin_out(
    folder: &Path,
    keep: Keep,
    damaged: &BTreeSet<String>,
    newest: &str,
) -> Result<Vec<String>, Error> {
    let mut removed = Vec::new();
    let whole = checkpoints(folder)?.into_iter().filter(|found| !damaged.contains(&found.name));
    let others: Vec<Found> = whole.filter(|found| found.name != newest).collect();
    let old = others.len().saturating_sub(keep.last - 1);
    for Found { step, name, .. } in others.into_iter().take(old) {
        if keep.every > 0 && step.is_multiple_of(keep.every) {
            continue;
        }
        write::remove(folder, &name)
            .map_err(|cause| Error::io("remove old checkpoint", &folder.join(&name), cause))?;
        removed.push(name);
    }
    Ok(removed)
}

/// A folder named like a checkpoint.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    step: u64,
    /// Steps done again after going back get a number behind their name.
    attempt: u64,
    name: String,
}

/// Oldest first.
fn checkpoints(folder: &Path) -> Result<Vec<Found>, Error> {
    let mut found: Vec<Found> = names(folder)?.into_iter().filter_map(parse).collect();
    found.sort();
    Ok(found)
}

fn parse(name: String) -> Option<Found> {
    let mut numbers = name.strip_prefix("step-")?.splitn(2, '-');
    let digits = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
    };
    let step = digits(numbers.next()?)?;
    let attempt = numbers.next().map_or(Some(1), digits)?;
    Some(Found { step, attempt, name })
}

/// The name of a new checkpoint: an older one of the same step, damaged or from a course that was left, stays beside it.
fn free_name(folder: &Path, step: u64) -> String {
    let name = format!("step-{step:08}");
    if !folder.join(&name).exists() {
        return name;
    }
    let numbered = (2..).map(|attempt: u64| format!("{name}-{attempt}"));
    numbered.into_iter().find(|name| !folder.join(name).exists()).unwrap_or(name)
}

fn is_leftover(name: &str) -> bool {
    name.starts_with("step-")
        && (name.ends_with(&format!(".{PARTIAL}")) || name.ends_with(&format!(".{REMOVING}")))
}

fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let list = |cause| Error::io("list", folder, cause);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(list)? {
        names.extend(entry.map_err(list)?.file_name().into_string());
    }
    names.sort();
    Ok(names)
}
