//! `polymath sweep`: many small runs and the law they follow.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use train::sweep::{self, Report, Sweep};

use crate::args;
use crate::commands::train::{Teller, options, stop_on_interrupt};
use crate::output;

pub fn run(arguments: &args::Sweep) -> anyhow::Result<()> {
    let file = Sweep::read(&arguments.config)?;
    let stop = Arc::new(AtomicBool::new(false));
    stop_on_interrupt(Arc::clone(&stop));
    let options = options(arguments.threads.count(), &stop);
    let report = sweep::sweep(&file, &options, &mut Teller::new())?;
    if arguments.json.json {
        return output::json(&report);
    }
    tell(&report)?;
    output::line(format!("picture {}", file.run_dir.join("sweep.svg").display()))
}

fn tell(report: &Report) -> anyhow::Result<()> {
    let heads =
        ["family", ">depth", ">active", ">total", ">tokens", ">FLOPs", ">seconds", ">bits/byte"];
    let rows: Vec<Vec<String>> = report
        .outcomes
        .iter()
        .map(|o| {
            vec![
                o.family.clone(),
                o.depth.to_string(),
                format!("{:.2} M", o.parameters_active as f64 / 1e6),
                format!("{:.2} M", o.parameters as f64 / 1e6),
                format!("{:.2} M", o.tokens as f64 / 1e6),
                format!("{:.1e}", o.model_flop),
                format!("{:.0}", o.seconds),
                format!("{:.3}", o.held_out_bits_per_byte),
            ]
        })
        .collect();
    output::line(output::table(&heads, &rows).trim_end())?;
    for (family, law) in &report.laws {
        match law {
            None => output::line(format!("\n{family}: too few points for a law"))?,
            Some(law) => output::line(format!(
                "\n{family}: bits per byte = {:.3} + {:.3e} / N^{:.3} + {:.3e} / D^{:.3}   (fitted {:.1} %, left out {})",
                law.irreducible,
                law.a,
                law.alpha,
                law.b,
                law.beta,
                law.error * 100.0,
                law.left_out_error
                    .map_or("not judged".to_owned(), |e| format!("{:.1} %", e * 100.0)),
            ))?,
        }
    }
    for compared in &report.comparisons {
        let list = |values: &[Option<f64>]| {
            let shown = |v: &Option<f64>| v.map_or("beyond its runs".into(), |v| format!("{v:.2}"));
            values.iter().map(shown).collect::<Vec<String>>().join(", ")
        };
        output::line(format!(
            "\nwhat {} spends ÷ what {} needs for the same loss, budget by budget\n  FLOPs    {}\n  seconds  {}",
            compared.against,
            compared.family,
            list(&compared.flop_ratio),
            list(&compared.seconds_ratio),
        ))?;
    }
    if report.missing > 0 {
        output::line(format!(
            "\n{} runs are not finished; the same command goes on",
            report.missing
        ))?;
    }
    Ok(())
}
