//! What lies on disk.
//!
//! ```text
//! shards.json          the manifest: version, sizes, files with their lengths and SHA-256
//! tokens-00000.bin …   header, then one record per sequence
//! index.bin            header, then 24 bytes per sequence: where its record lies
//! tokenizer.json       the tokenizer that made the tokens (when there is one)
//! ```
//!
//! Header (32 bytes): magic, version `u32`, bytes per token `u32`, sequence length `u32`, vocabulary `u32`.
//! Record: tokens (`u16` where the vocabulary allows, else `u32`), then starts (`u32`), then, where some tokens
//! do not count, one bit per token. Everything little-endian.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub(super) const MANIFEST: &str = "shards.json";
pub(super) const INDEX: &str = "index.bin";
pub(super) const TOKENIZER: &str = "tokenizer.json";
pub(super) const VERSION: u32 = 1;
pub(super) const HEADER_BYTES: u64 = 32;
pub(super) const ENTRY_BYTES: u64 = 24;
const TOKENS_MAGIC: &[u8; 16] = b"polymath tokens\n";
const INDEX_MAGIC: &[u8; 16] = b"polymath index \n";

/// `shards.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the format.
    pub version: u32,
    /// Number of token ids; every token is below it.
    pub vocab_size: u32,
    /// Bytes per token on disk, 2 or 4.
    pub token_bytes: u32,
    /// Most tokens in one sequence.
    pub sequence_length: u32,
    /// Whether records say which tokens count.
    pub counted: bool,
    /// Documents packed.
    pub n_documents: u64,
    /// Tokens in all sequences together.
    pub n_tokens: u64,
    /// Tokens that count in the loss.
    pub n_counted: u64,
    /// Sequences.
    pub n_sequences: u64,
    /// Every other file, in the order in which the index counts them; the index is last.
    pub files: Vec<FileEntry>,
    /// SHA-256 over all of the above: two directories with the same fingerprint hold the same data.
    pub fingerprint: String,
}

/// One file of the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Name within the directory.
    pub name: String,
    /// Length.
    pub bytes: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

impl Manifest {
    /// The fingerprint that belongs to the other fields.
    pub(super) fn compute_fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for number in [
            u64::from(self.version),
            u64::from(self.vocab_size),
            u64::from(self.token_bytes),
            u64::from(self.sequence_length),
            u64::from(self.counted),
            self.n_documents,
            self.n_tokens,
            self.n_counted,
            self.n_sequences,
        ] {
            hash.update(number.to_le_bytes());
        }
        for file in &self.files {
            hash.update(file.name.as_bytes());
            hash.update([0]);
            hash.update(file.bytes.to_le_bytes());
            hash.update(file.sha256.as_bytes());
        }
        hex(&hash.finalize())
    }
}

/// Where the record of a sequence lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) offset: u64,
    pub(super) file: u32,
    pub(super) n_tokens: u32,
    pub(super) n_starts: u32,
}

impl Entry {
    pub(super) fn to_bytes(self) -> [u8; ENTRY_BYTES as usize] {
        let mut bytes = [0; ENTRY_BYTES as usize];
        bytes[..8].copy_from_slice(&self.offset.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.file.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.n_tokens.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.n_starts.to_le_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; ENTRY_BYTES as usize]) -> Self {
        let word = |at: usize| u32_at(bytes, at);
        let offset = u64::from(word(0)) | u64::from(word(4)) << 32;
        Self { offset, file: word(8), n_tokens: word(12), n_starts: word(16) }
    }

    /// Length of the record.
    pub(super) fn record_bytes(self, token_bytes: u32, counted: bool) -> u64 {
        let n = u64::from(self.n_tokens);
        let marks = if counted { n.div_ceil(8) } else { 0 };
        n * u64::from(token_bytes) + 4 * u64::from(self.n_starts) + marks
    }
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte))
}

/// The header of a token file or of the index.
pub(super) fn header(of_index: bool, manifest: &Manifest) -> [u8; HEADER_BYTES as usize] {
    let mut bytes = [0; HEADER_BYTES as usize];
    bytes[..16].copy_from_slice(if of_index { INDEX_MAGIC } else { TOKENS_MAGIC });
    let words =
        [manifest.version, manifest.token_bytes, manifest.sequence_length, manifest.vocab_size];
    for (slot, word) in bytes[16..].chunks_exact_mut(4).zip(words) {
        slot.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
    text
}
