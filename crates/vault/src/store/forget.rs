//! Forgetting a source: no row, no index term and no byte of its text stays in the vault's files.
//!
//! `secure_delete` overwrites rows as they go; the inverted index is written anew without the chunks that went; then
//! the database is rewritten into fresh pages (`VACUUM`) and its log emptied. The owner's own files stay.

use std::collections::HashSet;

use rusqlite::{Connection, params};
use serde::Serialize;

use super::source::SourceId;
use super::vectors::sweep;
use super::write::Writer;
use super::{Vault, lock, people};
use crate::error::{Error, Result};
use crate::index::merge::merge_all;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ForgetReport {
    pub items: u64,
    pub files: u64,
    /// Size of the database before and after.
    pub bytes_before: u64,
    pub bytes_after: u64,
}

impl Vault {
    /// Removes a source and everything that came from it.
    pub fn forget(&self, source: SourceId) -> Result<ForgetReport> {
        let _syncing = self.claim("sync.lock", "syncing")?;
        let _embedding = self.claim("vectors.lock", "making vectors in")?;
        let bytes_before = self.status()?.database_bytes;
        // One transaction: it is all gone or all there.
        let (items, files) = self.write(|db| forget(db, source))?;
        self.vectors().clear();
        lock(&self.inner.readers).clear();
        {
            let db = self.writer();
            let rewrite = db.execute_batch(
                "PRAGMA wal_checkpoint(TRUNCATE); VACUUM; PRAGMA wal_checkpoint(TRUNCATE);",
            );
            rewrite.map_err(|error| Error::from_sqlite(&self.inner.database, error))?;
        }
        let bytes_after = self.status()?.database_bytes;
        Ok(ForgetReport { items, files, bytes_before, bytes_after })
    }
}

fn forget(db: &Connection, source: SourceId) -> Result<(u64, u64)> {
    if !db.prepare_cached("SELECT 1 FROM source WHERE id = ?1")?.exists([source.0])? {
        return Err(Error::UnknownSource(source.0.to_string()));
    }
    let mut files = db.prepare("SELECT id FROM file WHERE source = ?1")?;
    let files: Vec<i64> =
        files.query_map([source.0], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let mut writer = Writer::default();
    let mut n_items = 0;
    for &file in &files {
        n_items += writer.remove_items_of(db, file, &HashSet::new())? as u64;
        db.prepare_cached("DELETE FROM failure WHERE file = ?1")?.execute([file])?;
        db.prepare_cached("DELETE FROM file WHERE id = ?1")?.execute([file])?;
    }
    writer.flush(db)?;
    db.execute("DELETE FROM source WHERE id = ?1", [source.0])?;
    forget_people(db, source)?;
    // Message ids that only forgotten mail mentioned.
    db.execute(
        "DELETE FROM message WHERE item IS NULL
           AND mid NOT IN (SELECT reply_to FROM message WHERE item IS NOT NULL AND reply_to IS NOT NULL)",
        [],
    )?;
    merge_all(db)?;
    sweep(db, 0.0)?;
    people::regroup(db)?;
    Ok((n_items, files.len() as u64))
}

/// Names that only this source used, and people who stood in nothing else.
fn forget_people(db: &Connection, source: SourceId) -> Result<()> {
    db.execute("DELETE FROM alias WHERE source = ?1", [source.0])?;
    db.execute(
        "DELETE FROM identifier WHERE id NOT IN (SELECT identifier FROM item_person)
           AND id NOT IN (SELECT a FROM tie UNION SELECT b FROM tie)",
        [],
    )?;
    db.execute("DELETE FROM alias WHERE identifier NOT IN (SELECT id FROM identifier)", [])?;
    let mut named = db.prepare(
        "SELECT n.id, coalesce((SELECT a.name FROM alias a WHERE a.identifier = n.id LIMIT 1), '')
         FROM identifier n
         WHERE n.name <> '' AND NOT EXISTS(SELECT 1 FROM alias a WHERE a.identifier = n.id AND a.name = n.name)",
    )?;
    let renamed: Vec<(i64, String)> = named
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (id, name) in renamed {
        db.prepare_cached("UPDATE identifier SET name = ?2, name_key = ?3 WHERE id = ?1")?
            .execute(params![id, name, people::name_key(&name)])?;
    }
    Ok(())
}
