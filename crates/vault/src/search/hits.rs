//! From ranked chunks to hits: one per item, copies together, with the words to show.

use std::collections::HashMap;
use std::ops::Range;

use rusqlite::{Connection, OptionalExtension};

use super::snippet::{self, Wanted};
use super::{CANDIDATES, Candidate, Hit, Parsed, filter};
use crate::error::Result;
use crate::store::texts;
use crate::store::write::kind_of;
use crate::text::header::date_for_people;
use crate::text::words::Stems;

/// Turns ranked chunks into hits, one per item, until the limit is reached.
pub(super) fn of(
    db: &Connection,
    parsed: &Parsed,
    ranked: &[Candidate],
    stems: &mut Stems,
) -> Result<Vec<Hit>> {
    let mut found: Vec<Hit> = Vec::new();
    let mut by_item: HashMap<i64, usize> = HashMap::new();
    let mut by_content: HashMap<Content, usize> = HashMap::new();
    let mut saying = Saying::new(parsed);
    for (rank, candidate) in ranked.iter().enumerate() {
        let full = found.len() >= parsed.limit;
        if full && rank >= CANDIDATES {
            break;
        }
        let Some((item, first, last)) = place(db, candidate.chunk)? else { continue };
        if let Some(&at) = by_item.get(&item) {
            found[at].more.push((i64::from(candidate.chunk), first, last, candidate.score));
            continue;
        }
        if full || !filter::holds(db, parsed, item)? {
            continue;
        }
        let Some((hit, content)) = load(db, candidate)? else { continue };
        if let Some(&at) = by_content.get(&content) {
            if !found[at].copies.contains(&hit.id) {
                found[at].copies.push(hit.id);
            }
            continue;
        }
        if !saying.holds(db, item, &ranked[rank..])? {
            continue;
        }
        let at = found.len();
        by_item.insert(hit.id, at);
        by_content.insert(content, at);
        found.push(hit);
    }
    // All texts at once: hits whose texts share a block have it unpacked once.
    let passages: Vec<(i64, Range<usize>)> =
        found.iter().map(|hit| (hit.id, hit.first..hit.last)).collect();
    let wanted = Wanted::of(parsed, stems);
    for (hit, passage) in found.iter_mut().zip(texts::load_parts(db, &passages)?) {
        (hit.snippet, hit.matches) = snippet::of(&passage, &wanted, stems);
    }
    Ok(found)
}

/// Which items say all quoted phrases. Read a few ahead, since texts that share a block share the work.
struct Saying<'a> {
    phrases: &'a [Vec<String>],
    ahead: usize,
    known: HashMap<i64, bool>,
}

impl<'a> Saying<'a> {
    fn new(parsed: &'a Parsed) -> Self {
        Self { phrases: &parsed.phrases, ahead: parsed.limit.clamp(8, 64), known: HashMap::new() }
    }

    /// Whether an item says them; `next` are its chunk and those that will be asked about after it.
    fn holds(&mut self, db: &Connection, item: i64, next: &[Candidate]) -> Result<bool> {
        if self.phrases.is_empty() {
            return Ok(true);
        }
        if let Some(&known) = self.known.get(&item) {
            return Ok(known);
        }
        let mut wanted = vec![(item, 0..usize::MAX)];
        for candidate in next.iter().skip(1) {
            if wanted.len() >= self.ahead {
                break;
            }
            let Some((item, ..)) = place(db, candidate.chunk)? else { continue };
            if !self.known.contains_key(&item) && wanted.iter().all(|(known, _)| *known != item) {
                wanted.push((item, 0..usize::MAX));
            }
        }
        for ((item, _), text) in wanted.iter().zip(texts::load_parts(db, &wanted)?) {
            let says = self.phrases.iter().all(|phrase| snippet::says(&text, phrase));
            self.known.insert(*item, says);
        }
        Ok(self.known.get(&item).copied().unwrap_or(false))
    }
}

/// The item of a chunk and the bytes of its text that the chunk is; `None` when it has just gone.
fn place(db: &Connection, chunk: u32) -> Result<Option<(i64, usize, usize)>> {
    let place = db
        .prepare_cached("SELECT item, first, last FROM chunk WHERE id = ?1")?
        .query_row([chunk], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    Ok(place)
}

/// What two copies of one thing share: the hash of their identity and that of their bytes.
type Content = (i64, Vec<u8>);

/// The hit of a candidate without its snippet, and its content.
fn load(db: &Connection, candidate: &Candidate) -> Result<Option<(Hit, Content)>> {
    let hit = db
        .prepare_cached(
            "SELECT i.id, c.id, i.source, f.path, i.part, i.title, i.kind, i.start, i.zone, i.offset_s,
               i.all_day, i.thread, c.first, c.last, i.identity, i.content_sha256
             FROM chunk c JOIN item i ON i.id = c.item JOIN file f ON f.id = i.file WHERE c.id = ?1",
        )?
        .query_row([candidate.chunk], |row| {
            let start: Option<i64> = row.get(7)?;
            let zone: Option<String> = row.get(8)?;
            let (offset_s, all_day) = (row.get(9)?, row.get(10)?);
            let date = start.map(|s| date_for_people(s, zone.as_deref(), offset_s, all_day));
            let hit = Hit {
                id: row.get(0)?,
                chunk: row.get(1)?,
                source: row.get(2)?,
                path: row.get(3)?,
                part: row.get(4)?,
                title: row.get(5)?,
                kind: kind_of(row.get(6)?),
                date: date.unwrap_or_default(),
                start,
                thread: row.get(11)?,
                snippet: String::new(),
                matches: Vec::new(),
                score: candidate.score,
                lexical: candidate.lexical,
                dense: candidate.dense,
                first: row.get(12)?,
                last: row.get(13)?,
                more: Vec::new(),
                copies: Vec::new(),
            };
            Ok((hit, (row.get(14)?, row.get(15)?)))
        })
        .optional()?;
    Ok(hit)
}
