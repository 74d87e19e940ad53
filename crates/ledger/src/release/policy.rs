//! Who may let a model out, and what it must have shown.

use serde::{Deserialize, Serialize};

use super::Manifest;
use crate::Error;
use crate::signature::key_id;

/// The policy file (TOML; `examples/release/policy.toml`).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    pub name: String,
    /// How many of the reviewers have to approve.
    pub signatures: usize,
    /// How many may object before the gate stays shut whoever approves.
    #[serde(default)]
    pub objections_allowed: usize,
    /// Whether a disclosure has to be there.
    #[serde(default = "yes")]
    pub disclosure: bool,
    #[serde(default, rename = "reviewer")]
    pub reviewers: Vec<Reviewer>,
    #[serde(default, rename = "threshold")]
    pub thresholds: Vec<Threshold>,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reviewer {
    pub name: String,
    /// A public key as `minisign` prints it: the second line of a key file.
    pub key: String,
}

/// A bound on a result, or on a value of the disclosure.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// Place in the disclosure, like `compute.cumulative_model_flop`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fact: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
    /// The bound has to hold by this many standard errors of the result.
    #[serde(default)]
    pub standard_errors: f64,
    /// Fewer documents than this prove nothing.
    #[serde(default)]
    pub least_n: u64,
    /// What it is there for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// What a threshold is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    Result { task: &'a str, metric: &'a str },
    Fact(&'a str),
}

impl std::fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Result { task, metric } => write!(f, "{task} {metric}"),
            Self::Fact(place) => write!(f, "{place} of the disclosure"),
        }
    }
}

/// How a threshold compares with what is known.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Comparison {
    Holds,
    /// Nothing was measured, or not enough.
    Unknown(String),
    Missed {
        value: f64,
        bound: String,
    },
}

impl Threshold {
    /// What it is about, once [`Policy::check`] has passed.
    pub fn subject(&self) -> Option<Subject<'_>> {
        match (&self.task, &self.metric, &self.fact) {
            (Some(task), Some(metric), None) => Some(Subject::Result { task, metric }),
            (None, None, Some(place)) => Some(Subject::Fact(place)),
            _ => None,
        }
    }

    pub(super) fn compare(&self, manifest: &Manifest) -> Comparison {
        let (value, stderr) = match self.subject() {
            Some(Subject::Result { task, metric }) => {
                let found = manifest.results.iter().find(|r| r.task == task && r.metric == metric);
                let Some(found) = found else { return Comparison::Unknown("not measured".into()) };
                if found.n < self.least_n {
                    let text = format!("{} documents, {} are asked for", found.n, self.least_n);
                    return Comparison::Unknown(text);
                }
                match found.stderr {
                    None if self.standard_errors > 0.0 => {
                        return Comparison::Unknown("measured without a standard error".into());
                    }
                    stderr => (found.value, stderr.unwrap_or(0.0)),
                }
            }
            Some(Subject::Fact(place)) => match manifest.fact(place) {
                Some(value) => (value, 0.0),
                None => return Comparison::Unknown("not stated".into()),
            },
            None => return Comparison::Unknown("the threshold names nothing".into()),
        };
        let margin = self.standard_errors * stderr;
        // NaN meets no bound.
        let above = self.at_least.is_none_or(|bound| value - margin >= bound);
        let below = self.at_most.is_none_or(|bound| value + margin <= bound);
        if above && below {
            return Comparison::Holds;
        }
        let bound = [("at least", self.at_least, above), ("at most", self.at_most, below)];
        let bound = bound.iter().find_map(|(words, bound, holds)| match bound {
            Some(bound) if !holds => Some(format!("{words} {bound}")),
            _ => None,
        });
        let by = match self.standard_errors > 0.0 {
            true => format!(" by {} standard errors of {stderr:.4}", self.standard_errors),
            false => String::new(),
        };
        Comparison::Missed { value, bound: bound.unwrap_or_default() + &by }
    }
}

impl Policy {
    /// Refuses what no release could meet, and what would let one person count twice.
    ///
    /// # Errors
    /// [`Error::Policy`] naming the field and a valid example.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |field: &str, what: String, example: &str| {
            Err(Error::Policy { field: field.into(), what, example: example.into() })
        };
        let n = self.reviewers.len();
        if self.signatures == 0 || self.signatures > n {
            let what = format!("{} of {n} reviewers", self.signatures);
            return wrong("signatures", what, "signatures = 2, with two or more [[reviewer]]");
        }
        let mut seen: Vec<(&str, String)> = Vec::new();
        for reviewer in &self.reviewers {
            if reviewer.name.trim().is_empty() {
                return wrong("reviewer.name", "empty".into(), "name = \"Institute for Review\"");
            }
            let Ok(id) = key_id(&reviewer.key) else {
                let what = format!("no public key ({})", reviewer.name);
                return wrong("reviewer.key", what, "key = \"RWQ…\", the second line of KEY.pub");
            };
            if let Some((other, _)) =
                seen.iter().find(|(name, known)| *known == id || *name == reviewer.name)
            {
                let what = format!("the same for {other} and {}", reviewer.name);
                return wrong("reviewer", what, "one name and one key for each");
            }
            seen.push((&reviewer.name, id));
        }
        for threshold in &self.thresholds {
            threshold.check()?;
        }
        Ok(())
    }
}

impl Threshold {
    fn check(&self) -> Result<(), Error> {
        let wrong = |field: &str, what: String, example: &str| {
            Err(Error::Policy { field: field.into(), what, example: example.into() })
        };
        let Some(subject) = self.subject() else {
            let what = "about nothing, or about two things".into();
            return wrong(
                "threshold",
                what,
                "task = \"blimp\" with metric = \"acc\", or fact = \"compute.model_flop\"",
            );
        };
        let bounds = [self.at_least, self.at_most];
        if bounds.iter().all(Option::is_none) {
            let what = format!("without a bound ({subject})");
            return wrong("threshold", what, "at_least = 0.6, or at_most = 1e25");
        }
        let numbers = bounds.iter().flatten().chain([&self.standard_errors]);
        if numbers.clone().any(|number| !number.is_finite()) || self.standard_errors < 0.0 {
            let what = format!("not a number that can be compared ({subject})");
            return wrong("threshold", what, "at_most = 0.05, standard_errors = 2");
        }
        Ok(())
    }
}
