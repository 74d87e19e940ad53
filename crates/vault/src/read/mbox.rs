//! mbox files: many messages one after another, split at lines that begin with `From `.
//!
//! The four dialects differ only in how a body line that begins with `From ` is kept apart from a separator:
//! mboxo and mboxrd put `>` before it, mboxcl adds a `Content-Length` header, mboxcl2 has only that header.
//! This reader takes a `From ` line as a separator when it stands at the start of the file or after a blank
//! line, looks like an envelope (a weekday, a month, a time), and lies at or beyond the end that a *verified*
//! `Content-Length` names (verified: another separator or the end of the file stands exactly there).
//!
//! Reading streams in pieces of at most 64 KiB, so a line of a gigabyte costs no more memory than one of a
//! hundred bytes; a message keeps its first [`Limits::message_bytes`] and is hashed and counted whole.

use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{Failure, Limits, Raw, Sink, hex, mail};
use crate::item::Place;

const PIECE_BYTES: usize = 64 << 10;

/// Reads every message; `total_bytes` is the file's length.
pub(crate) fn read<R: BufRead + Seek>(
    place: &Place,
    reader: &mut R,
    total_bytes: u64,
    limits: &Limits,
    sink: &mut Sink<'_>,
) {
    let mut splitter = Splitter::new(place, limits);
    if let Err(error) = splitter.run(reader, total_bytes, sink) {
        sink(Err(Failure {
            place: place.clone(),
            reason: format!("reading stopped at byte {}: {error}", splitter.position),
            hint: "check the disk; messages before that byte were read".into(),
        }));
    }
}

/// `msg:OFFSET+LEN` as numbers.
pub(crate) fn parse_part(part: &str) -> Option<(u64, u64)> {
    let (offset, length) = part.strip_prefix("msg:")?.split_once('+')?;
    Some((offset.parse().ok()?, length.parse().ok()?))
}

/// One message's raw bytes out of an mbox, separator line included, at most what the limits keep.
pub(crate) fn slice(path: &Path, offset: u64, length: u64, limits: &Limits) -> io::Result<Vec<u8>> {
    let mut file = std::fs::File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(length.min(limits.message_bytes as u64)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// `From ann@example.org Thu Aug 22 12:36:23 2002`: a month, and a time of day or a year.
pub(crate) fn is_envelope(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"From ") else { return false };
    let rest = String::from_utf8_lossy(&rest[..rest.len().min(500)]);
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let words: Vec<&str> = rest.split_ascii_whitespace().collect();
    let month = words.iter().any(|w| MONTHS.contains(w));
    let time = words.iter().any(|w| {
        let mut parts = w.split(':');
        let two = |p: Option<&str>| p.is_some_and(|p| (1..=2).contains(&p.len()) && is_digits(p));
        two(parts.next()) && two(parts.next())
    });
    let year = words.iter().any(|w| w.len() == 4 && is_digits(w));
    words.len() >= 4 && month && time && year
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

struct Splitter<'a> {
    place: &'a Place,
    limits: &'a Limits,
    message: Vec<u8>,
    hash: Sha256,
    /// Where the current message starts, and how far it reaches so far.
    start: u64,
    position: u64,
    in_headers: bool,
    /// Body bytes a header line claims; the file offset where the message ends once verified.
    claimed: Option<u64>,
    ends_at: Option<u64>,
    /// Trailing blank bytes belong to the separator, not to the message.
    started: bool,
}

impl<'a> Splitter<'a> {
    fn new(place: &'a Place, limits: &'a Limits) -> Self {
        Self {
            place,
            limits,
            message: Vec::new(),
            hash: Sha256::new(),
            start: 0,
            position: 0,
            in_headers: false,
            claimed: None,
            ends_at: None,
            started: false,
        }
    }

    fn run<R: BufRead + Seek>(
        &mut self,
        reader: &mut R,
        total: u64,
        sink: &mut Sink<'_>,
    ) -> io::Result<()> {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        let mut line_start = true;
        let mut after_blank = true;
        loop {
            piece.clear();
            let n = reader.by_ref().take(PIECE_BYTES as u64).read_until(b'\n', &mut piece)?;
            if n == 0 {
                break;
            }
            let whole_line = line_start;
            line_start = piece.ends_with(b"\n");
            let blank = whole_line && piece.iter().all(|b| matches!(b, b'\n' | b'\r'));
            let inside = self.ends_at.is_some_and(|end| self.position < end);
            if whole_line && after_blank && !inside && is_envelope(&piece) {
                self.finish(sink);
                self.begin();
            } else if self.in_headers && whole_line {
                self.header_line(&piece, blank);
            }
            self.take(&piece);
            if blank && self.in_headers {
                self.in_headers = false;
                self.verify(reader, total)?;
            }
            after_blank = blank;
        }
        self.finish(sink);
        Ok(())
    }

    fn begin(&mut self) {
        self.message.clear();
        self.hash = Sha256::new();
        self.start = self.position;
        self.in_headers = true;
        self.claimed = None;
        self.ends_at = None;
        self.started = true;
    }

    fn take(&mut self, piece: &[u8]) {
        if !self.started {
            // Bytes before the first separator: a message whose separator was lost.
            self.begin();
        }
        self.hash.update(piece);
        let room = self.limits.message_bytes.saturating_sub(self.message.len());
        self.message.extend_from_slice(&piece[..piece.len().min(room)]);
        self.position += piece.len() as u64;
    }

    fn header_line(&mut self, line: &[u8], blank: bool) {
        const NAME: &[u8] = b"content-length:";
        if blank
            || line.len() > 100
            || !line.get(..NAME.len()).is_some_and(|n| n.eq_ignore_ascii_case(NAME))
        {
            return;
        }
        let number = String::from_utf8_lossy(&line[NAME.len()..]);
        self.claimed = number.trim().parse().ok();
    }

    /// Believes a `Content-Length` only if a separator or the end of the file stands where it says.
    fn verify<R: BufRead + Seek>(&mut self, reader: &mut R, total: u64) -> io::Result<()> {
        let Some(claimed) = self.claimed.take() else { return Ok(()) };
        let Some(end) = self.position.checked_add(claimed).filter(|e| *e <= total) else {
            return Ok(());
        };
        if end == total {
            self.ends_at = Some(end);
            return Ok(());
        }
        let buffered = reader.fill_buf()?;
        let next = match buffered.get(claimed as usize..claimed as usize + 600) {
            Some(next) if claimed < buffered.len() as u64 => next.to_vec(),
            _ => {
                let here = self.position;
                reader.seek(SeekFrom::Start(end))?;
                let mut next = Vec::with_capacity(600);
                reader.by_ref().take(600).read_to_end(&mut next)?;
                reader.seek(SeekFrom::Start(here))?;
                next
            }
        };
        let blank = next.iter().take_while(|b| matches!(b, b'\n' | b'\r')).count();
        let line = next[blank..].split(|b| *b == b'\n').next().unwrap_or_default();
        if blank <= 4 && (is_envelope(line) || next.len() == blank) {
            self.ends_at = Some(end);
        }
        Ok(())
    }

    fn finish(&mut self, sink: &mut Sink<'_>) {
        if !self.started {
            return;
        }
        self.started = false;
        let length = self.position - self.start;
        let hash = std::mem::replace(&mut self.hash, Sha256::new());
        if self.message.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        let place =
            Place { path: self.place.path.clone(), part: format!("msg:{}+{length}", self.start) };
        let raw = Raw {
            place,
            bytes: &self.message,
            sha256: hex(&hash.finalize()),
            total_bytes: length,
            parent: None,
            depth: 0,
        };
        mail::read(&raw, self.limits, sink);
    }
}

/// A message as its sender wrote it: without the separator line, one `>` less before quoted `From ` lines.
pub(crate) fn unwrap_message(raw: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    let Some(rest) = raw.strip_prefix(b"From ") else { return raw.into() };
    let start = rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |i| i + 1);
    let body = &rest[start..];
    if !body.windows(7).any(|w| w == b"\n>From " || w == b"\n>>From") {
        return body.into();
    }
    let mut out = Vec::with_capacity(body.len());
    for line in body.split_inclusive(|b| *b == b'\n') {
        let marks = line.iter().take_while(|b| **b == b'>').count();
        let escaped = marks > 0 && line[marks..].starts_with(b"From ");
        out.extend_from_slice(if escaped { &line[1..] } else { line });
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::Item;

    fn items(mbox: &[u8]) -> Vec<Item> {
        let mut got = Vec::new();
        super::super::bytes("a.mbox", mbox, &Limits::default(), &mut |r| {
            got.push(r.expect("an item"));
        });
        got
    }

    #[test]
    fn separators_need_a_blank_line_and_an_envelope() {
        let mbox =
            b"From a@b.c Thu Aug 22 12:36:23 2002\nFrom: a@b.c\nSubject: one\n\nFrom here on\n\
                     From Paris with love\n\nFrom the sea\n>From x\n\n\
                     From d@e.f Thu Aug 22 12:36:24 2002\nFrom: d@e.f\nSubject: two\n\nx\n";
        let got = items(mbox);
        let subjects: Vec<&str> = got.iter().map(|i| i.title.as_str()).collect();
        assert_eq!(subjects, ["one", "two"]);
        assert!(got[0].sections[0].text.ends_with("From the sea\nFrom x"), "{:?}", got[0].sections);
        let (offset, length) = parse_part(&got[1].place.part).expect("a place");
        assert_eq!((offset + length) as usize, mbox.len());
        assert!(mbox[offset as usize..].starts_with(b"From d@e.f"));
    }

    #[test]
    fn a_verified_content_length_keeps_inner_separators_and_a_wrong_one_is_ignored() {
        let inner = "text\n\nFrom x@y.z Thu Aug 22 12:36:23 2002\nstill the first\n";
        let mbox = format!(
            "From a@b.c Thu Aug 22 12:36:23 2002\nSubject: one\nContent-Length: {}\n\n{inner}\n\
             From d@e.f Thu Aug 22 12:36:24 2002\nSubject: two\nContent-Length: 999999\n\nx\n\n\
             From d@e.f Thu Aug 22 12:36:24 2002\nSubject: three\nContent-Length: 1\n\nxyz\n",
            inner.len()
        );
        let got = items(mbox.as_bytes());
        assert_eq!(
            got.iter().map(|i| i.title.as_str()).collect::<Vec<_>>(),
            ["one", "two", "three"]
        );
        assert!(got[0].sections[0].text.contains("still the first"));
    }
}
