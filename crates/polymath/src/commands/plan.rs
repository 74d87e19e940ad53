//! `polymath plan predict | search | timeline | accuracy`: training runs on paper.

use std::path::Path;

use anyhow::Context;
use plan::plan_file::{self, Plan, PlanFile};
use plan::predict::{Outcome, Prediction};
use plan::search::{self, Candidate, Found};
use plan::timeline::{Timeline, timeline};
use plan::whole_run::Range;
use plan::{accuracy, constants, flags, predict, report, runs};
use serde_json::json;

use crate::args::PlanCommand;
use crate::output;

pub fn run(command: &PlanCommand) -> anyhow::Result<()> {
    match command {
        PlanCommand::Predict { runs, html, json } => predict_rows(runs, html.as_deref(), json.json),
        PlanCommand::Search { plan, why, html, json, threads } => {
            search_layouts(plan, why.as_deref(), html.as_deref(), json.json, threads.count())
        }
        PlanCommand::Timeline { plan, html, json } => {
            show_timeline(plan, html.as_deref(), json.json)
        }
        PlanCommand::Accuracy { runs } => {
            output::piece(&accuracy::page(&read_runs(runs)?, constants::fitted()))
        }
    }
}

fn read_text(path: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn read_runs(path: &Path) -> anyhow::Result<Vec<runs::Run>> {
    Ok(runs::parse(&read_text(path)?, &path.display().to_string())?)
}

fn predict_rows(path: &Path, html: Option<&Path>, as_json: bool) -> anyhow::Result<()> {
    let predictions = predict::predict(&read_runs(path)?, constants::fitted());
    if let Some(html) = html {
        write_page(html, &report::accuracy_page(&predictions))?;
    }
    if as_json {
        let refused = predictions.iter().filter(|p| matches!(p.outcome, Outcome::Refused { .. }));
        return output::json(&json!({
            "n": predictions.len(),
            "refused": refused.count(),
            "rows": predictions,
        }));
    }
    let rows: Vec<Vec<String>> = predictions.iter().map(row).collect();
    let heads =
        ["id", "model", ">step s", ">measured", ">error %", ">MFU %", ">GB", "fits", "layout"];
    output::piece(&output::table(&heads, &rows))?;
    for (group, [.., all]) in accuracy::by_group(&predictions) {
        if let Some(errors) = all {
            output::line(format!(
                "{group}: {} rows, median error {:.1} %, mean {:.1} %, largest {:.1} %",
                errors.n, errors.median, errors.mean, errors.max
            ))?;
        }
    }
    Ok(())
}

fn row(prediction: &Prediction) -> Vec<String> {
    let head = [prediction.id.clone(), prediction.model.clone()];
    let tail = match &prediction.outcome {
        Outcome::Refused { reason } => {
            let mut cells = vec![String::new(); 6];
            cells.push(format!("no prediction: {reason}"));
            cells
        }
        Outcome::Predicted(p) => vec![
            format!("{:.3}", p.step_s),
            p.measured_step_s.map_or(String::new(), |s| format!("{s:.3}")),
            p.error_pct.map_or(String::new(), |error| format!("{error:+.1}")),
            format!("{:.1}", p.mfu_pct),
            format!("{:.0}", p.memory_gb),
            if p.fits { "yes" } else { "no" }.into(),
            p.layout.to_string(),
        ],
    };
    head.into_iter().chain(tail).collect()
}

fn read_plan(path: &Path) -> anyhow::Result<PlanFile> {
    Ok(plan_file::parse(&read_text(path)?, &path.display().to_string())?)
}

fn write_page(path: &Path, page: &str) -> anyhow::Result<()> {
    std::fs::write(path, page).with_context(|| format!("cannot write {}", path.display()))
}

fn search_layouts(
    path: &Path,
    why: Option<&str>,
    html: Option<&Path>,
    as_json: bool,
    threads: usize,
) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let plan = read_plan(path)?.resolve(folder, constants::fitted())?;
    let found = search::search(&plan, threads, true)?;
    let plan = Plan { tokens: found.tokens, days: None, ..plan };
    let winner = &found.best[0];
    let flags = flags::flags(&plan, &winner.layout);
    let why = why.map(|asked| search::why(&plan, asked, winner)).transpose()?;
    if let Some(html) = html {
        write_page(html, &report::search_page(&plan, &found))?;
    }
    if as_json {
        let mut document = serde_json::to_value(&found)?;
        document["model"] = json!({
            "name": plan.name,
            "parameters": plan.job.shape.parameters(),
            "active_parameters": plan.job.shape.active_parameters(),
        });
        document["software"] = serde_json::to_value(&plan.software)?;
        document["flags"] = serde_json::to_value(&flags)?;
        if let Some(why) = why {
            document["why"] = serde_json::to_value(&why)?;
        }
        return output::json(&document);
    }
    print_search(&plan, &found)?;
    output::line(format!("\nMegatron-LM: {}", flags.megatron))?;
    output::line(format!("\ntorchtitan: {}", flags.torchtitan))?;
    output::line(format!("\nrun.toml:\n{}", flags.run_toml))?;
    if let Some(why) = why {
        output::line(format!("Why not {}? {}", why.asked, why.reason))?;
    }
    Ok(())
}

fn print_search(plan: &Plan<'_>, found: &Found) -> anyhow::Result<()> {
    output::line(format!(
        "{}: {} layouts in {:.2} s, {} fit; software {}\n",
        plan.name,
        output::count(found.layouts as u64),
        found.seconds,
        output::count(found.fitting as u64),
        plan.software
    ))?;
    let heads = [
        ">step s",
        ">MFU %",
        ">GB",
        ">days",
        ">million $",
        ">MWh",
        ">t CO2e",
        ">failures",
        "layout",
    ];
    let rows: Vec<Vec<String>> = found
        .best
        .iter()
        .map(|Candidate { step_s, mfu_pct, memory_gb, run, layout, .. }| {
            vec![
                format!("{step_s:.2}"),
                format!("{mfu_pct:.1}"),
                format!("{memory_gb:.0}"),
                format!("{:.1}", run.days),
                format!("{:.2}", run.dollars / 1e6),
                format!("{:.0}", run.kwh / 1e3),
                format!("{:.0}", run.kgco2e / 1e3),
                format!("{:.0}", run.failures),
                layout.to_string(),
            ]
        })
        .collect();
    output::piece(&output::table(&heads, &rows))?;
    let best = &found.best[0];
    let run = &best.run;
    let range = |range: &Range, unit: f64| {
        format!("{:.1} ({:.1} to {:.1})", range.mid / unit, range.low / unit, range.high / unit)
    };
    output::line(format!(
        "\nThe best takes {} days, {} million dollars and {} MWh (nine in ten cases); goodput {:.1} %, a failure every \
         {:.1} hours, a checkpoint every {:.0} s.",
        range(&run.days_range, 1.0),
        range(&run.dollars_range, 1e6),
        range(&run.kwh_range, 1e3),
        100.0 * run.goodput,
        run.hours_between_failures,
        run.checkpoint_interval_s
    ))?;
    run.idle_in_words().map_or(Ok(()), output::line)
}

fn show_timeline(path: &Path, html: Option<&Path>, as_json: bool) -> anyhow::Result<()> {
    let timeline = timeline(&read_plan(path)?)?;
    if let Some(html) = html {
        write_page(html, &report::timeline_page(&timeline))?;
    }
    if as_json {
        return output::json(&timeline);
    }
    print_timeline(&timeline)
}

fn print_timeline(timeline: &Timeline) -> anyhow::Result<()> {
    let heads = [
        "month",
        ">chips",
        ">FLOP",
        ">x GPT-4",
        ">low",
        ">high",
        ">dense B",
        ">tokens T",
        ">epochs",
        ">MoE total B",
        ">active B",
    ];
    let rows: Vec<Vec<String>> = timeline
        .months
        .iter()
        .map(|month| {
            vec![
                month.date.clone(),
                output::count(month.chips.mid as u64),
                format!("{:.1e}", month.flop.mid),
                format!("{:.1}", month.gpt4_multiple.mid),
                format!("{:.1}", month.gpt4_multiple.low),
                format!("{:.1}", month.gpt4_multiple.high),
                format!("{:.0}", month.dense.active_parameters / 1e9),
                format!("{:.1}", month.dense.tokens / 1e12),
                format!("{:.1}", month.dense.epochs),
                format!("{:.0}", month.moe.total_parameters / 1e9),
                format!("{:.0}", month.moe.active_parameters / 1e9),
            ]
        })
        .collect();
    output::piece(&output::table(&heads, &rows))?;
    for claim in &timeline.claims {
        let verdict = if claim.feasible { "holds" } else { "does not hold" };
        output::line(format!(
            "\n{} — \"{}\": {verdict}. {}",
            claim.name, claim.says, claim.because
        ))?;
    }
    Ok(())
}
