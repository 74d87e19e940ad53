//! The vault: one folder with one database, opened once and shared. Reading never waits for writing.

pub mod forget;
pub(crate) mod people;
pub(crate) mod prepare;
pub(crate) mod schema;
pub mod source;
pub mod sync;
pub(crate) mod texts;
pub(crate) mod threads;
pub mod vectors;
pub(crate) mod write;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use crate::error::{Error, Result};

/// The name of the database in the vault's folder.
pub const DATABASE: &str = "vault.db";

/// An open vault. Cheap to clone; every clone is the same vault.
#[derive(Clone)]
pub struct Vault {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
    database: PathBuf,
    /// Idle readers; one is taken for each question and put back after. Before `writer`, so that they close first:
    /// the last connection to close moves the log into the database, which a reader may not.
    readers: Mutex<Vec<Connection>>,
    writer: Mutex<Connection>,
    vectors: crate::search::vectors::Cache,
    index: crate::index::read::StateCache,
}

impl Vault {
    /// Opens the vault in a folder, making both when they are not there.
    pub fn open(dir: &Path) -> Result<Vault> {
        fs::create_dir_all(dir).map_err(|cause| io("make the folder", dir, cause))?;
        let dir = fs::canonicalize(dir).map_err(|cause| io("open the folder", dir, cause))?;
        let database = dir.join(DATABASE);
        let writer = schema::open_writer(&database)?;
        let inner = Inner {
            writer: Mutex::new(writer),
            readers: Mutex::default(),
            vectors: Default::default(),
            index: Default::default(),
            dir,
            database,
        };
        Ok(Vault { inner: Arc::new(inner) })
    }

    /// Moves a damaged database aside (as `vault.db.damaged`) and opens an empty one with the same sources where
    /// they can still be read; the next sync fills it. The owner's files are never touched.
    pub fn rebuild(dir: &Path) -> Result<Vault> {
        let database = dir.join(DATABASE);
        let roots = schema::open_reader(&database).ok().map(|db| roots_of(&db)).unwrap_or_default();
        for end in ["", "-wal", "-shm"] {
            let from = dir.join(format!("{DATABASE}{end}"));
            if from.exists() {
                let to = dir.join(format!("{DATABASE}.damaged{end}"));
                fs::rename(&from, &to).map_err(|cause| io("move aside", &from, cause))?;
            }
        }
        let vault = Vault::open(dir)?;
        for root in roots {
            match vault.add(Path::new(&root)) {
                Ok(_) | Err(Error::NoSuchSource(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(vault)
    }

    /// The folder the vault lives in.
    pub fn dir(&self) -> &Path {
        &self.inner.dir
    }

    pub(crate) fn vectors(&self) -> &crate::search::vectors::Cache {
        &self.inner.vectors
    }

    pub(crate) fn index_state(&self, db: &Connection) -> Result<Arc<crate::index::read::State>> {
        Ok(self.inner.index.get(db)?)
    }

    /// Runs a question on an idle reader.
    pub(crate) fn read<T>(&self, ask: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let idle = lock(&self.inner.readers).pop();
        let db = match idle {
            Some(db) => db,
            None => schema::open_reader(&self.inner.database)?,
        };
        let answer = ask(&db);
        let mut readers = lock(&self.inner.readers);
        if readers.len() < 8 {
            readers.push(db);
        }
        answer.map_err(|error| self.explain(error))
    }

    /// Runs changes in one transaction; nothing of it stays when `change` fails.
    pub(crate) fn write<T>(&self, change: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let mut db = self.writer();
        let run = || {
            let step = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let value = change(&step)?;
            step.commit()?;
            Ok(value)
        };
        run().map_err(|error| self.explain(error))
    }

    pub(crate) fn writer(&self) -> MutexGuard<'_, Connection> {
        lock(&self.inner.writer)
    }

    /// Gives pages that merges left free back to the disk and empties the log. Readers in the middle of a question
    /// keep some of the log; the next time takes it.
    pub(crate) fn tidy(&self) -> Result<()> {
        let db = self.writer();
        let tidy = || -> rusqlite::Result<()> {
            // A row for each page: run to its end, which `execute_batch` does not.
            let mut pages = db.prepare("PRAGMA incremental_vacuum")?;
            let mut rows = pages.query([])?;
            while rows.next()?.is_some() {}
            drop(rows);
            drop(pages);
            db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
        };
        tidy().map_err(|error| Error::from_sqlite(&self.inner.database, error))
    }

    /// A lock between processes, held while the returned file lives (also a killed process lets go of it).
    pub(crate) fn claim(&self, name: &str, doing: &'static str) -> Result<File> {
        let path = self.inner.dir.join(name);
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(
            |cause| match cause.kind() {
                std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                    Error::ReadOnly { path: self.inner.dir.clone() }
                }
                _ => io("open the lock", &path, cause),
            },
        )?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => {
                Err(Error::Busy { path: self.inner.dir.clone(), doing })
            }
            Err(TryLockError::Error(cause)) => Err(io("lock", &path, cause)),
        }
    }

    pub(crate) fn explain(&self, error: Error) -> Error {
        match error {
            Error::Database(error) => Error::from_sqlite(&self.inner.database, error),
            error => error,
        }
    }
}

fn roots_of(db: &Connection) -> Vec<String> {
    let roots = || -> rusqlite::Result<Vec<String>> {
        let mut roots = db.prepare("SELECT root FROM source ORDER BY id")?;
        roots.query_map([], |row| row.get(0))?.collect()
    };
    roots().unwrap_or_default()
}

pub(crate) fn io(doing: &'static str, path: &Path, cause: std::io::Error) -> Error {
    if cause.kind() == std::io::ErrorKind::StorageFull {
        return Error::DiskFull { path: path.to_path_buf() };
    }
    Error::Io { doing, path: path.to_path_buf(), cause }
}

/// A panic in another thread must not make the vault unusable: SQLite rolled its transaction back.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// 32 bytes of their 64 hexadecimal digits.
pub(crate) fn from_hex(hex: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        hex.chars().map(|c| c.to_digit(16).map(|d| d as u8)).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    (bytes.len() == 32).then_some(bytes)
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::search::Query;

    struct Full {
        dir: tempfile::TempDir,
        vault: Vault,
    }

    impl Full {
        /// A vault with one note about Lisbon, and a folder that has a second, long one since.
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let files = dir.path().join("files");
            fs::create_dir(&files).unwrap();
            fs::write(files.join("a.md"), "# Lisbon\n\nthe ferry leaves at nine").unwrap();
            let vault = Vault::open(&dir.path().join("vault")).unwrap();
            vault.add(&files).unwrap();
            let full = Self { dir, vault };
            full.sync().unwrap();
            let long: String = (0..40_000).map(|n| format!("harbour{n} ")).collect();
            fs::write(full.dir.path().join("files/b.md"), long).unwrap();
            full
        }

        fn sync(&self) -> Result<sync::SyncReport> {
            self.vault.sync(None, &AtomicBool::new(false), &mut |_| {})
        }

        fn n_hits(&self, text: &str) -> usize {
            let query = Query { text: text.to_owned(), ..Query::default() };
            self.vault.search(&query, None).unwrap().hits.len()
        }

        fn set(&self, pragma: &str) {
            self.vault.writer().execute_batch(pragma).unwrap();
        }

        /// What was stored is still found, and once the obstacle is gone the next sync completes.
        fn nothing_is_lost(&self, lift: &str) {
            assert_eq!((self.n_hits("ferry"), self.n_hits("harbour39999")), (1, 0));
            self.set(lift);
            assert_eq!(self.sync().unwrap().items_new, 1);
            assert_eq!((self.n_hits("ferry"), self.n_hits("harbour39999")), (1, 1));
            assert_eq!(self.vault.status().unwrap().sources[0].pending, 0);
        }
    }

    #[test]
    fn pages_that_were_let_go_are_given_back_to_the_disk() {
        let full = Full::new();
        full.sync().unwrap();
        let before = full.vault.status().unwrap().database_bytes;
        fs::remove_file(full.dir.path().join("files/b.md")).unwrap();
        full.sync().unwrap();
        let free = |db: &Connection| -> i64 {
            db.query_row("PRAGMA freelist_count", [], |row| row.get(0)).unwrap()
        };
        assert_eq!(free(&full.vault.writer()), 0);
        assert!(full.vault.status().unwrap().database_bytes < before);
    }

    #[test]
    fn a_full_disk_is_named_and_loses_nothing() {
        let full = Full::new();
        // The database may not grow: what SQLite says then is what it says when the disk is full.
        full.set("PRAGMA max_page_count = 1");
        let error = full.sync().unwrap_err();
        assert!(matches!(error, Error::DiskFull { .. }), "{error}");
        let message = error.to_string();
        assert!(message.contains("vault.db") && message.contains("free some space"), "{message}");
        full.nothing_is_lost("PRAGMA max_page_count = 1000000");
    }

    #[test]
    fn a_vault_that_may_not_be_written_is_named_and_loses_nothing() {
        let full = Full::new();
        full.set("PRAGMA query_only = ON");
        let error = full.sync().unwrap_err();
        assert!(matches!(error, Error::ReadOnly { .. }), "{error}");
        assert!(error.to_string().contains("--vault"), "{error}");
        full.nothing_is_lost("PRAGMA query_only = OFF");
    }

    #[test]
    fn a_vault_of_an_older_layout_keeps_its_sources_and_says_that_it_must_be_read_again() {
        let full = Full::new();
        full.sync().unwrap();
        full.vault.set_owner(&["Anna".into()], &["anna@example.org".into()]).unwrap();
        // What the first layout had and this one still understands, under its number.
        full.set("PRAGMA user_version = 1");
        let dir = full.vault.dir().to_path_buf();
        let Full { dir: kept, vault } = full;
        drop(vault);
        let again = Full { dir: kept, vault: Vault::open(&dir).unwrap() };
        let status = again.vault.status().unwrap();
        assert_eq!((status.items, status.sources.len()), (0, 1));
        assert!(status.notice.is_some_and(|notice| notice.contains("vault sync")));
        again.sync().unwrap();
        let status = again.vault.status().unwrap();
        assert_eq!((status.items, status.notice), (2, None));
        assert_eq!(again.n_hits("ferry"), 1);
        assert_eq!(again.vault.owner().unwrap().names, ["Anna"]);
    }
}
