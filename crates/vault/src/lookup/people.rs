//! People: found by name or address, with all that is known of them; merged and kept apart at the owner's word.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use super::items::Entry;
use crate::error::Result;
use crate::item::{Card, Kind, Role};
use crate::store::Vault;
use crate::store::people::{BY_OWNER, name_key, regroup};
use crate::store::source::{meta, set_meta};
use crate::store::write::Extra;

/// One person with every identifier tied to them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    /// Number of the person: the smallest of its identifiers'.
    pub id: i64,
    /// The name used most.
    pub name: String,
    pub names: Vec<String>,
    pub addresses: Vec<String>,
    pub identifiers: Vec<i64>,
    pub n_items: u64,
    /// UTC seconds of the newest item with them.
    pub last: Option<i64>,
    /// The item of their contact card.
    pub card: Option<i64>,
}

/// Who the vault belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    pub names: Vec<String>,
    /// In lower case.
    pub addresses: Vec<String>,
    /// True when nobody said so and the mail does: most mail is to them and some from them.
    #[serde(default)]
    pub guessed: bool,
}

impl Vault {
    /// Everybody who may be meant, the one met most often first. Several people mean the name is ambiguous.
    pub fn people(&self, name: &str) -> Result<Vec<Person>> {
        self.read(|db| matching(db, name))
    }

    pub fn person(&self, id: i64) -> Result<Option<Person>> {
        self.read(|db| {
            let mut person = load(db, &[id])?;
            Ok(person.pop())
        })
    }

    /// The people met most often, without the owner.
    pub fn top_people(&self, limit: usize) -> Result<Vec<Person>> {
        let owner = self.owner()?;
        self.read(|db| top(db, &owner, limit))
    }

    /// The contact card of a person: its item and its fields.
    pub fn contact_card(&self, person: &Person) -> Result<Option<(Entry, Card)>> {
        let Some(id) = person.card else { return Ok(None) };
        self.read(|db| {
            let extra: Option<String> =
                db.query_row("SELECT extra FROM item WHERE id = ?1", [id], |row| row.get(0))?;
            let extra: Extra =
                extra.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
            let entry = super::items::entry_of(db, id)?;
            Ok(entry.map(|entry| (entry, extra.card.unwrap_or_default())))
        })
    }

    /// The owner says that two are one. [`Vault::split`] undoes it.
    pub fn merge(&self, one: &Person, other: &Person) -> Result<()> {
        self.tie(one.id, other.id, 0)
    }

    /// The owner says that an identifier of a person is somebody else, whatever a card says.
    pub fn split(&self, person: &Person, identifier: i64) -> Result<()> {
        self.write(|db| {
            for other in person.identifiers.iter().filter(|other| **other != identifier) {
                let (a, b) = (identifier.min(*other), identifier.max(*other));
                write_tie(db, a, b, 1)?;
            }
            Ok(regroup(db)?)
        })
    }

    fn tie(&self, one: i64, other: i64, apart: u8) -> Result<()> {
        self.write(|db| {
            write_tie(db, one.min(other), one.max(other), apart)?;
            Ok(regroup(db)?)
        })
    }

    /// Tells the vault who its owner is.
    pub fn set_owner(&self, names: &[String], addresses: &[String]) -> Result<()> {
        let owner = Owner {
            names: names.to_vec(),
            addresses: addresses.iter().map(|address| address.trim().to_lowercase()).collect(),
            guessed: false,
        };
        let json = serde_json::to_string(&owner).unwrap_or_default();
        self.write(|db| Ok(set_meta(db, "owner", &json)?))
    }

    /// The owner as told, else as guessed from the mail.
    pub fn owner(&self) -> Result<Owner> {
        self.read(owner)
    }
}

fn write_tie(db: &Connection, a: i64, b: i64, apart: u8) -> rusqlite::Result<()> {
    db.execute(
        "INSERT INTO tie(a, b, cause, apart) VALUES(?1, ?2, ?3, ?4)
         ON CONFLICT(a, b, cause) DO UPDATE SET apart = ?4",
        params![a, b, BY_OWNER, apart],
    )?;
    Ok(())
}

pub(crate) fn owner(db: &Connection) -> Result<Owner> {
    if let Some(told) = meta(db, "owner")?
        && let Ok(owner) = serde_json::from_str::<Owner>(&told)
    {
        return Ok(owner);
    }
    // An address that mail goes to and comes from. Lists only receive, friends mostly send.
    let mut candidates = db.prepare_cached(
        "SELECT n.address, n.name, n.person,
           (SELECT count(*) FROM item_person p WHERE p.identifier = n.id AND p.role IN (1, 2)) AS got,
           (SELECT count(*) FROM item_person p WHERE p.identifier = n.id AND p.role = 0) AS sent
         FROM identifier n WHERE n.address IS NOT NULL AND got > 0
         ORDER BY got * (1 + 3 * min(sent, 5)) DESC LIMIT 1",
    )?;
    let mut rows = candidates.query([])?;
    let Some(row) = rows.next()? else { return Ok(Owner { guessed: true, ..Owner::default() }) };
    let person: i64 = row.get(2)?;
    let known = load(db, &[person])?.pop();
    let (names, addresses) = match known {
        Some(known) => (known.names, known.addresses),
        None => (vec![row.get(1)?], vec![row.get(0)?]),
    };
    Ok(Owner { names, addresses, guessed: true })
}

/// People whom a name or address fits: the whole name first, then every word of it a word of theirs, then a
/// beginning of one.
pub(crate) fn matching(db: &Connection, name: &str) -> Result<Vec<Person>> {
    let name = name.trim();
    if name.is_empty() {
        return Ok(Vec::new());
    }
    if name.contains('@') {
        let mut of_address =
            db.prepare_cached("SELECT DISTINCT person FROM identifier WHERE address = ?1")?;
        let persons: Vec<i64> = of_address
            .query_map([name.to_lowercase()], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        return load(db, &persons);
    }
    let key = name_key(name);
    let words: Vec<&str> = key.split(' ').filter(|word| !word.is_empty()).collect();
    let Some(first) = words.first() else { return Ok(Vec::new()) };
    let mut known = db.prepare_cached(
        "SELECT n.person, a.name_key FROM alias a JOIN identifier n ON n.id = a.identifier
         WHERE instr(a.name_key, ?1) > 0
         UNION SELECT person, replace(replace(substr(address, 1, instr(address, '@') - 1), '.', ' '), '_', ' ')
         FROM identifier WHERE name = '' AND instr(address, ?1) > 0",
    )?;
    let mut best: [Vec<i64>; 3] = Default::default();
    let mut rows = known.query([first])?;
    while let Some(row) = rows.next()? {
        let (person, known): (i64, String) = (row.get(0)?, row.get(1)?);
        let theirs: Vec<&str> = known.split(' ').collect();
        let rank = if known == key {
            0
        } else if words.iter().all(|word| theirs.contains(word)) {
            1
        } else if words.iter().all(|word| theirs.iter().any(|their| their.starts_with(word))) {
            2
        } else {
            continue;
        };
        best[rank].push(person);
    }
    let persons = best.into_iter().find(|persons| !persons.is_empty()).unwrap_or_default();
    load(db, &persons)
}

fn top(db: &Connection, owner: &Owner, limit: usize) -> Result<Vec<Person>> {
    let mut busiest = db.prepare_cached(
        "SELECT n.person FROM item_person p JOIN identifier n ON n.id = p.identifier
         JOIN item i ON i.id = p.item
         WHERE i.extra IS NULL OR i.extra NOT LIKE '%\"bulk\":true%'
         GROUP BY n.person ORDER BY count(DISTINCT p.item) DESC LIMIT ?1",
    )?;
    let persons: Vec<i64> =
        busiest.query_map([limit + 3], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let mut people = load(db, &persons)?;
    people.retain(|person| !person.addresses.iter().any(|a| owner.addresses.contains(a)));
    people.truncate(limit);
    Ok(people)
}

/// Loads persons, the one met most often first.
fn load(db: &Connection, persons: &[i64]) -> Result<Vec<Person>> {
    let mut unique: BTreeMap<i64, ()> = BTreeMap::new();
    unique.extend(persons.iter().map(|person| (*person, ())));
    let mut people = Vec::new();
    for &id in unique.keys() {
        let mut members = db.prepare_cached(
            "SELECT n.id, n.address, n.name FROM identifier n WHERE n.person = ?1 ORDER BY n.id",
        )?;
        let (mut identifiers, mut addresses, mut names) = (Vec::new(), Vec::new(), Vec::new());
        let mut rows = members.query([id])?;
        while let Some(row) = rows.next()? {
            identifiers.push(row.get::<_, i64>(0)?);
            addresses.extend(row.get::<_, Option<String>>(1)?);
            let name: String = row.get(2)?;
            if !name.is_empty() && !names.contains(&name) {
                names.push(name);
            }
        }
        if identifiers.is_empty() {
            continue;
        }
        let list = format!("{identifiers:?}");
        let mut aliases = db.prepare_cached(
            "SELECT DISTINCT name FROM alias WHERE identifier IN (SELECT value FROM json_each(?1))",
        )?;
        for name in aliases.query_map([&list], |row| row.get::<_, String>(0))? {
            let name = name?;
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let (n_items, last) = db
            .prepare_cached(
                "SELECT count(DISTINCT p.item), max(i.start) FROM item_person p JOIN item i ON i.id = p.item
                 WHERE p.identifier IN (SELECT value FROM json_each(?1))",
            )?
            .query_row([&list], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let card = db
            .prepare_cached(
                "SELECT min(i.id) FROM item_person p JOIN item i ON i.id = p.item WHERE i.kind = ?2
                 AND p.role = ?3 AND p.identifier IN (SELECT value FROM json_each(?1))",
            )?
            .query_row(params![list, Kind::Contact as u8, Role::Subject as u8], |row| row.get(0))?;
        let name = names.first().or(addresses.first()).cloned().unwrap_or_default();
        people.push(Person { id, name, names, addresses, identifiers, n_items, last, card });
    }
    people.sort_by(|a, b| b.n_items.cmp(&a.n_items).then(a.id.cmp(&b.id)));
    Ok(people)
}
