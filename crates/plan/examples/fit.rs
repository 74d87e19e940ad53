//! Fits the constants marked `# fitted` in `data/constants.toml` to `data/published_runs.tsv` and writes them back.
//!
//! `cargo run --release -p plan --example fit [-- --dry] [--mlperf-up-to CHIPS]`. `--dry` writes nothing; the other
//! leaves larger MLPerf runs out, to see how the rest predicts them. Only rows that `plan::predict::held_out` leaves in are
//! used. The search tries each constant a little larger and a little smaller and keeps what helps, with shrinking
//! steps; it has no randomness, so the same data give the same constants. A weak pull towards the value in the file
//! keeps constants that the data say nothing about where they are. A line `key = value # as STACK` takes the
//! value that STACK has for the key.

#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::path::Path;

use plan::constants;
use plan::predict::{Outcome, held_out, predict_one};
use plan::runs::Run;

/// How far apart a fitted constant may be from its start before the pull is as strong as a 1 % error in each row.
const PULL: f64 = 0.0008;

/// One fitted line of the file.
struct Parameter {
    section: String,
    key: String,
    line: usize,
    start: f64,
    value: f64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let path = here.join("constants.toml");
    let text = std::fs::read_to_string(&path)?;
    let table = std::fs::read_to_string(here.join("published_runs.tsv"))?;
    let runs = plan::runs::parse(&table, "published_runs.tsv")?;
    let arguments: Vec<String> = std::env::args().collect();
    let limit = arguments.iter().position(|argument| argument == "--mlperf-up-to");
    let mlperf_limit = match limit {
        Some(at) => arguments.get(at + 1).ok_or("how many chips?")?.parse::<u32>()?,
        None => u32::MAX,
    };
    let mut counts = BTreeMap::new();
    for run in &runs {
        *counts.entry(run.group.clone()).or_insert(0.0) += 1.0;
    }
    let used: Vec<(&Run, f64)> = runs
        .iter()
        .filter(|run| !held_out(&run.id))
        .filter(|run| {
            !run.group.starts_with("mlperf") || run.chips.is_some_and(|n| n <= mlperf_limit)
        })
        .map(|run| (run, 1.0 / f64::sqrt(counts[&run.group])))
        .collect();
    let mut parameters = read(&text);
    let mut best = loss(&text, &parameters, &used)?;
    println!("{} constants, {} rows, loss {best:.5}", parameters.len(), used.len());
    let mut step = vec![0.2_f64; parameters.len()];
    for round in 0..80 {
        let before = best;
        for i in 0..parameters.len() {
            let old = parameters[i].value;
            let mut better = false;
            for direction in [1.0, -1.0] {
                parameters[i].value = moved(&parameters[i], old, direction * step[i]);
                let now = loss(&text, &parameters, &used)?;
                if now < best {
                    best = now;
                    better = true;
                    break;
                }
                parameters[i].value = old;
            }
            step[i] *= if better { 1.5 } else { 0.6 };
            step[i] = step[i].clamp(1e-3, 0.5);
        }
        if round % 10 == 9 {
            println!("round {round}: loss {best:.5}");
        }
        if before - best < 1e-7 {
            break;
        }
    }
    for p in &parameters {
        println!("{}.{}: {} -> {:.4}", p.section, p.key, p.start, p.value);
    }
    let fitted = constants::parse(&write(&text, &parameters))?;
    for run in runs.iter().filter(|run| run.group.starts_with("mlperf")) {
        if let Outcome::Predicted(p) = predict_one(run, &fitted).outcome
            && let Some(error) = p.error_pct
        {
            println!("{} on {:?} {}: {error:+.1} %", run.group, run.chips, run.chip);
        }
    }
    if !arguments.iter().any(|argument| argument == "--dry") {
        std::fs::write(&path, write(&text, &parameters))?;
    }
    Ok(())
}

/// A share moves in its odds, so that it stays between 0 and 1; other constants move in their logarithm.
fn moved(parameter: &Parameter, value: f64, by: f64) -> f64 {
    let key = &parameter.key;
    let share = parameter.section.starts_with("kernels")
        || key.ends_with("overlap")
        || key.ends_with("efficiency");
    if share {
        let value = value.clamp(0.01, 0.95);
        let odds = value / (1.0 - value) * (2.0 * by).exp();
        (odds / (1.0 + odds)).clamp(0.0, 0.95)
    } else {
        value.max(1e-9) * by.exp()
    }
}

fn read(text: &str) -> Vec<Parameter> {
    let mut section = String::new();
    let mut found = Vec::new();
    for (line, content) in text.lines().enumerate() {
        if let Some(name) = content.strip_prefix('[') {
            section = name.trim_end_matches(']').to_string();
        }
        let Some((code, comment)) = content.split_once('#') else { continue };
        let Some((key, value)) = code.split_once('=') else { continue };
        if comment.trim_start().starts_with("fitted")
            && let Ok(value) = value.trim().parse::<f64>()
        {
            let (section, key) = (section.clone(), key.trim().to_string());
            found.push(Parameter { section, key, line, start: value, value });
        }
    }
    found
}

fn write(text: &str, parameters: &[Parameter]) -> String {
    let fitted: BTreeMap<usize, &Parameter> = parameters.iter().map(|p| (p.line, p)).collect();
    let mut section = String::new();
    let mut out = String::new();
    for (line, content) in text.lines().enumerate() {
        if let Some(name) = content.strip_prefix('[') {
            section = name.trim_end_matches(']').to_string();
        }
        let comment = content.split_once('#').map_or("", |(_, comment)| comment).trim();
        let key = content.split_once('=').map_or("", |(key, _)| key).trim();
        let source = comment.strip_prefix("as ").map(|name| {
            let kind = section.split('.').next().unwrap_or("");
            let wanted = format!("{kind}.{}", name.trim());
            parameters.iter().find(|p| p.section == wanted && p.key == key)
        });
        match (fitted.get(&line).copied(), source) {
            (Some(p), _) | (None, Some(Some(p))) => {
                out += &format!("{key} = {} # {comment}\n", rounded(p.value));
            }
            _ => out += &format!("{content}\n"),
        }
    }
    out
}

/// Four significant digits.
fn rounded(value: f64) -> String {
    let text = format!("{value:.3e}");
    let number: f64 = text.parse().unwrap_or(value);
    if (1e-3..1e6).contains(&number) { format!("{number:?}") } else { text }
}

/// Mean Huber loss of the logarithm of predicted over measured, plus the pull.
fn loss(
    text: &str,
    parameters: &[Parameter],
    used: &[(&Run, f64)],
) -> Result<f64, Box<dyn std::error::Error>> {
    let constants = constants::parse(&write(text, parameters))?;
    let (mut sum, mut weights) = (0.0, 0.0);
    for (run, weight) in used {
        let Outcome::Predicted(p) = predict_one(run, &constants).outcome else { continue };
        let Some(measured) = p.measured_step_s else { continue };
        let error = (p.step_s / measured).ln().abs();
        let knee = 0.04;
        let cost = if error < knee { error * error / (2.0 * knee) } else { error - knee / 2.0 };
        sum += weight * cost.min(0.5);
        weights += weight;
    }
    let pull: f64 =
        parameters.iter().map(|p| ((p.value.max(1e-9) / p.start.max(1e-9)).ln()).powi(2)).sum();
    Ok(sum / weights + PULL * pull)
}
