//! How far predictions are from what was measured: by group, and row by row, as a page of text.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use crate::constants::Constants;
use crate::predict::{Outcome, Prediction, held_out, predict};
use crate::ranks;
use crate::runs::Run;

/// Errors of some rows, in per cent of the measured step time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Errors {
    pub n: usize,
    /// Of the absolute errors.
    pub median: f64,
    pub mean: f64,
    pub max: f64,
    /// Mean of the signed errors.
    pub bias: f64,
}

impl Errors {
    /// None where there are none.
    pub fn of(signed: &[f64]) -> Option<Self> {
        let mut absolute: Vec<f64> = signed.iter().map(|error| error.abs()).collect();
        absolute.sort_by(f64::total_cmp);
        let n = absolute.len();
        let max = *absolute.last()?;
        let median = (absolute[(n - 1) / 2] + absolute[n / 2]) / 2.0;
        let mean = |values: &[f64]| values.iter().sum::<f64>() / n as f64;
        Some(Self { n, median, mean: mean(&absolute), max, bias: mean(signed) })
    }
}

/// Errors by group: of the rows that were fitted, of those held out, of all.
pub fn by_group(predictions: &[Prediction]) -> Vec<(String, [Option<Errors>; 3])> {
    let mut groups: BTreeMap<String, [Vec<f64>; 3]> = BTreeMap::new();
    for prediction in predictions {
        let Outcome::Predicted(predicted) = &prediction.outcome else { continue };
        let Some(error) = predicted.error_pct else { continue };
        let kind = usize::from(held_out(&prediction.id));
        for name in [prediction.group.as_str(), "all"] {
            let entry = groups.entry(name.to_string()).or_default();
            entry[kind].push(error);
            entry[2].push(error);
        }
    }
    let all = groups.remove("all");
    let mut rows: Vec<_> = groups.into_iter().collect();
    rows.extend(all.map(|errors| ("all".to_string(), errors)));
    rows.into_iter().map(|(name, errors)| (name, errors.map(|list| Errors::of(&list)))).collect()
}

/// How NVIDIA's own layouts stand among ours.
fn standings_part(
    runs: &[Run],
    constants: &Constants,
    groups: &[(String, [Option<Errors>; 3])],
) -> String {
    const GROUP: &str = "megatron-bridge";
    let standings = ranks::standings(runs, GROUP, constants, 2);
    let held = groups.iter().find(|(name, _)| name == GROUP).and_then(|(_, errors)| errors[1]);
    let (Some(held), n @ 1..) = (held, standings.len()) else { return String::new() };
    let (five, near) = ranks::among(&standings, 5, held.median / 100.0);
    let (ten, _) = ranks::among(&standings, 10, 0.0);
    let fit = standings.iter().filter(|s| s.fits).count();
    let close = standings.iter().filter(|s| s.against_first <= 1.25).count();
    let mut out = format!(
        "\n## Layouts that NVIDIA chose, among ours\n\n\
         For each row of {GROUP}, the search looks for layouts of that model, batch and cluster, knowing nothing of the\n\
         row's layout. Counted is where the row's division into tp, pp, cp and ep comes.\n\n\
         - among our five best: {five} of {n}; among ten: {ten}\n\
         - among our five best or behind the fifth by no more than the median error of the group's held-out rows\n  \
         ({:.1} %), which predictions cannot tell apart: {near} of {n}\n\
         - the row's own layout takes at most a quarter longer than our best, by our own count: {close} of {n}\n\
         - the row's own layout fits: {fit} of {n}\n\n\
         Not among the five:",
        held.median
    );
    let far = standings.iter().filter(|s| s.rank.is_none_or(|rank| rank > 5));
    let list: Vec<String> = far
        .map(|s| {
            let rank = s.rank.map_or("none".into(), |rank| rank.to_string());
            format!("{} (rank {rank}, {:+.1} %)", s.id, 100.0 * (s.against_fifth - 1.0))
        })
        .collect();
    let _ = writeln!(out, " {}. The percentage is against our fifth.", list.join(", "));
    let change = |c: &ranks::Change| {
        let percent = |ratio: f64| 100.0 * (ratio - 1.0);
        let (measured, predicted) = (percent(c.measured), percent(c.predicted));
        format!("{} to {} {measured:+.1} ({predicted:+.1}) %", c.before, c.after)
    };
    let changes: Vec<String> = ranks::changes(runs, GROUP, constants).iter().map(change).collect();
    let _ = writeln!(
        out,
        "\nWhere a later release has another division on the same chips and software of the same generation, step times\n\
         changed, as measured (and as predicted): {}.",
        changes.join(", ")
    );
    out
}

/// The whole page, in Markdown.
pub fn page(runs: &[Run], constants: &Constants) -> String {
    let predictions = predict(runs, constants);
    let mut out = String::from(HEAD);
    out += "| group | rows | fitted: n | median | mean | max | held out: n | median | mean | max | bias of all |\n";
    out += "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n";
    let groups = by_group(&predictions);
    for (name, [fitted, held, all]) in &groups {
        let cells = |errors: &Option<Errors>| {
            errors.map_or_else(
                || "0 | | | ".to_string(),
                |e| format!("{} | {:.1} | {:.1} | {:.1}", e.n, e.median, e.mean, e.max),
            )
        };
        let n = all.map_or(0, |e| e.n);
        let bias = all.map_or(0.0, |e| e.bias);
        let _ =
            writeln!(out, "| {name} | {n} | {} | {} | {bias:+.1} |", cells(fitted), cells(held));
    }
    out += &standings_part(runs, constants, &groups);
    out += ROWS;
    for (run, prediction) in runs.iter().zip(&predictions) {
        let part = if held_out(&run.id) { "held out" } else { "fitted" };
        let _ = match &prediction.outcome {
            Outcome::Refused { reason } => writeln!(
                out,
                "| {} | {} | {} | {} | {} | | | | | no prediction: {reason} |",
                run.id,
                run.group,
                run.model,
                run.chip,
                run.chips.map_or(String::new(), |n| n.to_string())
            ),
            Outcome::Predicted(p) => {
                let chips = p.layout.chips();
                let (measured, error) = match (p.measured_step_s, p.error_pct) {
                    (Some(measured), Some(error)) => {
                        (format!("{measured:.3}"), format!("{error:+.1}"))
                    }
                    _ => (String::new(), String::new()),
                };
                let fits = if p.fits { "" } else { " (does not fit)" };
                writeln!(
                    out,
                    "| {} | {} | {} | {} | {chips} | {measured} | {:.3} | {error} | {:.0}{fits} | {part}; {} |",
                    run.id, run.group, run.model, run.chip, p.step_s, p.memory_gb, p.layout
                )
            }
        };
    }
    out
}

const HEAD: &str = "# How accurate the planner is

Made by `polymath plan accuracy --runs crates/plan/data/published_runs.tsv > docs/planner-accuracy.md`; do not edit.

Every row is a published training run. The planner is given model, chips and layout, and predicts the time of one
step; errors are per cent of the measured time, positive where the prediction is too slow. Its constants are fitted per
chip, network and generation of software (`crates/plan/data/constants.toml`), never per row. Rows marked *held out* —
one in four, chosen by a hash of the row's id — took no part in the fit; the form of the model and the constants that
are stated rather than fitted were chosen with them in sight. What a row does not say (recomputation,
micro-batch, interleaving) is assumed, the fastest that fits. What mixtures of experts in megatron-bridge recompute is from
the recipes of the releases (github.com/NVIDIA-NeMo/Megatron-Bridge, v0.3.0 to v0.6.0), not from its tables.

Where a row gives no step time, its TFLOP/s or utilisation is turned into one by the FLOP count of its own source
(hardware FLOPs where recomputation was counted, causal attention where the source halves it).

";

const ROWS: &str = "
## Rows

| id | group | model | chip | chips | measured s | predicted s | error % | memory GB | part; layout |
|---|---|---|---|---:|---:|---:|---:|---:|---|
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_summed_up_by_hand() {
        let errors = Errors::of(&[-10.0, 2.0, 4.0, 0.0]).unwrap();
        assert_eq!(errors, Errors { n: 4, median: 3.0, mean: 4.0, max: 10.0, bias: -1.0 });
        assert_eq!(Errors::of(&[]), None);
    }
}
