//! What can go wrong between a model's path and its words.

use std::path::PathBuf;

/// Every variant's message names the thing and, where there is one, the way out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Weights, configuration, or a step of the network.
    #[error(transparent)]
    Model(#[from] model::Error),

    /// The tokenizer or the chat template.
    #[error("{}: {source}", path.display())]
    Corpus {
        /// The model's path.
        path: PathBuf,
        /// What was wrong.
        source: corpus::Error,
    },

    /// A file beside the weights cannot be read.
    #[error("cannot read {}: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system or the parser said.
        reason: String,
    },

    /// The model has no tokenizer; only token ids can be used with it.
    #[error("{} has no tokenizer; hint: put the model's tokenizer.json beside its weights", path.display())]
    NoTokenizer {
        /// The model's path.
        path: PathBuf,
    },

    /// The model has no chat template: it continues text and was not trained on conversations.
    #[error("{} has no chat template; hint: give it plain text to continue, or use an instruct model", path.display())]
    NoChatTemplate {
        /// The model's path.
        path: PathBuf,
    },

    /// A draft model that speaks in other tokens.
    #[error(
        "{draft} cannot guess for {model}: {reason}; hint: take a smaller model of the same family, with the same tokenizer"
    )]
    Draft {
        /// Name of the model that answers.
        model: String,
        /// Name of the one that should guess.
        draft: String,
        /// The first difference.
        reason: String,
    },

    /// There is nothing to continue.
    #[error("the prompt has no tokens; hint: give at least one word")]
    EmptyPrompt,

    /// The prompt and one new token do not fit.
    #[error(
        "the text takes {needed} tokens and the model sees {limit}; hint: shorten it, or allow the middle to be dropped"
    )]
    ContextFull {
        /// Tokens that would have to fit.
        needed: usize,
        /// Tokens that fit.
        limit: usize,
    },

    /// The network produced something that is not a number.
    #[error(
        "the model's output is not a number at token {position}; hint: the weights may be damaged, fetch them again"
    )]
    NotFinite {
        /// Position in the sequence whose logits are wrong.
        position: usize,
    },

    /// A sampling option is out of its range.
    #[error("{option} is {value}; it must be {range}")]
    Option {
        /// Which.
        option: &'static str,
        /// What was given.
        value: f32,
        /// What is allowed.
        range: &'static str,
    },

    /// A pass through the network failed for all that took part.
    #[error("{0}")]
    Step(String),

    /// There can be no answer of the wanted form.
    #[error("the form of the answer cannot be kept: {0}")]
    Form(String),

    /// Too many requests wait already.
    #[error("{waiting} requests wait for the model already; hint: try again shortly")]
    Busy {
        /// How many.
        waiting: usize,
    },

    /// The thread that runs the model broke off.
    #[error("the model's work on this request broke off; hint: try again")]
    BrokenOff,
}
