//! Lays an item out as one stored text and cuts that text into chunks: the unit of *match*.
//!
//! The stored text is what a person reads when they open the item, and what every byte offset of a citation
//! counts in: the title, then each section under its headings. A chunk is a few sentences of one section
//! (about 150 words, which is what small embedding models take in); the unit of *answer* is the item or its
//! thread, so chunks need no overlap.

use crate::item::{Item, Weight};

/// A chunk closes at the first paragraph or sentence end beyond this many bytes.
const TARGET_BYTES: usize = 700;
/// Text without any sentence end is cut at a space before this many bytes.
const MAX_BYTES: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Laid {
    pub text: String,
    pub chunks: Vec<Chunk>,
}

/// `text[start..end]`, trimmed of white space at both ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    pub start: usize,
    pub end: usize,
    /// The section's headings joined by ` › `; empty at the top.
    pub heading: String,
    pub weight: Weight,
}

/// The stored text of an item and its chunks. An item always has at least one chunk: its title, so that even a
/// photo without words is found by name.
pub fn lay_out(item: &Item) -> Laid {
    let mut text = item.title.trim().to_owned();
    let title_end = text.len();
    let mut chunks = Vec::new();
    for line in lines_of_fields(item) {
        text.push('\n');
        text.push_str(&line);
    }
    if text.len() > title_end {
        cut(&mut chunks, &text, 0, "", Weight::Body);
    }
    let mut last_heading = String::new();
    for (idx, section) in item.sections.iter().enumerate() {
        let body = section.text.trim_matches('\n').trim_end();
        // A note's first heading and a document's first line usually are the title: not twice.
        if body.is_empty() || (idx == 0 && body == item.title.trim()) {
            continue;
        }
        let heading = section.heading.join(" › ");
        text.push_str("\n\n");
        if heading != last_heading && !heading.is_empty() && heading != item.title.trim() {
            text.push_str(&heading);
            text.push('\n');
        }
        last_heading.clone_from(&heading);
        let start = text.len();
        text.push_str(body);
        cut(&mut chunks, &text, start, &heading, section.weight);
    }
    if chunks.is_empty() {
        let chunk =
            Chunk { start: 0, end: text.len(), heading: String::new(), weight: Weight::Body };
        chunks.push(chunk);
    }
    Laid { text, chunks }
}

/// What an event or a card says in fields, as lines, where the reader made no section of them.
fn lines_of_fields(item: &Item) -> Vec<String> {
    let said = |value: &str| item.sections.iter().any(|section| section.text.contains(value));
    let mut lines = Vec::new();
    if let Some(event) = &item.event
        && !event.location.is_empty()
        && !said(&event.location)
    {
        lines.push(event.location.clone());
    }
    if let Some(card) = &item.card {
        for (label, value) in &card.fields {
            if !value.is_empty() && !said(value) {
                lines.push(format!("{label}: {value}"));
            }
        }
    }
    lines
}

/// Cuts `text[from..]` and appends the chunks.
fn cut(chunks: &mut Vec<Chunk>, text: &str, from: usize, heading: &str, weight: Weight) {
    let mut start = from;
    while start < text.len() {
        let rest = &text[start..];
        let length = if rest.len() <= TARGET_BYTES { rest.len() } else { cut_after(rest) };
        let piece = &rest[..length];
        let trimmed = piece.trim();
        if !trimmed.is_empty() {
            let begin = start + (piece.len() - piece.trim_start().len());
            chunks.push(Chunk {
                start: begin,
                end: begin + trimmed.len(),
                heading: heading.to_owned(),
                weight,
            });
        }
        start += length;
    }
}

/// Where to cut a text longer than the target: the best boundary between half the target and the maximum —
/// paragraph, then line, then sentence, then word.
fn cut_after(rest: &str) -> usize {
    let max = floor_boundary(rest, MAX_BYTES);
    let low = floor_boundary(rest, TARGET_BYTES / 2);
    let target = floor_boundary(rest, TARGET_BYTES);
    let window = &rest[low..max];
    // A remainder too short to stand alone stays with what it follows.
    if rest.len() <= MAX_BYTES {
        return rest.len();
    }
    let near = target - low;
    for mark in ["\n\n", "\n", ". ", "! ", "? ", "。", "; ", ", ", " "] {
        if let Some(at) = nearest(window, mark, near) {
            return low + at + mark.len();
        }
    }
    max
}

/// The occurrence of `mark` nearest to byte `near` of `window`.
fn nearest(window: &str, mark: &str, near: usize) -> Option<usize> {
    window.match_indices(mark).map(|(at, _)| at).min_by_key(|at| at.abs_diff(near))
}

pub(crate) fn floor_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::note;

    #[test]
    fn a_short_note_is_one_chunk_without_its_title() {
        let laid = lay_out(&note("trip.md", "Trip", "We leave at nine.\nBring water."));
        assert_eq!(laid.text, "Trip\n\nWe leave at nine.\nBring water.");
        assert_eq!(laid.chunks.len(), 1);
        let chunk = &laid.chunks[0];
        assert_eq!(&laid.text[chunk.start..chunk.end], "We leave at nine.\nBring water.");
    }

    #[test]
    fn an_item_without_text_is_found_by_its_title() {
        let laid = lay_out(&note("x.md", "Sunset at the lake", ""));
        assert_eq!(&laid.text[laid.chunks[0].start..laid.chunks[0].end], "Sunset at the lake");
    }

    #[test]
    fn long_text_is_cut_at_paragraphs_where_there_are_any() {
        let paragraph = "Some words that go on for a while. ".repeat(10);
        let text = [paragraph.trim(), paragraph.trim(), paragraph.trim()].join("\n\n");
        let laid = lay_out(&note("x.md", "t", &text));
        let pieces: Vec<&str> = laid.chunks.iter().map(|c| &laid.text[c.start..c.end]).collect();
        assert!(pieces.iter().all(|p| p.ends_with("while.")), "{pieces:#?}");
    }

    proptest! {
        #[test]
        fn chunks_cover_every_letter_once_and_stay_short(
            text in "([a-zäö世]{1,12}[ .\n]{1,2}){0,400}"
        ) {
            let laid = lay_out(&note("x.md", "t", &text));
            let mut end = 0;
            let mut letters = 0;
            for chunk in &laid.chunks {
                prop_assert!(chunk.start >= end && chunk.end > chunk.start);
                prop_assert!(chunk.end - chunk.start <= MAX_BYTES);
                end = chunk.end;
                letters += laid.text[chunk.start..chunk.end].chars().filter(|c| c.is_alphabetic()).count();
            }
            let expected = text.chars().filter(|c| c.is_alphabetic()).count();
            let title_only = text.trim().is_empty() || text.trim() == "t";
            prop_assert_eq!(letters, if title_only { 1 } else { expected });
        }
    }
}
