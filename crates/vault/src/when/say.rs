//! Intervals in words, short and without doubt: `16–22 Nov 2026`, `7 May 2026`, `June 2026`, `3 May 2026 15:00`.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::{UNBOUNDED_FUTURE, UNBOUNDED_PAST};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const LONG_MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// An interval of UTC seconds (`end` exclusive, open ends as in [`super`]) in the words of `zone`'s calendar.
pub fn say(start: i64, end: i64, zone: &TimeZone) -> String {
    let civil = |seconds: i64| Timestamp::from_second(seconds).ok().map(|t| zone.to_datetime(t));
    let start = if start == UNBOUNDED_PAST { None } else { civil(start) };
    let end = if end == UNBOUNDED_FUTURE { None } else { civil(end) };
    match (start, end) {
        (None, None) => "any time".to_owned(),
        (Some(start), None) => format!("from {} on", point(start)),
        (None, Some(end)) => format!("before {}", point(end)),
        (Some(start), Some(end)) => span(start, end),
    }
}

/// `May`: the month's whole name.
pub fn long_month(date: Date) -> &'static str {
    LONG_MONTHS[usize::from(date.month().unsigned_abs()) - 1]
}

/// What [`say`] says, with whole names of months.
pub fn in_long(text: &str) -> String {
    MONTHS.iter().zip(LONG_MONTHS).fold(text.to_owned(), |text, (short, long)| {
        text.replace(&format!(" {short} "), &format!(" {long} "))
    })
}

/// `7 May 2026`.
pub fn say_day(date: Date) -> String {
    format!("{} {} {}", date.day(), short(date), date.year())
}

fn short(date: Date) -> &'static str {
    MONTHS[usize::from(date.month().unsigned_abs()) - 1]
}

fn clock(at: DateTime) -> String {
    format!("{:02}:{:02}", at.hour(), at.minute())
}

fn is_midnight(at: DateTime) -> bool {
    at.hour() == 0 && at.minute() == 0 && at.second() == 0
}

fn point(at: DateTime) -> String {
    if is_midnight(at) {
        say_day(at.date())
    } else {
        format!("{} {}", say_day(at.date()), clock(at))
    }
}

fn span(start: DateTime, end: DateTime) -> String {
    if is_midnight(start) && is_midnight(end) && end > start {
        let last = end.date().yesterday().unwrap_or(end.date());
        return days(start.date(), last);
    }
    let short_enough = start.checked_add(1.minute()).is_ok_and(|minute| minute >= end);
    if short_enough {
        return point_with_clock(start);
    }
    // An evening ends at midnight: said as 24:00 of the same day.
    if start.date() == end.date() {
        format!("{}–{}", point_with_clock(start), clock(end))
    } else if is_midnight(end) && start.date().tomorrow().is_ok_and(|next| next == end.date()) {
        format!("{}–24:00", point_with_clock(start))
    } else {
        format!("{} – {}", point_with_clock(start), point_with_clock(end))
    }
}

fn point_with_clock(at: DateTime) -> String {
    format!("{} {}", say_day(at.date()), clock(at))
}

/// Whole days, `last` included.
fn days(first: Date, last: Date) -> String {
    let from_first = first.day() == 1;
    let to_last = last.day() == last.days_in_month();
    let same_year = first.year() == last.year();
    if first == last {
        say_day(first)
    } else if from_first && to_last && same_year && first.month() == 1 && last.month() == 12 {
        first.year().to_string()
    } else if from_first && to_last && same_year && first.month() == last.month() {
        format!("{} {}", long_month(first), first.year())
    } else if same_year && first.month() == last.month() {
        format!("{}–{}", first.day(), say_day(last))
    } else if same_year {
        format!("{} {} – {}", first.day(), short(first), say_day(last))
    } else {
        format!("{} – {}", say_day(first), say_day(last))
    }
}
