//! One form for what looks the same.
//!
//! NFC; line ends are `\n`; control characters, byte-order marks, zero-width spaces, soft hyphens and replacement
//! characters are gone; spaces at line ends too; never more than two empty lines in a row.

use std::borrow::Cow;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

const LINE_ENDS: [char; 7] = ['\n', '\r', '\u{2028}', '\u{2029}', '\u{85}', '\u{b}', '\u{c}'];

/// The cleaned text; borrowed if it was clean.
pub fn clean(text: &str) -> Cow<'_, str> {
    if is_clean(text) {
        return Cow::Borrowed(text);
    }
    // First away with what nobody sees: it may stand between a letter and its accent.
    let seen: String = text.replace("\r\n", "\n").chars().filter(|&c| !is_unseen(c)).collect();
    let nfc = match seen.is_ascii() || is_nfc_quick(seen.chars()) == IsNormalized::Yes {
        true => seen,
        false => seen.nfc().collect(),
    };
    let mut out = String::with_capacity(nfc.len());
    let mut empty = 0;
    for line in nfc.split(LINE_ENDS) {
        let start = out.len();
        out.push_str(line);
        let kept = out.trim_end_matches([' ', '\t', '\u{a0}']).len();
        // Spaces before this line belong to no line end of its own.
        out.truncate(kept.max(start));
        empty = if out.len() == start { empty + 1 } else { 0 };
        if empty <= 2 {
            out.push('\n');
        }
    }
    out.truncate(out.trim_end().len());
    Cow::Owned(out)
}

/// Whether a look at the bytes shows that nothing is to do: ASCII, and nothing of what is removed.
fn is_clean(text: &str) -> bool {
    let mut last = b'\n';
    let mut run = 0;
    for &byte in text.as_bytes() {
        let allowed = matches!(byte, b' '..=b'~' | b'\n' | b'\t');
        if !allowed || (byte == b'\n' && matches!(last, b' ' | b'\t')) {
            return false;
        }
        run = if byte == b'\n' { run + 1 } else { 0 };
        if run > 3 {
            return false;
        }
        last = byte;
    }
    !text.ends_with(|c: char| c.is_whitespace())
}

fn is_unseen(c: char) -> bool {
    match c {
        '\t' => false,
        _ if LINE_ENDS.contains(&c) => false,
        '\u{ad}' | '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{fffd}' => true,
        // Direction marks are needed by right-to-left scripts, joiners by Indic ones and emoji: those stay.
        _ => c.is_control() || matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{fffc}'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_looks_the_same_becomes_the_same() {
        assert_eq!(
            clean("cafe\u{301}\r\nsoft\u{ad}hyphen  \rx\u{0}y\u{feff}\n"),
            "café\nsofthyphen\nxy"
        );
        assert_eq!(clean("a\n\n\n\n\n\nb"), "a\n\n\nb");
        assert!(matches!(clean("plain\n\ttext."), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn cleaning_twice_changes_nothing_more(text in "[a-c \t\r\n\u{a0}\u{ad}\u{301}e\u{0}é]{0,50}") {
            let once = clean(&text).into_owned();
            prop_assert_eq!(clean(&once), once.as_str());
        }
    }
}
