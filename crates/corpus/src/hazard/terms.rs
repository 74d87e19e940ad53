//! Terms that give a hazardous text away.

use crate::Error;
use aho_corasick::{AhoCorasick, MatchKind};
use std::path::PathBuf;

const BUILT_IN: &str = include_str!("terms.txt");

/// A list of terms, ready to search.
#[derive(Debug)]
pub struct Terms {
    finder: AhoCorasick,
    terms: Vec<String>,
}

impl Terms {
    /// The built-in list, if wanted, and the lists in files: one term per line, `#` begins a comment.
    pub fn read(built_in: bool, paths: &[PathBuf]) -> Result<Self, Error> {
        let mut text = if built_in { BUILT_IN.to_string() } else { String::new() };
        for path in paths {
            let more =
                std::fs::read_to_string(path).map_err(|error| Error::io("read", path, error))?;
            text.push('\n');
            text.push_str(&more);
        }
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or("").trim());
        let mut terms: Vec<String> = lines.filter(|line| !line.is_empty()).map(normalise).collect();
        terms.sort_unstable();
        terms.dedup();
        let finder = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&terms)
            .map_err(|error| Error::Config(format!("the hazard terms: {error}")))?;
        Ok(Self { finder, terms })
    }

    /// The different terms that occur in a text as whole words.
    pub fn found(&self, text: &str) -> Vec<&str> {
        if self.terms.is_empty() {
            return Vec::new();
        }
        let text = normalise(text);
        let bytes = text.as_bytes();
        let apart = |at: Option<&u8>| at.is_none_or(|byte| !byte.is_ascii_alphanumeric());
        let whole = |found: &aho_corasick::Match| {
            apart(found.start().checked_sub(1).and_then(|at| bytes.get(at)))
                && apart(bytes.get(found.end()))
        };
        let found = self.finder.find_iter(&text).filter(whole);
        let mut found: Vec<usize> = found.map(|found| found.pattern().as_usize()).collect();
        found.sort_unstable();
        found.dedup();
        found.into_iter().map(|term| self.terms[term].as_str()).collect()
    }
}

/// Small letters, single spaces.
fn normalise(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(word.chars().map(|c| c.to_ascii_lowercase()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_found_as_whole_words_over_line_breaks() {
        let terms = Terms::read(true, &[]).unwrap();
        assert_eq!(terms.found("Learn How to\nmake   SARIN."), ["how to make sarin"]);
        assert!(terms.found("how to make sarinade; the history of sarin").is_empty());
    }

    #[test]
    fn a_file_adds_terms_and_comments_are_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("terms.txt");
        std::fs::write(&path, "# mine\nRed  Button # the big one\n").unwrap();
        let terms = Terms::read(false, &[path]).unwrap();
        assert_eq!(terms.found("press the red button now"), ["red button"]);
        assert!(terms.found("how to make sarin").is_empty());
    }
}
