//! Learning merge rules: join the most frequent pair of neighbours, again and again.
//!
//! ```text
//! tokens = the 256 bytes
//! until the vocabulary is full:
//!     join the pair that occurs most often (of equals the one with the smaller ids) everywhere
//! ```
//!
//! Recounting all pairs after each join would take hours. A pair knows the words in which it may occur, so a join
//! touches only those, and the counts it changes; the heap holds counts that may be stale and are looked up again
//! when they come out. Order of words and number of threads have no influence on the result.

use super::WordCounts;
use crate::tokenizer::LETTER_OF_BYTE;
use hashbrown::HashMap;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

type Pair = (u32, u32);

/// What was learnt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trained {
    /// Pieces by id, written with the 256 letters of byte-level BPE. The letters come first.
    pub pieces: Vec<String>,
    /// Pairs of ids to join, most important first.
    pub merges: Vec<Pair>,
}

/// Learns until there are `n_pieces` pieces (letters included) or no pair occurs at least `min_count` times.
pub fn train(words: WordCounts, n_pieces: usize, min_count: u64) -> Trained {
    let mut letters = LETTER_OF_BYTE;
    letters.sort_unstable();
    let mut pieces: Vec<String> = letters.iter().map(|letter| letter.to_string()).collect();
    let mut ids: HashMap<String, u32> =
        pieces.iter().enumerate().map(|(id, piece)| (piece.clone(), id as u32)).collect();
    let of_byte = LETTER_OF_BYTE.map(|letter| letters.binary_search(&letter).unwrap_or(0) as u32);
    let mut state = State::new(words, &of_byte);
    let mut merges = Vec::new();
    while pieces.len() < n_pieces {
        let Some(pair) = state.most_frequent(min_count.max(1)) else { break };
        let joined = format!("{}{}", pieces[pair.0 as usize], pieces[pair.1 as usize]);
        // Two ways to the same piece share its id.
        let id = *ids.entry(joined).or_insert_with_key(|joined| {
            pieces.push(joined.clone());
            pieces.len() as u32 - 1
        });
        merges.push(pair);
        state.join(pair, id);
    }
    Trained { pieces, merges }
}

struct State {
    words: Vec<(Vec<u32>, i64)>,
    counts: HashMap<Pair, i64>,
    /// Words in which a pair occurs, or did.
    places: HashMap<Pair, Vec<u32>>,
    heap: BinaryHeap<(i64, Reverse<Pair>)>,
}

impl State {
    fn new(words: WordCounts, of_byte: &[u32; 256]) -> Self {
        let units = |word: &str| word.bytes().map(|byte| of_byte[byte as usize]).collect();
        let words: Vec<(Vec<u32>, i64)> =
            words.into_words().map(|(word, count)| (units(&word), count as i64)).collect();
        let mut counts: HashMap<Pair, i64> = HashMap::new();
        let mut places: HashMap<Pair, Vec<u32>> = HashMap::new();
        for (at, (word, count)) in words.iter().enumerate() {
            for pair in word.windows(2).map(|pair| (pair[0], pair[1])) {
                *counts.entry(pair).or_default() += count;
                note(places.entry(pair).or_default(), at as u32);
            }
        }
        let heap = counts.iter().map(|(&pair, &count)| (count, Reverse(pair))).collect();
        Self { words, counts, places, heap }
    }

    fn most_frequent(&mut self, min_count: u64) -> Option<Pair> {
        loop {
            let (count, Reverse(pair)) = self.heap.pop()?;
            let current = self.counts.get(&pair).copied().unwrap_or(0);
            if current != count {
                self.heap.push((current, Reverse(pair)));
            } else {
                return (count >= 1 && count as u64 >= min_count).then_some(pair);
            }
        }
    }

    fn join(&mut self, pair: Pair, id: u32) {
        let mut fresh: Vec<Pair> = Vec::new();
        for at in self.places.remove(&pair).unwrap_or_default() {
            let (word, count) = &mut self.words[at as usize];
            let count = *count;
            let (counts, places) = (&mut self.counts, &mut self.places);
            join_in_word(word, pair, id, &mut |changed, sign| {
                *counts.entry(changed).or_default() += sign * count;
                if sign > 0 {
                    note(places.entry(changed).or_default(), at);
                    fresh.push(changed);
                }
            });
        }
        fresh.sort_unstable();
        fresh.dedup();
        for pair in fresh {
            let count = self.counts.get(&pair).copied().unwrap_or(0);
            if count > 0 {
                self.heap.push((count, Reverse(pair)));
            }
        }
    }
}

/// Words come in rising order, so a repeated one stands last.
fn note(places: &mut Vec<u32>, at: u32) {
    if places.last() != Some(&at) {
        places.push(at);
    }
}

/// Replaces each `pair` in a word by `id`, from the left, and tells which neighbourhoods went and came.
fn join_in_word(word: &mut Vec<u32>, pair: Pair, id: u32, changed: &mut impl FnMut(Pair, i64)) {
    let (mut from, mut to) = (0, 0);
    while from < word.len() {
        let joins = from + 1 < word.len() && (word[from], word[from + 1]) == pair;
        if joins {
            if to > 0 {
                changed((word[to - 1], pair.0), -1);
                changed((word[to - 1], id), 1);
            }
            if from + 2 < word.len() {
                changed((pair.1, word[from + 2]), -1);
                changed((id, word[from + 2]), 1);
            }
        }
        word[to] = if joins { id } else { word[from] };
        to += 1;
        from += if joins { 2 } else { 1 };
    }
    word.truncate(to);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_go_from_the_left_and_overlaps_are_taken_once() {
        let mut word = vec![1, 1, 1, 2];
        let mut changes = Vec::new();
        join_in_word(&mut word, (1, 1), 9, &mut |pair, sign| changes.push((pair, sign)));
        assert_eq!(word, [9, 1, 2]);
        assert_eq!(changes, [((1, 1), -1), ((9, 1), 1)]);
    }

    #[test]
    fn the_textbook_example_gives_the_textbook_merges() {
        let mut words = WordCounts::default();
        // "low" 5, "lower" 2, "newest" 6, "widest" 3: Sennrich et al. 2016 find es, est, lo, low, ... (their
        // end-of-word mark is our leading space).
        for (word, count) in [("low", 5), ("lower", 2), ("newest", 6), ("widest", 3)] {
            (0..count).for_each(|_| words.add(word));
        }
        let trained = train(words, 260, 0);
        assert_eq!(trained.pieces[256..], ["es", "est", "lo", "low"]);
    }

    #[test]
    fn training_stops_when_nothing_is_left_to_join() {
        let mut words = WordCounts::default();
        words.add("ab");
        let trained = train(words, 10_000, 0);
        assert_eq!(trained.pieces.len(), 257);
    }
}
