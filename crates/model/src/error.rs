//! The one error of this crate: which file, what was being read, and what the person can do.

use std::path::{Path, PathBuf};

/// What can go wrong between a path and a vector of numbers.
///
/// Every variant's message is complete: file, thing, reason, way out. Callers need not add to it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}; hint: {hint}", path.display())]
    Io { path: PathBuf, action: &'static str, source: std::io::Error, hint: &'static str },
    /// The file contradicts its own format: truncated, damaged, or made to mislead.
    #[error("cannot read {}: {what}; hint: {hint}", path.display())]
    Malformed { path: PathBuf, what: String, hint: &'static str },
    /// The file is sound but lacks something this model needs.
    #[error("{} has no {what}; hint: {hint}", path.display())]
    Missing { path: PathBuf, what: String, hint: &'static str },
    /// The file is sound and asks for something that is not implemented.
    #[error("cannot run {}: {what}; hint: {hint}", path.display())]
    Unsupported { path: PathBuf, what: String, hint: &'static str },
    /// The target cannot hold this model, or not as asked.
    #[error("cannot write {}: {what}; hint: {hint}", path.display())]
    Export { path: PathBuf, what: String, hint: &'static str },
    /// A token id that the vocabulary does not have.
    #[error(
        "token {token} is not in the vocabulary of {vocab} tokens; hint: tokenize with this model's own tokenizer"
    )]
    Token { token: u32, vocab: usize },
    /// More positions than the cache or the model's position table holds.
    #[error(
        "{needed} positions are needed and there is room for {capacity}; hint: shorten the text or ask for a longer context"
    )]
    Context { needed: usize, capacity: usize },
    /// The machine has not enough memory for buffers of this size.
    #[error("not enough memory for {bytes} more bytes of {what}; hint: use a shorter context")]
    Memory { what: &'static str, bytes: usize },
}

/// The hint for a file that ends too early or holds nonsense.
pub(crate) const FETCH_AGAIN: &str = "the file is incomplete or damaged; compare its size and SHA-256 with the source and fetch it again";

impl Error {
    pub(crate) fn malformed(path: &Path, what: impl Into<String>) -> Self {
        Self::Malformed { path: path.to_owned(), what: what.into(), hint: FETCH_AGAIN }
    }

    pub(crate) fn missing(path: &Path, what: impl Into<String>, hint: &'static str) -> Self {
        Self::Missing { path: path.to_owned(), what: what.into(), hint }
    }

    pub(crate) fn export(path: &Path, what: impl Into<String>, hint: &'static str) -> Self {
        Self::Export { path: path.to_owned(), what: what.into(), hint }
    }

    pub(crate) fn unsupported(path: &Path, what: impl Into<String>, hint: &'static str) -> Self {
        Self::Unsupported { path: path.to_owned(), what: what.into(), hint }
    }
}
