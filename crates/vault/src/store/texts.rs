//! Stored text: what a person reads when they open an item, packed many items to a block.
//!
//! Mails are short, and a short text alone deflates to half its size; together, 64 KiB at a time, they deflate to
//! 36 %. A block begins with the (item, length) of each text in it, so that a row needs no more than its block's
//! number, and what lies behind the text that is wanted is not unpacked. An item of up to [`BLOCK_BYTES`] lies whole
//! in one block; a longer one begins a block, fills as many as it needs with numbers in a row, and shares only the
//! last.
//!
//! Taking an item out writes its block anew without it, once per transaction however many go.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Read;
use std::ops::Range;

use rusqlite::{Connection, OptionalExtension, params};

use crate::index::{push_varint, take_varint};

const BLOCK_BYTES: usize = 64 * 1024;
const DEFLATE_LEVEL: u32 = 6;

/// The blocks that a transaction changes. Flush it before the commit.
#[derive(Default)]
pub(crate) struct Texts {
    open: BTreeMap<i64, Block>,
    /// The block that the next text may join.
    last: Option<i64>,
    /// Items that leave blocks which are not open.
    leaving: HashMap<i64, HashSet<i64>>,
}

#[derive(Default)]
struct Block {
    texts: Vec<(i64, Vec<u8>)>,
    bytes: usize,
}

impl Texts {
    /// Adds the text of an item that has none; gives back the number of its (first) block.
    pub(crate) fn add(&mut self, db: &Connection, item: i64, text: &str) -> rusqlite::Result<i64> {
        let last = match self.last {
            Some(last) => last,
            None => self.reopen(db)?,
        };
        let used = self.open.get(&last).map_or(BLOCK_BYTES, |block| block.bytes);
        let joins = used > 0 && used + text.len() <= BLOCK_BYTES;
        let first = if joins || used == 0 { last } else { last + 1 };
        let mut block = first;
        let mut rest = text.as_bytes();
        loop {
            let (piece, more) = rest.split_at(rest.len().min(BLOCK_BYTES));
            self.open.entry(block).or_default().push(item, piece);
            if more.is_empty() {
                break;
            }
            rest = more;
            block += 1;
        }
        self.last = Some(block);
        Ok(first)
    }

    /// The number of the last block, opened again when there is much room in it: a vault that gets one mail at a
    /// time would else have one block for each.
    fn reopen(&mut self, db: &Connection) -> rusqlite::Result<i64> {
        let last: Option<(i64, usize, Vec<u8>)> = db
            .prepare_cached("SELECT id, bytes, block FROM text ORDER BY id DESC LIMIT 1")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((id, bytes, packed)) = last else { return Ok(0) };
        if bytes < BLOCK_BYTES / 2
            && let Some(mut block) = Block::unpack(&packed)
        {
            for item in self.leaving.remove(&id).unwrap_or_default() {
                block.remove(item);
            }
            self.open.insert(id, block);
        }
        Ok(id)
    }

    /// Takes the text of an item out.
    pub(crate) fn remove(&mut self, db: &Connection, item: i64) -> rusqlite::Result<()> {
        let Some((first, bytes)) = place(db, item)? else { return Ok(()) };
        for block in blocks(first, 0..bytes) {
            match self.open.get_mut(&block) {
                Some(open) => open.remove(item),
                None => {
                    self.leaving.entry(block).or_default().insert(item);
                }
            }
        }
        Ok(())
    }

    /// Writes what changed.
    pub(crate) fn flush(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let mut read = db.prepare_cached("SELECT block FROM text WHERE id = ?1")?;
        for (id, items) in std::mem::take(&mut self.leaving) {
            let packed: Option<Vec<u8>> = read.query_row([id], |row| row.get(0)).optional()?;
            let mut block = packed.and_then(|packed| Block::unpack(&packed)).unwrap_or_default();
            for item in items {
                block.remove(item);
            }
            self.open.insert(id, block);
        }
        self.last = None;
        for (id, block) in std::mem::take(&mut self.open) {
            if block.texts.is_empty() {
                db.prepare_cached("DELETE FROM text WHERE id = ?1")?.execute([id])?;
                continue;
            }
            db.prepare_cached("INSERT OR REPLACE INTO text(id, bytes, block) VALUES(?1, ?2, ?3)")?
                .execute(params![id, block.bytes, block.pack()])?;
        }
        Ok(())
    }

    /// `text[range]` of an item, also when this transaction has just added it.
    pub(crate) fn part(
        &self,
        db: &Connection,
        item: i64,
        range: Range<usize>,
    ) -> rusqlite::Result<String> {
        let mut parts = parts(db, &[(item, range)], |block| {
            self.open.get(&block).and_then(|open| open.get(item))
        })?;
        Ok(parts.pop().unwrap_or_default())
    }
}

/// The whole stored text of an item.
pub(crate) fn load(db: &Connection, item: i64) -> rusqlite::Result<String> {
    let mut parts = load_parts(db, &[(item, 0..usize::MAX)])?;
    Ok(parts.pop().unwrap_or_default())
}

/// `text[range]` of each (item, range), without unpacking the rest of a long document. Texts that share a block
/// share the work.
pub(crate) fn load_parts(
    db: &Connection,
    wanted: &[(i64, Range<usize>)],
) -> rusqlite::Result<Vec<String>> {
    parts(db, wanted, |_| None)
}

/// `open`: the piece of the one wanted item that lies in a block not yet written.
fn parts<'a>(
    db: &Connection,
    wanted: &[(i64, Range<usize>)],
    open: impl Fn(i64) -> Option<&'a [u8]>,
) -> rusqlite::Result<Vec<String>> {
    let mut texts: Vec<Vec<u8>> = vec![Vec::new(); wanted.len()];
    let mut skipped = vec![0..0; wanted.len()];
    let mut places: Vec<(i64, usize)> = Vec::new();
    for (idx, (item, range)) in wanted.iter().enumerate() {
        let Some((first, bytes)) = place(db, *item)? else { continue };
        let range = range.start.min(bytes)..range.end.min(bytes);
        places.extend(blocks(first, range.clone()).map(|block| (block, idx)));
        let before = range.start / BLOCK_BYTES * BLOCK_BYTES;
        skipped[idx] = range.start - before..range.end - before;
    }
    places.sort_unstable();
    let mut read = db.prepare_cached("SELECT block FROM text WHERE id = ?1")?;
    for of_block in places.chunk_by(|a, b| a.0 == b.0) {
        let block = of_block[0].0;
        if let Some(piece) = open(block) {
            of_block.iter().for_each(|(_, idx)| texts[*idx].extend_from_slice(piece));
            continue;
        }
        let items: Vec<i64> = of_block.iter().map(|(_, idx)| wanted[*idx].0).collect();
        let mut rows = read.query([block])?;
        let Some(row) = rows.next()? else { continue };
        let Some((plain, pieces)) = pieces_of(row.get_ref(0)?.as_blob()?, &items) else { continue };
        for ((_, idx), piece) in of_block.iter().zip(pieces) {
            texts[*idx].extend_from_slice(plain.get(piece).unwrap_or_default());
        }
    }
    let wanted = |(text, range): (&Vec<u8>, Range<usize>)| {
        String::from_utf8_lossy(text.get(range).unwrap_or_default()).into_owned()
    };
    Ok(texts.iter().zip(skipped).map(wanted).collect())
}

/// First block and length of an item's text.
fn place(db: &Connection, item: i64) -> rusqlite::Result<Option<(i64, usize)>> {
    db.prepare_cached(
        "SELECT text_block, text_bytes FROM item WHERE id = ?1 AND text_block IS NOT NULL",
    )?
    .query_row([item], |row| Ok((row.get(0)?, row.get(1)?)))
    .optional()
}

/// The blocks in which some bytes of a text that begins in block `first` lie.
fn blocks(first: i64, bytes: Range<usize>) -> Range<i64> {
    let end = bytes.end.div_ceil(BLOCK_BYTES).max(bytes.start / BLOCK_BYTES + 1);
    first + (bytes.start / BLOCK_BYTES) as i64..first + end as i64
}

impl Block {
    fn push(&mut self, item: i64, text: &[u8]) {
        self.bytes += text.len();
        self.texts.push((item, text.to_vec()));
    }

    fn remove(&mut self, item: i64) {
        self.texts.retain(|(known, _)| *known != item);
        self.bytes = self.texts.iter().map(|(_, text)| text.len()).sum();
    }

    fn get(&self, item: i64) -> Option<&[u8]> {
        self.texts.iter().find(|(known, _)| *known == item).map(|(_, text)| text.as_slice())
    }

    fn pack(&self) -> Vec<u8> {
        let mut packed = Vec::with_capacity(self.bytes / 2 + 64);
        push_varint(&mut packed, self.texts.len() as u64);
        for (item, text) in &self.texts {
            push_varint(&mut packed, item.unsigned_abs());
            push_varint(&mut packed, text.len() as u64);
        }
        let mut plain = Vec::with_capacity(self.bytes);
        for (_, text) in &self.texts {
            plain.extend_from_slice(text);
        }
        let level = flate2::Compression::new(DEFLATE_LEVEL);
        let mut encoder = flate2::read::DeflateEncoder::new(plain.as_slice(), level);
        // Reading from memory into memory cannot fail.
        let _ = encoder.read_to_end(&mut packed);
        packed
    }

    /// `None` when it is not what we wrote (a damaged database).
    fn unpack(packed: &[u8]) -> Option<Block> {
        let (heads, packed) = heads(packed)?;
        let plain = inflate(packed, heads.iter().map(|(_, length)| length).sum())?;
        let mut rest = plain.as_slice();
        let mut block = Block::default();
        for (item, length) in heads {
            block.push(item, rest.get(..length)?);
            rest = &rest[length..];
        }
        Some(block)
    }
}

/// The texts of some items in a packed block: the block as far as it had to be unpacked, and where each lies in it
/// (an empty range for one that is not there).
fn pieces_of(packed: &[u8], items: &[i64]) -> Option<(Vec<u8>, Vec<Range<usize>>)> {
    let (heads, packed) = heads(packed)?;
    let mut starts = HashMap::new();
    let mut end = 0;
    for (item, length) in heads {
        starts.insert(item, end..end + length);
        end += length;
    }
    let pieces: Vec<Range<usize>> =
        items.iter().map(|item| starts.get(item).cloned().unwrap_or_default()).collect();
    let needed = pieces.iter().map(|piece| piece.end).max().unwrap_or(0);
    Some((inflate(packed, needed)?, pieces))
}

/// (item, bytes of its text)
type Head = (i64, usize);

/// The heads of a packed block, and the deflated texts.
fn heads(mut packed: &[u8]) -> Option<(Vec<Head>, &[u8])> {
    let n_texts = take_varint(&mut packed)?;
    let mut heads = Vec::new();
    let mut bytes = 0usize;
    for _ in 0..n_texts {
        let item = i64::try_from(take_varint(&mut packed)?).ok()?;
        let length = usize::try_from(take_varint(&mut packed)?).ok()?;
        bytes = bytes.checked_add(length).filter(|bytes| *bytes <= BLOCK_BYTES)?;
        heads.push((item, length));
    }
    Some((heads, packed))
}

/// The first `bytes` of what was packed.
fn inflate(packed: &[u8], bytes: usize) -> Option<Vec<u8>> {
    let mut plain = vec![0; bytes];
    let mut reader = flate2::Decompress::new(false);
    reader.decompress(packed, &mut plain, flate2::FlushDecompress::Finish).ok()?;
    (reader.total_out() == bytes as u64).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database with nothing but what this file needs of it.
    fn database() -> Connection {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(
            "CREATE TABLE text(id INTEGER PRIMARY KEY, bytes INTEGER NOT NULL, block BLOB NOT NULL);
             CREATE TABLE item(id INTEGER PRIMARY KEY, text_block INTEGER, text_bytes INTEGER);",
        )
        .unwrap();
        db
    }

    fn add(db: &Connection, texts: &mut Texts, item: i64, text: &str) {
        let block = texts.add(db, item, text).unwrap();
        db.execute(
            "INSERT OR REPLACE INTO item VALUES(?1, ?2, ?3)",
            params![item, block, text.len()],
        )
        .unwrap();
    }

    fn remove(db: &Connection, texts: &mut Texts, item: i64) {
        texts.remove(db, item).unwrap();
        db.execute("DELETE FROM item WHERE id = ?1", [item]).unwrap();
    }

    fn long(n: usize) -> String {
        (0..n).map(|i| format!("Österreich {i}, ")).collect()
    }

    #[test]
    fn every_text_and_every_part_comes_back_whatever_its_length() {
        let (db, mut texts) = (database(), Texts::default());
        let all: Vec<String> =
            [0, 1, 40, 3_000, 4_000, 4_300, 30_000, 7, 9_000, 2].map(long).to_vec();
        for (id, text) in (1..).zip(&all) {
            add(&db, &mut texts, id, text);
            // Some transactions hold one item, some several.
            if id % 3 == 0 {
                texts.flush(&db).unwrap();
            }
            assert_eq!(texts.part(&db, id, 0..usize::MAX).unwrap(), *text);
        }
        texts.flush(&db).unwrap();
        for (id, text) in (1..).zip(&all) {
            assert_eq!(load(&db, id).unwrap(), *text);
            for at in (0..text.len()).step_by(9_973) {
                let range = crate::text::chunks::floor_boundary(text, at)
                    ..crate::text::chunks::floor_boundary(text, at + 70_000);
                let part = load_parts(&db, &[(id, range.clone())]).unwrap();
                assert_eq!(part, [&text[range]]);
            }
        }
    }

    #[test]
    fn what_leaves_is_gone_and_the_rest_stays() {
        let (db, mut texts) = (database(), Texts::default());
        for id in 1..=60 {
            add(&db, &mut texts, id, &format!("{} number {id}", long(300)));
        }
        add(&db, &mut texts, 61, &long(20_000));
        texts.flush(&db).unwrap();
        for id in (1..=61).filter(|id| id % 4 != 0) {
            remove(&db, &mut texts, id);
        }
        // One that is added and leaves within the transaction, and one that is changed.
        add(&db, &mut texts, 70, "never to be seen");
        remove(&db, &mut texts, 70);
        remove(&db, &mut texts, 60);
        add(&db, &mut texts, 60, "changed");
        texts.flush(&db).unwrap();
        let mut read = db.prepare("SELECT block FROM text").unwrap();
        let left: Vec<i64> = read
            .query_map([], |row| row.get::<_, Vec<u8>>(0))
            .unwrap()
            .flat_map(|packed| Block::unpack(&packed.unwrap()).unwrap().texts)
            .map(|(item, _)| item)
            .collect();
        assert_eq!(left.iter().filter(|id| **id % 4 != 0 || **id == 70).count(), 0, "{left:?}");
        assert_eq!(left.len(), 15);
        assert_eq!(load(&db, 60).unwrap(), "changed");
        assert!(load(&db, 8).unwrap().ends_with("number 8"));
    }

    #[test]
    fn one_mail_at_a_time_makes_few_blocks() {
        let (db, mut texts) = (database(), Texts::default());
        for id in 1..=200 {
            add(&db, &mut texts, id, &long(100));
            texts.flush(&db).unwrap();
        }
        let n_blocks: i64 =
            db.query_row("SELECT count(*) FROM text", [], |row| row.get(0)).unwrap();
        assert!(n_blocks <= 10, "{n_blocks} blocks for {} bytes", 200 * long(100).len());
        assert_eq!(load(&db, 1).unwrap(), long(100));
    }

    proptest::proptest! {
        #[test]
        fn damaged_blocks_are_nothing_instead_of_a_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
            let _ = (Block::unpack(&bytes), pieces_of(&bytes, &[1]));
        }
    }
}
