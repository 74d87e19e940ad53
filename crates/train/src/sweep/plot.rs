//! A sweep as one picture: bits per byte against FLOPs and against seconds, every run a dot, the best joined.
//!
//! The SVG stands alone (a README shows it): colours are fixed and it brings its own ground.

use std::fmt::Write;

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

fn panel(
    out: &mut String,
    offset: f64,
    name: &str,
    report: &Report,
    families: &[&str],
    cost: &dyn Fn(&Outcome) -> f64,
) {
    let costs = report.outcomes.iter().map(cost).filter(|v| v.is_finite() && *v > 0.0);
    let (least, most) = costs.fold((f64::INFINITY, 0.0_f64), |(a, b), v| (a.min(v), b.max(v)));
    if least > most {
        return;
    }
    let losses = report.outcomes.iter().map(|outcome| outcome.held_out_bits_per_byte);
    let (low, high) = losses.fold((f64::INFINITY, 0.0_f64), |(a, b), v| (a.min(v), b.max(v)));
    let (low, high) = (low - 0.05, high + 0.05);
    let (from, to) = (least.log10() - 0.1, most.log10() + 0.1);
    let x = |v: f64| offset + LEFT + (v.log10() - from) / (to - from) * (WIDTH - LEFT - RIGHT);
    let y = |v: f64| TOP + (high - v) / (high - low) * (HEIGHT - TOP - BOTTOM);
    let (right, bottom) = (offset + WIDTH - RIGHT, HEIGHT - BOTTOM);
    for tenth in (low * 5.0).ceil() as i64..=(high * 5.0).floor() as i64 {
        let value = tenth as f64 / 5.0;
        let _ = write!(
            out,
            "<path d=\"M{:.0} {y1:.1}H{right:.0}\" stroke=\"#e5e5e5\"/><text x=\"{:.0}\" y=\"{y2:.1}\" text-anchor=\"end\">{value:.1}</text>",
            offset + LEFT,
            offset + LEFT - 6.0,
            y1 = y(value),
            y2 = y(value) + 4.0
        );
    }
    for decade in from.floor() as i32..=to.ceil() as i32 {
        for step in [1.0, 3.0] {
            let value = step * 10_f64.powi(decade);
            if value.log10() < from || value.log10() > to {
                continue;
            }
            let label = if (-2..4).contains(&decade) {
                format!("{value}")
            } else {
                format!("{step}e{decade}")
            };
            let _ = write!(
                out,
                "<path d=\"M{x:.1} {TOP}V{bottom}\" stroke=\"#f0f0f0\"/><text x=\"{x:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{label}</text>",
                bottom + 16.0,
                x = x(value)
            );
        }
    }
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
        let line: Vec<String> =
            best.iter().map(|&(c, loss)| format!("{:.1} {:.1}", x(c), y(loss))).collect();
        let _ = write!(
            out,
            "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            line.join("L")
        );
        for outcome in ours.iter().filter(|outcome| cost(outcome).is_finite()) {
            let _ = write!(
                out,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3.5\" fill=\"{colour}\"><title>{} depth {}: {:.3} bits per byte</title></circle>",
                x(cost(outcome)),
                y(outcome.held_out_bits_per_byte),
                escape(family),
                outcome.depth,
                outcome.held_out_bits_per_byte
            );
        }
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
