//! Text into sentences, as byte ranges of the text: the unit that is quoted.
//!
//! Mail is wrapped by hand, so one line end inside a paragraph ends nothing unless the line is short or the next
//! one begins a list. Abbreviations, initials and German dates ("am 3. Mai") keep their dots.

use std::ops::Range;

/// A line shorter than this ends its sentence: headings, lists, addresses, table rows.
const SHORT_LINE_CHARS: usize = 46;
/// Sentences beyond this are cut at a line end, a semicolon or a space.
const MAX_BYTES: usize = 420;

/// Sentences of `text[within]`, without white space at their ends, in order.
pub fn sentences(text: &str, within: Range<usize>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = within.start;
    let bytes = text.as_bytes();
    let mut at = within.start;
    while at < within.end {
        let ends = match bytes[at] {
            b'\n' => line_ends_sentence(text, start, at, within.end),
            b'.' | b'!' | b'?' => stop_ends_sentence(text, start, at, within.end),
            _ => false,
        };
        at += 1;
        if ends {
            push(&mut found, text, start..at);
            start = at;
        }
    }
    push(&mut found, text, start..within.end);
    found
}

fn push(found: &mut Vec<Range<usize>>, text: &str, range: Range<usize>) {
    let Some(written) = text.get(range.clone()) else { return };
    let trimmed = written.trim();
    if !trimmed.chars().any(char::is_alphanumeric) {
        return;
    }
    let start = range.start + (written.len() - written.trim_start().len());
    let end = start + trimmed.len();
    let mut from = start;
    while end - from > MAX_BYTES {
        let mut limit = from + MAX_BYTES;
        while !text.is_char_boundary(limit) {
            limit -= 1;
        }
        let window = &text[from..limit];
        let cut = ["\n", "; ", ", ", " "].iter().find_map(|mark| {
            window.rfind(mark).filter(|&at| at > MAX_BYTES / 3).map(|at| at + mark.len())
        });
        let next = from + cut.unwrap_or(window.len());
        found.push(from..from + text[from..next].trim_end().len());
        from = next;
    }
    if from < end {
        found.push(from..end);
    }
}

fn line_ends_sentence(text: &str, start: usize, at: usize, end: usize) -> bool {
    let line_start = text[start..at].rfind('\n').map_or(start, |newline| start + newline + 1);
    let line = text[line_start..at].trim();
    let rest = &text[at + 1..end];
    let next = rest.lines().next().unwrap_or_default();
    if line.is_empty() || next.trim().is_empty() {
        return true;
    }
    let next = next.trim_start();
    let list = next.starts_with(['-', '*', '•', '–', '>', '|', '#', '['])
        || next.split_once(['.', ')']).is_some_and(|(n, _)| {
            !n.is_empty() && n.len() <= 2 && n.bytes().all(|b| b.is_ascii_digit())
        });
    list || line.ends_with(':') || line.chars().count() < SHORT_LINE_CHARS
}

fn stop_ends_sentence(text: &str, start: usize, at: usize, end: usize) -> bool {
    let mut rest = text[at + 1..end].chars();
    let Some(next) = rest.next() else { return true };
    let closing = matches!(next, '"' | '”' | '“' | '»' | ')' | '\'');
    if closing || !next.is_whitespace() {
        return false;
    }
    if text.as_bytes()[at] != b'.' {
        return true;
    }
    let word =
        text[start..at].rsplit(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default();
    let following = text[at + 1..end].trim_start().chars().next();
    let number = !word.is_empty() && word.len() <= 2 && word.bytes().all(|b| b.is_ascii_digit());
    let initial = word.chars().count() == 1 && word.chars().all(char::is_alphabetic);
    let lower_follows = following.is_some_and(char::is_lowercase);
    !(number || initial || lower_follows || is_abbreviation(word))
}

fn is_abbreviation(word: &str) -> bool {
    let folded = word.to_lowercase();
    matches!(
        folded.as_str(),
        "dr" | "mr"
            | "mrs"
            | "ms"
            | "prof"
            | "st"
            | "nr"
            | "no"
            | "tel"
            | "ca"
            | "bzw"
            | "usw"
            | "etc"
            | "e.g"
            | "i.e"
            | "z.b"
            | "d.h"
            | "u.a"
            | "vs"
            | "approx"
            | "str"
            | "inkl"
            | "zzgl"
            | "evtl"
            | "ggf"
            | "art"
            | "abs"
            | "fr"
            | "hr"
            | "jr"
            | "sr"
            | "mme"
            | "m"
            | "jan"
            | "feb"
            | "aug"
            | "sept"
            | "okt"
            | "oct"
            | "nov"
            | "dez"
            | "dec"
            | "min"
            | "max"
            | "std"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<&str> {
        sentences(text, 0..text.len()).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn sentences_end_at_full_stops_and_not_at_abbreviations_or_german_dates() {
        let text =
            "Dr. Kaya rang on 3. May at 5 p.m. today. She said e.g. no! Am 3. Mai um 10 Uhr. Ende";
        assert_eq!(
            split(text),
            [
                "Dr. Kaya rang on 3. May at 5 p.m. today.",
                "She said e.g. no!",
                "Am 3. Mai um 10 Uhr.",
                "Ende"
            ]
        );
    }

    #[test]
    fn wrapped_lines_stay_together_and_short_lines_stand_alone() {
        let text = "The removal men come on Saturday at seven o'clock in\nthe morning, so be up.\nBoxes:\n- kitchen\n- cellar\n\nBye\nAnna";
        let lines = split(text);
        assert_eq!(
            lines[0],
            "The removal men come on Saturday at seven o'clock in\nthe morning, so be up."
        );
        assert_eq!(&lines[1..], ["Boxes:", "- kitchen", "- cellar", "Bye", "Anna"]);
    }

    #[test]
    fn every_sentence_is_a_slice_of_the_text_however_long_it_is() {
        let text = "Ein längerer Satz ohne Ende über Öfen und Äpfel, ".repeat(60);
        let ranges = sentences(&text, 0..text.len());
        assert!(ranges.len() > 5);
        assert!(ranges.iter().all(|range| {
            text.get(range.clone()).is_some_and(|s| s.len() <= MAX_BYTES && s == s.trim())
        }));
    }
}
