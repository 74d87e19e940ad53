//! What a build did: `build-report.json`.

use super::judge::{Dropped, Kept};
use crate::config::Config;
use crate::private::Masked;
use crate::read::Fault;
use crate::shards::Manifest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Samples kept of each reason, and faults shown.
const N_SAMPLES: usize = 3;
const N_FAULTS: usize = 50;

/// The whole report.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Report {
    /// Documents found in the sources.
    pub documents_in: u64,
    /// Documents in the shards, held-out ones included.
    pub documents_out: u64,
    /// Reasons with the number of documents dropped: `gopher_quality/gopher_short_doc`.
    pub dropped: BTreeMap<String, u64>,
    /// Tokens in the shards, held-out ones included.
    pub tokens: u64,
    /// Bytes of text found.
    pub bytes: u64,
    /// Bytes of text kept.
    pub bytes_out: u64,
    /// Bytes of text found, per second of the whole build.
    pub bytes_per_s: f64,
    /// Seconds of each phase.
    pub seconds: BTreeMap<String, f64>,
    /// A few documents of each reason.
    pub samples: BTreeMap<String, Vec<Sample>>,
    /// The sources one by one.
    pub sources: Vec<SourceReport>,
    /// Files and lines that could not be read.
    pub faults: u64,
    /// The first of them.
    pub fault_examples: Vec<Problem>,
    /// Personal data masked.
    pub masked: Masked,
    /// Boilerplate lines removed.
    pub lines_removed: u64,
    /// Hazardous documents removed, by sign; a disclosure states these.
    pub hazards_removed: BTreeMap<String, u64>,
    /// Documents and tokens set aside.
    pub held_out: HeldOut,
    /// The tokenizer.
    pub tokenizer: TokenizerReport,
    /// Fingerprints of the shards: training, held out.
    pub fingerprints: Vec<String>,
    /// The description the corpus was built by.
    pub config: serde_json::Value,
}

/// A dropped document.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sample {
    /// Where it comes from.
    pub place: String,
    /// How it begins.
    pub text: String,
}

/// Something that could not be read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Problem {
    /// Where.
    pub place: String,
    /// What.
    pub problem: String,
}

/// One source.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SourceReport {
    /// Its name.
    pub name: String,
    /// Documents found.
    pub documents_in: u64,
    /// Documents kept.
    pub documents_out: u64,
    /// Bytes of text found.
    pub bytes_in: u64,
    /// Bytes of text kept.
    pub bytes_out: u64,
}

/// What was set aside.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct HeldOut {
    /// Documents.
    pub documents: u64,
    /// Tokens.
    pub tokens: u64,
    /// Bytes of text.
    pub bytes: u64,
}

/// The tokenizer of a build.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct TokenizerReport {
    /// Number of ids.
    pub vocab_size: u64,
    /// Bytes of text it was learnt from; 0 if it was given.
    pub learnt_from_bytes: u64,
    /// Bytes of text per token in the shards.
    pub bytes_per_token: f64,
}

impl Report {
    pub(super) fn new(config: &Config) -> Self {
        let source = |source: &crate::config::Source| SourceReport {
            name: source.label(),
            ..SourceReport::default()
        };
        Self {
            sources: config.sources.iter().map(source).collect(),
            config: serde_json::to_value(config).unwrap_or_default(),
            ..Self::default()
        }
    }

    pub(super) fn add_fault(&mut self, fault: Fault) {
        self.faults += 1;
        if self.fault_examples.len() < N_FAULTS {
            let Fault { place, problem } = fault;
            self.fault_examples.push(Problem { place, problem });
        }
    }

    fn found(&mut self, source: usize, bytes: u64) {
        self.documents_in += 1;
        self.bytes += bytes;
        if let Some(source) = self.sources.get_mut(source) {
            source.documents_in += 1;
            source.bytes_in += bytes;
        }
    }

    pub(super) fn add_dropped(&mut self, dropped: Dropped) {
        self.found(dropped.source, dropped.bytes_in);
        if dropped.stage == "hazard" {
            *self.hazards_removed.entry(dropped.rule.clone()).or_default() += 1;
        }
        let reason = format!("{}/{}", dropped.stage, dropped.rule);
        self.count(reason, dropped.place, dropped.sample);
    }

    pub(super) fn count(&mut self, reason: String, place: String, text: String) {
        let samples = self.samples.entry(reason.clone()).or_default();
        if samples.len() < N_SAMPLES {
            samples.push(Sample { place, text });
        }
        *self.dropped.entry(reason).or_default() += 1;
    }

    pub(super) fn add_kept(&mut self, kept: &Kept) {
        self.found(kept.source, kept.bytes_in);
        self.masked += kept.masked;
        self.lines_removed += kept.lines_removed;
    }

    /// Counts a document that reaches the shards.
    pub(super) fn add_out(&mut self, source: usize, bytes: u64) {
        self.documents_out += 1;
        self.bytes_out += bytes;
        if let Some(source) = self.sources.get_mut(source) {
            source.documents_out += 1;
            source.bytes_out += bytes;
        }
    }

    pub(super) fn add_shards(&mut self, manifest: &Manifest) {
        self.tokens += manifest.n_tokens;
        self.fingerprints.push(manifest.fingerprint.clone());
    }
}
