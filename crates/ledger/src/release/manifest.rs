//! The manifest: what is released, what it cost, what it can do, and what it should not be used for.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::files::{FileHash, manifest_path, put, survey};
use crate::{Error, Timestamp, sha256};

/// Name and version of the JSON structure.
pub const SCHEMA: &str = "polymath-release/1";

/// A model with everything its reviewers have to judge by. It is signed as it stands in its file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub schema: String,
    pub model: String,
    pub made_at: Timestamp,
    pub files: Vec<FileHash>,
    /// Name and SHA-256 of the policy it was made under.
    pub policy: PolicyName,
    /// The disclosure, whole (`polymath disclose --format json`).
    pub disclosure: Option<Value>,
    pub results: Vec<Measured>,
    pub limits: Limits,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyName {
    pub name: String,
    pub sha256: String,
}

/// One result of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    pub task: String,
    pub metric: String,
    pub value: f64,
    #[serde(default)]
    pub stderr: Option<f64>,
    /// Documents.
    pub n: u64,
    /// SHA-256 of the document of results it was read from.
    pub evidence: String,
}

/// What the model must not be trusted with, in the words of whoever releases it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub text: String,
}

/// What a manifest is made from, as the files' texts.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    pub name: &'a str,
    /// Name and text of the policy.
    pub policy: (&'a str, &'a str),
    pub disclosure: Option<&'a str>,
    /// File names and texts: documents of `polymath eval --json`, or of the same form by other means.
    pub results: &'a [(String, String)],
    pub limits: &'a str,
}

/// What is read of a document of results.
#[derive(Deserialize)]
struct Results {
    results: Vec<Row>,
    /// The weights that were measured, where the document tells.
    #[serde(default)]
    weights: Vec<FileHash>,
}

#[derive(Deserialize)]
struct Row {
    task: String,
    metric: String,
    value: f64,
    #[serde(default)]
    stderr: Option<f64>,
    n: u64,
    /// A way of reading answers; metrics under different ones are different metrics.
    #[serde(default)]
    filter: Option<String>,
}

impl Manifest {
    /// Hashes the model's files and joins them with what is known about it.
    ///
    /// # Errors
    /// When a file cannot be read, a document is not what it should be, or one is about other weights.
    pub fn make(model: &Path, sources: &Sources<'_>, at: Timestamp) -> Result<Self, Error> {
        let files = survey(model)?;
        let disclosure = sources.disclosure.map(read_disclosure).transpose()?;
        if let Some(disclosure) = &disclosure {
            let stated = disclosed_weights(disclosure);
            if let Some(stated) = stated.filter(|hash| !files.iter().any(|f| f.sha256 == *hash)) {
                let what = format!("is about weights with the SHA-256 {stated}");
                return Err(Error::OtherModel { document: "the disclosure".into(), what });
            }
        }
        let mut results = Vec::new();
        for (name, text) in sources.results {
            results.extend(read_results(name, text, &files)?);
        }
        let (policy, policy_text) = sources.policy;
        Ok(Self {
            schema: SCHEMA.into(),
            model: sources.name.into(),
            made_at: at,
            files,
            policy: PolicyName { name: policy.into(), sha256: sha256::of(policy_text.as_bytes()) },
            disclosure,
            results,
            limits: Limits { text: sources.limits.trim().into() },
        })
    }

    /// From its file's text.
    ///
    /// # Errors
    /// When it is none, or of another version.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let manifest: Self = serde_json::from_str(text)
            .map_err(|cause| Error::Manifest(format!("it cannot be read: {cause}")))?;
        if manifest.schema != SCHEMA {
            let what = format!("its form is {}, and {SCHEMA} is known here", manifest.schema);
            return Err(Error::Manifest(what));
        }
        Ok(manifest)
    }

    /// Writes it beside the model, whole or not at all; returns where.
    ///
    /// # Errors
    /// When one stands there already, unless it may be replaced: reviews of the old one no longer count then.
    pub fn write(&self, model: &Path, replace: bool) -> Result<PathBuf, Error> {
        let path = manifest_path(model);
        if path.exists() && !replace {
            return Err(Error::Manifest(format!(
                "{} exists already, with its reviews",
                path.display()
            )));
        }
        let text = serde_json::to_string_pretty(self)
            .map_err(|cause| Error::Manifest(format!("it cannot be written: {cause}")))?;
        put(&path, &(text + "\n"))?;
        Ok(path)
    }

    /// A number of the disclosure by its place.
    pub(super) fn fact(&self, place: &str) -> Option<f64> {
        let mut value = self.disclosure.as_ref()?;
        for key in place.split('.') {
            value = value.get(key)?;
        }
        value.get("value").unwrap_or(value).as_f64()
    }

    /// The SHA-256 of the weights that the disclosure is about, where it tells.
    pub(super) fn disclosed_weights(&self) -> Option<&str> {
        disclosed_weights(self.disclosure.as_ref()?)
    }
}

fn disclosed_weights(disclosure: &Value) -> Option<&str> {
    disclosure["identity"]["weights_sha256"]["value"].as_str().filter(|hash| !hash.is_empty())
}

fn read_disclosure(text: &str) -> Result<Value, Error> {
    let wrong = |what: String| Error::Document {
        what,
        way_out: "`polymath disclose RUN_DIR --format json --out FILE` writes one",
    };
    let value: Value = serde_json::from_str(text)
        .map_err(|cause| wrong(format!("the disclosure is no JSON: {cause}")))?;
    match value["schema"].as_str() {
        Some(crate::disclosure::SCHEMA) => Ok(value),
        other => Err(wrong(format!("the disclosure's schema is {}", other.unwrap_or("missing")))),
    }
}

fn read_results(name: &str, text: &str, files: &[FileHash]) -> Result<Vec<Measured>, Error> {
    let read: Results = serde_json::from_str(text).map_err(|cause| Error::Document {
        what: format!("{name} holds no results: {cause}"),
        way_out: "`polymath eval --model MODEL TASK… --json` prints such a document",
    })?;
    if let Some(other) = read.weights.iter().find(|w| !files.iter().any(|f| f.sha256 == w.sha256)) {
        let what = format!("measured {} with the SHA-256 {}", other.path, other.sha256);
        return Err(Error::OtherModel { document: name.into(), what });
    }
    let evidence = sha256::of(text.as_bytes());
    let measured = |row: Row| Measured {
        task: row.task,
        metric: match row.filter {
            Some(filter) => format!("{},{filter}", row.metric),
            None => row.metric,
        },
        value: row.value,
        stderr: row.stderr,
        n: row.n,
        evidence: evidence.clone(),
    };
    Ok(read.results.into_iter().map(measured).collect())
}
