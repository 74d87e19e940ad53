//! Date arithmetic: the interval that a week, month, season or holiday covers, in the owner's civil time.
//!
//! Everything returns `None` where the calendar ends (years −9999 to 9999), never panics.

use jiff::civil::{Date, DateTime, Time};
use jiff::{Span, ToSpan};

use super::Granularity;
use super::lexicon::{Holiday, Part, Season, Third, Unit};

/// A stretch of civil time, `end` exclusive; `None` is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) start: Option<DateTime>,
    pub(super) end: Option<DateTime>,
    pub(super) grain: Granularity,
}

impl Interval {
    pub(super) fn new(start: DateTime, end: DateTime, grain: Granularity) -> Self {
        Self { start: Some(start), end: Some(end), grain }
    }

    /// Whole days from `first` up to and without `end`.
    pub(super) fn days(first: Date, end: Date, grain: Granularity) -> Self {
        Self::new(midnight(first), midnight(end), grain)
    }

    /// The day it starts on.
    pub(super) fn day(&self) -> Option<Date> {
        self.start.map(DateTime::date)
    }
}

pub(super) fn midnight(date: Date) -> DateTime {
    date.to_datetime(Time::midnight())
}

pub(super) fn add(date: Date, span: Span) -> Option<Date> {
    date.checked_add(span).ok()
}

pub(super) fn add_days(date: Date, days: i64) -> Option<Date> {
    // A time expression that reaches further than this is a misread number.
    (days.abs() <= 400_000).then(|| add(date, days.days()))?
}

pub(super) fn date(year: i16, month: i8, day: i8) -> Option<Date> {
    Date::new(year, month, day).ok()
}

pub(super) fn day(date: Date) -> Option<Interval> {
    Some(Interval::days(date, add_days(date, 1)?, Granularity::Day))
}

pub(super) fn monday_of(date: Date) -> Option<Date> {
    add_days(date, -i64::from(date.weekday().to_monday_zero_offset()))
}

/// Monday to Sunday.
pub(super) fn week(date: Date) -> Option<Interval> {
    let monday = monday_of(date)?;
    Some(Interval::days(monday, add_days(monday, 7)?, Granularity::Week))
}

/// ISO 8601 week `number` of `year`: the first week is the one with 4 January in it.
pub(super) fn week_number(year: i16, number: i64) -> Option<Interval> {
    let first = monday_of(date(year, 1, 4)?)?;
    (1..=53).contains(&number).then(|| week(add_days(first, 7 * (number - 1))?))?
}

pub(super) fn month(year: i16, month: i8) -> Option<Interval> {
    let first = date(year, month, 1)?;
    Some(Interval::days(first, add(first, 1.month())?, Granularity::Month))
}

pub(super) fn quarter(year: i16, number: i64) -> Option<Interval> {
    let month = i8::try_from(number).ok().filter(|n| (1..=4).contains(n))? * 3 - 2;
    let first = date(year, month, 1)?;
    Some(Interval::days(first, add(first, 3.months())?, Granularity::Quarter))
}

pub(super) fn year(year: i16) -> Option<Interval> {
    let first = date(year, 1, 1)?;
    Some(Interval::days(first, add(first, 1.year())?, Granularity::Year))
}

/// Meteorological: spring is March to May. Winter is named by the year it begins in.
pub(super) fn season(year: i16, season: Season) -> Option<Interval> {
    let month = match season {
        Season::Spring => 3,
        Season::Summer => 6,
        Season::Autumn => 9,
        Season::Winter => 12,
    };
    let first = date(year, month, 1)?;
    Some(Interval::days(first, add(first, 3.months())?, Granularity::Quarter))
}

/// Saturday and Sunday of the week that `within` lies in.
pub(super) fn weekend(within: Date) -> Option<Interval> {
    let monday = monday_of(within)?;
    Some(Interval::days(add_days(monday, 5)?, add_days(monday, 7)?, Granularity::Span))
}

/// Easter Sunday of the Gregorian calendar (the anonymous algorithm of 1876, as in Meeus, ch. 8).
fn easter(year: i16) -> Option<Date> {
    let y = i32::from(year);
    let (a, b, c) = (y % 19, y / 100, y % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (8 * b + 13) / 25;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 19 * l) / 433;
    let month = (h + l - 7 * m + 90) / 25;
    let day = (h + l - 7 * m + 33 * month + 19) % 32;
    date(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?)
}

pub(super) fn holiday(year: i16, holiday: Holiday) -> Option<Interval> {
    let first = match holiday {
        Holiday::NewYearsDay => date(year, 1, 1),
        Holiday::GoodFriday => add_days(easter(year)?, -2),
        Holiday::Easter => easter(year),
        Holiday::EasterMonday => add_days(easter(year)?, 1),
        Holiday::Pentecost => add_days(easter(year)?, 49),
        Holiday::ChristmasEve => date(year, 12, 24),
        Holiday::Christmas => date(year, 12, 25),
        Holiday::NewYearsEve => date(year, 12, 31),
    }?;
    if holiday == Holiday::Christmas {
        return Some(Interval::days(first, add_days(first, 2)?, Granularity::Span));
    }
    day(first)
}

/// The whole unit that `at` lies in.
pub(super) fn unit_of(at: DateTime, unit: Unit) -> Option<Interval> {
    let of = at.date();
    match unit {
        Unit::Minute => minute(of, i64::from(at.hour()) * 60 + i64::from(at.minute())),
        Unit::Hour => {
            let start = of.at(at.hour(), 0, 0, 0);
            Some(Interval::new(start, start.checked_add(1.hour()).ok()?, Granularity::Time))
        }
        Unit::Day => day(of),
        Unit::Week => week(of),
        Unit::Month => month(of.year(), of.month()),
        Unit::Quarter => quarter(of.year(), i64::from((of.month() - 1) / 3 + 1)),
        Unit::Year => year(of.year()),
    }
}

/// `at` moved by `count` units; months and years keep the day of the month where it exists.
pub(super) fn shift(at: DateTime, count: i64, unit: Unit) -> Option<DateTime> {
    if count.abs() > 100_000 {
        return None;
    }
    let span = match unit {
        Unit::Minute => count.minutes(),
        Unit::Hour => count.hours(),
        Unit::Day => count.days(),
        Unit::Week => count.weeks(),
        Unit::Month => Span::new().try_months(count).ok()?,
        Unit::Quarter => Span::new().try_months(count.checked_mul(3)?).ok()?,
        Unit::Year => Span::new().try_years(count).ok()?,
    };
    at.checked_add(span).ok()
}

/// One minute, `minutes` after midnight.
pub(super) fn minute(of: Date, minutes: i64) -> Option<Interval> {
    let start = midnight(of).checked_add(minutes.minutes()).ok()?;
    Some(Interval::new(start, start.checked_add(1.minute()).ok()?, Granularity::Time))
}

/// Morning 06–12, afternoon 12–18, evening 18–24, night 22–06, overnight 18–06.
pub(super) fn part(of: Date, part: Part) -> Option<Interval> {
    let (from, hours) = match part {
        Part::Morning => (6, 6),
        Part::Afternoon => (12, 6),
        Part::Evening => (18, 6),
        Part::Night => (22, 8),
        Part::Overnight => (18, 12),
    };
    let start = of.at(from, 0, 0, 0);
    Some(Interval::new(start, start.checked_add(hours.hours()).ok()?, Granularity::Part))
}

/// The first, second or last third of a month (days 1–10, 11–20, 21–), year (four months each), quarter
/// (a month each) or week (Mon–Tue, Wed–Thu, Fri–Sun).
pub(super) fn third(whole: Interval, third: Third) -> Option<Interval> {
    let (first, end) = (whole.day()?, whole.end?.date());
    let (one, two) = match whole.grain {
        Granularity::Month => (add_days(first, 10)?, add_days(first, 20)?),
        Granularity::Year => (add(first, 4.months())?, add(first, 8.months())?),
        Granularity::Quarter => (add(first, 1.month())?, add(first, 2.months())?),
        Granularity::Week => (add_days(first, 2)?, add_days(first, 4)?),
        _ => return None,
    };
    Some(match third {
        Third::Early => Interval::days(first, one, Granularity::Span),
        Third::Mid => Interval::days(one, two, Granularity::Span),
        Third::Late => Interval::days(two, end, Granularity::Span),
    })
}
