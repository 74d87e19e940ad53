//! The models: which are here, fetching others, which ones are in use.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::UNIX_EPOCH;

use infer::hub::registry::{DEFAULT_CHAT, DEFAULT_EMBED, Task, named};
use infer::hub::{Entry, Hub, Stage};
use infer::{Embedder, Engine};

use super::notes::Notes;
use super::speaker::{Speaker, Unloaded};
use crate::Error;
use crate::backend::{Download, ModelState};
use crate::openai::{Embedded, Fault, Generate, Generated, Piece, Served};
use crate::stream::Cancel;

/// A download under way or failed, by model name.
#[derive(Debug, Clone, Default)]
struct Fetch {
    bytes: Option<u64>,
    failure: String,
}

pub(super) struct Shelf {
    hub: Hub,
    /// The model that the program was started with, instead of the chosen one.
    given: Option<String>,
    /// What guesses for the given model.
    draft: Option<String>,
    notes: Arc<Notes>,
    speaker: Speaker,
    fetches: Mutex<HashMap<String, Fetch>>,
}

impl Shelf {
    pub(super) fn new(
        home: &Path,
        given: Option<String>,
        draft: Option<String>,
        speaker: Speaker,
        notes: Arc<Notes>,
    ) -> Self {
        Shelf { hub: Hub::new(home), given, draft, notes, speaker, fetches: Mutex::default() }
    }

    fn fetches(&self) -> MutexGuard<'_, HashMap<String, Fetch>> {
        self.fetches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn chosen_chat(&self) -> String {
        let kept = self.notes.kept().chat_model;
        self.given.clone().unwrap_or(if kept.is_empty() { DEFAULT_CHAT.into() } else { kept })
    }

    fn chosen_embedding(&self) -> String {
        let kept = self.notes.kept().embedding_model;
        if kept.is_empty() { DEFAULT_EMBED.into() } else { kept }
    }

    pub(super) fn list(&self) -> Vec<ModelState> {
        let (chat, embedding) = (self.chosen_chat(), self.chosen_embedding());
        let fetches = self.fetches().clone();
        let state = |entry: Entry| {
            let fetch = fetches.get(&entry.name).cloned().unwrap_or_default();
            ModelState {
                selected: is_named(&entry, &chat) || is_named(&entry, &embedding),
                present: entry.present.is_some(),
                name: entry.name,
                family: entry.family,
                parameters: entry.parameters,
                bytes: entry.bytes,
                licence: entry.licence,
                purpose: purpose(entry.task).into(),
                runs: entry.runs,
                downloading: fetch.bytes,
                failure: fetch.failure,
            }
        };
        let mut all: Vec<ModelState> = self.hub.list().into_iter().map(state).collect();
        // A file or folder given by its path is in no registry.
        if let Some(given) =
            self.given.as_ref().filter(|_| !all.iter().any(|m| m.selected && m.purpose == "chat"))
        {
            let (name, present) = (file_name(given), self.hub.resolve(given).is_ok());
            let purpose = "chat".into();
            all.insert(
                0,
                ModelState {
                    name,
                    purpose,
                    runs: true,
                    present,
                    selected: true,
                    ..ModelState::default()
                },
            );
        }
        all
    }

    pub(super) fn fetch_embedding(&self) -> bool {
        self.fetch(&self.chosen_embedding())
    }

    pub(super) fn fetch_chat(&self) -> bool {
        self.fetch(&self.chosen_chat())
    }

    /// Fetches a model that is not here; true when it came. A failure stands in the list, where the page offers
    /// to try again.
    fn fetch(&self, name: &str) -> bool {
        matches!(self.hub.resolve(name), Err(infer::hub::Error::Absent { .. }))
            && self.pull(name, &Cancel::default(), &mut |_| {}).is_ok()
    }

    pub(super) fn pull(
        &self,
        name: &str,
        cancel: &Cancel,
        on_progress: &mut dyn FnMut(Download),
    ) -> Result<(), Error> {
        self.fetches().insert(name.into(), Fetch { bytes: Some(0), failure: String::new() });
        let mut asked = String::new();
        // Of the file under way, and of all.
        let (mut received, mut counted) = (0, 0);
        let pulled = self.hub.pull(name, None, &mut |step| {
            let file = format!("{} of {name}", step.file);
            if matches!(step.stage, Stage::Connecting | Stage::Downloading) && asked != file {
                self.notes.requested(&file, &step.source);
                asked = file;
                received = 0;
            }
            if step.stage == Stage::Downloading {
                counted += step.done.saturating_sub(received);
                self.notes.received(step.done.saturating_sub(received));
                received = step.done.max(received);
                if let Some(fetch) = self.fetches().get_mut(name) {
                    fetch.bytes = Some(step.done);
                }
            }
            let from = step.source.clone();
            on_progress(Download {
                name: name.into(),
                bytes: step.done,
                of: step.total,
                from,
                done: false,
            });
            if cancel.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let mut fetches = self.fetches();
        match pulled {
            Ok(_) => {
                // Not every source tells how far it is; the model's size is known.
                let whole = named(name).map_or(0, |model| model.bytes);
                self.notes.received(whole.saturating_sub(counted));
                fetches.remove(name);
                Ok(())
            }
            Err(error) => {
                fetches.insert(name.into(), Fetch { bytes: None, failure: error.to_string() });
                Err(Error::Failed(error.to_string()))
            }
        }
    }

    /// Makes a model the one in use, from the next question on.
    pub(super) fn select(&self, name: &str) -> Result<(), Error> {
        let all = self.hub.list();
        let entry = all.iter().find(|entry| is_named(entry, name)).ok_or_else(|| {
            Error::NotFound { what: format!("model {name}"), hint: "choose one of the list".into() }
        })?;
        if !entry.runs || entry.present.is_none() {
            return Err(Error::BadRequest(format!("{name} cannot be used yet; fetch it first")));
        }
        self.notes.change(|kept| match entry.task {
            Task::Embed => kept.embedding_model = entry.name.clone(),
            Task::Chat | Task::Complete => kept.chat_model = entry.name.clone(),
        })
    }

    /// Loads a model with its draft. An error is what the gate refuses, or a model that cannot be had with its draft.
    pub(super) fn admit(&self, path: &Path) -> Result<(), String> {
        let draft = self.draft_of(path);
        match self.speaker.engine(path, draft.as_deref()) {
            Err(Unloaded::Barred(why)) => Err(why),
            Err(Unloaded::Failed(error)) if draft.is_some() => Err(error.to_string()),
            Ok(_) | Err(Unloaded::Failed(_)) => Ok(()),
        }
    }

    /// Where the draft model of the model at `path` lies. Other models than the given one have none.
    fn draft_of(&self, path: &Path) -> Option<PathBuf> {
        let given = self.hub.resolve(self.given.as_ref()?).ok()?;
        self.draft.as_ref().filter(|_| given == path).and_then(|draft| self.hub.resolve(draft).ok())
    }

    /// The chosen chat model, loaded; `None` when it is not here or does not load.
    pub(super) fn engine(&self) -> Option<Engine> {
        let name = self.chosen_chat();
        let path = self.hub.resolve(&name).ok()?;
        match self.speaker.engine(&path, self.draft_of(&path).as_deref()) {
            Ok(engine) => Some(engine),
            Err(error) => {
                self.fetches().insert(name, Fetch { bytes: None, failure: error.to_string() });
                None
            }
        }
    }

    /// The chosen embedder, loaded; `None` when it is not here or does not load.
    pub(super) fn embedder(&self) -> Option<Arc<Embedder>> {
        let name = self.chosen_embedding();
        let path = self.hub.resolve(&name).ok()?;
        match self.speaker.embedder(&path, infer::Precision::Int8) {
            Ok(embedder) => Some(embedder),
            Err(error) => {
                self.fetches().insert(name, Fetch { bytes: None, failure: error.to_string() });
                None
            }
        }
    }

    /// What `/v1/models` lists: models that are here and run, the chosen one first.
    pub(super) fn served(&self) -> Vec<Served> {
        let chosen = self.chosen_chat();
        let mut served: Vec<Served> = self
            .hub
            .list()
            .into_iter()
            .filter(|entry| entry.runs)
            .filter_map(|entry| {
                Some(Served { created: created(entry.present.as_deref()?), id: entry.name })
            })
            .collect();
        match served.iter().position(|model| model.id == chosen) {
            Some(place) => served.swap(0, place),
            None => {
                let path = self.given.as_ref().and_then(|given| self.hub.resolve(given).ok());
                let given =
                    path.map(|path| Served { id: file_name(&chosen), created: created(&path) });
                served.splice(0..0, given);
            }
        }
        served
    }

    /// Where the model of a request lies: a name or alias of the registry, or the file the program was given.
    fn locate(&self, model: &str) -> Result<std::path::PathBuf, Fault> {
        let given =
            self.given.as_deref().filter(|given| *given == model || file_name(given) == model);
        let known = named(model).is_some();
        // Only names: a request must not open files by their path.
        let what =
            given.or_else(|| known.then_some(model)).ok_or_else(|| Fault::no_model(model))?;
        self.hub.resolve(what).map_err(|_| Fault::no_model(model))
    }

    pub(super) fn generate(
        &self,
        request: &Generate,
        cancel: &Cancel,
        on_start: &mut dyn FnMut(),
        on_piece: &mut dyn FnMut(&Piece),
    ) -> Result<Generated, Fault> {
        let path = self.locate(&request.model)?;
        let draft = self.draft_of(&path);
        self.speaker.generate((&path, draft.as_deref()), request, cancel, on_start, on_piece)
    }

    pub(super) fn embed(&self, model: &str, texts: &[String]) -> Result<Embedded, Fault> {
        self.speaker.embed(&self.locate(model)?, texts)
    }

    pub(super) fn counters(&self) -> Vec<(String, infer::Counters)> {
        self.speaker.counters()
    }
}

fn is_named(entry: &Entry, name: &str) -> bool {
    entry.name == name || entry.aliases.iter().any(|alias| alias == name)
}

fn purpose(task: Task) -> &'static str {
    match task {
        Task::Embed => "embedding",
        Task::Chat | Task::Complete => "chat",
    }
}

fn file_name(path: &str) -> String {
    Path::new(path).file_stem().map_or(path.into(), |name| name.to_string_lossy().into_owned())
}

fn created(path: &Path) -> u64 {
    let modified = path.metadata().and_then(|about| about.modified()).ok();
    modified.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map_or(0, |since| since.as_secs())
}
