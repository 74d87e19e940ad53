//! From what the vault says to what the page draws.

use jiff::ZonedDateTime;
use vault::item::{Kind, PersonRef, Role, When};
use vault::lookup::events::Occasion;
use vault::lookup::items::{Entry, StoredItem};
use vault::status::State;
use vault::text::header::date_for_people;

use crate::backend::{Hit, ItemView, LifeState, Related, Why};

pub(super) fn kind_named(name: &str) -> Option<Kind> {
    [Kind::Mail, Kind::Event, Kind::Contact, Kind::Note, Kind::Document]
        .into_iter()
        .find(|kind| kind.name() == name)
}

/// "Tuesday, 24 Nov 2026"
pub(super) fn day(now: &ZonedDateTime) -> String {
    now.strftime("%A, %-d %b %Y").to_string()
}

/// UTC seconds on the owner's clock: "24 Nov 2026, 08:02".
pub(super) fn moment(seconds: i64, now: &ZonedDateTime) -> String {
    let Ok(at) = jiff::Timestamp::from_second(seconds) else { return String::new() };
    at.to_zoned_datetime(now.time_zone().clone()).strftime("%-d %b %Y, %H:%M").to_string()
}

pub(super) fn entry(entry: &Entry) -> Hit {
    Hit {
        id: entry.id,
        kind: entry.kind.name().into(),
        title: entry.title.clone(),
        path: entry.path.clone(),
        date: entry.date.clone(),
        ..Hit::default()
    }
}

pub(super) fn occasion(occasion: &Occasion) -> Hit {
    Hit {
        id: occasion.item,
        kind: "event".into(),
        title: occasion.title.clone(),
        date: when(&occasion.when),
        snippet: occasion.location.clone(),
        ..Hit::default()
    }
}

fn when(when: &When) -> String {
    date_for_people(when.start, when.zone.as_deref(), when.offset_s, when.all_day)
}

pub(super) fn found(hit: vault::search::Hit) -> Hit {
    Hit {
        id: hit.id,
        kind: hit.kind.name().into(),
        title: hit.title,
        path: hit.path,
        date: hit.date,
        people: String::new(),
        snippet: hit.snippet,
        matches: hit.matches.iter().map(|range| (range.start, range.end)).collect(),
        start: hit.first,
        end: hit.last,
    }
}

/// Who an item is from or with: the authors, else the first few who take part.
pub(super) fn people(people: &[PersonRef]) -> String {
    let name = |person: &PersonRef| match (person.name.as_str(), &person.address) {
        ("", Some(address)) => address.clone(),
        (name, _) => name.to_owned(),
    };
    let authors =
        |person: &&PersonRef| matches!(person.role, Role::From | Role::Organizer | Role::Author);
    let mut names: Vec<String> = people.iter().filter(authors).map(name).collect();
    if names.is_empty() {
        let mentioned =
            |person: &&PersonRef| !matches!(person.role, Role::Mentioned | Role::Subject);
        names = people.iter().filter(mentioned).map(name).collect();
    }
    names.retain(|name| !name.is_empty());
    names.dedup();
    names.truncate(3);
    names.join(", ")
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::From => "from",
        Role::To => "to",
        Role::Cc => "copy to",
        Role::Bcc => "hidden copy to",
        Role::Organizer => "organised by",
        Role::Attendee => "with",
        Role::Subject => "about",
        Role::Author => "by",
        Role::Mentioned => "names",
    }
}

/// People of one role share a row: "to: Anna, Ben".
fn people_rows(people: &[PersonRef]) -> Vec<(String, String)> {
    let mut rows: Vec<(String, String)> = Vec::new();
    for person in people.iter().filter(|person| person.role != Role::Subject) {
        let shown = match (person.name.as_str(), &person.address) {
            ("", Some(address)) => address.clone(),
            (name, Some(address)) if person.role == Role::From => format!("{name} <{address}>"),
            (name, _) => name.to_owned(),
        };
        let role = role_name(person.role);
        match rows.iter_mut().find(|(known, _)| known == role) {
            _ if shown.is_empty() => {}
            Some((_, names)) if names.len() < 400 => *names = format!("{names}, {shown}"),
            Some(_) => {}
            None => rows.push((role.into(), shown)),
        }
    }
    rows
}

fn field_rows(item: &StoredItem) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    let mut row = |label: &str, value: &str| {
        if !value.is_empty() {
            rows.push((label.to_owned(), value.to_owned()));
        }
    };
    if let Some(event) = &item.event {
        row("where", &event.location);
        if event.status != "confirmed" {
            row("status", &event.status);
        }
        if event.repeats.is_some() {
            row("repeats", "yes; this is the first of the series");
        }
    }
    row("tags", &item.tags.join(", "));
    rows
}

pub(super) fn item(item: StoredItem, text: String, related: Vec<Related>) -> ItemView {
    ItemView {
        id: item.entry.id,
        kind: item.entry.kind.name().into(),
        people: people_rows(&item.people),
        fields: field_rows(&item),
        has_html: ["message/", "text/markdown", "text/html"]
            .iter()
            .any(|start| item.entry.media_type.starts_with(start)),
        title: item.entry.title,
        path: item.entry.path,
        date: item.entry.date,
        text,
        related,
        media_type: item.entry.media_type,
        bytes: item.entry.bytes,
        remarks: item.remarks,
    }
}

pub(super) fn related(relation: &str, entry: &Entry) -> Related {
    Related {
        id: entry.id,
        relation: relation.into(),
        title: entry.title.clone(),
        date: entry.date.clone(),
    }
}

pub(super) fn why(why: vault::status::Why, title: String) -> Why {
    let (state, mut reason) = match why.state {
        State::Indexed { vectors, chunks } if vectors < chunks => (
            "indexed",
            format!("found by its words; {vectors} of its {chunks} passages also by meaning"),
        ),
        State::Indexed { chunks, .. } => {
            ("indexed", format!("{chunks} passages, found by words and by meaning"))
        }
        State::Pending => ("pending", "known but not read yet; read what changed".into()),
        State::NoText => {
            ("no text", "read, but there are no words in it; found by its name".into())
        }
        State::Failed { reason, hint } => ("failed", format!("{reason}; {hint}")),
        State::Excluded { rule } => ("excluded", format!("left out by the rule “{rule}”")),
        State::Unknown { hint } => ("unknown", hint),
    };
    for remark in &why.remarks {
        reason.push_str("; ");
        reason.push_str(remark);
    }
    let path = if why.part.is_empty() { why.path } else { format!("{} ({})", why.path, why.part) };
    Why { path, title, id: why.item, state: state.into(), reason }
}

/// What a kind of file is called: "PDF", "pictures".
pub(super) fn media_name(media_type: &str) -> String {
    let name = match media_type {
        "application/pdf" => "PDF",
        "text/calendar" => "invitations",
        "text/vcard" | "text/x-vcard" => "address cards",
        "message/rfc822" => "forwarded mails",
        "text/plain" => "text files",
        "text/html" => "web pages",
        "application/zip" => "archives",
        other if other.contains("wordprocessing") || other.contains("msword") => "Word documents",
        other if other.contains("spreadsheet") || other.contains("ms-excel") => "spreadsheets",
        other if other.starts_with("image/") => "pictures",
        other if other.starts_with("audio/") => "recordings",
        other if other.starts_with("video/") => "films",
        other => other,
    };
    name.into()
}

/// "2019–2026"
pub(super) fn years(years: &[(i32, u64)]) -> String {
    match (years.first(), years.last()) {
        (Some((first, _)), Some((last, _))) if first == last => first.to_string(),
        (Some((first, _)), Some((last, _))) => format!("{first}–{last}"),
        _ => String::new(),
    }
}

/// Questions that any life can answer, for an owner who does not know what to ask yet.
pub(super) fn first_questions(state: &LifeState, friend: Option<&str>) -> Vec<String> {
    let has = |kind: &str| state.kinds.iter().any(|(name, n)| name == kind && *n > 0);
    let mut questions = Vec::new();
    if has("event") {
        questions.push("What is my next appointment?".to_owned());
    }
    if let Some(friend) = friend {
        questions.push(format!("What is the latest mail from {friend}?"));
    }
    if has("mail") {
        questions.push("How many mails did I get last month?".to_owned());
    }
    if has("document") || has("note") {
        questions.push("Which documents are from this year?".to_owned());
    }
    questions.truncate(3);
    questions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(role: Role, name: &str, address: &str) -> PersonRef {
        PersonRef {
            role,
            name: name.into(),
            address: (!address.is_empty()).then(|| address.into()),
        }
    }

    #[test]
    fn a_row_of_hits_names_who_wrote_and_not_who_received() {
        let all =
            [person(Role::To, "Me", "me@x.example"), person(Role::From, "Anna", "anna@x.example")];
        assert_eq!(people(&all), "Anna");
        assert_eq!(people(&all[..1]), "Me");
    }

    #[test]
    fn people_of_one_role_share_a_row() {
        let all = [
            person(Role::From, "Anna", "anna@x.example"),
            person(Role::To, "Ben", ""),
            person(Role::To, "", "cy@x.example"),
        ];
        let rows = people_rows(&all);
        assert_eq!(rows[0], ("from".into(), "Anna <anna@x.example>".into()));
        assert_eq!(rows[1], ("to".into(), "Ben, cy@x.example".into()));
    }

    #[test]
    fn every_kind_is_named_both_ways() {
        for name in ["mail", "event", "contact", "note", "document"] {
            assert_eq!(kind_named(name).map(Kind::name), Some(name));
        }
        assert_eq!(kind_named("letter"), None);
    }
}
