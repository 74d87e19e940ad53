//! Events in time: repeating ones are expanded on demand within a window, never stored out.

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use crate::error::Result;
use crate::item::{Kind, When};
use crate::read::calendar::expand;
use crate::search::Interval;
use crate::store::Vault;
use crate::store::write::Extra;

/// An event that happens once within what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Occasion {
    pub item: i64,
    pub title: String,
    pub when: When,
    pub location: String,
    pub status: String,
    /// One of a series.
    pub repeats: bool,
}

/// Occasions found, and whether a series had more than was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Occasions {
    pub all: Vec<Occasion>,
    pub cut: bool,
}

/// Occurrences taken from one series within a window.
const MAX_PER_SERIES: usize = 2_000;

impl Vault {
    /// Events that overlap the interval, in order of start; cancelled ones only when asked for.
    pub fn events_between(&self, interval: Interval, cancelled: bool) -> Result<Occasions> {
        self.read(|db| between(db, interval, cancelled))
    }

    /// The next `limit` events that begin at `now` or later, within two years.
    pub fn next_events(&self, now: i64, limit: usize) -> Result<Vec<Occasion>> {
        self.read(|db| next(db, now, limit))
    }

    /// When the owner is not free: timed events of the interval that are not cancelled, overlapping ones joined.
    pub fn busy(&self, interval: Interval) -> Result<Vec<Interval>> {
        let occasions = self.events_between(interval, false)?.all;
        let mut busy: Vec<Interval> = Vec::new();
        for occasion in occasions.iter().filter(|occasion| !occasion.when.all_day) {
            let start = occasion.when.start.max(interval.start);
            let end = occasion.when.end.unwrap_or(occasion.when.start).min(interval.end);
            match busy.last_mut() {
                Some(last) if start <= last.end => last.end = last.end.max(end),
                _ if end > start => busy.push(Interval { start, end }),
                _ => {}
            }
        }
        Ok(busy)
    }
}

/// Looks a day, a month, half a year and two years ahead, until enough is found.
pub(super) fn next(db: &Connection, now: i64, limit: usize) -> Result<Vec<Occasion>> {
    const DAY_S: i64 = 86_400;
    let mut found = Vec::new();
    for days in [1, 30, 180, 730] {
        let interval = Interval { start: now, end: now + days * DAY_S };
        found = between(db, interval, false)?.all;
        found.retain(|occasion| occasion.when.start >= now);
        if found.len() >= limit {
            break;
        }
    }
    found.truncate(limit);
    Ok(found)
}

fn between(db: &Connection, interval: Interval, cancelled: bool) -> Result<Occasions> {
    let mut found = Occasions::default();
    // A series may begin any time before the window ends; a single event must overlap it.
    let mut events = db.prepare_cached(
        "SELECT id, title, start, end, zone, offset_s, all_day, extra FROM item
         WHERE kind = ?1 AND start < ?3
           AND (start >= ?2 OR coalesce(end, start) > ?2 OR extra LIKE '%\"repeats\":\"%')",
    )?;
    let mut rows = events.query(params![Kind::Event as u8, interval.start, interval.end])?;
    while let Some(row) = rows.next()? {
        let extra: Option<String> = row.get(7)?;
        let extra: Extra =
            extra.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
        let Some(event) = extra.event else { continue };
        let (item, title): (i64, String) = (row.get(0)?, row.get(1)?);
        if let Some(series) = &event.repeats {
            let expansion = expand(series, interval.start..interval.end, MAX_PER_SERIES);
            found.cut |= expansion.cut;
            // A changed occurrence is an item of its own.
            for one in expansion.occurrences.into_iter().filter(|one| one.replaces.is_none()) {
                found.all.push(Occasion {
                    item,
                    title: one.title,
                    when: one.when,
                    location: one.location,
                    status: one.status,
                    repeats: true,
                });
            }
            continue;
        }
        found.all.push(Occasion {
            item,
            title,
            when: When {
                start: row.get(2)?,
                end: row.get(3)?,
                zone: row.get(4)?,
                offset_s: row.get(5)?,
                all_day: row.get(6)?,
            },
            location: event.location,
            status: event.status,
            repeats: event.replaces.is_some(),
        });
    }
    found.all.retain(|occasion| cancelled || occasion.status != "cancelled");
    found.all.sort_by(|a, b| a.when.start.cmp(&b.when.start).then(a.item.cmp(&b.item)));
    Ok(found)
}

/// Whether a repeating event has an occurrence inside the interval.
pub(crate) fn happens_in(db: &Connection, item: i64, interval: Interval) -> Result<bool> {
    let extra: Option<Option<String>> = db
        .prepare_cached("SELECT extra FROM item WHERE id = ?1 AND kind = ?2")?
        .query_row(params![item, Kind::Event as u8], |row| row.get(0))
        .optional()?;
    let extra: Option<Extra> = extra.flatten().and_then(|json| serde_json::from_str(&json).ok());
    let series = extra.and_then(|extra| extra.event).and_then(|event| event.repeats);
    Ok(series.is_some_and(|series| {
        !expand(&series, interval.start..interval.end, 1).occurrences.is_empty()
    }))
}
