//! Calendars: one item per event, per changed occurrence of a repeating event, and per task or journal entry.
//!
//! A file is cut into its components by `BEGIN`/`END` lines before anything is parsed, so that one broken
//! component costs only itself, and the text of a series can be stored as it stands. A repeating event carries
//! that text in [`Event::repeats`]; [`expand`] turns it into occurrences within a window, on demand and bounded.

mod expand;

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::ical::{self, Component, Moment, What, ZoneName};
use super::zone::{self, Zone, Zones};
use super::{Limits, Raw, Sink, document, hex, html, text};
use crate::item::{Event, Item, Kind, PersonRef, Role, Section, Weight, When};

pub use expand::{Expansion, Occurrence, expand};

/// Reads every component of a calendar file.
pub(crate) fn read(raw: &Raw<'_>, limits: &Limits, sink: &mut Sink<'_>) {
    let decoded = text::decode(raw.bytes, None);
    let cut = cut(&decoded.text);
    let zone_texts: Vec<&str> =
        cut.parts.iter().copied().filter(|p| is_begin(p, "VTIMEZONE")).collect();
    let zone_components: Vec<Component> = zone_texts.iter().flat_map(|t| ical::parse(t)).collect();
    let mut reader = Reader {
        raw,
        limits,
        name: cut.name,
        cancelled: cut.method.eq_ignore_ascii_case("CANCEL"),
        zones: Zones::new(zone_components.iter().collect()),
        zone_texts: zone_texts
            .iter()
            .zip(&zone_components)
            .map(|(t, c)| (c.uid.as_str(), *t))
            .collect(),
        guessed: decoded.guessed,
    };
    let parts: Vec<&str> = cut.parts.into_iter().filter(|p| !is_begin(p, "VTIMEZONE")).collect();
    if parts.is_empty() {
        let mut item = document::by_name_only(raw, "text/calendar");
        item.remarks.push("the calendar holds no events".to_owned());
        return sink(Ok(item));
    }
    reader.run(&parts, sink);
    if cut.unfinished {
        sink(Err(raw.fail("the file ends inside a component", "export the calendar again")));
    }
}

/// The children of VCALENDAR as raw text, with the lines that name the calendar.
struct Cut<'t> {
    parts: Vec<&'t str>,
    name: Option<String>,
    method: String,
    unfinished: bool,
}

fn cut(text: &str) -> Cut<'_> {
    let mut cut = Cut { parts: Vec::new(), name: None, method: String::new(), unfinished: false };
    let mut depth = 0usize;
    let mut start = 0;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let begin_at = at;
        at += line.len();
        let trimmed = line.trim().trim_start_matches('\u{feff}');
        match trimmed.split_once(':') {
            Some((word, what)) if word.eq_ignore_ascii_case("BEGIN") => {
                if what.trim().eq_ignore_ascii_case("VCALENDAR") {
                    // A calendar inside an unfinished component: the component is lost, the rest is not.
                    cut.unfinished |= depth > 0;
                    depth = 0;
                } else {
                    if depth == 0 {
                        start = begin_at;
                    }
                    depth += 1;
                }
            }
            Some((word, what)) if word.eq_ignore_ascii_case("END") => {
                if what.trim().eq_ignore_ascii_case("VCALENDAR") {
                    cut.unfinished |= depth > 0;
                    depth = 0;
                } else if depth > 0 {
                    depth -= 1;
                    if depth == 0 {
                        cut.parts.push(&text[start..at]);
                    }
                }
            }
            Some((word, value)) if depth == 0 => {
                if word.eq_ignore_ascii_case("X-WR-CALNAME") || word.eq_ignore_ascii_case("NAME") {
                    cut.name.get_or_insert_with(|| text::one_line(value));
                } else if word.eq_ignore_ascii_case("METHOD") {
                    cut.method = value.trim().to_owned();
                }
            }
            _ => {}
        }
    }
    cut.unfinished |= depth > 0;
    cut
}

fn is_begin(part: &str, what: &str) -> bool {
    let line = part.lines().next().unwrap_or_default().trim();
    line.split_once(':').is_some_and(|(_, w)| w.trim().eq_ignore_ascii_case(what))
}

struct Reader<'r> {
    raw: &'r Raw<'r>,
    limits: &'r Limits,
    name: Option<String>,
    cancelled: bool,
    zones: Zones<'r>,
    zone_texts: Vec<(&'r str, &'r str)>,
    guessed: Option<&'static str>,
}

impl Reader<'_> {
    fn run(&mut self, parts: &[&str], sink: &mut Sink<'_>) {
        let mut groups: Vec<Vec<(usize, Component)>> = Vec::new();
        let mut by_uid: HashMap<String, usize> = HashMap::new();
        for (i, part) in parts.iter().enumerate().take(self.limits.items) {
            let Some(component) = ical::parse(part).into_iter().next() else {
                let mut failure = self.raw.fail(
                    format!("component {} cannot be understood", i + 1),
                    "open the event in the calendar program and export it again",
                );
                failure.place = self.raw.inside(&format!("#{}", i + 1));
                sink(Err(failure));
                continue;
            };
            let group = if component.uid.is_empty() {
                groups.len()
            } else {
                *by_uid.entry(component.uid.clone()).or_insert(groups.len())
            };
            if group == groups.len() {
                groups.push(Vec::new());
            }
            groups[group].push((i, component));
        }
        for group in &groups {
            self.group(group, parts, sink);
        }
        if parts.len() > self.limits.items {
            let reason = format!("{} of {} components were read", self.limits.items, parts.len());
            sink(Err(self.raw.fail(reason, "split the calendar, or raise the limit on items")));
        }
    }

    /// All components of one UID: series (or single events) first, then what replaces their occurrences.
    fn group(&mut self, group: &[(usize, Component)], parts: &[&str], sink: &mut Sink<'_>) {
        let has_series = group.iter().any(|(_, c)| c.replaces.is_none());
        let repeating = group.iter().any(|(_, c)| !c.rules.is_empty() || !c.extra.is_empty());
        let repeats = repeating.then(|| self.series_text(group, parts));
        let mut masters = 0;
        for (i, component) in group {
            let mut item = self.item(component, parts[*i]);
            if component.replaces.is_none() {
                masters += 1;
                if masters > 1 {
                    item.place.part = format!("{}#{masters}", item.place.part);
                    item.remarks.push("another component has the same UID".to_owned());
                }
                let repeats_itself = !component.rules.is_empty() || !component.extra.is_empty();
                if let (Some(event), true) = (&mut item.event, repeats_itself && masters == 1) {
                    event.repeats = repeats.clone();
                }
            } else if !has_series {
                item.remarks
                    .push("a changed occurrence whose series is not in this calendar".to_owned());
            }
            sink(Ok(item));
        }
    }

    /// The series and its exceptions as one calendar, with the zones that only this file can explain.
    fn series_text(&self, group: &[(usize, Component)], parts: &[&str]) -> String {
        let mut out = String::from("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n");
        let named = group.iter().flat_map(|(_, c)| moments(c)).filter_map(|m| match &m.zone {
            ZoneName::Named(name) => Some(name.as_str()),
            _ => None,
        });
        let mut wanted: Vec<&str> = named.filter(|name| !zone::is_known(name)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        for name in wanted {
            let text = self.zone_texts.iter().find(|(id, _)| *id == name);
            out.push_str(text.map_or("", |(_, text)| text));
        }
        for (i, _) in group {
            out.push_str(parts[*i]);
            if !out.ends_with('\n') {
                out.push_str("\r\n");
            }
        }
        out.push_str("END:VCALENDAR\r\n");
        out
    }

    fn item(&mut self, component: &Component, part: &str) -> Item {
        let what = component.what.unwrap_or(What::Other);
        let kind = if what == What::Event { Kind::Event } else { Kind::Note };
        let mut item = self.raw.item(kind, "text/calendar");
        item.content_sha256 = hex(&Sha256::digest(part.as_bytes()));
        item.bytes = part.len() as u64;
        item.when = when(component, &mut self.zones, &mut item.remarks);
        let replaces = component.replaces.as_ref().and_then(|m| {
            let (zone, _) = self.zones.of(&self.in_zone_of(m, component));
            zone.instant(m.local).map(|(utc_s, _)| utc_s)
        });
        let suffix =
            component.replaces.as_ref().map(|m| format!(";{}", basic(m))).unwrap_or_default();
        let uid = if component.uid.is_empty() {
            format!("sha256:{}", item.content_sha256)
        } else {
            component.uid.clone()
        };
        item.place = self.raw.inside(&format!("{uid}{suffix}"));
        item.identity = format!("uid:{uid}{suffix}");
        item.title = text::clip(&text::one_line(&component.summary), 500);
        if item.title.is_empty() {
            item.title = first_words_of(component);
        }
        self.describe(&mut item, component, what);
        if what == What::Event {
            let cancelled = self.cancelled || component.status == "cancelled";
            let status = if cancelled { "cancelled" } else { component.status.as_str() };
            item.event = Some(Event {
                uid,
                location: text::one_line(&component.location),
                status: if status.is_empty() { "confirmed" } else { status }.to_owned(),
                repeats: None,
                replaces,
            });
        }
        item
    }

    /// A RECURRENCE-ID without a zone of its own is in its event's.
    fn in_zone_of(&self, moment: &Moment, component: &Component) -> Moment {
        let mut moment = moment.clone();
        if moment.zone == ZoneName::Floating
            && !moment.date_only
            && let Some(start) = &component.start
            && start.zone != ZoneName::Utc
        {
            moment.zone = start.zone.clone();
        }
        moment
    }

    fn describe(&self, item: &mut Item, component: &Component, what: What) {
        if let Some(guess) = self.guessed {
            item.remarks.push(format!("the file's encoding was guessed: {guess}"));
        }
        let mut body = plain(&component.description, self.limits.text_bytes);
        for comment in &component.comments {
            push_paragraph(&mut body, &plain(comment, self.limits.text_bytes));
        }
        match what {
            What::Todo => {
                item.tags.push("task".to_owned());
                push_paragraph(&mut body, &task_state(component));
            }
            What::Journal => item.tags.push("journal".to_owned()),
            What::Other => item.remarks.push("free/busy blocks are kept by name only".to_owned()),
            _ => {}
        }
        if !body.is_empty() {
            item.sections.push(Section { heading: Vec::new(), text: body, weight: Weight::Body });
        }
        item.people.extend(component.organizer.iter().map(|p| person(Role::Organizer, p)));
        item.people.extend(component.attendees.iter().map(|p| person(Role::Attendee, p)));
        item.people.retain(|p| p.address.is_some() || !p.name.is_empty());
        let categories = component.categories.iter().map(|c| text::one_line(c));
        item.tags.extend(self.name.iter().cloned().chain(categories).filter(|t| !t.is_empty()));
        item.links.extend(component.links.iter().filter(|l| !l.is_empty()).cloned());
    }
}

fn first_words_of(component: &Component) -> String {
    let words = text::first_words(&component.description, 80);
    if words.is_empty() { "(no title)".to_owned() } else { words }
}

fn person(role: Role, (name, address): &(String, String)) -> PersonRef {
    PersonRef {
        role,
        name: text::one_line(name.trim_matches(['"', '\''])),
        address: address.contains('@').then(|| address.trim().to_lowercase()),
    }
}

/// Calendar programs put HTML into descriptions; plain text stays as it is.
fn plain(description: &str, limit_bytes: usize) -> String {
    let looks_html =
        ["<br", "<p>", "<div", "<html", "<a href", "</"].iter().any(|t| description.contains(t));
    if !looks_html {
        return text::tidy(description.trim(), limit_bytes).0;
    }
    let options = html::Options { mail: true, forward: true, text_bytes: limit_bytes };
    let sections = html::read(&description.replace('\n', "<br>"), &options).sections;
    sections.into_iter().map(|s| s.text).collect::<Vec<_>>().join("\n\n")
}

fn push_paragraph(body: &mut String, paragraph: &str) {
    if !paragraph.is_empty() {
        if !body.is_empty() {
            body.push_str("\n\n");
        }
        body.push_str(paragraph);
    }
}

fn task_state(component: &Component) -> String {
    let mut state = match (&component.completed, component.status.as_str()) {
        (Some(at), _) => format!("Done on {}.", at.local.date()),
        (None, "completed") => "Done.".to_owned(),
        (None, "cancelled") => "Cancelled.".to_owned(),
        (None, "in-process") => "In progress.".to_owned(),
        _ => String::new(),
    };
    if let Some(due) = &component.due {
        let time = if due.date_only { String::new() } else { format!(" {}", due.local.time()) };
        state = format!("{state} Due {}{time}.", due.local.date()).trim().to_owned();
    }
    state
}

fn moments(component: &Component) -> impl Iterator<Item = &Moment> {
    let single = [&component.start, &component.end, &component.due, &component.replaces];
    let extra = component.extra.iter().map(|(m, _)| m);
    single.into_iter().flatten().chain(extra).chain(&component.except)
}

/// A moment in iCalendar's basic form, for places: `20241103T090000Z`, `20241103`.
fn basic(moment: &Moment) -> String {
    let at = moment.local;
    let date = format!("{:04}{:02}{:02}", at.year(), at.month(), at.day());
    if moment.date_only {
        return date;
    }
    let zulu = if moment.zone == ZoneName::Utc { "Z" } else { "" };
    format!("{date}T{:02}{:02}{:02}{zulu}", at.hour(), at.minute(), at.second())
}

/// When a component is: an event's span, a task's due time, a journal's day.
pub(super) fn when(
    component: &Component,
    zones: &mut Zones<'_>,
    remarks: &mut Vec<String>,
) -> Option<When> {
    let is_task = component.what == Some(What::Todo);
    let fallback =
        || component.due.as_ref().or(component.completed.as_ref()).or(component.created.as_ref());
    let start = match (&component.start, is_task) {
        (Some(start), false) => Some(start),
        (start, true) => component.due.as_ref().or(start.as_ref()).or_else(fallback),
        (None, false) => component.replaces.as_ref(),
    };
    let Some(start) = start else {
        remarks.push("no start date".to_owned());
        return None;
    };
    let (zone, remark) = zones.of(start);
    remarks.extend(remark);
    let end = if is_task { None } else { end_of(component, start, &zone, zones) };
    span(start, end, &zone)
}

/// The local end of a component in the zone of its start.
pub(super) fn end_of(
    component: &Component,
    start: &Moment,
    zone: &Zone,
    zones: &mut Zones<'_>,
) -> Option<jiff::civil::DateTime> {
    if let Some(end) = &component.end {
        let (end_zone, _) =
            if end.zone == ZoneName::Floating { (zone.clone(), None) } else { zones.of(end) };
        let (utc_s, _) = end_zone.instant(end.local)?;
        return zone
            .local(utc_s)
            .filter(|e| *e > start.local || (*e == start.local && !start.date_only));
    }
    let seconds = component.duration_s?;
    let (start_s, _) = zone.instant(start.local)?;
    if start.date_only {
        return start.local.checked_add(jiff::SignedDuration::from_secs(seconds)).ok();
    }
    zone.local(start_s.checked_add(seconds.max(0))?)
}

/// The span as an item states it; a day without an end lasts that day.
pub(super) fn span(
    start: &Moment,
    end: Option<jiff::civil::DateTime>,
    zone: &Zone,
) -> Option<When> {
    let (start_s, offset_s) = zone.instant(start.local)?;
    let end = match (end, start.date_only) {
        (None, true) => start.local.checked_add(jiff::SignedDuration::from_hours(24)).ok(),
        (end, _) => end,
    };
    Some(When {
        start: start_s,
        end: end.and_then(|e| zone.instant(e)).map(|(s, _)| s),
        zone: zone.name(),
        offset_s,
        all_day: start.date_only,
    })
}
