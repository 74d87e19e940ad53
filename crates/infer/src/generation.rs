//! What is asked of a generation and what comes back.

use crate::{Form, Sampling};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What to generate, and when to stop.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateOptions {
    /// At most so many tokens.
    pub max_tokens: usize,
    /// How each is chosen.
    pub sampling: Sampling,
    /// Texts that end the answer; they and what follows are not part of it.
    pub stop: Vec<String>,
    /// What to do with a prompt that does not fit.
    pub truncate: Truncate,
    /// See at most so many tokens, however many the model could.
    pub context_len: Option<usize>,
    /// Go on after the model has ended its answer; for measurements.
    pub ignore_end: bool,
    /// What the text has to be.
    pub form: Option<Form>,
    /// Report the probability of each token and of so many others that were likely in its place.
    pub top_logprobs: Option<usize>,
    /// Guess at most so many tokens from what the text repeats, or with the draft model where the engine has one. It
    /// changes the speed and never the answer. `None`: as many as pay; when chance decides, with a draft model alone.
    pub guess_tokens: Option<usize>,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        Self {
            max_tokens: 256,
            sampling: Sampling::default(),
            stop: Vec::new(),
            truncate: Truncate::Refuse,
            context_len: None,
            ignore_end: false,
            form: None,
            top_logprobs: None,
            guess_tokens: None,
        }
    }
}

/// What to do with a prompt that does not fit the context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truncate {
    /// [`Error::ContextFull`](crate::Error::ContextFull).
    Refuse,
    /// Keep the first tokens (the system message) and the newest; drop the oldest between them, as many as
    /// the prompt and `max_tokens` need, but never so many that less than half the context is prompt.
    DropOldest {
        /// How many of the first tokens to keep.
        keep_first: usize,
    },
}

impl Truncate {
    /// Which tokens of a prompt stay: `..first` and `rest..`; `None` if the prompt does not fit and may not
    /// be cut. `limit` is the context, of which at least one token is for the answer.
    pub(crate) fn plan(
        self,
        n_prompt: usize,
        max_tokens: usize,
        limit: usize,
    ) -> Option<(usize, usize)> {
        if n_prompt < limit {
            return Some((n_prompt, n_prompt));
        }
        let Self::DropOldest { keep_first } = self else { return None };
        let room = limit.saturating_sub(max_tokens.max(1)).max(limit / 2);
        let room = room.min(limit.saturating_sub(1));
        let first = keep_first.min(room);
        (room > 0).then_some((first, n_prompt - (room - first)))
    }
}

/// A piece of the answer on its way out.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// Whole characters; may be the text of several tokens, or of none while a character or a possible stop
    /// text is incomplete (then no piece comes).
    pub text: String,
    /// Tokens generated so far.
    pub n_tokens: usize,
    /// Of the tokens since the last piece, where [`GenerateOptions::top_logprobs`] asks for them.
    pub logprobs: Vec<TokenLogprobs>,
}

/// How probable a chosen token was, and what else was likely: natural logarithms, before temperature, penalties
/// and [`Form`] changed anything.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenLogprobs {
    /// The token that was chosen.
    pub token: u32,
    /// Its log-probability.
    pub logprob: f32,
    /// (token, log-probability), most probable first.
    pub top: Vec<(u32, f32)>,
}

impl TokenLogprobs {
    /// From the logits `[vocab]` that `token` was chosen from.
    pub(crate) fn new(logits: &[f32], token: u32, n_top: usize) -> Self {
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = logits.iter().map(|&logit| f64::exp(f64::from(logit - largest))).sum();
        let logprob = |id: u32| (f64::from(logits[id as usize] - largest) - sum.ln()) as f32;
        let mut ids: Vec<u32> = (0..logits.len() as u32).collect();
        let by_logit =
            |a: &u32, b: &u32| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b));
        let n_top = n_top.min(ids.len());
        if n_top > 0 && n_top < ids.len() {
            ids.select_nth_unstable_by(n_top - 1, by_logit);
        }
        ids.truncate(n_top);
        ids.sort_unstable_by(by_logit);
        let top = ids.into_iter().map(|id| (id, logprob(id))).collect();
        Self { token, logprob: logprob(token), top }
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Generation {
    /// The text, without stop texts. Empty if the model has no tokenizer.
    pub text: String,
    /// The tokens, without the end token; with those that a stop text was made of.
    pub tokens: Vec<u32>,
    /// For each of the tokens, where [`GenerateOptions::top_logprobs`] asks for them.
    pub logprobs: Vec<TokenLogprobs>,
    /// Why it ended.
    pub finish: Finish,
    /// Tokens of the prompt, as it was used.
    pub prompt_tokens: usize,
    /// Of these, how many the session remembered from before.
    pub cached_tokens: usize,
    /// Tokens of the prompt that were dropped because they did not fit ([`Truncate::DropOldest`]).
    pub dropped_tokens: usize,
    /// Passes through the network for the answer, after the prompt was read.
    pub steps: usize,
    /// Tokens that were guessed from the text.
    pub lookup: Guesses,
    /// Tokens that the draft model guessed.
    pub draft: Guesses,
    /// How long it took.
    pub timings: Timings,
}

/// How guesses fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Guesses {
    /// Tokens that were guessed.
    pub made: usize,
    /// Of these, those that the answer has.
    pub right: usize,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The model ended it, or a stop text came up.
    Stop,
    /// `max_tokens` were generated.
    Length,
    /// Somebody asked to stop.
    Cancelled,
    /// The context is full.
    ContextFull,
}

impl Finish {
    /// The word that OpenAI's API has for it.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length | Self::ContextFull => "length",
            Self::Cancelled => "cancelled",
        }
    }
}

/// How long the parts of a generation took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timings {
    /// Reading what of the prompt was new.
    pub prefill: Duration,
    /// From the start to the first token; zero if there is none.
    pub first_token: Duration,
    /// All tokens after the first.
    pub decode: Duration,
    /// Everything.
    pub total: Duration,
}

/// A continuation's probability after a prompt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Natural logarithm of the probability, summed over the tokens.
    pub logprob: f64,
    /// How many tokens that is.
    pub tokens: usize,
    /// Whether each token was the most probable at its place.
    pub greedy: bool,
}

/// Asks a generation to stop; clones ask the same one.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Nothing asked yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks. The generation stops before its next token or the next chunk of its prompt.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_not_cut_and_what_does_not_is_refused_or_cut_in_the_middle() {
        let cut = Truncate::DropOldest { keep_first: 10 };
        assert_eq!(cut.plan(99, 50, 100), Some((99, 99)));
        assert_eq!(Truncate::Refuse.plan(100, 50, 100), None);
        // 70 tokens of 300 stay: the first 10 and the last 60.
        assert_eq!(cut.plan(300, 30, 100), Some((10, 240)));
        // However much is asked for, half the context is prompt.
        assert_eq!(cut.plan(300, 1000, 100), Some((10, 260)));
        // However much is to be kept, one token is for the answer.
        assert_eq!(Truncate::DropOldest { keep_first: 500 }.plan(300, 1, 100), Some((99, 300)));
        assert_eq!(cut.plan(5, 1, 1), None);
    }
}
