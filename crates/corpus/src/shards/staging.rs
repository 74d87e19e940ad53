//! A directory that appears whole or not at all.
//!
//! Work goes into `NAME.partial` beside the final `NAME`; the end of the work syncs every file and renames the
//! directory. A process that dies leaves a `.partial`, which nobody takes for the result and which the next
//! build of the same name clears away. A lock keeps two builds out of one directory.

use crate::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

const LOCK: &str = ".lock";

/// The unfinished directory.
#[derive(Debug)]
pub struct Staging {
    partial: PathBuf,
    target: PathBuf,
    replace: bool,
    lock: Option<File>,
}

impl Staging {
    /// Begins `target`. An existing directory there is an error, unless `replace` is set and it is a directory
    /// of shards (or empty): then it is replaced at the end, in one step.
    pub fn begin(target: &Path, replace: bool) -> Result<Self, Error> {
        let occupied = match fs::read_dir(target) {
            Ok(mut entries) => entries.next().is_some(),
            Err(_) => target.exists(),
        };
        let known = target.join(super::format::MANIFEST).is_file();
        if occupied && !(replace && known) {
            return Err(Error::OutputExists { path: target.to_path_buf(), is_corpus: known });
        }
        let mut name = target.file_name().unwrap_or("corpus".as_ref()).to_os_string();
        name.push(".partial");
        let partial = target.with_file_name(name);
        let io = |error| Error::io("create", &partial, error);
        fs::create_dir_all(&partial).map_err(io)?;
        let lock = File::create(partial.join(LOCK)).map_err(io)?;
        if lock.try_lock().is_err() {
            return Err(Error::OutputBusy { path: target.to_path_buf() });
        }
        for entry in fs::read_dir(&partial).map_err(io)? {
            let entry = entry.map_err(io)?;
            if entry.file_name() != LOCK {
                let path = entry.path();
                let gone =
                    if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
                gone.map_err(|error| Error::io("clear", &path, error))?;
            }
        }
        Ok(Self { partial, target: target.to_path_buf(), replace, lock: Some(lock) })
    }

    /// Where to write.
    pub fn path(&self) -> &Path {
        &self.partial
    }

    /// Syncs and renames: from here on the directory stands under its name.
    pub fn commit(mut self) -> Result<(), Error> {
        sync_tree(&self.partial)?;
        self.lock = None;
        let _ = fs::remove_file(self.partial.join(LOCK));
        let aside = self.target.with_extension("replaced");
        let replaced = self.replace && self.target.exists();
        if replaced {
            let _ = fs::remove_dir_all(&aside);
            fs::rename(&self.target, &aside)
                .map_err(|error| Error::io("replace", &self.target, error))?;
        }
        fs::rename(&self.partial, &self.target)
            .map_err(|error| Error::io("put in place", &self.target, error))?;
        if let Some(parent) = self.target.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            sync_directory(parent)?;
        }
        if replaced {
            let _ = fs::remove_dir_all(&aside);
        }
        Ok(())
    }
}

impl Drop for Staging {
    /// An error on the way leaves nothing behind.
    fn drop(&mut self) {
        if self.lock.take().is_some() {
            let _ = fs::remove_dir_all(&self.partial);
        }
    }
}

fn sync_tree(directory: &Path) -> Result<(), Error> {
    let io = |error| Error::io("sync", directory, error);
    for entry in fs::read_dir(directory).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if path.is_dir() {
            sync_tree(&path)?;
        } else {
            let file = File::options().write(true).open(&path);
            file.and_then(|file| file.sync_all())
                .map_err(|error| Error::io("sync", &path, error))?;
        }
    }
    sync_directory(directory)
}

/// Makes names durable. Windows has no such call and needs none.
fn sync_directory(directory: &Path) -> Result<(), Error> {
    if cfg!(unix) {
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(|error| Error::io("sync", directory, error))?;
    }
    Ok(())
}
