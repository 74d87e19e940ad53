//! How good a model is: the tasks of lm-evaluation-harness, with its semantics, on Polymath's engine.
//!
//! ```text
//! task file ─┬─ sets: documents ─ prompt: questions ─ encode: tokens ─ infer: scores, texts ─ metrics: value ± error
//! --data DIR ┘
//! ```
//!
//! The same task, data, model and seed give the numbers that lm-evaluation-harness gives with its `hf` model:
//! `golden/make_eval_reference.py` asks it, and a test compares every document. What differs is said in
//! docs/evaluation.md.

mod answer;
mod carried;
pub mod catalogue;
mod encode;
mod metrics;
mod process;
mod prompt;
mod random;
mod sets;
mod task;
mod template;

use std::path::Path;
use std::time::Instant;

use infer::Engine;
use serde::Serialize;
use serde_json::{Value, json};

use crate::Error;
use answer::Asked;
use encode::Encoder;
use metrics::{Answer, Count, Counted};
use prompt::{Asker, Question};
pub use task::{MetricName, OutputType, Task};

/// What can be chosen for every task.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    /// Examples before each question; `None`: as many as the task says.
    pub shots: Option<usize>,
    /// At most so many documents of each task, the first ones.
    pub limit: Option<usize>,
    /// Of the random numbers that examples are drawn with.
    pub seed: u64,
    /// Where the owner's data lies.
    pub data: Option<&'a Path>,
    /// Read at most so many tokens at once, however many the model could.
    pub max_length: Option<usize>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        // 1234 is lm-evaluation-harness's seed for examples.
        Self { shots: None, limit: None, seed: 1234, data: None, max_length: None }
    }
}

/// A number that came out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    pub task: String,
    pub metric: MetricName,
    /// What took the answer out of the text, for metrics of texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    pub value: f64,
    /// Standard error of the value, where it has one.
    pub stderr: Option<f64>,
    /// Documents.
    pub n: usize,
    pub higher_is_better: bool,
}

/// What a task gave and took.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub task: String,
    pub output_type: OutputType,
    pub results: Vec<Row>,
    /// Examples before each question.
    pub shots: usize,
    /// Documents scored, and how many the set has.
    pub n: usize,
    pub n_available: usize,
    /// Where the documents and the examples came from.
    pub data: String,
    pub examples: Option<String>,
    /// Tokens of all questions and answers.
    pub tokens: u64,
    /// Of these, tokens that went through the network: common beginnings are read once.
    pub tokens_read: u64,
    pub seconds: f64,
    /// One record per document.
    #[serde(skip)]
    pub samples: Vec<Value>,
}

impl Report {
    pub fn tokens_per_s(&self) -> f64 {
        self.tokens as f64 / self.seconds.max(1e-9)
    }
}

/// Runs a task. `on_progress` hears how many questions are answered, of how many.
///
/// # Errors
/// When data is missing or does not fit the task, or the model cannot answer.
pub fn run(
    engine: &Engine,
    task: &Task,
    options: &Options<'_>,
    on_progress: &mut dyn FnMut(usize, usize),
) -> Result<Report, Error> {
    let began = Instant::now();
    let shots = options.shots.unwrap_or(task.num_fewshot);
    let scored = sets::split(task, task.scored_split(), options.data)?;
    let drawn_from = match shots {
        0 => None,
        _ if task.example_split() == task.scored_split() => Some(scored.clone()),
        _ => Some(sets::split(task, task.example_split(), options.data)?),
    };
    let examples = drawn_from.as_ref().map_or(&[][..], |split| &split.documents);
    let n = options.limit.unwrap_or(usize::MAX).min(scored.documents.len());
    let mut asker = Asker::new(task, &scored.documents[0], examples, shots, options.seed)?;
    let questions = scored.documents[..n]
        .iter()
        .enumerate()
        .map(|(at, document)| asker.ask(at, document))
        .collect::<Result<Vec<_>, _>>()?;
    let encoder = Encoder::new(engine, options.max_length)?;
    let asked = answer::ask(engine, &encoder, task, &questions, on_progress)?;
    let counted: Vec<Vec<Counted>> = questions
        .iter()
        .zip(&asked.answers)
        .map(|(question, answer)| metrics::count(task, question, answer))
        .collect();
    let samples = questions.iter().zip(&asked.answers).zip(&counted).enumerate();
    let samples = samples.map(|(at, ((question, answer), counted))| {
        sample(task, at, &scored.documents[at], question, answer, counted)
    });
    let samples = samples.collect();
    let Asked { tokens, tokens_read, .. } = asked;
    Ok(Report {
        task: task.task.clone(),
        output_type: task.output_type,
        results: rows(task, &counted, engine.n_threads()),
        shots,
        n,
        n_available: scored.documents.len(),
        data: scored.from,
        examples: drawn_from.map(|split| split.from),
        tokens,
        tokens_read,
        seconds: began.elapsed().as_secs_f64(),
        samples,
    })
}

/// Each metric's value over all documents.
fn rows(task: &Task, counted: &[Vec<Counted>], n_threads: usize) -> Vec<Row> {
    let Some(first) = counted.first() else { return Vec::new() };
    let columns = first.iter().enumerate();
    columns
        .map(|(column, Counted { metric, filter, .. })| {
            let counts: Vec<Count> =
                counted.iter().map(|document| document[column].count).collect();
            let (value, stderr) = metrics::aggregate(*metric, &counts, n_threads);
            Row {
                task: task.task.clone(),
                metric: *metric,
                filter: filter.clone(),
                value,
                stderr,
                n: counts.len(),
                higher_is_better: metric.higher_is_better(),
            }
        })
        .collect()
}

/// The results of a set's parts as one, under the set's name: what can be combined of them.
pub fn combined(name: &str, weight_by_size: bool, parts: &[Report]) -> Vec<Row> {
    let Some(first) = parts.first() else { return Vec::new() };
    let means = first.results.iter().enumerate().filter(|(_, row)| metrics::is_mean(row.metric));
    means
        .map(|(column, row)| {
            let of_parts: Vec<(f64, Option<f64>, usize)> = parts
                .iter()
                .map(|part| &part.results[column])
                .map(|row| (row.value, row.stderr, row.n))
                .collect();
            let (value, stderr, n) = metrics::combine(&of_parts, weight_by_size);
            Row { task: name.to_owned(), value, stderr, n, ..row.clone() }
        })
        .collect()
}

/// What is logged of a document.
fn sample(
    task: &Task,
    at: usize,
    document: &Value,
    question: &Question,
    answer: &Answer,
    counted: &[Counted],
) -> Value {
    let metrics = counted.iter().map(|one| {
        let value = match one.count {
            Count::One(value) => json!(value),
            Count::Weighted(value, weight) => json!([value, weight]),
        };
        json!({ "metric": one.metric, "filter": one.filter, "value": value, "filtered": one.filtered })
    });
    let (asked, target) = match question {
        Question::Choices { pairs, gold, .. } => (json!(pairs), json!(gold)),
        Question::Continuation { context, continuation } => {
            (json!([[context, continuation]]), json!(continuation))
        }
        Question::Text { words, bytes, .. } => {
            (json!({ "words": words, "bytes": bytes }), Value::Null)
        }
        Question::Generate { context, targets } => (json!(context), json!(targets)),
    };
    let answer = match answer {
        Answer::Scores(scores) => {
            scores.iter().map(|score| json!([score.logprob, score.greedy])).collect()
        }
        Answer::Loglikelihood(logprob) => json!(logprob),
        Answer::Text(text) => json!(text),
    };
    json!({
        "task": task.task,
        "doc_id": at,
        "doc": document,
        "asked": asked,
        "target": target,
        "answer": answer,
        "metrics": metrics.collect::<Vec<_>>(),
    })
}
