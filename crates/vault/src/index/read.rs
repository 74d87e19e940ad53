//! Asks the index: lists of terms, terms by prefix, sets of chunks under filters, scores.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::{PageReader, Posting, each_posting};

/// What every query needs from the index, loaded once per change of the database.
#[derive(Debug, Default, Clone)]
pub(crate) struct State {
    /// Segments in order; `(id)` only, lists are read when asked for.
    segments: Vec<i64>,
    /// Tokens of each chunk by its number; 0 when there is none.
    pub(crate) lengths: Vec<u8>,
    pub(crate) n_chunks: usize,
    mean_length: f32,
}

impl State {
    /// Loads segments and lengths as the connection's snapshot has them.
    pub(crate) fn load(db: &Connection) -> rusqlite::Result<Arc<State>> {
        let mut state = State::default();
        let mut segments =
            db.prepare_cached("SELECT id, first_chunk, lengths FROM segment ORDER BY id")?;
        let mut rows = segments.query([])?;
        while let Some(row) = rows.next()? {
            state.segments.push(row.get(0)?);
            let first: usize = row.get(1)?;
            let lengths = row.get_ref(2)?.as_blob()?;
            let end = first + lengths.len();
            if !lengths.is_empty() && state.lengths.len() < end {
                state.lengths.resize(end, 0);
            }
            for (known, &length) in state.lengths[first.min(end)..].iter_mut().zip(lengths) {
                *known = (*known).max(length);
            }
        }
        let mut gone = db.prepare_cached("SELECT chunk FROM gone")?;
        let mut rows = gone.query([])?;
        while let Some(row) = rows.next()? {
            if let Some(length) = state.lengths.get_mut(row.get::<_, usize>(0)?) {
                *length = 0;
            }
        }
        state.n_chunks = state.lengths.iter().filter(|length| **length > 0).count();
        let total: u64 = state.lengths.iter().map(|length| u64::from(*length)).sum();
        state.mean_length = (total as f32 / state.n_chunks.max(1) as f32).max(1.0);
        Ok(Arc::new(state))
    }

    /// The packed lists of a term, one per segment that has it, and how many postings they hold.
    pub(crate) fn lists(&self, db: &Connection, term: &str) -> rusqlite::Result<Lists> {
        let mut page = db.prepare_cached(
            "SELECT page FROM posting WHERE segment = ?1 AND first <= ?2 ORDER BY first DESC LIMIT 1",
        )?;
        let mut found = Lists::default();
        for segment in &self.segments {
            let mut rows = page.query(params![segment, term])?;
            let Some(row) = rows.next()? else { continue };
            let mut reader = PageReader::new(row.get_ref(0)?.as_blob()?);
            while let Some((known, n, list)) = reader.next() {
                if known == term.as_bytes() {
                    found.n += n;
                    found.lists.push(list.to_vec());
                }
                if known >= term.as_bytes() {
                    break;
                }
            }
        }
        Ok(found)
    }

    /// Terms that begin so, the commonest first, at most `limit`.
    pub(crate) fn terms_with_prefix(
        &self,
        db: &Connection,
        prefix: &str,
        limit: usize,
    ) -> rusqlite::Result<Vec<String>> {
        // Short prefixes have thousands of terms; looking at this many pages per segment bounds the time.
        const MAX_PAGES: usize = 40;
        let mut pages = db.prepare_cached(
            "SELECT page FROM posting WHERE segment = ?1 AND first >= coalesce(
               (SELECT max(first) FROM posting WHERE segment = ?1 AND first <= ?2), '')
             ORDER BY first LIMIT ?3",
        )?;
        let mut found: std::collections::HashMap<String, u64> = Default::default();
        for segment in &self.segments {
            let mut rows = pages.query(params![segment, prefix, MAX_PAGES])?;
            'segment: while let Some(row) = rows.next()? {
                let mut reader = PageReader::new(row.get_ref(0)?.as_blob()?);
                while let Some((term, n, _)) = reader.next() {
                    if term.starts_with(prefix.as_bytes()) {
                        *found.entry(String::from_utf8_lossy(term).into_owned()).or_default() += n;
                    } else if term > prefix.as_bytes() {
                        break 'segment;
                    }
                }
            }
        }
        let mut found: Vec<(String, u64)> = found.into_iter().collect();
        found.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        found.truncate(limit);
        Ok(found.into_iter().map(|(term, _)| term).collect())
    }

    /// The chunks that have any of the terms.
    pub(crate) fn any_of(&self, db: &Connection, terms: &[String]) -> rusqlite::Result<Bits> {
        let mut bits = Bits::new(self.lengths.len());
        for term in terms {
            self.lists(db, term)?.each(|posting| bits.set(posting.chunk));
        }
        Ok(bits)
    }

    /// BM25's rarity of a term that `n` chunks have.
    pub(crate) fn rarity(&self, n: u64) -> f32 {
        let all = self.n_chunks as f32;
        let n = (n as f32).min(all);
        (1.0 + (all - n + 0.5) / (n + 0.5)).ln()
    }

    /// Adds `weight · BM25` of one term to the scores of its chunks that `allowed` lets through. Fields are
    /// weighted before saturation (BM25F).
    pub(crate) fn score(
        &self,
        scores: &mut [f32],
        lists: &Lists,
        fields: &FieldWeights,
        allowed: Option<&Bits>,
        weight: f32,
    ) {
        const K1: f32 = 1.2;
        const B: f32 = 0.75;
        // One division less in the loop: the norm of each possible length.
        let mut norms = [0f32; 256];
        for (length, norm) in norms.iter_mut().enumerate() {
            *norm = K1 * (1.0 - B + B * length as f32 / self.mean_length);
        }
        lists.each(|posting| {
            let chunk = posting.chunk as usize;
            let Some(&length) = self.lengths.get(chunk) else { return };
            if length == 0 || allowed.is_some_and(|bits| !bits.has(posting.chunk)) {
                return;
            }
            let tf = fields.head * f32::from(posting.counts.head())
                + fields.body * f32::from(posting.counts.body())
                + fields.context * f32::from(posting.counts.context());
            scores[chunk] += weight * tf * (K1 + 1.0) / (tf + norms[usize::from(length)]);
        });
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct FieldWeights {
    pub(crate) head: f32,
    pub(crate) body: f32,
    pub(crate) context: f32,
}

#[derive(Debug, Default)]
pub(crate) struct Lists {
    pub(crate) n: u64,
    lists: Vec<Vec<u8>>,
}

impl Lists {
    pub(crate) fn each(&self, mut take: impl FnMut(Posting)) {
        for list in &self.lists {
            each_posting(list, &mut take);
        }
    }

    pub(crate) fn append(&mut self, other: Lists) {
        self.n += other.n;
        self.lists.extend(other.lists);
    }
}

/// A set of chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bits {
    words: Vec<u64>,
}

impl Bits {
    pub(crate) fn new(n: usize) -> Self {
        Self { words: vec![0; n.div_ceil(64)] }
    }

    pub(crate) fn full(n: usize) -> Self {
        Self { words: vec![u64::MAX; n.div_ceil(64)] }
    }

    pub(crate) fn set(&mut self, chunk: u32) {
        if let Some(word) = self.words.get_mut(chunk as usize / 64) {
            *word |= 1 << (chunk % 64);
        }
    }

    pub(crate) fn has(&self, chunk: u32) -> bool {
        self.words.get(chunk as usize / 64).is_some_and(|word| word >> (chunk % 64) & 1 == 1)
    }

    pub(crate) fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub(crate) fn ones(&self) -> impl Iterator<Item = u32> {
        (0u32..).zip(&self.words).flat_map(|(idx, &word)| {
            (0..64).filter(move |bit| word >> bit & 1 == 1).map(move |bit| idx * 64 + bit)
        })
    }

    pub(crate) fn and(&mut self, other: &Bits) {
        for (idx, word) in self.words.iter_mut().enumerate() {
            *word &= other.words.get(idx).copied().unwrap_or(0);
        }
    }

    pub(crate) fn and_not(&mut self, other: &Bits) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= !other;
        }
    }
}

/// (last segment made, chunks gone)
type Version = (i64, i64);

/// Remembers the state between queries; a changed index is loaded anew.
#[derive(Default)]
pub(crate) struct StateCache {
    known: std::sync::Mutex<Option<(Version, Arc<State>)>>,
}

impl StateCache {
    pub(crate) fn get(&self, db: &Connection) -> rusqlite::Result<Arc<State>> {
        // Every flush makes a segment and every removal adds to `gone`, which shrinks only when a merge makes one.
        let version = db
            .prepare_cached(
                "SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'segment'), 0),
                   (SELECT count(*) FROM gone)",
            )?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut known = crate::store::lock(&self.known);
        if let Some((loaded, state)) = &*known
            && *loaded == version
        {
            return Ok(Arc::clone(state));
        }
        let state = State::load(db)?;
        *known = Some((version, Arc::clone(&state)));
        Ok(state)
    }
}
