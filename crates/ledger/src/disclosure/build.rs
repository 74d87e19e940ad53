//! From accounts to a disclosure: which runs count, which checks are made.

use serde_json::Value;

use super::{Account, Check, Disclosure, Evidence, Role, facts, forms, planned, thresholds};
use crate::Timestamp;
use crate::history::Ending;
use crate::record::BaseModel;

/// A closed form and the sum over the steps may differ by so much, per cent, before it is worth a look.
const ACCEPTED_PCT: f64 = 10.0;

/// Sums over the runs that led to the weights, and over those that did not.
pub(super) struct Cumulative {
    /// Model FLOPs of steps that stand, of all runs that led to the weights and of the model they began with.
    pub(super) model_flop: f64,
    /// Hardware FLOPs of everything in those runs, rolled-back steps and evaluations included.
    pub(super) issued_flop: f64,
    pub(super) joules: f64,
    pub(super) experiments_issued_flop: f64,
    pub(super) experiments_joules: f64,
}

/// Writes the disclosure of the subject, the first account; those that led to it follow, the latest first.
///
/// `corpus` is the report of the build of its training text, where there is one.
pub fn disclose(
    accounts: &[Account<'_>],
    corpus: Option<&Value>,
    at: Timestamp,
) -> Option<Disclosure> {
    let subject = accounts.first()?;
    let cumulative = accumulate(accounts);
    let sections = facts::sections(subject, &cumulative, corpus);
    let mut thresholds = thresholds::all(cumulative.model_flop);
    if let Some(base) = first_base(accounts) {
        let change = cumulative.model_flop - base.cumulative_model_flop.unwrap_or(0.0);
        thresholds.push(thresholds::of_a_change(change, base.cumulative_model_flop));
    }
    let mut disclosure = Disclosure {
        generated_at: at,
        sections,
        thresholds,
        checks: checks(subject),
        journals: accounts.iter().map(evidence).collect(),
        declared: None,
        forms: Vec::new(),
    };
    disclosure.forms =
        vec![("epoch", forms::epoch(&disclosure)), ("eu_documentation", forms::eu(&disclosure))];
    Some(disclosure)
}

fn accumulate(accounts: &[Account<'_>]) -> Cumulative {
    let counted = || accounts.iter().filter(|account| account.role != Role::Experiment);
    let experiments = || accounts.iter().filter(|account| account.role == Role::Experiment);
    let base = first_base(accounts).and_then(|base| base.cumulative_model_flop);
    Cumulative {
        model_flop: counted().map(|a| a.totals.training.model_flop).sum::<f64>()
            + base.unwrap_or(0.0),
        issued_flop: counted().map(|a| a.totals.issued_flop).sum(),
        joules: counted().map(|a| a.totals.energy.joules()).sum(),
        experiments_issued_flop: experiments().map(|a| a.totals.issued_flop).sum(),
        experiments_joules: experiments().map(|a| a.totals.energy.joules()).sum(),
    }
}

/// The model that the earliest run began with: accounts go back in time, and what a later run began with is the
/// result of the one behind it.
fn first_base<'a>(accounts: &[Account<'a>]) -> Option<&'a BaseModel> {
    let earliest = accounts.iter().rfind(|account| account.role != Role::Experiment)?;
    earliest.history.started.base.as_ref()
}

fn evidence(account: &Account<'_>) -> Evidence {
    let started = account.history.started;
    Evidence {
        role: account.role,
        run_id: started.run_id.clone(),
        phase: started.phase.clone(),
        head: account.contents.head.clone(),
        lines: account.contents.entries.len() as u64,
        model_flop: account.totals.training.model_flop,
        issued_flop: account.totals.issued_flop,
        joules: account.totals.energy.joules(),
        finished: matches!(account.history.ending, Some(Ending::Finished(_))),
    }
}

fn check(name: &'static str, stated: f64, other: f64, flagged: bool, method: String) -> Check {
    let difference_pct = 100.0 * (stated - other) / other;
    Check { name, stated, other, method, difference_pct, flagged }
}

/// The sum over the steps against a closed form, and against what the machine can do at most.
fn checks(account: &Account<'_>) -> Vec<Check> {
    let (training, started) = (&account.totals.training, account.history.started);
    let model = &started.model;
    let mut checks = Vec::new();
    let weights = model.matrix_weights_per_token as f64;
    let query_width = if model.query_width > 0 { model.query_width } else { model.width } as f64;
    let per_token = 6.0 * weights + 12.0 * model.layers as f64 * query_width * model.context as f64;
    let closed = per_token * training.tokens as f64;
    if weights > 0.0 && closed > 0.0 {
        let method = "6 × weights in products × tokens + 12 × layers × query width × context × tokens, from the model's \
                      description alone; documents shorter than the context make the sum over the steps smaller";
        let stated = training.palm_flop;
        let flagged = (stated / closed - 1.0).abs() * 100.0 > ACCEPTED_PCT;
        checks.push(check(
            "palm_flop against the closed form",
            stated,
            closed,
            flagged,
            method.into(),
        ));
    }
    if let Some(peak) = started.host.peak_flop_per_s.filter(|peak| *peak > 0.0) {
        let most = peak * training.seconds;
        if most > 0.0 {
            let stated = training.hardware_flop;
            let method = format!(
                "highest rate of the machine ({peak:.3e} FLOP/s) × seconds in steps: no run can exceed it"
            );
            checks.push(check(
                "hardware_flop against the machine",
                stated,
                most,
                stated > most,
                method,
            ));
        }
    }
    checks.extend(planned::check(account));
    checks
}
