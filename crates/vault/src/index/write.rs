//! Adds chunks to the index: collected in memory during a transaction, flushed as one segment before it commits.

use rusqlite::{Connection, params};

use super::terms::Numbers;
use super::{Counts, Pages, Posting, merge, pack};

/// The terms of one chunk, counted; made on the reading threads.
#[derive(Debug, Default, Clone)]
pub(crate) struct Counted {
    /// The terms one behind the other, and where each ends.
    text: String,
    ends: Vec<(usize, Counts)>,
    /// Tokens in all fields, saturating.
    pub(crate) length: u8,
}

impl Counted {
    pub(crate) fn of_length(length: u8) -> Self {
        Self { length, ..Self::default() }
    }

    pub(crate) fn push(&mut self, term: &str, counts: Counts) {
        self.text.push_str(term);
        self.ends.push((self.text.len(), counts));
    }

    pub(crate) fn terms(&self) -> impl Iterator<Item = (&str, Counts)> {
        let mut start = 0;
        self.ends.iter().map(move |&(end, counts)| {
            let term = &self.text[start..end];
            start = end;
            (term, counts)
        })
    }
}

/// What a transaction adds.
#[derive(Default)]
pub(crate) struct Batch {
    terms: Numbers,
    /// (term, posting) as they came
    postings: Vec<(u32, Posting)>,
    lengths: Vec<(u32, u8)>,
}

impl Batch {
    /// Adds a chunk under its number.
    pub(crate) fn add(&mut self, chunk: i64, counted: &Counted, facets: &[String]) {
        let Ok(chunk) = u32::try_from(chunk) else { return };
        for (term, counts) in counted.terms() {
            self.post(term, chunk, counts);
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
        self.postings.push((self.terms.of(term), Posting { chunk, counts }));
    }

    /// Writes the segment and merges where a level is full.
    pub(crate) fn flush(&mut self, db: &Connection) -> rusqlite::Result<()> {
        if self.postings.is_empty() {
            return Ok(());
        }
        let segment = new_segment(db, 0, &self.lengths)?;
        let by_name = |a: &u32, b: &u32| self.terms.name(*a).cmp(self.terms.name(*b));
        let mut in_order: Vec<u32> = (0..self.terms.len() as u32).collect();
        in_order.sort_unstable_by(by_name);
        let (starts, postings) = self.by_term();
        let mut writer = SegmentWriter::new(db, segment);
        let mut list = Vec::new();
        for term in in_order {
            list.clear();
            list.extend_from_slice(&postings[starts[term as usize]..starts[term as usize + 1]]);
            tidy(&mut list);
            writer.push(self.terms.name(term), list.len() as u64, &pack(&list))?;
        }
        writer.finish()?;
        self.terms.clear();
        self.postings.clear();
        self.lengths.clear();
        merge::tidy_levels(db)
    }

    /// The postings term by term, as they came within each, and where each term's begin (and the last's end).
    fn by_term(&self) -> (Vec<usize>, Vec<Posting>) {
        let mut starts = vec![0; self.terms.len() + 1];
        for (term, _) in &self.postings {
            starts[*term as usize + 1] += 1;
        }
        for term in 1..starts.len() {
            starts[term] += starts[term - 1];
        }
        let mut next = starts.clone();
        let mut sorted = vec![Posting { chunk: 0, counts: Counts::default() }; self.postings.len()];
        for (term, posting) in &self.postings {
            sorted[next[*term as usize]] = *posting;
            next[*term as usize] += 1;
        }
        (starts, sorted)
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
