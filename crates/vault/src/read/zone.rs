//! Time zones as calendars name them: IANA names, Windows and other proprietary names, zones that exist only as
//! rules in the file, and names that mean nothing.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::ical::{self, Component, Moment, ZoneName};

/// Where a civil time is read.
#[derive(Debug, Clone)]
pub(crate) enum Zone {
    /// No zone: the civil time counts as UTC, and [`Zone::name`] is `None`.
    Floating,
    Known {
        name: String,
        zone: TimeZone,
    },
    /// Rules of the file that no IANA zone shares: (local onset, offset from then on), sorted.
    Rules {
        before_s: i32,
        onsets: Vec<(DateTime, i32)>,
    },
}

impl Zone {
    pub(crate) fn utc() -> Self {
        Self::Known { name: "UTC".to_owned(), zone: TimeZone::UTC }
    }

    /// The IANA name; rules of their own are told as UTC, with the offset beside.
    pub(crate) fn name(&self) -> Option<String> {
        match self {
            Self::Floating => None,
            Self::Known { name, .. } => Some(name.clone()),
            Self::Rules { .. } => Some("UTC".to_owned()),
        }
    }

    /// UTC seconds and offset of a civil time: the earlier of two, and past a gap by the gap.
    pub(crate) fn instant(&self, local: DateTime) -> Option<(i64, i32)> {
        match self {
            Self::Floating => Some((pseudo_utc(local)?, 0)),
            Self::Known { zone, .. } => {
                let at = zone.to_timestamp(local).ok()?;
                Some((at.as_second(), zone.to_offset(at).seconds()))
            }
            Self::Rules { before_s, onsets } => {
                let after = onsets.partition_point(|(onset, _)| *onset <= local);
                let offset = if after == 0 { *before_s } else { onsets[after - 1].1 };
                Some((pseudo_utc(local)? - i64::from(offset), offset))
            }
        }
    }

    /// The civil time of an instant.
    pub(crate) fn local(&self, utc_s: i64) -> Option<DateTime> {
        match self {
            Self::Floating => ical::from_pseudo_utc(utc_s),
            Self::Known { zone, .. } => Some(zone.to_datetime(Timestamp::from_second(utc_s).ok()?)),
            Self::Rules { before_s, onsets } => {
                let fits = |offset: i32| {
                    let local = ical::from_pseudo_utc(utc_s + i64::from(offset))?;
                    (self.instant(local)?.0 == utc_s).then_some(local)
                };
                let offsets = onsets.iter().rev().map(|(_, o)| *o).chain([*before_s]);
                offsets
                    .take(4)
                    .find_map(fits)
                    .or_else(|| ical::from_pseudo_utc(utc_s + i64::from(*before_s)))
            }
        }
    }
}

fn pseudo_utc(local: DateTime) -> Option<i64> {
    TimeZone::UTC.to_timestamp(local).ok().map(Timestamp::as_second)
}

/// Resolves the zone names of one calendar, each once.
pub(crate) struct Zones<'a> {
    rules: Vec<&'a Component>,
    known: Vec<(String, Zone, Option<String>)>,
}

impl<'a> Zones<'a> {
    /// `rules` are the calendar's VTIMEZONEs.
    pub(crate) fn new(rules: Vec<&'a Component>) -> Self {
        Self { rules, known: Vec::new() }
    }

    /// The zone of a moment, and a remark when its name had to be interpreted.
    pub(crate) fn of(&mut self, moment: &Moment) -> (Zone, Option<String>) {
        match &moment.zone {
            ZoneName::Floating => (Zone::Floating, None),
            ZoneName::Utc => (Zone::utc(), None),
            ZoneName::Named(name) => {
                if let Some((_, zone, remark)) = self.known.iter().find(|(n, _, _)| n == name) {
                    return (zone.clone(), remark.clone());
                }
                let (zone, remark) = self.resolve(name, moment.local);
                self.known.push((name.clone(), zone.clone(), remark.clone()));
                (zone, remark)
            }
        }
    }

    fn resolve(&self, name: &str, near: DateTime) -> (Zone, Option<String>) {
        if let Some(zone) = by_name(name) {
            return (zone, None);
        }
        if let Some(zone) = ical::iana_name(name).as_deref().and_then(by_name) {
            let remark = format!("time zone {name} read as {}", zone.name().unwrap_or_default());
            return (zone, Some(remark));
        }
        let Some(rules) = self.rules.iter().find(|r| r.uid == name) else {
            return (Zone::utc(), Some(format!("unknown time zone {name} read as UTC")));
        };
        if let Some(zone) = rules.zone_alias.as_deref().and_then(by_name) {
            let remark = format!("time zone {name} read as {}", zone.name().unwrap_or_default());
            return (zone, Some(remark));
        }
        let Some(zone) = from_rules(rules) else {
            return (
                Zone::utc(),
                Some(format!("time zone {name} has no usable rules: read as UTC")),
            );
        };
        match same_as_iana(&zone, near) {
            Some(known) => {
                let remark = format!(
                    "time zone {name} read by its rules as {}",
                    known.name().unwrap_or_default()
                );
                (known, Some(remark))
            }
            None => (zone, Some(format!("time zone {name} read by its own rules"))),
        }
    }
}

/// Whether a zone name needs no VTIMEZONE to be understood.
pub(crate) fn is_known(name: &str) -> bool {
    by_name(name).is_some() || ical::iana_name(name).is_some()
}

fn by_name(name: &str) -> Option<Zone> {
    let name = name.trim();
    if matches!(name, "UTC" | "Z" | "GMT" | "Etc/UTC") {
        return Some(Zone::utc());
    }
    let zone = TimeZone::get(name).ok()?;
    // "local" and its like parse as nothing; an unknown zone is not an answer.
    let name = zone.iana_name()?.to_owned();
    Some(Zone::Known { name, zone })
}

/// Onsets of every observance through 2100, bounded per rule.
fn from_rules(rules: &Component) -> Option<Zone> {
    const MAX_ONSETS: usize = 700;
    let last = jiff::civil::date(2100, 1, 1).at(0, 0, 0, 0);
    let mut onsets = Vec::new();
    for observance in rules.observances.iter().take(200) {
        onsets.push((observance.start, observance.offset_to_s));
        onsets.extend(observance.extra.iter().map(|at| (*at, observance.offset_to_s)));
        for rule in &observance.rules {
            let mut rule = rule.clone();
            let from = SignedDuration::from_secs(i64::from(observance.offset_from_s));
            ical::localize_until(&mut rule, false, |utc| utc.checked_add(from).unwrap_or(utc));
            let (starts, _) = ical::starts(&rule, observance.start, last, MAX_ONSETS);
            onsets.extend(starts.into_iter().map(|at| (at, observance.offset_to_s)));
        }
    }
    onsets.sort();
    onsets.dedup();
    let earliest = rules.observances.iter().min_by_key(|o| o.start)?;
    Some(Zone::Rules { before_s: earliest.offset_from_s, onsets })
}

/// An IANA zone that keeps the same offsets in every month of the year of `near` and the next.
fn same_as_iana(zone: &Zone, near: DateTime) -> Option<Zone> {
    const CANDIDATES: [&str; 42] = [
        "Europe/Berlin",
        "Europe/London",
        "Europe/Helsinki",
        "Europe/Moscow",
        "Europe/Istanbul",
        "America/New_York",
        "America/Chicago",
        "America/Denver",
        "America/Los_Angeles",
        "America/Anchorage",
        "America/Phoenix",
        "America/Halifax",
        "America/St_Johns",
        "America/Sao_Paulo",
        "America/Bogota",
        "America/Mexico_City",
        "America/Caracas",
        "America/Santiago",
        "America/Havana",
        "Asia/Kolkata",
        "Asia/Karachi",
        "Asia/Kathmandu",
        "Asia/Kabul",
        "Asia/Yangon",
        "Asia/Dubai",
        "Asia/Tehran",
        "Asia/Dhaka",
        "Asia/Bangkok",
        "Asia/Shanghai",
        "Asia/Tokyo",
        "Asia/Jerusalem",
        "Asia/Beirut",
        "Australia/Sydney",
        "Australia/Brisbane",
        "Australia/Adelaide",
        "Australia/Darwin",
        "Australia/Lord_Howe",
        "Pacific/Auckland",
        "Pacific/Chatham",
        "Pacific/Honolulu",
        "Africa/Cairo",
        "Africa/Casablanca",
    ];
    let year = near.year().clamp(1971, 2098);
    let samples: Vec<DateTime> = (0..24)
        .filter_map(|m| DateTime::new(year + m / 12, (m % 12 + 1) as i8, 15, 12, 0, 0, 0).ok())
        .collect();
    let offsets: Vec<i32> =
        samples.iter().filter_map(|at| zone.instant(*at).map(|(_, o)| o)).collect();
    let first = *offsets.first()?;
    if offsets.iter().all(|o| *o == first) && first % 3600 == 0 && first.abs() <= 12 * 3600 {
        let hours = first / 3600;
        return by_name(&if hours == 0 {
            "UTC".to_owned()
        } else {
            format!("Etc/GMT{:+}", -hours)
        });
    }
    CANDIDATES.iter().filter_map(|name| by_name(name)).find(|candidate| {
        samples
            .iter()
            .zip(&offsets)
            .all(|(at, o)| candidate.instant(*at).is_some_and(|(_, c)| c == *o))
    })
}
