//! One timeline of tokens.
//!
//! Callers hand in whole prompts. A session remembers the tokens of the last one together with what the
//! network computed for them, keeps the longest common beginning, and computes only the rest: a conversation
//! that grows by a turn costs a turn.

use crate::companion::{self, Companion};
use crate::generation::{Cancel, Finish, GenerateOptions, Generation, Piece, Score};
use crate::turn::Turn;
use crate::{Engine, Error};
use model::decoder::{KvCache, Rows};

/// Tokens of a prompt between two looks at [`Cancel`]: fractions of a second for models that fit a laptop.
const CHUNK_TOKENS: usize = 256;
/// Positions whose logits are held at once while a continuation is scored.
const SCORE_ROWS: usize = 32;

/// A conversation with an [`Engine`]: what has been read so far, and the means to go on.
#[derive(Debug)]
pub struct Session {
    engine: Engine,
    cache: KvCache,
    /// The tokens that the cache holds, in step with it at all times.
    tokens: Vec<u32>,
    logits: Vec<f32>,
    /// What the draft model has read, where the engine has one.
    companion: Option<Companion>,
}

impl Session {
    /// An empty session.
    pub fn new(engine: &Engine) -> Self {
        Self {
            engine: engine.clone(),
            cache: KvCache::new(engine.config(), engine.context_len()),
            tokens: Vec::new(),
            logits: Vec::new(),
            companion: None,
        }
    }

    /// The engine it talks to.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The tokens it remembers.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Forgets everything from token `len` on.
    pub fn truncate(&mut self, len: usize) {
        self.cache.truncate(len);
        self.tokens.truncate(len);
    }

    /// Continues `prompt`. Text goes to `on_piece` as it comes; `cancel` ends it early with what there is.
    ///
    /// Afterwards the session remembers the prompt and the answer, whatever ended it.
    pub fn generate(
        &mut self,
        prompt: &[u32],
        options: &GenerateOptions,
        cancel: &Cancel,
        on_piece: &mut dyn FnMut(&Piece),
    ) -> Result<Generation, Error> {
        let engine = self.engine.clone();
        let mut turn = Turn::new(&engine, prompt, options)?;
        turn.remember(self.rewind_to_common(turn.prompt()));
        turn.accompany(self.companion.take());
        while !turn.has_ended() {
            if cancel.is_cancelled() {
                turn.end(Finish::Cancelled);
                break;
            }
            companion::guess(&engine, turn.guess(CHUNK_TOKENS).into_iter().collect());
            let feed = turn.feed(CHUNK_TOKENS);
            let n_fed = feed.tokens.len();
            self.step(&feed.tokens, feed.want)?;
            let kept = turn.absorb(n_fed, &mut self.logits, engine.vocab());
            self.truncate(kept.as_ref().copied().unwrap_or(self.tokens.len()));
            kept?;
            turn.take_pieces().for_each(|piece| on_piece(&piece));
        }
        self.companion = turn.take_companion();
        turn.close();
        turn.take_pieces().for_each(|piece| on_piece(&piece));
        Ok(turn.into_generation())
    }

    /// How probable each continuation is after `prompt`. The prompt is read once; each continuation is read
    /// after it and forgotten again, so its score is what it would be alone.
    pub fn score(
        &mut self,
        prompt: &[u32],
        continuations: &[Vec<u32>],
    ) -> Result<Vec<Score>, Error> {
        let limit = self.limit(None);
        let longest = continuations.iter().map(Vec::len).max().unwrap_or(0);
        // The last token of a continuation is predicted but not read.
        let needed = prompt.len() + longest.max(1) - 1;
        if needed > limit {
            return Err(Error::ContextFull { needed, limit });
        }
        if prompt.is_empty() {
            return Err(Error::EmptyPrompt);
        }
        let vocab = self.engine.vocab();
        let unknown = continuations.iter().flatten().find(|&&token| token as usize >= vocab);
        if let Some(&token) = unknown {
            return Err(model::Error::Token { token, vocab }.into());
        }
        let cached = self.rewind_to_common(prompt);
        self.read(&prompt[cached..], &Cancel::new())?;
        let after_prompt = self.logits.clone();
        let mut scores = Vec::with_capacity(continuations.len());
        for continuation in continuations {
            scores.push(self.score_one(&after_prompt, continuation)?);
            self.truncate(prompt.len());
        }
        self.logits = after_prompt;
        Ok(scores)
    }

    /// Logits `[tokens, vocab]` for each position of a text on its own.
    pub fn logits(&mut self, tokens: &[u32]) -> Result<Vec<Vec<f32>>, Error> {
        let limit = self.limit(None);
        if tokens.len() > limit {
            return Err(Error::ContextFull { needed: tokens.len(), limit });
        }
        self.truncate(0);
        let mut rows = Vec::with_capacity(tokens.len());
        for chunk in tokens.chunks(CHUNK_TOKENS) {
            self.step(chunk, Rows::All)?;
            rows.extend(self.logits.chunks_exact(self.engine.vocab()).map(<[f32]>::to_vec));
        }
        Ok(rows)
    }

    fn limit(&self, asked: Option<usize>) -> usize {
        asked.unwrap_or(usize::MAX).min(self.engine.context_len())
    }

    /// Forgets what `prompt` does not begin with, and how much of it is left. The last token of a prompt is
    /// always read again, because its logits are what comes next.
    fn rewind_to_common(&mut self, prompt: &[u32]) -> usize {
        let common = prompt.iter().zip(&self.tokens).take_while(|(a, b)| a == b).count();
        let common = common.min(prompt.len() - 1);
        self.truncate(common);
        common
    }

    /// Reads tokens, in chunks; leaves the logits after the last. `false` if cancelled in between.
    fn read(&mut self, tokens: &[u32], cancel: &Cancel) -> Result<bool, Error> {
        let mut left = tokens.len();
        for chunk in tokens.chunks(CHUNK_TOKENS) {
            if cancel.is_cancelled() {
                return Ok(false);
            }
            left -= chunk.len();
            self.step(chunk, if left == 0 { Rows::Last } else { Rows::None })?;
        }
        Ok(true)
    }

    fn step(&mut self, tokens: &[u32], want: Rows) -> Result<(), Error> {
        let Self { engine, cache, logits, .. } = self;
        engine.decoder().forward_into(engine.pool(), cache, tokens, want, logits)?;
        self.tokens.extend_from_slice(tokens);
        Ok(())
    }

    fn score_one(&mut self, after_prompt: &[f32], continuation: &[u32]) -> Result<Score, Error> {
        let mut score = Score { logprob: 0.0, tokens: continuation.len(), greedy: true };
        let Some((&first, rest)) = continuation.split_first() else { return Ok(score) };
        score.add(after_prompt, first, self.tokens.len())?;
        let read = &continuation[..rest.len()];
        for (chunk, targets) in read.chunks(SCORE_ROWS).zip(rest.chunks(SCORE_ROWS)) {
            let position = self.tokens.len();
            self.step(chunk, Rows::All)?;
            let rows = self.logits.chunks_exact(self.engine.vocab());
            for (i, (row, &target)) in rows.zip(targets).enumerate() {
                score.add(row, target, position + i + 1)?;
            }
        }
        Ok(score)
    }
}

impl Score {
    /// Adds log softmax(logits)[target], summed in f64.
    fn add(&mut self, logits: &[f32], target: u32, position: usize) -> Result<(), Error> {
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let wanted = logits[target as usize];
        let sum: f64 = logits.iter().map(|&logit| f64::exp(f64::from(logit - largest))).sum();
        let logprob = f64::from(wanted) - f64::from(largest) - sum.ln();
        if logprob.is_nan() {
            return Err(Error::NotFinite { position });
        }
        self.logprob += logprob;
        let best = logits.iter().position(|&logit| logit == largest);
        self.greedy &= best == Some(target as usize);
        Ok(())
    }
}
