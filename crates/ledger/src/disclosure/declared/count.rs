//! Two methods to count a declared run.

use super::read::{Architecture, DeclaredRun, wrong};
use crate::Error;

/// What the facts amount to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Count {
    /// Best single number of model FLOPs of everything counted, and the range it lies in.
    pub(super) model_flop: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) method: &'static str,
    pub(super) operations: Option<Operations>,
    /// 6 × parameters a token meets × tokens.
    pub(super) six_n_d: Option<f64>,
    pub(super) hardware: Option<ByHardware>,
    /// Of phases that did not lead to the weights, model FLOPs.
    pub(super) experiments_flop: f64,
}

/// From the sizes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Operations {
    pub(super) matrix_weights: f64,
    /// Causal attention counted exactly.
    pub(super) model_flop: f64,
    /// As if every position saw all in its span.
    pub(super) palm_flop: f64,
    /// Recomputation included; the masked half of attention unless kernels skip it.
    pub(super) hardware_flop: f64,
}

/// From chips, time and rate.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ByHardware {
    pub(super) flop: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) counts_recompute: bool,
    pub(super) method: String,
}

/// Nothing is known of utilisation: what published runs of large models reached, per cent.
const USUAL_UTILISATION: (f64, f64, f64) = (30.0, 40.0, 50.0);

/// The guidelines of the European Commission ask for estimates within so much.
const ESTIMATE: f64 = 0.30;

impl Count {
    pub(super) fn of(run: &DeclaredRun) -> Result<Self, Error> {
        let (counted, experiments) = tokens(run);
        let operations = counted.and_then(|tokens| operations(run, tokens));
        let parameters = run.architecture.parameters_active.or(run.architecture.parameters_total);
        let six_n_d = counted.and_then(|tokens| Some(6.0 * parameters? * tokens));
        let hardware = by_hardware(run)?;
        let experiments_flop = match (&operations, six_n_d, counted) {
            (Some(operations), _, Some(counted)) => operations.model_flop / counted * experiments,
            (None, Some(simple), Some(counted)) => simple / counted * experiments,
            _ => 0.0,
        };
        let (model_flop, low, high, method) = match (&operations, six_n_d, &hardware) {
            (Some(o), ..) => {
                let how = "operations: products of the architecture, exact causal attention, backward twice forward";
                (o.model_flop, o.model_flop, o.palm_flop, how)
            }
            (None, Some(n), _) => {
                let how = "6 × parameters a token meets × tokens; attention is left out";
                (n, n, n * (1.0 + ESTIMATE), how)
            }
            (None, None, Some(h)) => {
                // A repeated forward pass is a quarter of what was issued.
                let own = if h.counts_recompute && run.compute.recomputes() { 0.75 } else { 1.0 };
                let how =
                    "hardware: chips × time × rate; recomputation taken off where it was counted";
                (own * h.flop, own * h.low, own * h.high, how)
            }
            (None, None, None) => {
                let example = "an [architecture] or parameters_total with [data] tokens, or [hardware] with chips, \
                               days and tflops_per_chip";
                return Err(wrong("the file", "not enough to count by any method", example));
            }
        };
        Ok(Self { model_flop, low, high, method, operations, six_n_d, hardware, experiments_flop })
    }
}

/// Tokens as if all were trained on, by whether they led to the weights.
fn tokens(run: &DeclaredRun) -> (Option<f64>, f64) {
    if run.phases.is_empty() {
        return (run.tokens(), 0.0);
    }
    let worth = |counted: bool| {
        let phases = run.phases.iter().filter(|phase| phase.counted == counted);
        let share = |work: &str| match work {
            "forward" => 1.0 / 3.0,
            "frozen" => 2.0 / 3.0,
            _ => 1.0,
        };
        phases.map(|phase| share(&phase.work) * phase.tokens).sum::<f64>()
    };
    (Some(worth(true) + run.tokens().unwrap_or(0.0)), worth(false))
}

/// FLOPs of so many trained tokens; none where the sizes are not all stated.
fn operations(run: &DeclaredRun, tokens: f64) -> Option<Operations> {
    let a = &run.architecture;
    let (weights, head) = matrix_weights(a)?;
    let (causal, full) = attention(a)?;
    let training = |attention: f64| 6.0 * weights + 3.0 * attention;
    let issued = if run.compute.kernels_skip_mask { causal } else { full };
    // Whole layers are computed once more; the output head is not.
    let again = if run.compute.recomputes() { 2.0 * (weights - head) + issued } else { 0.0 };
    Some(Operations {
        matrix_weights: weights,
        model_flop: training(causal) * tokens,
        palm_flop: training(full) * tokens,
        hardware_flop: (training(issued) + again) * tokens,
    })
}

/// Weights in products for one token, and those of the output head among them.
fn matrix_weights(a: &Architecture) -> Option<(f64, f64)> {
    let head = a.vocab.zip(a.width).map_or(0.0, |(vocab, width)| vocab * width);
    if let Some(weights) = a.matrix_weights_per_token {
        return Some((weights, head.min(weights)));
    }
    let (layers, width, heads) = (a.layers?, a.width?, a.heads?);
    a.vocab?;
    let head_dim = a.head_dim.unwrap_or(width / heads);
    let (query, kv) = (heads * head_dim, a.kv_heads.unwrap_or(heads) * head_dim);
    let attention = width * (2.0 * query + 2.0 * kv);
    let matrices = if a.gated { 3.0 } else { 2.0 };
    let moe_layers = match a.experts {
        Some(_) => (layers - a.dense_layers.unwrap_or(0.0)).max(0.0),
        None => 0.0,
    };
    let mut blocks = 0.0;
    if moe_layers < layers {
        blocks += (layers - moe_layers) * matrices * width * a.ffn?;
    }
    if moe_layers > 0.0 {
        let active = a.experts_per_token? * a.expert_ffn? + a.shared_ffn.unwrap_or(0.0);
        blocks += moe_layers * (width * a.experts? + matrices * width * active);
    }
    Some((layers * attention + blocks + head, head))
}

/// Forward FLOPs of attention per token, all layers: exactly causal, and over the whole span.
fn attention(a: &Architecture) -> Option<(f64, f64)> {
    let (layers, context, heads) = (a.layers?, a.context?, a.heads?);
    let query_width = heads * a.head_dim.or_else(|| Some(a.width? / heads))?;
    // Positions seen by the mean query of a text of the context's length.
    let mean = |span: f64| {
        let span = span.min(context);
        span * (span + 1.0) / (2.0 * context) + (context - span) * span / context
    };
    let narrow: f64 = a.span.iter().map(|span| span.layers).sum();
    let mut causal = (layers - narrow) * mean(context);
    let mut full = (layers - narrow) * context;
    for span in &a.span {
        causal += span.layers * mean(span.positions);
        full += span.layers * span.positions.min(context);
    }
    Some((4.0 * query_width * causal, 4.0 * query_width * full))
}

fn by_hardware(run: &DeclaredRun) -> Result<Option<ByHardware>, Error> {
    let h = &run.hardware;
    let Some(chip_seconds) = chip_hours(run).map(|hours| hours * 3600.0) else { return Ok(None) };
    let counts_recompute = h.rate_counts.as_deref() == Some("hardware");
    let counts = if counts_recompute { "hardware FLOPs" } else { "model FLOPs" };
    let made = |flop: f64, low: f64, high: f64, rate: String| ByHardware {
        flop,
        low,
        high,
        counts_recompute,
        method: format!("{:.0} chip-hours × {rate}", chip_seconds / 3600.0),
    };
    if let Some(tflops) = h.tflops_per_chip {
        let flop = chip_seconds * tflops * 1e12;
        return Ok(Some(made(flop, flop, flop, format!("{tflops} TFLOP/s ({counts})"))));
    }
    let Some(peak) = h.peak_tflops else {
        if h.utilisation_pct.is_some() {
            let example = "peak_tflops = 312, the dense peak of the number format";
            return Err(wrong("hardware.utilisation_pct", "stated without a peak", example));
        }
        return Ok(None);
    };
    let most = chip_seconds * peak * 1e10;
    Ok(Some(match h.utilisation_pct {
        Some(share) => {
            let flop = most * share;
            made(flop, flop, flop, format!("{peak} TFLOP/s peak × {share} % ({counts})"))
        }
        None => {
            let (low, mid, high) = USUAL_UTILISATION;
            let rate = format!("{peak} TFLOP/s peak × {low} to {high} %, utilisation not stated");
            made(most * mid, most * low, most * high, rate)
        }
    }))
}

/// Chips × hours.
pub(super) fn chip_hours(run: &DeclaredRun) -> Option<f64> {
    run.hardware.chip_hours.or_else(|| Some(run.hardware.chips? * hours(run)?))
}

/// Hours of training on all chips.
pub(super) fn hours(run: &DeclaredRun) -> Option<f64> {
    let h = &run.hardware;
    let spread = || Some(h.chip_hours? / h.chips?);
    let days = h.days.map(|days| days * 24.0);
    h.hours.or(h.seconds.map(|s| s / 3600.0)).or(days).or_else(spread)
}
