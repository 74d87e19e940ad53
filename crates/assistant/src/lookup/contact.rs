//! Phone numbers, addresses, birthdays and ages from contact cards; also of people who are only described
//! ("the organiser of Thursday's workshop"), by one hop from the item that the description finds.

use std::collections::HashMap;

use jiff::civil::Date;
use vault::item::{Card, Kind, Role};
use vault::lookup::items::{Entry, Filter, Order};
use vault::search::Query;

use crate::answer::Step;
use crate::draft::Draft;
use crate::evidence::{self, Context};
use crate::question::{Field, Question};
use crate::words;

/// A card that may be meant, with how surely.
struct Found {
    entry: Entry,
    card: Card,
    /// The item that led to the card, when the person was described and not named.
    through: Option<(Entry, String, std::ops::Range<usize>)>,
}

/// Cards looked at by name when a text mentions people. More are not scanned.
const MAX_CARDS: usize = 3_000;

pub(crate) fn field(
    context: &Context<'_>,
    question: &Question,
    field: Field,
) -> Result<Option<Draft>, vault::error::Error> {
    let has = |card: &Card| !values(card, field).is_empty();
    let Some(found) = find(context, question, &has)? else {
        return Ok(unknown(question, name_of(field)));
    };
    let mut draft = Draft::new(Step::Lookup);
    let text = context.vault.text(found.entry.id)?.unwrap_or_default();
    let wanted = preferred(question, values(&found.card, field));
    let mut parts = Vec::new();
    for (label, value) in wanted {
        let range = text.find(value.as_str()).map_or(0..0, |at| at..at + value.len());
        let mark = draft.cite(&found.entry, &text, range, 1.0);
        let plain = value
            .strip_prefix("tel:")
            .map_or_else(|| value.clone(), |number| number.replace('-', " "));
        let shown = if field == Field::Birthday { birthday(value).unwrap_or(plain) } else { plain };
        let place = place_of(label);
        let place = if place.is_empty() { String::new() } else { format!(" ({place})") };
        parts.push(format!("{shown}{place} {mark}"));
    }
    let noun = name_of(field);
    let plural = if parts.len() > 1 && field == Field::Phone { "s" } else { "" };
    draft.text = format!("{}, {noun}{plural}: {}.", found.entry.title, words::join(&parts));
    if let Some((entry, text, range)) = found.through {
        let mark = draft.cite(&entry, &text, range, 0.9);
        draft.text.push_str(&format!(" Found through “{}” {mark}.", entry.title));
    }
    Ok(Some(draft))
}

fn name_of(field: Field) -> &'static str {
    match field {
        Field::Phone => "phone number",
        Field::Mail => "mail address",
        Field::Address => "address",
        Field::Birthday => "birthday",
        Field::Website => "website",
        Field::Work => "work",
    }
}

/// Somebody was named and their card does not say it: that is the answer, not somebody else's.
fn unknown(question: &Question, noun: &str) -> Option<Draft> {
    let mention = question.people.first().filter(|_| !described(question))?;
    let mut draft = Draft::new(Step::Abstain);
    draft.text = format!("No contact card gives a {noun} of {}.", mention.name);
    Some(draft)
}

/// How old somebody is today, or on the day asked about.
pub(crate) fn age(
    context: &Context<'_>,
    question: &Question,
) -> Result<Option<Draft>, vault::error::Error> {
    let has =
        |card: &Card| values(card, Field::Birthday).iter().any(|(_, value)| born(value).is_some());
    let Some(found) = find(context, question, &has)? else {
        return Ok(unknown(question, "birthday"));
    };
    let value = values(&found.card, Field::Birthday)
        .into_iter()
        .next()
        .map(|(_, value)| value.clone())
        .unwrap_or_default();
    let Some(born) = born(&value) else { return Ok(None) };
    let zone = context.now.time_zone();
    let on = question
        .times
        .first()
        .and_then(|time| jiff::Timestamp::from_second(time.start).ok())
        .map_or(context.now.date(), |at| zone.to_datetime(at).date());
    let had_birthday = (on.month(), on.day()) >= (born.month(), born.day());
    let years = i32::from(on.year()) - i32::from(born.year()) - i32::from(!had_birthday);
    let mut draft = Draft::new(Step::Lookup);
    let text = context.vault.text(found.entry.id)?.unwrap_or_default();
    let range = text.find(&value).map_or(0..0, |at| at..at + value.len());
    let mark = draft.cite(&found.entry, &text, range, 1.0);
    draft.text = format!("{} is {years}, born on {} {mark}.", found.entry.title, words::day(born));
    if on != context.now.date() {
        draft.text = format!(
            "On {} {} is {years}, born on {} {mark}.",
            words::day(on),
            found.entry.title,
            words::day(born)
        );
    }
    Ok(Some(draft))
}

fn values(card: &Card, field: Field) -> Vec<(&String, &String)> {
    let wanted: &[&str] = match field {
        Field::Phone => &["tel"],
        Field::Mail => &["email"],
        Field::Address => &["adr"],
        Field::Birthday => &["bday"],
        Field::Website => &["url"],
        Field::Work => &["org", "title", "role"],
    };
    let is_field = |label: &str| {
        wanted.contains(&label.split(';').next().unwrap_or_default().to_lowercase().as_str())
    };
    card.fields
        .iter()
        .filter(|(label, value)| is_field(label) && !value.is_empty())
        .map(|(label, value)| (label, value))
        .collect()
}

/// Of several values, those of the place that the question names: mobile, office, private.
fn preferred<'a>(
    question: &Question,
    values: Vec<(&'a String, &'a String)>,
) -> Vec<(&'a String, &'a String)> {
    let kinds: [(&[&str], &[&str]); 3] = [
        (&["mobile", "cell", "handy", "handynummer", "portable"], &["cell", "mobile"]),
        (&["office", "work", "business", "buro", "arbeit", "bureau", "dienst"], &["work"]),
        (&["private", "home", "privat", "personal", "prive", "personnel"], &["home"]),
    ];
    for (said, labels) in kinds {
        if question.says(said) {
            let fitting: Vec<_> = values
                .iter()
                .filter(|(label, _)| {
                    labels
                        .iter()
                        .any(|wanted| label.to_lowercase().split(';').any(|part| part == *wanted))
                })
                .copied()
                .collect();
            if !fitting.is_empty() {
                return fitting;
            }
        }
    }
    values
}

/// `tel;cell;work` → `cell, work`.
fn place_of(label: &str) -> String {
    let places = label
        .split(';')
        .skip(1)
        .filter(|part| matches!(*part, "cell" | "mobile" | "work" | "home" | "fax"));
    places.collect::<Vec<_>>().join(", ")
}

/// A birthday in words: `28 July 1990`, or `28 July` when the card has no year.
fn birthday(value: &str) -> Option<String> {
    if let Some(date) = born(value) {
        return Some(words::day(date));
    }
    let rest = value.strip_prefix("--")?;
    let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
    let month = digits.get(..2)?.parse().ok()?;
    let day = digits.get(2..4)?.parse().ok()?;
    let written = words::day(Date::new(2000, month, day).ok()?);
    Some(written.trim_end_matches(" 2000").to_owned())
}

fn born(value: &str) -> Option<Date> {
    let day = value.get(..10).unwrap_or(value);
    day.parse::<Date>().ok().or_else(|| {
        let digits = value.get(..8).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
        Date::new(digits[..4].parse().ok()?, digits[4..6].parse().ok()?, digits[6..].parse().ok()?)
            .ok()
    })
}

fn find(
    context: &Context<'_>,
    question: &Question,
    has: &dyn Fn(&Card) -> bool,
) -> Result<Option<Found>, vault::error::Error> {
    let describes = !question.topic.is_empty() && described(question);
    if !describes && let Some(found) = named(context, question, has)? {
        return Ok(Some(found));
    }
    if !describes && !question.people.is_empty() {
        return Ok(None);
    }
    if let Some(found) = by_words(context, question, has)? {
        return Ok(Some(found));
    }
    if let Some(found) = by_hop(context, question, has)? {
        return Ok(Some(found));
    }
    named(context, question, has)
}

/// Whether the person is described by something they did: a name then belongs to the description.
fn described(question: &Question) -> bool {
    question.says(&[
        "who",
        "whoever",
        "organiser",
        "organizer",
        "person",
        "teacher",
        "woman",
        "man",
        "one",
        "place",
        "firm",
        "company",
        "wer",
        "veranstalter",
        "organisator",
        "qui",
        "organisateur",
        "author",
        "sender",
        "host",
    ]) && question.words.len() > 7
}

/// The card of the person named.
fn named(
    context: &Context<'_>,
    question: &Question,
    has: &dyn Fn(&Card) -> bool,
) -> Result<Option<Found>, vault::error::Error> {
    for mention in &question.people {
        for id in &mention.ids {
            let Some(person) = context.vault.person(*id)? else { continue };
            if let Some((entry, card)) = context.vault.contact_card(&person)?
                && has(&card)
            {
                return Ok(Some(Found { entry, card, through: None }));
            }
        }
    }
    Ok(None)
}

/// A card whose own words say who it is: "my boss", "the dentist".
fn by_words(
    context: &Context<'_>,
    question: &Question,
    has: &dyn Fn(&Card) -> bool,
) -> Result<Option<Found>, vault::error::Error> {
    let mut topic = question.topic.clone();
    topic.retain(|word| {
        !matches!(
            word.as_str(),
            "number"
                | "call"
                | "ring"
                | "nummer"
                | "office"
                | "mobile"
                | "private"
                | "live"
                | "lives"
                | "street"
                | "wohnen"
                | "wohnt"
                | "strasse"
                | "rue"
                | "habite"
                | "habitent"
        )
    });
    topic.extend(question.people.iter().map(|mention| vault::when::fold(&mention.written)));
    if topic.is_empty() {
        return Ok(None);
    }
    let mut terms = evidence::terms::Terms::new(context.vault, &topic)?;
    let query = Query {
        text: topic.join(" "),
        alike: terms.alike.clone(),
        kinds: vec![Kind::Contact],
        limit: 5,
        ..Query::default()
    };
    let mut best: Option<(f32, Found)> = None;
    for hit in context.vault.search(&query, None)?.hits {
        let Some(item) = context.vault.item(hit.id)? else { continue };
        let Some(card) = item.card.clone().filter(|card| has(card)) else { continue };
        let text = context.vault.text(hit.id)?.unwrap_or_default();
        let said = terms.found_in(&text);
        let share = terms.share(&said);
        if best.as_ref().is_none_or(|(known, _)| share > *known) {
            best = Some((share, Found { entry: item.entry, card, through: None }));
        }
    }
    Ok(best.filter(|(share, _)| *share >= CARD_SHARE).map(|(_, found)| found))
}

/// Who somebody is by what a card says of them: "who is the treasurer of the club?"
pub(crate) fn who(
    context: &Context<'_>,
    question: &Question,
) -> Result<Option<Draft>, vault::error::Error> {
    if !question.people.is_empty() || question.topic.len() < 2 || !question.times.is_empty() {
        return Ok(None);
    }
    let Some(found) = by_words(context, question, &|_| true)? else { return Ok(None) };
    let text = context.vault.text(found.entry.id)?.unwrap_or_default();
    let mut terms = evidence::terms::Terms::new(context.vault, &question.topic)?;
    let lines = evidence::sentences::sentences(&text, 0..text.len());
    let mut best: Option<(f32, std::ops::Range<usize>)> = None;
    for line in lines {
        let said = terms.found_in(&text[line.clone()]);
        let share = terms.share(&said);
        if best.as_ref().is_none_or(|(known, _)| share > *known) {
            best = Some((share, line));
        }
    }
    let Some((_, line)) = best else { return Ok(None) };
    let mut draft = Draft::new(Step::Lookup);
    let quote = text[line.clone()].split_whitespace().collect::<Vec<_>>().join(" ");
    let mark = draft.cite(&found.entry, &text, line, 1.0);
    draft.text = format!("{}. Their card says: “{quote}” {mark}", found.entry.title);
    Ok(Some(draft))
}

/// Share of the description's weight that a card must say itself.
const CARD_SHARE: f32 = 0.75;

/// Said of an event's organiser.
const INVITING: &[&str] = &[
    "organiser",
    "organizer",
    "organisiert",
    "called",
    "invited",
    "invites",
    "holding",
    "holds",
    "hosts",
    "veranstalter",
    "organisateur",
    "runs",
    "leads",
];
/// Said of a mail's author.
const WRITING: &[&str] =
    &["wrote", "sent", "mailed", "written", "schrieb", "geschrieben", "ecrit", "told", "said"];

/// From the best items of the description to the people that hang on them.
fn by_hop(
    context: &Context<'_>,
    question: &Question,
    has: &dyn Fn(&Card) -> bool,
) -> Result<Option<Found>, vault::error::Error> {
    let mut question = question.clone();
    // What is searched is the description; "phone number" would find cards again.
    question.wants = crate::question::Wants::Person;
    question.topic.retain(|word| {
        !matches!(
            word.as_str(),
            "number" | "call" | "ring" | "nummer" | "office" | "mobile" | "whoever" | "person"
        )
    });
    let evidence = evidence::gather(context, &question)?;
    let cards = Cards::all(context)?;
    let by_role = question.says(INVITING);
    let by_author = question.says(WRITING);
    let mut best: Option<(f32, Found)> = None;
    for candidate in evidence.candidates.iter().take(12) {
        let passage = &evidence.passages[candidate.passage];
        if passage.item.entry.kind == Kind::Contact {
            continue;
        }
        let mut people: Vec<(f32, i64)> = Vec::new();
        for person in &passage.item.people {
            let weight = match person.role {
                Role::Organizer if by_role => 1.0,
                Role::Organizer => 0.8,
                Role::From | Role::Author if by_author => 1.0,
                Role::From | Role::Author => 0.6,
                _ => 0.2,
            };
            people.extend(cards.of(&person.name, person.address.as_deref()).map(|id| (weight, id)));
        }
        let sentence = &passage.text[candidate.bytes.clone()];
        people.extend(cards.mentioned(sentence).into_iter().map(|id| (0.7, id)));
        for (weight, id) in people {
            let score = candidate.score * weight;
            if best.as_ref().is_some_and(|(known, _)| score <= *known)
                || cards.is_owner(context, id)?
            {
                continue;
            }
            let Some(item) = context.vault.item(id)? else { continue };
            let Some(card) = item.card.filter(|card| has(card)) else { continue };
            let through =
                Some((passage.item.entry.clone(), passage.text.clone(), candidate.bytes.clone()));
            best = Some((score, Found { entry: item.entry, card, through }));
        }
    }
    Ok(best
        .filter(|_| {
            evidence.candidates.first().is_some_and(|first| first.features.coverage >= HOP_COVERAGE)
        })
        .map(|(_, found)| found))
}

/// Share of the description that the item must cover for a hop from it to be believed.
const HOP_COVERAGE: f32 = 0.4;

/// All contact cards by name and address.
struct Cards {
    by_address: HashMap<String, i64>,
    by_name: Vec<(Vec<String>, i64)>,
    /// Last words of the owner's names: "Frau Calder" in a letter to Ines Calder is nobody else.
    own: Vec<String>,
}

/// Words of a firm's name that tell it from no other.
const GENERIC: &[&str] = &[
    "the",
    "hotel",
    "cafe",
    "restaurant",
    "praxis",
    "gmbh",
    "ag",
    "kg",
    "ev",
    "ltd",
    "inc",
    "co",
    "versicherung",
    "insurance",
    "bank",
    "assurance",
    "verein",
    "club",
    "shop",
    "museum",
    "office",
    "dr",
    "prof",
    "und",
    "and",
    "et",
];

impl Cards {
    fn all(context: &Context<'_>) -> Result<Self, vault::error::Error> {
        let filter = Filter { kinds: vec![Kind::Contact], ..Filter::default() };
        let owner = context.vault.owner()?;
        let last = |name: &String| {
            vault::text::words::tokens(name).into_iter().next_back().map(|token| token.term)
        };
        let own = owner.names.iter().filter_map(last).collect();
        let mut cards = Self { by_address: HashMap::new(), by_name: Vec::new(), own };
        for entry in context.vault.list(&filter, Order::Title, MAX_CARDS)? {
            let name: Vec<String> = vault::text::words::tokens(&entry.title)
                .into_iter()
                .map(|token| token.term)
                .collect();
            cards.by_name.push((name, entry.id));
            let Some(item) = context.vault.item(entry.id)? else { continue };
            for (_, address) in item.card.iter().flat_map(|card| values(card, Field::Mail)) {
                cards.by_address.entry(address.to_lowercase()).or_insert(entry.id);
            }
        }
        Ok(cards)
    }

    fn of(&self, name: &str, address: Option<&str>) -> Option<i64> {
        if let Some(id) = address.and_then(|address| self.by_address.get(address)) {
            return Some(*id);
        }
        let terms: Vec<String> =
            vault::text::words::tokens(name).into_iter().map(|token| token.term).collect();
        self.by_name
            .iter()
            .find(|(known, _)| *known == terms && !terms.is_empty())
            .map(|(_, id)| *id)
    }

    /// Cards whose whole name, or its last word with a title before it, stands in the text.
    fn mentioned(&self, text: &str) -> Vec<i64> {
        let terms: Vec<String> =
            vault::text::words::tokens(text).into_iter().map(|token| token.term).collect();
        let stands = |name: &Vec<String>| {
            !name.is_empty() && terms.windows(name.len()).any(|window| window == name.as_slice())
        };
        let titled = |name: &Vec<String>| {
            let Some(last) = name.last().filter(|last| !self.own.contains(last)) else {
                return false;
            };
            terms.windows(2).any(|pair| {
                matches!(pair[0].as_str(), "frau" | "herr" | "dr" | "mr" | "mrs" | "ms" | "mme")
                    && pair[1] == *last
            })
        };
        // "The Larkspur" is the card "The Larkspur Hotel".
        let firm = |name: &Vec<String>| {
            let telling: Vec<String> =
                name.iter().filter(|word| !GENERIC.contains(&word.as_str())).cloned().collect();
            telling.len() < name.len()
                && telling.iter().any(|word| word.len() > 4)
                && stands(&telling)
        };
        let given = |first: &String| {
            first.len() > 2 && !crate::question::lexicon::is_filler(first) && terms.contains(first)
        };
        let first = |name: &Vec<String>| name.len() == 2 && name.first().is_some_and(given);
        let full: Vec<i64> = self
            .by_name
            .iter()
            .filter(|(name, _)| stands(name) || titled(name) || firm(name))
            .map(|(_, id)| *id)
            .collect();
        if !full.is_empty() {
            return full;
        }
        // A first name counts only when it is nobody else's.
        let given: Vec<i64> =
            self.by_name.iter().filter(|(name, _)| first(name)).map(|(_, id)| *id).collect();
        if given.len() == 1 { given } else { Vec::new() }
    }

    fn is_owner(&self, context: &Context<'_>, id: i64) -> Result<bool, vault::error::Error> {
        let owner = context.vault.owner()?;
        let Some(item) = context.vault.item(id)? else { return Ok(false) };
        let own =
            |address: &str| owner.addresses.iter().any(|known| known == &address.to_lowercase());
        Ok(item
            .card
            .iter()
            .flat_map(|card| values(card, Field::Mail))
            .any(|(_, address)| own(address)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn birthdays_are_said_with_the_year_when_the_card_has_one() {
        assert_eq!(birthday("1990-07-28").as_deref(), Some("28 July 1990"));
        assert_eq!(birthday("19900728").as_deref(), Some("28 July 1990"));
        assert_eq!(birthday("--07-28").as_deref(), Some("28 July"));
        assert_eq!(birthday("soon"), None);
    }
}
