//! Before the first step: the model, the data, the plan, and the folder of a new run or the state of an old one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use corpus::tokenizer::Tokenizer;
use kernels::pool::Pool;
use ledger::energy::{self, Meter};
use ledger::journal::Journal;
use ledger::record::{self, RunStarted};
use model::config::DecoderConfig;
use model::cost;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Frozen, JOURNAL, Observer, Options, Run, Settled, State, write_whole};
use crate::checkpoint::{Keep, Loaded, Store};
use crate::collective::Collective;
use crate::config::Config;
use crate::data::Data;
use crate::lora::Adapters;
use crate::network::Network;
use crate::optimise::Moments;
use crate::schedule::Schedule;
use crate::tensorboard::Events;
use crate::{Error, dial, import, initial, optimise};

/// What the size of model and data decides.
struct Plan {
    schedule: Schedule,
    peak_rate: f64,
    batch_tokens: u64,
}

impl<'a> Run<'a> {
    pub(super) fn open(
        mut config: Config,
        options: &'a Options<'a>,
        collective: &'a mut dyn Collective,
        observer: &'a mut dyn Observer,
    ) -> Result<Self, Error> {
        config.check()?;
        if config.data.held_out.is_none() {
            let inside = config.data.shards.join("held_out");
            config.data.held_out = inside.is_dir().then_some(inside);
        }
        let pool = Arc::new(Pool::new(options.n_threads));
        let (json, decoder, start) = describe(&config)?;
        let network = Network::new(decoder, Arc::clone(&pool), config.training.auxiliary())?;
        let plan = plan(&config, network.config(), start.is_some())?;
        let shards = &config.data.shards;
        let data = Data::open(shards, config.seed, plan.batch_tokens, config.training.pass_tokens)?;
        if data.shards().vocab_size() > network.config().vocab {
            let (theirs, ours) = (data.shards().vocab_size(), network.config().vocab);
            let what = format!("its tokens go up to {theirs}, the model's vocabulary to {ours}");
            return Err(Error::malformed(
                shards,
                what,
                "build the shards with the model's tokenizer",
            ));
        }
        let held_out = match &config.data.held_out {
            None => None,
            Some(path) => {
                Some(Data::open(path, 0, plan.batch_tokens, config.training.pass_tokens)?)
            }
        };
        let tokenizer = tokenizer(&config, data.shards().tokenizer_path())?;
        let new = first_state(&config, &network, start);
        let (mut state, mut frozen) = new;
        let watts_per_core = config.energy.watts_per_core;
        let meter_options = energy::Options { watts_per_core, ..energy::Options::default() };
        let meter = Meter::start(&meter_options, Instant::now());
        let started = started(&config, options, &network, &data, &plan, &meter);
        let keep = Keep { last: config.checkpoint.keep_last, every: config.checkpoint.keep_every };
        let (journal, store) = folder(&config, options, observer, started, keep, &mut state)?;
        if let Some(frozen) = &mut frozen {
            frozen.merged.resize(frozen.base.len(), 0.0);
        }
        let now = (options.now)().as_millisecond() as f64 / 1e3;
        let events = Events::create(&config.run_dir, now, state.step + 1)
            .map_err(|error| observer.note(&format!("no file for TensorBoard: {error}")))
            .ok();
        let n = network.layout().len;
        let n_adapters = frozen.as_ref().map_or(0, |frozen| frozen.adapters.layout().len);
        Ok(Self {
            options,
            observer,
            collective,
            json,
            network,
            pool,
            data,
            held_out,
            tokenizer,
            schedule: plan.schedule,
            peak_rate: plan.peak_rate,
            state,
            frozen,
            gradients: vec![0.0; n],
            adapter_gradients: vec![0.0; n_adapters],
            journal,
            store,
            events,
            meter,
            joules: 0.0,
            pace: Vec::new(),
            spare: None,
            stall: 0.0,
            last_bits_per_byte: None,
            config,
        })
    }
}

/// The model's `config.json`, its description, and its weights where there are some.
fn describe(config: &Config) -> Result<(Value, DecoderConfig, Option<Vec<f32>>), Error> {
    if let Some(from) = &config.model.from {
        let imported = import::read(from)?;
        return Ok((imported.json, imported.config, Some(imported.parameters)));
    }
    let (json, path) = match &config.model.description {
        Some(path) => (model::safetensors::read_json(path)?, path.clone()),
        None => {
            let shards = corpus::shards::Shards::open(&config.data.shards)?;
            let experts = match (config.model.experts, config.model.active) {
                (None, None) => None,
                (experts, active) => {
                    let n = experts.unwrap_or(32);
                    Some((n, active.unwrap_or(n.min(4))))
                }
            };
            let depth = config.model.depth.unwrap_or(dial::FAMILY[0].1);
            // A multiple of 64 costs a few rows and fills whole tiles.
            let vocab = shards.vocab_size().next_multiple_of(64);
            let sizes = dial::sizes(depth, vocab, shards.sequence_length(), experts);
            (sizes.to_json(), PathBuf::from("config.json"))
        }
    };
    let decoder = DecoderConfig::from_hugging_face(&json, &path)?;
    Ok((json, decoder, None))
}

fn plan(config: &Config, decoder: &DecoderConfig, continued: bool) -> Result<Plan, Error> {
    let training = &config.training;
    let shards = corpus::shards::Shards::open(&config.data.shards)?;
    let parameters = cost::parameters(decoder);
    // What is already trained sees the data once; a new model gets 20 tokens per active parameter.
    let usual = if continued { shards.n_tokens() as f64 } else { 20.0 * parameters.active as f64 };
    let tokens = training.tokens.unwrap_or(usual);
    let length = shards.sequence_length() as u64;
    let per_token = cost::training_flops(decoder, &[length]) / length as f64;
    let (rate, batch) = dial::rate_and_batch(per_token * tokens);
    let rate = if continued { rate * 0.1 } else { rate };
    let batch_tokens = training.batch_tokens.unwrap_or(batch);
    let steps = training.steps.unwrap_or((tokens / batch_tokens as f64).ceil().max(1.0) as u64);
    let warmup_steps = training.warmup_steps.unwrap_or((steps / 20).clamp(1, 500));
    Ok(Plan {
        schedule: Schedule {
            form: training.schedule,
            steps,
            warmup_steps: warmup_steps.min(steps),
            decay_steps: (training.decay * steps as f64).round() as u64,
            final_fraction: training.final_fraction,
        },
        peak_rate: training.learning_rate.unwrap_or(rate),
        batch_tokens,
    })
}

/// The tokenizer of the model that is gone on with, or of the shards.
fn tokenizer(config: &Config, beside_shards: PathBuf) -> Result<Option<Tokenizer>, Error> {
    let of_model = config.model.from.as_ref().map(|from| from.join("tokenizer.json"));
    let Some(path) = of_model.into_iter().chain([beside_shards]).find(|path| path.is_file()) else {
        return Ok(None);
    };
    let hint = "check who may read it";
    let bytes = fs::read(&path).map_err(|error| Error::io(&path, "read", error, hint))?;
    Ok(Some(Tokenizer::from_json(&bytes)?))
}

/// The state before the first step.
fn first_state(
    config: &Config,
    network: &Network,
    start: Option<Vec<f32>>,
) -> (State, Option<Frozen>) {
    let layout = network.layout();
    let (trained, frozen) = match (start, config.model.lora_rank) {
        (Some(base), Some(rank)) => {
            let alpha = config.model.lora_alpha.unwrap_or(2.0 * rank as f32);
            let adapters = Adapters::new(layout, rank, alpha);
            let trained = adapters.initial(config.seed);
            (trained, Some(Frozen { base, adapters, merged: Vec::new() }))
        }
        (Some(base), None) => (base, None),
        (None, _) => {
            let n_layers = network.config().n_layers();
            (initial::parameters(layout, n_layers, config.seed), None)
        }
    };
    let moments = Moments::new(trained.len());
    let ema = (config.training.ema > 0.0).then(|| trained.clone());
    (State { step: 0, trained, moments, ema, window: Vec::new() }, frozen)
}

/// The folder of a new run, or that of an old one with its state.
fn folder(
    config: &Config,
    options: &Options<'_>,
    observer: &mut dyn Observer,
    started: RunStarted,
    keep: Keep,
    state: &mut State,
) -> Result<(Journal, Store), Error> {
    let dir = &config.run_dir;
    let path = dir.join(JOURNAL);
    let now = (options.now)();
    if !path.exists() {
        fs::create_dir_all(dir)
            .map_err(|error| Error::io(dir, "make", error, "check who may write there"))?;
        write_whole(&dir.join("run.toml"), text(config).as_bytes())?;
        let journal = Journal::create(&path, &started, now)?;
        return Ok((journal, Store::open(&dir.join("checkpoints"), keep)?));
    }
    if !options.resume {
        return Err(Error::configuration(
            format!("{} already holds a run", dir.display()),
            "go on with it by `--resume`, or set run_dir to a new folder",
        ));
    }
    let (mut journal, contents) = Journal::open(&path)?;
    if let Some(torn) = &contents.torn {
        observer.note(&format!("journal: {torn}"));
    }
    if let Some(record::Record::RunStarted(before)) =
        contents.entries.first().map(|entry| &entry.record)
    {
        let same = [
            (
                before.config_sha256 == started.config_sha256,
                "the configuration",
                "give the run.toml of its folder",
            ),
            (
                before.data_fingerprint == started.data_fingerprint,
                "the data",
                "give the shards that it began with",
            ),
        ];
        if let Some((_, what, hint)) = same.into_iter().find(|(same, ..)| !same) {
            return Err(Error::configuration(
                format!("{what} differs from what the run in {} began with", dir.display()),
                hint,
            ));
        }
    }
    let mut store = Store::open(&dir.join("checkpoints"), keep)?;
    let mut reports = Vec::new();
    let loaded = store.latest(&mut reports)?;
    reports.iter().for_each(|report| observer.note(&report.to_string()));
    if let Some(loaded) = loaded {
        restore(state, loaded, &dir.join("checkpoints"))?;
    }
    let resumed = journal.resume(state.step, now)?;
    observer.note(&match resumed.discarded_steps {
        0 => format!("goes on after step {}", state.step),
        n => format!("goes on after step {}; {n} later steps are made again", state.step),
    });
    Ok((journal, store))
}

/// Takes the state out of a checkpoint.
fn restore(state: &mut State, loaded: Loaded, path: &Path) -> Result<(), Error> {
    let other = || {
        Error::malformed(
            path,
            format!("the checkpoint of step {} belongs to another run", loaded.step),
            "resume with the run.toml of the run's folder",
        )
    };
    let arrays = loaded.snapshot.arrays;
    let targets = [
        ("trained", Some(&mut state.trained)),
        ("moments.first", Some(&mut state.moments.first)),
        ("moments.second", Some(&mut state.moments.second)),
        ("ema", state.ema.as_mut()),
    ];
    let mut arrays = arrays
        .into_iter()
        .map(|array| (array.name, array.values))
        .collect::<std::collections::HashMap<_, _>>();
    for (name, target) in targets {
        let Some(target) = target else { continue };
        let values = arrays.remove(name).filter(|values| values.len() == target.len());
        *target = values.ok_or_else(other)?;
    }
    let window = &loaded.snapshot.state["window_bits"];
    let pairs: Vec<[u64; 2]> = serde_json::from_value(window.clone()).map_err(|_| other())?;
    state.window = pairs
        .into_iter()
        .map(|[loss, norm]| (f64::from_bits(loss), f64::from_bits(norm)))
        .collect();
    state.step = loaded.step;
    Ok(())
}

fn text(config: &Config) -> String {
    // A configuration is plain numbers and texts; what cannot be written could not have been read.
    toml::to_string(config).unwrap_or_default()
}

/// The journal's first record.
fn started(
    config: &Config,
    options: &Options<'_>,
    network: &Network,
    data: &Data,
    plan: &Plan,
    meter: &Meter,
) -> RunStarted {
    let decoder = network.config();
    let parameters = cost::parameters(decoder);
    let config_sha256: String =
        Sha256::digest(text(config)).iter().map(|byte| format!("{byte:02x}")).collect();
    let shards = data.shards();
    let experts = decoder.experts.as_ref();
    let phase = match (&config.model.from, config.model.lora_rank, shards.manifest().counted) {
        (_, Some(_), _) => "lora",
        (Some(_), None, true) => "sft",
        (Some(_), None, false) => "continue",
        (None, ..) => "pretrain",
    };
    RunStarted {
        run_id: config_sha256[..12].to_owned(),
        phase: phase.into(),
        data_fingerprint: shards.fingerprint().to_owned(),
        data: vec![record::DataSource {
            name: shards.directory().file_name().unwrap_or_default().to_string_lossy().into(),
            documents: shards.manifest().n_documents,
            tokens: shards.n_tokens(),
            ..record::DataSource::default()
        }],
        code_version: options.code_version.clone(),
        seed: config.seed,
        model: record::ModelDescription {
            name: config.name.clone(),
            architecture: decoder.architecture.clone(),
            layers: decoder.n_layers() as u64,
            width: decoder.hidden as u64,
            experts: experts.map_or(0, |experts| experts.n_experts as u64),
            experts_per_token: experts.map_or(0, |experts| experts.n_active as u64),
            vocab: decoder.vocab as u64,
            context: decoder.context_len as u64,
            parameters_total: parameters.total,
            parameters_active: parameters.active,
            parameters_embedding: parameters.embedding,
            matrix_weights_per_token: cost::matrix_weights_per_token(decoder),
            query_width: decoder.query_width() as u64,
            precision: "float32".into(),
            ..record::ModelDescription::default()
        },
        base: config.model.from.as_ref().map(|from| record::BaseModel {
            name: from.file_name().unwrap_or_default().to_string_lossy().into(),
            ..record::BaseModel::default()
        }),
        host: host(options),
        energy_method: meter.describe(),
        declared: declared(config),
        planned_steps: Some(plan.schedule.steps),
        planned_tokens: Some(plan.schedule.steps * plan.batch_tokens),
        plan: predicted(config, options, network, data, plan),
        config_sha256,
    }
}

/// None for adapters, whose steps do less than a full one.
fn predicted(
    config: &Config,
    options: &Options<'_>,
    network: &Network,
    data: &Data,
    plan: &Plan,
) -> Option<record::Planned> {
    if config.model.lora_rank.is_some() {
        return None;
    }
    let settled = Settled {
        model: network.config(),
        steps: plan.schedule.steps,
        batch_tokens: plan.batch_tokens,
        sequence: data.shards().sequence_length() as u64,
        peak_flop_per_s: options.peak_flop_per_s?,
        optimiser_flop: optimise::product_flops(network.layout(), config.settings().rule),
    };
    options.planner.map(|planner| planner(&settled))
}

fn host(options: &Options<'_>) -> record::Host {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let name = cpu.lines().find_map(|line| line.strip_prefix("model name"));
    let os = read("/etc/os-release");
    let pretty = os.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    record::Host {
        cpu: name.map_or("", |rest| rest.trim_start_matches([' ', '\t', ':'])).into(),
        cores: std::thread::available_parallelism().map_or(1, |n| n.get() as u64),
        threads: options.n_threads as u64,
        memory_bytes: energy::Options::default().memory_bytes,
        os: pretty.map_or(std::env::consts::OS, |name| name.trim_matches('"')).into(),
        accelerators: Vec::new(),
        peak_flop_per_s: options.peak_flop_per_s,
        peak_source: options.peak_flop_per_s.map_or("", |_| "measured when the run began").into(),
    }
}

fn declared(config: &Config) -> record::Declared {
    let energy = config.energy.clone();
    record::Declared {
        organisation: energy.organisation,
        location: energy.location,
        pue: energy.pue,
        pue_source: energy.pue_source,
        grid_g_per_kwh: energy.grid_g_per_kwh,
        grid_low_g_per_kwh: energy.grid_low_g_per_kwh,
        grid_high_g_per_kwh: energy.grid_high_g_per_kwh,
        grid_source: energy.grid_source,
        price_per_kwh: energy.price_per_kwh,
        currency: energy.currency,
    }
}
