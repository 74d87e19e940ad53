//! Measures the vault: how fast it is filled, how large it gets, how quickly it answers.
//!
//! `cargo run --release -p vault --example bench -- FOLDER` syncs a folder of real files into a throw-away vault;
//! `… -- --synthetic N` makes files of about N chunks first (see `synthetic.rs`). `--keep DIR` keeps the vault there,
//! and `--open DIR` only asks a vault kept before. `--vectors` in front of all adds vectors made without a model (see
//! `vectors.rs`) and asks with them too.
//!
//! Every query is made from the text of some item, so every query has an answer, and its being among the hits is
//! counted. Times are of the wall and of the processor: on a busy machine only the second says something. The digest
//! covers ids, order and snippets of all hits: two versions that answer alike print the same.

#![allow(clippy::print_stdout)]

mod queries;
mod synthetic;
mod vectors;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use vault::embed::Embed;
use vault::store::Vault;

type Outcome<T> = Result<T, Box<dyn Error>>;

const USAGE: &str = "usage: bench [--vectors] FOLDER | --synthetic N | --open DIR  [--keep DIR]";

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let scratch = tempfile::tempdir()?;
    let (args, embedder) = match args.as_slice() {
        ["--vectors", args @ ..] => (args, Some(&vectors::SumOfWords as &dyn Embed)),
        args => (args, None),
    };
    let (what, home) = match args {
        ["--open", home] => {
            let vault = Vault::open(Path::new(home))?;
            embed(&vault, embedder)?;
            return queries::run(&vault, embedder);
        }
        [what @ .., "--keep", home] => (what, PathBuf::from(home)),
        what => (what, scratch.path().join("vault")),
    };
    let folder = match what {
        ["--synthetic", n] => {
            let folder = scratch.path().join("files");
            synthetic::write(&folder, n.parse()?)?;
            folder
        }
        [folder] if !folder.starts_with('-') => PathBuf::from(folder),
        _ => return Err(USAGE.into()),
    };
    let vault = Vault::open(&home)?;
    fill(&vault, &folder)?;
    embed(&vault, embedder)?;
    queries::run(&vault, embedder)
}

/// Makes the vectors that are missing.
fn embed(vault: &Vault, embedder: Option<&dyn Embed>) -> Outcome<()> {
    let Some(embedder) = embedder else { return Ok(()) };
    let begun = Instant::now();
    vault.embed_pending(embedder, &AtomicBool::new(false), &mut |_| {})?;
    let database = vault.status()?.database_bytes as f64 / 1e6;
    println!(
        "vectors: {:.1} s, database then {database:.1} MB; memory at most {:.0} MB",
        begun.elapsed().as_secs_f64(),
        memory_peak_mb()
    );
    Ok(())
}

fn fill(vault: &Vault, folder: &Path) -> Outcome<()> {
    vault.add(folder)?;
    let sync = || vault.sync(None, &AtomicBool::new(false), &mut |_| {});
    let begun = Instant::now();
    let report = sync()?;
    let seconds = begun.elapsed().as_secs_f64();
    let cpu = process_cpu_s();
    let status = vault.status()?;
    println!(
        "sync: {} items ({} chunks) of {:.1} MB in {seconds:.2} s = {:.0} items/s; processor {cpu:.2} s; {} failures",
        status.items,
        status.chunks,
        report.bytes as f64 / 1e6,
        status.items as f64 / seconds,
        status.n_failures,
    );
    println!(
        "size: text {:.1} MB, database {:.1} MB = {:.2} × the files, {:.2} × the text; memory at most {:.0} MB",
        status.text_bytes as f64 / 1e6,
        status.database_bytes as f64 / 1e6,
        status.database_bytes as f64 / report.bytes as f64,
        status.database_bytes as f64 / status.text_bytes as f64,
        memory_peak_mb(),
    );
    let begun = Instant::now();
    let again = sync()?;
    println!(
        "second sync: {} files read, {:.2} s",
        again.files_read,
        begun.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Seconds of processor time of this process, in user and kernel; 0 where the system does not say.
fn process_cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Fields 14 and 15 of proc(5), counted from behind the name in brackets; in ticks of a hundredth.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(12) + ticks(13)) / 100.0
}

/// The most memory this process has held so far; 0 where the system does not say.
fn memory_peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kb| kb.parse::<f64>().ok()).unwrap_or(0.0) / 1e3
}
