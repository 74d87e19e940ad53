//! The database: tables, migrations and the settings every connection runs with.
//!
//! One writer at a time, any number of readers. WAL with `synchronous=NORMAL`: after a power cut the last
//! transactions may be missing but the file is whole, and since a file counts as read only in the same
//! transaction that stores its last item, the next sync simply reads it again. `secure_delete` overwrites what is
//! deleted, which `vault forget` promises.
//!
//! Text is stored once, many items to a deflated block (`text`); the inverted index holds folded and stemmed terms
//! only. Ids of messages, subjects and identities are looked up but never shown, so 64 bits of their hash stand for
//! them ([`hash64`]). Everything here can be read again from the owner's files, but for the sources and what the
//! owner said about people; so an older layout is not converted but emptied and filled by the next sync.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// The layout below; `user_version` of the database says which one it has.
const VERSION: i64 = 3;

/// Kinds, roles and weights are stored as the numbers of their enums.
const TABLES: &str = "
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE source(
  id INTEGER PRIMARY KEY AUTOINCREMENT, root TEXT NOT NULL UNIQUE, added_at INTEGER NOT NULL,
  synced_at INTEGER, files_there INTEGER NOT NULL DEFAULT 0, items_there INTEGER NOT NULL DEFAULT 0);

-- state: 0 pending, 1 indexed, 2 no text, 3 failed, 4 excluded (reason names the rule)
CREATE TABLE file(
  id INTEGER PRIMARY KEY, source INTEGER NOT NULL REFERENCES source(id), path TEXT NOT NULL,
  size INTEGER NOT NULL, modified_s INTEGER NOT NULL, sha256 BLOB, state INTEGER NOT NULL,
  reason TEXT, hint TEXT, n_items INTEGER NOT NULL DEFAULT 0,
  has_text INTEGER NOT NULL DEFAULT 0, read_with INTEGER NOT NULL DEFAULT 0);
CREATE INDEX file_source ON file(source, state);

CREATE TABLE failure(
  id INTEGER PRIMARY KEY, file INTEGER NOT NULL REFERENCES file(id), part TEXT NOT NULL,
  reason TEXT NOT NULL, hint TEXT NOT NULL);
CREATE INDEX failure_file ON failure(file);

CREATE TABLE item(
  id INTEGER PRIMARY KEY AUTOINCREMENT, source INTEGER NOT NULL, file INTEGER NOT NULL REFERENCES file(id),
  part TEXT NOT NULL, kind INTEGER NOT NULL, identity INTEGER NOT NULL, title TEXT NOT NULL,
  start INTEGER, end INTEGER, zone TEXT, offset_s INTEGER NOT NULL DEFAULT 0,
  all_day INTEGER NOT NULL DEFAULT 0, media_type TEXT NOT NULL, content_sha256 BLOB NOT NULL,
  bytes INTEGER NOT NULL, parent INTEGER, thread INTEGER, fingerprint BLOB NOT NULL,
  text_block INTEGER, text_bytes INTEGER NOT NULL, first_chunk INTEGER NOT NULL DEFAULT 0,
  n_chunks INTEGER NOT NULL DEFAULT 0, extra TEXT);
CREATE INDEX item_file ON item(file, part);
CREATE INDEX item_identity ON item(identity);
CREATE INDEX item_kind_start ON item(kind, start);
CREATE INDEX item_start ON item(start);
CREATE INDEX item_parent ON item(parent) WHERE parent IS NOT NULL;
CREATE INDEX item_thread ON item(thread) WHERE thread IS NOT NULL;

-- deflated blocks of stored texts, see texts.rs; bytes: of the texts in it before packing
CREATE TABLE text(id INTEGER PRIMARY KEY, bytes INTEGER NOT NULL, block BLOB NOT NULL);

-- The chunks of an item have numbers in a row, from item.first_chunk on.
-- weight: 0 body, 1 quoted, 2 signature; embedded: the model whose vector it has (0 none)
CREATE TABLE chunk(
  id INTEGER PRIMARY KEY AUTOINCREMENT, item INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
  weight INTEGER NOT NULL, heading TEXT, embedded INTEGER NOT NULL DEFAULT 0);

-- the inverted index, see index/mod.rs
CREATE TABLE segment(id INTEGER PRIMARY KEY AUTOINCREMENT, level INTEGER NOT NULL, first_chunk INTEGER NOT NULL,
  n_chunks INTEGER NOT NULL, lengths BLOB NOT NULL);
CREATE TABLE posting(id INTEGER PRIMARY KEY, segment INTEGER NOT NULL, first TEXT NOT NULL, page BLOB NOT NULL);
CREATE INDEX posting_segment ON posting(segment, first);
-- chunks that are gone but still in some segment
CREATE TABLE gone(chunk INTEGER PRIMARY KEY);

CREATE TABLE tag(item INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY(item, name)) WITHOUT ROWID;
CREATE TABLE link(item INTEGER NOT NULL, target TEXT NOT NULL, PRIMARY KEY(item, target)) WITHOUT ROWID;

-- A row is one identifier: an address, or a bare name. Rows of one person share `person`, which follows from `tie`.
CREATE TABLE identifier(
  id INTEGER PRIMARY KEY AUTOINCREMENT, address TEXT UNIQUE, name TEXT NOT NULL, name_key TEXT NOT NULL,
  person INTEGER NOT NULL);
CREATE INDEX identifier_person ON identifier(person);
CREATE INDEX identifier_key ON identifier(name_key);
CREATE TABLE alias(identifier INTEGER NOT NULL, name TEXT NOT NULL, name_key TEXT NOT NULL,
  source INTEGER NOT NULL, PRIMARY KEY(identifier, name, source)) WITHOUT ROWID;
CREATE INDEX alias_key ON alias(name_key);
-- cause: the contact card that ties the two, or 0 when the owner did; apart: 1 when the owner said they differ
CREATE TABLE tie(a INTEGER NOT NULL, b INTEGER NOT NULL, cause INTEGER NOT NULL,
  apart INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(a, b, cause)) WITHOUT ROWID;
CREATE INDEX tie_cause ON tie(cause);
CREATE TABLE item_person(item INTEGER NOT NULL, identifier INTEGER NOT NULL, role INTEGER NOT NULL,
  PRIMARY KEY(item, identifier, role)) WITHOUT ROWID;
CREATE INDEX item_person_identifier ON item_person(identifier, item);

-- One row per message id ever seen, also of messages that are only referred to (`item` null). mid, reply_to and
-- subject are hashes.
CREATE TABLE message(mid INTEGER PRIMARY KEY, thread INTEGER NOT NULL, item INTEGER, reply_to INTEGER,
  sent INTEGER, subject INTEGER);
CREATE INDEX message_thread ON message(thread);
CREATE INDEX message_item ON message(item) WHERE item IS NOT NULL;
CREATE INDEX message_reply ON message(reply_to) WHERE reply_to IS NOT NULL;
CREATE INDEX message_subject ON message(subject, sent) WHERE subject IS NOT NULL;

CREATE TABLE model(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, revision TEXT NOT NULL,
  dims INTEGER NOT NULL, UNIQUE(name, revision));
-- chunks: n i64 ids; scales: n f32; codes: n × dims i8 (little endian)
CREATE TABLE vectors(id INTEGER PRIMARY KEY AUTOINCREMENT, model INTEGER NOT NULL, n INTEGER NOT NULL,
  chunks BLOB NOT NULL, scales BLOB NOT NULL, codes BLOB NOT NULL);
CREATE INDEX vectors_model ON vectors(model);
";

/// Raised when readers or the cutting of chunks change so much that old items should be read again.
pub(crate) const READ_WITH: i64 = 1;

pub(crate) fn open_writer(path: &Path) -> Result<Connection> {
    let say = |e| Error::from_sqlite(path, e);
    let mut db = Connection::open(path).map_err(say)?;
    db.busy_timeout(Duration::from_secs(10)).map_err(say)?;
    // Must precede the first table: free pages then go back to the disk without a full VACUUM.
    db.execute_batch("PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL;").map_err(say)?;
    db.execute_batch(
        "PRAGMA synchronous=NORMAL; PRAGMA secure_delete=ON; PRAGMA cache_size=-32768;
         PRAGMA temp_store=MEMORY; PRAGMA journal_size_limit=67108864;",
    )
    .map_err(say)?;
    migrate(&mut db, path)?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(db)
}

pub(crate) fn open_reader(path: &Path) -> Result<Connection> {
    let say = |e| Error::from_sqlite(path, e);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(say)?;
    db.busy_timeout(Duration::from_secs(10)).map_err(say)?;
    db.execute_batch("PRAGMA cache_size=-16384; PRAGMA temp_store=MEMORY; PRAGMA query_only=ON;")
        .map_err(say)?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(db)
}

/// Makes the tables, in place of those of an older layout.
fn migrate(db: &mut Connection, path: &Path) -> Result<()> {
    let say = |e| Error::from_sqlite(path, e);
    let version = |db: &Connection| db.query_row("PRAGMA user_version", [], |row| row.get(0));
    let found: i64 = version(db).map_err(say)?;
    if found > VERSION {
        return Err(Error::Newer { path: path.to_path_buf(), found, known: VERSION });
    }
    if found == VERSION {
        return Ok(());
    }
    // Another process may migrate at the same moment: look again under the write lock.
    let step =
        db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(say)?;
    let found: i64 = version(&step).map_err(say)?;
    if found == 0 {
        step.execute_batch(TABLES).map_err(say)?;
    } else if found < VERSION {
        renew(&step, found).map_err(say)?;
    }
    step.pragma_update(None, "user_version", VERSION).map_err(say)?;
    step.commit().map_err(say)
}

/// Key in `meta` that says that an older layout was emptied and no sync has filled the new one yet.
pub(crate) const RENEWED: &str = "renewed_from";

/// Puts the tables of this layout in place of an older one, with the same sources, settings and the owner's own
/// words about who is who.
fn renew(db: &Connection, found: i64) -> rusqlite::Result<()> {
    db.execute_batch(
        "CREATE TEMP TABLE kept_source AS SELECT id, root, added_at FROM source;
         CREATE TEMP TABLE kept_meta AS SELECT key, value FROM meta;
         CREATE TEMP TABLE kept_tie AS SELECT * FROM tie WHERE cause = 0;
         CREATE TEMP TABLE kept_identifier AS SELECT id, address, name, name_key, person FROM identifier
           WHERE id IN (SELECT a FROM kept_tie UNION SELECT b FROM kept_tie);",
    )?;
    let mut tables = db.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    )?;
    // Tables that do not refer to others by a foreign key last, so that none is dropped before what refers to it.
    let mut names: Vec<String> =
        tables.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    drop(tables);
    names.sort_by_key(|name| match name.as_str() {
        "source" => 2,
        "file" => 1,
        _ => 0,
    });
    for name in names {
        db.execute_batch(&format!("DROP TABLE \"{name}\""))?;
    }
    db.execute_batch(TABLES)?;
    db.execute_batch(
        "INSERT INTO source(id, root, added_at) SELECT id, root, added_at FROM kept_source;
         INSERT INTO meta SELECT key, value FROM kept_meta;
         INSERT INTO identifier SELECT id, address, name, name_key, person FROM kept_identifier;
         INSERT INTO tie(a, b, cause, apart) SELECT a, b, cause, apart FROM kept_tie;
         DROP TABLE kept_source; DROP TABLE kept_meta; DROP TABLE kept_tie; DROP TABLE kept_identifier;",
    )?;
    super::source::set_meta(db, RENEWED, &found.to_string())
}

/// 64 bits of a text's SHA-256, under which it is looked up without being kept. Two of a million texts share them
/// with a chance of one in forty million.
pub(crate) fn hash64(text: &str) -> i64 {
    let digest = Sha256::digest(text.as_bytes());
    let (head, _) = digest.split_at(8);
    head.iter().fold(0, |value, byte| value << 8 | i64::from(*byte))
}
