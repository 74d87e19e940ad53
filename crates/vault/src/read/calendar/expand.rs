//! The occurrences of a repeating event within a window.
//!
//! Rules are followed in civil time of the series' zone and each civil start is then read in that zone, so "every
//! Tuesday 9:00" stays at nine through summer time. Exceptions are matched by instant. Bounds: at most
//! [`MAX_STEPS`] dates per rule are generated and at most `limit` occurrences returned; what was cut is said.

use std::collections::HashMap;
use std::ops::Range;

use jiff::civil::DateTime;

use super::super::ical::{self, Component, Length, Moment, What, ZoneName};
use super::super::text;
use super::super::zone::{Zone, Zones};
use super::{end_of, span};
use crate::item::When;

/// Dates generated per rule before giving up: 50 years of daily, 55 hours of secondly.
const MAX_STEPS: usize = 200_000;

/// One occurrence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    pub when: When,
    /// Set when a changed occurrence of its own stands here: the original start it replaces, as in
    /// `Event::replaces` of that item.
    pub replaces: Option<i64>,
    pub title: String,
    pub location: String,
    /// `confirmed`, `tentative` or `cancelled`.
    pub status: String,
}

/// Occurrences in order of start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expansion {
    pub occurrences: Vec<Occurrence>,
    /// More occurrences lie in the window than `limit`, or a rule needed too many steps to get there.
    pub cut: bool,
}

/// Occurrences of `repeats` (an [`Event::repeats`](crate::item::Event::repeats) text) that overlap `window`, UTC
/// seconds, end exclusive; floating times count as UTC, as in [`When`]. At most `limit` are returned.
#[must_use]
pub fn expand(repeats: &str, window: Range<i64>, limit: usize) -> Expansion {
    let components = ical::parse(repeats);
    let rules = components.iter().filter(|c| c.what == Some(What::Zone)).collect();
    let events: Vec<&Component> =
        components.iter().filter(|c| matches!(c.what, Some(What::Event | What::Todo))).collect();
    let mut series = Series {
        zones: Zones::new(rules),
        window,
        changed: HashMap::new(),
        futures: Vec::new(),
        expansion: Expansion::default(),
    };
    let master = events.iter().find(|c| c.replaces.is_none() && c.start.is_some());
    let home = master.and_then(|m| m.start.as_ref()).map(|s| series.zones.of(s).0);
    for component in events.iter().filter(|c| c.replaces.is_some()) {
        series.add_change(component, home.as_ref());
    }
    if let (Some(master), Some(home)) = (master, home) {
        series.generate(master, &home);
    }
    let mut expansion = series.expansion;
    expansion.occurrences.sort_by(|a, b| (a.when.start, &a.title).cmp(&(b.when.start, &b.title)));
    expansion.cut |= expansion.occurrences.len() > limit;
    expansion.occurrences.truncate(limit);
    expansion
}

struct Series<'a> {
    zones: Zones<'a>,
    window: Range<i64>,
    /// Changed occurrences by the original start they replace.
    changed: HashMap<i64, &'a Component>,
    /// "This and future" changes: (original start, how far it moves, its component), in order.
    futures: Vec<(i64, i64, &'a Component)>,
    expansion: Expansion,
}

impl<'a> Series<'a> {
    /// Notes a changed occurrence and puts it where it says it is, inside or outside its series.
    fn add_change(&mut self, component: &'a Component, home: Option<&Zone>) {
        let Some(replaces) = &component.replaces else { return };
        let zone = match (&replaces.zone, home) {
            (ZoneName::Floating, Some(home)) => home.clone(),
            _ => self.zones.of(replaces).0,
        };
        let Some((original_s, _)) = zone.instant(replaces.local) else { return };
        let start = component.start.as_ref().unwrap_or(replaces);
        let own_zone = if component.start.is_some() { self.zones.of(start).0 } else { zone };
        let end = end_of(component, start, &own_zone, &mut self.zones);
        if let Some(when) = span(start, end, &own_zone) {
            if component.this_and_future {
                self.futures.push((original_s, when.start - original_s, component));
                self.futures.sort_by_key(|(at, _, _)| *at);
            }
            self.push(when, Some(original_s), component);
        }
        self.changed.insert(original_s, component);
    }

    fn generate(&mut self, master: &'a Component, home: &Zone) {
        let Some(start) = &master.start else { return };
        let end = end_of(master, start, home, &mut self.zones);
        let length = end.map(|e| e.duration_since(start.local));
        let excluded = self.excluded(master, start, home);
        for (local, own_length) in self.local_starts(master, start, home) {
            let moment = Moment { local, ..start.clone() };
            let Some((original_s, _)) = home.instant(local) else { continue };
            if self.changed.contains_key(&original_s) || excluded.matches(original_s, local) {
                continue;
            }
            let end = match own_length {
                Some(Length::Until(m)) => {
                    let (zone, _) = self.zones.of(&m);
                    let zone = if m.zone == ZoneName::Floating { home.clone() } else { zone };
                    zone.instant(m.local).and_then(|(s, _)| home.local(s))
                }
                Some(Length::Seconds(s)) => {
                    local.checked_add(jiff::SignedDuration::from_secs(s)).ok()
                }
                None => length.and_then(|l| local.checked_add(l).ok()),
            };
            let Some(mut when) = span(&moment, end, home) else { continue };
            let future =
                self.futures.iter().rev().find(|(from, _, _)| *from <= original_s).copied();
            let mut source = master;
            if let Some((_, moved_s, component)) = future {
                when = self.moved(when, moved_s, component);
                source = component;
            }
            self.push(when, None, source);
        }
    }

    /// The occurrence as a "this and future" change has it: moved, and as long as that change is.
    fn moved(&mut self, mut when: When, moved_s: i64, component: &Component) -> When {
        let changed = super::when(component, &mut self.zones, &mut Vec::new());
        let length = changed.and_then(|w| w.end.map(|e| e - w.start));
        when.start += moved_s;
        when.end = length.map(|l| when.start + l).or(when.end.map(|e| e + moved_s));
        when
    }

    /// Civil starts of the series, in the order of its rules: start, rules, extra dates.
    fn local_starts(
        &mut self,
        master: &Component,
        start: &Moment,
        home: &Zone,
    ) -> Vec<(DateTime, Option<Length>)> {
        // A day more than the window, for zones and for changes that move an occurrence into it.
        let last = home.local(self.window.end.saturating_add(86_400).min(MAX_SECONDS));
        let last = last.unwrap_or(DateTime::MAX);
        let mut starts: Vec<(DateTime, Option<Length>)> = vec![(start.local, None)];
        for rule in &master.rules {
            let (found, all) = follow(rule, start, home, last);
            self.expansion.cut |= !all;
            starts.extend(found.into_iter().map(|at| (at, None)));
        }
        for (moment, length) in &master.extra {
            let local = match &moment.zone {
                ZoneName::Floating => Some(moment.local),
                _ => self.zones.of(moment).0.instant(moment.local).and_then(|(s, _)| home.local(s)),
            };
            starts.extend(local.map(|at| (at, length.clone())));
        }
        starts.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.is_some().cmp(&a.1.is_some())));
        starts.dedup_by(|a, b| a.0 == b.0);
        starts
    }

    fn excluded(&mut self, master: &Component, start: &Moment, home: &Zone) -> Excluded {
        let mut excluded = Excluded::default();
        for moment in &master.except {
            if moment.date_only {
                excluded.days.push(moment.local);
            } else {
                let zone = match moment.zone {
                    ZoneName::Floating => home.clone(),
                    _ => self.zones.of(moment).0,
                };
                excluded.instants.extend(zone.instant(moment.local).map(|(s, _)| s));
            }
        }
        let last = home.local(self.window.end.min(MAX_SECONDS)).unwrap_or(DateTime::MAX);
        for rule in &master.except_rules {
            let (found, _) = follow(rule, start, home, last);
            excluded
                .instants
                .extend(found.into_iter().filter_map(|at| home.instant(at)).map(|(s, _)| s));
        }
        excluded.instants.sort_unstable();
        excluded.days.sort_unstable();
        excluded
    }

    fn push(&mut self, when: When, replaces: Option<i64>, source: &Component) {
        let end = when.end.unwrap_or(when.start).max(when.start);
        let overlaps = when.start < self.window.end
            && (end > self.window.start || (end == when.start && when.start >= self.window.start));
        if overlaps {
            let status = if source.status.is_empty() { "confirmed" } else { &source.status };
            self.expansion.occurrences.push(Occurrence {
                when,
                replaces,
                title: text::one_line(&source.summary),
                location: text::one_line(&source.location),
                status: status.to_owned(),
            });
        }
    }
}

/// 9999-12-30: later instants have no civil time.
const MAX_SECONDS: i64 = 253_402_207_200 - 86_400;

fn follow(rule: &ical::Rule, start: &Moment, home: &Zone, last: DateTime) -> (Vec<DateTime>, bool) {
    let mut rule = rule.clone();
    ical::localize_until(&mut rule, start.date_only, |utc| {
        let utc_s = Zone::utc().instant(utc).map(|(s, _)| s);
        utc_s.and_then(|s| home.local(s)).unwrap_or(utc)
    });
    ical::starts(&rule, start.local, last, MAX_STEPS)
}

#[derive(Default)]
struct Excluded {
    instants: Vec<i64>,
    days: Vec<DateTime>,
}

impl Excluded {
    /// An EXDATE that is a day takes out whatever starts on that day, as calendar programs do.
    fn matches(&self, original_s: i64, local: DateTime) -> bool {
        self.instants.binary_search(&original_s).is_ok()
            || self.days.binary_search(&local.date().at(0, 0, 0, 0)).is_ok()
    }
}
