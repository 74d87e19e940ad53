//! Someone else's run, from what they published: a file of facts instead of a journal.
//!
//! Two methods count the same run. *Operations*: the products of the architecture times the tokens. *Hardware*: chips,
//! time and the rate they reached. Both stand in the document with the published figure beside them, like with like:
//! a rate that counts recomputation is compared with hardware FLOPs. Where two differ by more than 10 % the check is
//! flagged. The operations are what thresholds are compared with; without an architecture, 6 N D; without both, the
//! hardware.

mod count;
mod facts;
mod read;

use super::{Check, Disclosure, forms, thresholds};
use crate::{Error, Timestamp, sha256};

pub use read::DeclaredRun;

use count::Count;

/// Methods may differ by so much, per cent (rule 8 of the project's accounting; the European guidelines accept 30).
const ACCEPTED_PCT: f64 = 10.0;

/// What the facts are read from.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Declaration {
    /// SHA-256 of the file of facts.
    pub sha256: String,
    /// Where whoever wrote the file has them from.
    pub sources: Vec<String>,
}

/// Writes the disclosure of a declared run; `text` is the file it was read from.
pub fn disclose_declared(
    run: &DeclaredRun,
    text: &str,
    at: Timestamp,
) -> Result<Disclosure, Error> {
    run.check()?;
    let count = Count::of(run)?;
    let sha256 = sha256::of(text.as_bytes());
    let cumulative = count.model_flop + run.base_flop();
    let mut thresholds = thresholds::all(cumulative);
    if run.identity.biological {
        thresholds.push(thresholds::of_biology(cumulative));
    }
    if let Some(base) = &run.base {
        thresholds.push(thresholds::of_a_change(count.model_flop, base.model_flop));
    }
    let mut disclosure = Disclosure {
        generated_at: at,
        sections: facts::sections(run, &count, &sha256),
        thresholds,
        checks: checks(run, &count),
        journals: Vec::new(),
        declared: Some(Declaration { sha256, sources: run.identity.sources.clone() }),
        forms: Vec::new(),
    };
    disclosure.forms =
        vec![("epoch", forms::epoch(&disclosure)), ("eu_documentation", forms::eu(&disclosure))];
    Ok(disclosure)
}

fn compared(name: &'static str, stated: f64, other: f64, method: String) -> Check {
    let difference_pct = 100.0 * (stated - other) / other;
    let flagged = difference_pct.abs() > ACCEPTED_PCT;
    Check { name, stated, other, method, difference_pct, flagged }
}

/// Each pair of ways to one number that the facts allow.
fn checks(run: &DeclaredRun, count: &Count) -> Vec<Check> {
    let mut checks = Vec::new();
    if let (Some(operations), Some(hardware)) = (&count.operations, &count.hardware) {
        let (own, kind) = if hardware.counts_recompute {
            (operations.hardware_flop, "hardware FLOPs")
        } else {
            (operations.palm_flop, "model FLOPs, PaLM convention")
        };
        let method = format!("{kind} by operations; by hardware: {}", hardware.method);
        let mut check = compared("operations against hardware", own, hardware.flop, method);
        // An assumed utilisation cannot be more than ten per cent exact.
        if hardware.low < hardware.high {
            check.flagged = !(hardware.low..=hardware.high).contains(&own);
        }
        checks.push(check);
    }
    if let (Some(operations), Some(simple)) = (&count.operations, count.six_n_d) {
        let method = "model FLOPs of the products and causal attention; 6 × parameters a token meets × tokens leaves \
                      attention out and counts the embedding table";
        let name = "operations against 6 N D";
        checks.push(compared(name, operations.model_flop, simple, method.into()));
    }
    let Some(published) = run.compute.published_flop else { return checks };
    let ways = run.compute.published_counts_recompute();
    let (own, kind) = match (&count.operations, &count.hardware) {
        (Some(operations), _) if ways => (operations.hardware_flop, "hardware FLOPs by operations"),
        (Some(operations), _) => {
            // The published figure says which convention it follows, or none; take the nearer one.
            let off = |flop: f64| (flop / published).ln().abs();
            if off(operations.palm_flop) < off(operations.model_flop) {
                (operations.palm_flop, "model FLOPs by operations, PaLM convention")
            } else {
                (operations.model_flop, "model FLOPs by operations")
            }
        }
        (None, Some(hardware)) => (hardware.flop, "by hardware"),
        (None, None) => (count.model_flop, "6 N D"),
    };
    let source = run.compute.published_source.as_deref().unwrap_or("no source given");
    let method = format!("{kind}; published: {source}");
    checks.push(compared("this count against the published figure", own, published, method));
    checks
}
