//! Relations around points of time: before, after, since, until, between, from … to; and the walk over a text.

use std::ops::Range;

use jiff::civil::DateTime;

use super::calendar::{self, Interval};
use super::grammar::{Grammar, Read};
use super::lexicon::{Lexeme, Meaning, Unit};
use super::{Granularity, Lean};

/// Every expression with its bytes, left to right.
pub(super) fn all(lexemes: &[Lexeme], now: DateTime, lean: Lean) -> Vec<(Interval, Range<usize>)> {
    let grammar = Grammar { lexemes, now, lean };
    let mut found = Vec::new();
    let mut at = 0;
    while at < lexemes.len() {
        let Some((interval, next)) = grammar.related(at).or_else(|| grammar.range_or_point(at))
        else {
            at += 1;
            continue;
        };
        let start = grammar.skip(at, &[Meaning::Article]).min(next - 1);
        found.push((interval, lexemes[start].token.bytes.start..lexemes[next - 1].token.bytes.end));
        at = next;
    }
    found
}

impl Grammar<'_> {
    fn related(&self, at: usize) -> Read {
        let word = self.lexeme(at)?;
        let next = at + 1;
        if word.is(Meaning::Between) {
            if let Some((range, end)) = self
                .calendar_date(self.skip(next, &[Meaning::Article]))
                .filter(|(range, _)| range.grain == Granularity::Span)
            {
                return Some((range, end));
            }
            let (first, middle) = self.point(next)?;
            return self.is(middle, Meaning::And).then(|| self.joined(first, next, middle))?;
        }
        if word.is(Meaning::From) {
            let (first, after) = self.range_or_point(next)?;
            if self.is(after, Meaning::Onwards) && !self.followed_by_point(after + 1) {
                return Some((
                    Interval { end: None, grain: Granularity::Span, ..first },
                    after + 1,
                ));
            }
            if first.grain == Granularity::Span {
                return Some((first, after));
            }
        }
        if word.is(Meaning::Since)
            && let Some((count, unit_at)) = self.number(next)
            && let Some(unit) = self.unit(unit_at)
        {
            return self.since(calendar::shift(self.now, -count, unit)?, unit, unit_at + 1);
        }
        if word.is(Meaning::Since) {
            let past = Grammar { lean: Lean::Past, ..*self };
            let (point, end) = past.point(next)?;
            return self.since(point.start?, Unit::Minute, end);
        }
        if word.is(Meaning::FromOn) {
            let (point, end) = self.point(next)?;
            return Some((Interval { end: None, grain: Granularity::Span, ..point }, end));
        }
        if word.is(Meaning::Before) || word.is(Meaning::After) || word.is(Meaning::Until) {
            let (point, end) = self.point(next)?;
            return Some((self.bounded(word, point)?, end));
        }
        None
    }

    fn followed_by_point(&self, at: usize) -> bool {
        self.point(at).is_some()
    }

    fn since(&self, from: DateTime, unit: Unit, next: usize) -> Read {
        let from = if matches!(unit, Unit::Minute | Unit::Hour) {
            from
        } else {
            calendar::midnight(from.date())
        };
        let end = calendar::midnight(calendar::add_days(self.now.date(), 1)?);
        (from < end).then(|| Some((Interval::new(from, end, Granularity::Span), next)))?
    }

    fn bounded(&self, word: &Lexeme, point: Interval) -> Option<Interval> {
        let (start, end) = (point.start?, point.end?);
        let time_of_day = point.grain == Granularity::Time;
        let midnight = calendar::midnight(start.date());
        let today = calendar::midnight(self.now.date());
        let grain = Granularity::Span;
        Some(if word.is(Meaning::Before) {
            // Before a clock time: that day's hours up to it.
            Interval { start: time_of_day.then_some(midnight), end: Some(start), grain }
        } else if word.is(Meaning::After) {
            let day_end = calendar::midnight(calendar::add_days(start.date(), 1)?);
            let from = if time_of_day { start } else { end };
            Interval { start: Some(from), end: time_of_day.then_some(day_end), grain }
        } else {
            let until = if time_of_day { start } else { end };
            Interval { start: (until > self.now).then_some(today), end: Some(until), grain }
        })
    }

    /// A point, or two joined by *to*, *bis*, *au*, a dash.
    fn range_or_point(&self, at: usize) -> Read {
        let (first, middle) = self.point(at)?;
        let joins = self
            .lexeme(middle)
            .is_some_and(|l| l.is(Meaning::To) || l.symbol('–') || l.symbol('-'));
        if joins && let Some(range) = self.joined(first, at, middle) {
            return Some(range);
        }
        Some((first, middle))
    }

    /// `first`, read from `at`, up to the point after the joining word at `middle`.
    fn joined(&self, first: Interval, at: usize, middle: usize) -> Read {
        let second_at = self.skip(middle + 1, &[Meaning::Article]);
        // "from 10:00 to 12:00 tomorrow" is rare; "tomorrow 10:00 to 12:00" takes the first one's day.
        if first.grain == Granularity::Time
            && let Some((minutes, end)) = self.clock(second_at)
            && self.point(second_at).is_some_and(|(_, next)| next == end)
        {
            let until = calendar::minute(first.day()?, minutes)?.start;
            return (until > first.start)
                .then_some((Interval { end: until, grain: Granularity::Span, ..first }, end));
        }
        let (second, end) = self.point(second_at)?;
        let (first, second) = self.in_order(first, at..middle, second, second_at..end)?;
        Some((Interval { end: second.end, grain: Granularity::Span, ..first }, end))
    }

    /// Moves the end that has no year of its own so that the two stand in order, less than a year apart.
    fn in_order(
        &self,
        mut first: Interval,
        first_words: Range<usize>,
        mut second: Interval,
        second_words: Range<usize>,
    ) -> Option<(Interval, Interval)> {
        let has_year = |mut words: Range<usize>| {
            words.any(|at| self.digits(at).is_some_and(|(_, digits, _)| digits == 4))
        };
        let weekdays =
            self.weekday(first_words.start).is_some() && self.weekday(second_words.start).is_some();
        let moved = |interval: Interval, count: i64, unit: Unit| {
            let start = calendar::shift(interval.start?, count, unit)?;
            let end = calendar::shift(interval.end?, count, unit)?;
            Some(Interval::new(start, end, interval.grain))
        };
        if second.start? < first.start? {
            if weekdays {
                second = moved(second, 1, Unit::Week)?;
            } else if !has_year(first_words.clone()) {
                let years = i64::from(second.start?.year()) - i64::from(first.start?.year());
                first = moved(first, years, Unit::Year)?;
                if second.start? < first.start? {
                    first = moved(first, -1, Unit::Year)?;
                }
            } else if !has_year(second_words.clone()) {
                let years = i64::from(first.start?.year()) - i64::from(second.start?.year());
                second = moved(second, years, Unit::Year)?;
                if second.start? < first.start? {
                    second = moved(second, 1, Unit::Year)?;
                }
            }
        }
        let year_later = calendar::shift(first.start?, 1, Unit::Year)?;
        if second.start? >= year_later && second.grain != Granularity::Year {
            if !has_year(second_words) {
                second = moved(second, -1, Unit::Year)?;
            } else if !has_year(first_words) {
                let years = i64::from(second.start?.year()) - i64::from(first.start?.year());
                first = moved(first, years, Unit::Year)?;
                if second.start? < first.start? {
                    first = moved(first, -1, Unit::Year)?;
                }
            }
        }
        (first.start? <= second.start?).then_some((first, second))
    }
}
