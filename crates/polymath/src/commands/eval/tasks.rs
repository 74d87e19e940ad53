//! `polymath eval --model MODEL TASK…`: tasks with the semantics of lm-evaluation-harness.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use indicatif::ProgressBar;
use infer::{DecoderPrecision, Engine};
use serde_json::{Value, json};
use train::evaluation::catalogue::{self, Entry};
use train::evaluation::{self, Options, Report, Row};

use crate::args::EvalTasks;
use crate::home::Home;
use crate::output;
use crate::progress::items_bar;

pub fn run(arguments: &EvalTasks) -> anyhow::Result<()> {
    if arguments.list {
        return list(arguments.json.json);
    }
    // A name that is wrong is known before a model is loaded.
    let entries: Vec<Entry> =
        arguments.tasks.iter().map(|name| catalogue::find(name)).collect::<Result<_, _>>()?;
    let model = arguments.model.as_deref().context("no model; hint: --model MODEL")?;
    let path = Home::find()?.hub().resolve(model)?;
    let precision = if arguments.fast { DecoderPrecision::Fast } else { DecoderPrecision::Exact };
    let engine = Engine::load_with(&path, arguments.threads.count(), precision)?;
    let options = Options {
        shots: arguments.shots,
        limit: arguments.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
        seed: arguments.seed,
        data: arguments.data.as_deref(),
        max_length: arguments.max_length.map(|n| usize::try_from(n).unwrap_or(usize::MAX)),
    };
    let mut log = arguments.samples.as_deref().map(Log::create).transpose()?;
    let (mut results, mut reports) = (Vec::new(), Vec::new());
    for entry in &entries {
        let mut of_entry = Vec::new();
        for task in &entry.tasks {
            let report = one(&engine, task, &options)?;
            if let Some(log) = &mut log {
                log.write(&report.samples)?;
            }
            of_entry.push(Report { samples: Vec::new(), ..report });
        }
        if let Some(weight_by_size) = entry.weight_by_size {
            results.extend(evaluation::combined(&entry.name, weight_by_size, &of_entry));
        }
        results.extend(of_entry.iter().flat_map(|report| report.results.clone()));
        reports.extend(of_entry);
    }
    if let Some(log) = log {
        log.finish()?;
    }
    match arguments.json.json {
        true => output::json(&document(model, &engine, arguments, &results, &reports)?),
        false => print(&results, &reports),
    }
}

fn one(engine: &Engine, task: &evaluation::Task, options: &Options<'_>) -> anyhow::Result<Report> {
    let bar: ProgressBar = items_bar(&task.task);
    let report = evaluation::run(engine, task, options, &mut |done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    Ok(report?)
}

/// The file of `--samples`.
struct Log<'a> {
    path: &'a Path,
    file: BufWriter<File>,
}

impl<'a> Log<'a> {
    fn create(path: &'a Path) -> anyhow::Result<Self> {
        let file =
            File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path, file: BufWriter::new(file) })
    }

    fn write(&mut self, samples: &[Value]) -> anyhow::Result<()> {
        let failed = || format!("cannot write {}", self.path.display());
        for sample in samples {
            writeln!(self.file, "{sample}").with_context(failed)?;
        }
        Ok(())
    }

    fn finish(mut self) -> anyhow::Result<()> {
        self.file.flush().with_context(|| format!("cannot write {}", self.path.display()))
    }
}

fn document(
    model: &str,
    engine: &Engine,
    arguments: &EvalTasks,
    results: &[Row],
    reports: &[Report],
) -> anyhow::Result<Value> {
    let seconds: f64 = reports.iter().map(|report| report.seconds).sum();
    let tokens: u64 = reports.iter().map(|report| report.tokens).sum();
    let tasks = reports.iter().map(|report| {
        json!({
            "task": report.task,
            "output_type": report.output_type,
            "shots": report.shots,
            "n": report.n,
            "n_available": report.n_available,
            "data": report.data,
            "examples": report.examples,
            "tokens": report.tokens,
            "tokens_read": report.tokens_read,
            "seconds": report.seconds,
            "tokens_per_s": report.tokens_per_s(),
        })
    });
    Ok(json!({
        "model": model,
        "model_path": engine.path(),
        // A release manifest takes results of its own weights alone.
        "weights": ledger::release::weights(engine.path())?,
        "precision": if arguments.fast { "fast" } else { "exact" },
        "threads": engine.n_threads(),
        "context_length": engine.context_len(),
        "max_length": arguments.max_length,
        "seed": arguments.seed,
        "shots": arguments.shots,
        "limit": arguments.limit,
        "results": results,
        "tasks": tasks.collect::<Vec<_>>(),
        "seconds": seconds,
        "tokens_per_s": tokens as f64 / seconds.max(1e-9),
    }))
}

fn print(results: &[Row], reports: &[Report]) -> anyhow::Result<()> {
    let heads = ["task", "metric", ">value", ">± error", ">documents", ">shots", ">tokens/s", ""];
    let row = |row: &Row| {
        let metric = serde_json::to_value(row.metric)?;
        let filter = row.filter.as_ref().map(|filter| format!(" ({filter})")).unwrap_or_default();
        let report = reports.iter().find(|report| report.task == row.task);
        let note = match report {
            Some(report) if report.n < report.n_available => {
                format!("of {}", output::count(report.n_available as u64))
            }
            _ => String::new(),
        };
        anyhow::Ok(vec![
            row.task.clone(),
            format!("{}{filter}", metric.as_str().unwrap_or_default()),
            format!("{:.4}", row.value),
            row.stderr.map_or(String::new(), |stderr| format!("{stderr:.4}")),
            output::count(row.n as u64),
            report.map_or(String::new(), |report| report.shots.to_string()),
            report.map_or(String::new(), |report| output::count(report.tokens_per_s() as u64)),
            note,
        ])
    };
    let rows: Vec<Vec<String>> = results.iter().map(row).collect::<Result<_, _>>()?;
    output::piece(&output::table(&heads, &rows))?;
    let mut told = Vec::new();
    for report in reports.iter().filter(|report| report.examples != Some(report.data.clone())) {
        if let Some(examples) = &report.examples
            && !told.contains(examples)
        {
            output::line(format!("\n{}: examples from {examples}", report.task))?;
            told.push(examples.clone());
        }
    }
    Ok(())
}

fn list(as_json: bool) -> anyhow::Result<()> {
    let entries = catalogue::all()?;
    if as_json {
        let tasks = entries.iter().map(|entry| {
            json!({
                "task": entry.name,
                "about": entry.about(),
                "parts": entry.tasks.iter().map(|task| &task.task).collect::<Vec<_>>(),
                "output_type": entry.tasks.first().map(|task| task.output_type),
                "dataset": entry.dataset(),
                "carried_licence": entry.carried(),
            })
        });
        return output::json(&json!({ "tasks": tasks.collect::<Vec<_>>() }));
    }
    let rows: Vec<Vec<String>> = entries
        .iter()
        .map(|entry| {
            let data = match entry.carried() {
                Some(licence) => format!("carried ({licence})"),
                None if entry.dataset().is_empty() => "--data PATH".to_owned(),
                None => format!("--data DIR with {}", entry.dataset()),
            };
            vec![entry.name.clone(), entry.about().to_owned(), data]
        })
        .collect();
    output::piece(&output::table(&["task", "measures", "data"], &rows))
}
