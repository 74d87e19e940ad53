//! Files of text and of JSON lines, plain or compressed, read as streams.

use super::{Fault, Format, Found, Raw, Sink, code, walk};
use crate::config::Source;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::path::Path;

/// Longest file of text and longest line that is read; what is longer is a fault. Bounds memory.
const LONGEST_BYTES: usize = 256 << 20;

/// A reader that takes the compression off.
pub(super) fn open(path: &Path) -> io::Result<Box<dyn BufRead>> {
    let file = File::open(path)?;
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or("");
    Ok(match ending {
        "gz" | "dz" => {
            let decoder = flate2::bufread::MultiGzDecoder::new(BufReader::new(file));
            Box::new(BufReader::with_capacity(1 << 17, decoder))
        }
        "zst" => Box::new(BufReader::with_capacity(1 << 17, zstd::Decoder::new(file)?)),
        _ => Box::new(BufReader::with_capacity(1 << 17, file)),
    })
}

fn fault(place: impl ToString, problem: impl ToString) -> Found {
    Found::Fault(Fault { place: place.to_string(), problem: problem.to_string() })
}

/// Reads a whole file. What a damaged archive gave before the damage is kept only by line readers: half a text
/// is no text.
fn whole(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let reader = open(path).map_err(|error| error.to_string())?;
    let limit = LONGEST_BYTES as u64 + 1;
    reader.take(limit).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    match bytes.len() > LONGEST_BYTES {
        true => Err(format!("longer than {} MiB", LONGEST_BYTES >> 20)),
        false => Ok(bytes),
    }
}

/// A file of text as one document, or several.
pub(super) fn text_file(
    number: usize,
    source: &Source,
    path: &Path,
    sink: Sink<'_>,
) -> ControlFlow<()> {
    let place = path.display().to_string();
    let bytes = match whole(path) {
        Ok(bytes) => bytes,
        Err(problem) => return sink(fault(place, problem)),
    };
    let beginning = &bytes[..bytes.len().min(1 << 13)];
    if beginning.contains(&0) && !beginning.starts_with(&[0xff, 0xfe]) {
        return sink(fault(place, "not text: it holds zero bytes"));
    }
    let format = match walk::ending(path).as_str() {
        "html" | "htm" | "xhtml" => Format::Html,
        _ => Format::Plain,
    };
    let raw = |place: String, bytes: Vec<u8>| {
        Found::Raw(Raw { source: number, place, bytes, format: format.clone() })
    };
    if format == Format::Html || (source.separator.is_none() && source.cut_bytes.is_none()) {
        return sink(raw(place, bytes));
    }
    for (part, range) in parts(&bytes, source).into_iter().enumerate() {
        let bytes = bytes[range].to_vec();
        if !bytes.trim_ascii().is_empty() {
            sink(raw(format!("{place}#{}", part + 1), bytes))?;
        }
    }
    ControlFlow::Continue(())
}

/// Cuts at separator lines, and then at blank lines where a part has grown long.
fn parts(bytes: &[u8], source: &Source) -> Vec<std::ops::Range<usize>> {
    let separator = source.separator.as_deref().map(str::as_bytes);
    let cut_bytes = source.cut_bytes.unwrap_or(usize::MAX);
    let (mut parts, mut start, mut at) = (Vec::new(), 0, 0);
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let trimmed = line.trim_ascii_end();
        let end = at + line.len();
        if separator == Some(trimmed) {
            parts.push(start..at);
            start = end;
        } else if trimmed.is_empty() && end - start >= cut_bytes {
            parts.push(start..end);
            start = end;
        }
        at = end;
    }
    parts.push(start..bytes.len());
    parts
}

/// A file of source code.
pub(super) fn code_file(number: usize, path: &Path, sink: Sink<'_>) -> ControlFlow<()> {
    let place = path.display().to_string();
    match whole(path) {
        // What is passed over here is no fault: trees are full of such files.
        Ok(bytes) if code::is_written_by_hand(&bytes) => {
            sink(Found::Raw(Raw { source: number, place, bytes, format: Format::Code }))
        }
        Ok(_) => ControlFlow::Continue(()),
        Err(problem) => sink(fault(place, problem)),
    }
}

/// One JSON object per line. A damaged archive gives the lines before the damage, and a fault.
pub(super) fn json_lines(
    number: usize,
    format: Format,
    path: &Path,
    sink: Sink<'_>,
) -> ControlFlow<()> {
    let mut reader = match open(path) {
        Ok(reader) => reader,
        Err(error) => return sink(fault(path.display(), error)),
    };
    for line in 1_u64.. {
        let place = format!("{}:{line}", path.display());
        let mut bytes = Vec::new();
        match limited_line(&mut *reader, &mut bytes, LONGEST_BYTES) {
            Ok(Line::End) => break,
            Ok(Line::Whole) if bytes.trim_ascii().is_empty() => {}
            Ok(Line::Whole) => {
                let format = format.clone();
                sink(Found::Raw(Raw { source: number, place, bytes, format }))?;
            }
            Ok(Line::TooLong) => {
                let problem = format!("the line is longer than {} MiB", LONGEST_BYTES >> 20);
                sink(fault(place, problem))?;
            }
            Err(error) => {
                let problem = format!("the rest of the file cannot be read: {error}");
                return sink(fault(place, problem));
            }
        }
    }
    ControlFlow::Continue(())
}

#[derive(Debug, PartialEq, Eq)]
enum Line {
    Whole,
    TooLong,
    End,
}

/// Reads a line of at most `limit` bytes; a longer one is read past.
fn limited_line(reader: &mut dyn BufRead, line: &mut Vec<u8>, limit: usize) -> io::Result<Line> {
    let (mut n_read, mut too_long) = (0, false);
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            break;
        }
        let end = buffer.iter().position(|&byte| byte == b'\n');
        let taken = end.map_or(buffer.len(), |end| end + 1);
        too_long |= line.len() + taken > limit;
        if !too_long {
            line.extend_from_slice(&buffer[..taken]);
        }
        n_read += taken;
        reader.consume(taken);
        if end.is_some() {
            break;
        }
    }
    Ok(match (n_read, too_long) {
        (0, _) => Line::End,
        (_, true) => Line::TooLong,
        (_, false) => Line::Whole,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_over_the_limit_is_read_past_and_the_next_one_is_whole() {
        let mut reader = BufReader::with_capacity(4, &b"0123456789\nabc\n"[..]);
        let mut line = Vec::new();
        assert_eq!(limited_line(&mut reader, &mut line, 6).unwrap(), Line::TooLong);
        line.clear();
        assert_eq!(limited_line(&mut reader, &mut line, 6).unwrap(), Line::Whole);
        assert_eq!(line, b"abc\n");
        assert_eq!(limited_line(&mut reader, &mut Vec::new(), 6).unwrap(), Line::End);
    }

    #[test]
    fn parts_end_at_separators_and_at_blank_lines_after_the_size() {
        let source = |separator: Option<&str>, cut_bytes| Source {
            kind: crate::config::Kind::Text,
            paths: Vec::new(),
            name: None,
            endings: Vec::new(),
            field: String::new(),
            separator: separator.map(str::to_string),
            cut_bytes,
            prose: None,
        };
        let text = b"one\n%\ntwo\n\nthree\n\nfour\n";
        let cut =
            |source| -> Vec<&[u8]> { parts(text, &source).into_iter().map(|r| &text[r]).collect() };
        assert_eq!(cut(source(Some("%"), None)), [&b"one\n"[..], b"two\n\nthree\n\nfour\n"]);
        assert_eq!(cut(source(None, Some(8))), [&b"one\n%\ntwo\n\n"[..], b"three\n\nfour\n"]);
    }
}
