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
use memmap2::{Advice, UncheckedAdvice};
use memmap2::{Mmap, MmapMut};

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
    Room(Arc<Mmap>),
}

/// Memory for much that is written once and then only read. In pages of 4 KB: clearing ones of 2 MB made loading a model
/// twice to four times as long on a virtual machine, and reading it hardly faster.
#[derive(Debug)]
pub struct Room(MmapMut);

impl Room {
    /// Room for `len` zeros; an error where the system refuses it.
    pub fn new(len: usize) -> std::io::Result<Self> {
        MmapMut::map_anon(len).map(Self)
    }

    /// What is written so far, to go on with.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// All of it, from now on only to read.
    pub fn finish(self) -> std::io::Result<Bytes> {
        let room = self.0.make_read_only()?;
        Ok(Bytes { range: 0..room.len(), owner: Owner::Room(Arc::new(room)) })
    }
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

    /// Tells the system that these bytes of a file will hardly be read again: they no longer count as this process's
    /// memory, and come back when they are touched.
    #[allow(unsafe_code)]
    pub fn release(&self) {
        #[cfg(unix)]
        if let Owner::Map(map) = &self.owner {
            let (start, len) = (self.range.start, self.range.len());
            // SAFETY: the mapping is never written, so that what comes back is what the file says, as at first.
            let _ =
                unsafe { map.bytes.unchecked_advise_range(UncheckedAdvice::DontNeed, start, len) };
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
            Owner::Room(room) => room,
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
    fn released_bytes_come_back_and_a_room_keeps_what_was_written() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let contents: Vec<u8> = (0..20_000).map(|i| (i % 251) as u8).collect();
        std::fs::write(file.path(), &contents).unwrap();
        let bytes = Bytes::mapped(&Map::open(file.path()).unwrap(), 5..19_000).unwrap();
        let mut room = Room::new(bytes.len()).unwrap();
        room.bytes_mut().copy_from_slice(&bytes);
        bytes.release();
        let kept = room.finish().unwrap();
        assert_eq!(*bytes, contents[5..19_000]);
        assert_eq!(*kept.slice(3..10).unwrap(), contents[8..15]);
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
