use std::path::PathBuf;

/// What can go wrong with the accounts of a run; every message names the thing and the way out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {doing} {}: {cause}", path.display())]
    Io { doing: &'static str, path: PathBuf, cause: std::io::Error },

    #[error(
        "there is no journal at {}; a run directory is what `polymath train` writes, with journal.jsonl inside",
        .0.display()
    )]
    NoJournal(PathBuf),

    #[error(
        "the disk that holds {} is full; free some space and try again: every line written before stands",
        .0.display()
    )]
    DiskFull(PathBuf),

    #[error(
        "{} is being written by another process; wait until that run ends or stop it",
        .0.display()
    )]
    Busy(PathBuf),

    #[error("{} exists already; resume the run it belongs to, or choose another directory", .0.display())]
    Exists(PathBuf),

    /// The chain of hashes is broken, or a line that was written whole can no longer be read.
    #[error(
        "{}, line {line}: {what}; the lines before it are sound, but this journal was changed or damaged after it was \
         written and proves nothing from here on: restore it from a copy",
        path.display()
    )]
    Damaged { path: PathBuf, line: u64, what: String },

    #[error("this is no key that can be used here: {0}; `polymath disclose key FILE` makes a pair")]
    Key(String),

    #[error(
        "the signature does not hold: {0}; the file was changed after it was signed, or another key signed it"
    )]
    Signature(String),

    #[error("{field} is {value}; what can be said here: {example}")]
    Facts { field: String, value: String, example: String },

    #[error("{}, line {line}: {what}", path.display())]
    Order { path: PathBuf, line: u64, what: String },
}

impl Error {
    pub(crate) fn io(doing: &'static str, path: &std::path::Path, cause: std::io::Error) -> Self {
        match cause.kind() {
            std::io::ErrorKind::NotFound => Self::NoJournal(path.into()),
            std::io::ErrorKind::StorageFull => Self::DiskFull(path.into()),
            std::io::ErrorKind::AlreadyExists => Self::Exists(path.into()),
            _ => Self::Io { doing, path: path.into(), cause },
        }
    }
}
