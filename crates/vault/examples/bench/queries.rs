//! Queries with and without filters, made from the vault's own texts.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::Instant;

use vault::embed::Embed;
use vault::item::Kind;
use vault::search::{Interval, Query};
use vault::store::Vault;

use crate::synthetic::Draw;
use crate::{Outcome, memory_peak_mb};

const PER_FILTER: usize = 200;

/// An item to look for.
struct Case {
    item: i64,
    kind: Kind,
    /// Words of one of its lines.
    line: Vec<String>,
    author: Option<String>,
    /// UTC seconds.
    date: Option<i64>,
    n_words: usize,
}

/// The query of a case, where it has what the filter needs.
type Ask = fn(&Case) -> Option<Query>;

/// `embedder`: ask with its vectors too.
pub(crate) fn run(vault: &Vault, embedder: Option<&dyn Embed>) -> Outcome<()> {
    let cases = cases(vault)?;
    // The first question loads the state of the index, which is not what is measured.
    vault.search(&Query { text: "first".into(), ..Query::default() }, embedder)?;
    println!(
        "{:24}{:>10}{:>10}{:>12}{:>8}{:>8}  digest",
        "filter", "p50 ms", "p95 ms", "cpu mean", "hits", "found"
    );
    let filters: [(&str, Ask); 9] = [
        ("none", |case| Some(plain(case))),
        ("kind", |case| Some(Query { kinds: vec![case.kind], ..plain(case) })),
        ("person", |case| Some(Query { people: vec![case.author.clone()?], ..plain(case) })),
        ("month", |case| Some(Query { interval: Some(month(case)?), ..plain(case) })),
        ("year", |case| Some(Query { interval: Some(around(case, 183)?), ..plain(case) })),
        ("person + month + kind", |case| {
            Some(Query {
                people: vec![case.author.clone()?],
                interval: Some(month(case)?),
                kinds: vec![case.kind],
                ..plain(case)
            })
        }),
        ("phrase", |case| {
            let words = &case.line[..case.line.len().min(1 + case.n_words)];
            Some(Query { text: format!("\"{}\"", words.join(" ")), ..Query::default() })
        }),
        ("typing", |case| {
            let mut query = plain(case);
            query.text.truncate(query.text.len() - 1);
            Some(Query { typing: true, ..query })
        }),
        ("no words, person", |case| {
            Some(Query { people: vec![case.author.clone()?], ..Query::default() })
        }),
    ];
    for (name, query) in filters {
        let asked: Vec<(i64, Query)> =
            cases.iter().filter_map(|case| Some((case.item, query(case)?))).collect();
        measure(vault, embedder, name, &asked)?;
    }
    for n_words in 1..=5 {
        let of_length = cases.iter().filter(|case| case.n_words == n_words);
        let asked: Vec<(i64, Query)> = of_length.map(|case| (case.item, plain(case))).collect();
        measure(vault, embedder, &format!("{n_words} words"), &asked)?;
    }
    println!("memory at most {:.0} MB", memory_peak_mb());
    Ok(())
}

/// Words that say something, from one line of an item.
fn plain(case: &Case) -> Query {
    let telling = case.line.iter().filter(|word| word.len() > 3);
    let words: Vec<&str> = telling.take(case.n_words).map(String::as_str).collect();
    Query { text: words.join(" "), ..Query::default() }
}

fn around(case: &Case, days: i64) -> Option<Interval> {
    let date = case.date?;
    Some(Interval { start: date - days * 86_400, end: date + days * 86_400 })
}

fn month(case: &Case) -> Option<Interval> {
    around(case, 15)
}

/// Items drawn over the whole vault.
fn cases(vault: &Vault) -> Outcome<Vec<Case>> {
    let status = vault.status()?;
    let n_items = (status.items + status.attachments + status.birthdays) as usize;
    let mut draw = Draw::new(99);
    let mut cases = Vec::new();
    for _ in 0..100 * PER_FILTER {
        if cases.len() == PER_FILTER {
            break;
        }
        let id = 1 + draw.below(n_items) as i64;
        let Some(item) = vault.item(id)? else { continue };
        let text = vault.text(id)?.unwrap_or_default();
        let lines: Vec<Vec<String>> = text.lines().map(words).collect();
        let n_words = 1 + cases.len() % 5;
        let long_enough = |line: &&Vec<String>| {
            line.len() > 6 && line.iter().filter(|word| word.len() > 3).count() >= n_words
        };
        let lines: Vec<&Vec<String>> = lines.iter().filter(long_enough).collect();
        if lines.is_empty() {
            continue;
        }
        let author = item.people.first().and_then(|person| person.address.clone());
        cases.push(Case {
            item: id,
            kind: item.entry.kind,
            line: lines[draw.below(lines.len())].clone(),
            author,
            date: item.entry.when.map(|when| when.start),
            n_words,
        });
    }
    if cases.is_empty() {
        return Err("there is nothing in this vault to ask about".into());
    }
    Ok(cases)
}

fn words(line: &str) -> Vec<String> {
    let plain = |word: &str| word.chars().filter(|c| c.is_ascii_alphanumeric()).collect::<String>();
    line.split_whitespace().map(plain).filter(|word| !word.is_empty()).collect()
}

fn measure(
    vault: &Vault,
    embedder: Option<&dyn Embed>,
    name: &str,
    asked: &[(i64, Query)],
) -> Outcome<()> {
    if asked.is_empty() {
        return Ok(());
    }
    let mut wall_ms = Vec::new();
    // The system may count in ticks of some milliseconds: only the sum means something.
    let mut cpu_ms = 0.0;
    let (mut n_hits, mut n_found) = (0, 0);
    let mut digest = DefaultHasher::new();
    for (item, query) in asked {
        let (begun, cpu) = (Instant::now(), thread_cpu_ms());
        let found = vault.search(query, embedder)?;
        wall_ms.push(begun.elapsed().as_secs_f64() * 1e3);
        cpu_ms += thread_cpu_ms() - cpu;
        n_hits += found.hits.len();
        n_found +=
            usize::from(found.hits.iter().any(|hit| hit.id == *item || hit.copies.contains(item)));
        for hit in &found.hits {
            (hit.id, hit.chunk, &hit.snippet, &hit.copies, hit.score.to_bits()).hash(&mut digest);
        }
    }
    let n = asked.len();
    let at = |times: &mut Vec<f64>, share: usize| {
        times.sort_by(f64::total_cmp);
        times[(times.len() * share / 100).min(times.len() - 1)]
    };
    println!(
        "{name:24}{:>10.2}{:>10.2}{:>12.2}{:>8.1}{:>7.0}%  {:016x}",
        at(&mut wall_ms, 50),
        at(&mut wall_ms, 95),
        cpu_ms / n as f64,
        n_hits as f64 / n as f64,
        100.0 * n_found as f64 / n as f64,
        digest.finish(),
    );
    Ok(())
}

/// Milliseconds that this thread has run so far; 0 where the system does not say.
fn thread_cpu_ms() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1e6
}
