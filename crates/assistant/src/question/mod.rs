//! A question, read by grammar alone: what is asked for, about whom, when, in which kind of item.
//!
//! No model takes part. Word lists for English, German and French stand in [`lexicon`], the rules in
//! [`intent`], names in [`names`]. Whatever the grammar does not understand stays in `topic`, which is
//! searched for, so that a misread question still finds its passages.

pub mod alike;
pub mod intent;
pub mod lexicon;
pub mod names;

#[cfg(test)]
mod tests;

use std::ops::Range;

use jiff::ZonedDateTime;
use vault::item::Kind;
use vault::when::{self, Resolved};

use crate::answer::Reading;
use names::Mention;

/// What the person wants to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Intent {
    When,
    Who,
    Where,
    Why,
    /// How many: of items when [`Question::countable`] says so, else a number that a source states.
    Count,
    /// How much: an amount that a source states, or a sum of several.
    Amount,
    /// How heavy, how high, what pressure: a quantity that a source states.
    Measure,
    /// How long, how many days until: a stretch of time.
    Duration,
    /// How old someone is.
    Age,
    List,
    Find,
    Latest,
    First,
    Next,
    /// Is the owner free then?
    Free,
    /// A field of somebody's card.
    Contact(Field),
    YesNo,
    /// Summaries, drafts, rewriting: words nobody has written yet.
    Compose,
    Open,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Field {
    Phone,
    Mail,
    Address,
    Birthday,
    Website,
    /// Role, title or organisation.
    Work,
}

/// The kind of span that answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wants {
    Date,
    Time,
    Person,
    Place,
    Amount,
    Number,
    Phone,
    Mail,
    Address,
    Reason,
    Duration,
    Text,
}

/// How a named person takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// Wrote it: "from Anna", "what did Anna say".
    From,
    /// The owner wrote to them.
    To,
    With,
    Any,
}

/// One word of the question, folded, with its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    pub term: String,
    pub bytes: Range<usize>,
    pub capital: bool,
}

#[derive(Debug, Clone)]
pub struct Question {
    pub text: String,
    pub words: Vec<Word>,
    pub intent: Intent,
    pub wants: Wants,
    /// Kinds that the question names ("the mail", "which events").
    pub kinds: Vec<Kind>,
    /// The question counts or lists items themselves, not something that they say.
    pub countable: bool,
    pub times: Vec<Resolved>,
    /// "on a Monday": any Monday, 1 for Monday.
    pub weekday: Option<i8>,
    pub people: Vec<Mention>,
    /// What the owner said or wrote: "when did I promise…".
    pub by_owner: bool,
    /// Capitalised words and quoted strings that are nobody the vault knows.
    pub names: Vec<String>,
    /// What is left: the words that a source should share with the question.
    pub topic: Vec<String>,
}

impl Question {
    /// Reads a question. `directory` knows the vault's people; `now` is the owner's clock.
    pub fn read(text: &str, directory: &names::Directory, now: &ZonedDateTime) -> Question {
        Self::read_without(text, directory, now, &[])
    }

    /// Reads a question as its owner wants it read: `without` lists what [`Question::reading`] said of it and they
    /// took away, a time, a person or a kind as written there. Its words stay, and are searched for as words.
    pub fn read_without(
        text: &str,
        directory: &names::Directory,
        now: &ZonedDateTime,
        without: &[String],
    ) -> Question {
        let kept = |reading: &str| !without.iter().any(|taken| taken == reading);
        let words = words(text);
        let (mut times, weekday) =
            any_weekday(when::find(text, now, when::lean_of(text)), text, now);
        times.retain(|time| kept(&time.text) && !is_edge(&text[time.words.clone()]));
        let in_time = |word: &Word| {
            times.iter().any(|t| t.words.start < word.bytes.end && word.bytes.start < t.words.end)
        };
        let timeless: Vec<Word> = words.iter().filter(|word| !in_time(word)).cloned().collect();
        let mut people = directory.mentions(text, &timeless);
        people.retain(|mention| kept(&mention.name));
        let mut read = intent::read(&timeless, !people.is_empty());
        let taken: Vec<Kind> =
            read.kinds.iter().copied().filter(|kind| !kept(kind.name())).collect();
        read.kinds.retain(|kind| !taken.contains(kind));
        read.countable &= taken.is_empty();
        let names_kind = |word: &Word| {
            lexicon::KIND_NOUNS
                .iter()
                .any(|(noun, kind)| *noun == word.term && taken.contains(kind))
        };
        let in_person = |word: &Word| {
            people.iter().any(|m| m.bytes.start < word.bytes.end && word.bytes.start < m.bytes.end)
        };
        let rest: Vec<&Word> = timeless.iter().filter(|word| !in_person(word)).collect();
        let names = names::unknown(text, &rest);
        // "What did Anna write last?"
        let last_word = matches!(read.intent, Intent::Latest | Intent::First)
            && people.iter().any(|mention| mention.part == Part::From);
        let topic = rest
            .iter()
            .filter(|word| {
                // "mails that Tom sent": the verb says how he takes part, no mail says it.
                let telling =
                    (read.countable || last_word) && lexicon::TELLING.contains(&word.term.as_str());
                (!read.used.contains(&word.bytes.start) || names_kind(word))
                    && !lexicon::is_filler(&word.term)
                    && !telling
            })
            .map(|word| word.term.clone())
            .collect();
        let by_owner = told_by_owner(&words);
        Question {
            text: text.to_owned(),
            words,
            intent: read.intent,
            wants: read.wants,
            kinds: read.kinds,
            countable: read.countable,
            times,
            weekday,
            people,
            by_owner,
            names,
            topic,
        }
    }

    /// How the question was read, for its owner to see.
    pub fn reading(&self) -> Reading {
        Reading {
            intent: self.intent.name().to_owned(),
            times: self.times.iter().map(|time| time.text.clone()).collect(),
            people: self.people.iter().map(|mention| mention.name.clone()).collect(),
            kinds: self.kinds.iter().map(|&kind| kind.name().to_owned()).collect(),
        }
    }

    /// Whether any of these folded words stands in the question.
    pub fn says(&self, any: &[&str]) -> bool {
        self.words.iter().any(|word| any.contains(&word.term.as_str()))
    }
}

impl Intent {
    /// The names that [`Reading::intent`] lists.
    pub fn name(self) -> &'static str {
        match self {
            Intent::When | Intent::Duration | Intent::Age => "when",
            Intent::Who => "who",
            Intent::Where => "where",
            Intent::Count | Intent::Amount | Intent::Measure => "count",
            Intent::List | Intent::Find => "list",
            Intent::Latest | Intent::First => "latest",
            Intent::Next => "next",
            Intent::Free => "free",
            Intent::Contact(_) => "lookup",
            Intent::Why | Intent::YesNo | Intent::Compose | Intent::Open => "open",
        }
    }
}

/// "The last day of the holiday" is not yesterday.
fn is_edge(words: &str) -> bool {
    matches!(
        vault::text::words::key(words).as_str(),
        "last day"
            | "the last day"
            | "letzter tag"
            | "letzte tag"
            | "der letzte tag"
            | "dernier jour"
            | "le dernier jour"
    )
}

/// "Did I say", "I promised", "habe ich … geschrieben": a verb of telling follows the owner's pronoun.
fn told_by_owner(words: &[Word]) -> bool {
    let told = |word: &Word| lexicon::TELLING.contains(&word.term.as_str());
    let own = |word: &Word| matches!(word.term.as_str(), "i" | "ich" | "je");
    words.iter().position(own).is_some_and(|at| {
        words[at + 1..].iter().take(3).any(told)
            || (words[at].term == "ich" && words.last().is_some_and(told))
    })
}

/// "On a Monday" names no day: it is a filter. Takes such a weekday out of the times.
fn any_weekday(
    mut times: Vec<Resolved>,
    text: &str,
    now: &ZonedDateTime,
) -> (Vec<Resolved>, Option<i8>) {
    let indefinite = |time: &Resolved| {
        let before = text[..time.words.start]
            .trim_end()
            .rsplit(char::is_whitespace)
            .next()
            .unwrap_or_default();
        let one_word = !text[time.words.clone()].contains(char::is_whitespace);
        one_word && matches!(before.to_lowercase().as_str(), "a" | "an" | "einem" | "einen" | "un")
    };
    let Some(at) = times.iter().position(indefinite) else { return (times, None) };
    let time = times.remove(at);
    let day = jiff::Timestamp::from_second(time.start)
        .ok()
        .map(|start| now.time_zone().to_datetime(start));
    (times, day.map(|day| day.weekday().to_monday_one_offset()))
}

/// Folded words with their bytes.
pub fn words(text: &str) -> Vec<Word> {
    vault::text::words::tokens(text)
        .into_iter()
        .map(|token| {
            let capital = text[token.start..].chars().next().is_some_and(char::is_uppercase);
            Word { term: token.term, bytes: token.start..token.end, capital }
        })
        .collect()
}
