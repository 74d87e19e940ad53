//! Dates and clock times written with digits: `2026-05-03`, `3.5.2026`, `3 May`, `May 3rd, 2026`, `15:30`, `3 pm`.

use super::calendar::{self, Interval};
use super::grammar::{Grammar, Read};
use super::lexicon::{Lexeme, Meaning};
use super::words::Shape;
use super::{Granularity, Lean};

const ORDINAL_SUFFIXES: &[&str] = &["st", "nd", "rd", "th", "er", "re", "e", "ter", "ten"];

impl Grammar<'_> {
    /// A number written in digits: value, count of digits, next position.
    pub(super) fn digits(&self, at: usize) -> Option<(i64, usize, usize)> {
        match self.lexeme(at)?.token.shape {
            Shape::Number(value, digits) if value >= 0 => Some((value, digits, at + 1)),
            _ => None,
        }
    }

    fn glued_symbol(&self, at: usize, symbols: &[char]) -> Option<char> {
        let lexeme = self.lexeme(at).filter(|lexeme| lexeme.token.glued)?;
        symbols.iter().copied().find(|&symbol| lexeme.symbol(symbol))
    }

    /// A day of a month with its ordinal ending, if any: `3`, `3rd`, `3.`, `1er`.
    fn day_number(&self, at: usize) -> Option<(i8, usize, bool)> {
        let (value, digits, mut next) = self.digits(at)?;
        let value = i8::try_from(value).ok().filter(|day| (1..=31).contains(day) && digits <= 2)?;
        let suffix =
            |lexeme: &Lexeme| lexeme.token.glued && ORDINAL_SUFFIXES.contains(&lexeme.word());
        let mut ordinal = false;
        if self.lexeme(next).is_some_and(suffix) || self.glued_symbol(next, &['.']).is_some() {
            ordinal = true;
            next += 1;
        }
        Some((value, next, ordinal))
    }

    /// Any complete or year-less calendar date.
    pub(super) fn calendar_date(&self, at: usize) -> Read {
        self.year_first(at)
            .or_else(|| self.day_first(at))
            .or_else(|| self.days_then_month(at))
            .or_else(|| self.day_then_month(at))
            .or_else(|| self.month_then_day(at))
    }

    /// `2026-05-03`, `2026/05/03`, `2026-05`.
    fn year_first(&self, at: usize) -> Read {
        let (year, 4, next) = self.digits(at)? else { return None };
        let year = i16::try_from(year).ok().filter(|year| (1000..=2999).contains(year))?;
        let separator = self.glued_symbol(next, &['-', '/', '.'])?;
        let (month, 1..=2, next) = self.digits(next + 1)? else { return None };
        let month = i8::try_from(month).ok()?;
        if self.glued_symbol(next, &[separator]).is_some()
            && let Some((day, 1..=2, next)) = self.digits(next + 1)
        {
            let date = calendar::date(year, month, i8::try_from(day).ok()?)?;
            return Some((calendar::day(date)?, next));
        }
        (separator == '-').then(|| Some((calendar::month(year, month)?, next)))?
    }

    /// `3.5.2026`, `3/5/26`, `3-5-2026`, `3.5.`; the month first only where the day cannot be.
    fn day_first(&self, at: usize) -> Read {
        let (first, 1..=2, next) = self.digits(at)? else { return None };
        let separator = self.glued_symbol(next, &['.', '/', '-'])?;
        let space_allowed = separator == '.';
        let (second, 1..=2, next) = self.digits(next + 1)? else { return None };
        if !space_allowed && !self.lexeme(next - 1)?.token.glued {
            return None;
        }
        let (day, month) = if second > 12 { (second, first) } else { (first, second) };
        let (day, month) = (i8::try_from(day).ok()?, i8::try_from(month).ok()?);
        self.glued_symbol(next, &[separator])?;
        if let Some((year, digits, next)) = self.digits(next + 1)
            && let Some(year) = match digits {
                4 => i16::try_from(year).ok(),
                2 => i16::try_from(year)
                    .ok()
                    .map(|year| if year < 70 { 2000 + year } else { 1900 + year }),
                _ => None,
            }
        {
            return Some((calendar::day(calendar::date(year, month, day)?)?, next));
        }
        // Without a year only the dotted form is a date: 3/5 is a fraction, 3-5 a range.
        (separator == '.').then(|| {
            let interval =
                self.in_some_year(|year| calendar::day(calendar::date(year, month, day)?))?;
            Some((interval, next + 1))
        })?
    }

    /// `3 May 2026`, `3rd of May`, `3. Mai`, `1er mai`.
    fn day_then_month(&self, at: usize) -> Read {
        let (day, next, _) = self.day_number(at)?;
        let next = self.skip(next, &[Meaning::Of, Meaning::Article]);
        let (month, next) = self.month_word(next)?;
        self.day_of(day, day, month, next)
    }

    /// `3–5 May`, `3. bis 5. Mai`, `3 au 5 mai`, and after *between* `3 and 5 May`.
    fn days_then_month(&self, at: usize) -> Read {
        let (first, next, _) = self.day_number(at)?;
        let joined = self.lexeme(next)?;
        let mut before = at;
        while before > 0 && self.is(before - 1, Meaning::Article) {
            before -= 1;
        }
        let between = before > 0 && self.is(before - 1, Meaning::Between);
        let range = joined.is(Meaning::To) || joined.symbol('-') || joined.symbol('–');
        let pair = between && joined.is(Meaning::And);
        if !range && !pair {
            return None;
        }
        let (last, next, _) = self.day_number(self.skip(next + 1, &[Meaning::Article]))?;
        let next = self.skip(next, &[Meaning::Of, Meaning::Article]);
        let (month, next) = self.month_word(next)?;
        (first < last).then(|| self.day_of(first, last, month, next))?
    }

    /// `May 3`, `May 3rd, 2026`, `May 3–5`.
    fn month_then_day(&self, at: usize) -> Read {
        let (month, next) = self.month_word(at)?;
        let next = self.skip(next, &[Meaning::Article]);
        let (first, next, _) = self.day_number(next)?;
        if self.lexeme(next).is_some_and(|l| l.symbol('-') || l.symbol('–'))
            && let Some((last, after, _)) = self.day_number(next + 1)
            && first < last
        {
            return self.day_of(first, last, month, after);
        }
        // "June 10:30" is a month and a time of day.
        if self.glued_symbol(next, &[':']).is_some() {
            return None;
        }
        self.day_of(first, first, month, next)
    }

    fn day_of(&self, first: i8, last: i8, month: i8, next: usize) -> Read {
        let make = |year: i16| {
            let start = calendar::day(calendar::date(year, month, first)?)?;
            let end = calendar::day(calendar::date(year, month, last)?)?;
            let grain = if first == last { Granularity::Day } else { Granularity::Span };
            Some(Interval { end: end.end, grain, ..start })
        };
        if let Some((year, next)) = self.year_after(next) {
            return Some((make(year)?, next));
        }
        Some((self.in_some_year(make)?, next))
    }

    /// `the 3rd`, `am 3.`, `le 3`: a day of this month or a neighbour, by the lean.
    pub(super) fn lone_day(&self, at: usize) -> Read {
        let (day, next, ordinal) = self.day_number(at)?;
        let before = |back: usize| at.checked_sub(back).and_then(|at| self.lexeme(at));
        let after_article = before(1).is_some_and(|l| l.is(Meaning::Article) || l.is(Meaning::At));
        let after_preposition = before(1)
            .is_some_and(|l| l.is(Meaning::At) && !l.is(Meaning::Article))
            || before(2)
                .is_some_and(|l| l.is(Meaning::At) || l.is(Meaning::Since) || l.is(Meaning::Until));
        let french = before(1).is_some_and(|l| l.word() == "le")
            && self
                .lexeme(next)
                .is_none_or(|l| matches!(l.token.shape, Shape::Symbol(c) if c != '%' && c != '€'));
        // "at 7. Then" ends a sentence and "bei 1.5" goes on: a dotted day wants its German preposition.
        let dotted = self.lexeme(next - 1).is_some_and(|l| l.symbol('.'));
        let german =
            before(1).is_some_and(|l| matches!(l.word(), "am" | "den" | "dem" | "zum" | "vom"));
        let goes_on = self
            .lexeme(next)
            .is_some_and(|l| l.token.glued && matches!(l.token.shape, Shape::Number(..)));
        if !(after_article && ordinal && after_preposition || french)
            || (dotted && !german)
            || goes_on
        {
            return None;
        }
        let today = self.now.date();
        let of = |months: i64| {
            let month = calendar::shift(
                calendar::midnight(today.first_of_month()),
                months,
                super::lexicon::Unit::Month,
            )?;
            calendar::day(calendar::date(month.year(), month.month(), day)?)
        };
        let begun = |c: &Interval| c.start.is_some_and(|start| start <= self.now);
        let chosen = if self.lean == Lean::Past {
            (-3..=0).rev().filter_map(of).find(begun)
        } else {
            (0..=3).filter_map(of).find(|c| !begun(c))
        };
        Some((chosen?, next))
    }

    /// A time of day that says so itself. The minutes after midnight.
    pub(super) fn clock(&self, at: usize) -> Option<(i64, usize)> {
        let lexeme = self.lexeme(at)?;
        if let Some(minutes) =
            lexeme.find(|m| if let Meaning::Clock(minutes) = m { Some(minutes) } else { None })
        {
            return Some((minutes, at + 1));
        }
        for (meaning, offset) in [
            (Meaning::HalfPast, 30),
            (Meaning::HalfTo, -30),
            (Meaning::QuarterPast, 15),
            (Meaning::QuarterTo, -15),
        ] {
            if lexeme.is(meaning) {
                let (hour, next) =
                    self.number(at + 1).filter(|(hour, _)| (1..=12).contains(hour))?;
                return self.half_of_day(hour * 60 + offset, next);
            }
        }
        let (hour, next) = self.number(at).filter(|(hour, _)| (0..=24).contains(hour))?;
        if let Some((minute, after)) = self.minutes_after(next) {
            return self.half_of_day(hour * 60 + minute, after);
        }
        if self.is(next, Meaning::OClock) {
            let hours = self.lexeme(next)?;
            let mut next = next + 1;
            let mut minutes = hour * 60;
            if let Some((minute, 1..=2, after)) = self.digits(next)
                && minute < 60
                && (self.lexeme(next)?.token.glued || hours.word() == "uhr")
            {
                (minutes, next) = (minutes + minute, after);
            } else {
                for (meaning, offset) in [
                    (Meaning::HalfPast, 30),
                    (Meaning::QuarterPast, 15),
                    (Meaning::LessQuarter, -15),
                ] {
                    if self.is(next, meaning) {
                        (minutes, next) = (minutes + offset, next + 1);
                        break;
                    }
                }
            }
            return self.half_of_day(minutes, next);
        }
        let (_, after) = self.am_or_pm(next)?;
        self.half_of_day(hour * 60, next).filter(|&(_, end)| end == after)
    }

    /// `:30`, or `.30` when `Uhr` follows.
    fn minutes_after(&self, at: usize) -> Option<(i64, usize)> {
        let separator = self.glued_symbol(at, &[':', '.'])?;
        let (minute, 2, next) = self.digits(at + 1)? else { return None };
        let clock_word = self.is(next, Meaning::OClock);
        if minute > 59 || (separator == '.' && !clock_word) {
            return None;
        }
        let mut next = if clock_word { next + 1 } else { next };
        // Seconds are read over.
        if separator == ':'
            && self.glued_symbol(next, &[':']).is_some()
            && self.digits(next + 1).is_some()
        {
            next += 2;
        }
        Some((minute, next))
    }

    /// Takes a following am or pm into account.
    fn half_of_day(&self, minutes: i64, next: usize) -> Option<(i64, usize)> {
        let (minutes, next) = match self.am_or_pm(next) {
            Some((true, after)) if minutes < 12 * 60 => (minutes + 12 * 60, after),
            Some((false, after)) if minutes >= 12 * 60 => (minutes - 12 * 60, after),
            Some((_, after)) => (minutes, after),
            None => (minutes, next),
        };
        (0..=24 * 60).contains(&minutes).then_some((minutes, next))
    }

    /// `am`, `pm`, `a.m.`, `p.m.`: whether it is the afternoon.
    fn am_or_pm(&self, at: usize) -> Option<(bool, usize)> {
        let lexeme = self.lexeme(at)?;
        for (meaning, afternoon) in [(Meaning::Am, false), (Meaning::Pm, true)] {
            if lexeme.is(meaning) {
                return Some((afternoon, at + 1));
            }
        }
        let afternoon = match lexeme.word() {
            "a" => false,
            "p" => true,
            _ => return None,
        };
        self.glued_symbol(at + 1, &['.'])?;
        self.lexeme(at + 2).filter(|l| l.token.glued && l.word() == "m")?;
        let dot = usize::from(self.glued_symbol(at + 3, &['.']).is_some());
        Some((afternoon, at + 3 + dot))
    }

    /// `2025`, `in 2025`: four digits that nothing makes an amount or a part of something longer.
    pub(super) fn lone_year(&self, at: usize) -> Read {
        let (value, 4, next) = self.digits(at)? else { return None };
        let year = i16::try_from(value).ok().filter(|year| (1900..=2100).contains(year))?;
        let lexeme = self.lexeme(at)?;
        if lexeme.token.glued && !self.lexeme(at - 1)?.symbol('(') {
            return None;
        }
        let amount = |l: &Lexeme| {
            l.find(|m| matches!(m, Meaning::Unit(_) | Meaning::OClock).then_some(())).is_some()
                || matches!(
                    l.word(),
                    "eur"
                        | "euro"
                        | "euros"
                        | "chf"
                        | "usd"
                        | "dollars"
                        | "pounds"
                        | "km"
                        | "kg"
                        | "m"
                )
                || l.symbol('€')
                || l.symbol('$')
                || l.symbol('%')
                || (l.token.glued
                    && !matches!(
                        l.token.shape,
                        Shape::Symbol('?' | ',' | '.' | '!' | ')' | ';' | '–')
                    ))
        };
        let cut = |l: &Lexeme| {
            l.token.glued
                && matches!(l.token.shape, Shape::Symbol(',' | '.'))
                && self.lexeme(next + 1).is_some_and(|n| n.token.glued)
        };
        if self.lexeme(next).is_some_and(|l| amount(l) || cut(l)) {
            return None;
        }
        let numbered = at.checked_sub(1).and_then(|at| self.lexeme(at)).is_some_and(|l| {
            matches!(
                l.word(),
                "room"
                    | "flight"
                    | "no"
                    | "nr"
                    | "number"
                    | "zimmer"
                    | "chambre"
                    | "numero"
                    | "vol"
            ) || matches!(l.token.shape, Shape::Symbol('€' | '$' | '£' | '#'))
        });
        // Groups of digits in a row are a phone number.
        let grouped = self.digits(next).is_some()
            || at.checked_sub(1).is_some_and(|at| self.digits(at).is_some());
        (!numbered && !grouped).then(|| Some((calendar::year(year)?, next)))?
    }
}
