//! `polymath serve`: a model over the OpenAI-compatible interface.

use std::path::Path;

use anyhow::{Context, bail};
use server::ServeOptions;
use server::house::{House, HouseOptions};

use crate::args::Serve;
use crate::commands::{DEFAULT_MODEL, models, release};
use crate::home::Home;
use crate::output;

pub fn run(arguments: &Serve) -> anyhow::Result<()> {
    let home = Home::find()?;
    let model = arguments.model.clone().unwrap_or_else(|| DEFAULT_MODEL.into());
    // A missing model is told at once, not by the first request.
    let path = home.hub().resolve(&model)?;
    let gate = arguments.require_release.as_deref().map(release::Gate::read).transpose()?;
    let info = infer::inspect(&path)?;
    if let Some(memory) = &info.memory {
        models::warn_if_larger_than_memory(&info.name, memory);
    }
    let draft = arguments.draft.draft.clone();
    // So is a missing draft.
    draft.as_deref().map(|draft| home.hub().resolve(draft)).transpose()?;
    let judged_now = gate.is_some() || draft.is_some();
    let api_keys = keys(arguments.api_key_file.as_deref())?;
    let house = House::open(HouseOptions {
        home: home.path().to_owned(),
        vault: arguments.vault.vault.clone().unwrap_or_else(|| home.vault()),
        sample: None,
        model: Some(model.clone()),
        draft,
        fetch: false,
        n_threads: arguments.threads.count(),
        runs: Vec::new(),
        gate: gate.map(|gate| {
            let ask = move |path: &Path| gate.require(path).map_err(|error| format!("{error:#}"));
            Box::new(ask) as server::house::Gate
        }),
    })?;
    if judged_now {
        // Judged by loading it: the bytes are hashed once, right before they are used, and a draft that cannot guess for
        // the model is told at once.
        house.admit(&path).map_err(anyhow::Error::msg)?;
    }
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let (backend, models) = (house.clone(), house);
        let options = ServeOptions { addr: arguments.addr, backend, models, api_keys };
        let server = server::serve(options).await?;
        output::line(format!("serving {model} at http://{}/v1", server.addr()))?;
        tokio::signal::ctrl_c().await?;
        server.shutdown().await;
        Ok(())
    })
}

/// One key per line; blank lines and lines that start with `#` are none.
fn keys(file: Option<&std::path::Path>) -> anyhow::Result<Vec<String>> {
    let Some(file) = file else { return Ok(Vec::new()) };
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the keys in {}", file.display()))?;
    let keys: Vec<String> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    if keys.is_empty() {
        bail!("{} holds no key; write one per line, or leave the flag out", file.display());
    }
    Ok(keys)
}
