//! Sentences as vectors: an encoder, its tokenizer, and the words that the model wants before a text.

use crate::vocabulary;
use crate::{Error, inspect, revision};
use corpus::tokenizer::{Special, Tokenizer};
use kernels::pool::Pool;
use model::encoder::{Encoder, Precision};
use model::packed_encoder::is_packed;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A sentence-embedding model. Vectors have length 1, so their dot product is the cosine.
pub struct Embedder {
    encoder: Encoder,
    precision: Precision,
    tokenizer: Tokenizer,
    prefixes: Prefixes,
    pool: Pool,
    id: String,
    path: PathBuf,
    revision: OnceLock<String>,
}

/// What a text is embedded for. Retrieval models put different words before questions and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A question, to find documents with.
    Query,
    /// A document, to be found.
    Document,
}

/// Words before a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Prefixes {
    query: &'static str,
    document: &'static str,
}

impl Embedder {
    /// Loads a sentence-transformers directory, a GGUF file of architecture `bert`, or a packed encoder, for
    /// exact products.
    pub fn load(path: &Path, n_threads: usize) -> Result<Self, Error> {
        Self::load_with(path, n_threads, Precision::Exact)
    }

    /// The same with a choice between exact products and fast ones. Eight-bit vectors have a cosine of at least
    /// 0.995 with the exact ones on sentences, and are made two to three times as fast: right for an index, which
    /// rounds to eight bits anyway.
    pub fn load_with(path: &Path, n_threads: usize, precision: Precision) -> Result<Self, Error> {
        let packed = path.is_file() && is_packed(&inspect::first_bytes(path)?);
        let id = if packed { "multilingual-e5-small".to_string() } else { inspect::name_of(path) };
        Ok(Self {
            encoder: Encoder::load_with(path, precision)?,
            precision,
            tokenizer: vocabulary::tokenizer(path)?,
            prefixes: Prefixes::of(&id),
            pool: Pool::new(n_threads),
            id,
            path: path.to_owned(),
            revision: OnceLock::new(),
        })
    }

    /// Length of each vector.
    pub fn dims(&self) -> usize {
        self.encoder.dims()
    }

    /// The model's name, to store beside its vectors.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The first twelve hex digits of the SHA-256 of the weights: vectors of another revision do not compare.
    ///
    /// Computed when first asked for and remembered in a file beside the weights, so that it costs a second
    /// once per model. If the weights cannot be read any more it is `unknown`.
    pub fn revision(&self) -> &str {
        self.revision.get_or_init(|| {
            let weights = revision::of(&self.path).unwrap_or_else(|_| "unknown".to_string());
            match self.precision {
                Precision::Exact => weights,
                // Other roundings, other vectors: they are told apart wherever they are stored.
                Precision::Int8 => format!("{weights}-int8"),
            }
        })
    }

    /// Tokens of a text that are looked at; what follows is cut off.
    pub fn max_tokens(&self) -> usize {
        self.encoder.config().max_tokens
    }

    /// One vector per text, in order.
    ///
    /// Texts are laid one after the other without padding, so a batch of unequal lengths wastes nothing;
    /// handing in many at once keeps all threads busy.
    pub fn embed(&self, texts: &[&str], purpose: Purpose) -> Result<Vec<Vec<f32>>, Error> {
        let sequences: Vec<Vec<u32>> =
            texts.iter().map(|text| self.tokens(text, purpose)).collect();
        Ok(self.encoder.embed(&self.pool, &sequences)?)
    }

    /// The tokens that a text is embedded from: prefix, text cut to length, special tokens around.
    pub fn tokens(&self, text: &str, purpose: Purpose) -> Vec<u32> {
        let prefix = match purpose {
            Purpose::Query => self.prefixes.query,
            Purpose::Document => self.prefixes.document,
        };
        let limit = self.max_tokens();
        // No token of these vocabularies covers so many bytes; a book is not tokenized for its first page.
        let text = cut(text, limit * MAX_TOKEN_BYTES);
        let mut tokens = self.tokenizer.encode(&format!("{prefix}{text}"), Special::Text, true);
        if tokens.len() > limit {
            let end = tokens.last().copied();
            tokens.truncate(limit);
            // The last place belongs to the end token.
            if let (Some(last), Some(end)) = (tokens.last_mut(), end) {
                *last = end;
            }
        }
        tokens
    }
}

/// A generous bound on the bytes that one token of a sentence covers on average.
const MAX_TOKEN_BYTES: usize = 32;

fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

impl Prefixes {
    /// The words that models of a family were trained with, as their model cards say.
    fn of(id: &str) -> Self {
        let id = id.to_ascii_lowercase();
        if id.contains("e5-") {
            Self { query: "query: ", document: "passage: " }
        } else if id.contains("mdbr-leaf") || id.contains("arctic-embed") {
            Self {
                query: "Represent this sentence for searching relevant passages: ",
                document: "",
            }
        } else {
            Self { query: "", document: "" }
        }
    }
}

impl std::fmt::Debug for Embedder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedder").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retrieval_models_get_the_words_they_were_trained_with() {
        assert_eq!(Prefixes::of("multilingual-e5-small").query, "query: ");
        assert_eq!(Prefixes::of("mdbr-leaf-ir").document, "");
        assert_eq!(Prefixes::of("all-MiniLM-L6-v2"), Prefixes { query: "", document: "" });
    }

    #[test]
    fn a_cut_never_splits_a_character() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
        assert_eq!(cut("aé", 99), "aé");
    }
}
