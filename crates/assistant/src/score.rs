//! Fitted functions: how good a sentence is as an answer, and whether the best one is good enough.
//!
//! Both are linear in the [`Features`]; the confidence goes through a logistic. `examples/life/fit.py` fits them on
//! the fitting half of the questions in `examples/life`, on sentences found with vectors and without at once, and prints
//! what cross-validation makes of them; one set of constants serves both.

use crate::evidence::{Candidate, Evidence, Features};
use crate::question::{Question, Wants};

/// Ranks sentences. Only differences matter; they are differences of log-odds.
///
/// Softmax regression over the best 60 sentences of each question whose answer is among them (30 November 2026, ridge
/// 0.02): first in five-fold cross-validation for 79 of 290 questions without vectors, 91 with.
pub fn sentence(features: &Features, question: &Question) -> f32 {
    let f = features;
    let typed = if question.wants == Wants::Text { 0.0 } else { 1.0 };
    let named = if question.people.is_empty() { 0.0 } else { 1.0 };
    1.6 * f.coverage
        + 1.7 * f.inside
        + 0.9 * f.item
        + 1.3 * typed * f.fits
        + 0.7 * named * f.people
        + 0.2 * f.wrote
        + 0.55 * f.time
        + 1.9 * f.rank
        + 0.3 * f.dense
        + 0.7 * f.in_chunk
        - 0.6 * f.quoted
        + 0.5 * f.recency
        + 0.25 * f.statement
        - 0.2 * f.absent
        - 0.65 * f.news
}

/// Confidence from which the best sentence alone is the answer.
pub const ANSWERS_FROM: f32 = 0.4;
/// Confidence from which the nearest passages are quoted, and said to be no sure answer: in cross-validation 139 to 143
/// of 353 questions turn out right with three quotes from 0.12 or 0.08 on, 92 with one quote from 0.25 on.
const NEAREST_FROM: f32 = 0.1;
/// Share of the question that the best sentence says at least then; of those below, one in twelve was right, and more
/// than half had no answer.
const NEAREST_COVERAGE: f32 = 0.05;
/// Confidence from which no model is asked to choose.
pub const SURE_FROM: f32 = 0.6;

/// A named person whom the source does not know at all is a premise that fails, whatever else fits.
pub fn may_answer(candidate: &Candidate, question: &Question) -> bool {
    question.people.is_empty() || candidate.features.people >= 0.3
}

/// Whether the best sentence, as sure as [`confidence`] says, is worth showing with the next ones.
pub fn comes_near(best: &Candidate, sure: f32) -> bool {
    sure >= NEAREST_FROM && best.features.coverage >= NEAREST_COVERAGE
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

/// Logistic regression on the questions that reach the quoting steps, ridge 1: area under the curve in five-fold
/// cross-validation 0.71 without vectors and 0.68 with.
const WEIGHTS: [f32; SUMMARY] = [-4.66, 0.39, 0.67, 1.78, 0.87, 1.74];
