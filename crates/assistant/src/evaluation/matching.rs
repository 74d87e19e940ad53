//! Whether an answer says what it should: words, dates, numbers and lists, compared after normalising.
//!
//! An answer is a short text with quotes in it, so the right one is *contained*; against answers that say
//! everything at once, dates and numbers count only where few of them are said.

use jiff::civil::Date;
use vault::text::words;
use vault::when::{self, Lean};

use super::questions::{Question, Type};
use crate::evidence::spans;

/// An answer that states more different days than this answers no question for a date.
const MOST_DAYS: usize = 6;

/// Whether the answer is right, by the question's type.
pub fn correct(question: &Question, answer: &str) -> bool {
    let answer = without_marks(answer);
    let forms: Vec<&str> = std::iter::once(question.answer.as_str())
        .chain(question.accept.iter().map(String::as_str))
        .filter(|form| !form.is_empty())
        .collect();
    match question.kind_of_answer {
        Type::None => false,
        Type::Text | Type::Person => {
            polar(&forms, &answer).unwrap_or_else(|| forms.iter().any(|form| says(&answer, form)))
        }
        Type::Date => days(question, &answer).is_some_and(|days| {
            days.contains(&question.answer.parse::<Date>().ok())
                || forms.iter().any(|form| says(&answer, form))
        }),
        Type::Number => {
            let wanted = spans::value(&question.answer);
            Numbers::of(&answer, &question.now)
                .0
                .iter()
                .any(|value| wanted.is_some_and(|wanted| (value - wanted).abs() < 1e-6))
        }
        Type::List => {
            !question.items.is_empty()
                && question.items.iter().all(|item| item_said(question, &answer, item))
        }
    }
}

/// Every part of a list's item stands in the answer: `Stand-up 10:00` in "Stand-up, Tuesday …, 10:00–10:15".
/// A day counts in any form.
fn item_said(question: &Question, answer: &str, item: &str) -> bool {
    if says(answer, item) {
        return true;
    }
    if let Ok(day) = item.parse::<Date>() {
        return days(question, answer).is_some_and(|days| days.contains(&Some(day)));
    }
    let said: Vec<String> = words::tokens(answer).into_iter().map(|token| token.term).collect();
    words::tokens(item)
        .iter()
        .filter(|token| !words::is_common(&token.term))
        .all(|token| said.contains(&token.term))
}

/// "yes" and "no" have to open the answer: either may stand in any quote.
fn polar(forms: &[&str], answer: &str) -> Option<bool> {
    let gold = forms.first()?.to_lowercase();
    if !matches!(gold.as_str(), "yes" | "no") {
        return None;
    }
    let first = words::tokens(answer).into_iter().next().map(|token| token.term);
    Some(first.as_deref() == Some(gold.as_str()))
}

/// Whether the folded words of `form` stand in the answer one after another.
fn says(answer: &str, form: &str) -> bool {
    let (answer, form) = (words::key(answer), words::key(form));
    !form.is_empty() && format!(" {answer} ").contains(&format!(" {form} "))
}

/// Days that an answer states, or `None` when they are too many.
fn days(question: &Question, answer: &str) -> Option<Vec<Option<Date>>> {
    let zone = question.now.time_zone();
    let day = |second: i64| {
        jiff::Timestamp::from_second(second).ok().map(|at| zone.to_datetime(at).date())
    };
    let mut days: Vec<Option<Date>> = Vec::new();
    for time in when::find(answer, &question.now, Lean::Either) {
        let starts = day(time.start);
        let long = time.start != when::UNBOUNDED_PAST
            && time.end != when::UNBOUNDED_FUTURE
            && time.end - time.start > 86_400 * 2;
        if starts.is_some() && !long && !days.contains(&starts) {
            days.push(starts);
        }
    }
    (days.len() <= MOST_DAYS).then_some(days)
}

/// Numbers that an answer states, in digits or words, without those of its dates and times.
struct Numbers(Vec<f64>);

impl Numbers {
    fn of(answer: &str, now: &jiff::ZonedDateTime) -> Self {
        let times = when::find(answer, now, Lean::Either);
        let in_time = |start: usize, end: usize| {
            times.iter().any(|time| time.words.start < end && start < time.words.end)
        };
        let digits = spans::numbers(answer)
            .into_iter()
            .filter(|n| !in_time(n.bytes.start, n.bytes.end))
            .map(|n| n.value);
        let words =
            words::tokens(answer).into_iter().filter(|token| !in_time(token.start, token.end));
        let words = words.filter_map(|token| spans::number_word(&token.term));
        Self(digits.chain(words).collect())
    }
}

/// Citation marks are not part of what is said.
fn without_marks(answer: &str) -> String {
    let mut text = String::with_capacity(answer.len());
    let mut rest = answer;
    while let Some(open) = rest.find('[') {
        let (before, from) = rest.split_at(open);
        text.push_str(before);
        match from[1..].find(']') {
            Some(close) if from[1..=close].bytes().all(|b| b.is_ascii_digit()) && close > 0 => {
                rest = &from[close + 2..];
            }
            _ => {
                text.push('[');
                rest = &from[1..];
            }
        }
    }
    text.push_str(rest);
    text
}

/// Lower case, single spaces.
pub(super) fn squeezed(text: &str) -> String {
    text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::Question;

    fn question(kind_of_answer: Type, answer: &str, accept: &[&str]) -> Question {
        Question {
            id: "q".to_owned(),
            question: String::new(),
            kind: "single-hop".to_owned(),
            kind_of_answer,
            answer: answer.to_owned(),
            accept: accept.iter().map(|form| (*form).to_owned()).collect(),
            items: Vec::new(),
            evidence: Vec::new(),
            also: Vec::new(),
            cross_language: false,
            now: "2026-11-24T09:00[Europe/Berlin]".parse().expect("valid"),
        }
    }

    #[test]
    fn words_match_whatever_their_case_and_accents() {
        let gold = question(Type::Person, "Zoë Marsh", &["Zoe"]);
        assert!(correct(&gold, "It was “ZOE MARSH” who came [1]."));
        assert!(correct(&gold, "zoe said so"));
        assert!(!correct(&gold, "Zoela said so"));
    }

    #[test]
    fn dates_match_in_any_form_and_not_by_part_of_a_list() {
        let gold = question(Type::Date, "2026-05-07", &["7 May 2026", "7 May"]);
        assert!(correct(&gold, "On 7 May 2026. According to Anna: “yesterday” [1]"));
        assert!(correct(&gold, "It was 07.05.2026."));
        assert!(!correct(&gold, "On 8 May 2026."));
        let everything =
            "1 May 2026, 2 May 2026, 3 May 2026, 4 May 2026, 5 May 2026, 6 May 2026, 7 May 2026";
        assert!(!correct(&gold, everything));
    }

    #[test]
    fn numbers_match_by_value_and_not_inside_dates_or_marks() {
        let gold = question(Type::Number, "3", &[]);
        assert!(correct(&gold, "There were three of them [1]."));
        assert!(!correct(&gold, "According to the mail of 3 May 2026 [3]: nothing"));
        let rent = question(Type::Number, "1465", &[]);
        assert!(correct(&rent, "The rent is EUR 1.465,00."));
        assert!(!correct(&rent, "The rent is EUR 14,65."));
    }

    #[test]
    fn yes_and_no_have_to_open_the_answer() {
        let gold = question(Type::Text, "no", &[]);
        assert!(correct(&gold, "No: 1 event for Friday."));
        assert!(!correct(&gold, "According to the mail: “there is no milk”"));
    }
}
