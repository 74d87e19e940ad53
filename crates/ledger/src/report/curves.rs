//! The curves of a run over its steps.

use crate::disclosure::Account;
use crate::history::Told;
use crate::record::Step;

use super::chart::{Chart, Points, Series};

pub(super) fn section(account: &Account<'_>) -> String {
    let history = &account.history;
    if history.steps.is_empty() {
        return "<section><p class=\"muted\">No step has been done yet.</p></section>\n".into();
    }
    let marks: Vec<f64> =
        history.resumptions.iter().map(|told| told.record.from_step as f64).collect();
    let standing: Vec<&Step> = history.surviving().collect();
    let steps = [standing.first(), standing.last()].map(|step| step.map(|step| step.step as f64));
    let steps = steps[0].zip(steps[1]).map(|(first, last)| [first, last]);
    let of = |value: &dyn Fn(&Step) -> f64| -> Points {
        standing.iter().map(|step| (step.step as f64, value(step))).collect()
    };
    let chart = |title: &str, unit: &str, colour: usize, points: Points| Chart {
        title: title.into(),
        unit: unit.into(),
        series: vec![Series { points, colour, ..Series::default() }],
        marks: marks.clone(),
        steps,
        ..Chart::default()
    };
    let mut out = String::from("<section><h2>How it learned</h2><div class=\"charts\">\n");
    let loss = Chart {
        lost: rolled_back(&history.steps),
        smooth: true,
        ..chart("Training loss", "nats per token", 0, of(&|step| step.loss))
    };
    out += &loss.card(true);
    out += &evaluations(account, &marks, steps);
    out += &chart("Learning rate", "", 2, of(&|step| step.learning_rate)).card(false);
    let norm = chart("Gradient norm", "before clipping", 3, of(&|step| step.grad_norm));
    out += &Chart { smooth: true, ..norm }.card(false);
    let rate = of(&|step| step.tokens as f64 / step.seconds);
    out +=
        &Chart { from_zero: true, ..chart("Throughput", "tokens per second", 4, rate) }.card(false);
    if let Some(peak) = history.started.host.peak_flop_per_s.filter(|peak| *peak > 0.0) {
        let share = |flop: f64, seconds: f64| 100.0 * flop / seconds / peak;
        let model = of(&|step| share(step.model_flop, step.seconds));
        let hardware = of(&|step| share(step.hardware_flop, step.seconds));
        let mut utilisation = chart("Utilisation", "% of the machine's highest rate", 0, model);
        utilisation.series[0].name = "model FLOPs (MFU)".into();
        let name = "hardware FLOPs (HFU)".into();
        utilisation.series.push(Series { name, points: hardware, colour: 1, dots: false });
        utilisation.from_zero = true;
        out += &utilisation.card(false);
    }
    if standing.iter().any(|step| !step.energy.is_empty()) {
        let power = of(&|step| step.energy.joules() / step.seconds);
        let measured =
            standing.iter().all(|step| step.energy.is_empty() || step.energy.is_measured());
        let unit = if measured { "watts, measured" } else { "watts, estimated in part" };
        out += &Chart { from_zero: true, ..chart("Power", unit, 5, power) }.card(false);
    }
    out + "</div></section>\n"
}

/// Every evaluation by name; bits per byte first.
fn evaluations(account: &Account<'_>, marks: &[f64], steps: Option<[f64; 2]>) -> String {
    let told = || account.history.evaluations.iter();
    let mut names: Vec<&str> = Vec::new();
    for evaluation in told() {
        if !names.contains(&evaluation.record.name.as_str()) {
            names.push(&evaluation.record.name);
        }
    }
    let points = |name: &str| -> Points {
        let of = told().filter(|told| told.survived && told.record.name == name);
        of.map(|told| (told.record.step as f64, told.record.value)).collect()
    };
    let chart = |(i, name): (usize, &&str)| Chart {
        title: capital(name),
        series: vec![Series {
            points: points(name),
            colour: 1 + i,
            dots: true,
            ..Series::default()
        }],
        marks: marks.to_vec(),
        steps,
        ..Chart::default()
    };
    names.iter().enumerate().map(|named| chart(named).card(false)).collect()
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map_or(String::new(), |first| first.to_uppercase().chain(characters).collect())
}

/// Stretches of steps that were taken back, each begun by the standing step before it.
fn rolled_back(steps: &[Told<'_, Step>]) -> Vec<Points> {
    let mut stretches: Vec<Points> = Vec::new();
    let mut before: Option<(f64, f64)> = None;
    let mut open = false;
    for told in steps {
        let point = (told.record.step as f64, told.record.loss);
        if !told.survived {
            if !open {
                stretches.push(before.into_iter().collect());
            }
            if let Some(stretch) = stretches.last_mut() {
                // A second attempt that failed too begins again further left.
                if stretch.last().is_some_and(|last| last.0 >= point.0) {
                    stretches.push(vec![point]);
                } else {
                    stretch.push(point);
                }
            }
        }
        open = !told.survived;
        before = Some(point);
    }
    stretches
}
