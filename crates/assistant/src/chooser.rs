//! A model chooses the sentence that answers, or none, and writes no word.
//!
//! It reads a numbered list of sentences with their sources and the question, and the probability of each number as its
//! reply is what counts; 0 stands for "not in your data". Models favour some numbers and some places in a list whatever is
//! asked: so the reply to a question that asks nothing is taken off (arXiv 2102.09690), and the list is read forwards
//! and backwards.

use corpus::chat::{Message, RenderOptions};
use corpus::tokenizer::Special;
use infer::{Cancel, Engine, Session};

use crate::answer::TokenCounts;
use crate::error::Error;
use crate::evidence::{Candidate, Evidence};
use crate::question::Question;
use crate::{quote, score};

/// Which models choose. Those below a billion parameters are no better at it than the fitted confidence (docs/LOG.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Choosing {
    /// Models of a billion parameters and more.
    #[default]
    Auto,
    Always,
    Never,
}

impl Choosing {
    /// Whether `engine` chooses.
    pub fn by(self, engine: &Engine) -> bool {
        match self {
            Self::Auto => engine.parameters() >= 1_000_000_000,
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// Sentences shown.
const SHOWN: usize = 8;
/// Of each sentence, and of its source's title.
const SENTENCE_CHARS: usize = 280;
const TITLE_CHARS: usize = 60;

const SYSTEM: &str = "You find the answer to a person's question in their own mail, calendar and notes. You reply with one number: that of the line that answers the question, or 0 if no line answers it.";

/// What the model made of the list.
pub(crate) enum Choice<'a> {
    Sentence(&'a Candidate),
    /// None of those shown answers.
    None,
}

/// Tokens that a prompt leaves free of the model's context: more than a number is.
const FREE_TOKENS: usize = 8;

/// Lets the model choose among the best sentences. `None` when there is nothing to choose from, they do not fit into
/// the model's context, or the turn was cancelled.
pub(crate) fn choose<'a>(
    engine: &Engine,
    evidence: &'a Evidence,
    question: &Question,
    cancel: &Cancel,
) -> Result<Option<(Choice<'a>, TokenCounts)>, Error> {
    let candidates: Vec<&Candidate> = evidence
        .candidates
        .iter()
        .filter(|candidate| score::may_answer(candidate, question))
        .take(SHOWN)
        .collect();
    if candidates.is_empty() {
        return Ok(None);
    }
    let mut tokens = TokenCounts::default();
    let mut likely = vec![0.0; candidates.len() + 1];
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    for _ in 0..2 {
        if cancel.is_cancelled() {
            return Ok(None);
        }
        let lines = lines(evidence, order.iter().map(|&at| candidates[at]));
        let n = candidates.len();
        let Some(scores) = favoured(engine, &question.text, &lines, n, &mut tokens)? else {
            return Ok(None);
        };
        likely[0] += scores[0];
        for (number, &at) in order.iter().enumerate() {
            likely[at + 1] += scores[number + 1];
        }
        order.reverse();
    }
    let best = (0..likely.len()).max_by(|&a, &b| likely[a].total_cmp(&likely[b])).unwrap_or(0);
    let choice = match best {
        0 => Choice::None,
        at => Choice::Sentence(candidates[at - 1]),
    };
    Ok(Some((choice, tokens)))
}

/// By how much the question makes each number 0 … n likelier than a question that asks nothing, in nats; `None` where
/// the model's context does not hold the lines.
fn favoured(
    engine: &Engine,
    question: &str,
    lines: &str,
    n: usize,
    tokens: &mut TokenCounts,
) -> Result<Option<Vec<f64>>, Error> {
    // Both prompts begin with the lines, which the session reads once.
    let mut session = Session::new(engine);
    let mut scores = [Vec::new(), Vec::new()];
    for (scores, question) in scores.iter_mut().zip([question, "?"]) {
        let prompt = prompt(engine, question, lines)?;
        if prompt.len() + FREE_TOKENS > engine.context_len() {
            return Ok(None);
        }
        tokens.prompt += prompt.len();
        *scores = numbers(&mut session, engine, &prompt, n)?;
    }
    let [asked, alone] = scores;
    Ok(Some(asked.iter().zip(alone).map(|(asked, alone)| asked - alone).collect()))
}

/// The lines and the question, as the model reads them.
fn prompt(engine: &Engine, question: &str, lines: &str) -> Result<Vec<u32>, Error> {
    let question = shortened(question.trim(), SENTENCE_CHARS);
    let text = format!(
        "Lines:\n{lines}\nQuestion: {question}\nThe number of the line that answers the question (0 if none):"
    );
    if engine.chat_template().is_none() {
        return Ok(engine.encode_text(&format!("{SYSTEM}\n\n{text}"))?);
    }
    let messages = [Message::new("system", SYSTEM), Message::new("user", &text)];
    let options = RenderOptions { add_generation_prompt: true, ..RenderOptions::default() };
    Ok(engine.encode_chat(&messages, &options)?)
}

/// The sentences with their sources, numbered.
fn lines<'a>(evidence: &Evidence, candidates: impl Iterator<Item = &'a Candidate>) -> String {
    let mut text = String::new();
    for (idx, candidate) in candidates.enumerate() {
        let passage = &evidence.passages[candidate.passage];
        let sentence = quote::one_line(&passage.text[candidate.bytes.clone()]);
        let source = quote::source_phrase(passage);
        let source = shortened(&source, TITLE_CHARS);
        text.push_str(&format!(
            "{}. {source}: {}\n",
            idx + 1,
            shortened(&sentence, SENTENCE_CHARS)
        ));
    }
    text
}

/// Log-probability of each number 0 … n as the whole of the model's reply, in nats.
fn numbers(
    session: &mut Session,
    engine: &Engine,
    prompt: &[u32],
    n: usize,
) -> Result<Vec<f64>, Error> {
    // A reply to a chat begins bare; a text goes on after a space.
    let before = if engine.chat_template().is_some() { "" } else { " " };
    let reply = |number: usize| -> Result<Vec<u32>, Error> {
        Ok(engine.tokenizer()?.encode(&format!("{before}{number}"), Special::Text, false))
    };
    let replies = (0..=n).map(reply).collect::<Result<Vec<_>, Error>>()?;
    let scores = session.score(prompt, &replies)?;
    Ok(scores.iter().map(|score| score.logprob).collect())
}

fn shortened(text: &str, chars: usize) -> &str {
    text.char_indices().nth(chars).map_or(text, |(at, _)| &text[..at])
}
