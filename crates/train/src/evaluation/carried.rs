//! The sets inside the program; `data/README.md` says whose they are and under which licence.

use corpus::read::json_records;
use serde_json::{Value, json};

use super::task::Task;

const BLIMP: &[u8] = include_bytes!("data/blimp.tsv.zst");
const GSM8K_TEST: &[u8] = include_bytes!("data/gsm8k_test.jsonl.zst");
const GSM8K_TRAIN: &[u8] = include_bytes!("data/gsm8k_train_first_256.jsonl.zst");
const TRUTHFULQA: &[u8] = include_bytes!("data/truthfulqa.jsonl.zst");

/// A split that the program carries.
pub(super) struct Carried {
    pub(super) documents: Vec<Value>,
    /// What to call it, where it is not the whole split.
    pub(super) part_of: Option<&'static str>,
}

/// Whether a split of a task is inside the program.
pub(super) fn has(task: &Task, split: &str) -> bool {
    file(task, split).is_some()
}

fn file(task: &Task, split: &str) -> Option<&'static [u8]> {
    match (task.source.dataset.as_str(), split) {
        ("nyu-mll/blimp", "train") => Some(BLIMP),
        ("openai/gsm8k", "test") => Some(GSM8K_TEST),
        ("openai/gsm8k", "train") => Some(GSM8K_TRAIN),
        ("truthfulqa/truthful_qa", "validation") => Some(TRUTHFULQA),
        _ => None,
    }
}

/// A split that is inside the program; `None` where it is not.
///
/// # Errors
/// When the file inside the program is damaged.
pub(super) fn split(task: &Task, split: &str) -> Result<Option<Carried>, String> {
    let Some(bytes) = file(task, split) else { return Ok(None) };
    let bytes = zstd::decode_all(bytes).map_err(|error| error.to_string())?;
    let documents = match &task.part {
        Some(part) => pairs(&bytes, part)?,
        None => json_records(&bytes)?,
    };
    let whole = (task.source.dataset.as_str(), split) != ("openai/gsm8k", "train");
    let part_of = if whole { None } else { Some("the first 256 of 7,473 training problems") };
    Ok(Some(Carried { documents, part_of }))
}

/// The pairs below the heading of a part.
fn pairs(bytes: &[u8], part: &str) -> Result<Vec<Value>, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let heading = format!("# {part}");
    let lines = text.lines().skip_while(|line| *line != heading).skip(1);
    let pair = |line: &str| -> Result<Value, String> {
        let (good, bad) = line.split_once('\t').ok_or("a pair has one sentence")?;
        Ok(json!({ "sentence_good": good, "sentence_bad": bad }))
    };
    lines.take_while(|line| !line.starts_with("# ")).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::find;
    use super::*;

    /// Sizes as the sets' papers state them.
    #[test]
    fn carried_sets_are_complete() {
        let documents = |name: &str, wanted: &str| {
            let entry = find(name).unwrap();
            let split_of = |task: &Task| split(task, wanted).unwrap().unwrap().documents;
            entry.tasks.iter().map(split_of).collect::<Vec<_>>()
        };
        let blimp = documents("blimp", "train");
        assert_eq!(blimp.len(), 67);
        assert!(blimp.iter().all(|part| part.len() == 1000));
        assert_eq!(blimp[0][0]["sentence_good"], "Who should Derek hug after shocking Richard?");
        assert_eq!(documents("gsm8k", "test")[0].len(), 1319);
        assert_eq!(documents("gsm8k", "train")[0].len(), 256);
        let questions = &documents("truthfulqa_mc1", "validation")[0];
        assert_eq!(questions.len(), 817);
        for question in questions {
            let labels = question["mc1_targets"].as_object().unwrap();
            let labels: Vec<u64> = labels.values().filter_map(Value::as_u64).collect();
            assert_eq!(
                (labels[0], labels.iter().sum::<u64>()),
                (1, 1),
                "the first is the right one"
            );
        }
    }
}
