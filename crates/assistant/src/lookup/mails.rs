//! Counting and listing items: "how many mails from Anna in May", "my latest notes", "unanswered mails".

use vault::item::Kind;
use vault::lookup::items::{Entry, Filter, Order};
use vault::search::Interval;

use crate::answer::Step;
use crate::draft::Draft;
use crate::evidence::Context;
use crate::evidence::sentences;
use crate::evidence::terms::Terms;
use crate::question::{Intent, Part, Question, Wants};
use crate::{quote, words};

/// Items shown of a list; the count says how many there are.
const SHOWN: usize = 8;
/// Items read when the topic has to be checked in their text.
const CHECKED: usize = 400;

pub(crate) fn answer(
    context: &Context<'_>,
    question: &Question,
) -> Result<Option<Draft>, vault::error::Error> {
    if question.says(&["unanswered", "unbeantwortet", "unbeantwortete", "unbeantworteten"])
        || waiting(question)
    {
        return unanswered(context, question);
    }
    let ordered = matches!(question.intent, Intent::Latest | Intent::First);
    let counted = matches!(question.intent, Intent::Count | Intent::List | Intent::Find);
    let mut kinds: Vec<Kind> =
        question.kinds.iter().copied().filter(|kind| *kind != Kind::Event).collect();
    if ordered && last_word(question) {
        kinds.push(Kind::Mail);
        return latest_mail(context, question, kinds);
    }
    if !question.countable || kinds.is_empty() || !(ordered || counted) {
        return Ok(None);
    }
    let filter = filter(question, kinds);
    let order = if question.intent == Intent::First { Order::Oldest } else { Order::Newest };
    let (found, all) = matching(context, question, &filter, order)?;
    if ordered {
        return one(context, question, &found);
    }
    if question.intent != Intent::Count && found.is_empty() {
        return Ok(None);
    }
    let mut draft = Draft::new(Step::Lookup);
    let noun = noun(question);
    draft.text = format!(
        "{}{}{}",
        words::count_of(all, &noun),
        described(question),
        if found.is_empty() { "." } else { ":" }
    );
    for entry in found.iter().take(SHOWN) {
        let mark = draft.cite_title(context.vault, entry)?;
        draft.text.push_str(&format!("\n- {}{} {mark}", entry.title, dated(entry)));
    }
    if all > SHOWN {
        draft.text.push_str(&format!("\n- … and {} more", words::grouped(all - SHOWN)));
    }
    Ok(Some(draft))
}

/// "What did Anna write last?": of anything, and only of somebody.
fn last_word(question: &Question) -> bool {
    question.kinds.is_empty()
        && question.topic.is_empty()
        && question.names.is_empty()
        && question.wants == Wants::Text
        && question.people.iter().any(|mention| mention.part == Part::From)
}

/// The newest or oldest mail, with how it begins.
fn latest_mail(
    context: &Context<'_>,
    question: &Question,
    kinds: Vec<Kind>,
) -> Result<Option<Draft>, vault::error::Error> {
    let order = if question.intent == Intent::First { Order::Oldest } else { Order::Newest };
    let found = context.vault.list(&filter(question, kinds), order, 1)?;
    let Some(mut draft) = one(context, question, &found)? else { return Ok(None) };
    let Some(entry) = found.first() else { return Ok(None) };
    let text = context.vault.text(entry.id)?.unwrap_or_default();
    let title_end = text.find('\n').unwrap_or(0);
    let says = sentences::sentences(&text, title_end..text.len());
    let telling = |range: &std::ops::Range<usize>| {
        text[range.clone()].split_whitespace().count() >= OPENING_WORDS
    };
    if let Some(range) = says.into_iter().find(telling) {
        let words = quote::one_line(&text[range.clone()]);
        let mark = draft.cite(entry, &text, range, 1.0);
        draft.text.push_str(&format!(" It says: “{words}” {mark}"));
    }
    Ok(Some(draft))
}

/// A greeting has fewer words than this.
const OPENING_WORDS: usize = 4;

fn waiting(question: &Question) -> bool {
    let own = question.says(&["i", "me", "my", "ich"]);
    own && question.says(&["reply", "answer", "answered", "replied", "beantworten"])
        && question.says(&["still", "need", "must", "haven", "noch", "yet"])
}

fn unanswered(
    context: &Context<'_>,
    question: &Question,
) -> Result<Option<Draft>, vault::error::Error> {
    const DEFAULT_DAYS: i64 = 60;
    let since = question
        .times
        .first()
        .map_or(context.now.timestamp().as_second() - DEFAULT_DAYS * 86_400, |time| time.start);
    let mut waiting = context.vault.unanswered(since, 200)?;
    if let Some(time) = question.times.first() {
        waiting.retain(|entry| entry.when.as_ref().is_some_and(|when| when.start < time.end));
    }
    let mut draft = Draft::new(Step::Lookup);
    draft.text = format!(
        "{} unanswered{}",
        words::count_of(waiting.len(), "mail"),
        if waiting.is_empty() { "." } else { ":" }
    );
    for entry in waiting.iter().take(SHOWN) {
        let mark = draft.cite_title(context.vault, entry)?;
        draft.text.push_str(&format!("\n- {}{} {mark}", entry.title, dated(entry)));
    }
    Ok(Some(draft))
}

fn filter(question: &Question, kinds: Vec<Kind>) -> Filter {
    let of = |part: Part| {
        let people = question.people.iter().filter(|mention| mention.part == part);
        people.map(|mention| mention.name.clone()).collect::<Vec<String>>()
    };
    let mut people = of(Part::With);
    people.extend(of(Part::Any));
    Filter {
        kinds,
        people,
        from: of(Part::From),
        to: of(Part::To),
        interval: question.times.first().map(|time| Interval { start: time.start, end: time.end }),
        attached: Some(false),
        ..Filter::default()
    }
}

/// Items under the filter that have every topic word, and how many there are.
fn matching(
    context: &Context<'_>,
    question: &Question,
    filter: &Filter,
    order: Order,
) -> Result<(Vec<Entry>, usize), vault::error::Error> {
    if question.topic.is_empty() {
        let all = usize::try_from(context.vault.count(filter)?).unwrap_or(usize::MAX);
        return Ok((context.vault.list(filter, order, SHOWN)?, all));
    }
    let mut terms = Terms::new(context.vault, &question.topic)?;
    let mut found = Vec::new();
    for entry in context.vault.list(filter, order, CHECKED)? {
        let text = context.vault.text(entry.id)?.unwrap_or_default();
        let has = terms.found_in(&text);
        if has.iter().all(|found| *found > 0.0) {
            found.push(entry);
        }
    }
    let all = found.len();
    Ok((found, all))
}

/// The latest or first one, with its date.
fn one(
    context: &Context<'_>,
    question: &Question,
    found: &[Entry],
) -> Result<Option<Draft>, vault::error::Error> {
    // "What did Anna's last mail say about…" is to be read, not looked up.
    let Some(entry) = found.first() else { return Ok(None) };
    let mut draft = Draft::new(Step::Lookup);
    let mark = draft.cite_title(context.vault, entry)?;
    let which = if question.intent == Intent::First { "first" } else { "latest" };
    draft.text = format!(
        "The {which} {}{} is “{}”{} {mark}.",
        noun(question),
        described(question),
        entry.title,
        dated(entry)
    );
    Ok(Some(draft))
}

fn noun(question: &Question) -> String {
    if last_word(question) {
        return Kind::Mail.name().to_owned();
    }
    let kind = question.kinds.iter().copied().find(|kind| *kind != Kind::Event);
    kind.map_or("item", vault::item::Kind::name).to_owned()
}

fn dated(entry: &Entry) -> String {
    if entry.date.is_empty() { String::new() } else { format!(" ({})", entry.date) }
}

/// The filters in words: ` from Anna in June = June 2026 with “tiles”`.
fn described(question: &Question) -> String {
    let mut text = String::new();
    for mention in &question.people {
        let word = match mention.part {
            Part::From => "from",
            Part::To => "to",
            Part::With | Part::Any => "with",
        };
        text.push_str(&format!(" {word} {}", mention.name));
    }
    if let Some(time) = question.times.first() {
        text.push_str(&format!(" ({})", time.text));
    }
    if !question.topic.is_empty() {
        text.push_str(&format!(" with “{}”", question.topic.join(" ")));
    }
    text
}
