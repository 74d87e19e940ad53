//! Promises of the vector stage, with an embedder that knows a few synonyms. All people are invented.

mod life;

use std::sync::atomic::{AtomicBool, Ordering};

use life::Life;
use vault::embed::{Embed, EmbedError};
use vault::error::Error;
use vault::search::{Found, Query};

/// One dimension per topic; a text points where its words do.
struct Topics {
    revision: &'static str,
}

const TOPICS: [&[&str]; 4] =
    [&["ferry", "boat", "ship"], &["map", "atlas"], &["cream", "lotion"], &["lisbon"]];

impl Topics {
    fn vector(text: &str) -> Vec<f32> {
        let text = text.to_lowercase();
        let mut vector = vec![0.01; 64];
        for (idx, words) in TOPICS.iter().enumerate() {
            vector[idx] += words.iter().filter(|word| text.contains(**word)).count() as f32;
        }
        let norm = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
        vector.into_iter().map(|v| v / norm).collect()
    }
}

impl Embed for Topics {
    fn id(&self) -> &str {
        "topics"
    }
    fn revision(&self) -> &str {
        self.revision
    }
    fn dims(&self) -> usize {
        64
    }
    fn documents(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        Ok(texts.iter().map(|text| Self::vector(text)).collect())
    }
    fn query(&self, text: &str) -> Result<Vec<f32>, EmbedError> {
        Ok(Self::vector(text))
    }
}

const FIRST: Topics = Topics { revision: "1" };
const SECOND: Topics = Topics { revision: "2" };

fn embed(life: &Life, topics: &Topics) -> u64 {
    let report = life.vault.embed_pending(topics, &AtomicBool::new(false), &mut |_| {});
    report.unwrap().chunks
}

fn search(life: &Life, text: &str, topics: &Topics) -> Found {
    let query = Query { text: text.into(), ..Query::default() };
    life.vault.search(&query, Some(topics)).unwrap()
}

#[test]
fn what_means_the_same_is_found_without_the_same_words() {
    let life = Life::new().small();
    assert!(search(&life, "lotion", &FIRST).hits.is_empty());
    assert_eq!(embed(&life, &FIRST), 3);
    let found = search(&life, "lotion", &FIRST);
    assert_eq!(found.hits[0].title, "Packing");
    assert!(found.hits[0].dense.unwrap() > 0.5);
    assert_eq!(found.vectors_share, 1.0);
    assert_eq!(embed(&life, &FIRST), 0);
}

#[test]
fn filters_hold_for_meaning_too_and_quoted_words_stay_a_demand() {
    let life = Life::new().small();
    embed(&life, &FIRST);
    let found = search(&life, "lotion kind:mail", &FIRST);
    assert!(found.hits.iter().all(|hit| hit.title != "Packing"));
    assert!(search(&life, "\"lotion\"", &FIRST).hits.is_empty());
}

#[test]
fn another_revision_embeds_anew_while_the_old_vectors_answer() {
    let life = Life::new().small();
    embed(&life, &FIRST);
    assert_eq!(life.vault.pending_vectors(&SECOND).unwrap(), 3);
    let stop = AtomicBool::new(false);
    let stopped = life.vault.embed_pending(&SECOND, &AtomicBool::new(true), &mut |_| {});
    assert!(matches!(stopped, Err(Error::Cancelled)));
    assert_eq!(search(&life, "lotion", &FIRST).hits[0].title, "Packing");
    life.vault.embed_pending(&SECOND, &stop, &mut |_| stop.store(true, Ordering::Relaxed)).unwrap();
    assert_eq!(search(&life, "lotion", &SECOND).hits[0].title, "Packing");
    assert_eq!(life.vault.pending_vectors(&SECOND).unwrap(), 0);
}

#[test]
fn what_is_removed_is_not_found_by_its_vector() {
    let life = Life::new().small();
    embed(&life, &FIRST);
    std::fs::remove_file(life.files().join("notes/Packing.md")).unwrap();
    life.sync();
    assert!(search(&life, "lotion", &FIRST).hits.iter().all(|hit| hit.title != "Packing"));
    life.write("notes/New.md", "# New\n\nAn atlas of harbours.");
    life.sync();
    assert_eq!(embed(&life, &FIRST), 1);
    assert_eq!(search(&life, "atlas", &FIRST).hits[0].title, "New");
}
