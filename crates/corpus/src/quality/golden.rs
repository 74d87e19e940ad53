//! Words, sentences, decisions and sketches against those of `datatrove` (see golden/filters/make_golden.py).

use super::words::{Lexicon, sentence_count};
use super::{c4, fineweb, gopher, repetition};
use crate::config::Quality;
use crate::duplicates::{MinHash, Sketcher};
use crate::quality::Rules;
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    text: String,
    words: Option<Vec<String>>,
    n_words: usize,
    sentences: Vec<usize>,
    alone: [Option<String>; 4],
    all: Option<String>,
    minima: Option<Vec<u64>>,
}

fn golden() -> Vec<Golden> {
    let json = include_str!("../../../../golden/filters/datatrove.json");
    serde_json::from_str(json).unwrap()
}

#[test]
fn texts_are_cut_into_the_same_words() {
    for golden in golden() {
        let mut lexicon = Lexicon::new();
        let mut numbers = Vec::new();
        lexicon.number(&golden.text, &mut numbers);
        let words: Vec<&str> = numbers.iter().map(|&number| lexicon.text(number)).collect();
        if let Some(expected) = &golden.words {
            assert_eq!(&words, expected, "{}", golden.text);
        }
        assert_eq!(words.len(), golden.n_words, "{}", golden.text);
    }
}

#[test]
fn lines_have_the_same_number_of_sentences() {
    let mut lexicon = Lexicon::new();
    for golden in golden() {
        for (line, &expected) in golden.text.split('\n').zip(&golden.sentences) {
            assert_eq!(sentence_count(&mut lexicon, line, 1000), expected, "{line:?}");
        }
    }
}

#[test]
fn every_rule_set_decides_the_same_alone_and_in_a_row() {
    let mut rules = Rules::new(&Quality::default());
    for golden in golden() {
        let text = golden.text.as_str();
        let mut lexicon = Lexicon::new();
        let mut numbers = Vec::new();
        lexicon.number(text, &mut numbers);
        let words = lexicon.words();
        let mut scratch = repetition::Scratch::default();
        let by_repetition = repetition::lines(text)
            .and_then(|()| repetition::words(text, &numbers, words, &mut scratch));
        let alone = [
            by_repetition.err(),
            gopher::judge(text, &numbers, words).err(),
            c4::judge(text, false, &mut lexicon).err(),
            fineweb::judge(text, &mut lexicon).err(),
        ];
        for (ours, theirs) in alone.iter().zip(&golden.alone) {
            // Where they divide by zero, nothing is decided.
            if theirs.as_deref() != Some("undefined") {
                assert_eq!(*ours, theirs.as_deref(), "{text}");
            }
        }
        let all = rules.judge(text).err().map(|(_, rule)| rule);
        assert_eq!(all, golden.all.as_deref(), "{text}");
    }
}

#[test]
fn sketches_have_the_same_minima() {
    let minhash = MinHash::new(14, 8, 5);
    let mut sketcher = Sketcher::new();
    for golden in golden() {
        let shingles = sketcher.shingles(&golden.text, 5);
        let minima: Option<Vec<u64>> = (!shingles.is_empty())
            .then(|| minhash.minima(shingles).into_iter().step_by(8).take(4).collect());
        assert_eq!(minima, golden.minima, "{}", golden.text);
    }
}
