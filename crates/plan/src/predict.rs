//! Predictions for rows of a table of runs.

use serde::Serialize;

use crate::chips::{Chip, Precision};
use crate::constants::{Constants, Stack};
use crate::layout::{Layout, Recompute};
use crate::memory::{Memory, memory};
use crate::runs::Run;
use crate::shape::Shape;
use crate::step::{Breakdown, Job};

/// A prediction for one row, or the reason why there is none.
#[derive(Debug, Clone, Serialize)]
pub struct Prediction {
    pub id: String,
    pub group: String,
    pub model: String,
    #[serde(flatten)]
    pub outcome: Outcome,
}

#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Outcome {
    Predicted(Box<Predicted>),
    Refused { reason: String },
}

#[derive(Debug, Clone, Serialize)]
pub struct Predicted {
    pub step_s: f64,
    /// Four standard deviations of the errors over known runs lie between them.
    pub step_s_low: f64,
    pub step_s_high: f64,
    /// Model FLOPs over the row's own peak, in its own convention.
    pub mfu_pct: f64,
    /// The same with recomputation counted.
    pub hfu_pct: f64,
    pub tflops_per_chip: f64,
    pub tokens_per_s: f64,
    pub fits: bool,
    /// Gigabytes (10⁹) on the fullest chip.
    pub memory_gb: f64,
    pub capacity_gb: f64,
    pub layout: Layout,
    pub stack: String,
    /// What the row did not say and was taken to be.
    pub assumed: Vec<String>,
    pub breakdown: Breakdown,
    /// Bytes by term.
    pub memory: Memory,
    /// What the row says itself, where it says so.
    pub measured_step_s: Option<f64>,
    pub error_pct: Option<f64>,
}

/// Predicts every row.
pub fn predict(runs: &[Run], constants: &Constants) -> Vec<Prediction> {
    runs.iter().map(|run| predict_one(run, constants)).collect()
}

/// Predicts one row.
pub fn predict_one(run: &Run, constants: &Constants) -> Prediction {
    let outcome = match predicted(run, constants) {
        Ok(predicted) => Outcome::Predicted(Box::new(predicted)),
        Err(reason) => Outcome::Refused { reason },
    };
    Prediction { id: run.id.clone(), group: run.group.clone(), model: run.model.clone(), outcome }
}

/// The software that a row ran on, by its group and, for rows of unknown origin, by its hardware.
pub fn stack_of<'a>(run: &Run, constants: &'a Constants) -> (&'a str, &'a Stack) {
    let name = stack_name(run);
    let found = constants.stack.get_key_value(name).or_else(|| constants.stack.iter().next());
    let (name, stack) = found.expect("the constants name at least one stack");
    (name, stack)
}

fn stack_name(run: &Run) -> &'static str {
    let chip = run.chip.to_ascii_uppercase();
    let group = run.group.as_str();
    let model = run.model.to_ascii_lowercase();
    if chip.starts_with("TPU") {
        let early = ["V2", "V3", "V4"].iter().any(|version| chip.contains(version));
        return if early { "jax-tpu-2021" } else { "jax-tpu" };
    }
    let blackwell = chip.contains("B200") || chip.contains("B300");
    if group.starts_with("mlperf") {
        return match group {
            "mlperf-v3.0" => "mlperf-2023-06",
            "mlperf-v3.1" => "mlperf-2023-11",
            "mlperf-v4.0" => "mlperf-2024-06",
            _ => "mlperf-2024-11",
        };
    }
    if group == "megatron-bridge" || group.starts_with("moe-") || blackwell {
        let release = run.notes.trim_start();
        if chip.starts_with('H') {
            return "bridge-hopper";
        }
        return if release.starts_with("26.02") || release.starts_with("25.") {
            "bridge-2026-02"
        } else if release.starts_with("26.04")
            || group != "megatron-bridge"
            || !chip.starts_with('G')
        {
            // What was new in 26.06 runs in racks of 72 only.
            "bridge-2026-04"
        } else {
            "bridge-2026-06"
        };
    }
    if model.contains("nanochat") {
        return "pytorch-2025";
    }
    let zero = run.zero.to_ascii_lowercase();
    let fsdp = zero.contains("sdp") || zero == "3" || zero == "2";
    if group == "llm-foundry" || fsdp && run.pp.unwrap_or(1) <= 1 {
        return if chip.starts_with('H') { "fsdp-2023-hopper" } else { "fsdp-2023" };
    }
    if chip.starts_with("H800") {
        return "dualpipe-2024";
    }
    if group == "megascale" {
        return "megatron-core-2023";
    }
    if group == "published-run" && chip.starts_with("A100") {
        return "megatron-deepspeed";
    }
    if chip.starts_with("A100") || chip.starts_with("V100") {
        return "megatron-2021";
    }
    "megatron-core-2024"
}

fn predicted(run: &Run, constants: &Constants) -> Result<Predicted, String> {
    let mut assumed = Vec::new();
    if run.chip.is_empty() {
        return Err("column `chip` is empty".into());
    }
    let chip = run.chip().map_err(|error| error.to_string())?;
    let precision = precision_of(run, chip, &mut assumed)?;
    let shape = run.shape(&mut assumed)?;
    let seq = run.seq.unwrap_or_else(|| {
        assumed.push("seq=2048".into());
        2048.0
    });
    let chips = chips_of(run, &mut assumed)?;
    let global_batch = run.global_batch.unwrap_or_else(|| {
        let batch = f64::from(chips) * 4.0;
        assumed.push(format!("gbs={batch}"));
        batch
    });
    let (stack_name, stack) = stack_of(run, constants);
    let job = Job::new(shape, chip, precision, seq, global_batch, stack, constants);
    contradiction(run, &shape, chips).map_or(Ok(()), Err)?;
    let layout = layout_of(run, &job, chips, &mut assumed);
    let breakdown = job.step(&layout);
    let bytes = memory(&job, &layout);
    let step_s = breakdown.total_s;
    if !step_s.is_finite() || step_s <= 0.0 {
        return Err("the sizes in this row give no finite step time".into());
    }
    let tokens = global_batch * seq;
    let flops = run.flops_per_token(&shape) * tokens / f64::from(chips);
    let peak = run.utilisation_peak(chip);
    let measured = run.measured_step_s(&shape, chip);
    let again = hardware_factor(&shape, seq, run.counts_causal(), layout.recompute, stack.flash);
    Ok(Predicted {
        step_s,
        step_s_low: step_s * 0.84,
        step_s_high: step_s * 1.19,
        mfu_pct: 100.0 * flops / step_s / peak,
        hfu_pct: 100.0 * flops * again / step_s / peak,
        tflops_per_chip: flops / step_s / 1e12,
        tokens_per_s: tokens / step_s,
        fits: bytes.fits(chip.memory_bytes()),
        memory_gb: bytes.total / 1e9,
        capacity_gb: chip.memory_bytes() / 1e9,
        layout,
        stack: stack_name.into(),
        assumed,
        breakdown,
        memory: bytes,
        measured_step_s: measured,
        error_pct: measured.map(|measured| 100.0 * (step_s / measured - 1.0)),
    })
}

/// The row's number format; one that is not known is taken to be bf16, 32 bits alone are another machine.
fn precision_of(run: &Run, chip: &Chip, assumed: &mut Vec<String>) -> Result<Precision, String> {
    let text = run.dtype.to_ascii_lowercase();
    let Some(precision) = Precision::parse(&text) else {
        if text.contains("32") {
            return Err(format!(
                "column `dtype` is {}: bf16, fp16, fp8, mxfp8 and nvfp4 are modelled",
                run.dtype
            ));
        }
        assumed.push("dtype=bf16".into());
        return Ok(Precision::Bf16);
    };
    let wider = match precision {
        Precision::Fp4 if chip.tflops.fp4.is_none() => Some("fp8"),
        Precision::Fp8 | Precision::Mxfp8 if chip.tflops.fp8.is_none() => Some("bf16"),
        _ => None,
    };
    if let Some(wider) = wider {
        assumed.push(format!("{} at the rate of {wider}", precision.name()));
    }
    Ok(precision)
}

/// Why the row's layout cannot be.
fn contradiction(run: &Run, shape: &Shape, chips: u32) -> Option<String> {
    let of = |value: Option<u32>| u64::from(value.unwrap_or(1));
    let group = of(run.tp).saturating_mul(of(run.pp)).saturating_mul(of(run.cp));
    if group > u64::from(chips) {
        return Some(format!("columns `tp`, `pp` and `cp` need {group} chips, `chips` is {chips}"));
    }
    let stages = of(run.pp) as f64;
    (stages > shape.layers)
        .then(|| format!("column `pp` is {stages}: the model has {} layers", shape.layers))
}

/// Hardware FLOPs over model FLOPs.
fn hardware_factor(
    shape: &Shape,
    seq: f64,
    causal: bool,
    recompute: Recompute,
    flash: bool,
) -> f64 {
    let all = shape.training_flops(seq, causal);
    match recompute {
        Recompute::Full => {
            let head = 2.0 * shape.embedding_weights();
            (all * 4.0 / 3.0 - head) / all
        }
        Recompute::Selective if !flash => {
            let attention = shape.layers * shape.attention_flops(shape.mean_span(seq, causal));
            (all + attention) / all
        }
        _ => 1.0,
    }
}

fn chips_of(run: &Run, assumed: &mut Vec<String>) -> Result<u32, String> {
    if let Some(chips) = run.chips {
        return Ok(chips);
    }
    if let (Some(dp), Some(tp), Some(pp)) = (run.dp, run.tp, run.pp) {
        return Ok(dp.saturating_mul(tp).saturating_mul(pp).saturating_mul(run.cp.unwrap_or(1)));
    }
    let Some(batch) = run.global_batch else { return Err("column `chips` is empty".into()) };
    // Two sequences a chip and step: usual for large models, and the utilisation hardly depends on it.
    let chips = ((batch / 2.0) as u32).clamp(1, 4096).next_power_of_two();
    assumed.push(format!("chips={chips}"));
    Ok(chips)
}

fn recompute_of(text: &str) -> Option<Recompute> {
    let text = text.to_ascii_lowercase();
    let begins = |words: &[&str]| words.iter().any(|word| text.starts_with(word));
    if begins(&["full", "uniform", "block", "yes", "true", "all"]) || text == "1" {
        Some(Recompute::Full)
    } else if begins(&["none", "no ", "false", "off"]) || text == "0" || text == "no" {
        Some(Recompute::None)
    } else if text.is_empty() {
        None
    } else if text == "mlp" || text == "moe" {
        Some(Recompute::Mlp)
    } else {
        Some(Recompute::Selective)
    }
}

/// The values that a row leaves open, each with its candidates.
struct Open {
    tp: Vec<u32>,
    pp: Vec<u32>,
    micro_batch: Vec<u32>,
    /// Mode and share of fully recomputed layers.
    recompute: Vec<(Recompute, u8)>,
    zero: Vec<u8>,
}

/// Recomputation from none to all, for software that can recompute part of the layers.
const MODES: [(Recompute, u8); 10] = [
    (Recompute::None, 100),
    (Recompute::Selective, 100),
    (Recompute::Mlp, 100),
    (Recompute::Offload, 25),
    (Recompute::Offload, 50),
    (Recompute::Full, 15),
    (Recompute::Full, 30),
    (Recompute::Full, 50),
    (Recompute::Full, 75),
    (Recompute::Full, 100),
];

/// Whether activations can wait in the host's memory: with a coherent link, and without experts and pipelines, with
/// which Megatron-Core does not combine it.
pub(crate) fn can_offload(job: &Job<'_>) -> bool {
    job.chip.host_link_gb_s > 0.0 && job.stack.date > 2025.0 && job.shape.experts.is_none()
}

fn open(run: &Run, job: &Job<'_>, chips: u32) -> Open {
    let text = run.zero.to_ascii_lowercase();
    let pipelined = run.pp.unwrap_or(1) > 1;
    let usual = u8::from(job.stack.date > 2022.9);
    let zero = match text.parse::<u8>() {
        Ok(1) => vec![1, 3],
        // With a pipeline, weights and gradients stay whole between micro-batches.
        Ok(2..) if pipelined => vec![1],
        Ok(stage) => vec![stage.min(3)],
        // Sharded compilers spread weights over whatever axis has room.
        Err(_) if job.chip.is_tpu() && !pipelined => vec![3, 1],
        Err(_) if text.contains("sdp") => vec![if pipelined { 1 } else { 3 }],
        Err(_) => vec![usual],
    };
    let pure_data = zero == [3] && !pipelined || run.dp == Some(chips);
    // A torus has no nodes that tensor parallelism would have to leave.
    let usual_tp: &[u32] = if job.chip.is_tpu() { &[1, 2, 4, 8, 16, 32] } else { &[1, 2, 4, 8] };
    let one = |value: Option<u32>| value.or(pure_data.then_some(1));
    // Whole layers first, then parts of them, then named modules (Megatron-Core 0.12, 2025).
    let date = job.stack.date;
    let usual_modes = MODES.iter().filter(|(mode, share)| match mode {
        Recompute::Full => *share == 100 || date > 2022.9,
        Recompute::Mlp => date > 2024.9,
        Recompute::Offload => can_offload(job) && run.pp.unwrap_or(1) <= 1,
        _ => date > 2022.9,
    });
    Open {
        tp: one(run.tp).map_or_else(|| usual_tp.to_vec(), |tp| vec![tp]),
        pp: one(run.pp).map_or(vec![1, 2, 4, 6, 8, 12, 16, 32, 64], |pp| vec![pp]),
        micro_batch: run.micro_batch.map_or(vec![1, 2, 4, 8], |mbs| vec![mbs]),
        recompute: recompute_of(&run.recompute)
            .map_or_else(|| usual_modes.copied().collect(), |mode| vec![(mode, 100)]),
        zero,
    }
}

/// The row's layout. Where it leaves something open, the fastest choice that fits is taken, as those who ran it
/// would have done; sharded weights only where nothing else fits.
fn layout_of(run: &Run, job: &Job<'_>, chips: u32, assumed: &mut Vec<String>) -> Layout {
    let open = open(run, job, chips);
    let sequence_parallel = job.stack.sequence_parallel || run.recompute.contains("sequence");
    let cp = run.cp.unwrap_or(1);
    let mut best: Option<((bool, bool, f64), Layout)> = None;
    for &tp in &open.tp {
        for &pp in &open.pp {
            let group = tp.saturating_mul(pp).saturating_mul(cp).max(1);
            let settled = open.tp.len() + open.pp.len() == 2;
            if !settled && (!chips.is_multiple_of(group) || f64::from(pp) > job.shape.layers) {
                continue;
            }
            // Where a table counts context-parallel ranks among the data-parallel ones, the chips decide.
            let stated = run.dp.filter(|dp| dp.saturating_mul(group) == chips);
            let dp = stated.unwrap_or((chips / group).max(1));
            for &micro_batch in &open.micro_batch {
                let sequences = f64::from(dp) * f64::from(micro_batch);
                if open.micro_batch.len() > 1
                    && micro_batch > 1
                    && sequences > 1.1 * job.global_batch
                {
                    continue;
                }
                for (&(recompute, full_layers_pct), &zero) in
                    open.recompute.iter().flat_map(|mode| open.zero.iter().map(move |z| (mode, z)))
                {
                    let layout = Layout {
                        tp,
                        pp,
                        vpp: interleaving(run, job, pp),
                        dp,
                        cp,
                        ep: expert_parallel(run, job, dp.saturating_mul(tp).saturating_mul(cp)),
                        micro_batch,
                        recompute,
                        full_layers_pct,
                        zero,
                        sequence_parallel: sequence_parallel && tp > 1,
                    };
                    let spills = !memory(job, &layout).fits(job.chip.memory_bytes());
                    let rank = (spills, zero > open.zero[0], job.step(&layout).total_s);
                    if best.as_ref().is_none_or(|(best, _)| rank < *best) {
                        best = Some((rank, layout));
                    }
                }
            }
        }
    }
    let layout = best.map_or_else(|| fallback(chips), |(_, layout)| layout);
    note_assumptions(run, &open, &layout, assumed);
    layout
}

/// Data parallelism alone, for rows whose chips no candidate divides.
fn fallback(chips: u32) -> Layout {
    Layout {
        tp: 1,
        pp: 1,
        vpp: 1,
        dp: chips,
        cp: 1,
        ep: 1,
        micro_batch: 1,
        recompute: Recompute::Full,
        full_layers_pct: 100,
        zero: 3,
        sequence_parallel: false,
    }
}

fn note_assumptions(run: &Run, open: &Open, layout: &Layout, assumed: &mut Vec<String>) {
    if open.tp.len() > 1 {
        assumed.push(format!("tp={}", layout.tp));
    }
    if open.pp.len() > 1 {
        assumed.push(format!("pp={}", layout.pp));
    }
    if open.micro_batch.len() > 1 {
        assumed.push(format!("mbs={}", layout.micro_batch));
    }
    if run.vpp.is_none() && layout.vpp > 1 {
        assumed.push(format!("vpp={}", layout.vpp));
    }
    if recompute_of(&run.recompute).is_none() {
        let name = format!("{:?}", layout.recompute).to_lowercase();
        assumed.push(format!("recompute={name}"));
    }
    if layout.zero != open.zero[0] || run.zero.is_empty() {
        assumed.push(format!("zero={}", layout.zero));
    }
    if run.ep.is_none() && layout.ep > 1 {
        assumed.push(format!("ep={}", layout.ep));
    }
}

fn expert_parallel(run: &Run, job: &Job<'_>, ranks: u32) -> u32 {
    let Some(experts) = job.shape.experts else { return 1 };
    let usual = if run.zero.to_ascii_lowercase().contains("fsdp") { 1 } else { 8 };
    run.ep.unwrap_or(usual).min(ranks.max(1)).min(experts.n_experts as u32).max(1)
}

fn interleaving(run: &Run, job: &Job<'_>, pp: u32) -> u32 {
    if pp <= 1 {
        return 1;
    }
    if let Some(vpp) = run.vpp {
        return vpp;
    }
    let (layers, stages) = (job.shape.layers, f64::from(pp));
    // Embedding and head often count as layers, so that 126 layers make 16 equal stages of 8.
    let even = layers % stages == 0.0 || (layers + 2.0) % stages == 0.0;
    let per_stage = (layers / stages).ceil() as u32;
    match job.stack.default_vpp {
        // Chunks of equal size need stages of equal size.
        0 if !even || job.shape.experts.is_some() => 1,
        0 => {
            let divisor = (1..=per_stage.clamp(1, 8)).rev().find(|v| per_stage.is_multiple_of(*v));
            divisor.filter(|v| *v > 1 || per_stage <= 8).unwrap_or(per_stage)
        }
        usual => usual.min(per_stage.max(1)),
    }
}

/// Which rows are never fitted: one in four, by a hash of the row's id (FNV-1a).
pub fn held_out(id: &str) -> bool {
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    (hash ^ (hash >> 29)).is_multiple_of(4)
}
