//! The questions file: one JSON object a line, as `examples/life/README.md` describes.

use std::path::Path;

use jiff::ZonedDateTime;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::Error;

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Type {
    Text,
    Date,
    Number,
    Person,
    List,
    /// There is no answer: abstaining is right.
    None,
}

/// Where the answer stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    pub path: String,
    /// Words that the item says, white space aside.
    #[serde(default)]
    pub contains: String,
    #[serde(default)]
    pub message_id: Option<String>,
    #[serde(default)]
    pub uid: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Question {
    pub id: String,
    pub question: String,
    pub kind: String,
    pub kind_of_answer: Type,
    pub answer: String,
    /// Other forms that are right.
    pub accept: Vec<String>,
    /// What a list must name.
    pub items: Vec<String>,
    /// All of these together prove the answer.
    pub evidence: Vec<Proof>,
    /// Each of these proves it alone.
    pub also: Vec<Proof>,
    /// No proof is in the question's language.
    pub cross_language: bool,
    /// The owner's clock.
    pub now: ZonedDateTime,
}

#[derive(Deserialize)]
struct Line {
    id: String,
    question: String,
    kind: String,
    #[serde(rename = "type")]
    kind_of_answer: Type,
    #[serde(default)]
    answer: String,
    #[serde(default)]
    accept: Vec<String>,
    #[serde(default)]
    items: Vec<String>,
    #[serde(default)]
    evidence: Vec<Proof>,
    #[serde(default)]
    also: Vec<Proof>,
    #[serde(default)]
    cross_language: bool,
    now: String,
}

/// Which half of the questions one belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Half {
    /// Constants may be fitted on it.
    Fit,
    /// Only reported.
    Report,
}

impl Half {
    /// The first hex digit of the id's SHA-256 is even: fit. Nothing about the question itself decides.
    pub fn of(id: &str) -> Half {
        let first = Sha256::digest(id.as_bytes())[0] >> 4;
        if first % 2 == 0 { Half::Fit } else { Half::Report }
    }
}

/// The moment of asking; in `zone` where it names none.
fn clock(now: &str, zone: &jiff::tz::TimeZone) -> Result<ZonedDateTime, jiff::Error> {
    if now.contains('[') {
        return now.parse();
    }
    let now: jiff::Timestamp = now.parse()?;
    zone.to_zoned_datetime(zone.to_datetime(now))
}

/// Reads a questions file. `zone` is the owner's, for clocks that give only an offset.
pub fn read(path: &Path, zone: &jiff::tz::TimeZone) -> Result<Vec<Question>, Error> {
    let wrong = |cause: String| Error::Questions { path: path.display().to_string(), cause };
    let text = std::fs::read_to_string(path).map_err(|cause| wrong(cause.to_string()))?;
    let mut questions = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let at = |cause: String| wrong(format!("line {}: {cause}", number + 1));
        let line: Line = serde_json::from_str(line).map_err(|cause| at(cause.to_string()))?;
        let now = clock(&line.now, zone).map_err(|cause| at(cause.to_string()))?;
        questions.push(Question {
            id: line.id,
            question: line.question,
            kind: line.kind,
            kind_of_answer: line.kind_of_answer,
            answer: line.answer,
            accept: line.accept,
            items: line.items,
            evidence: line.evidence,
            also: line.also,
            cross_language: line.cross_language,
            now,
        });
    }
    Ok(questions)
}
