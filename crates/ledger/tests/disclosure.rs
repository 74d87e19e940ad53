//! Totals and disclosure of the made-up run in golden/ledger, against sums that a script counted from the same records.

use ledger::Timestamp;
use ledger::disclosure::{self, Account, Disclosure, Kind, Role};
use ledger::journal::{self, Contents};
use ledger::record::{Planned, Record};
use serde_json::{Value, json};

fn golden(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/ledger").join(name)
}

fn contents() -> Contents {
    journal::read(&golden("journal.jsonl")).expect("a sound journal")
}

fn expected() -> Value {
    let text = std::fs::read(golden("totals.json")).expect("totals");
    serde_json::from_slice(&text).expect("JSON")
}

fn account(role: Role, contents: &Contents) -> Account<'_> {
    Account::of(role, contents).expect("a run")
}

fn disclose(contents: &Contents) -> Disclosure {
    let accounts = [account(Role::Subject, contents)];
    disclosure::disclose(&accounts, None, Timestamp::UNIX_EPOCH).expect("a disclosure")
}

/// Sums of a few hundred terms in another order agree to nearly all digits.
#[track_caller]
fn assert_close(ours: f64, theirs: &Value) {
    let theirs = theirs.as_f64().expect("a number");
    assert!((ours - theirs).abs() <= 1e-12 * theirs.abs(), "{ours} is not {theirs}");
}

#[test]
fn the_totals_are_those_of_an_independent_count() {
    let (contents, expected) = (contents(), expected());
    let account = account(Role::Subject, &contents);
    let totals = &account.totals;
    assert_eq!(contents.head, expected["head"]);
    assert_eq!(totals.training.count, expected["steps"]);
    assert_eq!(totals.training.tokens, expected["tokens"]);
    assert_eq!(totals.training.model_flop, expected["model_flop"].as_f64().unwrap());
    assert_eq!(totals.training.palm_flop, expected["palm_flop"].as_f64().unwrap());
    assert_eq!(totals.training.hardware_flop, expected["hardware_flop"].as_f64().unwrap());
    assert_eq!(totals.wasted.count, expected["wasted_steps"]);
    assert_eq!(totals.wasted.hardware_flop, expected["wasted_flop"].as_f64().unwrap());
    assert_eq!(totals.issued_flop, expected["issued_flop"].as_f64().unwrap());
    assert_close(totals.energy.joules(), &expected["joules"]);
    assert_close(totals.energy.low(), &expected["joules_low"]);
    assert_close(totals.energy.high(), &expected["joules_high"]);
    assert_close(totals.kwh_at_meter.expect("a PUE").value, &expected["kwh_at_meter"]);
    let co2e = totals.co2e_g.expect("a grid");
    assert_close(co2e.value, &expected["co2e_g"]);
    assert_close(co2e.low, &expected["co2e_low"]);
    assert_close(co2e.high, &expected["co2e_high"]);
    assert_close(totals.busy_s, &expected["busy_s"]);
    assert_close(totals.downtime_s, &expected["downtime_s"]);
    assert_eq!(account.history.last_step().expect("steps").loss, expected["final_loss"]);
    assert_eq!((totals.sessions, totals.skipped_steps, totals.unmetered), (2, 1, 0));
}

#[test]
fn rolled_back_steps_stay_out_of_the_curve_and_of_the_model_total() {
    let contents = contents();
    let account = account(Role::Subject, &contents);
    let curve: Vec<u64> = account.history.surviving().map(|step| step.step).collect();
    assert_eq!(curve, (1..=60).collect::<Vec<u64>>());
    let undone: Vec<u64> = account
        .history
        .steps
        .iter()
        .filter(|told| !told.survived)
        .map(|told| told.record.step)
        .collect();
    assert_eq!(undone, [41, 42, 43, 44, 45]);
}

#[test]
fn every_fact_says_how_it_is_known_and_where_it_is_from() {
    let contents = contents();
    let disclosure = disclose(&contents);
    let facts: Vec<_> = disclosure.sections.iter().flat_map(|section| &section.facts).collect();
    assert!(facts.len() > 60, "{} facts", facts.len());
    for (id, fact) in facts {
        assert!(!fact.method.is_empty(), "{id}");
        assert_eq!(fact.evidence, contents.head, "{id}");
        assert_eq!(fact.low.is_some(), fact.high.is_some(), "{id}");
    }
    // One part of this run's energy is measured, one is estimated: the whole is an estimate with a range.
    let kwh = disclosure.fact("energy", "kwh").expect("energy");
    assert_eq!(kwh.kind, Kind::Estimated);
    assert!(kwh.low < kwh.value.as_f64() && kwh.value.as_f64() < kwh.high);
}

#[test]
fn the_json_form_names_its_schema_and_keeps_whole_numbers_whole() {
    let contents = contents();
    let document = serde_json::to_value(disclose(&contents)).expect("JSON");
    assert_eq!(document["schema"], "polymath-disclosure/1");
    assert_eq!(
        document["compute"]["model_flop"]["value"].as_f64(),
        expected()["model_flop"].as_f64()
    );
    assert_eq!(document["compute"]["model_flop"]["unit"], "FLOP");
    assert_eq!(document["architecture"]["parameters_total"]["value"], 15_200_000);
    assert_eq!(document["journals"][0]["head"], contents.head);
    assert_eq!(document["thresholds"][0]["status"], "below");
    assert_eq!(document["checks"][0]["flagged"], false);
    assert_eq!(document["forms"]["epoch"]["Model"], "nano-example");
    assert_eq!(document["forms"]["eu_documentation"]["training_time_range"], "less than 1 month");
}

#[test]
fn predecessors_count_towards_the_total_and_experiments_stand_apart() {
    let contents = contents();
    let accounts = [
        account(Role::Subject, &contents),
        account(Role::Predecessor, &contents),
        account(Role::Experiment, &contents),
    ];
    let disclosure =
        disclosure::disclose(&accounts, None, Timestamp::UNIX_EPOCH).expect("a disclosure");
    let of = |id| disclosure.fact("compute", id).and_then(|fact| fact.value.as_f64()).expect(id);
    assert_eq!(of("cumulative_model_flop"), 2.0 * of("model_flop"));
    assert_eq!(of("cumulative_issued_flop"), 2.0 * of("issued_flop"));
    assert_eq!(of("experiments_issued_flop"), of("issued_flop"));
    assert_eq!(disclosure.journals.len(), 3);
}

#[test]
fn the_compute_of_a_base_model_counts_and_a_change_is_compared_with_a_third_of_it() {
    let mut contents = contents();
    if let ledger::record::Record::RunStarted(started) = &mut contents.entries[0].record {
        started.base = Some(ledger::record::BaseModel {
            name: "base".into(),
            weights_sha256: String::new(),
            cumulative_model_flop: Some(1.8e13),
        });
    }
    let disclosure = disclose(&contents);
    let total = disclosure.fact("compute", "cumulative_model_flop").expect("a total");
    assert_eq!(total.value.as_f64(), Some(1.8e13 + 9_000_000_001_890.0));
    let change = disclosure.thresholds.last().expect("a threshold");
    assert_eq!((change.id, change.status), ("eu_modifier", "above"));
    assert_eq!((change.threshold_flop, change.counted_flop), (6e12, 9_000_000_001_890.0));
}

#[test]
fn what_the_corpus_removed_is_disclosed() {
    let contents = contents();
    let accounts = [account(Role::Subject, &contents)];
    let corpus = json!({
        "documents_in": 920,
        "dropped": { "duplicates/near": 12, "hazard/terms": 3 },
        "hazards_removed": { "terms": 2, "classifier": 1 },
    });
    let disclosure = disclosure::disclose(&accounts, Some(&corpus), Timestamp::UNIX_EPOCH)
        .expect("a disclosure");
    assert_eq!(disclosure.fact("data", "corpus_hazards").expect("hazards").value, 3);
    assert!(disclosure::page(&disclosure).contains("duplicates/near 12, hazard/terms 3"));
}

/// The mean of the steps that stand is summed here from the records themselves.
#[test]
fn a_prediction_made_before_the_run_is_disclosed_with_its_error_and_flagged_outside_its_range() {
    let mut contents = contents();
    let undone = 41..=45;
    let mut seconds: Vec<(u64, f64)> = Vec::new();
    for entry in &contents.entries {
        if let Record::Step(step) = &entry.record {
            seconds.retain(|(number, _)| *number < step.step);
            seconds.push((step.step, step.seconds));
        }
    }
    assert_eq!(seconds.len(), 60, "steps {undone:?} were taken twice and count once");
    let mean = seconds.iter().map(|(_, s)| s).sum::<f64>() / seconds.len() as f64;
    let mut with_plan = |low: f64, high: f64| {
        let Record::RunStarted(started) = &mut contents.entries[0].record else {
            panic!("a journal begins with its run")
        };
        started.plan = Some(Planned {
            method: "by hand".into(),
            steps: 60,
            step_s: 1.1 * mean,
            step_s_low: low * mean,
            step_s_high: high * mean,
        });
        disclose(&contents)
    };
    for (low, high, flagged) in [(0.9, 1.4, false), (1.05, 1.4, true), (0.5, 0.95, true)] {
        let disclosure = with_plan(low, high);
        let value = |id: &str| disclosure.fact("plan", id).expect(id).value.as_f64().expect(id);
        assert!((value("measured_step_s") / mean - 1.0).abs() < 1e-12);
        assert!((value("step_error_pct") - 10.0).abs() < 1e-9);
        assert!((value("planned_h") - 1.1 * mean * 60.0 / 3600.0).abs() < 1e-12);
        let stated = disclosure.fact("plan", "planned_step_s").expect("the prediction");
        assert!((stated.high.expect("a range") / mean - high).abs() < 1e-12);
        assert_eq!(stated.kind, Kind::Estimated);
        let check = disclosure.checks.iter().find(|check| check.name.contains("planned"));
        let check = check.expect("prediction and outcome are compared");
        assert!((check.difference_pct - 10.0).abs() < 1e-9);
        assert_eq!(check.flagged, flagged, "{low} to {high}");
    }
    assert!(
        disclose(&self::contents()).fact("plan", "step_error_pct").is_none(),
        "no plan, no error"
    );
}

#[test]
fn a_run_that_says_next_to_nothing_is_disclosed_without_inventing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("journal.jsonl");
    let started = ledger::record::RunStarted { run_id: "bare".into(), ..Default::default() };
    journal::Journal::create(&path, &started, Timestamp::UNIX_EPOCH).expect("a journal");
    let contents = journal::read(&path).expect("a journal");
    let disclosure = disclose(&contents);
    assert!(disclosure.fact("energy", "kwh").is_none());
    assert!(disclosure::page(&disclosure).contains("Energy was not metered."));
    assert!(!disclosure::model_card(&disclosure).contains("co2_eq_emissions"));
    assert!(disclosure.thresholds.iter().all(|threshold| threshold.margin.is_none()));
    let document = disclosure::document(&disclosure).to_string();
    assert!(!document.contains("ai_energyConsumption") && !document.contains("null"));
}
