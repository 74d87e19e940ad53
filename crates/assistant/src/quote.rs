//! Quotes: the best sentence in its source's words, its dates resolved beside them, what it replaces, and the
//! template sentence around it.

use std::ops::Range;

use vault::item::{Kind, Role};
use vault::when::{Granularity, Resolved};

use crate::answer::Step;
use crate::draft::Draft;
use crate::evidence::{Candidate, Evidence, Passage, sentences, spans};
use crate::question::{Intent, Question, Wants};
use crate::{reckon, words};

/// A quote is lengthened by a neighbour up to this.
const QUOTE_BYTES: usize = 320;
/// A sentence this much worse than the best may still win by being newer.
const NEWER_MARGIN: f32 = 1.5;
/// An older statement this much worse than the best is still mentioned.
const OLDER_MARGIN: f32 = 4.0;

/// Which candidate to quote: the best, or a newer one that says the same thing about as well.
pub(crate) fn choose<'a>(
    evidence: &'a Evidence,
    question: &Question,
) -> Option<(&'a Candidate, Option<&'a Candidate>)> {
    let best = evidence.candidates.first()?;
    // Who asks for the first, or for a time long past, does not want the newest.
    if matches!(question.intent, Intent::First) || !question.times.is_empty() {
        return Some((best, None));
    }
    let date = |candidate: &Candidate| {
        evidence.passages[candidate.passage].item.entry.when.as_ref().map(|when| when.start)
    };
    let rivals = evidence.candidates.iter().skip(1).take(12).filter(|other| {
        other.passage != best.passage
            && said(evidence, other) != said(evidence, best)
            && other.features.fits >= best.features.fits
            && other.features.people >= best.features.people
            && other.features.quoted <= best.features.quoted
    });
    let Some(when) = date(best) else { return Some((best, None)) };
    let mut older = None;
    for rival in rivals {
        let Some(then) = date(rival) else { continue };
        let close = best.score - rival.score <= NEWER_MARGIN
            && rival.features.coverage >= 0.9 * best.features.coverage;
        if then > when && close {
            return Some((rival, Some(best)));
        }
        // What is only mentioned may say it in fewer words.
        let mentioned = question.wants != Wants::Text
            && best.score - rival.score <= OLDER_MARGIN
            && rival.features.coverage >= 0.6 * best.features.coverage;
        if then < when && mentioned && older.is_none() {
            older = Some(rival);
        }
    }
    Some((best, older))
}

/// The folded words of a candidate: copies of one mail say the same.
fn said(evidence: &Evidence, candidate: &Candidate) -> String {
    vault::text::words::key(&evidence.passages[candidate.passage].text[candidate.bytes.clone()])
}

/// The answer around a quote.
pub(crate) fn draft(
    evidence: &Evidence,
    question: &Question,
    chosen: &Candidate,
    other: Option<&Candidate>,
) -> Draft {
    let mut draft = Draft::new(Step::Template);
    let range = lengthened(&evidence.passages[chosen.passage], chosen, question);
    let Statement { text, has_lead } = statement(&mut draft, evidence, question, chosen, range);
    draft.text = text;
    if !has_lead && matches!(question.intent, Intent::Find) {
        draft.step = Step::Quote;
    }
    if let Some(other) = other {
        let passage = &evidence.passages[chosen.passage];
        let old = &evidence.passages[other.passage];
        let mark = draft.cite(&old.item.entry, &old.text, other.bytes.clone(), other.score);
        let quote = one_line(&old.text[other.bytes.clone()]);
        let earlier = old.item.entry.when.as_ref().map(|when| when.start)
            < passage.item.entry.when.as_ref().map(|when| when.start);
        let word = if earlier { "Earlier" } else { "See also" };
        draft
            .text
            .push_str(&format!("\n{word}, {}: “{quote}” {mark}", lower_first(&source_phrase(old))));
    }
    draft
}

/// What an answer opens with that gives the nearest passages without vouching for them.
const UNSURE: &str = "I am not sure, but these come nearest:";
/// Passages that such an answer quotes, and how many of them may stand in one item.
const NEAREST: usize = 3;
const NEAREST_OF_ONE: usize = 2;

/// The nearest passages, a line each, where none is good enough to be the answer: best first, none twice.
pub(crate) fn nearest(evidence: &Evidence, question: &Question) -> Draft {
    let mut chosen: Vec<(&Candidate, Range<usize>)> = Vec::new();
    for candidate in &evidence.candidates {
        let same_item = chosen.iter().filter(|(other, _)| other.passage == candidate.passage);
        let says_nothing_new = same_item
            .clone()
            .any(|(_, range)| range.contains(&candidate.bytes.start))
            || chosen.iter().any(|(other, _)| said(evidence, other) == said(evidence, candidate));
        if same_item.count() < NEAREST_OF_ONE && !says_nothing_new {
            let passage = &evidence.passages[candidate.passage];
            let range = surrounded(passage, lengthened(passage, candidate, question));
            chosen.push((candidate, range));
        }
        if chosen.len() == NEAREST {
            break;
        }
    }
    let mut draft = Draft::new(Step::Quote);
    let mut lines = vec![UNSURE.to_owned()];
    for (candidate, range) in chosen {
        let Statement { text, .. } = statement(&mut draft, evidence, question, candidate, range);
        lines.push(format!("- {text}"));
    }
    draft.text = lines.join("\n");
    draft
}

/// A cited quote in its template sentence.
struct Statement {
    text: String,
    /// It opens with the date, time or number asked for.
    has_lead: bool,
}

/// Cites a candidate: the date or number asked for, whose words these are, the quote, its dates resolved.
fn statement(
    draft: &mut Draft,
    evidence: &Evidence,
    question: &Question,
    candidate: &Candidate,
    range: Range<usize>,
) -> Statement {
    let passage = &evidence.passages[candidate.passage];
    let quote = one_line(&passage.text[range.clone()]);
    let mark = draft.cite(&passage.item.entry, &passage.text, range.clone(), candidate.score);
    let times = spans::times(&passage.text[range.clone()], passage.written.as_ref());
    let zone = passage
        .written
        .as_ref()
        .map_or(jiff::tz::TimeZone::UTC, |written| written.time_zone().clone());
    let mut lead = lead(question, &times, &zone);
    if let Some(number) = reckon::worked_out(question, &passage.text[range.clone()]) {
        lead = format!("{number}. ");
    } else if lead.is_empty() && question.wants == Wants::Date {
        lead = event_day(passage);
    }
    let mut text = format!("{lead}{}: “{quote}” {mark}", source_phrase(passage));
    let resolved = resolved(&passage.text[range], &times);
    if !resolved.is_empty() {
        text.push_str(&format!(" ({resolved})"));
    }
    Statement { text, has_lead: !lead.is_empty() }
}

/// The sentence with the neighbour that holds the answer's span or more of the topic, while short.
pub(crate) fn lengthened(
    passage: &Passage,
    chosen: &Candidate,
    question: &Question,
) -> Range<usize> {
    let mut range = chosen.bytes.clone();
    let around = sentences::sentences(&passage.text, 0..passage.text.len());
    let Some(at) = around.iter().position(|sentence| sentence.start == chosen.bytes.start) else {
        return range;
    };
    let text = |range: &Range<usize>| &passage.text[range.clone()];
    let typed = |range: &Range<usize>| {
        question.wants != Wants::Text
            && spans::fits(
                text(range),
                question.wants,
                &spans::times(text(range), passage.written.as_ref()),
                false,
            ) > 0.6
    };
    let has_span = typed(&range);
    // A heading, a list's opening or a very short line says little without what follows.
    let open = text(&range).ends_with(':') || range.len() < 40;
    if let Some(next) = around.get(at + 1)
        && next.end - range.start <= QUOTE_BYTES
        && (open || (!has_span && (typed(next) || question.wants == Wants::Text)))
    {
        range.end = next.end;
    }
    if !has_span
        && !typed(&range)
        && let Some(before) = at.checked_sub(1).map(|at| &around[at])
        && typed(before)
        && range.end - before.start <= QUOTE_BYTES
    {
        range.start = before.start;
    }
    range
}

/// The range with a whole sentence of the same paragraph after it and one before it, while short. A signature is no
/// part of what is said.
fn surrounded(passage: &Passage, mut range: Range<usize>) -> Range<usize> {
    let text = &passage.text;
    let around = sentences::sentences(text, 0..text.len());
    let belongs = |between: Range<usize>, sentence: &Range<usize>| {
        !text[between].contains("\n\n") && !text[sentence.clone()].starts_with("--")
    };
    let next = around.iter().find(|sentence| sentence.start >= range.end);
    if let Some(next) = next.filter(|next| belongs(range.end..next.start, next))
        && next.end - range.start <= QUOTE_BYTES
    {
        range.end = next.end;
    }
    let before = around.iter().rfind(|sentence| sentence.end <= range.start);
    if let Some(before) = before.filter(|before| belongs(before.end..range.start, before))
        && range.end - before.start <= QUOTE_BYTES
    {
        range.start = before.start;
    }
    range
}

/// White space of wrapped lines as single spaces.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// "Anna Meier's mail of 3 May 2026".
pub(crate) fn source_phrase(passage: &Passage) -> String {
    let item = &passage.item;
    let date = passage.written.as_ref().map(|written| words::day(written.date()));
    let of_date = date.as_ref().map_or(String::new(), |date| format!(" of {date}"));
    match item.entry.kind {
        Kind::Mail => {
            let author = item.people.iter().find(|person| person.role == Role::From);
            let name = author.map(|person| {
                if person.name.is_empty() {
                    person.address.clone().unwrap_or_default()
                } else {
                    person.name.clone()
                }
            });
            match name.filter(|name| !name.is_empty()) {
                Some(name) => format!("According to the mail from {name}{of_date}"),
                None => format!("According to the mail “{}”{of_date}", item.entry.title),
            }
        }
        Kind::Event => format!("According to the event “{}”{of_date}", item.entry.title),
        Kind::Contact => format!("According to the contact {}", item.entry.title),
        Kind::Note => format!("According to your note “{}”{of_date}", item.entry.title),
        Kind::Document => format!("According to the document “{}”", item.entry.title),
    }
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_lowercase().chain(letters).collect())
}

/// The date or time asked for, worked out: "On 7 May 2026. ".
fn lead(question: &Question, times: &[Resolved], zone: &jiff::tz::TimeZone) -> String {
    let asked = |time: &&Resolved| {
        question.times.iter().any(|asked| asked.start == time.start && asked.end == time.end)
    };
    let fine = |time: &&Resolved| {
        matches!(
            time.granularity,
            Granularity::Day | Granularity::Part | Granularity::Time | Granularity::Span
        )
    };
    let answer = match question.wants {
        Wants::Date => times
            .iter()
            .filter(|time| !asked(time))
            .find(fine)
            .or_else(|| times.iter().find(|time| !asked(time))),
        Wants::Time => times.iter().find(|time| time.granularity == Granularity::Time),
        _ => None,
    };
    answer.map_or(String::new(), |time| {
        format!("{}. ", capitalised(&vault::when::in_long(&named_day(question, time, zone))))
    })
}

/// An event that says no date itself is on its own.
fn event_day(passage: &Passage) -> String {
    match (&passage.written, passage.item.entry.kind) {
        (Some(start), Kind::Event) => format!("{}. ", words::weekday_and_day(start.date())),
        _ => String::new(),
    }
}

/// "Since Friday" and "by Thursday" name one day, which is what a question for a date wants.
fn named_day(question: &Question, time: &Resolved, zone: &jiff::tz::TimeZone) -> String {
    let day = |second: i64| {
        jiff::Timestamp::from_second(second).ok().map(|at| words::day(zone.to_datetime(at).date()))
    };
    let opening = time.text.split_whitespace().next().map(vault::when::fold).unwrap_or_default();
    let named = match opening.as_str() {
        _ if question.wants != Wants::Date => None,
        "since" | "seit" | "depuis" | "from" | "ab" | "starting"
            if time.start != vault::when::UNBOUNDED_PAST =>
        {
            day(time.start)
        }
        "until" | "till" | "by" | "bis" | "jusqu" if time.end != vault::when::UNBOUNDED_FUTURE => {
            day(time.end - 1)
        }
        "before" | "vor" | "avant" if time.end != vault::when::UNBOUNDED_FUTURE => {
            day(time.end).map(|day| format!("before {day}"))
        }
        _ => None,
    };
    named.unwrap_or_else(|| time.interval_text().to_owned())
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// Relative words with what they meant when they were written: "“yesterday” = 7 May 2026".
fn resolved(quote: &str, times: &[Resolved]) -> String {
    let relative = |time: &&Resolved| {
        let said = &quote[time.words.clone()];
        let has_year = vault::text::words::tokens(said)
            .iter()
            .any(|token| token.term.len() == 4 && token.term.bytes().all(|b| b.is_ascii_digit()));
        !has_year && time.granularity != Granularity::Time
    };
    let notes: Vec<String> = times
        .iter()
        .filter(relative)
        .take(3)
        .map(|time| {
            format!("“{}” = {}", one_line(&quote[time.words.clone()]), time.interval_text())
        })
        .collect();
    notes.join(", ")
}
