//! One timeline of tokens.
//!
//! Callers hand in whole prompts. A session remembers the tokens of the last one together with what the
//! network computed for them, keeps the longest common beginning, and computes only the rest: a conversation
//! that grows by a turn costs a turn.

use crate::generation::{Cancel, Finish, GenerateOptions, Generation, Piece, Score, Timings};
use crate::sampling::Sampler;
use crate::stop::StopWatch;
use crate::{Engine, Error};
use corpus::tokenizer::DecodeStream;
use model::decoder::{KvCache, Rows};
use std::time::Instant;

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
}

impl Session {
    /// An empty session.
    pub fn new(engine: &Engine) -> Self {
        Self {
            engine: engine.clone(),
            cache: KvCache::new(engine.config(), engine.context_len()),
            tokens: Vec::new(),
            logits: Vec::new(),
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
        let start = Instant::now();
        let limit = self.limit(options.context_len);
        let prompt = fit(prompt, options, limit)?;
        let mut sampler = Sampler::new(&options.sampling, &prompt.tokens)?;
        let engine = self.engine.clone();
        let mut answer = Answer::new(&engine, options, on_piece);

        let cached_tokens = self.rewind_to_common(&prompt.tokens);
        let mut finish = None;
        if !self.read(&prompt.tokens[cached_tokens..], cancel)? {
            finish = Some(Finish::Cancelled);
        }
        let prefill = start.elapsed();
        let mut first_token = None;
        let finish = loop {
            finish = finish.or_else(|| answer.is_full().then_some(Finish::Length));
            if let Some(finish) = finish {
                break finish;
            }
            let position = self.tokens.len();
            let token = sampler.next(&mut self.logits).ok_or(Error::NotFinite { position })?;
            first_token.get_or_insert_with(|| start.elapsed());
            finish = answer.push(token);
            if finish.is_some() {
                continue;
            }
            if answer.is_full() {
                finish = Some(Finish::Length);
            } else if self.tokens.len() >= limit {
                finish = Some(Finish::ContextFull);
            } else if cancel.is_cancelled() {
                finish = Some(Finish::Cancelled);
            } else {
                self.step(&[token], Rows::Last)?;
            }
        };
        let total = start.elapsed();
        let (text, tokens) = answer.finish();
        Ok(Generation {
            text,
            tokens,
            finish,
            prompt_tokens: prompt.tokens.len(),
            cached_tokens,
            dropped_tokens: prompt.dropped,
            timings: Timings {
                prefill,
                first_token: first_token.unwrap_or_default(),
                decode: total.saturating_sub(first_token.unwrap_or(total)),
                total,
            },
        })
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

/// A prompt as it is used.
struct Fitted<'p> {
    tokens: std::borrow::Cow<'p, [u32]>,
    dropped: usize,
}

fn fit<'p>(
    prompt: &'p [u32],
    options: &GenerateOptions,
    limit: usize,
) -> Result<Fitted<'p>, Error> {
    if prompt.is_empty() {
        return Err(Error::EmptyPrompt);
    }
    let plan = options.truncate.plan(prompt.len(), options.max_tokens, limit);
    let (first, rest) = plan.ok_or(Error::ContextFull { needed: prompt.len() + 1, limit })?;
    Ok(match rest - first {
        0 => Fitted { tokens: prompt.into(), dropped: 0 },
        dropped => Fitted { tokens: [&prompt[..first], &prompt[rest..]].concat().into(), dropped },
    })
}

/// The answer while it grows: tokens → characters → text up to a stop text.
struct Answer<'a> {
    engine: &'a Engine,
    options: &'a GenerateOptions,
    on_piece: &'a mut dyn FnMut(&Piece),
    stream: Option<DecodeStream<'a>>,
    watch: StopWatch,
    /// A stop text came up; nothing goes out any more.
    stopped: bool,
    text: String,
    tokens: Vec<u32>,
}

impl<'a> Answer<'a> {
    fn new(
        engine: &'a Engine,
        options: &'a GenerateOptions,
        on_piece: &'a mut dyn FnMut(&Piece),
    ) -> Self {
        let stream = engine.tokenizer().ok().map(|tokenizer| tokenizer.stream());
        let watch = StopWatch::new(&options.stop);
        let (text, tokens) = (String::new(), Vec::new());
        Self { engine, options, on_piece, stream, watch, stopped: false, text, tokens }
    }

    fn is_full(&self) -> bool {
        self.tokens.len() >= self.options.max_tokens
    }

    fn push(&mut self, token: u32) -> Option<Finish> {
        if !self.options.ignore_end && self.engine.end_tokens().contains(&token) {
            return Some(Finish::Stop);
        }
        self.tokens.push(token);
        let text = self.stream.as_mut().and_then(|stream| stream.push(token))?;
        let watched = self.watch.push(&text);
        self.emit(watched.text);
        self.stopped = watched.stopped;
        self.stopped.then_some(Finish::Stop)
    }

    fn emit(&mut self, text: String) {
        if !text.is_empty() {
            self.text.push_str(&text);
            (self.on_piece)(&Piece { text, n_tokens: self.tokens.len() });
        }
    }

    /// Lets out what was held back.
    fn finish(mut self) -> (String, Vec<u32>) {
        if !self.stopped {
            let last = self.stream.as_mut().and_then(|stream| stream.finish()).unwrap_or_default();
            let watched = self.watch.push(&last);
            let held = if watched.stopped { String::new() } else { self.watch.finish() };
            self.emit(watched.text + &held);
        }
        (self.text, self.tokens)
    }
}
