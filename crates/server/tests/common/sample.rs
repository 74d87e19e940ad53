//! A house in memory: one invented person, a handful of items, answers written down beforehand. Everything in it
//! is fiction. It lets the HTTP layer and the page be tested without a vault on disk or a model.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use assistant::answer::{Answer, Event, Reading, Source, Step, Timings, TokenCounts};
use server::Error;
use server::backend::*;
use server::runs::{RunFolders, RunState};
use server::stream::Cancel;

/// When the tests look at runs: a minute after the made-up run's last record.
const MOMENT: ledger::Timestamp = ledger::Timestamp::constant(1_795_511_700, 0);

struct Entry {
    id: i64,
    kind: &'static str,
    title: &'static str,
    path: &'static str,
    date: &'static str,
    people: &'static [(&'static str, &'static str)],
    text: &'static str,
    html: Option<&'static str>,
}

const ENTRIES: &[Entry] = &[
    Entry {
        id: 1,
        kind: "mail",
        title: "Re: Boiler appointment",
        path: "mail/archive.mbox",
        date: "Tue 17 Nov 2026, 09:12",
        people: &[("from", "Henrik Dahl"), ("to", "Mira Solberg")],
        text: "Hi Mira,\n\nthe part arrived this morning. I can come on Thursday 26 November between 8 and 10 and \
               replace the valve; it takes about an hour.\n\nPlease leave the cellar unlocked.\n\nHenrik Dahl\n\
               Dahl & Sons Heating, +47 55 01 02 03",
        html: Some(
            "<p>Hi Mira,</p><p>the part arrived <b>this morning</b>. See <a href=\"https://heating.example/offer\">the \
             offer</a>.</p><img src=\"https://tracker.example/pixel.gif\"><script>document.title='bad'</script>",
        ),
    },
    Entry {
        id: 2,
        kind: "event",
        title: "Choir concert, St. Mary's",
        path: "calendar/home.ics",
        date: "Sat 28 Nov 2026, 19:00",
        people: &[("organizer", "Ingrid Vik")],
        text: "Choir concert, St. Mary's\nSaturday 28 November 2026, 19:00 to 21:00\nMeet at 17:30 for the sound check.",
        html: None,
    },
    Entry {
        id: 3,
        kind: "note",
        title: "Lisbon in spring",
        path: "notes/travel/lisbon.md",
        date: "Sun 8 Nov 2026",
        people: &[],
        text: "Lisbon in spring\n\nFlights: 14 April, TP 1407, seat 12A.\nThe guest house is Casa da Luz, booked for five \
               nights, 412 euros, paid half.\nAsk Jonas whether he wants the early train to Sintra.",
        html: None,
    },
    Entry {
        id: 4,
        kind: "mail",
        title: "Sintra on the second day?",
        path: "mail/archive.mbox",
        date: "Fri 20 Nov 2026, 18:40",
        people: &[("from", "Jonas Berg"), ("to", "Mira Solberg")],
        text: "Early train is fine, I will be awake anyway. Shall I book the tickets for Pena?\n\nJonas",
        html: None,
    },
    Entry {
        id: 5,
        kind: "contact",
        title: "Henrik Dahl",
        path: "contacts/all.vcf",
        date: "",
        people: &[],
        text: "Henrik Dahl\nDahl & Sons Heating\n+47 55 01 02 03\nhenrik@heating.example",
        html: None,
    },
];

/// A kept answer: the question, the step, the sentence with its numbers, the items and their quoted words.
type Scripted = (&'static str, Step, &'static str, &'static [(i64, &'static str)]);

const ANSWERS: &[Scripted] = &[
    (
        "When does the heating engineer come?",
        Step::Template,
        "Henrik Dahl comes on Thursday, 26 November 2026, between 8 and 10 [1]. His number is +47 55 01 02 03 [2].",
        &[(1, "I can come on Thursday 26 November between 8 and 10"), (5, "+47 55 01 02 03")],
    ),
    (
        "What is planned for this weekend?",
        Step::Lookup,
        "One event from 28 to 29 November 2026:\n- Choir concert, St. Mary's, Saturday 19:00 to 21:00 [1]",
        &[(2, "Saturday 28 November 2026, 19:00 to 21:00")],
    ),
    (
        "Where do we stay in Lisbon?",
        Step::Quote,
        "“The guest house is Casa da Luz, booked for five nights, 412 euros, paid half.” [1]",
        &[(3, "The guest house is Casa da Luz, booked for five nights, 412 euros, paid half.")],
    ),
];

pub struct SampleHouse {
    pub settings: Mutex<Settings>,
    pub folder: PathBuf,
}

impl SampleHouse {
    pub fn new(folder: &Path) -> Self {
        SampleHouse { settings: Mutex::default(), folder: folder.into() }
    }

    /// Training runs are read from the test's own folder.
    fn run_folders(&self) -> RunFolders {
        RunFolders::new(vec![self.folder.join("runs")])
    }
}

fn source(number: usize, id: i64, quote: &str) -> Source {
    let entry = ENTRIES.iter().find(|entry| entry.id == id).expect("an entry of the sample");
    let start = entry.text.find(quote).expect("a quote of the entry");
    Source {
        number,
        id,
        path: entry.path.into(),
        title: entry.title.into(),
        kind: entry.kind.into(),
        date: entry.date.into(),
        start,
        end: start + quote.len(),
        quote: quote.into(),
        score: 1.0,
    }
}

fn hit(entry: &Entry) -> Hit {
    Hit {
        id: entry.id,
        kind: entry.kind.into(),
        title: entry.title.into(),
        path: entry.path.into(),
        date: entry.date.into(),
        people: entry.people.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(", "),
        snippet: entry.text.replace('\n', " "),
        ..Hit::default()
    }
}

impl Backend for SampleHouse {
    fn state(&self) -> State {
        let sample = LifeState {
            name: "Mira Solberg".into(),
            today: "Tuesday, 24 Nov 2026".into(),
            items: 1204,
            kinds: [("mail", 842), ("event", 211), ("note", 96), ("contact", 38), ("document", 17)]
                .map(|(kind, n)| (kind.to_string(), n))
                .into(),
            attachments: 57,
            questions: ANSWERS.iter().map(|answer| answer.0.to_string()).collect(),
            ..LifeState::default()
        };
        let model = |name: &str, purpose: &str, bytes, present| ModelState {
            name: name.into(),
            parameters: "135M".into(),
            bytes,
            licence: "Apache-2.0".into(),
            purpose: purpose.into(),
            runs: true,
            present,
            selected: true,
            downloading: (!present).then_some(bytes / 3),
            ..ModelState::default()
        };
        State {
            version: "0.0.0".into(),
            settings: self.settings.lock().unwrap().clone(),
            sample: Some(sample),
            own: LifeState { today: "Tuesday, 24 Nov 2026".into(), ..LifeState::default() },
            models: vec![
                model("smollm2-135m-instruct", "chat", 98_000_000, false),
                model("all-minilm-l6-v2", "embedding", 90_000_000, true),
            ],
            runs: self.run_folders().count(),
            outside: Outside::default(),
        }
    }

    fn save_settings(&self, settings: Settings) -> Result<(), Error> {
        *self.settings.lock().unwrap() = settings;
        Ok(())
    }

    fn ask(
        &self,
        _: Life,
        question: &Question,
        cancel: &Cancel,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<(), Error> {
        let kept = ANSWERS.iter().find(|answer| answer.0 == question.question);
        let mut times = vec!["this weekend = 28–29 Nov 2026".to_string()];
        times.retain(|time| {
            question.question.contains("weekend") && !question.without.contains(time)
        });
        let reading = Reading { intent: "when".into(), times, ..Reading::default() };
        on_event(Event::Reading(reading.clone()));
        let (step, sentence, quotes) = match kept {
            Some((_, step, sentence, quotes)) => (*step, *sentence, *quotes),
            None => (Step::Abstain, "I found nothing in your data that says so.", &[] as &[_]),
        };
        let sources: Vec<Source> =
            quotes.iter().enumerate().map(|(i, (id, quote))| source(i + 1, *id, quote)).collect();
        on_event(Event::Sources(sources.clone()));
        for piece in sentence.split_inclusive(' ') {
            if cancel.is_cancelled() {
                return Ok(());
            }
            on_event(Event::Text(piece.into()));
        }
        let nearest = match step {
            Step::Abstain => vec![source(1, 4, "Shall I book the tickets for Pena?")],
            _ => Vec::new(),
        };
        on_event(Event::Done(Box::new(Answer {
            answer: sentence.into(),
            sources,
            step,
            reading,
            searched: "842 mails, 211 events and 96 notes from 2019 to 2026".into(),
            nearest,
            timings_ms: Timings { understand: 0.4, search: 3.1, answer: 0.9, total: 4.4 },
            tokens: TokenCounts::default(),
        })));
        Ok(())
    }

    fn search(&self, _: Life, search: &Search) -> Result<Found, Error> {
        let words = search.q.to_lowercase();
        let fits = |entry: &&Entry| {
            let all = format!("{} {}", entry.title, entry.text).to_lowercase();
            words.split_whitespace().all(|word| all.contains(word))
                && (search.kind.is_empty() || search.kind == entry.kind)
                && (search.person.is_empty() || entry.people.iter().any(|p| p.1 == search.person))
        };
        let hits = ENTRIES.iter().filter(fits).map(hit).collect();
        Ok(Found { hits, ..Found::default() })
    }

    fn card(&self, life: Life) -> Result<Card, Error> {
        if life == Life::Own {
            return Ok(Card::default());
        }
        Ok(Card {
            items: 1204,
            years: "2019–2026".into(),
            people: [("Jonas Berg", 214), ("Ingrid Vik", 131), ("Henrik Dahl", 22)]
                .map(|(name, n)| (name.to_string(), n))
                .into(),
            events: ENTRIES.iter().filter(|entry| entry.kind == "event").map(hit).collect(),
            unanswered: ENTRIES.iter().filter(|entry| entry.id == 4).map(hit).collect(),
            attachments: vec![("PDF".into(), "application/pdf".into(), 41)],
        })
    }

    fn status(&self, life: Life) -> Result<Status, Error> {
        if life == Life::Own {
            return Ok(Status::default());
        }
        let source = |id, path: &str, there, here, failed| SourceStatus {
            id,
            path: path.into(),
            there,
            here,
            failed,
            reachable: true,
            synced: "24 Nov 2026, 08:02".into(),
            ..SourceStatus::default()
        };
        let failure = Why {
            path: "documents/scan-0007.pdf".into(),
            state: "failed".into(),
            reason: "the file ends in the middle; open it in a viewer, or fetch it again".into(),
            ..Why::default()
        };
        Ok(Status {
            sources: vec![source(1, "life/mail", 843, 842, 1), source(2, "life/notes", 96, 96, 0)],
            items: 1204,
            text_bytes: 2_310_000,
            index_bytes: 1_870_000,
            pending_vectors: 312,
            n_failures: 1,
            failures: vec![failure],
        })
    }

    fn why(&self, _: Life, path: &str) -> Result<Vec<Why>, Error> {
        let fits = ENTRIES.iter().filter(|entry| entry.path.contains(path));
        let why = |entry: &Entry| Why {
            path: entry.path.into(),
            title: entry.title.into(),
            id: Some(entry.id),
            state: "indexed".into(),
            reason: "read as mbox, 3 passages".into(),
        };
        Ok(fits.map(why).collect())
    }

    fn item(&self, _: Life, id: i64) -> Result<Option<ItemView>, Error> {
        Ok(ENTRIES.iter().find(|entry| entry.id == id).map(|entry| ItemView {
            id,
            kind: entry.kind.into(),
            title: entry.title.into(),
            path: entry.path.into(),
            date: entry.date.into(),
            people: entry
                .people
                .iter()
                .map(|(role, name)| (role.to_string(), name.to_string()))
                .collect(),
            text: entry.text.into(),
            has_html: entry.html.is_some(),
            bytes: entry.text.len() as u64,
            media_type: "message/rfc822".into(),
            ..ItemView::default()
        }))
    }

    fn rich(&self, _: Life, id: i64) -> Result<Option<Rich>, Error> {
        let entry = ENTRIES.iter().find(|entry| entry.id == id);
        Ok(entry.and_then(|entry| entry.html).map(|html| Rich::Html(html.into())))
    }

    fn original(&self, _: Life, id: i64) -> Result<Option<Original>, Error> {
        Ok(ENTRIES.iter().find(|entry| entry.id == id).map(|entry| Original {
            bytes: entry.text.into(),
            media_type: "text/plain".into(),
            file_name: format!("{}.txt", entry.title),
        }))
    }

    fn add(&self, source: &Path, _: &Cancel, progress: OnProgress<'_>) -> Result<(), Error> {
        for items in [128, 256, 340] {
            progress(Progress {
                stage: "reading".into(),
                items,
                files: items,
                of_files: 340,
                people: items / 9,
                years: "2019–2026".into(),
                per_second: 2100.0,
                now: source.display().to_string(),
                ..Progress::default()
            });
        }
        Ok(())
    }

    fn sync(&self, _: Option<i64>, cancel: &Cancel, progress: OnProgress<'_>) -> Result<(), Error> {
        self.add(&self.folder, cancel, progress)
    }

    fn forget(&self, _: i64) -> Result<(), Error> {
        Ok(())
    }

    fn drop_folder(&self) -> Result<PathBuf, Error> {
        Ok(self.folder.clone())
    }

    fn pull(
        &self,
        model: &str,
        _: &Cancel,
        on_progress: &mut dyn FnMut(Download),
    ) -> Result<(), Error> {
        let name = model.to_string();
        on_progress(Download { name, bytes: 10, of: Some(10), from: "a test".into(), done: true });
        Ok(())
    }

    fn select(&self, model: &str) -> Result<(), Error> {
        Err(Error::NotFound {
            what: format!("model {model}"),
            hint: "choose one of the list".into(),
        })
    }

    fn runs(&self) -> Result<Vec<RunState>, Error> {
        Ok(self.run_folders().list(MOMENT))
    }

    fn run_page(&self, id: &str) -> Result<String, Error> {
        self.run_folders().page(id, MOMENT)
    }
}
