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

    #[error("{field} in the policy is {what}; what can be said here: {example}")]
    Policy { field: String, what: String, example: String },

    #[error("there is no release manifest at {}; `polymath release make` writes one", .0.display())]
    NoManifest(PathBuf),

    #[error(
        "the release manifest is none: {0}; restore it from a copy, or make it and have it reviewed again"
    )]
    Manifest(String),

    /// A document that a manifest was to be made from.
    #[error("{what}; {way_out}")]
    Document { what: String, way_out: &'static str },

    #[error(
        "{document} {what}, and no file of this model has it; hand in the one about this model"
    )]
    OtherModel { document: String, what: String },

    #[error(
        "the key {key} belongs to no reviewer of the policy {policy}; sign with a key that it names"
    )]
    NoReviewer { key: String, policy: String },

    #[error("{}, line {line}: {what}", path.display())]
    Order { path: PathBuf, line: u64, what: String },
}

impl Error {
    /// Where a file that is missing is no journal.
    pub(crate) fn file(doing: &'static str, path: &std::path::Path, cause: std::io::Error) -> Self {
        match cause.kind() {
            std::io::ErrorKind::StorageFull => Self::DiskFull(path.into()),
            _ => Self::Io { doing, path: path.into(), cause },
        }
    }

    pub(crate) fn io(doing: &'static str, path: &std::path::Path, cause: std::io::Error) -> Self {
        match cause.kind() {
            std::io::ErrorKind::NotFound => Self::NoJournal(path.into()),
            std::io::ErrorKind::StorageFull => Self::DiskFull(path.into()),
            std::io::ErrorKind::AlreadyExists => Self::Exists(path.into()),
            _ => Self::Io { doing, path: path.into(), cause },
        }
    }
}
