//! Scores of the assistant on a file of questions with known answers and known proofs. Deterministic scorers
//! only: no model judges another.
//!
//! Questions are split in two halves by a rule that knows nothing of them ([`Half::of`]): constants of the
//! assistant are fitted on one half, and what is reported is the other.

pub mod fitting;
mod matching;
mod questions;

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Serialize;
use vault::item::Kind;

use crate::answer::{Answer, Step};
use crate::error::Error;
use crate::turn::{Assistant, Options};

pub use matching::correct;
pub use questions::{Half, Proof, Question, Type, read};

/// How one question went.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    pub id: String,
    pub kind: String,
    pub half: Half,
    pub step: Step,
    pub correct: bool,
    /// The first passage quoted says it, whatever is quoted after it.
    pub first_correct: bool,
    /// The question has no answer in the data.
    pub unanswerable: bool,
    /// No proof is in the question's language.
    pub cross_language: bool,
    pub abstained: bool,
    /// Share of the proofs among the first five and ten items found; `None` where there is nothing to find.
    pub recall_at_5: Option<f64>,
    pub recall_at_10: Option<f64>,
    /// Cited passages, how many of them stand in a proving item, and how many stand at their offsets.
    pub n_cited: usize,
    pub n_proving: usize,
    pub n_exact: usize,
    pub milliseconds: f64,
    pub answer: String,
}

/// Sums over a group of outcomes.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Summary {
    pub n: usize,
    pub correct: usize,
    pub accuracy: f64,
    /// The same for the first passage quoted alone.
    pub first_accuracy: f64,
    pub recall_at_5: f64,
    pub recall_at_10: f64,
    /// Cited passages from a proving item, of all cited in answers to answerable questions.
    pub citation_precision: f64,
    /// Quotes that stand at their byte offsets, of all.
    pub quotes_exact: f64,
    pub abstention_precision: f64,
    pub abstention_recall: f64,
    pub abstention_f1: f64,
    /// Share of questions that each step answered.
    pub steps: BTreeMap<String, f64>,
    /// Median milliseconds of each step.
    pub steps_p50_ms: BTreeMap<String, f64>,
    /// Of lookups, quotes and templates, in milliseconds.
    pub p50_ms: f64,
    pub p95_ms: f64,
    /// Median length of an answer in characters: a scorer that looks for words favours long ones.
    pub answer_chars: usize,
}

#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub outcomes: Vec<Outcome>,
    pub fit: Summary,
    pub report: Summary,
    /// Of each half, by kind of question.
    pub fit_by_kind: BTreeMap<String, Summary>,
    pub report_by_kind: BTreeMap<String, Summary>,
    /// Of each half, the questions that no source answers in their own language.
    pub fit_cross_language: Summary,
    pub report_cross_language: Summary,
}

/// Asks every question. `before` is called with its position ahead of each, for progress.
pub fn run(
    assistant: &Assistant,
    questions: &[Question],
    before: &mut dyn FnMut(usize),
) -> Result<Report, Error> {
    let mut outcomes = Vec::with_capacity(questions.len());
    for (at, question) in questions.iter().enumerate() {
        before(at);
        outcomes.push(one(assistant, question)?);
    }
    Ok(report(outcomes))
}

/// Asks one question and scores the answer.
pub fn one(assistant: &Assistant, question: &Question) -> Result<Outcome, Error> {
    let options = Options { now: question.now.clone(), ..Options::default() };
    let begun = Instant::now();
    let answer = assistant.ask(&question.question, &[], &options, &mut |_| {})?;
    let milliseconds = begun.elapsed().as_secs_f64() * 1e3;
    let (recall_at_5, recall_at_10) = recalls(assistant, question, &options)?;
    let unanswerable = question.kind_of_answer == Type::None;
    let abstained = answer.step == Step::Abstain;
    let (n_proving, n_exact) = citations(assistant, question, &answer)?;
    let first = match answer.step {
        Step::Lookup => answer.answer.as_str(),
        // Without the opening of an answer that is not sure.
        _ => answer.answer.lines().find(|line| line.contains('[')).unwrap_or_default(),
    };
    let right = |text: &str| {
        if unanswerable { abstained } else { !abstained && correct(question, text) }
    };
    let (first_correct, correct) = (right(first), right(&answer.answer));
    Ok(Outcome {
        id: question.id.clone(),
        kind: question.kind.clone(),
        half: Half::of(&question.id),
        step: answer.step,
        correct,
        first_correct,
        unanswerable,
        cross_language: question.cross_language,
        abstained,
        recall_at_5,
        recall_at_10,
        n_cited: answer.sources.len(),
        n_proving,
        n_exact,
        milliseconds,
        answer: answer.answer,
    })
}

/// How many of the cited passages stand in a proving item, and how many at their offsets.
fn citations(
    assistant: &Assistant,
    question: &Question,
    answer: &Answer,
) -> Result<(usize, usize), Error> {
    let (mut proving, mut exact) = (0, 0);
    for source in &answer.sources {
        let text = assistant.vault().text(source.id)?.unwrap_or_default();
        exact += usize::from(text.get(source.start..source.end) == Some(source.quote.as_str()));
        proving += usize::from(proves_any(assistant, question, source.id)?);
    }
    Ok((proving, exact))
}

fn proves_any(assistant: &Assistant, question: &Question, id: i64) -> Result<bool, Error> {
    for proof in question.evidence.iter().chain(&question.also) {
        if proves(assistant, proof, id)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether an item proves: it is the message or event named, or an item of the file that says the words. A mail
/// that quotes another says its words too, and counts.
fn proves(assistant: &Assistant, proof: &Proof, id: i64) -> Result<bool, Error> {
    let Some(item) = assistant.vault().item(id)? else { return Ok(false) };
    let same_file =
        item.entry.path == proof.path || item.entry.path.ends_with(&format!("/{}", proof.path));
    if let Some(uid) = &proof.uid
        && same_file
        && item.entry.kind == Kind::Event
    {
        return Ok(item.event.is_some_and(|event| event.uid.contains(uid.as_str())));
    }
    let is_mail = item.entry.kind == Kind::Mail && proof.message_id.is_some();
    if !same_file && !is_mail {
        return Ok(false);
    }
    let text = assistant.vault().text(id)?.unwrap_or_default();
    Ok(matching::squeezed(&text).contains(&matching::squeezed(&proof.contains)))
}

fn recalls(
    assistant: &Assistant,
    question: &Question,
    options: &Options,
) -> Result<(Option<f64>, Option<f64>), Error> {
    if question.evidence.is_empty() || question.kind_of_answer == Type::None {
        return Ok((None, None));
    }
    let (_, evidence) = assistant.evidence(&question.question, options)?;
    let share = |k: usize| -> Result<f64, Error> {
        for proof in &question.also {
            for &id in evidence.hits.iter().take(k) {
                if proves(assistant, proof, id)? {
                    return Ok(1.0);
                }
            }
        }
        let mut found = 0;
        for proof in &question.evidence {
            for &id in evidence.hits.iter().take(k) {
                if proves(assistant, proof, id)? {
                    found += 1;
                    break;
                }
            }
        }
        Ok(found as f64 / question.evidence.len() as f64)
    };
    Ok((Some(share(5)?), Some(share(10)?)))
}

/// Sums up, by half and by kind.
pub fn report(outcomes: Vec<Outcome>) -> Report {
    let of = |half: Half| outcomes.iter().filter(move |outcome| outcome.half == half);
    let by_kind = |half: Half| {
        let mut groups: BTreeMap<String, Vec<&Outcome>> = BTreeMap::new();
        for outcome in of(half) {
            groups.entry(outcome.kind.clone()).or_default().push(outcome);
        }
        groups.into_iter().map(|(kind, group)| (kind, summary(&group))).collect()
    };
    let fit = summary(&of(Half::Fit).collect::<Vec<_>>());
    let report = summary(&of(Half::Report).collect::<Vec<_>>());
    let (fit_by_kind, report_by_kind) = (by_kind(Half::Fit), by_kind(Half::Report));
    let crossing = |half: Half| {
        summary(&of(half).filter(|outcome| outcome.cross_language).collect::<Vec<_>>())
    };
    let (fit_cross_language, report_cross_language) = (crossing(Half::Fit), crossing(Half::Report));
    Report {
        fit,
        report,
        fit_by_kind,
        report_by_kind,
        fit_cross_language,
        report_cross_language,
        outcomes,
    }
}

pub fn summary(outcomes: &[&Outcome]) -> Summary {
    let n = outcomes.len();
    let count = |wanted: &dyn Fn(&&&Outcome) -> bool| outcomes.iter().filter(wanted).count();
    let share =
        |part: usize, whole: usize| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    let mean = |values: Vec<f64>| {
        if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
    };
    let abstained = count(&|o| o.abstained);
    let unanswerable = count(&|o| o.unanswerable);
    let rightly = count(&|o| o.abstained && o.unanswerable);
    let (precision, recall) = (share(rightly, abstained), share(rightly, unanswerable));
    let answered: Vec<&&Outcome> =
        outcomes.iter().filter(|o| !o.unanswerable && !o.abstained).collect();
    let cited = answered.iter().map(|o| o.n_cited).sum();
    let proving = answered.iter().map(|o| o.n_proving).sum();
    let mut steps: BTreeMap<String, f64> = BTreeMap::new();
    for outcome in outcomes {
        *steps.entry(format!("{:?}", outcome.step).to_lowercase()).or_default() += 1.0 / n as f64;
    }
    let steps_p50_ms = steps.keys().map(|step| {
        let of_step = outcomes.iter().filter(|o| format!("{:?}", o.step).to_lowercase() == *step);
        let mut times: Vec<f64> = of_step.map(|o| o.milliseconds).collect();
        times.sort_by(f64::total_cmp);
        (step.clone(), times.get(times.len() / 2).copied().unwrap_or_default())
    });
    let steps_p50_ms = steps_p50_ms.collect();
    let cheap = |o: &&&Outcome| !matches!(o.step, Step::Choose | Step::Write);
    let mut times: Vec<f64> = outcomes.iter().filter(cheap).map(|o| o.milliseconds).collect();
    times.sort_by(f64::total_cmp);
    let mut lengths: Vec<usize> = answered.iter().map(|o| o.answer.chars().count()).collect();
    lengths.sort_unstable();
    let at =
        |quantile: f64, length: usize| ((length as f64 - 1.0).max(0.0) * quantile).round() as usize;
    Summary {
        n,
        correct: count(&|o| o.correct),
        accuracy: share(count(&|o| o.correct), n),
        first_accuracy: share(count(&|o| o.first_correct), n),
        recall_at_5: mean(outcomes.iter().filter_map(|o| o.recall_at_5).collect()),
        recall_at_10: mean(outcomes.iter().filter_map(|o| o.recall_at_10).collect()),
        citation_precision: share(proving, cited),
        quotes_exact: share(
            outcomes.iter().map(|o| o.n_exact).sum(),
            outcomes.iter().map(|o| o.n_cited).sum(),
        ),
        abstention_precision: precision,
        abstention_recall: recall,
        abstention_f1: if precision + recall > 0.0 {
            2.0 * precision * recall / (precision + recall)
        } else {
            0.0
        },
        steps,
        steps_p50_ms,
        p50_ms: times.get(at(0.5, times.len())).copied().unwrap_or_default(),
        p95_ms: times.get(at(0.95, times.len())).copied().unwrap_or_default(),
        answer_chars: lengths.get(at(0.5, lengths.len())).copied().unwrap_or_default(),
    }
}
