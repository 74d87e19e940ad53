//! Byte-level BPE, as GPT-2 introduced it: words are cut out by a rule, each word's bytes are written as 256
//! printable letters, and merge rules join letters into tokens.
//!
//! Every text can be encoded, and decoding gives back exactly its bytes, because each single byte is a token.

use super::merge::{self, Join, NO_TOKEN};
use super::pieces::Pieces;
use super::words::WordRule;
use crate::Error;
use hashbrown::HashMap;
use std::borrow::Cow;

#[derive(Debug)]
pub(super) struct ByteBpe {
    rule: WordRule,
    byte_ids: [u32; 256],
    /// (left id, right id) → place in the list of rules and the id of both together.
    joins: HashMap<(u32, u32), Join>,
}

impl ByteBpe {
    /// `merges` are pairs separated by one space, most important first.
    pub(super) fn new(pieces: &Pieces, merges: &[String], pre: &str) -> Result<Self, Error> {
        let mut byte_ids = [NO_TOKEN; 256];
        for (byte, slot) in byte_ids.iter_mut().enumerate() {
            let mut letter = [0; 4];
            let letter = LETTER_OF_BYTE[byte].encode_utf8(&mut letter);
            *slot = pieces.id(letter).unwrap_or(NO_TOKEN);
        }
        let mut joins = HashMap::with_capacity(merges.len());
        let mut joined = String::new();
        for (rank, rule) in merges.iter().enumerate() {
            let wrong =
                |what: &str| Error::Vocabulary(format!("merge rule {rank} `{rule}` {what}"));
            let (left, right) = rule.split_once(' ').ok_or_else(|| wrong("is not a pair"))?;
            joined.clear();
            joined.push_str(left);
            joined.push_str(right);
            let id = |piece: &str| {
                pieces.id(piece).ok_or_else(|| wrong("joins pieces that are not tokens"))
            };
            let join = Join { rank: rank as u32, id: id(&joined)? };
            joins.entry((id(left)?, id(right)?)).or_insert(join);
        }
        Ok(Self { rule: WordRule::named(pre)?, byte_ids, joins })
    }

    pub(super) fn encode(&self, ids: &mut Vec<u32>, pieces: &Pieces, text: &str) {
        let text = if self.rule.nfc { nfc(text) } else { Cow::Borrowed(text) };
        for word in self.rule.split(&text) {
            self.encode_word(ids, pieces, &text[word]);
        }
    }

    /// The same; words that were encoded before are looked up.
    pub(super) fn encode_remembering(
        &self,
        ids: &mut Vec<u32>,
        pieces: &Pieces,
        text: &str,
        memory: &mut WordMemory,
    ) {
        let text = if self.rule.nfc { nfc(text) } else { Cow::Borrowed(text) };
        for word in self.rule.split(&text) {
            let word = &text[word];
            if let Some(known) = memory.ids.get(word) {
                ids.extend_from_slice(known);
                continue;
            }
            let start = ids.len();
            self.encode_word(ids, pieces, word);
            if memory.ids.len() >= WordMemory::MOST_WORDS {
                memory.ids.clear();
            }
            if word.len() <= WordMemory::LONGEST_BYTES {
                memory.ids.insert(word.into(), ids[start..].into());
            }
        }
    }

    fn encode_word(&self, ids: &mut Vec<u32>, pieces: &Pieces, word: &str) {
        if self.rule.whole_words_first
            && let Some(id) = pieces.id(&to_letters(word.as_bytes()))
        {
            ids.push(id);
            return;
        }
        let bytes = word.bytes().enumerate();
        let units = bytes.map(|(at, byte)| (at as u32, 1, self.byte_ids[byte as usize]));
        let mut symbols = merge::symbols(units);
        merge::merge(&mut symbols, |l, r| self.joins.get(&(l.id, r.id)).copied());
        ids.extend(symbols.iter().filter(|s| s.len > 0 && s.id != NO_TOKEN).map(|s| s.id));
    }
}

/// Words with their ids, for encoding much text: a corpus has few different words.
#[derive(Debug, Default)]
pub(crate) struct WordMemory {
    ids: HashMap<Box<str>, Box<[u32]>>,
}

impl WordMemory {
    const MOST_WORDS: usize = 1 << 19;
    const LONGEST_BYTES: usize = 48;
}

pub(super) fn nfc(text: &str) -> Cow<'_, str> {
    use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => Cow::Borrowed(text),
        IsNormalized::No | IsNormalized::Maybe => Cow::Owned(text.nfc().collect()),
    }
}

/// The 256 letters: printable Latin-1 characters stand for themselves, the other 68 bytes in order for U+0100
/// and up. A space is `Ġ`, a line break `Ċ`.
pub(crate) const LETTER_OF_BYTE: [char; 256] = {
    let mut of_byte = ['\0'; 256];
    let (mut byte, mut next) = (0, 0x100);
    while byte < 256 {
        let printable = matches!(byte as u8, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
        let code = if printable { byte as u32 } else { next };
        next += !printable as u32;
        of_byte[byte] = match char::from_u32(code) {
            Some(letter) => letter,
            None => panic!("below U+0144"),
        };
        byte += 1;
    }
    of_byte
};

fn to_letters(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| LETTER_OF_BYTE[byte as usize]).collect()
}

/// The bytes that a piece stands for; `None` if it holds a character that is none of the 256 letters.
pub(super) fn from_letters(piece: &str) -> Option<Vec<u8>> {
    piece.chars().map(byte_of).collect()
}

fn byte_of(letter: char) -> Option<u8> {
    match letter {
        '!'..='~' | '\u{a1}'..='\u{ac}' | '\u{ae}'..='\u{ff}' => Some(letter as u8),
        '\u{100}'..='\u{143}' => {
            let at = LETTER_OF_BYTE.iter().position(|&l| l == letter)?;
            Some(at as u8)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_has_a_letter_and_comes_back() {
        for byte in 0..=255 {
            let piece = to_letters(&[byte]);
            assert_eq!(from_letters(&piece), Some(vec![byte]), "{byte}");
        }
        assert_eq!(to_letters(b" a\n"), "ĠaĊ");
        assert_eq!(from_letters("漢"), None);
    }
}
