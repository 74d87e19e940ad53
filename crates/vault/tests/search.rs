//! Promises of sync and search, on a small life written by hand. All people are invented.

mod life;

use life::Life;
use vault::item::Kind;
use vault::search::{Interval, Query};

#[test]
fn a_word_finds_the_mail_that_says_it_and_marks_it() {
    let life = Life::new().small();
    let found = life.search("ferry tickets");
    assert_eq!(found.hits[0].title, "Lisbon trip");
    assert_eq!(found.hits[0].kind, Kind::Mail);
    let hit = &found.hits[0];
    let marked: Vec<&str> = hit.matches.iter().map(|range| &hit.snippet[range.clone()]).collect();
    assert!(marked.contains(&"ferry") && marked.contains(&"tickets"), "{marked:?}");
    let text = life.vault.text(hit.id).unwrap().unwrap();
    assert!(text[hit.first..hit.last].contains("ferry tickets"));
}

#[test]
fn filters_hold_exactly() {
    let life = Life::new().small();
    let titles = |text: &str| life.titles(text);
    assert_eq!(titles("from:ben lisbon"), ["Re: Lisbon trip"]);
    assert_eq!(titles("kind:note lisbon"), ["Packing"]);
    assert_eq!(titles("lisbon in:2026-07"), Vec::<String>::new());
    let mut june = titles("lisbon in:2026-06 kind:mail");
    june.sort();
    assert_eq!(june, ["Lisbon trip", "Re: Lisbon trip"]);
    assert_eq!(titles("lisbon on:2026-06-03"), ["Re: Lisbon trip"]);
    assert_eq!(titles("from:zacharias lisbon"), Vec::<String>::new());
}

#[test]
fn an_interval_is_checked_to_the_second() {
    let life = Life::new().small();
    // The first mail is of 2026-06-02 09:00 UTC.
    let at = 1_780_390_800;
    let within = |start, end| {
        let interval = Some(Interval { start, end });
        let query = Query { text: "ferry".into(), interval, ..Query::default() };
        life.vault.search(&query, None).unwrap().hits.len()
    };
    assert_eq!(within(at, at + 1), 1);
    assert_eq!(within(at + 1, at + 3_600), 0);
    assert_eq!(within(at - 3_600, at), 0);
}

#[test]
fn quoted_words_must_stand_in_that_order() {
    let life = Life::new().small();
    assert_eq!(life.titles("\"ferry tickets\""), ["Lisbon trip"]);
    assert!(life.titles("\"tickets ferry\"").is_empty());
}

#[test]
fn a_quoted_phrase_is_found_behind_hundreds_of_better_matches_that_do_not_say_it() {
    let life = Life::new();
    for n in 0..600 {
        life.write(&format!("{n}.md"), &format!("# Note {n}\n\nharbour {n}: lantern"));
    }
    let long = "Filler words of no use stand all around here. ".repeat(12);
    life.write("long.md", &format!("# Found\n\n{long}Bring the harbour lantern. {long}"));
    life.sync();
    assert_eq!(life.titles("\"harbour lantern\""), ["Found"]);
}

#[test]
fn hits_are_the_same_however_their_texts_are_packed() {
    let life = Life::new();
    // Long ones fill blocks of their own, short ones share; some take several blocks.
    for n in 0..40 {
        let text =
            format!("The ferry number {n} waits.\n\n{}", "Nothing else. ".repeat(n * n * 10));
        life.write(&format!("{n:02}.md"), &format!("# Ferry {n}\n\n{text}"));
    }
    life.sync();
    let query = Query { text: "ferry waits".into(), limit: 100, ..Query::default() };
    let found = life.vault.search(&query, None).unwrap();
    assert_eq!(found.hits.len(), 40);
    for hit in found.hits {
        let text = life.vault.text(hit.id).unwrap().unwrap();
        assert!(text[hit.first..hit.last].contains(&hit.snippet), "{}", hit.title);
        let number = hit.title.strip_prefix("Ferry ").unwrap();
        assert!(hit.snippet.contains(&format!("number {number} waits")), "{}", hit.snippet);
    }
}

#[test]
fn a_filter_is_shown_as_a_chip_and_says_when_nobody_has_the_name() {
    let life = Life::new().small();
    let found = life.search("from:ben kind:mail lisbon");
    let chips: Vec<(&str, &str, bool)> =
        found.chips.iter().map(|c| (c.field.as_str(), c.shown.as_str(), c.known)).collect();
    assert_eq!(chips, [("kind", "mail", true), ("from", "Ben Okafor", true)]);
    let found = life.search("from:zacharias lisbon");
    assert!(!found.chips[0].known);
}

#[test]
fn a_begun_word_already_finds() {
    let life = Life::new().small();
    let typed = |text: &str| {
        let query = Query { text: text.into(), typing: true, ..Query::default() };
        life.vault.search(&query, None).unwrap().hits.len()
    };
    assert!(typed("fer") >= 1);
    assert!(typed("okaf") >= 1);
    assert_eq!(typed("fer "), 0);
}

#[test]
fn inflected_and_unaccented_words_find_each_other() {
    let life = Life::new();
    life.write("de.md", "# Werkstatt\n\nDie Rechnungen für die Müllers liegen bei.");
    life.sync();
    assert_eq!(life.titles("rechnung muller"), ["Werkstatt"]);
}

#[test]
fn filters_alone_list_the_newest_first() {
    let life = Life::new().small();
    assert_eq!(life.titles("kind:mail"), ["Re: Lisbon trip", "Lisbon trip"]);
}

#[test]
fn the_message_before_helps_to_find_a_reply() {
    let life = Life::new();
    // The reply sorts before the message it answers, so it is read first.
    life.mail(
        "b.eml",
        "Anna Meier",
        "Ben Okafor",
        "Question",
        "1",
        None,
        "Which submarine museum opens late?",
    );
    life.mail(
        "a.eml",
        "Ben Okafor",
        "Anna Meier",
        "Re: Question",
        "2",
        Some("1"),
        "The old one, I think.",
    );
    life.sync();
    let mut titles = life.titles("submarine");
    titles.sort();
    assert_eq!(titles, ["Question", "Re: Question"]);
}

#[test]
fn copies_of_one_mail_are_one_hit() {
    let life = Life::new();
    for folder in ["inbox", "all"] {
        life.mail(
            &format!("{folder}/1.eml"),
            "Anna Meier",
            "Ben Okafor",
            "Boat",
            "1",
            None,
            "The yellow boat.",
        );
    }
    life.sync();
    let found = life.search("yellow boat");
    assert_eq!(found.hits.len(), 1);
    assert_eq!(found.hits[0].copies.len(), 1);
}
