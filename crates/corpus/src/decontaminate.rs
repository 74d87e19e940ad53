//! Evaluation texts must not be trained on: a document that shares a run of 13 words with one is dropped.
//!
//! Words are letters and digits in small letters, so punctuation and line breaks hide nothing (the measure of the
//! GPT-3 paper, arXiv 2005.14165, appendix C). A question of fewer words has no run and cannot be recognised.

use crate::Error;
use hashbrown::HashMap;
use std::path::{Path, PathBuf};
use twox_hash::XxHash64;

/// The runs of words of all evaluation files.
#[derive(Debug)]
pub struct Evaluations {
    runs: HashMap<u64, u32>,
    names: Vec<String>,
    words: usize,
}

impl Evaluations {
    /// Reads evaluation files: JSON lines, of which every string counts, or plain text.
    pub fn read(paths: &[PathBuf], words: usize) -> Result<Self, Error> {
        let mut evaluations = Self { runs: HashMap::new(), names: Vec::new(), words };
        for path in paths {
            evaluations.add_file(path)?;
        }
        Ok(evaluations)
    }

    fn add_file(&mut self, path: &Path) -> Result<(), Error> {
        let bytes = std::fs::read(path).map_err(|error| Error::io("read", path, error))?;
        let text = String::from_utf8_lossy(&bytes);
        let name =
            path.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned());
        for line in text.lines() {
            match serde_json::from_str(line) {
                Ok(value @ serde_json::Value::Object(_)) => self.add_strings(&value),
                _ => {
                    // Not JSON lines: the whole is one text.
                    self.add_text(&text);
                    break;
                }
            }
        }
        self.names.push(name);
        Ok(())
    }

    fn add_strings(&mut self, value: &serde_json::Value) {
        match value {
            serde_json::Value::String(text) => self.add_text(text),
            serde_json::Value::Array(values) => values.iter().for_each(|v| self.add_strings(v)),
            serde_json::Value::Object(map) => map.values().for_each(|v| self.add_strings(v)),
            _ => {}
        }
    }

    fn add_text(&mut self, text: &str) {
        let number = self.names.len() as u32;
        let runs = &mut self.runs;
        each_run(text, self.words, &mut |hash| {
            runs.entry(hash).or_insert(number);
            false
        });
    }

    /// Number of different runs.
    pub fn n_runs(&self) -> usize {
        self.runs.len()
    }

    /// The evaluation file with which a document overlaps, if any.
    pub fn overlap(&self, text: &str) -> Option<&str> {
        if self.runs.is_empty() {
            return None;
        }
        let mut found = None;
        each_run(text, self.words, &mut |hash| {
            found = self.runs.get(&hash).copied();
            found.is_some()
        });
        self.names.get(found? as usize).map(String::as_str)
    }
}

const BASE: u64 = 0x5851_f42d_4c95_7f2d;

/// Hashes of all runs of `n` words; stops when `each` says so.
fn each_run(text: &str, n: usize, each: &mut dyn FnMut(u64) -> bool) {
    let leaving = (0..n).fold(1_u64, |power, _| power.wrapping_mul(BASE));
    let mut last = std::collections::VecDeque::with_capacity(n + 1);
    let mut hash = 0_u64;
    let mut small = String::new();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        small.clear();
        small.extend(word.chars().flat_map(char::to_lowercase));
        let word = XxHash64::oneshot(0, small.as_bytes());
        hash = hash.wrapping_mul(BASE).wrapping_add(word);
        last.push_back(word);
        if last.len() > n
            && let Some(first) = last.pop_front()
        {
            hash = hash.wrapping_sub(first.wrapping_mul(leaving));
        }
        if last.len() == n && each(hash) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_run_of_words_is_found_whatever_stands_between_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("quiz.jsonl");
        let question = "Which of the seven dwarfs in the story did not have a beard at all?";
        let line = serde_json::json!({"question": question, "choices": ["Dopey", "Doc"]});
        std::fs::write(&path, format!("{line}\n")).unwrap();
        let evaluations = Evaluations::read(&[path], 13).unwrap();
        assert_eq!(evaluations.n_runs(), 3);
        let copied =
            "He said: \"WHICH of the seven dwarfs -- in the story -- did not\nhave a beard?\"";
        assert_eq!(evaluations.overlap(copied), Some("quiz.jsonl"));
        let other = "Which of the seven dwarfs in the tale did not have a beard at all?";
        assert_eq!(evaluations.overlap(other), None);
    }
}
