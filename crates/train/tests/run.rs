//! Whole runs on small shards: exact resumption, damaged checkpoints, adapters, the exported model.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use corpus::shards::{Document, WriteOptions, write};
use kernels::pool::Pool;
use ledger::Timestamp;
use ledger::history::History;
use ledger::journal;
use tempfile::TempDir;
use train::collective::Alone;
use train::config::Config;
use train::initial::Random;
use train::run::{self, Observer, Options, Progress, Summary};
use train::{Error, import};

const VOCAB: u32 = 61;

#[derive(Default)]
struct Notes(Vec<String>);

impl Observer for Notes {
    fn step(&mut self, _: &Progress<'_>) {}

    fn note(&mut self, text: &str) {
        self.0.push(text.to_owned());
    }
}

/// Documents with a pattern that can be learnt: each token follows from the one before, mostly.
fn shards(dir: &Path, counted: bool) -> PathBuf {
    let target = dir.join("shards");
    let mut random = Random::new(5);
    let documents: Vec<Document> = (0..400)
        .map(|_| {
            let len = 3 + random.bits() as usize % 50;
            let mut token = random.bits() as u32 % VOCAB;
            let tokens: Vec<u32> = (0..len)
                .map(|_| {
                    token = (token * 7 + 3) % VOCAB;
                    if random.bits().is_multiple_of(8) {
                        random.bits() as u32 % VOCAB
                    } else {
                        token
                    }
                })
                .collect();
            let mask = counted.then(|| (0..len).map(|i| i % 3 != 0).collect());
            Document { tokens, counted: mask }
        })
        .collect();
    let options = WriteOptions { counted, ..WriteOptions::new(VOCAB, 64) };
    write(&target, options, None, documents).expect("shards");
    target
}

fn config(dir: &Path, name: &str) -> Config {
    let mut config = Config { run_dir: dir.join(name), ..Config::default() };
    config.data.shards = dir.join("shards");
    config.model.depth = Some(1);
    config.model.experts = Some(6);
    config.model.active = Some(2);
    config.training.steps = Some(12);
    config.training.batch_tokens = Some(512);
    config.training.pass_tokens = 256;
    config.training.learning_rate = Some(3e-3);
    config.training.ema = 0.9;
    config.checkpoint.every_steps = 3;
    config.evaluation.every_steps = 6;
    config
}

fn train_with(
    config: &Config,
    resume: bool,
    until_step: Option<u64>,
    n_threads: usize,
) -> Result<Summary, Error> {
    let stop = AtomicBool::new(false);
    let options = Options {
        resume,
        until_step,
        n_threads,
        stop: &stop,
        now: Timestamp::now,
        peak_flop_per_s: None,
        planner: None,
        code_version: "test".into(),
    };
    run::train(config.clone(), &options, &mut Alone, &mut Notes::default())
}

/// Losses of the steps that stand, as bits.
fn losses(run_dir: &Path) -> Vec<(u64, u64)> {
    let contents = journal::read(&run_dir.join("journal.jsonl")).unwrap();
    let history = History::of(&contents.entries).unwrap();
    history.surviving().map(|step| (step.step, step.loss.to_bits())).collect()
}

fn weights(run_dir: &Path) -> Vec<u8> {
    std::fs::read(run_dir.join("model/model.safetensors")).unwrap()
}

#[test]
fn a_run_that_was_stopped_twice_equals_one_that_was_not_bit_for_bit() {
    let dir = TempDir::new().unwrap();
    shards(dir.path(), false);
    let whole = config(dir.path(), "whole");
    assert!(train_with(&whole, false, None, 2).unwrap().finished);
    let parts = config(dir.path(), "parts");
    assert!(!train_with(&parts, false, Some(4), 2).unwrap().finished);
    assert!(!train_with(&parts, true, Some(7), 1).unwrap().finished);
    assert!(train_with(&parts, true, None, 3).unwrap().finished);
    assert_eq!(losses(&whole.run_dir), losses(&parts.run_dir));
    assert_eq!(losses(&whole.run_dir).len(), 12);
    assert_eq!(weights(&whole.run_dir), weights(&parts.run_dir));
}

#[test]
fn a_damaged_checkpoint_costs_steps_and_changes_no_bit() {
    let dir = TempDir::new().unwrap();
    shards(dir.path(), false);
    let whole = config(dir.path(), "whole");
    train_with(&whole, false, None, 2).unwrap();
    let parts = config(dir.path(), "parts");
    train_with(&parts, false, Some(8), 2).unwrap();
    // The newest is flipped in one bit, the one before truncated, and a half-written one lies about.
    let folder = parts.run_dir.join("checkpoints");
    let newest = folder.join("step-00000008/arrays.safetensors");
    let mut bytes = std::fs::read(&newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(&newest, &bytes).unwrap();
    let before = folder.join("step-00000006/arrays.safetensors");
    let bytes = std::fs::read(&before).unwrap();
    std::fs::write(&before, &bytes[..bytes.len() - 5]).unwrap();
    std::fs::create_dir(folder.join("step-00000009.partial")).unwrap();
    let summary = train_with(&parts, true, None, 2).unwrap();
    assert!(summary.finished);
    assert_eq!(losses(&whole.run_dir), losses(&parts.run_dir));
    assert_eq!(weights(&whole.run_dir), weights(&parts.run_dir));
    // Nothing whole was left, so all eight steps were made again, and they are accounted for.
    assert_eq!(summary.totals.wasted.count, 8);
}

/// The arrays of a checkpoint by name.
fn arrays(run_dir: &Path, step: u64, name: &str) -> Vec<f32> {
    let path = run_dir.join(format!("checkpoints/step-{step:08}/arrays.safetensors"));
    let bytes = std::fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let data = file.tensor(name).unwrap().data().chunks_exact(4);
    data.map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

#[test]
fn the_average_of_the_weights_is_what_the_checkpoints_average_to_and_what_is_exported() {
    let dir = TempDir::new().unwrap();
    shards(dir.path(), false);
    let mut config = config(dir.path(), "run");
    config.checkpoint.every_steps = 1;
    config.checkpoint.keep_last = 100;
    let model = train_with(&config, false, None, 2).unwrap().model_dir.unwrap();
    let decay = f64::from(config.training.ema);
    // After the first step it is known; from there the recurrence is made again in f64.
    let mut average: Vec<f64> =
        arrays(&config.run_dir, 1, "ema").into_iter().map(f64::from).collect();
    for step in 2..=12 {
        for (average, now) in average.iter_mut().zip(arrays(&config.run_dir, step, "trained")) {
            *average = decay * *average + (1.0 - decay) * f64::from(now);
        }
    }
    let kept = arrays(&config.run_dir, 12, "ema");
    let apart = average.iter().zip(&kept).map(|(a, b)| (a - f64::from(*b)).abs());
    assert!(apart.fold(0.0, f64::max) < 1e-6);
    assert_ne!(kept, arrays(&config.run_dir, 12, "trained"));
    assert_eq!(import::read(&model).unwrap().parameters, kept);
}

#[test]
fn a_skipped_step_moves_no_weight_and_is_told_and_the_same_after_a_stop() {
    let dir = TempDir::new().unwrap();
    shards(dir.path(), false);
    let mut whole = config(dir.path(), "whole");
    whole.training.steps = Some(44);
    whole.training.ema = 0.0;
    // Anything above the mean is an outlier to this run, so that some steps are.
    whole.training.skip_sigma = 0.5;
    whole.training.schedule = train::schedule::Form::Constant;
    whole.checkpoint.every_steps = 1;
    whole.checkpoint.keep_last = 100;
    whole.evaluation.every_steps = 100;
    train_with(&whole, false, None, 2).unwrap();
    let contents = journal::read(&whole.run_dir.join("journal.jsonl")).unwrap();
    let history = History::of(&contents.entries).unwrap();
    let steps: Vec<(u64, bool)> =
        history.surviving().map(|step| (step.step, step.skipped.is_some())).collect();
    assert!(steps[..32].iter().all(|(_, skipped)| !skipped), "too few steps to judge by");
    let n_skipped = steps.iter().filter(|(_, skipped)| *skipped).count();
    assert!((1..12).contains(&n_skipped), "{n_skipped} of the last 12 skipped");
    for (step, skipped) in &steps[32..] {
        for name in ["trained", "moments.first", "moments.second"] {
            let before = arrays(&whole.run_dir, step - 1, name);
            let same = before == arrays(&whole.run_dir, *step, name);
            assert_eq!(same, *skipped, "{name} at step {step}");
        }
    }
    // What outliers are judged by is part of the state.
    let parts = Config { run_dir: dir.path().join("parts"), ..whole.clone() };
    train_with(&parts, false, Some(39), 2).unwrap();
    train_with(&parts, true, None, 1).unwrap();
    assert_eq!(losses(&whole.run_dir), losses(&parts.run_dir));
    assert_eq!(weights(&whole.run_dir), weights(&parts.run_dir));
}

#[test]
fn a_run_learns_and_its_model_gives_the_losses_that_were_measured() {
    let dir = TempDir::new().unwrap();
    shards(dir.path(), false);
    let mut config = config(dir.path(), "run");
    config.training.steps = Some(60);
    config.training.ema = 0.0;
    config.data.held_out = Some(config.data.shards.clone());
    let summary = train_with(&config, false, None, 2).unwrap();
    // A uniform guess costs ln 61 = 4.1 nats.
    assert!(summary.loss < 3.4, "loss {}", summary.loss);
    let model = summary.model_dir.unwrap();
    let imported = import::read(&model).unwrap();
    let pool = Arc::new(Pool::new(2));
    let data = train::data::Data::open(&config.data.shards, 0, 512, 256).unwrap();
    let auxiliary = config.training.auxiliary();
    let mut network = train::network::Network::new(imported.config, pool, auxiliary).unwrap();
    let (mut nats, mut n) = (0.0, 0);
    for batch in data.in_order(config.evaluation.sequences).unwrap() {
        let outcome = network.evaluate(&imported.parameters, &batch);
        nats += outcome.loss_sum;
        n += outcome.n_counted;
    }
    let bits = nats / n as f64 / std::f64::consts::LN_2;
    let told = summary.held_out_bits_per_byte.unwrap();
    assert!((bits - told).abs() < 1e-12, "{bits} and {told}");
}

#[test]
fn the_engine_computes_the_same_scores_as_the_trainer() {
    let dir = TempDir::new().unwrap();
    shards(dir.path(), false);
    let config = config(dir.path(), "run");
    let model = train_with(&config, false, None, 2).unwrap().model_dir.unwrap();
    let imported = import::read(&model).unwrap();
    let pool = Arc::new(Pool::new(1));
    let auxiliary = config.training.auxiliary();
    let mut network = train::network::Network::new(imported.config, pool, auxiliary).unwrap();
    let precision = model::decoder::Precision::Exact;
    let engine = infer::Engine::load_with(&model, 1, precision).unwrap();
    for tokens in [vec![1, 2, 3], vec![60], (0..40).collect()] {
        let logits = infer::Session::new(&engine).logits(&tokens).unwrap();
        let last = logits.last().unwrap();
        let best = (0..last.len()).fold(0, |best, t| if last[t] > last[best] { t } else { best });
        assert_eq!(network.likeliest(&imported.parameters, &tokens), best as u32);
    }
}

#[test]
fn adapters_move_only_what_they_adapt() {
    let dir = TempDir::new().unwrap();
    shards(dir.path(), true);
    let first = config(dir.path(), "first");
    let base = train_with(&first, false, None, 2).unwrap().model_dir.unwrap();
    let mut second = config(dir.path(), "second");
    second.model = train::config::ModelConfig {
        from: Some(base.clone()),
        lora_rank: Some(3),
        ..train::config::ModelConfig::default()
    };
    second.training.ema = 0.0;
    let summary = train_with(&second, false, None, 2).unwrap();
    let (before, after) =
        (import::read(&base).unwrap(), import::read(&summary.model_dir.unwrap()).unwrap());
    for tensor in &before.layout.tensors {
        let same =
            before.parameters[tensor.range.clone()] == after.parameters[tensor.range.clone()];
        let adapted = tensor.name.contains("_proj");
        assert_eq!(same, !adapted, "{}", tensor.name);
    }
}

#[test]
fn what_cannot_be_meant_is_refused_with_a_way_out() {
    let dir = TempDir::new().unwrap();
    shards(dir.path(), false);
    let good = config(dir.path(), "run");
    train_with(&good, false, Some(1), 1).unwrap();
    let message =
        |config: &Config, resume| train_with(config, resume, None, 1).unwrap_err().to_string();
    assert!(message(&good, false).contains("--resume"));
    let mut other = good.clone();
    other.training.learning_rate = Some(1e-4);
    assert!(message(&other, true).contains("configuration differs"));
    let mut hot = config(dir.path(), "hot");
    hot.training.learning_rate = Some(1e30);
    hot.training.clip = 0.0;
    let text = message(&hot, false);
    assert!(text.contains("step 2") && text.contains("not finite"), "{text}");
    let mut both = config(dir.path(), "both");
    both.model = train::config::ModelConfig {
        from: Some(dir.path().join("model")),
        lora_rank: Some(2),
        ..train::config::ModelConfig::default()
    };
    assert!(message(&both, false).contains("ema or lora_rank"));
    let mut nowhere = good;
    nowhere.data.shards = dir.path().join("nothing");
    nowhere.run_dir = dir.path().join("nowhere");
    assert!(message(&nowhere, false).contains("nothing"));
}
