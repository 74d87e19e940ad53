//! An SPDX 3.0.1 document in JSON-LD with one package of the AI profile, as software bill-of-material tools read it.

use serde_json::{Value, json};

use super::{Disclosure, Kind, markdown};

/// Names of elements; the hash of the journal (or of the declared facts) makes them the run's own.
fn iri(disclosure: &Disclosure, what: &str) -> String {
    let declared = disclosure.declared.as_ref().map_or("", |declared| &declared.sha256);
    let head = disclosure.journals.first().map_or(declared, |journal| &journal.head);
    format!("urn:polymath:{head}:{what}")
}

/// The document.
pub fn document(disclosure: &Disclosure) -> Value {
    let creation = "_:creation";
    let text = |section, id| disclosure.text(section, id);
    let (agent, package, file) =
        (iri(disclosure, "agent"), iri(disclosure, "model"), iri(disclosure, "document"));
    // Moments in SPDX have whole seconds.
    let at = disclosure.generated_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut graph = vec![
        json!({
            "type": "CreationInfo", "@id": creation, "specVersion": "3.0.1",
            "created": at, "createdBy": [agent],
        }),
        json!({
            "type": if text("identity", "organisation").is_some() { "Organization" } else { "SoftwareAgent" },
            "spdxId": agent, "creationInfo": creation,
            "name": text("identity", "organisation").unwrap_or("Polymath"),
        }),
    ];
    graph.push(model(disclosure, creation, &package));
    if let Some(licence) = text("identity", "licence") {
        let (expression, relation) = (iri(disclosure, "licence"), iri(disclosure, "licensed"));
        graph.push(json!({
            "type": "simplelicensing_LicenseExpression", "spdxId": expression, "creationInfo": creation,
            "simplelicensing_licenseExpression": licence,
        }));
        graph.push(json!({
            "type": "Relationship", "spdxId": relation, "creationInfo": creation, "from": package,
            "relationshipType": "hasDeclaredLicense", "to": [expression],
        }));
    }
    let elements: Vec<&Value> = graph.iter().filter_map(|element| element.get("spdxId")).collect();
    let document = json!({
        "type": "SpdxDocument", "spdxId": file, "creationInfo": creation,
        "name": format!("Disclosure of {}", disclosure.name()),
        "profileConformance": ["core", "software", "ai", "simpleLicensing"],
        "rootElement": [package], "element": elements,
    });
    graph.push(document);
    json!({ "@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "@graph": graph })
}

fn model(disclosure: &Disclosure, creation: &str, package: &str) -> Value {
    let text = |section, id| disclosure.text(section, id);
    let mut model = json!({
        "type": "ai_AIPackage", "spdxId": package, "creationInfo": creation, "name": disclosure.name(),
        "software_primaryPurpose": "model",
        "ai_domain": ["natural language"],
        "ai_autonomyType": "no",
        "ai_informationAboutTraining": markdown::summary(disclosure).trim(),
        "ai_hyperparameter": hyperparameters(disclosure),
        "ai_metric": metrics(disclosure),
    });
    let mut set = |key: &str, value: Value| model[key] = value;
    if let Some(program) = text("identity", "code_version") {
        set("software_packageVersion", json!(text("identity", "run_id").unwrap_or(program)));
    }
    if let Some(ended) = text("time", "ended_at").and_then(|at| at.parse::<crate::Timestamp>().ok())
    {
        set("builtTime", json!(ended.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()));
    }
    if let Some(architecture) = text("architecture", "architecture") {
        set("ai_typeOfModel", json!([architecture]));
    }
    if let Some(weights) = text("identity", "weights_sha256") {
        set(
            "verifiedUsing",
            json!([{ "type": "Hash", "algorithm": "sha256", "hashValue": weights }]),
        );
    }
    if let Some(removed) = disclosure.fact("data", "corpus_removed") {
        set("ai_modelDataPreprocessing", json!([format!("removed: {}", removed.value)]));
    }
    if let Some(kwh) =
        disclosure.number("energy", "kwh_at_meter").or(disclosure.number("energy", "kwh"))
    {
        let key = match text("identity", "phase") {
            Some("pretrain") | None => "ai_trainingEnergyConsumption",
            Some(_) => "ai_finetuningEnergyConsumption",
        };
        let description = json!({
            "type": "ai_EnergyConsumptionDescription",
            "ai_energyQuantity": kwh, "ai_energyUnit": "kilowattHour",
        });
        set(
            "ai_energyConsumption",
            json!({ "type": "ai_EnergyConsumption", (key): [description] }),
        );
    }
    model
}

fn entry(key: &str, value: &Value) -> Value {
    let value = value.as_str().map_or_else(|| value.to_string(), str::to_string);
    json!({ "type": "DictionaryEntry", "key": key, "value": value })
}

fn hyperparameters(disclosure: &Disclosure) -> Vec<Value> {
    let architecture = disclosure.sections.iter().filter(|section| section.id == "architecture");
    let facts = architecture.flat_map(|section| &section.facts);
    facts.map(|(id, fact)| entry(id, &fact.value)).collect()
}

/// Compute and results; an estimate says so in its name.
fn metrics(disclosure: &Disclosure) -> Vec<Value> {
    let named =
        disclosure.sections.iter().filter(|s| ["compute", "energy", "results"].contains(&s.id));
    let facts = named.flat_map(|section| &section.facts);
    let plain = facts.filter(|(_, fact)| fact.value.is_number()).map(|(id, fact)| {
        let estimated = if fact.kind == Kind::Estimated { " (estimated)" } else { "" };
        entry(&format!("{id}{estimated}"), &fact.value)
    });
    let evaluations =
        disclosure.fact("results", "evaluations").and_then(|fact| fact.value.as_array());
    let evaluations = evaluations
        .into_iter()
        .flatten()
        .filter_map(|evaluation| Some(entry(evaluation["name"].as_str()?, &evaluation["value"])));
    plain.chain(evaluations).collect()
}
