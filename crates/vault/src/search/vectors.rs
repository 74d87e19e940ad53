//! Vectors: one signed byte per number, in the database in blocks, in memory as one array.
//!
//! A vector v is stored as codes round(v / scale) with scale = max |v| / 127. The dot product of two is the sum of
//! products of codes times both scales; for unit vectors that is the cosine to about ±0.005. Above
//! [`PRESCAN_ABOVE`] vectors a pass over the signs alone (one bit per number, Hamming distance) picks
//! [`PRESCAN_KEEPS`] of them and only those are multiplied out: 48 bytes per vector are read instead of 384.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rusqlite::{Connection, OptionalExtension, params};

use super::{CANDIDATES, State};
use crate::embed::Embed;
use crate::error::Result;
use crate::index::read::Bits;
use crate::store::lock;

const PRESCAN_ABOVE: usize = 60_000;
const PRESCAN_KEEPS: usize = 4_000;
/// Rows a thread is worth starting for, some hundred microseconds.
const PART_ROWS: usize = 32_768;

/// The vectors in memory, by model.
#[derive(Default)]
pub(crate) struct Cache {
    stores: Mutex<HashMap<i64, Arc<RwLock<Store>>>>,
}

/// What the dense channel found: exact scores of its own candidates and of the lexical ones.
#[derive(Default)]
pub(super) struct Near {
    pub(super) scores: Vec<(u32, f32)>,
    /// Share of chunks that have a vector.
    pub(super) share: f32,
}

impl Cache {
    pub(super) fn near(
        &self,
        db: &Connection,
        embedder: &dyn Embed,
        text: &str,
        state: &State,
        filter: Option<&Bits>,
        lexical: &BTreeMap<u32, Option<f32>>,
    ) -> Result<Near> {
        let Some(model) = model_id(db, embedder)? else { return Ok(Near::default()) };
        let store = {
            let mut stores = lock(&self.stores);
            Arc::clone(stores.entry(model).or_default())
        };
        refresh(&store, db, model, embedder.dims())?;
        let store = store.read().unwrap_or_else(PoisonError::into_inner);
        if store.chunks.is_empty() {
            return Ok(Near::default());
        }
        let query = Quantised::of(&embedder.query(text)?);
        let allowed = |chunk: u32| {
            state.lengths.get(chunk as usize).is_some_and(|length| *length > 0)
                && filter.is_none_or(|bits| bits.has(chunk))
        };
        let mut scores = store.nearest(&query, &allowed, CANDIDATES, PRESCAN_ABOVE);
        for &chunk in lexical.keys() {
            if let Some(row) = store.row_of(chunk)
                && !scores.iter().any(|(known, _)| *known == chunk)
            {
                scores.push((chunk, store.score(&query, row)));
            }
        }
        let share = store.chunks.len() as f32 / state.n_chunks.max(1) as f32;
        Ok(Near { scores, share: share.min(1.0) })
    }

    /// Forgets what is in memory; the next search loads it again.
    pub(crate) fn clear(&self) {
        lock(&self.stores).clear();
    }
}

pub(crate) fn model_id(db: &Connection, embedder: &dyn Embed) -> Result<Option<i64>> {
    let id = db
        .prepare_cached("SELECT id FROM model WHERE name = ?1 AND revision = ?2 AND dims = ?3")?
        .query_row(params![embedder.id(), embedder.revision(), embedder.dims()], |row| row.get(0))
        .optional()?;
    Ok(id)
}

/// Loads the blocks that came since; all of them when some were taken away.
fn refresh(store: &RwLock<Store>, db: &Connection, model: i64, dims: usize) -> Result<()> {
    let (n_blocks, last): (i64, i64) = db
        .prepare_cached("SELECT count(*), coalesce(max(id), 0) FROM vectors WHERE model = ?1")?
        .query_row([model], |row| Ok((row.get(0)?, row.get(1)?)))?;
    {
        let store = store.read().unwrap_or_else(PoisonError::into_inner);
        if (store.n_blocks, store.last_block) == (n_blocks, last) {
            return Ok(());
        }
    }
    let mut store = store.write().unwrap_or_else(PoisonError::into_inner);
    let mut blocks = db.prepare_cached(
        "SELECT chunks, scales, codes FROM vectors WHERE model = ?1 AND id > ?2 ORDER BY id",
    )?;
    let n_new: i64 = db
        .prepare_cached("SELECT count(*) FROM vectors WHERE model = ?1 AND id > ?2")?
        .query_row([model, store.last_block], |row| row.get(0))?;
    if store.n_blocks + n_new != n_blocks {
        *store = Store::default();
    }
    store.dims = dims;
    let mut rows = blocks.query([model, store.last_block])?;
    while let Some(row) = rows.next()? {
        let blob = |column| -> rusqlite::Result<&[u8]> { Ok(row.get_ref(column)?.as_blob()?) };
        store.append(blob(0)?, blob(1)?, blob(2)?);
    }
    (store.n_blocks, store.last_block) = (n_blocks, last);
    Ok(())
}

/// A vector as codes and a scale.
pub(crate) struct Quantised {
    pub(crate) codes: Vec<i8>,
    pub(crate) scale: f32,
}

impl Quantised {
    pub(crate) fn of(vector: &[f32]) -> Self {
        let max = vector.iter().fold(0f32, |max, v| max.max(v.abs()));
        let scale = if max > 0.0 { max / 127.0 } else { 1.0 };
        Self { codes: vector.iter().map(|v| (v / scale).round() as i8).collect(), scale }
    }
}

#[derive(Default)]
struct Store {
    dims: usize,
    n_blocks: i64,
    last_block: i64,
    chunks: Vec<u32>,
    scales: Vec<f32>,
    /// [n, dims]
    codes: Vec<i8>,
    /// [n, dims / 64 rounded up]: one bit per number, set where it is negative.
    signs: Vec<u64>,
    /// Row of each chunk by its number, `u32::MAX` for none.
    rows: Vec<u32>,
}

impl Store {
    fn append(&mut self, chunks: &[u8], scales: &[u8], codes: &[u8]) {
        let ids = chunks.as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes));
        let scales = scales.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        for ((id, scale), codes) in ids.zip(scales).zip(codes.chunks_exact(self.dims.max(1))) {
            let Ok(chunk) = u32::try_from(id) else { continue };
            if self.rows.len() <= chunk as usize {
                self.rows.resize(chunk as usize + 1, u32::MAX);
            }
            self.rows[chunk as usize] = self.chunks.len() as u32;
            self.chunks.push(chunk);
            self.scales.push(scale);
            let from = self.codes.len();
            self.codes.extend(codes.iter().map(|byte| *byte as i8));
            push_signs(&mut self.signs, &self.codes[from..]);
        }
    }

    fn row_of(&self, chunk: u32) -> Option<usize> {
        self.rows.get(chunk as usize).filter(|row| **row != u32::MAX).map(|row| *row as usize)
    }

    fn score(&self, query: &Quantised, row: usize) -> f32 {
        let codes = &self.codes[row * self.dims..(row + 1) * self.dims];
        dot(codes, &query.codes) as f32 * self.scales[row] * query.scale
    }

    /// The `n` nearest allowed chunks with their cosines, best first.
    fn nearest(
        &self,
        query: &Quantised,
        allowed: &(dyn Fn(u32) -> bool + Sync),
        n: usize,
        prescan_above: usize,
    ) -> Vec<(u32, f32)> {
        let counts = |row: &u32| {
            let chunk = self.chunks[*row as usize];
            // An older vector of the same chunk is superseded.
            allowed(chunk) && self.rows[chunk as usize] == *row
        };
        let rows = on_all_threads(self.chunks.len(), |part| {
            (part.start as u32..part.end as u32).filter(counts).collect()
        });
        let rows = if rows.len() > prescan_above {
            self.prescan(query, &rows, PRESCAN_KEEPS)
        } else {
            rows
        };
        let mut scored: Vec<(u32, f32)> = rows
            .iter()
            .map(|&row| (self.chunks[row as usize], self.score(query, row as usize)))
            .collect();
        let better = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if scored.len() > n {
            scored.select_nth_unstable_by(n, better);
            scored.truncate(n);
        }
        scored.sort_unstable_by(better);
        scored
    }

    /// At least `keep` rows (all that tie with the last) whose signs differ least from the query's.
    fn prescan(&self, query: &Quantised, rows: &[u32], keep: usize) -> Vec<u32> {
        let words = self.dims.div_ceil(64);
        let mut signs = Vec::new();
        push_signs(&mut signs, &query.codes);
        let distance = |&row: &u32| -> u16 {
            let row = &self.signs[row as usize * words..(row as usize + 1) * words];
            row.iter().zip(&signs).map(|(a, b)| (a ^ b).count_ones() as u16).sum()
        };
        let distances =
            on_all_threads(rows.len(), |part| rows[part].iter().map(distance).collect());
        let mut counts = vec![0usize; self.dims + 1];
        for &distance in &distances {
            counts[usize::from(distance)] += 1;
        }
        let mut so_far = 0;
        let limit = counts.iter().position(|count| {
            so_far += count;
            so_far >= keep
        });
        let limit = limit.unwrap_or(self.dims);
        let near = |(_, distance): &(&u32, &u16)| usize::from(**distance) <= limit;
        rows.iter().zip(&distances).filter(near).map(|(row, _)| *row).collect()
    }
}

/// What `work` makes of parts of `0..n`, one after the other: the signs of a million vectors are 48 MB and some
/// thirteen milliseconds of one thread. A few rows are not worth another thread.
fn on_all_threads<T: Send>(n: usize, work: impl Fn(Range<usize>) -> Vec<T> + Sync) -> Vec<T> {
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from);
    let len = n.div_ceil(n_threads).max(PART_ROWS);
    let part = |start: usize| start..n.min(start + len);
    std::thread::scope(|scope| {
        let work = &work;
        let others: Vec<_> =
            (len..n).step_by(len).map(|start| scope.spawn(move || work(part(start)))).collect();
        let mut all = work(part(0));
        for thread in others {
            match thread.join() {
                Ok(more) => all.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    })
}

fn push_signs(signs: &mut Vec<u64>, codes: &[i8]) {
    for codes in codes.chunks(64) {
        let bits = codes.iter().enumerate().map(|(idx, code)| u64::from(*code < 0) << idx);
        signs.push(bits.fold(0, |word, bit| word | bit));
    }
}

fn dot(a: &[i8], b: &[i8]) -> i32 {
    a.iter().zip(b).map(|(a, b)| i32::from(i16::from(*a) * i16::from(*b))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Unit vectors around a few centres, as embeddings are; a small linear generator keeps them the same.
    fn vectors(n: usize, dims: usize) -> Vec<Vec<f32>> {
        let mut state = 7u64;
        let mut draw = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        let centres: Vec<Vec<f32>> = (0..20).map(|_| (0..dims).map(|_| draw()).collect()).collect();
        let around = |idx: usize| {
            let v: Vec<f32> = centres[idx % 20].iter().map(|c| c + draw()).collect();
            let norm = v.iter().map(|x| x * x).sum::<f32>().sqrt();
            v.into_iter().map(|x| x / norm).collect()
        };
        (0..n).map(around).collect()
    }

    fn store_of(vectors: &[Vec<f32>]) -> Store {
        let mut store = Store { dims: vectors[0].len(), ..Store::default() };
        for (chunk, vector) in (1i64..).zip(vectors) {
            let quantised = Quantised::of(vector);
            let codes: Vec<u8> = quantised.codes.iter().map(|code| *code as u8).collect();
            store.append(&chunk.to_le_bytes(), &quantised.scale.to_le_bytes(), &codes);
        }
        store
    }

    #[test]
    fn a_byte_per_number_keeps_the_cosine_to_half_a_percent() {
        let vectors = vectors(50, 384);
        let store = store_of(&vectors);
        let query = Quantised::of(&vectors[3]);
        for (row, vector) in vectors.iter().enumerate() {
            let exact: f32 = vector.iter().zip(&vectors[3]).map(|(a, b)| a * b).sum();
            assert!((store.score(&query, row) - exact).abs() < 0.005);
        }
    }

    #[test]
    fn the_sign_pass_finds_nearly_all_that_a_full_scan_finds() {
        let vectors = vectors(8_000, 384);
        let store = store_of(&vectors);
        let mut found = 0;
        for probe in 0..20 {
            let query = Quantised::of(&vectors[probe * 37]);
            let exact = store.nearest(&query, &|_| true, 100, usize::MAX);
            let quick = store.nearest(&query, &|_| true, 100, 0);
            let quick: Vec<u32> = quick.iter().map(|(chunk, _)| *chunk).collect();
            found += exact.iter().filter(|(chunk, _)| quick.contains(chunk)).count();
        }
        assert!(found >= 20 * 97, "{found} of 2000");
    }

    #[test]
    fn a_filter_bounds_the_nearest() {
        let vectors = vectors(500, 64);
        let store = store_of(&vectors);
        let near = store.nearest(&Quantised::of(&vectors[0]), &|chunk| chunk % 2 == 0, 10, 100);
        assert_eq!(near.len(), 10);
        assert!(near.iter().all(|(chunk, _)| chunk % 2 == 0));
    }

    #[test]
    fn what_a_filter_leaves_is_compared_whole_when_it_is_few() {
        let vectors = vectors(20_000, 64);
        let store = store_of(&vectors);
        let few = |chunk: u32| chunk % 10 < 7;
        let nearest = |prescan_above| {
            let of = |probe: usize| {
                let query = Quantised::of(&vectors[probe * 37]);
                store.nearest(&query, &few, 200, prescan_above)
            };
            (0..20).map(of).collect::<Vec<_>>()
        };
        let exact = nearest(usize::MAX);
        assert_ne!(exact, nearest(0), "by signs alone some are missed");
        // More vectors than that, but fewer that the filter leaves.
        assert_eq!(exact, nearest(15_000));
    }
}
