//! Conversations. Messages belong together when one refers to the other (`In-Reply-To`, `References`); a message
//! that is referred to but not here is a placeholder, so that two replies to a lost mail still meet.
//!
//! The subject decides only for a reply that refers to nothing: same subject of at least two words, at most 30
//! days apart. Grouping by subject alone joins every "Hello" of a life into one thread.

use rusqlite::{Connection, OptionalExtension, params};

use super::schema::hash64;
use crate::item::Item;
use crate::text::words;

const SUBJECT_WINDOW_S: i64 = 30 * 86_400;
/// More references than this are cut to the oldest and the newest, as RFC 5322 allows.
const MAX_REFERENCES: usize = 40;

/// What joining a thread needs to tell the index about.
#[derive(Default)]
pub(crate) struct Joined {
    /// The item answered, when it is here.
    pub(crate) parent: Option<i64>,
    /// Items here that answer this one and were indexed before it.
    pub(crate) children: Vec<i64>,
}

/// Puts a message into its thread and writes `item.thread`.
pub(crate) fn join(db: &Connection, item: &Item, id: i64) -> rusqlite::Result<Joined> {
    let Some(thread) = &item.thread else { return Ok(Joined::default()) };
    let own = match &thread.message_id {
        Some(mid) if !mid.is_empty() => free_mid(db, mid, id)?,
        _ => hash64(&format!("item:{id}")),
    };
    let all = thread.references.iter().chain(&thread.in_reply_to).map(|mid| hash64(mid));
    let mut references: Vec<i64> = all.filter(|mid| *mid != own).collect();
    if references.len() > MAX_REFERENCES {
        references.drain(1..references.len() - MAX_REFERENCES + 1);
    }
    let answered = thread.in_reply_to.first().map(|mid| hash64(mid)).or(references.last().copied());
    let reply_to = answered.filter(|mid| *mid != own);
    let sent = item.when.as_ref().map(|when| when.start);
    let subject = subject_key(&item.title);
    // A single word is no subject to meet under.
    let subject = subject.contains(' ').then(|| hash64(&subject));
    let mut group = thread_of(db, own)?;
    for &mid in &references {
        if let Some(other) = thread_of(db, mid)? {
            group = Some(unite(db, group, other)?);
        }
    }
    if group.is_none() && references.is_empty() && is_reply(&item.title) {
        group = by_subject(db, subject, sent)?;
    }
    let group = match group {
        Some(group) => group,
        None => {
            db.query_row("SELECT coalesce(max(thread), 0) + 1 FROM message", [], |r| r.get(0))?
        }
    };
    let mut place = db
        .prepare_cached("INSERT INTO message(mid, thread) VALUES(?1, ?2) ON CONFLICT DO NOTHING")?;
    for mid in &references {
        place.execute([*mid, group])?;
    }
    db.prepare_cached(
        "INSERT INTO message(mid, thread, item, reply_to, sent, subject)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT(mid) DO UPDATE SET item = ?3, reply_to = ?4, sent = ?5, subject = ?6",
    )?
    .execute(params![own, group, id, reply_to, sent, subject])?;
    db.prepare_cached("UPDATE item SET thread = ?2 WHERE id = ?1")?.execute([id, group])?;
    let parent = match reply_to {
        Some(mid) => db
            .prepare_cached("SELECT item FROM message WHERE mid = ?1 AND item IS NOT NULL")?
            .query_row([mid], |row| row.get(0))
            .optional()?,
        None => None,
    };
    let mut answers = db.prepare_cached(
        "SELECT item FROM message WHERE reply_to = ?1 AND item IS NOT NULL AND item <> ?2",
    )?;
    let children =
        answers.query_map(params![own, id], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(Joined { parent, children })
}

/// Takes an item out of its thread; its place stays, for those that refer to it.
pub(crate) fn leave(db: &Connection, id: i64) -> rusqlite::Result<()> {
    db.prepare_cached(
        "UPDATE message SET item = NULL, reply_to = NULL, sent = NULL, subject = NULL
         WHERE item = ?1",
    )?
    .execute([id])?;
    Ok(())
}

/// The row of a message id: its hash, or a private one when a copy of the message holds that already.
fn free_mid(db: &Connection, mid: &str, id: i64) -> rusqlite::Result<i64> {
    let own = hash64(mid);
    let holder: Option<i64> = db
        .prepare_cached("SELECT item FROM message WHERE mid = ?1 AND item IS NOT NULL")?
        .query_row([own], |row| row.get(0))
        .optional()?;
    Ok(match holder {
        Some(holder) if holder != id => hash64(&format!("item:{id}:{mid}")),
        _ => own,
    })
}

fn thread_of(db: &Connection, mid: i64) -> rusqlite::Result<Option<i64>> {
    db.prepare_cached("SELECT thread FROM message WHERE mid = ?1")?
        .query_row([mid], |row| row.get(0))
        .optional()
}

/// Makes two threads one, under the smaller number.
fn unite(db: &Connection, one: Option<i64>, other: i64) -> rusqlite::Result<i64> {
    let Some(one) = one else { return Ok(other) };
    if one == other {
        return Ok(one);
    }
    let (keep, drop) = (one.min(other), one.max(other));
    db.prepare_cached("UPDATE message SET thread = ?1 WHERE thread = ?2")?.execute([keep, drop])?;
    db.prepare_cached("UPDATE item SET thread = ?1 WHERE thread = ?2")?.execute([keep, drop])?;
    Ok(keep)
}

fn by_subject(
    db: &Connection,
    subject: Option<i64>,
    sent: Option<i64>,
) -> rusqlite::Result<Option<i64>> {
    let (Some(subject), Some(sent)) = (subject, sent) else { return Ok(None) };
    db.prepare_cached(
        "SELECT thread FROM message WHERE subject = ?1 AND sent BETWEEN ?2 AND ?3
         ORDER BY sent DESC LIMIT 1",
    )?
    .query_row([subject, sent - SUBJECT_WINDOW_S, sent], |row| row.get(0))
    .optional()
}

/// Marks that mail programs of several languages put before the subject of an answer.
const REPLY_MARKS: &[&str] = &["re", "aw", "sv", "antw", "antwort", "ref", "tr", "fw", "fwd", "wg"];

fn is_reply(subject: &str) -> bool {
    subject.split_once(':').is_some_and(|(mark, _)| {
        let mark = mark.trim().trim_end_matches(|c: char| c.is_ascii_digit() || "[]()".contains(c));
        REPLY_MARKS.iter().any(|known| known.eq_ignore_ascii_case(mark))
    })
}

/// The subject without marks of answering, folded.
fn subject_key(subject: &str) -> String {
    let mut rest = subject;
    while is_reply(rest) {
        rest = rest.split_once(':').map_or("", |(_, rest)| rest);
    }
    words::key(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_of_answering_are_taken_off_in_several_languages() {
        assert_eq!(subject_key("Re: AW: Fwd: Lisbon trip"), "lisbon trip");
        assert_eq!(subject_key("Re[2]: Lisbon trip"), "lisbon trip");
        assert_eq!(subject_key("Regarding: money"), "regarding money");
        assert!(is_reply("SV: hej") && !is_reply("Notes: hej"));
    }
}
