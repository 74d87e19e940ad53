//! Other people's runs counted from what they published, against the figures they published.

use ledger::Timestamp;
use ledger::disclosure::{self, DeclaredRun, Disclosure, Kind};
use serde_json::json;

/// The facts as `examples/disclose/NAME.toml` states them.
fn example(name: &str) -> (DeclaredRun, String) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/disclose");
    let text = std::fs::read_to_string(folder.join(format!("{name}.toml"))).expect("an example");
    (toml::from_str(&text).expect("facts"), text)
}

fn disclosed(run: &DeclaredRun, text: &str) -> Disclosure {
    disclosure::disclose_declared(run, text, Timestamp::UNIX_EPOCH).expect("a disclosure")
}

fn flop(disclosure: &Disclosure, id: &str) -> f64 {
    disclosure.fact("compute", id).and_then(|fact| fact.value.as_f64()).expect(id)
}

fn close(counted: f64, published: f64, share: f64) {
    assert!((counted / published - 1.0).abs() < share, "{counted:e} is not {published:e}");
}

/// dev/LEADERBOARD.md of nanochat: 4.330784e19, attention over the whole window.
#[test]
fn nanochat_d24_is_recounted_to_the_last_published_digit() {
    let (run, text) = example("nanochat-d24");
    let disclosure = disclosed(&run, &text);
    // The published count has 4,608 gates of the value embeddings, which are no part of the sizes: 6e-6 of it.
    close(flop(&disclosure, "palm_flop"), 4.330784e19, 1e-4);
    assert!(flop(&disclosure, "model_flop") < flop(&disclosure, "palm_flop"));
    assert!(disclosure.checks.iter().all(|check| !check.flagged), "{:?}", disclosure.checks);
    assert_eq!(disclosure.thresholds[0].status, "below");
}

/// The chronicles of OPT say 4.30e23, recomputation included; 6 N D is 3.15e23.
#[test]
fn opt_175b_is_counted_both_ways_by_both_methods() {
    let (run, text) = example("opt-175b");
    let disclosure = disclosed(&run, &text);
    close(flop(&disclosure, "hardware_flop"), 4.30e23, 0.01);
    close(flop(&disclosure, "by_hardware_flop"), 4.30e23, 0.01);
    close(flop(&disclosure, "six_n_d_flop"), 3.15e23, 0.001);
    close(flop(&disclosure, "model_flop"), 3.15e23, 0.02);
    assert_eq!(disclosure.checks.len(), 3);
    assert!(disclosure.checks.iter().all(|check| !check.flagged), "{:?}", disclosure.checks);
    let status: Vec<&str> = disclosure.thresholds.iter().map(|t| t.status).collect();
    assert_eq!(status, ["above", "below", "below", "below"]);
}

/// Its report: 14.8e12 tokens, 37e9 active parameters; Epoch AI lists 3.4e24 FLOP.
#[test]
fn deepseek_v3_comes_near_the_estimate_of_others() {
    let (run, text) = example("deepseek-v3");
    let disclosure = disclosed(&run, &text);
    close(flop(&disclosure, "model_flop"), 3.4e24, 0.1);
    let hardware = disclosure.fact("compute", "by_hardware_flop").expect("by hardware");
    assert_eq!(hardware.kind, Kind::Estimated);
    assert!(hardware.low < hardware.high);
    // Attention over 4,096 positions is an eighth of the work, which 6 N D leaves out.
    let flagged: Vec<&str> =
        disclosure.checks.iter().filter(|check| check.flagged).map(|check| check.name).collect();
    assert_eq!(flagged, ["operations against 6 N D"]);
    let dollars = disclosure.fact("cost", "usd").and_then(|fact| fact.value.as_f64());
    close(dollars.expect("dollars"), 5.328e6, 0.001);
}

#[test]
fn two_methods_that_disagree_by_more_than_a_tenth_are_flagged() {
    let (mut run, text) = example("opt-175b");
    run.hardware.days = Some(40.0);
    let disclosure = disclosed(&run, &text);
    let flagged: Vec<&str> =
        disclosure.checks.iter().filter(|check| check.flagged).map(|check| check.name).collect();
    assert_eq!(flagged, ["operations against hardware"]);
    assert!(disclosure::page(&disclosure).contains("worth a look"));
}

#[test]
fn recomputation_causal_attention_experts_and_spans_are_counted_by_hand() {
    let run: DeclaredRun = toml::from_str(
        "[identity]\nmodel = \"toy\"\n[architecture]\nlayers = 2\nwidth = 8\nheads = 2\nkv_heads = 1\nvocab = 10\n\
         context = 4\ngated = true\nexperts = 4\nexperts_per_token = 2\nexpert_ffn = 16\nffn = 24\ndense_layers = 1\n\
         span = [{ layers = 1, positions = 2 }]\n[data]\ntokens = 100\n[compute]\nrecompute = \"full\"\n",
    )
    .unwrap();
    let disclosure = disclosed(&run, "");
    // Per layer: queries and output 2 · 8 · 8, keys and values 2 · 8 · 4. Dense block 3 · 8 · 24; experts 3 · 8 · 2 · 16 and
    // router 8 · 4. Head 80.
    let weights = 2.0 * 192.0 + 576.0 + (768.0 + 32.0) + 80.0;
    // Positions seen: 1, 2, 3, 4 in one layer; 1, 2, 2, 2 in the other.
    let causal = 4.0 * 8.0 * (2.5 + 1.75);
    let full = 4.0 * 8.0 * (4.0 + 2.0);
    close(flop(&disclosure, "model_flop"), 100.0 * (6.0 * weights + 3.0 * causal), 1e-12);
    close(flop(&disclosure, "palm_flop"), 100.0 * (6.0 * weights + 3.0 * full), 1e-12);
    let again = 2.0 * (weights - 80.0) + full;
    close(flop(&disclosure, "hardware_flop"), 100.0 * (6.0 * weights + 3.0 * full + again), 1e-12);
}

#[test]
fn phases_bases_and_biology_follow_the_rules_of_accounting() {
    let text = "[identity]\nmodel = \"toy\"\nbiological = true\n[architecture]\nparameters_total = 1e9\n\
                [base]\nname = \"base\"\nmodel_flop = 9e22\n\
                [[phase]]\nname = \"pretrain\"\ntokens = 3e12\n\
                [[phase]]\nname = \"own synthetic data\"\ntokens = 3e11\nwork = \"forward\"\n\
                [[phase]]\nname = \"ablation\"\ntokens = 1e12\ncounted = false\n";
    let run: DeclaredRun = toml::from_str(text).unwrap();
    let disclosure = disclosed(&run, text);
    close(flop(&disclosure, "model_flop"), 6e9 * 3.1e12, 1e-12);
    close(flop(&disclosure, "experiments_flop"), 6e9 * 1e12, 1e-12);
    close(flop(&disclosure, "cumulative_model_flop"), 9e22 + 6e9 * 3.1e12, 1e-12);
    let of = |id: &str| disclosure.thresholds.iter().find(|t| t.id == id).expect("a rule");
    assert_eq!(of("us_executive_order_biology").status, "above");
    assert_eq!((of("eu_modifier").status, of("eu_modifier").threshold_flop), ("below", 3e22));
}

#[test]
fn facts_that_cannot_be_are_refused_by_field() {
    for (text, words) in [
        ("[identity]\n", "identity.model"),
        ("[identity]\nmodel = \"x\"\n", "not enough"),
        ("[identity]\nmodel = \"x\"\n[data]\ntokens = -1\n", "data.tokens is -1"),
        ("[identity]\nmodel = \"x\"\n[data]\ntokens = nan\n", "data.tokens is NaN"),
        ("[identity]\nmodel = \"x\"\n[compute]\nrecompute = \"some\"\n", "compute.recompute"),
        ("[identity]\nmodel = \"x\"\n[energy]\npue = 0.5\n", "energy.pue"),
        (
            "[identity]\nmodel = \"x\"\n[hardware]\nchip_hours = 10\nutilisation_pct = 41\n",
            "without a peak",
        ),
        (
            "[identity]\nmodel = \"x\"\n[architecture]\nlayers = 2\nspan = [{ layers = 3, positions = 9 }]\n",
            "architecture.span",
        ),
    ] {
        let run: DeclaredRun = toml::from_str(text).expect("TOML");
        let error = disclosure::disclose_declared(&run, text, Timestamp::UNIX_EPOCH).unwrap_err();
        assert!(error.to_string().contains(words), "{text}: {error}");
    }
}

#[test]
fn the_document_names_its_evidence_fills_the_forms_and_can_be_recounted() {
    let (run, text) = example("opt-175b");
    let disclosure = disclosed(&run, &text);
    let mut document = serde_json::to_value(&disclosure).expect("JSON");
    assert_eq!(document["schema"], "polymath-disclosure/1");
    let hash = document["declared"]["sha256"].as_str().expect("a hash").to_string();
    assert_eq!(document["compute"]["model_flop"]["evidence"], hash.as_str());
    assert_eq!(document["forms"]["epoch"]["Hardware quantity"], 1024);
    assert_eq!(document["forms"]["eu_documentation"]["training_time_range"], "1 to 3 months");
    let page = disclosure::page(&disclosure);
    assert!(page.contains(&hash) && page.contains("arXiv 2205.01068"), "{page}");
    assert!(!page.contains("journals"), "{page}");
    let spdx = disclosure::document(&disclosure).to_string();
    assert!(spdx.contains(&hash) && !spdx.contains("null"));
    assert!(disclosure::model_card(&disclosure).contains("co2_eq_emissions"));

    assert_eq!(disclosure::recount_declared(&document, &run, &text), []);
    document["compute"]["model_flop"]["value"] = json!(1e20);
    let differences = disclosure::recount_declared(&document, &run, &text);
    assert_eq!(differences.len(), 1);
    assert_eq!(differences[0].place, "compute.model_flop.value");
}
