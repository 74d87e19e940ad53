//! An answer while it grows: tokens → characters → text up to a stop text.

use crate::Engine;
use crate::generation::{Finish, GenerateOptions, Piece, TokenLogprobs};
use crate::stop::StopWatch;
use corpus::tokenizer::DecodeStream;

pub(crate) struct Answer<'a> {
    end_tokens: &'a [u32],
    ignore_end: bool,
    max_tokens: usize,
    stream: Option<DecodeStream<'a>>,
    watch: StopWatch,
    /// A stop text came up; nothing goes out any more.
    stopped: bool,
    pub(crate) text: String,
    pub(crate) tokens: Vec<u32>,
    pub(crate) logprobs: Vec<TokenLogprobs>,
    /// How many of the `logprobs` went out with a piece.
    n_reported: usize,
    pieces: Vec<Piece>,
}

impl<'a> Answer<'a> {
    pub(crate) fn new(engine: &'a Engine, options: &GenerateOptions) -> Self {
        Self {
            end_tokens: engine.end_tokens(),
            ignore_end: options.ignore_end,
            max_tokens: options.max_tokens,
            stream: engine.tokenizer().ok().map(|tokenizer| tokenizer.stream()),
            watch: StopWatch::new(&options.stop),
            stopped: false,
            text: String::new(),
            tokens: Vec::new(),
            logprobs: Vec::new(),
            n_reported: 0,
            pieces: Vec::new(),
        }
    }

    /// Tokens that there is still room for.
    pub(crate) fn room(&self) -> usize {
        self.max_tokens.saturating_sub(self.tokens.len())
    }

    pub(crate) fn is_end(&self, token: u32) -> bool {
        !self.ignore_end && self.end_tokens.contains(&token)
    }

    /// Takes a token that is not an end; says whether a stop text ends the answer here.
    pub(crate) fn push(&mut self, token: u32, logprobs: Option<TokenLogprobs>) -> Option<Finish> {
        self.tokens.push(token);
        self.logprobs.extend(logprobs);
        let text = self.stream.as_mut().and_then(|stream| stream.push(token))?;
        let watched = self.watch.push(&text);
        self.emit(watched.text);
        self.stopped = watched.stopped;
        self.stopped.then_some(Finish::Stop)
    }

    /// Lets out what was held back.
    pub(crate) fn finish(&mut self) {
        if !self.stopped {
            let last = self.stream.as_mut().and_then(|stream| stream.finish()).unwrap_or_default();
            let watched = self.watch.push(&last);
            let held = if watched.stopped { String::new() } else { self.watch.finish() };
            self.emit(watched.text + &held);
        }
    }

    /// What may go out since the last time.
    pub(crate) fn take_pieces(&mut self) -> std::vec::Drain<'_, Piece> {
        self.pieces.drain(..)
    }

    fn emit(&mut self, text: String) {
        if text.is_empty() {
            return;
        }
        self.text.push_str(&text);
        let logprobs = self.logprobs[self.n_reported..].to_vec();
        self.n_reported = self.logprobs.len();
        self.pieces.push(Piece { text, n_tokens: self.tokens.len(), logprobs });
    }
}
