//! Checkpoints: a run's whole state on disk, written beside the training and never half.
//!
//! ```text
//! checkpoints/step-00000100/arrays.safetensors   every array, f32, as it was in memory
//!                           state.json           everything that is no array
//!                           manifest.json        step, and of each file the length and the SHA-256
//!                           manifest.sha256      hash of the manifest, as `sha256sum --check` reads it
//! ```
//!
//! **Writing.** [`Store::begin_save`] takes a snapshot and returns at once; a thread writes it under a temporary name,
//! waits until files and folder stand on the disk, renames the folder, and waits for the folder above. At every moment
//! either the whole checkpoint is there under its name or none of it. One save is in flight at most; the next waits for
//! it. Bytes are made array by array, so memory grows by the snapshot and a small buffer, and the snapshot comes back
//! with [`Saved`] to be filled again. A full disk is an error of that save: what was written is taken away, earlier
//! checkpoints stand, and the run may go on and try again.
//!
//! **Reading.** [`Store::latest`] returns the newest checkpoint whose every byte hashes to what its manifest says. Others
//! are skipped with a [`Report`] that says what is wrong. They are never trusted and never removed by this store.
//!
//! **Keeping.** After each save the newest [`Keep::last`] checkpoints stay, and those whose step is a multiple of
//! [`Keep::every`].

mod error;
mod read;
mod safetensors;
mod store;
mod write;

#[cfg(test)]
mod tests;

pub use error::Error;
pub use store::{Begun, Keep, Report, Saved, Store};

/// A named array of f32 in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    pub name: String,
    pub shape: Vec<usize>,
    /// As many as the product of `shape`.
    pub values: Vec<f32>,
}

/// All that is needed to go on as if nothing had happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// Weights, optimiser moments, whatever is f32; names are unique.
    pub arrays: Vec<Array>,
    /// Step counters, random states, position in the data: anything else.
    pub state: serde_json::Value,
}

/// A checkpoint that was read and whose every byte was checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    pub step: u64,
    pub snapshot: Snapshot,
    /// Hash of the manifest, which holds the hashes of the files: it names this checkpoint's contents.
    pub sha256: String,
}

/// Names of the files of a checkpoint.
const ARRAYS: &str = "arrays.safetensors";
const STATE: &str = "state.json";
const MANIFEST: &str = "manifest.json";
const MANIFEST_HASH: &str = "manifest.sha256";

/// What a checkpoint consists of.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Manifest {
    format: u32,
    step: u64,
    files: Vec<FileEntry>,
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct FileEntry {
    name: String,
    bytes: u64,
    sha256: String,
}

/// Version of the layout above.
const FORMAT: u32 = 1;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
