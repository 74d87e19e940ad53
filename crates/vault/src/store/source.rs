//! Sources: the folders and files that the owner gave to the vault.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use super::Vault;
use crate::error::{Error, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct SourceId(pub i64);

/// A folder or file that was added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Source {
    pub id: SourceId,
    pub root: PathBuf,
    /// UTC seconds of the last complete sync.
    pub synced_at: Option<i64>,
}

impl Vault {
    /// Adds a source; nothing is read before [`Vault::sync`]. Adding what is there already, or what lies inside a
    /// source, gives that source. A folder *around* a source leaves it its files.
    pub fn add(&self, source: &Path) -> Result<SourceId> {
        let root =
            std::fs::canonicalize(source).map_err(|_| Error::NoSuchSource(source.to_path_buf()))?;
        let text = root.to_str().map(str::to_owned).ok_or_else(|| Error::Io {
            doing: "add",
            path: root.clone(),
            cause: std::io::Error::other("the path is not valid Unicode; rename the folder"),
        })?;
        self.write(|db| {
            let around = sources(db)?.into_iter().filter(|known| root.starts_with(&known.root));
            if let Some(known) = around.max_by_key(|known| known.root.as_os_str().len()) {
                return Ok(known.id);
            }
            let now = now_s();
            db.execute("INSERT INTO source(root, added_at) VALUES(?1, ?2)", params![text, now])?;
            Ok(SourceId(db.last_insert_rowid()))
        })
    }

    pub fn sources(&self) -> Result<Vec<Source>> {
        self.read(|db| Ok(sources(db)?))
    }

    /// Finds a source by its path or its number.
    pub fn source(&self, named: &str) -> Result<Source> {
        let unknown = || Error::UnknownSource(named.to_owned());
        let all = self.sources()?;
        let path = std::fs::canonicalize(named).unwrap_or_else(|_| PathBuf::from(named));
        let same = |source: &Source| source.root == path || source.id.0.to_string() == named;
        all.into_iter().find(same).ok_or_else(unknown)
    }
}

pub(crate) fn sources(db: &Connection) -> rusqlite::Result<Vec<Source>> {
    let mut all = db.prepare_cached("SELECT id, root, synced_at FROM source ORDER BY id")?;
    let rows = all.query_map([], |row| {
        Ok(Source {
            id: SourceId(row.get(0)?),
            root: PathBuf::from(row.get::<_, String>(1)?),
            synced_at: row.get(2)?,
        })
    })?;
    rows.collect()
}

pub(crate) fn meta(db: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    db.prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()
}

pub(crate) fn set_meta(db: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO meta VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET value = ?2")?
        .execute([key, value])?;
    Ok(())
}

pub(crate) fn now_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs() as i64)
}
