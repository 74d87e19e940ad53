//! The same facts under the names other forms use: a row of Epoch's database, the documentation form of the European
//! code of practice. What a form asks and nobody stated is null, so that it can be seen and filled.

use serde_json::{Value, json};

use super::Disclosure;

fn value(disclosure: &Disclosure, section: &str, id: &str) -> Value {
    disclosure.fact(section, id).map_or(Value::Null, |fact| fact.value.clone())
}

/// Column names of Epoch AI's table of models. Compute counts a multiply-add as two and is not weighted by precision,
/// as their documentation asks.
pub(super) fn epoch(disclosure: &Disclosure) -> Value {
    let of = |section, id| value(disclosure, section, id);
    let fact = disclosure.fact("compute", "cumulative_model_flop");
    let (notes, method) = match fact.filter(|_| disclosure.declared.is_some()) {
        Some(fact) if fact.method.starts_with("hardware") => (fact.method.as_str(), "Hardware"),
        Some(fact) => (fact.method.as_str(), "Operation counting"),
        None => ("counted per step from shapes and documents; see compute", "Operation counting"),
    };
    let quantity = of("hardware", "quantity");
    let chip_hours = of("time", "chip_hours");
    let exact = disclosure.checks.iter().all(|check| !check.flagged);
    json!({
        "Model": disclosure.name(),
        "Organization": of("identity", "organisation"),
        "Publication date": of("identity", "released"),
        "Parameters": of("architecture", "parameters_total"),
        "Training compute (FLOP)": of("compute", "cumulative_model_flop"),
        "Training compute notes": notes,
        "Training compute estimation method": method,
        "Training dataset size (datapoints)": of("data", "unique_tokens"),
        "Epochs": of("data", "epochs"),
        "Training time (hours)": of("time", "busy_h"),
        "Training hardware": of("hardware", "processor"),
        "Hardware quantity": if quantity.is_null() { json!(1) } else { quantity },
        "Hardware utilization": of("hardware", "model_utilisation_pct"),
        "Training chip-hours": if chip_hours.is_null() { of("time", "busy_h") } else { chip_hours },
        "Numerical format": of("architecture", "precision"),
        "Base model": of("identity", "base_model"),
        "Confidence": if exact { "Confident" } else { "Likely" },
    })
}

/// The range in which the form asks for training time.
fn time_range(hours: f64) -> &'static str {
    const MONTH_H: f64 = 365.25 * 24.0 / 12.0;
    match hours / MONTH_H {
        months if months < 1.0 => "less than 1 month",
        months if months < 3.0 => "1 to 3 months",
        months if months < 6.0 => "3 to 6 months",
        _ => "more than 6 months",
    }
}

/// Annex XI of Regulation (EU) 2024/1689 as the code of practice's documentation form asks for it.
pub(super) fn eu(disclosure: &Disclosure) -> Value {
    let of = |section, id| value(disclosure, section, id);
    let hours = disclosure.number("time", "wall_h").unwrap_or(0.0);
    let energy = disclosure.fact("energy", "mwh");
    let compute = disclosure.fact("compute", "cumulative_model_flop");
    let declared = compute.filter(|_| disclosure.declared.is_some());
    let counted =
        "operation counting per step; rolled-back steps and evaluations excluded, stated apart";
    json!({
        "model_name": disclosure.name(),
        "model_authenticity": of("identity", "weights_sha256"),
        "model_dependencies": of("identity", "base_model"),
        "release_date": of("identity", "released"),
        "union_market_release_date": null,
        "architecture": of("architecture", "architecture"),
        "total_parameters": of("architecture", "parameters_total"),
        "input_modalities": ["text"],
        "output_modalities": ["text"],
        "maximum_input_size": of("architecture", "context"),
        "licence": of("identity", "licence"),
        "acceptable_use_policy": null,
        "intended_uses": null,
        "training_data_types": ["text"],
        "training_data_provenance": of("data", "sources"),
        "training_data_points": of("data", "unique_tokens"),
        "training_data_curation": of("data", "corpus_removed"),
        "training_time_range": time_range(hours),
        "training_time_wall_clock_days": hours / 24.0,
        "training_time_hardware_days": of("time", "machine_days"),
        "training_compute_flop": of("compute", "cumulative_model_flop"),
        "training_compute_method": declared.map_or(counted, |fact| fact.method.as_str()),
        "training_energy_mwh": of("energy", "mwh"),
        "training_energy_method": energy.map_or_else(
            || json!("N/A: the run was not metered"),
            |fact| {
                let kwh = disclosure.fact("energy", "kwh").or(disclosure.fact("energy", "kwh_at_meter"));
                json!(format!("{}: {}", fact.kind.name(), kwh.map_or("", |kwh| &kwh.method)))
            },
        ),
    })
}
