//! `polymath vault …`: the owner's data.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use assistant::embedding::VaultEmbedder;
use serde_json::{Value, json};
use vault::search::Query;
use vault::status::State;
use vault::store::Vault;
use vault::store::source::SourceId;
use vault::store::sync::{Phase, Progress, SyncReport};

use crate::args::{Indexing, Threads, VaultArguments, VaultCommand, VaultOptions};
use crate::commands::models;
use crate::home::Home;
use crate::output;
use crate::progress::items_bar;

pub fn run(arguments: &VaultArguments) -> anyhow::Result<()> {
    let options = &arguments.options;
    match &arguments.command {
        VaultCommand::Add { sources, indexing } => add(sources, indexing, options),
        VaultCommand::Sync { indexing } => index(&open(options)?, &[], indexing, options),
        VaultCommand::Status => status(options),
        VaultCommand::Search { query, limit, embedder } => {
            search(&query.join(" "), *limit, embedder.as_deref(), options)
        }
        VaultCommand::Show { id } => show(*id, options),
        VaultCommand::Why { path } => why(path, options),
        VaultCommand::Forget { source } => forget(source, options),
        VaultCommand::Export { to } => export(to, options),
    }
}

/// The vault a command names, or the owner's.
pub fn open(options: &VaultOptions) -> anyhow::Result<Vault> {
    open_at(options.vault.as_deref())
}

pub fn open_at(path: Option<&Path>) -> anyhow::Result<Vault> {
    let path = match path {
        Some(path) => path.to_owned(),
        None => Home::find()?.vault(),
    };
    Ok(Vault::open(&path)?)
}

fn add(sources: &[PathBuf], indexing: &Indexing, options: &VaultOptions) -> anyhow::Result<()> {
    let vault = open(options)?;
    let mut ids = Vec::new();
    for source in sources {
        ids.push(vault.add(source)?);
    }
    index(&vault, &ids, indexing, options)
}

/// Text first, then vectors. No sources means all of them.
fn index(
    vault: &Vault,
    sources: &[SourceId],
    indexing: &Indexing,
    options: &VaultOptions,
) -> anyhow::Result<()> {
    // Told before the long work begins, not after it.
    let embedder = match indexing.text_only {
        true => None,
        false => {
            models::embedder(indexing.embedder.as_deref(), Threads { threads: options.threads })?
        }
    };
    let which: Vec<Option<SourceId>> = match sources {
        [] => vec![None],
        some => some.iter().copied().map(Some).collect(),
    };
    let never = AtomicBool::new(false);
    let bar = items_bar("reading");
    let mut report = SyncReport::default();
    for source in which {
        let synced = vault.sync(source, &never, &mut |progress| show_progress(&bar, progress))?;
        absorb(&mut report, synced);
    }
    let mut vectors_ms = 0.0;
    let mut vectors = 0;
    if let Some(embedder) = &embedder {
        let embedder = VaultEmbedder::new(embedder.clone());
        let made = vault
            .embed_pending(&embedder, &never, &mut |progress| show_progress(&bar, progress))?;
        (vectors, vectors_ms) = (made.chunks, made.vectors_ms);
    }
    bar.finish_and_clear();
    let items =
        report.items_new + report.items_changed + report.items_moved + report.items_unchanged;
    let failures: Vec<Value> = report
        .failures
        .iter()
        .map(|(path, reason)| json!({ "path": path, "reason": reason }))
        .collect();
    if options.json {
        return output::json(&json!({
            "items": items,
            "bytes": report.bytes,
            "text_ms": report.text_ms,
            "vectors": vectors,
            "vectors_ms": vectors_ms,
            "failures": failures,
            "unreachable": report.unreachable,
            "new": report.items_new,
            "changed": report.items_changed,
            "moved": report.items_moved,
            "removed": report.items_removed,
            "unchanged": report.items_unchanged,
        }));
    }
    output::line(summary(&report, items))?;
    if vectors > 0 {
        output::line(format!("{} vectors in {:.1} s", output::count(vectors), vectors_ms / 1e3))?;
    } else if embedder.is_none() && !indexing.text_only {
        output::line(
            "no vectors: fetch a model for them with `polymath model pull all-minilm-l6-v2`, then `polymath vault sync`",
        )?;
    }
    for (path, reason) in &report.unreachable {
        output::line(format!("not reachable, left as it was: {} ({reason})", path.display()))?;
    }
    for (path, reason) in report.failures.iter().take(20) {
        output::line(format!("not read: {path}: {reason}"))?;
    }
    if report.failures.len() > 20 {
        output::line(format!(
            "… and {} more; see `polymath vault status`",
            report.failures.len() - 20
        ))?;
    }
    Ok(())
}

fn summary(report: &SyncReport, items: u64) -> String {
    let seconds = report.text_ms / 1e3;
    format!(
        "{} items: {} new, {} changed, {} moved, {} removed, {} unchanged; {} read in {seconds:.1} s; {} failures",
        output::count(items),
        output::count(report.items_new),
        output::count(report.items_changed),
        output::count(report.items_moved),
        output::count(report.items_removed),
        output::count(report.items_unchanged),
        output::bytes(report.bytes),
        output::count(report.failures.len() as u64),
    )
}

fn absorb(report: &mut SyncReport, more: SyncReport) {
    report.files_read += more.files_read;
    report.items_new += more.items_new;
    report.items_changed += more.items_changed;
    report.items_moved += more.items_moved;
    report.items_unchanged += more.items_unchanged;
    report.items_removed += more.items_removed;
    report.bytes += more.bytes;
    report.text_ms += more.text_ms;
    report.failures.extend(more.failures);
    report.unreachable.extend(more.unreachable);
}

fn show_progress(bar: &indicatif::ProgressBar, progress: &Progress) {
    bar.set_message(match progress.phase {
        Phase::Scan => "listing files",
        Phase::Text => "reading",
        Phase::Remove => "removing what is gone",
        Phase::Vectors => "making vectors",
    });
    bar.set_length(progress.total);
    bar.set_position(progress.done);
}

fn status(options: &VaultOptions) -> anyhow::Result<()> {
    let vault = open(options)?;
    let status = vault.status()?;
    if options.json {
        return output::json(&status);
    }
    if status.sources.is_empty() {
        return output::line("the vault is empty; add a folder or file: polymath vault add PATH");
    }
    let rows: Vec<Vec<String>> = status
        .sources
        .iter()
        .map(|source| {
            vec![
                source.root.display().to_string(),
                output::count(source.files_there),
                output::count(source.files_here),
                output::count(source.pending),
                output::count(source.failed),
                output::count(source.excluded),
                output::count(source.items),
                if source.reachable { "" } else { "not reachable" }.into(),
            ]
        })
        .collect();
    let heads =
        ["source", ">files there", ">here", ">pending", ">failed", ">excluded", ">items", "state"];
    output::piece(&output::table(&heads, &rows))?;
    if let Some(notice) = &status.notice {
        output::line(format!("\n{notice}"))?;
    }
    let kinds: Vec<String> =
        status.kinds.iter().map(|(kind, n)| format!("{} {kind}", output::count(*n))).collect();
    output::line(format!(
        "\n{}; {} of text, {} on disk; vectors {} of {}",
        kinds.join(", "),
        output::bytes(status.text_bytes),
        output::bytes(status.database_bytes),
        output::count(status.vectors_here),
        output::count(status.vectors_there),
    ))?;
    for failure in &status.failures {
        let part =
            if failure.part.is_empty() { String::new() } else { format!(" ({})", failure.part) };
        output::line(format!(
            "not read: {}{part}: {}; {}",
            failure.path, failure.reason, failure.hint
        ))?;
    }
    let more = status.n_failures.saturating_sub(status.failures.len() as u64);
    if more > 0 {
        output::line(format!("… and {} more", output::count(more)))?;
    }
    Ok(())
}

fn search(
    query: &str,
    limit: usize,
    embedder: Option<&str>,
    options: &VaultOptions,
) -> anyhow::Result<()> {
    let vault = open(options)?;
    let embedder =
        models::embedder(embedder, Threads { threads: options.threads })?.map(VaultEmbedder::new);
    let query = Query { text: query.into(), limit, ..Query::default() };
    let found = vault.search(&query, embedder.as_ref().map(|e| e as &dyn vault::embed::Embed))?;
    if options.json {
        return output::json(&json!({
            "results": found.hits,
            "filters": found.chips,
            "words": found.words,
            "timings_ms": found.timings_ms,
        }));
    }
    if found.hits.is_empty() {
        return output::line("nothing found; `polymath vault status` shows what is in the vault");
    }
    for hit in &found.hits {
        output::line(format!("{:>6}  {}  {} · {}", hit.id, hit.date, hit.kind.name(), hit.title))?;
        output::line(format!("        {}", hit.snippet.replace('\n', " ")))?;
    }
    Ok(())
}

fn show(id: i64, options: &VaultOptions) -> anyhow::Result<()> {
    let vault = open(options)?;
    let item = vault.item(id)?.with_context(|| {
        format!("the vault has no item {id}; `polymath vault search` prints the numbers that exist")
    })?;
    let text = vault.text(id)?.unwrap_or_default();
    if options.json {
        return output::json(&json!({ "item": item, "text": text }));
    }
    output::line(format!("{}  {}", item.entry.kind.name(), item.entry.title))?;
    output::line(format!("{}  {}{}", item.entry.date, item.entry.path, part(&item.entry.part)))?;
    for person in &item.people {
        let address = person.address.as_deref().map(|a| format!(" <{a}>")).unwrap_or_default();
        output::line(format!("{:?}: {}{address}", person.role, person.name))?;
    }
    output::line(format!("\n{text}"))
}

fn part(part: &str) -> String {
    if part.is_empty() { String::new() } else { format!(" [{part}]") }
}

fn why(path: &str, options: &VaultOptions) -> anyhow::Result<()> {
    let answers = open(options)?.why(path)?;
    if options.json {
        return output::json(&json!({ "why": answers }));
    }
    for why in &answers {
        let state = match &why.state {
            State::Indexed { vectors, chunks } => {
                format!("indexed: {chunks} passages, {vectors} of them with a vector")
            }
            State::Pending => "pending: known, not read yet; `polymath vault sync` reads it".into(),
            State::NoText => "no text: there are no words in it; it is found by its name".into(),
            State::Failed { reason, hint } => format!("failed: {reason}; {hint}"),
            State::Excluded { rule } => format!("excluded by the rule {rule}"),
            State::Unknown { hint } => format!("unknown: {hint}"),
        };
        output::line(format!("{}{}: {state}", why.path, part(&why.part)))?;
        for remark in &why.remarks {
            output::line(format!("    {remark}"))?;
        }
    }
    Ok(())
}

fn forget(source: &Path, options: &VaultOptions) -> anyhow::Result<()> {
    let vault = open(options)?;
    let source = vault.source(&source.to_string_lossy())?;
    let report = vault.forget(source.id)?;
    if options.json {
        return output::json(&report);
    }
    output::line(format!(
        "forgot {}: nothing of its text is left in the vault",
        source.root.display()
    ))
}

fn export(to: &Path, options: &VaultOptions) -> anyhow::Result<()> {
    let report = open(options)?.export(to)?;
    if options.json {
        return output::json(&report);
    }
    output::line(format!("exported to {}", to.display()))
}
