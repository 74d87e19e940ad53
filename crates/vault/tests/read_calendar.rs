//! Calendars: time zones, recurrences and their exceptions, checked against `dateutil` and by hand.

use vault::item::{Item, Kind};
use vault::read::calendar::expand;
use vault::read::{self, Failure, Limits};

fn read_ics(ics: &str) -> (Vec<Item>, Vec<Failure>) {
    let (mut items, mut failures) = (Vec::new(), Vec::new());
    read::bytes("home.ics", ics.as_bytes(), &Limits::default(), &mut |read| match read {
        Ok(item) => items.push(item),
        Err(failure) => failures.push(failure),
    });
    (items, failures)
}

fn calendar(body: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{}\r\nEND:VCALENDAR\r\n",
        body.trim().replace('\n', "\r\n")
    )
}

fn event(lines: &str) -> String {
    calendar(&format!("BEGIN:VEVENT\nUID:u1\nSUMMARY:Choir\n{}\nEND:VEVENT", lines.trim()))
}

/// UTC seconds of `2026-11-24T09:00:00Z`.
fn at(instant: &str) -> i64 {
    instant.parse::<jiff::Timestamp>().expect("an instant").as_second()
}

const ALWAYS: std::ops::Range<i64> = 0..4_102_444_800;

#[test]
fn rules_yield_the_dates_that_dateutil_yields() {
    let golden = include_str!("fixtures/rrule_golden.txt");
    let mut rules = 0;
    for block in golden.split("\n\n").filter(|b| !b.trim().is_empty()) {
        let mut lines = block.lines();
        let (start, rule) = lines.next().expect("a rule").split_once(' ').expect("start and rule");
        let expected: Vec<&str> = lines.collect();
        let ics = event(&format!("DTSTART:{start}\nRRULE:{rule}"));
        let until_3000 = 0..32_503_680_000;
        let got = expand(&ics, until_3000, expected.len());
        let got: Vec<String> = got
            .occurrences
            .iter()
            .map(|o| {
                let at = jiff::Timestamp::from_second(o.when.start).expect("in range");
                at.strftime("%Y%m%dT%H%M%S").to_string()
            })
            .collect();
        assert_eq!(got, expected, "{rule}");
        rules += 1;
    }
    assert!(rules >= 24, "only {rules} rules were compared");
}

#[test]
fn a_weekly_event_keeps_its_hour_through_summer_time() {
    let ics = event(
        "DTSTART;TZID=Europe/Berlin:20260320T090000\nDTEND;TZID=Europe/Berlin:20260320T100000\nRRULE:FREQ=WEEKLY;COUNT=3",
    );
    let starts: Vec<i64> =
        expand(&ics, ALWAYS, 10).occurrences.iter().map(|o| o.when.start).collect();
    assert_eq!(
        starts,
        [at("2026-03-20T08:00:00Z"), at("2026-03-27T08:00:00Z"), at("2026-04-03T07:00:00Z")]
    );
}

#[test]
fn a_series_its_exceptions_and_its_moved_occurrence_are_told_apart() {
    let ics = calendar(
        "BEGIN:VEVENT\nUID:u1\nSEQUENCE:0\nSUMMARY:Choir\nDTSTART;TZID=Europe/Berlin:20261103T190000\nDURATION:PT2H\n\
         RRULE:FREQ=WEEKLY;UNTIL=20261201T180000Z\nEXDATE;TZID=Europe/Berlin:20261117T190000\n\
         RDATE;TZID=Europe/Berlin:20261205T150000\nEND:VEVENT\n\
         BEGIN:VEVENT\nUID:u1\nSEQUENCE:3\nSUMMARY:Choir in church\n\
         RECURRENCE-ID;TZID=Europe/Berlin:20261110T190000\nDTSTART;TZID=Europe/Berlin:20261111T200000\n\
         DURATION:PT1H\nEND:VEVENT",
    );
    let (items, failures) = read_ics(&ics);
    assert_eq!(failures, []);
    assert_eq!(items.len(), 2);
    let master = items[0].event.as_ref().expect("an event");
    let repeats = master.repeats.as_ref().expect("it repeats");
    let moved = items[1].event.as_ref().expect("an event");
    assert_eq!(moved.replaces, Some(at("2026-11-10T18:00:00Z")));
    assert_eq!(items[1].place.part, "u1;20261110T190000");
    let got = expand(repeats, ALWAYS, 100);
    let got: Vec<(i64, &str, Option<i64>)> =
        got.occurrences.iter().map(|o| (o.when.start, o.title.as_str(), o.replaces)).collect();
    assert_eq!(
        got,
        [
            (at("2026-11-03T18:00:00Z"), "Choir", None),
            (at("2026-11-11T19:00:00Z"), "Choir in church", moved.replaces),
            (at("2026-11-24T18:00:00Z"), "Choir", None),
            (at("2026-12-01T18:00:00Z"), "Choir", None),
            (at("2026-12-05T14:00:00Z"), "Choir", None),
        ]
    );
}

#[test]
fn this_and_future_moves_everything_from_there_on() {
    let ics = calendar(
        "BEGIN:VEVENT\nUID:u1\nSUMMARY:Choir\nDTSTART:20261103T190000Z\nDTEND:20261103T200000Z\n\
         RRULE:FREQ=WEEKLY;COUNT=4\nEND:VEVENT\n\
         BEGIN:VEVENT\nUID:u1\nSUMMARY:Late choir\nRECURRENCE-ID;RANGE=THISANDFUTURE:20261117T190000Z\n\
         DTSTART:20261117T203000Z\nDTEND:20261117T220000Z\nEND:VEVENT",
    );
    let (items, _) = read_ics(&ics);
    let repeats = items[0].event.as_ref().and_then(|e| e.repeats.clone()).expect("it repeats");
    let got: Vec<(i64, i64, String)> = expand(&repeats, ALWAYS, 10)
        .occurrences
        .into_iter()
        .map(|o| (o.when.start, o.when.end.expect("an end") - o.when.start, o.title))
        .collect();
    let late = |day: &str| (at(&format!("2026-11-{day}T20:30:00Z")), 5400, "Late choir".to_owned());
    let early = |day: &str| (at(&format!("2026-11-{day}T19:00:00Z")), 3600, "Choir".to_owned());
    assert_eq!(got, [early("03"), early("10"), late("17"), late("24")]);
}

#[test]
fn a_changed_occurrence_without_its_series_is_kept_and_remarked() {
    let (items, failures) =
        read_ics(&event("RECURRENCE-ID:20261110T190000Z\nDTSTART:20261110T200000Z"));
    assert_eq!(failures, []);
    assert_eq!(items.len(), 1);
    assert!(items[0].remarks.iter().any(|r| r.contains("whose series")), "{:?}", items[0].remarks);
    assert_eq!(items[0].when.as_ref().map(|w| w.start), Some(at("2026-11-10T20:00:00Z")));
}

#[test]
fn zones_are_known_by_iana_name_windows_name_rules_or_not_at_all() {
    let zone = |tzid: &str, extra: &str| {
        let ics = calendar(&format!(
            "{extra}\nBEGIN:VEVENT\nUID:u1\nSUMMARY:x\nDTSTART;TZID={tzid}:20260710T090000\nEND:VEVENT"
        ));
        let (items, _) = read_ics(&ics);
        let when = items[0].when.clone().expect("a time");
        (when.zone.unwrap_or_default(), when.start, items[0].remarks.join("; "))
    };
    let (name, start, remarks) = zone("Europe/Paris", "");
    assert_eq!(
        (name.as_str(), start, remarks.as_str()),
        ("Europe/Paris", at("2026-07-10T07:00:00Z"), "")
    );
    let (name, start, remarks) = zone("W. Europe Standard Time", "");
    assert_eq!(start, at("2026-07-10T07:00:00Z"));
    assert!(
        name.starts_with("Europe/") && remarks.contains("W. Europe Standard Time"),
        "{name} {remarks}"
    );
    let rules = "BEGIN:VTIMEZONE\nTZID:Kanzlei\nBEGIN:STANDARD\nDTSTART:16010101T030000\n\
                 TZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\n\
                 BEGIN:DAYLIGHT\nDTSTART:16010101T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\n\
                 RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\nEND:DAYLIGHT\nEND:VTIMEZONE";
    let (name, start, remarks) = zone("Kanzlei", rules);
    assert_eq!((name.as_str(), start), ("Europe/Berlin", at("2026-07-10T07:00:00Z")));
    assert!(remarks.contains("by its rules"), "{remarks}");
    let fixed = "BEGIN:VTIMEZONE\nTZID:local\nBEGIN:STANDARD\nDTSTART:19700101T000000\n\
                 TZOFFSETFROM:+0545\nTZOFFSETTO:+0730\nEND:STANDARD\nEND:VTIMEZONE";
    let (name, start, _) = zone("local", fixed);
    assert_eq!((name.as_str(), start), ("UTC", at("2026-07-10T01:30:00Z")));
    let (name, start, remarks) = zone("Atlantis/Center", "");
    assert_eq!((name.as_str(), start), ("UTC", at("2026-07-10T09:00:00Z")));
    assert!(remarks.contains("unknown time zone Atlantis/Center"), "{remarks}");
}

#[test]
fn floating_times_and_whole_days_have_no_zone() {
    let (items, _) = read_ics(&event("DTSTART;VALUE=DATE:20260710\nDTEND;VALUE=DATE:20260712"));
    let when = items[0].when.clone().expect("a time");
    assert!(when.all_day && when.zone.is_none());
    assert_eq!(
        (when.start, when.end),
        (at("2026-07-10T00:00:00Z"), Some(at("2026-07-12T00:00:00Z")))
    );
    let (items, _) = read_ics(&event("DTSTART:20260710T090000"));
    let when = items[0].when.clone().expect("a time");
    assert!(!when.all_day && when.zone.is_none());
}

#[test]
fn people_places_tags_and_tasks_are_read() {
    let ics = calendar(
        "X-WR-CALNAME:Work\nBEGIN:VEVENT\nUID:u1\nSUMMARY:Plan\\, then do\nLOCATION:Room 4\nDTSTART:20260710T090000Z\n\
         STATUS:TENTATIVE\nCATEGORIES:Team,Plan\nORGANIZER;CN=\"Ann Lee\":mailto:Ann@Example.org\n\
         ATTENDEE;CN=Bo;PARTSTAT=ACCEPTED:mailto:bo@example.org\nDESCRIPTION:Bring the map\nEND:VEVENT\n\
         BEGIN:VTODO\nUID:t1\nSUMMARY:Buy stamps\nDUE;VALUE=DATE:20260711\nEND:VTODO\n\
         BEGIN:VJOURNAL\nUID:j1\nSUMMARY:A day\nDTSTART;VALUE=DATE:20260710\nDESCRIPTION:It rained\nEND:VJOURNAL",
    );
    let (items, failures) = read_ics(&ics);
    assert_eq!(failures, []);
    let event = &items[0];
    assert_eq!((event.kind, event.title.as_str()), (Kind::Event, "Plan, then do"));
    assert_eq!(event.tags, ["Work", "Team", "Plan"]);
    let addresses: Vec<_> = event.people.iter().filter_map(|p| p.address.as_deref()).collect();
    assert_eq!(addresses, ["ann@example.org", "bo@example.org"]);
    let data = event.event.as_ref().expect("event data");
    assert_eq!((data.location.as_str(), data.status.as_str()), ("Room 4", "tentative"));
    assert_eq!((items[1].kind, items[1].tags[0].as_str()), (Kind::Note, "task"));
    assert_eq!(items[1].when.as_ref().map(|w| w.start), Some(at("2026-07-11T00:00:00Z")));
    assert_eq!(items[2].sections[0].text, "It rained");
}

#[test]
fn endless_and_hostile_rules_are_bounded_and_say_so() {
    let secondly = event("DTSTART:20000101T000000Z\nRRULE:FREQ=SECONDLY");
    let got = expand(&secondly, at("2026-01-01T00:00:00Z")..at("2026-01-02T00:00:00Z"), 10);
    assert!(got.cut && got.occurrences.is_empty());
    let daily = event("DTSTART:19500101T080000Z\nRRULE:FREQ=DAILY");
    let got = expand(&daily, at("2026-01-01T00:00:00Z")..at("2026-02-01T00:00:00Z"), 5);
    assert!(got.cut);
    assert_eq!(got.occurrences.len(), 5);
    let never = event("DTSTART:20260101T080000Z\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30");
    assert_eq!(expand(&never, ALWAYS, 10).occurrences.len(), 1, "only its own start");
    for rule in
        ["FREQ=DAILY;INTERVAL=0", "FREQ=BOGUS", "FREQ=WEEKLY;BYDAY=99MO;COUNT=4294967295", ""]
    {
        let ics = event(&format!("DTSTART:20260101T080000Z\nRRULE:{rule}"));
        assert!(expand(&ics, ALWAYS, 10).occurrences.len() <= 10, "{rule}");
    }
}

#[test]
fn a_broken_component_costs_only_itself() {
    let ics = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:a\nSUMMARY:First\nDTSTART:20260101T080000Z\nEND:VEVENT\n\
               BEGIN:VEVENT\nUID:b\nSUMMARY:No date\nDTSTART:2026-13-45\nEND:VEVENT\n\
               BEGIN:VEVENT\nUID:c\nSUMMARY:Cut";
    let (items, failures) = read_ics(ics);
    let titles: Vec<&str> = items.iter().map(|i| i.title.as_str()).collect();
    assert_eq!(titles, ["First", "No date"]);
    assert!(items[1].remarks.iter().any(|r| r.contains("no start")), "{:?}", items[1].remarks);
    assert_eq!(failures.len(), 1);
    assert!(failures[0].reason.contains("inside a component"));
}
