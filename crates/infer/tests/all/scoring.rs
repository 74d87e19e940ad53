//! What scoring many texts at once promises, on the tiny Llama.

use crate::tiny::{CONTEXT, VOCAB, engine, prompt};
use infer::{Error, ScoredText, Session, score_texts};
use proptest::prelude::*;

fn text(context: &[u32], continuation: &[u32]) -> ScoredText {
    ScoredText { tokens: [context, continuation].concat(), n_context: context.len() }
}

/// Texts of few different tokens, so that many begin alike, one is the beginning of another, and some are equal.
fn texts() -> impl Strategy<Value = Vec<ScoredText>> {
    let one = (1..12_usize, 0..8_usize).prop_flat_map(|(n_context, n_scored)| {
        let tokens = prop::collection::vec(5..7_u32, n_context + n_scored);
        tokens.prop_map(move |tokens| ScoredText { tokens, n_context })
    });
    prop::collection::vec(one, 1..24)
}

/// Tokens that the long text shares with another.
const BEGINNING: usize = 9;

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_score_has_the_same_bits_alone_and_in_any_company(
        mut texts in texts(), long in 30..=CONTEXT + 1 - BEGINNING,
    ) {
        // A long one, up to the longest there may be, that begins as another does.
        let beginning = &texts[0].tokens[..texts[0].n_context].repeat(BEGINNING)[..BEGINNING];
        texts.push(text(beginning, &prompt(long)));
        let engine = engine();
        let (together, counts) = score_texts(&engine, &texts, &mut |_| {}).unwrap();
        for (text, score) in texts.iter().zip(&together) {
            let (alone, _) = score_texts(&engine, std::slice::from_ref(text), &mut |_| {}).unwrap();
            prop_assert_eq!(&alone[0], score);
            // The other way of scoring, which sums in f64.
            let (context, continuation) = text.tokens.split_at(text.n_context);
            let other = Session::new(&engine).score(context, &[continuation.to_vec()]).unwrap()[0];
            prop_assert!((other.logprob - score.logprob).abs() < 1e-3, "{:?} {:?}", other, score);
            prop_assert_eq!((other.tokens, other.greedy), (score.tokens, score.greedy));
        }
        let scored = texts.iter().filter(|text| text.n_context < text.tokens.len());
        let n_tokens: usize = scored.map(|text| text.tokens.len() - 1).sum();
        prop_assert_eq!(counts.text_tokens, n_tokens as u64);
        prop_assert!(counts.read_tokens <= counts.text_tokens);
    }
}

#[test]
fn what_texts_have_in_common_is_read_once() {
    let engine = engine();
    let context = prompt(100);
    let choices: Vec<ScoredText> = (0..4).map(|i| text(&context, &[40 + i, 50, 60])).collect();
    let mut heard = Vec::new();
    let (_, counts) = score_texts(&engine, &choices, &mut |done| heard.push(done)).unwrap();
    assert_eq!((counts.text_tokens, counts.read_tokens), (4 * 102, 100 + 4 * 2));
    assert_eq!(heard.last(), Some(&4));
}

#[test]
fn texts_that_cannot_be_scored_are_named() {
    let engine = engine();
    let score = |text: ScoredText| score_texts(&engine, &[text], &mut |_| {});
    let empty = ScoredText { tokens: vec![3], n_context: 0 };
    assert!(matches!(score(empty), Err(Error::EmptyPrompt)));
    assert!(matches!(score(text(&[3], &[VOCAB])), Err(Error::Model(_))));
    assert!(matches!(score(text(&[3, VOCAB], &[4])), Err(Error::Model(_))));
    assert!(matches!(score(text(&[3], &prompt(CONTEXT + 1))), Err(Error::ContextFull { .. })));
    // The last token of a text is predicted, not read: it needs no room.
    assert!(score(text(&[3], &prompt(CONTEXT))).is_ok());
}
