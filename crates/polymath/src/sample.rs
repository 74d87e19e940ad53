//! The sample life inside the program, written out where the vault can read it.

use std::path::{Path, PathBuf};

use anyhow::Context;
use rust_embed::RustEmbed;

/// What a new owner sees first, and what `polymath eval life` asks about.
#[derive(RustEmbed)]
#[folder = "../../examples/life/"]
#[include = "data/*"]
#[include = "README.md"]
#[include = "questions.jsonl"]
#[include = "first_questions.json"]
struct Life;

/// The zone the invented person lives in; the questions' clocks state only its offset.
pub const ZONE: &str = "Europe/Berlin";

/// Writes the sample below `home` unless this version of it is there, and returns its folder.
///
/// The mark that says it is complete is written last, so a killed first start is repaired by the second.
pub fn write(home: &Path) -> anyhow::Result<PathBuf> {
    let folder = home.join("sample-life");
    let mark = folder.join(".complete");
    let version = fingerprint();
    if std::fs::read_to_string(&mark).is_ok_and(|written| written == version) {
        return Ok(folder);
    }
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| {
            format!("cannot replace the old sample life in {}", folder.display())
        })?;
    }
    for name in Life::iter() {
        let Some(file) = Life::get(&name) else { continue };
        let path = folder.join(name.as_ref());
        let parent = path.parent().unwrap_or(&folder);
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&path, &file.data))
            .with_context(|| format!("cannot write the sample life to {}", path.display()))?;
    }
    std::fs::write(&mark, version).with_context(|| format!("cannot write {}", mark.display()))?;
    Ok(folder)
}

/// Changes with any file of the sample.
fn fingerprint() -> String {
    let mut sum = 0xcbf2_9ce4_8422_2325u64;
    let mut feed = |bytes: &[u8]| {
        for &byte in bytes {
            sum = (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    for name in Life::iter() {
        feed(name.as_bytes());
        if let Some(file) = Life::get(&name) {
            feed(&file.metadata.sha256_hash());
        }
    }
    format!("{sum:016x}\n")
}
