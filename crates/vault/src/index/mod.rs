//! The inverted index: which chunks hold which terms. Kept in the vault's own database, so that one transaction
//! stores an item *and* makes it findable, and forgetting an item overwrites its terms with it.
//!
//! FTS5 and tantivy were measured first (docs/LOG.md). FTS5 costs about twice the text in bytes and scores every
//! match through a callback; tantivy is fast, but it is a second store beside the database whose commits must be
//! reconciled after every crash. What the vault needs is small enough to have here:
//!
//! - A *segment* is what one transaction added: terms in order, each with its postings, packed in pages of
//!   [`PAGE_BYTES`] (`posting` table). Segments of a level are merged by eight into one of the next level.
//! - A *posting* is a chunk's number (delta, variable length) and one byte: how often the term stands in the head
//!   (2 bits), body (4 bits) and context (2 bits) of the chunk. BM25 saturates anyway.
//! - Lengths are one byte per chunk, held in memory; 0 says that the chunk is gone.
//!
//! Three kinds of terms share the dictionary: stems as they are, unstemmed words as `=word`, facets as `#…`.
//! A query adds scores up in one array over all chunks, under a bit set made from the facets: three terms of a
//! million chunks are a few hundred thousand additions, which needs no cleverness to stay in milliseconds.

pub(crate) mod merge;
pub(crate) mod read;
pub(crate) mod write;

/// A dictionary page closes before it outgrows one leaf page of the database (4,096 bytes with its headers).
const PAGE_BYTES: usize = 3_900;

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

fn push_varint(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Takes a number off the front; `None` at the end or on damage.
fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
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
pub(crate) fn pack(list: &[Posting]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(list.len() * 3);
    let mut before = 0;
    for posting in list {
        push_varint(&mut bytes, u64::from(posting.chunk - before));
        bytes.push(posting.counts.0);
        before = posting.chunk;
    }
    bytes
}

/// Calls `take` for each posting of a packed list.
pub(crate) fn each_posting(mut bytes: &[u8], mut take: impl FnMut(Posting)) {
    let mut chunk = 0u32;
    while let Some(delta) = take_varint(&mut bytes) {
        let Some((&counts, rest)) = bytes.split_first() else { return };
        bytes = rest;
        chunk = chunk.wrapping_add(delta as u32);
        take(Posting { chunk, counts: Counts(counts) });
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
        let size = term.len() + list.len() + 8;
        let full = !self.bytes.is_empty() && self.bytes.len() + size > PAGE_BYTES;
        let page = if full { self.close() } else { None };
        if self.bytes.is_empty() {
            self.first = term.to_owned();
            self.last.clear();
        }
        let shared = self.last.bytes().zip(term.bytes()).take_while(|(a, b)| a == b).count();
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
        fn lists_survive_packing(chunks in proptest::collection::btree_map(any::<u32>(), any::<u8>(), 0..200)) {
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
