//! What was predicted before the run beside what came of it.

use super::facts::Writer;
use super::{Account, Check, Kind};
use crate::record::Planned;
use crate::totals::Range;

/// The prediction, the mean measured step that stands, and how far the one is from the other, per cent.
fn outcome<'a>(account: &Account<'a>) -> Option<(&'a Planned, f64, f64)> {
    let planned = account.history.started.plan.as_ref()?;
    let training = &account.totals.training;
    if training.count == 0 || training.seconds <= 0.0 || planned.step_s <= 0.0 {
        return None;
    }
    let measured = training.seconds / training.count as f64;
    Some((planned, measured, 100.0 * (planned.step_s / measured - 1.0)))
}

pub(super) fn facts(to: &mut Writer<'_>, account: &Account<'_>) {
    let Some(planned) = &account.history.started.plan else { return };
    let step = Range { value: planned.step_s, low: planned.step_s_low, high: planned.step_s_high };
    to.range("planned_step_s", "step as planned", step, "s", Kind::Estimated, &planned.method);
    let hours = planned.steps as f64 / 3600.0;
    let all = Range { value: step.value * hours, low: step.low * hours, high: step.high * hours };
    let how = "planned steps × planned step";
    to.range("planned_h", "all steps as planned", all, "h", Kind::Estimated, how);
    let Some((_, measured, error)) = outcome(account) else { return };
    let how = "mean of the steps that stand";
    to.add("measured_step_s", "step as it was", measured, "s", Kind::Measured, how);
    let how = "planned ÷ measured − 1; positive where the plan was too slow";
    to.add("step_error_pct", "error of the plan", error, "%", Kind::Derived, how);
    let spent = account.totals.training.seconds / 3600.0;
    to.add("measured_h", "steps that stand", spent, "h", Kind::Measured, "sum of their seconds");
}

/// Flagged where the run came out of the range that was promised.
pub(super) fn check(account: &Account<'_>) -> Option<Check> {
    let (planned, measured, difference_pct) = outcome(account)?;
    Some(Check {
        name: "planned step time against the measured one",
        stated: planned.step_s,
        other: measured,
        method: format!(
            "seconds; {}; promised were {:.3} to {:.3}",
            planned.method, planned.step_s_low, planned.step_s_high
        ),
        difference_pct,
        flagged: !(planned.step_s_low..=planned.step_s_high).contains(&measured),
    })
}
