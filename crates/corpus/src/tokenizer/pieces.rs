//! The table of pieces, both ways: id → text and text → id.
//!
//! One string holds all texts end to end and a hash table holds only ids, hashed by the text they stand for:
//! a vocabulary of 262,144 pieces takes about 5 MB here, against 30 MB for a map of owned strings.

use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

#[derive(Debug)]
pub(super) struct Pieces {
    text: String,
    /// End of each piece in `text`; it begins where the one before ends.
    ends: Vec<u32>,
    index: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Pieces {
    /// Of equal texts, the first id is the one found by [`Pieces::id`]. `None` if the texts exceed 4 GiB.
    pub(super) fn new<S: AsRef<str>>(tokens: &[S]) -> Option<Self> {
        let total: usize = tokens.iter().map(|t| t.as_ref().len()).sum();
        u32::try_from(total).ok()?;
        u32::try_from(tokens.len()).ok()?;
        let mut pieces = Self {
            text: String::with_capacity(total),
            ends: Vec::with_capacity(tokens.len()),
            index: HashTable::with_capacity(tokens.len()),
            hasher: DefaultHashBuilder::default(),
        };
        for (id, token) in tokens.iter().enumerate() {
            pieces.text.push_str(token.as_ref());
            pieces.ends.push(pieces.text.len() as u32);
            if pieces.id(token.as_ref()).is_none() {
                let Self { text, ends, index, hasher } = &mut pieces;
                let hash = hasher.hash_one(token.as_ref());
                index.insert_unique(hash, id as u32, |&id| hasher.hash_one(span(text, ends, id)));
            }
        }
        Some(pieces)
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn get(&self, id: u32) -> Option<&str> {
        ((id as usize) < self.ends.len()).then(|| span(&self.text, &self.ends, id))
    }

    pub(super) fn id(&self, piece: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(piece);
        self.index.find(hash, |&id| span(&self.text, &self.ends, id) == piece).copied()
    }
}

fn span<'t>(text: &'t str, ends: &[u32], id: u32) -> &'t str {
    let id = id as usize;
    let start = if id == 0 { 0 } else { ends[id - 1] as usize };
    &text[start..ends[id] as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_is_found_again_and_of_two_equals_the_first() {
        let tokens = ["a", "", "ab", "b", "ab", "▁the"];
        let pieces = Pieces::new(&tokens).unwrap();
        for (id, token) in tokens.iter().enumerate() {
            assert_eq!(pieces.get(id as u32), Some(*token));
            let first = tokens.iter().position(|t| t == token).unwrap();
            assert_eq!(pieces.id(token), Some(first as u32));
        }
        assert_eq!(pieces.id("abc"), None);
        assert_eq!(pieces.get(6), None);
    }
}
