//! Time expressions in English, German and French, resolved against a clock and zone that the caller hands in.
//!
//! `last week`, `übermorgen`, `il y a trois jours`, `between 3 and 5 May`, `Q1 2026` become intervals of UTC
//! seconds. The same code reads an owner's question (clock: now) and a source's text (clock: that source's
//! own date, so that "yesterday" in a mail of 8 May 2026 is 7 May 2026).
//!
//! Text ──`words`──▶ tokens ──`lexicon`──▶ meanings ──`grammar`──▶ civil intervals ──zone──▶ [`Resolved`].
//!
//! # Conventions where people disagree
//! - Weeks start on Monday; dates written in digits have the day first, unless only month first is possible.
//! - *last / next* Tuesday: the nearest one strictly before / after today. *this* Tuesday: that of this week.
//! - *last / next* week, month, year: the calendar unit before / after the current one. *last June* is the
//!   latest June that is over; *next June* the first that has not begun.
//! - *two weeks ago*, *in 3 months*: the whole calendar week or month which that moment falls in; for days, the day.
//! - *last 3 days*: from that many days before today to the end of today. *next 3 days*: the mirror image.
//! - *since* reaches to the end of today; *until / by* a day to come starts today; *before* and *after* are open.
//! - A day or month without a year follows the tense ([`Lean`]); when the sentence has none, a question means the
//!   occurrence between nine months ago and three months ahead, what was written to tell the one between three ago and
//!   nine ahead. A bare weekday or day of the month ("on Tuesday", "on the 3rd") is the coming one then.
//! - Morning 06–12, afternoon 12–18, evening 18–24, night 22–06; a clock time is one minute long.

mod calendar;
mod english;
mod french;
mod german;
mod grammar;
mod lexicon;
mod named;
mod numeric;
mod relations;
mod say;
mod tense;
mod words;

#[cfg(test)]
mod tests;

use std::ops::Range;

use jiff::ZonedDateTime;
use serde::{Deserialize, Serialize};

pub use say::{in_long, long_month, say, say_day};
pub use tense::lean_of;
pub use words::fold;

/// `start` of an interval that has no beginning.
pub const UNBOUNDED_PAST: i64 = i64::MIN;
/// `end` of an interval that has no end.
pub const UNBOUNDED_FUTURE: i64 = i64::MAX;

/// How exactly the words name the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Granularity {
    /// A time of day, to the minute.
    Time,
    /// A part of a day: morning, evening.
    Part,
    Day,
    Week,
    Month,
    /// A quarter or a season.
    Quarter,
    Year,
    /// Anything else: a range, a weekend, an open interval.
    Span,
}

/// Which occurrence an incomplete date means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lean {
    /// The latest that has begun: "what did she write on Tuesday".
    Past,
    /// The first that is not over: "what happens on Tuesday".
    Future,
    /// The sentence does not say, and asks: the one between nine months ago and three months ahead.
    Either,
    /// The sentence does not say, and was written for somebody to read: three months ago to nine ahead.
    Written,
}

/// One time expression found in a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolved {
    /// Byte range of the expression in the text.
    pub words: Range<usize>,
    /// UTC seconds since 1970, or [`UNBOUNDED_PAST`].
    pub start: i64,
    /// UTC seconds since 1970, exclusive, or [`UNBOUNDED_FUTURE`].
    pub end: i64,
    pub granularity: Granularity,
    /// `last week = 16–22 Nov 2026`.
    pub text: String,
}

impl Resolved {
    /// The interval alone, in words: `16–22 Nov 2026`.
    pub fn interval_text(&self) -> &str {
        self.text.rsplit(" = ").next().unwrap_or(&self.text)
    }
}

/// Every time expression of `text`, left to right, not overlapping.
pub fn find(text: &str, now: &ZonedDateTime, lean: Lean) -> Vec<Resolved> {
    let lexemes = lexicon::lexemes(&words::tokens(text));
    let zone = now.time_zone();
    let seconds = |at: jiff::civil::DateTime| {
        zone.to_zoned_datetime(at).ok().map(|z| z.timestamp().as_second())
    };
    relations::all(&lexemes, now.datetime(), lean)
        .into_iter()
        .filter_map(|(interval, words)| {
            let start = interval.start.map_or(Some(UNBOUNDED_PAST), seconds)?;
            let end = interval.end.map_or(Some(UNBOUNDED_FUTURE), seconds)?;
            let text = format!("{} = {}", &text[words.clone()], say(start, end, zone));
            Some(Resolved { words, start, end, granularity: interval.grain, text })
        })
        .collect()
}
