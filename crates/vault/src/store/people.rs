//! Who is who. An *identifier* is an address or a bare name; a *person* is a set of identifiers.
//!
//! The same address is the same person. Two addresses, or an address and a bare name, are one person only when
//! something ties them: a contact card that lists both, or the owner's word. A name alone never merges anybody:
//! there are two Annas in every life. Ties are rows, persons follow from them, so every merge can be undone.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};

use crate::item::{Item, Kind, PersonRef};
use crate::text::words;

/// Cause of a tie that the owner made; other causes are the id of a contact's item.
pub(crate) const BY_OWNER: i64 = 0;

/// Remembers identifiers seen during a sync, so that the thousandth mail from Anna costs no query.
#[derive(Default)]
pub(crate) struct Identifiers {
    known: HashMap<(String, String), i64>,
}

const MAX_KNOWN: usize = 50_000;

impl Identifiers {
    /// The identifier of one mention; made when new. `None` when there is neither name nor address.
    pub(crate) fn of(
        &mut self,
        db: &Connection,
        source: i64,
        name: &str,
        address: Option<&str>,
    ) -> rusqlite::Result<Option<i64>> {
        let name = name.trim();
        let address = address.map(str::to_lowercase).filter(|address| !address.is_empty());
        let key = name_key(name);
        if address.is_none() && key.is_empty() {
            return Ok(None);
        }
        let memory = (address.clone().unwrap_or_default(), name.to_owned());
        if let Some(&id) = self.known.get(&memory) {
            return Ok(Some(id));
        }
        let found = match &address {
            Some(address) => db
                .prepare_cached("SELECT id FROM identifier WHERE address = ?1")?
                .query_row([address], |row| row.get(0))
                .optional()?,
            None => db
                .prepare_cached(
                    "SELECT id FROM identifier WHERE address IS NULL AND name_key = ?1",
                )?
                .query_row([&key], |row| row.get(0))
                .optional()?,
        };
        let id = match found {
            Some(id) => id,
            None => {
                db.prepare_cached(
                    "INSERT INTO identifier(address, name, name_key, person) VALUES(?1, ?2, ?3, 0)",
                )?
                .execute(params![address, name, key])?;
                let id = db.last_insert_rowid();
                db.prepare_cached("UPDATE identifier SET person = id WHERE id = ?1")?
                    .execute([id])?;
                id
            }
        };
        if !key.is_empty() {
            db.prepare_cached(
                "INSERT INTO alias(identifier, name, name_key, source) VALUES(?1, ?2, ?3, ?4)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![id, name, key, source])?;
            db.prepare_cached(
                "UPDATE identifier SET name = ?2, name_key = ?3 WHERE id = ?1 AND name = ''",
            )?
            .execute(params![id, name, key])?;
        }
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        self.known.insert(memory, id);
        Ok(Some(id))
    }

    /// Nothing remembered may outlive a transaction that was rolled back.
    pub(crate) fn forget_all(&mut self) {
        self.known.clear();
    }
}

/// The key names are compared under: folded, `Meier, Anna` as `anna meier`, umlauts written out as one writes them.
pub(crate) fn name_key(name: &str) -> String {
    let turned = match name.split_once(',') {
        Some((family, given)) if !given.trim().is_empty() && !given.contains(',') => {
            format!("{} {}", given.trim(), family.trim())
        }
        _ => name.to_owned(),
    };
    let key = words::key(&turned);
    // `Mueller` and `Müller` are one name; folding made the second `muller` already.
    key.replace("ae", "a").replace("oe", "o").replace("ue", "u")
}

/// Ties what a contact card lists: its addresses, and its name when no other card bears the same.
pub(crate) fn tie_card(
    db: &Connection,
    identifiers: &mut Identifiers,
    source: i64,
    item: &Item,
    id: i64,
) -> rusqlite::Result<()> {
    if item.kind != Kind::Contact {
        return Ok(());
    }
    db.prepare_cached("DELETE FROM tie WHERE cause = ?1")?.execute([id])?;
    let mut members = Vec::new();
    for address in card_addresses(item) {
        members.extend(identifiers.of(db, source, &item.title, Some(&address))?);
    }
    members.extend(identifiers.of(db, source, &item.title, None)?);
    for pair in members.windows(2) {
        if pair[0] != pair[1] {
            db.prepare_cached("INSERT OR IGNORE INTO tie(a, b, cause) VALUES(?1, ?2, ?3)")?
                .execute(params![pair[0], pair[1], id])?;
        }
    }
    Ok(())
}

fn card_addresses(item: &Item) -> Vec<String> {
    let from_fields = item
        .card
        .iter()
        .flat_map(|card| &card.fields)
        .filter(|(label, value)| label.starts_with("email") && value.contains('@'))
        .map(|(_, value)| value.trim().to_lowercase());
    let subject = |person: &PersonRef| person.address.clone();
    let mut addresses: Vec<String> = item.people.iter().filter_map(subject).collect();
    addresses.extend(from_fields);
    addresses.sort();
    addresses.dedup();
    addresses
}

/// Computes every person anew from the ties. Cheap: ties are as many as contact cards, not as mails.
///
/// A bare name that two cards bear stays alone: it would merge two people.
pub(crate) fn regroup(db: &Connection) -> rusqlite::Result<()> {
    let mut ties = db.prepare(
        "SELECT t.a, t.b, t.cause, a.address IS NULL, b.address IS NULL FROM tie t
         JOIN identifier a ON a.id = t.a JOIN identifier b ON b.id = t.b WHERE t.apart = 0",
    )?;
    type Row = (i64, i64, i64, bool, bool);
    let rows: Vec<Row> = ties
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))?
        .collect::<Result<_, _>>()?;
    let mut cards_of_name: HashMap<i64, Vec<i64>> = HashMap::new();
    for &(a, b, cause, a_bare, b_bare) in &rows {
        for (id, bare) in [(a, a_bare), (b, b_bare)] {
            let cards = cards_of_name.entry(id).or_default();
            if bare && cause != BY_OWNER && !cards.contains(&cause) {
                cards.push(cause);
            }
        }
    }
    let apart = pairs_apart(db)?;
    let mut leader: HashMap<i64, i64> = HashMap::new();
    for &(a, b, cause, _, _) in &rows {
        let ambiguous =
            |id: &i64| cause != BY_OWNER && cards_of_name.get(id).is_some_and(|c| c.len() > 1);
        if ambiguous(&a) || ambiguous(&b) || apart.contains(&(a.min(b), a.max(b))) {
            continue;
        }
        let (a, b) = (root(&leader, a), root(&leader, b));
        leader.insert(a.max(b), a.min(b));
    }
    db.execute("UPDATE identifier SET person = id WHERE person <> id", [])?;
    let mut set = db.prepare_cached("UPDATE identifier SET person = ?2 WHERE id = ?1")?;
    for &id in leader.keys() {
        set.execute([id, root(&leader, id)])?;
    }
    Ok(())
}

fn pairs_apart(db: &Connection) -> rusqlite::Result<std::collections::HashSet<(i64, i64)>> {
    let mut pairs = db.prepare("SELECT min(a, b), max(a, b) FROM tie WHERE apart = 1")?;
    pairs.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

fn root(leader: &HashMap<i64, i64>, mut id: i64) -> i64 {
    while let Some(&next) = leader.get(&id) {
        if next == id {
            break;
        }
        id = next;
    }
    id
}
