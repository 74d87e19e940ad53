//! C4's rules: lines that are no sentences go, and documents with too few sentences left.

use super::simplify::is_digit;
use super::words::chars::{SPACE, is};
use super::words::{Lexicon, sentence_count};
use super::{n_chars, python_lines, strip};
use aho_corasick::AhoCorasick;
use std::borrow::Cow;
use std::sync::LazyLock;

/// Sentences that a document must have.
const MIN_SENTENCES: usize = 5;
const MIN_WORDS_PER_LINE: usize = 3;
const LONGEST_WORD_CHARS: usize = 1000;
const LOREM: usize = 0;
const TELLTALES: [&str; 8] = [
    "lorem ipsum",
    "javascript",
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "use of cookies",
    "use cookies",
];

/// Judges a text: the reason to drop it, or the text of the lines that stay (`None` if that is the text itself).
pub(super) fn judge(
    text: &str,
    terminal_punctuation: bool,
    lexicon: &mut Lexicon,
) -> Result<Option<String>, &'static str> {
    let mut kept = String::with_capacity(text.len());
    let mut n_sentences = 0;
    for line in python_lines(text) {
        let Some(line) = judge_line(line, terminal_punctuation)? else { continue };
        if n_sentences < MIN_SENTENCES {
            n_sentences += sentence_count(lexicon, &line, MIN_SENTENCES - n_sentences);
        }
        kept.push_str(&line);
        kept.push('\n');
    }
    if n_sentences < MIN_SENTENCES {
        return Err("too_few_sentences");
    }
    let kept = strip(&kept);
    Ok((kept != text).then(|| kept.to_string()))
}

/// The line to keep, without citation marks; `Err` where the line condemns the whole document.
fn judge_line(
    line: &str,
    terminal_punctuation: bool,
) -> Result<Option<Cow<'_, str>>, &'static str> {
    let line = strip(line);
    let mut n_words = 0;
    for word in line.split(|c| is(c, SPACE)).filter(|word| !word.is_empty()) {
        n_words += 1;
        if word.len() > LONGEST_WORD_CHARS && n_chars(word) > LONGEST_WORD_CHARS {
            return Ok(None);
        }
    }
    let line = without_citations(line);
    if terminal_punctuation
        && (!line.ends_with(['.', '?', '!', '"', '\'']) || line.ends_with("..."))
    {
        return Ok(None);
    }
    if n_words < MIN_WORDS_PER_LINE {
        return Ok(None);
    }
    let mut dropped = false;
    for found in telltales(&line) {
        if found == LOREM {
            return Err("lorem_ipsum");
        }
        dropped = true;
    }
    // A line with JavaScript is dropped before its brackets are looked at; one with a policy after.
    let javascript = dropped && telltales(&line).any(|found| found == 1);
    if !javascript && line.contains('{') {
        return Err("curly_bracket");
    }
    Ok((!dropped).then_some(line))
}

fn telltales(line: &str) -> impl Iterator<Item = usize> + '_ {
    static FINDER: LazyLock<Option<AhoCorasick>> =
        LazyLock::new(|| AhoCorasick::builder().ascii_case_insensitive(true).build(TELLTALES).ok());
    FINDER.iter().flat_map(move |finder| {
        finder.find_overlapping_iter(line).map(|found| found.pattern().as_usize())
    })
}

/// Without `[12]`, `[]`, `[edit]` and `[citation needed]`.
fn without_citations(line: &str) -> Cow<'_, str> {
    let mut out: Option<String> = None;
    let mut rest = line;
    let mut done = 0;
    while let Some(at) = rest.find('[') {
        let inside = &rest[at + 1..];
        let start = line.len() - rest.len() + at;
        match citation_bytes(inside) {
            0 => rest = inside,
            n => {
                out.get_or_insert_default().push_str(&line[done..start]);
                done = start + 1 + n;
                rest = &line[done..];
            }
        }
    }
    match out {
        Some(out) => Cow::Owned(out + &line[done..]),
        None => Cow::Borrowed(line),
    }
}

/// Length of the rest of a citation mark that was opened; 0 if it is none.
fn citation_bytes(inside: &str) -> usize {
    for whole in ["edit]", "citation needed]"] {
        if inside.starts_with(whole) {
            return whole.len();
        }
    }
    let digits = inside.find(|c| !is_digit(c)).unwrap_or(inside.len());
    if inside[digits..].starts_with(']') { digits + 1 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_citation_mark_goes_and_other_brackets_stay() {
        assert_eq!(without_citations("a[1] b[] c[edit] d[x] e[citation needed]"), "a b c d[x] e");
        assert_eq!(without_citations("[[2]] [12 [é[٣]"), "[] [12 [é");
    }

    #[test]
    fn lines_with_policies_go_and_brackets_condemn() {
        let line = |text| judge_line(text, false);
        assert_eq!(line("Our PRIVACY policy is long."), Ok(None));
        assert_eq!(line("Lorem ipsum dolor sit"), Err("lorem_ipsum"));
        assert_eq!(line("if (x) { y }"), Err("curly_bracket"));
        assert_eq!(line("JavaScript { y } here"), Ok(None));
        assert_eq!(line("too short"), Ok(None));
    }
}
