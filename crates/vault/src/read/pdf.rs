//! The only file that knows the PDF library: one section per page.
//!
//! `pdf-extract` panics on many malformed files, so the document and then each page is read inside
//! `catch_unwind`, on a thread of its own with a large stack (fonts and forms nest). A page that fails is a
//! remark; only a document that cannot be opened is a failure.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pdf_extract::{Document as Pdf, PlainTextOutput};

use super::Limits;
use super::document::Document;
use super::text;
use crate::item::{Section, Weight};

const STACK_BYTES: usize = 64 << 20;

/// Reads a PDF; the error is (reason, hint).
pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Result<Document, (String, &'static str)> {
    std::thread::scope(|scope| {
        let reader = std::thread::Builder::new().name("pdf".into()).stack_size(STACK_BYTES);
        let running = reader.spawn_scoped(scope, || read_here(bytes, limits)).map_err(|e| {
            (format!("no thread to read it on: {e}"), "close other programs and try again")
        })?;
        running.join().unwrap_or_else(|_| Err(("the PDF library gave up".to_owned(), BROKEN)))
    })
}

const BROKEN: &str = "open it in a PDF viewer and print it to a new PDF";

fn read_here(bytes: &[u8], limits: &Limits) -> Result<Document, (String, &'static str)> {
    let opened = catch_unwind(AssertUnwindSafe(|| Pdf::load_mem(bytes)));
    let mut pdf = match opened {
        Ok(Ok(pdf)) => pdf,
        Ok(Err(error)) => return Err((format!("not a readable PDF: {error}"), BROKEN)),
        Err(_) => return Err(("the PDF library gave up on it".to_owned(), BROKEN)),
    };
    if pdf.is_encrypted() && pdf.decrypt("").is_err() {
        return Err(("protected by a password".to_owned(), "save a copy without a password"));
    }
    let mut document = Document::default();
    let pages: Vec<u32> = pdf.get_pages().keys().copied().collect();
    let mut room = limits.text_bytes;
    let mut failed = Vec::new();
    for number in pages.iter().take(limits.pages) {
        match page(&pdf, *number) {
            Some(page) => {
                let (page, cut) = text::tidy(&page, room);
                let page = lines(&page);
                room = room.saturating_sub(page.len());
                if !page.is_empty() {
                    let heading = vec![format!("page {number}")];
                    document.sections.push(Section { heading, text: page, weight: Weight::Body });
                }
                if cut {
                    document.remarks.push(format!("text cut at {} bytes", limits.text_bytes));
                    break;
                }
            }
            None => failed.push(number.to_string()),
        }
    }
    if pages.len() > limits.pages {
        document.remarks.push(format!("only {} of {} pages were read", limits.pages, pages.len()));
    }
    if !failed.is_empty() {
        failed.truncate(20);
        document.remarks.push(format!("pages that could not be read: {}", failed.join(", ")));
    }
    if document.sections.is_empty() && failed.is_empty() {
        document
            .remarks
            .push(format!("{} pages without text: scanned pictures, perhaps", pages.len()));
    }
    information(&pdf, &mut document);
    Ok(document)
}

fn page(pdf: &Pdf, number: u32) -> Option<String> {
    catch_unwind(AssertUnwindSafe(|| {
        let mut text = String::new();
        let mut output = PlainTextOutput::new(&mut text);
        pdf_extract::output_doc_page(pdf, &mut output, number).ok()?;
        Some(text)
    }))
    .ok()
    .flatten()
}

/// Lines without trailing space, at most one blank line in a row.
fn lines(page: &str) -> String {
    let mut out = String::with_capacity(page.len());
    let mut blank = true;
    for line in page.lines().map(str::trim) {
        if line.is_empty() {
            if !blank {
                out.push('\n');
            }
            blank = true;
            continue;
        }
        out.push_str(line);
        out.push('\n');
        blank = false;
    }
    out.trim_end().to_owned()
}

fn information(pdf: &Pdf, document: &mut Document) {
    let info = pdf.trailer.get(b"Info").and_then(|i| pdf.dereference(i)).map(|(_, object)| object);
    let Ok(info) = info.and_then(|object| object.as_dict()) else { return };
    let value = |key: &[u8]| {
        let (_, object) = info.get(key).and_then(|o| pdf.dereference(o)).ok()?;
        Some(pdf_string(object.as_str().ok()?)).filter(|s| !s.trim().is_empty())
    };
    document.title = value(b"Title");
    document.author = value(b"Author");
    document.date = value(b"CreationDate").and_then(|d| iso_date(&d));
}

/// PDF strings are UTF-16 or UTF-8 with a mark, else nearly latin-1.
fn pdf_string(bytes: &[u8]) -> String {
    text::decode(bytes, Some("windows-1252")).text.into_owned()
}

/// `D:20261124183000+01'00'` as `2026-11-24T18:30:00+01:00`.
fn iso_date(pdf_date: &str) -> Option<String> {
    let date = pdf_date.trim().trim_start_matches("D:");
    let digits: String = date.chars().take_while(char::is_ascii_digit).collect();
    let day = format!("{}-{}-{}", digits.get(..4)?, digits.get(4..6)?, digits.get(6..8)?);
    let Some(time) = digits.get(8..14) else { return Some(day) };
    let zone: String = date[digits.len()..].chars().filter(|c| *c != '\'').collect();
    let zone = match (zone.get(..3), zone.get(3..5)) {
        (Some(hours), Some(minutes)) if zone.starts_with(['+', '-']) => {
            format!("{hours}:{minutes}")
        }
        (Some(hours), None) if zone.starts_with(['+', '-']) => format!("{hours}:00"),
        _ if zone.starts_with('Z') => "Z".to_owned(),
        _ => String::new(),
    };
    Some(format!("{day}T{}:{}:{}{zone}", &time[..2], &time[2..4], &time[4..6]))
}

#[cfg(test)]
mod tests {
    use super::iso_date;

    #[test]
    fn pdf_dates_become_iso_dates() {
        assert_eq!(
            iso_date("D:20261124183000+01'00'").as_deref(),
            Some("2026-11-24T18:30:00+01:00")
        );
        assert_eq!(iso_date("D:20261124183000Z00'00'").as_deref(), Some("2026-11-24T18:30:00Z"));
        assert_eq!(iso_date("20261124").as_deref(), Some("2026-11-24"));
        assert_eq!(iso_date("yesterday"), None);
    }
}
