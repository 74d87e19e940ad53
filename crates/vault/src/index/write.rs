//! Adds chunks to the index: collected in memory during a transaction, flushed as one segment before it commits.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::{Counts, Pages, Posting, merge, pack};

/// The terms of one chunk, counted; made on the reading threads.
#[derive(Debug, Default, Clone)]
pub(crate) struct Counted {
    pub(crate) terms: Vec<(String, Counts)>,
    /// Tokens in all fields, saturating.
    pub(crate) length: u8,
}

/// What a transaction adds.
#[derive(Default)]
pub(crate) struct Batch {
    terms: HashMap<String, Vec<Posting>>,
    lengths: Vec<(u32, u8)>,
}

impl Batch {
    /// Adds a chunk under its number.
    pub(crate) fn add(&mut self, chunk: i64, counted: &Counted, facets: &[String]) {
        let Ok(chunk) = u32::try_from(chunk) else { return };
        for (term, counts) in &counted.terms {
            self.post(term, chunk, *counts);
        }
        for facet in facets {
            self.post(facet, chunk, Counts::HEAD);
        }
        self.lengths.push((chunk, counted.length.max(1)));
    }

    /// Adds terms to a chunk that is indexed already (the message before it has arrived).
    pub(crate) fn add_context<'a>(&mut self, chunk: i64, terms: impl Iterator<Item = &'a str>) {
        let Ok(chunk) = u32::try_from(chunk) else { return };
        for term in terms {
            self.post(term, chunk, Counts::CONTEXT);
        }
    }

    fn post(&mut self, term: &str, chunk: u32, counts: Counts) {
        let posting = Posting { chunk, counts };
        match self.terms.get_mut(term) {
            Some(list) => list.push(posting),
            None => {
                self.terms.insert(term.to_owned(), vec![posting]);
            }
        }
    }

    /// Writes the segment and merges where a level is full.
    pub(crate) fn flush(&mut self, db: &Connection) -> rusqlite::Result<()> {
        if self.terms.is_empty() {
            return Ok(());
        }
        let segment = new_segment(db, 0, &self.lengths)?;
        let mut terms: Vec<(String, Vec<Posting>)> = self.terms.drain().collect();
        terms.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        self.lengths.clear();
        let mut writer = SegmentWriter::new(db, segment);
        for (term, mut list) in terms {
            tidy(&mut list);
            writer.push(&term, list.len() as u64, &pack(&list))?;
        }
        writer.finish()?;
        merge::tidy_levels(db)
    }
}

/// In order, one posting per chunk.
pub(super) fn tidy(list: &mut Vec<Posting>) {
    if !list.is_sorted_by_key(|posting| posting.chunk) {
        list.sort_by_key(|posting| posting.chunk);
    }
    list.dedup_by(|later, kept| {
        let same = later.chunk == kept.chunk;
        if same {
            kept.counts = kept.counts.plus(later.counts);
        }
        same
    });
}

/// Writes the row of a segment: its chunk lengths as one byte each from the lowest to the highest chunk.
pub(super) fn new_segment(
    db: &Connection,
    level: u8,
    lengths: &[(u32, u8)],
) -> rusqlite::Result<i64> {
    let first = lengths.iter().map(|(chunk, _)| *chunk).min().unwrap_or(0);
    let last = lengths.iter().map(|(chunk, _)| *chunk).max().unwrap_or(0);
    let mut dense = vec![0u8; if lengths.is_empty() { 0 } else { (last - first) as usize + 1 }];
    for (chunk, length) in lengths {
        dense[(chunk - first) as usize] = *length;
    }
    db.prepare_cached(
        "INSERT INTO segment(level, first_chunk, n_chunks, lengths) VALUES(?1, ?2, ?3, ?4)",
    )?
    .execute(params![level, first, lengths.len(), dense])?;
    Ok(db.last_insert_rowid())
}

/// Writes entries in order of their terms into pages of a segment.
pub(super) struct SegmentWriter<'a> {
    db: &'a Connection,
    segment: i64,
    pages: Pages,
}

impl<'a> SegmentWriter<'a> {
    pub(super) fn new(db: &'a Connection, segment: i64) -> Self {
        Self { db, segment, pages: Pages::default() }
    }

    pub(super) fn push(&mut self, term: &str, n: u64, list: &[u8]) -> rusqlite::Result<()> {
        match self.pages.push(term, n, list) {
            Some(page) => self.write(page),
            None => Ok(()),
        }
    }

    pub(super) fn finish(mut self) -> rusqlite::Result<()> {
        match self.pages.close() {
            Some(page) => self.write(page),
            None => Ok(()),
        }
    }

    fn write(&self, (first, page): (String, Vec<u8>)) -> rusqlite::Result<()> {
        self.db
            .prepare_cached("INSERT INTO posting(segment, first, page) VALUES(?1, ?2, ?3)")?
            .execute(params![self.segment, first, page])?;
        Ok(())
    }
}
