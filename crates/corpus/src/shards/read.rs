//! Reading shards: any sequence by its number, in two positioned reads.

use super::format::{self, ENTRY_BYTES, Entry, HEADER_BYTES, Manifest, u32_at};
use super::pack::Sequence;
use crate::Error;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A directory of shards, opened. Immutable, and shared freely between threads: reading moves no file position.
#[derive(Debug)]
pub struct Shards {
    directory: PathBuf,
    manifest: Manifest,
    /// Token files with their lengths, in the order of the index.
    files: Vec<(File, u64)>,
    index: File,
}

impl Shards {
    /// Opens a directory after checking version, headers and lengths of all files. Their content is checked by
    /// [`Shards::verify`], which has to read everything.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let manifest = read_manifest(directory)?;
        let damaged = |problem: String| Error::shards(directory, problem);
        let mut files = Vec::new();
        let mut index = None;
        for entry in &manifest.files {
            if entry.name.contains(['/', '\\']) || entry.name.starts_with('.') {
                return Err(damaged(format!("the file name `{}` leads elsewhere", entry.name)));
            }
            let path = directory.join(&entry.name);
            let file = File::open(&path).map_err(|error| Error::io("open", &path, error))?;
            let bytes = file.metadata().map_err(|error| Error::io("open", &path, error))?.len();
            if bytes != entry.bytes {
                let (name, stated) = (&entry.name, entry.bytes);
                return Err(damaged(format!("{name} has {bytes} bytes, not {stated}")));
            }
            if entry.name == format::TOKENIZER {
                continue;
            }
            let of_index = entry.name == format::INDEX;
            let mut header = [0; HEADER_BYTES as usize];
            let read = read_exact_at(&file, &mut header, 0);
            if read.is_err() || header != format::header(of_index, &manifest) {
                return Err(damaged(format!("{} begins with a wrong header", entry.name)));
            }
            match of_index {
                true => index = Some((file, bytes)),
                false => files.push((file, bytes)),
            }
        }
        let Some((index, index_bytes)) = index else {
            return Err(damaged("it has no index".to_string()));
        };
        let expected = manifest.n_sequences.checked_mul(ENTRY_BYTES);
        if expected.and_then(|bytes| bytes.checked_add(HEADER_BYTES)) != Some(index_bytes) {
            let n = manifest.n_sequences;
            return Err(damaged(format!("the index does not have {n} entries")));
        }
        if manifest.n_sequences == 0 {
            return Err(damaged("it holds no sequence".to_string()));
        }
        Ok(Self { directory: directory.to_path_buf(), manifest, files, index })
    }

    /// The tokens of sequence `idx`: one read in the index, one in a token file.
    pub fn sequence(&self, idx: u64) -> Result<Sequence, Error> {
        let n = self.manifest.n_sequences;
        if idx >= n {
            return Err(self.damaged(format!("there is no sequence {idx} of {n}")));
        }
        let mut bytes = [0; ENTRY_BYTES as usize];
        read_exact_at(&self.index, &mut bytes, HEADER_BYTES + idx * ENTRY_BYTES)
            .map_err(|error| Error::io("read", &self.directory.join(format::INDEX), error))?;
        let entry = Entry::from_bytes(&bytes);
        let record_bytes = entry.record_bytes(self.manifest.token_bytes, self.manifest.counted);
        let wrong = || self.damaged(format!("the index entry of sequence {idx} is wrong"));
        let (file, file_bytes) = self.files.get(entry.file as usize).ok_or_else(wrong)?;
        let end = entry.offset.checked_add(record_bytes);
        let fits = entry.offset >= HEADER_BYTES && end.is_some_and(|end| end <= *file_bytes);
        let sizes = 1..=self.manifest.sequence_length;
        if !fits || !sizes.contains(&entry.n_tokens) || entry.n_starts > entry.n_tokens {
            return Err(wrong());
        }
        let mut record = vec![0; record_bytes as usize];
        read_exact_at(file, &mut record, entry.offset)
            .map_err(|error| Error::io("read", &self.directory, error))?;
        self.decode(&record, entry)
            .ok_or_else(|| self.damaged(format!("the record of sequence {idx} is wrong")))
    }

    /// `None` if the record says what cannot be.
    fn decode(&self, record: &[u8], entry: Entry) -> Option<Sequence> {
        let n = entry.n_tokens as usize;
        let (tokens, rest) = record.split_at(n * self.manifest.token_bytes as usize);
        let (starts, marks) = rest.split_at(4 * entry.n_starts as usize);
        let tokens: Vec<u32> = match self.manifest.token_bytes {
            2 => tokens.chunks_exact(2).map(|b| u32::from(b[0]) | u32::from(b[1]) << 8).collect(),
            _ => tokens.chunks_exact(4).map(|b| u32_at(b, 0)).collect(),
        };
        let starts: Vec<u32> = starts.chunks_exact(4).map(|b| u32_at(b, 0)).collect();
        let in_range = tokens.iter().all(|&token| token < self.manifest.vocab_size);
        let ordered = starts.first() == Some(&0)
            && starts.is_sorted_by(|a, b| a < b)
            && starts.last().is_some_and(|&last| last < entry.n_tokens);
        let bit = |at: usize| marks[at / 8] >> (at % 8) & 1 == 1;
        let counted = self.manifest.counted.then(|| (0..n).map(bit).collect());
        (in_range && ordered).then_some(Sequence { tokens, starts, counted })
    }

    /// Reads every file and compares its SHA-256 with the manifest.
    pub fn verify(&self) -> Result<(), Error> {
        for entry in &self.manifest.files {
            let path = self.directory.join(&entry.name);
            let found = sha256_of(&path).map_err(|error| Error::io("read", &path, error))?;
            if found != entry.sha256 {
                return Err(self.damaged(format!("the content of {} has changed", entry.name)));
            }
        }
        Ok(())
    }

    /// Number of token ids.
    pub fn vocab_size(&self) -> usize {
        self.manifest.vocab_size as usize
    }

    /// Tokens in all sequences together.
    pub fn n_tokens(&self) -> u64 {
        self.manifest.n_tokens
    }

    /// Number of sequences; [`Shards::sequence`] takes numbers below it.
    pub fn n_sequences(&self) -> u64 {
        self.manifest.n_sequences
    }

    /// Most tokens in one sequence.
    pub fn sequence_length(&self) -> usize {
        self.manifest.sequence_length as usize
    }

    /// Where the tokenizer of these shards lies. Shards written without one have no file there.
    pub fn tokenizer_path(&self) -> PathBuf {
        self.directory.join(format::TOKENIZER)
    }

    /// Identifies the data: the same for the same tokens in the same sequences.
    pub fn fingerprint(&self) -> &str {
        &self.manifest.fingerprint
    }

    /// The whole manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn damaged(&self, problem: String) -> Error {
        Error::shards(&self.directory, problem)
    }
}

fn read_manifest(directory: &Path) -> Result<Manifest, Error> {
    let path = directory.join(format::MANIFEST);
    let bytes = std::fs::read(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            Error::shards(directory, "there is no shards.json in it".to_string())
        }
        _ => Error::io("read", &path, error),
    })?;
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|error| {
        Error::shards(directory, format!("shards.json does not parse: {error}"))
    })?;
    let problem = if manifest.version != format::VERSION {
        format!("its version is {}, this program reads {}", manifest.version, format::VERSION)
    } else if !matches!(manifest.token_bytes, 2 | 4) {
        format!("tokens of {} bytes are not known", manifest.token_bytes)
    } else if manifest.sequence_length == 0 || manifest.sequence_length > 1 << 28 {
        format!("a sequence length of {} cannot be", manifest.sequence_length)
    } else if manifest.fingerprint != manifest.compute_fingerprint() {
        "shards.json does not match its own fingerprint".to_string()
    } else {
        return Ok(manifest);
    };
    Err(Error::shards(directory, problem))
}

fn sha256_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(format::hex(&hash.finalize())),
            n => hash.update(&buffer[..n]),
        }
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => {
                buffer = &mut buffer[n..];
                offset += n as u64;
            }
        }
    }
    Ok(())
}
