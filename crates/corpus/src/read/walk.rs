//! Files of a source, in the order of their names, so that every run sees the same documents in the same order.

use super::Fault;
use crate::config::{Kind, Source};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Folders of other people's code, build results and version control.
const NOT_OURS: [&str; 14] = [
    ".git",
    ".hg",
    ".svn",
    "__pycache__",
    "_vendor",
    "bower_components",
    "build",
    "dist",
    "node_modules",
    "site-packages",
    "target",
    "third_party",
    "vendor",
    "vendored",
];

const COMPRESSED: [&str; 3] = ["gz", "dz", "zst"];

/// Calls `each` for every file below `path` whose ending is asked for. Symbolic links are not followed: they
/// would make copies, or circles.
pub(super) fn files(
    path: &Path,
    source: &Source,
    each: &mut dyn FnMut(Result<PathBuf, Fault>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    // A file that is named is read, whatever its ending.
    if !path.is_dir() {
        return each(Ok(path.to_path_buf()));
    }
    let endings: Vec<&str> = match (source.endings.is_empty(), source.kind) {
        (false, _) => source.endings.iter().map(String::as_str).collect(),
        (_, Kind::Text) => vec!["txt", "text", "md", "markdown", "rst", "html", "htm", "xhtml"],
        (_, Kind::Jsonl | Kind::Chat) => vec!["jsonl", "ndjson", "json"],
        (_, Kind::Parquet) => vec!["parquet"],
        (_, Kind::Code) => super::code::ENDINGS.to_vec(),
    };
    folder(path, source, &endings, each)
}

fn folder(
    path: &Path,
    source: &Source,
    endings: &[&str],
    each: &mut dyn FnMut(Result<PathBuf, Fault>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let fault = |error: std::io::Error| Fault {
        place: path.display().to_string(),
        problem: error.to_string(),
    };
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) => return each(Err(fault(error))),
    };
    let mut found = Vec::new();
    for entry in entries {
        match entry {
            Ok(entry) => found.push(entry.path()),
            Err(error) => each(Err(fault(error)))?,
        }
    }
    found.sort();
    for path in found {
        let Ok(metadata) = path.symlink_metadata() else { continue };
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
        if metadata.is_dir() {
            if source.kind != Kind::Code || !NOT_OURS.contains(&name) {
                folder(&path, source, endings, each)?;
            }
        } else if metadata.is_file() && endings.iter().any(|&ending| ends_so(name, ending)) {
            each(Ok(path))?;
        }
    }
    ControlFlow::Continue(())
}

/// Whether a file name has an ending, possibly under a compression. `*` stands for every name, the empty ending for
/// names without one.
fn ends_so(name: &str, ending: &str) -> bool {
    if ending == "*" {
        return true;
    }
    if ending.is_empty() {
        return !name.contains('.');
    }
    let (stem, last) = name.rsplit_once('.').unwrap_or((name, ""));
    let plain = if COMPRESSED.contains(&last) { stem } else { name };
    plain.rsplit_once('.').is_some_and(|(_, last)| last.eq_ignore_ascii_case(ending))
}

/// The ending of a file without its compression, in small letters.
pub(super) fn ending(path: &Path) -> String {
    let plain = match path.extension().and_then(|e| e.to_str()) {
        Some(last) if COMPRESSED.contains(&last) => path.with_extension(""),
        _ => path.to_path_buf(),
    };
    plain.extension().and_then(|e| e.to_str()).unwrap_or("").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ending_is_seen_under_a_compression() {
        assert!(ends_so("a.txt", "txt") && ends_so("a.TXT", "txt") && ends_so("a.txt.gz", "txt"));
        assert!(
            ends_so("README", "*")
                && ends_so("README", "")
                && !ends_so("README", "txt")
                && !ends_so("txt", "txt")
        );
        assert!(!ends_so("a.txt.bz2", "txt"));
        assert_eq!(ending(Path::new("x/a.HTML.zst")), "html");
    }
}
