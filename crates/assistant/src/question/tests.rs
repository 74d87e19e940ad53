use super::names::{Directory, Known};
use super::*;

fn known(id: i64, name: &str) -> Known {
    Known {
        id,
        name: name.to_owned(),
        names: vec![name.to_owned()],
        addresses: Vec::new(),
        weight: 10,
        has_card: true,
    }
}

fn directory() -> Directory {
    Directory::new(vec![
        known(1, "Anna Meier"),
        known(2, "Zoë Marsh"),
        known(3, "Dr. Emre Kaya"),
        known(4, "Anna Kowalska"),
        known(5, "Jürgen Müller"),
    ])
}

fn ask(text: &str) -> Question {
    let now = "2026-11-24T10:30[Europe/Berlin]".parse().expect("valid");
    Question::read(text, &directory(), &now)
}

#[test]
fn question_words_of_three_languages_tell_what_is_asked_for() {
    use Intent::*;
    for (text, intent, wants) in [
        ("When does Anna arrive?", When, Wants::Date),
        ("Wann kommt Anna an?", When, Wants::Date),
        ("Quand arrive Anna ?", When, Wants::Date),
        ("On what day did we move?", When, Wants::Date),
        ("At what time does the concert begin?", When, Wants::Time),
        ("Um wie viel Uhr beginnt das Konzert?", When, Wants::Time),
        ("À quelle heure commence le concert ?", When, Wants::Time),
        ("Who repaired the boiler?", Who, Wants::Person),
        ("Wer hat die Heizung repariert?", Who, Wants::Person),
        ("Qui a réparé la chaudière ?", Who, Wants::Person),
        ("Where is the workshop?", Where, Wants::Place),
        ("Wo findet der Workshop statt?", Where, Wants::Place),
        ("Où est l'atelier ?", Where, Wants::Place),
        ("Why was the concert cancelled?", Why, Wants::Reason),
        ("Warum wurde das Konzert abgesagt?", Why, Wants::Reason),
        ("Pourquoi le concert est-il annulé ?", Why, Wants::Reason),
        ("How many guests are coming?", Count, Wants::Number),
        ("Wie viele Gäste kommen?", Count, Wants::Number),
        ("Combien de personnes viennent ?", Count, Wants::Number),
        ("How much did the kitchen cost?", Amount, Wants::Amount),
        ("Wie viel hat die Küche gekostet?", Amount, Wants::Amount),
        ("Combien coûtait le gîte ?", Amount, Wants::Amount),
        ("What is the monthly rent?", Amount, Wants::Amount),
        ("How long do I bake the bread?", Duration, Wants::Duration),
        ("Wie lange dauert die Fahrt?", Duration, Wants::Duration),
        ("How many days until the trip?", Duration, Wants::Duration),
        ("How old is Anna?", Age, Wants::Number),
        ("When is Anna's birthday?", Contact(Field::Birthday), Wants::Date),
        ("What is Dr. Kaya's phone number?", Contact(Field::Phone), Wants::Phone),
        ("Wie ist die Telefonnummer von Anna?", Contact(Field::Phone), Wants::Phone),
        ("What's Zoe's e-mail address?", Contact(Field::Mail), Wants::Mail),
        ("Where does Anna live?", Contact(Field::Address), Wants::Address),
        ("Am I free on Friday afternoon?", Free, Wants::Text),
        ("Bin ich am Freitag frei?", Free, Wants::Text),
        ("Suis-je libre vendredi ?", Free, Wants::Text),
        ("What do I have next Tuesday?", List, Wants::Text),
        ("Which mails did Anna send in May?", List, Wants::Text),
        ("Find the lease", Find, Wants::Text),
        ("When is my next appointment?", Next, Wants::Date),
        ("What is the latest mail from Anna?", Latest, Wants::Text),
        ("Did Anna pay the deposit?", YesNo, Wants::Text),
        ("Summarize the mails from Anna", Compose, Wants::Text),
        ("Tell me about the garden", Open, Wants::Text),
    ] {
        let question = ask(text);
        assert_eq!((question.intent, question.wants), (intent, wants), "{text}");
    }
}

#[test]
fn people_are_recognised_without_regard_to_case_and_accents() {
    let names = |text: &str| {
        ask(text).people.into_iter().map(|m| (m.name, m.ids.len())).collect::<Vec<_>>()
    };
    assert_eq!(names("What did Zoe say?"), [("Zoë Marsh".to_owned(), 1)]);
    assert_eq!(names("what did zoë say?"), [("Zoë Marsh".to_owned(), 1)]);
    assert_eq!(names("Was sagt Jürgen Müller?"), [("Jürgen Müller".to_owned(), 1)]);
    assert_eq!(names("When do I see Dr. Kaya?"), [("Dr. Emre Kaya".to_owned(), 1)]);
    assert_eq!(names("Where is the kayak?"), []);
}

#[test]
fn a_first_name_that_two_people_bear_stands_for_both() {
    let question = ask("What did Anna write?");
    assert_eq!(question.people[0].ids.len(), 2);
    assert_eq!(ask("What did Anna Kowalska write?").people[0].ids, [4]);
}

#[test]
fn the_words_around_a_name_say_how_the_person_takes_part() {
    let part = |text: &str| ask(text).people[0].part;
    assert_eq!(part("mails from Zoe"), Part::From);
    assert_eq!(part("What did Zoe say about the flat?"), Part::From);
    assert_eq!(part("What did I promise to Zoe?"), Part::To);
    assert_eq!(part("When do I meet with Zoe?"), Part::With);
    assert_eq!(part("What is Zoe's dog called?"), Part::Any);
}

#[test]
fn what_the_rules_used_up_is_no_topic() {
    let question = ask("How many mails did Zoe send about the removal firm last week?");
    assert_eq!(question.topic, ["removal", "firm"]);
    assert_eq!(question.kinds, [Kind::Mail]);
    assert!(question.countable);
    assert_eq!(question.times[0].text, "last week = 16–22 Nov 2026");
}

#[test]
fn a_number_that_a_source_states_is_not_a_count_of_items() {
    assert!(!ask("How many guests did the mail mention?").countable);
    assert!(ask("How many notes do I have?").countable);
}

#[test]
fn a_weekday_with_an_indefinite_article_is_a_filter_and_no_day() {
    let question = ask("When was the last lesson on a Monday?");
    assert_eq!(question.times, []);
    assert_eq!(question.weekday, Some(1));
}

#[test]
fn names_that_nobody_bears_are_kept_for_the_premise_check() {
    assert_eq!(ask("When did Lucas leave Studio Fennel?").names, ["Lucas", "Studio", "Fennel"]);
    assert_eq!(ask("Wann hat die Firma die Heizung repariert?").names, Vec::<String>::new());
}

#[test]
fn everyday_words_in_the_name_of_an_office_name_nobody() {
    let office = |id, name: &str, address: &str| Known {
        addresses: vec![address.to_owned()],
        has_card: false,
        ..known(id, name)
    };
    let directory = Directory::new(vec![
        office(1, "Mail Delivery System", "mailer-daemon@relay.example"),
        office(2, "Parcels Order Update", "order-update@parcels.example"),
        office(3, "Forge", "noreply@forge.example"),
        office(4, "Delia Order", "delia@order.example"),
        office(5, "Prize Desk International", "win@prizes.example"),
    ]);
    let now = "2026-11-24T10:30[Europe/Berlin]".parse().expect("valid");
    let people = |text: &str| -> Vec<i64> {
        let question = Question::read(text, &directory, &now);
        question.people.iter().flat_map(|mention| mention.ids.clone()).collect()
    };
    for text in [
        "who sent me mail about the boat?",
        "what did the delivery cost?",
        "when is the next system update?",
        "Which mail mentions the trailer?",
        "email for the appointments desk",
    ] {
        assert!(people(text).is_empty(), "{text}: {:?}", people(text));
    }
    assert_eq!(people("what did forge say about the build?"), [3], "a whole name");
    assert_eq!(people("what did the Mail Delivery System say?"), [1], "written as a name");
    assert_eq!(people("what did delia want?"), [4], "a person");
}

#[test]
fn the_number_of_things_is_no_telephone_number() {
    let phone = Intent::Contact(Field::Phone);
    assert_ne!(ask("What is the total number of crates after Anna's correction?").intent, phone);
    assert_eq!(ask("What is the number of Anna?").intent, phone);
    assert_eq!(ask("What is Anna's number?").intent, phone);
}
