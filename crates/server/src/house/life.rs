//! One life: a vault, the assistant over it, and the clock its questions are understood by.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use assistant::answer::Event;
use assistant::history::Turn;
use assistant::{Assistant, Options};
use infer::Engine;
use jiff::ZonedDateTime;
use vault::embed::Embed;
use vault::item::Kind;
use vault::lookup::items::{Filter, Order};
use vault::search::{Interval, Query};
use vault::store::Vault;
use vault::store::source::SourceId;
use vault::when::{self, Lean};

use super::{SampleLife, show};
use crate::Error;
use crate::backend::{
    Card, Chip, Found, Hit, ItemView, LifeState, Original, Question, Rich, Search, SourceStatus,
    Status, Why,
};
use crate::stream::Cancel;

/// Mail older than this waits for no answer any more.
const WAITS_S: i64 = 60 * 86_400;
/// How long counts may be shown before they are counted again.
const FRESH: Duration = Duration::from_millis(800);
/// Longest original that is rendered for looking at.
const MAX_RICH_BYTES: usize = 24 << 20;

pub(super) struct OneLife {
    vault: Vault,
    assistant: Mutex<Arc<Assistant>>,
    embedder: Mutex<Option<Arc<dyn Embed>>>,
    /// The moment this life stands still at; `None` lives in the present.
    stands_at: Option<ZonedDateTime>,
    /// The sample's files and questions.
    files: Option<PathBuf>,
    questions: Vec<String>,
    note: Mutex<String>,
    counted: Mutex<Option<(Instant, LifeState)>>,
    learning: Mutex<()>,
}

/// A time expression in a query: where it stands, what it means.
struct Time {
    words: std::ops::Range<usize>,
    text: String,
    interval: Interval,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl OneLife {
    pub(super) fn own(folder: &Path) -> Result<Self, Error> {
        Self::new(folder, None, None, Vec::new())
    }

    pub(super) fn sample(folder: &Path, sample: SampleLife) -> Result<Self, Error> {
        Self::new(folder, Some(sample.now), Some(sample.files), sample.questions)
    }

    fn new(
        folder: &Path,
        stands_at: Option<ZonedDateTime>,
        files: Option<PathBuf>,
        questions: Vec<String>,
    ) -> Result<Self, Error> {
        let vault = Vault::open(folder).map_err(Error::vault)?;
        Ok(OneLife {
            assistant: Mutex::new(Arc::new(Assistant::new(vault.clone()))),
            vault,
            embedder: Mutex::default(),
            stands_at,
            files,
            questions,
            note: Mutex::default(),
            counted: Mutex::default(),
            learning: Mutex::default(),
        })
    }

    pub(super) fn vault(&self) -> &Vault {
        &self.vault
    }

    pub(super) fn now(&self) -> ZonedDateTime {
        self.stands_at.clone().unwrap_or_else(ZonedDateTime::now)
    }

    fn now_s(&self) -> i64 {
        self.now().timestamp().as_second()
    }

    /// Reads the sample's files into its vault; on later starts nothing has changed and it takes a moment.
    pub(super) fn read_sample(&self) {
        let Some(files) = &self.files else { return };
        *lock(&self.note) = "Reading the sample life…".into();
        let read = || -> vault::error::Result<_> {
            let id = self.vault.add(files)?;
            self.vault.sync(Some(id), Cancel::default().flag(), &mut |_| {})
        };
        *lock(&self.note) = match catch_unwind(AssertUnwindSafe(read)) {
            Ok(Ok(_)) => String::new(),
            Ok(Err(error)) => format!("The sample life could not be read: {error}"),
            Err(_) => "Reading the sample life broke off; the terminal says why.".into(),
        };
        self.recount();
    }

    /// Tells the vault who "I" am.
    pub(super) fn name_owner(&self, name: &str) -> Result<(), Error> {
        if name.trim().is_empty() {
            return Ok(());
        }
        let known = self.vault.people(name).map_err(Error::vault)?;
        let addresses = known.first().map(|person| person.addresses.clone()).unwrap_or_default();
        self.recount();
        self.vault.set_owner(&[name.trim().to_owned()], &addresses).map_err(Error::vault)
    }

    /// Answers with these models from now on. With an embedder, what has no vector yet gets one in the background.
    pub(super) fn use_models(
        self: &Arc<Self>,
        embedder: Option<Arc<dyn Embed>>,
        engine: Option<Engine>,
    ) {
        let mut assistant = Assistant::new(self.vault.clone());
        if let Some(engine) = engine {
            assistant = assistant.with_engine(engine);
        }
        if let Some(embedder) = &embedder {
            assistant = assistant.with_embedder(embedder.clone());
        }
        *lock(&self.assistant) = Arc::new(assistant);
        lock(&self.embedder).clone_from(&embedder);
        let (Some(embedder), life) = (embedder, self.clone()) else { return };
        std::thread::spawn(move || {
            // One learner per life; a second one finds nothing left to do.
            let _turn = lock(&life.learning);
            let learned =
                life.vault.embed_pending(embedder.as_ref(), Cancel::default().flag(), &mut |_| {
                    life.recount();
                });
            if let Err(error) = learned {
                *lock(&life.note) = format!("Finding by meaning is not complete: {error}");
            }
            life.recount();
        });
    }

    /// The counts shown are old: count again when next asked.
    pub(super) fn recount(&self) {
        if let Some((at, _)) = lock(&self.counted).as_mut()
            && let Some(past) = at.checked_sub(FRESH)
        {
            *at = past;
        }
    }

    pub(super) fn forget(&self, source: i64) -> Result<(), Error> {
        self.vault.forget(SourceId(source)).map_err(Error::vault)?;
        self.recount();
        Ok(())
    }

    pub(super) fn state(&self) -> LifeState {
        let mut counted = lock(&self.counted);
        if let Some((at, state)) = counted.as_ref()
            && at.elapsed() < FRESH
        {
            return LifeState { note: lock(&self.note).clone(), ..state.clone() };
        }
        let state = self
            .count()
            .unwrap_or_else(|error| LifeState { note: error.to_string(), ..LifeState::default() });
        *counted = Some((Instant::now(), state.clone()));
        let note = lock(&self.note).clone();
        if note.is_empty() { state } else { LifeState { note, ..state } }
    }

    fn count(&self) -> Result<LifeState, Error> {
        let status = self.vault.status().map_err(Error::vault)?;
        let owner = self.vault.owner().map_err(Error::vault)?;
        let mut kinds = status.kinds;
        kinds.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        let mut state = LifeState {
            name: owner.names.first().cloned().unwrap_or_default(),
            today: show::day(&self.now()),
            items: status.items,
            kinds,
            attachments: status.attachments,
            pending_vectors: status.vectors_there.saturating_sub(status.vectors_here),
            questions: self.questions.clone(),
            note: String::new(),
        };
        if state.questions.is_empty() && state.items > 0 {
            let friend = self.vault.top_people(1).map_err(Error::vault)?;
            state.questions =
                show::first_questions(&state, friend.first().map(|person| person.name.as_str()));
        }
        Ok(state)
    }

    pub(super) fn ask(
        &self,
        question: &Question,
        cancel: &Cancel,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<(), Error> {
        let history: Vec<Turn> = question
            .history
            .iter()
            .map(|said| Turn { question: said.question.clone(), answer: said.answer.clone() })
            .collect();
        let options = Options {
            now: self.now(),
            without: question.without.clone(),
            cancel: cancel.generation().clone(),
            ..Options::default()
        };
        let assistant = lock(&self.assistant).clone();
        let mut pass_on = |event| {
            if !cancel.is_cancelled() {
                on_event(event);
            }
        };
        assistant
            .ask(&question.question, &history, &options, &mut pass_on)
            .map_err(|error| Error::Failed(error.to_string()))?;
        Ok(())
    }

    pub(super) fn search(&self, search: &Search) -> Result<Found, Error> {
        let begun = Instant::now();
        if !search.list.is_empty() {
            let hits = self.list(search)?;
            return Ok(Found { hits, chips: Vec::new(), ms: begun.elapsed().as_secs_f64() * 1e3 });
        }
        let plain = Query {
            text: search.q.clone(),
            kinds: show::kind_named(&search.kind).into_iter().collect(),
            people: (!search.person.is_empty())
                .then(|| search.person.clone())
                .into_iter()
                .collect(),
            limit: search.limit,
            typing: true,
            ..Query::default()
        };
        let embedder = lock(&self.embedder).clone();
        let look = |time: &Option<Time>| {
            let mut query = plain.clone();
            if let Some(time) = time {
                query.text.replace_range(time.words.clone(), " ");
                query.interval = Some(time.interval);
            }
            self.vault.search(&query, embedder.as_deref()).map_err(Error::vault)
        };
        // "in February" without a year: when the likelier one holds nothing, the one before it may.
        let mut time = self.time_in(&search.q, Lean::Either);
        let mut found = look(&time)?;
        if found.hits.is_empty() && time.is_some() {
            time = self.time_in(&search.q, Lean::Past);
            found = look(&time)?;
        }
        // Filters that came from fields are on the page already.
        let typed = found.chips.into_iter().filter(|chip| !chip.words.is_empty());
        let shown = |chip: vault::search::Chip| Chip {
            text: if chip.known {
                chip.shown
            } else {
                format!("{}: nobody and nothing", chip.shown)
            },
            words: chip.words,
        };
        let time_chip =
            time.map(|time| Chip { text: time.text, words: search.q[time.words].to_owned() });
        let chips = time_chip.into_iter().chain(typed.map(shown)).collect();
        let mut hits: Vec<Hit> = found.hits.into_iter().map(show::found).collect();
        for hit in &mut hits {
            if let Some(item) = self.vault.item(hit.id).map_err(Error::vault)? {
                hit.people = show::people(&item.people);
            }
        }
        Ok(Found { hits, chips, ms: begun.elapsed().as_secs_f64() * 1e3 })
    }

    /// The first time expression of a query.
    fn time_in(&self, text: &str, lean: Lean) -> Option<Time> {
        // `in:2026-06` is a filter of the vault's own.
        let outside_filter = |words: &std::ops::Range<usize>| !text[..words.start].ends_with(':');
        let time = when::find(text, &self.now(), lean).into_iter().find(|time| {
            outside_filter(&time.words) && text[time.words.clone()].chars().any(char::is_alphabetic)
        })?;
        let (start, end) = (time.start.max(i64::MIN / 2), time.end.min(i64::MAX / 2));
        Some(Time { words: time.words, text: time.text, interval: Interval { start, end } })
    }

    /// Lists that are not searches.
    fn list(&self, search: &Search) -> Result<Vec<Hit>, Error> {
        let listed = match search.list.as_str() {
            "unanswered" => self
                .vault
                .unanswered(self.now_s() - WAITS_S, search.limit)
                .map(|all| all.iter().map(show::entry).collect()),
            "upcoming" => self
                .vault
                .next_events(self.now_s(), search.limit)
                .map(|all| all.iter().map(show::occasion).collect()),
            "attachments" => {
                let filter = Filter {
                    attached: Some(true),
                    media_type: (!search.media.is_empty()).then(|| search.media.clone()),
                    title: (!search.q.is_empty()).then(|| search.q.clone()),
                    ..Filter::default()
                };
                self.vault
                    .list(&filter, Order::Newest, search.limit)
                    .map(|all| all.iter().map(show::entry).collect())
            }
            other => return Err(Error::BadRequest(format!("there is no list {other:?}"))),
        };
        listed.map_err(Error::vault)
    }

    pub(super) fn card(&self) -> Result<Card, Error> {
        let card = self.vault.found_card(self.now_s()).map_err(Error::vault)?;
        let named = card.people.iter().filter(|person| !person.name.is_empty());
        Ok(Card {
            items: card.kinds.iter().map(|(_, n)| n).sum(),
            years: show::years(&card.years),
            people: named.take(8).map(|person| (person.name.clone(), person.n_items)).collect(),
            events: card.next_events.iter().map(show::occasion).collect(),
            unanswered: card.unanswered.iter().map(show::entry).collect(),
            attachments: card
                .attachments
                .into_iter()
                .map(|(media, n)| (show::media_name(&media), media, n))
                .collect(),
        })
    }

    pub(super) fn status(&self) -> Result<Status, Error> {
        let status = self.vault.status().map_err(Error::vault)?;
        let now = self.now();
        let source = |source: vault::status::SourceStatus| SourceStatus {
            id: source.id.0,
            path: source.root.display().to_string(),
            reachable: source.reachable,
            there: source.files_there,
            here: source.files_here,
            failed: source.failed,
            excluded: source.excluded,
            items: source.items,
            synced: source.synced_at.map(|at| show::moment(at, &now)).unwrap_or_default(),
        };
        let failure = |unread: vault::status::Unread| Why {
            path: if unread.part.is_empty() {
                unread.path
            } else {
                format!("{} ({})", unread.path, unread.part)
            },
            title: String::new(),
            id: None,
            state: "failed".into(),
            reason: format!("{}; {}", unread.reason, unread.hint),
        };
        Ok(Status {
            sources: status.sources.into_iter().map(source).collect(),
            items: status.items,
            text_bytes: status.text_bytes,
            index_bytes: status.database_bytes,
            pending_vectors: status.vectors_there.saturating_sub(status.vectors_here),
            n_failures: status.n_failures,
            failures: status.failures.into_iter().map(failure).collect(),
        })
    }

    pub(super) fn why(&self, path: &str) -> Result<Vec<Why>, Error> {
        let all = self.vault.why(path).map_err(Error::vault)?;
        let title = |id: Option<i64>| -> String {
            id.and_then(|id| self.vault.item(id).ok().flatten())
                .map_or(String::new(), |item| item.entry.title)
        };
        Ok(all
            .into_iter()
            .take(50)
            .map(|why| {
                let title = title(why.item);
                show::why(why, title)
            })
            .collect())
    }

    pub(super) fn item(&self, id: i64) -> Result<Option<ItemView>, Error> {
        let (Some(item), Some(text)) = (
            self.vault.item(id).map_err(Error::vault)?,
            self.vault.text(id).map_err(Error::vault)?,
        ) else {
            return Ok(None);
        };
        let mut related = Vec::new();
        if let Some(parent) = item.entry.parent
            && let Some(parent) = self.vault.item(parent).map_err(Error::vault)?
        {
            related.push(show::related("Attached to", &parent.entry));
        }
        let attached = self.vault.attachments(id).map_err(Error::vault)?;
        let relation = if item.entry.kind == Kind::Mail { "Attachments" } else { "Belongs to it" };
        related.extend(attached.iter().map(|entry| show::related(relation, entry)));
        if item.entry.thread.is_some() {
            let thread = self.vault.thread(id).map_err(Error::vault)?;
            let others = thread.iter().filter(|entry| entry.id != id);
            related.extend(others.map(|entry| show::related("In the same conversation", entry)));
        }
        Ok(Some(show::item(item, text, related)))
    }

    pub(super) fn rich(&self, id: i64) -> Result<Option<Rich>, Error> {
        let Some(item) = self.vault.item(id).map_err(Error::vault)? else { return Ok(None) };
        let bytes = self.vault.bytes(id).map_err(Error::vault)?;
        let bytes = &bytes[..bytes.len().min(MAX_RICH_BYTES)];
        let text = || String::from_utf8_lossy(bytes).into_owned();
        let plain = || self.vault.text(id).map_err(Error::vault).map(|text| text.map(Rich::Plain));
        match item.entry.media_type.as_str() {
            "text/markdown" => Ok(Some(Rich::Markdown(text()))),
            "text/html" => Ok(Some(Rich::Html(text()))),
            kind if kind.starts_with("message/") => match super::mail_html::html_of(bytes) {
                Some(html) => Ok(Some(Rich::Html(html))),
                None => plain(),
            },
            _ => plain(),
        }
    }

    pub(super) fn original(&self, id: i64) -> Result<Option<Original>, Error> {
        let Some(item) = self.vault.item(id).map_err(Error::vault)? else { return Ok(None) };
        let bytes = self.vault.bytes(id).map_err(Error::vault)?;
        let ending = match item.entry.media_type.as_str() {
            kind if kind.starts_with("message/") => ".eml",
            "text/calendar" => ".ics",
            "text/vcard" | "text/x-vcard" => ".vcf",
            _ => "",
        };
        let name = if ending.is_empty() && item.entry.parent.is_none() {
            &item.entry.path
        } else {
            &item.entry.title
        };
        Ok(Some(Original {
            bytes,
            media_type: item.entry.media_type.clone(),
            file_name: format!("{name}{ending}"),
        }))
    }
}
