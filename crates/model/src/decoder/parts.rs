//! Several texts in one pass through the network, each with its own cache and its own number of new tokens.
//!
//! All new tokens stand in one list of rows, text after text; products, norms and experts see only rows. Only
//! attention and the caches know where a text begins. A list longer than a chunk is cut into passes.

use std::borrow::Cow;
use std::ops::Range;

use kernels::pool::Pool;

use super::Precision;
use super::scratch::Scratch;
use super::{CHUNK_TOKENS, Decoder, KvCache, Rows};
use crate::Error;

/// What one text brings: its cache, the tokens that follow what the cache remembers, and which of them logits are
/// wanted for.
#[derive(Debug)]
pub struct Part<'a> {
    pub cache: &'a mut KvCache,
    pub tokens: Cow<'a, [u32]>,
    pub want: Rows,
}

impl Part<'_> {
    /// Rows of logits that are wanted.
    pub fn n_rows(&self) -> usize {
        match self.want {
            Rows::All => self.tokens.len(),
            Rows::Last => self.tokens.len().min(1),
            Rows::None => 0,
        }
    }

    /// Which of the tokens `range` logits are wanted for, counted from its start.
    fn wanted(&self, range: &Range<usize>) -> Range<usize> {
        let len = range.len();
        match self.want {
            Rows::All => 0..len,
            Rows::Last if range.end == self.tokens.len() => len.saturating_sub(1)..len,
            _ => len..len,
        }
    }
}

/// A text's rows in a pass.
pub(super) struct Segment<'a> {
    pub(super) cache: &'a mut KvCache,
    pub(super) n_tokens: usize,
}

impl Decoder {
    /// Appends each part's tokens to its cache and leaves the wanted logits `[rows, vocab]`, part after part, in
    /// `logits`; what was in it is replaced. Each part's logits are what it would get alone, to the bit.
    ///
    /// # Errors
    /// As [`Decoder::forward`]. All caches are unchanged then.
    ///
    /// # Panics
    /// If a cache was made for another configuration.
    pub fn forward_parts(
        &self,
        pool: &Pool,
        parts: &mut [Part<'_>],
        logits: &mut Vec<f32>,
    ) -> Result<(), Error> {
        let vocab = self.config.vocab;
        // Weights that are stored as floats are multiplied exactly, and then so is what they make.
        let compact =
            self.precision == Precision::Fast && kernels::rounded::supports(self.embedding.format);
        for part in parts.iter_mut() {
            if let Some(&token) = part.tokens.iter().find(|&&token| token as usize >= vocab) {
                return Err(Error::Token { token, vocab });
            }
            part.cache.reserve(&self.config, part.tokens.len(), compact)?;
        }
        // A product of two checked sizes may still be more than this machine has.
        let n_values = parts.iter().map(Part::n_rows).sum::<usize>().saturating_mul(vocab);
        let bytes = n_values.saturating_mul(size_of::<f32>());
        // What stands there is written over: a step of the same text needs no zeros.
        let more = n_values.saturating_sub(logits.len());
        logits.try_reserve_exact(more).map_err(|_| Error::Memory { what: "logits", bytes })?;
        logits.resize(n_values, 0.0);
        let mut scratch = self.idle.take();
        let (mut done, mut left) = ((0, 0), logits.as_mut_slice());
        while let Some((next, ranges)) = pass(parts, done) {
            left = self.run_pass(pool, &mut scratch, &mut parts[done.0..], &ranges, left);
            done = next;
        }
        self.idle.give(scratch);
        Ok(())
    }

    /// One pass over `ranges` of the tokens of the first parts; what is left of `logits` for the next ones.
    fn run_pass<'l>(
        &self,
        pool: &Pool,
        scratch: &mut Scratch,
        parts: &mut [Part<'_>],
        ranges: &[Range<usize>],
        logits: &'l mut [f32],
    ) -> &'l mut [f32] {
        scratch.resize(&self.config, ranges.iter().map(Range::len).sum());
        scratch.precision = self.precision;
        scratch.positions.clear();
        let (mut wanted, mut row) = (Vec::new(), 0);
        let mut segments = Vec::with_capacity(ranges.len());
        for (part, range) in parts.iter_mut().zip(ranges) {
            self.embed(&mut scratch.x, row, &part.tokens[range.clone()]);
            let rows = part.wanted(range);
            wanted.push(row + rows.start..row + rows.end);
            row += range.len();
            let first = part.cache.len();
            scratch.positions.extend((first..first + range.len()).map(|position| position as u32));
            segments.push(Segment { cache: &mut *part.cache, n_tokens: range.len() });
        }
        self.run_layers(pool, scratch, &mut segments);
        for segment in segments {
            segment.cache.advance(segment.n_tokens);
        }
        self.run_head(pool, scratch, &wanted, logits)
    }

    fn embed(&self, x: &mut [f32], first_row: usize, tokens: &[u32]) {
        let (hidden, scale) = (self.config.hidden, self.config.embedding_scale);
        let embedding = self.embedding.view();
        for (row, &token) in x[first_row * hidden..].chunks_exact_mut(hidden).zip(tokens) {
            embedding.dequantize_row(row, token as usize);
            if scale != 1.0 {
                row.iter_mut().for_each(|value| *value *= scale);
            }
        }
    }
}

/// How far a list of parts has been read: the part, and the token in it.
type Place = (usize, usize);

/// The next pass from `start` on: what it reads of each part, and where it ends; `None` when all is read.
fn pass(parts: &[Part<'_>], start: Place) -> Option<(Place, Vec<Range<usize>>)> {
    let (mut part, mut token) = start;
    let mut left = CHUNK_TOKENS;
    let mut ranges = Vec::new();
    while left > 0 && part < parts.len() {
        let len = parts[part].tokens.len();
        let end = len.min(token + left);
        ranges.push(token..end);
        left -= end - token;
        (part, token) = if end == len { (part + 1, 0) } else { (part, end) };
    }
    (!ranges.is_empty()).then_some(((part, token), ranges))
}
