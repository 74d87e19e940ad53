//! Kept documents between the passes: a file that is written once and read in order.
//!
//! Near copies, the held-out documents and the vocabulary can be chosen only when all documents are known, so the
//! kept ones wait on disk, not in memory.

use crate::Error;
use crate::chat::Message;
use crate::read::Body;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// Being written.
pub(super) struct Spool {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Spool {
    pub(super) fn create(path: &Path) -> Result<Self, Error> {
        let file = File::create(path).map_err(|error| Error::io("create", path, error))?;
        Ok(Self { path: path.to_path_buf(), file: BufWriter::with_capacity(1 << 18, file) })
    }

    pub(super) fn push(&mut self, document: &[u8]) -> Result<(), Error> {
        let length = (document.len() as u64).to_le_bytes();
        let written = self.file.write_all(&length).and_then(|()| self.file.write_all(document));
        written.map_err(|error| Error::io("write", &self.path, error))
    }

    pub(super) fn finish(mut self) -> Result<Spooled, Error> {
        self.file.flush().map_err(|error| Error::io("write", &self.path, error))?;
        Ok(Spooled { path: self.path })
    }
}

/// Written, to be read.
pub(super) struct Spooled {
    path: PathBuf,
}

impl Spooled {
    /// Calls `each` with every document in order; `false` ends the reading.
    pub(super) fn each(&self, mut each: impl FnMut(Vec<u8>) -> bool) -> Result<(), Error> {
        let io = |error| Error::io("read", &self.path, error);
        let file = File::open(&self.path).map_err(io)?;
        let mut left = file.metadata().map_err(io)?.len();
        let mut reader = BufReader::with_capacity(1 << 18, file);
        while left > 0 {
            let mut length = [0; 8];
            reader.read_exact(&mut length).map_err(io)?;
            let length = u64::from_le_bytes(length).min(left);
            let mut document = vec![0; length as usize];
            reader.read_exact(&mut document).map_err(io)?;
            left = left.saturating_sub(8 + length);
            if !each(document) {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn remove(self) -> Result<(), Error> {
        std::fs::remove_file(&self.path).map_err(|error| Error::io("remove", &self.path, error))
    }
}

/// A document as bytes: a letter for its kind, and its text or messages.
pub(super) fn encode(body: &Body) -> Vec<u8> {
    match body {
        Body::Text(text) => [b"t", text.as_bytes()].concat(),
        Body::Chat(messages) => {
            let mut bytes = b"c".to_vec();
            bytes.extend(serde_json::to_vec(messages).unwrap_or_default());
            bytes
        }
    }
}

/// The document that [`encode`] wrote.
pub(super) fn decode(bytes: &[u8]) -> Body {
    match bytes.split_first() {
        Some((b'c', json)) => {
            let messages: Vec<Message> = serde_json::from_slice(json).unwrap_or_default();
            Body::Chat(messages)
        }
        Some((_, text)) => Body::Text(String::from_utf8_lossy(text).into_owned()),
        None => Body::Text(String::new()),
    }
}
