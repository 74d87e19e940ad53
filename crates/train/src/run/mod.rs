//! One training run, from an empty folder or a checkpoint to a model.
//!
//! ```text
//! RUN_DIR/run.toml        the configuration as it was used
//!         journal.jsonl   every step, hash-chained (crate `ledger`)
//!         checkpoints/    the whole state now and then (module `checkpoint`)
//!         events.out.…    for TensorBoard
//!         report.html     drawn from the journal
//!         model/          the result
//! ```
//! A run is a function of its configuration, its data and its seed. The state is the parameters, the optimiser's
//! averages, and the last losses that outliers are judged by; what a step reads follows from its number. So a run that
//! was killed goes on from its last checkpoint as if nothing had happened, bit for bit.

mod measure;
mod open;
mod step;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use corpus::tokenizer::Tokenizer;
use kernels::pool::Pool;
use ledger::Timestamp;
use ledger::energy::Meter;
use ledger::history::History;
use ledger::journal::{self, Journal};
use ledger::record::{self, Record};
use ledger::totals::Totals;
use model::config::DecoderConfig;
use serde_json::Value;

use crate::Error;
use crate::checkpoint::{Array, Saved, Snapshot, Store};
use crate::collective::Collective;
use crate::config::Config;
use crate::data::Data;
use crate::lora::Adapters;
use crate::network::Network;
use crate::optimise::Moments;
use crate::schedule::Schedule;
use crate::tensorboard::Events;

/// What whoever starts a run decides beside its configuration.
pub struct Options<'a> {
    /// Go on with a run whose folder is there.
    pub resume: bool,
    /// Stop after this step, as if it had been interrupted there.
    pub until_step: Option<u64>,
    pub n_threads: usize,
    /// Set from outside to have the run save its state and stop.
    pub stop: &'a AtomicBool,
    /// The time, for the journal.
    pub now: fn() -> Timestamp,
    /// Highest f32 rate of this machine, FLOP/s, where it was measured.
    pub peak_flop_per_s: Option<f64>,
    pub code_version: String,
    /// Predicts the run from what it settled; the journal keeps the prediction to compare it with what came.
    pub planner: Option<fn(&Settled<'_>) -> record::Planned>,
}

/// What a run has settled before its first step.
#[derive(Debug, Clone, Copy)]
pub struct Settled<'a> {
    pub model: &'a DecoderConfig,
    pub steps: u64,
    pub batch_tokens: u64,
    /// Tokens of one sequence.
    pub sequence: u64,
    pub peak_flop_per_s: f64,
    /// Products of the optimiser in one step.
    pub optimiser_flop: f64,
}

/// What a run tells while it runs.
pub trait Observer {
    /// After each step.
    fn step(&mut self, progress: &Progress<'_>);
    /// Something a person should know.
    fn note(&mut self, text: &str);
}

/// The state of a run after a step.
#[derive(Debug, Clone)]
pub struct Progress<'a> {
    pub record: &'a record::Step,
    pub n_steps: u64,
    /// Joules of this session so far.
    pub joules: f64,
    /// Share of the machine's peak that the model's arithmetic reached, where the peak is known.
    pub utilisation: Option<f64>,
    /// Seconds until the end at the pace of the last steps.
    pub seconds_left: f64,
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    pub step: u64,
    pub finished: bool,
    /// Of the last step.
    pub loss: f64,
    pub held_out_bits_per_byte: Option<f64>,
    pub totals: Totals,
    pub run_dir: PathBuf,
    pub model_dir: Option<PathBuf>,
}

/// Weights, averages and what outliers are judged by.
struct State {
    step: u64,
    /// What the optimiser moves: the parameters, or the adapters.
    trained: Vec<f32>,
    moments: Moments,
    ema: Option<Vec<f32>>,
    /// Losses and gradient norms of the last steps.
    window: Vec<(f64, f64)>,
}

/// Adapters over frozen weights.
struct Frozen {
    base: Vec<f32>,
    adapters: Adapters,
    /// Frozen weights with the adapters merged in.
    merged: Vec<f32>,
}

struct Run<'a> {
    config: Config,
    options: &'a Options<'a>,
    observer: &'a mut dyn Observer,
    collective: &'a mut dyn Collective,
    json: Value,
    network: Network,
    pool: Arc<Pool>,
    data: Data,
    held_out: Option<Data>,
    tokenizer: Option<Tokenizer>,
    schedule: Schedule,
    peak_rate: f64,
    state: State,
    frozen: Option<Frozen>,
    gradients: Vec<f32>,
    adapter_gradients: Vec<f32>,
    journal: Journal,
    store: Store,
    events: Option<Events>,
    meter: Meter,
    joules: f64,
    /// Seconds of the last steps, for the time left.
    pace: Vec<f64>,
    spare: Option<Snapshot>,
    /// Seconds that training stood still for the save under way.
    stall: f64,
    last_bits_per_byte: Option<f64>,
}

/// Trains until the end, `until_step`, or `stop`.
///
/// # Errors
/// When something is wrong with configuration, data or disk, or when numbers leave the range of f32; the last
/// checkpoint stands in every case.
pub fn train(
    config: Config,
    options: &Options<'_>,
    collective: &mut dyn Collective,
    observer: &mut dyn Observer,
) -> Result<Summary, Error> {
    let mut run = Run::open(config, options, collective, observer)?;
    let outcome = run.go();
    if let Err(error) = &outcome {
        let stopped = record::Stopped { step: run.state.step, reason: error.to_string() };
        // The error itself is what the caller hears; a journal that cannot be written adds nothing to it.
        let _ = run.journal.append(&Record::Stopped(stopped), (options.now)());
        let _ = run.write_report();
    }
    outcome
}

impl Run<'_> {
    fn go(&mut self) -> Result<Summary, Error> {
        let last = self.schedule.steps.min(self.options.until_step.unwrap_or(u64::MAX));
        let mut saved_at = self.state.step;
        while self.state.step < last && !self.options.stop.load(Ordering::Relaxed) {
            self.one_step()?;
            let step = self.state.step;
            if step.is_multiple_of(self.config.evaluation.every_steps)
                || step == self.schedule.steps
            {
                self.evaluate()?;
                self.sample()?;
                self.write_report()?;
            }
            if step.is_multiple_of(self.config.checkpoint.every_steps) {
                self.save()?;
                saved_at = step;
            }
            self.collect_saved()?;
        }
        if saved_at != self.state.step {
            self.save()?;
        }
        let began = Instant::now();
        if let Some(saved) = self.store.finish() {
            self.stall += began.elapsed().as_secs_f64();
            self.record_saved(saved)?;
        }
        let finished = self.state.step >= self.schedule.steps;
        let model_dir = if finished { Some(self.finish()?) } else { None };
        if !finished {
            let reason = "asked to stop; `--resume` goes on".to_owned();
            let stopped = record::Stopped { step: self.state.step, reason };
            self.journal.append(&Record::Stopped(stopped), (self.options.now)())?;
            self.journal.sync()?;
        }
        self.write_report()?;
        let contents = journal::read(&self.config.run_dir.join(JOURNAL))?;
        let history = History::of(&contents.entries);
        let loss = history.as_ref().and_then(|h| h.last_step()).map_or(f64::NAN, |step| step.loss);
        Ok(Summary {
            step: self.state.step,
            finished,
            loss,
            held_out_bits_per_byte: self.last_bits_per_byte,
            totals: history.as_ref().map(Totals::of).unwrap_or_default(),
            run_dir: self.config.run_dir.clone(),
            model_dir,
        })
    }

    /// Saves the state beside the training; what it stands still for is the copy.
    fn save(&mut self) -> Result<(), Error> {
        let began = Instant::now();
        let snapshot = self.snapshot();
        let begun = self.store.begin_save(self.state.step, snapshot);
        let stall = began.elapsed().as_secs_f64();
        if let Some(previous) = begun.previous {
            self.record_saved(previous)?;
        }
        self.stall = stall;
        Ok(())
    }

    fn collect_saved(&mut self) -> Result<(), Error> {
        match self.store.poll() {
            None => Ok(()),
            Some(saved) => self.record_saved(saved),
        }
    }

    /// A save that failed is told and does not end the run: earlier checkpoints stand.
    fn record_saved(
        &mut self,
        saved: Result<Saved, crate::checkpoint::Error>,
    ) -> Result<(), Error> {
        match saved {
            Err(error) => self.observer.note(&error.to_string()),
            Ok(saved) => {
                let record = record::Checkpoint {
                    step: saved.step,
                    bytes: saved.bytes,
                    seconds: saved.seconds,
                    stall_seconds: self.stall,
                    sha256: saved.sha256,
                };
                self.spare = Some(saved.snapshot);
                self.journal.append(&Record::Checkpoint(record), (self.options.now)())?;
                self.journal.sync()?;
            }
        }
        Ok(())
    }

    /// A copy of the state, in the memory of the last one where it came back.
    fn snapshot(&mut self) -> Snapshot {
        let state = &self.state;
        let bits: Vec<[u64; 2]> =
            state.window.iter().map(|(loss, norm)| [loss.to_bits(), norm.to_bits()]).collect();
        let value = serde_json::json!({ "step": state.step, "window_bits": bits });
        let mut sources: Vec<(&str, &Vec<f32>)> = vec![
            ("trained", &state.trained),
            ("moments.first", &state.moments.first),
            ("moments.second", &state.moments.second),
        ];
        sources.extend(state.ema.as_ref().map(|ema| ("ema", ema)));
        let mut spare = self.spare.take().map(|spare| spare.arrays).unwrap_or_default().into_iter();
        let arrays = sources
            .into_iter()
            .map(|(name, values)| match spare.next() {
                Some(mut array) if array.name == name && array.values.len() == values.len() => {
                    array.values.copy_from_slice(values);
                    array
                }
                _ => Array { name: name.into(), shape: vec![values.len()], values: values.clone() },
            })
            .collect();
        Snapshot { arrays, state: value }
    }

    /// The weights that passes use.
    fn refresh_merged(&mut self) {
        if let Some(frozen) = &mut self.frozen {
            let layout = self.network.layout();
            frozen.adapters.merge(
                &self.pool,
                &mut frozen.merged,
                &frozen.base,
                layout,
                &self.state.trained,
            );
        }
    }

    fn write_report(&self) -> Result<(), Error> {
        let path = self.config.run_dir.join(REPORT);
        let contents = journal::read(&self.config.run_dir.join(JOURNAL))?;
        let Some(page) = crate::report::page(&contents, (self.options.now)(), None) else {
            return Ok(());
        };
        write_whole(&path, page.as_bytes())
    }
}

pub(crate) const JOURNAL: &str = "journal.jsonl";
const REPORT: &str = "report.html";

/// Writes under a temporary name and renames, so that a reader sees the old file or the new.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let partial = path.with_extension("partial");
    let hint = "free some space and check who may write there";
    std::fs::write(&partial, bytes).map_err(|source| Error::io(&partial, "write", source, hint))?;
    std::fs::rename(&partial, path).map_err(|source| Error::io(path, "rename to", source, hint))
}
