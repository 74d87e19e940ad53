//! Files that appear whole or not at all.
//!
//! What is written goes to a temporary name beside the target and is renamed when it is complete and on the
//! disk. Whatever goes wrong before, a full disk above all, removes it again; a process that is killed leaves a
//! file or folder called `….partial-N`, which no reader takes for a model.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::Error;

/// Something being written under a temporary name. Dropping it takes it away.
pub(super) struct Partial {
    temporary: PathBuf,
    target: PathBuf,
    kept: bool,
}

impl Partial {
    /// A place for what shall be at `target`. Nothing is made yet but the folder around it.
    pub(super) fn new(target: &Path) -> Result<Self, Error> {
        let Some(name) = target.file_name() else {
            return Err(Error::export(target, "it is no file name", "name the file to write"));
        };
        if let Some(folder) = target.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).map_err(|source| failed(folder, "create", source))?;
        }
        let mut temporary = name.to_owned();
        temporary.push(format!(".partial-{}", std::process::id()));
        let temporary = target.with_file_name(temporary);
        Ok(Self { temporary, target: target.to_owned(), kept: false })
    }

    /// The temporary name.
    pub(super) fn path(&self) -> &Path {
        &self.temporary
    }

    /// Makes the file of that name, empty.
    pub(super) fn create_file(&self) -> Result<Output, Error> {
        Output::create(&self.temporary, &self.target)
    }

    /// Makes a folder of that name, empty.
    pub(super) fn create_folder(&self) -> Result<(), Error> {
        fs::create_dir(&self.temporary).map_err(|source| failed(&self.target, "create", source))
    }

    /// Gives it its name.
    pub(super) fn keep(mut self) -> Result<(), Error> {
        fs::rename(&self.temporary, &self.target)
            .map_err(|source| failed(&self.target, "write", source))?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        // There is nobody left to tell if this fails too.
        let _ = match self.temporary.is_dir() {
            true => fs::remove_dir_all(&self.temporary),
            false => fs::remove_file(&self.temporary),
        };
    }
}

/// A file being written.
pub(super) struct Output {
    file: BufWriter<File>,
    /// What errors name.
    target: PathBuf,
}

impl Output {
    /// A new file at `path`; errors speak of `target`.
    pub(super) fn create(path: &Path, target: &Path) -> Result<Self, Error> {
        let file = File::create(path).map_err(|source| failed(target, "create", source))?;
        Ok(Self { file: BufWriter::with_capacity(1 << 20, file), target: target.to_owned() })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(|source| failed(&self.target, "write", source))
    }

    /// Sees the file safely onto the disk.
    pub(super) fn finish(mut self) -> Result<(), Error> {
        let done = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        done.map_err(|source| failed(&self.target, "write", source))
    }
}

fn failed(path: &Path, action: &'static str, source: std::io::Error) -> Error {
    let hint = "check that the disk has room for the model and that you may write there; nothing was left behind";
    Error::Io { path: path.to_owned(), action, source, hint }
}
