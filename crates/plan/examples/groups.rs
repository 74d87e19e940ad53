#![allow(clippy::print_stdout)]
use std::path::Path;
use plan::constants;
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let path = std::env::args().nth(1).unwrap_or_else(|| here.join("constants.toml").display().to_string());
    let constants = constants::parse(&std::fs::read_to_string(path)?)?;
    let table = std::fs::read_to_string(here.join("published_runs.tsv"))?;
    let runs = plan::runs::parse(&table, "published_runs.tsv")?;
    println!("{}", plan::accuracy::page(&runs, &constants));
    Ok(())
}
