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
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: judge FILE.jsonl")?;
    let mut documents = Vec::new();
    for line in BufReader::new(std::fs::File::open(path)?).lines() {
        let value: Value = serde_json::from_str(&line?)?;
        let field = |name: &str| value[name].as_str().unwrap_or("").to_string();
        documents.push((field("id"), field("text")));
    }
    let megabytes = documents.iter().map(|(_, text)| text.len()).sum::<usize>() as f64 / 1e6;

    let start = Instant::now();
    let mut rules = Rules::new(&Quality::default());
    let verdicts: Vec<_> = documents.iter().map(|(_, text)| rules.judge(text)).collect();
    let filters_s = start.elapsed().as_secs_f64();

    let start = Instant::now();
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
    let minhash_s = start.elapsed().as_secs_f64();

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
