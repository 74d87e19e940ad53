//! From a question to ranked sentences: search, neighbours, sentences, features, score.
//!
//! Retrieval decides more than anything after it, so it is done twice: once by words and meaning over
//! everything, once within what a named person wrote; one hop over threads and attachments adds what the best
//! items hang together with. Every sentence of what was found then gets the [`Features`] that ranking and
//! abstaining are fitted on.

pub mod sentences;
pub mod spans;
pub mod terms;

use std::ops::Range;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};
use vault::embed::Embed;
use vault::item::{Kind, Role};
use vault::lookup::items::StoredItem;
use vault::search::{Interval, Query};
use vault::store::Vault;
use vault::when::Resolved;

use crate::question::names::Directory;
use crate::question::{Part, Question};
use crate::score;
use terms::Terms;

/// Items whose sentences are read.
const MAX_ITEMS: usize = 14;
/// A text up to this long is read whole; of a longer one, the chunks found and their surroundings.
const WHOLE_TEXT_BYTES: usize = 8_000;
const SURROUNDINGS_BYTES: usize = 400;

/// An item with its text, ready to be quoted.
pub struct Passage {
    pub item: StoredItem,
    pub text: String,
    /// When it was written or happens, in the zone its own words are meant in.
    pub written: Option<ZonedDateTime>,
    /// Place among the items found, from 0.
    pub rank: usize,
    /// Search score, 1 for the best hit.
    pub score: f32,
    /// Found over an edge of a better hit, not by its own words.
    pub hop: bool,
    /// Byte range of the best chunk.
    pub best: Range<usize>,
    pub dense: f32,
}

/// What is known about one sentence as an answer. All are 0 to 1 unless said.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct Features {
    /// Weighted share of the topic in the sentence, its neighbours, and the item's title and people.
    pub coverage: f32,
    /// The same in the sentence alone.
    pub inside: f32,
    /// The same in the whole item.
    pub item: f32,
    /// Has a span of the wanted kind.
    pub fits: f32,
    /// Weakest of the named people: 1 author or in the sentence, 0.7 next to it or the one
    /// addressed, 0.4 elsewhere in the item, 0 not.
    pub people: f32,
    /// Share of unknown capitalised names that the item has; 1 when there are none.
    pub names: f32,
    /// The item's date or a date of the sentence lies in the asked interval; 0.5 when none was asked.
    pub time: f32,
    /// Search score of the item relative to the best.
    pub rank: f32,
    /// Cosine of the item's best chunk to the question, 0 without vectors.
    pub dense: f32,
    /// The best chunk holds the sentence.
    pub in_chunk: f32,
    /// Quoted text of an earlier message or a signature.
    pub quoted: f32,
    /// Newer than the others found: 1 the newest, 0 the oldest.
    pub recency: f32,
    /// Bulk mail.
    pub bulk: f32,
    /// Of the item's kind being the one asked for, 0.5 when none was.
    pub kind: f32,
    /// Looks like a full statement and not a heading, a greeting or a question.
    pub statement: f32,
    /// Reached by one hop.
    pub hop: f32,
    /// How telling the most telling topic word is that the whole item lacks: 0 when it lacks none.
    pub absent: f32,
    /// Share of the sentence's telling words that the question does not have: an answer says something new.
    pub news: f32,
    /// Whoever is said to have written or said it is the author; 0.5 when nobody is.
    pub wrote: f32,
}

/// A sentence that may answer.
pub struct Candidate {
    pub passage: usize,
    pub bytes: Range<usize>,
    pub features: Features,
    pub times: Vec<Resolved>,
    pub score: f32,
}

/// Everything found for a question, best sentence first.
pub struct Evidence {
    pub passages: Vec<Passage>,
    pub candidates: Vec<Candidate>,
    pub terms: Terms,
    /// Items found by search, best first, before any hop.
    pub hits: Vec<i64>,
}

pub struct Context<'a> {
    pub vault: &'a Vault,
    pub embedder: Option<&'a dyn Embed>,
    pub now: &'a ZonedDateTime,
    pub directory: &'a Directory,
    /// The owner's addresses.
    pub own: &'a [String],
}

/// Finds and ranks. `more` are words a former turn adds.
pub fn gather(context: &Context<'_>, question: &Question) -> Result<Evidence, vault::error::Error> {
    let mut topic = question.topic.clone();
    if topic.is_empty() && question.people.is_empty() {
        topic = question.words.iter().map(|word| word.term.clone()).collect();
    }
    let mut terms = Terms::new(context.vault, &topic)?;
    let (mut passages, hits) = passages(context, question, &topic, &terms.alike)?;
    hop(context, &mut passages)?;
    let newest = passages.iter().filter_map(starts).max().unwrap_or(0);
    let oldest = passages.iter().filter_map(starts).min().unwrap_or(0);
    let mut candidates = Vec::new();
    for (at, passage) in passages.iter().enumerate() {
        let recency = match starts(passage) {
            Some(start) if newest > oldest => (start - oldest) as f32 / (newest - oldest) as f32,
            _ => 0.5,
        };
        candidates.extend(read(context, question, passage, at, &mut terms, recency));
    }
    let mut evidence = Evidence { passages, candidates, terms, hits };
    evidence.rank(question);
    Ok(evidence)
}

impl Evidence {
    /// Scores the candidates and puts the best first.
    fn rank(&mut self, question: &Question) {
        for candidate in &mut self.candidates {
            candidate.score = score::sentence(&candidate.features, question);
        }
        self.candidates.sort_by(|a, b| {
            b.score
                .total_cmp(&a.score)
                .then(a.passage.cmp(&b.passage))
                .then(a.bytes.start.cmp(&b.bytes.start))
        });
    }
}

fn starts(passage: &Passage) -> Option<i64> {
    passage.item.entry.when.as_ref().map(|when| when.start)
}

/// The items found, best first.
fn passages(
    context: &Context<'_>,
    question: &Question,
    topic: &[String],
    alike: &[(String, Vec<String>)],
) -> Result<(Vec<Passage>, Vec<i64>), vault::error::Error> {
    let mut words: Vec<&str> = topic.iter().map(String::as_str).collect();
    let names: Vec<String> =
        question.people.iter().map(|mention| vault::when::fold(&mention.written)).collect();
    words.extend(names.iter().map(String::as_str));
    let text = words.join(" ");
    let plain = Query {
        meaning: question.text.clone(),
        alike: alike.to_vec(),
        limit: MAX_ITEMS,
        ..Query::default()
    };
    let mut queries = vec![Query { text: text.clone(), ..plain.clone() }];
    let authors: Vec<String> =
        question.people.iter().filter(|m| m.part == Part::From).map(|m| m.name.clone()).collect();
    if !authors.is_empty() {
        let text = topic.join(" ");
        queries.push(Query { text, from: authors, limit: MAX_ITEMS / 2, ..plain.clone() });
    }
    if let Some(time) = question.times.first() {
        let interval = Some(Interval { start: time.start, end: time.end });
        queries.push(Query { text, interval, limit: MAX_ITEMS / 2, ..plain });
    }
    let mut passages: Vec<Passage> = Vec::new();
    let mut hits: Vec<i64> = Vec::new();
    for (n, query) in queries.iter().enumerate() {
        let found = context.vault.search(query, context.embedder)?;
        let best = found.hits.first().map_or(0.0, |hit| hit.score);
        let worst = found.hits.last().map_or(0.0, |hit| hit.score).min(0.0);
        for (rank, hit) in found.hits.iter().enumerate() {
            if n == 0 {
                hits.push(hit.id);
            }
            if passages.iter().any(|passage| passage.item.entry.id == hit.id) {
                continue;
            }
            let score = if best > worst { (hit.score - worst) / (best - worst) } else { 1.0 };
            if let Some(mut passage) = load(context, hit.id)? {
                passage.rank = rank;
                passage.score = score;
                passage.best = hit.first..hit.last;
                passage.dense = hit.dense.unwrap_or(0.0);
                passages.push(passage);
            }
        }
    }
    Ok((passages, hits))
}

fn load(context: &Context<'_>, id: i64) -> Result<Option<Passage>, vault::error::Error> {
    let (Some(mut item), Some(text)) = (context.vault.item(id)?, context.vault.text(id)?) else {
        return Ok(None);
    };
    // An attachment is from and to whom its mail is.
    if item.people.is_empty()
        && let Some(parent) = item.entry.parent
        && let Some(mail) = context.vault.item(parent)?
    {
        item.people = mail.people;
    }
    let written = written(&item, context.now.time_zone());
    let best = 0..text.len().min(1);
    Ok(Some(Passage { item, text, written, rank: 0, score: 0.0, hop: false, best, dense: 0.0 }))
}

/// The clock that an item's own "yesterday" is meant against. Mail keeps the offset of its sender.
pub fn written(item: &StoredItem, owner: &TimeZone) -> Option<ZonedDateTime> {
    let when = item.entry.when.as_ref()?;
    let instant = Timestamp::from_second(when.start).ok()?;
    let zone = match &when.zone {
        Some(zone) => TimeZone::get(zone).unwrap_or_else(|_| owner.clone()),
        None if when.all_day => TimeZone::UTC,
        None if item.entry.kind == Kind::Mail => jiff::tz::Offset::from_seconds(when.offset_s)
            .map_or_else(|_| owner.clone(), TimeZone::fixed),
        None => owner.clone(),
    };
    Some(zone.to_datetime(instant)).and_then(|civil| zone.to_zoned_datetime(civil).ok())
}

/// One hop: attachments of the best items, and the newest mails of their threads.
fn hop(context: &Context<'_>, passages: &mut Vec<Passage>) -> Result<(), vault::error::Error> {
    let starting: Vec<(i64, f32, Option<i64>)> =
        passages.iter().take(3).map(|p| (p.item.entry.id, p.score, p.item.entry.parent)).collect();
    for (id, score, parent) in starting {
        let mut linked: Vec<i64> =
            context.vault.attachments(id)?.iter().map(|entry| entry.id).collect();
        linked.extend(parent);
        let thread = context.vault.thread(id)?;
        linked.extend(thread.iter().rev().take(3).map(|entry| entry.id));
        for id in linked {
            if passages.len() < 2 * MAX_ITEMS
                && !passages.iter().any(|passage| passage.item.entry.id == id)
                && let Some(mut passage) = load(context, id)?
            {
                passage.hop = true;
                passage.rank = passages.len();
                passage.score = 0.5 * score;
                passages.push(passage);
            }
        }
    }
    Ok(())
}

/// The sentences of one passage with their features.
fn read(
    context: &Context<'_>,
    question: &Question,
    passage: &Passage,
    at: usize,
    terms: &mut Terms,
    recency: f32,
) -> Vec<Candidate> {
    let text = &passage.text;
    let within = if text.len() <= WHOLE_TEXT_BYTES {
        0..text.len()
    } else {
        surroundings(text, &passage.best)
    };
    let mut ranges = sentences::sentences(text, within);
    ranges.retain(|range| says_something(passage, range));
    let in_sentences: Vec<Vec<f32>> =
        ranges.iter().map(|range| terms.found_in(&text[range.clone()])).collect();
    let header = terms.found_in(&header(passage));
    let whole = union(in_sentences.iter().chain([&header]), 1.0, terms.words.len());
    let item = terms.share(&whole);
    let folded_text = vault::text::words::key(text);
    let names = share_of_names(question, &folded_text, passage);
    let absent = terms.most_telling_absent(&whole);
    let wrote = wrote(context, question, passage);
    let quoted_from = quoted_start(text);
    ranges
        .iter()
        .enumerate()
        .map(|(idx, range)| {
            let sentence = &text[range.clone()];
            let times = spans::times(sentence, passage.written.as_ref());
            let beside: Vec<usize> = [idx.checked_sub(1), Some(idx + 1)]
                .into_iter()
                .flatten()
                .filter(|&other| other < ranges.len())
                .collect();
            let n = terms.words.len();
            let mut found = in_sentences[idx].clone();
            raise(&mut found, &union(beside.iter().map(|&other| &in_sentences[other]), 0.7, n));
            raise(&mut found, &union([&header], 0.8, n));
            raise(&mut found, &union([&whole], 0.3, n));
            let near: Vec<&str> =
                beside.iter().map(|&other| &text[ranges[other].clone()]).collect();
            let people =
                people(context, question, passage, sentence, &near.join(" "), &folded_text);
            let asked = question.times.first();
            let features = Features {
                coverage: terms.share(&found),
                inside: terms.share(&in_sentences[idx]),
                item,
                fits: spans::fits(
                    sentence,
                    question.wants,
                    &unasked(question, &times),
                    names_somebody(context, sentence),
                ),
                people,
                names,
                time: asked.map_or(0.5, |asked| in_time(asked, passage, &times)),
                rank: passage.score,
                dense: passage.dense,
                in_chunk: flag(passage.best.start < range.end && range.start < passage.best.end),
                quoted: flag(
                    quoted_from.is_some_and(|from| range.start >= from)
                        || sentence.starts_with('>'),
                ),
                recency,
                bulk: flag(passage.item.bulk),
                kind: asked_kind(question, passage.item.entry.kind),
                statement: statement(sentence, idx == 0),
                hop: flag(passage.hop),
                absent,
                news: terms.news(sentence),
                wrote,
            };
            Candidate { passage: at, bytes: range.clone(), features, times, score: 0.0 }
        })
        .collect()
}

/// Not a title line, which the source's name says already. Events and cards have no other words.
fn says_something(passage: &Passage, range: &Range<usize>) -> bool {
    let title = passage.item.entry.title.trim();
    let titled = !matches!(passage.item.entry.kind, Kind::Event | Kind::Contact);
    !(titled && !title.is_empty() && &passage.text[range.clone()] == title)
}

fn flag(yes: bool) -> f32 {
    if yes { 1.0 } else { 0.0 }
}

fn asked_kind(question: &Question, kind: Kind) -> f32 {
    if question.kinds.is_empty() { 0.5 } else { flag(question.kinds.contains(&kind)) }
}

fn surroundings(text: &str, best: &Range<usize>) -> Range<usize> {
    let mut start = best.start.saturating_sub(SURROUNDINGS_BYTES).min(text.len());
    let mut end = (best.end + SURROUNDINGS_BYTES).min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

/// What a reader sees above a passage: title, people, folder, tags.
fn header(passage: &Passage) -> String {
    let item = &passage.item;
    let mut header = item.entry.title.clone();
    for part in item
        .people
        .iter()
        .map(|person| person.name.as_str())
        .chain(item.tags.iter().map(String::as_str))
    {
        header.push(' ');
        header.push_str(part);
    }
    if item.entry.kind != Kind::Mail {
        header.push(' ');
        header.push_str(&item.entry.path);
    }
    header
}

fn union<'a>(
    found: impl IntoIterator<Item = &'a Vec<f32>>,
    weight: f32,
    length: usize,
) -> Vec<f32> {
    let mut all = vec![0f32; length];
    for one in found {
        for (sum, value) in all.iter_mut().zip(one) {
            *sum = sum.max(value * weight);
        }
    }
    all
}

fn raise(found: &mut [f32], other: &[f32]) {
    for (value, other) in found.iter_mut().zip(other) {
        *value = value.max(*other);
    }
}

/// Times of a sentence that the question did not state itself: an answer tells something new.
fn unasked(question: &Question, times: &[Resolved]) -> Vec<Resolved> {
    let asked = |time: &&Resolved| {
        !question.times.iter().any(|asked| asked.start == time.start && asked.end == time.end)
    };
    times.iter().filter(asked).cloned().collect()
}

fn in_time(asked: &Resolved, passage: &Passage, times: &[Resolved]) -> f32 {
    let meets = |start: i64, end: i64| start < asked.end && asked.start < end;
    if times.iter().any(|time| meets(time.start, time.end)) {
        return 1.0;
    }
    let Some(when) = &passage.item.entry.when else { return 0.2 };
    let end = when.end.unwrap_or(when.start + 1).max(when.start + 1);
    if meets(when.start, end) { 0.8 } else { 0.0 }
}

fn names_somebody(context: &Context<'_>, sentence: &str) -> bool {
    let tokens = vault::text::words::tokens(sentence);
    tokens.iter().any(|token| {
        sentence[token.start..].chars().next().is_some_and(char::is_uppercase)
            && context.directory.is_name(&token.term)
    })
}

/// The weakest of the question's people as this sentence has them.
fn people(
    context: &Context<'_>,
    question: &Question,
    passage: &Passage,
    sentence: &str,
    near: &str,
    folded: &str,
) -> f32 {
    let mut weakest = 1.0f32;
    for mention in &question.people {
        let said = |text: &str| {
            let terms: Vec<String> =
                vault::text::words::tokens(text).into_iter().map(|token| token.term).collect();
            let named = |name: &str| {
                let name: Vec<String> =
                    vault::text::words::tokens(name).into_iter().map(|token| token.term).collect();
                !name.is_empty() && name.iter().all(|word| terms.contains(word))
            };
            named(&mention.written)
                || first_name(&mention.written).is_some_and(|first| terms.contains(&first))
        };
        let takes_part = |roles: &[Role]| {
            passage.item.people.iter().any(|person| {
                let known = |id: &i64| {
                    context
                        .directory
                        .get(*id)
                        .is_some_and(|known| known.is(&person.name, person.address.as_deref()))
                };
                roles.contains(&person.role) && mention.ids.iter().any(known)
            })
        };
        let authored = takes_part(&[Role::From, Role::Organizer, Role::Author, Role::Subject]);
        // What a letter to one person says, it says to that person, named or not.
        let addressed = takes_part(&[Role::To])
            && passage.item.people.iter().filter(|person| person.role == Role::To).count() == 1;
        let here = if said(sentence) || authored {
            1.0
        } else if addressed || said(near) || said(&passage.item.entry.title) {
            0.7
        } else if said(folded) || takes_part(&[Role::To, Role::Cc, Role::Attendee, Role::Mentioned])
        {
            0.4
        } else {
            0.0
        };
        let here = if mention.part == Part::From && !authored { here * 0.7 } else { here };
        weakest = weakest.min(here);
    }
    weakest
}

/// Whether the one who told is the one asked about.
fn wrote(context: &Context<'_>, question: &Question, passage: &Passage) -> f32 {
    let tellers: Vec<&crate::question::names::Mention> =
        question.people.iter().filter(|mention| mention.part == Part::From).collect();
    if tellers.is_empty() && !question.by_owner {
        return 0.5;
    }
    let authors = passage.item.people.iter().filter(|person| {
        matches!(person.role, Role::From | Role::Organizer | Role::Author | Role::Subject)
    });
    let is_teller = |person: &vault::item::PersonRef| {
        if question.by_owner {
            return person.address.as_ref().is_some_and(|own| context.own.contains(own));
        }
        tellers.iter().flat_map(|mention| &mention.ids).any(|id| {
            let known = context.directory.get(*id);
            known.is_some_and(|known| known.is(&person.name, person.address.as_deref()))
        })
    };
    // What the owner noted is the owner's word.
    let own_note = question.by_owner && passage.item.entry.kind == Kind::Note;
    flag(own_note || authors.into_iter().any(is_teller))
}

/// The given name, when a full name was asked for: sources rarely say both.
fn first_name(written: &str) -> Option<String> {
    let tokens = vault::text::words::tokens(written);
    let titled = |term: &str| {
        matches!(
            term,
            "dr" | "frau" | "herr" | "mr" | "mrs" | "ms" | "madame" | "monsieur" | "prof"
        )
    };
    let first = tokens.first().filter(|token| tokens.len() > 1 && !titled(&token.term))?;
    Some(first.term.clone())
}

/// The share of the question's unknown names that stand in the item.
fn share_of_names(question: &Question, folded: &str, passage: &Passage) -> f32 {
    if question.names.is_empty() {
        return 1.0;
    }
    let title = vault::text::words::key(&passage.item.entry.title);
    let has = |name: &&String| {
        let name = vault::text::words::key(name);
        folded.contains(&name) || title.contains(&name)
    };
    question.names.iter().filter(has).count() as f32 / question.names.len() as f32
}

/// Where the quoted earlier message or the signature begins.
fn quoted_start(text: &str) -> Option<usize> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_end();
        if trimmed == "--"
            || line.starts_with('>')
            || (trimmed.ends_with("wrote:")
                || trimmed.ends_with("schrieb:")
                || trimmed.ends_with("écrit :"))
        {
            return Some(at);
        }
        at += line.len();
    }
    None
}

/// 1 for something that states, less for questions, greetings and headings.
fn statement(sentence: &str, is_title: bool) -> f32 {
    let words = sentence.split_whitespace().count();
    if sentence.ends_with('?') {
        0.3
    } else if is_title || words < 3 {
        0.4
    } else {
        1.0
    }
}
