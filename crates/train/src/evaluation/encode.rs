//! Texts to tokens as lm-evaluation-harness makes them, so that scores mean the same.
//!
//! A continuation's tokens are what the encoding of both texts together has beyond the length of the context's own
//! encoding; white space at the end of a context belongs to the continuation. Special tokens that a tokenizer puts around
//! a text are put, unless the text begins with the begin token's name. Without a context the begin token (else the end
//! token) takes its place.

use corpus::tokenizer::{Special, Tokenizer};
use infer::{Engine, ScoredText};

use crate::Error;

pub(super) struct Encoder<'a> {
    tokenizer: &'a Tokenizer,
    /// What stands before a text that has nothing before it.
    prefix: u32,
    prefix_text: String,
    /// Most tokens that the model reads at once.
    max_length: usize,
}

impl<'a> Encoder<'a> {
    pub(super) fn new(engine: &'a Engine, max_length: Option<usize>) -> Result<Self, Error> {
        let tokenizer = engine.tokenizer()?;
        let prefix = tokenizer.bos().or(tokenizer.eos()).ok_or_else(|| {
            Error::configuration(
                format!("the tokenizer of {} has neither a begin nor an end token", engine.name()),
                "a text without context needs one; name it in tokenizer_config.json",
            )
        })?;
        let prefix_text = tokenizer.piece(prefix).unwrap_or_default();
        let max_length = max_length.unwrap_or(usize::MAX).min(engine.context_len());
        Ok(Self { tokenizer, prefix, prefix_text, max_length })
    }

    pub(super) fn max_length(&self) -> usize {
        self.max_length
    }

    /// The tokens of a text, with what the tokenizer puts around it.
    pub(super) fn encode(&self, text: &str) -> Vec<u32> {
        let begun = !self.prefix_text.is_empty() && text.starts_with(&self.prefix_text);
        self.tokenizer.encode(text, Special::Parse, !begun)
    }

    /// A continuation to be scored after a context. What is too long loses its beginning.
    pub(super) fn pair(&self, context: &str, continuation: &str) -> Result<ScoredText, String> {
        let mut text = match context {
            "" => self.alone(continuation)?,
            _ => self.joint(context, continuation)?,
        };
        let n_scored = text.tokens.len() - text.n_context;
        if n_scored > self.max_length {
            let limit = self.max_length;
            return Err(format!("a continuation has {n_scored} tokens, the model sees {limit}"));
        }
        let surplus = text.tokens.len().saturating_sub(self.max_length + 1);
        text.tokens.drain(..surplus);
        text.n_context -= surplus;
        Ok(text)
    }

    fn alone(&self, continuation: &str) -> Result<ScoredText, String> {
        let mut tokens = self.tokenizer.encode(continuation, Special::Parse, false);
        if tokens.first() != Some(&self.prefix) {
            tokens.insert(0, self.prefix);
        }
        if tokens.len() < 2 {
            return Err("a continuation has no tokens".to_owned());
        }
        Ok(ScoredText { tokens, n_context: 1 })
    }

    fn joint(&self, context: &str, continuation: &str) -> Result<ScoredText, String> {
        let trimmed = context.trim_end_matches(is_space);
        let mut tokens = self.encode(trimmed);
        let n_context = tokens.len();
        if n_context == 0 {
            return Err("a context has no tokens".to_owned());
        }
        let whole = self.encode(&format!("{context}{continuation}"));
        let scored = whole.get(n_context..).filter(|scored| !scored.is_empty());
        tokens.extend(
            scored.ok_or_else(|| format!("the continuation `{continuation}` has no tokens"))?,
        );
        Ok(ScoredText { tokens, n_context })
    }

    /// A whole text as windows: each as long as the model allows, each token predicted once, with at least one token
    /// before it.
    pub(super) fn windows(&self, text: &str) -> Vec<ScoredText> {
        rolling(&self.encode(text), self.prefix, self.max_length)
    }
}

/// White space as Python's `str.rstrip` sees it.
fn is_space(letter: char) -> bool {
    letter.is_whitespace() || ('\x1c'..='\x1f').contains(&letter)
}

/// Windows of at most `max_length` tokens read. The first has `prefix` as its context; each later one is as long as it can
/// be, so that only what was predicted before is its context, at least one token.
fn rolling(tokens: &[u32], prefix: u32, max_length: usize) -> Vec<ScoredText> {
    let mut windows = Vec::new();
    let mut done = tokens.len().min(max_length);
    if done > 0 {
        let mut first = vec![prefix];
        first.extend(&tokens[..done]);
        windows.push(ScoredText { tokens: first, n_context: 1 });
    }
    while done < tokens.len() {
        let n = max_length.min(tokens.len() - done);
        let end = done + n;
        let window = tokens[end - max_length - 1..end].to_vec();
        windows.push(ScoredText { n_context: window.len() - n, tokens: window });
        done = end;
    }
    windows
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn windows_predict_every_token_once_and_are_full_where_they_can_be(
            n in 0..200_usize,
            max_length in 1..50_usize,
        ) {
            let tokens: Vec<u32> = (1..=n as u32).collect();
            let windows = rolling(&tokens, 0, max_length);
            let predicted = windows.iter().flat_map(|w| w.tokens[w.n_context..].iter().copied());
            prop_assert_eq!(predicted.collect::<Vec<_>>(), tokens);
            for (at, window) in windows.iter().enumerate() {
                prop_assert!(window.n_context >= 1);
                // One token more than is read: the last is only predicted.
                prop_assert_eq!(window.tokens.len(), if at == 0 { n.min(max_length) } else { max_length } + 1);
                prop_assert!(window.tokens.is_sorted_by(|a, b| a + 1 == *b), "nothing is left out");
            }
        }
    }
}
