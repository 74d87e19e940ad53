//! `polymath disclose`: what a run cost, counted from its journal, written, signed and counted again.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use jiff::Timestamp;
use ledger::disclosure::{self, Account, DeclaredRun, Difference, Disclosure, Role};
use ledger::journal::{self, Contents};
use ledger::signature;
use serde_json::Value;

use crate::args::{Disclose, DiscloseCommand, DisclosureFormat, WriteDisclosure};
use crate::commands::read_text;
use crate::output;

/// What the build of a corpus leaves beside its shards.
const CORPUS_REPORT: &str = "build-report.json";

pub fn run(arguments: &Disclose) -> anyhow::Result<()> {
    match &arguments.command {
        Some(DiscloseCommand::Verify { file, run, facts, public_key }) => {
            verify(file, run, facts.as_deref(), public_key.as_deref())
        }
        Some(DiscloseCommand::Key { file }) => make_keys(file),
        None => write(&arguments.write),
    }
}

fn write(arguments: &WriteDisclosure) -> anyhow::Result<()> {
    let run_dir = arguments.run_dir.as_deref().context("no run directory was named")?;
    if run_dir.is_file() {
        return write_declared(run_dir, arguments);
    }
    let subject = [(Role::Subject, run_dir)];
    let before = arguments.before.iter().map(|path| (Role::Predecessor, path.as_path()));
    let experiments = arguments.experiment.iter().map(|path| (Role::Experiment, path.as_path()));
    let mut journals = Vec::new();
    for (role, folder) in subject.into_iter().chain(before).chain(experiments) {
        journals.push((role, read(folder)?));
    }
    if let Some(html) = &arguments.html {
        let page = ledger::report::page(&journals[0].1, Timestamp::now(), None);
        let page = page.context("the journal does not say how the run started")?;
        std::fs::write(html, page).with_context(|| format!("cannot write {}", html.display()))?;
        eprintln!("wrote {}", html.display());
    }
    let accounts: Vec<Account<'_>> =
        journals.iter().filter_map(|(role, contents)| Account::of(*role, contents)).collect();
    let corpus = corpus_report(run_dir)?;
    let disclosure = disclosure::disclose(&accounts, corpus.as_ref(), Timestamp::now())
        .context("the journal does not say how the run started")?;
    let about = format!("the journal {}", disclosure.journals[0].head);
    put(&disclosure, &about, arguments)
}

/// The disclosure of someone else's run, from a file of facts.
fn write_declared(file: &Path, arguments: &WriteDisclosure) -> anyhow::Result<()> {
    if arguments.html.is_some() || !arguments.before.is_empty() || !arguments.experiment.is_empty()
    {
        bail!(
            "{} is a file of facts: it has no curves and no other runs; --format says the form",
            file.display()
        );
    }
    let text = read_text(file)?;
    let run = read_facts(file, &text)?;
    let disclosure = disclosure::disclose_declared(&run, &text, Timestamp::now())
        .with_context(|| file.display().to_string())?;
    for check in disclosure.checks.iter().filter(|check| check.flagged) {
        eprintln!("worth a look: {} differ by {:+.1} %", check.name, check.difference_pct);
    }
    put(&disclosure, "declared facts", arguments)
}

fn read_facts(file: &Path, text: &str) -> anyhow::Result<DeclaredRun> {
    let hint = || format!("{} is no file of facts; examples/disclose has some", file.display());
    toml::from_str(text).with_context(hint)
}

/// Writes the document in its form, signed if asked; `about` is signed with it.
fn put(disclosure: &Disclosure, about: &str, arguments: &WriteDisclosure) -> anyhow::Result<()> {
    let text = match arguments.format {
        DisclosureFormat::Json => serde_json::to_string(disclosure)? + "\n",
        DisclosureFormat::Md => disclosure::page(disclosure),
        DisclosureFormat::Hf => disclosure::model_card(disclosure),
        DisclosureFormat::Spdx => disclosure::document(disclosure).to_string() + "\n",
    };
    let Some(out) = &arguments.out else { return output::piece(&text) };
    std::fs::write(out, &text).with_context(|| format!("cannot write {}", out.display()))?;
    eprintln!("wrote {}", out.display());
    let Some(key) = &arguments.sign else { return Ok(()) };
    let secret = read_text(key)?;
    let comment = format!("disclosure of {about}");
    let signed = beside(out, "minisig");
    std::fs::write(&signed, signature::sign(text.as_bytes(), &secret, &comment)?)
        .with_context(|| format!("cannot write {}", signed.display()))?;
    eprintln!("wrote {}; `minisign -Vm {} -p KEY.pub` checks it", signed.display(), out.display());
    Ok(())
}

/// Signature first, then the journals (hash chain, heads) or the facts, and every value.
fn verify(
    file: &Path,
    runs: &[PathBuf],
    facts: Option<&Path>,
    public_key: Option<&Path>,
) -> anyhow::Result<()> {
    let text = read_text(file)?;
    match public_key {
        Some(key) => {
            let signed = beside(file, "minisig");
            let comment =
                signature::verify(text.as_bytes(), &read_text(&signed)?, &read_text(key)?)?;
            output::line(format!("signature: holds ({comment})"))?;
        }
        None => output::line("signature: not checked, no --public-key was given")?,
    }
    let document: Value = serde_json::from_str(&text)
        .with_context(|| format!("{} is no disclosure in JSON", file.display()))?;
    if let Some(facts) = facts {
        let text = read_text(facts)?;
        let differences =
            disclosure::recount_declared(&document, &read_facts(facts, &text)?, &text);
        return agreed(file, &differences, "as the facts say");
    }
    let mut journals = Vec::new();
    for folder in runs {
        let contents = read(folder)?;
        let named = document["journals"].as_array().into_iter().flatten();
        let named = named.filter(|named| named["head"] == contents.head.as_str());
        let role = named.map(|named| named["role"].as_str().unwrap_or("")).next();
        let role = match role {
            Some("subject") => Role::Subject,
            Some("predecessor") => Role::Predecessor,
            Some("experiment") => Role::Experiment,
            _ => bail!(
                "the journal in {} is not one that {} is counted from: its last line has the hash {}",
                folder.display(),
                file.display(),
                contents.head
            ),
        };
        output::line(format!(
            "journal: {} lines, chain holds, {}",
            contents.entries.len(),
            folder.display()
        ))?;
        journals.push((role, contents));
    }
    let accounts: Vec<Account<'_>> =
        journals.iter().filter_map(|(role, contents)| Account::of(*role, contents)).collect();
    let corpus = runs.first().map(|folder| corpus_report(folder)).transpose()?.flatten();
    let differences = disclosure::recount(&document, &accounts, corpus.as_ref());
    agreed(file, &differences, "as the journals say")
}

fn agreed(file: &Path, differences: &[Difference], what: &str) -> anyhow::Result<()> {
    for difference in differences {
        output::line(difference)?;
    }
    match differences.len() {
        0 => output::line(format!("values: all {what}")),
        n => bail!("{n} values of {} are not {what}", file.display()),
    }
}

fn make_keys(file: &Path) -> anyhow::Result<()> {
    let public = beside(file, "pub");
    if let Some(taken) = [file, public.as_path()].into_iter().find(|path| path.exists()) {
        bail!("{} exists already; choose another name, keys are not overwritten", taken.display());
    }
    let keys = signature::generate()?;
    write_secret(file, &keys.secret).with_context(|| format!("cannot write {}", file.display()))?;
    std::fs::write(&public, keys.public)
        .with_context(|| format!("cannot write {}", public.display()))?;
    eprintln!("wrote {} (keep it secret) and {} (give it away)", file.display(), public.display());
    Ok(())
}

/// A file that only its owner may read, from its first moment on.
fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    std::io::Write::write_all(&mut options.open(path)?, text.as_bytes())
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{ending}"));
    name.into()
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
