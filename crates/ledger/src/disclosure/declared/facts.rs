//! The facts of a declared run, under the names that a metered run's have.

use serde_json::{Value, json};

use super::super::facts::Writer;
use super::super::{Kind, Section};
use super::count::{Count, chip_hours, hours};
use super::read::DeclaredRun;
use crate::totals::Range;

pub(super) fn sections(run: &DeclaredRun, count: &Count, sha256: &str) -> Vec<Section> {
    let section = |id, title, fill: &dyn Fn(&mut Writer<'_>)| {
        let mut writer = Writer { evidence: sha256, facts: Vec::new() };
        fill(&mut writer);
        Section { id, title, facts: writer.facts }
    };
    vec![
        section("identity", "What this is", &|to| identity(to, run)),
        section("architecture", "Architecture", &|to| architecture(to, run, count)),
        section("data", "Training text", &|to| data(to, run)),
        section("compute", "Compute", &|to| compute(to, run, count)),
        section("hardware", "Machine", &|to| hardware(to, run, count)),
        section("time", "Time", &|to| time(to, run)),
        section("energy", "Energy and emissions", &|to| energy(to, run)),
        section("cost", "Cost", &|to| cost(to, run)),
    ]
}

fn identity(to: &mut Writer<'_>, run: &DeclaredRun) {
    let identity = &run.identity;
    to.declared("model", "model", identity.model.clone());
    to.declared("version", "version", identity.version.clone());
    to.declared("organisation", "made by", identity.organisation.clone());
    to.declared("released", "released", identity.released.clone());
    to.declared("licence", "licence", identity.licence.clone());
    if let Some(base) = &run.base {
        to.declared("base_model", "began with", base.name.clone());
    }
}

/// A whole number as one: 96, not 96.0.
fn number(value: Option<f64>) -> Value {
    match value {
        Some(n) if n.fract() == 0.0 && n < 9e15 => json!(n as u64),
        other => json!(other),
    }
}

fn architecture(to: &mut Writer<'_>, run: &DeclaredRun, count: &Count) {
    let a = &run.architecture;
    to.declared("architecture", "architecture", a.kind.clone());
    for (id, label, value) in [
        ("parameters_total", "parameters", a.parameters_total),
        ("parameters_active", "parameters a token meets", a.parameters_active),
        ("layers", "layers", a.layers),
        ("width", "width", a.width),
        ("heads", "heads", a.heads),
        ("kv_heads", "heads of keys and values", a.kv_heads),
        ("ffn", "width of the feed-forward block", a.ffn),
        ("experts", "experts per layer", a.experts),
        ("experts_per_token", "experts per token", a.experts_per_token),
        ("expert_ffn", "width of an expert", a.expert_ffn),
        ("vocabulary", "vocabulary", a.vocab),
        ("context", "context", a.context),
    ] {
        to.declared(id, label, number(value));
    }
    to.declared("precision", "number format", a.precision.clone());
    if let Some(operations) = &count.operations {
        let how =
            "attention, feed-forward blocks and output head; the lookup of the embedding is free";
        let label = "weights in products for one token";
        let weights = number(Some(operations.matrix_weights.round()));
        to.add("matrix_weights_per_token", label, weights, "", Kind::Derived, how);
    }
}

fn data(to: &mut Writer<'_>, run: &DeclaredRun) {
    let declared = "stated by whoever made the run";
    let tokens = number(run.tokens());
    to.add("tokens", "tokens read in training", tokens, "tokens", Kind::Declared, declared);
    let unique = number(run.data.unique_tokens);
    to.add("unique_tokens", "different tokens", unique, "tokens", Kind::Declared, declared);
    if let (Some(read), Some(unique)) = (run.tokens(), run.data.unique_tokens) {
        let how = "tokens read ÷ different tokens";
        to.add("epochs", "times read on average", read / unique, "", Kind::Derived, how);
    }
    let share = run.data.synthetic_pct;
    to.add("synthetic_pct", "written by models", share, "%", Kind::Declared, declared);
    if !run.data.sources.is_empty() {
        to.declared("sources", "sources", run.data.sources.clone());
    }
    let phases: Vec<Value> = run
        .phases
        .iter()
        .map(|phase| {
            json!({ "name": phase.name, "tokens": phase.tokens, "work": phase.work, "counted": phase.counted })
        })
        .collect();
    if !phases.is_empty() {
        to.declared("phases", "phases", phases);
    }
}

fn compute(to: &mut Writer<'_>, run: &DeclaredRun, count: &Count) {
    let best = Range { value: count.model_flop, low: count.low, high: count.high };
    let kind = if count.operations.is_some() { Kind::Derived } else { Kind::Estimated };
    to.range("model_flop", "model FLOPs", best, "FLOP", kind, count.method);
    if let Some(operations) = &count.operations {
        to.flop(
            "palm_flop",
            "the same, PaLM convention",
            operations.palm_flop,
            "attention as if every position saw all others in its span (arXiv 2204.02311, appendix B)",
        );
        let how = match (run.compute.recomputes(), run.compute.kernels_skip_mask) {
            (true, true) => {
                "with the forward pass of every layer done twice; kernels skip the mask"
            }
            (true, false) => {
                "with the forward pass of every layer done twice and the masked half of attention"
            }
            (false, true) => "nothing recomputed; kernels skip the mask",
            (false, false) => "nothing recomputed; with the masked half of attention",
        };
        to.flop("hardware_flop", "hardware FLOPs", operations.hardware_flop, how);
    }
    if let Some(simple) = count.six_n_d {
        let how = "6 × parameters a token meets × tokens";
        to.add("six_n_d_flop", "6 N D", simple, "FLOP", Kind::Derived, how);
    }
    if let Some(hardware) = &count.hardware {
        let range = Range { value: hardware.flop, low: hardware.low, high: hardware.high };
        let kind = if hardware.low < hardware.high { Kind::Estimated } else { Kind::Derived };
        let label = if hardware.counts_recompute {
            "hardware FLOPs by chips and time"
        } else {
            "model FLOPs by chips and time"
        };
        to.range("by_hardware_flop", label, range, "FLOP", kind, &hardware.method);
    }
    let source = run.compute.published_source.as_deref().unwrap_or("no source given");
    let label = if run.compute.published_counts_recompute() {
        "published, hardware FLOPs"
    } else {
        "published"
    };
    let published = run.compute.published_flop;
    to.add("published_flop", label, published, "FLOP", Kind::Declared, source);
    let all = Range {
        value: count.model_flop + run.base_flop(),
        low: count.low + run.base_flop(),
        high: count.high + run.base_flop(),
    };
    let label = "model FLOPs of everything that led to these weights";
    let how = format!("{}; the base model's where it is known", count.method);
    to.range("cumulative_model_flop", label, all, "FLOP", kind, &how);
    if count.experiments_flop > 0.0 {
        let label = "model FLOPs of phases that did not lead to the weights";
        to.flop("experiments_flop", label, count.experiments_flop, "the same count per token");
    }
}

fn hardware(to: &mut Writer<'_>, run: &DeclaredRun, count: &Count) {
    let h = &run.hardware;
    to.declared("processor", "chip", h.chip.clone());
    to.declared("quantity", "chips", number(h.chips));
    let peak = h.peak_tflops.map(|tflops| tflops * 1e12);
    let declared = "dense peak of the number format, as stated";
    to.add("peak_flop_per_s", "highest rate of a chip", peak, "FLOP/s", Kind::Declared, declared);
    let Some(seconds) = chip_hours(run).map(|hours| hours * 3600.0) else { return };
    let Some(peak) = peak else { return };
    if let Some(operations) = &count.operations {
        let how = "FLOPs by operations ÷ (chips × time × peak)";
        for (id, label, flop) in [
            (
                "model_utilisation_pct",
                "utilisation by model FLOPs (MFU, PaLM convention)",
                operations.palm_flop,
            ),
            (
                "hardware_utilisation_pct",
                "utilisation by hardware FLOPs (HFU)",
                operations.hardware_flop,
            ),
        ] {
            to.add(id, label, 100.0 * flop / (seconds * peak), "%", Kind::Derived, how);
        }
    }
}

fn time(to: &mut Writer<'_>, run: &DeclaredRun) {
    let declared = "stated by whoever made the run";
    let wall = hours(run);
    to.add("wall_h", "time of training", wall, "h", Kind::Declared, declared);
    to.add("busy_h", "the same", wall, "h", Kind::Declared, declared);
    let chip_hours = chip_hours(run);
    let how = "chips × time";
    to.add("chip_hours", "chip-hours", chip_hours, "h", Kind::Derived, how);
    let days = chip_hours.map(|hours| hours / 24.0);
    to.add("machine_days", "chip-days", days, "days", Kind::Derived, how);
}

/// Share of board power that training draws (mean, and from least to most), and what hosts and network add to it.
const DRAWN: (f64, f64, f64) = (0.6, 0.8, 0.95);
const HOSTS: f64 = 0.4;

fn energy(to: &mut Writer<'_>, run: &DeclaredRun) {
    let e = &run.energy;
    let source = e.source.as_deref().unwrap_or("no source given");
    let pue = e.pue.unwrap_or(1.0);
    let kwh = match (e.kwh, e.chip_watts, chip_hours(run)) {
        (Some(kwh), ..) => {
            let range = Range { value: kwh, low: kwh, high: kwh };
            to.range("kwh_at_meter", "energy", range, "kWh", Kind::Declared, source);
            range
        }
        (None, Some(watts), Some(hours)) => {
            let of = |share: f64| hours * watts * (share + HOSTS) * pue / 1e3;
            let (low, mid, high) = DRAWN;
            let range = Range { value: of(mid), low: of(low), high: of(high) };
            let how =
                "chip-hours × board power × (share drawn in training + hosts and network) × PUE";
            to.range("kwh_at_meter", "energy", range, "kWh", Kind::Estimated, how);
            range
        }
        _ => return,
    };
    let kind = if e.kwh.is_some() { Kind::Declared } else { Kind::Estimated };
    let mwh = Range { value: kwh.value / 1e3, low: kwh.low / 1e3, high: kwh.high / 1e3 };
    to.range("mwh", "the same in MWh", mwh, "MWh", kind, "÷ 1000");
    to.add("pue", "PUE", e.pue, "", Kind::Declared, source);
    let grid = e.grid_g_per_kwh;
    to.add("grid_g_per_kwh", "emissions of the grid", grid, "g CO2e/kWh", Kind::Declared, source);
    to.declared("location", "place", e.location.clone());
    if let Some(grid) = grid {
        let grams = Range { value: kwh.value * grid, low: kwh.low * grid, high: kwh.high * grid };
        let how = "energy × emissions of the grid";
        to.range("co2e_g", "emissions", grams, "g CO2e", Kind::Estimated, how);
    }
}

fn cost(to: &mut Writer<'_>, run: &DeclaredRun) {
    let c = &run.cost;
    let source = c.source.as_deref().unwrap_or("no source given");
    to.add("usd", "cost of training", c.usd, "US dollars", Kind::Declared, source);
    let price = c.usd_per_chip_hour;
    to.add(
        "usd_per_chip_hour",
        "price of a chip-hour",
        price,
        "US dollars",
        Kind::Declared,
        source,
    );
    if let (None, Some(price), Some(hours)) = (c.usd, price, chip_hours(run)) {
        let how = "chip-hours × price";
        to.add("usd", "cost of training", price * hours, "US dollars", Kind::Derived, how);
    }
}
