//! From files to documents.
//!
//! Reading has two halves. The first ([`walk`], [`lines`], [`table`]) finds files and cuts them into raw pieces, in
//! one thread and in a fixed order; [`Raw`] is such a piece. The second ([`Raw::decode`]) turns a piece into text
//! and runs on as many threads as there are. A file or line that cannot be read is a [`Fault`]: named, counted,
//! passed over.

mod code;
mod decode;
mod entities;
mod html;
mod lines;
mod records;
mod table;
mod walk;

pub use records::{json_records, records};

use crate::Error;
use crate::chat::Message;
use crate::config::{Kind, Source};
use std::ops::ControlFlow;

/// What a document consists of.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// A text.
    Text(String),
    /// A conversation.
    Chat(Vec<Message>),
}

/// A piece of a source, not yet decoded.
#[derive(Debug, Clone)]
pub struct Raw {
    /// Number of the source.
    pub source: usize,
    /// Where it comes from: file, and line or row.
    pub place: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What the bytes are.
    pub format: Format,
}

/// What the bytes of a piece are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// Text.
    Plain,
    /// HTML.
    Html,
    /// Source code.
    Code,
    /// A JSON object with the text in this field.
    JsonText(String),
    /// A JSON object with `messages`.
    JsonChat,
}

/// Something that could not be read, or only in part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// File, and line or row.
    pub place: String,
    /// What is wrong with it.
    pub problem: String,
}

/// What reading finds.
#[derive(Debug, Clone)]
pub enum Found {
    /// A piece.
    Raw(Raw),
    /// A file or line that could not be read.
    Fault(Fault),
}

/// Receives what is found; breaks off the reading.
pub type Sink<'a> = &'a mut dyn FnMut(Found) -> ControlFlow<()>;

/// Reads a source from beginning to end. Only a path that does not exist at all is an error.
pub fn read(number: usize, source: &Source, sink: Sink<'_>) -> Result<(), Error> {
    for path in &source.paths {
        if !path.exists() {
            let missing = std::io::ErrorKind::NotFound.into();
            return Err(Error::io("read", path, missing));
        }
        let flow = walk::files(path, source, &mut |found| match found {
            Ok(file) => match source.kind {
                Kind::Text => lines::text_file(number, source, &file, sink),
                Kind::Code => lines::code_file(number, &file, sink),
                Kind::Jsonl => {
                    let format = Format::JsonText(source.field.clone());
                    lines::json_lines(number, format, &file, sink)
                }
                Kind::Chat => lines::json_lines(number, Format::JsonChat, &file, sink),
                Kind::Parquet => table::rows(number, &source.field, &file, sink),
            },
            Err(fault) => sink(Found::Fault(fault)),
        });
        if flow.is_break() {
            break;
        }
    }
    Ok(())
}
