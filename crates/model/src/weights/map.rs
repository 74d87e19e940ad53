//! A file as bytes, without reading it: the one place of this crate with `unsafe`.
//!
//! The mapping is private and read-only. The operating system fetches pages when they are touched
//! and may drop them again, so a model costs no memory beyond what is in use.
//!
//! What cannot be guarded: if another process *truncates* the file while it is mapped, touching the
//! lost pages ends this process with SIGBUS (an access violation on Windows, which refuses to truncate
//! a mapped file in the first place), and if it *overwrites* the file in place, the weights change
//! under the running model: wrong numbers, but still numbers. Downloads therefore go to a temporary
//! name and are renamed: a rename leaves the old mapping intact.

use std::fs::File;
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(unix)]
use memmap2::Advice;
use memmap2::Mmap;

use crate::Error;

/// A whole file, mapped read-only.
#[derive(Debug)]
pub struct Map {
    path: PathBuf,
    bytes: Mmap,
}

impl Map {
    /// Maps the file at `path`. Directories, missing and unreadable files are errors.
    pub fn open(path: &Path) -> Result<Arc<Self>, Error> {
        let io =
            |action, hint| move |source| Error::Io { path: path.to_owned(), action, source, hint };
        let file = File::open(path)
            .map_err(io("open", "check that the file exists and that you may read it"))?;
        let kind = file.metadata().map_err(io("inspect", "check that the disk is readable"))?;
        if !kind.is_file() {
            return Err(Error::malformed(path, "it is not a regular file"));
        }
        let bytes =
            map_file(&file).map_err(io("map", "copy the file to a local disk and try again"))?;
        Ok(Arc::new(Self { path: path.to_owned(), bytes }))
    }

    /// The path that was given to [`Map::open`].
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The contents.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[allow(unsafe_code)]
fn map_file(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the mapping is only read, as plain bytes for which every pattern is valid. The
    // remaining hazard, the file shrinking under us, is described at the head of this file.
    unsafe { Mmap::map(file) }
}

/// A run of bytes that keeps its owner alive: part of a mapped file, or memory of its own where a
/// tensor had to be rewritten.
#[derive(Debug, Clone)]
pub struct Bytes {
    owner: Owner,
    range: Range<usize>,
}

#[derive(Debug, Clone)]
enum Owner {
    Map(Arc<Map>),
    Memory(Arc<[u8]>),
}

impl Bytes {
    /// Bytes `range` of the file; `None` where the file is shorter.
    pub fn mapped(map: &Arc<Map>, range: Range<usize>) -> Option<Self> {
        map.bytes().get(range.clone())?;
        Some(Self { owner: Owner::Map(map.clone()), range })
    }

    /// Part `range` of these bytes, with the same owner; `None` where they end before.
    pub fn slice(&self, range: Range<usize>) -> Option<Self> {
        self.get(range.clone())?;
        let start = self.range.start;
        Some(Self { owner: self.owner.clone(), range: start + range.start..start + range.end })
    }

    /// Asks the system to read these bytes in the background; they will be needed soon. Asking costs microseconds where
    /// they are in memory already, and where the system does not listen they are read when they are touched.
    pub fn will_need(&self) {
        #[cfg(unix)]
        if let Owner::Map(map) = &self.owner {
            let _ = map.bytes.advise_range(Advice::WillNeed, self.range.start, self.range.len());
        }
    }

    /// Bytes that were computed.
    pub fn owned(bytes: Vec<u8>) -> Self {
        Self { range: 0..bytes.len(), owner: Owner::Memory(bytes.into()) }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let whole = match &self.owner {
            Owner::Map(map) => map.bytes(),
            Owner::Memory(bytes) => bytes,
        };
        &whole[self.range.clone()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_file_maps_to_no_bytes() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let map = Map::open(file.path()).unwrap();
        assert!(map.bytes().is_empty());
        assert!(Bytes::mapped(&map, 0..1).is_none());
        assert_eq!(Bytes::mapped(&map, 0..0).unwrap().len(), 0);
    }

    #[test]
    fn a_part_of_a_part_counts_from_its_own_beginning() {
        let bytes = Bytes::owned((0..10).collect()).slice(2..8).unwrap();
        assert_eq!(*bytes.slice(1..3).unwrap(), [3, 4]);
        assert!(bytes.slice(4..7).is_none());
    }

    #[test]
    fn a_directory_and_a_missing_file_are_errors_that_name_the_path() {
        let directory = tempfile::tempdir().unwrap();
        let error = Map::open(directory.path()).unwrap_err().to_string();
        assert!(error.contains(&directory.path().display().to_string()), "{error}");
        let missing = directory.path().join("no-such-model.gguf");
        let error = Map::open(&missing).unwrap_err().to_string();
        assert!(error.contains("no-such-model.gguf") && error.contains("hint:"), "{error}");
    }
}
