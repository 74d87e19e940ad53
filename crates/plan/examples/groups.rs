#![allow(clippy::print_stdout)]
use plan::constants;
use std::path::Path;
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let path = std::env::args()
        .nth(1)
        .unwrap_or_else(|| here.join("constants.toml").display().to_string());
    let constants = constants::parse(&std::fs::read_to_string(path)?)?;
    let table = std::fs::read_to_string(
        std::env::var("RUNS").map_or(here.join("published_runs.tsv"), Into::into),
    )?;
    let runs = plan::runs::parse(&table, "published_runs.tsv")?;
    let ids: Vec<String> = std::env::args().skip(2).collect();
    if !ids.is_empty() {
        for run in runs.iter().filter(|run| ids.contains(&run.id)) {
            if let plan::predict::Outcome::Predicted(p) =
                plan::predict::predict_one(run, &constants).outcome
            {
                println!(
                    "{} {} {:?} {}\n  {:?} vs {:?} {:.1?} %, {:?}\n  {:?}\n  {:.0?}",
                    run.id,
                    run.model,
                    run.chip,
                    p.layout,
                    p.step_s,
                    p.measured_step_s,
                    p.error_pct,
                    p.assumed,
                    p.breakdown,
                    p.memory
                );
            }
        }
        return Ok(());
    }
    println!("{}", plan::accuracy::page(&runs, &constants));
    Ok(())
}
