//! Which model a command uses: the named one, else the default where it is on this machine, else none.

use std::path::Path;
use std::sync::Arc;

use infer::hub::{self, registry};
use infer::{Embedder, Engine, Memory, Precision};

use crate::args::{Draft, Threads};
use crate::home::Home;
use crate::output;

/// What a person types to say "no model".
const NONE: &str = "none";

/// The embedder to use; `Ok(None)` when none was asked for, or none was named and the default is not here.
pub fn embedder(named: Option<&str>, threads: Threads) -> anyhow::Result<Option<Arc<Embedder>>> {
    let Some(path) = path(named, registry::DEFAULT_EMBED)? else { return Ok(None) };
    Ok(Some(Arc::new(Embedder::load_with(&path, threads.count(), Precision::Int8)?)))
}

/// The model that chooses and writes; `None` as for [`embedder`].
pub fn engine(
    named: Option<&str>,
    draft: &Draft,
    threads: Threads,
) -> anyhow::Result<Option<Engine>> {
    match path(named, registry::DEFAULT_CHAT)? {
        Some(path) => load(&path, draft, threads).map(Some),
        None if draft.draft.is_some() => {
            anyhow::bail!("--draft: there is no model to guess for; name one with --model")
        }
        None => Ok(None),
    }
}

/// Says on stderr when a model's weights are more than memory holds, and what that means.
pub fn warn_if_larger_than_memory(name: &str, memory: &Memory) {
    if !memory.fits {
        eprintln!("polymath: {}", larger_than_memory(name, memory));
    }
}

fn larger_than_memory(name: &str, memory: &Memory) -> String {
    let Memory { demand, available_bytes, .. } = memory;
    let [all, experts, token, free] = [
        demand.weight_bytes,
        demand.expert_bytes,
        demand.bytes_per_token,
        available_bytes.unwrap_or_default(),
    ]
    .map(output::bytes);
    let begin = format!("{name} has {all} of weights and {free} of memory are free");
    if demand.expert_bytes == 0 {
        return format!(
            "{begin}: each token reads {token}, what does not fit from the disk, which is slow; \
             hint: `polymath model quantize` makes it smaller"
        );
    }
    format!(
        "{begin}: its experts ({experts}) stay in the file, and those that are used often in memory; a token reads {token}"
    )
}

/// The model at `path`, with the draft model that was named for it.
pub fn load(path: &Path, draft: &Draft, threads: Threads) -> anyhow::Result<Engine> {
    let engine = Engine::load(path, threads.count())?;
    warn_if_larger_than_memory(engine.name(), &engine.memory());
    let Some(draft) = &draft.draft else { return Ok(engine) };
    // It runs on the first one's threads.
    let draft = Engine::load(&Home::find()?.hub().resolve(draft)?, 1)?;
    Ok(engine.with_draft(draft)?)
}

fn path(named: Option<&str>, default: &str) -> anyhow::Result<Option<std::path::PathBuf>> {
    let hub = Home::find()?.hub();
    match named {
        Some(NONE) => Ok(None),
        Some(named) => Ok(Some(hub.resolve(named)?)),
        None => match hub.resolve(default) {
            Ok(path) => Ok(Some(path)),
            Err(hub::Error::Absent { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        },
    }
}
