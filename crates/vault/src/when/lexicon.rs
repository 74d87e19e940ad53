//! What single words and fixed phrases mean in time expressions, whatever the language.
//!
//! The three languages share one table: the grammar reads meanings, not words, so `vor drei Tagen`,
//! `il y a trois jours` and `three days ago` meet in the same rule. Words that collide between languages
//! (`hier` is "yesterday" in French and "here" in German) are settled by guessing the text's language.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::words::{Shape, Token};
use super::{english, french, german};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Number(i64),
    Ordinal(i64),
    /// 1 = January.
    Month(i8),
    /// 1 = Monday.
    Weekday(i8),
    Unit(Unit),
    /// Days from today: yesterday is −1.
    Day(i64),
    Part(Part),
    /// A day and its part in one phrase: `tonight`, `last night`.
    DayPart(i64, Part),
    Which(Which),
    /// After a count of units: `three days ago`.
    Ago,
    /// After a count of units: `three days from now`.
    FromNow,
    /// Before a count of units: `vor drei Tagen`, `il y a trois jours`.
    BackBy,
    /// Before a count of units: `in three days`, `dans trois jours`.
    AheadBy,
    /// A preposition that adds nothing: on, at, in, am, um, le.
    At,
    Article,
    Of,
    Before,
    After,
    Since,
    Until,
    /// The first half of a range, or nothing: `from Monday to Friday`, `from last week`.
    From,
    /// Open to the future by itself: `ab Montag`, `starting Monday`.
    FromOn,
    Onwards,
    Between,
    And,
    To,
    Third(Third),
    Weekend,
    Season(Season),
    Holiday(Holiday),
    Now,
    /// Minutes after midnight: noon, midi, Mitternacht.
    Clock(i64),
    Am,
    Pm,
    /// `o'clock`, `Uhr`, `heures`.
    OClock,
    /// `half past two`, `trois heures et demie`.
    HalfPast,
    /// `halb drei` is half past two.
    HalfTo,
    QuarterPast,
    QuarterTo,
    LessQuarter,
    /// `KW`: a week by its ISO number.
    WeekNumber,
    /// The letter before a quarter's number: Q1, T1.
    QuarterLetter,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Morning,
    Afternoon,
    Evening,
    Night,
    /// From the evening to the next morning: `last night`.
    Overnight,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Last,
    This,
    Next,
}

/// Which third of a month, year, week: early, mid, late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Third {
    Early,
    Mid,
    Late,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Season {
    Spring,
    Summer,
    Autumn,
    Winter,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holiday {
    NewYearsDay,
    GoodFriday,
    Easter,
    EasterMonday,
    Pentecost,
    ChristmasEve,
    /// 25 and 26 December.
    Christmas,
    NewYearsEve,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    English,
    German,
    French,
}

pub(super) type Entry = (&'static str, Meaning);

/// Words that mean a time in one language and something common in another: not read as time there.
const NOT_TIME_IN: &[(&str, Language)] = &[
    ("hier", Language::German),
    ("hier", Language::English),
    ("mars", Language::German),
    ("an", Language::German),
    ("soir", Language::English),
    ("ete", Language::English),
    ("fin", Language::German),
    ("fin", Language::English),
    ("depuis", Language::English),
    ("morgen", Language::English),
    ("mars", Language::English),
];

/// A token with everything it can mean. A phrase of several words is one token.
#[derive(Debug, Clone)]
pub(super) struct Lexeme {
    pub(super) token: Token,
    pub(super) meanings: Vec<Meaning>,
}

impl Lexeme {
    pub(super) fn is(&self, meaning: Meaning) -> bool {
        self.meanings.contains(&meaning)
    }

    pub(super) fn word(&self) -> &str {
        match &self.token.shape {
            Shape::Word(word) => word,
            _ => "",
        }
    }

    pub(super) fn symbol(&self, wanted: char) -> bool {
        self.token.shape == Shape::Symbol(wanted)
    }

    /// The first meaning that `read` accepts.
    pub(super) fn find<T>(&self, read: impl Fn(Meaning) -> Option<T>) -> Option<T> {
        self.meanings.iter().find_map(|&meaning| read(meaning))
    }
}

/// Joins phrases (longest first) and looks every word up.
pub(super) fn lexemes(tokens: &[Token]) -> Vec<Lexeme> {
    let tokens = &split_compounds(tokens);
    let language = guess(tokens);
    let table = table();
    let mut lexemes = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let (meanings, length) = longest(table, tokens, at, language);
        let last = &tokens[at + length - 1];
        let mut token = tokens[at].clone();
        token.bytes.end = last.bytes.end;
        lexemes.push(Lexeme { token, meanings });
        at += length;
    }
    lexemes
}

/// `Montagabend` is `Montag Abend`.
fn split_compounds(tokens: &[Token]) -> Vec<Token> {
    let mut split = Vec::with_capacity(tokens.len());
    for token in tokens {
        let Shape::Word(word) = &token.shape else {
            split.push(token.clone());
            continue;
        };
        let parts = german::DAY_PARTS.iter().find_map(|part| {
            let day = word.strip_suffix(part)?;
            matches!(table().get(day)?.first(), Some(Meaning::Weekday(_))).then_some((day, part))
        });
        let Some((day, part)) = parts else {
            split.push(token.clone());
            continue;
        };
        // Folding keeps the length of these ASCII words, so the bytes can be cut where the letters are.
        let cut = token.bytes.start + day.len();
        let first = token.bytes.start..cut;
        let second = cut..token.bytes.end;
        split.push(Token { shape: Shape::Word(day.to_owned()), bytes: first, ..token.clone() });
        let shape = Shape::Word((*part).to_owned());
        split.push(Token { shape, bytes: second, glued: true, capital: false });
    }
    split
}

/// The language most function words of the text belong to; `None` on a tie or without any.
pub(super) fn guess(tokens: &[Token]) -> Option<Language> {
    let count = |list: &[&str]| {
        tokens
            .iter()
            .filter(|t| matches!(&t.shape, Shape::Word(w) if list.contains(&w.as_str())))
            .count()
    };
    let scores = [
        (count(english::FUNCTION_WORDS), Language::English),
        (count(german::FUNCTION_WORDS), Language::German),
        (count(french::FUNCTION_WORDS), Language::French),
    ];
    let best = scores.iter().max_by_key(|(score, _)| *score)?;
    let tied = scores.iter().filter(|(score, _)| *score == best.0).count() > 1;
    (best.0 > 0 && !tied).then_some(best.1)
}

type Table = HashMap<&'static str, Vec<Meaning>>;

const LONGEST_PHRASE: usize = 5;

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = Table::new();
        for &(words, meaning) in english::WORDS.iter().chain(german::WORDS).chain(french::WORDS) {
            let meanings = table.entry(words).or_default();
            if !meanings.contains(&meaning) {
                meanings.push(meaning);
            }
        }
        table
    })
}

fn longest(
    table: &Table,
    tokens: &[Token],
    at: usize,
    language: Option<Language>,
) -> (Vec<Meaning>, usize) {
    let mut phrase = String::new();
    let mut best = (Vec::new(), 1);
    for (length, token) in tokens[at..].iter().take(LONGEST_PHRASE).enumerate() {
        let Shape::Word(word) = &token.shape else { break };
        if length > 0 {
            phrase.push(' ');
        }
        phrase.push_str(word);
        if let Some(meanings) = table.get(phrase.as_str()) {
            best = (meanings.clone(), length + 1);
        }
    }
    let Shape::Word(word) = &tokens[at].shape else { return best };
    if best.1 == 1 {
        if best.0.is_empty() {
            best.0 = stem(table, word);
        }
        if language.is_some_and(|language| NOT_TIME_IN.contains(&(word, language))) {
            best.0.clear();
        }
    }
    best
}

/// German adjectives end in -e, -en, -er, -es, -em; the table has their stems, marked with a dot.
fn stem(table: &Table, word: &str) -> Vec<Meaning> {
    let stems = ["en", "er", "es", "em", "e"].iter().filter_map(|ending| word.strip_suffix(ending));
    for stem in stems {
        if let Some(meanings) = table.get(format!("{stem}.").as_str()) {
            return meanings.clone();
        }
    }
    Vec::new()
}
