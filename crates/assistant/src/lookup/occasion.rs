//! Days named by what happens on them: "on the day of the concert", "while I'm at the workshop". The event is found
//! in the calendar, and its day or days become the question's time, as if they had been written.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use vault::lookup::events::Occasion;
use vault::when::{self, Granularity, Resolved};

use super::calendar;
use crate::evidence::Context;
use crate::question::{Intent, Question, lexicon};

/// What stands before the event.
const OPENINGS: &[&str] = &[
    "the day of",
    "while i m at",
    "while i am at",
    "while i m on",
    "while i am on",
    "while we re at",
    "while we are at",
    "while we re on",
    "while we are on",
    "during",
    "am tag der",
    "am tag des",
    "am tag vom",
    "wahrend",
    "le jour de",
    "le jour du",
    "pendant",
];
/// Words after an opening that may name the event.
const MOST_WORDS: usize = 6;

/// The question with the time that an event in it stands for; unchanged when it names none that the calendar has, or
/// one whose reading the owner took away.
pub(crate) fn resolved(
    context: &Context<'_>,
    mut question: Question,
    without: &[String],
) -> Result<Question, vault::error::Error> {
    if let Some(time) = time_of_event(context, &question)?
        && !without.contains(&time.text)
    {
        let inside: Vec<&str> = question
            .words
            .iter()
            .filter(|word| time.words.contains(&word.bytes.start))
            .map(|word| word.term.as_str())
            .collect();
        question.topic.retain(|word| !inside.contains(&word.as_str()));
        question.times = vec![time];
    }
    Ok(question)
}

/// The event's days, with the words that named them.
fn time_of_event(
    context: &Context<'_>,
    question: &Question,
) -> Result<Option<Resolved>, vault::error::Error> {
    let Some((first, after)) = opening(question) else { return Ok(None) };
    let text = &question.text;
    let from = question.words[first].bytes.start;
    let to = text[from..].find([',', ';']).map_or(text.len(), |comma| from + comma);
    let named: Vec<&crate::question::Word> = question.words[after..]
        .iter()
        .take_while(|word| word.bytes.start < to)
        .take(MOST_WORDS)
        .collect();
    let topic: Vec<String> = named
        .iter()
        .filter(|word| !lexicon::is_filler(&word.term))
        .map(|word| word.term.clone())
        .collect();
    let Some(last) = named.last().filter(|_| !topic.is_empty()) else { return Ok(None) };
    let event = Question {
        intent: Intent::When,
        topic,
        people: Vec::new(),
        names: Vec::new(),
        ..question.clone()
    };
    let occasions = calendar::meant(context, &event)?.occasions;
    let now = context.now.timestamp().as_second();
    let nearest = occasions
        .iter()
        .find(|occasion| occasion.when.end.unwrap_or(occasion.when.start) >= now)
        .or(occasions.last());
    let Some(time) = nearest.and_then(|occasion| days(context, occasion)) else {
        return Ok(None);
    };
    let words = from..last.bytes.end;
    let said = when::say(time.0, time.1, context.now.time_zone());
    let resolved = Resolved {
        text: format!("{} = {said}", &text[words.clone()]),
        words,
        start: time.0,
        end: time.1,
        granularity: Granularity::Day,
    };
    Ok(Some(resolved))
}

/// The place of an opening and of the word after it.
fn opening(question: &Question) -> Option<(usize, usize)> {
    OPENINGS.iter().find_map(|opening| {
        let terms: Vec<&str> = opening.split(' ').collect();
        let at = question
            .words
            .windows(terms.len())
            .position(|window| window.iter().zip(&terms).all(|(word, term)| word.term == *term))?;
        Some((at, at + terms.len()))
    })
}

/// The whole days that an occasion covers, in the owner's zone: UTC seconds, end exclusive.
fn days(context: &Context<'_>, occasion: &Occasion) -> Option<(i64, i64)> {
    let owner = context.now.time_zone();
    let zone = match &occasion.when.zone {
        Some(zone) if occasion.when.all_day => TimeZone::get(zone).unwrap_or(TimeZone::UTC),
        None if occasion.when.all_day => TimeZone::UTC,
        _ => owner.clone(),
    };
    let day = |second: i64| Some(zone.to_datetime(Timestamp::from_second(second).ok()?).date());
    let first = day(occasion.when.start)?;
    let end = occasion.when.end.unwrap_or(occasion.when.start).max(occasion.when.start + 1);
    let after = day(end - 1)?.checked_add(1.day()).ok()?;
    let second = |date: jiff::civil::Date| {
        let midnight = owner.to_zoned_datetime(date.at(0, 0, 0, 0)).ok()?;
        Some(midnight.timestamp().as_second())
    };
    Some((second(first)?, second(after)?))
}
