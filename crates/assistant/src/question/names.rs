//! Who a question names: words matched against the people the vault knows, without regard to case and accents.

use std::collections::HashMap;
use std::ops::Range;

use super::{Part, Word, alike, lexicon};

/// One known person: every name and address the vault has for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The vault's id of the person.
    pub id: i64,
    /// The name to show.
    pub name: String,
    pub names: Vec<String>,
    pub addresses: Vec<String>,
    /// How many items they take part in.
    pub weight: usize,
    /// Has a contact card.
    pub has_card: bool,
}

impl Known {
    /// Whether an item's person is this one: by address, or by name where it has none.
    pub fn is(&self, name: &str, address: Option<&str>) -> bool {
        match address {
            Some(address) => self.addresses.iter().any(|known| known == address),
            None => self
                .names
                .iter()
                .any(|known| vault::text::words::key(known) == vault::text::words::key(name)),
        }
    }

    /// Whether a program or an office writes under this name, by its addresses: "Mail Delivery System".
    fn is_office(&self) -> bool {
        let local = |address: &str| address.split('@').next().unwrap_or_default().to_lowercase();
        !self.has_card
            && !self.addresses.is_empty()
            && self.addresses.iter().all(|address| {
                local(address)
                    .split(['.', '-', '_', '+'])
                    .any(|part| OFFICES.contains(&part) || part.ends_with("reply"))
            })
    }
}

/// Parts of addresses that no person has.
const OFFICES: &[&str] = &[
    "mailer",
    "daemon",
    "postmaster",
    "bounce",
    "bounces",
    "notification",
    "notifications",
    "notify",
    "alert",
    "alerts",
    "update",
    "updates",
    "order",
    "orders",
    "billing",
    "invoice",
    "invoices",
    "account",
    "accounts",
    "service",
    "services",
    "support",
    "help",
    "info",
    "contact",
    "kontakt",
    "hello",
    "hallo",
    "news",
    "newsletter",
    "team",
    "office",
    "admin",
    "sales",
    "shop",
    "bestellung",
    "rechnung",
    "commande",
    "facture",
];

/// A person or several that a stretch of the question may mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    pub bytes: Range<usize>,
    /// As written.
    pub written: String,
    /// The name to show: the person's, or what was written when several match.
    pub name: String,
    /// Ids of all that match, the most frequent first.
    pub ids: Vec<i64>,
    pub part: Part,
}

/// The vault's people by the words of their names.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    people: Vec<Known>,
    by_word: HashMap<String, Vec<usize>>,
    by_id: HashMap<i64, usize>,
}

/// Words of names that name nobody alone.
const TITLES: &[&str] = &[
    "dr",
    "prof",
    "mr",
    "mrs",
    "ms",
    "herr",
    "frau",
    "monsieur",
    "madame",
    "mme",
    "m",
    "von",
    "van",
    "de",
    "der",
    "den",
    "la",
    "le",
    "the",
    "and",
    "und",
    "et",
    "team",
    "info",
    "gmbh",
    "ag",
    "ltd",
    "inc",
    "co",
    "kg",
    "ev",
    "service",
    "noreply",
    "no",
    "reply",
    "office",
    "praxis",
    "newsletter",
    "support",
    "via",
    "hotel",
    "cafe",
    "bank",
    "st",
    "news",
    "list",
    "liste",
];

impl Directory {
    pub fn new(people: Vec<Known>) -> Self {
        let mut by_word: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, person) in people.iter().enumerate() {
            for name in &person.names {
                for token in vault::text::words::tokens(name) {
                    let places = by_word.entry(token.term).or_default();
                    if places.last() != Some(&at) {
                        places.push(at);
                    }
                }
            }
        }
        let by_id = people.iter().enumerate().map(|(at, person)| (person.id, at)).collect();
        Self { people, by_word, by_id }
    }

    pub fn get(&self, id: i64) -> Option<&Known> {
        self.by_id.get(&id).map(|&at| &self.people[at])
    }

    pub fn people(&self) -> &[Known] {
        &self.people
    }

    /// Whether a folded word is part of somebody's name.
    pub fn is_name(&self, term: &str) -> bool {
        self.by_word.contains_key(term) && !TITLES.contains(&term)
    }

    /// The people that a written name may mean, the most frequent first: all of its words are in their name.
    pub fn named(&self, name: &str) -> Vec<&Known> {
        let terms: Vec<String> =
            vault::text::words::tokens(name).into_iter().map(|token| token.term).collect();
        self.matching(&terms).into_iter().map(|at| &self.people[at]).collect()
    }

    /// People in the question, left to right. `words` are the question's words outside its time expressions.
    pub fn mentions(&self, text: &str, words: &[Word]) -> Vec<Mention> {
        let cased = words.iter().skip(1).any(|word| word.capital);
        let mut mentions: Vec<Mention> = Vec::new();
        let mut at = 0;
        while at < words.len() {
            let longest = (1..=4.min(words.len() - at)).rev().find_map(|length| {
                let stretch = &words[at..at + length];
                // "NL-HR-447120" names no department.
                let hyphen = |at: Option<char>| at == Some('-');
                let outside = (
                    text[..stretch[0].bytes.start].chars().next_back(),
                    text[stretch[length - 1].bytes.end..].chars().next(),
                );
                if hyphen(outside.0) || hyphen(outside.1) {
                    return None;
                }
                let ids = self
                    .matching_stretch(stretch, cased, at == 0)
                    .or_else(|| self.kin(words, at, length))?;
                Some((length, ids))
            });
            let Some((length, matching)) = longest else {
                at += 1;
                continue;
            };
            let bytes = words[at].bytes.start..words[at + length - 1].bytes.end;
            let part = part_of(words, at, length);
            let name = match matching.as_slice() {
                [one] => self.people[*one].name.clone(),
                _ => text[bytes.clone()].to_owned(),
            };
            let ids = matching.iter().map(|&at| self.people[at].id).collect();
            mentions.push(Mention {
                written: text[bytes.clone()].to_owned(),
                bytes,
                name,
                ids,
                part,
            });
            at += length;
        }
        mentions
    }

    fn matching_stretch(
        &self,
        stretch: &[Word],
        cased: bool,
        at_start: bool,
    ) -> Option<Vec<usize>> {
        let telling =
            |word: &Word| !TITLES.contains(&word.term.as_str()) && word.term.chars().count() > 1;
        let first = stretch.first()?;
        // Titles belong to a name only before it: "Dr. Kaya", never "Kaya the".
        if !telling(stretch.last()?) {
            return None;
        }
        let names: Vec<&Word> = stretch.iter().filter(|word| telling(word)).collect();
        let plausible = |word: &&Word| {
            let common = lexicon::is_filler(&word.term)
                || is_ordinary(&word.term)
                || lexicon::KIND_NOUNS.iter().any(|(noun, _)| *noun == word.term);
            if cased || at_start {
                word.capital && !(at_start && common)
            } else {
                !common && !word.term.bytes().all(|b| b.is_ascii_digit())
            }
        };
        if !names.iter().all(plausible) || (stretch.len() > 1 && !first.capital && cased) {
            return None;
        }
        let terms: Vec<String> = names.iter().map(|word| word.term.clone()).collect();
        let mut matching = self.matching(&terms);
        if !first.capital {
            // Names of offices are made of everyday words: "delivery" alone, written small, names none; nor does a
            // word in the middle of a name, the "desk" of the Prize Desk International.
            matching.retain(|&at| {
                let is_inside = || self.people[at].names.iter().all(|name| is_inside(name, &terms));
                self.is_whole_name(at, &terms) || !(self.people[at].is_office() || is_inside())
            });
        }
        (!matching.is_empty()).then_some(matching)
    }

    /// Whether that many words are all of one of the person's names.
    fn is_whole_name(&self, at: usize, terms: &[String]) -> bool {
        let n_words = |name: &String| vault::text::words::tokens(name).len();
        self.people[at].names.iter().any(|name| n_words(name) == terms.len())
    }

    /// "My mother" is whoever is called by just that or by another word for it: "Mum".
    fn kin(&self, words: &[Word], at: usize, length: usize) -> Option<Vec<usize>> {
        let owned = words
            .get(at.checked_sub(1)?)
            .is_some_and(|before| lexicon::MY.contains(&before.term.as_str()));
        if !owned || length != 1 {
            return None;
        }
        let mut stems = vault::text::words::Stems::default();
        let mut called = alike::of(&words[at].term, &mut stems);
        called.push(words[at].term.clone());
        let mut matching: Vec<usize> = Vec::new();
        for term in &called {
            let places = self.by_word.get(term).map(Vec::as_slice).unwrap_or_default();
            matching.extend(places.iter().filter(|&&at| {
                self.people[at].names.iter().any(|name| vault::text::words::key(name) == *term)
            }));
        }
        (!matching.is_empty()).then_some(matching)
    }

    /// People whose one name holds all terms; whole names first, then by weight.
    fn matching(&self, terms: &[String]) -> Vec<usize> {
        let Some(first) = terms.first() else { return Vec::new() };
        let holds = |&&at: &&usize| {
            self.people[at].names.iter().any(|name| {
                let of_name = vault::text::words::tokens(name);
                terms.iter().all(|term| of_name.iter().any(|token| token.term == *term))
            })
        };
        let places = self.by_word.get(first.as_str()).map(Vec::as_slice).unwrap_or_default();
        let mut matching: Vec<usize> = places.iter().filter(holds).copied().collect();
        matching.sort_by_key(|&at| {
            (!self.is_whole_name(at, terms), usize::MAX - self.people[at].weight)
        });
        matching
    }
}

/// Whether the terms neither begin nor end a name.
fn is_inside(name: &str, terms: &[String]) -> bool {
    let of_name = vault::text::words::tokens(name);
    let edge = |token: Option<&vault::text::words::Token>| {
        token.is_some_and(|token| terms.contains(&token.term))
    };
    !edge(of_name.first()) && !edge(of_name.last())
}

/// Words that are names too, and mostly not.
fn is_ordinary(term: &str) -> bool {
    matches!(
        term,
        "will"
            | "may"
            | "mark"
            | "rose"
            | "grace"
            | "hope"
            | "art"
            | "bill"
            | "rich"
            | "june"
            | "april"
            | "sun"
            | "book"
            | "club"
    )
}

/// Whether the person wrote, is written to, or is with the owner, by the words around the name.
fn part_of(words: &[Word], at: usize, length: usize) -> Part {
    let term = |idx: Option<usize>| {
        idx.and_then(|idx| words.get(idx)).map_or("", |word| word.term.as_str())
    };
    let before = term(at.checked_sub(1));
    let possessive = term(Some(at + length)) == "s";
    let after = (at + length..(at + length + 3).min(words.len())).map(|idx| term(Some(idx)));
    let told = |term: &str| lexicon::TELLING.contains(&term);
    match before {
        "from" | "by" | "von" | "vom" => Part::From,
        "to" | "an" => Part::To,
        "with" | "mit" | "avec" => Part::With,
        _ if possessive => Part::Any,
        "did" | "does" | "has" | "hat" | "a" | "had" if after.clone().any(told) => Part::From,
        _ if after.take(2).any(told) => Part::From,
        // German puts the verb last: "Was hat mir Anna zum Umzug geschrieben?"
        _ if words.last().is_some_and(|word| told(&word.term))
            && matches!(before, "hat" | "mir" | "uns") =>
        {
            Part::From
        }
        _ => Part::Any,
    }
}

/// Names nobody in the vault bears: capitalised words in the middle of a sentence, and quoted strings.
pub(super) fn unknown(text: &str, words: &[&Word]) -> Vec<String> {
    let german = vault::text::words::guess_language(text) == vault::text::words::Language::German;
    let mut names: Vec<String> = Vec::new();
    for word in words {
        let first_of_text = text[..word.bytes.start].trim().is_empty();
        // German nouns are capitalised; they tell nothing.
        if word.capital
            && !first_of_text
            && !german
            && !lexicon::is_filler(&word.term)
            && word.term.len() > 1
        {
            names.push(text[word.bytes.clone()].to_owned());
        }
    }
    names
}
