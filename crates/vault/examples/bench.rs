//! Measures the vault: `cargo run --release -p vault --example bench -- FOLDER` syncs a folder of real files into a
//! throw-away vault; `… -- --synthetic N` makes N mails of invented words first. Prints rates, sizes and search
//! times with and without filters.
//!
//! A query is three words drawn from the texts themselves (one frequent, two rarer), so every query has matches.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use vault::lookup::items::{Filter, Order};
use vault::search::{Interval, Query};
use vault::store::Vault;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let scratch = tempfile::tempdir()?;
    let folder = match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--synthetic", n] => {
            let folder = scratch.path().join("files");
            synthetic(&folder, n.parse()?)?;
            folder
        }
        [folder] => PathBuf::from(folder),
        _ => return Err("usage: bench FOLDER | bench --synthetic N".into()),
    };
    let home = std::env::var_os("BENCH_VAULT").map_or(scratch.path().join("vault"), PathBuf::from);
    let vault = Vault::open(&home)?;
    vault.add(&folder)?;
    let begun = Instant::now();
    let report = vault.sync(None, &AtomicBool::new(false), &mut |_| {})?;
    let seconds = begun.elapsed().as_secs_f64();
    let status = vault.status()?;
    println!(
        "sync: {} items ({} chunks) of {:.1} MB in {seconds:.2} s = {:.0} items/s; {} failures",
        status.items,
        status.chunks,
        report.bytes as f64 / 1e6,
        status.items as f64 / seconds,
        status.n_failures,
    );
    println!(
        "size: database {:.1} MB = {:.2} × the files, {:.2} × the text",
        status.database_bytes as f64 / 1e6,
        status.database_bytes as f64 / report.bytes as f64,
        status.database_bytes as f64 / status.text_bytes as f64,
    );
    let begun = Instant::now();
    let again = vault.sync(None, &AtomicBool::new(false), &mut |_| {})?;
    println!(
        "second sync: {} files read, {:.2} s",
        again.files_read,
        begun.elapsed().as_secs_f64()
    );
    queries(&vault)
}

/// p50 and p95 of 200 queries for each kind of filter.
fn queries(vault: &Vault) -> Result<(), Box<dyn Error>> {
    let entries = vault.list(&Filter::default(), Order::Newest, 200_000)?;
    let mut draw = Draw(99);
    let mut cases: Vec<(String, String, Interval)> = Vec::new();
    while cases.len() < 200 {
        let entry = &entries[draw.below(entries.len())];
        let text = vault.text(entry.id)?.unwrap_or_default();
        let words: Vec<&str> = text.split_whitespace().filter(|word| word.len() > 3).collect();
        let item = vault.item(entry.id)?;
        let author = item.and_then(|item| item.people.first().and_then(|p| p.address.clone()));
        let (Some(when), Some(author)) = (&entry.when, author) else { continue };
        if words.len() < 10 {
            continue;
        }
        let mut three = String::new();
        for _ in 0..3 {
            let word: String =
                words[draw.below(words.len())].chars().filter(|c| c.is_alphanumeric()).collect();
            write!(three, "{word} ")?;
        }
        let month = Interval { start: when.start - 15 * 86_400, end: when.start + 15 * 86_400 };
        cases.push((three, author, month));
    }
    for filter in ["none", "month", "person", "month + person", "kind"] {
        let mut times_ms = Vec::new();
        let mut n_hits = 0;
        for (words, author, month) in &cases {
            let mut query = Query { text: words.clone(), ..Query::default() };
            if filter.contains("month") {
                query.interval = Some(*month);
            }
            if filter.contains("person") {
                query.people = vec![author.clone()];
            }
            if filter == "kind" {
                query.kinds = vec![vault::item::Kind::Mail];
            }
            let begun = Instant::now();
            n_hits += vault.search(&query, None)?.hits.len();
            times_ms.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        times_ms.sort_by(f64::total_cmp);
        println!(
            "search, filter {filter:14} p50 {:6.2} ms  p95 {:6.2} ms  {:.1} hits",
            times_ms[times_ms.len() / 2],
            times_ms[times_ms.len() * 95 / 100],
            n_hits as f64 / cases.len() as f64,
        );
    }
    Ok(())
}

/// A mailbox of N mails of 60 to 180 words whose frequencies fall as 1 / rank.
fn synthetic(folder: &Path, n: usize) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(folder)?;
    let mut draw = Draw(12_345);
    let mut mailbox = String::new();
    for number in 0..n {
        let day = 1 + draw.below(28);
        let (month, year) = (1 + draw.below(12), 2016 + draw.below(10));
        const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
        let month = &MONTHS[month * 3 - 3..month * 3];
        let (from, to) = (draw.zipf(2_000), draw.zipf(2_000));
        write!(
            mailbox,
            "From x Mon Jan  1 00:00:00 2026\nFrom: Person{from} <p{from}@example.org>\nTo: Person{to} <p{to}@example.org>\n\
             Subject: {} {} {}\nDate: {day} {month} {year} 09:00:00 +0000\nMessage-ID: <{number}@example.org>\n\n",
            draw.word(),
            draw.word(),
            draw.word(),
        )?;
        for idx in 0..60 + draw.below(120) {
            let end = if idx % 12 == 11 { ".\n" } else { " " };
            write!(mailbox, "{}{end}", draw.word())?;
        }
        mailbox.push_str("\n\n");
        if mailbox.len() > 16 << 20 || number + 1 == n {
            std::fs::write(folder.join(format!("{number}.mbox")), &mailbox)?;
            mailbox.clear();
        }
    }
    Ok(())
}

/// A small deterministic generator.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n.max(1)
    }

    /// Rank r is drawn with a chance of about 1 / r.
    fn zipf(&mut self, n: usize) -> usize {
        let share = self.below(1 << 20) as f64 / f64::from(1 << 20);
        ((n as f64).powf(share) as usize).min(n) - 1
    }

    fn word(&mut self) -> String {
        let mut rank = self.zipf(200_000) + 7;
        let mut word = String::new();
        while rank > 0 {
            word.push(char::from(b"tnsrhldcmfpgwybvkxjqz"[rank % 21]));
            word.push(char::from(b"eaoiu"[rank / 21 % 5]));
            rank /= 105;
        }
        word
    }
}
