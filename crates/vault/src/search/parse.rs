//! Filters written in the words of a search: `from:anna kind:mail in:2026-06 "exact words" -draft`.

use jiff::civil::{Date, date};
use jiff::{Span, tz::TimeZone};
use serde::Serialize;

use super::{Interval, Query, telling_words};
use crate::error::{Error, Result};
use crate::item::Kind;
use crate::store::source::SourceId;

/// A filter as the vault understood it; `words` is what to take out of the text to remove it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Chip {
    /// `kind`, `from`, `with`, `date`, `tag`, `source`, `phrase` or `without`.
    pub field: String,
    /// As shown: `Anna Meier`, `June 2026`.
    pub shown: String,
    /// As written in the text; empty for a filter that was given as a field.
    pub words: String,
    /// False when nothing in the vault answers to it (nobody of that name).
    pub known: bool,
}

/// A query taken apart.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parsed {
    pub words: Vec<String>,
    /// The text without its filters, as a person wrote it: what is embedded.
    pub plain: String,
    /// Folded words of each quoted phrase.
    pub phrases: Vec<Vec<String>>,
    pub without: Vec<String>,
    pub kinds: Vec<Kind>,
    /// (name or address, as written)
    pub people: Vec<(String, String)>,
    pub from: Vec<(String, String)>,
    pub interval: Option<Interval>,
    pub tags: Vec<String>,
    pub sources: Vec<SourceId>,
    pub limit: usize,
    pub typing: bool,
    pub chips: Vec<Chip>,
}

pub(super) fn parse(query: &Query) -> Result<Parsed> {
    let own = |name: &String| (name.clone(), String::new());
    let mut parsed = Parsed {
        kinds: query.kinds.clone(),
        people: query.people.iter().map(own).collect(),
        from: query.from.iter().map(own).collect(),
        interval: query.interval,
        tags: query.tags.clone(),
        sources: query.sources.clone(),
        limit: if query.limit == 0 { 20 } else { query.limit },
        typing: query.typing,
        ..Parsed::default()
    };
    for piece in pieces(&query.text) {
        parsed.take(&piece)?;
    }
    parsed.words = telling_words(&parsed.plain);
    for kind in &query.kinds {
        parsed.chip("kind", kind.name(), "");
    }
    for tag in &query.tags {
        parsed.chip("tag", tag, "");
    }
    // A word that ends in a space is complete.
    parsed.typing &= !query.text.ends_with(char::is_whitespace);
    Ok(parsed)
}

impl Parsed {
    fn take(&mut self, piece: &Piece) -> Result<()> {
        let value = piece.value.trim();
        let wrong =
            |hint| Error::Filter { field: piece.field.clone(), value: value.to_owned(), hint };
        match piece.field.as_str() {
            "" if piece.quoted => {
                let phrase: Vec<String> =
                    crate::text::words::tokens(value).into_iter().map(|t| t.term).collect();
                if !phrase.is_empty() {
                    self.chip("phrase", value, &piece.written);
                    self.phrases.push(phrase);
                }
            }
            "" => {
                if !self.plain.is_empty() {
                    self.plain.push(' ');
                }
                self.plain.push_str(value);
            }
            "-" => {
                self.chip("without", value, &piece.written);
                self.without.push(value.to_owned());
            }
            "from" => self.from.push((value.to_owned(), piece.written.clone())),
            "with" | "to" | "cc" | "person" => {
                self.people.push((value.to_owned(), piece.written.clone()));
            }
            "kind" | "is" => {
                let kind = kind_named(value)
                    .ok_or_else(|| wrong("known: mail, event, contact, note, document"))?;
                self.chip("kind", kind.name(), &piece.written);
                self.kinds.push(kind);
            }
            "tag" | "folder" => {
                self.chip("tag", value, &piece.written);
                self.tags.push(value.to_owned());
            }
            "source" => {
                let number = value.parse().map_err(|_| wrong("the number of a source"))?;
                self.chip("source", value, &piece.written);
                self.sources.push(SourceId(number));
            }
            field => {
                let days = days(value)
                    .ok_or_else(|| wrong("dates are written 2026, 2026-06 or 2026-06-17"))?;
                let all = Interval { start: i64::MIN / 2, end: i64::MAX / 2 };
                let interval = match field {
                    "before" => Interval { end: days.start, ..all },
                    "after" => Interval { start: days.end, ..all },
                    "since" => Interval { start: days.start, ..all },
                    _ => days,
                };
                self.chip("date", &format!("{field} {value}"), &piece.written);
                let so_far = self.interval.unwrap_or(all);
                self.interval = Some(Interval {
                    start: so_far.start.max(interval.start),
                    end: so_far.end.min(interval.end),
                });
            }
        }
        Ok(())
    }

    fn chip(&mut self, field: &str, shown: &str, words: &str) {
        self.chips.push(Chip {
            field: field.to_owned(),
            shown: shown.to_owned(),
            words: words.to_owned(),
            known: true,
        });
    }
}

/// A word, a phrase or a filter of the text.
struct Piece {
    field: String,
    value: String,
    quoted: bool,
    written: String,
}

const FIELDS: &[&str] = &[
    "from", "with", "to", "cc", "person", "kind", "is", "tag", "folder", "source", "in", "on",
    "date", "before", "after", "since",
];

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let field = rest
            .split_once(':')
            .map(|(field, _)| field)
            .filter(|field| FIELDS.iter().any(|known| known.eq_ignore_ascii_case(field)));
        let minus = rest.starts_with('-') && rest[1..].starts_with(char::is_alphanumeric);
        let skip = field.map_or(usize::from(minus), |field| field.len() + 1);
        let value = &rest[skip..];
        let (value, length, quoted) = match value.strip_prefix(['"', '“', '”', '„']) {
            Some(inner) => {
                let mark = value.len() - inner.len();
                match inner.find(['"', '“', '”']) {
                    Some(end) => {
                        let close = inner[end..].chars().next().map_or(0, char::len_utf8);
                        (&inner[..end], mark + end + close, true)
                    }
                    // An open quote is still being typed: plain words.
                    None => (inner, value.len(), false),
                }
            }
            None => {
                let end = value.find(char::is_whitespace).unwrap_or(value.len());
                (&value[..end], end, false)
            }
        };
        let field = field.map_or_else(
            || if minus { "-".to_owned() } else { String::new() },
            str::to_ascii_lowercase,
        );
        let written = rest[..skip + length].to_owned();
        // `from:` without a value yet is being typed; it filters nothing.
        if !value.is_empty() {
            pieces.push(Piece { field, value: value.to_owned(), quoted, written });
        }
        rest = rest[skip + length..].trim_start();
    }
    pieces
}

fn kind_named(name: &str) -> Option<Kind> {
    Some(match name.to_lowercase().as_str() {
        "mail" | "mails" | "email" | "emails" | "message" | "messages" => Kind::Mail,
        "event" | "events" | "calendar" | "appointment" | "appointments" => Kind::Event,
        "contact" | "contacts" | "card" => Kind::Contact,
        "note" | "notes" => Kind::Note,
        "document" | "documents" | "doc" | "file" | "files" | "pdf" => Kind::Document,
        _ => return None,
    })
}

/// The days of `2026`, `2026-06` or `2026-06-17`, in UTC.
fn days(value: &str) -> Option<Interval> {
    let parts: Vec<&str> = value.split('-').collect();
    let year: i16 = parts.first().filter(|year| year.len() == 4)?.parse().ok()?;
    let number = |idx: usize| parts.get(idx).map(|part| part.parse::<i8>());
    let (month, day) = (number(1).transpose().ok()?, number(2).transpose().ok()?);
    let start = Date::new(year, month.unwrap_or(1), day.unwrap_or(1)).ok()?;
    let span = match (month, day) {
        (None, _) => Span::new().years(1),
        (_, None) => Span::new().months(1),
        _ => Span::new().days(1),
    };
    let end = start.checked_add(span).unwrap_or(date(9999, 12, 31));
    let seconds =
        |day: Date| Some(TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).ok()?.as_second());
    (parts.len() <= 3).then_some(Interval { start: seconds(start)?, end: seconds(end)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Parsed {
        parse(&Query { text: text.to_owned(), ..Query::default() }).unwrap()
    }

    #[test]
    fn filters_are_taken_out_of_the_words_and_shown_as_chips() {
        let p =
            parsed("boat kind:mail from:\"Anna Meier\" in:2026-06 \"as agreed\" tickets -draft");
        assert_eq!(p.words, ["boat", "tickets"]);
        assert_eq!(p.plain, "boat tickets");
        assert_eq!(p.kinds, [Kind::Mail]);
        assert_eq!(p.from[0].0, "Anna Meier");
        assert_eq!(p.phrases, [["as", "agreed"]]);
        assert_eq!(p.without, ["draft"]);
        // June 2026 in UTC: 1780272000 .. 1782864000
        assert_eq!(p.interval, Some(Interval { start: 1_780_272_000, end: 1_782_864_000 }));
        let written: Vec<&str> = p.chips.iter().map(|chip| chip.words.as_str()).collect();
        assert_eq!(written, ["kind:mail", "in:2026-06", "\"as agreed\"", "-draft"]);
    }

    #[test]
    fn a_colon_in_a_word_is_no_filter_and_a_bad_value_says_what_is_known() {
        assert_eq!(parsed("http://x.org 10:30").words, ["http", "x", "org", "10", "30"]);
        let error = parse(&Query { text: "kind:photo".into(), ..Query::default() }).unwrap_err();
        assert!(error.to_string().contains("mail, event"), "{error}");
        assert!(parse(&Query { text: "in:june".into(), ..Query::default() }).is_err());
    }

    #[test]
    fn a_question_of_common_words_only_keeps_them() {
        assert_eq!(parsed("who is he").words, ["who", "is", "he"]);
        assert_eq!(parsed("where is the boat").words, ["boat"]);
    }

    #[test]
    fn before_and_after_meet_in_one_interval() {
        let p = parsed("after:2026-06-17 before:2026-07");
        let day = 86_400;
        assert_eq!(
            p.interval,
            Some(Interval { start: 1_780_272_000 + 17 * day, end: 1_780_272_000 + 30 * day })
        );
    }
}
