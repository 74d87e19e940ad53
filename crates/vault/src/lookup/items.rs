//! Items by id, counted, listed; their text, bytes, attachments and threads.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};
use serde::Serialize;

use super::people;
use super::summary::ATTACHED;
use crate::error::{Error, Result};
use crate::item::{Card, Event, Kind, PersonRef, Place, Role, When};
use crate::read::{self, Limits};
use crate::search::Interval;
use crate::store::Vault;
use crate::store::source::SourceId;
use crate::store::sync::base;
use crate::store::write::{Extra, kind_of, role_of};
use crate::store::{texts, to_hex};
use crate::text::header::date_for_people;

/// An item in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    pub id: i64,
    pub source: SourceId,
    pub kind: Kind,
    pub path: String,
    pub part: String,
    pub title: String,
    pub when: Option<When>,
    /// The date as its source saw it, or empty.
    pub date: String,
    pub media_type: String,
    pub bytes: u64,
    pub thread: Option<i64>,
    pub parent: Option<i64>,
}

/// Everything stored about an item but its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredItem {
    pub entry: Entry,
    pub content_sha256: String,
    /// Length of the stored text in bytes.
    pub text_bytes: usize,
    /// Names are each person's best known one.
    pub people: Vec<PersonRef>,
    pub tags: Vec<String>,
    pub links: Vec<String>,
    pub event: Option<Event>,
    pub card: Option<Card>,
    /// The message says that it came from a list or a machine.
    pub bulk: bool,
    pub remarks: Vec<String>,
    pub attachments: Vec<i64>,
}

/// Which items; all conditions hold together, empty ones hold always.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub kinds: Vec<Kind>,
    /// Names or addresses; each takes part in some role.
    pub people: Vec<String>,
    /// Names or addresses; each is an author.
    pub from: Vec<String>,
    /// Names or addresses; each is a recipient or attendee.
    pub to: Vec<String>,
    /// The item's date or span meets it. Repeating events: see [`Vault::events_between`].
    pub interval: Option<Interval>,
    pub tags: Vec<String>,
    pub source: Option<SourceId>,
    /// A whole media type (`application/pdf`) or its beginning (`image/`).
    pub media_type: Option<String>,
    /// Words that the title has, in any order, folded.
    pub title: Option<String>,
    /// `Some(true)`: only attachments; `Some(false)`: none, nor the birthdays of address cards.
    pub attached: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Newest,
    Oldest,
    Title,
}

const COLUMNS: &str =
    "i.id, i.source, i.kind, f.path, i.part, i.title, i.start, i.end, i.zone, i.offset_s,
   i.all_day, i.media_type, i.bytes, i.thread, i.parent";

impl Vault {
    pub fn item(&self, id: i64) -> Result<Option<StoredItem>> {
        self.read(|db| stored(db, id))
    }

    /// The stored text that citations' byte offsets count in.
    pub fn text(&self, id: i64) -> Result<Option<String>> {
        self.read(|db| {
            let known = db.prepare_cached("SELECT 1 FROM item WHERE id = ?1")?.exists([id])?;
            if known { Ok(Some(texts::load(db, id)?)) } else { Ok(None) }
        })
    }

    /// The original bytes, read from the source where they stand; the vault keeps no second copy.
    pub fn bytes(&self, id: i64) -> Result<Vec<u8>> {
        let found = self.read(|db| {
            let found = db
                .prepare_cached(
                    "SELECT s.root, f.path, i.part FROM item i JOIN file f ON f.id = i.file
                     JOIN source s ON s.id = i.source WHERE i.id = ?1",
                )?
                .query_row([id], |row| {
                    let root: String = row.get(0)?;
                    Ok((root, Place { path: row.get(1)?, part: row.get(2)? }))
                })
                .optional()?;
            Ok(found)
        })?;
        let (root, place) = found.ok_or(Error::UnknownItem(id))?;
        let base = base(std::path::Path::new(&root));
        read::raw(base, &place, &Limits::default()).map_err(|failure| Error::Io {
            doing: "read the original",
            path: read::walk::to_path(base, &place.path),
            cause: std::io::Error::other(format!("{}; {}", failure.reason, failure.hint)),
        })
    }

    pub fn count(&self, filter: &Filter) -> Result<u64> {
        self.read(|db| {
            let Some((condition, values)) = condition(db, filter)? else { return Ok(0) };
            let sql = format!("SELECT count(*) FROM item i WHERE {condition}");
            Ok(db.query_row(&sql, params_from_iter(values), |row| row.get(0))?)
        })
    }

    /// Items in order; undated ones last (newest) or first (oldest).
    pub fn list(&self, filter: &Filter, order: Order, limit: usize) -> Result<Vec<Entry>> {
        self.read(|db| {
            let Some((condition, values)) = condition(db, filter)? else { return Ok(Vec::new()) };
            let order = match order {
                Order::Newest => "i.start IS NULL, i.start DESC, i.id DESC",
                Order::Oldest => "i.start IS NULL, i.start, i.id",
                Order::Title => "i.title, i.id",
            };
            let sql = format!(
                "SELECT {COLUMNS} FROM item i JOIN file f ON f.id = i.file WHERE {condition}
                 ORDER BY {order} LIMIT {limit}"
            );
            let mut list = db.prepare(&sql)?;
            let rows = list.query_map(params_from_iter(values), entry)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// All messages of an item's conversation, oldest first; the item alone when it has none.
    pub fn thread(&self, id: i64) -> Result<Vec<Entry>> {
        self.read(|db| {
            let sql = format!(
                "SELECT {COLUMNS} FROM item i JOIN file f ON f.id = i.file
                 WHERE i.id = ?1 OR i.thread = (SELECT thread FROM item WHERE id = ?1)
                 ORDER BY i.start, i.id"
            );
            entries(db, &sql, id)
        })
    }

    pub fn attachments(&self, id: i64) -> Result<Vec<Entry>> {
        self.read(|db| {
            let sql = format!(
                "SELECT {COLUMNS} FROM item i JOIN file f ON f.id = i.file WHERE i.parent = ?1 ORDER BY i.id"
            );
            entries(db, &sql, id)
        })
    }

    /// The message that a message answers, when it is here.
    pub fn before(&self, id: i64) -> Result<Option<i64>> {
        self.read(|db| Ok(crate::store::write::parent_message(db, id)?))
    }

    /// Items that link to this title or file name (`[[Trip]]`, `trip.md`).
    pub fn linking_to(&self, target: &str) -> Result<Vec<Entry>> {
        self.read(|db| {
            let sql = format!(
                "SELECT {COLUMNS} FROM link l JOIN item i ON i.id = l.item JOIN file f ON f.id = i.file
                 WHERE l.target = ?1 ORDER BY i.id"
            );
            let mut list = db.prepare_cached(&sql)?;
            let rows = list.query_map([target], entry)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
}

pub(super) fn entries(db: &Connection, sql: &str, id: i64) -> Result<Vec<Entry>> {
    let mut list = db.prepare_cached(sql)?;
    let rows = list.query_map([id], entry)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn entry_of(db: &Connection, id: i64) -> Result<Option<Entry>> {
    let sql = format!("SELECT {COLUMNS} FROM item i JOIN file f ON f.id = i.file WHERE i.id = ?1");
    Ok(db.prepare_cached(&sql)?.query_row([id], entry).optional()?)
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let start: Option<i64> = row.get(6)?;
    let when = match start {
        Some(start) => Some(When {
            start,
            end: row.get(7)?,
            zone: row.get(8)?,
            offset_s: row.get(9)?,
            all_day: row.get(10)?,
        }),
        None => None,
    };
    let date = when
        .as_ref()
        .map(|w| date_for_people(w.start, w.zone.as_deref(), w.offset_s, w.all_day))
        .unwrap_or_default();
    Ok(Entry {
        id: row.get(0)?,
        source: SourceId(row.get(1)?),
        kind: kind_of(row.get(2)?),
        path: row.get(3)?,
        part: row.get(4)?,
        title: row.get(5)?,
        when,
        date,
        media_type: row.get(11)?,
        bytes: row.get::<_, i64>(12)?.unsigned_abs(),
        thread: row.get(13)?,
        parent: row.get(14)?,
    })
}

fn stored(db: &Connection, id: i64) -> Result<Option<StoredItem>> {
    let Some(entry) = entry_of(db, id)? else { return Ok(None) };
    let (content_sha256, text_bytes, extra) = db
        .prepare_cached("SELECT content_sha256, text_bytes, extra FROM item WHERE id = ?1")?
        .query_row([id], |row| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?, row.get::<_, Option<String>>(2)?))
        })?;
    let extra: Extra = extra.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
    let strings = |sql: &str| -> rusqlite::Result<Vec<String>> {
        let mut list = db.prepare_cached(sql)?;
        list.query_map([id], |row| row.get(0))?.collect()
    };
    let mut people = db.prepare_cached(
        "SELECT p.role, n.name, n.address FROM item_person p JOIN identifier n ON n.id = p.identifier
         WHERE p.item = ?1 ORDER BY p.role, p.identifier",
    )?;
    let people = people
        .query_map([id], |row| {
            Ok(PersonRef { role: role_of(row.get(0)?), name: row.get(1)?, address: row.get(2)? })
        })?
        .collect::<rusqlite::Result<_>>()?;
    let mut attachments = db.prepare_cached("SELECT id FROM item WHERE parent = ?1 ORDER BY id")?;
    let attachments =
        attachments.query_map([id], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(Some(StoredItem {
        entry,
        content_sha256: to_hex(&content_sha256),
        text_bytes,
        people,
        tags: strings("SELECT name FROM tag WHERE item = ?1")?,
        links: strings("SELECT target FROM link WHERE item = ?1")?,
        event: extra.event,
        card: extra.card,
        bulk: extra.bulk,
        remarks: extra.remarks,
        attachments,
    }))
}

/// The SQL condition of a filter over `item i`; `None` when it names somebody whom nobody here is.
fn condition(db: &Connection, filter: &Filter) -> Result<Option<(String, Vec<Value>)>> {
    let mut parts = vec!["1".to_owned()];
    let mut values: Vec<Value> = Vec::new();
    let mut bind = |value: Value| {
        values.push(value);
        format!("?{}", values.len())
    };
    if !filter.kinds.is_empty() {
        let kinds: Vec<String> = filter.kinds.iter().map(|k| (*k as u8).to_string()).collect();
        parts.push(format!("i.kind IN ({})", kinds.join(",")));
    }
    let authors = [Role::From, Role::Organizer, Role::Author].map(|role| role as u8);
    let recipients = [Role::To, Role::Cc, Role::Bcc, Role::Attendee].map(|role| role as u8);
    let with = filter.people.iter().map(|name| (name, None));
    let from = filter.from.iter().map(|name| (name, Some(authors.as_slice())));
    let to = filter.to.iter().map(|name| (name, Some(recipients.as_slice())));
    for (name, roles) in with.chain(from).chain(to) {
        let identifiers: Vec<i64> =
            people::named(db, name)?.into_iter().flat_map(|(_, identifiers)| identifiers).collect();
        if identifiers.is_empty() {
            return Ok(None);
        }
        let list = bind(Value::Text(format!("{identifiers:?}")));
        let role = roles.map_or(String::new(), |roles| {
            let roles: Vec<String> = roles.iter().map(u8::to_string).collect();
            format!(" AND p.role IN ({})", roles.join(","))
        });
        parts.push(format!(
            "EXISTS(SELECT 1 FROM item_person p WHERE p.item = i.id
               AND p.identifier IN (SELECT value FROM json_each({list})){role})"
        ));
    }
    if let Some(Interval { start, end }) = filter.interval {
        let (start, end) = (bind(Value::Integer(start)), bind(Value::Integer(end)));
        parts.push(format!(
            "(i.start < {end} AND (i.start >= {start} OR coalesce(i.end, i.start) > {start}))"
        ));
    }
    for tag in &filter.tags {
        let tag = bind(Value::Text(tag.clone()));
        parts.push(format!(
            "EXISTS(SELECT 1 FROM tag t WHERE t.item = i.id AND t.name = {tag} COLLATE NOCASE)"
        ));
    }
    if let Some(source) = filter.source {
        let source = bind(Value::Integer(source.0));
        parts.push(format!("i.source = {source}"));
    }
    if let Some(media_type) = &filter.media_type {
        let media_type = bind(Value::Text(media_type.clone()));
        parts.push(format!("substr(i.media_type, 1, length({media_type})) = {media_type}"));
    }
    for word in filter.title.iter().flat_map(|title| crate::text::words::tokens(title)) {
        let word = bind(Value::Text(word.term));
        parts.push(format!("instr(lower(i.title), {word}) > 0"));
    }
    match filter.attached {
        Some(true) => parts.push(ATTACHED.to_owned()),
        Some(false) => parts.push("i.parent IS NULL".to_owned()),
        None => {}
    }
    Ok(Some((parts.join(" AND "), values)))
}
