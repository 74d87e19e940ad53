//! Labelled texts, and how well something that judges texts does on them.

use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize};

use crate::Error;

/// A labelled text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// The text.
    pub text: String,
    /// Whether it is hazardous.
    #[serde(deserialize_with = "label")]
    pub label: bool,
}

/// How well a judge does on texts it was not made from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Texts judged.
    pub n: usize,
    /// Of them hazardous.
    pub hazardous: usize,
    /// Of the texts called hazardous, the share that is; 0 when none was called so.
    pub precision: f64,
    /// Of the hazardous texts, the share that was called so.
    pub recall: f64,
    /// Of the harmless texts, the share that was called hazardous.
    pub false_alarms: f64,
}

/// Compares what `call` says of each text with its label.
pub fn measure(examples: &[&Example], call: impl Fn(&str) -> bool) -> Measured {
    let (mut called, mut hazardous, mut both) = (0_usize, 0_usize, 0_usize);
    for example in examples {
        let call = call(&example.text);
        called += usize::from(call);
        hazardous += usize::from(example.label);
        both += usize::from(call && example.label);
    }
    let share = |part: usize, of: usize| part as f64 / of.max(1) as f64;
    Measured {
        n: examples.len(),
        hazardous,
        precision: share(both, called),
        recall: share(both, hazardous),
        false_alarms: share(called - both, examples.len() - hazardous),
    }
}

/// Reads JSON lines with a `text` and a `label`: true or 1 is hazardous, false or 0 is not. Other fields are passed over.
///
/// # Errors
/// When the file cannot be read, or a line is no such object; blank lines are none.
pub fn read_examples(path: &Path) -> Result<Vec<Example>, Error> {
    let failed = |error| Error::io("read", path, error);
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut examples = Vec::new();
    for (at, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(failed)?;
        if line.trim().is_empty() {
            continue;
        }
        let example = serde_json::from_str(&line).map_err(|error| {
            let place = format!("{}, line {}", path.display(), at + 1);
            let shape = "{\"text\": \"…\", \"label\": true}";
            Error::Config(format!("{place}: {error}; a labelled text looks like {shape}"))
        })?;
        examples.push(example);
    }
    Ok(examples)
}

/// True, false, 1 or 0.
fn label<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Label {
        Said(bool),
        Counted(u8),
    }
    match Label::deserialize(from) {
        Ok(Label::Said(label)) => Ok(label),
        Ok(Label::Counted(n @ (0 | 1))) => Ok(n == 1),
        _ => Err(serde::de::Error::custom("the label is neither true, false, 1 nor 0")),
    }
}
