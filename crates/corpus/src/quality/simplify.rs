//! A text reduced to what near copies have in common: small letters without accents, no punctuation, every number
//! a zero. The form in which `datatrove` compares documents.

use super::words::Lexicon;
use super::words::chars::{PUNCTUATION, SPACE, is};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Simplifies, and cuts into words; one for each thread.
#[derive(Debug)]
pub(crate) struct Simplifier {
    lexicon: Lexicon,
    simple: String,
    words: String,
    ends: Vec<usize>,
    numbers: Vec<u32>,
}

impl Simplifier {
    pub(crate) fn new() -> Self {
        Self {
            lexicon: Lexicon::new(),
            simple: String::new(),
            words: String::new(),
            ends: Vec::new(),
            numbers: Vec::new(),
        }
    }

    /// The simplified words with one space between them, and where each ends.
    pub(crate) fn words(&mut self, text: &str) -> (&str, &[usize]) {
        self.lexicon.begin();
        self.simple.clear();
        simplify(text, &mut self.simple);
        self.words.clear();
        self.ends.clear();
        let mut start = 0;
        for chunk in self.simple.split(' ') {
            let range = start..start + chunk.len();
            start = range.end + 1;
            self.numbers.clear();
            if !chunk.is_empty() {
                self.lexicon.number_chunk(&self.simple, range, &mut self.numbers);
            }
            let mut at = 0;
            for &number in &self.numbers {
                let len = self.lexicon.words()[number as usize].bytes as usize;
                if !self.words.is_empty() {
                    self.words.push(' ');
                }
                self.words.push_str(&chunk[at..at + len]);
                self.ends.push(self.words.len());
                at += len;
            }
        }
        (&self.words, &self.ends)
    }
}

/// Appends the simple form of `text`, its words separated by single spaces.
fn simplify(text: &str, out: &mut String) {
    let mut chars = text.chars().flat_map(lower).peekable();
    while let Some(c) = chars.next() {
        if is_digit(c) {
            while chars.next_if(|&c| is_digit(c)).is_some() {}
            out.push('0');
            // A decimal part belongs to the number; without digits the point is punctuation.
            if let Some(point) = chars.next_if(|&c| is_point(c)) {
                match chars.next_if(|&c| is_digit(c)) {
                    Some(_) => while chars.next_if(|&c| is_digit(c)).is_some() {},
                    None => push_simple(point, out),
                }
            }
        } else {
            push_simple(c, out);
        }
    }
}

fn push_simple(c: char, out: &mut String) {
    if c.is_ascii_alphanumeric() {
        out.push(c);
    } else if is(c, PUNCTUATION | SPACE) {
        if !out.ends_with(' ') {
            out.push(' ');
        }
    } else if c.is_ascii() {
        out.push(c);
    } else {
        out.extend(std::iter::once(c).nfd().filter(|&c| !is_combining_mark(c)));
    }
}

fn lower(c: char) -> std::char::ToLowercase {
    c.to_lowercase()
}

/// Decimal digits of the scripts in wide use.
pub(super) fn is_digit(c: char) -> bool {
    match c {
        '0'..='9' => true,
        '\0'..='\u{65f}' => false,
        _ => {
            let zeros = [
                0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66,
                0xe50, 0xed0, 0xf20, 0x1040, 0x17e0, 0x1810, 0xff10,
            ];
            zeros.iter().any(|zero| (*zero..*zero + 10).contains(&(c as u32)))
        }
    }
}

fn is_point(c: char) -> bool {
    matches!(c, '.' | ',' | '،' | '٫' | '⎖' | '⎗' | '⎘')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_reduced_to_its_words() {
        let mut simplifier = Simplifier::new();
        let (words, ends) = simplifier.words("  Über 3,141.5 Cafés -- don't  panic: v2.0, 7.\n");
        assert_eq!(words, "uber 0 0 cafes don t panic v0 0");
        assert_eq!(ends.len(), 9);
    }
}
