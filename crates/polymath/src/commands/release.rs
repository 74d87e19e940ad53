//! `polymath release`: the manifest of a model, its reviews, and the gate that `serve --require-release` keeps.

use std::path::Path;

use anyhow::{Context, bail};
use jiff::Timestamp;
use ledger::release::{self, Decision, Manifest, Policy, Sources, Verdict};

use crate::args::{ReleaseCommand, Released};
use crate::home::Home;
use crate::output;

pub fn run(command: &ReleaseCommand) -> anyhow::Result<()> {
    match command {
        ReleaseCommand::Make { released, disclosure, results, limits, name, replace, json } => {
            let (policy, policy_text) = read_policy(&released.policy)?;
            let model = Home::find()?.hub().resolve(&released.model)?;
            let file_name = model.file_name().and_then(|name| name.to_str()).unwrap_or("model");
            let disclosure = disclosure.as_deref().map(read_text).transpose()?;
            let results = results
                .iter()
                .map(|path| anyhow::Ok((path.display().to_string(), read_text(path)?)));
            let sources = Sources {
                name: name.as_deref().unwrap_or(file_name),
                policy: (&policy.name, &policy_text),
                disclosure: disclosure.as_deref(),
                results: &results.collect::<Result<Vec<_>, _>>()?,
                limits: &read_text(limits)?,
            };
            let manifest = Manifest::make(&model, &sources, Timestamp::now())?;
            let written = manifest.write(&model, *replace)?;
            eprintln!("wrote {}", written.display());
            let verdict = release::judge(&model, &policy, &policy_text)?;
            if json.json {
                return output::json(&verdict);
            }
            // Without reviews it cannot be released yet; what else is missing is better known now.
            print(&verdict)
        }
        ReleaseCommand::Sign { released, key, object } => sign(released, key, object.as_deref()),
        ReleaseCommand::Verify { released, json } => {
            let (policy, policy_text) = read_policy(&released.policy)?;
            let model = Home::find()?.hub().resolve(&released.model)?;
            let verdict = release::judge(&model, &policy, &policy_text)?;
            if json.json {
                output::json(&verdict)?;
            } else {
                print(&verdict)?;
            }
            match verdict.released {
                true => Ok(()),
                false => bail!("{} is not released", verdict.model),
            }
        }
    }
}

fn sign(released: &Released, key: &Path, object: Option<&str>) -> anyhow::Result<()> {
    let (policy, policy_text) = read_policy(&released.policy)?;
    let model = Home::find()?.hub().resolve(&released.model)?;
    let decision = match object.map(str::trim) {
        None => Decision::Approves,
        Some("") => bail!("an objection without a reason; hint: --object \"REASON\""),
        Some(reason) => Decision::Objects(reason.to_owned()),
    };
    let verdict = release::judge(&model, &policy, &policy_text)?;
    let others: Vec<String> = verdict
        .faults
        .iter()
        .filter(|fault| !fault.is_review())
        .map(|fault| format!("\n  {fault}"))
        .collect();
    if decision == Decision::Approves && !others.is_empty() {
        bail!(
            "{} cannot be released whoever approves:{}\nhint: --object \"REASON\" records an objection",
            verdict.model,
            others.concat()
        );
    }
    let manifest = read_text(&release::manifest_path(&model))?;
    let secret = read_text(key)?;
    let signed = release::sign(&model, &manifest, &policy, &secret, &decision, Timestamp::now())?;
    eprintln!("wrote {}", signed.display());
    print(&release::judge(&model, &policy, &policy_text)?)
}

/// A policy that keeps weights from being loaded.
pub struct Gate {
    policy: Policy,
    text: String,
}

impl Gate {
    pub fn read(policy: &Path) -> anyhow::Result<Self> {
        let (policy, text) = read_policy(policy)?;
        Ok(Self { policy, text })
    }

    /// Refuses a model that the policy does not let out. Every byte of it is read.
    pub fn require(&self, model: &Path) -> anyhow::Result<()> {
        let verdict = release::judge(model, &self.policy, &self.text)?;
        if verdict.released {
            return Ok(());
        }
        let faults = verdict.faults.iter().map(|fault| format!("\n  {fault}"));
        bail!(
            "{} is not released under the policy {}:{}\nhint: `polymath release verify` tells more; reviewers approve \
             with `polymath release sign`",
            verdict.model,
            verdict.policy,
            faults.collect::<String>()
        )
    }
}

fn print(verdict: &Verdict) -> anyhow::Result<()> {
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

fn read_policy(path: &Path) -> anyhow::Result<(Policy, String)> {
    let text = read_text(path)?;
    let hint = || format!("{} is no policy; examples/release/policy.toml is one", path.display());
    let policy: Policy = toml::from_str(&text).with_context(hint)?;
    policy.check().with_context(|| path.display().to_string())?;
    Ok((policy, text))
}

fn read_text(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
