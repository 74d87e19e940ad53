//! The vector stage: gives chunks their vectors, newest first, whenever an embedder is at hand.
//!
//! A block of vectors and the marks of its chunks go in together, so it can stop anywhere and go on later. With
//! another model (or another revision of the same one) every chunk is pending again; the old vectors stay and
//! answer whoever searches with the old model, until the new ones are complete.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use super::Vault;
use super::sync::{Phase, Progress};
use super::texts::{self, Texts};
use super::write::{StoredNames, opening, parent_message};
use crate::embed::Embed;
use crate::error::{Error, Result};
use crate::search::vectors::{Quantised, model_id};
use crate::text::header;

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct EmbedReport {
    /// Chunks that got a vector.
    pub chunks: u64,
    /// Bytes of text embedded, headers included.
    pub bytes: u64,
    pub vectors_ms: f64,
}

/// Chunks embedded and stored at once: one block of vectors.
const BLOCK: usize = 256;

impl Vault {
    /// Chunks that have no vector of this embedder yet.
    pub fn pending_vectors(&self, embedder: &dyn Embed) -> Result<u64> {
        self.read(|db| {
            let model = model_id(db, embedder)?.unwrap_or(0);
            let sql = "SELECT count(*) FROM chunk WHERE weight = 0 AND (embedded <> ?1 OR ?1 = 0)";
            Ok(db.query_row(sql, [model], |row| row.get(0))?)
        })
    }

    /// Embeds what has no vector of this embedder yet. Chunks that are only quotes or signatures get none.
    pub fn embed_pending(
        &self,
        embedder: &dyn Embed,
        cancel: &AtomicBool,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<EmbedReport> {
        let _claim = self.claim("vectors.lock", "making vectors in")?;
        let begun = Instant::now();
        let mut report = EmbedReport::default();
        let model = self.write(|db| register(db, embedder))?;
        loop {
            // Listed whole, so that a sync that goes on meanwhile cannot make us sort it again for each block.
            let pending = self.read(|db| pending(db, model))?;
            if pending.is_empty() {
                break;
            }
            let total = report.chunks + pending.len() as u64;
            for block in pending.chunks(BLOCK) {
                if cancel.load(Ordering::Relaxed) {
                    return Err(Error::Cancelled);
                }
                self.embed_block(embedder, model, block, &mut report)?;
                let seconds = begun.elapsed().as_secs_f64().max(1e-3);
                let rate = report.chunks as f64 / seconds;
                progress(&Progress {
                    phase: Phase::Vectors,
                    done: report.chunks,
                    total,
                    items: report.chunks,
                    bytes: report.bytes,
                    total_bytes: 0,
                    items_per_s: rate,
                    eta_s: (rate > 0.0).then(|| (total - report.chunks.min(total)) as f64 / rate),
                });
            }
        }
        self.write(|db| {
            db.execute("DELETE FROM vectors WHERE model <> ?1", [model])?;
            db.execute("DELETE FROM model WHERE id <> ?1", [model])?;
            sweep(db, 0.25)
        })?;
        report.vectors_ms = begun.elapsed().as_secs_f64() * 1e3;
        Ok(report)
    }

    fn embed_block(
        &self,
        embedder: &dyn Embed,
        model: i64,
        block: &[i64],
        report: &mut EmbedReport,
    ) -> Result<()> {
        let mut texts = self.read(|db| texts(db, block))?;
        // Like lengths together: a batch costs what its longest text does.
        texts.sort_by_key(|(_, text)| text.len());
        let words: Vec<&str> = texts.iter().map(|(_, text)| text.as_str()).collect();
        let vectors = embedder.documents(&words)?;
        if vectors.len() != words.len() || vectors.iter().any(|v| v.len() != embedder.dims()) {
            let message = format!("{} gave vectors of another number or size", embedder.id());
            return Err(crate::embed::EmbedError(message).into());
        }
        let chunks: Vec<i64> = texts.iter().map(|(chunk, _)| *chunk).collect();
        self.write(|db| store_block(db, model, &chunks, &vectors, block))?;
        report.chunks += block.len() as u64;
        report.bytes += words.iter().map(|text| text.len() as u64).sum::<u64>();
        Ok(())
    }
}

/// The number of the embedder's model; a new one when it is not known.
fn register(db: &Connection, embedder: &dyn Embed) -> Result<i64> {
    if let Some(id) = model_id(db, embedder)? {
        return Ok(id);
    }
    db.execute(
        "INSERT OR REPLACE INTO model(name, revision, dims) VALUES(?1, ?2, ?3)",
        params![embedder.id(), embedder.revision(), embedder.dims()],
    )?;
    Ok(db.last_insert_rowid())
}

fn pending(db: &Connection, model: i64) -> Result<Vec<i64>> {
    let mut newest = db.prepare_cached(
        "SELECT c.id FROM chunk c JOIN item i ON i.id = c.item WHERE c.weight = 0 AND c.embedded <> ?1
         ORDER BY i.start DESC NULLS LAST, c.id",
    )?;
    let rows = newest.query_map([model], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// What is embedded for each chunk that is still there: its header and its words.
fn texts(db: &Connection, chunks: &[i64]) -> Result<Vec<(i64, String)>> {
    let mut texts = Vec::with_capacity(chunks.len());
    // Neighbouring chunks mostly are of one item.
    let mut last: Option<(i64, ItemText)> = None;
    for &chunk in chunks {
        let found = db
            .prepare_cached("SELECT item, first, last, heading FROM chunk WHERE id = ?1")?
            .query_row([chunk], |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    row.get::<_, Option<String>>(3)?,
                ))
            })
            .optional()?;
        let Some((item, first, end, heading)) = found else { continue };
        if last.as_ref().is_none_or(|(known, _)| *known != item) {
            let Some(loaded) = ItemText::load(db, item)? else { continue };
            last = Some((item, loaded));
        }
        let Some((_, known)) = &last else { continue };
        let words: std::ops::Range<usize> = first..end;
        texts.push((chunk, known.of(words, heading.as_deref().unwrap_or_default())));
    }
    Ok(texts)
}

struct ItemText {
    names: StoredNames,
    text: String,
    before: String,
}

impl ItemText {
    fn load(db: &Connection, item: i64) -> Result<Option<Self>> {
        let Some(names) = StoredNames::load(db, item)? else { return Ok(None) };
        let before = match parent_message(db, item)? {
            Some(parent) => opening(db, &Texts::default(), parent)?,
            None => String::new(),
        };
        Ok(Some(Self { names, text: texts::load(db, item)?, before }))
    }

    fn of(&self, words: std::ops::Range<usize>, heading: &str) -> String {
        let names = &self.names;
        let mut text = header::in_words(
            names.kind,
            &names.title,
            &names.people,
            &names.date,
            heading,
            &self.before,
        );
        text.push_str(self.text.get(words).unwrap_or_default());
        text
    }
}

/// Writes a block of vectors; `asked` are marked even when they vanished meanwhile.
fn store_block(
    db: &Connection,
    model: i64,
    chunks: &[i64],
    vectors: &[Vec<f32>],
    asked: &[i64],
) -> Result<()> {
    let mut ids = Vec::with_capacity(chunks.len() * 8);
    let mut scales = Vec::with_capacity(chunks.len() * 4);
    let mut codes = Vec::new();
    for (chunk, vector) in chunks.iter().zip(vectors) {
        let quantised = Quantised::of(vector);
        ids.extend_from_slice(&chunk.to_le_bytes());
        scales.extend_from_slice(&quantised.scale.to_le_bytes());
        codes.extend(quantised.codes.iter().map(|code| *code as u8));
    }
    db.prepare_cached(
        "INSERT INTO vectors(model, n, chunks, scales, codes) VALUES(?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![model, chunks.len(), ids, scales, codes])?;
    let mut mark = db.prepare_cached("UPDATE chunk SET embedded = ?2 WHERE id = ?1")?;
    for chunk in asked {
        mark.execute([*chunk, model])?;
    }
    Ok(())
}

/// Rewrites blocks of which more than this share are vectors of chunks that are gone.
pub(crate) fn sweep(db: &Connection, share: f64) -> Result<()> {
    let mut alive = db.prepare("SELECT id FROM chunk")?;
    let alive: HashSet<i64> =
        alive.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let mut all = db.prepare("SELECT id FROM vectors ORDER BY id")?;
    let blocks: Vec<i64> = all.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for block in blocks {
        let (model, ids): (i64, Vec<u8>) = db
            .prepare_cached("SELECT model, chunks FROM vectors WHERE id = ?1")?
            .query_row([block], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let ids: Vec<i64> = ids.as_chunks().0.iter().map(|id| i64::from_le_bytes(*id)).collect();
        let keep: Vec<usize> = (0..ids.len()).filter(|row| alive.contains(&ids[*row])).collect();
        let n_gone = ids.len() - keep.len();
        if n_gone == 0 || (n_gone as f64) < share * ids.len() as f64 {
            continue;
        }
        if !keep.is_empty() {
            rewrite(db, block, model, &ids, &keep)?;
        }
        db.prepare_cached("DELETE FROM vectors WHERE id = ?1")?.execute([block])?;
    }
    Ok(())
}

/// Copies the kept rows of a block into a new one.
fn rewrite(db: &Connection, block: i64, model: i64, ids: &[i64], keep: &[usize]) -> Result<()> {
    let (scales, codes): (Vec<u8>, Vec<u8>) = db
        .prepare_cached("SELECT scales, codes FROM vectors WHERE id = ?1")?
        .query_row([block], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let dims = codes.len() / ids.len().max(1);
    let rows = |bytes: &[u8], width: usize| -> Vec<u8> {
        keep.iter().flat_map(|row| &bytes[row * width..(row + 1) * width]).copied().collect()
    };
    let kept: Vec<u8> = keep.iter().flat_map(|row| ids[*row].to_le_bytes()).collect();
    if scales.len() != ids.len() * 4 {
        return Ok(());
    }
    db.prepare_cached(
        "INSERT INTO vectors(model, n, chunks, scales, codes) VALUES(?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![model, keep.len(), kept, rows(&scales, 4), rows(&codes, dims)])?;
    Ok(())
}
