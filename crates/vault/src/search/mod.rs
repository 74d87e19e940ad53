//! Search: words and meaning, under exact filters.
//!
//! 1. Filters (kind, person, date, tag, source) become one bit set over chunks.
//! 2. Each word adds its BM25F score; the best [`CANDIDATES`] chunks are the lexical candidates.
//! 3. With an embedder, the [`CANDIDATES`] nearest vectors under the same filters join them.
//! 4. Both scores of every candidate are normalised (z-scores over the candidates) and added, the dense one times
//!    [`DENSE_WEIGHT`]. Ranks are *not* fused: on dialogue data 1:1 rank fusion lost to BM25 alone and the score
//!    sum won (docs/LOG.md).
//! 5. The best chunk of each item is its hit; copies of the same message are one hit.

mod filter;
mod hits;
mod parse;
mod snippet;
pub mod vectors;

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Instant;

use rusqlite::{Connection, params};
use serde::Serialize;

pub use self::parse::Chip;
use self::parse::Parsed;
use crate::embed::Embed;
use crate::error::Result;
use crate::index::read::{Bits, FieldWeights, State};
use crate::item::Kind;
use crate::store::Vault;
use crate::store::source::SourceId;
use crate::text::words::{self, Stems};

/// Candidates taken from each channel.
pub const CANDIDATES: usize = 200;
/// Chunks with all words of a quoted phrase that are read until enough of them say it.
const PHRASE_CANDIDATES: usize = 2_000;
/// Weight of the dense z-score beside the lexical one. Between 0.3 and 1.0 every value won over BM25 alone on
/// LoCoMo with MiniLM (recall@10 77.5 to 79.0 against 75.5), 1.0 the most.
pub const DENSE_WEIGHT: f32 = 1.0;
/// Title, people and headings count more than the body, quotes and signatures less.
const FIELDS: FieldWeights = FieldWeights { head: 2.0, body: 1.0, context: 0.4 };
/// What the unstemmed form of a word adds where it stands in a name, a title or an id.
const EXACT_WEIGHT: f32 = 0.3;
/// Terms a typed beginning of a word may stand for.
const MAX_EXPANSIONS: usize = 40;

/// UTC seconds, end exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Interval {
    pub start: i64,
    pub end: i64,
}

/// What to look for. Filters given as fields and filters written in the text (`from:anna kind:mail in:2026-06
/// "exact words"`) hold together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    pub text: String,
    /// What is compared by meaning, when it is not `text`: a whole question, whose function words an encoder
    /// reads too.
    pub meaning: String,
    /// Other words for a folded word of `text`, which count as if they were it.
    pub alike: Vec<(String, Vec<String>)>,
    /// Any of these; empty means all.
    pub kinds: Vec<Kind>,
    /// Names or addresses; each must take part in the item in some role.
    pub people: Vec<String>,
    /// Names or addresses; each must be an author (sender, organizer, author).
    pub from: Vec<String>,
    /// The item's date, or any day it spans, must lie inside.
    pub interval: Option<Interval>,
    /// Each must be a tag or folder of the item.
    pub tags: Vec<String>,
    /// Any of these; empty means all.
    pub sources: Vec<SourceId>,
    /// Hits wanted; 0 means 20.
    pub limit: usize,
    /// The last word is being typed and may be only begun.
    pub typing: bool,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Found {
    pub hits: Vec<Hit>,
    /// The filters as understood, for display and removal.
    pub chips: Vec<Chip>,
    /// Folded words that were searched for.
    pub words: Vec<String>,
    /// Chunks that matched any word under the filters.
    pub n_matching: usize,
    /// Share of chunks that have a vector of the embedder, 0 without one.
    pub vectors_share: f32,
    pub timings_ms: Timings,
}

#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Timings {
    pub lexical: f64,
    pub dense: f64,
    pub total: f64,
}

/// One item found, by its best chunk. `first..last` are bytes of the item's stored text.
#[derive(Debug, Clone, Serialize)]
pub struct Hit {
    pub id: i64,
    pub chunk: i64,
    pub source: i64,
    pub path: String,
    pub part: String,
    pub title: String,
    pub kind: Kind,
    /// The date as its source saw it, or empty.
    pub date: String,
    /// UTC seconds.
    pub start: Option<i64>,
    pub thread: Option<i64>,
    pub snippet: String,
    /// Bytes of the snippet that match.
    pub matches: Vec<Range<usize>>,
    pub score: f32,
    pub lexical: f32,
    /// Cosine similarity, when the chunk has a vector.
    pub dense: Option<f32>,
    pub first: usize,
    pub last: usize,
    /// Other chunks of the item among the candidates, best first: (chunk, first, last, score).
    pub more: Vec<(i64, usize, usize, f32)>,
    /// Other items that hold the same content, for example the same mail in two folders.
    pub copies: Vec<i64>,
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    chunk: u32,
    score: f32,
    lexical: f32,
    dense: Option<f32>,
}

impl Vault {
    /// Answers a query; `embedder` adds similarity by meaning where its vectors are there.
    pub fn search(&self, query: &Query, embedder: Option<&dyn Embed>) -> Result<Found> {
        self.read(|db| {
            // One snapshot for the whole question: a sync in between cannot tear it.
            let db = db.unchecked_transaction()?;
            self.search_in(&db, query, embedder)
        })
    }

    fn search_in(
        &self,
        db: &Connection,
        query: &Query,
        embedder: Option<&dyn Embed>,
    ) -> Result<Found> {
        let begun = Instant::now();
        let parsed = parse::parse(query)?;
        let state = self.index_state(db)?;
        let (filter, chips) = filter::allowed(db, &state, &parsed)?;
        let mut found = Found { chips, words: parsed.words.clone(), ..Found::default() };
        if parsed.words.is_empty() && parsed.phrases.is_empty() {
            found.hits = self.newest(db, &state, &parsed, filter.as_ref())?;
            found.timings_ms.total = ms(begun);
            return Ok(found);
        }
        let mut stems = Stems::default();
        let alike = &query.alike;
        let scores = self.lexical(db, &state, &parsed, alike, filter.as_ref(), &mut stems)?;
        let wanted = if parsed.phrases.is_empty() { CANDIDATES } else { PHRASE_CANDIDATES };
        let (lexical, n_matching) = top(&scores, wanted);
        found.n_matching = n_matching;
        found.timings_ms.lexical = ms(begun);
        let dense_begun = Instant::now();
        let mut candidates: BTreeMap<u32, Option<f32>> =
            lexical.iter().map(|&(chunk, _)| (chunk, None)).collect();
        // A quoted phrase is a demand; meaning must not bring in what does not say it.
        if let Some(embedder) = embedder
            && parsed.phrases.is_empty()
        {
            let words = if query.meaning.is_empty() { &parsed.plain } else { &query.meaning };
            let near =
                self.vectors().near(db, embedder, words, &state, filter.as_ref(), &candidates)?;
            found.vectors_share = near.share;
            candidates.extend(near.scores.into_iter().map(|(chunk, score)| (chunk, Some(score))));
        }
        found.timings_ms.dense = ms(dense_begun);
        let ranked = fuse(&candidates, &scores);
        found.hits = hits::of(db, &parsed, &ranked, &mut stems)?;
        found.timings_ms.total = ms(begun);
        Ok(found)
    }

    /// Scores of all chunks, by words.
    fn lexical(
        &self,
        db: &Connection,
        state: &State,
        parsed: &Parsed,
        alike: &[(String, Vec<String>)],
        filter: Option<&Bits>,
        stems: &mut Stems,
    ) -> Result<Vec<f32>> {
        let mut scores = vec![0f32; state.lengths.len()];
        let phrase_words = parsed.phrases.iter().flatten();
        let all: Vec<&String> = parsed.words.iter().chain(phrase_words).collect();
        let mut allowed = filter.cloned();
        let mut narrow = |bits: Bits| match &mut allowed {
            Some(allowed) => allowed.and(&bits),
            None => allowed = Some(bits),
        };
        for word in parsed.phrases.iter().flatten() {
            narrow(state.any_of(db, &stems.stems_of(word))?);
        }
        let last = all.len().saturating_sub(1);
        for (idx, word) in all.into_iter().enumerate() {
            let mut lists = Default::default();
            let mut terms = stems.stems_of(word);
            let others = alike.iter().filter(|(of, _)| of == word).flat_map(|(_, others)| others);
            for term in others.flat_map(|other| stems.stems_of(other)).collect::<Vec<_>>() {
                if !terms.contains(&term) {
                    terms.push(term);
                }
            }
            if parsed.typing && idx == last {
                for term in state.terms_with_prefix(db, word, MAX_EXPANSIONS)? {
                    if !terms.contains(&term) {
                        terms.push(term);
                    }
                }
            }
            for term in &terms {
                crate::index::read::Lists::append(&mut lists, state.lists(db, term)?);
            }
            let rarity = state.rarity(lists.n);
            state.score(&mut scores, &lists, &FIELDS, allowed.as_ref(), rarity);
            let exact = if parsed.typing && idx == last {
                let mut lists = crate::index::read::Lists::default();
                let prefix = format!("={word}");
                for term in state.terms_with_prefix(db, &prefix, MAX_EXPANSIONS)? {
                    lists.append(state.lists(db, &term)?);
                }
                lists
            } else {
                state.lists(db, &format!("={word}"))?
            };
            let rarity = state.rarity(exact.n) * EXACT_WEIGHT;
            state.score(&mut scores, &exact, &FIELDS, allowed.as_ref(), rarity);
        }
        Ok(scores)
    }

    /// Without words: what the filters let through, newest first.
    fn newest(
        &self,
        db: &Connection,
        state: &State,
        parsed: &Parsed,
        filter: Option<&Bits>,
    ) -> Result<Vec<Hit>> {
        // More than wanted, because dates are checked exactly only when hits are made.
        let wanted = parsed.limit * 4;
        let alive =
            |chunk: u32| state.lengths.get(chunk as usize).is_some_and(|length| *length > 0);
        let chunks = match filter {
            // Few pass: look at those. Many pass: the newest items soon show enough of them.
            Some(bits) if bits.count() < 20_000 => {
                let passing: Vec<u32> = bits.ones().filter(|chunk| alive(*chunk)).collect();
                newest_of(db, &passing, wanted)?
            }
            _ => newest_passing(db, wanted, &|chunk| {
                alive(chunk) && filter.is_none_or(|bits| bits.has(chunk))
            })?,
        };
        let candidate = |chunk| Candidate { chunk, score: 0.0, lexical: 0.0, dense: None };
        let ranked: Vec<Candidate> = chunks.into_iter().map(candidate).collect();
        hits::of(db, parsed, &ranked, &mut Stems::default())
    }
}

/// The first chunks of the newest items among those of some chunks.
fn newest_of(db: &Connection, chunks: &[u32], n: usize) -> Result<Vec<u32>> {
    let mut newest = db.prepare_cached(
        "SELECT min(c.id) FROM json_each(?1) one JOIN chunk c ON c.id = one.value
         JOIN item i ON i.id = c.item GROUP BY i.id ORDER BY i.start DESC NULLS LAST, i.id DESC LIMIT ?2",
    )?;
    let rows = newest.query_map(params![format!("{chunks:?}"), n], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Walks from the newest item back until enough first chunks pass.
fn newest_passing(db: &Connection, n: usize, passes: &dyn Fn(u32) -> bool) -> Result<Vec<u32>> {
    let mut newest = db.prepare_cached(
        "SELECT i.first_chunk FROM item i WHERE i.n_chunks > 0
         ORDER BY i.start DESC NULLS LAST, i.id DESC",
    )?;
    let mut rows = newest.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()?
        && found.len() < n
    {
        found.extend(Some(row.get(0)?).filter(|chunk| passes(*chunk)));
    }
    Ok(found)
}

fn ms(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1e3
}

/// The `n` highest scores above zero, best first, the older chunk first among equals; and how many are above zero.
fn top(scores: &[f32], n: usize) -> (Vec<(u32, f32)>, usize) {
    let better = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    let mut best: Vec<(u32, f32)> = Vec::with_capacity(2 * n);
    // Once `n` are known, a later chunk must do better than the last of them.
    let mut floor = 0.0;
    let mut n_matching = 0;
    for (chunk, &score) in (0u32..).zip(scores) {
        n_matching += usize::from(score > 0.0);
        if score > floor {
            best.push((chunk, score));
            if best.len() == 2 * n {
                let (_, last, _) = best.select_nth_unstable_by(n - 1, better);
                floor = last.1;
                best.truncate(n);
            }
        }
    }
    best.sort_unstable_by(better);
    best.truncate(n);
    (best, n_matching)
}

/// Adds the normalised scores of both channels. Every candidate has its exact lexical score; one without a vector
/// gets the lowest dense score seen.
fn fuse(candidates: &BTreeMap<u32, Option<f32>>, lexical: &[f32]) -> Vec<Candidate> {
    let lexical_of = |chunk: u32| lexical.get(chunk as usize).copied().unwrap_or(0.0);
    let words: Vec<f32> = candidates.keys().map(|&chunk| lexical_of(chunk)).collect();
    let known = candidates.values().flatten().copied();
    let floor = known.clone().fold(f32::INFINITY, f32::min);
    let fused = known.count() > 0;
    let meaning: Vec<f32> = candidates.values().map(|dense| dense.unwrap_or(floor)).collect();
    let (word_mean, word_deviation) = moments(&words);
    let (mean, deviation) = moments(&meaning);
    let mut ranked: Vec<Candidate> = candidates
        .iter()
        .zip(words.iter().zip(&meaning))
        .map(|((&chunk, &dense), (&lexical, &meaning))| {
            let score = if fused {
                (lexical - word_mean) / word_deviation + DENSE_WEIGHT * (meaning - mean) / deviation
            } else {
                lexical
            };
            Candidate { chunk, score, lexical, dense }
        })
        .collect();
    ranked.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.chunk.cmp(&b.chunk)));
    ranked
}

/// Mean and standard deviation (1 when all are equal).
fn moments(values: &[f32]) -> (f32, f32) {
    let n = values.len().max(1) as f32;
    let mean = values.iter().sum::<f32>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / n;
    (mean, if variance > 1e-12 { variance.sqrt() } else { 1.0 })
}

/// The folded words of a question that say something; all of them when none does.
pub(crate) fn telling_words(text: &str) -> Vec<String> {
    let all: Vec<String> = words::tokens(text).into_iter().map(|token| token.term).collect();
    let mut telling: Vec<String> = Vec::new();
    for word in all.iter().filter(|word| !words::is_common(word)) {
        if !telling.contains(word) {
            telling.push(word.clone());
        }
    }
    if telling.is_empty() { all } else { telling }
}
