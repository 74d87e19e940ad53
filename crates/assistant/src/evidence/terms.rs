//! The question's topic as stems with weights: rare words count more than common ones.

use std::collections::HashMap;

use vault::search::Query;
use vault::store::Vault;
use vault::text::words::{self, Stems};

use crate::question::{alike, lexicon};

/// What another word for a topic word counts.
const OTHER_WORD: f32 = 0.8;

/// Topic words of one question.
pub struct Terms {
    /// The folded words, in the question's order.
    pub words: Vec<String>,
    /// Inverse document frequency of each word.
    pub weights: Vec<f32>,
    /// What a word that occurs nowhere weighs.
    most: f32,
    /// Other words for each of them.
    pub alike: Vec<(String, Vec<String>)>,
    /// Word index by each of its stems.
    by_stem: HashMap<String, usize>,
    /// Word index by the stems of other words for it.
    by_other: HashMap<String, usize>,
    stems: Stems,
}

/// Inverse document frequency of a word that `matching` of `total` passages have.
fn rarity(total: f32, matching: f32) -> f32 {
    (1.0 + (total - matching + 0.5).max(0.5) / (matching + 0.5)).ln()
}

impl Terms {
    /// Looks up how rare each word is. A word that occurs nowhere gets the highest weight: it is the premise
    /// that fails.
    pub fn new(vault: &Vault, words: &[String]) -> Result<Self, vault::error::Error> {
        let total = vault.count(&vault::lookup::items::Filter::default())? as f32 * 2.0 + 10.0;
        let mut stems = Stems::default();
        let mut terms = Self {
            words: Vec::new(),
            weights: Vec::new(),
            most: rarity(total, 0.0),
            alike: Vec::new(),
            by_stem: HashMap::new(),
            by_other: HashMap::new(),
            stems: Stems::default(),
        };
        for word in words {
            let mut of_word = stems.stems_of(word);
            // Too short for the stemmer: "ups", "pms".
            if let Some(singular) =
                word.strip_suffix('s').filter(|singular| (2..4).contains(&singular.len()))
            {
                of_word.push(singular.to_owned());
            }
            if of_word.iter().any(|stem| terms.by_stem.contains_key(stem)) {
                continue;
            }
            let others = alike::of(word, &mut stems);
            let as_one = vec![(word.clone(), others.clone())];
            let query = Query { text: word.clone(), alike: as_one, limit: 1, ..Query::default() };
            let matching = vault.search(&query, None)?.n_matching as f32;
            for stem in of_word {
                terms.by_stem.insert(stem, terms.words.len());
            }
            for stem in others.iter().flat_map(|other| stems.stems_of(other)).collect::<Vec<_>>() {
                terms.by_other.entry(stem).or_insert(terms.words.len());
            }
            terms.alike.push((word.clone(), others));
            terms.words.push(word.clone());
            terms.weights.push(rarity(total, matching));
        }
        Ok(terms)
    }

    /// How much of each topic word the text has: 1 for the word or its stem, [`OTHER_WORD`] for another word of the
    /// same meaning, 0.6 for a compound with it.
    pub fn found_in(&mut self, text: &str) -> Vec<f32> {
        let mut found = vec![0f32; self.words.len()];
        if self.words.is_empty() {
            return found;
        }
        let Self { words: topic, by_stem, by_other, stems, .. } = self;
        words::each_token(text, |term, _, _| {
            for language in words::LANGUAGES {
                if let Some(&at) = by_stem.get(stems.stem(term, language)) {
                    found[at] = 1.0;
                    return;
                }
            }
            for language in words::LANGUAGES {
                if let Some(&at) = by_other.get(stems.stem(term, language))
                    && found[at] < OTHER_WORD
                {
                    found[at] = OTHER_WORD;
                }
            }
            for (at, word) in topic.iter().enumerate() {
                // Compounds: `removal` in `removalmen`, `kitchen` in `kitchens2`, `Kaution` in `Kautionskonto`.
                let compound = (word.len() >= 5 && term.contains(word.as_str()))
                    || (term.len() >= 5 && word.contains(term));
                if compound && found[at] < 0.6 {
                    found[at] = 0.6;
                }
            }
        });
        found
    }

    /// The weighted share of the topic that these findings cover; 1 when there is no topic.
    pub fn share(&self, found: &[f32]) -> f32 {
        let total: f32 = self.weights.iter().sum();
        if total <= 0.0 {
            return 1.0;
        }
        self.weights.iter().zip(found).map(|(weight, found)| weight * found).sum::<f32>() / total
    }

    /// The weight of the most telling topic word that is not found, as a share of the most a word can weigh.
    pub fn most_telling_absent(&self, found: &[f32]) -> f32 {
        let absent = self.weights.iter().zip(found).filter(|(_, found)| **found == 0.0);
        absent.map(|(weight, _)| weight / self.most).fold(0.0, f32::max)
    }

    /// Share of a sentence's telling words that are no topic words.
    pub fn news(&mut self, sentence: &str) -> f32 {
        let Self { by_stem, by_other, stems, .. } = self;
        let (mut telling, mut new) = (0usize, 0usize);
        words::each_token(sentence, |term, _, _| {
            if words::is_common(term) || lexicon::is_filler(term) {
                return;
            }
            telling += 1;
            let known = words::LANGUAGES.iter().any(|&language| {
                let stem = stems.stem(term, language);
                by_stem.contains_key(stem) || by_other.contains_key(stem)
            });
            new += usize::from(!known);
        });
        if telling == 0 { 0.0 } else { new as f32 / telling as f32 }
    }
}
