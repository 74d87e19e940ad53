//! The oversight gate: a model is let out when it is the one that was reviewed, meets the policy's thresholds, and
//! enough of the named reviewers have signed for it.
//!
//! ```text
//! model files ─┐
//! disclosure ──┼─ survey ─▶ manifest ── reviewers sign ─▶ judge(policy) ─▶ verdict
//! results ─────┤                                            ▲
//! limits ──────┘                         the operator's own copy of the policy
//! ```
//! The manifest ([`Manifest`]) stands beside the weights and holds a SHA-256 of every file, the disclosure, the results
//! and the stated limits. Its signatures are `minisign`'s (Ed25519), one file each, so that a reviewer needs no program
//! of ours. The policy is never read from the model's folder: whoever serves brings their own. Thresholds are
//! compared again at every judgement; no signature can override one.
//!
//! What it does not do: it cannot tell a careful reviewer from a careless one, and whoever can write to the folder can
//! take an objection away (never forge an approval). Keep copies of objections elsewhere.

mod files;
mod judge;
mod manifest;
mod policy;
mod review;

pub use files::{FileHash, manifest_path, weights};
pub use judge::{Fault, Verdict, judge};
pub use manifest::{Limits, Manifest, Measured, SCHEMA, Sources};
pub use policy::{Policy, Reviewer, Subject, Threshold};
pub use review::{Decision, Review, sign};
