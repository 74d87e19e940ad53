//! The only file that knows `calcard`'s calendar side: iCalendar text to plain components, and the raw dates
//! that a recurrence rule yields.
//!
//! Only parsing and rule iteration are taken from the library. Which occurrences a series has (exceptions,
//! moved ones, "this and future", time zones) is decided in `calendar`: the library matches exceptions to
//! series by SEQUENCE rather than UID, so a calendar with two series would mix them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use calcard::common::PartialDateTime;
use calcard::common::timezone::Tz;
use calcard::icalendar::{
    ICalendar, ICalendarComponent, ICalendarComponentType, ICalendarEntry, ICalendarParameterName,
    ICalendarPeriod, ICalendarProperty, ICalendarRecurrenceRule, ICalendarValue,
};
use calcard::{Entry, Parser};
use jiff::civil::{Date, DateTime, Time};

/// A date, or a date and time, with how it names its zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) local: DateTime,
    /// A whole day: the time in `local` is midnight and means nothing.
    pub(crate) date_only: bool,
    pub(crate) zone: ZoneName,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ZoneName {
    Floating,
    Utc,
    Named(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Event,
    Todo,
    Journal,
    Zone,
    Other,
}

/// A recurrence rule, opaque outside this file.
#[derive(Debug, Clone)]
pub(crate) struct Rule(ICalendarRecurrenceRule);

/// One VEVENT, VTODO, VJOURNAL or VTIMEZONE.
#[derive(Debug, Default)]
pub(crate) struct Component {
    pub(crate) what: Option<What>,
    pub(crate) uid: String,
    pub(crate) summary: String,
    pub(crate) description: String,
    pub(crate) comments: Vec<String>,
    pub(crate) location: String,
    pub(crate) status: String,
    pub(crate) categories: Vec<String>,
    pub(crate) links: Vec<String>,
    /// (name, address).
    pub(crate) organizer: Option<(String, String)>,
    pub(crate) attendees: Vec<(String, String)>,
    pub(crate) start: Option<Moment>,
    pub(crate) end: Option<Moment>,
    pub(crate) due: Option<Moment>,
    pub(crate) completed: Option<Moment>,
    pub(crate) created: Option<Moment>,
    pub(crate) duration_s: Option<i64>,
    pub(crate) rules: Vec<Rule>,
    /// Extra occurrences, and where a period says so, their lengths.
    pub(crate) extra: Vec<(Moment, Option<Length>)>,
    pub(crate) except: Vec<Moment>,
    pub(crate) except_rules: Vec<Rule>,
    pub(crate) replaces: Option<Moment>,
    pub(crate) this_and_future: bool,
    pub(crate) sequence: i64,
    /// Of a VTIMEZONE: its other name and its rules.
    pub(crate) zone_alias: Option<String>,
    pub(crate) observances: Vec<Observance>,
}

#[derive(Debug, Clone)]
pub(crate) enum Length {
    Until(Moment),
    Seconds(i64),
}

/// STANDARD or DAYLIGHT of a VTIMEZONE.
#[derive(Debug)]
pub(crate) struct Observance {
    pub(crate) start: DateTime,
    pub(crate) offset_from_s: i32,
    pub(crate) offset_to_s: i32,
    pub(crate) rules: Vec<Rule>,
    pub(crate) extra: Vec<DateTime>,
}

/// Parses calendar text into its components; lines that are none are skipped.
pub(crate) fn parse(text: &str) -> Vec<Component> {
    let parsed = catch_unwind(AssertUnwindSafe(|| {
        let mut parser = Parser::new(text);
        let mut components = Vec::new();
        loop {
            match parser.entry() {
                Entry::ICalendar(calendar) => read_calendar(&calendar, &mut components),
                Entry::Eof | Entry::TooManyComponents => return components,
                _ => {}
            }
        }
    }));
    parsed.unwrap_or_default()
}

/// IANA name of a proprietary zone name ("W. Europe Standard Time", "/softwarestudio.org/…/Europe/Paris").
pub(crate) fn iana_name(name: &str) -> Option<String> {
    match name.parse::<Tz>().ok()? {
        zone @ Tz::Tz(_) => zone.name().map(|n| n.into_owned()),
        _ => None,
    }
}

/// Local starts that `rule` yields from `start` on, through `until`, at most `limit`; whether that was all.
pub(crate) fn starts(
    rule: &Rule,
    start: DateTime,
    until: DateTime,
    limit: usize,
) -> (Vec<DateTime>, bool) {
    let mut rule = rule.0.clone();
    let until = rule.until.as_ref().and_then(civil).map_or(until, |own| own.min(until));
    if until < start {
        return (Vec::new(), true);
    }
    rule.until = Some(partial(until));
    let entry = |name, value| ICalendarEntry { name, params: Vec::new(), values: vec![value] };
    let component = ICalendarComponent {
        component_type: ICalendarComponentType::VEvent,
        entries: vec![
            entry(
                ICalendarProperty::Dtstart,
                ICalendarValue::PartialDateTime(Box::new(partial(start))),
            ),
            entry(ICalendarProperty::Rrule, ICalendarValue::RecurrenceRule(Box::new(rule))),
        ],
        component_ids: Vec::new(),
    };
    let calendar = ICalendar { components: vec![component] };
    let expanded =
        catch_unwind(AssertUnwindSafe(|| calendar.expand_dates(Tz::Floating, limit + 1)));
    let Ok(expanded) = expanded else { return (Vec::new(), false) };
    let mut starts: Vec<DateTime> = expanded
        .events
        .iter()
        .filter_map(|e| from_pseudo_utc(e.start.naive_local().and_utc().timestamp()))
        .collect();
    let all = starts.len() <= limit && expanded.errors.is_empty();
    starts.truncate(limit);
    (starts, all)
}

/// Moves a rule's UNTIL to the local time of its series; `to_local` turns UTC into that.
pub(crate) fn localize_until(
    rule: &mut Rule,
    date_only: bool,
    to_local: impl Fn(DateTime) -> DateTime,
) {
    let Some(until) = &rule.0.until else { return };
    let Some(at) = civil(until) else { return };
    let utc = until.tz_hour.is_some();
    let local = if date_only {
        at.date().at(0, 0, 0, 0)
    } else if until.hour.is_none() {
        at.date().at(23, 59, 59, 0)
    } else if utc {
        to_local(at)
    } else {
        at
    };
    rule.0.until = Some(partial(local));
}

/// Seconds since 1970 as if the civil time were UTC, turned back.
pub(crate) fn from_pseudo_utc(seconds: i64) -> Option<DateTime> {
    jiff::Timestamp::from_second(seconds).ok().map(|t| jiff::tz::TimeZone::UTC.to_datetime(t))
}

fn partial(at: DateTime) -> PartialDateTime {
    PartialDateTime {
        year: Some(at.year().clamp(0, 9999) as u16),
        month: Some(at.month() as u8),
        day: Some(at.day() as u8),
        hour: Some(at.hour() as u8),
        minute: Some(at.minute() as u8),
        second: Some(at.second() as u8),
        ..PartialDateTime::default()
    }
}

/// The civil date and time, whatever the zone; a leap second is the second before it.
fn civil(at: &PartialDateTime) -> Option<DateTime> {
    let date = Date::new(at.year? as i16, at.month? as i8, at.day? as i8).ok()?;
    let second = at.second.unwrap_or(0).min(59);
    let time = Time::new(at.hour.unwrap_or(0) as i8, at.minute.unwrap_or(0) as i8, second as i8, 0)
        .ok()?;
    Some(date.to_datetime(time))
}

fn read_calendar(calendar: &ICalendar, into: &mut Vec<Component>) {
    for component in &calendar.components {
        let what = match component.component_type {
            ICalendarComponentType::VEvent => What::Event,
            ICalendarComponentType::VTodo => What::Todo,
            ICalendarComponentType::VJournal => What::Journal,
            ICalendarComponentType::VTimezone => What::Zone,
            ICalendarComponentType::VFreebusy => What::Other,
            _ => continue,
        };
        let mut read = Component { what: Some(what), ..Component::default() };
        for entry in &component.entries {
            read_entry(&mut read, entry);
        }
        if what == What::Zone {
            let children =
                component.component_ids.iter().filter_map(|id| calendar.component_by_id(*id));
            read.observances = children.filter_map(observance).collect();
        }
        into.push(read);
    }
}

fn read_entry(read: &mut Component, entry: &ICalendarEntry) {
    let text = || text(entry);
    match &entry.name {
        ICalendarProperty::Uid => read.uid = text(),
        ICalendarProperty::Summary => read.summary = text(),
        ICalendarProperty::Description => read.description = text(),
        ICalendarProperty::Comment | ICalendarProperty::Contact => read.comments.push(text()),
        ICalendarProperty::Location => read.location = text(),
        ICalendarProperty::Status => read.status = text().to_ascii_lowercase(),
        ICalendarProperty::Categories => {
            read.categories
                .extend(entry.values.iter().filter_map(|v| v.as_text()).map(str::to_owned));
        }
        ICalendarProperty::Url | ICalendarProperty::Conference => read.links.push(text()),
        ICalendarProperty::Organizer => read.organizer = Some(person(entry)),
        ICalendarProperty::Attendee => read.attendees.push(person(entry)),
        ICalendarProperty::Dtstart => read.start = moment(entry),
        ICalendarProperty::Dtend => read.end = moment(entry),
        ICalendarProperty::Due => read.due = moment(entry),
        ICalendarProperty::Completed => read.completed = moment(entry),
        ICalendarProperty::Created => read.created = moment(entry),
        ICalendarProperty::Duration => {
            if let Some(ICalendarValue::Duration(d)) = entry.values.first() {
                read.duration_s = Some(d.as_seconds());
            }
        }
        ICalendarProperty::Rrule => read.rules.extend(rules(entry)),
        ICalendarProperty::Exrule => read.except_rules.extend(rules(entry)),
        ICalendarProperty::Rdate => read.extra.extend(extra(entry)),
        ICalendarProperty::Exdate => {
            let zone = entry.tz_id();
            read.except.extend(entry.values.iter().filter_map(|v| value_moment(v, zone)));
        }
        ICalendarProperty::RecurrenceId => {
            read.replaces = moment(entry);
            read.this_and_future = entry.has_parameter(&ICalendarParameterName::Range);
        }
        ICalendarProperty::Sequence => {
            read.sequence = entry.values.first().and_then(|v| v.as_integer()).unwrap_or(0);
        }
        ICalendarProperty::Tzid => read.uid = text(),
        ICalendarProperty::Other(name) if name.eq_ignore_ascii_case("X-LIC-LOCATION") => {
            read.zone_alias = Some(text());
        }
        ICalendarProperty::Other(name) if name.eq_ignore_ascii_case("X-MICROSOFT-CDO-TZID") => {
            read.zone_alias = read.zone_alias.take().or_else(|| {
                Tz::from_ms_cdo_zone_id(&text()).and_then(|z| z.name().map(|n| n.into_owned()))
            });
        }
        _ => {}
    }
}

/// All text values of a property; an unescaped comma splits a value that was one sentence.
fn text(entry: &ICalendarEntry) -> String {
    let values: Vec<&str> = entry.values.iter().filter_map(|v| v.as_text()).collect();
    values.join(", ")
}

fn person(entry: &ICalendarEntry) -> (String, String) {
    let name = entry.parameters(&ICalendarParameterName::Cn).find_map(|v| v.as_text());
    let email = entry.parameters(&ICalendarParameterName::Email).find_map(|v| v.as_text());
    let address =
        entry.calendar_address().filter(|a| a.contains('@')).or(email).unwrap_or_default();
    (name.unwrap_or_default().to_owned(), address.to_owned())
}

fn rules(entry: &ICalendarEntry) -> Vec<Rule> {
    let rules = entry.values.iter().filter_map(|value| match value {
        ICalendarValue::RecurrenceRule(rule) => Some(Rule(rule.as_ref().clone())),
        _ => None,
    });
    rules.collect()
}

fn moment(entry: &ICalendarEntry) -> Option<Moment> {
    value_moment(entry.values.first()?, entry.tz_id())
}

fn value_moment(value: &ICalendarValue, zone: Option<&str>) -> Option<Moment> {
    match value {
        ICalendarValue::PartialDateTime(at) => to_moment(at, zone),
        _ => None,
    }
}

fn to_moment(at: &PartialDateTime, zone: Option<&str>) -> Option<Moment> {
    let mut local = civil(at)?;
    let date_only = at.hour.is_none();
    let zone = match (at.tz_hour, zone) {
        (Some(hour), _) => {
            // A numeric offset is not allowed here but met: folded into UTC.
            let offset = i64::from(hour) * 3600 + i64::from(at.tz_minute.unwrap_or(0)) * 60;
            let shift = jiff::SignedDuration::from_secs(if at.tz_minus { offset } else { -offset });
            local = local.checked_add(shift).ok()?;
            ZoneName::Utc
        }
        (None, _) if date_only => ZoneName::Floating,
        (None, Some(name)) => ZoneName::Named(name.to_owned()),
        (None, None) => ZoneName::Floating,
    };
    Some(Moment { local, date_only, zone })
}

fn extra(entry: &ICalendarEntry) -> Vec<(Moment, Option<Length>)> {
    let zone = entry.tz_id();
    let values = entry.values.iter().filter_map(|value| match value {
        ICalendarValue::PartialDateTime(at) => Some((to_moment(at, zone)?, None)),
        ICalendarValue::Period(ICalendarPeriod::Range { start, end }) => {
            Some((to_moment(start, zone)?, to_moment(end, zone).map(Length::Until)))
        }
        ICalendarValue::Period(ICalendarPeriod::Duration { start, duration }) => {
            Some((to_moment(start, zone)?, Some(Length::Seconds(duration.as_seconds()))))
        }
        _ => None,
    });
    values.collect()
}

fn observance(component: &ICalendarComponent) -> Option<Observance> {
    let mut read = Component::default();
    let (mut from, mut to) = (None, None);
    for entry in &component.entries {
        let offset = || match entry.values.first()? {
            ICalendarValue::PartialDateTime(at) => {
                let seconds =
                    i32::from(at.tz_hour?) * 3600 + i32::from(at.tz_minute.unwrap_or(0)) * 60;
                Some(if at.tz_minus { -seconds } else { seconds })
            }
            _ => None,
        };
        match entry.name {
            ICalendarProperty::Tzoffsetfrom => from = offset(),
            ICalendarProperty::Tzoffsetto => to = offset(),
            _ => read_entry(&mut read, entry),
        }
    }
    let to = to?;
    Some(Observance {
        start: read.start?.local,
        offset_from_s: from.unwrap_or(to),
        offset_to_s: to,
        rules: read.rules,
        extra: read.extra.into_iter().map(|(m, _)| m.local).collect(),
    })
}
