//! Reports as one HTML page each: inline style and drawings, no script, nothing fetched.

use std::fmt::Write;

use crate::plan_file::Plan;
use crate::predict::{Outcome, Prediction, held_out};
use crate::search::Found;
use crate::timeline::{Month, Timeline};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1d1d1f;\
background:#fff}h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}table{border-collapse:collapse;width:100%;\
font-variant-numeric:tabular-nums}th,td{padding:.3rem .6rem;border-bottom:1px solid #ddd;text-align:right}\
th:first-child,td:first-child{text-align:left}svg{width:100%;height:auto}svg text{font:12px system-ui,sans-serif;\
fill:currentColor}.wide{overflow-x:auto}.good{color:#0a6b2d}.bad{color:#a11}\
@media(prefers-color-scheme:dark){body{background:#161618;color:#eee}th,td{border-color:#444}.good{color:#6fdc8c}\
.bad{color:#ff8a80}}";

/// Distinguishable with common colour blindness (Okabe and Ito 2008).
const COLOURS: [&str; 8] =
    ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c8c8c", "#b8a900"];

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn page(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>{title}</title><style>{STYLE}</style></head><body><h1>{title}</h1>\n{body}</body></html>\n"
    )
}

fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let mut out = String::from("<div class=\"wide\"><table><thead><tr>");
    for head in heads {
        let _ = write!(out, "<th scope=\"col\">{}</th>", escape(head));
    }
    out += "</tr></thead><tbody>";
    for row in rows {
        out += "<tr>";
        for cell in row {
            let _ = write!(out, "<td>{}</td>", escape(cell));
        }
        out += "</tr>";
    }
    out + "</tbody></table></div>\n"
}

/// Horizontal bars, each of named parts; `limit` is drawn as a line.
fn bars(
    label: &str,
    unit: &str,
    parts: &[&str],
    rows: &[(String, Vec<f64>)],
    limit: Option<f64>,
) -> String {
    let sum = |values: &[f64]| values.iter().sum::<f64>();
    let widest = rows.iter().map(|(_, values)| sum(values)).fold(limit.unwrap_or(0.0), f64::max);
    let scale = 640.0 / widest.max(1e-12);
    let height = 26 * rows.len() + 40;
    let mut out = format!(
        "<svg viewBox=\"0 0 1000 {height}\" role=\"img\" aria-label=\"{}\">",
        escape(label)
    );
    let mut x = 0.0;
    for (i, part) in parts.iter().enumerate() {
        let _ = write!(
            out,
            "<rect x=\"{x:.0}\" y=\"4\" width=\"10\" height=\"10\" fill=\"{}\"/><text x=\"{:.0}\" y=\"14\">{}</text>",
            COLOURS[i % 8],
            x + 14.0,
            escape(part)
        );
        x += 24.0 + 7.2 * part.chars().count() as f64;
    }
    for (row, (name, values)) in rows.iter().enumerate() {
        let y = 28 + 26 * row;
        let _ = write!(out, "<text x=\"0\" y=\"{}\">{}</text>", y + 14, escape(name));
        let mut x = 270.0;
        for (i, value) in values.iter().enumerate() {
            let width = value.max(0.0) * scale;
            let title = format!("{}: {value:.2} {unit}", parts[i]);
            let _ = write!(
                out,
                "<rect x=\"{x:.1}\" y=\"{y}\" width=\"{width:.1}\" height=\"18\" fill=\"{}\"><title>{}</title></rect>",
                COLOURS[i % 8],
                escape(&title)
            );
            x += width;
        }
        let _ = write!(
            out,
            "<text x=\"{:.0}\" y=\"{}\">{:.1} {unit}</text>",
            x + 6.0,
            y + 14,
            sum(values)
        );
    }
    if let Some(limit) = limit {
        let x = 270.0 + limit * scale;
        let _ = write!(
            out,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"22\" y2=\"{height}\" stroke=\"#d55e00\" stroke-width=\"2\"/>"
        );
    }
    out + "</svg>\n"
}

/// The best layouts of a search.
pub fn search_page(plan: &Plan<'_>, found: &Found) -> String {
    let cluster = &plan.cluster;
    let mut body = format!(
        "<p>{:.1} billion parameters ({:.1} active), {:.1} trillion tokens, {} {} chips, software {}. {} layouts were costed in \
         {:.2} seconds; {} fit.</p>\n",
        plan.job.shape.parameters() / 1e9,
        plan.job.shape.active_parameters() / 1e9,
        plan.tokens / 1e12,
        cluster.chips,
        escape(&plan.job.chip.name),
        escape(&plan.software.to_string()),
        found.layouts,
        found.seconds,
        found.fitting
    );
    body += &layouts(found);
    if let Some(idle) = found.best.first().and_then(|best| best.run.idle_in_words()) {
        let _ = writeln!(body, "<p>With the first layout, {}</p>", escape(&idle));
    }
    body += "<h2>Where a step's seconds go</h2>\n";
    let parts = [
        "products",
        "attention",
        "element-wise",
        "recompute",
        "head",
        "traffic",
        "bubble",
        "other",
    ];
    let rows: Vec<(String, Vec<f64>)> = found
        .best
        .iter()
        .map(|c| {
            let b = &c.breakdown;
            let traffic = b.tp_s + b.cp_s + b.ep_s + b.pp_s + b.dp_s;
            let other = b.optimizer_s + b.fixed_s + b.straggler_s;
            let seconds = vec![
                b.matmul_s,
                b.attention_s,
                b.elementwise_s,
                b.recompute_s,
                b.head_s,
                traffic,
                b.bubble_s,
                other,
            ];
            (short(&c.layout.to_string()), seconds)
        })
        .collect();
    body += &bars("step time by part", "s", &parts, &rows, None);
    body += "<h2>What a chip holds</h2>\n";
    let parts = ["weights", "gradients", "optimiser", "activations", "working", "buffers"];
    let rows: Vec<(String, Vec<f64>)> = found
        .best
        .iter()
        .map(|c| {
            let m = &c.memory;
            let bytes = [m.weights, m.gradients, m.optimizer, m.activations, m.working, m.buffers];
            (short(&c.layout.to_string()), bytes.iter().map(|b| b / 1e9).collect())
        })
        .collect();
    body += &bars("memory by term", "GB", &parts, &rows, Some(plan.job.chip.memory_bytes() / 1e9));
    page(&format!("Plan: {}", plan.name), &body)
}

/// The best layouts, one a row.
fn layouts(found: &Found) -> String {
    let rows: Vec<Vec<String>> = found
        .best
        .iter()
        .map(|c| {
            let range = &c.run.days_range;
            vec![
                c.layout.to_string(),
                format!("{:.2}", c.step_s),
                format!("{:.1}", c.mfu_pct),
                format!("{:.0} of {:.0}", c.memory_gb, c.capacity_gb),
                format!("{:.0} ({:.0} to {:.0})", range.mid, range.low, range.high),
                format!("{:.2}", c.run.dollars / 1e6),
                format!("{:.0}", c.run.kwh / 1e3),
                format!("{:.0}", c.run.kgco2e / 1e3),
                format!("{:.0}", c.run.failures),
            ]
        })
        .collect();
    table(
        &["layout", "step s", "MFU %", "GB", "days", "million $", "MWh", "t CO2e", "failures"],
        &rows,
    )
}

/// The beginning of a layout, as fits beside a bar.
fn short(layout: &str) -> String {
    layout.split(" recompute").next().unwrap_or(layout).to_string()
}

/// Positions on a logarithmic axis of `pixels` from `low` to `high`.
fn logarithmic(value: f64, low: f64, high: f64, pixels: f64) -> f64 {
    (value.max(low).ln() - low.ln()) / (high.ln() - low.ln()) * pixels
}

/// Chips, compute and claims by month.
pub fn timeline_page(timeline: &Timeline) -> String {
    let months = &timeline.months;
    let mut body = format!(
        "<p>Runs on {} chips. GPT-4 is taken as {:.1e} FLOP ({:.1e} to {:.1e}).</p>\n",
        escape(&timeline.chip),
        timeline.gpt4_flop.mid,
        timeline.gpt4_flop.low,
        timeline.gpt4_flop.high
    );
    for claim in &timeline.claims {
        let (class, word) =
            if claim.feasible { ("good", "holds") } else { ("bad", "does not hold") };
        let _ = writeln!(
            body,
            "<p><strong>{}</strong>: “{}” <strong class=\"{class}\">{word}</strong>. {}</p>",
            escape(&claim.name),
            escape(&claim.says),
            escape(&claim.because)
        );
    }
    body += "<h2>Multiples of GPT-4's compute, by the month in which a run ends</h2>\n";
    body += &multiples_chart(months);
    let rows: Vec<Vec<String>> = months
        .iter()
        .map(|m| {
            let g = &m.gpt4_multiple;
            vec![
                m.date.clone(),
                format!("{:.0}", m.chips.mid),
                format!("{:.2e}", m.flop.mid),
                format!("{:.1} ({:.1} to {:.1})", g.mid, g.low, g.high),
                format!(
                    "{:.0} B on {:.1} T",
                    m.dense.active_parameters / 1e9,
                    m.dense.tokens / 1e12
                ),
                format!(
                    "{:.0} B, {:.0} active",
                    m.moe.total_parameters / 1e9,
                    m.moe.active_parameters / 1e9
                ),
            ]
        })
        .collect();
    body += &table(
        &["month", "chips", "FLOP", "× GPT-4", "largest useful dense model", "mixture of experts"],
        &rows,
    );
    page("What the cluster can train, and when", &body)
}

/// Multiples of GPT-4 by month, with their range, on a logarithmic axis: an SVG element.
fn multiples_chart(months: &[Month]) -> String {
    let values = months.iter().flat_map(|m| [m.gpt4_multiple.low, m.gpt4_multiple.high]);
    let (low, high) = values.fold((f64::INFINITY, 0.0_f64), |(l, h), v| (l.min(v), h.max(v)));
    let (low, high) = ((low * 0.8).max(1e-6), (high * 1.2).max(1e-5));
    let mut chart = String::from(
        "<svg viewBox=\"0 0 1000 360\" role=\"img\" aria-label=\"multiples of GPT-4 by month\">",
    );
    let x = |i: usize| 60.0 + 920.0 * i as f64 / months.len().max(2).saturating_sub(1) as f64;
    let y = |value: f64| 320.0 - logarithmic(value, low, high, 300.0);
    let upper: Vec<String> = (0..months.len())
        .map(|i| format!("{:.1},{:.1}", x(i), y(months[i].gpt4_multiple.high)))
        .collect();
    let lower: Vec<String> = (0..months.len())
        .rev()
        .map(|i| format!("{:.1},{:.1}", x(i), y(months[i].gpt4_multiple.low)))
        .collect();
    let middle: Vec<String> = (0..months.len())
        .map(|i| format!("{:.1},{:.1}", x(i), y(months[i].gpt4_multiple.mid)))
        .collect();
    let _ = write!(
        chart,
        "<polygon points=\"{} {}\" fill=\"#0072b2\" opacity=\".2\"/><polyline points=\"{}\" fill=\"none\" stroke=\"#0072b2\" \
         stroke-width=\"3\"/>",
        upper.join(" "),
        lower.join(" "),
        middle.join(" ")
    );
    for tick in
        [0.1, 1.0, 10.0, 100.0, 1000.0].into_iter().filter(|tick| (low..=high).contains(tick))
    {
        let _ = write!(
            chart,
            "<line x1=\"60\" x2=\"980\" y1=\"{0:.1}\" y2=\"{0:.1}\" stroke=\"#8c8c8c\" opacity=\".5\"/><text x=\"4\" y=\"{1:.1}\">{tick}×</text>",
            y(tick),
            y(tick) + 4.0
        );
    }
    for (i, month) in months.iter().enumerate().filter(|(i, _)| i % (months.len() / 8).max(1) == 0)
    {
        let _ = write!(chart, "<text x=\"{:.0}\" y=\"345\">{}</text>", x(i) - 24.0, month.date);
    }
    chart += "</svg>\n";
    chart
}

/// Predicted against measured step times.
pub fn accuracy_page(predictions: &[Prediction]) -> String {
    let mut points: Vec<(&Prediction, f64, f64)> = Vec::new();
    for prediction in predictions {
        if let Outcome::Predicted(p) = &prediction.outcome
            && let Some(measured) = p.measured_step_s
        {
            points.push((prediction, measured, p.step_s));
        }
    }
    let all = points.iter().flat_map(|(_, a, b)| [*a, *b]);
    let (low, high) = all.fold((f64::INFINITY, 0.0_f64), |(l, h), v| (l.min(v), h.max(v)));
    let (low, high) = ((low * 0.8).clamp(1e-6, 1e9), (high * 1.2).max(1e-5));
    let mut groups: Vec<&str> = points.iter().map(|(p, ..)| p.group.as_str()).collect();
    groups.sort_unstable();
    groups.dedup();
    let mut body = format!(
        "<p>{} runs. On the line the prediction is exact; hollow points took no part in fitting constants.</p>\n\
         <svg viewBox=\"0 0 760 640\" role=\"img\" aria-label=\"predicted against measured step time\">\
         <line x1=\"60\" y1=\"600\" x2=\"640\" y2=\"20\" stroke=\"#8c8c8c\"/>",
        points.len()
    );
    for (prediction, measured, predicted) in &points {
        let colour = COLOURS[groups.iter().position(|g| *g == prediction.group).unwrap_or(0) % 8];
        let fill = if held_out(&prediction.id) { "none" } else { colour };
        let title = format!(
            "{} {}: {measured:.2} s measured, {predicted:.2} s predicted",
            prediction.id, prediction.model
        );
        let _ = write!(
            body,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\" fill=\"{fill}\" stroke=\"{colour}\"><title>{}</title></circle>",
            60.0 + logarithmic(*measured, low, high, 580.0),
            600.0 - logarithmic(*predicted, low, high, 580.0),
            escape(&title)
        );
    }
    for tick in
        [0.1, 1.0, 10.0, 100.0, 1000.0].into_iter().filter(|tick| (low..=high).contains(tick))
    {
        let at = logarithmic(tick, low, high, 580.0);
        let _ = write!(
            body,
            "<text x=\"{:.0}\" y=\"620\">{tick}</text><text x=\"20\" y=\"{:.0}\">{tick}</text>",
            60.0 + at,
            604.0 - at
        );
    }
    body += "<text x=\"280\" y=\"637\">measured seconds per step</text>";
    for (i, group) in groups.iter().enumerate() {
        let y = 40 + 18 * i;
        let _ = write!(
            body,
            "<circle cx=\"652\" cy=\"{y}\" r=\"4\" fill=\"{}\"/><text x=\"660\" y=\"{}\">{}</text>",
            COLOURS[i % 8],
            y + 4,
            escape(group)
        );
    }
    body += "</svg>\n";
    page("Predicted against measured", &body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{constants, plan_file, predict, runs, search, timeline};

    fn is_self_contained(page: &str) {
        for outside in ["http:", "https:", "<script", "<link", "<img", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
        assert!(!page.contains("NaN") && !page.contains("inf"), "a number is missing");
    }

    #[test]
    fn pages_load_nothing_and_escape_names() {
        let text = "[model]\nname=\"<b>&\"\nlayers=32\nhidden=4096\nheads=32\nvocab=32000\nffn=11008\n[training]\n\
                    tokens=1e12\nsequence=4096\nglobal_batch=512\n[cluster]\nchip=\"H100\"\nchips=64\n\
                    [timeline]\nstart=\"2024-01\"\nuntil=\"2024-01\"\n";
        let file = plan_file::parse(text, "t").unwrap();
        let plan = file.resolve(std::path::Path::new("."), constants::fitted()).unwrap();
        let page = search_page(&plan, &search::search(&plan, 1, true).unwrap());
        assert!(page.contains("&lt;b&gt;&amp;") && !page.contains("<b>"));
        is_self_contained(&page);
        is_self_contained(&timeline_page(&timeline::timeline(&file).unwrap()));
        let table = include_str!("../data/published_runs.tsv");
        let runs = runs::parse(table, "t").unwrap();
        let page = accuracy_page(&predict::predict(&runs, constants::fitted()));
        assert!(page.matches("<circle").count() > 300);
        is_self_contained(&page);
        is_self_contained(&accuracy_page(&[]));
    }
}
