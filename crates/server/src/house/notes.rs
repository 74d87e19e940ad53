//! What the house writes down about itself: settings in a small file, and what went over the network.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::backend::{Outside, Settings};

/// What one requested file costs on the way out, with names looked up, keys exchanged and headers sent. The
/// transport does not tell, so this stands for it; the page says "about".
const REQUEST_BYTES: u64 = 4_000;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    #[serde(flatten)]
    pub(super) settings: Settings,
    /// Names of the chosen models; empty is the default one.
    pub(super) chat_model: String,
    pub(super) embedding_model: String,
}

pub(super) struct Notes {
    file: PathBuf,
    kept: Mutex<Kept>,
    outside: Mutex<Outside>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Notes {
    /// A settings file that cannot be read is left alone and counts as empty; the next change replaces it.
    pub(super) fn open(home: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(home).map_err(|error| {
            Error::Failed(format!(
                "cannot make {}: {error}; choose another POLYMATH_HOME",
                home.display()
            ))
        })?;
        let file = home.join("settings.json");
        let text = std::fs::read(&file).unwrap_or_default();
        let kept = serde_json::from_slice(&text).unwrap_or_default();
        Ok(Notes { file, kept: Mutex::new(kept), outside: Mutex::default() })
    }

    pub(super) fn settings(&self) -> Settings {
        lock(&self.kept).settings.clone()
    }

    pub(super) fn kept(&self) -> Kept {
        lock(&self.kept).clone()
    }

    pub(super) fn save_settings(&self, settings: Settings) -> Result<(), Error> {
        self.change(|kept| kept.settings = settings)
    }

    /// Changes and writes the settings, whole or not at all.
    pub(super) fn change(&self, change: impl FnOnce(&mut Kept)) -> Result<(), Error> {
        let mut kept = lock(&self.kept);
        change(&mut kept);
        let partial = self.file.with_extension("json.part");
        let text = serde_json::to_vec_pretty(&*kept).unwrap_or_default();
        std::fs::write(&partial, text).and_then(|()| std::fs::rename(&partial, &self.file)).map_err(
            |error| Error::Failed(format!("cannot write {}: {error}", self.file.display())),
        )
    }

    pub(super) fn outside(&self) -> Outside {
        lock(&self.outside).clone()
    }

    /// A file was asked for over the network.
    pub(super) fn requested(&self, what: &str, from: &str) {
        let mut outside = lock(&self.outside);
        outside.sent_bytes += REQUEST_BYTES;
        outside.transfers.push(format!("{what}, from {from}"));
    }

    pub(super) fn received(&self, bytes: u64) {
        lock(&self.outside).received_bytes += bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_a_restart_and_a_broken_file_counts_as_empty() {
        let home = tempfile::tempdir().unwrap();
        let notes = Notes::open(home.path()).unwrap();
        notes.save_settings(Settings { theme: "dark".into(), owner: "Ines".into() }).unwrap();
        assert_eq!(Notes::open(home.path()).unwrap().settings().owner, "Ines");
        std::fs::write(home.path().join("settings.json"), "{\"theme\": 3").unwrap();
        assert_eq!(Notes::open(home.path()).unwrap().settings(), Settings::default());
    }

    #[test]
    fn nothing_counts_as_sent_until_something_was_asked_for() {
        let home = tempfile::tempdir().unwrap();
        let notes = Notes::open(home.path()).unwrap();
        assert_eq!(notes.outside().sent_bytes, 0);
        notes.requested("a.gguf", "a hub");
        assert_eq!(notes.outside().sent_bytes, REQUEST_BYTES);
    }
}
