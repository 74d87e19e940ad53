//! A sweep as one picture: bits per byte against FLOPs and against seconds, every run a dot, the best joined.
//!
//! The SVG stands alone (a README shows it): colours are fixed and it brings its own ground.

use std::fmt::Write;

use ledger::report::escape;

use super::{Outcome, Report, best_of_budgets, frontier};

const COLOURS: [&str; 4] = ["#2563eb", "#d9480f", "#2b8a3e", "#862e9c"];
const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 46.0;

/// The picture; a sentence in place of it while nothing is finished.
pub(super) fn drawing(report: &Report) -> String {
    let mut families: Vec<&str> = Vec::new();
    for outcome in &report.outcomes {
        if !families.contains(&outcome.family.as_str()) {
            families.push(&outcome.family);
        }
    }
    let width = 2.0 * WIDTH;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {HEIGHT}\" font-family=\"system-ui, sans-serif\" \
         font-size=\"12\" fill=\"#333\"><title>{}: held-out bits per byte</title>\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>",
        escape(&report.name)
    );
    if report.outcomes.is_empty() {
        let _ = write!(out, "<text x=\"20\" y=\"40\">no run is finished yet</text></svg>");
        return out;
    }
    for (idx, family) in families.iter().enumerate() {
        let (x, colour) = (LEFT + 150.0 * idx as f64, COLOURS[idx % COLOURS.len()]);
        let _ = write!(
            out,
            "<circle cx=\"{x}\" cy=\"16\" r=\"4\" fill=\"{colour}\"/><text x=\"{:.0}\" y=\"20\">{}</text>",
            x + 9.0,
            escape(family)
        );
    }
    panel(&mut out, 0.0, "model FLOPs", report, &families, &|outcome| outcome.model_flop);
    panel(&mut out, WIDTH, "seconds of training", report, &families, &|outcome| outcome.seconds);
    out + "</svg>\n"
}

/// A panel's logarithmic scale of costs and linear scale of losses.
#[derive(Clone, Copy)]
struct Scale {
    /// Where the panel begins.
    offset: f64,
    /// Logarithms of the least and the largest cost.
    costs: [f64; 2],
    losses: [f64; 2],
}

impl Scale {
    /// Around all points; none where there is nothing to place.
    fn around(offset: f64, outcomes: &[Outcome], cost: &dyn Fn(&Outcome) -> f64) -> Option<Self> {
        let costs = outcomes.iter().map(cost).filter(|v| v.is_finite() && *v > 0.0).map(f64::log10);
        let losses = outcomes.iter().map(|outcome| outcome.held_out_bits_per_byte);
        Some(Self { offset, costs: span(costs, 0.1)?, losses: span(losses, 0.05)? })
    }

    fn x(&self, cost: f64) -> f64 {
        let [from, to] = self.costs;
        self.offset + LEFT + (cost.log10() - from) / (to - from) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, loss: f64) -> f64 {
        let [low, high] = self.losses;
        TOP + (high - loss) / (high - low) * (HEIGHT - TOP - BOTTOM)
    }
}

/// The least and the largest value, with some room beyond them.
fn span(values: impl Iterator<Item = f64>, room: f64) -> Option<[f64; 2]> {
    let ends = |[a, b]: [f64; 2], v: f64| [a.min(v), b.max(v)];
    let [least, most] = values.fold([f64::INFINITY, f64::NEG_INFINITY], ends);
    (least <= most).then_some([least - room, most + room])
}

fn panel(
    out: &mut String,
    offset: f64,
    name: &str,
    report: &Report,
    families: &[&str],
    cost: &dyn Fn(&Outcome) -> f64,
) {
    let Some(scale) = Scale::around(offset, &report.outcomes, cost) else { return };
    grid(out, scale);
    let _ = write!(
        out,
        "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"middle\">{name}</text><text x=\"{:.0}\" y=\"{:.0}\">held-out bits per byte</text>",
        offset + (LEFT + WIDTH - RIGHT) / 2.0,
        HEIGHT - 10.0,
        offset + LEFT,
        TOP - 6.0
    );
    for (idx, family) in families.iter().enumerate() {
        let colour = COLOURS[idx % COLOURS.len()];
        let ours: Vec<&Outcome> =
            report.outcomes.iter().filter(|outcome| outcome.family == *family).collect();
        let best = frontier(&best_of_budgets(&ours), cost);
        let place =
            |&(cost, loss): &(f64, f64)| format!("{:.1} {:.1}", scale.x(cost), scale.y(loss));
        let line: Vec<String> = best.iter().map(place).collect();
        let _ = write!(
            out,
            "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            line.join("L")
        );
        for outcome in ours.iter().filter(|outcome| cost(outcome).is_finite()) {
            let _ = write!(
                out,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3.5\" fill=\"{colour}\"><title>{} depth {}: {:.3} bits per byte</title></circle>",
                scale.x(cost(outcome)),
                scale.y(outcome.held_out_bits_per_byte),
                escape(family),
                outcome.depth,
                outcome.held_out_bits_per_byte
            );
        }
    }
}

/// Lines at every fifth of a bit, and at one and three of every power of ten.
fn grid(out: &mut String, scale: Scale) {
    let (left, right) = (scale.offset + LEFT, scale.offset + WIDTH - RIGHT);
    let bottom = HEIGHT - BOTTOM;
    let [low, high] = scale.losses;
    for fifth in (low * 5.0).ceil() as i64..=(high * 5.0).floor() as i64 {
        let value = fifth as f64 / 5.0;
        let y = scale.y(value);
        let _ = write!(
            out,
            "<path d=\"M{left:.0} {y:.1}H{right:.0}\" stroke=\"#e5e5e5\"/><text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{value:.1}</text>",
            left - 6.0,
            y + 4.0
        );
    }
    let [from, to] = scale.costs;
    for decade in from.floor() as i32..=to.ceil() as i32 {
        for step in [1.0, 3.0] {
            let value = step * 10_f64.powi(decade);
            if !(from..=to).contains(&value.log10()) {
                continue;
            }
            let plain = (-2..4).contains(&decade);
            let label = if plain { format!("{value}") } else { format!("{step}e{decade}") };
            let _ = write!(
                out,
                "<path d=\"M{x:.1} {TOP}V{bottom}\" stroke=\"#f0f0f0\"/><text x=\"{x:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{label}</text>",
                bottom + 16.0,
                x = scale.x(value)
            );
        }
    }
}
