//! The one writer: puts items in, takes them out. Every function runs inside the caller's transaction.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use super::people::{self, Identifiers};
use super::prepare::{self, Prepared};
use super::schema::hash64;
use super::texts::Texts;
use super::threads;
use crate::index::write::Batch;
use crate::item::{Card, Event, Item, Kind, Role, Weight};
use crate::text::header;
use crate::text::words::{self, Stems};

/// What of an item is kept as JSON because nothing searches by it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Extra {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) event: Option<Event>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) card: Option<Card>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) bulk: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) remarks: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    New,
    Changed,
    Moved,
    Unchanged,
}

/// One file while its items arrive. Items of the file that did not arrive again are removed when it closes.
pub(crate) struct OpenFile {
    pub(crate) file: i64,
    pub(crate) source: i64,
    pub(crate) by_part: HashMap<String, i64>,
    kept: HashSet<i64>,
    children: Vec<(i64, String)>,
}

impl OpenFile {
    pub(crate) fn new(file: i64, source: i64) -> Self {
        let (by_part, kept, children) = Default::default();
        Self { file, source, by_part, kept, children }
    }

    pub(crate) fn n_items(&self) -> usize {
        self.kept.len()
    }
}

/// Memory of a sync: caches, and what has to be done once all items are in.
#[derive(Default)]
pub(crate) struct Writer {
    pub(crate) identifiers: Identifiers,
    stems: Stems,
    /// The index terms and texts of the transaction under way.
    batch: Batch,
    texts: Texts,
    /// Files of this sync's sources that are gone from disk: their items may have moved.
    vanished: HashSet<i64>,
    pub(crate) ties_changed: bool,
}

impl Writer {
    pub(crate) fn new(vanished: HashSet<i64>) -> Self {
        Self { vanished, ..Self::default() }
    }

    /// Writes what a transaction has collected; to be called before its commit.
    pub(crate) fn flush(&mut self, db: &Connection) -> rusqlite::Result<()> {
        self.texts.flush(db)?;
        self.batch.flush(db)
    }

    /// Stores one item; finds out whether it is new, changed, moved or known.
    pub(crate) fn put(
        &mut self,
        db: &Connection,
        open: &mut OpenFile,
        prepared: &Prepared,
    ) -> rusqlite::Result<Put> {
        let item = &prepared.item;
        let known = self.find_known(db, open, item)?;
        let (id, put) = match known {
            Some(known) if known.fingerprint == prepared.fingerprint => {
                let moved = known.file != open.file;
                (known.id, if moved { Put::Moved } else { Put::Unchanged })
            }
            Some(known) => {
                let moved = known.file != open.file;
                self.remove_chunks(db, known.id)?;
                (known.id, if moved { Put::Moved } else { Put::Changed })
            }
            None => (0, Put::New),
        };
        let chunks_stay = known.is_some_and(|k| k.fingerprint == prepared.fingerprint);
        let id = write_row(db, open, prepared, id)?;
        open.kept.insert(id);
        open.by_part.insert(item.place.part.clone(), id);
        if let Some(parent) = &item.parent {
            open.children.push((id, parent.part.clone()));
        }
        if chunks_stay && put == Put::Unchanged {
            return Ok(put);
        }
        if !chunks_stay || item.kind == Kind::Contact {
            self.write_people(db, open.source, item, id)?;
        }
        if !chunks_stay {
            self.write_text(db, prepared, id, put == Put::New)?;
        }
        Ok(put)
    }

    fn write_text(
        &mut self,
        db: &Connection,
        prepared: &Prepared,
        id: i64,
        is_new: bool,
    ) -> rusqlite::Result<()> {
        let item = &prepared.item;
        let text_block = self.texts.add(db, id, &prepared.laid.text)?;
        write_tags(db, item, id)?;
        let joined = threads::join(db, item, id)?;
        let before = match joined.parent {
            Some(parent) => {
                let opening = opening(db, &self.texts, parent)?;
                self.context_terms(&opening)
            }
            None => Vec::new(),
        };
        let facets = facets(db, id)?;
        let mut insert = db.prepare_cached(
            "INSERT INTO chunk(item, first, last, weight, heading) VALUES(?1, ?2, ?3, ?4, ?5)",
        )?;
        let mut first_chunk = None;
        for (chunk, counted) in prepared.laid.chunks.iter().zip(&prepared.terms) {
            let heading = (!chunk.heading.is_empty()).then_some(&chunk.heading);
            insert.execute(params![id, chunk.start, chunk.end, chunk.weight as u8, heading])?;
            let chunk_id = db.last_insert_rowid();
            first_chunk.get_or_insert(chunk_id);
            self.batch.add(chunk_id, counted, &facets);
            if chunk.weight == Weight::Body {
                self.batch.add_context(chunk_id, before.iter().map(String::as_str));
            }
        }
        let n_chunks = prepared.laid.chunks.len();
        db.prepare_cached(
            "UPDATE item SET text_block = ?2, first_chunk = ?3, n_chunks = ?4 WHERE id = ?1",
        )?
        .execute(params![id, text_block, first_chunk.unwrap_or(0), n_chunks])?;
        // Answers that came before this message; on a change they have its opening already.
        if is_new && !joined.children.is_empty() {
            let opening = opening(db, &self.texts, id)?;
            for child in joined.children {
                self.add_context(db, child, &opening)?;
            }
        }
        Ok(())
    }

    fn write_people(
        &mut self,
        db: &Connection,
        source: i64,
        item: &Item,
        id: i64,
    ) -> rusqlite::Result<()> {
        db.prepare_cached("DELETE FROM item_person WHERE item = ?1")?.execute([id])?;
        let mut insert = db.prepare_cached(
            "INSERT OR IGNORE INTO item_person(item, identifier, role) VALUES(?1, ?2, ?3)",
        )?;
        for person in &item.people {
            let found = self.identifiers.of(db, source, &person.name, person.address.as_deref())?;
            if let Some(identifier) = found {
                insert.execute(params![id, identifier, person.role as u8])?;
            }
        }
        if item.kind == Kind::Contact {
            people::tie_card(db, &mut self.identifiers, source, item, id)?;
            self.ties_changed = true;
        }
        Ok(())
    }

    /// Gives the chunks of a stored item the opening of the message before it, which has just arrived.
    fn add_context(&mut self, db: &Connection, id: i64, before: &str) -> rusqlite::Result<()> {
        let terms = self.context_terms(before);
        let mut chunks = db.prepare_cached(
            "SELECT c.id FROM item i JOIN chunk c ON c.id BETWEEN i.first_chunk AND i.first_chunk + i.n_chunks - 1
             WHERE i.id = ?1 AND c.weight = 0",
        )?;
        let mut rows = chunks.query([id])?;
        while let Some(row) = rows.next()? {
            self.batch.add_context(row.get(0)?, terms.iter().map(String::as_str));
        }
        Ok(())
    }

    fn context_terms(&mut self, before: &str) -> Vec<String> {
        let language = words::guess_language(before);
        let mut terms = Vec::new();
        words::each_token(before, |term, _, _| {
            if !words::is_common(term) {
                terms.push(self.stems.stem(term, language).to_owned());
            }
        });
        terms
    }

    /// The stored item that an arriving one continues: same identity here, or moved here from a file that is gone,
    /// or whatever stood at this very place before.
    fn find_known(
        &self,
        db: &Connection,
        open: &OpenFile,
        item: &Item,
    ) -> rusqlite::Result<Option<Known>> {
        let mut same = db.prepare_cached(
            "SELECT id, file, part, fingerprint FROM item WHERE identity = ?1 AND source = ?2",
        )?;
        let rows = same.query_map(params![hash64(&item.identity), open.source], |row| {
            let known = Known { id: row.get(0)?, file: row.get(1)?, fingerprint: row.get(3)? };
            Ok((known, row.get::<_, String>(2)?))
        })?;
        let mut best: Option<(u8, Known)> = None;
        for row in rows {
            let (known, part) = row?;
            let rank = match known.file == open.file {
                _ if open.kept.contains(&known.id) => continue,
                true if part == item.place.part => 3,
                true => 2,
                false if self.vanished.contains(&known.file) => 1,
                false => continue,
            };
            if best.is_none_or(|(best, _)| rank > best) {
                best = Some((rank, known));
            }
        }
        if best.is_some() || !item.place.part.is_empty() {
            return Ok(best.map(|(_, known)| known));
        }
        db.prepare_cached("SELECT id, file, fingerprint FROM item WHERE file = ?1 AND part = ''")?
            .query_row([open.file], |row| {
                Ok(Known { id: row.get(0)?, file: row.get(1)?, fingerprint: row.get(2)? })
            })
            .optional()
            .map(|known| known.filter(|known| !open.kept.contains(&known.id)))
    }

    /// Ends a file: attachments find their message, what did not come again goes.
    pub(crate) fn close_file(
        &mut self,
        db: &Connection,
        open: &OpenFile,
    ) -> rusqlite::Result<usize> {
        let mut set = db.prepare_cached("UPDATE item SET parent = ?2 WHERE id = ?1")?;
        for (child, part) in &open.children {
            set.execute(params![child, open.by_part.get(part)])?;
        }
        self.remove_items_of(db, open.file, &open.kept)
    }

    /// Removes the items of a file except those to keep; gives back how many, attachments not counted.
    pub(crate) fn remove_items_of(
        &mut self,
        db: &Connection,
        file: i64,
        keep: &HashSet<i64>,
    ) -> rusqlite::Result<usize> {
        let mut all = db.prepare_cached("SELECT id, parent IS NULL FROM item WHERE file = ?1")?;
        let rows = all.query_map([file], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let all: Vec<(i64, bool)> = rows.collect::<Result<_, _>>()?;
        let mut n_removed = 0;
        for (id, stands) in all.into_iter().filter(|(id, _)| !keep.contains(id)) {
            self.remove_item(db, id)?;
            n_removed += usize::from(stands);
        }
        Ok(n_removed)
    }

    /// Takes away text, chunks and index rows of an item, not the item. Their vectors are swept later.
    fn remove_chunks(&mut self, db: &Connection, item: i64) -> rusqlite::Result<()> {
        self.texts.remove(db, item)?;
        const RANGE: &str = "SELECT c.id FROM item i JOIN chunk c
           ON c.id BETWEEN i.first_chunk AND i.first_chunk + i.n_chunks - 1 WHERE i.id = ?1";
        for sql in [
            &format!("INSERT OR IGNORE INTO gone {RANGE}"),
            &format!("DELETE FROM chunk WHERE id IN ({RANGE})"),
            "UPDATE item SET text_block = NULL, first_chunk = 0, n_chunks = 0 WHERE id = ?1",
            "DELETE FROM tag WHERE item = ?1",
            "DELETE FROM link WHERE item = ?1",
        ] {
            db.prepare_cached(sql)?.execute([item])?;
        }
        Ok(())
    }

    pub(crate) fn remove_item(&mut self, db: &Connection, id: i64) -> rusqlite::Result<()> {
        self.remove_chunks(db, id)?;
        threads::leave(db, id)?;
        let ties = db.prepare_cached("DELETE FROM tie WHERE cause = ?1")?.execute([id])?;
        self.ties_changed |= ties > 0;
        for sql in [
            "DELETE FROM item_person WHERE item = ?1",
            "UPDATE item SET parent = NULL WHERE parent = ?1",
            "DELETE FROM item WHERE id = ?1",
        ] {
            db.prepare_cached(sql)?.execute([id])?;
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Known {
    id: i64,
    file: i64,
    fingerprint: [u8; 16],
}

/// Inserts (id 0) or updates the item's row; returns its id.
fn write_row(
    db: &Connection,
    open: &OpenFile,
    prepared: &Prepared,
    id: i64,
) -> rusqlite::Result<i64> {
    let item = &prepared.item;
    let extra = Extra {
        event: item.event.clone(),
        card: item.card.clone(),
        bulk: item.thread.as_ref().is_some_and(|thread| thread.bulk),
        remarks: item.remarks.clone(),
    };
    let extra = serde_json::to_string(&extra).ok().filter(|json| json != "{}");
    let when = item.when.as_ref();
    let own_id = (id != 0).then_some(id);
    let values = params![
        own_id,
        open.source,
        open.file,
        item.place.part,
        item.kind as u8,
        hash64(&item.identity),
        item.title,
        when.map(|w| w.start),
        when.and_then(|w| w.end),
        when.and_then(|w| w.zone.as_deref()),
        when.map_or(0, |w| w.offset_s),
        when.is_some_and(|w| w.all_day),
        item.media_type,
        super::from_hex(&item.content_sha256),
        i64::try_from(item.bytes).unwrap_or(i64::MAX),
        prepared.fingerprint,
        prepared.laid.text.len(),
        extra,
    ];
    db.prepare_cached(
        "INSERT INTO item(id, source, file, part, kind, identity, title, start, end, zone, offset_s, all_day,
           media_type, content_sha256, bytes, fingerprint, text_bytes, extra)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
         ON CONFLICT(id) DO UPDATE SET source = ?2, file = ?3, part = ?4, kind = ?5, identity = ?6, title = ?7,
           start = ?8, end = ?9, zone = ?10, offset_s = ?11, all_day = ?12, media_type = ?13,
           content_sha256 = ?14, bytes = ?15, fingerprint = ?16, text_bytes = ?17, extra = ?18",
    )?
    .execute(values)?;
    Ok(if id == 0 { db.last_insert_rowid() } else { id })
}

fn write_tags(db: &Connection, item: &Item, id: i64) -> rusqlite::Result<()> {
    let mut tag = db.prepare_cached("INSERT OR IGNORE INTO tag(item, name) VALUES(?1, ?2)")?;
    for name in &item.tags {
        tag.execute(params![id, name])?;
    }
    let mut link = db.prepare_cached("INSERT OR IGNORE INTO link(item, target) VALUES(?1, ?2)")?;
    // The web addresses behind a mail's pictures and words stand in the original; half of all rows would be theirs.
    let leads_out = |target: &String| item.kind == Kind::Mail && target.contains("://");
    for target in item.links.iter().filter(|target| !leads_out(target)) {
        link.execute(params![id, target])?;
    }
    Ok(())
}

/// The facets of a stored item, terms of the index like others: `#k0` (kind), `#s3` (source), `#y2026`, `#m202606`,
/// `#d20260617`, `#p17` (identifier, any role), `#f17` (identifier as author), `#gtag`.
fn facets(db: &Connection, id: i64) -> rusqlite::Result<Vec<String>> {
    let (kind, source, start, end, repeats) = db
        .prepare_cached(
            "SELECT kind, source, start, end, extra LIKE '%\"repeats\":\"%' FROM item WHERE id = ?1",
        )?
        .query_row([id], |row| {
            let repeats: Option<bool> = row.get(4)?;
            Ok((
                row.get::<_, u8>(0)?,
                row.get::<_, i64>(1)?,
                row.get::<_, Option<i64>>(2)?,
                row.get::<_, Option<i64>>(3)?,
                repeats.unwrap_or(false),
            ))
        })?;
    let mut facets = vec![format!("#k{kind}"), format!("#s{source}")];
    match start {
        // A repeating event happens on days that only expansion knows.
        _ if repeats => facets.push("#repeats".to_owned()),
        Some(start) => {
            facets.extend(header::date_facets(start, end).iter().map(|facet| format!("#{facet}")));
        }
        None => {}
    }
    let mut people =
        db.prepare_cached("SELECT identifier, role FROM item_person WHERE item = ?1")?;
    let mut rows = people.query([id])?;
    while let Some(row) = rows.next()? {
        let (identifier, role): (i64, u8) = (row.get(0)?, row.get(1)?);
        facets.push(format!("#p{identifier}"));
        if is_author(role) {
            facets.push(format!("#f{identifier}"));
        }
    }
    let mut tags = db.prepare_cached("SELECT name FROM tag WHERE item = ?1")?;
    let mut rows = tags.query([id])?;
    while let Some(row) = rows.next()? {
        facets.push(tag_facet(&row.get::<_, String>(0)?));
    }
    facets.sort();
    facets.dedup();
    Ok(facets)
}

/// Roles that `from:` means.
pub(crate) fn is_author(role: u8) -> bool {
    [Role::From, Role::Organizer, Role::Author].iter().any(|known| *known as u8 == role)
}

pub(crate) fn tag_facet(tag: &str) -> String {
    format!("#g{}", prepare::joined(tag))
}

/// The item that a message answers, when it is here.
pub(crate) fn parent_message(db: &Connection, id: i64) -> rusqlite::Result<Option<i64>> {
    db.prepare_cached(
        "SELECT before.item FROM message own JOIN message before ON before.mid = own.reply_to
         WHERE own.item = ?1 AND before.item IS NOT NULL LIMIT 1",
    )?
    .query_row([id], |row| row.get(0))
    .optional()
}

/// The first words of a message's own text, without its title.
pub(crate) fn opening(db: &Connection, texts: &Texts, id: i64) -> rusqlite::Result<String> {
    const MAX_CHARS: usize = 160;
    let first: Option<(usize, usize)> = db
        .prepare_cached(
            "SELECT c.first, c.last FROM item i JOIN chunk c ON c.id BETWEEN i.first_chunk AND i.first_chunk + i.n_chunks - 1
             WHERE i.id = ?1 AND c.weight = 0 ORDER BY c.id LIMIT 1",
        )?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((start, end)) = first else { return Ok(String::new()) };
    let body = texts.part(db, id, start..end)?;
    let line = body.lines().map(str::trim).find(|line| line.len() > 12).unwrap_or(&body);
    Ok(line.chars().take(MAX_CHARS).collect())
}

pub(crate) fn kind_of(number: u8) -> Kind {
    match number {
        0 => Kind::Mail,
        1 => Kind::Event,
        2 => Kind::Contact,
        3 => Kind::Note,
        _ => Kind::Document,
    }
}

pub(crate) fn role_of(number: u8) -> Role {
    const ROLES: [Role; 9] = [
        Role::From,
        Role::To,
        Role::Cc,
        Role::Bcc,
        Role::Organizer,
        Role::Attendee,
        Role::Subject,
        Role::Author,
        Role::Mentioned,
    ];
    ROLES.get(usize::from(number)).copied().unwrap_or(Role::Mentioned)
}

/// What the header of an embedded chunk says about its item.
pub(crate) struct StoredNames {
    pub(crate) kind: Kind,
    pub(crate) title: String,
    /// Name, or address where there is none.
    pub(crate) people: Vec<(Role, String)>,
    /// As people read it.
    pub(crate) date: String,
}

impl StoredNames {
    pub(crate) fn load(db: &Connection, id: i64) -> rusqlite::Result<Option<Self>> {
        let found = db
            .prepare_cached(
                "SELECT kind, title, start, zone, offset_s, all_day FROM item WHERE id = ?1",
            )?
            .query_row([id], |row| {
                let start: Option<i64> = row.get(2)?;
                let zone: Option<String> = row.get(3)?;
                let (offset_s, all_day) = (row.get(4)?, row.get(5)?);
                let date = start
                    .map(|s| header::date_for_people(s, zone.as_deref(), offset_s, all_day))
                    .unwrap_or_default();
                Ok((kind_of(row.get(0)?), row.get(1)?, date))
            })
            .optional()?;
        let Some((kind, title, date)) = found else { return Ok(None) };
        let mut people = db.prepare_cached(
            "SELECT p.role, n.name, n.address FROM item_person p JOIN identifier n ON n.id = p.identifier
             WHERE p.item = ?1 ORDER BY p.role, p.identifier",
        )?;
        let people = people
            .query_map([id], |row| {
                let (name, address): (String, Option<String>) = (row.get(1)?, row.get(2)?);
                let shown = if name.is_empty() { address.unwrap_or_default() } else { name };
                Ok((role_of(row.get(0)?), shown))
            })?
            .collect::<Result<_, _>>()?;
        Ok(Some(Self { kind, title, people, date }))
    }
}
