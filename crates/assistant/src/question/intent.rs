//! The rules that read what a question asks for. Words of time expressions and names are taken out before.
//!
//! Rules are tried in order, the specific before the general: "what is the phone number of…" is a contact
//! detail before it is a "what", "how many days until…" a stretch of time before it is a count.

use vault::item::Kind;

use super::lexicon as lex;
use super::{Field, Intent, Wants, Word};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) intent: Intent,
    pub(super) wants: Wants,
    pub(super) kinds: Vec<Kind>,
    pub(super) countable: bool,
    /// Where words stand (first byte) that the rules used up: they are no topic.
    pub(super) used: Vec<usize>,
}

struct Rules<'a> {
    words: &'a [Word],
    used: Vec<usize>,
}

impl Rules<'_> {
    fn term(&self, at: usize) -> &str {
        self.words.get(at).map_or("", |word| word.term.as_str())
    }

    /// Position of the first word that is one of these.
    fn any(&mut self, terms: &[&str]) -> Option<usize> {
        let at = self.words.iter().position(|word| terms.contains(&word.term.as_str()))?;
        self.used.push(self.words[at].bytes.start);
        Some(at)
    }

    fn has(&self, terms: &[&str]) -> bool {
        self.words.iter().any(|word| terms.contains(&word.term.as_str()))
    }

    /// Position of the first place where these words follow each other.
    fn phrase(&mut self, phrase: &str) -> Option<usize> {
        let terms: Vec<&str> = phrase.split(' ').collect();
        let at = (0..self.words.len())
            .find(|&at| terms.iter().enumerate().all(|(n, term)| self.term(at + n) == *term))?;
        self.used.extend(self.words[at..at + terms.len()].iter().map(|word| word.bytes.start));
        Some(at)
    }

    fn phrases(&mut self, phrases: &[&str]) -> Option<usize> {
        phrases.iter().find_map(|phrase| self.phrase(phrase))
    }

    fn starts(&self, terms: &[&str]) -> bool {
        terms.contains(&self.term(0))
    }
}

pub(super) fn read(words: &[Word], names_person: bool) -> Read {
    let mut rules = Rules { words, used: Vec::new() };
    let mut kinds = kinds(&mut rules);
    let (intent, wants) = contact(&mut rules, names_person)
        .or_else(|| composing(&mut rules))
        .or_else(|| free(&mut rules))
        .or_else(|| quantities(&mut rules))
        .or_else(|| ordered(&mut rules, &kinds))
        .or_else(|| question_word(&mut rules, &kinds))
        .unwrap_or((Intent::Open, Wants::Text));
    let occasions = intent == Intent::Count && rules.any(lex::OCCASIONS).is_some();
    if occasions && kinds.is_empty() {
        kinds.push(Kind::Event);
    }
    if matches!(intent, Intent::Contact(_)) {
        // "mail address" names a field, not a kind of item.
        kinds.clear();
    }
    let counts_items =
        matches!(intent, Intent::Count) && (occasions || counted_noun_is_a_kind(words));
    let lists_items = matches!(
        intent,
        Intent::List | Intent::Find | Intent::Latest | Intent::First | Intent::Next
    ) && !kinds.is_empty();
    Read { intent, wants, kinds, countable: counts_items || lists_items, used: rules.used }
}

/// Kinds named by a noun. "rendez-vous" is two words.
fn kinds(rules: &mut Rules<'_>) -> Vec<Kind> {
    let mut kinds = Vec::new();
    for word in rules.words {
        if let Some(&(_, kind)) = lex::KIND_NOUNS.iter().find(|(noun, _)| *noun == word.term) {
            rules.used.push(word.bytes.start);
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
    }
    rules.phrase("rendez vous");
    kinds
}

/// "How many mails": the noun right after the counting words is an item's.
fn counted_noun_is_a_kind(words: &[Word]) -> bool {
    let counting = ["many", "viele", "combien"];
    let Some(at) = words.iter().position(|word| counting.contains(&word.term.as_str())) else {
        return false;
    };
    let next = words[at + 1..].iter().take(3);
    next.take_while(|word| !matches!(word.term.as_str(), "did" | "do" | "habe" | "hat" | "ai"))
        .any(|word| lex::KIND_NOUNS.iter().any(|(noun, _)| *noun == word.term))
}

fn contact(rules: &mut Rules<'_>, names_person: bool) -> Option<(Intent, Wants)> {
    if rules
        .phrases(&[
            "e mail address",
            "email address",
            "mail address",
            "mailadresse",
            "emailadresse",
            "adresse mail",
            "adresse e mail",
            "e mail adresse",
            "mail adresse",
        ])
        .is_some()
    {
        return Some((Intent::Contact(Field::Mail), Wants::Mail));
    }
    if let Some(found) = phone(rules, names_person) {
        return Some(found);
    }
    // "Whose birthday is next?" is for the calendar.
    let next_of_all = !names_person
        && rules.has(&["next", "nachste", "nachsten", "nachster", "prochain", "prochaine"]);
    if !next_of_all
        && rules.any(lex::BIRTHDAY).is_some()
        && !rules.has(&[
            "present", "gift", "party", "geschenk", "cadeau", "fete", "feier", "cake", "invite",
            "invited",
        ])
    {
        let old = rules.has(&["old", "alt", "age"]);
        return Some(if old {
            (Intent::Age, Wants::Number)
        } else {
            (Intent::Contact(Field::Birthday), Wants::Date)
        });
    }
    if rules.phrases(&["how old", "wie alt", "quel age"]).is_some() {
        return Some((Intent::Age, Wants::Number));
    }
    if rules.any(lex::ADDRESS).is_some() {
        return Some((Intent::Contact(Field::Address), Wants::Address));
    }
    let lives = rules.has(&["live", "lives", "wohnt", "habite", "habitent", "wohnen"]);
    if lives
        && rules
            .phrases(&["which street", "what street", "welcher strasse", "quelle rue"])
            .is_some()
    {
        return Some((Intent::Contact(Field::Address), Wants::Address));
    }
    if lives && names_person && rules.any(&["where", "wo", "ou"]).is_some() {
        return Some((Intent::Contact(Field::Address), Wants::Address));
    }
    if names_person && rules.any(lex::WEBSITE).is_some() {
        return Some((Intent::Contact(Field::Website), Wants::Text));
    }
    None
}

fn phone(rules: &mut Rules<'_>, names_person: bool) -> Option<(Intent, Wants)> {
    // "Who was holding Elise's mobile?" asks for no number.
    let asks_value = !rules.starts(&[
        "who", "when", "where", "why", "did", "does", "how", "wer", "wann", "wo", "warum", "qui",
        "quand", "dans", "pourquoi",
    ]);
    let number = ["number", "nummer", "numero", "telefonnummer", "handynummer", "rufnummer"];
    let reach = rules.has(&["call", "ring", "reach", "anrufen", "erreiche", "appeler", "joindre"]);
    let someone = [
        "who",
        "whoever",
        "organiser",
        "organizer",
        "teacher",
        "doctor",
        "woman",
        "man",
        "person",
        "lehrerin",
        "lehrer",
        "veranstalter",
    ];
    // "The number of crates" is no telephone's.
    let counted = rules.words.windows(3).any(|words| {
        number.contains(&words[0].term.as_str())
            && matches!(words[1].term.as_str(), "of" | "de" | "der")
            && !words[2].capital
            && !someone.contains(&words[2].term.as_str())
            && !matches!(words[2].term.as_str(), "the" | "my" | "our" | "a")
    });
    let somebody = (names_person && !counted) || reach || rules.has(&someone);
    if asks_value
        && (rules.has(lex::PHONE) || (rules.has(&number) && somebody))
        && !rules.has(&["many", "viele"])
    {
        rules.any(lex::PHONE);
        rules.any(&number);
        return Some((Intent::Contact(Field::Phone), Wants::Phone));
    }
    let follow_up = rules.words.len() <= 4 && rules.starts(&["and", "und", "et"]);
    if follow_up && rules.any(lex::PHONE).is_some() {
        return Some((Intent::Contact(Field::Phone), Wants::Phone));
    }
    None
}

fn composing(rules: &mut Rules<'_>) -> Option<(Intent, Wants)> {
    let first = [
        "summarize",
        "summarise",
        "summary",
        "draft",
        "rewrite",
        "rephrase",
        "compose",
        "fasse",
        "entwirf",
        "formuliere",
        "resume",
        "resumer",
        "redige",
        "translate",
        "ubersetze",
    ];
    if rules.starts(&first)
        || rules
            .phrases(&[
                "give me a summary",
                "a summary of",
                "write a",
                "write me",
                "schreib mir",
                "schreibe eine",
                "schreibe einen",
                "ecris moi",
                "sum up",
                "fass zusammen",
            ])
            .is_some()
    {
        rules.any(&first);
        return Some((Intent::Compose, Wants::Text));
    }
    None
}

fn free(rules: &mut Rules<'_>) -> Option<(Intent, Wants)> {
    let asked = rules.phrases(&[
        "am i free",
        "i free",
        "am i busy",
        "i busy",
        "am i available",
        "do i have time",
        "have time",
        "bin ich frei",
        "ich frei",
        "habe ich zeit",
        "bin ich verfugbar",
        "suis je libre",
        "je suis libre",
        "suis je disponible",
        "ai je le temps",
        "ai je du temps",
        "have anything planned",
        "have anything on",
        "have any plans",
        "etwas vor",
        "quelque chose de prevu",
    ]);
    let free = ["free", "busy", "available", "frei", "verfugbar", "libre", "disponible", "occupe"];
    let own = rules.has(&["i", "ich", "je"])
        && rules.starts(&["am", "will", "was", "bin", "suis", "je", "est", "and"]);
    (asked.is_some() || (own && rules.any(&free).is_some())).then_some((Intent::Free, Wants::Text))
}

fn quantities(rules: &mut Rules<'_>) -> Option<(Intent, Wants)> {
    let stretch = [
        "day", "days", "week", "weeks", "month", "months", "hour", "hours", "minutes", "year",
        "years", "tage", "wochen", "monate", "stunden", "minuten", "jahre", "jours", "semaines",
        "mois", "heures", "ans", "temps", "nights", "nachte", "nuits",
    ];
    if rules.phrases(&["how long", "wie lange", "combien de temps"]).is_some() {
        return Some((Intent::Duration, Wants::Duration));
    }
    if let Some(at) =
        rules.phrases(&["how many", "wie viele", "wieviele", "combien de", "combien d"])
    {
        let after = at + if rules.term(at) == "wieviele" { 1 } else { 2 };
        if stretch.contains(&rules.term(after)) {
            return Some((Intent::Duration, Wants::Duration));
        }
        if matches!(rules.term(after), "euros" | "euro" | "money") {
            return Some((Intent::Amount, Wants::Amount));
        }
        return Some((Intent::Count, Wants::Number));
    }
    if rules.phrases(&["how often", "wie oft"]).is_some() {
        return Some((Intent::Count, Wants::Number));
    }
    if rules
        .phrases(&[
            "what time",
            "at what time",
            "um wie viel uhr",
            "um wieviel uhr",
            "wie viel uhr",
            "a quelle heure",
            "quelle heure",
        ])
        .is_some()
    {
        return Some((Intent::When, Wants::Time));
    }
    if rules
        .phrases(&[
            "how much",
            "wie viel",
            "wieviel",
            "wie hoch",
            "how high",
            "how expensive",
            "wie teuer",
        ])
        .is_some()
        || rules.phrase("combien").is_some()
    {
        return Some((Intent::Amount, Wants::Amount));
    }
    measure(rules).or_else(|| stated_amount(rules))
}

/// "How heavy", "what pressure", "quelle taille": a number with its unit.
fn measure(rules: &mut Rules<'_>) -> Option<(Intent, Wants)> {
    const HOW: &[&str] = &["how", "wie"];
    const WHICH: &[&str] =
        &["what", "which", "was", "welche", "welcher", "welches", "welchen", "quel", "quelle"];
    let stands = |first: &[&str], second: &[&str]| {
        (0..rules.words.len())
            .find(|&at| first.contains(&rules.term(at)) && second.contains(&rules.term(at + 1)))
    };
    let at = stands(HOW, lex::DEGREES).or_else(|| stands(WHICH, lex::QUANTITIES))?;
    rules.used.push(rules.words[at].bytes.start);
    Some((Intent::Measure, Wants::Number))
}

/// "What does the flat cost?": no counting word, and an amount is asked for.
fn stated_amount(rules: &mut Rules<'_>) -> Option<(Intent, Wants)> {
    if rules
        .starts(&["what", "which", "was", "welche", "welcher", "welchen", "quel", "quelle", "wie"])
        && rules.has(lex::COST)
        && !rules.has(&["how", "who", "when"])
    {
        let thing = rules.has(&["for", "buy", "on", "fur"])
            && !rules.has(&[
                "rent",
                "deposit",
                "price",
                "cost",
                "costs",
                "amount",
                "miete",
                "kaution",
                "preis",
                "loyer",
                "prix",
                "montant",
                "budget",
                "salary",
                "fee",
                "total",
                "bill",
                "instalment",
                "installment",
            ]);
        return (!thing).then_some((Intent::Amount, Wants::Amount));
    }
    None
}

fn ordered(rules: &mut Rules<'_>, kinds: &[Kind]) -> Option<(Intent, Wants)> {
    let wants = ordered_wants(rules);
    let latest = [
        "latest", "last", "newest", "letzte", "letzten", "letzter", "letztes", "neueste",
        "neuesten", "dernier", "derniere", "derniers",
    ];
    let first = [
        "first", "earliest", "oldest", "erste", "ersten", "erster", "erstes", "alteste", "premier",
        "premiere",
    ];
    let next = [
        "next",
        "upcoming",
        "nachste",
        "nachsten",
        "nachster",
        "nachstes",
        "prochain",
        "prochaine",
        "prochains",
    ];
    if rules.phrase("most recent").is_some() || rules.any(&latest).is_some() {
        return Some((Intent::Latest, wants));
    }
    if rules.any(&next).is_some() {
        return Some((Intent::Next, wants));
    }
    if (!kinds.is_empty() || wants == Wants::Date) && rules.any(&first).is_some() {
        return Some((Intent::First, wants));
    }
    None
}

/// What is asked about the latest, first or next one.
fn ordered_wants(rules: &Rules<'_>) -> Wants {
    if rules.has(&["when", "wann", "quand"]) {
        Wants::Date
    } else if rules.has(&["where", "wo"]) || rules.starts(&["ou"]) {
        Wants::Place
    } else if rules.has(&["who", "whom", "wer", "wen", "wem", "qui"]) {
        Wants::Person
    } else if rules.has(lex::COST) {
        Wants::Amount
    } else {
        Wants::Text
    }
}

fn question_word(rules: &mut Rules<'_>, kinds: &[Kind]) -> Option<(Intent, Wants)> {
    if rules.any(&["when", "wann", "quand"]).is_some()
        || rules
            .phrases(&[
                "what day",
                "which day",
                "what days",
                "which days",
                "what dates",
                "which dates",
                "welchen tagen",
                "quels jours",
                "what date",
                "which date",
                "what is the date",
                "which weekday",
                "what weekday",
                "which evening",
                "which morning",
                "which afternoon",
                "welchem abend",
                "welchen abend",
                "welchem wochentag",
                "quel soir",
                "which month",
                "welchem tag",
                "welches datum",
                "welchem datum",
                "quel jour",
                "quelle date",
                "since when",
                "in which year",
                "what year",
                "which year",
            ])
            .is_some()
    {
        return Some((Intent::When, Wants::Date));
    }
    if rules.any(&["why", "warum", "wieso", "weshalb", "pourquoi"]).is_some()
        || rules.phrases(&["what reason", "for what reason"]).is_some()
    {
        return Some((Intent::Why, Wants::Reason));
    }
    if rules.any(&["who", "whom", "whose", "wer", "wem", "wen", "wessen"]).is_some()
        || rules.starts(&["qui"])
        || rules
            .phrases(&[
                "qui est",
                "de qui",
                "a qui",
                "avec qui",
                "which person",
                "what is the name of",
                "wie heisst",
                "comment s appelle",
            ])
            .is_some()
    {
        return Some((Intent::Who, Wants::Person));
    }
    if rules.any(&["where", "wo", "wohin", "woher"]).is_some()
        || rules.starts(&["ou", "d"]) && rules.has(&["ou"])
    {
        return Some((Intent::Where, Wants::Place));
    }
    if rules
        .phrases(&[
            "which city",
            "what city",
            "which restaurant",
            "which hotel",
            "which hospital",
            "what place",
            "which place",
            "which street",
            "welchem ort",
            "welcher stadt",
            "quelle ville",
            "quel endroit",
        ])
        .is_some()
    {
        return Some((Intent::Where, Wants::Place));
    }
    asked_without(rules, kinds)
}

/// Requests, agendas and yes-no questions: no question word, or one that says little.
fn asked_without(rules: &mut Rules<'_>, kinds: &[Kind]) -> Option<(Intent, Wants)> {
    if rules.starts(&["find", "search", "suche", "such", "finde", "cherche", "trouve"]) {
        return Some((Intent::Find, Wants::Text));
    }
    if rules.starts(&["list", "show", "zeig", "zeige", "montre", "liste", "nenne", "enumerate"]) {
        return Some((Intent::List, Wants::Text));
    }
    if rules
        .phrases(&[
            "what do i have",
            "what have i got",
            "what s on",
            "what is on",
            "what s planned",
            "what is planned",
            "what is in my calendar",
            "what is happening",
            "was habe ich",
            "was steht",
            "was ist geplant",
            "qu ai je",
            "qu est ce que j ai",
            "what are my",
        ])
        .is_some()
    {
        return Some((Intent::List, Wants::Text));
    }
    let which = ["which", "what", "welche", "welchen", "quels", "quelles", "quel", "quelle"];
    if rules.starts(&which)
        && !kinds.is_empty()
        && lex::KIND_NOUNS.iter().any(|(noun, _)| *noun == rules.term(1))
    {
        return Some((Intent::List, Wants::Text));
    }
    let polar = [
        "did", "do", "does", "is", "are", "was", "were", "has", "have", "will", "can", "am",
        "should", "hat", "ist", "war", "habe", "hast", "bin", "sind", "kommt", "wird", "gibt",
        "muss", "est", "ai", "as", "a",
    ];
    if rules.starts(&polar) {
        return Some((Intent::YesNo, Wants::Text));
    }
    None
}
