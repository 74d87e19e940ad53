//! "What I found": the card shown when the first sync ends. Counted, nothing guessed but who the owner is.

use rusqlite::Connection;
use serde::Serialize;

use super::events::{self, Occasion};
use super::items::Entry;
use super::mail;
use super::people::{Owner, Person};
use crate::error::Result;
use crate::item::Kind;
use crate::store::Vault;
use crate::store::write::kind_of;

#[derive(Debug, Clone, Serialize)]
pub struct FoundCard {
    pub owner: Owner,
    pub people: Vec<Person>,
    pub next_events: Vec<Occasion>,
    pub unanswered: Vec<Entry>,
    /// (media type, how many), the most first.
    pub attachments: Vec<(String, u64)>,
    /// (kind, how many)
    pub kinds: Vec<(String, u64)>,
    /// (year in UTC, items dated then), in order.
    pub years: Vec<(i32, u64)>,
}

/// Mail older than this waits no more.
const WAITS_S: i64 = 60 * 86_400;

impl Vault {
    /// What the vault holds, in one look. `now` is the owner's clock, UTC seconds.
    pub fn found_card(&self, now: i64) -> Result<FoundCard> {
        let owner = self.owner()?;
        let people = self.top_people(10)?;
        self.read(|db| {
            Ok(FoundCard {
                people,
                next_events: events::next(db, now, 5)?,
                unanswered: mail::unanswered(db, &owner, now - WAITS_S, 5)?,
                owner,
                attachments: counts(
                    db,
                    &format!(
                        "SELECT media_type, count(*) AS n FROM item i WHERE {ATTACHED}
                         GROUP BY media_type ORDER BY n DESC, media_type LIMIT 8"
                    ),
                )?,
                kinds: kinds(db)?,
                years: counts(
                    db,
                    "SELECT CAST(strftime('%Y', start, 'unixepoch') AS INTEGER) AS year, count(*) FROM item
                     WHERE start BETWEEN -2208988800 AND 7258118400 GROUP BY year ORDER BY year",
                )?,
            })
        })
    }
}

/// An attachment hangs on another item; so do a card's birthdays, which are neither attachments nor counted among the
/// events that somebody wrote down.
pub(crate) const ATTACHED: &str = "i.parent IS NOT NULL
  AND NOT EXISTS(SELECT 1 FROM item card WHERE card.id = i.parent AND card.kind = 2)";

fn counts<T: rusqlite::types::FromSql>(db: &Connection, sql: &str) -> Result<Vec<(T, u64)>> {
    let mut counts = db.prepare_cached(sql)?;
    let rows = counts.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(crate) fn kinds(db: &Connection) -> Result<Vec<(String, u64)>> {
    let known: Vec<(u8, u64)> = counts(
        db,
        "SELECT kind, count(*) FROM item WHERE parent IS NULL GROUP BY kind ORDER BY kind",
    )?;
    let name = |kind: Kind| kind.name().to_owned();
    Ok(known.into_iter().map(|(kind, n)| (name(kind_of(kind)), n)).collect())
}
