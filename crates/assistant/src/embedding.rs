//! The sentence encoder of `infer` as the [`Embed`] that the vault asks for.

use std::sync::Arc;

use infer::{Embedder, Purpose};
use vault::embed::{Embed, EmbedError};

/// An encoder for the vault. Cheap to clone.
#[derive(Clone, Debug)]
pub struct VaultEmbedder(Arc<Embedder>);

impl VaultEmbedder {
    pub fn new(embedder: Arc<Embedder>) -> Self {
        Self(embedder)
    }
}

impl Embed for VaultEmbedder {
    fn id(&self) -> &str {
        self.0.id()
    }

    fn revision(&self) -> &str {
        self.0.revision()
    }

    fn dims(&self) -> usize {
        self.0.dims()
    }

    fn documents(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        self.0.embed(texts, Purpose::Document).map_err(|error| EmbedError(error.to_string()))
    }

    fn query(&self, text: &str) -> Result<Vec<f32>, EmbedError> {
        let vectors =
            self.0.embed(&[text], Purpose::Query).map_err(|error| EmbedError(error.to_string()))?;
        vectors
            .into_iter()
            .next()
            .ok_or_else(|| EmbedError("the encoder gave no vector".to_owned()))
    }
}
