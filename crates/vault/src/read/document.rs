//! Documents: PDF, DOCX and HTML files, and files that are kept by name only.

use super::text::one_line;
use super::{Format, Limits, Raw, Sink, docx, html, note, pdf, text};
use crate::item::{Item, Kind, PersonRef, Role, Section};

/// What a document reader found.
#[derive(Debug, Default)]
pub(crate) struct Document {
    pub(crate) title: Option<String>,
    pub(crate) author: Option<String>,
    /// As the document writes it, in ISO form.
    pub(crate) date: Option<String>,
    pub(crate) sections: Vec<Section>,
    pub(crate) links: Vec<String>,
    pub(crate) remarks: Vec<String>,
}

/// Reads a document of one of the known formats.
pub(crate) fn read(raw: &Raw<'_>, format: Format, limits: &Limits, sink: &mut Sink<'_>) {
    let (read, media_type) = match format {
        Format::Pdf => (pdf::read(raw.bytes, limits), "application/pdf"),
        Format::Docx => (
            docx::read(raw.bytes, limits),
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        ),
        _ => (Ok(page(raw, limits)), "text/html"),
    };
    match read {
        Ok(document) => sink(Ok(item(raw, media_type, document))),
        Err((reason, hint)) => sink(Err(raw.fail(reason, hint))),
    }
}

/// A file without a reader: found by its name and its message, never by its content.
pub(crate) fn by_name_only(raw: &Raw<'_>, media_type: &str) -> Item {
    let media_type = match &raw.parent {
        Some(parent)
            if media_type == "application/octet-stream" && !parent.media_type.is_empty() =>
        {
            &parent.media_type
        }
        _ => media_type,
    };
    let mut item = raw.item(Kind::Document, media_type);
    item.title = one_line(raw.name());
    item.remarks.retain(|r| !r.starts_with("only the first"));
    item.remarks.push(format!("no text: {media_type} is kept by name only"));
    item
}

fn item(raw: &Raw<'_>, media_type: &str, document: Document) -> Item {
    let mut item = raw.item(Kind::Document, media_type);
    if let Some(title) = document.title.map(|t| one_line(&t)).filter(|t| is_title(t)) {
        item.title = text::clip(&title, 300);
    }
    item.when = document.date.as_deref().and_then(note::parse_date).or(item.when);
    let author = document.author.map(|a| one_line(&a)).filter(|a| !a.is_empty());
    item.people.extend(author.map(|name| PersonRef { role: Role::Author, name, address: None }));
    item.sections = document.sections;
    item.links = document.links;
    item.remarks.extend(document.remarks);
    if item.sections.is_empty() {
        item.remarks.push("no text found inside".to_owned());
    }
    item
}

/// Programs write their own names and file names into title fields.
fn is_title(title: &str) -> bool {
    let lower = title.to_lowercase();
    let junk =
        ["untitled", "microsoft word -", "word document", "document1", "unbenannt", "(anonymous)"];
    title.chars().any(char::is_alphabetic) && !junk.iter().any(|j| lower.starts_with(j))
}

fn page(raw: &Raw<'_>, limits: &Limits) -> Document {
    let label = html::named_charset(raw.bytes);
    let decoded = text::decode(raw.bytes, label.as_deref());
    let options = html::Options { mail: false, forward: false, text_bytes: limits.text_bytes };
    let page = html::read(&decoded.text, &options);
    let mut remarks = Vec::new();
    if let Some(guess) = decoded.guessed {
        remarks.push(format!("the file's encoding was guessed: {guess}"));
    }
    if page.cut {
        remarks.push(format!("text cut at {} bytes", limits.text_bytes));
    }
    let title =
        page.title.or_else(|| page.sections.iter().find_map(|s| s.heading.first().cloned()));
    Document {
        title,
        author: page.author,
        date: page.date,
        sections: page.sections,
        links: page.links,
        remarks,
    }
}
