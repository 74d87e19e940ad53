//! Where Polymath keeps things on this machine.

use std::path::{Path, PathBuf};

use anyhow::Context;
use infer::hub::Hub;

/// Models, vault and settings, below one folder.
#[derive(Debug, Clone)]
pub struct Home {
    path: PathBuf,
}

impl Home {
    /// `POLYMATH_HOME`, else the platform's data folder (`~/.local/share/polymath` on Linux).
    pub fn find() -> anyhow::Result<Home> {
        let path = match std::env::var_os("POLYMATH_HOME").filter(|value| !value.is_empty()) {
            Some(path) => PathBuf::from(path),
            None => dirs::data_dir()
                .context(
                    "this system names no data folder; set POLYMATH_HOME to a folder of your own",
                )?
                .join("polymath"),
        };
        Ok(Home { path })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn hub(&self) -> Hub {
        Hub::new(&self.path)
    }

    /// The owner's vault, unless a command names another.
    pub fn vault(&self) -> PathBuf {
        self.path.join("vault")
    }
}
