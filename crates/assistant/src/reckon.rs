//! Sums and differences of numbers that one sentence states: "how many spots and wall washers together",
//! "by how much does the rent rise".

use crate::evidence::spans;
use crate::question::{Question, Wants, lexicon};
use crate::words;

/// Asked as a difference.
const RISES: &[&str] = &[
    "rise",
    "rises",
    "rose",
    "raise",
    "raised",
    "increase",
    "increases",
    "increased",
    "up",
    "more",
    "difference",
    "dearer",
    "cheaper",
    "less",
    "fall",
    "fell",
    "drop",
    "dropped",
    "reduced",
    "down",
    "steigt",
    "stieg",
    "gestiegen",
    "erhoht",
    "erhohung",
    "teurer",
    "billiger",
    "mehr",
    "weniger",
    "unterschied",
    "sinkt",
    "gesunken",
    "augmente",
    "augmentation",
    "plus",
    "moins",
    "difference",
    "baisse",
];

/// The number asked for, worked out of a sentence that states its parts, and how: `27: 1,492 − 1,465`.
pub(crate) fn worked_out(question: &Question, sentence: &str) -> Option<String> {
    let asks_number = matches!(question.wants, Wants::Number | Wants::Amount);
    if !asks_number {
        return None;
    }
    difference(question, sentence).or_else(|| sum(question, sentence))
}

/// Two amounts of one sentence, where the question asks how much lies between them.
fn difference(question: &Question, sentence: &str) -> Option<String> {
    let between = question.says(&["by", "um", "de"]) || question.says(&["more", "mehr", "plus"]);
    if !(between && question.says(RISES)) {
        return None;
    }
    let mut amounts: Vec<f64> = Vec::new();
    for number in spans::numbers(sentence).into_iter().filter(|number| number.currency) {
        if !amounts.contains(&number.value) {
            amounts.push(number.value);
        }
    }
    let [a, b] = amounts[..] else { return None };
    let (more, less) = (a.max(b), a.min(b));
    Some(format!(
        "{}: {} − {}",
        words::decimal(more - less),
        words::decimal(more),
        words::decimal(less)
    ))
}

/// The numbers of one sentence that stand before or after words of the question, where it asks for all of them.
fn sum(question: &Question, sentence: &str) -> Option<String> {
    if !question.says(lexicon::SUM) && !question.says(&["both", "beide", "beiden", "deux"]) {
        return None;
    }
    let mut stems = vault::text::words::Stems::default();
    let asked: Vec<Vec<String>> = question.topic.iter().map(|word| stems.stems_of(word)).collect();
    let words_of = vault::text::words::tokens(sentence);
    let mut parts: Vec<f64> = Vec::new();
    for number in spans::numbers(sentence) {
        let next = words_of.iter().find(|token| token.start >= number.bytes.end);
        let Some(next) = next else { continue };
        let of_next = stems.stems_of(&next.term);
        if asked.iter().any(|word| word.iter().any(|stem| of_next.contains(stem))) {
            parts.push(number.value);
        }
    }
    if parts.len() < 2 {
        return None;
    }
    let said: Vec<String> = parts.iter().map(|part| words::decimal(*part)).collect();
    Some(format!("{}: {}", words::decimal(parts.iter().sum()), said.join(" + ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::question::names::Directory;

    fn ask(text: &str, sentence: &str) -> Option<String> {
        let now = "2026-11-24T10:30[Europe/Berlin]".parse().expect("valid");
        worked_out(&Question::read(text, &Directory::default(), &now), sentence)
    }

    #[test]
    fn parts_that_the_question_names_are_added() {
        let sentence = "We have 12 tents, 30 chairs and 4 stoves.";
        assert_eq!(
            ask("How many tents and chairs together?", sentence).as_deref(),
            Some("42: 12 + 30")
        );
        assert_eq!(ask("How many tents are there?", sentence), None);
    }

    #[test]
    fn a_rise_is_the_difference_of_two_amounts() {
        let sentence = "Ab März zahlen Sie 52,50 € statt bisher 48 €.";
        assert_eq!(
            ask("By how much does the subscription rise?", sentence).as_deref(),
            Some("4.50: 52.50 − 48")
        );
        assert_eq!(ask("How much is the subscription?", sentence), None);
    }
}
