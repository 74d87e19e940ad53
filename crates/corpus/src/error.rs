//! What can go wrong with text that comes with a model.

/// A tokenizer or a chat template that cannot be used. Encoding and decoding themselves cannot fail.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The vocabulary contradicts itself: lists of different length, an id beyond the end, a missing byte.
    #[error(
        "the vocabulary in the model file is not usable: {0}; hint: the file may be damaged, fetch it again"
    )]
    Vocabulary(String),

    /// The file names a pre-tokenizer whose splitting rule is not known here. Guessing would give wrong
    /// tokens without a word, so this is an error.
    #[error(
        "the pre-tokenizer `{0}` is not known; hint: use a `tokenizer.json` of the same model, which spells its rule out"
    )]
    UnknownPreTokenizer(String),

    /// `tokenizer.json` is not JSON, or describes something the reader does not support.
    #[error("cannot read tokenizer.json: {0}")]
    Json(String),

    /// The chat template does not parse.
    #[error("the chat template in the model file does not parse: {0}")]
    TemplateSyntax(String),

    /// The template refused this conversation (`raise_exception`), also in its simplest form.
    #[error("the chat template refuses this conversation: {0}")]
    TemplateRefuses(String),

    /// The template failed while running: an unknown filter, an undefined value where one is needed.
    #[error("the chat template failed: {0}")]
    TemplateFails(String),

    /// The template used up its ration of steps or of output.
    #[error("the chat template was stopped: {0}")]
    TemplateLimit(String),

    /// A message carries something other than text.
    #[error("a message has a part of kind `{0}`; this model reads text only")]
    UnsupportedPart(String),
}
