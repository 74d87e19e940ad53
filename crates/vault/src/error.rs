//! What can go wrong with a vault as a whole. A file that cannot be read is not an error of the vault: it is
//! a [`crate::read::Failure`], kept in the database and shown by `vault why`.

use std::path::PathBuf;

/// Every message names the thing and the way out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {doing} {}: {cause}", path.display())]
    Io { doing: &'static str, path: PathBuf, cause: std::io::Error },

    #[error(
        "the vault {} is damaged ({cause}); your files are untouched: move this folder away or run \
         `vault rebuild`, which reads every source again",
        path.display()
    )]
    Damaged { path: PathBuf, cause: String },

    #[error(
        "the vault {} was written by a newer Polymath (schema {found}, this one knows {known}); \
         update this program, or use another vault folder",
        path.display()
    )]
    Newer { path: PathBuf, found: i64, known: i64 },

    #[error("the disk that holds {} is full; free some space and run the same command again: nothing that was stored is lost", path.display())]
    DiskFull { path: PathBuf },

    #[error("cannot write to the vault {}: it is read-only for this user; check the folder's permissions or choose another with --vault", path.display())]
    ReadOnly { path: PathBuf },

    #[error("another program is {doing} the vault {} right now; wait until it is done or stop it, then try again", path.display())]
    Busy { path: PathBuf, doing: &'static str },

    #[error("there is nothing at {}; check the path (a source is a folder or a single file)", .0.display())]
    NoSuchSource(PathBuf),

    #[error("`{0}` is not a source of this vault; `vault status` lists them")]
    UnknownSource(String),

    #[error("the vault has no item {0}; it may have been removed by a sync since it was found")]
    UnknownItem(i64),

    #[error("cannot understand `{field}:{value}` in the search; {hint}")]
    Filter { field: String, value: String, hint: &'static str },

    #[error(transparent)]
    Embed(#[from] crate::embed::EmbedError),

    #[error(
        "stopped before it was done; what was stored stays, and the next run goes on from there"
    )]
    Cancelled,

    /// Anything SQLite says that is none of the above.
    #[error("the vault's database answered: {0}")]
    Database(#[from] rusqlite::Error),
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Sorts SQLite's codes into the cases a person can do something about.
    pub(crate) fn from_sqlite(path: &std::path::Path, error: rusqlite::Error) -> Error {
        use rusqlite::ErrorCode::*;
        let path = path.to_path_buf();
        match error.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => {
                Error::Damaged { path, cause: error.to_string() }
            }
            Some(DiskFull) => Error::DiskFull { path },
            Some(ReadOnly | PermissionDenied | CannotOpen) => Error::ReadOnly { path },
            Some(DatabaseBusy | DatabaseLocked) => Error::Busy { path, doing: "writing to" },
            _ => Error::Database(error),
        }
    }
}
