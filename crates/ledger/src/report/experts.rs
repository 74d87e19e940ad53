//! How evenly tokens were spread over the experts: a map of layer × expert over time, and the busiest expert's load.

use std::fmt::Write;

use crate::disclosure::Account;
use crate::record::Step;

use super::chart::{Chart, Series};
use super::words::short;

/// Cells of all layers together; more would make the page heavy without showing more.
const MAX_CELLS: usize = 16_000;

/// Upper bounds of the colours `--h0` to `--h8`, as load ÷ equal share.
const BOUNDS: [f64; 8] = [0.25, 0.5, 0.7, 0.9, 1.1, 1.3, 1.6, 2.2];

pub(super) fn section(account: &Account<'_>) -> String {
    let steps: Vec<&Step> =
        account.history.surviving().filter(|step| !step.expert_tokens.is_empty()).collect();
    let (Some(first), Some(last)) = (steps.first(), steps.last()) else { return String::new() };
    let layers = steps.iter().map(|step| step.expert_tokens.len()).max().unwrap_or(0);
    let experts =
        steps.iter().flat_map(|step| &step.expert_tokens).map(Vec::len).max().unwrap_or(0);
    let columns = (MAX_CELLS / (layers * experts).max(1)).clamp(12, 120).min(steps.len());
    let bins: Vec<&[&Step]> = steps.chunks(steps.len().div_ceil(columns)).collect();
    let mut out = format!(
        "<section><h2>How evenly the experts are used</h2><div class=\"charts\"><div class=\"card hero\">\
         <h3>Load of each expert<small>step {} to {}, one line per expert, one block per layer; right: busiest ÷ mean at the end</small></h3>",
        short(first.step as f64),
        short(last.step as f64)
    );
    for layer in 0..layers {
        let map = heat_map(&bins, layer, experts);
        let end = bins.last().map_or(1.0, |bin| busiest(&shares(bin, layer, experts)));
        let _ = write!(
            out,
            "<div class=\"layer\"><span title=\"layer\">{layer}</span>{map}<span>{end:.2}×</span></div>"
        );
    }
    out += &legend();
    out += "</div>\n";
    out += &imbalance(&steps, layers, experts).card(true);
    out + "</div></section>\n"
}

/// Load of each expert of a layer over some steps, as multiples of an equal share; empty if nothing was counted.
fn shares(bin: &[&Step], layer: usize, experts: usize) -> Vec<f64> {
    let mut tokens = vec![0u64; experts];
    for counts in bin.iter().filter_map(|step| step.expert_tokens.get(layer)) {
        for (sum, count) in tokens.iter_mut().zip(counts) {
            *sum += u64::from(*count);
        }
    }
    let all: u64 = tokens.iter().sum();
    if all == 0 {
        return Vec::new();
    }
    tokens.iter().map(|tokens| *tokens as f64 * experts as f64 / all as f64).collect()
}

fn busiest(shares: &[f64]) -> f64 {
    shares.iter().copied().fold(0.0, f64::max)
}

/// One path per colour, cells of one colour side by side joined: a tenth of the bytes of a rectangle each.
fn heat_map(bins: &[&[&Step]], layer: usize, experts: usize) -> String {
    let columns: Vec<Vec<f64>> = bins.iter().map(|bin| shares(bin, layer, experts)).collect();
    let mut paths = vec![String::new(); BOUNDS.len() + 1];
    for expert in 0..experts {
        let level = |column: &Vec<f64>| {
            let share = column.get(expert)?;
            Some(BOUNDS.iter().take_while(|bound| share > bound).count())
        };
        let mut x = 0;
        for run in columns.chunk_by(|a, b| level(a) == level(b)) {
            if let Some(level) = level(&run[0]) {
                let n = run.len();
                let _ = write!(paths[level], "M{x} {expert}h{n}v1h-{n}z");
            }
            x += run.len();
        }
    }
    // Few experts get taller lines, many get thin ones; a block keeps a height one can look at.
    let height = (140 / experts.max(1)).clamp(2, 9) * experts;
    let mut out = format!(
        "<svg viewBox=\"0 0 {} {experts}\" preserveAspectRatio=\"none\" style=\"height:{height}px\" role=\"img\" \
         aria-label=\"load of the experts of layer {layer}\">",
        bins.len()
    );
    for (level, path) in paths.iter().enumerate().filter(|(_, path)| !path.is_empty()) {
        let _ = write!(out, "<path style=\"fill:var(--h{level})\" d=\"{path}\"/>");
    }
    out + "</svg>"
}

fn legend() -> String {
    let colours: String = (0..=BOUNDS.len())
        .map(|level| format!("<i style=\"background:var(--h{level})\"></i>"))
        .collect();
    format!("<div class=\"heat\">idle<div>{colours}</div>more than twice its share</div>")
}

/// Load of the busiest expert over the mean, per layer.
fn imbalance(steps: &[&Step], layers: usize, experts: usize) -> Chart {
    // Beyond eight layers lines cannot be told apart: the most uneven layer of each step stands for all.
    let one = layers > 8;
    let line =
        |of: &dyn Fn(&Step) -> f64| steps.iter().map(|step| (step.step as f64, of(step))).collect();
    let of_layer = |step: &Step, layer| busiest(&shares(&[step], layer, experts));
    let series = if one {
        let points =
            line(&|step| (0..layers).map(|layer| of_layer(step, layer)).fold(0.0, f64::max));
        vec![Series { name: "most uneven layer".into(), points, ..Series::default() }]
    } else {
        let series = |layer| Series {
            name: format!("layer {layer}"),
            points: line(&|step| of_layer(step, layer)),
            colour: layer,
            dots: false,
        };
        (0..layers).map(series).collect()
    };
    let unit = if one { "× the mean, most uneven layer" } else { "× the mean" };
    Chart { title: "Busiest expert".into(), unit: unit.into(), series, ..Chart::default() }
}
