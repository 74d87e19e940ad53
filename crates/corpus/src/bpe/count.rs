//! How often each word occurs in a text.

use crate::tokenizer::split_words;
use hashbrown::HashMap;

/// Words with their counts. Counting is additive: threads count apart and [`WordCounts::merge`] adds up.
#[derive(Debug, Default, Clone)]
pub struct WordCounts {
    counts: HashMap<Box<str>, u64>,
    /// Bytes of text counted.
    pub bytes: u64,
}

impl WordCounts {
    /// Counts the words of `text`, cut as the tokenizer will cut them.
    pub fn add(&mut self, text: &str) {
        self.bytes += text.len() as u64;
        split_words(text, &mut |word| match self.counts.get_mut(word) {
            Some(count) => *count += 1,
            None => {
                self.counts.insert(word.into(), 1);
            }
        });
    }

    /// Adds another count.
    pub fn merge(&mut self, other: Self) {
        self.bytes += other.bytes;
        for (word, count) in other.counts {
            *self.counts.entry(word).or_default() += count;
        }
    }

    /// Number of different words.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    pub(super) fn into_words(self) -> impl Iterator<Item = (Box<str>, u64)> {
        self.counts.into_iter()
    }
}
