//! The sample life as it lies in `examples/life`: files, three questions, and the moment it is lived at.

use std::path::{Path, PathBuf};

use jiff::ZonedDateTime;
use serde::Deserialize;

use crate::Error;

/// An invented person's life, ready to be read into a vault of its own.
#[derive(Debug, Clone)]
pub struct SampleLife {
    /// The folder of mail, calendars, contacts, notes and documents.
    pub files: PathBuf,
    /// "Now" in that life; it stands still, so that its questions keep their answers.
    pub now: ZonedDateTime,
    /// What to click first.
    pub questions: Vec<String>,
}

#[derive(Deserialize)]
struct First {
    id: String,
    question: String,
}

#[derive(Deserialize)]
struct Asked {
    id: String,
    now: String,
}

impl SampleLife {
    /// Reads `data/`, `first_questions.json` and, for the clock, `questions.jsonl` of a folder.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let broken = |file: &str, cause: String| {
            Error::Failed(format!(
                "the sample life in {} is broken ({file}: {cause}); take it from the repository again",
                folder.display()
            ))
        };
        let text = |file: &str| {
            std::fs::read_to_string(folder.join(file))
                .map_err(|error| broken(file, error.to_string()))
        };
        let first: Vec<First> = serde_json::from_str(&text("first_questions.json")?)
            .map_err(|error| broken("first_questions.json", error.to_string()))?;
        let all = text("questions.jsonl")?;
        let now = all
            .lines()
            .filter_map(|line| serde_json::from_str::<Asked>(line).ok())
            .find(|asked| first.iter().any(|first| first.id == asked.id))
            .ok_or_else(|| broken("questions.jsonl", "the first questions are not in it".into()))?
            .now;
        let now = parse_moment(&now)
            .ok_or_else(|| broken("questions.jsonl", format!("now is {now:?}")))?;
        let files = folder.join("data");
        Ok(SampleLife {
            files,
            now,
            questions: first.into_iter().map(|first| first.question).collect(),
        })
    }
}

/// `2026-11-24T09:00:00+01:00[Europe/Berlin]`, or with the offset alone.
fn parse_moment(text: &str) -> Option<ZonedDateTime> {
    text.parse().ok().or_else(|| {
        let (offset, time) = (text.get(text.len().checked_sub(6)?..)?, text);
        format!("{time}[{offset}]").parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_may_name_its_zone_or_only_its_offset() {
        let named = parse_moment("2026-11-24T09:00:00+01:00[Europe/Berlin]").unwrap();
        let bare = parse_moment("2026-11-24T09:00:00+01:00").unwrap();
        assert_eq!(named.timestamp(), bare.timestamp());
        assert!(parse_moment("yesterday").is_none() && parse_moment("").is_none());
    }
}
