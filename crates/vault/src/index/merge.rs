//! Merging segments: few segments make few look-ups, and postings of chunks that are gone disappear.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use rusqlite::{Connection, params};

use super::write::{SegmentWriter, new_segment, tidy};
use super::{Entry, PageReader, Posting, each_posting, pack};

/// Segments of one level that become one of the next.
const FAN_IN: usize = 8;

/// Merges every level that is full.
pub(super) fn tidy_levels(db: &Connection) -> rusqlite::Result<()> {
    for level in 0..u8::MAX {
        let mut of_level =
            db.prepare_cached("SELECT id FROM segment WHERE level = ?1 ORDER BY id")?;
        let ids: Vec<i64> =
            of_level.query_map([level], |row| row.get(0))?.collect::<Result<_, _>>()?;
        if ids.len() < FAN_IN {
            break;
        }
        merge(db, &ids, level + 1)?;
    }
    Ok(())
}

/// Makes all segments one, without a trace of chunks that are gone.
pub(crate) fn merge_all(db: &Connection) -> rusqlite::Result<()> {
    let mut all = db.prepare("SELECT id FROM segment ORDER BY id")?;
    let ids: Vec<i64> = all.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let level: u8 =
        db.query_row("SELECT coalesce(max(level), 0) FROM segment", [], |r| r.get(0))?;
    if !ids.is_empty() {
        merge(db, &ids, level)?;
    }
    Ok(())
}

fn merge(db: &Connection, ids: &[i64], level: u8) -> rusqlite::Result<()> {
    let mut gone = db.prepare_cached("SELECT chunk FROM gone")?;
    let gone: HashSet<u32> = gone.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let merged = new_segment(db, level, &lengths_of(db, ids, &gone)?)?;
    let mut writer = SegmentWriter::new(db, merged);
    let mut streams: Vec<Stream<'_>> =
        ids.iter().map(|&id| Stream::open(db, id)).collect::<Result<_, _>>()?;
    let mut heads = BinaryHeap::new();
    for (idx, stream) in streams.iter_mut().enumerate() {
        if let Some(entry) = stream.next()? {
            heads.push(Reverse((entry.term.clone(), idx)));
            stream.head = Some(entry);
        }
    }
    let mut list: Vec<Posting> = Vec::new();
    while let Some(Reverse((term, idx))) = heads.pop() {
        let stream = &mut streams[idx];
        if let Some(entry) = stream.head.take() {
            each_posting(&entry.list, |posting| {
                if !gone.contains(&posting.chunk) {
                    list.push(posting);
                }
            });
        }
        if let Some(entry) = stream.next()? {
            heads.push(Reverse((entry.term.clone(), idx)));
            stream.head = Some(entry);
        }
        let more = heads.peek().is_some_and(|Reverse((next, _))| *next == term);
        if !more && !list.is_empty() {
            tidy(&mut list);
            writer.push(&term, list.len() as u64, &pack(&list))?;
            list.clear();
        }
    }
    drop(streams);
    writer.finish()?;
    for id in ids {
        db.prepare_cached("DELETE FROM posting WHERE segment = ?1")?.execute([id])?;
        db.prepare_cached("DELETE FROM segment WHERE id = ?1")?.execute([id])?;
    }
    // Nothing but the merged segment is left: no list mentions a chunk that is gone.
    let n_segments: i64 = db.query_row("SELECT count(*) FROM segment", [], |row| row.get(0))?;
    if n_segments == 1 {
        db.execute("DELETE FROM gone", [])?;
    }
    Ok(())
}

/// The lengths of several segments together, without chunks that are gone.
fn lengths_of(
    db: &Connection,
    ids: &[i64],
    gone: &HashSet<u32>,
) -> rusqlite::Result<Vec<(u32, u8)>> {
    let mut all = Vec::new();
    for id in ids {
        let (first, lengths): (u32, Vec<u8>) = db
            .prepare_cached("SELECT first_chunk, lengths FROM segment WHERE id = ?1")?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        for (chunk, length) in (first..).zip(lengths) {
            if length > 0 && !gone.contains(&chunk) {
                all.push((chunk, length));
            }
        }
    }
    Ok(all)
}

/// The entries of one segment in order, one page in memory at a time.
struct Stream<'a> {
    db: &'a Connection,
    pages: std::vec::IntoIter<i64>,
    entries: std::vec::IntoIter<Entry>,
    head: Option<Entry>,
}

impl<'a> Stream<'a> {
    fn open(db: &'a Connection, segment: i64) -> rusqlite::Result<Self> {
        let mut pages =
            db.prepare_cached("SELECT id FROM posting WHERE segment = ?1 ORDER BY first")?;
        let pages: Vec<i64> =
            pages.query_map(params![segment], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(Self { db, pages: pages.into_iter(), entries: Vec::new().into_iter(), head: None })
    }

    fn next(&mut self) -> rusqlite::Result<Option<Entry>> {
        loop {
            if let Some(entry) = self.entries.next() {
                return Ok(Some(entry));
            }
            let Some(page) = self.pages.next() else { return Ok(None) };
            let page: Vec<u8> = self
                .db
                .prepare_cached("SELECT page FROM posting WHERE id = ?1")?
                .query_row([page], |row| row.get(0))?;
            let mut reader = PageReader::new(&page);
            let mut entries = Vec::new();
            while let Some((term, n, list)) = reader.next() {
                let term = String::from_utf8_lossy(term).into_owned();
                entries.push(Entry { term, n, list: list.to_vec() });
            }
            self.entries = entries.into_iter();
        }
    }
}
