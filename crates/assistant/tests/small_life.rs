//! Promises of the assistant on a small life made here: a few mails, a calendar, contacts and notes.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use assistant::answer::{Answer, Event, Step};
use assistant::history::Turn;
use assistant::{Assistant, Choosing, Options};
use vault::store::Vault;

/// Today is Tuesday 24 November 2026 in Berlin.
fn options() -> Options {
    Options { now: "2026-11-24T10:30[Europe/Berlin]".parse().expect("valid"), ..Options::default() }
}

struct Life {
    _folder: tempfile::TempDir,
    assistant: Assistant,
}

fn mail(id: &str, from: &str, date: &str, subject: &str, body: &str) -> String {
    format!(
        "From: {from}\r\nTo: Robin Owner <robin@owner.example>\r\nDate: {date}\r\nMessage-ID: <{id}@x.example>\r\nSubject: {subject}\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\r\n{body}\r\n"
    )
}

const CALENDAR: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\n\
BEGIN:VEVENT\r\nUID:dentist@x\r\nDTSTART;TZID=Europe/Berlin:20261202T090000\r\nDTEND;TZID=Europe/Berlin:20261202T093000\r\n\
SUMMARY:Dentist appointment\r\nLOCATION:Goethestr. 4\r\nEND:VEVENT\r\n\
BEGIN:VEVENT\r\nUID:choir@x\r\nDTSTART;TZID=Europe/Berlin:20261006T190000\r\nDTEND;TZID=Europe/Berlin:20261006T210000\r\n\
RRULE:FREQ=WEEKLY;COUNT=12\r\nSUMMARY:Choir rehearsal\r\nLOCATION:St. Marien\r\n\
ORGANIZER;CN=Mira Sand:mailto:mira@choir.example\r\nEND:VEVENT\r\n\
BEGIN:VEVENT\r\nUID:norway@x\r\nDTSTART;VALUE=DATE:20260801\r\nDTEND;VALUE=DATE:20260815\r\n\
SUMMARY:Norway\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

const CONTACTS: &str = "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Anna Meier\r\nEMAIL;TYPE=home:anna@meier.example\r\nTEL;TYPE=cell:+49 171 3920001\r\n\
TEL;TYPE=work:+49 30 23125 111\r\nBDAY:19880229\r\nEND:VCARD\r\n\
BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Edith Owner\r\nNICKNAME:Mum\r\nTEL:+44 117 496 0199\r\nEND:VCARD\r\n\
BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Mira Sand\r\nEMAIL:mira@choir.example\r\nTEL:+49 30 23125 222\r\nEND:VCARD\r\n\
BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Tom Okafor\r\nEMAIL:tom@okafor.example\r\nTEL:+49 30 23125 333\r\nEND:VCARD\r\n";

fn life() -> Life {
    let folder = tempfile::tempdir().expect("a folder");
    let files = folder.path().join("files");
    let put = |name: &str, text: &str| {
        let path = files.join(name);
        fs::create_dir_all(path.parent().expect("inside")).expect("made");
        fs::write(path, text).expect("written");
    };
    let anna = "Anna Meier <anna@meier.example>";
    let tom = "Tom Okafor <tom@okafor.example>";
    put(
        "mail/1.eml",
        &mail(
            "m1",
            anna,
            "Fri, 08 May 2026 09:00:00 +0200",
            "Removal firm",
            "Hi Robin,\r\n\r\nthe removal firm looked at our furniture yesterday. The removal firm wants 1,250 euros.\r\n\r\nAnna",
        ),
    );
    put(
        "mail/2.eml",
        &mail(
            "m2",
            anna,
            "Mon, 18 May 2026 18:00:00 +0200",
            "Re: Removal firm",
            "Hi Robin,\r\n\r\nthe removal firm wants 1,390 euros now because of the piano.\r\n\r\nAnna",
        ),
    );
    put(
        "mail/3.eml",
        &mail(
            "m3",
            tom,
            "Wed, 18 Nov 2026 08:00:00 +0100",
            "Canoe",
            "Robin, the canoe has a crack. I found it on Sunday under the bench.\r\n\r\nTom",
        ),
    );
    put(
        "mail/4.eml",
        &mail(
            "m4",
            tom,
            "Thu, 19 Nov 2026 08:00:00 +0100",
            "Glue",
            "The glue for the canoe is called Seafix 9. Can you buy two tubes?\r\n\r\nTom",
        ),
    );
    put(
        "mail/5.eml",
        &mail(
            "m5",
            "Jens Lund <jens@lund.example>",
            "Mon, 16 Nov 2026 08:00:00 +0100",
            "Garage",
            "Guten Tag,\r\n\r\ndie Miete für die Garage beträgt ab Januar 92,50 € statt bisher 85,00 €.\r\n\r\nJens Lund",
        ),
    );
    put("calendar/home.ics", CALENDAR);
    put("contacts/all.vcf", CONTACTS);
    put(
        "notes/cat.md",
        "# The cat\n\nMinka eats 60 grams of dry food a day.\n\nThe vet is Dr. Lund.\n",
    );
    let vault = Vault::open(&folder.path().join("vault")).expect("a vault");
    let source = vault.add(Path::new(&files)).expect("added");
    vault.sync(Some(source), &AtomicBool::new(false), &mut |_| {}).expect("synced");
    vault.set_owner(&["Robin Owner".to_owned()], &["robin@owner.example".to_owned()]).expect("set");
    Life { _folder: folder, assistant: Assistant::new(vault) }
}

impl Life {
    fn ask(&self, question: &str) -> Answer {
        self.assistant.ask(question, &[], &options(), &mut |_| {}).expect("answered")
    }

    /// Every quote stands at its offsets in the stored text.
    fn assert_quotes(&self, answer: &Answer) {
        for source in answer.sources.iter().chain(&answer.nearest) {
            let text = self.assistant.vault().text(source.id).expect("read").expect("there");
            assert_eq!(
                text.get(source.start..source.end),
                Some(source.quote.as_str()),
                "{answer:?}"
            );
        }
    }
}

#[test]
fn a_relative_date_in_a_source_is_resolved_beside_its_words() {
    let life = life();
    let answer = life.ask("When did the removal firm look at our furniture?");
    assert_eq!(answer.step, Step::Template);
    assert!(answer.answer.starts_with("7 May 2026."), "{}", answer.answer);
    assert!(answer.answer.contains("“yesterday” = 7 May 2026"), "{}", answer.answer);
    life.assert_quotes(&answer);
}

#[test]
fn the_newest_statement_wins_and_the_older_one_is_mentioned() {
    let life = life();
    let answer = life.ask("How much does the removal firm want?");
    assert!(answer.sources[0].quote.contains("1,390"), "{answer:?}");
    assert!(answer.answer.contains("Earlier"), "{}", answer.answer);
    assert!(answer.sources[1].quote.contains("1,250"), "{answer:?}");
    life.assert_quotes(&answer);
}

#[test]
fn phone_numbers_come_from_the_card_and_the_place_asked_for_is_chosen() {
    let life = life();
    let answer = life.ask("What is Anna's mobile number?");
    assert_eq!(answer.step, Step::Lookup);
    assert!(answer.answer.contains("+49 171 3920001"), "{}", answer.answer);
    assert!(!answer.answer.contains("111"), "{}", answer.answer);
    life.assert_quotes(&answer);
}

#[test]
fn the_organiser_of_an_event_leads_to_their_phone_number() {
    let life = life();
    let answer = life.ask("What is the phone number of the organiser of the choir rehearsal?");
    assert!(answer.answer.contains("+49 30 23125 222"), "{}", answer.answer);
    assert_eq!(answer.sources.len(), 2, "the card and what led to it: {answer:?}");
    life.assert_quotes(&answer);
}

#[test]
fn a_birthday_on_29_february_gives_the_right_age() {
    let life = life();
    let answer = life.ask("How old is Anna?");
    assert!(answer.answer.contains("is 38"), "{answer:?}");
}

#[test]
fn events_are_counted_and_found_in_the_calendar() {
    let life = life();
    let count = life.ask("How many choir rehearsals are there in November?");
    assert_eq!(count.step, Step::Lookup);
    assert!(count.answer.starts_with("4 times"), "{}", count.answer);
    let next = life.ask("When is my next dentist appointment?");
    assert!(next.answer.contains("Wednesday 2 December 2026, 09:00–09:30"), "{}", next.answer);
    let last = life.ask("When is the last choir rehearsal?");
    assert!(last.answer.contains("22 December 2026"), "{}", last.answer);
}

#[test]
fn being_free_is_read_from_the_calendar() {
    let life = life();
    assert!(life.ask("Am I free tonight?").answer.starts_with("No"));
    assert!(life.ask("Am I free tomorrow evening?").answer.starts_with("Yes"));
}

#[test]
fn mails_are_counted_by_sender_and_time() {
    let life = life();
    let answer = life.ask("How many mails did Tom send me last week?");
    assert_eq!(answer.step, Step::Lookup);
    assert!(answer.answer.starts_with("2 mails"), "{}", answer.answer);
    assert_eq!(answer.reading.times, ["last week = 16–22 Nov 2026"]);
}

#[test]
fn a_swapped_person_is_refused_with_what_was_found() {
    let life = life();
    let answer = life.ask("Where did Mira find the crack in the canoe?");
    assert_eq!(answer.step, Step::Abstain, "{}", answer.answer);
    assert!(
        answer
            .nearest
            .iter()
            .any(|source| source.quote.contains("crack") || source.title == "Canoe"),
        "{answer:?}"
    );
    assert!(answer.searched.contains("5 mails"), "{}", answer.searched);
    life.assert_quotes(&answer);
}

#[test]
fn what_no_source_says_is_refused() {
    let life = life();
    assert_eq!(life.ask("What is my blood type?").step, Step::Abstain);
    assert_eq!(life.ask("Which university did Tom attend?").step, Step::Abstain);
}

#[test]
fn a_doubtful_answer_says_so_and_quotes_what_comes_nearest() {
    let life = life();
    let answer = life.ask("Why did the firm come?");
    assert_eq!(answer.step, Step::Quote, "{}", answer.answer);
    let mut lines = answer.answer.lines();
    assert!(lines.next().expect("an opening").starts_with("I am not sure"));
    let marks: Vec<bool> =
        lines.enumerate().map(|(n, line)| line.contains(&format!("[{}]", n + 1))).collect();
    assert!(
        (2..=3).contains(&marks.len()) && marks.iter().all(|&cited| cited),
        "{}",
        answer.answer
    );
    life.assert_quotes(&answer);
}

#[test]
fn a_follow_up_keeps_the_person_of_the_turn_before() {
    let life = life();
    let history = [Turn {
        question: "What glue did Tom recommend?".to_owned(),
        answer: "Seafix 9".to_owned(),
    }];
    let answer =
        life.assistant.ask("And his phone?", &history, &options(), &mut |_| {}).expect("answered");
    assert!(answer.answer.contains("+49 30 23125 333"), "{}", answer.answer);
}

#[test]
fn sources_are_streamed_before_the_sentence() {
    let life = life();
    let mut order = Vec::new();
    let mut note = |event: Event| {
        order.push(match event {
            Event::Reading(_) => "reading",
            Event::Sources(sources) => {
                assert!(!sources.is_empty());
                "sources"
            }
            Event::Text(_) => "text",
            Event::Done(_) => "done",
        });
    };
    life.assistant
        .ask("How much does Minka eat a day?", &[], &options(), &mut note)
        .expect("answered");
    assert_eq!(order, ["reading", "sources", "text", "done"]);
}

#[test]
fn a_summary_without_a_model_is_the_sources_own_words() {
    let life = life();
    let answer = life.ask("Summarize the mails about the canoe");
    assert_eq!(answer.step, Step::Quote);
    assert!(answer.sources.len() >= 2);
    life.assert_quotes(&answer);
}

#[test]
fn a_question_in_english_finds_what_is_said_in_german() {
    let life = life();
    let answer = life.ask("How much is the rent for the garage?");
    assert!(answer.sources[0].quote.contains("85,00"), "{answer:?}");
    life.assert_quotes(&answer);
}

#[test]
fn a_rise_is_worked_out_from_the_two_amounts_that_are_stated() {
    let life = life();
    let answer = life.ask("By how much does the rent for the garage rise?");
    assert!(answer.answer.starts_with("7.50: 92.50 − 85"), "{}", answer.answer);
}

#[test]
fn a_mother_is_whoever_the_contacts_call_mum() {
    let life = life();
    let answer = life.ask("What is my mother's phone number?");
    assert!(answer.answer.contains("+44 117 496 0199"), "{}", answer.answer);
}

#[test]
fn what_somebody_wrote_last_is_their_newest_mail() {
    let life = life();
    let answer = life.ask("What did Tom Okafor write last?");
    assert_eq!(answer.step, Step::Lookup);
    assert!(answer.sources[0].title == "Glue" && answer.answer.contains("Seafix 9"), "{answer:?}");
    life.assert_quotes(&answer);
}

#[test]
fn what_is_next_in_the_calendar_is_the_next_event() {
    let life = life();
    let answer = life.ask("What is next in my calendar?");
    assert_eq!(answer.step, Step::Lookup);
    assert!(answer.answer.contains("Choir rehearsal"), "{}", answer.answer);
}

#[test]
fn an_event_that_is_not_on_the_day_asked_about_is_a_wrong_premise() {
    let life = life();
    let answer = life.ask("At what time is the choir rehearsal on 3 December?");
    assert_eq!(answer.step, Step::Abstain, "{}", answer.answer);
    assert!(answer.answer.contains("not on 3 Dec 2026"), "{}", answer.answer);
}

#[test]
fn the_last_day_of_a_holiday_is_where_it_ends() {
    let life = life();
    let answer = life.ask("When was the last day in Norway?");
    assert!(answer.answer.starts_with("Friday 14 August 2026"), "{}", answer.answer);
}

#[test]
fn the_day_of_an_event_is_a_time_like_any_other() {
    let life = life();
    let answer = life.ask("What do I have on the day of the dentist appointment?");
    assert!(answer.reading.times[0].ends_with("= 2 Dec 2026"), "{:?}", answer.reading);
    assert!(answer.answer.contains("Dentist appointment"), "{}", answer.answer);
}

#[test]
fn a_reading_that_is_taken_away_leaves_its_words() {
    let life = life();
    let question = "How many mails did Tom send me last week?";
    let without = |taken: &str| {
        let options = Options { without: vec![taken.to_owned()], ..options() };
        life.assistant.ask(question, &[], &options, &mut |_| {}).expect("answered").reading
    };
    assert_eq!(without("last week = 16–22 Nov 2026").times, Vec::<String>::new());
    assert_eq!(without("Tom Okafor").people, Vec::<String>::new());
    assert_eq!(without("mail").kinds, Vec::<String>::new());
    assert_eq!(without("nothing of this").people, ["Tom Okafor"]);
}

#[test]
fn an_empty_vault_is_said_to_be_empty() {
    let folder = tempfile::tempdir().expect("a folder");
    let vault = Vault::open(folder.path()).expect("a vault");
    let answer =
        Assistant::new(vault).ask("Who am I?", &[], &options(), &mut |_| {}).expect("answered");
    assert_eq!(answer.step, Step::Abstain);
    assert!(answer.answer.contains("an empty vault"));
}

#[test]
fn no_question_makes_it_panic() {
    let life = life();
    let strange = [
        "",
        "?",
        "   ",
        "「」",
        "from:anna",
        "\"unclosed",
        "kind:nonsense what",
        "a:b:c",
        "🦀🦀",
        "in 99999999 years",
        "wer?",
        "𝕱",
        "-",
        "ß",
    ];
    for question in strange {
        life.ask(question);
    }
    life.ask(&"very ".repeat(20_000));
}

/// The test model, or `None` (with a message) when it is not here.
fn smollm() -> Option<infer::Engine> {
    let folder = std::env::var_os("POLYMATH_TEST_MODELS").map(std::path::PathBuf::from);
    let folder = folder
        .unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../../.cache/models").into());
    let path = folder.join("SmolLM2-135M-Instruct.Q4_1.gguf");
    if !path.exists() {
        eprintln!("skipped: {} is not here; POLYMATH_TEST_MODELS names the folder", path.display());
        return None;
    }
    Some(infer::Engine::load(&path, 2).expect("loaded"))
}

#[test]
fn a_model_that_chooses_writes_no_word_and_a_small_one_is_not_asked() {
    let Some(engine) = smollm() else { return };
    let life = life();
    let (assistant, _folder) = (life.assistant.with_engine(engine), life._folder);
    let mut life = Life { _folder, assistant };
    // No lookup answers these, and no sentence of the vault surely does.
    let doubtful =
        ["What colour is the canoe?", "Which food does Minka hate?", "Is the canoe broken?"];
    for question in doubtful {
        let answer = life.ask(question);
        assert!(answer.step != Step::Choose && answer.tokens.prompt == 0, "{answer:?}");
    }
    life.assistant = life.assistant.with_choosing(Choosing::Always);
    let mut n_chosen = 0;
    for question in doubtful {
        let answer = life.ask(question);
        life.assert_quotes(&answer);
        assert!(answer.tokens.prompt > 0 && answer.tokens.generated == 0, "{answer:?}");
        match answer.step {
            Step::Choose => {
                n_chosen += 1;
                // Which passage it chooses hangs on the last bits; the answer shows a paragraph's end as a space.
                let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
                let quote = words(&answer.sources[0].quote);
                assert!(words(&answer.answer).contains(&quote), "{answer:?}");
            }
            step => assert_eq!(step, Step::Abstain, "{answer:?}"),
        }
        assert_eq!(answer, Answer { timings_ms: answer.timings_ms.clone(), ..life.ask(question) });
    }
    assert!(n_chosen > 0, "it never chose");
}
