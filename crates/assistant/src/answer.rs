//! What a turn gives back, and the events it streams while it works. Sources come before the sentence.

use serde::{Deserialize, Serialize};

/// Which step made the answer, cheapest first. Steps up to `Template` never decode a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// An exact lookup, count, list or date computation in the database.
    Lookup,
    /// The words of a source, verbatim, dates resolved beside them.
    Quote,
    /// A fixed sentence around looked-up values or a quote.
    Template,
    /// The model chose the sentence; the words are the source's.
    Choose,
    /// The model wrote; every name, number and date was checked against the sources.
    Write,
    /// Nothing in the vault says it; `searched` and the nearest misses say why.
    Abstain,
}

/// A cited passage. `start..end` are byte offsets of `quote` in the item's stored text (see `vault show ID`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// The number shown in brackets, from 1.
    pub number: usize,
    /// The vault's id of the item.
    pub id: i64,
    pub path: String,
    pub title: String,
    pub kind: String,
    /// The item's date as people read it, or empty.
    pub date: String,
    pub start: usize,
    pub end: usize,
    pub quote: String,
    pub score: f32,
}

/// How the question was read, shown to the owner and editable there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// `when`, `who`, `where`, `count`, `list`, `next`, `latest`, `free`, `lookup`, `open`.
    pub intent: String,
    /// "last week = 16–22 Nov 2026", one per time expression resolved.
    pub times: Vec<String>,
    pub people: Vec<String>,
    pub kinds: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Timings {
    pub understand: f64,
    pub search: f64,
    pub answer: f64,
    pub total: f64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TokenCounts {
    pub prompt: usize,
    pub generated: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Plain text with `[n]` marks that point at `sources`.
    pub answer: String,
    pub sources: Vec<Source>,
    pub step: Step,
    pub reading: Reading,
    /// What was looked through, in words, when the answer is an abstention: "1,204 mails, 96 events".
    pub searched: String,
    /// Passages that came close, shown with an abstention.
    pub nearest: Vec<Source>,
    pub timings_ms: Timings,
    pub tokens: TokenCounts,
}

/// What a turn streams, in this order: one `Reading`, one `Sources`, `Text` pieces, one `Done`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "event", content = "data")]
pub enum Event {
    Reading(Reading),
    Sources(Vec<Source>),
    Text(String),
    Done(Box<Answer>),
}
