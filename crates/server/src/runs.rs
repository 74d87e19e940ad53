//! Training runs as the page shows them: what is under way or done, and each run's report. Read-only: a journal is read
//! while another process writes it, and nothing is ever changed.

use std::path::{Path, PathBuf};

use ledger::history::{Ending, History};
use ledger::{Timestamp, journal, report};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::Error;

/// How often a browser draws the report of a run again that has not ended, seconds.
const REFRESH_S: u32 = 10;

/// A run whose journal has not grown for so long is called interrupted, seconds.
const SILENCE_S: i64 = 600;

/// Policy of a report: its own styles and nothing else.
pub(crate) const REPORT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'self'";

/// One run in the list.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RunState {
    /// What [`RunFolders::page`] takes.
    pub id: String,
    pub name: String,
    /// `under way`, `finished`, `stopped`, `interrupted`, or `unreadable`.
    pub state: String,
    /// Why it stopped or cannot be read, or empty.
    pub note: String,
    pub path: String,
    pub step: u64,
    pub of_steps: Option<u64>,
    pub tokens: u64,
    pub loss: Option<f64>,
    pub kwh: Option<f64>,
    /// When its journal was last written to, RFC 3339; empty if unreadable.
    pub updated: String,
}

/// Where runs lie: each folder is a run, or holds runs.
#[derive(Debug, Clone, Default)]
pub struct RunFolders {
    folders: Vec<PathBuf>,
}

impl RunFolders {
    pub fn new(folders: Vec<PathBuf>) -> Self {
        Self { folders }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.journals().len() as u64
    }

    /// All runs, the last written first.
    pub fn list(&self, now: Timestamp) -> Vec<RunState> {
        let mut runs: Vec<RunState> = self.journals().iter().map(|path| state(path, now)).collect();
        runs.sort_by(|a, b| (&b.updated, &a.path).cmp(&(&a.updated, &b.path)));
        runs
    }

    /// The report of one run.
    pub fn page(&self, id: &str, now: Timestamp) -> Result<String, Error> {
        let found = self.journals().into_iter().find(|path| id_of(path) == id);
        let path = found.ok_or_else(|| Error::NotFound {
            what: "this run".into(),
            hint: "its folder may have been moved; open the list of runs again".into(),
        })?;
        let contents = journal::read(&path).map_err(|error| Error::Failed(error.to_string()))?;
        let history = History::of(&contents.entries);
        let ended = history.is_some_and(|history| history.ending.is_some());
        report::page(&contents, now, (!ended).then_some(REFRESH_S))
            .ok_or_else(|| Error::Failed("the journal does not say how the run started".into()))
    }

    fn journals(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for folder in &self.folders {
            let below = std::fs::read_dir(folder).into_iter().flatten().flatten();
            let runs = [folder.clone()].into_iter().chain(below.map(|entry| entry.path()));
            found.extend(runs.map(|run| run.join("journal.jsonl")).filter(|path| path.is_file()));
        }
        found.sort();
        found.dedup();
        found
    }
}

/// Names no path, so that none can be asked for.
fn id_of(path: &Path) -> String {
    let digest = Sha256::digest(path.as_os_str().as_encoded_bytes());
    digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn state(path: &Path, now: Timestamp) -> RunState {
    let folder = path.parent().unwrap_or(path);
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut run = RunState {
        id: id_of(path),
        name,
        path: folder.display().to_string(),
        ..RunState::default()
    };
    let contents = match journal::read(path) {
        Ok(contents) => contents,
        Err(error) => {
            (run.state, run.note) = ("unreadable".into(), error.to_string());
            return run;
        }
    };
    let (Some(history), Some(last)) = (History::of(&contents.entries), contents.entries.last())
    else {
        return run;
    };
    run.updated = last.at.to_string();
    let silent = now.duration_since(last.at).as_secs() > SILENCE_S;
    (run.state, run.note) = match history.ending {
        Some(Ending::Finished(_)) => ("finished".into(), String::new()),
        Some(Ending::Stopped(stopped)) => ("stopped".into(), stopped.reason.clone()),
        None if silent => ("interrupted".into(), String::new()),
        None => ("under way".into(), String::new()),
    };
    let totals = ledger::totals::Totals::of(&history);
    run.of_steps = history.started.planned_steps;
    run.tokens = totals.training.tokens;
    run.kwh = (!totals.energy.is_empty()).then_some(totals.kwh.value);
    if let Some(step) = history.last_step() {
        run.step = step.step;
        run.loss = step.loss.is_finite().then_some(step.loss);
    }
    run
}
