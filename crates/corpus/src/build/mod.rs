//! The build: from a description to shards.
//!
//! ```text
//!              (1) lines that many documents share        only if asked for
//! sources ───▶ (2) clean, judge, mask, drop copies   ───▶ documents on disk, sketches
//! documents ─▶ (3) near copies, held-out share
//! documents ─▶ (4) learn the tokenizer                    only if none is given
//! documents ─▶ (5) encode, pack                      ───▶ shards, held_out/, build-report.json
//! ```
//!
//! Work is spread over threads batch by batch ([`rounds`]); what comes out is the same for any number of them. In
//! memory are the tables, two rounds of batches, 32 bytes per kept document and, while near copies are searched,
//! 16 bytes per document and bucket.

mod choose;
mod encode;
mod judge;
mod report;
mod rounds;
mod spool;

pub use report::{HeldOut, Problem, Report, Sample, SourceReport, TokenizerReport};

use crate::Error;
use crate::bpe::{self, SPECIAL_TOKENS, WordCounts};
use crate::clean::{LineCounts, line_hashes};
use crate::config::{Config, Kind};
use crate::duplicates::{Seen, keep_one_each};
use crate::private::Masked;
use crate::read::{self, Body, Found};
use crate::shards::{Shards, Staging, WriteOptions, Writer, mix};
use crate::tokenizer::WordMemory;
use choose::{Chosen, Remembered, choose};
use encode::{Encoded, Encoder};
use judge::{Dropped, Outcome, Shared, Worker, judge};
use spool::{Spool, Spooled};
use std::path::Path;
use std::time::Instant;

/// Name of the report in the directory of shards.
pub const REPORT: &str = "build-report.json";
/// Directory of the held-out shards in it.
pub const HELD_OUT: &str = "held_out";

/// How far a build has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub phase: &'static str,
    /// Documents through this phase.
    pub documents: u64,
    /// Their bytes of text.
    pub bytes: u64,
    /// Documents that will go through this phase, once that is known.
    pub total_documents: Option<u64>,
}

/// Builds the shards that `config` describes, on `threads` threads.
pub fn build(
    config: &Config,
    threads: usize,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, Error> {
    config.check()?;
    let start = Instant::now();
    let target = &config.output.dir;
    if let Some(parent) = target.parent() {
        std::fs::create_dir_all(parent).map_err(|error| Error::io("create", parent, error))?;
    }
    let staging = Staging::begin(target, config.output.replace)?;
    let mut build = Build {
        config,
        threads: threads.max(1),
        report: Report::new(config),
        progress,
        phase_start: start,
    };
    let mut shared = Shared::new(config)?;
    if let Some(n) = config.clean.shared_lines {
        let counts = build.count_lines()?;
        shared.shared_lines = Some(counts.shared_by(n.max(2)));
        build.end_phase("shared lines");
    }
    let (documents, spooled) = build.sift(&shared, staging.path())?;
    drop(shared);
    build.end_phase("sift");
    let near = documents.near_copies(&mut build.report);
    let shards = &config.shards;
    let chosen = choose(&documents.remembered, &near, shards.held_out, shards.seed);
    build.end_phase("near copies");
    if !chosen.contains(&Chosen::Training) {
        return Err(Error::NothingLeft {
            documents_in: build.report.documents_in,
            faults: build.report.faults,
            reasons: build.report.dropped.iter().map(|(why, n)| format!("{why} {n}")).collect(),
        });
    }
    let encoder = build.tokenizer(&documents, &chosen, &spooled)?;
    build.end_phase("tokenizer");
    build.write_shards(&encoder, &documents, &chosen, &spooled, staging.path())?;
    spooled.remove()?;
    build.end_phase("shards");
    let mut report = build.report;
    report.bytes_per_s = report.bytes as f64 / start.elapsed().as_secs_f64().max(1e-9);
    let path = staging.path().join(REPORT);
    let json = serde_json::to_vec_pretty(&report).map_err(|e| Error::Json(e.to_string()))?;
    std::fs::write(&path, json).map_err(|error| Error::io("write", &path, error))?;
    staging.commit()?;
    Ok(report)
}

/// Reads the report in a directory of shards; `None` if the shards were written without one.
pub fn read_report(directory: &Path) -> Result<Option<Report>, Error> {
    let path = directory.join(REPORT);
    if !path.exists() {
        return Ok(None);
    }
    let bytes = std::fs::read(&path).map_err(|error| Error::io("read", &path, error))?;
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| Error::shards(directory, format!("{REPORT}: {error}")))
}

struct Build<'c, 'p> {
    config: &'c Config,
    threads: usize,
    report: Report,
    progress: &'p mut dyn FnMut(Progress),
    phase_start: Instant,
}

/// Kept documents, as far as they stay in memory.
#[derive(Default)]
struct Documents {
    remembered: Vec<Remembered>,
    /// Places and beginnings are kept of the first ones only: samples of near copies come from them.
    shown: Vec<(String, String)>,
    /// Per bucket: hash and number of each document.
    buckets: Vec<Vec<(u64, u32)>>,
}

/// Documents whose place and beginning are remembered.
const N_SHOWN: usize = 100_000;

impl Documents {
    fn near_copies(&self, report: &mut Report) -> Vec<bool> {
        let near = keep_one_each(self.remembered.len(), self.buckets.iter().cloned());
        for (at, _) in near.iter().enumerate().filter(|&(_, &copy)| copy) {
            let (place, text) = self.shown.get(at).cloned().unwrap_or_default();
            report.count("duplicates/near".to_string(), place, text);
        }
        near
    }
}

fn read_all(config: &Config, feed: &mut rounds::Feed<Found>) -> Result<(), Error> {
    for (number, source) in config.sources.iter().enumerate() {
        read::read(number, source, &mut |found| {
            let bytes = match &found {
                Found::Raw(raw) => raw.bytes.len(),
                Found::Fault(_) => 0,
            };
            feed.push(found, bytes)
        })?;
    }
    Ok(())
}

impl Build<'_, '_> {
    fn end_phase(&mut self, name: &str) {
        let seconds = self.phase_start.elapsed().as_secs_f64();
        self.report.seconds.insert(name.to_string(), seconds);
        self.phase_start = Instant::now();
    }

    /// Pass 1: in how many documents each line stands.
    fn count_lines(&mut self) -> Result<LineCounts, Error> {
        let config = self.config;
        let mut counts = LineCounts::default();
        let (mut documents, mut bytes) = (0, 0);
        rounds::run(
            &mut vec![(); self.threads],
            |feed| read_all(config, feed),
            |(), batch: Vec<Found>| {
                let hashes = |found| match found {
                    Found::Raw(raw) => match raw.decode() {
                        Ok(Body::Text(text)) => {
                            Some((text.len() as u64, line_hashes(&crate::clean::clean(&text))))
                        }
                        _ => None,
                    },
                    Found::Fault(_) => None,
                };
                batch.into_iter().filter_map(hashes).collect::<Vec<_>>()
            },
            |batch| {
                for (n, hashes) in batch {
                    counts.add(&hashes);
                    documents += 1;
                    bytes += n;
                }
                let phase = "counting lines";
                (self.progress)(Progress { phase, documents, bytes, total_documents: None });
                Ok(())
            },
        )?;
        Ok(counts)
    }

    /// Pass 2: every document through the stages.
    fn sift(
        &mut self,
        shared: &Shared<'_>,
        directory: &Path,
    ) -> Result<(Documents, Spooled), Error> {
        let config = self.config;
        let mut spool = Spool::create(&directory.join("documents.spool"))?;
        let mut documents = Documents::default();
        let mut seen = Seen::default();
        let mut workers: Vec<Worker> = (0..self.threads).map(|_| Worker::new(config)).collect();
        let report = &mut self.report;
        let progress = &mut self.progress;
        rounds::run(
            &mut workers,
            |feed| read_all(config, feed),
            |worker, batch: Vec<Found>| -> Vec<Outcome> {
                batch.into_iter().map(|found| judge(worker, found, shared)).collect()
            },
            |batch| {
                for outcome in batch {
                    take(outcome, config, report, &mut seen, &mut documents, &mut spool)?;
                }
                progress(Progress {
                    phase: "reading",
                    documents: report.documents_in,
                    bytes: report.bytes,
                    total_documents: None,
                });
                Ok(())
            },
        )?;
        Ok((documents, spool.finish()?))
    }

    /// Pass 4: a tokenizer.
    fn tokenizer(
        &mut self,
        documents: &Documents,
        chosen: &[Chosen],
        spooled: &Spooled,
    ) -> Result<Encoder, Error> {
        let settings = &self.config.tokenizer;
        let vocab_size = match (&settings.path, settings.vocab_size) {
            (Some(path), _) => return Encoder::read(path),
            (None, size) => size.unwrap_or(bpe::MIN_VOCAB_SIZE),
        };
        let training = documents.remembered.iter().zip(chosen);
        let total: u64 =
            training.filter(|(_, c)| **c == Chosen::Training).map(|(d, _)| d.bytes).sum();
        // An even sample, by the hash of the text.
        let share = (settings.sample_bytes as f64 / total.max(1) as f64).min(1.0);
        let sampled = |at: usize| {
            chosen[at] == Chosen::Training
                && (mix(documents.remembered[at].hash) >> 11) as f64 <= share * (1_u64 << 53) as f64
        };
        let mut counts = vec![WordCounts::default(); self.threads];
        let mut at = 0;
        let mut done = 0;
        rounds::run(
            &mut counts,
            |feed| {
                spooled.each(|document| {
                    at += 1;
                    let bytes = document.len();
                    !sampled(at - 1) || feed.push(document, bytes).is_continue()
                })
            },
            |counts, batch: Vec<Vec<u8>>| {
                for document in &batch {
                    add_words(counts, document);
                }
                batch.len() as u64
            },
            |n| {
                done += n;
                (self.progress)(Progress {
                    phase: "counting words",
                    documents: done,
                    bytes: 0,
                    total_documents: None,
                });
                Ok(())
            },
        )?;
        let mut all = WordCounts::default();
        counts.into_iter().for_each(|counts| all.merge(counts));
        self.report.tokenizer.learnt_from_bytes = all.bytes;
        let trained = bpe::train(all, vocab_size - SPECIAL_TOKENS.len(), 2);
        Encoder::learnt(&trained, self.config.shards.sequence_length as usize)
    }

    /// Pass 5: shards for training and held out.
    fn write_shards(
        &mut self,
        encoder: &Encoder,
        documents: &Documents,
        chosen: &[Chosen],
        spooled: &Spooled,
        directory: &Path,
    ) -> Result<(), Error> {
        let config = self.config;
        let options = WriteOptions {
            vocab_size: encoder.tokenizer.vocab_size() as u32,
            sequence_length: config.shards.sequence_length,
            counted: config.sources.iter().any(|source| source.kind == Kind::Chat),
            file_bytes: config.shards.file_bytes,
        };
        let mut writer = Writer::create(directory, options)?;
        let held_out_path = directory.join(HELD_OUT);
        let mut held_out = match chosen.contains(&Chosen::HeldOut) {
            true => {
                std::fs::create_dir(&held_out_path)
                    .map_err(|error| Error::io("create", &held_out_path, error))?;
                Some(Writer::create(&held_out_path, options)?)
            }
            false => None,
        };
        let total = chosen.iter().filter(|&&c| c != Chosen::NearCopy).count() as u64;
        let report = &mut self.report;
        let progress = &mut self.progress;
        let mut at = 0;
        let mut memories: Vec<WordMemory> =
            (0..self.threads).map(|_| WordMemory::default()).collect();
        rounds::run(
            &mut memories,
            |feed| {
                spooled.each(|document| {
                    at += 1;
                    let bytes = document.len();
                    chosen[at - 1] == Chosen::NearCopy
                        || feed.push((at - 1, document), bytes).is_continue()
                })
            },
            |memory, batch: Vec<(usize, Vec<u8>)>| -> Vec<Encoded> {
                let encode = |(at, document): (usize, Vec<u8>)| Encoded {
                    document: encoder.encode(&spool::decode(&document), memory),
                    chosen: chosen[at],
                    bytes: documents.remembered[at].bytes,
                    source: documents.remembered[at].source as usize,
                };
                batch.into_iter().map(encode).collect()
            },
            |batch| {
                for encoded in batch {
                    write_one(encoded, report, &mut writer, held_out.as_mut())?;
                }
                progress(Progress {
                    phase: "encoding",
                    documents: report.documents_out,
                    bytes: report.bytes_out,
                    total_documents: Some(total),
                });
                Ok(())
            },
        )?;
        report.add_shards(&writer.finish(Some(&encoder.json))?);
        if let Some(held_out) = held_out {
            let manifest = held_out.finish(Some(&encoder.json))?;
            report.held_out.tokens = manifest.n_tokens;
            report.add_shards(&manifest);
        }
        if let Some(json) = &encoder.config {
            let path = directory.join("tokenizer_config.json");
            std::fs::write(&path, json).map_err(|error| Error::io("write", &path, error))?;
        }
        report.tokenizer.vocab_size = u64::from(options.vocab_size);
        report.tokenizer.bytes_per_token = report.bytes_out as f64 / report.tokens.max(1) as f64;
        Ok(())
    }
}

/// Counts the words of a spooled document; of a conversation, those of its messages.
fn add_words(counts: &mut WordCounts, document: &[u8]) {
    match spool::decode(document) {
        Body::Text(text) => counts.add(&text),
        Body::Chat(messages) => {
            for message in &messages {
                if let crate::chat::Content::Text(text) = &message.content {
                    counts.add(text);
                }
            }
        }
    }
}

/// Takes one outcome of pass 2, in order.
fn take(
    outcome: Outcome,
    config: &Config,
    report: &mut Report,
    seen: &mut Seen,
    documents: &mut Documents,
    spool: &mut Spool,
) -> Result<(), Error> {
    let mut kept = match outcome {
        Outcome::Fault(fault) => {
            report.add_fault(fault);
            return Ok(());
        }
        Outcome::Dropped(dropped) => {
            report.add_dropped(dropped);
            return Ok(());
        }
        Outcome::Kept(kept) => kept,
    };
    if config.duplicates.exact && seen.again(kept.hash) {
        report.add_dropped(Dropped {
            source: kept.source,
            place: kept.place,
            bytes_in: kept.bytes_in,
            stage: "duplicates",
            rule: "exact".to_string(),
            sample: kept.sample,
        });
        return Ok(());
    }
    if documents.remembered.len() >= u32::MAX as usize {
        return Err(Error::Config("more than four billion documents; split the sources".into()));
    }
    report.add_kept(&kept);
    let number = documents.remembered.len() as u32;
    for (bucket, hash) in kept.buckets.take().unwrap_or_default().into_iter().enumerate() {
        if documents.buckets.len() <= bucket {
            documents.buckets.push(Vec::new());
        }
        documents.buckets[bucket].push((hash, number));
    }
    documents.remembered.push(Remembered {
        hash: kept.hash as u64,
        source: kept.source as u32,
        bytes: kept.bytes_out,
    });
    if documents.shown.len() < N_SHOWN {
        documents.shown.push((kept.place, kept.sample));
    }
    spool.push(&kept.encoded)
}

fn write_one(
    encoded: Encoded,
    report: &mut Report,
    writer: &mut Writer,
    held_out: Option<&mut Writer>,
) -> Result<(), Error> {
    let Some(document) = encoded.document else {
        let rule = "chat/no_assistant_tokens".to_string();
        report.count(rule, String::new(), String::new());
        return Ok(());
    };
    report.add_out(encoded.source, encoded.bytes);
    let writer = match (encoded.chosen, held_out) {
        (Chosen::HeldOut, Some(held_out)) => {
            report.held_out.documents += 1;
            report.held_out.bytes += encoded.bytes;
            held_out
        }
        _ => writer,
    };
    writer.push(&document.tokens, document.counted.as_deref())
}

/// What `polymath corpus inspect` shows: the report, the sizes, and a few documents decoded.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Inspection {
    /// The report of the build, if it was built.
    pub report: Option<Report>,
    /// Sizes of the training shards.
    pub shards: crate::shards::Manifest,
    /// Sizes of the held-out shards, if there are any.
    pub held_out: Option<crate::shards::Manifest>,
    /// Whether every file has the content it had when it was written.
    pub verified: bool,
    /// Mean fill of the sequences, in percent.
    pub filled_pct: f64,
    /// Beginnings of a few documents.
    pub documents: Vec<String>,
}

/// Looks into a directory of shards; `n` documents are shown.
pub fn inspect(directory: &Path, n: u64) -> Result<Inspection, Error> {
    let shards = Shards::open(directory)?;
    shards.verify()?;
    let held_out = directory.join(HELD_OUT);
    let held_out = match held_out.is_dir() {
        true => {
            let held_out = Shards::open(&held_out)?;
            held_out.verify()?;
            Some(held_out.manifest().clone())
        }
        false => None,
    };
    let tokenizer = match std::fs::read(shards.tokenizer_path()) {
        Ok(json) => Some(crate::tokenizer::Tokenizer::from_json(&json)?),
        Err(_) => None,
    };
    let order = crate::shards::Order::new(shards.n_sequences(), 0);
    let mut documents = Vec::new();
    for position in 0..n.min(shards.n_sequences()) {
        let sequence = shards.sequence(order.at(position))?;
        let end = sequence.starts.get(1).map_or(sequence.tokens.len(), |&end| end as usize);
        let tokens = &sequence.tokens[..end];
        documents.push(match &tokenizer {
            Some(tokenizer) => tokenizer.decode(tokens),
            None => format!("{tokens:?}"),
        });
    }
    let room = shards.n_sequences() as f64 * shards.sequence_length() as f64;
    Ok(Inspection {
        report: read_report(directory)?,
        filled_pct: 100.0 * shards.n_tokens() as f64 / room,
        shards: shards.manifest().clone(),
        held_out,
        verified: true,
        documents,
    })
}

impl Masked {
    /// Everything masked together.
    pub fn total(&self) -> u64 {
        self.mail + self.phone + self.ip + self.keys
    }
}
