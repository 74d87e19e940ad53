//! `polymath disclose RUN_DIR`: what a run cost, counted from its journal.

use std::path::{Path, PathBuf};

use anyhow::Context;
use jiff::Timestamp;
use ledger::disclosure::{self, Account, Role};
use ledger::journal::{self, Contents};
use serde_json::Value;

use crate::args::{Disclose, DisclosureFormat};
use crate::output;

/// What the build of a corpus leaves beside its shards.
const CORPUS_REPORT: &str = "build-report.json";

pub fn run(arguments: &Disclose) -> anyhow::Result<()> {
    let subject = [(Role::Subject, &arguments.run_dir)];
    let before = arguments.before.iter().map(|path| (Role::Predecessor, path));
    let experiments = arguments.experiment.iter().map(|path| (Role::Experiment, path));
    let mut journals = Vec::new();
    for (role, folder) in subject.into_iter().chain(before).chain(experiments) {
        journals.push((role, read(folder)?));
    }
    let accounts: Vec<Account<'_>> =
        journals.iter().filter_map(|(role, contents)| Account::of(*role, contents)).collect();
    if let Some(html) = &arguments.html {
        let page = train::report::page(&journals[0].1, Timestamp::now(), None);
        let page = page.context("the journal does not say how the run started")?;
        std::fs::write(html, page).with_context(|| format!("cannot write {}", html.display()))?;
        eprintln!("wrote {}", html.display());
    }
    let corpus = corpus_report(&arguments.run_dir)?;
    let disclosure = disclosure::disclose(&accounts, corpus.as_ref(), Timestamp::now())
        .context("the journal does not say how the run started")?;
    match arguments.format {
        DisclosureFormat::Json => output::json(&disclosure),
        DisclosureFormat::Md => output::piece(&disclosure::page(&disclosure)),
        DisclosureFormat::Hf => output::piece(&disclosure::model_card(&disclosure)),
        DisclosureFormat::Spdx => output::json(&disclosure::document(&disclosure)),
    }
}

/// The journal of a run directory; a line that a crash left unfinished is mentioned and left alone.
fn read(folder: &Path) -> anyhow::Result<Contents> {
    let path = folder.join("journal.jsonl");
    let contents = journal::read(&path)?;
    if let Some(torn) = &contents.torn {
        eprintln!("{}: line {} was never finished and is not counted", path.display(), torn.line);
    }
    Ok(contents)
}

/// The report of the corpus the run was trained on: in the run directory, or in a folder that its `run.toml` names.
fn corpus_report(run_dir: &Path) -> anyhow::Result<Option<Value>> {
    let mut folders = vec![run_dir.to_path_buf()];
    if let Ok(text) = std::fs::read_to_string(run_dir.join("run.toml"))
        && let Ok(config) = toml::from_str::<Value>(&text)
    {
        texts(&config, &mut |text| {
            folders.extend([run_dir.join(text), PathBuf::from(text)]);
        });
    }
    let Some(path) = folders.iter().map(|f| f.join(CORPUS_REPORT)).find(|path| path.is_file())
    else {
        return Ok(None);
    };
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let report = serde_json::from_slice(&bytes)
        .with_context(|| format!("{} is no report of a corpus's build", path.display()))?;
    Ok(Some(report))
}

/// Every text in a configuration, at any depth.
fn texts(value: &Value, each: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => each(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, each)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, each)),
        _ => {}
    }
}
