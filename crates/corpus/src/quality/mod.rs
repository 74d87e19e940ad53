//! Rules about form: is this prose, or debris?
//!
//! Four published rule sets, with the decisions of their best-known implementation (`datatrove` 0.10), whose reasons
//! are reported under the same names:
//!
//! - [`repetition`]: Gopher's rules about repeated lines, paragraphs and n-grams (arXiv 2112.11446, table A1);
//! - [`gopher`]: Gopher's rules about words and lines (same paper, appendix A.1.1);
//! - [`c4`]: C4's rules, which drop lines as well as documents (JMLR 21, 20-074);
//! - [`fineweb`]: FineWeb's rules about lines (arXiv 2406.17557).
//!
//! All ask about the same words ([`words`]), which are found once. [`simplify`] is for near-duplicate search.

mod c4;
mod fineweb;
#[cfg(test)]
mod golden;
mod gopher;
mod repetition;
pub(crate) mod simplify;
pub(crate) mod words;

use crate::config;
use words::Lexicon;

/// Why a document was dropped: the rule set, and the rule.
pub type Reason = (&'static str, &'static str);

/// The rules, and what they keep between documents; one for each thread.
#[derive(Debug)]
pub struct Rules {
    settings: config::Quality,
    lexicon: Lexicon,
    numbers: Vec<u32>,
    repetition: repetition::Scratch,
}

impl Rules {
    /// Rules of the sets that are switched on.
    pub fn new(settings: &config::Quality) -> Self {
        Self {
            settings: settings.clone(),
            lexicon: Lexicon::new(),
            numbers: Vec::new(),
            repetition: repetition::Scratch::default(),
        }
    }

    /// Judges a document: the reason to drop it, or the text to keep if rules dropped lines of it (`None`: as it is).
    pub fn judge(&mut self, text: &str) -> Result<Option<String>, Reason> {
        self.lexicon.begin();
        self.numbers.clear();
        let on = &self.settings;
        if on.gopher_repetition {
            repetition::lines(text).map_err(|rule| ("gopher_repetition", rule))?;
        }
        if on.gopher_repetition || on.gopher_quality {
            self.lexicon.number(text, &mut self.numbers);
        }
        if on.gopher_repetition {
            repetition::words(text, &self.numbers, self.lexicon.words(), &mut self.repetition)
                .map_err(|rule| ("gopher_repetition", rule))?;
        }
        if on.gopher_quality {
            gopher::judge(text, &self.numbers, self.lexicon.words())
                .map_err(|rule| ("gopher_quality", rule))?;
        }
        let mut changed = None;
        if on.c4 {
            changed = c4::judge(text, on.c4_terminal_punctuation, &mut self.lexicon)
                .map_err(|rule| ("c4", rule))?;
        }
        if on.fineweb {
            let text = changed.as_deref().unwrap_or(text);
            fineweb::judge(text, &mut self.lexicon).map_err(|rule| ("fineweb", rule))?;
        }
        Ok(changed)
    }
}

/// Lines as Python's `str.splitlines` cuts them.
fn python_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = line_end(rest);
        let line = &rest[..end];
        rest = &rest[end..];
        let two = rest.starts_with("\r\n");
        rest = match rest.chars().next() {
            Some(_) if two => &rest[2..],
            Some(c) => &rest[c.len_utf8()..],
            None => rest,
        };
        Some(line)
    })
}

/// Where the first line of a text ends.
fn line_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\n' | b'\r' | 0xb | 0xc | 0x1c..=0x1e => return at,
            0xc2 if bytes.get(at + 1) == Some(&0x85) => return at,
            0xe2 if matches!(bytes.get(at + 1..at + 3), Some([0x80, 0xa8 | 0xa9])) => return at,
            _ => at += 1,
        }
    }
    at
}

/// Number of characters.
fn n_chars(text: &str) -> usize {
    text.chars().count()
}

/// `str.strip` of Python.
fn strip(text: &str) -> &str {
    text.trim_matches(|c| words::chars::is(c, words::chars::SPACE))
}
