//! The judgement: whether these files may be let out under this policy.

use std::path::Path;

use serde::Serialize;

use super::files::{FileHash, manifest_path, survey};
use super::manifest::Manifest;
use super::policy::{Comparison, Policy};
use super::review::{self, Decision, Review};
use crate::{Error, sha256};

/// A reason why the gate stays shut.
#[derive(Debug, Clone, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    #[error(
        "{path} is not the file that was reviewed: its SHA-256 is {is}, the manifest says {was}"
    )]
    Altered { path: String, was: String, is: String },
    #[error("{path} was reviewed and is missing")]
    Missing { path: String },
    #[error("{path} was not there when the model was reviewed")]
    Added { path: String },
    #[error("it was reviewed under another policy: {was} (SHA-256 {was_sha256})")]
    OtherPolicy { was: String, was_sha256: String },
    #[error("there is no disclosure, and the policy asks for one")]
    NoDisclosure,
    #[error("the disclosure is about other weights (SHA-256 {sha256})")]
    OtherWeights { sha256: String },
    #[error("no limits are stated")]
    NoLimits,
    #[error("{subject} must be known: {reason}")]
    Unknown { subject: String, reason: String },
    #[error("{subject} is {value}, and has to be {bound}")]
    Missed { subject: String, value: f64, bound: String },
    #[error("{have} of the {need} approvals that are needed")]
    TooFew { have: usize, need: usize },
    #[error("{reviewer} objects: {reason}")]
    Objection { reviewer: String, reason: String },
}

impl Fault {
    /// Whether it is about who signed, not about the model.
    pub fn is_review(&self) -> bool {
        matches!(self, Self::TooFew { .. } | Self::Objection { .. })
    }
}

/// What a judgement found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    pub model: String,
    pub policy: String,
    /// Nothing stands against it.
    pub released: bool,
    pub faults: Vec<Fault>,
    pub reviews: Vec<Review>,
    /// Signature files that do not count, and why.
    pub ignored: Vec<String>,
    /// The manifest as it was read for this judgement: what a reviewer signs. The file may have been exchanged since.
    #[serde(skip)]
    pub manifest: String,
}

/// Judges the model at `model` (a folder or a file) by the policy's text and meaning. Reads every byte of the model.
///
/// # Errors
/// When the policy contradicts itself, there is no manifest, or a file cannot be read.
pub fn judge(model: &Path, policy: &Policy, policy_text: &str) -> Result<Verdict, Error> {
    policy.check()?;
    let path = manifest_path(model);
    let text = std::fs::read_to_string(&path).map_err(|cause| match cause.kind() {
        std::io::ErrorKind::NotFound => Error::NoManifest(path.clone()),
        _ => Error::file("read", &path, cause),
    })?;
    let manifest = Manifest::parse(&text)?;
    let mut faults = compare_files(&manifest.files, &survey(model)?);
    if manifest.policy.sha256 != sha256::of(policy_text.as_bytes()) {
        let was = &manifest.policy;
        let (was, was_sha256) = (was.name.clone(), was.sha256.clone());
        faults.push(Fault::OtherPolicy { was, was_sha256 });
    }
    if policy.disclosure && manifest.disclosure.is_none() {
        faults.push(Fault::NoDisclosure);
    }
    if let Some(hash) = manifest.disclosed_weights()
        && !manifest.files.iter().any(|file| file.sha256 == hash)
    {
        faults.push(Fault::OtherWeights { sha256: hash.into() });
    }
    if manifest.limits.text.trim().is_empty() {
        faults.push(Fault::NoLimits);
    }
    for threshold in &policy.thresholds {
        let subject = threshold.subject().map(|subject| subject.to_string()).unwrap_or_default();
        match threshold.compare(&manifest) {
            Comparison::Holds => {}
            Comparison::Unknown(reason) => faults.push(Fault::Unknown { subject, reason }),
            Comparison::Missed { value, bound } => {
                faults.push(Fault::Missed { subject, value, bound });
            }
        }
    }
    let (reviews, ignored) = review::read(model, &text, policy)?;
    faults.extend(count(policy, &reviews));
    Ok(Verdict {
        model: manifest.model,
        policy: policy.name.clone(),
        released: faults.is_empty(),
        faults,
        reviews,
        ignored,
        manifest: text,
    })
}

fn count(policy: &Policy, reviews: &[Review]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let have = reviews.iter().filter(|review| review.decision == Decision::Approves).count();
    if have < policy.signatures {
        faults.push(Fault::TooFew { have, need: policy.signatures });
    }
    let objections = reviews.iter().filter_map(|review| match &review.decision {
        Decision::Objects(reason) => {
            Some(Fault::Objection { reviewer: review.reviewer.clone(), reason: reason.clone() })
        }
        Decision::Approves => None,
    });
    let objections: Vec<Fault> = objections.collect();
    if objections.len() > policy.objections_allowed {
        faults.extend(objections);
    }
    faults
}

/// Both lists are in order of their paths.
fn compare_files(was: &[FileHash], is: &[FileHash]) -> Vec<Fault> {
    let find = |files: &[FileHash], path: &str| files.iter().find(|f| f.path == path).cloned();
    let mut faults = Vec::new();
    for file in was {
        match find(is, &file.path) {
            None => faults.push(Fault::Missing { path: file.path.clone() }),
            Some(now) if now.sha256 != file.sha256 || now.bytes != file.bytes => {
                faults.push(Fault::Altered {
                    path: file.path.clone(),
                    was: file.sha256.clone(),
                    is: now.sha256,
                });
            }
            Some(_) => {}
        }
    }
    let added = is.iter().filter(|file| find(was, &file.path).is_none());
    faults.extend(added.map(|file| Fault::Added { path: file.path.clone() }));
    faults
}
