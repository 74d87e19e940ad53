//! Trains a hazard classifier from JSON lines (`{"text": …, "label": true}`) and measures it on the fifth of them
//! that it has not seen.
//!
//! `cargo run --release --example hazard -- LABELLED.jsonl CLASSIFIER`; name the file under `[hazard] classifier`.

#![allow(clippy::print_stdout)]

use corpus::hazard::{Example, train};
use std::io::{BufRead, BufReader};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [labelled, out] = &arguments[..] else {
        return Err("usage: hazard LABELLED.jsonl CLASSIFIER".into());
    };
    let mut examples: Vec<Example> = Vec::new();
    for line in BufReader::new(std::fs::File::open(labelled)?).lines() {
        examples.push(serde_json::from_str(&line?)?);
    }
    let (classifier, measured) = train(&examples, 0);
    classifier.write(out.as_ref())?;
    println!("{}", serde_json::to_string(&measured)?);
    Ok(())
}
