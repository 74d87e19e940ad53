use jiff::ZonedDateTime;

use super::*;

const TABLE: &str = include_str!("expressions.tsv");

fn now() -> ZonedDateTime {
    "2026-11-24T10:30[Europe/Berlin]".parse().expect("a valid instant")
}

fn local(seconds: i64) -> String {
    if seconds == UNBOUNDED_PAST || seconds == UNBOUNDED_FUTURE {
        return "-".to_owned();
    }
    let instant = jiff::Timestamp::from_second(seconds).expect("in range");
    let text = now().time_zone().to_datetime(instant).strftime("%Y-%m-%dT%H:%M").to_string();
    text.strip_suffix("T00:00").map(str::to_owned).unwrap_or(text)
}

fn one(text: &str) -> Resolved {
    let found = find(text, &now(), lean_of(text));
    assert_eq!(found.len(), 1, "{text:?}: {found:?}");
    found.into_iter().next().expect("one")
}

#[test]
fn every_expression_of_the_table_means_what_the_wall_calendar_says() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in TABLE.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let [text, start, end] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("not three columns: {line:?}");
        };
        count += 1;
        let found = find(text, &now(), lean_of(text));
        let got: Vec<_> =
            found.iter().map(|r| format!("{}..{}", local(r.start), local(r.end))).collect();
        if got != [format!("{start}..{end}")] {
            wrong.push(format!("{text:40} wanted {start}..{end} got {got:?}"));
        }
    }
    assert!(count >= 200, "{count} expressions");
    assert!(wrong.is_empty(), "{} of {count} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn intervals_are_said_in_words() {
    for (text, said) in [
        ("last week", "last week = 16–22 Nov 2026"),
        ("next week", "next week = 30 Nov – 6 Dec 2026"),
        ("yesterday", "yesterday = 23 Nov 2026"),
        ("in June", "June = June 2026"),
        ("last year", "last year = 2025"),
        ("tomorrow at 3pm", "tomorrow at 3pm = 25 Nov 2026 15:00"),
        ("this morning", "this morning = 24 Nov 2026 06:00–12:00"),
        ("tonight", "tonight = 24 Nov 2026 18:00–24:00"),
        ("before 3 May 2026", "before 3 May 2026 = before 3 May 2026"),
        ("ab Montag", "ab Montag = from 30 Nov 2026 on"),
        ("winter 2025", "winter 2025 = 1 Dec 2025 – 28 Feb 2026"),
    ] {
        assert_eq!(one(text).text, said);
    }
}

#[test]
fn the_words_are_the_bytes_of_the_expression_in_the_text() {
    let text = "Übermorgen, also am 26. November 2026, très tôt";
    let found: Vec<_> =
        find(text, &now(), Lean::Either).into_iter().map(|r| &text[r.words]).collect();
    assert_eq!(found, ["Übermorgen", "26. November 2026"]);
}

#[test]
fn words_that_only_look_like_times_are_left_alone() {
    for text in [
        "You may come and march with us",
        "Ist Anna hier?",
        "Mon frère est là",
        "The sun sat on the wall",
        "It costs 2025 euros",
        "Call +49 30 2025 1999",
        "Room 2026",
        "a second opinion",
        "Good morning Anna",
        "version 3.5 of the file",
        "une réunion de 3 heures",
        "Wie geht es dir?",
        "3/5 of the cake",
        "the fall of Rome",
        "Elle a été malade",
        "until the needle is back at 1.5 bar",
        "Movers at 8, trailer at 7. Piano last",
    ] {
        assert_eq!(find(text, &now(), Lean::Either), [], "{text}");
    }
}

#[test]
fn a_sources_own_date_is_the_clock_for_its_words() {
    let written: ZonedDateTime = "2026-05-08T09:00[Europe/Berlin]".parse().expect("valid");
    let found = find("We met yesterday; the next one is on Tuesday.", &written, Lean::Future);
    let said: Vec<_> = found.iter().map(|r| r.text.as_str()).collect();
    assert_eq!(said, ["yesterday = 7 May 2026", "Tuesday = 12 May 2026"]);
}

#[test]
fn what_was_written_means_the_months_around_it() {
    let written: ZonedDateTime = "2026-09-10T09:00[Europe/Berlin]".parse().expect("valid");
    for (text, year) in [
        ("promised for the end of August", 2026),
        ("the fair on 3 May", 2027),
        ("rent for 15 July", 2026),
        ("the invoice of December", 2026),
    ] {
        let found = find(text, &written, Lean::Written);
        assert!(found[0].text.ends_with(&year.to_string()), "{text}: {found:?}");
    }
}

#[test]
fn the_owners_zone_decides_when_a_day_begins() {
    let tokyo: ZonedDateTime = "2026-11-24T10:30[Asia/Tokyo]".parse().expect("valid");
    let berlin = one("today");
    let there = find("today", &tokyo, Lean::Either);
    assert_eq!(berlin.start - there[0].start, 8 * 3600);
}

#[test]
fn a_day_of_clock_change_has_its_real_length() {
    let spring: ZonedDateTime = "2026-03-29T12:00[Europe/Berlin]".parse().expect("valid");
    let today = &find("today", &spring, Lean::Either)[0];
    assert_eq!(today.end - today.start, 23 * 3600);
}

#[test]
fn numbers_beyond_the_calendar_are_not_read() {
    for text in [
        "in 99999999 years",
        "999999999 days ago",
        "vor 99999999999999999999 Tagen",
        "99.99.9999",
        "2026-13-45",
        "31 February 2026",
    ] {
        for found in find(text, &now(), Lean::Either) {
            assert!(found.start < found.end, "{text}: {found:?}");
        }
    }
}
