//! Questions that the calendar answers: agendas, free or busy, next and last occurrences, how often, when and
//! where an event is.
//!
//! An event is meant when its title, place and people cover the question's topic ([`TITLE_SHARE`]); one that
//! only mentions the topic in its description is left to the quoting steps.

use jiff::{Timestamp, ToSpan};
use vault::item::Kind;
use vault::lookup::events::Occasion;
use vault::search::{Interval, Query};
use vault::when::{self, Lean};

use crate::answer::Step;
use crate::draft::Draft;
use crate::evidence::Context;
use crate::evidence::terms::Terms;
use crate::question::{Intent, Question, Wants};
use crate::words;

/// Share of the topic's weight that an event's title, place and people must say.
const TITLE_SHARE: f32 = 0.5;
/// The same when the question names the day too.
const TITLE_SHARE_ON_DAY: f32 = 0.4;
/// Words that are said of any event and are in no title.
const OF_ANY_EVENT: &[&str] = &[
    "meet",
    "meets",
    "met",
    "sit",
    "down",
    "take",
    "takes",
    "took",
    "place",
    "begin",
    "begins",
    "began",
    "start",
    "starts",
    "started",
    "end",
    "ends",
    "time",
    "date",
    "day",
    "days",
    "dates",
    "come",
    "comes",
    "regular",
    "here",
    "exactly",
    "clock",
    "hour",
    "attend",
    "held",
    "hold",
    "beginnt",
    "begann",
    "uhr",
    "tag",
    "tagen",
    "statt",
    "findet",
    "fand",
    "stattfinden",
    "commence",
    "commencait",
    "lieu",
    "jour",
    "heure",
    "lesson",
    "lessons",
    "class",
    "classes",
    "session",
    "sessions",
    "stunde",
    "unterricht",
    "cours",
    "opened",
    "evening",
    "evenings",
    "morning",
    "afternoon",
];
const DAY_S: i64 = 86_400;
/// How far back and ahead a question without a date looks.
const BACK_S: i64 = 5 * 366 * DAY_S;
const AHEAD_S: i64 = 2 * 366 * DAY_S;
const SHOWN: usize = 12;

pub(crate) fn answer(
    context: &Context<'_>,
    question: &Question,
) -> Result<Option<Draft>, vault::error::Error> {
    if question.intent == Intent::Free {
        return free(context, question);
    }
    let events_only = question.kinds.is_empty() || question.kinds == [Kind::Event];
    if !events_only {
        return Ok(None);
    }
    let bare = question.topic.is_empty() && question.people.is_empty() && question.names.is_empty();
    if bare {
        return match question.intent {
            Intent::List | Intent::Find | Intent::Open if !question.times.is_empty() => {
                agenda(context, question).map(Some)
            }
            Intent::Count if question.kinds == [Kind::Event] => agenda(context, question).map(Some),
            Intent::Next if question.kinds == [Kind::Event] || question.wants == Wants::Date => {
                next_of_all(context)
            }
            _ => Ok(None),
        };
    }
    let wanted = match question.intent {
        Intent::When
        | Intent::Next
        | Intent::Latest
        | Intent::First
        | Intent::Count
        | Intent::Where => true,
        Intent::List | Intent::Find => {
            question.kinds == [Kind::Event] || !question.times.is_empty()
        }
        Intent::Who | Intent::YesNo | Intent::Open => {
            !question.times.is_empty() && question.kinds == [Kind::Event]
        }
        _ => false,
    };
    if !wanted {
        return Ok(None);
    }
    let meant = meant(context, question)?;
    if meant.occasions.is_empty() {
        return not_then(context, question, &meant);
    }
    let chosen = chosen(context, question, meant.occasions)?;
    Ok(chosen.map(|draft| Draft { covers: meant.share, ..draft }))
}

/// "What's on today?"
fn agenda(context: &Context<'_>, question: &Question) -> Result<Draft, vault::error::Error> {
    let now = context.now.timestamp().as_second();
    let (interval, named) = match question.times.first() {
        Some(time) => (bounded(time.start, time.end, now), time.interval_text().to_owned()),
        None => (
            Interval { start: now - BACK_S, end: now + AHEAD_S },
            "all of your calendar".to_owned(),
        ),
    };
    let occasions: Vec<Occasion> = context.vault.events_between(interval, false)?.all;
    let mut draft = Draft::new(Step::Lookup);
    draft.text = match (question.intent, occasions.len()) {
        (_, 0) => {
            draft.step = Step::Abstain;
            format!("Nothing in your calendar for {named}.")
        }
        (_, n) => format!("{} ({named}):", words::count_of(n, "event")),
    };
    list(context, &mut draft, &occasions)?;
    Ok(draft)
}

fn list(
    context: &Context<'_>,
    draft: &mut Draft,
    occasions: &[Occasion],
) -> Result<(), vault::error::Error> {
    for occasion in occasions.iter().take(SHOWN) {
        let mark = cite(context, draft, occasion)?;
        let place = if occasion.location.is_empty() {
            String::new()
        } else {
            format!(", {}", occasion.location)
        };
        draft.text.push_str(&format!(
            "\n- {}, {}{place} {mark}",
            occasion.title,
            when_text(context, occasion)
        ));
    }
    if occasions.len() > SHOWN {
        draft.text.push_str(&format!("\n- … and {} more", words::grouped(occasions.len() - SHOWN)));
    }
    Ok(())
}

fn next_of_all(context: &Context<'_>) -> Result<Option<Draft>, vault::error::Error> {
    let next = context.vault.next_events(context.now.timestamp().as_second(), 1)?;
    let Some(occasion) = next.first() else { return Ok(None) };
    let mut draft = Draft::new(Step::Lookup);
    let mark = cite(context, &mut draft, occasion)?;
    draft.text = format!("{} {mark}.", sentence(context, occasion));
    Ok(Some(draft))
}

/// "Am I free on Friday at two?"
fn free(context: &Context<'_>, question: &Question) -> Result<Option<Draft>, vault::error::Error> {
    let now = context.now.timestamp().as_second();
    let (interval, named) = match question.times.first() {
        Some(time) => (bounded(time.start, time.end, now), time.interval_text().to_owned()),
        None => (Interval { start: now, end: now + DAY_S }, "the next 24 hours".to_owned()),
    };
    let occasions = context.vault.events_between(interval, false)?.all;
    let mut draft = Draft::new(Step::Lookup);
    let timed: Vec<Occasion> = occasions.iter().filter(|o| !o.when.all_day).cloned().collect();
    let whole_days: Vec<Occasion> = occasions.into_iter().filter(|o| o.when.all_day).collect();
    draft.text = match (timed.len(), whole_days.len()) {
        (0, 0) => format!("Yes: your calendar has nothing for {named}."),
        (0, _) => format!("Yes, no appointment for {named}; all day there is:"),
        (n, _) => format!("No: {} for {named}:", words::count_of(n, "event")),
    };
    list(context, &mut draft, &timed)?;
    list(context, &mut draft, &whole_days)?;
    Ok(Some(draft))
}

/// Open ends become years that expansion can walk through.
fn bounded(start: i64, end: i64, now: i64) -> Interval {
    Interval { start: start.max(now - BACK_S), end: end.min(now + AHEAD_S) }
}

/// The event is known by all its words and is not on the one day asked about: the premise is wrong.
fn not_then(
    context: &Context<'_>,
    question: &Question,
    meant: &Meant,
) -> Result<Option<Draft>, vault::error::Error> {
    let one_day = question.times.iter().find(|time| {
        time.granularity != when::Granularity::Time
            && time.end.saturating_sub(time.start) <= DAY_S + 3_600
    });
    let (Some(day), Some(item)) = (one_day, meant.surely) else { return Ok(None) };
    let Some(item) = context.vault.item(item)? else { return Ok(None) };
    let mut draft = Draft::new(Step::Abstain);
    let mark = draft.cite_title(context.vault, &item.entry)?;
    draft.text = format!(
        "“{}” is in your calendar {mark}, and not on {}.",
        item.entry.title,
        day.interval_text()
    );
    Ok(Some(draft))
}

/// What a question means of the calendar.
pub(super) struct Meant {
    /// In order of start.
    pub(super) occasions: Vec<Occasion>,
    /// The share of the topic that the best event says.
    share: f32,
    /// The event that says every word of the topic, whenever it is.
    surely: Option<i64>,
}

/// Occasions of the events that the topic means, within the asked time or the years around now.
pub(super) fn meant(
    context: &Context<'_>,
    question: &Question,
) -> Result<Meant, vault::error::Error> {
    let mut topic = question.topic.clone();
    topic.retain(|word| !OF_ANY_EVENT.contains(&word.as_str()));
    topic.extend(
        question
            .people
            .iter()
            .flat_map(|mention| vault::text::words::tokens(&mention.written))
            .map(|token| token.term),
    );
    let mut terms = Terms::new(context.vault, &topic)?;
    let query = Query {
        text: topic.join(" "),
        alike: terms.alike.clone(),
        kinds: vec![Kind::Event],
        limit: 20,
        ..Query::default()
    };
    let now = context.now.timestamp().as_second();
    let time = question
        .times
        .iter()
        .find(|time| time.granularity != when::Granularity::Time)
        .or(question.times.first());
    let on_day = time.is_some_and(|time| time.end.saturating_sub(time.start) <= DAY_S);
    let needed = if on_day { TITLE_SHARE_ON_DAY } else { TITLE_SHARE };
    let mut best = 0f32;
    let mut meant: Vec<(f32, i64, String)> = Vec::new();
    for hit in context.vault.search(&query, None)?.hits {
        let Some(item) = context.vault.item(hit.id)? else { continue };
        let mut text = hit.title.clone();
        if let Some(event) = &item.event {
            text.push(' ');
            text.push_str(&event.location);
        }
        for person in item
            .people
            .iter()
            .map(|person| person.name.as_str())
            .chain(item.tags.iter().map(String::as_str))
        {
            text.push(' ');
            text.push_str(person);
        }
        if is_of_another(context, question, &hit.title, &text) {
            continue;
        }
        let found = terms.found_in(&text);
        let share = terms.share(&found);
        best = best.max(share);
        meant.push((share, hit.id, hit.title.clone()));
    }
    meant.retain(|(share, _, _)| *share >= needed && *share >= 0.85 * best);
    let surely = meant.iter().find(|(share, ..)| *share > 0.99).map(|(_, id, _)| *id);
    if meant.is_empty() || topic.is_empty() {
        return Ok(Meant { occasions: Vec::new(), share: 0.0, surely: None });
    }
    let interval = match time {
        Some(time) => bounded(time.start, time.end, now),
        None => Interval { start: now - BACK_S, end: now + AHEAD_S },
    };
    let is_meant = |occasion: &Occasion| {
        meant.iter().any(|(_, id, title)| *id == occasion.item || *title == occasion.title)
    };
    let mut occasions = context.vault.events_between(interval, false)?.all;
    occasions.retain(|occasion| is_meant(occasion) && weekday_fits(context, question, occasion));
    Ok(Meant { occasions, share: best, surely })
}

/// Whether the title names somebody, and nobody of those the question names takes part: "Lotte: sailing course" is
/// not Emil's. `text` is the title, the place and the people.
fn is_of_another(context: &Context<'_>, question: &Question, title: &str, text: &str) -> bool {
    if question.people.is_empty() {
        return false;
    }
    let said = crate::question::words(text);
    let mut asked = question
        .people
        .iter()
        .flat_map(|mention| [&mention.written, &mention.name])
        .flat_map(|name| crate::question::words(name));
    let takes_part = asked.any(|word| said.iter().any(|said| said.term == word.term));
    let names_another = |word: &crate::question::Word| {
        word.capital && context.directory.is_name(&word.term) && !question.says(&[&word.term])
    };
    !takes_part && crate::question::words(title).iter().any(names_another)
}

fn weekday_fits(context: &Context<'_>, question: &Question, occasion: &Occasion) -> bool {
    let Some(weekday) = question.weekday else { return true };
    start_of(context, occasion)
        .is_some_and(|start| start.weekday().to_monday_one_offset() == weekday)
}

/// The occasion or occasions asked for, in words.
fn chosen(
    context: &Context<'_>,
    question: &Question,
    occasions: Vec<Occasion>,
) -> Result<Option<Draft>, vault::error::Error> {
    let now = context.now.timestamp().as_second();
    let lean = when::lean_of(&question.text);
    let mut draft = Draft::new(Step::Lookup);
    let future = occasions.iter().find(|o| o.when.start >= now);
    let past = occasions.iter().rev().find(|o| o.when.start <= now);
    let several = question
        .says(&["days", "dates", "tagen", "tage", "jours", "all", "alle", "tous", "times"])
        || matches!(question.intent, Intent::List | Intent::Find);
    if question.intent == Intent::Count {
        return count(context, question, &occasions).map(Some);
    }
    if several && !question.times.is_empty() {
        draft.text = format!(
            "{} ({}):",
            words::count_of(occasions.len(), "event"),
            question.times[0].interval_text()
        );
        list(context, &mut draft, &occasions)?;
        return Ok(Some(draft));
    }
    let one = match question.intent {
        Intent::Next => future.or(past),
        Intent::First => occasions.first(),
        Intent::Latest
            if lean != Lean::Past
                && future.is_some()
                && ends(&occasions, now)
                && question.says(&["is", "ist", "est"]) =>
        {
            occasions.last()
        }
        Intent::Latest => past.or(occasions.first()),
        _ if !question.times.is_empty() => {
            if lean == Lean::Past {
                past.or(future)
            } else {
                occasions.first()
            }
        }
        _ if lean == Lean::Past => past.or(future),
        _ => future.or(past),
    };
    let Some(one) = one else { return Ok(None) };
    if question.wants == Wants::Place && one.location.is_empty() {
        return Ok(None);
    }
    let mark = cite(context, &mut draft, one)?;
    draft.text = format!("{} {mark}.", sentence(context, one));
    if let Some(day) = edge_day(context, question, one) {
        draft.text = format!("{}: “{}”, {} {mark}.", day, one.title, when_text(context, one));
    }
    Ok(Some(draft))
}

/// "The last day of the holiday": an edge of something that lasts days.
fn edge_day(context: &Context<'_>, question: &Question, occasion: &Occasion) -> Option<String> {
    if !question.says(&["day", "tag", "jour"])
        || !matches!(question.intent, Intent::Latest | Intent::First)
    {
        return None;
    }
    let start = start_of(context, occasion)?;
    let end = civil(context, occasion, occasion.when.end?)?.checked_sub(1.second()).ok()?;
    let day = if question.intent == Intent::First { start } else { end };
    (start.date() != end.date()).then(|| words::weekday_and_day(day.date()))
}

/// A series that is over well before the window ends has a last occurrence.
fn ends(occasions: &[Occasion], now: i64) -> bool {
    occasions.last().is_some_and(|last| last.when.start < now + AHEAD_S - 60 * DAY_S)
}

fn count(
    context: &Context<'_>,
    question: &Question,
    occasions: &[Occasion],
) -> Result<Draft, vault::error::Error> {
    let mut draft = Draft::new(Step::Lookup);
    let named = question
        .times
        .first()
        .map_or("in your calendar".to_owned(), |time| time.interval_text().to_owned());
    let mut titles: Vec<String> = Vec::new();
    for occasion in occasions {
        let quoted = format!("“{}”", occasion.title);
        if !titles.contains(&quoted) && titles.len() < 3 {
            titles.push(quoted);
        }
    }
    draft.text =
        format!("{} times: {} ({named}):", words::grouped(occasions.len()), words::join(&titles));
    if occasions.len() == 1 {
        draft.text = format!("Once: {} ({named}):", words::join(&titles));
    }
    list(context, &mut draft, occasions)?;
    Ok(draft)
}

fn cite(
    context: &Context<'_>,
    draft: &mut Draft,
    occasion: &Occasion,
) -> Result<String, vault::error::Error> {
    let Some(item) = context.vault.item(occasion.item)? else { return Ok(String::new()) };
    draft.cite_title(context.vault, &item.entry)
}

fn start_of(context: &Context<'_>, occasion: &Occasion) -> Option<jiff::civil::DateTime> {
    civil(context, occasion, occasion.when.start)
}

/// In the owner's zone; whole days in the zone that they are midnight in.
fn civil(context: &Context<'_>, occasion: &Occasion, second: i64) -> Option<jiff::civil::DateTime> {
    let instant = Timestamp::from_second(second).ok()?;
    if occasion.when.all_day {
        let zone =
            occasion.when.zone.as_deref().and_then(|zone| jiff::tz::TimeZone::get(zone).ok());
        return Some(zone.unwrap_or(jiff::tz::TimeZone::UTC).to_datetime(instant));
    }
    Some(context.now.time_zone().to_datetime(instant))
}

/// `Thursday 14 January 2027, 19:00–21:00`.
fn when_text(context: &Context<'_>, occasion: &Occasion) -> String {
    let Some(start) = start_of(context, occasion) else { return String::new() };
    let end = occasion.when.end.and_then(|end| civil(context, occasion, end));
    let first = words::weekday_and_day(start.date());
    if occasion.when.all_day {
        let last = end
            .and_then(|end| end.checked_sub(1.second()).ok())
            .map(|end| end.date())
            .filter(|last| *last > start.date());
        return last
            .map_or(first.clone(), |last| format!("{first} to {}", words::weekday_and_day(last)));
    }
    let clock = |at: jiff::civil::DateTime| format!("{:02}:{:02}", at.hour(), at.minute());
    match end.filter(|end| *end > start) {
        Some(end) if end.date() == start.date() => {
            format!("{first}, {}–{}", clock(start), clock(end))
        }
        Some(end) => format!(
            "{first}, {} to {}, {}",
            clock(start),
            words::weekday_and_day(end.date()),
            clock(end)
        ),
        None => format!("{first}, {}", clock(start)),
    }
}

fn sentence(context: &Context<'_>, occasion: &Occasion) -> String {
    let place = if occasion.location.is_empty() {
        String::new()
    } else {
        format!(", at {}", occasion.location)
    };
    let status = if occasion.status == "tentative" { " (tentative)" } else { "" };
    format!("“{}”{status}: {}{place}", occasion.title, when_text(context, occasion))
}
