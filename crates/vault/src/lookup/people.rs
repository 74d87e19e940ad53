//! People: found by name or address, with all that is known of them; merged and kept apart at the owner's word.

use std::collections::BTreeSet;

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
    load(db, &meant(db, name)?)
}

/// The numbers of the people that [`matching`] finds.
fn meant(db: &Connection, name: &str) -> Result<Vec<i64>> {
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
        return Ok(persons);
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
    Ok(best.into_iter().find(|persons| !persons.is_empty()).unwrap_or_default())
}

/// Who is meant by a name or address, without counting what the vault has of them: their names and identifiers.
pub(crate) fn named(db: &Connection, name: &str) -> Result<Vec<(String, Vec<i64>)>> {
    let unique: BTreeSet<i64> = meant(db, name)?.into_iter().collect();
    let mut people = Vec::new();
    for person in unique {
        let Some(known) = identifiers(db, person)? else { continue };
        people.push((known.name(), known.identifiers));
    }
    Ok(people)
}

/// The identifiers of one person, with every name they were met under.
#[derive(Default)]
struct Identifiers {
    identifiers: Vec<i64>,
    addresses: Vec<String>,
    names: Vec<String>,
}

impl Identifiers {
    fn name(&self) -> String {
        self.names.first().or(self.addresses.first()).cloned().unwrap_or_default()
    }
}

/// `None` when there is no such person.
fn identifiers(db: &Connection, person: i64) -> Result<Option<Identifiers>> {
    let mut members = db.prepare_cached(
        "SELECT n.id, n.address, n.name FROM identifier n WHERE n.person = ?1 ORDER BY n.id",
    )?;
    let mut known = Identifiers::default();
    let mut rows = members.query([person])?;
    while let Some(row) = rows.next()? {
        known.identifiers.push(row.get(0)?);
        known.addresses.extend(row.get::<_, Option<String>>(1)?);
        let name: String = row.get(2)?;
        if !name.is_empty() && !known.names.contains(&name) {
            known.names.push(name);
        }
    }
    let mut aliases = db.prepare_cached("SELECT DISTINCT name FROM alias WHERE identifier = ?1")?;
    for identifier in &known.identifiers {
        for name in aliases.query_map([identifier], |row| row.get::<_, String>(0))? {
            let name = name?;
            if !known.names.contains(&name) {
                known.names.push(name);
            }
        }
    }
    Ok((!known.identifiers.is_empty()).then_some(known))
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
    let unique: BTreeSet<i64> = persons.iter().copied().collect();
    let mut people = Vec::new();
    for id in unique {
        let Some(known) = identifiers(db, id)? else { continue };
        let list = format!("{:?}", known.identifiers);
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
        let name = known.name();
        let Identifiers { identifiers, addresses, names } = known;
        people.push(Person { id, name, names, addresses, identifiers, n_items, last, card });
    }
    people.sort_by(|a, b| b.n_items.cmp(&a.n_items).then(a.id.cmp(&b.id)));
    Ok(people)
}
