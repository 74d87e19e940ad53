//! `polymath release`: the manifest of a model, its reviews, and the gate that `serve --require-release` keeps.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use jiff::Timestamp;
use ledger::release::{self, Decision, Fault, Manifest, Policy, Sources, Verdict};

use crate::args::{ReleaseCommand, Released};
use crate::commands::read_text;
use crate::home::Home;
use crate::output;

pub fn run(command: &ReleaseCommand) -> anyhow::Result<()> {
    match command {
        ReleaseCommand::Make { released, disclosure, results, limits, name, replace, json } => {
            let (gate, model) = find(released)?;
            let file_name = model.file_name().and_then(|name| name.to_str()).unwrap_or("model");
            let disclosure = disclosure.as_deref().map(read_text).transpose()?;
            let results = results
                .iter()
                .map(|path| anyhow::Ok((path.display().to_string(), read_text(path)?)));
            let sources = Sources {
                name: name.as_deref().unwrap_or(file_name),
                policy: (&gate.policy.name, &gate.text),
                disclosure: disclosure.as_deref(),
                results: &results.collect::<Result<Vec<_>, _>>()?,
                limits: &read_text(limits)?,
            };
            let manifest = Manifest::make(&model, &sources, Timestamp::now())?;
            let written = manifest.write(&model, *replace)?;
            eprintln!("wrote {}", written.display());
            // Without reviews it cannot be released yet; what else is missing is better known now.
            show(&gate.judge(&model)?, json.json)
        }
        ReleaseCommand::Sign { released, key, object } => sign(released, key, object.as_deref()),
        ReleaseCommand::Verify { released, json } => {
            let (gate, model) = find(released)?;
            let verdict = gate.judge(&model)?;
            show(&verdict, json.json)?;
            match verdict.released {
                true => Ok(()),
                false => bail!("{} is not released", verdict.model),
            }
        }
    }
}

fn sign(released: &Released, key: &Path, object: Option<&str>) -> anyhow::Result<()> {
    let (gate, model) = find(released)?;
    let decision = match object.map(str::trim) {
        None => Decision::Approves,
        Some("") => bail!("an objection without a reason; hint: --object \"REASON\""),
        Some(reason) => Decision::Objects(reason.to_owned()),
    };
    let verdict = gate.judge(&model)?;
    let others = lines(verdict.faults.iter().filter(|fault| !fault.is_review()));
    if decision == Decision::Approves && !others.is_empty() {
        bail!(
            "{} cannot be released whoever approves:{others}\nhint: --object \"REASON\" records an objection",
            verdict.model
        );
    }
    let (secret, now) = (read_text(key)?, Timestamp::now());
    let signed = release::sign(&model, &verdict, &gate.policy, &secret, &decision, now)?;
    eprintln!("wrote {}", signed.display());
    show(&gate.judge(&model)?, false)
}

/// The policy and the model's place.
fn find(released: &Released) -> anyhow::Result<(Gate, PathBuf)> {
    Ok((Gate::read(&released.policy)?, Home::find()?.hub().resolve(&released.model)?))
}

/// A policy that keeps weights from being loaded, with the text it was read from.
pub struct Gate {
    policy: Policy,
    text: String,
}

impl Gate {
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = read_text(path)?;
        let hint =
            || format!("{} is no policy; examples/release/policy.toml is one", path.display());
        let policy: Policy = toml::from_str(&text).with_context(hint)?;
        policy.check().with_context(|| path.display().to_string())?;
        Ok(Self { policy, text })
    }

    /// Reads every byte of the model.
    fn judge(&self, model: &Path) -> anyhow::Result<Verdict> {
        Ok(release::judge(model, &self.policy, &self.text)?)
    }

    /// Refuses a model that the policy does not let out.
    pub fn require(&self, model: &Path) -> anyhow::Result<()> {
        let verdict = self.judge(model)?;
        if verdict.released {
            return Ok(());
        }
        bail!(
            "{} is not released under the policy {}:{}\nhint: `polymath release verify` tells more; reviewers approve \
             with `polymath release sign`",
            verdict.model,
            verdict.policy,
            lines(verdict.faults.iter())
        )
    }
}

/// One fault a line, indented.
fn lines<'a>(faults: impl Iterator<Item = &'a Fault>) -> String {
    faults.map(|fault| format!("\n  {fault}")).collect()
}

fn show(verdict: &Verdict, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        return output::json(verdict);
    }
    for review in &verdict.reviews {
        output::line(format!("{}: {}", review.reviewer, review.comment))?;
    }
    for ignored in &verdict.ignored {
        output::line(format!("does not count: {ignored}"))?;
    }
    for fault in &verdict.faults {
        output::line(format!("against it: {fault}"))?;
    }
    let Verdict { model, policy, released, .. } = verdict;
    let word = if *released { "released" } else { "not released" };
    output::line(format!("{model}: {word} under the policy {policy}"))
}
