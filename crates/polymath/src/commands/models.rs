//! Which model a command uses: the named one, else the default where it is on this machine, else none.

use std::sync::Arc;

use infer::hub::{self, registry};
use infer::{Embedder, Engine, Precision};

use crate::args::Threads;
use crate::home::Home;

/// What a person types to say "no model".
const NONE: &str = "none";

/// The embedder to use; `Ok(None)` when none was asked for, or none was named and the default is not here.
pub fn embedder(named: Option<&str>, threads: Threads) -> anyhow::Result<Option<Arc<Embedder>>> {
    let Some(path) = path(named, registry::DEFAULT_EMBED)? else { return Ok(None) };
    Ok(Some(Arc::new(Embedder::load_with(&path, threads.count(), Precision::Int8)?)))
}

/// The model that chooses and writes; `None` as for [`embedder`].
pub fn engine(named: Option<&str>, threads: Threads) -> anyhow::Result<Option<Engine>> {
    let Some(path) = path(named, registry::DEFAULT_CHAT)? else { return Ok(None) };
    Ok(Some(Engine::load(&path, threads.count())?))
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
