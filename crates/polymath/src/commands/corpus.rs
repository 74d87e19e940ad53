//! `polymath corpus build | hazard | inspect`: text to token shards, the filter's classifier, and what is in shards.

use std::path::{Path, PathBuf};

use anyhow::bail;
use corpus::build::{self, Inspection, Progress, Report};
use corpus::config::Config;
use corpus::hazard::{self, Example, Measured, Terms};
use indicatif::ProgressBar;

use crate::args::CorpusCommand;
use crate::output;
use crate::progress::items_bar;

pub fn run(command: &CorpusCommand) -> anyhow::Result<()> {
    match command {
        CorpusCommand::Build { config, output, json, threads } => {
            build(config, output.as_deref(), json.json, threads.count())
        }
        CorpusCommand::Hazard { examples, test, out, threshold, seed, json } => {
            hazard(examples, test, out.as_deref(), *threshold, *seed, json.json)
        }
        CorpusCommand::Inspect { dir, documents, json } => inspect(dir, *documents, json.json),
    }
}

fn build(path: &Path, to: Option<&Path>, as_json: bool, threads: usize) -> anyhow::Result<()> {
    let mut config = Config::read(path)?;
    if let Some(to) = to {
        config.output.dir = to.to_path_buf();
    }
    let mut bar = PhaseBar { bar: items_bar("reading"), phase: "reading" };
    let report = build::build(&config, threads, &mut |progress| bar.update(&progress))?;
    bar.bar.finish_and_clear();
    if as_json {
        return output::json(&report);
    }
    show_report(&report)?;
    output::line(format!("\nThe shards are in {}", config.output.dir.display()))
}

/// Trains the classifier, writes it, and measures it and the built-in terms.
fn hazard(
    examples: &[PathBuf],
    test: &[PathBuf],
    out: Option<&Path>,
    threshold: f32,
    seed: u64,
    as_json: bool,
) -> anyhow::Result<()> {
    if !(0.0..=1.0).contains(&threshold) {
        bail!(
            "--threshold is {threshold}: a probability from 0 to 1 is asked for, for example 0.5"
        );
    }
    let read = |paths: &[PathBuf]| -> anyhow::Result<Vec<Example>> {
        let texts = paths.iter().map(|path| hazard::read_examples(path));
        Ok(texts.collect::<Result<Vec<_>, _>>()?.concat())
    };
    let (examples, test) = (read(examples)?, read(test)?);
    let hazardous = examples.iter().filter(|example| example.label).count();
    if hazardous == 0 || hazardous == examples.len() {
        bail!("all {} texts have the same label; a classifier needs both kinds", examples.len());
    }
    let (classifier, kept_apart) = hazard::train(&examples, seed);
    if let Some(out) = out {
        classifier.write(out)?;
        eprintln!("wrote {}", out.display());
    }
    let by_classifier = |texts: &[&Example]| {
        hazard::measure(texts, |text| classifier.probability(text) >= threshold)
    };
    let threshold = Some(threshold);
    let mut rows = vec![Judged {
        judge: "classifier",
        threshold,
        on: "a fifth kept apart",
        measured: by_classifier(&kept_apart),
    }];
    let test: Vec<&Example> = test.iter().collect();
    if !test.is_empty() {
        let terms = Terms::read(true, &[])?;
        let by_terms = hazard::measure(&test, |text| !terms.found(text).is_empty());
        let measured = by_classifier(&test);
        rows.push(Judged { judge: "classifier", threshold, on: "test", measured });
        rows.push(Judged { judge: "terms", threshold: None, on: "test", measured: by_terms });
    }
    if as_json {
        return output::json(&serde_json::json!({ "examples": examples.len(), "results": rows }));
    }
    show_judged(&rows)
}

/// How one judge did on some texts.
#[derive(serde::Serialize)]
struct Judged {
    judge: &'static str,
    /// Probability from which a text counts as hazardous; terms have none.
    threshold: Option<f32>,
    on: &'static str,
    measured: Measured,
}

fn show_judged(rows: &[Judged]) -> anyhow::Result<()> {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|Judged { judge, threshold, on, measured: m }| {
            let threshold = threshold.map_or("none".into(), |from| from.to_string());
            let [n, hazardous] = [m.n, m.hazardous].map(|n| output::count(n as u64));
            let [precision, recall, alarms] = [m.precision, m.recall, m.false_alarms].map(percent);
            let (judge, on) = (judge.to_string(), on.to_string());
            vec![judge, threshold, on, n, hazardous, precision, recall, alarms]
        })
        .collect();
    let heads =
        ["", ">threshold", "on", ">texts", ">hazardous", ">precision", ">recall", ">false alarms"];
    output::piece(&output::table(&heads, &rows))
}

/// One bar; a new phase begins it anew.
struct PhaseBar {
    bar: ProgressBar,
    phase: &'static str,
}

impl PhaseBar {
    fn update(&mut self, progress: &Progress) {
        if self.phase != progress.phase {
            self.phase = progress.phase;
            self.bar.set_message(progress.phase);
            self.bar.reset();
        }
        self.bar.set_length(progress.total_documents.unwrap_or(progress.documents));
        self.bar.set_position(progress.documents);
    }
}

fn show_report(report: &Report) -> anyhow::Result<()> {
    output::line(format!(
        "{} documents ({}) in, {} ({}) kept, {} tokens of {}; {}/s",
        output::count(report.documents_in),
        output::bytes(report.bytes),
        output::count(report.documents_out),
        output::bytes(report.bytes_out),
        output::count(report.tokens),
        output::count(report.tokenizer.vocab_size),
        output::bytes(report.bytes_per_s as u64),
    ))?;
    output::line(format!(
        "Held out: {} documents, {} tokens",
        output::count(report.held_out.documents),
        output::count(report.held_out.tokens)
    ))?;
    let masked = report.masked;
    output::line(format!(
        "Masked: {} mail addresses, {} phone numbers, {} IP addresses, {} keys; {} boilerplate lines removed\n",
        output::count(masked.mail),
        output::count(masked.phone),
        output::count(masked.ip),
        output::count(masked.keys),
        output::count(report.lines_removed)
    ))?;
    let sources: Vec<Vec<String>> = report
        .sources
        .iter()
        .map(|source| {
            vec![
                source.name.clone(),
                output::count(source.documents_in),
                output::count(source.documents_out),
                output::bytes(source.bytes_in),
                output::bytes(source.bytes_out),
            ]
        })
        .collect();
    output::piece(&output::table(&["source", ">in", ">kept", ">text in", ">kept"], &sources))?;
    if !report.dropped.is_empty() {
        let row = |(reason, n): (&String, &u64)| {
            let sample = report.samples.get(reason).and_then(|samples| samples.first());
            let sample = sample.map_or("", |sample| sample.text.as_str());
            vec![reason.clone(), output::count(*n), beginning(sample)]
        };
        let rows: Vec<Vec<String>> = report.dropped.iter().map(row).collect();
        output::line("")?;
        output::piece(&output::table(&["dropped", ">documents", "one of them"], &rows))?;
    }
    if report.faults > 0 {
        output::line(format!("\n{} files or lines could not be read:", report.faults))?;
        for fault in report.fault_examples.iter().take(5) {
            output::line(format!("  {}: {}", fault.place, fault.problem))?;
        }
    }
    Ok(())
}

/// The first words on one line.
fn beginning(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(60).collect()
}

fn inspect(dir: &Path, documents: u64, as_json: bool) -> anyhow::Result<()> {
    let inspection = build::inspect(dir, documents)?;
    if as_json {
        return output::json(&as_document(&inspection)?);
    }
    if let Some(report) = &inspection.report {
        show_report(report)?;
    }
    let shards = &inspection.shards;
    output::line(format!(
        "\n{} sequences of at most {} tokens, {:.1} % filled; {} documents; every file verified\nfingerprint {}",
        output::count(shards.n_sequences),
        shards.sequence_length,
        inspection.filled_pct,
        output::count(shards.n_documents),
        shards.fingerprint
    ))?;
    for document in &inspection.documents {
        output::line(format!("\n--- {}", beginning_lines(document)))?;
    }
    Ok(())
}

fn beginning_lines(text: &str) -> String {
    text.chars().take(400).collect()
}

/// The report's fields at the top, as `build --json` prints them, and the rest beside them.
fn as_document(inspection: &Inspection) -> anyhow::Result<serde_json::Value> {
    let mut document = serde_json::to_value(inspection)?;
    let report = document.as_object_mut().and_then(|fields| fields.remove("report"));
    if let (Some(fields), Some(serde_json::Value::Object(report))) =
        (document.as_object_mut(), report)
    {
        // Shards written without a build know their own sizes; the report's "held_out" has its own name.
        for (name, value) in report {
            let name = if fields.contains_key(&name) { format!("build_{name}") } else { name };
            fields.insert(name, value);
        }
    } else if let Some(fields) = document.as_object_mut() {
        fields.insert("documents_out".into(), inspection.shards.n_documents.into());
        fields.insert("tokens".into(), inspection.shards.n_tokens.into());
    }
    Ok(document)
}
