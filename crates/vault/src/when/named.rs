//! Things that come every year — months, seasons, holidays — and the weekend: which occurrence is meant.

use super::Lean;
use super::calendar::{self, Interval};
use super::grammar::{Grammar, Read};
use super::lexicon::{Lexeme, Meaning, Unit, Which};

/// Words that are a month, day or season only in company: "may", "march", "sat", "mon", "fall", "été".
const NEEDS_COMPANY: &[&str] = &[
    "may",
    "march",
    "mars",
    "mar",
    "jan",
    "dec",
    "sun",
    "sat",
    "mon",
    "wed",
    "fri",
    "thu",
    "tue",
    "spring",
    "fall",
    "ete",
    "summer",
    "winter",
    "autumn",
    "sommer",
    "herbst",
    "hiver",
    "automne",
    "printemps",
    "august",
];

impl Grammar<'_> {
    /// A month, season, weekend or holiday by name, with its year or *last / this / next*.
    pub(super) fn named(&self, at: usize) -> Read {
        if let Some((interval, next)) = self.month_of(at) {
            return Some((interval, next));
        }
        let (which, name) = match self.which(at) {
            Some(which) => (Some(which), at + 1),
            None => (None, at),
        };
        if self.is(name, Meaning::Weekend) {
            let postfix = self.which(name + 1).filter(|_| which.is_none());
            let weeks = match which.or(postfix) {
                Some(Which::Last) => -7,
                Some(Which::Next) => 7,
                Some(Which::This) => 0,
                None if self.lean == Lean::Past => -7,
                None => 0,
            };
            let within = calendar::add_days(self.now.date(), weeks)?;
            return Some((calendar::weekend(within)?, name + 1 + usize::from(postfix.is_some())));
        }
        if let Some(season) = self.season(name) {
            return self.yearly(at, name, which, |year| calendar::season(year, season));
        }
        let holiday = self.holiday(name)?;
        self.yearly(at, name, which, |year| calendar::holiday(year, holiday))
    }

    /// A month with its year, if any.
    pub(super) fn month_of(&self, at: usize) -> Read {
        let (which, name) = match self.which(at) {
            Some(which) => (Some(which), at + 1),
            None => (None, at),
        };
        let month = self.month(name)?;
        // "this may be": a verb unless it is written as a name.
        let verb = self.lexeme(name)?.word() == "may"
            && which == Some(Which::This)
            && !self.lexeme(name)?.token.capital;
        (!verb).then(|| self.yearly(at, name, which, |year| calendar::month(year, month)))?
    }

    /// Something that comes once a year, at `name`: in the year that follows it, or by *which*, or by the lean.
    fn yearly(
        &self,
        at: usize,
        name: usize,
        which: Option<Which>,
        make: impl Fn(i16) -> Option<Interval>,
    ) -> Read {
        let next = name + 1;
        if which.is_none() {
            if let Some((year, next)) = self.year_after(next) {
                return Some((make(year)?, next));
            }
            if let Some(which) = self.which(next).filter(|&which| which != Which::This)
                && self.unit(next + 1).is_none()
            {
                return Some((self.by_which(which, make)?, next + 1));
            }
            if !self.has_company(at) {
                return None;
            }
            return Some((self.in_some_year(make)?, next));
        }
        Some((self.by_which(which?, make)?, next))
    }

    fn by_which(&self, which: Which, make: impl Fn(i16) -> Option<Interval>) -> Option<Interval> {
        let year = self.now.year();
        let mut candidates = (year - 2..=year + 2).filter_map(make);
        match which {
            Which::Last => candidates.rev().find(|c| c.end.is_some_and(|end| end <= self.now)),
            Which::Next => candidates.find(|c| c.start.is_some_and(|start| start > self.now)),
            Which::This => candidates.find(|c| c.start.is_some_and(|start| start.year() == year)),
        }
    }

    /// Of something that comes every year, the occurrence that the lean means.
    pub(super) fn in_some_year(&self, make: impl Fn(i16) -> Option<Interval>) -> Option<Interval> {
        let year = self.now.year();
        // Eight years each way: 29 February is rare.
        let candidates: Vec<Interval> = (year - 8..=year + 8).filter_map(make).collect();
        self.choose(&candidates)
    }

    /// Candidates in time order.
    pub(super) fn choose(&self, candidates: &[Interval]) -> Option<Interval> {
        let begun = |c: &&Interval| c.start.is_some_and(|start| start <= self.now);
        let past = candidates.iter().rev().find(begun);
        let future = candidates.iter().find(|c| c.end.is_some_and(|end| end > self.now));
        let chosen = match self.lean {
            Lean::Past => past.or(future),
            Lean::Future => future.or(past),
            Lean::Either | Lean::Written => {
                let (back, ahead) = if self.lean == Lean::Either { (-9, 3) } else { (-3, 9) };
                let from = calendar::shift(self.now, back, Unit::Month)?;
                let until = calendar::shift(self.now, ahead, Unit::Month)?;
                let inside =
                    |c: &&Interval| c.start.is_some_and(|start| start >= from && start < until);
                candidates.iter().find(inside).or(past)
            }
        };
        chosen.copied()
    }

    /// A month word standing where a date wants one.
    pub(super) fn month_word(&self, at: usize) -> Option<(i8, usize)> {
        let month = self.month(at)?;
        // "3 may come": a lower-case verb after a number is still more often the month.
        let dot = usize::from(
            self.lexeme(at + 1).is_some_and(|l| l.symbol('.') && l.token.glued)
                && self.lexeme(at)?.word().len() <= 4
                && self.digits(at + 2).is_some(),
        );
        Some((month, at + 1 + dot))
    }

    /// A year after a month, quarter or holiday: `2026`, `of 2026`, `, 2026`, `last year`, `de l'année dernière`.
    pub(super) fn year_after(&self, at: usize) -> Option<(i16, usize)> {
        let comma = at + usize::from(self.lexeme(at).is_some_and(|l| l.symbol(',')));
        let next = self.skip(comma, &[Meaning::Of, Meaning::Article, Meaning::At]);
        if let Some((value, 4, after)) = self.digits(next)
            && let Some(year) =
                i16::try_from(value).ok().filter(|year| (1000..=2999).contains(year))
        {
            return Some((year, after));
        }
        let (which, None, Unit::Year, next) = self.which_parts(next)? else { return None };
        let offset = match which {
            Which::Last => -1,
            Which::This => 0,
            Which::Next => 1,
        };
        Some((self.now.year() + offset, next))
    }

    /// `2025`, `the year 2025`.
    pub(super) fn year_rules(&self, at: usize) -> Read {
        let at = at + usize::from(self.unit(at) == Some(Unit::Year));
        self.lone_year(at)
    }

    /// Whether a word that has other uses too is a time word here.
    pub(super) fn has_company(&self, at: usize) -> bool {
        let Some(lexeme) = self.lexeme(at) else { return false };
        if !NEEDS_COMPANY.contains(&lexeme.word()) {
            return true;
        }
        let company = |l: &Lexeme| {
            l.find(|m| {
                matches!(
                    m,
                    Meaning::At | Meaning::Of | Meaning::Since | Meaning::Until | Meaning::Before
                )
                .then_some(())
                .or(matches!(
                    m,
                    Meaning::After | Meaning::From | Meaning::FromOn | Meaning::Between
                )
                .then_some(()))
                .or(matches!(m, Meaning::Which(_) | Meaning::Third(_)).then_some(()))
            })
            .is_some()
        };
        let season = self.season(at).is_some();
        let before = at.checked_sub(1).and_then(|before| self.lexeme(before));
        // "the fall of Rome", "the spring broke"
        let season = season && !matches!(lexeme.word(), "fall" | "spring");
        // "elle a été malade": without its accent, "à" is the verb.
        let before = before.filter(|l| !(lexeme.word() == "ete" && l.word() == "a"));
        let by_word = before.is_some_and(|l| company(l) || (season && l.is(Meaning::Article)));
        by_word
            || (lexeme.token.capital
                && (before
                    .is_some_and(|l| l.is(Meaning::To) || l.is(Meaning::And) || l.symbol('–'))
                    || self.digits(at + 1).is_some()))
    }
}
