//! Completeness one can check: what is there, what is here, and why for any single thing.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use crate::error::Result;
use crate::lookup::summary::{ATTACHED, kinds};
use crate::store::schema::RENEWED;
use crate::store::source::{Source, SourceId, sources};
use crate::store::sync::base;
use crate::store::{DATABASE, Vault};

/// Counts of one source: there (on disk at the last sync) and here (in the vault).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceStatus {
    pub id: SourceId,
    pub root: PathBuf,
    /// UTC seconds of the last complete sync.
    pub synced_at: Option<i64>,
    /// Whether the root can be reached now.
    pub reachable: bool,
    pub files_there: u64,
    /// Files read whole, with or without text. `files_there = files_here + pending + failed` after a sync.
    pub files_here: u64,
    pub pending: u64,
    pub failed: u64,
    pub excluded: u64,
    pub items: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unread {
    pub source: SourceId,
    pub path: String,
    /// The part of the file, empty for all of it.
    pub part: String,
    pub reason: String,
    pub hint: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    pub sources: Vec<SourceStatus>,
    /// (kind, items); they add up to `items`.
    pub kinds: Vec<(String, u64)>,
    /// What stands for itself: a mail with its attachments, a card with its birthdays is one.
    pub items: u64,
    pub attachments: u64,
    /// Yearly days that the vault made out of contact cards.
    pub birthdays: u64,
    pub chunks: u64,
    /// Chunks that vectors are made of (bodies), and those that have one.
    pub vectors_there: u64,
    pub vectors_here: u64,
    /// Bytes of the stored text before packing, and of the database with its log.
    pub text_bytes: u64,
    pub database_bytes: u64,
    pub n_failures: u64,
    /// Something the owner should know before anything else.
    pub notice: Option<String>,
    /// The first hundred; `why` knows each.
    pub failures: Vec<Unread>,
}

/// What became of something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "state")]
pub enum State {
    /// Text is searchable; `vectors` says how many of its chunks are also found by meaning.
    Indexed {
        vectors: u64,
        chunks: u64,
    },
    /// Known but not read yet; the next sync does.
    Pending,
    /// Read, but there are no words in it; found by its name only.
    NoText,
    Failed {
        reason: String,
        hint: String,
    },
    /// Left out by a rule of this name.
    Excluded {
        rule: String,
    },
    /// In no source, or not there when its source was last walked.
    Unknown {
        hint: String,
    },
}

/// One line of an answer to "why?".
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Why {
    pub path: String,
    pub part: String,
    pub item: Option<i64>,
    #[serde(flatten)]
    pub state: State,
    /// What a reader had to guess or skip.
    pub remarks: Vec<String>,
}

impl Vault {
    pub fn status(&self) -> Result<Status> {
        self.read(|db| {
            let count = |sql: &str| -> Result<u64> { Ok(db.query_row(sql, [], |row| row.get(0))?) };
            let mut of_sources = Vec::new();
            for source in sources(db)? {
                of_sources.push(source_status(db, source)?);
            }
            let kinds = kinds(db)?;
            let attachments = count(&format!("SELECT count(*) FROM item i WHERE {ATTACHED}"))?;
            Ok(Status {
                sources: of_sources,
                items: kinds.iter().map(|(_, n)| n).sum(),
                kinds,
                attachments,
                birthdays: count("SELECT count(*) FROM item WHERE parent IS NOT NULL")?
                    .saturating_sub(attachments),
                chunks: count("SELECT count(*) FROM chunk")?,
                vectors_there: count("SELECT count(*) FROM chunk WHERE weight = 0")?,
                vectors_here: count(
                    "SELECT count(*) FROM chunk WHERE weight = 0 AND embedded > 0",
                )?,
                text_bytes: count("SELECT coalesce(sum(text_bytes), 0) FROM item")?,
                database_bytes: database_bytes(self.dir()),
                n_failures: count("SELECT count(*) FROM failure")?,
                notice: notice(db)?,
                failures: failures(db, 100)?,
            })
        })
    }

    /// Everything that could not be read.
    pub fn failures(&self) -> Result<Vec<Unread>> {
        self.read(|db| failures(db, i64::MAX))
    }

    /// Why something is found or not: a path (of a file, a folder or a part of a path) or an item's number.
    pub fn why(&self, asked: &str) -> Result<Vec<Why>> {
        self.read(|db| {
            if let Ok(id) = asked.parse::<i64>()
                && let Some(why) = why_item(db, id)?
            {
                return Ok(vec![why]);
            }
            why_path(db, asked)
        })
    }
}

fn notice(db: &Connection) -> Result<Option<String>> {
    let unfilled = "SELECT 1 FROM meta WHERE key = ?1
                    AND EXISTS(SELECT 1 FROM source WHERE synced_at IS NULL)";
    let renewed = db.prepare_cached(unfilled)?.exists([RENEWED])?;
    Ok(renewed.then(|| {
        "this vault was made by an older Polymath, whose index this one cannot use; your sources and settings are \
         kept: run `vault sync`, which reads every file again"
            .to_owned()
    }))
}

fn source_status(db: &Connection, source: Source) -> Result<SourceStatus> {
    let of_state = |states: &str| -> Result<u64> {
        let sql = format!("SELECT count(*) FROM file WHERE source = ?1 AND state IN ({states})");
        Ok(db.query_row(&sql, [source.id.0], |row| row.get(0))?)
    };
    let files_there =
        db.query_row("SELECT files_there FROM source WHERE id = ?1", [source.id.0], |r| r.get(0))?;
    let items = db.query_row(
        "SELECT count(*) FROM item WHERE source = ?1 AND parent IS NULL",
        [source.id.0],
        |row| row.get(0),
    )?;
    Ok(SourceStatus {
        reachable: std::fs::metadata(&source.root).is_ok(),
        files_there,
        files_here: of_state("1, 2")?,
        pending: of_state("0")?,
        failed: of_state("3")?,
        excluded: of_state("4")?,
        items,
        id: source.id,
        root: source.root,
        synced_at: source.synced_at,
    })
}

fn failures(db: &Connection, limit: i64) -> Result<Vec<Unread>> {
    let mut list = db.prepare_cached(
        "SELECT f.source, f.path, u.part, u.reason, u.hint FROM failure u JOIN file f ON f.id = u.file
         ORDER BY u.id LIMIT ?1",
    )?;
    let rows = list.query_map([limit], |row| {
        Ok(Unread {
            source: SourceId(row.get(0)?),
            path: row.get(1)?,
            part: row.get(2)?,
            reason: row.get(3)?,
            hint: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn database_bytes(dir: &Path) -> u64 {
    let size = |end: &str| {
        std::fs::metadata(dir.join(format!("{DATABASE}{end}"))).map_or(0, |meta| meta.len())
    };
    size("") + size("-wal")
}

fn why_item(db: &Connection, id: i64) -> Result<Option<Why>> {
    let found = db
        .prepare_cached(
            "SELECT f.path, i.part, i.extra, f.state,
               (SELECT count(*) FROM chunk c WHERE c.embedded > 0
                  AND c.id BETWEEN i.first_chunk AND i.first_chunk + i.n_chunks - 1),
               i.n_chunks,
               i.text_bytes > length(CAST(i.title AS BLOB))
             FROM item i JOIN file f ON f.id = i.file WHERE i.id = ?1",
        )?
        .query_row([id], |row| {
            let extra: Option<String> = row.get(2)?;
            let has_text: bool = row.get(6)?;
            let state = if has_text {
                State::Indexed { vectors: row.get(4)?, chunks: row.get(5)? }
            } else {
                State::NoText
            };
            let extra: crate::store::write::Extra =
                extra.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
            Ok(Why {
                path: row.get(0)?,
                part: row.get(1)?,
                item: Some(id),
                state,
                remarks: extra.remarks,
            })
        })
        .optional()?;
    Ok(found)
}

/// Lines shown for one path: a mailbox has a hundred thousand messages.
const MAX_LINES: usize = 50;

fn why_path(db: &Connection, asked: &str) -> Result<Vec<Why>> {
    let real = std::fs::canonicalize(asked).unwrap_or_else(|_| PathBuf::from(asked));
    let all = sources(db)?;
    let mut why = Vec::new();
    for source in &all {
        let base = base(&source.root);
        let relative = match real.strip_prefix(base) {
            Ok(relative) => relative.to_string_lossy().into_owned(),
            Err(_) if Path::new(asked).is_absolute() => continue,
            Err(_) => asked.trim_start_matches("./").to_owned(),
        };
        why.extend(why_in(db, source, relative.trim_end_matches('/'))?);
    }
    if why.is_empty() {
        let hint = if all.iter().any(|source| real.starts_with(&source.root)) {
            "its source has not seen it yet: run `vault sync`"
        } else {
            "it lies in no source: add its folder with `vault add`"
        };
        why.push(Why {
            path: asked.to_owned(),
            part: String::new(),
            item: None,
            state: State::Unknown { hint: hint.to_owned() },
            remarks: Vec::new(),
        });
    }
    Ok(why)
}

fn why_in(db: &Connection, source: &Source, path: &str) -> Result<Vec<Why>> {
    let mut files = db.prepare_cached(
        "SELECT id, path, state, reason, hint FROM file WHERE source = ?1 AND (path = ?2
           OR substr(path, 1, length(?2) + 1) = ?2 || '/' OR substr(path, -length(?2) - 1) = '/' || ?2)
         ORDER BY path LIMIT 50",
    )?;
    let mut rows = files.query(params![source.id.0, path])?;
    let mut why = Vec::new();
    while let Some(row) = rows.next()? {
        let (file, path): (i64, String) = (row.get(0)?, row.get(1)?);
        let reason = row.get::<_, Option<String>>(3)?.unwrap_or_default();
        let hint = row.get::<_, Option<String>>(4)?.unwrap_or_default();
        let before = why.len();
        let mut items =
            db.prepare_cached("SELECT id FROM item WHERE file = ?1 ORDER BY id LIMIT 50")?;
        for id in items.query_map([file], |row| row.get::<_, i64>(0))? {
            why.extend(why_item(db, id?)?);
        }
        let mut failed =
            db.prepare_cached("SELECT part, reason, hint FROM failure WHERE file = ?1 LIMIT 50")?;
        let unread = failed.query_map([file], |row| {
            let state = State::Failed { reason: row.get(1)?, hint: row.get(2)? };
            Ok(line(&path, row.get(0)?, state))
        })?;
        for line in unread {
            why.push(line?);
        }
        let state = match row.get::<_, u8>(2)? {
            0 => State::Pending,
            4 => State::Excluded { rule: reason },
            _ if why.len() > before => continue,
            3 => State::Failed { reason, hint },
            _ => State::NoText,
        };
        why.push(line(&path, String::new(), state));
        if why.len() >= MAX_LINES {
            break;
        }
    }
    if why.is_empty() {
        why.extend(excluded_folder(db, source, path)?);
    }
    Ok(why)
}

/// A file below a folder that a rule left out has no row of its own.
fn excluded_folder(db: &Connection, source: &Source, path: &str) -> Result<Option<Why>> {
    let rule = db
        .prepare_cached(
            "SELECT reason FROM file WHERE source = ?1 AND state = 4
               AND substr(?2, 1, length(rtrim(path, '/')) + 1) = rtrim(path, '/') || '/'",
        )?
        .query_row(params![source.id.0, path], |row| row.get::<_, Option<String>>(0))
        .optional()?;
    Ok(rule
        .map(|rule| line(path, String::new(), State::Excluded { rule: rule.unwrap_or_default() })))
}

fn line(path: &str, part: String, state: State) -> Why {
    Why { path: path.to_owned(), part, item: None, state, remarks: Vec::new() }
}
