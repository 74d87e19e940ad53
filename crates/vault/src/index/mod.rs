//! The inverted index: which chunks hold which terms. Kept in the vault's own database, so that one transaction
//! stores an item *and* makes it findable, and forgetting an item overwrites its terms with it.
//!
//! FTS5 and tantivy were measured first (docs/LOG.md). FTS5 costs about twice the text in bytes and scores every
//! match through a callback; tantivy is fast, but it is a second store beside the database whose commits must be
//! reconciled after every crash. What the vault needs is small enough to have here:
//!
//! - A *segment* is what one transaction added: terms in order, each with its postings, packed in pages of
//!   [`PAGE_BYTES`] (`posting` table). Segments of a level are merged by eight into one of the next level.
//! - A *posting* is a chunk's number and one byte: how often the term stands in the head (2 bits), body (4 bits) and
//!   context (2 bits) of the chunk. BM25 saturates anyway. Lists keep gaps, changes and runs, see [`pack`].
//! - Lengths are one byte per chunk, held in memory; 0 says that the chunk is gone.
//!
//! Three kinds of terms share the dictionary: stems as they are, unstemmed words as `=word`, facets as `#…`.
//! A query adds scores up in one array over all chunks, under a bit set made from the facets: three terms of a
//! million chunks are a few hundred thousand additions, which needs no cleverness to stay in milliseconds.

pub(crate) mod merge;
pub(crate) mod read;
pub(crate) mod terms;
pub(crate) mod write;

/// A dictionary page with its first term closes before it outgrows one leaf page of the database (4,061 bytes of
/// payload, of which the row's own numbers take up to 12).
const PAGE_BYTES: usize = 4_045;

/// One chunk of a term's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Posting {
    pub(crate) chunk: u32,
    pub(crate) counts: Counts,
}

/// Occurrences by field, saturating: head ≤ 3, body ≤ 15, context ≤ 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts(pub(crate) u8);

impl Counts {
    pub(crate) const HEAD: Counts = Counts(1);
    pub(crate) const BODY: Counts = Counts(1 << 2);
    pub(crate) const CONTEXT: Counts = Counts(1 << 6);

    pub(crate) fn head(self) -> u8 {
        self.0 & 3
    }
    pub(crate) fn body(self) -> u8 {
        (self.0 >> 2) & 15
    }
    pub(crate) fn context(self) -> u8 {
        self.0 >> 6
    }

    pub(crate) fn plus(self, other: Counts) -> Counts {
        let head = (self.head() + other.head()).min(3);
        let body = (self.body() + other.body()).min(15);
        let context = (self.context() + other.context()).min(3);
        Counts(head | body << 2 | context << 6)
    }
}

pub(crate) fn push_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Takes a number off the front; `None` at the end or on damage.
pub(crate) fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Packs a list; chunks must ascend.
///
/// The chunks of one item are numbered in a row and share their head, so lists are full of runs. A group is a number
/// `gap · 4 + flags` (gap to the chunk before), then the counts where they differ from the group before
/// ([`NEW_COUNTS`]), then how many more than two chunks follow one another with the same counts ([`RUN`]). Against
/// two bytes for each posting this halves the lists.
pub(crate) fn pack(list: &[Posting]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(list.len() * 2);
    let mut before = 0;
    let mut counts = FIRST_COUNTS;
    let mut rest = list;
    while let Some((first, _)) = rest.split_first() {
        let next = |(idx, posting): &(usize, &Posting)| {
            posting.counts == first.counts
                && u64::from(posting.chunk) == u64::from(first.chunk) + *idx as u64
        };
        let run = rest.iter().enumerate().take(MAX_RUN).take_while(next).count();
        let flags =
            if first.counts == counts { 0 } else { NEW_COUNTS } | if run > 1 { RUN } else { 0 };
        push_varint(&mut bytes, u64::from(first.chunk - before) << 2 | flags);
        if first.counts != counts {
            bytes.push(first.counts.0);
        }
        if run > 1 {
            push_varint(&mut bytes, run as u64 - 2);
        }
        counts = first.counts;
        before = rest[run - 1].chunk;
        rest = &rest[run..];
    }
    bytes
}

const NEW_COUNTS: u64 = 1;
const RUN: u64 = 2;
/// Longest run of one group, so that a damaged list cannot keep a reader busy.
const MAX_RUN: usize = 1 << 16;
/// What the first group is compared with: once in the body.
const FIRST_COUNTS: Counts = Counts::BODY;

/// Calls `take` for each posting of a packed list; ends early on damage.
pub(crate) fn each_posting(mut bytes: &[u8], mut take: impl FnMut(Posting)) {
    let mut chunk = 0u32;
    let mut counts = FIRST_COUNTS;
    while let Some(group) = take_varint(&mut bytes) {
        if group & NEW_COUNTS != 0 {
            let Some((&new, rest)) = bytes.split_first() else { return };
            (counts, bytes) = (Counts(new), rest);
        }
        chunk = chunk.wrapping_add((group >> 2) as u32);
        take(Posting { chunk, counts });
        if group & RUN != 0 {
            let Some(more) = take_varint(&mut bytes) else { return };
            for _ in 0..=more.min(MAX_RUN as u64) {
                let Some(next) = chunk.checked_add(1) else { return };
                chunk = next;
                take(Posting { chunk, counts });
            }
        }
    }
}

/// A term of a dictionary page with its packed list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) term: String,
    pub(crate) n: u64,
    pub(crate) list: Vec<u8>,
}

/// Builds dictionary pages from entries in order of their terms.
#[derive(Default)]
struct Pages {
    first: String,
    last: String,
    bytes: Vec<u8>,
}

impl Pages {
    /// Adds an entry; gives back the page before it when that is full.
    fn push(&mut self, term: &str, n: u64, list: &[u8]) -> Option<(String, Vec<u8>)> {
        let mut shared = self.last.bytes().zip(term.bytes()).take_while(|(a, b)| a == b).count();
        // Four numbers of one byte, lists beyond 127 bytes have longer ones.
        let size = term.len() - shared + list.len() + if list.len() < 128 { 4 } else { 8 };
        let full =
            !self.bytes.is_empty() && self.first.len() + self.bytes.len() + size > PAGE_BYTES;
        let page = if full { self.close() } else { None };
        if self.bytes.is_empty() {
            self.first = term.to_owned();
            self.last.clear();
            shared = 0;
        }
        push_varint(&mut self.bytes, shared as u64);
        push_varint(&mut self.bytes, (term.len() - shared) as u64);
        self.bytes.extend_from_slice(&term.as_bytes()[shared..]);
        push_varint(&mut self.bytes, n);
        push_varint(&mut self.bytes, list.len() as u64);
        self.bytes.extend_from_slice(list);
        term.clone_into(&mut self.last);
        page
    }

    fn close(&mut self) -> Option<(String, Vec<u8>)> {
        (!self.bytes.is_empty())
            .then(|| (std::mem::take(&mut self.first), std::mem::take(&mut self.bytes)))
    }
}

/// Reads a dictionary page entry by entry; ends early on damage.
struct PageReader<'a> {
    bytes: &'a [u8],
    term: Vec<u8>,
}

impl<'a> PageReader<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, term: Vec::new() }
    }

    /// (term, number of postings, packed list)
    fn next(&mut self) -> Option<(&[u8], u64, &'a [u8])> {
        let shared = take_varint(&mut self.bytes)? as usize;
        let length = take_varint(&mut self.bytes)? as usize;
        self.term.truncate(shared);
        self.term.extend_from_slice(self.bytes.get(..length)?);
        self.bytes = &self.bytes[length..];
        let n = take_varint(&mut self.bytes)?;
        let size = take_varint(&mut self.bytes)? as usize;
        let list = self.bytes.get(..size)?;
        self.bytes = &self.bytes[size..];
        Some((&self.term, n, list))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lists_survive_packing(chunks in proptest::collection::btree_map(
            prop_oneof![any::<u32>(), 0u32..100, u32::MAX - 20..=u32::MAX], 0u8..6, 0..200)) {
            let list: Vec<Posting> =
                chunks.iter().map(|(&chunk, &counts)| Posting { chunk, counts: Counts(counts) }).collect();
            let mut back = Vec::new();
            each_posting(&pack(&list), |posting| back.push(posting));
            prop_assert_eq!(back, list);
        }

        #[test]
        fn pages_give_back_their_terms(
            terms in proptest::collection::btree_map("[a-zä#=]{1,12}", proptest::collection::vec(any::<u8>(), 0..900), 1..60)
        ) {
            let mut pages = Pages::default();
            let mut closed: Vec<(String, Vec<u8>)> =
                terms.iter().filter_map(|(term, list)| pages.push(term, 7, list)).collect();
            closed.extend(pages.close());
            let mut back = Vec::new();
            for (first, page) in &closed {
                let mut reader = PageReader::new(page);
                let before = back.len();
                while let Some((term, n, list)) = reader.next() {
                    prop_assert_eq!(n, 7);
                    back.push((String::from_utf8(term.to_vec()).unwrap(), list.to_vec()));
                }
                prop_assert_eq!(&back[before].0, first);
            }
            prop_assert_eq!(back, terms.into_iter().collect::<Vec<_>>());
        }

        #[test]
        fn damaged_pages_end_instead_of_panicking(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut reader = PageReader::new(&bytes);
            while let Some((_, _, list)) = reader.next() {
                each_posting(list, |_| {});
            }
        }
    }

    #[test]
    fn counts_saturate_by_field() {
        let mut counts = Counts::default();
        for _ in 0..40 {
            counts = counts.plus(Counts::BODY);
        }
        counts = counts.plus(Counts::HEAD).plus(Counts::CONTEXT);
        assert_eq!((counts.head(), counts.body(), counts.context()), (1, 15, 1));
    }
}
