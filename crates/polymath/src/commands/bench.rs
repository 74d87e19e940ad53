//! `polymath bench infer | embed | train | kernels`: speed on this machine.

use std::time::{Duration, Instant};

use infer::{Embedder, Precision, Purpose};
use kernels::pool::Pool;
use serde_json::json;

use crate::args::{BenchCommand, Draft, Threads, TrainShape};
use crate::commands::{DEFAULT_MODEL, models};
use crate::home::Home;
use crate::output;

/// Medians are over this many runs after one that does not count.
const RUNS: usize = 5;
/// Each kernel is repeated for about this long.
const EFFORT: Duration = Duration::from_millis(300);

pub fn run(command: &BenchCommand) -> anyhow::Result<()> {
    match command {
        BenchCommand::Infer { model, draft, prompt, generate, json, threads } => {
            infer(model.as_deref(), draft, *prompt, *generate, json.json, *threads)
        }
        BenchCommand::Embed { model, exact, json, threads } => {
            let precision = if *exact { Precision::Exact } else { Precision::Int8 };
            embed(model.as_deref(), precision, json.json, *threads)
        }
        BenchCommand::Train { shape, steps, json, threads } => {
            train(*shape, *steps, json.json, *threads)
        }
        BenchCommand::Kernels { json, threads } => kernels(json.json, *threads),
    }
}

fn infer(
    model: Option<&str>,
    draft: &Draft,
    prompt: usize,
    generate: usize,
    as_json: bool,
    threads: Threads,
) -> anyhow::Result<()> {
    let path = Home::find()?.hub().resolve(model.unwrap_or(DEFAULT_MODEL))?;
    let engine = models::load(&path, draft, threads)?;
    let measured = infer::bench::infer(&engine, prompt, generate, RUNS)?;
    if as_json {
        return output::json(&measured);
    }
    let draft = measured.draft.as_ref();
    let draft = draft.map_or(String::new(), |name| {
        format!(" with {name}, {:.2} tokens a step", measured.tokens_per_step)
    });
    output::line(format!(
        "{}{draft}, {} threads: prompt {:.1} tokens/s, generation {:.1} tokens/s, first token {:.0} ms, \
         load {:.1} ms, {:.0} MB resident (medians of {} runs)",
        engine.name(),
        measured.threads,
        measured.prefill_tokens_per_s,
        measured.decode_tokens_per_s,
        measured.first_token_ms,
        measured.load_ms,
        measured.rss_mb,
        measured.runs,
    ))
}

/// Texts of about 32, 64, 128 and 256 tokens, alone and by sixteen.
fn embed(
    model: Option<&str>,
    precision: Precision,
    as_json: bool,
    threads: Threads,
) -> anyhow::Result<()> {
    let default = infer::hub::registry::DEFAULT_EMBED;
    let path = Home::find()?.hub().resolve(model.unwrap_or(default))?;
    let embedder = Embedder::load_with(&path, threads.count(), precision)?;
    let mut sizes = serde_json::Map::new();
    let mut rows = Vec::new();
    for length in [32, 64, 128, 256] {
        // One common word is one token in every vocabulary we run; two belong to the frame.
        let text = "time ".repeat(length - 2);
        for batch in [1, 16] {
            let texts = vec![text.as_str(); batch];
            let tokens = embedder.tokens(&text, Purpose::Document).len() * batch;
            embedder.embed(&texts, Purpose::Document)?;
            let begun = Instant::now();
            let mut runs = 0;
            while begun.elapsed() < Duration::from_secs(2) {
                embedder.embed(&texts, Purpose::Document)?;
                runs += 1;
            }
            let rate = (tokens * runs) as f64 / begun.elapsed().as_secs_f64();
            rows.push(vec![length.to_string(), batch.to_string(), format!("{rate:.0}")]);
            sizes.insert(format!("{length}x{batch}"), json!({ "tokens_per_s": rate.round() }));
        }
    }
    if as_json {
        return output::json(
            &json!({ "model": embedder.id(), "revision": embedder.revision(), "threads": threads.count(), "sizes": sizes }),
        );
    }
    output::piece(&output::table(&[">tokens", ">batch", ">tokens/s"], &rows))
}

fn train(shape: TrainShape, steps: usize, as_json: bool, threads: Threads) -> anyhow::Result<()> {
    let (shape, name) = match shape {
        TrainShape::Dense => (train::bench::Shape::Dense, "dense"),
        TrainShape::Moe => (train::bench::Shape::Moe, "moe"),
    };
    let measured = train::bench::run(shape, threads.count(), steps)?;
    let rss_mb = train::bench::peak_rss_mb();
    if as_json {
        return output::json(&json!({
            "shape": name,
            "threads": threads.count(),
            "params": measured.parameters,
            "tokens_per_s": measured.tokens_per_s,
            "gflops": measured.gflops,
            "ms_per_step": measured.ms_per_step,
            "gflop_per_token": measured.gflop_per_token,
            "rss_mb": rss_mb,
            "loss": measured.loss,
        }));
    }
    output::line(format!(
        "{name}, {} threads: {:.0} tokens/s, {:.1} GFLOP/s of the model, {:.0} ms per step, {:.0} MB at most (medians of {steps} steps)",
        threads.count(),
        measured.tokens_per_s,
        measured.gflops,
        measured.ms_per_step,
        rss_mb.unwrap_or(f64::NAN),
    ))
}

fn kernels(as_json: bool, threads: Threads) -> anyhow::Result<()> {
    let pool = Pool::new(threads.count());
    let peaks = kernels::bench::peaks(&pool, EFFORT);
    let measured = kernels::bench::run(&pool, &peaks, EFFORT, &mut |_| {})?;
    if as_json {
        let rows: Vec<serde_json::Value> = measured
            .iter()
            .map(|m| {
                json!({ "name": m.name, "size": m.size, "value": m.value, "unit": m.unit, "share_of_peak": m.share_of_peak })
            })
            .collect();
        return output::json(&json!({
            "threads": threads.count(),
            "peaks": { "f32_gflops": peaks.f32_gflops, "int8_gops": peaks.int8_gops, "read_gb_s": peaks.read_gb_s },
            "kernels": rows,
        }));
    }
    output::line(format!(
        "this machine, {} threads: {:.0} GFLOP/s f32, {:.0} GOP/s int8, {:.1} GB/s read\n",
        threads.count(),
        peaks.f32_gflops,
        peaks.int8_gops,
        peaks.read_gb_s
    ))?;
    let rows: Vec<Vec<String>> = measured
        .iter()
        .map(|m| {
            let share = m.share_of_peak.map(|share| format!("{:.0} %", share * 100.0));
            vec![
                m.name.clone(),
                m.size.clone(),
                format!("{:.1}", m.value),
                m.unit.into(),
                share.unwrap_or_default(),
            ]
        })
        .collect();
    output::piece(&output::table(&["kernel", "size", ">measured", "", ">of peak"], &rows))
}
