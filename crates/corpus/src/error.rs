//! What can go wrong with text that comes with a model, and with building a corpus.

use std::io;
use std::path::{Path, PathBuf};

/// A tokenizer, a template, or shards that cannot be used; a build that cannot go on.
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

    /// A file or directory could not be created, read, written, synced.
    #[error("cannot {doing} {}: {cause}{}", path.display(), hint(cause))]
    Io {
        /// What was being done, as a verb.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },

    /// The output directory is there already.
    #[error("{} exists already; hint: {}", path.display(), replace_hint(*is_corpus))]
    OutputExists {
        /// The directory.
        path: PathBuf,
        /// Whether it holds shards, which may be replaced on request.
        is_corpus: bool,
    },

    /// Another process is writing the same output.
    #[error("another build is writing {}; hint: wait for it, or choose another output", path.display())]
    OutputBusy {
        /// The directory.
        path: PathBuf,
    },

    /// A directory of shards that is incomplete, damaged, or of another version.
    #[error("cannot use the shards in {}: {problem}; hint: build the corpus again", path.display())]
    Shards {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },

    /// A token that the stated vocabulary does not have.
    #[error("token {token} is outside the vocabulary of {vocab_size}")]
    Token {
        /// The token.
        token: u32,
        /// The number of ids.
        vocab_size: u32,
    },

    /// Every document was dropped, or there was none.
    #[error(
        "no document is left of {documents_in} found ({faults} could not be read; dropped: {}); hint: look at the paths and endings of the sources, or switch rules off",
        reasons.join(", ")
    )]
    NothingLeft {
        /// Documents found.
        documents_in: u64,
        /// Files and lines that could not be read.
        faults: u64,
        /// Reasons with counts.
        reasons: Vec<String>,
    },

    /// The build's description asks for something impossible.
    #[error("the corpus description is not usable: {0}")]
    Config(String),
}

impl Error {
    pub(crate) fn io(doing: &'static str, path: &Path, cause: io::Error) -> Self {
        Self::Io { doing, path: path.to_path_buf(), cause }
    }

    pub(crate) fn shards(path: &Path, problem: String) -> Self {
        Self::Shards { path: path.to_path_buf(), problem }
    }
}

/// The way out, where the system's message does not say it.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; hint: free some space or write to another disk; what was begun has been removed"
        }
        io::ErrorKind::PermissionDenied => "; hint: check who owns it",
        _ => "",
    }
}

fn replace_hint(is_corpus: bool) -> &'static str {
    if is_corpus {
        "set `replace = true` under [output], remove it, or choose another output"
    } else {
        "it holds something else than shards; choose another output"
    }
}
