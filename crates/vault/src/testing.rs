//! Items made by hand for this crate's own tests.

use crate::item::{Item, Kind, PersonRef, Place, Role, Section, Thread, Weight, When};
use sha2::{Digest, Sha256};

pub(crate) fn note(path: &str, title: &str, text: &str) -> Item {
    let digest = Sha256::digest(text.as_bytes());
    let sha: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Item {
        kind: Kind::Note,
        place: Place { path: path.to_owned(), part: String::new() },
        identity: sha.clone(),
        title: title.to_owned(),
        when: None,
        people: Vec::new(),
        sections: vec![Section {
            heading: Vec::new(),
            text: text.to_owned(),
            weight: Weight::Body,
        }],
        tags: Vec::new(),
        links: Vec::new(),
        thread: None,
        event: None,
        card: None,
        parent: None,
        media_type: "text/markdown".to_owned(),
        content_sha256: sha,
        bytes: text.len() as u64,
        remarks: Vec::new(),
    }
}

/// A mail `number` (its path and message id) from one person to another.
pub(crate) fn mail(number: usize, from: &str, to: &str, subject: &str, text: &str) -> Item {
    let person = |role, name: &str| PersonRef {
        role,
        name: name.to_owned(),
        address: Some(format!("{}@example.org", name.to_lowercase().replace(' ', "."))),
    };
    let start = 1_780_000_000 + number as i64 * 3_600;
    Item {
        kind: Kind::Mail,
        when: Some(When { start, end: None, zone: None, offset_s: 0, all_day: false }),
        people: vec![person(Role::From, from), person(Role::To, to)],
        thread: Some(Thread {
            message_id: Some(format!("{number}@example.org")),
            ..Thread::default()
        }),
        media_type: "message/rfc822".to_owned(),
        identity: format!("{number}@example.org"),
        ..note(&format!("mail/{number}.eml"), subject, text)
    }
}
