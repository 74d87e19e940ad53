//! Amounts of training compute from which rules apply, and where a model stands to them.

use serde::Serialize;

/// The Commission's guidelines accept estimates within so much of the truth: closer than this below counts as close.
const TOLERANCE: f64 = 0.30;

/// One rule.
struct Rule {
    id: &'static str,
    flop: f64,
    what: &'static str,
    source: &'static str,
}

/// In order of the amount.
const RULES: &[Rule] = &[
    Rule {
        id: "eu_general_purpose",
        flop: 1e23,
        what: "indicative for a general-purpose model, if it writes language or makes pictures or video from text",
        source: "European Commission, guidelines on general-purpose AI models, C(2025) 7719",
    },
    Rule {
        id: "eu_systemic_risk",
        flop: 1e25,
        what: "systemic risk is presumed; the Commission is to be told within two weeks",
        source: "Regulation (EU) 2024/1689, articles 51(2) and 52",
    },
    Rule {
        id: "california_frontier",
        flop: 1e26,
        what: "frontier model, fine-tuning and other later changes included",
        source: "California SB 53 (2025), in force since 1 January 2026",
    },
    Rule {
        id: "us_executive_order",
        flop: 1e26,
        what: "duty to report; the order was revoked in January 2025 and is listed for comparison",
        source: "US Executive Order 14110 (2023), section 4.2(b)",
    },
];

/// Where the model stands to one rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Threshold {
    pub id: &'static str,
    pub threshold_flop: f64,
    /// What is compared: compute of every run that led to the weights, or of the change alone.
    pub counted_flop: f64,
    /// `below`, `close` (less than 30 % below), or `above`.
    pub status: &'static str,
    /// Threshold ÷ counted; none where nothing was counted.
    pub margin: Option<f64>,
    pub what: String,
    pub source: &'static str,
}

fn compare(
    id: &'static str,
    threshold_flop: f64,
    counted_flop: f64,
    what: String,
    source: &'static str,
) -> Threshold {
    let status = if counted_flop > threshold_flop {
        "above"
    } else if counted_flop > threshold_flop * (1.0 - TOLERANCE) {
        "close"
    } else {
        "below"
    };
    let margin = (counted_flop > 0.0).then(|| threshold_flop / counted_flop);
    Threshold { id, threshold_flop, counted_flop, status, margin, what, source }
}

/// All rules for a model that cost `cumulative` FLOPs.
pub(super) fn all(cumulative: f64) -> Vec<Threshold> {
    let compare =
        |rule: &Rule| compare(rule.id, rule.flop, cumulative, rule.what.into(), rule.source);
    RULES.iter().map(compare).collect()
}

/// The lower threshold of the same order for models of biological sequences.
pub(super) fn of_biology(cumulative: f64) -> Threshold {
    let what = "duty to report, trained mainly on biological sequences; revoked in January 2025, for comparison";
    let source = "US Executive Order 14110 (2023), section 4.2(b)";
    compare("us_executive_order_biology", 1e23, cumulative, what.into(), source)
}

/// Whoever changes a model becomes its provider if the change cost more than a third of the original; where the
/// original's compute is unknown, a third of the amount that would make it a general-purpose model.
pub(super) fn of_a_change(change: f64, original: Option<f64>) -> Threshold {
    let source = "European Commission, guidelines on general-purpose AI models, C(2025) 7719";
    let (threshold, how) = match original {
        Some(original) => (original / 3.0, "a third of the original's compute".to_string()),
        None => (1e23 / 3.0, "a third of 1e23, the original's compute being unknown".to_string()),
    };
    let what = format!("whoever changes a model becomes its provider from {how} on");
    compare("eu_modifier", threshold, change, what, source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opt_175b_is_a_general_purpose_model_by_either_count_and_no_systemic_risk() {
        for flop in [3.15e23, 4.30e23] {
            let status: Vec<&str> = all(flop).iter().map(|threshold| threshold.status).collect();
            assert_eq!(status, ["above", "below", "below", "below"]);
        }
    }

    #[test]
    fn an_estimate_that_could_be_above_is_called_close() {
        let status = |flop| all(flop)[1].status;
        assert_eq!((status(6.9e24), status(7.1e24), status(1.01e25)), ("below", "close", "above"));
        assert_eq!(all(0.0)[0].margin, None);
    }

    #[test]
    fn a_change_is_compared_with_a_third_of_the_original() {
        assert_eq!(of_a_change(2e22, Some(9e22)).status, "below");
        assert_eq!(of_a_change(4e22, Some(9e22)).status, "above");
        assert_eq!(of_a_change(3.4e22, None).status, "above");
    }
}
