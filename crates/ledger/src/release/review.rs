//! Reviews: `minisign` signatures of the manifest, whose signed comment says what the reviewer decided.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::files::{manifest_path, put};
use super::judge::Verdict;
use super::policy::Policy;
use crate::signature::{self, SecretSigner, key_id};
use crate::{Error, Timestamp};

/// Ending of a signature's file.
pub(super) const SIGNATURE: &str = "minisig";

/// How the signed comment of an approval begins; the rest is for people.
const APPROVES: &str = "approves";
/// How that of an objection begins.
const OBJECTS: &str = "objects";

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    Approves,
    /// With the reviewer's reason.
    Objects(String),
}

/// A signature that holds, of a reviewer whom the policy names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Review {
    pub reviewer: String,
    pub decision: Decision,
    /// The comment that was signed.
    pub comment: String,
}

/// Signs the manifest that was judged, byte for byte and without reading its file again: nobody signs what they have not
/// seen. Returns where the signature stands. The same reviewer's earlier review is replaced.
///
/// # Errors
/// When the key is not one of the policy's, or the file cannot be written.
pub fn sign(
    model: &Path,
    judged: &Verdict,
    policy: &Policy,
    secret: &str,
    decision: &Decision,
    at: Timestamp,
) -> Result<PathBuf, Error> {
    let key = SecretSigner::read(secret)?;
    let id = key.key_id();
    let named = |key: &str| key_id(key).is_ok_and(|known| known == id);
    if !policy.reviewers.iter().any(|reviewer| named(&reviewer.key)) {
        return Err(Error::NoReviewer { key: id, policy: policy.name.clone() });
    }
    let at = at.strftime("%Y-%m-%dT%H:%M:%SZ");
    let comment = match decision {
        Decision::Approves => format!("{APPROVES} ({at})"),
        // The comment is one line of the signature's file.
        Decision::Objects(reason) => {
            format!("{OBJECTS}: {} ({at})", reason.replace(['\n', '\r'], " "))
        }
    };
    let text = key.sign(judged.manifest.as_bytes(), &comment)?;
    let mut name = manifest_path(model).into_os_string();
    name.push(format!(".{id}.{SIGNATURE}"));
    let path = PathBuf::from(name);
    put(&path, &text)?;
    Ok(path)
}

/// Reviews beside the manifest that count, and what is to be said of signature files that do not.
///
/// # Errors
/// When the folder cannot be listed.
pub(super) fn read(
    model: &Path,
    manifest: &str,
    policy: &Policy,
) -> Result<(Vec<Review>, Vec<String>), Error> {
    let path = manifest_path(model);
    let (folder, name) = (path.parent().unwrap_or(Path::new(".")), path.file_name());
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let start = format!("{}.", name.and_then(|name| name.to_str()).unwrap_or_default());
    let failed = |cause| Error::file("read", folder, cause);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with(&start) && name.ends_with(&format!(".{SIGNATURE}")) {
            paths.push(path);
        }
    }
    paths.sort();
    let (mut reviews, mut ignored): (Vec<Review>, Vec<String>) = (Vec::new(), Vec::new());
    for path in paths {
        match one(&path, manifest, policy) {
            Ok(review) => match reviews.iter_mut().find(|r| r.reviewer == review.reviewer) {
                None => reviews.push(review),
                // Of two reviews by one person the objection counts.
                Some(earlier) if earlier.decision == Decision::Approves => *earlier = review,
                Some(_) => {}
            },
            Err(reason) => ignored.push(format!("{}: {reason}", path.display())),
        }
    }
    Ok((reviews, ignored))
}

/// The review in one file, or why it does not count.
fn one(path: &Path, manifest: &str, policy: &Policy) -> Result<Review, String> {
    let text = std::fs::read_to_string(path).map_err(|cause| cause.to_string())?;
    let id = signature::key_id_of_signature(&text).map_err(|cause| cause.to_string())?;
    let reviewer = policy.reviewers.iter().find(|r| key_id(&r.key).is_ok_and(|known| known == id));
    let reviewer = reviewer.ok_or("signed with a key that the policy does not name")?;
    let comment = signature::verify(manifest.as_bytes(), &text, &reviewer.key)
        .map_err(|cause| cause.to_string())?;
    let begins = |word: &str| {
        comment.strip_prefix(word).filter(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
    };
    let decision = match (begins(APPROVES), begins(OBJECTS)) {
        (Some(_), _) => Decision::Approves,
        (_, Some(rest)) => Decision::Objects(rest.trim_start_matches([':', ' ']).to_owned()),
        _ => {
            return Err(format!(
                "{} signed it without saying \"{APPROVES}\" or \"{OBJECTS}: REASON\" in the signed comment",
                reviewer.name
            ));
        }
    };
    Ok(Review { reviewer: reviewer.name.clone(), decision, comment })
}
