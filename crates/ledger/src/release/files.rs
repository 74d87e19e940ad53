//! The files of a model: what is hashed, and where the manifest and its signatures stand.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{Error, sha256};

/// Name of the manifest in a model's folder; for a single file it is appended to the file's name.
const MANIFEST: &str = "release.json";

/// Folders deeper than this are no model.
const DEPTH: usize = 8;

/// One file of a model.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileHash {
    /// Below the model's folder, with `/`.
    pub path: String,
    pub bytes: u64,
    pub sha256: String,
}

/// Where the manifest of a model stands: `DIR/release.json`, or `FILE.gguf.release.json`.
pub fn manifest_path(model: &Path) -> PathBuf {
    if model.is_dir() {
        return model.join(MANIFEST);
    }
    let mut name = model.file_name().map_or_else(OsString::new, ToOwned::to_owned);
    name.push(format!(".{MANIFEST}"));
    model.with_file_name(name)
}

/// Every file of the model in order of their names, links followed, without the manifest and its signatures.
///
/// # Errors
/// When a file cannot be read, or its name is no UTF-8.
pub(super) fn survey(model: &Path) -> Result<Vec<FileHash>, Error> {
    hash_all(list(model)?)
}

/// The files that hold weights, hashed: what a document of results says it measured.
///
/// # Errors
/// When a file cannot be read.
pub fn weights(model: &Path) -> Result<Vec<FileHash>, Error> {
    let mut files = list(model)?;
    files.retain(|(name, _)| [".safetensors", ".gguf", ".bin"].iter().any(|e| name.ends_with(e)));
    hash_all(files)
}

fn list(model: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let mut paths = Vec::new();
    if model.is_dir() {
        collect(model, String::new(), DEPTH, &mut paths)?;
    } else {
        let name = model.file_name().and_then(|name| name.to_str());
        paths.push((name.unwrap_or("model").to_owned(), model.to_path_buf()));
    }
    Ok(paths)
}

fn hash_all(paths: Vec<(String, PathBuf)>) -> Result<Vec<FileHash>, Error> {
    let mut files: Vec<FileHash> =
        paths.into_iter().map(|(name, path)| hash(name, &path)).collect::<Result<_, _>>()?;
    files.sort();
    Ok(files)
}

fn collect(
    folder: &Path,
    prefix: String,
    depth: usize,
    paths: &mut Vec<(String, PathBuf)>,
) -> Result<(), Error> {
    let failed = |cause| Error::file("read", folder, cause);
    if depth == 0 {
        let cause = std::io::Error::other("folders within folders without end");
        return Err(failed(cause));
    }
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Err(Error::file("name", &path, std::io::Error::other("not UTF-8")));
        };
        if prefix.is_empty() && is_ours(name) {
            continue;
        }
        let name = format!("{prefix}{name}");
        if path.is_dir() {
            collect(&path, name + "/", depth - 1, paths)?;
        } else {
            paths.push((name, path));
        }
    }
    Ok(())
}

/// The manifest, `release.json.KEYID.minisig`, and what an interrupted [`put`] left: nothing that a model is loaded from.
fn is_ours(name: &str) -> bool {
    name.strip_prefix(MANIFEST).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Writes a small file whole or not at all.
pub(super) fn put(path: &Path, text: &str) -> Result<(), Error> {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    let part = PathBuf::from(name);
    let failed = |cause| Error::file("write", path, cause);
    let mut file = File::create(&part).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&part, path).map_err(failed)
}

fn hash(path_below: String, path: &Path) -> Result<FileHash, Error> {
    let failed = |cause| Error::file("read", path, cause);
    let (bytes, sha256) = File::open(path).and_then(sha256::of_all).map_err(failed)?;
    Ok(FileHash { path: path_below, bytes, sha256 })
}
