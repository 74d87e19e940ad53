//! `PLAN.toml`: what a person says about model, training and cluster, checked field by field.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::chips::{self, Chip, Precision};
use crate::constants::{Constants, Stack};
use crate::fields::explained;
use crate::shape::{Experts, Shape};
use crate::step::Job;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFile {
    pub model: Option<ModelPart>,
    pub training: Option<TrainingPart>,
    pub cluster: ClusterPart,
    #[serde(default)]
    pub search: SearchPart,
    pub timeline: Option<crate::timeline::TimelinePart>,
    #[serde(default, rename = "claim")]
    pub claims: Vec<crate::timeline::ClaimPart>,
}

/// Sizes, or the number of parameters alone ([`crate::sizes`] makes a shape of it), or a Hugging Face `config.json`
/// beside the plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelPart {
    pub name: Option<String>,
    pub config: Option<String>,
    /// All parameters, in place of layers and widths.
    pub parameters: Option<f64>,
    pub layers: Option<f64>,
    pub hidden: Option<f64>,
    pub heads: Option<f64>,
    pub kv_heads: Option<f64>,
    pub head_dim: Option<f64>,
    pub ffn: Option<f64>,
    pub gated: Option<bool>,
    pub vocab: Option<f64>,
    pub tied: Option<bool>,
    pub experts: Option<f64>,
    pub topk: Option<f64>,
    pub expert_ffn: Option<f64>,
    pub shared_ffn: Option<f64>,
    pub dense_layers: Option<f64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingPart {
    pub tokens: Option<f64>,
    /// In place of tokens: as many as the best layout reads in so many days.
    pub days: Option<f64>,
    pub sequence: f64,
    /// Sequences per step.
    pub global_batch: f64,
    #[serde(default = "bf16")]
    pub precision: String,
    /// A generation of software in the table of constants; without it, the chip's usual one.
    pub software: Option<String>,
}

fn bf16() -> String {
    "bf16".into()
}

/// Chips, their wiring, prices and failures. What is left out has the chip table's value or the default here.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterPart {
    pub chip: String,
    pub chips: f64,
    /// Chips joined by the scale-up network.
    pub domain: Option<f64>,
    pub nic_gb_s: Option<f64>,
    /// US dollars per chip and hour.
    pub usd_per_chip_hour: Option<f64>,
    pub usd_per_kwh: Option<f64>,
    /// Mean share of board power drawn while training (60-90 %).
    pub power_share: Option<f64>,
    /// Share of board power that a chip draws which is on and has no work. Usually a tenth: listings of `nvidia-smi` in public
    /// repositories (Zymrael/vortex is one) show 68 to 74 of the 700 W of an H100 whose memory is empty. Idle A100s in a
    /// log (huggingface.co/spaces/seawolf2357/PLUS_Lab_GPUs) draw 52 to 54 of 400 W. These are readings of the driver, not
    /// of a meter; no data sheet says it, and for Blackwell and TPUs the tenth is an assumption.
    pub idle_share: Option<f64>,
    /// Host, network and storage, as a share of board power.
    pub host_share: Option<f64>,
    pub pue: Option<f64>,
    pub gco2_per_kwh: Option<f64>,
    pub water_l_per_kwh: Option<f64>,
    /// Chip-hours between two failures that stop the run. Llama 3: 50,700 (arXiv 2407.21783, table 5).
    pub chip_hours_per_failure: Option<f64>,
    /// Seconds that saving a checkpoint stops the run.
    pub save_s: Option<f64>,
    /// Seconds from a failure to training again.
    pub restart_s: Option<f64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SearchPart {
    /// `time`, `cost` or `energy`.
    pub rank: String,
    pub top: usize,
    /// Limits of what is tried; 0: no limit but the model's and the cluster's.
    pub max_tp: u32,
    pub max_pp: u32,
    pub max_cp: u32,
    pub max_micro_batch: u32,
}

impl Default for SearchPart {
    fn default() -> Self {
        Self { rank: "time".into(), top: 10, max_tp: 0, max_pp: 0, max_cp: 0, max_micro_batch: 8 }
    }
}

/// Values of the cluster after defaults.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Cluster {
    pub chips: u32,
    pub usd_per_chip_hour: f64,
    pub usd_per_kwh: f64,
    pub power_share: f64,
    pub idle_share: f64,
    pub host_share: f64,
    pub pue: f64,
    pub gco2_per_kwh: f64,
    pub water_l_per_kwh: f64,
    pub chip_hours_per_failure: f64,
    pub save_s: f64,
    pub restart_s: f64,
    /// With host, network, storage and the building's overhead.
    pub watts_per_chip: f64,
    /// The same for a chip without work. Host, network and storage are taken to draw as ever: an upper bound.
    pub watts_per_idle_chip: f64,
}

/// A plan with everything looked up.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    pub name: String,
    pub job: Job<'a>,
    /// A single step's where `days` decides.
    pub tokens: f64,
    /// Days to train for, in place of tokens.
    pub days: Option<f64>,
    pub software: Software,
    pub cluster: Cluster,
    pub search: SearchPart,
}

/// The generation of training software that a plan is costed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Software {
    /// As in the table of constants.
    pub name: String,
    /// Taken because the chip table calls it usual, not because the plan names it.
    pub usual: bool,
}

impl Software {
    fn of(training: &TrainingPart, chip: &Chip) -> Self {
        match &training.software {
            Some(name) => Self { name: name.clone(), usual: false },
            None => Self { name: chip.software.clone(), usual: true },
        }
    }
}

impl std::fmt::Display for Software {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let why = if self.usual { "usual on this chip" } else { "as the plan says" };
        write!(f, "{} ({why})", self.name)
    }
}

/// Parses the text of a plan; `file` is for messages.
pub fn parse(text: &str, file: &str) -> Result<PlanFile, Error> {
    let wrong = |path: &str, error: &toml::de::Error| {
        let at = error.span().map_or_else(String::new, |span| position(text, span.start));
        let (what, hint) = explained(path, error.message());
        Error::Syntax { file: file.into(), at, what, hint }
    };
    let document = toml::Deserializer::parse(text).map_err(|error| wrong(".", &error))?;
    serde_path_to_error::deserialize(document)
        .map_err(|error| wrong(&error.path().to_string(), error.inner()))
}

fn position(text: &str, offset: usize) -> String {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    format!("line {line}, column {column}")
}

/// A number in a range, or an error with the field, its unit and an example.
fn within(
    field: &str,
    unit: &str,
    value: f64,
    low: f64,
    high: f64,
    example: &str,
) -> Result<f64, Error> {
    if value.is_finite() && (low..=high).contains(&value) {
        return Ok(value);
    }
    Err(Error::field(
        field,
        value,
        &format!("between {low} and {high} {unit} is possible"),
        example,
    ))
}

impl ModelPart {
    fn shape(&self, folder: &Path) -> Result<Shape, Error> {
        if let Some(config) = &self.config {
            let path = folder.join(config);
            let text = std::fs::read_to_string(&path)
                .map_err(|source| Error::Read { path: path.clone(), source })?;
            let json = serde_json::from_str(&text).map_err(|error| Error::Syntax {
                file: path.display().to_string(),
                at: format!("line {}, column {}", error.line(), error.column()),
                what: error.to_string(),
                hint: "give the config.json of a Hugging Face model".into(),
            })?;
            let config = model::config::DecoderConfig::from_hugging_face(&json, &path)?;
            return Ok(Shape::from_config(&config));
        }
        if let Some(parameters) = self.parameters {
            return self.of_size(parameters);
        }
        let need = |field: &str, value: Option<f64>, high: f64, example: &str| {
            let name = format!("model.{field}");
            match value {
                Some(value) => within(&name, "", value, 1.0, high, example),
                None => Err(Error::field(&name, "missing", "it decides cost", example)),
            }
        };
        let layers = need("layers", self.layers, 1e4, "layers = 126")?;
        let hidden = need("hidden", self.hidden, 1e6, "hidden = 16384")?;
        let heads = need("heads", self.heads, 1e4, "heads = 128")?;
        let vocab = need("vocab", self.vocab, 1e7, "vocab = 128256")?;
        let experts = match self.experts {
            None => None,
            Some(n) => {
                let n_experts = within("model.experts", "", n, 2.0, 1e5, "experts = 256")?;
                Some(Experts {
                    n_experts,
                    topk: need("topk", self.topk, n_experts, "topk = 8")?,
                    width: need("expert_ffn", self.expert_ffn, 1e6, "expert_ffn = 2048")?,
                    shared_width: self.shared_ffn.unwrap_or(0.0).clamp(0.0, 1e6),
                    dense_layers: self.dense_layers.unwrap_or(0.0).clamp(0.0, layers),
                    limited_groups: 0.0,
                })
            }
        };
        let ffn = match (self.ffn, experts) {
            (None, Some(experts)) => experts.width * experts.topk,
            (ffn, _) => need("ffn", ffn, 1e7, "ffn = 53248")?,
        };
        Ok(Shape {
            layers,
            hidden,
            heads,
            kv_heads: need("kv_heads", self.kv_heads.or(Some(heads)), heads, "kv_heads = 8")?,
            head_dim: need(
                "head_dim",
                self.head_dim.or(Some(hidden / heads)),
                4096.0,
                "head_dim = 128",
            )?,
            ffn,
            gated: self.gated.unwrap_or(true),
            vocab,
            tied: self.tied.unwrap_or(false),
            experts,
            latent: None,
            window: 0.0,
            sinks: false,
        })
    }
}

impl ModelPart {
    /// A shape by rule; what contradicts the number of parameters may not be said beside it.
    fn of_size(&self, parameters: f64) -> Result<Shape, Error> {
        let sizes = [("layers", self.layers), ("hidden", self.hidden), ("heads", self.heads)];
        let others = [("kv_heads", self.kv_heads), ("head_dim", self.head_dim), ("ffn", self.ffn)];
        if let Some((field, Some(value))) =
            sizes.into_iter().chain(others).find(|(_, value)| value.is_some())
        {
            let reason =
                "beside model.parameters, layers and widths follow by rule; give one or the other";
            let field = format!("model.{field}");
            return Err(Error::field(&field, value, reason, "parameters = 405e9"));
        }
        let example = "parameters = 405e9";
        let parameters = within("model.parameters", "", parameters, 1e6, 1e15, example)?;
        let vocab = self.vocab.unwrap_or(128_256.0);
        let vocab = within("model.vocab", "", vocab, 1.0, 1e7, "vocab = 128256")?;
        let experts = match self.experts {
            None => None,
            Some(n) => {
                let n = within("model.experts", "", n, 2.0, 1e5, "experts = 256")?;
                let topk = within("model.topk", "", self.topk.unwrap_or(8.0), 1.0, n, "topk = 8")?;
                Some((n, topk))
            }
        };
        crate::sizes::shape(parameters, vocab, experts).ok_or_else(|| {
            let reason =
                "the vocabulary's tables alone are larger; give more parameters or a smaller vocab";
            Error::field("model.parameters", parameters, reason, example)
        })
    }
}

impl ClusterPart {
    /// Chips of one kind, everything else by default.
    pub fn of(chip: &str, chips: f64) -> Self {
        Self {
            chip: chip.into(),
            chips,
            domain: None,
            nic_gb_s: None,
            usd_per_chip_hour: None,
            usd_per_kwh: None,
            power_share: None,
            idle_share: None,
            host_share: None,
            pue: None,
            gco2_per_kwh: None,
            water_l_per_kwh: None,
            chip_hours_per_failure: None,
            save_s: None,
            restart_s: None,
        }
    }

    /// The chip and the values after defaults.
    pub fn resolve(&self) -> Result<(&'static Chip, Cluster), Error> {
        let chip = chips::find(&self.chip)?;
        let check = |field: &str,
                     unit: &str,
                     value: Option<f64>,
                     usual: f64,
                     low: f64,
                     high: f64| {
            let example = format!("{field} = {usual}");
            within(&format!("cluster.{field}"), unit, value.unwrap_or(usual), low, high, &example)
        };
        let chips = within("cluster.chips", "chips", self.chips, 1.0, 1e7, "chips = 16384")?;
        let power_share = check("power_share", "of board power", self.power_share, 0.8, 0.05, 1.2)?;
        let idle_share = check("idle_share", "of board power", self.idle_share, 0.1, 0.0, 1.2)?;
        let host_share = check("host_share", "of board power", self.host_share, 0.6, 0.0, 3.0)?;
        let pue = check("pue", "", self.pue, 1.25, 1.0, 3.0)?;
        let hour = if chip.hour_usd > 0.0 { chip.hour_usd } else { 5.0 };
        let cluster = Cluster {
            chips: chips as u32,
            usd_per_chip_hour: check(
                "usd_per_chip_hour",
                "US dollars",
                self.usd_per_chip_hour,
                hour,
                0.0,
                1e4,
            )?,
            usd_per_kwh: check("usd_per_kwh", "US dollars", self.usd_per_kwh, 0.08, 0.0, 10.0)?,
            power_share,
            idle_share,
            host_share,
            pue,
            gco2_per_kwh: check("gco2_per_kwh", "g", self.gco2_per_kwh, 380.0, 0.0, 2000.0)?,
            water_l_per_kwh: check("water_l_per_kwh", "l", self.water_l_per_kwh, 1.8, 0.0, 50.0)?,
            chip_hours_per_failure: check(
                "chip_hours_per_failure",
                "chip-hours",
                self.chip_hours_per_failure,
                50_700.0,
                10.0,
                1e12,
            )?,
            save_s: check("save_s", "seconds", self.save_s, 15.0, 0.01, 1e5)?,
            restart_s: check("restart_s", "seconds", self.restart_s, 480.0, 0.0, 1e6)?,
            watts_per_chip: chip.watts * (power_share + host_share) * pue,
            watts_per_idle_chip: chip.watts * (idle_share + host_share) * pue,
        };
        Ok((chip, cluster))
    }
}

impl PlanFile {
    /// Looks everything up. `folder` is where a `config.json` is looked for.
    pub fn resolve<'a>(&self, folder: &Path, constants: &'a Constants) -> Result<Plan<'a>, Error> {
        let missing = |field: &str, example: &str| {
            Error::field(field, "missing", "a search plans one model", example)
        };
        let model =
            self.model.as_ref().ok_or_else(|| missing("[model]", "[model] layers = 32 …"))?;
        let training = self
            .training
            .as_ref()
            .ok_or_else(|| missing("[training]", "[training] tokens = 1e12 …"))?;
        let shape = model.shape(folder)?;
        let (chip, cluster) = self.cluster.resolve()?;
        let precision = Precision::parse(&training.precision).ok_or_else(|| {
            let reason = "bf16, fp16, fp8, mxfp8 and nvfp4 are known";
            Error::field("training.precision", &training.precision, reason, "precision = \"bf16\"")
        })?;
        let software = Software::of(training, chip);
        let stack = stack(&software.name, constants)?;
        let sequence =
            within("training.sequence", "tokens", training.sequence, 1.0, 1e8, "sequence = 8192")?;
        let batch = within(
            "training.global_batch",
            "sequences",
            training.global_batch,
            1.0,
            1e8,
            "global_batch = 2048",
        )?;
        let (tokens, days) = training.amount(batch.floor() * sequence)?;
        let domain = self.cluster.domain.unwrap_or(f64::from(chip.domain));
        let domain = within("cluster.domain", "chips", domain, 1.0, 1e6, "domain = 8")?;
        let nic = self.cluster.nic_gb_s.unwrap_or(chip.nic_gb_s);
        let nic = within("cluster.nic_gb_s", "GB/s per chip", nic, 1e-3, 1e4, "nic_gb_s = 50")?;
        if !["time", "cost", "energy"].contains(&self.search.rank.as_str()) {
            let reason = "time, cost and energy are known";
            return Err(Error::field("search.rank", &self.search.rank, reason, "rank = \"time\""));
        }
        let job = Job::new(shape, chip, precision, sequence, batch.floor(), stack, constants)
            .with_network(domain, nic);
        Ok(Plan {
            name: model.name.clone().unwrap_or_else(|| "model".into()),
            job,
            tokens,
            days,
            software,
            cluster,
            search: self.search.clone(),
        })
    }
}

impl TrainingPart {
    /// Tokens, and the days that decide them instead.
    fn amount(&self, step: f64) -> Result<(f64, Option<f64>), Error> {
        let example = "tokens = 15e12";
        match (self.tokens, self.days) {
            (Some(tokens), None) => {
                Ok((within("training.tokens", "tokens", tokens, 1.0, 1e17, example)?, None))
            }
            (None, Some(days)) => {
                let days = within("training.days", "days", days, 1e-3, 1e5, "days = 90")?;
                Ok((step, Some(days)))
            }
            (tokens, _) => {
                let value = tokens.map_or("missing".to_string(), |tokens| tokens.to_string());
                let reason = "either tokens or days say how long a run is, not both";
                Err(Error::field("training.tokens", value, reason, example))
            }
        }
    }
}

fn stack<'a>(name: &str, constants: &'a Constants) -> Result<&'a Stack, Error> {
    constants.stack.get(name).ok_or_else(|| {
        let known: Vec<&str> = constants.stack.keys().map(String::as_str).collect();
        let reason =
            format!("known are {}; without it the chip's usual one is taken", known.join(", "));
        Error::field("training.software", name, &reason, "software = \"megatron-core-2024\"")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::constants;

    const GOOD: &str = "[model]\nlayers=32\nhidden=4096\nheads=32\nffn=11008\nvocab=32000\n\
                        [training]\ntokens=1e12\nsequence=4096\nglobal_batch=1024\n\
                        [cluster]\nchip=\"H100\"\nchips=256\n";

    fn error(from: &str, to: &str) -> String {
        let text = GOOD.replace(from, to);
        assert_ne!(text, GOOD);
        let resolved = parse(&text, "plan.toml")
            .and_then(|plan| plan.resolve(Path::new("."), constants::fitted()).map(|_| ()));
        resolved.unwrap_err().to_string()
    }

    fn software(chip: &str, more: &str) -> String {
        let text = GOOD.replace("H100", chip).replace("[cluster]", &format!("{more}\n[cluster]"));
        let plan = parse(&text, "p").unwrap();
        plan.resolve(Path::new("."), constants::fitted()).unwrap().software.to_string()
    }

    #[test]
    fn software_follows_the_chip_unless_the_plan_names_it() {
        for chip in chips::all() {
            assert!(constants::fitted().stack.contains_key(&chip.software), "{}", chip.name);
            let usual = match chip.name.as_str() {
                name if name.starts_with("TPU") => "jax-tpu",
                name if name.contains("B200") || name.contains("B300") => "bridge-2026",
                _ => "megatron-core-2024",
            };
            let told = software(&chip.name, "");
            assert!(told.starts_with(usual) && told.ends_with("(usual on this chip)"), "{told}");
        }
        let named = software("GB200", "software=\"megatron-core-2024\"");
        assert_eq!(named, "megatron-core-2024 (as the plan says)");
        let unknown = error("tokens=1e12", "tokens=1e12\nsoftware=\"megatron-1999\"");
        assert!(unknown.contains("training.software") && unknown.contains("usual"), "{unknown}");
    }

    #[test]
    fn a_bad_field_is_named_with_its_unit_and_an_example() {
        assert!(parse(GOOD, "p").unwrap().resolve(Path::new("."), constants::fitted()).is_ok());
        for (from, to, words) in [
            ("chips=256", "chips=1e9", vec!["cluster.chips", "chips = 16384"]),
            ("chips=256", "chips=nan", vec!["cluster.chips is NaN"]),
            ("chips=256", "chips=0", vec!["cluster.chips is 0"]),
            ("H100", "H900", vec!["H900", "A100-80GB"]),
            ("tokens=1e12", "tokens=-1", vec!["training.tokens"]),
            ("heads=32", "heads=\"many\"", vec!["line 4, column 7"]),
            ("heads=32", "", vec!["model.heads", "heads = 128"]),
            ("layers=32", "layrs=32", vec!["line 2, column 1", "layrs"]),
            ("ffn=11008", "ffn=11008\nexperts=8", vec!["model.topk"]),
            ("vocab=32000", "vocab=32000\nconfig=\"none.json\"", vec!["none.json"]),
        ] {
            let message = error(from, to);
            for word in words {
                assert!(message.contains(word), "{to}: {message}");
            }
        }
    }
}
