//! The fields of a plan, each with its unit and an example, for errors that say more than a line and a column.

/// Path, unit or kind, example. Tables in the order of the file.
const FIELDS: &[(&str, &str, &str)] = &[
    ("model.name", "text", "name = \"Llama 3 405B\""),
    ("model.config", "the path of a config.json, in quotes", "config = \"config.json\""),
    ("model.parameters", "a number of parameters", "parameters = 405e9"),
    ("model.layers", "a number of layers", "layers = 126"),
    ("model.hidden", "a number, the width of the model", "hidden = 16384"),
    ("model.heads", "a number of query heads", "heads = 128"),
    ("model.kv_heads", "a number of key and value heads", "kv_heads = 8"),
    ("model.head_dim", "a number, the width of a head", "head_dim = 128"),
    ("model.ffn", "a number, the inner width of the feed-forward block", "ffn = 53248"),
    ("model.gated", "true or false", "gated = true"),
    ("model.vocab", "a number of tokens in the vocabulary", "vocab = 128256"),
    ("model.tied", "true or false", "tied = false"),
    ("model.experts", "a number of routed experts", "experts = 256"),
    ("model.topk", "a number of experts per token", "topk = 8"),
    ("model.expert_ffn", "a number, the inner width of one expert", "expert_ffn = 2048"),
    ("model.shared_ffn", "a number, the inner width of all shared experts", "shared_ffn = 2048"),
    ("model.dense_layers", "a number of layers without experts", "dense_layers = 3"),
    ("training.tokens", "a number of tokens", "tokens = 15e12"),
    ("training.days", "a number of days", "days = 90"),
    ("training.sequence", "a number of tokens", "sequence = 8192"),
    ("training.global_batch", "a number of sequences per step", "global_batch = 2048"),
    ("training.precision", "bf16, fp16, fp8, mxfp8 or nvfp4, in quotes", "precision = \"bf16\""),
    (
        "training.software",
        "the name of a software generation; without it, the chip's usual one",
        "software = \"bridge-2026-04\"",
    ),
    ("cluster.chip", "the name of a chip, in quotes", "chip = \"H100\""),
    ("cluster.chips", "a number of chips", "chips = 16384"),
    ("cluster.domain", "a number of chips in a scale-up network", "domain = 8"),
    ("cluster.nic_gb_s", "a number of GB/s per chip", "nic_gb_s = 50"),
    ("cluster.usd_per_chip_hour", "a number of US dollars", "usd_per_chip_hour = 2.5"),
    ("cluster.usd_per_kwh", "a number of US dollars", "usd_per_kwh = 0.08"),
    ("cluster.power_share", "a share of board power", "power_share = 0.8"),
    ("cluster.idle_share", "a share of board power, of a chip without work", "idle_share = 0.1"),
    ("cluster.host_share", "a share of board power", "host_share = 0.6"),
    ("cluster.pue", "a number, all power over that of the computers", "pue = 1.25"),
    ("cluster.gco2_per_kwh", "a number of grams of CO2", "gco2_per_kwh = 380"),
    ("cluster.water_l_per_kwh", "a number of litres", "water_l_per_kwh = 1.8"),
    ("cluster.chip_hours_per_failure", "a number of chip-hours", "chip_hours_per_failure = 50700"),
    ("cluster.save_s", "a number of seconds", "save_s = 15"),
    ("cluster.restart_s", "a number of seconds", "restart_s = 480"),
    ("search.rank", "time, cost or energy, in quotes", "rank = \"time\""),
    ("search.top", "a whole number of layouts", "top = 10"),
    ("search.max_tp", "a whole number of chips; 0: no limit", "max_tp = 8"),
    ("search.max_pp", "a whole number of stages; 0: no limit", "max_pp = 16"),
    ("search.max_cp", "a whole number of chips; 0: no limit", "max_cp = 4"),
    ("search.max_micro_batch", "a whole number of sequences", "max_micro_batch = 8"),
    ("timeline.start", "a year and month, in quotes", "start = \"2023-12\""),
    ("timeline.until", "a year and month, in quotes", "until = \"2026-09\""),
    (
        "timeline.chips_per_month",
        "chips: low, expected, high",
        "chips_per_month = [1000, 1500, 2000]",
    ),
    ("timeline.run_months", "a number of months", "run_months = 6"),
    (
        "timeline.utilisation",
        "shares: cautious, expected, hopeful",
        "utilisation = [0.33, 0.4, 0.5]",
    ),
    ("timeline.unique_tokens", "a number of tokens", "unique_tokens = 30e12"),
    ("timeline.moe_sparsity", "a number, all over active parameters", "moe_sparsity = 16"),
    ("claim.name", "text", "name = \"10x\""),
    ("claim.says", "text", "says = \"ten times the compute of GPT-4\""),
    ("claim.multiple", "a number, a multiple of GPT-4's compute", "multiple = 10"),
    ("claim.by", "a year and month, in quotes", "by = \"2025-03\""),
    ("claim.run_months", "a number of months", "run_months = 6"),
    ("claim.dollars", "a number of US dollars", "dollars = 10e9"),
    ("claim.flop_per_dollar_then", "FLOP per US dollar", "flop_per_dollar_then = 3.05e17"),
    ("claim.cheaper", "how many times: low, high", "cheaper = [2, 3]"),
];

/// Unit and example of a field: `claim[0].cheaper[1]` is found as `claim.cheaper`.
fn find(path: &str) -> Option<(&'static str, &'static str)> {
    let mut plain = String::new();
    let mut inside = false;
    for c in path.chars() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            c if !inside => plain.push(c),
            _ => {}
        }
    }
    FIELDS.iter().find(|(name, ..)| *name == plain).map(|(_, unit, example)| (*unit, *example))
}

/// What went wrong at `path` and what to write there. `what` is the reader's own message.
pub(crate) fn explained(path: &str, what: &str) -> (String, String) {
    let what = what.trim().replace('\n', " ");
    // A field that is missing is named in the message, its table in the path.
    let missing = what
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split_once('`'))
        .map(|(name, _)| if path == "." { name.to_string() } else { format!("{path}.{name}") });
    let named = missing.as_deref().unwrap_or(path);
    match find(named) {
        Some((unit, example)) => (
            format!("{named}: {what}"),
            format!("{unit} belongs here, for example `{example}`; {HINT}"),
        ),
        None if named == "." || named.is_empty() => (what, HINT.into()),
        None => (format!("{named}: {what}"), HINT.into()),
    }
}

const HINT: &str = "examples/plan/ has complete plans";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{overview, plan_file};

    /// Serde's own list of the fields of a table, from its message about an unknown one.
    fn fields_of(table: &str) -> Vec<String> {
        let head = if table == "claim" { "[[claim]]".to_string() } else { format!("[{table}]") };
        let rest = match table {
            "cluster" => "",
            _ => "[cluster]\nchip=\"H100\"\nchips=8\n",
        };
        let text = format!("{rest}{head}\nno_such_field = 1\n");
        let message = plan_file::parse(&text, "p").unwrap_err().to_string();
        let list = message.split("expected one of").nth(1).expect("serde lists the fields");
        list.split('`').skip(1).step_by(2).map(str::to_string).collect()
    }

    #[test]
    fn every_field_of_a_plan_has_a_unit_and_an_example_that_reads_back() {
        let mut n = 0;
        for table in ["model", "training", "cluster", "search", "timeline", "claim"] {
            for field in fields_of(table) {
                if !field.contains(' ') {
                    let path = format!("{table}.{field}");
                    let (_, example) = find(&path).unwrap_or_else(|| panic!("{path} is missing"));
                    let read: toml::Table = toml::from_str(example).expect(example);
                    assert!(read.contains_key(&field), "{path}: {example}");
                    n += 1;
                }
            }
        }
        assert_eq!(n, FIELDS.len());
    }

    #[test]
    fn a_wrong_type_is_answered_with_field_unit_and_example() {
        let cluster = "[cluster]\nchip = \"H100\"\nchips = 8\n";
        for (text, words) in [
            (
                "[cluster]\nchip = \"H100\"\nchips = \"many\"\n".to_string(),
                vec!["line 3, column 9", "cluster.chips", "a number of chips", "chips = 16384"],
            ),
            (
                "[cluster]\nchip = 5\nchips = 8\n".to_string(),
                vec!["cluster.chip", "chip = \"H100\""],
            ),
            (
                "[cluster]\nchips = 8\n".to_string(),
                vec!["cluster.chip", "missing", "chip = \"H100\""],
            ),
            (format!("{cluster}[search]\ntop = 2.5\n"), vec!["search.top", "whole", "top = 10"]),
            (format!("{cluster}[model]\ngated = 1\n"), vec!["model.gated", "true or false"]),
            (
                format!("{cluster}[training]\nsequence = 8\n"),
                vec!["training.global_batch", "sequences per step"],
            ),
            (
                format!("{cluster}[[claim]]\nname=\"a\"\nsays=\"b\"\ncheaper=[1, \"x\"]\n"),
                vec!["claim[0].cheaper", "cheaper = [2, 3]"],
            ),
        ] {
            let message = plan_file::parse(&text, "plan.toml").unwrap_err().to_string();
            for word in words {
                assert!(message.contains(word), "{text}: {message}");
            }
        }
    }

    #[test]
    fn the_same_holds_for_a_plan_in_json() {
        let cluster = r#""cluster": {"chip": "H100", "chips": 8}"#;
        for (text, words) in [
            (
                r#"{"cluster": {"chip": "H100", "chips": "8"}}"#.to_string(),
                vec!["cluster.chips", "a number of chips", "chips = 16384"],
            ),
            (r#"{"cluster": {"chip": "H100"}}"#.to_string(), vec!["cluster.chips", "missing"]),
            (
                format!(r#"{{{cluster}, "training": {{"sequence": null}}}}"#),
                vec!["training.sequence", "sequence = 8192"],
            ),
            (
                format!(r#"{{{cluster}, "search": {{"max_tp": -1}}}}"#),
                vec!["search.max_tp", "whole number"],
            ),
            ("{".to_string(), vec!["line 1"]),
            ("7".to_string(), vec!["line 1"]),
        ] {
            let message = overview::parse(&text).unwrap_err().to_string();
            for word in words {
                assert!(message.contains(word), "{text}: {message}");
            }
        }
    }
}
