//! One answer, step by step, whoever runs the network: what to read next, and what the logits mean for it.
//!
//! ```text
//! prompt ─ chunks ─▶ logits ─▶ token ─▶ [token, guesses…] ─▶ logits of each ─▶ tokens ─▶ …
//! ```
//!
//! The cache that belongs to a turn is its driver's: a [`Session`](crate::Session) has one, a
//! [`Batcher`](crate::Batcher) one for each turn. A driver lets the turn guess ([`Turn::guess`]), reads [`Turn::feed`],
//! hands the logits to [`Turn::absorb`], and forgets what that says was guessed wrongly.

use crate::answer::Answer;
use crate::companion::{Ask, Companion};
use crate::draft::Drafter;
use crate::form::Guide;
use crate::generation::{
    Finish, GenerateOptions, Generation, Guesses, Piece, Timings, TokenLogprobs,
};
use crate::sampling::Sampler;
use crate::{Engine, Error};
use model::decoder::Rows;
use std::borrow::Cow;
use std::time::{Duration, Instant};

/// Tokens that are guessed at most in a step where nobody says otherwise: eight together take about two and a half times
/// as long as one.
const MOST_GUESSES: usize = 7;

pub(crate) struct Turn<'e> {
    /// Prompt and answer: all that the cache holds or will hold.
    tokens: Vec<u32>,
    n_prompt: usize,
    n_dropped: usize,
    /// How many of them the driver's cache holds.
    n_read: usize,
    n_cached: usize,
    limit: usize,
    /// Tokens that may follow the last one, read with it.
    guesses: Vec<u32>,
    /// Whether the draft model guessed them.
    are_drafted: bool,
    lookup: Drafter,
    drafter: Drafter,
    /// The draft model's reading of this text, where the engine has one.
    companion: Option<Companion>,
    looked_up: Guesses,
    drafted: Guesses,
    n_steps: usize,
    sampler: Sampler,
    guide: Option<Guide>,
    top_logprobs: Option<usize>,
    answer: Answer<'e>,
    finish: Option<Finish>,
    start: Instant,
    prefill: Duration,
    first_token: Option<Duration>,
}

/// What to read, and for which of it logits are wanted.
pub(crate) struct Feed<'t> {
    pub(crate) tokens: Cow<'t, [u32]>,
    pub(crate) want: Rows,
}

impl<'e> Turn<'e> {
    /// An answer to `prompt`, cut as `options` say to fit the engine's context.
    pub(crate) fn new(
        engine: &'e Engine,
        prompt: &[u32],
        options: &GenerateOptions,
    ) -> Result<Self, Error> {
        let start = Instant::now();
        let limit = options.context_len.unwrap_or(usize::MAX).min(engine.context_len());
        let (prompt, n_dropped) = fit(prompt, options, limit)?;
        let vocab = engine.vocab();
        if let Some(&token) = prompt.iter().find(|&&token| token as usize >= vocab) {
            return Err(model::Error::Token { token, vocab }.into());
        }
        let guide = options.form.as_ref().map(|form| engine.guide(form)).transpose()?;
        let sampler = Sampler::new(&options.sampling, &prompt)?;
        let finish = (options.max_tokens == 0).then_some(Finish::Length);
        let lookups =
            options.guess_tokens.unwrap_or(if sampler.is_greedy() { MOST_GUESSES } else { 0 });
        let drafts = options.guess_tokens.unwrap_or(MOST_GUESSES);
        let companion = engine.draft().filter(|_| drafts > 0).map(|draft| Companion::new(&draft));
        Ok(Self {
            n_prompt: prompt.len(),
            n_dropped,
            tokens: prompt.into_owned(),
            n_read: 0,
            n_cached: 0,
            limit,
            guesses: Vec::new(),
            are_drafted: false,
            lookup: Drafter::new(lookups),
            drafter: Drafter::of_model(drafts),
            companion,
            looked_up: Guesses::default(),
            drafted: Guesses::default(),
            n_steps: 0,
            sampler,
            guide,
            top_logprobs: options.top_logprobs,
            answer: Answer::new(engine, options),
            finish,
            start,
            prefill: Duration::ZERO,
            first_token: None,
        })
    }

    /// The prompt, as it is used.
    pub(crate) fn prompt(&self) -> &[u32] {
        &self.tokens[..self.n_prompt]
    }

    /// The tokens that the driver's cache holds.
    pub(crate) fn read_tokens(&self) -> &[u32] {
        &self.tokens[..self.n_read]
    }

    /// The cache holds the first `n` tokens of the prompt already. The last one is always read again, because
    /// its logits are what comes next.
    pub(crate) fn remember(&mut self, n: usize) {
        assert!(n < self.n_prompt, "the last token of a prompt is always read");
        self.n_read = n;
        self.n_cached = n;
    }

    pub(crate) fn is_reading_prompt(&self) -> bool {
        self.n_read < self.n_prompt
    }

    /// A draft model's reading of an earlier turn of the same conversation, to go on from.
    pub(crate) fn accompany(&mut self, earlier: Option<Companion>) {
        if self.companion.is_some() && earlier.is_some() {
            self.companion = earlier;
        }
    }

    /// The draft model's reading, for the next turn.
    pub(crate) fn take_companion(&mut self) -> Option<Companion> {
        self.companion.take()
    }

    /// Guesses at most `most` tokens from what the text repeats. Where it repeats nothing: what to ask the draft model.
    pub(crate) fn guess(&mut self, most: usize) -> Option<Ask<'_>> {
        self.guesses.clear();
        if self.is_reading_prompt() || self.has_ended() {
            return None;
        }
        let room = (self.limit - self.tokens.len()).min(self.answer.room().saturating_sub(1));
        let room = room.min(most);
        self.guesses.extend_from_slice(self.lookup.draft(&self.tokens, room));
        self.are_drafted = self.guesses.is_empty() && room > 0;
        let companion = self.companion.as_mut().filter(|_| self.are_drafted)?;
        let most = self.drafter.allowance().min(room);
        (most > 0).then(|| Ask {
            companion,
            text: &self.tokens,
            answer: &self.answer,
            sampler: self.sampler.ahead(),
            guide: self.guide.as_ref().map(Guide::ahead),
            most,
            guesses: &mut self.guesses,
        })
    }

    /// What to read next: at most `most` tokens (at least 1) of the prompt, or the last token with its guesses.
    pub(crate) fn feed(&mut self, most: usize) -> Feed<'_> {
        if self.is_reading_prompt() {
            let end = self.n_prompt.min(self.n_read + most);
            let want = if end == self.n_prompt { Rows::Last } else { Rows::None };
            return Feed { tokens: Cow::Borrowed(&self.tokens[self.n_read..end]), want };
        }
        let last = &self.tokens[self.n_read..];
        match self.guesses.is_empty() {
            true => Feed { tokens: Cow::Borrowed(last), want: Rows::Last },
            false => Feed { tokens: Cow::Owned([last, &self.guesses].concat()), want: Rows::All },
        }
    }

    /// Takes the logits `[rows, vocab]` of what [`Turn::feed`] gave, `n_fed` tokens. Returns how many tokens the
    /// cache should hold: those read, without guesses that were wrong.
    pub(crate) fn absorb(
        &mut self,
        n_fed: usize,
        logits: &mut [f32],
        vocab: usize,
    ) -> Result<usize, Error> {
        if self.is_reading_prompt() {
            self.n_read += n_fed;
            if self.is_reading_prompt() {
                return Ok(self.n_read);
            }
            self.prefill = self.start.elapsed();
            self.choose(&mut logits[..vocab])?;
            return Ok(self.n_read);
        }
        self.n_read += 1;
        let guesses = std::mem::take(&mut self.guesses);
        let mut n_right = 0;
        for (i, row) in logits.chunks_exact_mut(vocab).enumerate() {
            let chosen = self.choose(row)?;
            let right = guesses.get(i).is_some_and(|&guess| chosen == Some(guess));
            n_right += usize::from(right);
            if !right || self.finish.is_some() {
                break;
            }
            self.n_read += 1;
        }
        self.n_steps += 1;
        let (drafter, counted) = match self.are_drafted {
            true => (&mut self.drafter, &mut self.drafted),
            false => (&mut self.lookup, &mut self.looked_up),
        };
        drafter.learn(guesses.len(), n_right);
        counted.made += guesses.len();
        counted.right += n_right;
        Ok(self.n_read)
    }

    /// Chooses a token and takes it into the answer; `None` if it ended the answer without being part of it.
    fn choose(&mut self, logits: &mut [f32]) -> Result<Option<u32>, Error> {
        let position = self.tokens.len();
        let row = self.top_logprobs.map(|_| logits.to_vec());
        if let Some(guide) = &mut self.guide {
            guide.forbid(logits)?;
        }
        let token = self.sampler.next(logits).ok_or(Error::NotFinite { position })?;
        self.first_token.get_or_insert_with(|| self.start.elapsed());
        let complete = self.guide.as_mut().map(|guide| guide.accept(token)).transpose()?;
        if self.answer.is_end(token) {
            self.end(Finish::Stop);
            return Ok(None);
        }
        let logprobs = row.zip(self.top_logprobs);
        let logprobs = logprobs.map(|(row, top)| TokenLogprobs::new(&row, token, top));
        self.tokens.push(token);
        let stopped = self.answer.push(token, logprobs);
        if let Some(finish) = stopped {
            self.end(finish);
        } else if complete == Some(true) {
            self.end(Finish::Stop);
        } else if self.answer.room() == 0 {
            self.end(Finish::Length);
        } else if self.tokens.len() > self.limit {
            self.end(Finish::ContextFull);
        }
        Ok(Some(token))
    }

    /// Ends the answer, unless it has ended already.
    pub(crate) fn end(&mut self, finish: Finish) {
        if self.finish.is_none() {
            self.finish = Some(finish);
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.finish.is_some()
    }

    /// Text that may go out since the last time.
    pub(crate) fn take_pieces(&mut self) -> std::vec::Drain<'_, Piece> {
        self.answer.take_pieces()
    }

    /// Lets out what a stop text held back. More pieces may come of it.
    pub(crate) fn close(&mut self) {
        self.answer.finish();
    }

    pub(crate) fn into_generation(self) -> Generation {
        let total = self.start.elapsed();
        Generation {
            text: self.answer.text,
            tokens: self.answer.tokens,
            logprobs: self.answer.logprobs,
            finish: self.finish.unwrap_or(Finish::Cancelled),
            prompt_tokens: self.n_prompt,
            cached_tokens: self.n_cached,
            dropped_tokens: self.n_dropped,
            steps: self.n_steps,
            lookup: self.looked_up,
            draft: self.drafted,
            timings: Timings {
                prefill: self.prefill,
                first_token: self.first_token.unwrap_or_default(),
                decode: total.saturating_sub(self.first_token.unwrap_or(total)),
                total,
            },
        }
    }
}

/// The prompt as it is used, and how many tokens were left out of it.
fn fit<'p>(
    prompt: &'p [u32],
    options: &GenerateOptions,
    limit: usize,
) -> Result<(Cow<'p, [u32]>, usize), Error> {
    if prompt.is_empty() {
        return Err(Error::EmptyPrompt);
    }
    let plan = options.truncate.plan(prompt.len(), options.max_tokens, limit);
    let (first, rest) = plan.ok_or(Error::ContextFull { needed: prompt.len() + 1, limit })?;
    Ok(match rest - first {
        0 => (prompt.into(), 0),
        dropped => ([&prompt[..first], &prompt[rest..]].concat().into(), dropped),
    })
}
