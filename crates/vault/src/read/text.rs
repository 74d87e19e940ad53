//! Bytes to clean text: encoding detection, line ends, control characters, sizes.
//!
//! Order of belief: a byte-order mark, valid UTF-8, the charset the source names, then a statistical guess
//! (`chardetng`, which falls back to windows-1252 for western text). Every guess is reported to the caller,
//! who turns it into a remark.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8};

/// Text and, when the encoding was not given by a mark, by UTF-8 validity or by a fitting label, the guess.
pub(crate) struct Decoded<'a> {
    pub(crate) text: Cow<'a, str>,
    pub(crate) guessed: Option<&'static str>,
}

/// Decodes bytes whose encoding nobody names, or which may contradict its `label`.
pub(crate) fn decode<'a>(bytes: &'a [u8], label: Option<&str>) -> Decoded<'a> {
    if let Some((encoding, mark_bytes)) = Encoding::for_bom(bytes) {
        let (text, _) = encoding.decode_without_bom_handling(&bytes[mark_bytes..]);
        return Decoded { text, guessed: None };
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Decoded { text: Cow::Borrowed(text), guessed: None };
    }
    let named =
        label.and_then(|l| Encoding::for_label(l.trim().as_bytes())).filter(|e| *e != UTF_8);
    if let Some(encoding) = named
        && let Some(text) = encoding.decode_without_bom_handling_and_without_replacement(bytes)
    {
        return Decoded { text, guessed: None };
    }
    if let Some(encoding) = utf16_without_mark(bytes) {
        let (text, _) = encoding.decode_without_bom_handling(bytes);
        return Decoded { text, guessed: Some(encoding.name()) };
    }
    // Mostly UTF-8 with a few broken bytes (a file cut in the middle, an old quote pasted in) stays UTF-8.
    if mostly_utf8(bytes) {
        return Decoded {
            text: String::from_utf8_lossy(bytes),
            guessed: Some("UTF-8 with damage"),
        };
    }
    let encoding = guess(bytes);
    let (text, _) = encoding.decode_without_bom_handling(bytes);
    Decoded { text, guessed: Some(encoding.name()) }
}

/// The statistical guess; a megabyte is more than it needs. A pound sign or two are no statistics: text with
/// fewer than four odd bytes is windows-1252.
pub(crate) fn guess(bytes: &[u8]) -> &'static Encoding {
    if bytes.iter().filter(|b| **b >= 0x80).take(4).count() < 4 && !bytes.contains(&0x1b) {
        return encoding_rs::WINDOWS_1252;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(&bytes[..bytes.len().min(1 << 20)], true);
    detector.guess(None, Utf8Detection::Deny)
}

/// Text in UTF-16 without a mark shows as every other byte zero.
fn utf16_without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = &bytes[..bytes.len().min(4096) & !1];
    if head.len() < 4 {
        return None;
    }
    let pairs = head.len() / 2;
    let zeros_even = head.iter().step_by(2).filter(|b| **b == 0).count();
    let zeros_odd = head.iter().skip(1).step_by(2).filter(|b| **b == 0).count();
    if zeros_odd * 10 > pairs * 7 && zeros_even * 10 < pairs {
        Some(encoding_rs::UTF_16LE)
    } else if zeros_even * 10 > pairs * 7 && zeros_odd * 10 < pairs {
        Some(encoding_rs::UTF_16BE)
    } else {
        None
    }
}

/// More valid multi-byte sequences than broken ones, ten to one.
fn mostly_utf8(bytes: &[u8]) -> bool {
    let (mut good, mut bad) = (0usize, 0usize);
    for chunk in bytes.utf8_chunks() {
        good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        bad += usize::from(!chunk.invalid().is_empty());
    }
    good > bad * 10
}

/// `\n` line ends, no control characters but tab and newline, no byte-order marks, at most `limit_bytes`.
/// The flag says whether text was cut.
pub(crate) fn tidy(text: &str, limit_bytes: usize) -> (String, bool) {
    let mut end = text.len().min(limit_bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let cut = end < text.len();
    let text = &text[..end];
    if text.bytes().all(|b| b >= 0x20 && b != 0x7f && b < 0xc2 || b == b'\n' || b == b'\t') {
        return (text.to_owned(), cut);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => out.push('\n'),
            '\n' | '\t' => out.push(c),
            '\u{feff}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    (out, cut)
}

/// One line: white space runs become single spaces, ends trimmed. For titles and names.
pub(crate) fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty())
    {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// The first words of a text as a title, at most `max_chars`.
pub(crate) fn first_words(text: &str, max_chars: usize) -> String {
    let line = text.lines().map(str::trim).find(|l| l.chars().any(char::is_alphanumeric));
    clip(&one_line(line.unwrap_or_default()), max_chars)
}

/// At most `max_chars` characters, with an ellipsis where something was cut.
pub(crate) fn clip(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_utf8_are_guessed_and_the_guess_is_named() {
        let decoded = decode(b"Gr\xfc\xdfe aus M\xfcnchen, sch\xf6ne Tage", None);
        assert_eq!(decoded.text, "Grüße aus München, schöne Tage");
        assert_eq!(decoded.guessed, Some("windows-1252"));
    }

    #[test]
    fn a_label_that_fits_is_no_guess() {
        let decoded = decode(b"\xd0\xd2\xc9\xd7\xc5\xd4", Some("koi8-r"));
        assert_eq!((decoded.text.as_ref(), decoded.guessed), ("привет", None));
    }

    #[test]
    fn utf16_is_known_with_and_without_its_mark() {
        let marked: Vec<u8> =
            "\u{feff}Hallo Welt".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(decode(&marked, None).text, "Hallo Welt");
        let bare: Vec<u8> = "Hallo Wält".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(decode(&bare, None).text, "Hallo Wält");
    }

    #[test]
    fn tidy_text_has_plain_newlines_and_no_controls() {
        assert_eq!(tidy("a\r\nb\rc\0d\u{85}e", 100), ("a\nb\ncd\ne".to_owned(), false));
        assert_eq!(tidy("äöü", 3), ("ä".to_owned(), true));
    }
}
