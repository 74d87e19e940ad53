//! From files to [`Item`]s: mail, calendars, contacts, notes, documents.
//!
//! Everything here is a function of bytes: no database, no network, no clock. [`walk`] lists a source's files,
//! [`file`] reads one of them and calls `sink` once for every item or failure it finds; a failure never stops
//! what comes after it. What a reader had to guess stands in [`Item::remarks`]; what it could not read is a
//! [`Failure`] that says why and what to try.
//!
//! Each outside library sits behind one file: `mime` (mail-parser), `ical` (calcard), `pdf` (pdf-extract),
//! `docx` (zip, quick-xml).

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::item::{Item, Kind, Place};

pub mod calendar;
mod contact;
mod document;
mod docx;
mod entity;
mod html;
mod ical;
mod mail;
mod mbox;
mod mime;
mod note;
mod pdf;
mod quote;
mod sniff;
mod text;
mod vcard;
pub mod walk;
mod zone;

pub use sniff::Format;
pub use walk::walk;

/// Bounds on what one file may cost. The defaults let every real file through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Files that must be read whole (documents, calendars, contacts) are refused beyond this.
    pub file_bytes: u64,
    /// A message (or text file) is read up to here; the rest is hashed and counted, not kept.
    pub message_bytes: usize,
    /// Text kept per item.
    pub text_bytes: usize,
    /// Attachments read per message.
    pub parts: usize,
    /// Messages inside messages, archives inside attachments.
    pub depth: usize,
    /// Pages read per PDF.
    pub pages: usize,
    /// Entries, inflated bytes, and inflated:stored ratio of a zip container.
    pub zip_entries: usize,
    pub zip_bytes: u64,
    pub zip_ratio: u64,
    /// Items per calendar or address book file.
    pub items: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 256 << 20,
            message_bytes: 64 << 20,
            text_bytes: 4 << 20,
            parts: 500,
            depth: 8,
            pages: 2000,
            zip_entries: 10_000,
            zip_bytes: 256 << 20,
            zip_ratio: 200,
            items: 1_000_000,
        }
    }
}

/// Something that could not be read: where, why, and what the owner can do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read {}{}: {reason}; hint: {hint}", place.path, part_of(place))]
pub struct Failure {
    pub place: Place,
    pub reason: String,
    pub hint: String,
}

fn part_of(place: &Place) -> String {
    if place.part.is_empty() { String::new() } else { format!(" ({})", place.part) }
}

/// Receives items and failures in the order they stand in the file.
pub type Sink<'a> = dyn FnMut(Result<Item, Failure>) + 'a;

/// Reads the file at `relative` under `root`; every item and every failure goes to `sink`, at least one of them.
pub fn file(root: &Path, relative: &str, limits: &Limits, sink: &mut Sink<'_>) {
    let place = Place { path: relative.to_owned(), part: String::new() };
    let fail =
        |reason: String, hint: &str| Failure { place: place.clone(), reason, hint: hint.into() };
    let path = walk::to_path(root, relative);
    let opened = File::open(&path).and_then(|f| f.metadata().map(|m| (f, m)));
    let (mut opened, metadata) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            return sink(Err(fail(
                error.to_string(),
                "check that the file exists and may be read",
            )));
        }
    };
    if !metadata.is_file() {
        return sink(Err(fail("not a regular file".into(), "only files are read")));
    }
    let head = match head(&mut opened) {
        Ok(head) => head,
        Err(error) => return sink(Err(fail(error.to_string(), "check the disk or try again"))),
    };
    let format = sniff::format(relative, &head);
    if format == Format::Mbox {
        // Reopened so that reading starts at the beginning whatever the head took.
        let whole = File::open(&path).map(|f| BufReader::with_capacity(256 << 10, f));
        return match whole {
            Ok(mut reader) => mbox::read(&place, &mut reader, metadata.len(), limits, sink),
            Err(error) => sink(Err(fail(error.to_string(), "try again"))),
        };
    }
    let cut_allowed =
        matches!(format, Format::Mail | Format::Text | Format::Markdown | Format::Html);
    if !cut_allowed && metadata.len() > limits.file_bytes && format.is_read() {
        let reason =
            format!("{} bytes, more than the limit of {}", metadata.len(), limits.file_bytes);
        return sink(Err(fail(reason, "split the file, or raise the limit on file size")));
    }
    let keep = if cut_allowed { limits.message_bytes } else { limits.file_bytes as usize };
    match whole(head, opened, if format.is_read() { keep } else { 0 }) {
        Ok((bytes, sha256, total_bytes)) => {
            let raw = Raw { place, bytes: &bytes, sha256, total_bytes, parent: None, depth: 0 };
            read_as(format, &raw, limits, sink);
        }
        Err(error) => sink(Err(fail(error.to_string(), "check the disk or try again"))),
    }
}

/// Reads bytes as if they were a file at `path`: the pure core of [`file`].
pub fn bytes(path: &str, bytes: &[u8], limits: &Limits, sink: &mut Sink<'_>) {
    let place = Place { path: path.to_owned(), part: String::new() };
    let format = sniff::format(path, &bytes[..bytes.len().min(HEAD_BYTES)]);
    if format == Format::Mbox {
        let mut reader = std::io::Cursor::new(bytes);
        return mbox::read(&place, &mut reader, bytes.len() as u64, limits, sink);
    }
    read_as(format, &Raw::new(place, bytes), limits, sink);
}

/// Reads an mbox from any seekable reader of `total_bytes`, streaming.
pub fn mbox_from<R: BufRead + Seek>(
    reader: &mut R,
    path: &str,
    total_bytes: u64,
    limits: &Limits,
    sink: &mut Sink<'_>,
) {
    let place = Place { path: path.to_owned(), part: String::new() };
    mbox::read(&place, reader, total_bytes, limits, sink);
}

/// The raw bytes of the item at `place`: what was hashed into its `content_sha256`.
///
/// Whole files, messages of an mbox and attachments can be handed out; parts of calendars and address books
/// come back as their whole file.
pub fn raw(root: &Path, place: &Place, limits: &Limits) -> Result<Vec<u8>, Failure> {
    let fail = |reason: String| Failure {
        place: place.clone(),
        reason,
        hint: "sync the source again: the file may have changed".into(),
    };
    let path = walk::to_path(root, &place.path);
    let mut segments = place.part.split("/att:");
    let first = segments.next().unwrap_or_default();
    let mut bytes = match mbox::parse_part(first) {
        Some((offset, length)) => mbox::slice(&path, offset, length, limits),
        None => std::fs::read(&path),
    }
    .map_err(|e| fail(e.to_string()))?;
    for segment in segments {
        let digits: String = segment.chars().take_while(char::is_ascii_digit).collect();
        let number: usize = digits.parse().map_err(|_| fail(format!("no attachment {segment}")))?;
        bytes = mail::attachment_bytes(&bytes, number)
            .ok_or_else(|| fail(format!("the message has no attachment {number}")))?;
    }
    Ok(bytes)
}

const HEAD_BYTES: usize = 8 << 10;

fn head(file: &mut File) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    file.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// The rest of a file after its head: at most `keep` bytes kept, all of them hashed and counted.
fn whole(head: Vec<u8>, mut file: File, keep: usize) -> std::io::Result<(Vec<u8>, String, u64)> {
    let mut hash = Sha256::new();
    let mut kept = head;
    if kept.len() == HEAD_BYTES {
        file.by_ref().take(keep.saturating_sub(HEAD_BYTES) as u64).read_to_end(&mut kept)?;
    }
    hash.update(&kept);
    let mut total = kept.len() as u64;
    kept.truncate(keep);
    let mut buffer = vec![0u8; 64 << 10];
    loop {
        let n = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        hash.update(&buffer[..n]);
        total += n as u64;
    }
    Ok((kept, hex(&hash.finalize()), total))
}

/// Bytes on their way to a reader: a file, a message of an mbox, an attachment.
pub(crate) struct Raw<'a> {
    pub(crate) place: Place,
    /// What is kept of the bytes; shorter than `total_bytes` when a limit cut them.
    pub(crate) bytes: &'a [u8],
    pub(crate) sha256: String,
    pub(crate) total_bytes: u64,
    /// The message these bytes were attached to: its place and date.
    pub(crate) parent: Option<Parent>,
    pub(crate) depth: usize,
}

/// What an attachment takes over from its message.
#[derive(Debug, Clone)]
pub(crate) struct Parent {
    pub(crate) place: Place,
    pub(crate) when: Option<crate::item::When>,
    /// The attachment's file name and media type as the message states them.
    pub(crate) name: String,
    pub(crate) media_type: String,
}

impl<'a> Raw<'a> {
    pub(crate) fn new(place: Place, bytes: &'a [u8]) -> Self {
        let sha256 = hex(&Sha256::digest(bytes));
        Self { place, bytes, sha256, total_bytes: bytes.len() as u64, parent: None, depth: 0 }
    }

    /// The file's name, or the attachment's.
    pub(crate) fn name(&self) -> &str {
        let own = self.place.path.rsplit('/').next().unwrap_or_default();
        match &self.parent {
            Some(parent) if !parent.name.is_empty() => &parent.name,
            Some(_) => "attachment",
            None => own,
        }
    }

    /// The name without its extension, for titles.
    pub(crate) fn stem(&self) -> &str {
        let name = self.name();
        name.rsplit_once('.').map_or(name, |(stem, _)| if stem.is_empty() { name } else { stem })
    }

    pub(crate) fn fail(&self, reason: impl Into<String>, hint: &str) -> Failure {
        Failure { place: self.place.clone(), reason: reason.into(), hint: hint.into() }
    }

    /// An item of these bytes with nothing in it yet but what the bytes themselves say.
    pub(crate) fn item(&self, kind: Kind, media_type: &str) -> Item {
        let mut remarks = Vec::new();
        if (self.bytes.len() as u64) < self.total_bytes && !self.bytes.is_empty() {
            remarks.push(format!(
                "only the first {} of {} bytes were read",
                self.bytes.len(),
                self.total_bytes
            ));
        }
        Item {
            kind,
            place: self.place.clone(),
            identity: format!("sha256:{}", self.sha256),
            title: text::one_line(self.stem()),
            when: self.parent.as_ref().and_then(|p| p.when.clone()),
            people: Vec::new(),
            sections: Vec::new(),
            tags: Vec::new(),
            links: Vec::new(),
            thread: None,
            event: None,
            card: None,
            parent: self.parent.as_ref().map(|p| p.place.clone()),
            media_type: media_type.to_owned(),
            content_sha256: self.sha256.clone(),
            bytes: self.total_bytes,
            remarks,
        }
    }

    /// A place inside these bytes: `suffix` after what already names this part.
    pub(crate) fn inside(&self, suffix: &str) -> Place {
        let part = match self.place.part.as_str() {
            "" => suffix.to_owned(),
            part => format!("{part}/{suffix}"),
        };
        Place { path: self.place.path.clone(), part }
    }
}

/// Hands bytes of a known format to their reader.
pub(crate) fn read_as(format: Format, raw: &Raw<'_>, limits: &Limits, sink: &mut Sink<'_>) {
    match format {
        Format::Mail => mail::read(raw, limits, sink),
        Format::Mbox => {
            let mut reader = std::io::Cursor::new(raw.bytes);
            mbox::read(&raw.place, &mut reader, raw.bytes.len() as u64, limits, sink);
        }
        Format::Calendar => calendar::read(raw, limits, sink),
        Format::Contacts => contact::read(raw, limits, sink),
        Format::Markdown | Format::Text => note::read(raw, format, limits, sink),
        Format::Html | Format::Pdf | Format::Docx => document::read(raw, format, limits, sink),
        Format::Other(media_type) => sink(Ok(document::by_name_only(raw, media_type))),
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}
