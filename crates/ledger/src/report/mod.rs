//! The report of a run: one HTML page drawn from its journal alone, with nothing to fetch and no script.
//!
//! Curves show the steps that stand; steps that were rolled back are drawn where they were, dashed. Holding the pointer
//! over a curve shows its value there (style alone does that). The page follows the reader's choice of light or dark and
//! reads on a phone. While a run is going on the same page can be drawn again at any time.

mod chart;
mod curves;
mod experts;
mod style;
mod words;

#[cfg(test)]
mod tests;

use std::fmt::Write;

use crate::disclosure::{self, Account, Disclosure, Role};
use crate::history::Ending;
use crate::journal::Contents;
use crate::{Timestamp, totals::Range};

pub use words::escape;
use words::{duration, energy, energy_unit, power_of_ten, short, three_digits};

/// The page; none if the journal does not start a run.
///
/// `refresh_s` makes a browser load it again after so many seconds: for a run that is still going on.
pub fn page(contents: &Contents, now: Timestamp, refresh_s: Option<u32>) -> Option<String> {
    let account = Account::of(Role::Subject, contents)?;
    let disclosure = disclosure::disclose(std::slice::from_ref(&account), None, now)?;
    let started = account.history.started;
    let name = if started.model.name.is_empty() { &started.run_id } else { &started.model.name };
    let mut out = head(name, refresh_s);
    out += &title(&account, name);
    out += &tiles(&account);
    out += &curves::section(&account);
    out += &experts::section(&account);
    out += &samples(&account);
    out += &accounts(&account, &disclosure);
    let _ = writeln!(
        out,
        "<footer>Drawn from {} lines of the run's journal, whose last line has the SHA-256 <code>{}</code>. \
         <code>polymath disclose</code> counts the same numbers again.</footer></main></body></html>",
        contents.entries.len(),
        contents.head
    );
    Some(out)
}

fn head(name: &str, refresh_s: Option<u32>) -> String {
    let refresh = refresh_s
        .map_or(String::new(), |s| format!("<meta http-equiv=\"refresh\" content=\"{s}\">"));
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">{refresh}\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>{} – training report</title><style>{}</style></head><body><main>\n",
        escape(name),
        style::SHEET
    )
}

fn title(account: &Account<'_>, name: &str) -> String {
    let (history, started) = (&account.history, account.history.started);
    let last = history.last_step().map_or(0, |step| step.step);
    let (class, state) = match history.ending {
        Some(Ending::Finished(_)) => ("good", "finished".to_string()),
        Some(Ending::Stopped(stopped)) => ("warn", format!("stopped: {}", stopped.reason)),
        None => ("live", "under way, or interrupted".to_string()),
    };
    let progress = match started.planned_steps.filter(|planned| *planned > 0) {
        Some(planned) => format!("step {} of {}", short(last as f64), short(planned as f64)),
        None => format!("step {}", short(last as f64)),
    };
    let model = &started.model;
    let mut line = vec![
        format!(
            "{} parameters, {} active",
            short(model.parameters_total as f64),
            short(model.parameters_active as f64)
        ),
        format!("{} layers of width {}", model.layers, model.width),
    ];
    if model.experts > 0 {
        line.push(format!("{} experts, {} per token", model.experts, model.experts_per_token));
    }
    line.push(escape(&started.host.cpu));
    line.push(format!("seed {}", started.seed));
    format!(
        "<header><h1>{}</h1><p class=\"state\"><span class=\"{class}\">{}</span> {progress}</p><p class=\"muted\">{}</p></header>\n",
        escape(name),
        escape(&state),
        line.join(" · ")
    )
}

fn tile(label: &str, value: &str, note: &str) -> String {
    format!(
        "<div class=\"tile\"><span>{label}</span><strong>{value}</strong><small>{note}</small></div>"
    )
}

fn tiles(account: &Account<'_>) -> String {
    let (history, totals) = (&account.history, &account.totals);
    let mut out = String::from("<section class=\"tiles\">");
    if let Some(step) = history.last_step() {
        out += &tile("training loss", &format!("{:.3}", step.loss), "nats per token, last step");
    }
    let held_out = history.evaluations.iter().rev().find(|told| told.survived);
    if let Some(evaluation) = held_out.map(|told| told.record) {
        out += &tile(
            &escape(&evaluation.name),
            &format!("{:.3}", evaluation.value),
            &format!("at step {}", evaluation.step),
        );
    }
    let training = &totals.training;
    let rate = training.tokens as f64 / training.seconds.max(1e-9);
    out += &tile("tokens", &short(training.tokens as f64), &format!("{} per second", short(rate)));
    let utilisation = totals
        .model_utilisation
        .map_or(String::new(), |share| format!("{:.0} % of the machine (MFU)", 100.0 * share));
    out += &tile("model FLOPs", &power_of_ten(training.model_flop), &utilisation);
    if !totals.energy.is_empty() {
        let how =
            if totals.energy.is_measured() { "measured" } else { "estimated, at least in part" };
        out += &tile("energy", &energy(totals.kwh.value), how);
    }
    let paused = if totals.downtime_s >= 1.0 {
        format!("and {} without a process", duration(totals.downtime_s))
    } else {
        String::new()
    };
    out += &tile("time at work", &duration(totals.busy_s), &paused);
    let steps = match totals.wasted.count {
        0 => "no step was done twice".into(),
        1 => "1 step was done again".into(),
        n => format!("{n} steps were done again"),
    };
    out += &tile("rolled back", &format!("{:.1} %", 100.0 * totals.wasted_share), &steps);
    out + "</section>\n"
}

/// What the model writes as it learns, the newest first.
fn samples(account: &Account<'_>) -> String {
    let samples: Vec<_> = account.history.samples.iter().filter(|told| told.survived).collect();
    if samples.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "<section><h2>What it writes</h2><p class=\"muted\">The beginning is given, the rest is the model's; unedited.</p><ol class=\"samples\">",
    );
    for told in samples.iter().rev() {
        let sample = told.record;
        let _ = write!(
            out,
            "<li><span class=\"step\">step {}</span><p><b>{}</b>{}</p></li>",
            short(sample.step as f64),
            escape(&sample.prompt),
            escape(&continuation(&sample.prompt, &sample.text))
        );
    }
    out + "</ol></section>\n"
}

/// The text behind the prompt, whether or not the record repeats the prompt.
fn continuation(prompt: &str, text: &str) -> String {
    match text.strip_prefix(prompt) {
        Some(rest) => rest.to_string(),
        None if text.starts_with(char::is_whitespace) || prompt.is_empty() => text.to_string(),
        None => format!(" {text}"),
    }
}

fn range(range: Range, (unit, scale): (&str, f64)) -> String {
    let [value, low, high] = [range.value, range.low, range.high].map(|x| three_digits(x * scale));
    if range.low < range.high {
        format!("{value} {unit} ({low} to {high})")
    } else {
        format!("{value} {unit}")
    }
}

/// Where work and energy went, and the numbers of the disclosure.
/// How far the prediction was off, and what it was of.
fn plan_and_outcome(disclosure: &Disclosure) -> Option<(String, String)> {
    let of = |id| disclosure.fact("plan", id).and_then(|fact| fact.value.as_f64());
    let (planned, measured) = (of("planned_step_s")?, of("measured_step_s")?);
    let how = format!(
        "a step was predicted to take {} s before the run began and took {} s",
        three_digits(planned),
        three_digits(measured)
    );
    Some((format!("{:+.1} %", of("step_error_pct")?), how))
}

fn accounts(account: &Account<'_>, disclosure: &Disclosure) -> String {
    let totals = &account.totals;
    let mut out = String::from(
        "<section><h2>The account</h2><div class=\"scroll\"><table><thead><tr><th>work</th><th>times</th><th>hardware FLOPs</th>\
         <th>time</th><th>energy</th></tr></thead><tbody>",
    );
    for (name, share) in totals.shares() {
        let kwh = share.energy.joules() / 3.6e6;
        let _ = write!(
            out,
            "<tr><td>{name}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            short(share.count as f64),
            power_of_ten(share.hardware_flop),
            duration(share.seconds),
            if share.energy.is_empty() { "–".into() } else { energy(kwh) }
        );
    }
    out += "</tbody></table></div><dl>";
    let mut row = |label: &str, value: String, how: &str| {
        let _ = write!(
            out,
            "<div><dt>{label}</dt><dd>{value}<small>{}</small></dd></div>",
            escape(how)
        );
    };
    let training = &totals.training;
    row(
        "model FLOPs",
        power_of_ten(training.model_flop),
        "exact attention, multiply-add as two, steps that stand",
    );
    row(
        "PaLM convention",
        power_of_ten(training.palm_flop),
        "attention over the whole square, for comparison with others",
    );
    row("hardware FLOPs", power_of_ten(totals.issued_flop), "all that was issued, in vain or not");
    if !totals.energy.is_empty() {
        row(
            "energy",
            range(totals.kwh, energy_unit(totals.kwh.value)),
            &account.history.started.energy_method,
        );
    }
    if let Some(kwh) = totals.kwh_at_meter {
        row("at the building's meter", range(kwh, energy_unit(kwh.value)), "with the declared PUE");
    }
    if let Some(grams) = totals.co2e_g {
        row("emissions", range(grams, ("g CO₂e", 1.0)), "with the declared grid");
    }
    if let Some((error, how)) = plan_and_outcome(disclosure) {
        row("plan and outcome", error, &how);
    }
    for threshold in &disclosure.thresholds {
        let standing = match threshold.margin {
            Some(margin) if margin >= 1.0 => {
                format!("{}, by a factor of {}", threshold.status, power_of_ten(margin))
            }
            _ => threshold.status.to_string(),
        };
        let label = format!("{} FLOP", power_of_ten(threshold.threshold_flop));
        row(&label, standing, &format!("{} ({})", threshold.what, threshold.source));
    }
    for check in disclosure.checks.iter().filter(|check| check.flagged) {
        row(
            "worth a look",
            format!("{:+.1} %", check.difference_pct),
            &format!("{}: {}", check.name, check.method),
        );
    }
    out + "</dl></section>\n"
}
