use std::io;
use std::path::{Path, PathBuf};

/// What can go wrong while a checkpoint is written or a folder of them is listed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "the disk is full: the checkpoint of step {step} was not written and what stood of it was removed from {}; \
         earlier checkpoints are untouched, the run may go on: free some space before the next one is due",
        path.display()
    )]
    DiskFull { step: u64, path: PathBuf },

    #[error("cannot {doing} {}: {cause}", path.display())]
    Io { doing: &'static str, path: PathBuf, cause: io::Error },

    #[error("cannot save the checkpoint of step {step}: {what}")]
    Snapshot { step: u64, what: String },

    #[error(
        "the thread that wrote the checkpoint of step {step} ended without a word; the checkpoint does not exist"
    )]
    Lost { step: u64 },
}

impl Error {
    pub(super) fn io(doing: &'static str, path: &Path, cause: io::Error) -> Self {
        Self::Io { doing, path: path.into(), cause }
    }
}
