//! `polymath eval life`: the assistant against questions with known answers and proofs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use assistant::Assistant;
use assistant::embedding::VaultEmbedder;
use assistant::evaluation::{self, Half, Outcome, Question, Report, Summary};
use indicatif::ProgressBar;
use jiff::tz::TimeZone;
use serde_json::json;
use vault::store::Vault;

use crate::args::{ChatModel, EvalLife, Threads};
use crate::commands::models;
use crate::home::Home;
use crate::progress::items_bar;
use crate::{output, sample};

pub fn run(arguments: &EvalLife) -> anyhow::Result<()> {
    let EvalLife { life, questions, model, half, misses, features, json, threads } = arguments;
    let folder = match life {
        Some(folder) => folder.clone(),
        None => sample::write(Home::find()?.path())?,
    };
    let zone =
        TimeZone::get(sample::ZONE).context("the time zone database has no Europe/Berlin")?;
    let file = questions.clone().unwrap_or_else(|| folder.join("questions.jsonl"));
    let mut questions = evaluation::read(&file, &zone)?;
    match half.as_str() {
        "fit" => questions.retain(|question| Half::of(&question.id) == Half::Fit),
        "report" => questions.retain(|question| Half::of(&question.id) == Half::Report),
        _ => {}
    }
    // A vault of its own, made anew: the owner's data never mixes into a measurement.
    let scratch =
        tempfile::tempdir().context("cannot make a folder for the vault to measure on")?;
    let assistant = prepare(folder.join("data"), scratch.path(), model, *threads)?;
    let bar = items_bar("asking");
    bar.set_length(questions.len() as u64);
    if let Some(path) = features {
        return write_features(&assistant, &questions, path, &bar);
    }
    let report = evaluation::run(&assistant, &questions, &mut |at| bar.set_position(at as u64))?;
    bar.finish_and_clear();
    if json.json {
        return output::json(&json!({ "life": folder, "questions": file, "report": report }));
    }
    print(&report, &questions, half, *misses)
}

/// One line a question of the fitting half: see `examples/life/fit.py`.
fn write_features(
    assistant: &Assistant,
    questions: &[Question],
    path: &Path,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    let mut text = String::new();
    for question in questions.iter().filter(|question| Half::of(&question.id) == Half::Fit) {
        let row = evaluation::fitting::row(assistant, question)?;
        text.push_str(&serde_json::to_string(&row)?);
        text.push('\n');
        bar.inc(1);
    }
    bar.finish_and_clear();
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn prepare(
    data: PathBuf,
    scratch: &Path,
    model: &ChatModel,
    threads: Threads,
) -> anyhow::Result<Assistant> {
    let vault = Vault::open(scratch)?;
    vault.add(&data)?;
    let never = AtomicBool::new(false);
    vault.sync(None, &never, &mut |_| {})?;
    let embedder = models::embedder(model.embedder.as_deref(), threads)?.map(VaultEmbedder::new);
    if let Some(embedder) = &embedder {
        let bar = items_bar("making vectors");
        vault.embed_pending(embedder, &never, &mut |progress| {
            bar.set_length(progress.total);
            bar.set_position(progress.done);
        })?;
        bar.finish_and_clear();
    }
    let mut assistant = Assistant::new(vault);
    if let Some(embedder) = embedder {
        assistant = assistant.with_embedder(Arc::new(embedder));
    }
    if let Some(engine) = models::engine(model.model.as_deref(), &model.draft, threads)? {
        assistant = assistant.with_engine(engine).with_choosing(model.choose.into());
    }
    Ok(assistant)
}

fn print(report: &Report, questions: &[Question], half: &str, misses: bool) -> anyhow::Result<()> {
    let heads = [
        "",
        ">questions",
        ">correct",
        ">by the first quote",
        ">recall@5",
        ">recall@10",
        ">citations",
        ">exact quotes",
        ">abstain F1",
        ">p50 ms",
        ">p95 ms",
    ];
    let mut rows = Vec::new();
    for (name, total, by_kind, crossing) in [
        ("fit", &report.fit, &report.fit_by_kind, &report.fit_cross_language),
        ("report", &report.report, &report.report_by_kind, &report.report_cross_language),
    ] {
        if half != "all" && half != name {
            continue;
        }
        rows.push(row(&format!("{name} half"), total));
        rows.extend(by_kind.iter().map(|(kind, summary)| row(&format!("  {kind}"), summary)));
        rows.push(row("  (in another language)", crossing));
    }
    output::piece(&output::table(&heads, &rows))?;
    let steps = if half == "fit" { &report.fit.steps } else { &report.report.steps };
    let p50 = if half == "fit" { &report.fit.steps_p50_ms } else { &report.report.steps_p50_ms };
    let share = |(step, share): (&String, &f64)| {
        let ms = p50.get(step).copied().unwrap_or_default();
        format!("{step} {:.0} % (p50 {ms:.0} ms)", share * 100.0)
    };
    let shares: Vec<String> = steps.iter().map(share).collect();
    output::line(format!("\nanswered by: {}", shares.join(", ")))?;
    if misses {
        for outcome in report.outcomes.iter().filter(|outcome| !outcome.correct) {
            print_miss(outcome, questions)?;
        }
    }
    Ok(())
}

fn print_miss(outcome: &Outcome, questions: &[Question]) -> anyhow::Result<()> {
    let Some(question) = questions.iter().find(|question| question.id == outcome.id) else {
        return Ok(());
    };
    output::line(format!(
        "\n{} ({}, {:?})\n  asked:    {}\n  expected: {}\n  said:     {}",
        outcome.id,
        outcome.kind,
        outcome.step,
        question.question,
        question.answer,
        outcome.answer.replace('\n', " ")
    ))
}

fn row(name: &str, summary: &Summary) -> Vec<String> {
    let share = |value: f64| format!("{:.1} %", value * 100.0);
    vec![
        name.to_owned(),
        summary.n.to_string(),
        format!("{} ({})", summary.correct, share(summary.accuracy)),
        share(summary.first_accuracy),
        share(summary.recall_at_5),
        share(summary.recall_at_10),
        share(summary.citation_precision),
        share(summary.quotes_exact),
        share(summary.abstention_f1),
        format!("{:.1}", summary.p50_ms),
        format!("{:.1}", summary.p95_ms),
    ]
}
