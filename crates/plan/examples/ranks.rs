//! Where NVIDIA's own Megatron-Bridge layouts stand among ours: `cargo run --release -p plan --example ranks [-- ROW…]`.

#![allow(clippy::print_stdout)]

use std::path::Path;

use plan::constants;
use plan::plan_file::{ClusterPart, Plan, SearchPart};
use plan::predict::{Outcome, predict_one};
use plan::search::{candidate, search};
use plan::step::Job;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let constants = constants::fitted();
    let table = std::fs::read_to_string(here.join("published_runs.tsv"))?;
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let (mut n, mut top5, mut top10) = (0, 0, 0);
    for run in plan::runs::parse(&table, "published_runs.tsv")? {
        if run.group != "megatron-bridge" || !wanted.is_empty() && !wanted.contains(&run.id) {
            continue;
        }
        let Outcome::Predicted(p) = predict_one(&run, constants).outcome else { continue };
        let shape = run.shape(&mut Vec::new())?;
        let (chip, stack) = (run.chip()?, &constants.stack[&p.stack]);
        let text = format!("chip = \"{}\"\nchips = {}", run.chip, run.chips.unwrap());
        let cluster: ClusterPart = toml::from_str(&text)?;
        let plan = Plan {
            name: run.model.clone(),
            job: Job::new(
                shape,
                chip,
                run.precision(),
                run.seq.unwrap(),
                run.global_batch.unwrap(),
                stack,
                constants,
            ),
            tokens: 1e12,
            days: None,
            cluster: cluster.resolve()?.1,
            search: SearchPart { top: 60, ..SearchPart::default() },
        };
        let found = search(&plan, 2, true)?;
        let (tp, pp, cp, ep) = (p.layout.tp, p.layout.pp, p.layout.cp, p.layout.ep);
        let is = |l: &plan::layout::Layout| (l.tp, l.pp, l.cp, l.ep) == (tp, pp, cp, ep);
        let rank = found.best.iter().position(|c| is(&c.layout)).map(|r| r + 1);
        n += 1;
        top5 += usize::from(rank.is_some_and(|r| r <= 5));
        top10 += usize::from(rank.is_some_and(|r| r <= 10));
        let best = found.best[0].step_s;
        let own = rank.map(|r| found.best[r - 1].step_s / best);
        println!(
            "{} {} {} {:?} rank {rank:?} own best {own:.3?} as run {:.3} ({:.2} s, err {:+.1}) {}",
            run.id,
            run.model,
            run.chip,
            run.precision(),
            p.step_s / best,
            p.step_s,
            p.error_pct.unwrap(),
            p.layout
        );
        if !wanted.is_empty() {
            let m = candidate(&plan, &p.layout);
            println!("   run {:?}", m.breakdown);
        }
        for c in found.best.iter().take(if wanted.is_empty() { 6 } else { 60 }) {
            println!("      {:.3} {:.0} GB {}", c.step_s / best, c.memory_gb, c.layout);
            if !wanted.is_empty() {
                println!("         {:?}", c.breakdown);
            }
        }
    }
    println!("{top5} of {n} in the top five, {top10} in the top ten");
    Ok(())
}
