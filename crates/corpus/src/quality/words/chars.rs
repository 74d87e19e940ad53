//! Kinds of characters, as Python, `datatrove` and spaCy see them.

use super::tables;
use regex::Regex;
use std::sync::LazyLock;

macro_rules! kinds {
    ($($bit:literal $name:ident: $doc:literal, $test:expr;)*) => {
        $(#[doc = $doc] pub(crate) const $name: u16 = 1 << $bit;)*

        fn compute(c: char) -> u16 {
            let mut kinds = 0;
            $(if ($test)(c) { kinds |= $name; })*
            kinds
        }
    };
}

kinds! {
    0 SPACE: "White space, with the four separators that Python counts.", is_space;
    1 ALPHA: "Letter by spaCy's tables.", |c| within(c, &tables::ALPHA);
    2 LOWER: "Small letter, or letter without case.",
        |c: char| within(c, &tables::ALPHA) && (c.is_lowercase() || within(c, &tables::UNCASED));
    3 UPPER: "Capital letter, or letter without case.",
        |c: char| within(c, &tables::ALPHA) && (c.is_uppercase() || within(c, &tables::UNCASED));
    4 DIGIT: "0 to 9.", |c: char| c.is_ascii_digit();
    5 CLINGING: "Cut off at either end of a word.", |c| within(c, &tables::CLINGING);
    6 CURRENCY: "Currency sign.", |c| within(c, &tables::CURRENCY);
    7 ICON: "Symbol or picture.", |c| within(c, &tables::ICONS);
    8 BEFORE_STOP: "A full stop after it is cut off.", |c| within(c, &tables::BEFORE_FULL_STOP);
    9 QUOTE: "Quotation mark.", |c| within(c, &tables::QUOTES);
    10 SYMBOL: "Makes no word: punctuation and control characters.",
        |c| within(c, &tables::PUNCTUATION) || within(c, &tables::TERMINAL);
    11 LETTER: "Letter by Unicode.", is_letter;
    12 SENTENCE_END: "Alone, it ends a sentence.", |c| within(c, &tables::SENTENCE_END);
    13 TERMINAL: "Ends a sentence in some script.", |c| within(c, &tables::TERMINAL);
    14 PUNCTUATION: "Replaced by a space when text is simplified.", |c| within(c, &tables::PUNCTUATION);
    15 WRITTEN_SIGN: "Punctuation by Unicode (general category P).", is_written_sign;
}

/// The kinds of every character of the first plane: looked up, because every rule asks.
static KINDS: LazyLock<Vec<u16>> =
    LazyLock::new(|| (0..0x1_0000).map(|code| char::from_u32(code).map_or(0, compute)).collect());

/// All kinds that `c` is of, as bits.
pub(crate) fn kinds(c: char) -> u16 {
    match KINDS.get(c as usize) {
        Some(&kinds) => kinds,
        None => compute(c),
    }
}

/// Whether `c` is of one of these kinds.
pub(crate) fn is(c: char, of: u16) -> bool {
    kinds(c) & of != 0
}

fn within(c: char, ranges: &[(u32, u32)]) -> bool {
    let code = c as u32;
    let at = ranges.partition_point(|&(_, last)| last < code);
    ranges.get(at).is_some_and(|&(first, _)| first <= code)
}

fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

fn is_written_sign(c: char) -> bool {
    static SIGN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\p{P}$").ok());
    let mut letter = [0; 4];
    SIGN.as_ref().is_some_and(|sign| sign.is_match(c.encode_utf8(&mut letter)))
}

/// Unicode's letters: what is alphabetic without being a mark, a number or a circled letter.
fn is_letter(c: char) -> bool {
    let circled = matches!(c, '\u{24b6}'..='\u{24e9}' | '\u{1f130}'..='\u{1f189}');
    let mark = unicode_normalization::char::is_combining_mark(c);
    c.is_alphabetic() && !c.is_numeric() && !mark && !circled
}
