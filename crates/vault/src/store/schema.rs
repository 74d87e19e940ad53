//! The database: tables, migrations and the settings every connection runs with.
//!
//! One writer at a time, any number of readers. WAL with `synchronous=NORMAL`: after a power cut the last
//! transactions may be missing but the file is whole, and since a file counts as read only in the same
//! transaction that stores its last item, the next sync simply reads it again. `secure_delete` overwrites what is
//! deleted, which `vault forget` promises.
//!
//! Text is stored once, deflated in blocks (`text`); the inverted index holds folded and stemmed terms only.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::{Error, Result};

/// Each entry takes the schema from version `idx` to `idx + 1`.
const MIGRATIONS: &[&str] = &[V1];

/// The first schema. Kinds, roles and weights are stored as the numbers of their enums.
const V1: &str = "
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE source(
  id INTEGER PRIMARY KEY AUTOINCREMENT, root TEXT NOT NULL UNIQUE, added_at INTEGER NOT NULL,
  synced_at INTEGER, files_there INTEGER NOT NULL DEFAULT 0, items_there INTEGER NOT NULL DEFAULT 0);

-- state: 0 pending, 1 indexed, 2 no text, 3 failed, 4 excluded (reason names the rule)
CREATE TABLE file(
  id INTEGER PRIMARY KEY, source INTEGER NOT NULL REFERENCES source(id), path TEXT NOT NULL,
  size INTEGER NOT NULL, modified_s INTEGER NOT NULL, sha256 BLOB, state INTEGER NOT NULL,
  reason TEXT, hint TEXT, n_items INTEGER NOT NULL DEFAULT 0,
  has_text INTEGER NOT NULL DEFAULT 0, read_with INTEGER NOT NULL DEFAULT 0,
  UNIQUE(source, path));
CREATE INDEX file_state ON file(state, source);

CREATE TABLE failure(
  id INTEGER PRIMARY KEY, file INTEGER NOT NULL REFERENCES file(id), part TEXT NOT NULL,
  reason TEXT NOT NULL, hint TEXT NOT NULL);
CREATE INDEX failure_file ON failure(file);

CREATE TABLE item(
  id INTEGER PRIMARY KEY AUTOINCREMENT, source INTEGER NOT NULL, file INTEGER NOT NULL REFERENCES file(id),
  part TEXT NOT NULL, kind INTEGER NOT NULL, identity TEXT NOT NULL, title TEXT NOT NULL,
  start INTEGER, end INTEGER, zone TEXT, offset_s INTEGER NOT NULL DEFAULT 0,
  all_day INTEGER NOT NULL DEFAULT 0, media_type TEXT NOT NULL, content_sha256 TEXT NOT NULL,
  bytes INTEGER NOT NULL, parent INTEGER, thread INTEGER, fingerprint BLOB NOT NULL,
  text_bytes INTEGER NOT NULL, extra TEXT);
CREATE INDEX item_file ON item(file, part);
CREATE INDEX item_identity ON item(identity);
CREATE INDEX item_kind_start ON item(kind, start);
CREATE INDEX item_start ON item(start);
CREATE INDEX item_parent ON item(parent) WHERE parent IS NOT NULL;
CREATE INDEX item_thread ON item(thread) WHERE thread IS NOT NULL;

-- deflated blocks of the item's stored text; `first` is the byte the block begins at
-- (a rowid table: rows of a table without rowids spill into pages of their own beyond 1,002 bytes)
CREATE TABLE text(id INTEGER PRIMARY KEY, item INTEGER NOT NULL, first INTEGER NOT NULL, block BLOB NOT NULL);
CREATE INDEX text_item ON text(item, first);

-- weight: 0 body, 1 quoted, 2 signature; embedded: the model whose vector it has (0 none)
CREATE TABLE chunk(
  id INTEGER PRIMARY KEY AUTOINCREMENT, item INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
  weight INTEGER NOT NULL, heading TEXT, embedded INTEGER NOT NULL DEFAULT 0);
CREATE INDEX chunk_item ON chunk(item);
CREATE INDEX chunk_embedded ON chunk(embedded, weight, id);

-- the inverted index, see index/mod.rs
CREATE TABLE segment(id INTEGER PRIMARY KEY AUTOINCREMENT, level INTEGER NOT NULL, first_chunk INTEGER NOT NULL,
  n_chunks INTEGER NOT NULL, lengths BLOB NOT NULL);
CREATE TABLE posting(id INTEGER PRIMARY KEY, segment INTEGER NOT NULL, first TEXT NOT NULL, page BLOB NOT NULL);
CREATE INDEX posting_segment ON posting(segment, first);
-- chunks that are gone but still in some segment
CREATE TABLE gone(chunk INTEGER PRIMARY KEY);

CREATE TABLE tag(name TEXT NOT NULL, item INTEGER NOT NULL, PRIMARY KEY(name, item)) WITHOUT ROWID;
CREATE INDEX tag_item ON tag(item);
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

-- One row per message id ever seen, also of messages that are only referred to (`item` null).
CREATE TABLE message(mid TEXT PRIMARY KEY, thread INTEGER NOT NULL, item INTEGER, reply_to TEXT,
  sent INTEGER, subject_key TEXT) WITHOUT ROWID;
CREATE INDEX message_thread ON message(thread);
CREATE INDEX message_item ON message(item) WHERE item IS NOT NULL;
CREATE INDEX message_reply ON message(reply_to) WHERE reply_to IS NOT NULL;
CREATE INDEX message_subject ON message(subject_key, sent) WHERE subject_key IS NOT NULL;

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

fn migrate(db: &mut Connection, path: &Path) -> Result<()> {
    let say = |e| Error::from_sqlite(path, e);
    let known = MIGRATIONS.len() as i64;
    let version = |db: &Connection| db.query_row("PRAGMA user_version", [], |row| row.get(0));
    let found: i64 = version(db).map_err(say)?;
    if found > known {
        return Err(Error::Newer { path: path.to_path_buf(), found, known });
    }
    if found == known {
        return Ok(());
    }
    // Another process may migrate at the same moment: look again under the write lock.
    let step =
        db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(say)?;
    let found: i64 = version(&step).map_err(say)?;
    for migration in &MIGRATIONS[(found.clamp(0, known)) as usize..] {
        step.execute_batch(migration).map_err(say)?;
    }
    step.pragma_update(None, "user_version", known).map_err(say)?;
    step.commit().map_err(say)
}
