//! Gopher's rules about repetition.
//!
//! A document is dropped when too many of its lines or paragraphs, or too many characters in repeated n-grams, are
//! copies of others in it. Shares are of all characters of the text.
//!
//! The plain way counts nine kinds of n-grams over the whole document. Nearly all documents pass, so most of that is
//! not needed: an n-gram can come back only where each of its words does. [`words`] first counts words, looks only at
//! places whose words are frequent enough to matter, and bounds the six longest kinds together by the five-grams.
//! The bounds never change a decision; what they cannot decide is counted in full.

use super::words::Word;
use super::{n_chars, strip};
use hashbrown::{HashMap, HashSet};
use twox_hash::XxHash64;

/// Most frequent n-gram: n, greatest share of characters, name.
const TOP: [(usize, f64, &str); 3] =
    [(2, 0.2, "top_2_gram"), (3, 0.18, "top_3_gram"), (4, 0.16, "top_4_gram")];
/// All repeated n-grams: n, greatest share of characters, name.
const REPEATED: [(usize, f64, &str); 6] = [
    (5, 0.15, "duplicated_5_n_grams"),
    (6, 0.14, "duplicated_6_n_grams"),
    (7, 0.13, "duplicated_7_n_grams"),
    (8, 0.12, "duplicated_8_n_grams"),
    (9, 0.11, "duplicated_9_n_grams"),
    (10, 0.10, "duplicated_10_n_grams"),
];

/// The rules about paragraphs and lines.
pub(super) fn lines(text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Err("empty");
    }
    let stripped = strip(text);
    let total = n_chars(text) as f64;
    let (n, copies, chars) = duplicates(split_at_breaks(stripped, 2));
    if copies as f64 / n as f64 > 0.3 {
        return Err("dup_para_frac");
    }
    if chars as f64 / total > 0.2 {
        return Err("dup_para_char_frac");
    }
    let (n, copies, chars) = duplicates(split_at_breaks(text, 1));
    if copies as f64 / n as f64 > 0.3 {
        return Err("dup_line_frac");
    }
    if chars as f64 / total > 0.2 {
        return Err("dup_line_char_frac");
    }
    Ok(())
}

/// Splits at runs of at least `n` line breaks.
fn split_at_breaks(text: &str, n: usize) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(found) = bytes[at..].iter().position(|&byte| byte == b'\n') {
            let start = at + found;
            let run = bytes[start..].iter().take_while(|&&byte| byte == b'\n').count();
            if run >= n {
                rest = Some(&text[start + run..]);
                return Some(&text[..start]);
            }
            at = start + run;
        }
        rest = None;
        Some(text)
    })
}

/// Number of parts, of those that stood before, and the characters of the latter.
pub(super) fn duplicates<'t>(parts: impl Iterator<Item = &'t str>) -> (usize, usize, usize) {
    let mut seen = HashSet::new();
    let (mut n, mut copies, mut chars) = (0, 0, 0);
    for part in parts {
        n += 1;
        if !seen.insert(XxHash64::oneshot(0, part.as_bytes())) {
            copies += 1;
            chars += n_chars(part);
        }
    }
    (n, copies, chars)
}

/// Tables that are used again for the next document.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// How often each word occurs in this document, by its number.
    counts: Vec<u32>,
    /// Hash of the text up to each word, words written one after another without spaces.
    prefixes: Vec<u64>,
    /// Bytes and characters up to each word.
    bytes: Vec<u32>,
    chars: Vec<u32>,
    /// Powers of the hash's base.
    powers: Vec<u64>,
    grams: HashMap<u64, (u32, u32)>,
    seen: HashSet<u64>,
}

/// Base of the rolling hash: odd, so that multiplication loses nothing.
const BASE: u64 = 0x5851_f42d_4c95_7f2d;

impl Scratch {
    fn begin(&mut self, numbers: &[u32], words: &[Word]) {
        // Emptying a table costs its size: one that a huge document left behind would slow all others.
        if self.seen.capacity() > 1 << 14 && self.seen.capacity() / 8 > numbers.len() {
            self.seen = HashSet::new();
            self.grams = HashMap::new();
        }
        self.counts.resize(words.len().max(self.counts.len()), 0);
        self.prefixes.clear();
        self.bytes.clear();
        self.chars.clear();
        let (mut hash, mut bytes, mut chars) = (0_u64, 0, 0);
        for &number in numbers {
            let word = &words[number as usize];
            self.counts[number as usize] += 1;
            self.prefixes.push(hash);
            self.bytes.push(bytes);
            self.chars.push(chars);
            hash = hash.wrapping_mul(self.power(word.bytes as usize)).wrapping_add(word.hash);
            bytes += word.bytes;
            chars += word.chars;
        }
        self.prefixes.push(hash);
        self.bytes.push(bytes);
        self.chars.push(chars);
    }

    fn end(&mut self, numbers: &[u32]) {
        numbers.iter().for_each(|&number| self.counts[number as usize] = 0);
    }

    fn power(&mut self, n: usize) -> u64 {
        if self.powers.len() <= n {
            let mut power = self.powers.last().copied().unwrap_or(1);
            if self.powers.is_empty() {
                self.powers.push(1);
            }
            while self.powers.len() <= n {
                power = power.wrapping_mul(BASE);
                self.powers.push(power);
            }
        }
        self.powers[n]
    }

    /// Hash of the words `from..from + n` written together.
    fn gram(&mut self, from: usize, n: usize) -> u64 {
        let bytes = (self.bytes[from + n] - self.bytes[from]) as usize;
        let power = self.power(bytes);
        let hash = self.prefixes[from + n].wrapping_sub(self.prefixes[from].wrapping_mul(power));
        // The low bits of such a hash are weak.
        (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn n_chars(&self, from: usize, n: usize) -> usize {
        (self.chars[from + n] - self.chars[from]) as usize
    }
}

/// The rules about n-grams of words.
pub(super) fn words(
    text: &str,
    numbers: &[u32],
    words: &[Word],
    scratch: &mut Scratch,
) -> Result<(), &'static str> {
    scratch.begin(numbers, words);
    let total = n_chars(text) as f64;
    let verdict =
        top_grams(numbers, total, scratch).and_then(|()| repeated_grams(numbers, total, scratch));
    scratch.end(numbers);
    verdict
}

/// The most frequent n-gram must not make up too much of the text.
fn top_grams(numbers: &[u32], total: f64, scratch: &mut Scratch) -> Result<(), &'static str> {
    for (n, share, name) in TOP {
        let Some(n_grams) = (numbers.len() + 1).checked_sub(n).filter(|&n_grams| n_grams > 0)
        else {
            continue;
        };
        // With the spaces between its words.
        let longest = (0..n_grams).map(|at| scratch.n_chars(at, n) + n - 1).max().unwrap_or(0);
        // Fewer occurrences than this cannot make up the share, whatever the n-gram.
        let least = (share * total / longest.max(1) as f64).floor() as u32;
        scratch.grams.clear();
        let mut run = 0;
        for at in 0..numbers.len() {
            run = if scratch.counts[numbers[at] as usize] >= least { run + 1 } else { 0 };
            if run >= n {
                let from = at + 1 - n;
                let gram = scratch.gram(from, n);
                scratch.grams.entry(gram).or_insert((0, from as u32)).0 += 1;
            }
        }
        // Of equally frequent ones the first counts.
        let top = scratch
            .grams
            .values()
            .copied()
            .max_by_key(|&(count, from)| (count, std::cmp::Reverse(from)));
        if let Some((count, from)) = top {
            let chars = (scratch.n_chars(from as usize, n) + n - 1) * count as usize;
            if chars as f64 / total > share {
                return Err(name);
            }
        }
    }
    Ok(())
}

/// N-grams that stood before must not make up too much of the text.
fn repeated_grams(numbers: &[u32], total: f64, scratch: &mut Scratch) -> Result<(), &'static str> {
    let smallest_share = 0.10;
    if covered_by_repeats(numbers, REPEATED[0].0, scratch) as f64 / total <= smallest_share {
        return Ok(());
    }
    for (n, share, name) in REPEATED {
        let chars = repeated_chars(numbers, n, scratch);
        if chars as f64 / total > share {
            return Err(name);
        }
    }
    Ok(())
}

/// Characters of all words inside some n-gram that stood before: no rule about n or more words can count more.
fn covered_by_repeats(numbers: &[u32], n: usize, scratch: &mut Scratch) -> usize {
    scratch.seen.clear();
    let (mut covered, mut run, mut done) = (0, 0, 0);
    for at in 0..numbers.len() {
        run = if scratch.counts[numbers[at] as usize] >= 2 { run + 1 } else { 0 };
        if run < n {
            continue;
        }
        let from = at + 1 - n;
        let gram = scratch.gram(from, n);
        if !scratch.seen.insert(gram) {
            let start = done.max(from);
            covered += scratch.n_chars(start, at + 1 - start);
            done = at + 1;
        }
    }
    covered
}

/// Characters in repeated n-grams; one that was counted is stepped over.
fn repeated_chars(numbers: &[u32], n: usize, scratch: &mut Scratch) -> usize {
    scratch.seen.clear();
    let (mut chars, mut at) = (0, 0);
    while at + n <= numbers.len() {
        let gram = scratch.gram(at, n);
        if scratch.seen.insert(gram) {
            at += 1;
        } else {
            chars += scratch.n_chars(at, n);
            at += n;
        }
    }
    chars
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quality::words::Lexicon;
    use proptest::prelude::*;

    /// The rules as the paper and `datatrove` state them, without any bounds.
    fn plainly(numbers: &[u32], words: &[Word], total: f64) -> Result<(), &'static str> {
        let chars =
            |gram: &[u32]| gram.iter().map(|&w| words[w as usize].chars as usize).sum::<usize>();
        for (n, share, name) in TOP {
            let mut counts: Vec<(&[u32], usize)> = Vec::new();
            for gram in numbers.windows(n) {
                match counts.iter_mut().find(|(other, _)| *other == gram) {
                    Some((_, count)) => *count += 1,
                    None => counts.push((gram, 1)),
                }
            }
            let most = counts.iter().map(|&(_, count)| count).max();
            let top = counts.iter().find(|&&(_, count)| Some(count) == most);
            if top.is_some_and(|(gram, n)| {
                ((chars(gram) + gram.len() - 1) * n) as f64 / total > share
            }) {
                return Err(name);
            }
        }
        for (n, share, name) in REPEATED {
            let (mut seen, mut repeated, mut at) = (Vec::new(), 0, 0);
            while at + n <= numbers.len() {
                let gram = &numbers[at..at + n];
                if seen.contains(&gram) {
                    repeated += chars(gram);
                    at += n;
                } else {
                    seen.push(gram);
                    at += 1;
                }
            }
            if repeated as f64 / total > share {
                return Err(name);
            }
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn the_bounds_change_no_decision(
            text in prop::collection::vec("[a-d]{1,3}|the|once upon a time there", 1..120),
            unique in 0_usize..200,
        ) {
            // Some text of words that occur once, so that decisions fall on both sides.
            let mut text = text.join(" ");
            for i in 0..unique {
                text.push_str(&format!(" w{i}w"));
            }
            let mut lexicon = Lexicon::new();
            let mut numbers = Vec::new();
            lexicon.number(&text, &mut numbers);
            let total = text.chars().count() as f64;
            let mut scratch = Scratch::default();
            let fast = words(&text, &numbers, lexicon.words(), &mut scratch);
            prop_assert_eq!(fast, plainly(&numbers, lexicon.words(), total));
            prop_assert!(scratch.counts.iter().all(|&count| count == 0));
        }
    }

    #[test]
    fn repeated_lines_and_paragraphs_are_named() {
        assert_eq!(lines(""), Err("empty"));
        assert_eq!(lines("one\n\ntwo\n\none\n\none"), Err("dup_para_frac"));
        assert_eq!(lines("one\ntwo\none\none\none"), Err("dup_line_frac"));
        assert_eq!(lines("one\ntwo\nthree"), Ok(()));
    }
}
