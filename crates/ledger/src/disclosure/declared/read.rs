//! The file of facts: what can be stated, and what is asked of it.

use serde::Deserialize;

use crate::Error;

/// Everything is optional but enough to count by one method. Units stand in the names.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeclaredRun {
    pub identity: Identity,
    pub architecture: Architecture,
    pub data: Data,
    pub compute: Compute,
    #[serde(rename = "phase")]
    pub phases: Vec<Phase>,
    pub base: Option<Base>,
    pub hardware: Hardware,
    pub energy: Energy,
    pub cost: Cost,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Identity {
    pub model: String,
    pub organisation: Option<String>,
    pub version: Option<String>,
    pub released: Option<String>,
    pub licence: Option<String>,
    /// Where the facts are from.
    pub sources: Vec<String>,
    /// Trained mainly on biological sequences, for which one rule has a lower threshold.
    pub biological: bool,
}

/// Sizes of a decoder. A token's products follow from them; where they are not known, parameters stand in.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Architecture {
    pub kind: Option<String>,
    pub layers: Option<f64>,
    pub width: Option<f64>,
    pub heads: Option<f64>,
    pub kv_heads: Option<f64>,
    pub head_dim: Option<f64>,
    pub ffn: Option<f64>,
    /// Three matrices in the feed-forward block instead of two.
    pub gated: bool,
    pub vocab: Option<f64>,
    pub context: Option<f64>,
    pub experts: Option<f64>,
    pub experts_per_token: Option<f64>,
    pub expert_ffn: Option<f64>,
    pub shared_ffn: Option<f64>,
    /// Layers at the start without experts.
    pub dense_layers: Option<f64>,
    /// Layers that see fewer positions than the context; the others see all.
    pub span: Vec<Span>,
    /// Weights in products for one token, in place of what the sizes give (other kinds of attention, for instance).
    pub matrix_weights_per_token: Option<f64>,
    pub parameters_total: Option<f64>,
    pub parameters_active: Option<f64>,
    pub precision: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    pub layers: f64,
    pub positions: f64,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Data {
    /// Tokens read; or steps and tokens per step.
    pub tokens: Option<f64>,
    pub steps: Option<f64>,
    pub tokens_per_step: Option<f64>,
    pub unique_tokens: Option<f64>,
    pub synthetic_pct: Option<f64>,
    pub sources: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Compute {
    /// `none` or `full`: whether the forward pass is done twice.
    pub recompute: Option<String>,
    /// Attention kernels skip the pairs that the causal mask removes.
    pub kernels_skip_mask: bool,
    pub published_flop: Option<f64>,
    /// `model` or `hardware`.
    pub published_counts: Option<String>,
    pub published_source: Option<String>,
}

/// Part of the training, where it had several.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    pub name: String,
    pub tokens: f64,
    /// `training` (three passes), `frozen` (two: no weight gradients) or `forward` (one: rollouts, own synthetic data).
    #[serde(default = "training")]
    pub work: String,
    /// Whether it led to the weights.
    #[serde(default = "yes")]
    pub counted: bool,
}

fn training() -> String {
    "training".into()
}

fn yes() -> bool {
    true
}

/// The model this one began with.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    pub name: String,
    pub model_flop: Option<f64>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hardware {
    pub chip: Option<String>,
    pub chips: Option<f64>,
    /// Time of training on all chips, in one of these; or chip-hours.
    pub seconds: Option<f64>,
    pub hours: Option<f64>,
    pub days: Option<f64>,
    pub chip_hours: Option<f64>,
    /// Dense peak of the number format.
    pub peak_tflops: Option<f64>,
    /// Reached per chip; or as a share of the peak.
    pub tflops_per_chip: Option<f64>,
    pub utilisation_pct: Option<f64>,
    /// Whether the rate counts `model` or `hardware` FLOPs.
    pub rate_counts: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Energy {
    /// At the meter of the building, where it was published.
    pub kwh: Option<f64>,
    /// Otherwise: board power, from which it is estimated.
    pub chip_watts: Option<f64>,
    pub pue: Option<f64>,
    pub grid_g_per_kwh: Option<f64>,
    pub location: Option<String>,
    pub source: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cost {
    pub usd: Option<f64>,
    pub usd_per_chip_hour: Option<f64>,
    pub source: Option<String>,
}

impl DeclaredRun {
    /// Tokens of training, or none where the file says nothing.
    pub(super) fn tokens(&self) -> Option<f64> {
        let product = || Some(self.data.steps? * self.data.tokens_per_step?);
        self.data.tokens.or_else(product)
    }

    pub(super) fn base_flop(&self) -> f64 {
        self.base.as_ref().and_then(|base| base.model_flop).unwrap_or(0.0)
    }

    /// Positive finite numbers where there are numbers, known words where there are words.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.identity.model.trim().is_empty() {
            return Err(wrong("identity.model", "missing", "model = \"OPT-175B\""));
        }
        for (field, value, example) in self.numbers() {
            if let Some(value) = value.filter(|value| !(value.is_finite() && *value > 0.0)) {
                return Err(wrong(field, value, example));
            }
        }
        let words = [
            ("compute.recompute", &self.compute.recompute, ["none", "full"]),
            ("compute.published_counts", &self.compute.published_counts, ["model", "hardware"]),
            ("hardware.rate_counts", &self.hardware.rate_counts, ["model", "hardware"]),
        ];
        for (field, value, known) in words {
            if let Some(value) = value.as_ref().filter(|value| !known.contains(&value.as_str())) {
                return Err(wrong(field, value, &format!("\"{}\" or \"{}\"", known[0], known[1])));
            }
        }
        for phase in &self.phases {
            if !["training", "frozen", "forward"].contains(&phase.work.as_str()) {
                return Err(wrong("phase.work", &phase.work, "work = \"training\""));
            }
            if !(phase.tokens.is_finite() && phase.tokens >= 0.0) {
                return Err(wrong("phase.tokens", phase.tokens, "tokens = 2e9"));
            }
        }
        if let Some(pue) = self.energy.pue.filter(|pue| *pue < 1.0) {
            return Err(wrong("energy.pue", pue, "pue = 1.1"));
        }
        if let Some(share) = self.hardware.utilisation_pct.filter(|share| *share > 100.0) {
            return Err(wrong("hardware.utilisation_pct", share, "utilisation_pct = 41"));
        }
        self.spans()
    }

    fn spans(&self) -> Result<(), Error> {
        let narrow: f64 = self.architecture.span.iter().map(|span| span.layers).sum();
        let sound = |span: &Span| span.layers >= 1.0 && span.positions >= 1.0;
        let layers = self.architecture.layers.unwrap_or(narrow);
        if !self.architecture.span.iter().all(sound) || narrow > layers {
            let example =
                "span = [{ layers = 18, positions = 1024 }], not more layers than there are";
            return Err(wrong("architecture.span", format!("{narrow} layers"), example));
        }
        Ok(())
    }

    fn numbers(&self) -> Vec<(&'static str, Option<f64>, &'static str)> {
        let (a, d, h) = (&self.architecture, &self.data, &self.hardware);
        vec![
            ("architecture.layers", a.layers, "layers = 96"),
            ("architecture.width", a.width, "width = 12288"),
            ("architecture.heads", a.heads, "heads = 96"),
            ("architecture.kv_heads", a.kv_heads, "kv_heads = 8"),
            ("architecture.head_dim", a.head_dim, "head_dim = 128"),
            ("architecture.ffn", a.ffn, "ffn = 49152"),
            ("architecture.vocab", a.vocab, "vocab = 50272"),
            ("architecture.context", a.context, "context = 2048"),
            ("architecture.experts", a.experts, "experts = 256"),
            ("architecture.experts_per_token", a.experts_per_token, "experts_per_token = 8"),
            ("architecture.expert_ffn", a.expert_ffn, "expert_ffn = 2048"),
            ("architecture.shared_ffn", a.shared_ffn, "shared_ffn = 2048"),
            ("architecture.dense_layers", a.dense_layers, "dense_layers = 3"),
            (
                "architecture.matrix_weights_per_token",
                a.matrix_weights_per_token,
                "matrix_weights_per_token = 37e9",
            ),
            ("architecture.parameters_total", a.parameters_total, "parameters_total = 175e9"),
            ("architecture.parameters_active", a.parameters_active, "parameters_active = 37e9"),
            ("data.tokens", d.tokens, "tokens = 300e9"),
            ("data.steps", d.steps, "steps = 16704"),
            ("data.tokens_per_step", d.tokens_per_step, "tokens_per_step = 524288"),
            ("data.unique_tokens", d.unique_tokens, "unique_tokens = 180e9"),
            ("compute.published_flop", self.compute.published_flop, "published_flop = 4.30e23"),
            ("hardware.chips", h.chips, "chips = 1024"),
            ("hardware.seconds", h.seconds, "seconds = 10949"),
            ("hardware.hours", h.hours, "hours = 3.04"),
            ("hardware.days", h.days, "days = 33"),
            ("hardware.chip_hours", h.chip_hours, "chip_hours = 811e3"),
            ("hardware.peak_tflops", h.peak_tflops, "peak_tflops = 312"),
            ("hardware.tflops_per_chip", h.tflops_per_chip, "tflops_per_chip = 147"),
            ("hardware.utilisation_pct", h.utilisation_pct, "utilisation_pct = 41"),
            ("energy.kwh", self.energy.kwh, "kwh = 324000"),
            ("energy.chip_watts", self.energy.chip_watts, "chip_watts = 400"),
            ("energy.pue", self.energy.pue, "pue = 1.1"),
            ("energy.grid_g_per_kwh", self.energy.grid_g_per_kwh, "grid_g_per_kwh = 231"),
            ("cost.usd", self.cost.usd, "usd = 2.5e6"),
            ("cost.usd_per_chip_hour", self.cost.usd_per_chip_hour, "usd_per_chip_hour = 2.5"),
        ]
    }
}

impl Compute {
    pub(super) fn published_counts_recompute(&self) -> bool {
        self.published_counts.as_deref() == Some("hardware")
    }

    /// Forward passes: the backward's two and one or two.
    pub(super) fn recomputes(&self) -> bool {
        self.recompute.as_deref() == Some("full")
    }
}

pub(super) fn wrong(field: &str, value: impl ToString, example: &str) -> Error {
    Error::Facts { field: field.into(), value: value.to_string(), example: example.into() }
}
