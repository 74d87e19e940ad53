//! From text to index terms: split, fold, guess the language, stem.
//!
//! A token is a run of letters and digits, lower-cased, without accents (`Müllers` → `mullers`), so that what
//! people type without accents finds what others wrote with them. Chinese, Japanese and Korean runs have no
//! spaces; they become overlapping pairs of characters. Stems come from Snowball (English, German, French);
//! documents are stemmed in the language their commonest words point to, questions in all three.

use std::borrow::Cow;
use std::collections::HashMap;

use rust_stemmers::{Algorithm, Stemmer};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    English,
    German,
    French,
}

pub const LANGUAGES: [Language; 3] = [Language::English, Language::German, Language::French];

/// A folded token and the bytes of the text it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub term: String,
    pub start: usize,
    pub end: usize,
}

/// Longest token kept; base64 and other noise beyond it is cut so that it cannot bloat the index.
const MAX_TERM_CHARS: usize = 40;

/// All tokens of a text, in order.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    each_token(text, |term, start, end| {
        found.push(Token { term: term.to_owned(), start, end });
    });
    found
}

/// Calls `take(term, start, end)` for each token; `term` is folded.
pub fn each_token(text: &str, mut take: impl FnMut(&str, usize, usize)) {
    let mut term = String::new();
    let mut n_chars = 0;
    let mut start = 0;
    let mut previous_pair: Option<(char, usize)> = None;
    for (at, c) in text.char_indices() {
        if is_unspaced(c) {
            if !term.is_empty() {
                take(&term, start, at);
                term.clear();
                n_chars = 0;
            }
            let end = at + c.len_utf8();
            let next_is_unspaced = text[end..].chars().next().is_some_and(is_unspaced);
            match previous_pair {
                Some((first, from)) => {
                    let pair: String = [first, c].iter().collect();
                    take(&pair, from, end);
                }
                None if !next_is_unspaced => take(c.encode_utf8(&mut [0; 4]), at, end),
                None => {}
            }
            previous_pair = Some((c, at));
            continue;
        }
        previous_pair = None;
        if c.is_alphanumeric() || is_combining(c) {
            if term.is_empty() {
                start = at;
                n_chars = 0;
            }
            if n_chars < MAX_TERM_CHARS {
                fold_into(&mut term, c);
            }
            n_chars += 1;
        } else if !term.is_empty() {
            take(&term, start, at);
            term.clear();
        }
    }
    if !term.is_empty() {
        take(&term, start, text.len());
    }
}

/// The folded text of a short string, tokens joined by one space: the key under which names are compared.
pub fn key(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    each_token(text, |term, _, _| {
        if !joined.is_empty() {
            joined.push(' ');
        }
        joined.push_str(term);
    });
    joined
}

fn is_combining(c: char) -> bool {
    ('\u{0300}'..='\u{036f}').contains(&c)
}

/// Scripts written without spaces between words.
fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{2fa1f}')
}

fn fold_into(term: &mut String, c: char) {
    if c.is_ascii() {
        term.push(c.to_ascii_lowercase());
        return;
    }
    if is_combining(c) {
        return;
    }
    for c in c.to_lowercase() {
        match c {
            'à'..='å' | 'ā' | 'ă' | 'ą' | 'ǎ' => term.push('a'),
            'æ' => term.push_str("ae"),
            'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => term.push('c'),
            'ď' | 'đ' | 'ð' => term.push('d'),
            'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => term.push('e'),
            'ĝ' | 'ğ' | 'ġ' | 'ģ' => term.push('g'),
            'ĥ' | 'ħ' => term.push('h'),
            'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' => term.push('i'),
            'ĵ' => term.push('j'),
            'ķ' => term.push('k'),
            'ĺ' | 'ļ' | 'ľ' | 'ł' => term.push('l'),
            'ñ' | 'ń' | 'ņ' | 'ň' => term.push('n'),
            'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' => term.push('o'),
            'œ' => term.push_str("oe"),
            'ŕ' | 'ŗ' | 'ř' => term.push('r'),
            'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => term.push('s'),
            'ß' => term.push_str("ss"),
            'ţ' | 'ť' | 'ŧ' | 'ț' => term.push('t'),
            'þ' => term.push_str("th"),
            'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => term.push('u'),
            'ŵ' => term.push('w'),
            'ý' | 'ÿ' | 'ŷ' => term.push('y'),
            'ź' | 'ż' | 'ž' => term.push('z'),
            c if is_combining(c) => {}
            c => term.push(c),
        }
    }
}

/// Words so common that they say nothing about what a text is about; also what the language guess counts.
const ENGLISH: &[&str] = &[
    "a", "about", "am", "an", "and", "any", "are", "as", "at", "be", "been", "but", "by", "can",
    "could", "did", "do", "does", "for", "from", "had", "has", "have", "he", "her", "his", "how",
    "i", "if", "in", "into", "is", "it", "its", "me", "my", "no", "not", "of", "on", "or", "our",
    "she", "should", "so", "that", "the", "their", "them", "there", "they", "this", "to", "was",
    "we", "were", "what", "when", "where", "which", "who", "why", "will", "with", "would", "you",
    "your",
];
const GERMAN: &[&str] = &[
    "aber", "als", "am", "an", "auch", "auf", "aus", "bei", "bin", "bis", "das", "dass", "dem",
    "den", "der", "des", "die", "dir", "du", "ein", "eine", "einem", "einen", "einer", "er", "es",
    "fur", "hat", "hatte", "ich", "ihr", "im", "in", "ist", "kann", "mein", "meine", "mich", "mir",
    "mit", "nach", "nicht", "noch", "oder", "sein", "sich", "sie", "sind", "uber", "um", "und",
    "uns", "unser", "vom", "von", "vor", "wann", "war", "was", "wer", "wie", "wir", "wird", "wo",
    "zu", "zum", "zur",
];
const FRENCH: &[&str] = &[
    "a", "ai", "au", "aux", "avec", "ce", "cette", "d", "dans", "de", "des", "du", "elle", "en",
    "est", "et", "il", "ils", "j", "je", "l", "la", "le", "les", "leur", "lui", "m", "ma", "mais",
    "me", "mes", "mon", "n", "ne", "nous", "on", "ont", "ou", "par", "pas", "pour", "qu", "quand",
    "que", "quel", "quelle", "qui", "s", "sa", "se", "ses", "son", "sont", "sur", "ta", "te", "tu",
    "un", "une", "vos", "votre", "vous",
];

/// Bytes of the longest of them.
const LONGEST_COMMON: usize = 6;

pub fn is_common(term: &str) -> bool {
    term.len() <= LONGEST_COMMON
        && [ENGLISH, GERMAN, FRENCH].iter().any(|words| words.binary_search(&term).is_ok())
}

/// The language whose common words occur most among the first 400 tokens; English when nothing tells.
pub fn guess_language(text: &str) -> Language {
    let mut counts = [0usize; 3];
    let mut n_tokens = 0;
    // The first few kilobytes decide; a long document need not be read twice.
    let mut cut = text.len().min(4_000);
    while !text.is_char_boundary(cut) {
        cut -= 1;
    }
    each_token(&text[..cut], |term, _, _| {
        n_tokens += 1;
        if n_tokens > 400 || term.len() > LONGEST_COMMON {
            return;
        }
        for (count, words) in counts.iter_mut().zip([ENGLISH, GERMAN, FRENCH]) {
            *count += usize::from(words.binary_search(&term).is_ok());
        }
    });
    let [english, german, french] = counts;
    if german > english && german >= french {
        Language::German
    } else if french > english {
        Language::French
    } else {
        Language::English
    }
}

/// Stems with a memory: text repeats its words, and a lookup is ten times cheaper than Snowball.
pub struct Stems {
    stemmers: [Stemmer; 3],
    known: [HashMap<String, String>; 3],
}

/// Words remembered per language before the memory is dropped and begun again.
const MAX_KNOWN: usize = 60_000;

impl Default for Stems {
    fn default() -> Self {
        let stemmers = [Algorithm::English, Algorithm::German, Algorithm::French];
        Self { stemmers: stemmers.map(Stemmer::create), known: Default::default() }
    }
}

impl Stems {
    /// The stem of a folded term. Terms with digits and short ones stay as they are.
    pub fn stem(&mut self, term: &str, language: Language) -> &str {
        let idx = language as usize;
        let known = &mut self.known[idx];
        if !known.contains_key(term) {
            if known.len() >= MAX_KNOWN {
                known.clear();
            }
            let stem = stem_of(&self.stemmers[idx], term).into_owned();
            known.insert(term.to_owned(), stem);
        }
        &self.known[idx][term]
    }

    /// The stem of a folded term, for callers who remember it themselves.
    pub(crate) fn fresh<'a>(&self, term: &'a str, language: Language) -> Cow<'a, str> {
        stem_of(&self.stemmers[language as usize], term)
    }

    /// The distinct stems of a question's word in all languages.
    pub fn stems_of(&mut self, term: &str) -> Vec<String> {
        let mut stems: Vec<String> = Vec::with_capacity(3);
        for language in LANGUAGES {
            let stem = self.stem(term, language).to_owned();
            if !stems.contains(&stem) {
                stems.push(stem);
            }
        }
        stems
    }
}

fn stem_of<'a>(stemmer: &Stemmer, term: &'a str) -> Cow<'a, str> {
    if term.len() < 4 || term.bytes().any(|b| b.is_ascii_digit()) {
        return Cow::Borrowed(term);
    }
    let stem = stemmer.stem(term);
    // Snowball may leave nothing.
    if stem.is_empty() { Cow::Borrowed(term) } else { stem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(text: &str) -> Vec<String> {
        tokens(text).into_iter().map(|t| t.term).collect()
    }

    #[test]
    fn accents_and_case_do_not_matter() {
        assert_eq!(terms("Müller, CAFÉ Straße"), ["muller", "cafe", "strasse"]);
        assert_eq!(terms("cafe\u{301}"), ["cafe"]);
    }

    #[test]
    fn tokens_know_the_bytes_they_came_from() {
        let text = "Grüße an Zoë!";
        let spans: Vec<&str> = tokens(text).iter().map(|t| &text[t.start..t.end]).collect();
        assert_eq!(spans, ["Grüße", "an", "Zoë"]);
    }

    #[test]
    fn scripts_without_spaces_become_pairs() {
        assert_eq!(terms("東京都 ok 山"), ["東京", "京都", "ok", "山"]);
    }

    #[test]
    fn the_word_lists_are_sorted_as_binary_search_needs() {
        for words in [ENGLISH, GERMAN, FRENCH] {
            assert!(words.is_sorted(), "{words:?}");
            assert!(words.iter().all(|word| word.len() <= LONGEST_COMMON), "{words:?}");
        }
    }

    #[test]
    fn three_languages_are_told_apart_by_their_common_words() {
        assert_eq!(guess_language("Could you send me the report?"), Language::English);
        assert_eq!(guess_language("Kannst du mir den Bericht schicken?"), Language::German);
        assert_eq!(guess_language("Est-ce que tu peux m'envoyer le rapport ?"), Language::French);
        assert_eq!(guess_language("12345"), Language::English);
    }

    #[test]
    fn inflected_words_share_a_stem() {
        let mut stems = Stems::default();
        assert_eq!(
            stems.stem("invoices", Language::English).to_owned(),
            stems.stem("invoice", Language::English)
        );
        assert_eq!(
            stems.stem("rechnungen", Language::German).to_owned(),
            stems.stem("rechnung", Language::German)
        );
        assert_eq!(stems.stem("2026a", Language::English), "2026a");
    }

    #[test]
    fn endless_runs_of_letters_are_cut() {
        assert_eq!(terms(&"x".repeat(1_000_000))[0].len(), MAX_TERM_CHARS);
    }
}
