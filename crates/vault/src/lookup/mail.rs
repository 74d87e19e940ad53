//! What waits for the owner: mail written to them by a person that they have not answered.

use rusqlite::{Connection, params};

use super::items::{Entry, entry_of};
use super::people::{Owner, owner};
use crate::error::Result;
use crate::store::Vault;

impl Vault {
    /// Mails to the owner, from a person, the last word of their thread so far; newest first.
    ///
    /// Mail from lists and machines, to many, or from `noreply` addresses waits for nobody.
    pub fn unanswered(&self, since: i64, limit: usize) -> Result<Vec<Entry>> {
        self.read(|db| {
            let owner = owner(db)?;
            unanswered(db, &owner, since, limit)
        })
    }
}

pub(super) fn unanswered(
    db: &Connection,
    owner: &Owner,
    since: i64,
    limit: usize,
) -> Result<Vec<Entry>> {
    let own = serde_json::to_string(&owner.addresses).unwrap_or_default();
    let mut waiting = db.prepare_cached(
        "WITH own(id) AS (SELECT id FROM identifier WHERE address IN (SELECT value FROM json_each(?1)))
         SELECT i.id FROM item i
         WHERE i.kind = 0 AND i.start >= ?2 AND (i.extra IS NULL OR i.extra NOT LIKE '%\"bulk\":true%')
           AND EXISTS(SELECT 1 FROM item_person p WHERE p.item = i.id AND p.role = 1 AND p.identifier IN own)
           AND NOT EXISTS(SELECT 1 FROM item_person p WHERE p.item = i.id AND p.role = 0 AND p.identifier IN own)
           AND NOT EXISTS(SELECT 1 FROM item_person p JOIN identifier n ON n.id = p.identifier
             WHERE p.item = i.id AND p.role = 0 AND replace(replace(n.address, '-', ''), '_', '') LIKE 'noreply%')
           AND (SELECT count(*) FROM item_person p WHERE p.item = i.id AND p.role = 1) <= 3
           AND NOT EXISTS(SELECT 1 FROM item later WHERE later.thread = i.thread AND later.id <> i.id
             AND later.start > i.start)
         ORDER BY i.start DESC LIMIT ?3",
    )?;
    let ids: Vec<i64> = waiting
        .query_map(params![own, since, limit], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut entries = Vec::new();
    for id in ids {
        entries.extend(entry_of(db, id)?);
    }
    Ok(entries)
}
