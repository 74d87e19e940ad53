//! The real house: two vaults (the invented person's and the owner's), the assistant over each, the models.
//!
//! ```text
//! HOME/vault          the owner's vault        HOME/models         fetched models (infer's hub)
//! HOME/sample         the sample life's vault  HOME/settings.json  theme, owner, chosen models
//! HOME/dropped        files dropped on the page  HOME/runs           training runs
//! ```
//! Nothing here decides anything: it holds the parts, hands requests to them and turns what they say into what the
//! page draws.

mod life;
mod mail_html;
mod notes;
mod reading;
mod sample;
mod shelf;
mod show;
mod speaker;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use assistant::answer::Event;
use assistant::embedding::VaultEmbedder;
use vault::embed::Embed;

pub use sample::SampleLife;

use crate::Error;
use crate::backend::{
    Backend, Card, Download, Found, ItemView, Life, OnProgress, Original, Question, Rich, Search,
    Settings, State, Status, Why,
};
use crate::openai::{Embedded, Fault, Generate, Generated, Models, Piece, Served};
use crate::runs::{RunFolders, RunState};
use crate::stream::Cancel;
use life::OneLife;
use notes::Notes;
use shelf::Shelf;
use speaker::Speaker;

pub struct HouseOptions {
    /// Where models, settings and the sample's vault live (`POLYMATH_HOME`).
    pub home: PathBuf,
    /// The owner's vault.
    pub vault: PathBuf,
    pub sample: Option<SampleLife>,
    /// The chat model to use instead of the chosen one: a name, a GGUF file or a model folder.
    pub model: Option<String>,
    /// A draft model for it: a name, a GGUF file or a model folder.
    pub draft: Option<String>,
    /// Whether to fetch the chosen models that are not here, in the background.
    pub fetch: bool,
    pub n_threads: usize,
    /// Folders of training runs beside `HOME/runs`: a run, or a folder of runs.
    pub runs: Vec<PathBuf>,
    /// Asked before weights are loaded, any weights; `None` loads what is asked for.
    pub gate: Option<Gate>,
}

/// Whether the weights at a path may be loaded; a refusal says why.
pub type Gate = Box<dyn Fn(&Path) -> Result<(), String> + Send + Sync>;

/// Everything behind the page.
pub struct House {
    home: PathBuf,
    own: Arc<OneLife>,
    sample: Option<Arc<OneLife>>,
    shelf: Arc<Shelf>,
    notes: Arc<Notes>,
    runs: RunFolders,
}

impl House {
    /// Opens the vaults, and begins in the background what takes time: reading the sample life, fetching models,
    /// making vectors.
    pub fn open(options: HouseOptions) -> Result<Arc<House>, Error> {
        let HouseOptions { home, vault, sample, model, draft, fetch, n_threads, runs, gate } =
            options;
        let runs = RunFolders::new([home.join("runs")].into_iter().chain(runs).collect());
        let notes = Arc::new(Notes::open(&home)?);
        let own = Arc::new(OneLife::own(&vault)?);
        let sample =
            sample.map(|sample| OneLife::sample(&home.join("sample"), sample)).transpose()?;
        let shelf =
            Arc::new(Shelf::new(&home, model, draft, Speaker::new(n_threads, gate), notes.clone()));
        let house = Arc::new(House { home, own, sample: sample.map(Arc::new), shelf, notes, runs });
        house.own.name_owner(&house.notes.settings().owner)?;
        let background = house.clone();
        std::thread::spawn(move || background.prepare(fetch));
        Ok(house)
    }

    /// Loads the model at `path` now with its draft, or says why the gate keeps one of them out or the draft does not fit. A
    /// model without a draft that does not load for another reason is let in: it may be one that embeds, and whoever asks
    /// for it is told.
    pub fn admit(&self, path: &Path) -> Result<(), String> {
        self.shelf.admit(path)
    }

    /// Runs once, on its own thread: first what the first screen needs, then what makes it better.
    fn prepare(&self, fetch: bool) {
        if let Some(sample) = &self.sample {
            sample.read_sample();
        }
        if fetch {
            self.shelf.fetch_embedding();
        }
        self.use_models();
        if fetch && self.shelf.fetch_chat() {
            self.use_models();
        }
    }

    /// Hands the models that are here to both assistants.
    fn use_models(&self) {
        let embedder = self
            .shelf
            .embedder()
            .map(|embedder| Arc::new(VaultEmbedder::new(embedder)) as Arc<dyn Embed>);
        let engine = self.shelf.engine();
        for life in self.sample.iter().chain([&self.own]) {
            life.use_models(embedder.clone(), engine.clone());
        }
    }

    fn life(&self, life: Life) -> Result<&OneLife, Error> {
        match life {
            Life::Own => Ok(&self.own),
            Life::Sample => self.sample.as_deref().ok_or_else(|| Error::NotFound {
                what: "the sample life".into(),
                hint: "this server was started without it; use your own".into(),
            }),
        }
    }
}

impl Backend for House {
    fn state(&self) -> State {
        State {
            version: env!("CARGO_PKG_VERSION").into(),
            settings: self.notes.settings(),
            sample: self.sample.as_ref().map(|life| life.state()),
            own: self.own.state(),
            models: self.shelf.list(),
            runs: self.runs.count(),
            outside: self.notes.outside(),
        }
    }

    fn save_settings(&self, settings: Settings) -> Result<(), Error> {
        self.own.name_owner(&settings.owner)?;
        self.notes.save_settings(settings)
    }

    fn ask(
        &self,
        life: Life,
        question: &Question,
        cancel: &Cancel,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<(), Error> {
        self.life(life)?.ask(question, cancel, on_event)
    }

    fn search(&self, life: Life, search: &Search) -> Result<Found, Error> {
        self.life(life)?.search(search)
    }

    fn card(&self, life: Life) -> Result<Card, Error> {
        self.life(life)?.card()
    }

    fn status(&self, life: Life) -> Result<Status, Error> {
        self.life(life)?.status()
    }

    fn why(&self, life: Life, path: &str) -> Result<Vec<Why>, Error> {
        self.life(life)?.why(path)
    }

    fn item(&self, life: Life, id: i64) -> Result<Option<ItemView>, Error> {
        self.life(life)?.item(id)
    }

    fn rich(&self, life: Life, id: i64) -> Result<Option<Rich>, Error> {
        self.life(life)?.rich(id)
    }

    fn original(&self, life: Life, id: i64) -> Result<Option<Original>, Error> {
        self.life(life)?.original(id)
    }

    fn add(&self, source: &Path, cancel: &Cancel, progress: OnProgress<'_>) -> Result<(), Error> {
        let id = self.own.vault().add(source).map_err(Error::vault)?;
        reading::read(&self.own, Some(id), cancel, progress)?;
        self.use_models();
        Ok(())
    }

    fn sync(
        &self,
        source: Option<i64>,
        cancel: &Cancel,
        progress: OnProgress<'_>,
    ) -> Result<(), Error> {
        let dropped = self.home.join("dropped");
        if source.is_none() && dropped.is_dir() {
            self.own.vault().add(&dropped).map_err(Error::vault)?;
        }
        reading::read(&self.own, source.map(vault::store::source::SourceId), cancel, progress)?;
        self.use_models();
        Ok(())
    }

    fn forget(&self, source: i64) -> Result<(), Error> {
        self.own.forget(source)
    }

    fn drop_folder(&self) -> Result<PathBuf, Error> {
        Ok(self.home.join("dropped"))
    }

    fn pull(
        &self,
        model: &str,
        cancel: &Cancel,
        on_progress: &mut dyn FnMut(Download),
    ) -> Result<(), Error> {
        self.shelf.pull(model, cancel, on_progress)?;
        self.use_models();
        Ok(())
    }

    fn select(&self, model: &str) -> Result<(), Error> {
        self.shelf.select(model)?;
        self.use_models();
        Ok(())
    }

    fn runs(&self) -> Result<Vec<RunState>, Error> {
        Ok(self.runs.list(ledger::Timestamp::now()))
    }

    fn run_page(&self, id: &str) -> Result<String, Error> {
        self.runs.page(id, ledger::Timestamp::now())
    }
}

impl Models for House {
    fn list(&self) -> Vec<Served> {
        self.shelf.served()
    }

    fn generate(
        &self,
        request: &Generate,
        cancel: &Cancel,
        on_start: &mut dyn FnMut(),
        on_piece: &mut dyn FnMut(&Piece),
    ) -> Result<Generated, Fault> {
        self.shelf.generate(request, cancel, on_start, on_piece)
    }

    fn embed(&self, model: &str, texts: &[String]) -> Result<Embedded, Fault> {
        self.shelf.embed(model, texts)
    }

    fn counters(&self) -> Vec<(String, infer::Counters)> {
        self.shelf.counters()
    }
}
