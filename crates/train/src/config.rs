//! A run's configuration: what stands in `run.toml`, and what follows from it.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::network::Auxiliary;
use crate::optimise::{Rule, Settings};
use crate::schedule::Form;

/// A run. Every key but the data has a default; relative paths are taken from the file's folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What the model is called on its card.
    pub name: String,
    /// Where the run lives: journal, checkpoints, report, model.
    pub run_dir: PathBuf,
    pub seed: u64,
    pub data: DataConfig,
    pub model: ModelConfig,
    pub training: Training,
    pub checkpoint: Checkpoints,
    pub evaluation: Evaluation,
    pub energy: Energy,
}

/// Which shards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// A directory that `corpus build` made.
    pub shards: PathBuf,
    /// Held-out shards; by default `held_out` inside it, where that is.
    pub held_out: Option<PathBuf>,
}

/// Which model: by depth, by its own description, or one to go on with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct ModelConfig {
    /// The dial; 4 where nothing else is said.
    pub depth: Option<usize>,
    /// Experts, 0 for a dense model; by the dial's rule where absent.
    pub experts: Option<usize>,
    /// Experts per token.
    pub active: Option<usize>,
    /// A `config.json` of a supported family, instead of the dial.
    pub description: Option<PathBuf>,
    /// A folder with `config.json` and safetensors to start from.
    pub from: Option<PathBuf>,
    /// Train adapters of this rank instead of all weights (with `from`).
    pub lora_rank: Option<usize>,
    /// Their scale is `lora_alpha / lora_rank`; twice the rank by default.
    pub lora_alpha: Option<f32>,
}

/// How it is trained. `None` follows from the model's size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Training {
    pub steps: Option<u64>,
    pub tokens: Option<f64>,
    pub batch_tokens: Option<u64>,
    /// Tokens per forward and backward pass; bounds memory.
    pub pass_tokens: u64,
    /// Muon for a new model, AdamW for one that is gone on with, where absent.
    pub optimiser: Option<Rule>,
    pub learning_rate: Option<f64>,
    pub schedule: Form,
    pub warmup_steps: Option<u64>,
    /// Share of the steps over which a WSD schedule decays.
    pub decay: f64,
    pub final_fraction: f64,
    pub beta1: f32,
    pub beta2: f32,
    pub weight_decay: f32,
    pub momentum: f32,
    /// Largest norm of the gradient; larger ones are scaled down. 0 never.
    pub clip: f64,
    /// Skip a step whose loss or gradient norm lies so many deviations above the last 128. 0 never.
    pub skip_sigma: f64,
    pub balance_loss: f32,
    pub router_z_loss: f32,
    pub logit_z_loss: f32,
    /// Decay of an exponential average of the weights, which is exported instead of them. 0 keeps none.
    pub ema: f32,
}

impl Default for Training {
    fn default() -> Self {
        Self {
            steps: None,
            tokens: None,
            batch_tokens: None,
            pass_tokens: 8192,
            optimiser: None,
            learning_rate: None,
            schedule: Form::Wsd,
            warmup_steps: None,
            decay: 0.4,
            final_fraction: 0.0,
            beta1: 0.9,
            beta2: 0.95,
            weight_decay: 0.1,
            momentum: 0.95,
            clip: 1.0,
            skip_sigma: 6.0,
            balance_loss: 1e-2,
            router_z_loss: 1e-3,
            logit_z_loss: 0.0,
            ema: 0.0,
        }
    }
}

impl Training {
    /// The losses beside cross-entropy.
    pub fn auxiliary(&self) -> Auxiliary {
        Auxiliary {
            balance: self.balance_loss,
            router_z: self.router_z_loss,
            logit_z: self.logit_z_loss,
        }
    }
}

/// When the state is saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Checkpoints {
    pub every_steps: u64,
    pub keep_last: usize,
    /// Steps whose checkpoints are kept for good are multiples of this; 0 keeps none.
    pub keep_every: u64,
}

impl Default for Checkpoints {
    fn default() -> Self {
        Self { every_steps: 100, keep_last: 2, keep_every: 0 }
    }
}

/// What is measured on the way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Evaluation {
    pub every_steps: u64,
    /// Held-out sequences per evaluation.
    pub sequences: u64,
    /// Beginnings that the model continues each time.
    pub prompts: Vec<String>,
    /// Tokens of each continuation.
    pub sample_tokens: usize,
}

impl Default for Evaluation {
    fn default() -> Self {
        let prompts = vec!["The ".to_owned(), "In the beginning".to_owned()];
        Self { every_steps: 100, sequences: 32, prompts, sample_tokens: 48 }
    }
}

/// A file of keys.
pub(crate) fn read_toml<T: DeserializeOwned>(path: &Path, hint: &'static str) -> Result<T, Error> {
    let text =
        std::fs::read_to_string(path).map_err(|error| Error::io(path, "read", error, hint))?;
    toml::from_str(&text).map_err(|error| Error::malformed(path, error.message().to_owned(), hint))
}

/// Takes a relative path from `folder`; made absolute, so that the copy in the run's folder means the same.
pub(crate) fn place(folder: &Path, path: &mut PathBuf) {
    if !path.as_os_str().is_empty() {
        let joined = folder.join(&*path);
        *path = std::path::absolute(&joined).unwrap_or(joined);
    }
}

/// What the owner of the machine declares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Energy {
    pub watts_per_core: Option<f64>,
    pub organisation: Option<String>,
    pub location: Option<String>,
    pub pue: Option<f64>,
    pub pue_source: Option<String>,
    pub grid_g_per_kwh: Option<f64>,
    pub grid_low_g_per_kwh: Option<f64>,
    pub grid_high_g_per_kwh: Option<f64>,
    pub grid_source: Option<String>,
    pub price_per_kwh: Option<f64>,
    pub currency: Option<String>,
}

impl Config {
    /// Reads a configuration; paths in it are taken from its folder.
    ///
    /// # Errors
    /// When the file cannot be read, has keys that nobody knows, or contradicts itself.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let hint = "examples/train/ has configurations that work";
        let mut config: Self = read_toml(path, hint)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let place = |path: &mut PathBuf| place(folder, path);
        place(&mut config.run_dir);
        place(&mut config.data.shards);
        let optional =
            [&mut config.data.held_out, &mut config.model.description, &mut config.model.from];
        optional.into_iter().flatten().for_each(place);
        config.check()?;
        Ok(config)
    }

    /// The optimiser's settings.
    pub fn settings(&self) -> Settings {
        let t = &self.training;
        let usual = if self.model.from.is_some() { Rule::AdamW } else { Rule::Muon };
        Settings {
            rule: t.optimiser.unwrap_or(usual),
            beta1: t.beta1,
            beta2: t.beta2,
            weight_decay: t.weight_decay,
            momentum: t.momentum,
            ..Settings::default()
        }
    }

    /// Refuses what cannot be meant.
    ///
    /// # Errors
    /// With the key and the way out.
    pub fn check(&self) -> Result<(), Error> {
        let t = &self.training;
        let wrong = |what: &str, hint: &'static str| Err(Error::configuration(what, hint));
        if self.data.shards.as_os_str().is_empty() {
            return wrong("no data is named", "set data.shards to a directory of `corpus build`");
        }
        let n_models = [self.model.description.is_some(), self.model.from.is_some()];
        if n_models == [true, true] || (self.model.depth.is_some() && n_models.contains(&true)) {
            return wrong(
                "model.depth, model.description and model.from exclude each other",
                "name one of them",
            );
        }
        if self.model.lora_rank.is_some() && self.model.from.is_none() {
            return wrong(
                "adapters need a model to adapt",
                "set model.from, or leave lora_rank out",
            );
        }
        if self.model.lora_rank.is_some() && t.ema > 0.0 {
            return wrong(
                "training.ema averages weights, and adapters leave them as they are",
                "leave ema or lora_rank out",
            );
        }
        if self.model.lora_rank == Some(0) || self.model.depth == Some(0) {
            return wrong("model.depth and model.lora_rank count from 1", "use 1 or more");
        }
        if self.model.experts == Some(0) && self.model.active.is_some_and(|active| active > 0) {
            return wrong("a dense model has no active experts", "leave model.active out");
        }
        if let (Some(experts), Some(active)) = (self.model.experts, self.model.active)
            && (active > experts || active == 0 && experts > 0)
        {
            return wrong(
                "model.active lies outside 1 … model.experts",
                "choose fewer experts per token",
            );
        }
        let positive = [
            t.tokens.is_none_or(|v| v.is_finite() && v >= 1.0),
            t.steps != Some(0),
            t.batch_tokens != Some(0) && t.pass_tokens > 0,
            t.learning_rate.is_none_or(|v| v.is_finite() && v >= 0.0),
            self.checkpoint.every_steps > 0 && self.evaluation.every_steps > 0,
        ];
        if positive.contains(&false) {
            return wrong(
                "tokens, steps, batch sizes, rates and intervals must be positive numbers",
                "leave a key out to have it follow from the model's size",
            );
        }
        let shares =
            [t.decay, t.final_fraction, f64::from(t.ema), f64::from(t.beta1), f64::from(t.beta2)];
        if shares.iter().any(|share| !(0.0..=1.0).contains(share)) {
            return wrong(
                "decay, final_fraction, ema and betas lie between 0 and 1",
                "correct the key",
            );
        }
        Ok(())
    }
}
