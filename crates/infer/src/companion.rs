//! A draft model beside the model that answers: small, so that its guesses at the next tokens are cheap.
//!
//! Where the text itself gives no guess ([`crate::draft`]), the draft model reads it too and guesses one token after the
//! other. Guesses are read by the large model together with the last token, and only those that the sampler chooses from
//! the large model's logits stay (as in arXiv 2211.17192, but without its acceptance by chance): the answer is the same
//! as without guesses, only the number of steps is not.
//!
//! The draft model's logits go through a copy of the turn's own sampler, with the same penalties and the same random
//! numbers, and of what keeps the answer's form. So the guess is what the large model would say if it found the same
//! tokens probable, also when chance decides.

use crate::answer::Answer;
use crate::form::Guide;
use crate::sampling::Sampler;
use crate::{Engine, Error};
use corpus::tokenizer::Tokenizer;
use model::decoder::{KvCache, Part, Rows};
use std::borrow::Cow;

/// Tokens of a text that the draft model reads at most in a step: a long prompt is read in parts, beside the answer.
const CATCH_UP: usize = 128;

/// What the draft model remembers of one answer's text.
#[derive(Debug)]
pub(crate) struct Companion {
    cache: KvCache,
    /// The tokens that the cache holds.
    tokens: Vec<u32>,
}

impl Companion {
    /// A companion that has read nothing, for the draft model `draft`.
    pub(crate) fn new(draft: &Engine) -> Self {
        Self { cache: KvCache::new(draft.config(), draft.context_len()), tokens: Vec::new() }
    }

    /// Forgets what `text` does not begin with. The last token of a text is always read again.
    fn rewind(&mut self, text: &[u32]) {
        let common = self.tokens.iter().zip(text).take_while(|(a, b)| a == b).count();
        let common = common.min(text.len().saturating_sub(1));
        self.cache.truncate(common);
        self.tokens.truncate(common);
    }
}

/// What a turn wants to know of the draft model: up to `most` tokens after `text`.
pub(crate) struct Ask<'t> {
    pub(crate) companion: &'t mut Companion,
    /// Prompt and answer so far.
    pub(crate) text: &'t [u32],
    pub(crate) answer: &'t Answer<'t>,
    /// Copies of the turn's own, which run ahead.
    pub(crate) sampler: Sampler,
    pub(crate) guide: Option<Guide>,
    pub(crate) most: usize,
    /// Where the guesses go.
    pub(crate) guesses: &'t mut Vec<u32>,
}

/// Answers what turns ask, all of them together: a pass of the draft model for each further token. Where it fails, as for
/// want of memory, there are fewer guesses and nothing else is lost.
pub(crate) fn guess(engine: &Engine, asks: Vec<Ask<'_>>) {
    let Some(draft) = engine.draft() else { return };
    let mut asks: Vec<Reading<'_>> =
        asks.into_iter().filter_map(|ask| Reading::begin(ask, &draft)).collect();
    let n_known = engine.vocab().min(draft.vocab());
    let mut logits = Vec::new();
    while !asks.is_empty() {
        let mut parts: Vec<Part<'_>> = asks.iter_mut().map(Reading::part).collect();
        let read = draft.decoder().forward_parts(engine.pool(), &mut parts, &mut logits);
        if read.is_err() {
            return;
        }
        let mut rows = logits.chunks_exact_mut(draft.vocab()).map(|row| &mut row[..n_known]);
        asks.retain_mut(|reading| reading.has_read(&mut rows));
    }
}

/// A question under way.
struct Reading<'t> {
    ask: Ask<'t>,
    /// What is read in the next pass.
    next: Vec<u32>,
    /// Whether the text goes on after it, so that its logits say nothing new.
    is_behind: bool,
}

impl<'t> Reading<'t> {
    /// `None` where the draft model cannot follow: a text longer than it sees, a token that it does not know.
    fn begin(ask: Ask<'t>, draft: &Engine) -> Option<Self> {
        ask.companion.rewind(ask.text);
        let unread = &ask.text[ask.companion.tokens.len()..];
        let is_known = |&token: &u32| (token as usize) < draft.vocab();
        if ask.text.len() + ask.most > draft.context_len() || !unread.iter().all(is_known) {
            return None;
        }
        let next = unread[..unread.len().min(CATCH_UP)].to_vec();
        let is_behind = next.len() < unread.len();
        Some(Self { ask, next, is_behind })
    }

    fn part(&mut self) -> Part<'_> {
        let want = if self.is_behind { Rows::None } else { Rows::Last };
        Part { cache: &mut self.ask.companion.cache, tokens: Cow::Borrowed(&self.next), want }
    }

    /// Takes the logits after what was read, unless there are none; says whether there is more to guess.
    fn has_read<'r>(&mut self, rows: &mut impl Iterator<Item = &'r mut [f32]>) -> bool {
        self.ask.companion.tokens.extend_from_slice(&self.next);
        if self.is_behind {
            return false;
        }
        let chosen = rows.next().and_then(|logits| self.choose(logits));
        // After the end nothing follows.
        let Some(token) = chosen.filter(|&token| !self.ask.answer.is_end(token)) else {
            return false;
        };
        self.ask.guesses.push(token);
        self.next = vec![token];
        let guide = self.ask.guide.as_mut();
        let complete = guide.is_some_and(|guide| !matches!(guide.accept(token), Ok(false)));
        !complete && self.ask.guesses.len() < self.ask.most
    }

    fn choose(&mut self, logits: &mut [f32]) -> Option<u32> {
        if let Some(guide) = &mut self.ask.guide {
            guide.forbid(logits).ok()?;
        }
        self.ask.sampler.next(logits)
    }
}

/// Whether `draft` can guess for `model`: the same tokens, the same ends.
///
/// # Errors
/// [`Error::Draft`], which names the first difference, or [`Error::NoTokenizer`].
pub(crate) fn check(model: &Engine, draft: &Engine) -> Result<(), Error> {
    let differ = |reason: String| Error::Draft {
        model: model.name().to_string(),
        draft: draft.name().to_string(),
        reason,
    };
    let (of_model, of_draft) = (model.tokenizer()?, draft.tokenizer()?);
    let (n, n_draft) = (n_pieces(of_model), n_pieces(of_draft));
    if n != n_draft {
        return Err(differ(format!("it knows {n_draft} tokens and not {n}")));
    }
    for id in 0..n as u32 {
        let (piece, other) = (of_model.piece(id), of_draft.piece(id));
        if piece != other {
            let [piece, other] = [piece, other].map(Option::unwrap_or_default);
            return Err(differ(format!("its token {id} is `{other}` and not `{piece}`")));
        }
    }
    let (end, end_draft) = (model.end_tokens(), draft.end_tokens());
    if end != end_draft {
        return Err(differ(format!("its answers end with tokens {end_draft:?} and not {end:?}")));
    }
    Ok(())
}

/// Number of tokens, without those that fill a GGUF file up to a round number of rows.
fn n_pieces(tokenizer: &Tokenizer) -> usize {
    let fills = |id: u32| tokenizer.piece(id).is_some_and(|piece| piece.starts_with("[PAD"));
    let mut n = tokenizer.vocab_size();
    while n > 0 && fills(n as u32 - 1) {
        n -= 1;
    }
    n
}
