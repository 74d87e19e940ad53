//! Layouts costed per second: `cargo run --release -p plan --example speed PLAN.toml [THREADS]`.

#![allow(clippy::print_stdout)]

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("name a plan")?;
    let threads = std::env::args().nth(2).map_or(Ok(1), |text| text.parse())?;
    let text = std::fs::read_to_string(&path)?;
    let file = plan::plan_file::parse(&text, &path)?;
    let folder = Path::new(&path).parent().unwrap_or(Path::new("."));
    let plan = file.resolve(folder, plan::constants::fitted())?;
    for prune in [false, true] {
        let found = plan::search::search(&plan, threads, prune)?;
        let best = &found.best[0];
        println!(
            "prune {prune}: {} layouts ({} fit, {} splits skipped) in {:.3} s, {:.0} a second on {threads} threads; \
             best {} {:.2} s, {:.1} % MFU, {:.0} days, goodput {:.1} %, {:.0} failures",
            found.layouts,
            found.fitting,
            found.splits_skipped,
            found.seconds,
            found.layouts_per_s,
            best.layout,
            best.step_s,
            best.mfu_pct,
            best.run.days,
            100.0 * best.run.goodput,
            best.run.failures
        );
    }
    Ok(())
}
