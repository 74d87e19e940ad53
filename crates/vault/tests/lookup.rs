//! Promises of the typed look-ups. All people are invented.

mod life;

use life::Life;
use vault::item::Kind;
use vault::lookup::items::{Filter, Order};
use vault::search::Interval;

const CARD: &str = "BEGIN:VCARD\r\nVERSION:4.0\r\nUID:anna-1\r\nFN:Anna Meier\r\nEMAIL;TYPE=work:anna.meier@example.org\r\n\
    EMAIL;TYPE=home:anna@home.example\r\nTEL:+49 30 123\r\nEND:VCARD\r\n";

const SERIES: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//\r\nBEGIN:VEVENT\r\nUID:choir-1\r\nSUMMARY:Choir\r\n\
    DTSTART:20260602T180000Z\r\nDTEND:20260602T190000Z\r\nRRULE:FREQ=WEEKLY\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\n\
    UID:dentist-1\r\nSUMMARY:Dentist\r\nDTSTART:20260610T083000Z\r\nDTEND:20260610T090000Z\r\nLOCATION:Harbour Street 2\r\n\
    END:VEVENT\r\nEND:VCALENDAR\r\n";

/// 2026-06-01T00:00:00Z
const JUNE: i64 = 1_780_272_000;
const DAY: i64 = 86_400;

#[test]
fn the_same_address_is_the_same_person_and_the_same_name_is_not() {
    let life = Life::new();
    life.write(
        "1.eml",
        "From: Anna <anna@a.example>\nTo: me@example.org\nSubject: x\nMessage-ID: <1@x>\n\nhello",
    );
    life.write("2.eml", "From: Anna M. <anna@a.example>\nTo: me@example.org\nSubject: x\nMessage-ID: <2@x>\n\nhello again");
    life.write(
        "3.eml",
        "From: Anna <anna@b.example>\nTo: me@example.org\nSubject: x\nMessage-ID: <3@x>\n\nother",
    );
    life.sync();
    let people = life.vault.people("anna").unwrap();
    let addresses: Vec<&str> = people.iter().map(|p| p.addresses[0].as_str()).collect();
    assert_eq!(addresses, ["anna@a.example", "anna@b.example"]);
    assert_eq!(people[0].n_items, 2);
}

#[test]
fn a_contact_card_ties_addresses_and_its_removal_unties_them() {
    let life = Life::new().small();
    life.write("new.eml", "From: A <anna@home.example>\nTo: ben.okafor@example.org\nSubject: Key\nMessage-ID: <k@x>\n\nThe key is under the mat.");
    life.write("anna.vcf", CARD);
    life.sync();
    let people = life.vault.people("Anna Meier").unwrap();
    assert_eq!(people.len(), 1);
    assert_eq!(people[0].addresses, ["anna.meier@example.org", "anna@home.example"]);
    assert_eq!(life.titles("from:\"Anna Meier\" key"), ["Key"]);
    let (_, card) = life.vault.contact_card(&people[0]).unwrap().unwrap();
    assert!(card.fields.iter().any(|(_, value)| value.contains("30 123")), "{card:?}");
    std::fs::remove_file(life.files().join("anna.vcf")).unwrap();
    life.sync();
    assert_eq!(life.vault.people("anna.meier@example.org").unwrap()[0].addresses.len(), 1);
}

#[test]
fn the_owner_can_merge_two_people_and_split_them_again() {
    let life = Life::new().small();
    let anna = life.vault.people("anna").unwrap().remove(0);
    let ben = life.vault.people("ben").unwrap().remove(0);
    life.vault.merge(&anna, &ben).unwrap();
    let both = life.vault.people("anna").unwrap().remove(0);
    assert_eq!(both.identifiers.len(), 2);
    life.vault.split(&both, ben.identifiers[0]).unwrap();
    assert_eq!(life.vault.people("anna").unwrap()[0].identifiers, anna.identifiers);
}

#[test]
fn repeating_events_are_found_in_any_week_and_counted_once() {
    let life = Life::new();
    life.write("c.ics", SERIES);
    life.sync();
    let week = Interval { start: JUNE + 7 * DAY, end: JUNE + 14 * DAY };
    let titles: Vec<String> =
        life.vault.events_between(week, false).unwrap().all.into_iter().map(|o| o.title).collect();
    assert_eq!(titles, ["Choir", "Dentist"]);
    let far = life.vault.next_events(JUNE + 3_650 * DAY, 2).unwrap();
    assert_eq!(far.len(), 2);
    assert!(far.iter().all(|occasion| occasion.title == "Choir"));
    assert_eq!(life.titles("choir in:2027-01"), ["Choir"]);
    assert!(life.titles("dentist in:2027-01").is_empty());
}

#[test]
fn busy_time_is_joined_and_clipped() {
    let life = Life::new();
    life.write("c.ics", SERIES);
    life.sync();
    let start = JUNE + 9 * DAY + 8 * 3_600 + 45 * 60;
    let busy = life.vault.busy(Interval { start, end: JUNE + 10 * DAY }).unwrap();
    assert_eq!(busy, [Interval { start, end: JUNE + 9 * DAY + 9 * 3_600 }]);
}

#[test]
fn counts_and_lists_follow_their_filter() {
    let life = Life::new().small();
    let mails = Filter { kinds: vec![Kind::Mail], ..Filter::default() };
    assert_eq!(life.vault.count(&mails).unwrap(), 2);
    let from_ben = Filter { from: vec!["ben".into()], ..mails.clone() };
    assert_eq!(life.vault.count(&from_ben).unwrap(), 1);
    let nobody = Filter { from: vec!["zacharias".into()], ..mails.clone() };
    assert_eq!(life.vault.count(&nobody).unwrap(), 0);
    let first = life.vault.list(&mails, Order::Oldest, 1).unwrap();
    assert_eq!(first[0].title, "Lisbon trip");
    let last = life.vault.list(&mails, Order::Newest, 1).unwrap();
    assert_eq!(last[0].title, "Re: Lisbon trip");
    assert_eq!(last[0].date, "Wed 3 Jun 2026 09:00");
}

#[test]
fn a_thread_follows_references_and_not_a_short_subject() {
    let life = Life::new().small();
    life.mail("mail/7.eml", "Cleo Roux", "Anna Meier", "Re: Hello", "7", None, "One.");
    life.mail("mail/8.eml", "Dara Kim", "Anna Meier", "Re: Hello", "8", None, "Two.");
    life.mail(
        "mail/9.eml",
        "Dara Kim",
        "Anna Meier",
        "Re: Lisbon trip",
        "9",
        Some("77"),
        "Lost before me.",
    );
    life.mail("mail/10.eml", "Cleo Roux", "Anna Meier", "Re: other", "10", Some("77"), "Also.");
    life.sync();
    let thread_of = |words: &str| {
        let id = life.search(words).hits[0].id;
        life.vault.thread(id).unwrap().into_iter().map(|entry| entry.title).collect::<Vec<_>>()
    };
    assert_eq!(thread_of("ferry"), ["Lisbon trip", "Re: Lisbon trip"]);
    assert_eq!(thread_of("one from:cleo"), ["Re: Hello"]);
    // Two replies to a message that is not here meet.
    assert_eq!(thread_of("lost before"), ["Re: Lisbon trip", "Re: other"]);
}

#[test]
fn the_owner_is_guessed_and_what_waits_for_them_is_listed() {
    let life = Life::new().small();
    life.mail(
        "mail/3.eml",
        "Cleo Roux",
        "Anna Meier",
        "Dinner on Friday",
        "3",
        None,
        "Will you come?",
    );
    life.mail(
        "mail/4.eml",
        "Dara Kim",
        "Anna Meier",
        "Slides for Monday",
        "4",
        None,
        "Here they are.",
    );
    life.mail(
        "mail/5.eml",
        "Anna Meier",
        "Dara Kim",
        "Re: Slides for Monday",
        "5",
        Some("4"),
        "Thanks!",
    );
    life.sync();
    let owner = life.vault.owner().unwrap();
    assert_eq!(
        (owner.addresses.as_slice(), owner.guessed),
        (["anna.meier@example.org".to_owned()].as_slice(), true)
    );
    let waiting: Vec<String> =
        life.vault.unanswered(0, 10).unwrap().into_iter().map(|entry| entry.title).collect();
    assert_eq!(waiting, ["Dinner on Friday", "Re: Lisbon trip"]);
    let card = life.vault.found_card(JUNE).unwrap();
    assert_eq!(card.kinds, [("mail".to_owned(), 5), ("note".to_owned(), 1)]);
    assert!(card.people.iter().all(|person| person.name != "Anna Meier"));
    assert_eq!(card.years, [(2026, 5)]);
}

#[test]
fn the_told_owner_wins_over_the_guess() {
    let life = Life::new().small();
    life.vault.set_owner(&["Ben".into()], &["Ben.Okafor@example.org".into()]).unwrap();
    let owner = life.vault.owner().unwrap();
    assert_eq!((owner.addresses[0].as_str(), owner.guessed), ("ben.okafor@example.org", false));
    assert!(life.vault.unanswered(0, 10).unwrap().is_empty());
}

#[test]
fn spam_waits_for_nobody_and_a_birthday_is_no_attachment() {
    let life = Life::new();
    life.vault.set_owner(&["Ben".into()], &["ben.okafor@example.org".into()]).unwrap();
    life.mail("in/1.eml", "Anna Meier", "Ben Okafor", "Tickets", "1", None, "Shall I buy them?");
    life.mail(
        "Junk E-mail/2.eml",
        "Ann Onym",
        "Ben Okafor",
        "Offer",
        "2",
        None,
        "Shall I buy them?",
    );
    let marked = "X-Spam-Flag: YES\r\nFrom: Cy <cy@example.org>\r\nTo: ben.okafor@example.org\r\n\
                  Date: 09 Jun 2026 09:00:00 +0000\r\nMessage-ID: <9@x>\r\nSubject: Win\r\n\r\nnow";
    life.write("in/3.eml", marked);
    life.write(
        "anna.vcf",
        "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Anna Meier\r\nBDAY:1988-02-29\r\nEND:VCARD\r\n",
    );
    life.sync();
    let waiting: Vec<String> =
        life.vault.unanswered(0, 10).unwrap().into_iter().map(|entry| entry.title).collect();
    assert_eq!(waiting, ["Tickets"]);
    let status = life.vault.status().unwrap();
    assert_eq!((status.items, status.attachments, status.birthdays), (4, 0, 1));
    assert_eq!(status.sources.iter().map(|source| source.items).sum::<u64>(), status.items);
    assert_eq!(status.kinds, [("mail".to_owned(), 3), ("contact".to_owned(), 1)]);
    assert!(life.vault.found_card(JUNE).unwrap().attachments.is_empty());
    // The mail that Anna wrote comes before the birthday that the program made of her card.
    let found = life.titles("Anna Meier");
    let place = |title: &str| found.iter().position(|known| known == title).unwrap();
    assert!(place("Tickets") < place("Birthday of Anna Meier"), "{found:?}");
    assert_eq!(life.titles("birthday Anna")[0], "Birthday of Anna Meier");
}
