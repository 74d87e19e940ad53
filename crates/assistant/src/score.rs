//! Two fitted functions: how good a sentence is as an answer, and whether the best one is good enough.
//!
//! Both are linear in the [`Features`]; the second goes through a logistic. Where the constants come from
//! stands beside them.

use crate::evidence::{Candidate, Evidence, Features};
use crate::question::{Intent, Question, Wants};

/// Ranks sentences. Only differences matter.
pub fn sentence(features: &Features, question: &Question) -> f32 {
    let Features { coverage, inside, item, fits, people, names, time, rank, dense, in_chunk, quoted, recency, bulk, kind, statement, hop } =
        *features;
    let typed = if question.wants == Wants::Text { 0.0 } else { 1.0 };
    let latest = if matches!(question.intent, Intent::Latest) { 0.8 } else { 0.15 };
    2.0 * coverage + 0.8 * inside + 0.5 * item + 1.0 * typed * fits + 0.8 * people + 0.4 * names + 0.6 * time + 0.5 * rank + 0.8 * dense
        + 0.3 * in_chunk
        - 0.4 * quoted
        + latest * recency
        - 0.5 * bulk
        + 0.4 * kind
        + 0.5 * statement
        - 0.1 * hop
}

/// Confidence from which the assistant answers.
pub const ANSWERS_FROM: f32 = 0.5;

/// How sure the best sentence answers the question, 0 to 1.
pub fn confidence(evidence: &Evidence, best: &Candidate, question: &Question) -> f32 {
    let x = summary(evidence, best, question);
    let z: f32 = WEIGHTS.iter().zip(x).map(|(weight, x)| weight * x).sum();
    1.0 / (1.0 + (-z).exp())
}

/// Number of inputs of [`confidence`].
pub const SUMMARY: usize = 10;

/// What [`confidence`] is computed from, the constant first.
pub fn summary(evidence: &Evidence, best: &Candidate, question: &Question) -> [f32; SUMMARY] {
    let f = &best.features;
    let next = evidence.candidates.iter().find(|other| other.passage != best.passage).map_or(0.0, |other| other.score);
    let margin = (best.score - next).clamp(-1.0, 2.0);
    let typed = if question.wants == Wants::Text { 0.5 } else { f.fits };
    let people = if question.people.is_empty() { 0.7 } else { f.people };
    [1.0, f.coverage, f.inside, f.item, typed, people, f.names, f.dense, margin, f.time]
}

const WEIGHTS: [f32; SUMMARY] = [-3.0, 2.5, 1.0, 1.0, 0.8, 1.0, 0.5, 0.5, 0.5, 0.0];
