//! From documents to what is asked: contexts with examples, continuations, whole texts.
//!
//! The order and the delimiters are those of lm-evaluation-harness: description, then for each example its text, the
//! target delimiter, its target and the few-shot delimiter, then the document's text.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::random::Random;
use super::task::{Choices, OutputType, Results, Sampler, Target, Task};
use super::template;
use crate::Error;

/// What is asked about one document.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Question {
    /// The likelihood of each pair's second text after its first. `gold`: the places that count as right.
    Choices {
        pairs: Vec<(String, String)>,
        choices: Vec<String>,
        gold: Vec<usize>,
        /// For [`Results::TrueMass`]: which choices are true.
        is_true: Vec<bool>,
    },
    /// The likelihood of a continuation.
    Continuation { context: String, continuation: String },
    /// The likelihood of a whole text, counted per word and byte.
    Text { text: String, words: usize, bytes: usize },
    /// A text that should be one of the targets.
    Generate { context: String, targets: Vec<String> },
}

/// Makes the questions of a task.
pub(super) struct Asker<'a> {
    task: &'a Task,
    examples: &'a [Value],
    shots: usize,
    random: Random,
    /// The fields of the first document: a template that is one of these names stands for that field.
    fields: Vec<String>,
    /// The choices stand in the context: the task's text is the number of the right one.
    choices_in_context: bool,
}

impl<'a> Asker<'a> {
    /// `first` is the first document of the scored split; it decides what kind of task this is.
    pub(super) fn new(
        task: &'a Task,
        first: &Value,
        examples: &'a [Value],
        shots: usize,
        seed: u64,
    ) -> Result<Self, Error> {
        let fields = first.as_object().map(|object| object.keys().cloned().collect());
        let mut asker = Self {
            task,
            examples,
            shots,
            random: Random::new(seed),
            fields: fields.unwrap_or_default(),
            choices_in_context: false,
        };
        let text = asker.text(first).map_err(|what| task.wrong_document(0, what))?;
        asker.choices_in_context = text.is_number() && task.doc_to_choice.is_some();
        Ok(asker)
    }

    /// The question about a document. Asking in order draws the examples that lm-evaluation-harness draws.
    pub(super) fn ask(&mut self, at: usize, document: &Value) -> Result<Question, Error> {
        let task = self.task;
        let prefix = self.prefix(document)?;
        let asked = match task.output_type {
            OutputType::MultipleChoice => self.choice_question(document, &prefix),
            OutputType::Loglikelihood => self.continuation(document, prefix),
            OutputType::LoglikelihoodRolling => self.whole_text(document),
            OutputType::GenerateUntil => self.generation(document, prefix),
        };
        asked.map_err(|what| task.wrong_document(at, what))
    }

    fn choice_question(&self, document: &Value, prefix: &str) -> Result<Question, String> {
        let task = self.task;
        let choices = self.choices(document)?;
        let delimiter = &task.target_delimiter;
        let (pairs, gold) = if self.choices_in_context {
            let target = plain(&self.target(document)?)?;
            let pair =
                |choice: &String| (format!("{prefix}{choice}"), format!("{delimiter}{target}"));
            (choices.iter().map(pair).collect(), self.text(document)?)
        } else {
            let context = format!("{prefix}{}", plain(&self.text(document)?)?);
            let pair = |choice: &String| (context.clone(), format!("{delimiter}{choice}"));
            (choices.iter().map(pair).collect(), self.target(document)?)
        };
        let is_true = match (&task.labels, task.results) {
            (Some(labels), Results::TrueMass) => truths(&template::evaluate(labels, document)?)?,
            _ => Vec::new(),
        };
        if task.results == Results::TrueMass && is_true.len() != choices.len() {
            return Err(format!("{} labels for {} choices", is_true.len(), choices.len()));
        }
        Ok(Question::Choices { gold: places(&gold, &choices), pairs, choices, is_true })
    }

    fn continuation(&self, document: &Value, prefix: String) -> Result<Question, String> {
        let context = prefix + &plain(&self.text(document)?)?;
        Ok(Question::Continuation { context, continuation: plain(&self.target(document)?)? })
    }

    fn whole_text(&self, document: &Value) -> Result<Question, String> {
        let text = plain(&self.target(document)?)?;
        let counted = match &self.task.count_field {
            Some(field) => document[field].as_str().ok_or(format!("there is no text `{field}`"))?,
            None => &text,
        };
        let (words, bytes) = (count_words(counted), counted.len());
        Ok(Question::Text { text, words, bytes })
    }

    fn generation(&self, document: &Value, prefix: String) -> Result<Question, String> {
        let context = prefix + &plain(&self.text(document)?)?;
        let target = self.target(document)?;
        let targets = match (&target, &self.task.doc_to_choice) {
            (Value::Number(_), Some(_)) => vec![self.answer(document)?.unwrap_or_default()],
            (Value::Array(targets), _) => targets.iter().map(plain).collect::<Result<_, _>>()?,
            _ => vec![plain(&target)?],
        };
        Ok(Question::Generate { context, targets })
    }

    /// Description and examples.
    fn prefix(&mut self, document: &Value) -> Result<String, Error> {
        let task = self.task;
        let mut prefix = match task.description.as_str() {
            "" => String::new(),
            description => template::render(description, document)
                .map_err(|what| Error::configuration(what, "look at the task's description"))?,
        };
        for place in self.draw(document)? {
            let example = &self.examples[place];
            let shown = self.example(example).map_err(|what| task.wrong_document(place, what))?;
            prefix += &shown;
        }
        Ok(prefix)
    }

    fn example(&self, document: &Value) -> Result<String, String> {
        let text = match self.text(document)? {
            Value::Number(place) if self.choices_in_context => {
                let choices = self.choices(document)?;
                let place = place.as_u64().and_then(|place| choices.get(place as usize));
                place.cloned().ok_or("the right choice is not among the choices")?
            }
            text => plain(&text)?,
        };
        let answer = match self.choices_in_context {
            true => Some(plain(&self.target(document)?)?).filter(|answer| !answer.is_empty()),
            false => self.answer(document)?,
        };
        let (between, after) = (&self.task.target_delimiter, &self.task.fewshot_delimiter);
        Ok(match answer {
            Some(answer) => format!("{text}{between}{answer}{after}"),
            None => text,
        })
    }

    /// Which examples stand before a document.
    fn draw(&mut self, document: &Value) -> Result<Vec<usize>, Error> {
        let n = self.shots;
        if n == 0 {
            return Ok(Vec::new());
        }
        let excluded = self.task.excludes_itself();
        let others = || -> Vec<usize> {
            let all = 0..self.examples.len();
            all.filter(|&idx| !excluded || self.examples[idx] != *document).collect()
        };
        let n_drawn = n + usize::from(excluded && self.task.fewshot_sampler == Sampler::Default);
        if self.examples.len() < n_drawn {
            let what = format!("{n_drawn} examples are to be drawn of {}", self.examples.len());
            return Err(Error::configuration(what, "lower --shots, or give more with --data"));
        }
        if self.task.fewshot_sampler == Sampler::FirstN {
            return Ok(others().into_iter().take(n).collect());
        }
        let mut drawn = self.random.sample(self.examples.len(), n_drawn);
        drawn.retain(|&idx| !excluded || self.examples[idx] != *document);
        drawn.truncate(n);
        if drawn.len() < n {
            // Copies of the document were drawn: once more, without them.
            let others = others();
            if others.len() < n {
                let what = format!("only {} examples differ from a document", others.len());
                return Err(Error::configuration(what, "lower --shots, or give more with --data"));
            }
            let places = self.random.sample(others.len(), n);
            drawn = places.into_iter().map(|place| others[place]).collect();
        }
        Ok(drawn)
    }

    /// A field, or what a template makes; digits are a choice's place where there are choices.
    fn value(&self, source: &str, document: &Value) -> Result<Value, String> {
        if self.fields.iter().any(|field| field == source) {
            return Ok(document[source].clone());
        }
        let text = template::render(source, document)?;
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse::<u64>() {
            Ok(place) if digits && self.task.doc_to_choice.is_some() => Ok(place.into()),
            _ => Ok(text.into()),
        }
    }

    fn text(&self, document: &Value) -> Result<Value, String> {
        self.value(&self.task.doc_to_text, document)
    }

    fn target(&self, document: &Value) -> Result<Value, String> {
        match &self.task.doc_to_target {
            Target::Choice(place) => Ok((*place).into()),
            Target::Template(source) => self.value(source, document),
        }
    }

    fn choices(&self, document: &Value) -> Result<Vec<String>, String> {
        let value = match &self.task.doc_to_choice {
            Some(Choices::List(list)) => return Ok(list.clone()),
            Some(Choices::Template(field)) if self.fields.contains(field) => {
                document[field].clone()
            }
            Some(Choices::Template(source)) => template::evaluate(source, document)?,
            None => return Err("the task has no doc_to_choice".to_owned()),
        };
        let list = value.as_array().filter(|list| !list.is_empty());
        let list =
            list.ok_or_else(|| format!("doc_to_choice gives no list of choices: {value}"))?;
        list.iter().map(plain).collect()
    }

    /// The target as it is written after an example; `None` if there is none.
    fn answer(&self, document: &Value) -> Result<Option<String>, String> {
        let target = self.target(document)?;
        let answer = match (&target, &self.task.doc_to_choice) {
            (Value::Null, _) => return Ok(None),
            (Value::Number(_) | Value::Bool(_), Some(_)) => {
                let choices = self.choices(document)?;
                let place = places(&target, &choices).first().copied();
                place.and_then(|place| choices.get(place).cloned()).ok_or_else(|| {
                    format!("the target {target} is none of the {} choices", choices.len())
                })?
            }
            (Value::Array(targets), _) => plain(targets.first().ok_or("there is no target")?)?,
            _ => plain(&target)?,
        };
        Ok(Some(answer).filter(|answer| !answer.is_empty()))
    }
}

/// The places among the choices that a target stands for; none if it stands for none of them.
fn places(target: &Value, choices: &[String]) -> Vec<usize> {
    match target {
        Value::Array(targets) => targets.iter().flat_map(|one| places(one, choices)).collect(),
        Value::Bool(yes) => vec![usize::from(*yes)],
        Value::Number(place) => {
            let place = place.as_u64().map(|place| place as usize);
            place.filter(|&place| place < choices.len()).into_iter().collect()
        }
        Value::String(text) => {
            choices.iter().position(|choice| choice == text).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn truths(labels: &Value) -> Result<Vec<bool>, String> {
    let labels = labels.as_array().ok_or("the labels are no list")?;
    Ok(labels.iter().map(|label| label.as_u64() == Some(1)).collect())
}

fn plain(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        other => Err(format!("{other} is no text")),
    }
}

/// Words as perplexities count them: pieces between runs of white space, also empty ones at the ends.
fn count_words(text: &str) -> usize {
    static SPACE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\s+").ok());
    SPACE.as_ref().map_or(0, |space| space.find_iter(text).count() + 1)
}
