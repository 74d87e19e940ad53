//! The normalisation that SentencePiece models carry with them: NFKC and a few rules more, as a table.
//!
//! A file holds the table compiled (a double-array trie over UTF-8 keys, then the replacements) or as a list
//! of single characters. Both are data from outside: every index is checked, and an entry that would cut a
//! character or is not UTF-8 is passed over.

use std::collections::HashMap;

#[derive(Debug)]
pub(super) enum Normalizer {
    Compiled(Charsmap),
    Listed(HashMap<char, String>),
}

impl Normalizer {
    pub(super) fn new(charsmap: Option<&[u8]>, replacements: &[(char, String)]) -> Self {
        match charsmap.and_then(Charsmap::new) {
            Some(charsmap) => Self::Compiled(charsmap),
            None => Self::Listed(replacements.iter().cloned().collect()),
        }
    }

    /// Replaces, then makes runs of spaces one; `trim` drops spaces at both ends.
    pub(super) fn apply(&self, text: &str, trim: bool) -> String {
        let mut out = String::with_capacity(text.len());
        let mut push = |replacement: &str| {
            for c in replacement.chars() {
                if c != ' ' || !out.ends_with(' ') {
                    out.push(c);
                }
            }
        };
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let single = c.len_utf8();
            let (taken, replacement) = match self {
                Self::Compiled(map) => map.longest(rest).unwrap_or((single, &rest[..single])),
                Self::Listed(map) => (single, map.get(&c).map_or(&rest[..single], String::as_str)),
            };
            push(replacement);
            rest = &rest[taken..];
        }
        if trim { out.trim_matches(' ').to_string() } else { out }
    }
}

/// SentencePiece's compiled table: the byte size of the trie, the trie, and replacements ended by NUL.
#[derive(Debug)]
pub(super) struct Charsmap {
    units: Vec<u32>,
    replacements: Vec<u8>,
}

impl Charsmap {
    fn new(bytes: &[u8]) -> Option<Self> {
        let (size, rest) = bytes.split_first_chunk::<4>()?;
        let (trie, replacements) = rest.split_at_checked(u32::from_le_bytes(*size) as usize)?;
        let units = trie.as_chunks::<4>().0.iter().map(|unit| u32::from_le_bytes(*unit)).collect();
        Some(Self { units, replacements: replacements.to_vec() })
    }

    /// The longest key that `text` begins with: its length in bytes and what replaces it.
    ///
    /// A unit of the trie holds a label (bits 0–7 and 31), whether a value hangs below it (bit 8), and the
    /// offset to its children (bits 10–30, times 256 if bit 9 is set); a node's place XOR the next byte is
    /// the child's place.
    fn longest(&self, text: &str) -> Option<(usize, &str)> {
        let offset = |unit: u32| ((unit >> 10) << ((unit & (1 << 9)) >> 6)) as usize;
        let mut place = offset(*self.units.first()?);
        let mut best = None;
        for (i, byte) in text.bytes().enumerate() {
            place ^= byte as usize;
            let Some(&unit) = self.units.get(place) else { break };
            if unit & (1 << 31 | 0xff) != byte as u32 {
                break;
            }
            place ^= offset(unit);
            if unit & (1 << 8) != 0
                && text.is_char_boundary(i + 1)
                && let Some(replacement) = self.units.get(place).and_then(|v| self.replacement(*v))
            {
                best = Some((i + 1, replacement));
            }
        }
        best
    }

    fn replacement(&self, value: u32) -> Option<&str> {
        let bytes = self.replacements.get((value & 0x7fff_ffff) as usize..)?;
        let end = bytes.iter().position(|&b| b == 0)?;
        std::str::from_utf8(&bytes[..end]).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A trie with the one key "a" → "bc", laid out by hand.
    fn tiny() -> Vec<u8> {
        let mut units = vec![0u32; 256];
        units[0] = 1 << 10; // children of the root at 1 XOR byte
        units[1 ^ b'a' as usize] = u32::from(b'a') | 1 << 8 | 2 << 10; // a value, at this place XOR 2
        units[(1 ^ b'a' as usize) ^ 2] = 1 << 31; // value 0
        let mut bytes = 1024u32.to_le_bytes().to_vec();
        bytes.extend(units.iter().flat_map(|u| u.to_le_bytes()));
        bytes.extend(b"bc\0");
        bytes
    }

    #[test]
    fn a_compiled_table_replaces_its_keys() {
        let normalizer = Normalizer::new(Some(&tiny()), &[]);
        assert_eq!(normalizer.apply("xaé a", false), "xbcé bc");
    }

    #[test]
    fn a_list_replaces_characters_and_runs_of_spaces_become_one() {
        let list = [('ﬁ', "fi".to_string()), ('\t', " ".to_string()), ('\u{ad}', String::new())];
        let normalizer = Normalizer::new(None, &list);
        assert_eq!(normalizer.apply(" ﬁ\t\t so\u{ad}ft ", false), " fi soft ");
        assert_eq!(normalizer.apply(" ﬁ\t\t so\u{ad}ft ", true), "fi soft");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_as_a_table_leave_text_a_text(
            table in proptest::collection::vec(proptest::num::u8::ANY, 0..200), text in ".{0,20}",
        ) {
            let mut bytes = 64u32.to_le_bytes().to_vec();
            bytes.extend(table);
            Normalizer::new(Some(&bytes), &[]).apply(&text, false);
        }
    }
}
