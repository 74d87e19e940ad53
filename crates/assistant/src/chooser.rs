//! A model weighs sentences without writing a word: how much likelier is the question after this sentence than
//! without it?
//!
//! For a sentence s with its source's title and author, and the question q of n tokens, the weight is
//! (log P(q | s) − log P(q | nothing)) / n, in nats per token. It is the pointwise mutual information of both, so
//! that neither a wordy question nor an odd sentence gains by itself. A small model that ignores a passage when it
//! has to *write* still shows in these numbers what the passage is about. Idea: unsupervised passage reranking,
//! arXiv 2204.07496.

use infer::{Cancel, Engine, Session};

use crate::answer::TokenCounts;
use crate::error::Error;
use crate::evidence::{Candidate, Evidence};
use crate::question::Question;
use crate::quote;

/// Sentences weighed; each costs the reading of some sixty tokens.
pub(crate) const WEIGHED: usize = 8;
/// Of each sentence, and of its source's title.
const SENTENCE_CHARS: usize = 280;
const TITLE_CHARS: usize = 60;

/// Weighs the best sentences: sets [`crate::evidence::Features::asked`] of each. What a cancelled turn has not weighed
/// keeps 0.
pub(crate) fn weigh(
    engine: &Engine,
    evidence: &mut Evidence,
    question: &Question,
    most: usize,
    cancel: &Cancel,
) -> Result<TokenCounts, Error> {
    let mut session = Session::new(engine);
    let asked = continuation(engine, &question.text)?;
    let mut tokens = TokenCounts::default();
    let mut log_probability = |passage: &str| -> Result<f32, Error> {
        let prompt = engine.encode_text(&format!("{passage}\nQuestion:"))?;
        tokens.prompt += prompt.len() + asked.len();
        let scores = session.score(&prompt, std::slice::from_ref(&asked))?;
        Ok(scores.first().map_or(0.0, |score| (score.logprob / score.tokens.max(1) as f64) as f32))
    };
    let alone = log_probability("Note:")?;
    let weighed = most.min(evidence.candidates.len());
    for at in 0..weighed {
        if cancel.is_cancelled() {
            break;
        }
        let passage = passage(evidence, &evidence.candidates[at]);
        evidence.candidates[at].features.asked = log_probability(&passage)? - alone;
    }
    Ok(tokens)
}

/// A sentence as the model reads it: `Note: Removal firm (Anna Meier). They come on Saturday.`
fn passage(evidence: &Evidence, candidate: &Candidate) -> String {
    let passage = &evidence.passages[candidate.passage];
    let author = passage.item.people.iter().find(|person| !person.name.is_empty());
    let author = author.map_or(String::new(), |person| format!(" ({})", person.name));
    let title = shortened(&passage.item.entry.title, TITLE_CHARS);
    let sentence = quote::one_line(&passage.text[candidate.bytes.clone()]);
    format!("Note: {title}{author}. {}", shortened(&sentence, SENTENCE_CHARS))
}

fn shortened(text: &str, chars: usize) -> &str {
    text.char_indices().nth(chars).map_or(text, |(at, _)| &text[..at])
}

fn continuation(engine: &Engine, question: &str) -> Result<Vec<u32>, Error> {
    let text = format!(" {}", shortened(question.trim(), SENTENCE_CHARS));
    Ok(engine.tokenizer()?.encode(&text, corpus::tokenizer::Special::Text, false))
}
