//! What constants are fitted on: every candidate sentence of a question with its features, and whether quoting it
//! would have been right. Written out by `polymath eval life --features`, read by `examples/life/fit.py`.

use serde::Serialize;

use super::questions::{Question, Type};
use super::{matching, proves_any};
use crate::error::Error;
use crate::evidence::Features;
use crate::turn::{Assistant, Options};

/// Candidates written out of each question, best first.
const MOST: usize = 80;

/// One question as the quoting steps see it.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub id: String,
    pub kind: String,
    pub unanswerable: bool,
    pub intent: String,
    pub wants: String,
    pub n_people: usize,
    /// A lookup answers before anything is quoted.
    pub looked_up: bool,
    pub candidates: Vec<Labelled>,
}

/// A sentence that may answer.
#[derive(Debug, Clone, Serialize)]
pub struct Labelled {
    pub item: i64,
    pub features: Features,
    pub score: f32,
    /// The answer made of it is right, and its item is one that proves it.
    pub right: bool,
    /// Its item proves the answer.
    pub proves: bool,
    pub sentence: String,
}

/// All candidates of one question.
pub fn row(assistant: &Assistant, question: &Question) -> Result<Row, Error> {
    let options = Options { now: question.now.clone(), ..Options::default() };
    let found = assistant.unchecked(&question.question, &options, MOST)?;
    let mut candidates = Vec::new();
    for quoted in found.quoted {
        let proves = proves_any(assistant, question, quoted.item)?;
        candidates.push(Labelled {
            item: quoted.item,
            features: quoted.features,
            score: quoted.score,
            right: proves && matching::correct(question, &quoted.answer),
            proves,
            sentence: quoted.sentence,
        });
    }
    Ok(Row {
        id: question.id.clone(),
        kind: question.kind.clone(),
        unanswerable: question.kind_of_answer == Type::None,
        intent: format!("{:?}", found.question.intent),
        wants: format!("{:?}", found.question.wants),
        n_people: found.question.people.len(),
        looked_up: found.looked_up,
        candidates,
    })
}
