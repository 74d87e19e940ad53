//! The facts of a disclosure, section by section.

use serde_json::{Value, json};

use super::build::Cumulative;
use super::{Account, Fact, Kind, Section, planned};
use crate::energy::{Method, Reading};
use crate::history::Ending;
use crate::record::DataSource;
use crate::totals::Range;

pub(super) type Facts = Vec<(&'static str, Fact)>;

/// Writes facts that are read from one journal, or one file.
pub(super) struct Writer<'a> {
    pub(super) evidence: &'a str,
    pub(super) facts: Facts,
}

impl Writer<'_> {
    /// Empty texts are left out: a field nobody filled says nothing.
    pub(super) fn add(
        &mut self,
        id: &'static str,
        label: &'static str,
        value: impl Into<Value>,
        unit: &'static str,
        kind: Kind,
        method: &str,
    ) {
        let value = value.into();
        if value.is_null() || value.as_str() == Some("") {
            return;
        }
        let evidence = self.evidence.to_string();
        let fact = Fact {
            label,
            value,
            unit,
            kind,
            low: None,
            high: None,
            method: method.into(),
            evidence,
        };
        self.facts.push((id, fact));
    }

    pub(super) fn declared(
        &mut self,
        id: &'static str,
        label: &'static str,
        value: impl Into<Value>,
    ) {
        self.add(id, label, value, "", Kind::Declared, "stated by whoever made the run");
    }

    fn config(&mut self, id: &'static str, label: &'static str, value: impl Into<Value>) {
        self.add(id, label, value, "", Kind::Derived, "the run's configuration");
    }

    pub(super) fn flop(&mut self, id: &'static str, label: &'static str, value: f64, method: &str) {
        self.add(id, label, value, "FLOP", Kind::Derived, method);
    }

    pub(super) fn range(
        &mut self,
        id: &'static str,
        label: &'static str,
        range: Range,
        unit: &'static str,
        kind: Kind,
        method: &str,
    ) {
        self.add(id, label, range.value, unit, kind, method);
        if let Some((_, fact)) = self.facts.last_mut().filter(|(last, _)| *last == id) {
            (fact.low, fact.high) = (Some(range.low), Some(range.high));
        }
    }
}

pub(super) fn sections(
    account: &Account<'_>,
    cumulative: &Cumulative,
    corpus: Option<&Value>,
) -> Vec<Section> {
    let section = |id, title, fill: &dyn Fn(&mut Writer<'_>)| {
        let mut writer = Writer { evidence: &account.contents.head, facts: Vec::new() };
        fill(&mut writer);
        Section { id, title, facts: writer.facts }
    };
    vec![
        section("identity", "What this is", &|to| identity(to, account)),
        section("architecture", "Architecture", &|to| architecture(to, account)),
        section("data", "Training text", &|to| data(to, account, corpus)),
        section("compute", "Compute", &|to| compute(to, account, cumulative)),
        section("hardware", "Machine", &|to| hardware(to, account)),
        section("time", "Time", &|to| time(to, account)),
        section("energy", "Energy and emissions", &|to| energy(to, account, cumulative)),
        section("results", "Results", &|to| results(to, account)),
        section("plan", "Plan and outcome", &|to| planned::facts(to, account)),
    ]
}

fn identity(to: &mut Writer<'_>, account: &Account<'_>) {
    let started = account.history.started;
    to.declared("model", "model", started.model.name.clone());
    to.declared("organisation", "made by", started.declared.organisation.clone());
    to.declared("licence", "licence", started.model.licence.clone());
    to.config("run_id", "run", started.run_id.clone());
    to.config("phase", "phase", started.phase.clone());
    to.config("code_version", "program", started.code_version.clone());
    to.config("config_sha256", "SHA-256 of the configuration", started.config_sha256.clone());
    to.config("seed", "seed", started.seed);
    if let Some(base) = &started.base {
        to.config("base_model", "began with", base.name.clone());
        to.config("base_weights_sha256", "SHA-256 of those weights", base.weights_sha256.clone());
    }
    let (outcome, weights) = match account.history.ending {
        Some(Ending::Finished(end)) => ("finished".into(), end.weights_sha256.clone()),
        Some(Ending::Stopped(end)) => {
            (format!("stopped at step {}: {}", end.step, end.reason), None)
        }
        None => ("the journal ends in the middle of the run".into(), None),
    };
    to.add("outcome", "outcome", outcome, "", Kind::Measured, "last record of the journal");
    to.add("weights_sha256", "SHA-256 of the weights", weights, "", Kind::Derived, "exported file");
}

fn architecture(to: &mut Writer<'_>, account: &Account<'_>) {
    let model = &account.history.started.model;
    to.config("architecture", "architecture", model.architecture.clone());
    let counts = "counted from the shapes";
    for (id, label, n) in [
        ("parameters_total", "parameters", model.parameters_total),
        ("parameters_active", "parameters a token meets", model.parameters_active),
        ("parameters_embedding", "embedding table, part of both", model.parameters_embedding),
    ] {
        to.add(id, label, n, "parameters", Kind::Derived, counts);
    }
    to.config("layers", "layers", model.layers);
    to.config("width", "width", model.width);
    if model.experts > 0 {
        to.config("experts", "experts per layer", model.experts);
        to.config("experts_per_token", "experts per token", model.experts_per_token);
    }
    to.config("vocabulary", "vocabulary", model.vocab);
    to.config("context", "context", model.context);
    to.config("precision", "number format", model.precision.clone());
    to.config("tokenizer", "tokenizer", model.tokenizer.clone());
}

fn data(to: &mut Writer<'_>, account: &Account<'_>, corpus: Option<&Value>) {
    let started = account.history.started;
    let tokens = account.totals.training.tokens;
    let counted = "sum over the steps that stand";
    to.add("tokens", "tokens read in training", tokens, "tokens", Kind::Derived, counted);
    size_of_sources(to, &started.data, tokens);
    if !started.data.is_empty() {
        to.add(
            "sources",
            "sources",
            json!(started.data),
            "",
            Kind::Declared,
            "the corpus's configuration",
        );
    }
    to.config(
        "fingerprint",
        "fingerprint of the text and its order",
        started.data_fingerprint.clone(),
    );
    if let Some(corpus) = corpus {
        corpus_build(to, corpus);
        hazards(to, corpus);
    }
}

/// What the sources hold together, and how often `tokens` read it.
fn size_of_sources(to: &mut Writer<'_>, sources: &[DataSource], tokens: u64) {
    let unique: u64 = sources.iter().map(|source| source.tokens).sum();
    if unique == 0 {
        return;
    }
    let sum = "sum of the sources";
    to.add("unique_tokens", "tokens of the sources", unique, "tokens", Kind::Derived, sum);
    let epochs = tokens as f64 / unique as f64;
    let ratio = "tokens read ÷ tokens of the sources";
    to.add("epochs", "times read on average", epochs, "", Kind::Derived, ratio);
    let by_models = sources.iter().filter(|source| source.synthetic);
    let synthetic: u64 = by_models.map(|source| source.tokens).sum();
    let share = 100.0 * synthetic as f64 / unique as f64;
    let marks = "marks of the sources";
    to.add("synthetic_pct", "written by models", share, "%", Kind::Declared, marks);
    let documents: u64 = sources.iter().map(|source| source.documents).sum();
    to.add("documents", "documents", documents, "documents", Kind::Derived, sum);
}

const CORPUS_REPORT: &str = "report of the corpus's build";

/// What the build of the corpus found, kept, removed and masked.
fn corpus_build(to: &mut Writer<'_>, corpus: &Value) {
    for (id, label, key) in [
        ("corpus_documents_in", "documents found while the corpus was built", "documents_in"),
        ("corpus_documents_out", "documents kept", "documents_out"),
        ("corpus_removed", "documents removed, by reason", "dropped"),
        ("corpus_masked", "personal data masked", "masked"),
    ] {
        if let Some(value) = corpus.get(key).filter(|value| **value != json!({})) {
            to.add(id, label, value.clone(), "", Kind::Measured, CORPUS_REPORT);
        }
    }
}

/// Hazardous documents that the build removed, and the signs they were known by.
fn hazards(to: &mut Writer<'_>, corpus: &Value) {
    let Some(hazards) = corpus.get("hazards_removed").and_then(Value::as_object) else { return };
    let all: u64 = hazards.values().filter_map(Value::as_u64).sum();
    let label = "documents removed for hazardous content";
    to.add("corpus_hazards", label, all, "documents", Kind::Measured, CORPUS_REPORT);
    if !hazards.is_empty() {
        let (label, signs) = ("the same, by sign", json!(hazards));
        to.add("corpus_hazard_signs", label, signs, "", Kind::Measured, CORPUS_REPORT);
    }
}

fn compute(to: &mut Writer<'_>, account: &Account<'_>, cumulative: &Cumulative) {
    let totals = &account.totals;
    let training = &totals.training;
    to.add("steps", "steps", training.count, "steps", Kind::Derived, "steps that stand");
    to.flop(
        "model_flop",
        "model FLOPs",
        training.model_flop,
        "per step from the shapes and the documents of the batch; a multiply-add is two, attention exact and causal, \
         backward twice forward",
    );
    to.flop(
        "palm_flop",
        "the same, PaLM convention",
        training.palm_flop,
        "attention as if every position saw all others (arXiv 2204.02311, appendix B)",
    );
    to.flop(
        "hardware_flop",
        "hardware FLOPs of these steps",
        training.hardware_flop,
        "issued, with recomputation and padding",
    );
    to.flop(
        "wasted_flop",
        "hardware FLOPs of steps rolled back",
        totals.wasted.hardware_flop,
        "steps above a checkpoint that the run resumed from",
    );
    to.flop("evaluation_flop", "evaluations", totals.evaluation.hardware_flop, "forward passes");
    to.flop("sampling_flop", "samples of text", totals.sampling.hardware_flop, "forward passes");
    to.flop(
        "issued_flop",
        "all hardware FLOPs of this run",
        totals.issued_flop,
        "sum of the four above",
    );
    to.add(
        "wasted_pct",
        "share that was rolled back",
        100.0 * totals.wasted_share,
        "%",
        Kind::Derived,
        "of all hardware FLOPs of this run",
    );
    to.flop(
        "cumulative_model_flop",
        "model FLOPs of everything that led to these weights",
        cumulative.model_flop,
        "steps that stand of this run and its predecessors, and the base model's where it is known; rolled-back steps, \
         evaluations and experiments do not count",
    );
    to.flop(
        "cumulative_issued_flop",
        "hardware FLOPs of those runs",
        cumulative.issued_flop,
        "everything issued in them, in vain or not",
    );
    to.flop(
        "experiments_issued_flop",
        "hardware FLOPs of experiments",
        cumulative.experiments_issued_flop,
        "failed and ablation runs named for this disclosure",
    );
}

fn hardware(to: &mut Writer<'_>, account: &Account<'_>) {
    let host = &account.history.started.host;
    let read = "as the system names it";
    to.add("processor", "processor", host.cpu.clone(), "", Kind::Measured, read);
    to.add("cores", "cores", host.cores, "", Kind::Measured, read);
    to.add("threads", "threads used", host.threads, "", Kind::Measured, "the run's configuration");
    let gigabytes = host.memory_bytes as f64 / 1e9;
    to.add("memory_gb", "memory", gigabytes, "GB", Kind::Measured, read);
    to.add("system", "system", host.os.clone(), "", Kind::Measured, read);
    if !host.accelerators.is_empty() {
        to.add("accelerators", "accelerators", host.accelerators.clone(), "", Kind::Measured, read);
    }
    to.add(
        "peak_flop_per_s",
        "highest rate",
        host.peak_flop_per_s,
        "FLOP/s",
        Kind::Measured,
        &host.peak_source,
    );
    let totals = &account.totals;
    let percent = |share: Option<f64>| share.map(|share| 100.0 * share);
    let how = "FLOPs per second in steps ÷ highest rate";
    let (mfu, hfu) = (percent(totals.model_utilisation), percent(totals.hardware_utilisation));
    to.add(
        "model_utilisation_pct",
        "utilisation by model FLOPs (MFU)",
        mfu,
        "%",
        Kind::Derived,
        how,
    );
    to.add(
        "hardware_utilisation_pct",
        "utilisation by hardware FLOPs (HFU)",
        hfu,
        "%",
        Kind::Derived,
        how,
    );
    if totals.training.seconds > 0.0 {
        let rate = totals.training.tokens as f64 / totals.training.seconds;
        to.add(
            "tokens_per_s",
            "throughput",
            rate,
            "tokens/s",
            Kind::Measured,
            "tokens ÷ seconds in steps",
        );
    }
}

fn time(to: &mut Writer<'_>, account: &Account<'_>) {
    let (history, totals) = (&account.history, &account.totals);
    if let (Some(first), Some(last)) = (history.sessions.first(), history.sessions.last()) {
        let clock = "clock of the machine";
        to.add("started_at", "first record", first.from.to_string(), "", Kind::Measured, clock);
        to.add("ended_at", "last record", last.until.to_string(), "", Kind::Measured, clock);
    }
    let ends = "between the first record and the last";
    to.add("wall_h", "wall-clock time", totals.wall_s / 3600.0, "h", Kind::Measured, ends);
    let gaps = "between the last record of a session and the next resumption";
    to.add(
        "downtime_h",
        "of it without a process",
        totals.downtime_s / 3600.0,
        "h",
        Kind::Measured,
        gaps,
    );
    let work = "steps, rolled-back ones included, evaluations and samples";
    to.add("busy_h", "time at work", totals.busy_s / 3600.0, "h", Kind::Measured, work);
    let machine_days = totals.busy_s / 86_400.0;
    to.add(
        "machine_days",
        "machine-days at work",
        machine_days,
        "days",
        Kind::Derived,
        "one machine",
    );
    let resumed = history.resumptions.len();
    to.add("resumptions", "resumptions", resumed, "", Kind::Measured, "journal");
    to.add(
        "rolled_back_steps",
        "steps rolled back",
        totals.wasted.count,
        "steps",
        Kind::Measured,
        "journal",
    );
    to.add(
        "skipped_steps",
        "steps whose gradient was not applied",
        totals.skipped_steps,
        "steps",
        Kind::Measured,
        "journal",
    );
    if totals.unaccounted_steps > 0 {
        let how = "a checkpoint proves them, the journal does not hold them";
        to.add(
            "unaccounted_steps",
            "steps without a record",
            totals.unaccounted_steps,
            "steps",
            Kind::Measured,
            how,
        );
    }
    to.add("checkpoints", "checkpoints written", totals.checkpoints, "", Kind::Measured, "journal");
    let stalled = "time training stood still for them";
    to.add(
        "checkpoint_stall_s",
        "standstill for checkpoints",
        totals.stalled_s,
        "s",
        Kind::Measured,
        stalled,
    );
}

/// Measured where every part was read from a counter, estimated otherwise.
fn kind(energy: &Reading) -> Kind {
    if energy.is_measured() { Kind::Measured } else { Kind::Estimated }
}

fn energy(to: &mut Writer<'_>, account: &Account<'_>, cumulative: &Cumulative) {
    if account.totals.energy.is_empty() {
        let nothing = "no record of this run says anything about energy";
        to.add("metering", "metering", nothing, "", Kind::Measured, "journal");
        return;
    }
    let kind = kind(&account.totals.energy);
    energy_of_the_machine(to, account, kind);
    energy_at_the_meter(to, account, kind);
    emissions(to, account);
    energy_of_the_work(to, account, kind);
    price_of_energy(to, account);
    energy_beyond_the_run(to, cumulative, kind);
}

/// What the machine drew, how much of it a counter says, and where it went.
fn energy_of_the_machine(to: &mut Writer<'_>, account: &Account<'_>, kind: Kind) {
    let (totals, method) = (&account.totals, &account.history.started.energy_method);
    to.range("kwh", "energy of the machine", totals.kwh, "kWh", kind, method);
    let measured = totals.energy.parts.iter().filter(|part| part.method != Method::Estimate);
    let share =
        100.0 * measured.map(|part| part.joules).sum::<f64>() / totals.energy.joules().max(1e-12);
    let counters = "joules read from counters ÷ all joules";
    to.add("measured_pct", "of it measured", share, "%", Kind::Derived, counters);
    to.add("parts", "by component", json!(totals.energy.parts), "J", kind, method);
    if totals.unmetered > 0 {
        let (label, n) = ("records without energy", totals.unmetered);
        to.add("unmetered_records", label, n, "", Kind::Measured, "journal");
    }
}

fn source_or_none(text: &Option<String>) -> String {
    text.clone().unwrap_or("no source given".into())
}

/// With what the building adds, where its PUE is declared.
fn energy_at_the_meter(to: &mut Writer<'_>, account: &Account<'_>, kind: Kind) {
    let (totals, declared) = (&account.totals, &account.history.started.declared);
    let source = source_or_none(&declared.pue_source);
    to.add("pue", "PUE", declared.pue, "", Kind::Declared, &source);
    if let Some(kwh) = totals.kwh_at_meter {
        let how = "energy of the machine × PUE";
        to.range("kwh_at_meter", "energy at the building's meter", kwh, "kWh", kind, how);
    }
    let mwh = totals.kwh_at_meter.unwrap_or(totals.kwh);
    let mwh = Range { value: mwh.value / 1e3, low: mwh.low / 1e3, high: mwh.high / 1e3 };
    to.range("mwh", "the same in MWh", mwh, "MWh", kind, "÷ 1000");
}

/// The place, its grid, and what the run emitted there.
fn emissions(to: &mut Writer<'_>, account: &Account<'_>) {
    let declared = &account.history.started.declared;
    let (grid, source) = (declared.grid_g_per_kwh, source_or_none(&declared.grid_source));
    let unit = "g CO2e/kWh";
    to.add("grid_g_per_kwh", "emissions of the grid", grid, unit, Kind::Declared, &source);
    to.declared("location", "place", declared.location.clone());
    if let Some(grams) = account.totals.co2e_g {
        let how = "energy at the meter × emissions of the grid";
        to.range("co2e_g", "emissions", grams, "g CO2e", Kind::Estimated, how);
    }
}

/// Of the training steps that stand: per token, and work per joule.
fn energy_of_the_work(to: &mut Writer<'_>, account: &Account<'_>, kind: Kind) {
    let training = &account.totals.training;
    let joules = training.energy.joules();
    if training.tokens > 0 && joules > 0.0 {
        let per_token = joules / training.tokens as f64;
        let how = "training steps that stand";
        to.add("joules_per_token", "energy per token", per_token, "J", kind, how);
        let work = training.model_flop / joules;
        let how = "model FLOPs ÷ joules, same steps";
        to.add("flop_per_joule", "work per energy", work, "FLOP/J", kind, how);
    }
}

fn price_of_energy(to: &mut Writer<'_>, account: &Account<'_>) {
    let (totals, declared) = (&account.totals, &account.history.started.declared);
    let (Some(price), Some(currency)) = (declared.price_per_kwh, &declared.currency) else {
        return;
    };
    let money = totals.kwh_at_meter.unwrap_or(totals.kwh).value * price;
    let (money, how) = (format!("{money:.4} {currency}"), format!("{price} {currency} per kWh"));
    to.add("price", "price of the energy", money, "", Kind::Derived, &how);
}

/// The run with its predecessors, and the experiments on the way.
fn energy_beyond_the_run(to: &mut Writer<'_>, cumulative: &Cumulative, kind: Kind) {
    let (label, kwh) =
        ("energy of everything that led to these weights", cumulative.joules / 3.6e6);
    let all = "this run and its predecessors, everything in them";
    to.add("cumulative_kwh", label, kwh, "kWh", kind, all);
    let (label, kwh) = ("energy of experiments", cumulative.experiments_joules / 3.6e6);
    let others = "failed and ablation runs named for this disclosure";
    to.add("experiments_kwh", label, kwh, "kWh", kind, others);
}

fn results(to: &mut Writer<'_>, account: &Account<'_>) {
    if let Some(last) = account.history.last_step() {
        let loss =
            if last.loss.is_finite() { json!(last.loss) } else { json!(last.loss.to_string()) };
        to.add(
            "training_loss",
            "loss of the last step",
            loss,
            "nats/token",
            Kind::Measured,
            "mean over the step's tokens",
        );
    }
    let survived = account.history.evaluations.iter().filter(|told| told.survived);
    let mut latest: Vec<Value> = Vec::new();
    for evaluation in survived.map(|told| told.record) {
        latest.retain(|known| known["name"] != evaluation.name.as_str());
        latest.push(json!({
            "name": evaluation.name,
            "value": if evaluation.value.is_finite() { json!(evaluation.value) } else { json!(null) },
            "stderr": evaluation.stderr,
            "n": evaluation.n,
            "step": evaluation.step,
        }));
    }
    if !latest.is_empty() {
        to.add(
            "evaluations",
            "evaluations, the latest of each",
            latest,
            "",
            Kind::Measured,
            "journal",
        );
    }
}
