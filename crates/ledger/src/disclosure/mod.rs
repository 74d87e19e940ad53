//! The disclosure: what a model cost and what it is, written so that an outsider can check it.
//!
//! Every number is a [`Fact`]: a value with its unit, how it is known ([`Kind`]), the interval it lies in, the method in
//! words, and the evidence, which is the head of a journal (see [`crate::journal`]). Whoever has the journal counts
//! again with the same program or another and must arrive at the same numbers.
//!
//! One disclosure covers one model. Runs that led to its weights count towards its total (pre-training before
//! fine-tuning); runs that did not are stated beside it as experiments. Nothing that was paid for is left out, and
//! nothing is counted where it does not belong.
//!
//! A run of someone else's has no journal here; [`disclose_declared`] writes its document from published facts.
//!
//! Formats: JSON (this structure), Markdown for people, a Hugging Face model card, an SPDX 3.0 document with the AI
//! profile.

mod build;
mod declared;
mod facts;
mod forms;
mod hugging_face;
mod markdown;
mod planned;
mod spdx;
mod thresholds;
mod verify;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::Timestamp;
use crate::history::History;
use crate::journal::Contents;
use crate::totals::Totals;

pub use build::disclose;
pub use declared::{Declaration, DeclaredRun, disclose_declared};
pub use hugging_face::model_card;
pub use markdown::page;
pub use spdx::document;
pub use thresholds::Threshold;
pub use verify::{Difference, recount, recount_declared};

/// Name and version of the JSON structure.
pub const SCHEMA: &str = "polymath-disclosure/1";

/// What a run has to do with the model that is disclosed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The run whose weights these are.
    Subject,
    /// A run that led to them; its compute counts.
    Predecessor,
    /// A run that did not; its compute is stated apart.
    Experiment,
}

/// One run with its sums.
#[derive(Debug, Clone)]
pub struct Account<'a> {
    pub role: Role,
    pub contents: &'a Contents,
    pub history: History<'a>,
    pub totals: Totals,
}

impl<'a> Account<'a> {
    /// None if the journal does not start a run, which [`crate::journal::read`] has excluded.
    pub fn of(role: Role, contents: &'a Contents) -> Option<Self> {
        let history = History::of(&contents.entries)?;
        let totals = Totals::of(&history);
        Some(Self { role, contents, history, totals })
    }
}

/// How a value is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Read from an instrument or the system.
    Measured,
    /// Counted or computed from what was measured or configured; exact as far as its inputs are.
    Derived,
    /// Computed with assumptions; carries an interval.
    Estimated,
    /// Stated by whoever made the run.
    Declared,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Derived => "derived",
            Self::Estimated => "estimated",
            Self::Declared => "declared",
        }
    }
}

/// One stated value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fact {
    /// What it is, for people.
    #[serde(skip)]
    pub label: &'static str,
    pub value: Value,
    pub unit: &'static str,
    pub kind: Kind,
    pub low: Option<f64>,
    pub high: Option<f64>,
    pub method: String,
    /// Head of the journal the value is read from.
    pub evidence: String,
}

/// Facts under a heading, each with its name in the JSON structure.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    pub id: &'static str,
    pub title: &'static str,
    pub facts: Vec<(&'static str, Fact)>,
}

/// Two ways to one number, side by side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub stated: f64,
    pub other: f64,
    pub method: String,
    /// How far the stated value lies from the other, per cent.
    pub difference_pct: f64,
    /// The difference is more than what is accepted for this check.
    pub flagged: bool,
}

/// Which journals the facts are read from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evidence {
    pub role: Role,
    pub run_id: String,
    pub phase: String,
    /// SHA-256 of the journal's last line.
    pub head: String,
    pub lines: u64,
    pub model_flop: f64,
    pub issued_flop: f64,
    pub joules: f64,
    /// Whether the run came to its planned end.
    pub finished: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Disclosure {
    pub generated_at: Timestamp,
    pub sections: Vec<Section>,
    pub thresholds: Vec<Threshold>,
    pub checks: Vec<Check>,
    pub journals: Vec<Evidence>,
    /// In place of journals, where the facts of someone else's run are declared.
    pub declared: Option<Declaration>,
    /// The same facts under the names other forms use.
    pub forms: Vec<(&'static str, Value)>,
}

impl Disclosure {
    pub fn fact(&self, section: &str, id: &str) -> Option<&Fact> {
        let section = self.sections.iter().find(|known| known.id == section)?;
        section.facts.iter().find(|(known, _)| *known == id).map(|(_, fact)| fact)
    }

    fn text(&self, section: &str, id: &str) -> Option<&str> {
        self.fact(section, id)?.value.as_str().filter(|text| !text.is_empty())
    }

    fn number(&self, section: &str, id: &str) -> Option<f64> {
        self.fact(section, id)?.value.as_f64()
    }

    /// What to call the model.
    fn name(&self) -> &str {
        self.text("identity", "model").or(self.text("identity", "run_id")).unwrap_or("model")
    }
}

impl Serialize for Disclosure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("schema", SCHEMA)?;
        map.serialize_entry("generated_at", &self.generated_at)?;
        for section in &self.sections {
            map.serialize_entry(section.id, &InOrder(&section.facts))?;
        }
        map.serialize_entry("thresholds", &self.thresholds)?;
        map.serialize_entry("checks", &self.checks)?;
        map.serialize_entry("journals", &self.journals)?;
        if let Some(declared) = &self.declared {
            map.serialize_entry("declared", declared)?;
        }
        map.serialize_entry("forms", &InOrder(&self.forms))?;
        map.end()
    }
}

/// Pairs as a JSON object in their order.
struct InOrder<'a, T>(&'a [(&'static str, T)]);

impl<T: Serialize> Serialize for InOrder<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}
