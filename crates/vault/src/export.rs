//! Leaving is free: the original bytes of everything, as files that any program reads, and a manifest.
//!
//! The vault refers to originals where they stand and keeps no second copy, so an export copies them: one-item files
//! and calendars as they are, each message of a mailbox as its own `.eml`. Where an original is gone or has changed
//! since it was read, the stored text goes out instead, as `.txt`, and the manifest says so.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::error::Result;
use crate::item::Place;
use crate::lookup::items::{Entry, Filter, Order, StoredItem};
use crate::read::{self, Limits, walk};
use crate::store::sync::base;
use crate::store::{Vault, io};

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ExportReport {
    pub items: u64,
    pub files: u64,
    pub bytes: u64,
    /// Items whose original could not be had; their stored text was written instead: (path, reason).
    pub text_only: Vec<(String, String)>,
}

/// One line of `manifest.json`.
#[derive(Debug, Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    item: &'a StoredItem,
    /// Relative to the export; several items of one calendar share a file.
    file: String,
    /// `original`, or why only the text could be written.
    bytes_are: &'a str,
}

impl Vault {
    /// Writes everything under a new or empty folder.
    pub fn export(&self, to: &Path) -> Result<ExportReport> {
        fs::create_dir_all(to).map_err(|cause| io("make the folder", to, cause))?;
        let manifest = to.join("manifest.json");
        let created = File::options().write(true).create_new(true).open(&manifest);
        let file = created
            .map_err(|cause| io("begin the export (choose an empty folder)", &manifest, cause))?;
        let mut out = BufWriter::new(file);
        let mut export =
            Export { vault: self, to, taken: HashSet::new(), report: ExportReport::default() };
        let entries = self.list(&Filter::default(), Order::Oldest, i64::MAX as usize)?;
        let wrote = |cause| io("write", &manifest, cause);
        out.write_all(b"[").map_err(wrote)?;
        for (idx, entry) in entries.iter().enumerate() {
            let Some(item) = self.item(entry.id)? else { continue };
            let (file, problem) = export.item(entry, &item)?;
            let bytes_are = problem.as_deref().unwrap_or("original");
            let line = serde_json::to_string(&Line { item: &item, file, bytes_are });
            let line = line.map_err(|error| wrote(std::io::Error::other(error)))?;
            let comma = if idx > 0 { "," } else { "" };
            write!(out, "{comma}\n{line}").map_err(wrote)?;
        }
        out.write_all(b"\n]\n").and_then(|()| out.flush()).map_err(wrote)?;
        Ok(export.report)
    }
}

struct Export<'a> {
    vault: &'a Vault,
    to: &'a Path,
    taken: HashSet<PathBuf>,
    report: ExportReport,
}

impl Export<'_> {
    /// Writes one item; where it went and, when that is not the original, why.
    fn item(&mut self, entry: &Entry, item: &StoredItem) -> Result<(String, Option<String>)> {
        self.report.items += 1;
        // Calendars and address books hold many items in one file; a message is one of its mailbox; an attachment
        // is inside its message and comes out beside it.
        let whole = !entry.part.contains("msg:") && !entry.part.contains("att:");
        let relative = self.name(entry, whole);
        let path = self.to.join(&relative);
        if whole && self.taken.contains(&path) {
            return Ok((relative, None));
        }
        match self.original(entry, item, whole) {
            Ok(bytes) => {
                self.write(&path, &bytes)?;
                Ok((relative, None))
            }
            Err(reason) => {
                let text = self.vault.text(entry.id)?.unwrap_or_default();
                let relative = format!("{relative}.txt");
                let path = self.to.join(&relative);
                self.write(&path, text.as_bytes())?;
                self.report.text_only.push((entry.path.clone(), reason.clone()));
                Ok((relative, Some(reason)))
            }
        }
    }

    fn write(&mut self, path: &Path, bytes: &[u8]) -> Result<()> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|cause| io("make the folder", parent, cause))?;
        }
        fs::write(path, bytes).map_err(|cause| io("write", path, cause))?;
        self.taken.insert(path.to_path_buf());
        self.report.files += 1;
        self.report.bytes += bytes.len() as u64;
        Ok(())
    }

    fn original(
        &self,
        entry: &Entry,
        item: &StoredItem,
        whole: bool,
    ) -> std::result::Result<Vec<u8>, String> {
        let sources = self.vault.sources().map_err(|error| error.to_string())?;
        let source = sources.iter().find(|source| source.id == entry.source);
        let root = source.map(|source| source.root.clone()).unwrap_or_default();
        let base = base(&root);
        if whole {
            let bytes = fs::read(walk::to_path(base, &entry.path)).map_err(|e| e.to_string())?;
            return check(bytes, item, entry.part.is_empty());
        }
        let place = Place { path: entry.path.clone(), part: entry.part.clone() };
        let bytes = read::raw(base, &place, &Limits::default()).map_err(|f| f.reason)?;
        check(bytes, item, true)
    }

    /// `1/inbox/00042.eml`: the source's number, then the path there, with an ending that tells the kind.
    fn name(&self, entry: &Entry, whole: bool) -> String {
        let mut name = format!("{}/{}", entry.source.0, entry.path.replace([':', '\\'], "_"));
        if !whole {
            let part: String = entry
                .part
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
                .collect();
            name.push_str(&format!(".parts/{part}"));
        }
        let ending = match entry.media_type.as_str() {
            "message/rfc822" => ".eml",
            "text/calendar" => ".ics",
            "text/vcard" => ".vcf",
            "text/markdown" => ".md",
            "application/pdf" => ".pdf",
            _ => "",
        };
        if !name.to_lowercase().ends_with(ending) {
            name.push_str(ending);
        }
        name
    }
}

/// Bytes that are not those that were read must not pass for them.
fn check(bytes: Vec<u8>, item: &StoredItem, hashed: bool) -> std::result::Result<Vec<u8>, String> {
    if hashed {
        let digest = Sha256::digest(&bytes);
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        if hex != item.content_sha256 {
            return Err("the original has changed since it was read".to_owned());
        }
    }
    Ok(bytes)
}
