//! `polymath train`: shards to a model.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::bail;
use jiff::Timestamp;
use kernels::pool::Pool;
use ledger::record::Planned;
use plan::local::LocalRun;
use serde_json::json;
use train::collective::Alone;
use train::config::Config;
use train::run::{self, Observer, Options, Progress, Settled};

use crate::args::Train;
use crate::output;

/// How long the machine's peak is measured before a run, so that utilisation means something.
const EFFORT: Duration = Duration::from_millis(200);

pub fn run(arguments: &Train) -> anyhow::Result<()> {
    let config = configuration(arguments)?;
    let stop = Arc::new(AtomicBool::new(false));
    stop_on_interrupt(Arc::clone(&stop));
    let mut options = options(arguments.threads.count(), &stop);
    options.resume = arguments.resume;
    options.until_step = arguments.until_step;
    let mut teller = Teller::new();
    let summary = run::train(config, &options, &mut Alone, &mut teller)?;
    let totals = &summary.totals;
    if arguments.json.json {
        return output::json(&json!({
            "step": summary.step,
            "finished": summary.finished,
            "loss": summary.loss,
            "held_out_bits_per_byte": summary.held_out_bits_per_byte,
            "tokens": totals.training.tokens,
            "model_flop": totals.training.model_flop,
            "palm_flop": totals.training.palm_flop,
            "hardware_flop": totals.issued_flop,
            "joules": totals.energy.joules(),
            "joules_low": totals.energy.low(),
            "joules_high": totals.energy.high(),
            "joules_measured": totals.energy.is_measured(),
            "seconds": totals.busy_s,
            "run_dir": summary.run_dir,
            "model_dir": summary.model_dir,
        }));
    }
    output::line(format!(
        "{} after step {}: loss {:.4}, {} tokens, {:.3e} model FLOPs, {:.1} kJ{}",
        if summary.finished { "finished" } else { "stopped" },
        summary.step,
        summary.loss,
        totals.training.tokens,
        totals.training.model_flop,
        totals.energy.joules() / 1e3,
        if totals.energy.is_measured() { "" } else { " (estimated)" },
    ))?;
    match &summary.model_dir {
        Some(model) => output::line(format!(
            "model   {}\nreport  {}\ntry     polymath chat --model {0}\naccount polymath disclose {}",
            model.display(),
            summary.run_dir.join("report.html").display(),
            summary.run_dir.display(),
        )),
        None => output::line(format!(
            "go on with   polymath train {} --resume",
            summary.run_dir.join("run.toml").display()
        )),
    }
}

/// A new run on this machine, whose peak is measured first.
pub fn options(n_threads: usize, stop: &AtomicBool) -> Options<'_> {
    let peak = kernels::bench::f32_peak(&Pool::new(n_threads), EFFORT);
    Options {
        resume: false,
        until_step: None,
        n_threads,
        stop,
        now: Timestamp::now,
        peak_flop_per_s: Some(peak * 1e9),
        code_version: format!("polymath {}", env!("CARGO_PKG_VERSION")),
        planner: Some(predicted),
    }
}

/// What the planner says of the run before it begins.
fn predicted(run: &Settled<'_>) -> Planned {
    let step = plan::local::predict(&LocalRun {
        model: run.model,
        batch_tokens: run.batch_tokens as f64,
        sequence: run.sequence,
        peak_flop_per_s: run.peak_flop_per_s,
        optimiser_flop: run.optimiser_flop,
    });
    let gflops = run.peak_flop_per_s / 1e9;
    Planned {
        method: format!(
            "polymath's planner: products, attention and optimiser at {gflops:.0} GFLOP/s measured peak"
        ),
        steps: run.steps,
        step_s: step.total_s,
        step_s_low: step.low_s,
        step_s_high: step.high_s,
    }
}

/// The file's configuration, or one from the dial; flags go before keys.
fn configuration(arguments: &Train) -> anyhow::Result<Config> {
    let mut config = match &arguments.config {
        Some(path) => Config::read(path)?,
        None => Config::default(),
    };
    if let Some(data) = &arguments.data {
        config.data.shards = std::path::absolute(data)?;
    }
    if arguments.depth.is_some() {
        config.model.depth = arguments.depth;
    }
    if arguments.tokens.is_some() {
        config.training.tokens = arguments.tokens;
    }
    if let Some(run_dir) = &arguments.run_dir {
        config.run_dir = std::path::absolute(run_dir)?;
    }
    if arguments.config.is_none() && arguments.data.is_none() {
        bail!(
            "nothing to train on; hint: `polymath train --depth 4 --data DIR` with a directory made by `polymath corpus build`, or a configuration as in examples/train/"
        );
    }
    if config.name.is_empty() {
        let depth = config.model.depth.unwrap_or(4);
        let known = train::dial::FAMILY.iter().find(|(_, d)| *d == depth);
        config.name =
            known.map_or_else(|| format!("depth-{depth}"), |(name, _)| (*name).to_owned());
    }
    if config.run_dir.as_os_str().is_empty() {
        config.run_dir = std::path::absolute(PathBuf::from("runs").join(&config.name))?;
    }
    Ok(config)
}

/// The first interrupt saves and stops; the second ends the program as usual.
pub fn stop_on_interrupt(stop: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return };
        runtime.block_on(async {
            if tokio::signal::ctrl_c().await.is_ok() {
                eprintln!("polymath: saving the state after this step; once more to stop at once");
                stop.store(true, Ordering::Relaxed);
            }
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(130);
            }
        });
    });
}

/// One line per step on stderr: rewritten on a terminal, one in ten written to a file.
pub struct Teller {
    every: bool,
}

impl Teller {
    pub fn new() -> Self {
        Self { every: !std::io::stderr().is_terminal() }
    }
}

impl Observer for Teller {
    fn step(&mut self, progress: &Progress<'_>) {
        let record = progress.record;
        let line = format!(
            "step {}/{}  loss {:.4}  rate {:.2e}  norm {:.2}  {:.0} tok/s  {}{:.1} kJ  {} left{}",
            record.step,
            progress.n_steps,
            record.loss,
            record.learning_rate,
            record.grad_norm,
            record.tokens as f64 / record.seconds,
            progress.utilisation.map_or(String::new(), |u| format!("{:.0} % MFU  ", u * 100.0)),
            progress.joules / 1e3,
            time(progress.seconds_left),
            record.skipped.as_ref().map_or(String::new(), |why| format!("  skipped: {why}")),
        );
        if !self.every {
            eprint!("\r\x1b[2K{line}");
            if record.step == progress.n_steps {
                eprintln!();
            }
        } else if record.step.is_multiple_of(10)
            || record.step == 1
            || record.step == progress.n_steps
        {
            eprintln!("{line}");
        }
    }

    fn note(&mut self, text: &str) {
        eprintln!("{}polymath: {text}", if self.every { "" } else { "\n" });
    }
}

fn time(seconds: f64) -> String {
    let s = seconds.max(0.0) as u64;
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min {:02} s", s / 60, s % 60),
        _ => format!("{} h {:02} min", s / 3600, s % 3600 / 60),
    }
}
