//! The one shape every source is read into: an [`Item`] is anything of the owner's that can be found, cited
//! and opened — a message, an event, a contact, a note, a document, an attachment.
//!
//! Readers make items from bytes; the store keeps them; search and the assistant cite them. A reader never
//! touches the database and the store never parses a format.

use serde::{Deserialize, Serialize};

/// What an item is, as a person would say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Mail,
    Event,
    Contact,
    Note,
    Document,
}

impl Kind {
    /// `mail`, `event`, …: the word that is typed, shown and serialised.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Mail => "mail",
            Kind::Event => "event",
            Kind::Contact => "contact",
            Kind::Note => "note",
            Kind::Document => "document",
        }
    }
}

/// A point or span in time as its source states it.
///
/// `start`/`end` are UTC seconds since 1970 (`end` exclusive). An all-day date is the day's midnight *in
/// `zone`* (or UTC when floating), and `all_day` says that the time of day means nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct When {
    pub start: i64,
    pub end: Option<i64>,
    /// IANA name the source gave or that its rules were mapped to; `None` is floating (the owner's zone).
    pub zone: Option<String>,
    /// Offset from UTC in seconds that held at `start` in the source's own words (mail dates have no zone name).
    pub offset_s: i32,
    pub all_day: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    From,
    To,
    Cc,
    Bcc,
    Organizer,
    Attendee,
    /// The person a contact card describes.
    Subject,
    Author,
    Mentioned,
}

/// A person as one item names them. Merging several into one identity is the store's business.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonRef {
    pub role: Role,
    /// Display name as written, decoded; may be empty.
    pub name: String,
    /// Mail address in lower case, when there is one.
    pub address: Option<String>,
}

/// How much a stretch of text says about *this* item: quotes and signatures are kept but weigh little.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    Body,
    /// Text of an earlier message repeated in a reply.
    Quoted,
    Signature,
}

/// A stretch of text under one heading path. `text` is plain, decoded, with `\n` line ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// Headings from the outside in (`["Trip", "Packing"]`), or page (`["page 3"]`); empty for mail bodies.
    pub heading: Vec<String>,
    pub text: String,
    pub weight: Weight,
}

/// Where an item's bytes stand: a file of the source, and the part inside it for files that hold many.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// Path relative to the source's root, `/`-separated; non-UTF-8 bytes percent-escaped.
    pub path: String,
    /// Empty for one-item files; `msg:OFFSET+LEN` in an mbox, the UID (and `;RECURRENCE-ID`) in a calendar,
    /// the card's index in an address book; attachments append `/att:N`.
    pub part: String,
}

/// A repeating event's data: enough to expand it on demand within any window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub uid: String,
    pub location: String,
    /// `confirmed`, `tentative` or `cancelled`.
    pub status: String,
    /// The component(s) as iCalendar text, master and exceptions together, when the event repeats; the store
    /// expands it on demand through the calendar adapter.
    pub repeats: Option<String>,
    /// The original start this override replaces, for a moved or cancelled occurrence.
    pub replaces: Option<i64>,
}

/// What an address card says, field by field, as (label, value): `("email;work", "anna@example.org")`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    pub fields: Vec<(String, String)>,
}

/// A mail's place in its conversation, by message ids without the angle brackets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    pub message_id: Option<String>,
    pub in_reply_to: Vec<String>,
    /// Oldest first, as the header has it.
    pub references: Vec<String>,
    /// True when the message says it came from a list or a machine (List-Id, Precedence: bulk, Auto-Submitted), or a
    /// filter or its folder says that it is spam.
    pub bulk: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    pub kind: Kind,
    pub place: Place,
    /// Identity that survives a move: Message-ID + content hash for mail, UID for events and cards, else the
    /// content's SHA-256. Unique within a source only together with `place` when the source holds copies.
    pub identity: String,
    /// Subject, summary, name, title; never empty (readers fall back to the file name or first words).
    pub title: String,
    pub when: Option<When>,
    pub people: Vec<PersonRef>,
    pub sections: Vec<Section>,
    /// Folder names, front-matter tags, `X-Keywords`, calendar categories.
    pub tags: Vec<String>,
    /// Wiki links, URLs of link targets inside the vault, as written.
    pub links: Vec<String>,
    pub thread: Option<Thread>,
    pub event: Option<Event>,
    pub card: Option<Card>,
    /// The item this one hangs on: an attachment names its message's place.
    pub parent: Option<Place>,
    /// Media type of the bytes: `message/rfc822`, `application/pdf`.
    pub media_type: String,
    /// SHA-256 of the raw bytes of this item, hex.
    pub content_sha256: String,
    /// Size of the raw bytes.
    pub bytes: u64,
    /// Things the reader had to guess or skip, for `vault why`: "charset default_charset read as windows-1252".
    pub remarks: Vec<String>,
}
