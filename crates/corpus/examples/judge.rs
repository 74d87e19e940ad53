//! Judges the documents of JSON lines (`{"id": …, "text": …}`) by the quality rules and by MinHash, prints one
//! decision per line, and how fast that went on one thread.
//!
//! `cargo run --release --example judge -- FILE.jsonl > decisions.jsonl`; `golden/filters/` has the script that
//! compares with `datatrove`.

#![allow(clippy::print_stdout)]

use corpus::config::Quality;
use corpus::duplicates::{MinHash, Sketcher, keep_one_each};
use corpus::quality::Rules;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};

/// Seconds of processor time of this thread so far: on a busy machine the clock on the wall measures the others.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = stat.split(' ').next().and_then(|n| n.parse::<u64>().ok());
    nanoseconds.map_or_else(wall_s, |n| n as f64 / 1e9)
}

/// Where there is no such clock.
fn wall_s() -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0.0, |now| now.as_secs_f64())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: judge FILE.jsonl")?;
    let mut documents = Vec::new();
    for line in BufReader::new(std::fs::File::open(path)?).lines() {
        let value: Value = serde_json::from_str(&line?)?;
        let field = |name: &str| value[name].as_str().unwrap_or("").to_string();
        documents.push((field("id"), field("text")));
    }
    let megabytes = documents.iter().map(|(_, text)| text.len()).sum::<usize>() as f64 / 1e6;

    let start = cpu_s();
    let mut rules = Rules::new(&Quality::default());
    let verdicts: Vec<_> = documents.iter().map(|(_, text)| rules.judge(text)).collect();
    let filters_s = cpu_s() - start;

    let start = cpu_s();
    let minhash = MinHash::new(14, 8, 5);
    let mut sketcher = Sketcher::new();
    let mut buckets = vec![Vec::new(); 14];
    for (number, (_, text)) in documents.iter().enumerate() {
        for (bucket, hash) in
            buckets.iter_mut().zip(sketcher.sketch(text, &minhash).unwrap_or_default())
        {
            bucket.push((hash, number as u32));
        }
    }
    let copies = keep_one_each(documents.len(), buckets);
    let minhash_s = cpu_s() - start;

    for (((id, _), verdict), copy) in documents.iter().zip(verdicts).zip(&copies) {
        let reason = verdict.err().map(|(_, rule)| rule);
        println!("{}", json!({ "id": id, "reason": reason, "copy": copy }));
    }
    eprintln!(
        "{} documents, {megabytes:.1} MB; rules {:.1} MB/s, MinHash {:.1} MB/s, {} copies",
        documents.len(),
        megabytes / filters_s,
        megabytes / minhash_s,
        copies.iter().filter(|&&copy| copy).count()
    );
    Ok(())
}
