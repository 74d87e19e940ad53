//! The words shown under a hit: the part of the passage that says most of what was asked, with the bytes that match.

use std::ops::Range;

use super::Parsed;
use crate::text::chunks::floor_boundary;
use crate::text::words::{self, LANGUAGES, Language, Stems};

const MAX_BYTES: usize = 240;

/// What to look for in passages.
pub(super) struct Wanted<'a> {
    /// Folded words with their stems in all languages.
    words: Vec<(&'a str, Vec<String>)>,
    /// A word that is only begun.
    typed: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    pub(super) fn of(parsed: &'a Parsed, stems: &mut Stems) -> Self {
        let words = parsed.words.iter().chain(parsed.phrases.iter().flatten());
        let words = words.map(|word| (word.as_str(), stems.stems_of(word))).collect();
        let typed = parsed.typing.then(|| parsed.words.last().map(String::as_str)).flatten();
        Self { words, typed }
    }

    /// The number of the word that a term of the passage stands for.
    fn position(&self, term: &str, stems: &mut Stems) -> Option<usize> {
        let matched = self.words.iter().position(|(word, known)| {
            // A word and its stem begin alike; asking that first spares nearly all the stemming.
            let alike = || term.bytes().take(2).eq(word.bytes().take(2));
            let same_stem = |l: &Language| known.iter().any(|s| s == stems.stem(term, *l));
            *word == term || (alike() && LANGUAGES.iter().any(same_stem))
        });
        let typed = || self.typed.is_some_and(|typed| term.starts_with(typed));
        matched.or_else(|| typed().then_some(self.words.len()))
    }
}

/// A match in a passage: its bytes, and the number of the word.
type Match = (Range<usize>, usize);

/// The best window of a passage and the matching bytes inside it.
pub(super) fn of(
    passage: &str,
    wanted: &Wanted<'_>,
    stems: &mut Stems,
) -> (String, Vec<Range<usize>>) {
    let mut hits: Vec<Match> = Vec::new();
    words::each_token(passage, |term, start, end| {
        if let Some(word) = wanted.position(term, stems) {
            hits.push((start..end, word));
        }
    });
    let window = best_window(passage, &hits);
    let text = &passage[window.clone()];
    let matches = hits
        .iter()
        .filter(|(at, _)| at.start >= window.start && at.end <= window.end)
        .map(|(at, _)| at.start - window.start..at.end - window.start)
        .collect();
    (text.to_owned(), matches)
}

/// The stretch with the most different words, as early as possible, widened to whole words.
fn best_window(passage: &str, hits: &[Match]) -> Range<usize> {
    if passage.len() <= MAX_BYTES {
        return 0..passage.len();
    }
    let mut best = (0, 0);
    for (idx, (first, _)) in hits.iter().enumerate() {
        let mut seen: Vec<usize> = Vec::new();
        for (token, word) in &hits[idx..] {
            if token.end > first.start + MAX_BYTES {
                break;
            }
            if !seen.contains(word) {
                seen.push(*word);
            }
        }
        if seen.len() > best.0 {
            best = (seen.len(), first.start);
        }
    }
    // A little of what comes before the first match, from the start of its sentence when that is near.
    let lead = floor_boundary(passage, best.1.saturating_sub(60));
    let before = &passage[lead..best.1];
    let start = match before.rfind(['.', '!', '?', '\n']) {
        Some(at) => lead + at + 1,
        None if lead == 0 => 0,
        None => before.find(char::is_whitespace).map_or(lead, |at| lead + at),
    };
    let start = start + (passage[start..].len() - passage[start..].trim_start().len());
    let limit = floor_boundary(passage, start + MAX_BYTES);
    let end = if limit == passage.len() {
        limit
    } else {
        passage[start..limit].rfind(char::is_whitespace).map_or(limit, |at| start + at)
    };
    start..end.max(start)
}

/// Whether a text says these folded words one after the other.
pub(super) fn says(text: &str, phrase: &[String]) -> bool {
    let mut recent: Vec<String> = Vec::with_capacity(phrase.len());
    let mut said = false;
    words::each_token(text, |term, _, _| {
        if recent.len() == phrase.len() {
            recent.remove(0);
        }
        recent.push(term.to_owned());
        said |= recent.as_slice() == phrase;
    });
    said || phrase.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(passage: &str, words: &[&str]) -> (String, Vec<Range<usize>>) {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        let parsed = Parsed { words, ..Parsed::default() };
        let mut stems = Stems::default();
        of(passage, &Wanted::of(&parsed, &mut stems), &mut stems)
    }

    #[test]
    fn a_snippet_shows_the_place_where_the_words_meet() {
        let text = format!(
            "{}The ferry costs money. {}The ferry tickets to Lisbon cost 40 euros. {}",
            "Nothing here. ".repeat(20),
            "Filler words stand here. ".repeat(20),
            "And more. ".repeat(30)
        );
        let (snippet, matches) = shown(&text, &["tickets", "lisbon"]);
        assert!(snippet.starts_with("The ferry tickets to Lisbon"), "{snippet}");
        assert!(snippet.len() <= MAX_BYTES);
        let marked: Vec<&str> = matches.iter().map(|range| &snippet[range.clone()]).collect();
        assert_eq!(marked, ["tickets", "Lisbon"]);
    }

    #[test]
    fn inflected_words_are_marked_too() {
        let (_, matches) = shown("Alle Rechnungen sind da", &["rechnung"]);
        assert_eq!((matches.len(), &matches[0]), (1, &(5..15)));
    }

    #[test]
    fn a_phrase_needs_its_words_in_a_row() {
        let words = ["as", "agreed"].map(str::to_owned);
        assert!(says("It is, As agreed, done", &words));
        assert!(!says("agreed as", &words));
    }
}
