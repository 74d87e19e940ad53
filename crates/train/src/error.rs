//! The one error of this crate: which thing, what is wrong with it, and the way out.

use std::path::{Path, PathBuf};

/// What can go wrong between shards and a trained model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}; hint: {hint}", path.display())]
    Io { path: PathBuf, action: &'static str, source: std::io::Error, hint: &'static str },
    /// A configuration that cannot be meant, or that this version cannot train.
    #[error("{what}; hint: {hint}")]
    Configuration { what: String, hint: &'static str },
    /// A file that is damaged or belongs to something else.
    #[error("cannot read {}: {what}; hint: {hint}", path.display())]
    Malformed { path: PathBuf, what: String, hint: &'static str },
    /// No task has this name.
    #[error(
        "there is no task named `{name}`{}; see `polymath eval --list`, or give a task's TOML file",
        close(near)
    )]
    UnknownTask { name: String, near: Vec<String> },
    /// The documents of a task are not here.
    #[error("{task}: {what}")]
    NoData { task: String, what: String },
    /// A document does not fit its task.
    #[error(
        "{task}, document {at}: {what}; hint: the data may be of another form than the task's templates expect"
    )]
    Document { task: String, at: usize, what: String },
    /// The engine that answers.
    #[error(transparent)]
    Infer(#[from] infer::Error),
    /// Numbers left the range of f32.
    #[error(
        "step {step}: {what} is not finite; hint: resume from the last checkpoint with a lower learning rate"
    )]
    NotFinite { step: u64, what: String },
    /// Weight files.
    #[error(transparent)]
    Model(#[from] model::Error),
    /// Shards and tokenizers.
    #[error(transparent)]
    Corpus(#[from] corpus::Error),
    /// The journal.
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    /// Saving and finding the state.
    #[error(transparent)]
    Checkpoint(#[from] crate::checkpoint::Error),
}

fn close(near: &[String]) -> String {
    if near.is_empty() { String::new() } else { format!(" (did you mean {}?)", near.join(", ")) }
}

impl Error {
    pub(crate) fn io(
        path: &Path,
        action: &'static str,
        source: std::io::Error,
        hint: &'static str,
    ) -> Self {
        Self::Io { path: path.to_owned(), action, source, hint }
    }

    pub(crate) fn configuration(what: impl Into<String>, hint: &'static str) -> Self {
        Self::Configuration { what: what.into(), hint }
    }

    pub(crate) fn malformed(path: &Path, what: impl Into<String>, hint: &'static str) -> Self {
        Self::Malformed { path: path.to_owned(), what: what.into(), hint }
    }
}
