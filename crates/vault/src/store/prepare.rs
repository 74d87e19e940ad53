//! Everything about an item that needs no database: its stored text, chunks, index terms and fingerprint.
//! Runs on the reading threads, so that the one writer only inserts.

use sha2::{Digest, Sha256};

use crate::index::Counts;
use crate::index::terms::{Count, Terms};
use crate::index::write::Counted;
use crate::item::{Item, Kind, Weight};
use crate::text::chunks::{self, Chunk, Laid};
use crate::text::header;
use crate::text::words::{self, Language};

pub(crate) struct Prepared {
    pub(crate) item: Item,
    pub(crate) laid: Laid,
    pub(crate) terms: Vec<Counted>,
    /// Changes when anything that is indexed changes; equal means the chunks may stay.
    pub(crate) fingerprint: [u8; 16],
}

pub(crate) fn prepare(item: Item, terms: &mut Terms) -> Prepared {
    terms.tidy();
    let laid = chunks::lay_out(&item);
    let language = words::guess_language(&laid.text);
    let names = Names {
        kind: item.kind,
        title: &item.title,
        people: item.people.iter().map(|p| (p.name.as_str(), p.address.as_deref())).collect(),
        tags: item.tags.iter().map(String::as_str).collect(),
        path: &item.place.path,
        date: item.when.as_ref().map(header::date_terms).unwrap_or_default(),
        derived: item.event.is_some() && item.media_type == "text/vcard",
    };
    let terms = terms_of(&names, &laid.text, &laid.chunks, language, terms);
    let mut hash = Sha256::new();
    hash.update(laid.text.as_bytes());
    for chunk in &laid.chunks {
        hash.update(chunk.heading.as_bytes());
        hash.update([0, chunk.weight as u8]);
    }
    for text in names.texts() {
        hash.update(text.as_bytes());
        hash.update([0]);
    }
    hash.update(names.date.as_bytes());
    let mut fingerprint = [0; 16];
    fingerprint.copy_from_slice(&hash.finalize()[..16]);
    Prepared { item, laid, terms, fingerprint }
}

/// What names an item, wherever it comes from: a reader, or the database when an item is indexed again.
pub(crate) struct Names<'a> {
    pub(crate) kind: Kind,
    pub(crate) title: &'a str,
    /// (name, address)
    pub(crate) people: Vec<(&'a str, Option<&'a str>)>,
    pub(crate) tags: Vec<&'a str>,
    pub(crate) path: &'a str,
    /// From [`header::date_terms`].
    pub(crate) date: String,
    /// Made out of another item (a card's birthday): its few words must not outrank what somebody wrote.
    pub(crate) derived: bool,
}

impl<'a> Names<'a> {
    /// Title, people, tags, folder and file name: what the head of every chunk is made of.
    fn texts(&self) -> impl Iterator<Item = &'a str> {
        let folders = self.path.split('/').filter(|part| says_something(part, self.kind));
        std::iter::once(self.title)
            .chain(self.people.iter().map(|(name, _)| *name))
            .chain(self.people.iter().filter_map(|(_, address)| *address))
            .chain(self.tags.iter().copied())
            .chain(folders)
    }
}

/// The terms of each chunk.
fn terms_of(
    names: &Names<'_>,
    text: &str,
    chunks: &[Chunk],
    language: Language,
    terms: &mut Terms,
) -> Vec<Counted> {
    let mut head = Count::default();
    let head_field = if names.derived { Counts::CONTEXT } else { Counts::HEAD };
    for text in names.texts() {
        words::each_token(text, |term, _, _| {
            head.word(terms.word(term, language, true), head_field, Counts::HEAD);
        });
    }
    for address in names.people.iter().filter_map(|(_, address)| *address) {
        head.exact(terms.exact(&joined(address)), Counts::HEAD);
    }
    words::each_token(&names.date, |term, _, _| {
        head.word(terms.word(term, language, false), Counts::CONTEXT, Counts::CONTEXT);
    });
    let mut count = |chunk: &Chunk| {
        let mut count = head.clone();
        words::each_token(&chunk.heading, |term, _, _| {
            count.word(terms.word(term, language, false), Counts::HEAD, Counts::HEAD);
        });
        let text = text.get(chunk.start..chunk.end).unwrap_or_default();
        let body = chunk.weight == Weight::Body && !names.derived;
        let field = if body { Counts::BODY } else { Counts::CONTEXT };
        each_word(text, |term, is_name| {
            count.word(terms.word(term, language, body && is_name), field, Counts::BODY);
        });
        count.done(terms)
    };
    chunks.iter().map(&mut count).collect()
}

/// Maildir's own folders and the machine-made names of message files say nothing about a message.
fn says_something(part: &str, kind: Kind) -> bool {
    let machine_made = kind == Kind::Mail && part.contains([':', ',']);
    !(machine_made || matches!(part, "cur" | "new" | "tmp"))
}

/// An address or id without its punctuation: `anna.m@x.org` → `annamxorg`.
pub(crate) fn joined(text: &str) -> String {
    words::key(text).replace(' ', "")
}

/// Calls `take(term, is_name)` for each token. Names are words with digits (ids, numbers, dates) and words that
/// begin with a capital although no sentence does. In German that is every noun; they are worth finding by prefix
/// too.
fn each_word(text: &str, mut take: impl FnMut(&str, bool)) {
    let mut after_stop = true;
    let mut end = 0;
    words::each_token(text, |term, from, to| {
        // Pairs of characters overlap; between those lies nothing.
        let between = text.get(end..from).unwrap_or_default();
        after_stop |= between.contains(['.', '!', '?', '\n', ':']) || end == 0;
        end = to;
        let capital = text[from..to].chars().next().is_some_and(char::is_uppercase);
        take(term, term.bytes().any(|b| b.is_ascii_digit()) || (capital && !after_stop));
        after_stop = false;
    });
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::testing::{mail, note};

    #[test]
    fn people_and_ids_stand_unstemmed_beside_the_stems() {
        let item =
            mail(1, "Anna Meier", "Ben", "Invoices", "The order INV-2024/003 is ready, Clara.");
        let prepared = prepare(item, &mut Terms::default());
        let terms: HashMap<&str, Counts> = prepared.terms[0].terms().collect();
        for term in ["=invoices", "=anna", "=annameierexampleorg", "=2024", "=003", "=clara"] {
            assert!(terms.contains_key(term), "{term} not in {terms:?}");
        }
        assert_eq!(terms["invoic"].head(), 1);
        assert_eq!(terms["meier"].body(), 0);
    }

    #[test]
    fn pairs_of_characters_after_a_word_do_not_upset_the_search_for_names() {
        let prepared =
            prepare(note("a.md", "A", "OTC/伊東様 OpenText社\n伊東様"), &mut Terms::default());
        assert!(prepared.terms[0].terms().any(|(term, _)| term == "伊東"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_can_be_prepared_and_what_came_before_does_not_matter(
            text in "\\PC{0,400}", before in "\\PC{0,400}",
        ) {
            let counts = |prepared: &Prepared| -> Vec<HashMap<String, Counts>> {
                let own = |(term, counts): (&str, Counts)| (term.to_owned(), counts);
                prepared.terms.iter().map(|counted| counted.terms().map(own).collect()).collect()
            };
            let fresh = prepare(note("a.md", "A", &text), &mut Terms::default());
            let mut terms = Terms::default();
            prepare(note("b.md", "B", &before), &mut terms);
            let again = prepare(note("a.md", "A", &text), &mut terms);
            proptest::prop_assert_eq!(counts(&fresh), counts(&again));
        }
    }

    #[test]
    fn a_fingerprint_ignores_the_machine_name_of_a_file_but_not_its_words() {
        let prepare = |item| prepare(item, &mut Terms::default()).fingerprint;
        let at = |path: &str, text: &str| {
            let mut item = mail(1, "A", "B", "s", text);
            item.place.path = path.to_owned();
            prepare(item)
        };
        assert_eq!(at("in/cur/1.host:2,", "hello"), at("in/cur/1.host:2,S", "hello"));
        assert_ne!(at("in/cur/1.host:2,", "hello"), at("in/cur/1.host:2,", "hullo"));
    }
}
