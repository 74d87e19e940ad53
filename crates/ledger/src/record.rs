//! What a journal says, one record per line.
//!
//! **Steps** are counted by their result: step 1 is the first optimiser step, and a checkpoint of step 100 holds the
//! weights after 100 of them. Resuming from it makes step 101 again. Steps above it that were done before stay in the
//! journal; they were paid for, so they count, but as wasted.
//!
//! **FLOPs** are three numbers that are never mixed. *Model*: what the mathematics needs, a multiply-add counted as two,
//! causal attention counted exactly over the documents of the batch, backward twice the forward. *PaLM*: the same with
//! attention counted over the whole square, as most published utilisation figures do. *Hardware*: what was issued,
//! recomputation and padding included. They are `f64`, exact up to 2^53 (9e15) per record and to 16 digits above.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::energy::Reading;
use crate::number;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    /// Always the first line, and only that.
    RunStarted(Box<RunStarted>),
    Resumed(Resumed),
    Step(Step),
    Evaluation(Evaluation),
    Checkpoint(Checkpoint),
    Sample(Sample),
    Stopped(Stopped),
    Finished(Finished),
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunStarted {
    pub run_id: String,
    /// `pretrain`, `continue`, `sft`, `lora`, …: the phase in whose total this run's compute is counted.
    pub phase: String,
    /// SHA-256 of the configuration as it was used (`run.toml`).
    pub config_sha256: String,
    /// What identifies the training text, its order included.
    pub data_fingerprint: String,
    pub data: Vec<DataSource>,
    pub code_version: String,
    pub seed: u64,
    pub model: ModelDescription,
    /// The model this run starts from; none when it starts from random weights.
    pub base: Option<BaseModel>,
    pub host: Host,
    /// How energy is metered, in a sentence ([`crate::energy::Meter::describe`]).
    pub energy_method: String,
    pub declared: Declared,
    pub planned_steps: Option<u64>,
    pub planned_tokens: Option<u64>,
    /// What was predicted of this run, where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Planned>,
}

/// A prediction made before the first step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Planned {
    /// What it was computed from, in a sentence.
    pub method: String,
    pub steps: u64,
    pub step_s: f64,
    /// The range that was promised.
    pub step_s_low: f64,
    pub step_s_high: f64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelDescription {
    pub name: String,
    /// As `config.json` names it: `Qwen3MoeForCausalLM`.
    pub architecture: String,
    pub layers: u64,
    pub width: u64,
    /// 0 where the model is dense.
    pub experts: u64,
    pub experts_per_token: u64,
    pub vocab: u64,
    pub context: u64,
    pub parameters_total: u64,
    /// Parameters that a token meets, the embedding table among them.
    pub parameters_active: u64,
    /// The embedding table, part of both.
    pub parameters_embedding: u64,
    /// Weights that take part in a matrix product for each token, the head among them.
    pub matrix_weights_per_token: u64,
    /// Heads × width of a head.
    pub query_width: u64,
    /// Number format of weights and sums: `float32`.
    pub precision: String,
    pub tokenizer: String,
    pub licence: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BaseModel {
    pub name: String,
    pub weights_sha256: String,
    /// What making it cost, where known: the denominator of the one-third rule for changed models.
    pub cumulative_model_flop: Option<f64>,
}

/// One source of training text.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DataSource {
    pub name: String,
    pub version: String,
    pub licence: String,
    pub documents: u64,
    pub tokens: u64,
    /// Written by a model, ours or another's.
    pub synthetic: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Host {
    pub cpu: String,
    pub cores: u64,
    pub threads: u64,
    pub memory_bytes: u64,
    pub os: String,
    pub accelerators: Vec<String>,
    /// Highest rate of arithmetic of this machine in the precision of the run, FLOP/s: the denominator of utilisation.
    pub peak_flop_per_s: Option<f64>,
    /// Where that number is from: `measured by bench kernels` or a data sheet.
    pub peak_source: String,
}

/// What cannot be measured from inside and is declared by whoever runs the machine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Declared {
    pub organisation: Option<String>,
    pub location: Option<String>,
    /// Energy at the meter of the building ÷ energy of the machine, at least 1.
    pub pue: Option<f64>,
    pub pue_source: Option<String>,
    /// Grams of CO2 equivalent per kWh, with the range the source gives.
    pub grid_g_per_kwh: Option<f64>,
    pub grid_low_g_per_kwh: Option<f64>,
    pub grid_high_g_per_kwh: Option<f64>,
    pub grid_source: Option<String>,
    pub price_per_kwh: Option<f64>,
    pub currency: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resumed {
    /// The checkpoint's step; the next step is one above it.
    pub from_step: u64,
    /// Steps above it that were done before and are done again.
    pub discarded_steps: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Step {
    pub step: u64,
    /// Tokens read in this step.
    pub tokens: u64,
    /// Mean loss over the step's tokens, natural logarithm.
    #[serde(with = "number")]
    pub loss: f64,
    #[serde(with = "number")]
    pub learning_rate: f64,
    /// Before clipping.
    #[serde(with = "number")]
    pub grad_norm: f64,
    pub seconds: f64,
    pub model_flop: f64,
    pub palm_flop: f64,
    pub hardware_flop: f64,
    #[serde(skip_serializing_if = "Reading::is_empty")]
    pub energy: Reading,
    /// Per layer, how many tokens went to each expert; empty where the model is dense or this step is not sampled.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expert_tokens: Vec<Vec<u32>>,
    /// Why the gradient was not applied, where it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Evaluation {
    pub step: u64,
    /// What was measured, its unit included: `held-out bits per byte`.
    pub name: String,
    #[serde(with = "number")]
    pub value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stderr: Option<f64>,
    /// Number of items (bytes, questions) the value is a mean over.
    pub n: u64,
    /// FLOPs issued for it.
    pub flop: f64,
    pub seconds: f64,
    #[serde(skip_serializing_if = "Reading::is_empty")]
    pub energy: Reading,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Checkpoint {
    pub step: u64,
    pub bytes: u64,
    /// Time from the order to save until the files stood on disk; training goes on meanwhile.
    pub seconds: f64,
    /// Time training stood still for it.
    pub stall_seconds: f64,
    /// Hash of the checkpoint's manifest, which holds the hashes of its files.
    pub sha256: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sample {
    pub step: u64,
    pub prompt: String,
    pub text: String,
    pub flop: f64,
    pub seconds: f64,
    #[serde(skip_serializing_if = "Reading::is_empty")]
    pub energy: Reading,
}

/// The run ended before its plan was done, on purpose or with an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stopped {
    pub step: u64,
    pub reason: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Finished {
    pub step: u64,
    /// SHA-256 of the exported weights, where a model was exported.
    pub weights_sha256: Option<String>,
}

/// One line of a journal, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub line: u64,
    pub at: Timestamp,
    pub record: Record,
}
