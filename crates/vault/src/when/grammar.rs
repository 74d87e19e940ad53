//! The grammar of single time expressions: from meanings to one civil interval.
//!
//! Each rule reads at a position and returns the interval with the position after it, or nothing. Rules are
//! tried from the most to the least specific; the first that reads wins.

use jiff::civil::{Date, DateTime};

use super::calendar::{self, Interval};
use super::lexicon::{Holiday, Lexeme, Meaning, Part, Season, Third, Unit, Which};
use super::words::Shape;
use super::{Granularity, Lean};

pub(super) type Read = Option<(Interval, usize)>;

pub(super) struct Grammar<'a> {
    pub(super) lexemes: &'a [Lexeme],
    pub(super) now: DateTime,
    pub(super) lean: Lean,
}

macro_rules! reader {
    ($name:ident, $variant:ident, $kind:ty) => {
        pub(super) fn $name(&self, at: usize) -> Option<$kind> {
            self.lexeme(at)?
                .find(|m| if let Meaning::$variant(value) = m { Some(value) } else { None })
        }
    };
}

impl Grammar<'_> {
    reader!(which, Which, Which);
    reader!(unit, Unit, Unit);
    reader!(month, Month, i8);
    reader!(weekday, Weekday, i8);
    reader!(part, Part, Part);
    reader!(season, Season, Season);
    reader!(holiday, Holiday, Holiday);
    reader!(third, Third, Third);

    pub(super) fn lexeme(&self, at: usize) -> Option<&Lexeme> {
        self.lexemes.get(at)
    }

    pub(super) fn is(&self, at: usize, meaning: Meaning) -> bool {
        self.lexeme(at).is_some_and(|lexeme| lexeme.is(meaning))
    }

    pub(super) fn skip(&self, mut at: usize, fillers: &[Meaning]) -> usize {
        while fillers.iter().any(|&filler| self.is(at, filler)) {
            at += 1;
        }
        at
    }

    /// A whole number in digits or words: `12`, `twelve`, `twenty-one`.
    pub(super) fn number(&self, at: usize) -> Option<(i64, usize)> {
        if let Some((value, _, next)) = self.digits(at) {
            return Some((value, next));
        }
        let word = |at: usize| {
            self.lexeme(at)?
                .find(|m| if let Meaning::Number(value) = m { Some(value) } else { None })
        };
        let tens = word(at)?;
        if (20..100).contains(&tens)
            && tens % 10 == 0
            && let Some(ones @ 1..=9) = word(at + 1)
        {
            return Some((tens + ones, at + 2));
        }
        Some((tens, at + 1))
    }

    /// A point of time, with a time of day or part of the day on either side of it.
    pub(super) fn point(&self, at: usize) -> Read {
        self.time_then_day(at)
            .or_else(|| {
                let (interval, next) = self.dated(at)?;
                Some(self.with_time(interval, next))
            })
            .or_else(|| self.time_today(at))
    }

    /// `at 3 pm on Tuesday`, `the morning of 3 May`.
    fn time_then_day(&self, at: usize) -> Read {
        let start = self.skip(at, &[Meaning::Article]);
        let (make, next): (Box<dyn Fn(Date) -> Option<Interval>>, usize) =
            if let Some(part) = self.part(start) {
                (Box::new(move |day| calendar::part(day, part)), start + 1)
            } else {
                let (minutes, next) = self.clock(start)?;
                (Box::new(move |day| calendar::minute(day, minutes)), next)
            };
        let next = self.skip(next, &[Meaning::At, Meaning::Of, Meaning::Article]);
        let (interval, next) = self.dated(next)?;
        (interval.grain == Granularity::Day).then(|| Some((make(interval.day()?)?, next)))?
    }

    /// Adds a following time or part of the day to a whole day.
    fn with_time(&self, interval: Interval, next: usize) -> (Interval, usize) {
        let add = || {
            let day = interval.day().filter(|_| interval.grain == Granularity::Day)?;
            let comma = next + usize::from(self.lexeme(next).is_some_and(|l| l.symbol(',')));
            let after = self.skip(comma, &[Meaning::At, Meaning::Article]);
            if let Some((minutes, end)) = self.clock(after) {
                return Some((calendar::minute(day, minutes)?, end));
            }
            if let Some(part) = self.part(after) {
                return Some((calendar::part(day, part)?, after + 1));
            }
            self.bare_hour(day, comma)
        };
        add().unwrap_or((interval, next))
    }

    /// `tomorrow at 3`: a bare hour from 1 to 7 is in the afternoon.
    fn bare_hour(&self, day: Date, at: usize) -> Read {
        if !matches!(self.lexeme(at)?.word(), "at" | "um" | "a") {
            return None;
        }
        let (hour, digits, next) = self.digits(at + 1)?;
        let followed = self.lexeme(next).is_some_and(|l| {
            l.token.glued && !matches!(l.token.shape, Shape::Symbol('?' | '.' | ',' | '!' | ';'))
                || l.find(|m| matches!(m, Meaning::Unit(_) | Meaning::Month(_)).then_some(()))
                    .is_some()
        });
        if followed || digits > 2 || !(1..=24).contains(&hour) {
            return None;
        }
        let hour = if hour <= 7 { hour + 12 } else { hour };
        Some((calendar::minute(day, hour * 60)?, next))
    }

    /// `at 15:30`, `this morning`, `now`: today's.
    fn time_today(&self, at: usize) -> Read {
        let today = self.now.date();
        if self.which(at) == Some(Which::This)
            && let Some(part) = self.part(at + 1)
        {
            return Some((calendar::part(today, part)?, at + 2));
        }
        let phrase = |l: &Lexeme| l.token.bytes.len() > l.word().len() + 1;
        let after_at = at > 0 && self.is(at - 1, Meaning::At);
        if let Some(part) = self.part(at)
            && (after_at || self.lexeme(at).is_some_and(phrase))
        {
            return Some((calendar::part(today, part)?, at + 1));
        }
        if self.is(at, Meaning::Now) {
            let minutes = i64::from(self.now.hour()) * 60 + i64::from(self.now.minute());
            return Some((calendar::minute(today, minutes)?, at + 1));
        }
        let (minutes, next) = self.clock(at)?;
        // "une réunion de 3 heures" lasts; "à 3 heures" is when.
        let last = self.lexeme(next - 1)?;
        let duration = last.is(Meaning::OClock) && last.word() != "uhr" && last.word() != "o";
        (after_at || !duration).then(|| Some((calendar::minute(today, minutes)?, next)))?
    }

    /// Everything of a day or longer.
    fn dated(&self, at: usize) -> Read {
        let at = self.skip(at, &[Meaning::Article]);
        self.calendar_date(at)
            .or_else(|| self.weekday_of_month(at))
            .or_else(|| self.weekday_rules(at))
            .or_else(|| self.day_word(at))
            .or_else(|| self.counted(at))
            .or_else(|| self.which_unit(at))
            .or_else(|| self.third_of(at))
            .or_else(|| self.quarter_rules(at))
            .or_else(|| self.week_rules(at))
            .or_else(|| self.named(at))
            .or_else(|| self.year_rules(at))
            .or_else(|| self.lone_day(at))
    }

    /// `first Monday in June`, `letzter Freitag im Mai`.
    fn weekday_of_month(&self, at: usize) -> Read {
        let ordinal = self.lexeme(at)?.find(|m| match m {
            Meaning::Ordinal(n) => Some(n),
            Meaning::Which(Which::Last) => Some(-1),
            _ => None,
        })?;
        let weekday = self.weekday(at + 1)?;
        let next = self.skip(at + 2, &[Meaning::Of, Meaning::At, Meaning::Article]);
        if next == at + 2 {
            return None;
        }
        let (month, next) = self.month_of(next)?;
        let first = month.day()?;
        let weekday = jiff::civil::Weekday::from_monday_one_offset(weekday).ok()?;
        let day = first.nth_weekday_of_month(i8::try_from(ordinal).ok()?, weekday).ok()?;
        Some((calendar::day(day)?, next))
    }

    fn weekday_rules(&self, at: usize) -> Read {
        if let Some(which) = self.which(at)
            && let Some(weekday) = self.weekday(at + 1)
        {
            return Some((self.which_weekday(which, weekday)?, at + 2));
        }
        let weekday = self.weekday(at)?;
        if let Some(which) = self.which(at + 1)
            && self.unit(at + 2).is_none()
        {
            return Some((self.which_weekday(which, weekday)?, at + 2));
        }
        let next = at + 1;
        let comma =
            next + usize::from(self.lexeme(next).is_some_and(|l| l.symbol(',') || l.symbol('.')));
        let after = self.skip(comma, &[Meaning::Article, Meaning::At]);
        if let Some((interval, end)) = self.calendar_date(after)
            && interval.grain == Granularity::Day
        {
            return Some((interval, end));
        }
        let after = self.skip(next, &[Meaning::Article, Meaning::Of, Meaning::At]);
        let week = self
            .counted(next)
            .or_else(|| self.counted(after))
            .or_else(|| self.which_unit(after))
            .or_else(|| self.week_rules(after));
        if let Some((week, end)) = week
            && week.grain == Granularity::Week
        {
            return Some((self.weekday_in(week, weekday)?, end));
        }
        if !self.has_company(at) {
            return None;
        }
        let which = if self.lean == Lean::Past { Which::Last } else { Which::Next };
        Some((self.which_weekday(which, weekday)?, next))
    }

    fn weekday_in(&self, week: Interval, weekday: i8) -> Option<Interval> {
        calendar::day(calendar::add_days(week.day()?, i64::from(weekday) - 1)?)
    }

    fn which_weekday(&self, which: Which, weekday: i8) -> Option<Interval> {
        let today = self.now.date();
        let ahead =
            (i64::from(weekday) - i64::from(today.weekday().to_monday_one_offset())).rem_euclid(7);
        match which {
            Which::This => self.weekday_in(calendar::week(today)?, weekday),
            Which::Next => {
                calendar::day(calendar::add_days(today, if ahead == 0 { 7 } else { ahead })?)
            }
            Which::Last => calendar::day(calendar::add_days(today, ahead - 7)?),
        }
    }

    /// `yesterday`, `tonight`.
    fn day_word(&self, at: usize) -> Read {
        let today = self.now.date();
        let interval = self.lexeme(at)?.find(|m| match m {
            Meaning::DayPart(days, part) => calendar::part(calendar::add_days(today, days)?, part),
            Meaning::Day(days) => calendar::day(calendar::add_days(today, days)?),
            _ => None,
        })?;
        Some((interval, at + 1))
    }

    /// A count of units from now or from another point.
    fn counted(&self, at: usize) -> Read {
        let prefix = self.lexeme(at)?;
        for (meaning, sign) in [(Meaning::BackBy, -1), (Meaning::AheadBy, 1)] {
            if prefix.is(meaning)
                && let Some((count, next)) = self.number(at + 1)
                && let Some(unit) = self.unit(next)
            {
                return Some((self.moved(self.now, sign * count, unit)?, next + 1));
            }
        }
        let (count, next) = match self.number(at) {
            Some(counted) => counted,
            // "the day after Christmas"
            None if self.unit(at).is_some() => (1, at),
            None => return None,
        };
        let unit = self.unit(next)?;
        let relation = self.lexeme(next + 1)?;
        if next > at && relation.is(Meaning::Ago) {
            if self.is(next + 2, Meaning::Day(0)) {
                let day = calendar::shift(self.now, -count, unit)?.date();
                return Some((calendar::day(day)?, next + 3));
            }
            return Some((self.moved(self.now, -count, unit)?, next + 2));
        }
        if next > at && relation.is(Meaning::FromNow) {
            return Some((self.moved(self.now, count, unit)?, next + 2));
        }
        let sign = match relation {
            l if l.is(Meaning::Before) => -1,
            l if l.is(Meaning::After) => 1,
            l if l.is(Meaning::From) && next > at => 1,
            _ => return None,
        };
        let (anchor, end) = self.dated(next + 2).filter(|(anchor, _)| anchor.start.is_some())?;
        let from = if sign < 0 {
            anchor.start?
        } else {
            calendar::midnight(anchor.end?.date().yesterday().ok()?)
        };
        // Weeks and longer from a named day lead to a day, not to a whole week.
        let moved = calendar::shift(from, sign * count, unit)?;
        Some((calendar::day(moved.date())?, end))
    }

    fn moved(&self, from: DateTime, count: i64, unit: Unit) -> Option<Interval> {
        calendar::unit_of(calendar::shift(from, count, unit)?, unit)
    }

    /// `last week`, `la semaine dernière`, `die letzten drei Tage`, `les trois prochains jours`.
    pub(super) fn which_unit(&self, at: usize) -> Read {
        let (which, count, unit, next) = self.which_parts(at)?;
        let interval = match (which, count) {
            (Which::Last, Some(count)) => self.rolling(-count, unit)?,
            (Which::Next, Some(count)) => self.rolling(count, unit)?,
            (Which::This, _) => calendar::unit_of(self.now, unit)?,
            (Which::Last, None) => self.neighbour(-1, unit)?,
            (Which::Next, None) => self.neighbour(1, unit)?,
        };
        if interval.grain == Granularity::Week {
            let after = self.skip(next, &[Meaning::At]);
            if let Some(weekday) = self.weekday(after) {
                return Some((self.weekday_in(interval, weekday)?, after + 1));
            }
        }
        Some((interval, next))
    }

    pub(super) fn which_parts(&self, at: usize) -> Option<(Which, Option<i64>, Unit, usize)> {
        if let Some(which) = self.which(at) {
            if let Some(unit) = self.unit(at + 1) {
                // "cette semaine-ci", "semaine dernière" are read from the unit; a unit before wins.
                return Some((which, None, unit, at + 2));
            }
            let (count, next) = self.number(at + 1)?;
            return Some((which, Some(count), self.unit(next)?, next + 1));
        }
        if let Some((count, next)) = self.number(at)
            && let Some(which) = self.which(next)
            && let Some(unit) = self.unit(next + 1)
        {
            return Some((which, Some(count), unit, next + 2));
        }
        let unit = self.unit(at)?;
        Some((self.which(at + 1).filter(|&which| which != Which::This)?, None, unit, at + 2))
    }

    fn neighbour(&self, count: i64, unit: Unit) -> Option<Interval> {
        // From the first of the month, so that 31 March minus a month is February.
        let from = match unit {
            Unit::Month | Unit::Quarter | Unit::Year => {
                calendar::midnight(self.now.date().first_of_month())
            }
            _ => self.now,
        };
        self.moved(from, count, unit)
    }

    /// The last or next `count` units, today included.
    fn rolling(&self, count: i64, unit: Unit) -> Option<Interval> {
        let far = calendar::shift(self.now, count, unit)?;
        if matches!(unit, Unit::Hour | Unit::Minute) {
            let (start, end) = if count < 0 { (far, self.now) } else { (self.now, far) };
            return Some(Interval::new(start, end, Granularity::Span));
        }
        let (first, last) = (far.date().min(self.now.date()), far.date().max(self.now.date()));
        Some(Interval::days(first, calendar::add_days(last, 1)?, Granularity::Span))
    }

    /// `end of June`, `Anfang 2026`, `fin du mois`, `mid-May`.
    fn third_of(&self, at: usize) -> Read {
        let third = self.third(at)?;
        let next = self.skip(at + 1, &[Meaning::Of, Meaning::Article]);
        let (whole, next) = self
            .which_unit(next)
            .or_else(|| self.month_of(next))
            .or_else(|| self.quarter_rules(next))
            .or_else(|| self.year_rules(next))
            .or_else(|| Some((calendar::unit_of(self.now, self.unit(next)?)?, next + 1)))?;
        Some((calendar::third(whole, third)?, next))
    }

    /// `Q1 2026`, `T1`, `second quarter of last year`, `erstes Quartal`.
    fn quarter_rules(&self, at: usize) -> Read {
        let (number, next) = if self.is(at, Meaning::QuarterLetter) {
            let (number, 1, next) = self.digits(at + 1)? else { return None };
            self.lexeme(at + 1)?.token.glued.then_some((number, next))?
        } else {
            let ordinal = self.ordinal(at)?;
            (self.unit(ordinal.1)? == Unit::Quarter).then_some((ordinal.0, ordinal.1 + 1))?
        };
        if let Some((year, next)) = self.year_after(next) {
            return Some((calendar::quarter(year, number)?, next));
        }
        Some((self.in_some_year(|year| calendar::quarter(year, number))?, next))
    }

    /// `first`, `1st`, `1.`, `1er`.
    fn ordinal(&self, at: usize) -> Option<(i64, usize)> {
        if let Some(n) =
            self.lexeme(at)?.find(|m| if let Meaning::Ordinal(n) = m { Some(n) } else { None })
        {
            return Some((n, at + 1));
        }
        let (value, _, next) = self.digits(at)?;
        let suffix = self.lexeme(next).filter(|l| l.token.glued)?;
        (suffix.symbol('.') || matches!(suffix.word(), "st" | "nd" | "rd" | "th" | "er" | "e"))
            .then_some((value, next + 1))
    }

    /// `week 23`, `KW 23`, `the week of 3 May`.
    fn week_rules(&self, at: usize) -> Read {
        let week_word = self.unit(at) == Some(Unit::Week);
        if week_word {
            let next = self.skip(at + 1, &[Meaning::Of, Meaning::From, Meaning::Article]);
            if next > at + 1
                && let Some((interval, next)) = self.calendar_date(next)
                && interval.grain == Granularity::Day
            {
                return Some((calendar::week(interval.day()?)?, next));
            }
        }
        if !week_word && !self.is(at, Meaning::WeekNumber) {
            return None;
        }
        let (number, 1..=2, next) = self.digits(at + 1)? else { return None };
        if let Some((year, next)) = self.year_after(next) {
            return Some((calendar::week_number(year, number)?, next));
        }
        Some((self.in_some_year(|year| calendar::week_number(year, number))?, next))
    }
}
