//! Asking the model: all likelihoods of a task in one pass over sorted texts, all answers in one batch.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use infer::{Batcher, Cancel, Engine, GenerateOptions, Limits, ScoredText, score_texts};

use super::encode::Encoder;
use super::metrics::Answer;
use super::prompt::Question;
use super::task::{OutputType, Task};
use crate::Error;

/// Tokens of an answer, where the task does not say how many.
const ANSWER_TOKENS: usize = 256;
/// Answers written at the same time.
const TOGETHER: usize = 16;

/// The answers, and what they took.
pub(super) struct Asked {
    pub(super) answers: Vec<Answer>,
    pub(super) tokens: u64,
    pub(super) tokens_read: u64,
}

/// Answers to all questions, in their order.
pub(super) fn ask(
    engine: &Engine,
    encoder: &Encoder<'_>,
    task: &Task,
    questions: &[Question],
    on_progress: &mut dyn FnMut(usize, usize),
) -> Result<Asked, Error> {
    match task.output_type {
        OutputType::GenerateUntil => write(engine, encoder, task, questions, on_progress),
        _ => score(engine, encoder, task, questions, on_progress),
    }
}

fn score(
    engine: &Engine,
    encoder: &Encoder<'_>,
    task: &Task,
    questions: &[Question],
    on_progress: &mut dyn FnMut(usize, usize),
) -> Result<Asked, Error> {
    let mut texts: Vec<ScoredText> = Vec::new();
    let mut ends = Vec::with_capacity(questions.len());
    for (at, question) in questions.iter().enumerate() {
        let pair = |context: &str, continuation: &str| {
            let text = encoder.pair(context, continuation);
            text.map_err(|what| task.wrong_document(at, what))
        };
        match question {
            Question::Choices { pairs, .. } => {
                for (context, continuation) in pairs {
                    texts.push(pair(context, continuation)?);
                }
            }
            Question::Continuation { context, continuation } => {
                texts.push(pair(context, continuation)?);
            }
            Question::Text { text, .. } => texts.extend(encoder.windows(text)),
            Question::Generate { .. } => unreachable!("a task has questions of one kind"),
        }
        ends.push(texts.len());
    }
    let n = texts.len();
    on_progress(0, n);
    let (scores, counts) = score_texts(engine, &texts, &mut |done| on_progress(done, n))?;
    let mut start = 0;
    let answers = questions.iter().zip(ends).map(|(question, end)| {
        let mine = &scores[start..end];
        start = end;
        match question {
            Question::Text { .. } => {
                Answer::Loglikelihood(mine.iter().map(|score| score.logprob).sum())
            }
            _ => Answer::Scores(mine.to_vec()),
        }
    });
    let answers = answers.collect();
    Ok(Asked { answers, tokens: counts.text_tokens, tokens_read: counts.read_tokens })
}

fn write(
    engine: &Engine,
    encoder: &Encoder<'_>,
    task: &Task,
    questions: &[Question],
    on_progress: &mut dyn FnMut(usize, usize),
) -> Result<Asked, Error> {
    let max_tokens = task.generation_kwargs.max_gen_toks.unwrap_or(ANSWER_TOKENS);
    let room = encoder.max_length().checked_sub(max_tokens).filter(|&room| room > 0);
    let room = room.ok_or_else(|| {
        let limit = encoder.max_length();
        Error::configuration(
            format!("{}: answers of {max_tokens} tokens leave no room of {limit}", task.task),
            "lower max_gen_toks in the task's file",
        )
    })?;
    let mut stop = task.generation_kwargs.until.clone();
    if stop.is_empty() {
        stop.push(task.fewshot_delimiter.clone());
    }
    let tokenizer = engine.tokenizer()?;
    stop.extend(tokenizer.eos().and_then(|end| tokenizer.piece(end)));
    let options = GenerateOptions {
        max_tokens,
        stop,
        context_len: Some(encoder.max_length()),
        ..GenerateOptions::default()
    };
    let prompts: Vec<Vec<u32>> = questions
        .iter()
        .map(|question| {
            let Question::Generate { context, .. } = question else {
                unreachable!("a task has questions of one kind")
            };
            let mut tokens = encoder.encode(context);
            // What is too long loses its beginning.
            tokens.drain(..tokens.len().saturating_sub(room));
            tokens
        })
        .collect();
    let n = prompts.len();
    on_progress(0, n);
    let batcher = Batcher::new(engine, Limits { running: TOGETHER, ..Limits::default() });
    let mut answers: Vec<Option<Answer>> = vec![None; n];
    let mut tokens = 0;
    all(&batcher, &prompts, &options, &mut |idx, text, n_tokens, done| {
        answers[idx] = Some(Answer::Text(text));
        tokens += n_tokens;
        on_progress(done, n);
    })?;
    let cached = batcher.counters().cached_tokens;
    let answers = answers.into_iter().flatten().collect();
    Ok(Asked { answers, tokens, tokens_read: tokens - cached.min(tokens) })
}

/// Generates from all prompts, several at once; hands each answer over as it comes: its place, its text, tokens of prompt
/// and answer, and how many are done.
fn all(
    batcher: &Batcher,
    prompts: &[Vec<u32>],
    options: &GenerateOptions,
    on_answer: &mut dyn FnMut(usize, String, u64, usize),
) -> Result<(), Error> {
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let (answers, coming) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..TOGETHER.min(prompts.len()) {
            let (answers, next, failed) = (answers.clone(), &next, &failed);
            scope.spawn(move || {
                loop {
                    let idx = next.fetch_add(1, Ordering::Relaxed);
                    let Some(prompt) = prompts.get(idx) else { return };
                    if failed.load(Ordering::Relaxed) {
                        return;
                    }
                    let answer =
                        batcher.generate(prompt, options, &Cancel::new(), &mut || {}, &mut |_| {});
                    if answers.send((idx, answer)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(answers);
        let mut outcome = Ok(());
        for (done, (idx, answer)) in coming.iter().enumerate() {
            match answer {
                Ok(answer) => {
                    let n_tokens = (answer.prompt_tokens + answer.tokens.len()) as u64;
                    on_answer(idx, answer.text, n_tokens, done + 1);
                }
                Err(error) => {
                    // The others end with what they are at.
                    failed.store(true, Ordering::Relaxed);
                    outcome = Err(error.into());
                }
            }
        }
        outcome
    })
}
