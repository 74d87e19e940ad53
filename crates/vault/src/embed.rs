//! What the vault asks of an embedding model. The vault knows no model; whoever opens it hands one in.

/// Turns text into vectors whose dot product is similarity.
///
/// Vectors are L2-normalised f32 of length [`Embed::dims`]. Queries and documents are told apart because
/// retrieval models want different prefixes for the two.
pub trait Embed: Send + Sync {
    /// Name of the model, stored beside each vector: `all-MiniLM-L6-v2`.
    fn id(&self) -> &str;
    /// Which weights exactly: the first hex digits of their SHA-256. A vector of another revision is re-made.
    fn revision(&self) -> &str;
    /// Length of each vector.
    fn dims(&self) -> usize;
    /// One vector per text, in order. Texts beyond the model's length are cut there.
    fn documents(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError>;
    /// The vector of one question.
    fn query(&self, text: &str) -> Result<Vec<f32>, EmbedError>;
}

/// Why an embedding could not be made; the vault reports it and goes on without vectors.
#[derive(Debug, thiserror::Error)]
#[error("cannot embed: {0}")]
pub struct EmbedError(pub String);
