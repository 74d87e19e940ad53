//! Spans of a sentence that can answer: amounts, numbers, telephone numbers, addresses, times, reasons.

use std::ops::Range;

use jiff::ZonedDateTime;
use vault::when::{self, Granularity, Lean, Resolved};

use crate::question::Wants;
use crate::question::lexicon;

/// A number as written, with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Number {
    pub bytes: Range<usize>,
    pub value: f64,
    /// Written beside a currency: `EUR 1,465.00`, `42,90 €`.
    pub currency: bool,
    /// Written beside another unit: `104 m²`, `1.5 bar`, `60 g`, `11 Uhr`.
    pub unit: bool,
}

const CURRENCIES: &[&str] = &[
    "eur", "euro", "euros", "chf", "usd", "gbp", "dollar", "dollars", "pounds", "francs", "franken",
];

/// Number words, for answers like "three instalments" and "zweieinhalb Kilo".
const NUMBER_WORDS: &[(&str, f64)] = &[
    ("one", 1.0),
    ("two", 2.0),
    ("three", 3.0),
    ("four", 4.0),
    ("five", 5.0),
    ("six", 6.0),
    ("seven", 7.0),
    ("eight", 8.0),
    ("nine", 9.0),
    ("ten", 10.0),
    ("eleven", 11.0),
    ("twelve", 12.0),
    ("zwei", 2.0),
    ("drei", 3.0),
    ("vier", 4.0),
    ("funf", 5.0),
    ("sechs", 6.0),
    ("sieben", 7.0),
    ("acht", 8.0),
    ("neun", 9.0),
    ("zehn", 10.0),
    ("elf", 11.0),
    ("zwolf", 12.0),
    ("deux", 2.0),
    ("trois", 3.0),
    ("quatre", 4.0),
    ("cinq", 5.0),
    ("sept", 7.0),
    ("huit", 8.0),
    ("neuf", 9.0),
    ("dix", 10.0),
    ("douze", 12.0),
    ("thirteen", 13.0),
    ("fourteen", 14.0),
    ("fifteen", 15.0),
    ("sixteen", 16.0),
    ("twenty", 20.0),
    ("thirty", 30.0),
    ("forty", 40.0),
    ("fifty", 50.0),
    ("hundred", 100.0),
    ("anderthalb", 1.5),
    ("eineinhalb", 1.5),
    ("zweieinhalb", 2.5),
    ("dreieinhalb", 3.5),
    ("funfzehn", 15.0),
    ("zwanzig", 20.0),
    ("dreissig", 30.0),
    ("vierzig", 40.0),
    ("funfzig", 50.0),
    ("hundert", 100.0),
    ("quinze", 15.0),
    ("vingt", 20.0),
    ("trente", 30.0),
    ("quarante", 40.0),
    ("cinquante", 50.0),
    ("cent", 100.0),
];

/// All numbers of a text in digits, read with either decimal mark: `1.465,00` and `1,465.00` are one value.
pub fn numbers(text: &str) -> Vec<Number> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let start = at;
        loop {
            while at < bytes.len() && (bytes[at].is_ascii_digit() || is_inner_mark(bytes, at)) {
                at += 1;
            }
            match grouping_space(text, start, at) {
                0 => break,
                length => at += length,
            }
        }
        let written = &text[start..at];
        let Some(value) = value(written) else { continue };
        let (currency, unit) = beside(text, start, at);
        found.push(Number { bytes: start..at, value, currency, unit });
    }
    found
}

/// A dot or comma between two digits.
fn is_inner_mark(bytes: &[u8], at: usize) -> bool {
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    matches!(bytes[at], b'.' | b',') && at > 0 && digit(at - 1) && digit(at + 1)
}

/// The length of a space that groups thousands at `at`, as in `1 340,00 €`: one to three digits before it, three
/// after, and then a decimal comma or the end of the number.
fn grouping_space(text: &str, start: usize, at: usize) -> usize {
    let Some(space) =
        text[at..].chars().next().filter(|c| matches!(c, ' ' | '\u{a0}' | '\u{202f}'))
    else {
        return 0;
    };
    let rest = &text.as_bytes()[at + space.len_utf8()..];
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let plain_space_ok = space != ' '
        || rest.get(3) == Some(&b',')
        || text[at..].get(4..).is_some_and(|after| after.trim_start().starts_with(['€', '£']));
    let short = text[start..at].len() <= 3
        && text[start..at].bytes().all(|b| b.is_ascii_digit())
        && !text[start..at].starts_with('0');
    if digits == 3 && short && plain_space_ok { space.len_utf8() } else { 0 }
}

/// The value of `1,204`, `1.204,50`, `42,90`, `8.5`. A single mark before exactly three digits groups thousands.
pub fn value(written: &str) -> Option<f64> {
    let written: &str = &written.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    let last = written.rfind(['.', ',']);
    let plain: String = written.chars().filter(char::is_ascii_digit).collect();
    let Some(last) = last else { return plain.parse().ok() };
    let marks: Vec<char> = written.chars().filter(|c| !c.is_ascii_digit()).collect();
    let same = marks.iter().all(|mark| *mark == marks[0]);
    let after = written.len() - last - 1;
    let groups = after == 3 && same && !written.starts_with('0');
    if groups {
        return plain.parse().ok();
    }
    // Three numbers with dots are a date or a version, not an amount.
    if marks.len() > 1 && same {
        return None;
    }
    let whole: String = written[..last].chars().filter(char::is_ascii_digit).collect();
    format!("{whole}.{}", &written[last + 1..]).parse().ok()
}

/// Whether a currency or another unit stands beside the number.
fn beside(text: &str, start: usize, end: usize) -> (bool, bool) {
    let before = text[..start].trim_end();
    let after = text[end..].trim_start();
    let word_before =
        vault::when::fold(before.rsplit(|c: char| !c.is_alphabetic()).next().unwrap_or_default());
    let word_after: String = after.chars().take_while(|c| c.is_alphabetic()).collect();
    let word_after = vault::when::fold(&word_after);
    let currency = before.ends_with(['€', '$', '£'])
        || after.starts_with(['€', '$', '£'])
        || CURRENCIES.contains(&word_before.as_str()) && !before.ends_with('.')
        || CURRENCIES.contains(&word_after.as_str());
    let unit = currency
        || after.starts_with(['%', '°'])
        || (!word_after.is_empty() && word_after.len() <= 12);
    (currency, unit)
}

/// Whether the text writes a small number as a word.
pub fn has_number_word(text: &str) -> bool {
    vault::text::words::tokens(text)
        .iter()
        .any(|token| NUMBER_WORDS.iter().any(|(word, _)| *word == token.term))
}

/// The value of a number word.
pub fn number_word(term: &str) -> Option<f64> {
    NUMBER_WORDS.iter().find(|(word, _)| *word == term).map(|(_, value)| *value)
}

/// The first stretch that reads like a telephone number: at least seven digits with the usual separators.
pub fn phone(text: &str) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !(bytes[at] == b'+' || bytes[at].is_ascii_digit() || bytes[at] == b'(') {
            at += 1;
            continue;
        }
        let start = at;
        while at < bytes.len()
            && (bytes[at].is_ascii_digit()
                || matches!(bytes[at], b'+' | b' ' | b'-' | b'/' | b'(' | b')'))
        {
            at += 1;
        }
        let written = text[start..at].trim_end_matches([' ', '-', '/', '(']);
        let digits = written.bytes().filter(u8::is_ascii_digit).count();
        // A date has eight digits and dots or dashes; a number begins with + or 0.
        if (7..=15).contains(&digits) && written.starts_with(['+', '0', '(']) {
            return Some(start..start + written.len());
        }
        at = at.max(start + 1);
    }
    None
}

/// The first mail address.
pub fn mail_address(text: &str) -> Option<Range<usize>> {
    let at = text.find('@')?;
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '+');
    let start = text[..at].char_indices().rev().take_while(|&(_, c)| inside(c)).last()?.0;
    let length: usize = text[at + 1..].chars().take_while(|&c| inside(c)).map(char::len_utf8).sum();
    let end = at + 1 + text[at + 1..at + 1 + length].trim_end_matches('.').len();
    text[at + 1..end].contains('.').then_some(start..end)
}

const REASONS: &[&str] = &[
    "because",
    "since",
    "due",
    "reason",
    "so",
    "therefore",
    "weil",
    "wegen",
    "denn",
    "deshalb",
    "damit",
    "grund",
    "car",
    "parce",
    "raison",
    "cause",
    "afin",
    "as",
    "for",
    "owing",
    "thanks",
];

const PLACE_WORDS: &[&str] = &[
    "in", "at", "to", "from", "on", "im", "am", "nach", "bei", "zum", "zur", "a", "au", "chez",
    "near", "beside", "under", "behind", "street", "room", "house", "station", "hall", "raum",
    "haus", "bahnhof", "rue", "salle", "gare", "unter", "hinter", "auf",
];

/// Times that a sentence states, resolved against its source's date.
pub fn times(sentence: &str, written: Option<&ZonedDateTime>) -> Vec<Resolved> {
    let Some(written) = written else { return Vec::new() };
    let lean = match when::lean_of(sentence) {
        Lean::Either => Lean::Written,
        said => said,
    };
    when::find(sentence, written, lean)
}

/// How well a sentence has a span of the wanted kind: 1 surely, 0.5 perhaps, 0 not.
pub fn fits(sentence: &str, wants: Wants, times: &[Resolved], has_person: bool) -> f32 {
    let sure = |yes: bool| if yes { 1.0 } else { 0.0 };
    match wants {
        Wants::Date => {
            let dated = times.iter().any(|t| {
                matches!(t.granularity, Granularity::Day | Granularity::Part | Granularity::Span)
            });
            let timed =
                times.iter().any(|t| t.granularity == Granularity::Time && t.words.len() > 7);
            let month = !times.is_empty();
            if dated || timed { 1.0 } else { 0.4 * sure(month) }
        }
        Wants::Time => sure(times.iter().any(|t| t.granularity == Granularity::Time)),
        Wants::Person => {
            if has_person {
                1.0
            } else {
                0.5 * sure(has_capital_inside(sentence))
            }
        }
        Wants::Place => {
            let placed = vault::text::words::tokens(sentence)
                .iter()
                .any(|t| PLACE_WORDS.contains(&t.term.as_str()));
            0.5 * sure(placed) + 0.5 * sure(has_capital_inside(sentence))
        }
        Wants::Amount => {
            let numbers = numbers(sentence);
            if numbers.iter().any(|n| n.currency) { 1.0 } else { 0.5 * sure(!numbers.is_empty()) }
        }
        Wants::Number => {
            let digits = !numbers(sentence).is_empty();
            if digits { 1.0 } else { 0.7 * sure(has_number_word(sentence)) }
        }
        Wants::Phone => sure(phone(sentence).is_some()),
        Wants::Mail => sure(mail_address(sentence).is_some()),
        Wants::Address => sure(!numbers(sentence).is_empty() && has_capital_inside(sentence)),
        Wants::Reason => {
            let reason = vault::text::words::tokens(sentence)
                .iter()
                .any(|t| REASONS.contains(&t.term.as_str()));
            if reason { 1.0 } else { 0.3 }
        }
        Wants::Duration => {
            let tokens = vault::text::words::tokens(sentence);
            let unit = tokens.iter().any(|t| DURATIONS.contains(&t.term.as_str()));
            sure(
                unit && (!numbers(sentence).is_empty()
                    || has_number_word(sentence)
                    || tokens
                        .iter()
                        .any(|t| matches!(t.term.as_str(), "a" | "an" | "half" | "eine" | "une"))),
            )
        }
        Wants::Text => 0.5,
    }
}

const DURATIONS: &[&str] = &[
    "minute", "minutes", "min", "hour", "hours", "h", "day", "days", "week", "weeks", "month",
    "months", "year", "years", "minuten", "stunde", "stunden", "tag", "tage", "tagen", "woche",
    "wochen", "monat", "monate", "monaten", "jahr", "jahre", "jahren", "heure", "heures", "jour",
    "jours", "semaine", "semaines", "mois", "an", "ans", "nights", "nachte", "nuits",
];

/// A capitalised word that does not begin the sentence.
fn has_capital_inside(sentence: &str) -> bool {
    vault::text::words::tokens(sentence).iter().skip(1).any(|token| {
        sentence[token.start..].chars().next().is_some_and(char::is_uppercase)
            && !lexicon::is_filler(&token.term)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_with_either_decimal_mark() {
        for (written, expected) in [
            ("1,204", 1204.0),
            ("1.204,50", 1204.5),
            ("1,204.50", 1204.5),
            ("42,90", 42.9),
            ("8.5", 8.5),
            ("385.000", 385_000.0),
            ("1.50", 1.5),
            ("104", 104.0),
            ("1 340,00", 1340.0),
        ] {
            assert_eq!(value(written), Some(expected), "{written}");
        }
        assert_eq!(value("3.5.2026"), None);
    }

    #[test]
    fn amounts_have_their_currency_beside_them() {
        assert_eq!(numbers("cela fait 1 340,00 €, draps compris")[0].value, 1340.0);
        assert_eq!(numbers("rooms 12 345")[0].value, 12.0);
        let found = numbers("It cost EUR 1,465.00 for 104 m², i.e. 14 € each.");
        let read: Vec<(f64, bool)> = found.iter().map(|n| (n.value, n.currency)).collect();
        assert_eq!(read, [(1465.0, true), (104.0, false), (14.0, true)]);
    }

    #[test]
    fn phone_numbers_and_mail_addresses_are_found_and_dates_are_not() {
        let text = "Ring +49 30 23125 404 (mornings) or write to kaya@praxis.example.";
        assert_eq!(phone(text).map(|r| &text[r]), Some("+49 30 23125 404"));
        assert_eq!(mail_address(text).map(|r| &text[r]), Some("kaya@praxis.example"));
        assert_eq!(phone("on 2026-05-03 at 10:00"), None);
        assert_eq!(mail_address("an @ sign"), None);
    }
}
