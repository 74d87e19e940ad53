//! Documents with the same text, by a 128-bit hash of it: 16 bytes per document.

use hashbrown::HashSet;
use sha2::{Digest, Sha256};

/// A hash under which different texts do not meet.
pub fn text_hash(text: &str) -> u128 {
    let hash = Sha256::digest(text.as_bytes());
    hash[..16].iter().fold(0, |number, &byte| number << 8 | u128::from(byte))
}

/// The texts seen so far.
#[derive(Debug, Default)]
pub struct Seen(HashSet<u128>);

impl Seen {
    /// Whether this text was seen before; from now on it was.
    pub fn again(&mut self, hash: u128) -> bool {
        !self.0.insert(hash)
    }
}
