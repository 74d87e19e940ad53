//! What a task is: where its documents come from, how they become requests, and how answers are counted.
//!
//! A task is a small TOML file. Keys that lm-evaluation-harness has in its YAML files have its names and mean what they
//! mean there; a task moves over by rewriting the syntax. The tasks known by name are such files too (`tasks/`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::process::Process;
use crate::Error;

/// What is asked of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputType {
    /// The likelihood of each of several choices.
    MultipleChoice,
    /// The likelihood of one continuation, and whether it is the most probable one.
    Loglikelihood,
    /// The likelihood of whole texts, window after window.
    LoglikelihoodRolling,
    /// A text, written by the model until one of some stop texts.
    GenerateUntil,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricName {
    /// The likeliest choice is the right one; or the continuation is the most probable one.
    Acc,
    /// The same with log-likelihoods divided by the choices' lengths in characters.
    AccNorm,
    /// The same with lengths in bytes.
    AccBytes,
    /// e to the mean negative log-likelihood of a continuation.
    Perplexity,
    /// e to the negative log-likelihood per word.
    WordPerplexity,
    /// e to the negative log-likelihood per byte.
    BytePerplexity,
    /// Negative log-likelihood per byte, in bits.
    BitsPerByte,
    /// The answer is the wanted text.
    ExactMatch,
}

impl MetricName {
    pub fn higher_is_better(self) -> bool {
        matches!(self, Self::Acc | Self::AccNorm | Self::AccBytes | Self::ExactMatch)
    }
}

/// How `acc` of several choices is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Results {
    /// Whether the likeliest choice is the target.
    #[default]
    Best,
    /// The probability that falls to the choices whose label is 1 (`labels`), of that of all choices.
    TrueMass,
}

/// A metric with its options.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Metric {
    pub(super) metric: MetricName,
    #[serde(default)]
    pub(super) ignore_case: bool,
    #[serde(default)]
    pub(super) ignore_punctuation: bool,
    #[serde(default)]
    pub(super) ignore_numbers: bool,
    #[serde(default)]
    pub(super) regexes_to_ignore: Vec<String>,
}

/// A regular expression that takes the answer out of what the model wrote.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    pub(super) name: String,
    pub(super) regex_pattern: String,
    /// Which of the matches; negative counts from the last.
    #[serde(default)]
    pub(super) group_select: i64,
    #[serde(default = "invalid")]
    pub(super) fallback: String,
}

fn invalid() -> String {
    "[invalid]".to_owned()
}

/// How examples are chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Sampler {
    /// Drawn at random for each document.
    #[default]
    Default,
    /// The first ones, the same for all documents.
    FirstN,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Generation {
    #[serde(default)]
    pub(super) until: Vec<String>,
    pub(super) max_gen_toks: Option<usize>,
}

/// A target, or the place of the right choice.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum Target {
    Choice(usize),
    Template(String),
}

/// The choices themselves, or a template that gives them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum Choices {
    List(Vec<String>),
    Template(String),
}

/// Where the data of a task known by name lies, for people and for finding it under `--data`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    /// The data set's name on the Hugging Face hub.
    pub(super) dataset: String,
    /// Folders in which it may lie, besides one with the task's name; `{part}` stands for the part.
    #[serde(default)]
    pub(super) folders: Vec<String>,
    /// Of the copy that the program carries.
    pub(super) licence: Option<String>,
}

/// Parts that a set consists of, each a task of its own, and how their results become one.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parts {
    pub(super) names: Vec<String>,
    /// Whether a document counts the same in every part, or a part the same whatever its size.
    pub(super) weight_by_size: bool,
}

/// A task as its file says it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    pub task: String,
    /// One line for people.
    #[serde(default)]
    pub about: String,
    pub output_type: OutputType,
    pub training_split: Option<String>,
    pub validation_split: Option<String>,
    pub test_split: Option<String>,
    pub fewshot_split: Option<String>,
    /// Files of the splits, relative to the task's file.
    #[serde(default)]
    pub data_files: BTreeMap<String, PathBuf>,
    pub(super) process_docs: Option<Process>,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) doc_to_text: String,
    pub(super) doc_to_target: Target,
    pub(super) doc_to_choice: Option<Choices>,
    #[serde(default = "space")]
    pub(super) target_delimiter: String,
    #[serde(default = "blank_line")]
    pub(super) fewshot_delimiter: String,
    #[serde(default)]
    pub(super) fewshot_sampler: Sampler,
    /// Examples before each question, where nobody says otherwise.
    #[serde(default)]
    pub num_fewshot: usize,
    pub(super) metric_list: Vec<Metric>,
    #[serde(default)]
    pub(super) filter_list: Vec<Filter>,
    #[serde(default)]
    pub(super) generation_kwargs: Generation,
    #[serde(default)]
    pub(super) results: Results,
    /// For [`Results::TrueMass`]: a template that gives the choices' labels.
    pub(super) labels: Option<String>,
    /// Field whose words and bytes count in perplexities [default: those of the target].
    pub(super) count_field: Option<String>,
    #[serde(default)]
    pub(super) source: Source,
    pub(super) parts: Option<Parts>,
    /// Which of the parts this is.
    #[serde(skip)]
    pub(super) part: Option<String>,
    /// The folder that `data_files` are relative to.
    #[serde(skip)]
    pub(super) folder: PathBuf,
}

fn space() -> String {
    " ".to_owned()
}

fn blank_line() -> String {
    "\n\n".to_owned()
}

impl Task {
    /// Reads a task's file.
    ///
    /// # Errors
    /// When it cannot be read, does not parse, or asks for what does not go together.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| Error::io(path, "read", e, "name a task's TOML file"))?;
        let mut task = Self::parse(&text).map_err(|what| {
            Error::malformed(
                path,
                what,
                "the keys are those of lm-evaluation-harness; see docs/evaluation.md",
            )
        })?;
        task.folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
        Ok(task)
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let task: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        task.check()?;
        Ok(task)
    }

    fn check(&self) -> Result<(), String> {
        use MetricName::{
            Acc, AccBytes, AccNorm, BitsPerByte, BytePerplexity, ExactMatch, Perplexity,
            WordPerplexity,
        };
        let known: &[MetricName] = match self.output_type {
            OutputType::MultipleChoice => &[Acc, AccNorm, AccBytes],
            OutputType::Loglikelihood => &[Acc, Perplexity],
            OutputType::LoglikelihoodRolling => &[WordPerplexity, BytePerplexity, BitsPerByte],
            OutputType::GenerateUntil => &[ExactMatch],
        };
        if let Some(wrong) = self.metric_list.iter().find(|metric| !known.contains(&metric.metric))
        {
            return Err(format!("{:?} has no metric {:?}", self.output_type, wrong.metric));
        }
        if self.metric_list.is_empty() {
            return Err("metric_list is empty".to_owned());
        }
        if self.output_type == OutputType::MultipleChoice && self.doc_to_choice.is_none() {
            return Err("a multiple_choice task needs doc_to_choice".to_owned());
        }
        if self.results == Results::TrueMass && self.labels.is_none() {
            return Err("`results = \"true_mass\"` needs `labels`".to_owned());
        }
        if self.test_split.is_none() && self.validation_split.is_none() {
            return Err("neither test_split nor validation_split is given".to_owned());
        }
        for metric in &self.metric_list {
            for rule in &metric.regexes_to_ignore {
                regex::Regex::new(rule).map_err(|error| error.to_string())?;
            }
        }
        for filter in &self.filter_list {
            regex::Regex::new(&filter.regex_pattern).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// The split that is scored: the test split where there is one.
    pub fn scored_split(&self) -> &str {
        let split = self.test_split.as_ref().or(self.validation_split.as_ref());
        split.map_or("test", String::as_str)
    }

    /// The split that examples are drawn from.
    pub(super) fn example_split(&self) -> &str {
        let splits = [&self.fewshot_split, &self.training_split, &self.validation_split];
        splits.into_iter().flatten().next().map_or(self.scored_split(), String::as_str)
    }

    /// Whether the document itself must not be among its examples. (Also where neither split is named: so does
    /// lm-evaluation-harness, and it draws one example more then.)
    pub(super) fn excludes_itself(&self) -> bool {
        self.fewshot_split == self.test_split
    }

    pub(super) fn wrong_document(&self, at: usize, what: String) -> Error {
        Error::Document { task: self.task.clone(), at, what }
    }

    /// The task of one part.
    pub(super) fn of_part(&self, part: &str) -> Self {
        Self {
            task: format!("{}_{part}", self.task),
            description: self.description.replace("{part}", &part.replace('_', " ")),
            parts: None,
            part: Some(part.to_owned()),
            ..self.clone()
        }
    }
}
