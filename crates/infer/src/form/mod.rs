//! Answers of a given form: JSON of a schema, what a regular expression matches, what a grammar derives.
//!
//! A [`Form`] says what is wanted. Before each token is chosen, every token that could not lead to a text of
//! that form is forbidden; the end of the answer is allowed where the text is complete. Which tokens those are
//! is worked out by the `llguidance` library (an Earley parser over the tree of all tokens' bytes).

mod gbnf;

use std::sync::Arc;

use corpus::tokenizer::Tokenizer;
use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::{ApproximateTokEnv, InferenceCapabilities, TokEnv, TokRxInfo, TokTrie};
use llguidance::{Matcher, ParserFactory};
use serde_json::{Value, json};

use crate::Error;

/// What the text of an answer has to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Form {
    /// Any JSON object.
    JsonObject,
    /// JSON that this schema (draft 2020-12, as far as `llguidance` knows it) accepts.
    JsonSchema(Value),
    /// A text that this expression (syntax of the `regex` crate) matches from start to end.
    Regex(String),
    /// A text of this grammar, written as for llama.cpp: `root ::= "yes" | "no"`.
    Gbnf(String),
    /// A text of this grammar in `llguidance`'s dialect of Lark.
    Lark(String),
}

impl Form {
    fn grammar(&self) -> Result<TopLevelGrammar, String> {
        Ok(match self {
            Self::JsonObject => TopLevelGrammar::from_json_schema(json!({ "type": "object" })),
            Self::JsonSchema(schema) => TopLevelGrammar::from_json_schema(schema.clone()),
            Self::Regex(pattern) => TopLevelGrammar::from_regex(pattern),
            Self::Gbnf(grammar) => TopLevelGrammar::from_lark(gbnf::to_lark(grammar)?),
            Self::Lark(grammar) => TopLevelGrammar::from_lark(grammar.clone()),
        })
    }
}

/// Turns forms into [`Guide`]s for one model's tokens.
pub(crate) struct Forms {
    factory: ParserFactory,
}

impl Forms {
    /// Sorts all tokens into a tree by their bytes; `vocab` is the number of logits.
    pub(crate) fn new(tokenizer: &Tokenizer, vocab: usize, end: &[u32]) -> Result<Self, Error> {
        let words: Vec<Vec<u8>> = (0..vocab as u32).map(|id| word(tokenizer, id)).collect();
        let &first_end = end.first().ok_or(Error::Form("the model has no end token".into()))?;
        let info = TokRxInfo::new(vocab as u32, first_end);
        let trie = TokTrie::from(&info, &words).with_eos_tokens(end);
        // Nothing is ever skipped ahead, so how a text would be cut into tokens does not matter.
        let env: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
        let mut factory =
            ParserFactory::new(&env, InferenceCapabilities::default(), &slices()).map_err(form)?;
        factory.quiet();
        factory.limits_mut().verbose_errors = false;
        Ok(Self { factory })
    }

    /// Begins an answer of a form, or says why there can be none.
    pub(crate) fn guide(&self, wanted: &Form) -> Result<Guide, Error> {
        let grammar = wanted.grammar().map_err(Error::Form)?;
        let matcher = Matcher::new(self.factory.create_parser(grammar));
        match matcher.get_error() {
            Some(reason) => Err(Error::Form(reason)),
            None => Ok(Guide { matcher }),
        }
    }
}

impl std::fmt::Debug for Forms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forms").finish_non_exhaustive()
    }
}

/// Sets of tokens inside JSON strings that are checked once and not at each step.
fn slices() -> Vec<String> {
    llguidance::earley::SlicedBiasComputer::general_slices()
}

fn form(error: impl std::fmt::Display) -> Error {
    Error::Form(error.to_string())
}

/// The bytes that a token stands for. Control tokens get a mark before their name, so that no text is one.
fn word(tokenizer: &Tokenizer, id: u32) -> Vec<u8> {
    let bytes = tokenizer.piece_bytes(id);
    match tokenizer.is_special(id) {
        true => [&[TokTrie::SPECIAL_TOKEN_MARKER], &bytes[..]].concat(),
        false => bytes,
    }
}

/// Follows one answer and forbids what would leave its form.
pub(crate) struct Guide {
    matcher: Matcher,
}

impl Guide {
    /// Sets the logits of tokens that cannot come next to −∞.
    pub(crate) fn forbid(&mut self, logits: &mut [f32]) -> Result<(), Error> {
        let allowed = self.matcher.compute_mask_or_eos().map_err(form)?;
        let n_known = allowed.len().min(logits.len());
        allowed.iter_unset_entries(|id| {
            if let Some(logit) = logits.get_mut(id) {
                *logit = f32::NEG_INFINITY;
            }
        });
        logits[n_known..].fill(f32::NEG_INFINITY);
        Ok(())
    }

    /// A copy that follows on its own.
    pub(crate) fn ahead(&self) -> Self {
        Self { matcher: self.matcher.deep_clone() }
    }

    /// The token that was chosen. `true` when nothing can follow it.
    pub(crate) fn accept(&mut self, token: u32) -> Result<bool, Error> {
        self.matcher.consume_token(token).map_err(form)?;
        Ok(self.matcher.is_stopped())
    }
}

impl std::fmt::Debug for Guide {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guide").finish_non_exhaustive()
    }
}
