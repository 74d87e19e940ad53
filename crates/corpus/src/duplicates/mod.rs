//! Copies and near copies.
//!
//! [`exact`] finds documents with the same text; [`minhash`] sketches a document so that similar documents have
//! equal parts of their sketches; [`cluster`] puts what is alike together and keeps one of each group.

mod cluster;
mod exact;
mod minhash;

pub use cluster::keep_one_each;
pub use exact::{Seen, text_hash};
pub use minhash::{MinHash, Sketcher};
