//! What a page shows of a plan, and what it shows beside every plan: one answer each, ready to be drawn.

use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;

use serde::Serialize;

use crate::Error;
use crate::accuracy::{Errors, by_group};
use crate::chips::{self, Chip};
use crate::constants;
use crate::fields::explained;
use crate::flags::{Flags, flags};
use crate::plan_file::{self, Cluster, Plan, PlanFile, Software};
use crate::predict::{Outcome, held_out, predict};
use crate::runs;
use crate::search::{self, Candidate, Found};
use crate::shape::Shape;
use crate::timeline::{GPT4_FLOP, Timeline, timeline};

/// A plan, searched.
#[derive(Debug, Serialize)]
pub struct Overview {
    pub name: String,
    pub shape: Shape,
    pub parameters: f64,
    pub active_parameters: f64,
    /// Model FLOPs of the whole run, causal attention counted once, and as a multiple of GPT-4's.
    pub model_flop: f64,
    pub gpt4_multiple: f64,
    pub software: Software,
    pub cluster: Cluster,
    #[serde(flatten)]
    pub found: Found,
    /// For each of `best`, why it is not the first.
    pub reasons: Vec<String>,
    /// The first layout in the words of the programs that train.
    pub flags: Flags,
    pub timeline: Option<Timeline>,
}

/// The best layout of some number of chips.
#[derive(Debug, Serialize)]
pub struct Choice {
    pub chips: u32,
    /// None where nothing fits.
    pub best: Option<Candidate>,
}

/// A plan as JSON, with the field names of the file.
pub fn parse(json: &str) -> Result<PlanFile, Error> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let wrong = |path: &str, error: &serde_json::Error| {
        // Serde's message ends with the place, which is said already.
        let message = error.to_string();
        let what = message.split(" at line ").next().unwrap_or(&message);
        let (what, hint) = explained(path, what);
        let at = format!("line {}, column {}", error.line(), error.column());
        Error::Syntax { file: "the plan".into(), at, what, hint }
    };
    let file = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| wrong(&error.path().to_string(), error.inner()))?;
    reader.end().map_err(|error| wrong(".", &error))?;
    Ok(file)
}

/// Searches a plan that came from outside: it may name no files. `stop` ends the search early.
pub fn overview(file: &PlanFile, threads: usize, stop: &AtomicBool) -> Result<Overview, Error> {
    let plan = resolve(file)?;
    let found = search::search_unless(&plan, threads, true, stop)?;
    let plan = Plan { tokens: found.tokens, days: None, ..plan };
    let best = &found.best[0];
    let model_flop = plan.job.shape.training_flops(plan.job.seq, true) * plan.tokens;
    let timeline = file.timeline.is_some().then(|| timeline(&with_utilisation(file, best)));
    Ok(Overview {
        name: plan.name.clone(),
        shape: plan.job.shape,
        parameters: plan.job.shape.parameters(),
        active_parameters: plan.job.shape.active_parameters(),
        model_flop,
        gpt4_multiple: model_flop / GPT4_FLOP.mid,
        software: plan.software.clone(),
        cluster: plan.cluster,
        reasons: found.best.iter().map(|candidate| search::compare(candidate, best)).collect(),
        flags: flags(&plan, &best.layout),
        timeline: timeline.transpose()?,
        found,
    })
}

/// The same plan on a quarter, half, twice and four times the chips: what haste costs.
pub fn choices(file: &PlanFile, threads: usize, stop: &AtomicBool) -> Result<Vec<Choice>, Error> {
    let plan = resolve(file)?;
    let mut out = Vec::new();
    for factor in [0.25, 0.5, 1.0, 2.0, 4.0] {
        let chips = f64::from(plan.cluster.chips) * factor;
        if !(1.0..=1e7).contains(&chips) {
            continue;
        }
        let mut other = plan.clone();
        other.cluster.chips = chips.round() as u32;
        other.search.top = 1;
        let best = match search::search_unless(&other, threads, true, stop) {
            Ok(mut found) => found.best.pop(),
            Err(Error::NoLayout { .. }) => None,
            Err(other) => return Err(other),
        };
        out.push(Choice { chips: other.cluster.chips, best });
    }
    Ok(out)
}

fn resolve(file: &PlanFile) -> Result<Plan<'static>, Error> {
    if let Some(config) = file.model.as_ref().and_then(|model| model.config.as_ref()) {
        let reason = "here sizes are asked for; `polymath plan search` reads files";
        return Err(Error::field("model.config", config, reason, "layers = 126"));
    }
    file.resolve(Path::new(""), constants::fitted())
}

/// A growing cluster is used as well as the best layout of today's, unless the plan says how well.
fn with_utilisation(file: &PlanFile, best: &Candidate) -> PlanFile {
    let mut file = file.clone();
    if let Some(part) = &mut file.timeline
        && part.utilisation.is_none()
    {
        let share = (best.mfu_pct / 100.0 * best.run.goodput).clamp(0.002, 1.6);
        part.utilisation = Some([0.84 * share, share, 1.19 * share]);
    }
    file
}

/// What is known before any plan.
#[derive(Debug, Serialize)]
pub struct Known {
    pub chips: Vec<&'static Chip>,
    pub software: Vec<Generation>,
    pub examples: Vec<PlanFile>,
    pub points: Vec<Point>,
    pub groups: Vec<Group>,
}

/// Training software as the table of constants has it.
#[derive(Debug, Serialize)]
pub struct Generation {
    pub name: &'static str,
    pub date: f64,
}

/// A published run: what it took and what is predicted.
#[derive(Debug, Serialize)]
pub struct Point {
    pub id: String,
    pub group: String,
    pub model: String,
    pub chip: String,
    pub chips: u32,
    pub layout: String,
    pub measured_s: f64,
    pub predicted_s: f64,
    /// Took no part in fitting constants.
    pub held_out: bool,
}

/// Errors of a group of runs, per cent.
#[derive(Debug, Serialize)]
pub struct Group {
    pub name: String,
    pub fitted: Option<Errors>,
    pub held_out: Option<Errors>,
}

const EXAMPLES: [&str; 3] = [
    include_str!("../../../examples/plan/llama-405b.toml"),
    include_str!("../../../examples/plan/moe-1t.toml"),
    include_str!("../../../examples/plan/inflection.toml"),
];

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let constants = constants::fitted();
    let runs = runs::parse(include_str!("../data/published_runs.tsv"), "published_runs.tsv")
        .expect("the table is checked by the tests");
    let predictions = predict(&runs, constants);
    let example = |text: &&str| plan_file::parse(text, "an example").expect("checked by the tests");
    Known {
        chips: chips::all().collect(),
        software: constants
            .stack
            .iter()
            .map(|(name, stack)| Generation { name, date: stack.date })
            .collect(),
        examples: EXAMPLES.iter().map(example).collect(),
        groups: by_group(&predictions)
            .into_iter()
            .map(|(name, [fitted, held_out, _])| Group { name, fitted, held_out })
            .collect(),
        points: predictions
            .into_iter()
            .zip(&runs)
            .filter_map(|(prediction, run)| {
                let Outcome::Predicted(predicted) = prediction.outcome else { return None };
                Some(Point {
                    held_out: held_out(&prediction.id),
                    id: prediction.id,
                    group: prediction.group,
                    model: prediction.model,
                    chip: run.chip.clone(),
                    chips: predicted.layout.chips(),
                    layout: predicted.layout.to_string(),
                    measured_s: predicted.measured_step_s?,
                    predicted_s: predicted.step_s,
                })
            })
            .collect(),
    }
});

/// Chips, examples, and every published run beside its prediction; made once.
pub fn known() -> &'static Known {
    &KNOWN
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    const PLAN: &str = r#"{ "model": { "parameters": 8e9 }, "training": { "days": 10, "sequence": 4096,
        "global_batch": 512 }, "cluster": { "chip": "H100", "chips": 64 },
        "timeline": { "start": "2024-01", "until": "2024-12", "chips_per_month": [0, 8, 16] } }"#;

    #[test]
    fn days_decide_the_tokens_and_the_run_then_takes_those_days() {
        let file = parse(PLAN).unwrap();
        let overview = overview(&file, 1, &AtomicBool::new(false)).unwrap();
        let best = &overview.found.best[0];
        assert!((best.run.days / 10.0 - 1.0).abs() < 1e-3, "{}", best.run.days);
        let read = best.tokens_per_s * best.run.goodput * 10.0 * 86_400.0;
        assert!((overview.found.tokens / read - 1.0).abs() < 1e-3);
        assert_eq!(overview.reasons[0], "this is the winner");
        // What the plan reaches is what its growing cluster is taken to reach.
        let month = &overview.timeline.unwrap().months[0];
        let per_month = 64.0 * 989e12 * best.mfu_pct / 100.0 * best.run.goodput * 86_400.0 * 30.44;
        assert!((month.flop.mid / (6.0 * per_month) - 1.0).abs() < 0.01);
    }

    #[test]
    fn more_chips_are_faster_and_a_plan_from_outside_names_no_files() {
        let choices = choices(&parse(PLAN).unwrap(), 1, &AtomicBool::new(false)).unwrap();
        let rates: Vec<f64> =
            choices.iter().filter_map(|c| Some(c.best.as_ref()?.tokens_per_s)).collect();
        assert!(rates.len() >= 3 && rates.windows(2).all(|pair| pair[0] < pair[1]), "{rates:?}");
        let bad = PLAN.replace("\"parameters\": 8e9", "\"config\": \"/etc/passwd\"");
        let error = overview(&parse(&bad).unwrap(), 1, &AtomicBool::new(false)).unwrap_err();
        assert!(error.to_string().contains("model.config"), "{error}");
    }

    #[test]
    fn a_search_that_nobody_waits_for_ends() {
        let stop = AtomicBool::new(false);
        stop.store(true, Ordering::Relaxed);
        let stopped = overview(&parse(PLAN).unwrap(), 2, &stop);
        assert!(matches!(stopped, Err(Error::Stopped)));
    }

    #[test]
    fn everything_known_is_there_once() {
        let known = known();
        assert!(known.points.len() > 300 && known.examples.len() == EXAMPLES.len());
        for example in &known.examples {
            let json = serde_json::to_string(example).unwrap();
            assert_eq!(serde_json::to_string(&parse(&json).unwrap()).unwrap(), json);
        }
    }
}
