//! Words numbered, with what the rules ask about them.

use super::chars::{self, LETTER, SENTENCE_END, SPACE, SYMBOL, WRITTEN_SIGN, is};
use super::split::Splitter;
use hashbrown::{HashMap, HashTable};
use std::ops::Range;
use twox_hash::XxHash64;

/// English words of which a document must have some.
const STOP_WORDS: [&str; 8] = ["the", "be", "to", "of", "and", "that", "have", "with"];
/// Longer chunks (encoded data) are split anew each time.
const LONGEST_KEPT_BYTES: usize = 64;
/// Chunks kept at most; then everything is forgotten. 64 bytes each.
const MOST_CHUNKS: usize = 1 << 20;

/// What the rules ask about a word.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Word {
    /// Hash of its letters.
    pub(crate) hash: u64,
    /// Length in characters.
    pub(crate) chars: u32,
    /// Length in bytes.
    pub(crate) bytes: u32,
    /// Holds something else than punctuation.
    pub(crate) is_word: bool,
    /// Holds a letter.
    pub(crate) has_letter: bool,
    /// The bit of a stop word.
    pub(crate) stop_word: u8,
    /// A sign that ends a sentence.
    pub(crate) ends_sentence: bool,
    /// Nothing but punctuation by Unicode: does not begin a sentence.
    pub(crate) is_punctuation: bool,
}

/// Chunks seen so far with their words; one for each thread.
///
/// Nearly all the time goes into looking chunks up, and nearly all chunks are short: those of at most 15 bytes are
/// kept under their bytes themselves, so that a look touches one line of memory and compares two numbers.
#[derive(Debug)]
pub(crate) struct Lexicon {
    splitter: &'static Splitter,
    short_chunks: HashTable<(u128, u32, u32)>,
    long_chunks: HashMap<Box<str>, (u32, u32)>,
    /// Word numbers of the chunks, one after another.
    parts: Vec<u32>,
    numbers: HashMap<Box<str>, u32>,
    words: Vec<Word>,
}

impl Lexicon {
    pub(crate) fn new() -> Self {
        Self {
            splitter: Splitter::shared(),
            short_chunks: HashTable::new(),
            long_chunks: HashMap::new(),
            parts: Vec::new(),
            numbers: HashMap::new(),
            words: Vec::new(),
        }
    }

    /// Makes room if too much is remembered: word numbers from before are then void.
    pub(crate) fn begin(&mut self) {
        let n_chunks = self.short_chunks.len() + self.long_chunks.len();
        if n_chunks > MOST_CHUNKS || self.words.len() > 2 * MOST_CHUNKS {
            *self = Self::new();
        }
    }

    /// What is known about all words, by number.
    pub(crate) fn words(&self) -> &[Word] {
        &self.words
    }

    /// The letters of a word.
    #[cfg(test)]
    pub(crate) fn text(&self, number: u32) -> &str {
        self.numbers.iter().find(|&(_, &n)| n == number).map_or("", |(text, _)| text)
    }

    /// Appends the numbers of the words of `text`.
    pub(crate) fn number(&mut self, text: &str, numbers: &mut Vec<u32>) {
        chunks(text, |range| self.number_chunk(text, range, numbers));
    }

    /// Appends the numbers of the words of one chunk of `text`.
    pub(crate) fn number_chunk(&mut self, text: &str, range: Range<usize>, numbers: &mut Vec<u32>) {
        let packed = packed(text.as_bytes(), &range);
        let found = match packed {
            Some((key, hash)) => {
                self.short_chunks.find(hash, |entry| entry.0 == key).map(|e| (e.1, e.2))
            }
            None => self.long_chunks.get(&text[range.clone()]).copied(),
        };
        match found {
            // One word is by far the most frequent.
            Some((start, end)) if end == start + 1 => numbers.push(self.parts[start as usize]),
            Some((start, end)) => {
                numbers.extend_from_slice(&self.parts[start as usize..end as usize]);
            }
            None => self.split_chunk(&text[range], packed, numbers),
        }
    }

    fn split_chunk(&mut self, chunk: &str, packed: Option<(u128, u64)>, numbers: &mut Vec<u32>) {
        let start = self.parts.len();
        let mut at = 0;
        for len in self.splitter.split(chunk) {
            let number = self.word_number(&chunk[at..at + len]);
            self.parts.push(number);
            at += len;
        }
        numbers.extend_from_slice(&self.parts[start..]);
        let place = (start as u32, self.parts.len() as u32);
        if let Some((key, hash)) = packed {
            let entry = (key, place.0, place.1);
            self.short_chunks.insert_unique(hash, entry, |entry| hash_of(entry.0));
        } else if chunk.len() <= LONGEST_KEPT_BYTES {
            self.long_chunks.insert(chunk.into(), place);
        } else {
            self.parts.truncate(start);
        }
    }

    fn word_number(&mut self, word: &str) -> u32 {
        if let Some(&number) = self.numbers.get(word) {
            return number;
        }
        let number = self.words.len() as u32;
        self.words.push(describe(word));
        self.numbers.insert(word.into(), number);
        number
    }
}

fn describe(word: &str) -> Word {
    let mut kinds = 0;
    let mut is_word = false;
    for c in word.chars() {
        kinds |= chars::kinds(c);
        is_word |= !is(c, SYMBOL);
    }
    let n_chars = word.chars().count();
    let stop_word = STOP_WORDS.iter().position(|&stop| stop == word);
    Word {
        hash: XxHash64::oneshot(0, word.as_bytes()),
        chars: n_chars as u32,
        bytes: word.len() as u32,
        is_word,
        has_letter: kinds & LETTER != 0,
        stop_word: stop_word.map_or(0, |at| 1 << at),
        ends_sentence: n_chars == 1 && kinds & SENTENCE_END != 0,
        is_punctuation: word.chars().all(|c| is(c, WRITTEN_SIGN)),
    }
}

/// A chunk of at most 15 bytes as one number, with its length, and the hash of that; `None` for a longer one.
fn packed(text: &[u8], range: &Range<usize>) -> Option<(u128, u64)> {
    let len = range.end - range.start;
    if len > 15 {
        return None;
    }
    let wide = text.get(range.start..range.start + 16).and_then(|bytes| bytes.try_into().ok());
    let bytes = match wide {
        Some(bytes) => u128::from_le_bytes(bytes) & ((1 << (8 * len)) - 1),
        None => text[range.clone()].iter().rev().fold(0, |n, &byte| n << 8 | u128::from(byte)),
    };
    let key = bytes | (len as u128) << 120;
    Some((key, hash_of(key)))
}

fn hash_of(key: u128) -> u64 {
    let (low, high) = (key as u64, (key >> 64) as u64);
    let product =
        u128::from(low ^ 0x9e37_79b9_7f4a_7c15) * u128::from(high ^ 0xd1b5_4a32_d192_ed03);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Calls `each` with the stretches between white space.
fn chunks(text: &str, mut each: impl FnMut(Range<usize>)) {
    let bytes = text.as_bytes();
    let mut start = 0;
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        let (space, len) = if byte < 0x80 {
            (is_space_byte(byte), 1)
        } else {
            let c = text[at..].chars().next().unwrap_or(' ');
            (is(c, SPACE), c.len_utf8())
        };
        if space {
            if start < at {
                each(start..at);
            }
            start = at + len;
        }
        at += len;
    }
    if start < text.len() {
        each(start..text.len());
    }
}

fn is_space_byte(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r' | 0x1c..=0x1f)
}

/// How many sentences spaCy's rule finds in a line, counting no further than `enough`: a sentence ends with the
/// signs after its final one, and white space of more than one space counts as a word.
pub(crate) fn sentence_count(lexicon: &mut Lexicon, line: &str, enough: usize) -> usize {
    let mut count = 1;
    let mut ended = false;
    let mut numbers = Vec::new();
    let mut rest = line;
    while !rest.is_empty() && count < enough {
        let space = rest.find(|c| !is(c, SPACE)).unwrap_or(rest.len());
        let gap = &rest[..space];
        // The space after a word belongs to it; what is left of the gap is a word of its own.
        let owned = usize::from(rest.len() < line.len() && gap.starts_with(' '));
        if gap.len() > owned && ended {
            count += 1;
            ended = false;
        }
        rest = &rest[space..];
        let end = rest.find(|c| is(c, SPACE)).unwrap_or(rest.len());
        if end == 0 {
            break;
        }
        numbers.clear();
        lexicon.number_chunk(rest, 0..end, &mut numbers);
        for &number in &numbers {
            let word = lexicon.words[number as usize];
            if ended && !word.is_punctuation && !word.ends_sentence {
                count += 1;
                ended = false;
            } else if word.ends_sentence {
                ended = true;
            }
        }
        rest = &rest[end..];
    }
    count
}
