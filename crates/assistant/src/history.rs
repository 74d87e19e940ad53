//! Follow-up questions: "and his phone?", "what about Ben?", "and next week?" take what they lack from before.

use jiff::ZonedDateTime;
use serde::{Deserialize, Serialize};

use crate::question::names::Directory;
use crate::question::{Intent, Question, Wants};

/// A former turn of the conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    pub question: String,
    pub answer: String,
}

/// Former turns that a question may refer to.
const REACH: usize = 3;

const OPENINGS: &[&str] = &["and", "und", "et"];

const REFERENCES: &[&str] = &[
    "his", "her", "hers", "their", "theirs", "he", "she", "him", "they", "them", "it", "its",
    "that", "there", "seine", "seiner", "sein", "ihre", "ihrer", "ihr", "er", "sie", "ihm", "ihn",
    "dort", "son", "sa", "ses", "il", "elle", "lui", "leur",
];

const PRONOUNS: &[&str] = &[
    "his", "her", "hers", "he", "she", "him", "their", "they", "them", "seine", "sein", "ihre",
    "er", "sie", "ihm", "ihn", "lui", "elle", "il",
];

/// Reads a question in the light of the turns before it, the newest last.
pub fn read(
    text: &str,
    history: &[Turn],
    directory: &dyn Fn(&str) -> Directory,
    now: &ZonedDateTime,
    without: &[String],
) -> (Question, Directory) {
    let known = directory(text);
    let question = Question::read_without(text, &known, now, without);
    let Some((last, before)) = history.split_last() else { return (question, known) };
    if !refers_back(&question) {
        return (question, known);
    }
    let reach = before.len().saturating_sub(REACH);
    let (former, former_directory) =
        read(&last.question, &before[reach..], directory, now, without);
    // People of both turns have to be known to what follows.
    let mut people: Vec<_> = known.people().to_vec();
    people.extend(
        former_directory.people().iter().filter(|person| known.get(person.id).is_none()).cloned(),
    );
    (merged(question, &former), Directory::new(people))
}

fn refers_back(question: &Question) -> bool {
    let opens = question.words.first().is_some_and(|word| OPENINGS.contains(&word.term.as_str()));
    let about = question.text.to_lowercase().starts_with("what about")
        || question.text.to_lowercase().starts_with("how about");
    let alone = question.people.is_empty() && question.names.is_empty();
    opens
        || about
        || (alone && question.says(REFERENCES) && question.topic.len() <= 2)
        || (alone && question.topic.is_empty())
}

fn merged(mut question: Question, former: &Question) -> Question {
    let new_person = !question.people.is_empty();
    let pronoun = question.says(PRONOUNS);
    if question.people.is_empty() && (pronoun || question.topic.is_empty()) {
        question.people.clone_from(&former.people);
    }
    if question.topic.is_empty()
        && question.names.is_empty()
        && !matches!(question.intent, Intent::Contact(_) | Intent::Age)
    {
        question.topic.clone_from(&former.topic);
        question.names.clone_from(&former.names);
    }
    let says_nothing = matches!(question.intent, Intent::Open) && question.wants == Wants::Text;
    if says_nothing {
        question.intent = former.intent;
        question.wants = former.wants;
        if question.kinds.is_empty() {
            question.kinds.clone_from(&former.kinds);
        }
        question.countable = former.countable;
    }
    if question.times.is_empty() && new_person {
        question.times.clone_from(&former.times);
    }
    question
}
