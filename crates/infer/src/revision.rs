//! Which weights exactly: the first hex digits of their SHA-256.
//!
//! Hashing 90 MB takes a tenth of a second to a second, so the result is kept in `.sha256` beside the weights
//! together with their size and time of change, and made anew when one of the two differs. A folder that
//! cannot be written to only means hashing again next time.

use sha2::{Digest, Sha256};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Hex digits of a revision.
const DIGITS: usize = 12;

/// The revision of the weights at `path`: a file, or a directory whose safetensors are taken in order of name.
pub(crate) fn of(path: &Path) -> io::Result<String> {
    let files = weight_files(path)?;
    let state = state(&files)?;
    let note = note_path(path);
    if let Ok(kept) = std::fs::read_to_string(&note)
        && let Some((digest, of)) = kept.trim_end().split_once(' ')
        && of == state
        && digest.len() == DIGITS
        && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return Ok(digest.to_string());
    }
    let digest = digest(&files)?;
    // Best effort: the note saves time and nothing depends on it.
    std::fs::write(&note, format!("{digest} {state}\n")).ok();
    Ok(digest)
}

fn weight_files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "safetensors") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Size and time of change of each file, in a form to compare.
fn state(files: &[PathBuf]) -> io::Result<String> {
    let mut state = Vec::new();
    for file in files {
        let metadata = std::fs::metadata(file)?;
        let changed = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        state.push(format!("{}@{}", metadata.len(), changed.as_nanos()));
    }
    Ok(state.join(","))
}

fn note_path(path: &Path) -> PathBuf {
    if path.is_dir() {
        return path.join(".sha256");
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}.sha256"))
}

fn digest(files: &[PathBuf]) -> io::Result<String> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    for file in files {
        let mut file = std::fs::File::open(file)?;
        loop {
            let n = file.read(&mut buffer)?;
            if n == 0 {
                break;
            }
            hash.update(&buffer[..n]);
        }
    }
    Ok(hash
        .finalize()
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .take(DIGITS)
        .map(hex)
        .collect())
}

fn hex(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).unwrap_or('0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_the_beginning_of_the_digest_and_is_remembered_until_the_file_changes() {
        let folder = tempfile::tempdir().unwrap();
        let weights = folder.path().join("w.gguf");
        std::fs::write(&weights, b"abc").unwrap();
        // The SHA-256 of "abc" is a published test vector (FIPS 180-4).
        assert_eq!(of(&weights).unwrap(), "ba7816bf8f01");

        let note = folder.path().join(".w.gguf.sha256");
        let kept = std::fs::read_to_string(&note).unwrap();
        std::fs::write(&note, kept.replace("ba7816bf8f01", "0123456789ab")).unwrap();
        assert_eq!(of(&weights).unwrap(), "0123456789ab", "the note is believed");

        std::fs::write(&weights, b"abcd").unwrap();
        assert_eq!(of(&weights).unwrap(), "88d4266fd4e6", "until the size differs");
    }

    #[test]
    fn a_missing_file_is_an_error() {
        assert!(of(Path::new("/nowhere/at/all.gguf")).is_err());
    }
}
