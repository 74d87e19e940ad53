//! `polymath model pull | list | inspect | export | quantize`.

use std::path::Path;

use anyhow::Context;
use infer::export::Target;
use model::quantise::Encoding;
use serde_json::json;

use crate::args::{ExportTarget, ModelCommand, Threads};
use crate::home::Home;
use crate::output;
use crate::progress::{PullBar, bytes_bar};

pub fn run(command: &ModelCommand) -> anyhow::Result<()> {
    let home = Home::find()?;
    match command {
        ModelCommand::Pull { name, from, json } => pull(&home, name, from.as_deref(), json.json),
        ModelCommand::List { json } => list(&home, json.json),
        ModelCommand::Inspect { model, json } => inspect(&home, model, json.json),
        ModelCommand::Export { model, to, out, encoding, json, threads } => {
            let target = match to {
                ExportTarget::Hf => Target::HuggingFace,
                ExportTarget::Gguf => Target::Gguf,
            };
            export(&home, model, target, out, *encoding, *threads, json.json)
        }
        ModelCommand::Quantize { model, out, encoding, json, threads } => {
            export(&home, model, Target::Gguf, out, Some(*encoding), *threads, json.json)
        }
    }
}

fn export(
    home: &Home,
    model: &str,
    target: Target,
    out: &Path,
    encoding: Option<Encoding>,
    threads: Threads,
    as_json: bool,
) -> anyhow::Result<()> {
    let path = home.hub().resolve(model)?;
    let bar = bytes_bar("writing");
    let mut tell = |done, total, name: &str| {
        bar.set_length(total);
        bar.set_position(done);
        bar.set_message(name.to_owned());
    };
    let exported = infer::export::export(&path, target, out, encoding, threads.count(), &mut tell);
    bar.finish_and_clear();
    let exported = exported.with_context(|| format!("cannot export {}", path.display()))?;
    for remark in &exported.remarks {
        eprintln!("polymath: {remark}");
    }
    if as_json {
        return output::json(&json!({
            "path": out,
            "tensors": exported.n_tensors,
            "bytes": exported.bytes,
            "remarks": exported.remarks,
        }));
    }
    output::line(out.display())
}

fn pull(home: &Home, name: &str, from: Option<&Path>, as_json: bool) -> anyhow::Result<()> {
    let mut bar = PullBar::new();
    let outcome = home.hub().pull(name, from, &mut |progress| bar.update(progress));
    bar.finish();
    let path = outcome?;
    if as_json {
        return output::json(&json!({ "name": name, "path": path }));
    }
    output::line(path.display())
}

fn list(home: &Home, as_json: bool) -> anyhow::Result<()> {
    let entries = home.hub().list();
    if as_json {
        return output::json(&json!({ "models": entries }));
    }
    let rows: Vec<Vec<String>> = entries
        .iter()
        .map(|entry| {
            let state = match (&entry.present, entry.runs) {
                (Some(_), true) => "here",
                (Some(_), false) => "here, does not run yet",
                (None, true) => "",
                (None, false) => "does not run yet",
            };
            let task = match entry.task {
                infer::hub::registry::Task::Chat => "chat",
                infer::hub::registry::Task::Complete => "complete",
                infer::hub::registry::Task::Embed => "embed",
            };
            vec![
                entry.name.clone(),
                task.into(),
                entry.parameters.clone(),
                output::bytes(entry.bytes),
                entry.licence.clone(),
                state.into(),
            ]
        })
        .collect();
    output::piece(&output::table(
        &["name", "for", "parameters", ">download", "licence", "state"],
        &rows,
    ))
}

fn inspect(home: &Home, model: &str, as_json: bool) -> anyhow::Result<()> {
    let path = home.hub().resolve(model)?;
    let info =
        infer::inspect(&path).with_context(|| format!("cannot inspect {}", path.display()))?;
    if as_json {
        return output::json(&info);
    }
    output::piece(&describe(&info))
}

fn in_memory(memory: &infer::Memory) -> String {
    let demand = &memory.demand;
    let experts = match demand.expert_bytes {
        0 => String::new(),
        bytes => format!(", experts {}", output::bytes(bytes)),
    };
    let fits = if memory.fits { "fits" } else { "does not fit, is read from the file as needed" };
    let token = output::bytes(demand.bytes_per_token);
    let free = memory.available_bytes.map_or("unknown".into(), output::bytes);
    format!("{fits} ({free} free{experts}, {token} read per token)")
}

fn describe(info: &infer::Info) -> String {
    let mut rows = vec![
        ("name", info.name.clone()),
        ("file", format!("{} ({})", info.path, info.format)),
        ("task", info.task.into()),
        ("architecture", info.architecture.clone()),
        ("parameters", output::count(info.parameters_total)),
    ];
    if info.parameters_active != info.parameters_total {
        rows.push(("active per token", output::count(info.parameters_active)));
    }
    let list = |pairs: Vec<String>| pairs.join(", ");
    rows.push(("weights", output::bytes(info.weight_bytes)));
    if let Some(memory) = &info.memory {
        rows.push(("memory", in_memory(memory)));
    }
    rows.push((
        "tensors",
        list(info.tensors.iter().map(|(kind, n)| format!("{n} {kind}")).collect()),
    ));
    rows.push(("context", format!("{} tokens", output::count(info.context_len as u64))));
    rows.push(("shape", list(info.shape.iter().map(|(name, n)| format!("{name} {n}")).collect())));
    if let Some(tokenizer) = &info.tokenizer {
        let size = output::count(tokenizer.vocab as u64);
        rows.push(("tokenizer", format!("{}, {size} tokens", tokenizer.kind)));
    }
    rows.push(("chat template", if info.chat_template { "yes" } else { "no" }.into()));
    rows.push(("licence", info.licence.clone().unwrap_or_else(|| "not stated in the file".into())));
    rows.iter().map(|(label, value)| format!("{label:<17}{value}\n")).collect()
}
