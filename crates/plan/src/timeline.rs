//! What a growing cluster can train by each date, and whether what was said about it can be true.
//!
//! A model of N active parameters on D tokens costs 6 N D FLOPs. Its loss is `E + A/N^α + B/D'^β` with the constants
//! that Besiroglu et al. 2024 (arXiv 2404.10102) refitted to Hoffmann et al. 2022; for repeated data D' saturates,
//! `D' = U + U r (1 − e^(−(D/U − 1)/r))` with r = 15.4 (Muennighoff et al. 2023, arXiv 2305.16264). For a mixture of
//! experts N is taken as the geometric mean of active and total parameters, a rule of thumb whose spread in the
//! literature is large; the dense answer is always printed beside it.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::chips::Precision;
use crate::plan_file::PlanFile;
use crate::whole_run::Range;

/// GPT-4's training FLOPs with Epoch AI's 90 % interval.
pub const GPT4_FLOP: Range = Range { low: 8.2e24, mid: 2.1e25, high: 4.4e25 };

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimelinePart {
    /// Year and month, `2023-12`.
    pub start: String,
    pub until: String,
    /// Chips added each month after the start: low, expected and high.
    #[serde(default)]
    pub chips_per_month: Option<[f64; 3]>,
    /// Months of a run that ends at each date.
    #[serde(default = "six")]
    pub run_months: f64,
    /// Share of the bf16 peak that becomes model FLOPs: cautious, expected, hopeful.
    #[serde(default)]
    pub utilisation: Option<[f64; 3]>,
    /// Unique training tokens that can be had.
    #[serde(default)]
    pub unique_tokens: Option<f64>,
    /// Total over active parameters of the mixture of experts.
    #[serde(default)]
    pub moe_sparsity: Option<f64>,
}

fn six() -> f64 {
    6.0
}

/// A statement about compute, to be checked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimPart {
    pub name: String,
    pub says: String,
    /// Multiple of GPT-4's training compute.
    pub multiple: Option<f64>,
    pub by: Option<String>,
    /// Months of the run meant; without it, every month from the start.
    pub run_months: Option<f64>,
    /// Dollars of compute and the year's price, FLOP per dollar.
    pub dollars: Option<f64>,
    pub flop_per_dollar_then: Option<f64>,
    /// How many times cheaper the claim says compute becomes: low and high.
    pub cheaper: Option<[f64; 2]>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Timeline {
    pub chip: String,
    pub gpt4_flop: Range,
    pub months: Vec<Month>,
    pub claims: Vec<Verdict>,
}

/// What a run that ends in this month could be.
#[derive(Debug, Clone, Serialize)]
pub struct Month {
    pub date: String,
    pub chips: Range,
    /// FLOPs of a run of the stated length.
    pub flop: Range,
    /// FLOPs of all chips since the start.
    pub flop_since_start: Range,
    /// Multiples of GPT-4; the range includes GPT-4's own interval.
    pub gpt4_multiple: Range,
    pub dense: Model,
    pub moe: Model,
}

/// The compute-optimal model.
#[derive(Debug, Clone, Copy, Serialize, PartialEq)]
pub struct Model {
    pub active_parameters: f64,
    pub total_parameters: f64,
    pub tokens: f64,
    /// Times that each unique token is seen.
    pub epochs: f64,
    pub loss: f64,
}

#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    pub name: String,
    pub says: String,
    pub feasible: bool,
    /// What there is over what it takes; below 1 it is missing.
    pub factor: Range,
    pub because: String,
}

/// The model with the least loss that `flop` FLOPs can train, with `unique` tokens to be had.
pub fn compute_optimal(flop: f64, unique: f64, sparsity: f64) -> Model {
    let loss = |ln_active: f64| {
        let active = ln_active.exp();
        let tokens = flop / (6.0 * active);
        let capacity = active * sparsity.sqrt();
        1.8172
            + 482.01 / capacity.powf(0.3478)
            + 2085.43 / useful_tokens(tokens, unique).powf(0.3658)
    };
    // Golden-section search: the loss has one minimum in the logarithm of the size.
    let (mut low, mut high) = (1e6_f64.ln(), (flop / 6e6).max(1e7).ln());
    let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
    for _ in 0..120 {
        let (a, b) = (high - golden * (high - low), low + golden * (high - low));
        if loss(a) < loss(b) { high = b } else { low = a }
    }
    let middle = 0.5 * (low + high);
    let active = middle.exp();
    let tokens = flop / (6.0 * active);
    Model {
        active_parameters: active,
        total_parameters: active * sparsity,
        tokens,
        epochs: (tokens / unique).max(1.0),
        loss: loss(middle),
    }
}

/// Fresh tokens that `tokens` with repetition are worth.
fn useful_tokens(tokens: f64, unique: f64) -> f64 {
    if tokens <= unique {
        return tokens;
    }
    let repeats = tokens / unique - 1.0;
    unique * (1.0 + 15.4 * (1.0 - (-repeats / 15.4).exp()))
}

/// Months since year 0.
fn month(field: &str, text: &str) -> Result<i64, Error> {
    let parsed = text.split_once('-').and_then(|(year, month)| {
        let (year, month) = (year.parse::<i64>().ok()?, month.get(..2)?.parse::<i64>().ok()?);
        ((1..=12).contains(&month) && (1900..=2200).contains(&year))
            .then_some(12 * year + month - 1)
    });
    parsed.ok_or_else(|| {
        Error::field(
            field,
            text,
            "a year and a month are asked for",
            &format!("{field} = \"2025-03\""),
        )
    })
}

fn date(month: i64) -> String {
    format!("{}-{:02}", month / 12, month % 12 + 1)
}

const SECONDS_PER_MONTH: f64 = 365.25 / 12.0 * 86400.0;

/// Chips, rates and efficiencies in three cases: cautious, expected, hopeful.
struct Growth {
    start: i64,
    chips: f64,
    per_month: [f64; 3],
    flop_per_chip_s: [f64; 3],
}

impl Growth {
    fn chips(&self, at: f64, case: usize) -> f64 {
        self.chips + self.per_month[case] * (at - self.start as f64).max(0.0)
    }

    /// FLOPs between two months: chips grow linearly, so the middle of the span is its mean.
    fn flop(&self, from: f64, to: f64, case: usize) -> f64 {
        let from = from.max(self.start as f64);
        if to <= from {
            return 0.0;
        }
        let chips = self.chips(0.5 * (from + to), case);
        chips * self.flop_per_chip_s[case] * (to - from) * SECONDS_PER_MONTH
    }

    fn range(&self, of: impl Fn(usize) -> f64) -> Range {
        Range { low: of(0), mid: of(1), high: of(2) }
    }
}

/// The whole timeline of a plan with a `[timeline]`.
pub fn timeline(file: &PlanFile) -> Result<Timeline, Error> {
    let Some(part) = &file.timeline else {
        return Err(Error::field(
            "[timeline]",
            "missing",
            "it says how the cluster grows",
            "[timeline] start = \"2023-12\"",
        ));
    };
    let (chip, cluster) = file.cluster.resolve()?;
    let (start, until) = (month("start", &part.start)?, month("until", &part.until)?);
    if until < start || until - start > 600 {
        return Err(Error::field(
            "until",
            &part.until,
            "it lies 0 to 600 months after the start",
            "until = \"2026-09\"",
        ));
    }
    let ordered = |field: &str, three: [f64; 3], low: f64, high: f64, example: &str| {
        let sound = three.iter().all(|n| n.is_finite() && (low..=high).contains(n))
            && three[0] <= three[1]
            && three[1] <= three[2];
        let shown = format!("{three:?}");
        let reason = format!("three rising numbers between {low} and {high} are asked for");
        if sound { Ok(three) } else { Err(Error::field(field, shown, &reason, example)) }
    };
    let per_month = part.chips_per_month.unwrap_or([0.0; 3]);
    let per_month =
        ordered("chips_per_month", per_month, 0.0, 1e6, "chips_per_month = [1000, 1500, 2000]")?;
    let utilisation = part.utilisation.unwrap_or([0.35, 0.40, 0.45]);
    let utilisation =
        ordered("utilisation", utilisation, 0.001, 2.0, "utilisation = [0.35, 0.40, 0.65]")?;
    let positive = |field: &str, value: f64, low: f64, high: f64, example: &str| {
        let fine = value.is_finite() && (low..=high).contains(&value);
        let reason = format!("between {low} and {high} is possible");
        if fine { Ok(value) } else { Err(Error::field(field, value, &reason, example)) }
    };
    let unique = positive(
        "unique_tokens",
        part.unique_tokens.unwrap_or(15e12),
        1e6,
        1e18,
        "unique_tokens = 15e12",
    )?;
    let sparsity =
        positive("moe_sparsity", part.moe_sparsity.unwrap_or(8.0), 1.0, 1e4, "moe_sparsity = 8")?;
    let run_months = positive("run_months", part.run_months, 0.1, 120.0, "run_months = 6")?;
    let peak = chip.peak(Precision::Bf16);
    let growth = Growth {
        start,
        chips: f64::from(cluster.chips),
        per_month,
        flop_per_chip_s: utilisation.map(|share| share * peak),
    };
    let months =
        (start..=until).map(|at| month_of(&growth, at, run_months, unique, sparsity)).collect();
    let claims = file
        .claims
        .iter()
        .map(|claim| verdict(claim, &growth, cluster.usd_per_chip_hour))
        .collect::<Result<_, _>>()?;
    Ok(Timeline { chip: chip.name.clone(), gpt4_flop: GPT4_FLOP, months, claims })
}

fn month_of(growth: &Growth, at: i64, run_months: f64, unique: f64, sparsity: f64) -> Month {
    let end = at as f64;
    // Before a full run length has passed, the starting cluster is taken to have been there.
    let run = |case| {
        let chips = growth.chips((end - run_months / 2.0).max(growth.start as f64), case);
        chips * growth.flop_per_chip_s[case] * run_months * SECONDS_PER_MONTH
    };
    let flop = growth.range(run);
    Month {
        date: date(at),
        chips: growth.range(|case| growth.chips(end, case)),
        flop,
        flop_since_start: growth.range(|case| growth.flop(growth.start as f64, end, case)),
        gpt4_multiple: multiple(flop),
        dense: compute_optimal(flop.mid, unique, 1.0),
        moe: compute_optimal(flop.mid, unique, sparsity),
    }
}

fn multiple(flop: Range) -> Range {
    Range {
        low: flop.low / GPT4_FLOP.high,
        mid: flop.mid / GPT4_FLOP.mid,
        high: flop.high / GPT4_FLOP.low,
    }
}

fn verdict(claim: &ClaimPart, growth: &Growth, usd_per_chip_hour: f64) -> Result<Verdict, Error> {
    let made = |feasible, factor, because| Verdict {
        name: claim.name.clone(),
        says: claim.says.clone(),
        feasible,
        factor,
        because,
    };
    if let (Some(wanted), Some(by)) = (claim.multiple, &claim.by) {
        let end = month("claim.by", by)? as f64;
        let from = claim.run_months.map_or(growth.start as f64, |months| end - months);
        let flop = growth.range(|case| growth.flop(from, end, case));
        // Against GPT-4's middle estimate; its interval widens the printed multiple, not the verdict.
        let factor = growth.range(|case| growth.flop(from, end, case) / (wanted * GPT4_FLOP.mid));
        let run = claim
            .run_months
            .map_or("every chip since the start".to_string(), |m| format!("a run of {m} months"));
        let short = if factor.mid >= 1.0 {
            format!("enough {:.1} times over", factor.mid)
        } else {
            format!(
                "missing a factor of {:.1} ({:.1} in the hopeful case)",
                1.0 / factor.mid,
                1.0 / factor.high
            )
        };
        let because = format!(
            "{run} to {by} gives {:.2e} FLOP ({:.2e} to {:.2e}), {:.1} times GPT-4 ({:.1} to {:.1} with both ranges): {short}",
            flop.mid,
            flop.low,
            flop.high,
            flop.mid / GPT4_FLOP.mid,
            multiple(flop).low,
            multiple(flop).high,
        );
        return Ok(made(factor.mid >= 1.0, factor, because));
    }
    if let (Some(dollars), Some(then), Some([low, high])) =
        (claim.dollars, claim.flop_per_dollar_then, claim.cheaper)
    {
        if !(dollars > 0.0 && then > 0.0 && usd_per_chip_hour > 0.0 && low > 0.0 && high >= low) {
            let example = "dollars = 10e9, flop_per_dollar_then = 3.05e17, cheaper = [2, 3]";
            return Err(Error::field(
                "claim.dollars",
                dollars,
                "prices are positive numbers",
                example,
            ));
        }
        let flop = dollars * then;
        let now = growth.range(|case| growth.flop_per_chip_s[case] * 3600.0 / usd_per_chip_hour);
        let factor =
            growth.range(|case| growth.flop_per_chip_s[case] * 3600.0 / usd_per_chip_hour / then);
        let because = format!(
            "{dollars:.1e} dollars bought {flop:.2e} FLOP ({:.0} times GPT-4) at {then:.2e} FLOP per dollar; at {:.2e} now \
             ({:.2e} to {:.2e}) the same costs {:.1e} dollars: {:.1} times cheaper ({:.1} to {:.1}), the claim says {low} to {high}",
            flop / GPT4_FLOP.mid,
            now.mid,
            now.low,
            now.high,
            flop / now.mid,
            factor.mid,
            factor.low,
            factor.high,
        );
        // Consistent where the two ranges overlap.
        return Ok(made(factor.high >= low && factor.low <= high, factor, because));
    }
    let reason = "a claim has a multiple and a date, or dollars, flop_per_dollar_then and cheaper";
    Err(Error::field("claim", &claim.name, reason, "multiple = 10, by = \"2025-03\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hoffmann et al. 2022 trained 70 B parameters on 1.4 T tokens with 5.9e23 FLOPs and call that optimal.
    #[test]
    fn chinchilla_is_compute_optimal_and_data_limits_shrink_nothing_before_they_bind() {
        let free = compute_optimal(5.88e23, 1e18, 1.0);
        assert!((50e9..100e9).contains(&free.active_parameters), "{free:?}");
        assert!((0.9e12..2.0e12).contains(&free.tokens), "{free:?}");
        let capped = compute_optimal(5.88e23, 3e12, 1.0);
        assert!((capped.loss / free.loss - 1.0).abs() < 1e-3);
        let short = compute_optimal(5.88e23, 0.2e12, 1.0);
        assert!(short.loss > free.loss && short.epochs > 1.0, "{short:?}");
        assert!(short.active_parameters > free.active_parameters, "{short:?}");
    }

    #[test]
    fn no_other_size_has_less_loss() {
        let best = compute_optimal(1e25, 15e12, 1.0);
        let loss = |active: f64| {
            let tokens = useful_tokens(1e25 / 6.0 / active, 15e12);
            1.8172 + 482.01 / active.powf(0.3478) + 2085.43 / tokens.powf(0.3658)
        };
        for factor in [0.3, 0.7, 0.95, 1.05, 1.5, 3.0] {
            assert!(loss(best.active_parameters * factor) > best.loss);
        }
    }

    #[test]
    fn dates_go_back_and_forth() {
        for text in ["2023-12", "2024-01", "2026-09"] {
            assert_eq!(date(month("start", text).unwrap()), text);
        }
        for text in ["2023", "2023-13", "März", "20-é"] {
            assert!(month("start", text).is_err());
        }
    }
}
