//! Many small runs, one law: which size is best for how much compute, and does a mixture of experts win?
//!
//! A sweep trains models of several depths in several *families* (dense, mixtures of experts) on the same budgets of
//! model FLOPs and the same text. Families are compared twice: at equal FLOPs and at equal time. The time of a run is
//! its tokens times the seconds per token of its shape, measured for all shapes one after the other before anything is
//! trained, so that what else the machine does later does not favour anybody.
//!
//! Every run is an ordinary run in its own folder under the sweep's; one that is finished is not made again, and one
//! that was stopped goes on. So is a measured speed kept in `speeds.json`.

mod law;
mod plot;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use ledger::history::History;
use ledger::journal;
use ledger::totals::Totals;
use model::config::DecoderConfig;
use model::cost;
use serde::{Deserialize, Serialize};

pub use law::{LEAST_POINTS, Law, Point};

use crate::bench;
use crate::collective::Alone;
use crate::config::{self, Config, DataConfig, Evaluation, ModelConfig, Training};
use crate::describe::Sizes;
use crate::run::{self, Observer, Options};
use crate::{Error, dial};

/// Larger than any run is long.
const ONLY_AT_THE_END: u64 = 1 << 40;
/// Steps whose median is a shape's speed.
const TIMED_STEPS: usize = 5;

/// A sweep's file. Relative paths are taken from its folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    pub name: String,
    pub run_dir: PathBuf,
    #[serde(default)]
    pub seed: u64,
    pub data: DataConfig,
    /// As in a run; tokens follow from the budget.
    #[serde(default)]
    pub training: Training,
    #[serde(default)]
    pub evaluation: Evaluation,
    /// What is compared.
    pub family: Vec<Family>,
    /// Each budget of compute with the depths that are trained on it.
    pub budget: Vec<Budget>,
}

/// Models that differ in depth alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Family {
    pub name: String,
    /// 0 for dense.
    pub experts: usize,
    #[serde(default)]
    pub active: usize,
}

/// Model FLOPs for one run, and the depths they are spent on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    pub flops: f64,
    pub depths: Vec<usize>,
}

/// One trained model of a sweep.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    pub family: String,
    pub depth: usize,
    /// Model FLOPs it was given.
    pub budget: f64,
    pub parameters: u64,
    pub parameters_active: u64,
    /// Weights in matrix products per token: the N of the law.
    pub matrix_weights_per_token: u64,
    pub tokens: u64,
    pub model_flop: f64,
    pub held_out_bits_per_byte: f64,
    /// Tokens times the measured seconds per token of this shape.
    pub seconds: f64,
    pub joules: f64,
    pub run_dir: PathBuf,
}

/// What the first family spends for a loss ÷ what another needs for the same loss: above one, the other wins.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    pub family: String,
    pub against: String,
    /// Bits per byte of `against`'s best model of each budget.
    pub bits_per_byte: Vec<f64>,
    /// Ratios of model FLOPs at those losses; none where the losses of `family` do not reach so far.
    pub flop_ratio: Vec<Option<f64>>,
    /// The same of seconds.
    pub seconds_ratio: Vec<Option<f64>>,
}

/// Everything a sweep found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub name: String,
    pub outcomes: Vec<Outcome>,
    pub laws: BTreeMap<String, Option<Law>>,
    pub comparisons: Vec<Comparison>,
    /// Runs that are not finished.
    pub missing: usize,
}

impl Sweep {
    /// Reads a sweep's file.
    ///
    /// # Errors
    /// When it cannot be read or asks for nothing that can be trained.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let hint = "examples/train/sweep.toml is one that works";
        let mut sweep: Self = config::read_toml(path, hint)?;
        if sweep.run_dir.as_os_str().is_empty() {
            return Err(Error::malformed(path, "run_dir is empty", hint));
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        let place = |path: &mut PathBuf| config::place(folder, path);
        place(&mut sweep.run_dir);
        place(&mut sweep.data.shards);
        sweep.data.held_out.iter_mut().for_each(place);
        if sweep.family.is_empty() || sweep.budget.iter().all(|budget| budget.depths.is_empty()) {
            return Err(Error::malformed(path, "it names no family or no depth", hint));
        }
        let usable = |budget: &Budget| budget.flops.is_finite() && budget.flops > 0.0;
        if !sweep.budget.iter().all(usable) {
            return Err(Error::malformed(path, "a budget is not a positive number", hint));
        }
        Ok(sweep)
    }

    /// Every run, by budget from the smallest, families side by side.
    fn runs(&self) -> Result<Vec<Planned>, Error> {
        let shards = corpus::shards::Shards::open(&self.data.shards)?;
        let (vocab, length) = (shards.vocab_size().next_multiple_of(64), shards.sequence_length());
        let mut runs = Vec::new();
        for budget in &self.budget {
            for &depth in &budget.depths {
                for family in &self.family {
                    let experts = Some((family.experts, family.active));
                    let sizes = dial::sizes(depth, vocab, length, experts);
                    let decoder = DecoderConfig::from_hugging_face(
                        &sizes.to_json(),
                        Path::new("config.json"),
                    )?;
                    let per_token =
                        cost::training_flops(&decoder, &[length as u64]) / length as f64;
                    let tokens = budget.flops / per_token;
                    let model = ModelConfig {
                        depth: Some(depth),
                        experts: Some(family.experts),
                        active: (family.experts > 0).then_some(family.active),
                        ..ModelConfig::default()
                    };
                    let name = format!("{}-depth-{depth}-{:.0e}", family.name, budget.flops);
                    let mut config = Config {
                        run_dir: self.run_dir.join(&name),
                        name,
                        seed: self.seed,
                        data: self.data.clone(),
                        model,
                        training: Training { tokens: Some(tokens), ..self.training.clone() },
                        evaluation: self.evaluation.clone(),
                        ..Config::default()
                    };
                    config.evaluation.every_steps = ONLY_AT_THE_END;
                    config.evaluation.prompts.clear();
                    runs.push(Planned {
                        config,
                        family: family.name.clone(),
                        depth,
                        budget: budget.flops,
                        sizes,
                    });
                }
            }
        }
        Ok(runs)
    }
}

/// A run of the sweep before it is made.
struct Planned {
    config: Config,
    family: String,
    depth: usize,
    budget: f64,
    sizes: Sizes,
}

impl Planned {
    /// What the shape is called in `speeds.json`.
    fn shape(&self) -> String {
        format!("{}-depth-{}", self.family, self.depth)
    }
}

/// Makes what is missing of a sweep, then draws it: `sweep.json`, `sweep.svg` and the runs' own folders.
///
/// # Errors
/// When a run fails, or something cannot be written. Runs that are done stay done.
pub fn sweep(
    sweep: &Sweep,
    options: &Options<'_>,
    observer: &mut dyn Observer,
) -> Result<Report, Error> {
    let planned = sweep.runs()?;
    let hint = "check the disk and who may write there";
    fs::create_dir_all(&sweep.run_dir)
        .map_err(|error| Error::io(&sweep.run_dir, "create", error, hint))?;
    let speeds = speeds(sweep, &planned, options.n_threads, observer)?;
    let mut outcomes = Vec::new();
    for (idx, run) in planned.iter().enumerate() {
        let journal = run.config.run_dir.join(run::JOURNAL);
        if !run.config.run_dir.join("model").is_dir() {
            if options.stop.load(Ordering::Relaxed) {
                continue;
            }
            observer.note(&format!("{} of {}: {}", idx + 1, planned.len(), run.config.name));
            let options = Options {
                resume: journal.is_file(),
                stop: options.stop,
                code_version: options.code_version.clone(),
                planner: options.planner,
                ..*options
            };
            run::train(run.config.clone(), &options, &mut Alone, observer)?;
        }
        if let Some(outcome) = outcome(run, &journal, &speeds)? {
            outcomes.push(outcome);
        }
    }
    let report = report(sweep, outcomes, planned.len());
    let json = serde_json::to_string_pretty(&report).unwrap_or_default();
    run::write_whole(&sweep.run_dir.join("sweep.json"), json.as_bytes())?;
    run::write_whole(&sweep.run_dir.join("sweep.svg"), plot::drawing(&report).as_bytes())?;
    Ok(report)
}

/// Seconds per token of each shape, measured where `speeds.json` does not know it.
fn speeds(
    sweep: &Sweep,
    planned: &[Planned],
    n_threads: usize,
    observer: &mut dyn Observer,
) -> Result<BTreeMap<String, f64>, Error> {
    let path = sweep.run_dir.join("speeds.json");
    let hint = "remove it to have the speeds measured again";
    let mut speeds: BTreeMap<String, f64> = match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|error| Error::malformed(&path, error.to_string(), hint))?,
        Err(_) => BTreeMap::new(),
    };
    for run in planned {
        if speeds.contains_key(&run.shape()) {
            continue;
        }
        let length = run.sizes.context;
        let batch = sweep.training.batch_tokens.unwrap_or(sweep.training.pass_tokens);
        let n_texts = (batch.min(sweep.training.pass_tokens) as usize / length).max(1);
        let measured = bench::run_sizes(
            &run.sizes,
            run.config.settings().rule,
            (n_texts, length),
            n_threads,
            TIMED_STEPS,
        )?;
        observer.note(&format!("{}: {:.0} tokens/s", run.shape(), measured.tokens_per_s));
        speeds.insert(run.shape(), 1.0 / measured.tokens_per_s);
        let text = serde_json::to_string_pretty(&speeds).unwrap_or_default();
        run::write_whole(&path, text.as_bytes())?;
    }
    Ok(speeds)
}

/// What the journal of a finished run says; none while it is not finished.
fn outcome(
    run: &Planned,
    journal: &Path,
    speeds: &BTreeMap<String, f64>,
) -> Result<Option<Outcome>, Error> {
    if !run.config.run_dir.join("model").is_dir() {
        return Ok(None);
    }
    let contents = journal::read(journal)?;
    let Some(history) = History::of(&contents.entries) else { return Ok(None) };
    let Some(held_out) = history.evaluations.iter().rev().find(|told| told.survived) else {
        let hint = "give the shards a held-out part";
        return Err(Error::malformed(journal, "the run was not evaluated", hint));
    };
    let (totals, model) = (Totals::of(&history), &history.started.model);
    let tokens = totals.training.tokens;
    Ok(Some(Outcome {
        family: run.family.clone(),
        depth: run.depth,
        budget: run.budget,
        parameters: model.parameters_total,
        parameters_active: model.parameters_active,
        matrix_weights_per_token: model.matrix_weights_per_token,
        tokens,
        model_flop: totals.training.model_flop,
        held_out_bits_per_byte: held_out.record.value,
        seconds: tokens as f64 * speeds.get(&run.shape()).copied().unwrap_or(f64::NAN),
        joules: totals.energy.joules(),
        run_dir: run.config.run_dir.clone(),
    }))
}

fn report(sweep: &Sweep, outcomes: Vec<Outcome>, n_planned: usize) -> Report {
    let of = |family: &str| -> Vec<&Outcome> {
        outcomes.iter().filter(|outcome| outcome.family == family).collect()
    };
    let mut laws = BTreeMap::new();
    for family in &sweep.family {
        let points: Vec<Point> = of(&family.name)
            .into_iter()
            .map(|outcome| Point {
                parameters: outcome.matrix_weights_per_token as f64,
                tokens: outcome.tokens as f64,
                loss: outcome.held_out_bits_per_byte,
            })
            .collect();
        laws.insert(family.name.clone(), Law::fit(&points));
    }
    let base = best_of_budgets(&of(&sweep.family[0].name));
    let flop = |outcome: &Outcome| outcome.model_flop;
    let seconds = |outcome: &Outcome| outcome.seconds;
    let comparisons = sweep.family[1..]
        .iter()
        .map(|family| {
            let ours = best_of_budgets(&of(&family.name));
            let by_flop = frontier(&base, flop);
            Comparison {
                family: family.name.clone(),
                against: sweep.family[0].name.clone(),
                flop_ratio: ratios(&by_flop, &frontier(&ours, flop)),
                seconds_ratio: ratios(&frontier(&base, seconds), &frontier(&ours, seconds)),
                bits_per_byte: by_flop.iter().map(|point| point.1).collect(),
            }
        })
        .collect();
    Report {
        name: sweep.name.clone(),
        missing: n_planned - outcomes.len(),
        outcomes,
        laws,
        comparisons,
    }
}

/// The best outcome of each budget. FLOPs of one budget differ by a step's worth, which must not decide.
fn best_of_budgets<'a>(outcomes: &[&'a Outcome]) -> Vec<&'a Outcome> {
    let mut best: BTreeMap<u64, &Outcome> = BTreeMap::new();
    for &outcome in outcomes {
        let at = best.entry(outcome.budget.to_bits()).or_insert(outcome);
        if outcome.held_out_bits_per_byte < at.held_out_bits_per_byte {
            *at = outcome;
        }
    }
    best.into_values().collect()
}

/// The outcomes that no cheaper one beats, as (cost, loss), dearer ones last.
fn frontier(outcomes: &[&Outcome], cost: impl Fn(&Outcome) -> f64) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> =
        outcomes.iter().map(|outcome| (cost(outcome), outcome.held_out_bits_per_byte)).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut best = f64::INFINITY;
    points.retain(|&(_, loss)| {
        let better = loss < best;
        best = best.min(loss);
        better
    });
    points
}

/// For each point of `base`, its cost ÷ what `other` costs at the same loss; between two points their logarithms are
/// joined by a line.
fn ratios(base: &[(f64, f64)], other: &[(f64, f64)]) -> Vec<Option<f64>> {
    let at = |loss: f64| {
        other.windows(2).find_map(|pair| {
            let ((c0, l0), (c1, l1)) = (pair[0], pair[1]);
            (l1 <= loss && loss <= l0).then(|| {
                let share = (l0 - loss) / (l0 - l1);
                (c0.ln() + share * (c1.ln() - c0.ln())).exp()
            })
        })
    };
    base.iter().map(|&(cost, loss)| at(loss).map(|other_cost| cost / other_cost)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(model_flop: f64, loss: f64) -> Outcome {
        Outcome {
            family: String::new(),
            depth: 1,
            budget: model_flop.round(),
            parameters: 1,
            parameters_active: 1,
            matrix_weights_per_token: 1,
            tokens: 1,
            model_flop,
            held_out_bits_per_byte: loss,
            seconds: 1.0,
            joules: 1.0,
            run_dir: PathBuf::new(),
        }
    }

    #[test]
    fn the_frontier_leaves_out_what_a_cheaper_model_beats() {
        let all = [outcome(1.0, 3.0), outcome(2.0, 3.5), outcome(4.0, 2.0), outcome(4.0, 2.5)];
        let all: Vec<&Outcome> = all.iter().collect();
        assert_eq!(frontier(&all, |o| o.model_flop), [(1.0, 3.0), (4.0, 2.0)]);
    }

    /// A run that was given the same and stopped a step earlier does not count as the cheaper one.
    #[test]
    fn a_budget_has_one_best() {
        let all = [outcome(9.9, 3.0), outcome(10.1, 2.5), outcome(100.0, 2.0)];
        let all: Vec<&Outcome> = all.iter().collect();
        assert_eq!(best_of_budgets(&all), [all[1], all[2]]);
    }

    /// A family whose loss falls with the logarithm of the cost, against one that needs three times the cost.
    #[test]
    fn the_ratio_is_of_costs_for_the_same_loss() {
        let costs = [1.0, 10.0, 100.0];
        let base: Vec<_> = costs.map(|c: f64| (c, 10.0 - (c / 3.0).ln())).to_vec();
        let other: Vec<_> = costs.map(|c: f64| (c, 10.0 - c.ln())).to_vec();
        let found = ratios(&base, &other);
        assert_eq!(found[0], None, "the other family's losses do not reach so far");
        for ratio in &found[1..] {
            assert!((ratio.expect("within reach") - 3.0).abs() < 1e-9, "{found:?}");
        }
    }
}
