//! What the page asks of the house, as plain data.
//!
//! The HTTP layer knows vault and assistant only through [`Backend`]. [`crate::house`] is the real one; the tests
//! bring one that lives in memory, so that who-may-do-what and the page itself are tested without model files.

use std::path::{Path, PathBuf};

use assistant::answer::Event;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::runs::RunState;
use crate::stream::Cancel;

/// Whose data: the invented person's, to try Polymath on, or the owner's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Life {
    Sample,
    Own,
}

/// Everything the page needs to draw itself the first time, and again after changes.
#[derive(Debug, Clone, Serialize)]
pub struct State {
    pub version: String,
    pub settings: Settings,
    /// Absent when no sample life was handed to the server.
    pub sample: Option<LifeState>,
    pub own: LifeState,
    pub models: Vec<ModelState>,
    /// Training runs that can be looked at.
    pub runs: u64,
    pub outside: Outside,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct LifeState {
    /// The person's name, as the greeting shows it; may be empty.
    pub name: String,
    /// The clock its questions are understood by, as people read it: "Tuesday, 24 Nov 2026".
    pub today: String,
    pub items: u64,
    /// (kind, count), most frequent first; they add up to `items`.
    pub kinds: Vec<(String, u64)>,
    /// Files that hang on mails, not counted among the items.
    pub attachments: u64,
    /// Passages whose vectors are still to be made.
    pub pending_vectors: u64,
    /// Questions to click that this life can answer.
    pub questions: Vec<String>,
    /// Set while the life is being read or when it could not be opened.
    pub note: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// `light`, `dark` or `system`.
    pub theme: String,
    /// The owner's name, so that "my" and "me" mean somebody.
    pub owner: String,
}

/// What went over the network since the program started. Requests to loopback do not count.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Outside {
    pub sent_bytes: u64,
    pub received_bytes: u64,
    /// One sentence per transfer: what was fetched and from where.
    pub transfers: Vec<String>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct ModelState {
    pub name: String,
    pub family: String,
    /// "135M", as people say it.
    pub parameters: String,
    pub bytes: u64,
    pub licence: String,
    /// `chat` or `embedding`.
    pub purpose: String,
    /// Whether this version of Polymath can run it.
    pub runs: bool,
    pub present: bool,
    /// Loaded, or to be loaded by the next question.
    pub selected: bool,
    /// Bytes here so far, while a download runs.
    pub downloading: Option<u64>,
    /// What the last download failed with.
    pub failure: String,
}

/// What is asked: the words, what was said before, and readings the person removed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Question {
    pub question: String,
    pub history: Vec<Said>,
    /// Interpretations the person took away: a time ("last week = …"), a name, a kind.
    pub without: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Said {
    pub question: String,
    pub answer: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Search {
    pub q: String,
    pub kind: String,
    pub person: String,
    /// A prepared list: `unanswered`, `upcoming`, `attachments`; empty for a search.
    pub list: String,
    /// For attachments: their media type.
    pub media: String,
    pub limit: usize,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Found {
    pub hits: Vec<Hit>,
    /// Filters that were read out of the words, each removable.
    pub chips: Vec<Chip>,
    pub ms: f64,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Chip {
    /// "last week = 16–22 Nov 2026"
    pub text: String,
    /// What to take out of the query to remove it.
    pub words: String,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Hit {
    pub id: i64,
    pub kind: String,
    pub title: String,
    pub path: String,
    pub date: String,
    pub people: String,
    pub snippet: String,
    /// Bytes of the snippet that match.
    pub matches: Vec<(usize, usize)>,
    /// Where the passage stands in the item's text, in bytes; equal when there is none.
    pub start: usize,
    pub end: usize,
}

/// One item, ready to be read.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ItemView {
    pub id: i64,
    pub kind: String,
    pub title: String,
    pub path: String,
    pub date: String,
    /// (role, name or address), in the item's order.
    pub people: Vec<(String, String)>,
    /// (label, value): place, repetition, address card fields, tags.
    pub fields: Vec<(String, String)>,
    /// The stored text that citations point into.
    pub text: String,
    /// Items that belong to it: attachments, the thread; (id, relation, title, date).
    pub related: Vec<Related>,
    pub media_type: String,
    pub bytes: u64,
    /// Whether `/html` shows more than the text does.
    pub has_html: bool,
    pub remarks: Vec<String>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Related {
    pub id: i64,
    pub relation: String,
    pub title: String,
    pub date: String,
}

/// The original's rich form, not yet safe to show.
#[derive(Debug, Clone)]
pub enum Rich {
    /// Nothing but words.
    Plain(String),
    Html(String),
    Markdown(String),
}

#[derive(Debug, Clone)]
pub struct Original {
    pub bytes: Vec<u8>,
    pub media_type: String,
    pub file_name: String,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Why {
    pub path: String,
    pub title: String,
    pub id: Option<i64>,
    /// `indexed`, `pending`, `no text`, `failed`, `excluded`, `unknown`
    pub state: String,
    pub reason: String,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Status {
    pub sources: Vec<SourceStatus>,
    pub items: u64,
    pub text_bytes: u64,
    pub index_bytes: u64,
    pub pending_vectors: u64,
    pub n_failures: u64,
    /// The first hundred.
    pub failures: Vec<Why>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct SourceStatus {
    pub id: i64,
    pub path: String,
    pub reachable: bool,
    /// Files the source holds, and those read whole.
    pub there: u64,
    pub here: u64,
    pub failed: u64,
    pub excluded: u64,
    pub items: u64,
    /// When it was last read, or empty.
    pub synced: String,
}

/// The "what I found" card: each row leads somewhere.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Card {
    pub items: u64,
    pub years: String,
    /// (name, items)
    pub people: Vec<(String, u64)>,
    pub events: Vec<Hit>,
    pub unanswered: Vec<Hit>,
    /// (kind of file in words, media type, count)
    pub attachments: Vec<(String, String, u64)>,
}

/// A reading of files under way; the last one says `done` or `error`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Progress {
    /// `reading`, then `done`.
    pub stage: String,
    pub items: u64,
    pub files: u64,
    pub of_files: u64,
    pub people: u64,
    /// "2019–2026"
    pub years: String,
    pub per_second: f64,
    pub seconds_left: Option<f64>,
    pub failures: u64,
    /// Something to say about it, or empty.
    pub now: String,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Download {
    pub name: String,
    pub bytes: u64,
    pub of: Option<u64>,
    pub from: String,
    pub done: bool,
}

pub type OnProgress<'a> = &'a mut dyn FnMut(Progress);

/// The house behind the page. Every call may block; the HTTP layer calls from blocking threads only.
pub trait Backend: Send + Sync + 'static {
    fn state(&self) -> State;
    fn save_settings(&self, settings: Settings) -> Result<(), Error>;

    fn ask(
        &self,
        life: Life,
        question: &Question,
        cancel: &Cancel,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<(), Error>;
    fn search(&self, life: Life, search: &Search) -> Result<Found, Error>;
    fn card(&self, life: Life) -> Result<Card, Error>;
    fn status(&self, life: Life) -> Result<Status, Error>;
    fn why(&self, life: Life, path: &str) -> Result<Vec<Why>, Error>;

    fn item(&self, life: Life, id: i64) -> Result<Option<ItemView>, Error>;
    fn rich(&self, life: Life, id: i64) -> Result<Option<Rich>, Error>;
    fn original(&self, life: Life, id: i64) -> Result<Option<Original>, Error>;

    /// Adds a folder or file of this machine to the owner's vault and reads it.
    fn add(&self, source: &Path, cancel: &Cancel, progress: OnProgress<'_>) -> Result<(), Error>;
    /// Reads again what changed, in one source or all.
    fn sync(
        &self,
        source: Option<i64>,
        cancel: &Cancel,
        progress: OnProgress<'_>,
    ) -> Result<(), Error>;
    fn forget(&self, source: i64) -> Result<(), Error>;
    /// The folder that files dropped on the page are kept in.
    fn drop_folder(&self) -> Result<PathBuf, Error>;

    fn pull(
        &self,
        model: &str,
        cancel: &Cancel,
        on_progress: &mut dyn FnMut(Download),
    ) -> Result<(), Error>;
    fn select(&self, model: &str) -> Result<(), Error>;

    /// Training runs, the last written first.
    fn runs(&self) -> Result<Vec<RunState>, Error>;
    /// The report of one of them, as HTML.
    fn run_page(&self, id: &str) -> Result<String, Error>;
}
