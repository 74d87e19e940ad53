//! Writing shards: documents in, files and manifest out, in bounded memory.

use super::format::{self, Entry, FileEntry, HEADER_BYTES, Manifest};
use super::pack::{Packer, Sequence};
use super::staging::Staging;
use super::{Shards, format::hex};
use crate::Error;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// One document, tokenised.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Document {
    /// Its tokens.
    pub tokens: Vec<u32>,
    /// Per token, whether predicting it counts; `None` means every one does.
    pub counted: Option<Vec<bool>>,
}

/// Sizes of the shards to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriteOptions {
    /// Number of token ids.
    pub vocab_size: u32,
    /// Most tokens in one sequence.
    pub sequence_length: u32,
    /// Whether records say which tokens count (chat).
    pub counted: bool,
    /// A token file is closed when it has reached this size.
    pub file_bytes: u64,
}

impl WriteOptions {
    /// Plain text with 256 MiB files.
    pub fn new(vocab_size: u32, sequence_length: u32) -> Self {
        Self { vocab_size, sequence_length, counted: false, file_bytes: 256 << 20 }
    }
}

/// Writes `documents` as shards at `target`, atomically. `tokenizer_json`, if given, is put beside them.
pub fn write(
    target: &Path,
    options: WriteOptions,
    tokenizer_json: Option<&[u8]>,
    documents: impl IntoIterator<Item = Document>,
) -> Result<Shards, Error> {
    let staging = Staging::begin(target, false)?;
    let mut writer = Writer::create(staging.path(), options)?;
    for document in documents {
        writer.push(&document.tokens, document.counted.as_deref())?;
    }
    writer.finish(tokenizer_json)?;
    staging.commit()?;
    Shards::open(target)
}

/// Packs documents and writes their sequences into a directory that is not yet in its place.
#[derive(Debug)]
pub struct Writer {
    directory: PathBuf,
    packer: Packer,
    files: Files,
}

impl Writer {
    /// Begins shards in `directory`, which exists (see [`Staging`]).
    pub fn create(directory: &Path, options: WriteOptions) -> Result<Self, Error> {
        if options.vocab_size == 0 || options.sequence_length == 0 {
            let problem = "vocabulary and sequence length must be at least 1".to_string();
            return Err(Error::Config(problem));
        }
        let manifest = Manifest {
            version: format::VERSION,
            vocab_size: options.vocab_size,
            token_bytes: if options.vocab_size <= 1 << 16 { 2 } else { 4 },
            sequence_length: options.sequence_length,
            counted: options.counted,
            n_documents: 0,
            n_tokens: 0,
            n_counted: 0,
            n_sequences: 0,
            files: Vec::new(),
            fingerprint: String::new(),
        };
        let index = Hashed::create(directory, format::INDEX, &format::header(true, &manifest))?;
        Ok(Self {
            directory: directory.to_path_buf(),
            packer: Packer::new(options.sequence_length as usize, options.counted),
            files: Files {
                directory: directory.to_path_buf(),
                file_bytes: options.file_bytes.max(1 << 16),
                index,
                current: None,
                record: Vec::new(),
                manifest,
            },
        })
    }

    /// Adds one document. An empty one adds nothing; a token outside the vocabulary is an error.
    pub fn push(&mut self, tokens: &[u32], counted: Option<&[bool]>) -> Result<(), Error> {
        let manifest = &mut self.files.manifest;
        if let Some(&token) = tokens.iter().find(|&&token| token >= manifest.vocab_size) {
            let size = manifest.vocab_size;
            return Err(Error::Token { token, vocab_size: size });
        }
        if tokens.is_empty() {
            return Ok(());
        }
        manifest.n_documents += 1;
        let all;
        let counted = match (manifest.counted, counted) {
            (false, _) => None,
            (true, Some(counted)) if counted.len() == tokens.len() => Some(counted),
            (true, _) => {
                all = vec![true; tokens.len()];
                Some(&all[..])
            }
        };
        let files = &mut self.files;
        self.packer.push(tokens, counted, &mut |sequence| files.append(&sequence))
    }

    /// Tokens pushed so far that are already in complete sequences.
    pub fn n_tokens(&self) -> u64 {
        self.files.manifest.n_tokens
    }

    /// Writes what is open, the index, the tokenizer and, last, the manifest.
    pub fn finish(self, tokenizer_json: Option<&[u8]>) -> Result<Manifest, Error> {
        let Self { directory, packer, mut files } = self;
        packer.finish(&mut |sequence| files.append(&sequence))?;
        if let Some(current) = files.current.take() {
            files.manifest.files.push(current.finish()?);
        }
        let mut manifest = files.manifest;
        if let Some(json) = tokenizer_json {
            let entry = Hashed::create(&directory, format::TOKENIZER, json)?.finish()?;
            manifest.files.push(entry);
        }
        manifest.files.push(files.index.finish()?);
        manifest.fingerprint = manifest.compute_fingerprint();
        let path = directory.join(format::MANIFEST);
        let json = serde_json::to_vec_pretty(&manifest).map_err(|e| Error::Json(e.to_string()))?;
        fs::write(&path, json).map_err(|error| Error::io("write", &path, error))?;
        Ok(manifest)
    }
}

/// The token file being written, the index, and the sums for the manifest.
#[derive(Debug)]
struct Files {
    directory: PathBuf,
    file_bytes: u64,
    index: Hashed,
    current: Option<Hashed>,
    record: Vec<u8>,
    manifest: Manifest,
}

impl Files {
    fn append(&mut self, sequence: &Sequence) -> Result<(), Error> {
        if self.current.as_ref().is_some_and(|file| file.bytes >= self.file_bytes)
            && let Some(full) = self.current.take()
        {
            self.manifest.files.push(full.finish()?);
        }
        let number = self.manifest.files.len() as u32;
        let file = match &mut self.current {
            Some(file) => file,
            none => {
                let name = format!("tokens-{number:05}.bin");
                let header = format::header(false, &self.manifest);
                none.insert(Hashed::create(&self.directory, &name, &header)?)
            }
        };
        let entry = Entry {
            offset: file.bytes,
            file: number,
            n_tokens: sequence.tokens.len() as u32,
            n_starts: sequence.starts.len() as u32,
        };
        encode(&mut self.record, sequence, self.manifest.token_bytes);
        file.write(&self.record)?;
        self.index.write(&entry.to_bytes())?;
        let n = sequence.tokens.len() as u64;
        self.manifest.n_tokens += n;
        self.manifest.n_counted += match &sequence.counted {
            Some(counted) => counted.iter().filter(|&&counts| counts).count() as u64,
            None => n,
        };
        self.manifest.n_sequences += 1;
        Ok(())
    }
}

fn encode(record: &mut Vec<u8>, sequence: &Sequence, token_bytes: u32) {
    record.clear();
    for token in &sequence.tokens {
        record.extend_from_slice(&token.to_le_bytes()[..token_bytes as usize]);
    }
    for start in &sequence.starts {
        record.extend_from_slice(&start.to_le_bytes());
    }
    for eight in sequence.counted.iter().flat_map(|counted| counted.chunks(8)) {
        let bits = eight.iter().enumerate();
        record.push(bits.fold(0, |byte, (bit, &counts)| byte | u8::from(counts) << bit));
    }
}

/// A file whose SHA-256 is taken on the way.
#[derive(Debug)]
struct Hashed {
    name: String,
    path: PathBuf,
    file: BufWriter<File>,
    hash: Sha256,
    bytes: u64,
}

impl Hashed {
    fn create(directory: &Path, name: &str, beginning: &[u8]) -> Result<Self, Error> {
        let path = directory.join(name);
        let file = File::create(&path).map_err(|error| Error::io("create", &path, error))?;
        let file = BufWriter::with_capacity(1 << 18, file);
        let mut hashed = Self { name: name.to_string(), path, file, hash: Sha256::new(), bytes: 0 };
        hashed.write(beginning)?;
        Ok(hashed)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes).map_err(|error| Error::io("write", &self.path, error))
    }

    fn finish(mut self) -> Result<FileEntry, Error> {
        self.file.flush().map_err(|error| Error::io("write", &self.path, error))?;
        debug_assert!(self.bytes >= HEADER_BYTES || self.name == format::TOKENIZER);
        Ok(FileEntry { name: self.name, bytes: self.bytes, sha256: hex(&self.hash.finalize()) })
    }
}
