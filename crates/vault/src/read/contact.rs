//! Address books: one item per card, and one yearly event per birthday or anniversary.

use sha2::{Digest, Sha256};

use super::vcard::{self, Field};
use super::{Limits, Raw, Sink, document, hex, text};
use crate::item::{Card, Event, Item, Kind, PersonRef, Role, Section, Weight, When};

/// Reads every card of an address book.
pub(crate) fn read(raw: &Raw<'_>, limits: &Limits, sink: &mut Sink<'_>) {
    let decoded = text::decode(raw.bytes, None);
    let (cards, unfinished) = cut(&decoded.text);
    if cards.is_empty() && !unfinished {
        let mut item = document::by_name_only(raw, "text/vcard");
        item.remarks.push("the address book holds no cards".to_owned());
        return sink(Ok(item));
    }
    for (i, card) in cards.iter().enumerate().take(limits.items) {
        let number = i + 1;
        match vcard::parse(card) {
            Some(fields) => {
                let mut item = contact(raw, number, card, fields);
                if let Some(guess) = decoded.guessed {
                    item.remarks.push(format!("the file's encoding was guessed: {guess}"));
                }
                let days = yearly_days(&item);
                sink(Ok(item));
                days.into_iter().for_each(|day| sink(Ok(day)));
            }
            None => {
                let mut failure = raw.fail(
                    format!("card {number} cannot be understood"),
                    "open the contact in the address book program and export it again",
                );
                failure.place = raw.inside(&number.to_string());
                sink(Err(failure));
            }
        }
    }
    if unfinished {
        sink(Err(raw.fail("the file ends inside a card", "export the address book again")));
    }
}

/// The cards as raw text; whether a card was left open.
fn cut(text: &str) -> (Vec<&str>, bool) {
    let mut cards = Vec::new();
    let (mut depth, mut start, mut at) = (0usize, 0, 0);
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim().trim_start_matches('\u{feff}');
        if trimmed.eq_ignore_ascii_case("BEGIN:VCARD") {
            if depth == 0 {
                start = at;
            }
            depth += 1;
        }
        at += line.len();
        if trimmed.eq_ignore_ascii_case("END:VCARD") && depth > 0 {
            depth -= 1;
            if depth == 0 {
                cards.push(text[start..at].trim_start_matches('\u{feff}'));
            }
        }
    }
    (cards, depth > 0)
}

fn contact(raw: &Raw<'_>, number: usize, card: &str, fields: Vec<Field>) -> Item {
    let mut item = raw.item(Kind::Contact, "text/vcard");
    item.place = raw.inside(&number.to_string());
    item.content_sha256 = hex(&Sha256::digest(card.as_bytes()));
    item.bytes = card.len() as u64;
    item.when = None;
    let value = |name: &str| fields.iter().find(|f| f.name == name).map(|f| joined(f, " "));
    let uid = value("uid").filter(|u| !u.is_empty());
    item.identity = match uid {
        Some(uid) => format!("uid:{}", text::one_line(&uid)),
        None => format!("sha256:{}", item.content_sha256),
    };
    let structured = fields.iter().find(|f| f.name == "n").map(structured_name);
    let candidates = [value("fn"), structured, value("org"), value("nickname"), value("email")];
    let name = candidates.into_iter().flatten().map(|n| text::one_line(&n)).find(|n| !n.is_empty());
    item.title = name.clone().unwrap_or_else(|| format!("contact {number}"));
    let addresses: Vec<String> = fields
        .iter()
        .filter(|f| f.name == "email")
        .map(|f| joined(f, " ").trim().trim_start_matches("mailto:").to_lowercase())
        .filter(|a| a.contains('@'))
        .collect();
    let person = |address| PersonRef {
        role: Role::Subject,
        name: name.clone().unwrap_or_default(),
        address,
    };
    match addresses.is_empty() {
        true => item.people.push(person(None)),
        false => item.people.extend(addresses.into_iter().map(|a| person(Some(a)))),
    }
    let mut lines = Vec::new();
    let mut known = Card::default();
    for field in &fields {
        add_field(&mut item, &mut known, &mut lines, field);
    }
    if !lines.is_empty() {
        let text = lines.join("\n");
        item.sections.insert(0, Section { heading: Vec::new(), text, weight: Weight::Body });
    }
    item.card = Some(known);
    item
}

/// Keeps a field as data, as a readable line, or as what it is (note, tag, link, person).
fn add_field(item: &mut Item, card: &mut Card, lines: &mut Vec<String>, field: &Field) {
    const SKIPPED: [&str; 12] = [
        "begin",
        "end",
        "version",
        "prodid",
        "rev",
        "uid",
        "x-ablabel",
        "x-abuid",
        "n",
        "clientpidmap",
        "x-abshowas",
        "source",
    ];
    if SKIPPED.contains(&field.name.as_str()) {
        return;
    }
    if field.binary || ["photo", "logo", "sound", "key"].contains(&field.name.as_str()) {
        return item.remarks.push(format!("{} skipped", field.name));
    }
    let value = match field.name.as_str() {
        "adr" => address(field),
        "org" => joined(field, ", "),
        "bday" | "anniversary" | "x-abdate" | "x-anniversary" | "deathdate" => {
            iso_date(&joined(field, " "))
        }
        "note" => joined(field, ", "),
        _ => text::one_line(&joined(field, ", ")),
    };
    let value = text::tidy(value.trim(), 1 << 16).0;
    if value.is_empty() {
        return;
    }
    let mut label = field.name.clone();
    for word in field.types.iter().chain(&field.label) {
        label = format!("{label};{word}");
    }
    match field.name.as_str() {
        "fn" => return card.fields.push((label, value)),
        "note" => {
            let heading = vec!["Note".to_owned()];
            item.sections.push(Section { heading, text: value.clone(), weight: Weight::Body });
        }
        "categories" => item.tags.extend(field.values.iter().map(|v| text::one_line(v))),
        "url" => item.links.push(value.clone()),
        "related" | "x-abrelatednames" | "x-spouse" | "x-manager" | "x-assistant"
            if !value.starts_with("urn:") =>
        {
            item.people.push(PersonRef {
                role: Role::Mentioned,
                name: value.clone(),
                address: None,
            });
        }
        _ => {}
    }
    if field.name != "note" {
        lines.push(format!("{}: {value}", readable(field)));
    }
    card.fields.push((label, value));
}

/// "Phone (work)", "Email", "Spouse".
fn readable(field: &Field) -> String {
    let name = match field.name.as_str() {
        "tel" => "Phone",
        "email" => "Email",
        "adr" => "Address",
        "org" => "Organisation",
        "title" => "Title",
        "role" => "Role",
        "bday" => "Birthday",
        "anniversary" | "x-anniversary" => "Anniversary",
        "x-abdate" => "Date",
        "nickname" => "Nickname",
        "url" => "Web",
        "impp" | "x-socialprofile" | "socialprofile" => "Chat",
        "categories" => "Groups",
        "related" | "x-abrelatednames" => "Related",
        "lang" => "Language",
        other => other.trim_start_matches("x-"),
    };
    let mut words: Vec<&str> = field.types.iter().map(String::as_str).collect();
    words.extend(field.label.as_deref());
    words.dedup();
    if words.is_empty() { name.to_owned() } else { format!("{name} ({})", words.join(", ")) }
}

fn joined(field: &Field, separator: &str) -> String {
    let values = field.values.iter().map(|v| v.trim()).filter(|v| !v.is_empty());
    values.collect::<Vec<_>>().join(separator)
}

/// `N` is family; given; additional; prefixes; suffixes. Spoken order is prefix given additional family suffix.
fn structured_name(field: &Field) -> String {
    let part = |i: usize| field.values.get(i).map_or("", |v| v.trim());
    let parts = [part(3), part(1), part(2), part(0), part(4)];
    parts.into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(" ")
}

/// `ADR` is box; extended; street; city; region; code; country.
fn address(field: &Field) -> String {
    let part = |i: usize| text::one_line(field.values.get(i).map_or("", |v| v));
    let city = text::one_line(&format!("{} {}", part(5), part(3)));
    let parts = [part(2), part(1), part(0), city, part(4), part(6)];
    parts.into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(", ")
}

/// Dates as vCards write them, in ISO form: `19850412`, `1985-04-12T00:00:00Z`, `--0412`; others as they are.
fn iso_date(value: &str) -> String {
    let day = value.split('T').next().unwrap_or_default().trim();
    let digits: String = day.chars().filter(char::is_ascii_digit).collect();
    let only = day.chars().all(|c| c.is_ascii_digit() || c == '-');
    match (only, digits.len(), day.starts_with("--")) {
        (true, 8, false) => format!("{}-{}-{}", &digits[..4], &digits[4..6], &digits[6..]),
        (true, 4, true) => format!("--{}-{}", &digits[..2], &digits[2..]),
        _ => value.trim().to_owned(),
    }
}

/// A yearly all-day event for each birthday and anniversary of a card.
fn yearly_days(contact: &Item) -> Vec<Item> {
    let Some(card) = &contact.card else { return Vec::new() };
    let wanted = card.fields.iter().filter_map(|(label, value)| {
        let mut words = label.split(';');
        match words.next()? {
            "bday" => Some(("bday", format!("Birthday of {}", contact.title), value)),
            "anniversary" | "x-anniversary" => {
                Some(("anniversary", format!("Anniversary of {}", contact.title), value))
            }
            "x-abdate" => {
                let what = words.next_back().unwrap_or("date");
                Some(("date", format!("{} of {}", capitalised(what), contact.title), value))
            }
            _ => None,
        }
    });
    wanted.filter_map(|(kind, title, value)| yearly_day(contact, kind, title, value)).collect()
}

fn yearly_day(contact: &Item, kind: &str, title: String, value: &str) -> Option<Item> {
    // Without a year the day still repeats; 2000 is a leap year, so 29 February has a place.
    let (year, rest) = match value.strip_prefix("--") {
        Some(rest) => (None, rest),
        None => (value.get(..4)?.parse::<i16>().ok(), value.get(5..)?),
    };
    let (month, day) = rest.split_once('-')?;
    let date = jiff::civil::Date::new(year.unwrap_or(2000), month.parse().ok()?, day.parse().ok()?)
        .ok()?;
    let start = jiff::tz::TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?.as_second();
    let mut item = contact.clone();
    item.kind = Kind::Event;
    item.place.part = format!("{}/{kind}", contact.place.part);
    item.identity = format!("{}/{kind}", contact.identity);
    item.parent = Some(contact.place.clone());
    let uid = item.identity.clone();
    let basic = format!("{:04}{:02}{:02}", date.year(), date.month(), date.day());
    // A leap day is kept on 28 February in other years: the last day of the month.
    let rule = if (date.month(), date.day()) == (2, 29) {
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1"
    } else {
        "FREQ=YEARLY"
    };
    let summary = title.replace(['\\', ';', ','], " ");
    item.event = Some(Event {
        uid: uid.clone(),
        location: String::new(),
        status: "confirmed".to_owned(),
        repeats: Some(format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nSUMMARY:{summary}\r\n\
             DTSTART;VALUE=DATE:{basic}\r\nRRULE:{rule}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        )),
        replaces: None,
    });
    item.title = title;
    item.when =
        Some(When { start, end: Some(start + 86_400), zone: None, offset_s: 0, all_day: true });
    item.people.retain(|p| p.role == Role::Subject);
    item.people.truncate(1);
    item.sections.clear();
    item.card = None;
    item.links.clear();
    item.tags = vec![if kind == "bday" { "birthday" } else { "anniversary" }.to_owned()];
    item.remarks =
        if year.is_none() { vec!["the card gives no year".to_owned()] } else { Vec::new() };
    Some(item)
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or(String::new(), |c| c.to_uppercase().chain(chars).collect())
}
