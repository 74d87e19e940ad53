//! Summaries, drafts and rewriting: the only words that a model writes, and only those its sources bear out.
//!
//! Every sentence it writes is checked: a name, a number or a date that stands in none of the passages takes the
//! sentence out. What is left is marked with the passage that shares most words with it; when nothing is left,
//! or less than half of what was written, or there is no model, the passages' own best sentences answer. Sentences
//! said twice, table rows and broken-off ends go too: SmolLM2-135M wrote one line ten times before this was so.

use corpus::chat::{Message, RenderOptions};
use infer::{Cancel, Engine, GenerateOptions, Sampling, Session};

use crate::answer::{Step, TokenCounts};
use crate::draft::Draft;
use crate::error::Error;
use crate::evidence::{Evidence, Passage, sentences, spans};
use crate::question::{Question, lexicon};
use crate::quote;

/// Passages shown to the model, and how much of each.
const PASSAGES: usize = 4;
const PASSAGE_BYTES: usize = 900;
const MAX_TOKENS: usize = 160;
/// Divides the scores of tokens that were written already.
const REPETITION_PENALTY: f32 = 1.15;
/// Words that a written sentence has at least.
const LEAST_WORDS: usize = 4;
/// Quotes given when no model writes.
const QUOTES: usize = 4;

/// What the model made, after the check.
pub(crate) struct Composed {
    pub draft: Draft,
    pub tokens: TokenCounts,
}

/// Best passages, best first, each once.
fn best(evidence: &Evidence, limit: usize) -> Vec<(&Passage, &crate::evidence::Candidate)> {
    let mut seen: Vec<usize> = Vec::new();
    let mut best = Vec::new();
    // "Summarize the mails about…" is not about events, unless there are only those.
    let of_kind = |candidate: &&crate::evidence::Candidate| candidate.features.kind > 0.0;
    let any_of_kind = evidence.candidates.iter().any(|candidate| of_kind(&candidate));
    for candidate in evidence.candidates.iter().filter(|one| !any_of_kind || of_kind(one)) {
        if !seen.contains(&candidate.passage) && best.len() < limit {
            seen.push(candidate.passage);
            best.push((&evidence.passages[candidate.passage], candidate));
        }
    }
    best
}

/// The passages' own words: no model needed.
pub(crate) fn quotes(evidence: &Evidence, question: &Question) -> Option<Draft> {
    let best = best(evidence, QUOTES);
    if best.is_empty() {
        return None;
    }
    let mut draft = Draft::new(Step::Quote);
    let mut lines = Vec::new();
    for (passage, candidate) in best {
        let range = quote::lengthened(passage, candidate, question);
        let words = quote::one_line(&passage.text[range.clone()]);
        let mark = draft.cite(&passage.item.entry, &passage.text, range, candidate.score);
        lines.push(format!("{}: “{words}” {mark}", quote::source_phrase(passage)));
    }
    draft.text = lines.join("\n");
    Some(draft)
}

/// Lets the model write, then keeps what the passages bear out.
pub(crate) fn write(
    engine: &Engine,
    evidence: &Evidence,
    question: &Question,
    cancel: &Cancel,
) -> Result<Option<Composed>, Error> {
    let passages = best(evidence, PASSAGES);
    if passages.is_empty() {
        return Ok(None);
    }
    let prompt = prompt(&passages, question);
    let messages = [Message::new("system", SYSTEM), Message::new("user", &prompt)];
    let options = RenderOptions { add_generation_prompt: true, ..RenderOptions::default() };
    let prompt = engine.encode_chat(&messages, &options)?;
    // Small models fall into loops.
    let sampling = Sampling {
        temperature: 0.0,
        repetition_penalty: REPETITION_PENALTY,
        ..Sampling::default()
    };
    let options =
        GenerateOptions { max_tokens: MAX_TOKENS, sampling, ..GenerateOptions::default() };
    let mut session = Session::new(engine);
    let written = session.generate(&prompt, &options, cancel, &mut |_| {})?;
    let tokens = TokenCounts { prompt: written.prompt_tokens, generated: written.tokens.len() };
    let mut draft = Draft::new(Step::Write);
    let mut kept: Vec<String> = Vec::new();
    let mut said: Vec<String> = Vec::new();
    let sentences = sentences::sentences(&written.text, 0..written.text.len());
    let n_written = sentences.len();
    for range in sentences {
        let sentence = &written.text[range];
        let folded = vault::text::words::key(sentence);
        if !is_prose(sentence) || said.contains(&folded) {
            continue;
        }
        said.push(folded);
        let Some(at) = supporting(sentence, &passages, question) else { continue };
        let (passage, candidate) = passages[at];
        let mark = draft.cite(
            &passage.item.entry,
            &passage.text,
            candidate.bytes.clone(),
            candidate.score,
        );
        kept.push(format!("{sentence} {mark}"));
    }
    // Where most had to go, what is left is not a text: the passages speak for themselves.
    let enough = !kept.is_empty() && kept.len() * 2 >= n_written;
    draft.text = kept.join(" ");
    Ok(enough.then_some(Composed { draft, tokens }))
}

/// A whole sentence: neither a table row nor the broken-off end.
fn is_prose(sentence: &str) -> bool {
    sentence.split_whitespace().count() >= LEAST_WORDS
        && sentence.ends_with(['.', '!', '?', '…', '"', '”', '»'])
        && !sentence.contains(" | ")
}

const SYSTEM: &str = "You help a person with their own mail, calendar and notes. Use only the passages given. Be brief.";

fn prompt(passages: &[(&Passage, &crate::evidence::Candidate)], question: &Question) -> String {
    let mut prompt = String::new();
    for (n, (passage, candidate)) in passages.iter().enumerate() {
        let text = &passage.text;
        let mut start = candidate.bytes.start.saturating_sub(PASSAGE_BYTES / 2);
        let mut end = (start + PASSAGE_BYTES).min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        while !text.is_char_boundary(end) {
            end += 1;
        }
        prompt.push_str(&format!(
            "[{}] {}\n{}\n\n",
            n + 1,
            passage.item.entry.title,
            &text[start..end]
        ));
    }
    prompt.push_str(&question.text);
    prompt
}

/// The passage that bears a sentence out: all its names and numbers stand in the passages together, and this one
/// shares most of its words.
fn supporting(
    sentence: &str,
    passages: &[(&Passage, &crate::evidence::Candidate)],
    question: &Question,
) -> Option<usize> {
    let texts: Vec<Vec<String>> = passages
        .iter()
        .map(|(passage, _)| {
            let mut words: Vec<String> =
                crate::question::words(&passage.text).into_iter().map(|word| word.term).collect();
            let people = passage.item.people.iter().map(|person| person.name.as_str());
            words.extend(people.flat_map(crate::question::words).map(|word| word.term));
            words
        })
        .collect();
    let asked = crate::question::words(&question.text);
    let stands = |term: &str| texts.iter().any(|text| text.iter().any(|word| word == term));
    let words = crate::question::words(sentence);
    for (at, word) in words.iter().enumerate() {
        let number = word.term.bytes().any(|b| b.is_ascii_digit())
            || spans::number_word(&word.term).is_some_and(|value| value > 1.0);
        let name = word.capital && at > 0 && !lexicon::is_filler(&word.term);
        let from_question = !number && asked.iter().any(|asked| asked.term == word.term);
        if (number || name) && !from_question && !stands(&word.term) {
            return None;
        }
    }
    let content: Vec<&str> = words
        .iter()
        .map(|word| word.term.as_str())
        .filter(|term| !lexicon::is_filler(term))
        .collect();
    let shared = |text: &Vec<String>| {
        content.iter().filter(|term| text.iter().any(|word| word == **term)).count()
    };
    let (at, most) = texts
        .iter()
        .map(shared)
        .enumerate()
        .max_by_key(|&(at, shared)| (shared, usize::MAX - at))?;
    // A sentence that shares less than half its words with any passage came from the model's own memory.
    (content.len() >= 2 && most * 2 >= content.len()).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::is_prose;

    #[test]
    fn table_rows_and_broken_off_ends_are_no_prose() {
        assert!(is_prose("The firm comes on Saturday."));
        assert!(!is_prose("V1 | Pilot's notebooks | Rotterdam."));
        assert!(!is_prose("The firm comes on"));
        assert!(!is_prose("Goethestr. 4."));
    }
}
