//! Fitted functions: how good a sentence is as an answer, and whether the best one is good enough.
//!
//! Both are linear in the [`Features`]; the confidence goes through a logistic. `examples/life/fit.py` fits them on
//! the fitting half of `examples/life`, on sentences found with vectors and without at once, and prints what
//! cross-validation makes of them; one set of constants serves both.

use crate::evidence::{Candidate, Evidence, Features};
use crate::question::{Intent, Question, Wants};

/// Ranks sentences. Only differences matter; they are differences of log-odds.
///
/// Softmax regression over the best 60 sentences of each question whose answer is among them (24 November 2026, ridge
/// 0.02): first in five-fold cross-validation for 38 to 39 of 94 questions without vectors, 38 to 39 of 95 with.
pub fn sentence(features: &Features, question: &Question) -> f32 {
    let f = features;
    let typed = if question.wants == Wants::Text { 0.0 } else { 1.0 };
    let named = if question.people.is_empty() { 0.0 } else { 1.0 };
    let latest = if matches!(question.intent, Intent::Latest) { 0.1 } else { 0.0 };
    1.7 * f.coverage
        + 1.8 * f.inside
        + 1.2 * f.item
        + 1.5 * typed * f.fits
        + 0.4 * named * f.people
        + 0.5 * f.wrote
        + 0.5 * f.time
        + 1.7 * f.rank
        + 0.3 * f.dense
        + 0.9 * f.in_chunk
        - 0.8 * f.quoted
        + (0.2 + latest) * f.recency
        + 0.3 * f.statement
        - 0.2 * f.absent
        - 0.65 * f.news
}

/// Confidence from which the assistant answers. In cross-validation on the fitting half, thresholds from 0.15 to 0.5
/// give about the same number of right outcomes (41 to 49 of 122) and an abstention F1 of 0.3 to 0.43.
pub const ANSWERS_FROM: f32 = 0.25;
/// Confidence from which no model is asked to choose.
pub const SURE_FROM: f32 = 0.6;

/// A named person whom the source does not know at all is a premise that fails, whatever else fits.
pub fn may_answer(candidate: &Candidate, question: &Question) -> bool {
    question.people.is_empty() || candidate.features.people >= 0.3
}

/// How sure the best sentence answers the question, 0 to 1. `mentioned` is an older statement that is quoted with it.
pub fn confidence(
    evidence: &Evidence,
    best: &Candidate,
    mentioned: Option<&Candidate>,
    question: &Question,
) -> f32 {
    if !may_answer(best, question) {
        return 0.0;
    }
    let x = summary(evidence, best, mentioned, question);
    let z: f32 = WEIGHTS.iter().zip(x).map(|(weight, x)| weight * x).sum();
    1.0 / (1.0 + (-z).exp())
}

/// Number of inputs of [`confidence`].
pub const SUMMARY: usize = 6;

/// What [`confidence`] is computed from, the constant first.
fn summary(
    evidence: &Evidence,
    best: &Candidate,
    mentioned: Option<&Candidate>,
    question: &Question,
) -> [f32; SUMMARY] {
    let f = &best.features;
    let item = |candidate: &Candidate| evidence.passages[candidate.passage].item.entry.id;
    let next = evidence
        .candidates
        .iter()
        .find(|other| item(other) != item(best) && mentioned.is_none_or(|m| item(other) != item(m)))
        .map_or(best.score - 2.0, |other| other.score);
    let margin = (best.score - next).clamp(-1.0, 2.0);
    let typed = if question.wants == Wants::Text { 0.5 } else { f.fits };
    let people = if question.people.is_empty() { 0.7 } else { f.people };
    [1.0, f.coverage, typed, people, margin, f.time]
}

/// Logistic regression on the questions that reach the quoting steps, ridge 1: area under the curve in eight-fold
/// cross-validation 0.78 without vectors and 0.75 with. Fourteen inputs instead of six: 0.77 and 0.74.
const WEIGHTS: [f32; SUMMARY] = [-4.73, 0.49, 0.65, 2.37, 1.19, 0.77];
