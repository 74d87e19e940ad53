//! Text into tokens that the time grammar reads: words folded to plain lower-case letters, numbers, symbols.
//!
//! A hyphen or an apostrophe between letters only separates (`avant-hier`, `l'année`, `mid-June`), so that
//! compounds are phrases of the lexicon; between digits a hyphen is a symbol, for dates and ranges.

use std::ops::Range;

/// One token and where its bytes stand in the text.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) shape: Shape,
    pub(super) bytes: Range<usize>,
    /// No white space stands between this token and the one before it.
    pub(super) glued: bool,
    /// The first letter is a capital.
    pub(super) capital: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// A folded word.
    Word(String),
    /// A value and how many digits wrote it.
    Number(i64, usize),
    Symbol(char),
}

/// Lower case without accents: `Früh` → `fruh`, `Straße` → `strasse`, `après` → `apres`.
///
/// Names and time words are compared in this form. Letters outside Latin pass through in lower case.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for letter in text.chars().flat_map(char::to_lowercase) {
        match letter {
            'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ā' | 'ă' | 'ą' => folded.push('a'),
            'ç' | 'ć' | 'č' => folded.push('c'),
            'ď' | 'đ' | 'ð' => folded.push('d'),
            'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ę' | 'ě' => folded.push('e'),
            'ğ' => folded.push('g'),
            'ì' | 'í' | 'î' | 'ï' | 'ī' | 'ı' => folded.push('i'),
            'ł' | 'ľ' => folded.push('l'),
            'ñ' | 'ń' | 'ň' => folded.push('n'),
            'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' | 'ő' | 'ō' => folded.push('o'),
            'ř' => folded.push('r'),
            'ś' | 'š' | 'ş' | 'ș' => folded.push('s'),
            'ť' | 'ţ' | 'ț' => folded.push('t'),
            'ù' | 'ú' | 'û' | 'ü' | 'ū' | 'ů' | 'ű' => folded.push('u'),
            'ý' | 'ÿ' => folded.push('y'),
            'ź' | 'ż' | 'ž' => folded.push('z'),
            'ß' => folded.push_str("ss"),
            'œ' => folded.push_str("oe"),
            'æ' => folded.push_str("ae"),
            // Combining accents of decomposed text.
            '\u{300}'..='\u{36f}' => {}
            other => folded.push(other),
        }
    }
    folded
}

pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut letters = text.char_indices().peekable();
    while let Some((start, first)) = letters.next() {
        let mut end = start + first.len_utf8();
        let glued = tokens.last().is_some_and(|last| last.bytes.end == start);
        let kind: fn(char) -> bool = match first {
            '0'..='9' => |c| c.is_ascii_digit(),
            c if is_letter(c) => is_letter,
            c if c.is_whitespace() => continue,
            _ => |_| false,
        };
        while let Some(&(at, next)) = letters.peek() {
            if !kind(next) {
                break;
            }
            end = at + next.len_utf8();
            letters.next();
        }
        let written = &text[start..end];
        let shape = if first.is_ascii_digit() {
            // Longer than any year, day or count of a time expression: a phone number or an id.
            let value = if written.len() <= 9 { written.parse().unwrap_or(-1) } else { -1 };
            Shape::Number(value, written.len())
        } else if is_letter(first) {
            Shape::Word(fold(written))
        } else {
            let before = text[..start].chars().next_back().is_some_and(is_letter);
            let after = letters.peek().is_some_and(|&(_, next)| is_letter(next));
            let joint = matches!(first, '-' | '\'' | '’' | '\u{2010}' | '\u{2011}');
            if joint && before && after {
                continue;
            }
            Shape::Symbol(first)
        };
        tokens.push(Token { shape, bytes: start..end, glued, capital: first.is_uppercase() });
    }
    tokens
}

fn is_letter(letter: char) -> bool {
    letter.is_alphabetic() || ('\u{300}'..='\u{36f}').contains(&letter)
}
