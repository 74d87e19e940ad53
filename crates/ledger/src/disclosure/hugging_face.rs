//! A model card: the README of a Hugging Face model folder, with the front matter the hub reads.

use super::{Disclosure, markdown};

/// The card. `co2_eq_emissions` is there where energy was metered and a grid declared; grams, as the hub wants them.
pub fn model_card(disclosure: &Disclosure) -> String {
    let text = |section, id| disclosure.text(section, id);
    let mut front = vec!["---".to_string()];
    let mut line = |key: &str, value: &str| front.push(format!("{key}: {}", quoted(value)));
    if let Some(licence) = text("identity", "licence") {
        line("license", licence);
    }
    if let Some(base) = text("identity", "base_model") {
        line("base_model", base);
    }
    line("library_name", "transformers");
    line("pipeline_tag", "text-generation");
    front.push("tags:".into());
    front.push("- polymath".into());
    if disclosure.fact("architecture", "experts").is_some() {
        front.push("- mixture-of-experts".into());
    }
    front.extend(emissions(disclosure));
    front.push("---".into());
    let page = markdown::page(disclosure);
    let page = page.replacen("# Disclosure: ", "# ", 1);
    format!("{}\n\n{page}", front.join("\n"))
}

fn emissions(disclosure: &Disclosure) -> Vec<String> {
    let Some(grams) = disclosure.number("energy", "co2e_g") else { return Vec::new() };
    let method = disclosure.fact("energy", "kwh").map_or("", |fact| fact.kind.name());
    let training = match disclosure.text("identity", "phase") {
        Some("pretrain") | None => "pre-training",
        Some(_) => "fine-tuning",
    };
    let mut lines = vec!["co2_eq_emissions:".into(), format!("  emissions: {grams:?}")];
    let mut line = |key: &str, value: &str| lines.push(format!("  {key}: {}", quoted(value)));
    let grid = disclosure.fact("energy", "grid_g_per_kwh").map_or("", |fact| &fact.method);
    line("source", &format!("polymath ledger, energy {method}; grid: {grid}"));
    line("training_type", training);
    if let Some(place) = disclosure.text("energy", "location") {
        line("geographical_location", place);
    }
    if let Some(processor) = disclosure.text("hardware", "processor") {
        line("hardware_used", processor);
    }
    lines
}

/// A YAML text in double quotes, which are JSON's: YAML 1.2 reads every JSON text as itself.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
