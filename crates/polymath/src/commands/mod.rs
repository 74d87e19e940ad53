//! One file per command of the contract.

pub mod ask;
pub mod bench;
pub mod chat;
pub mod corpus;
pub mod disclose;
pub mod eval;
pub mod generate;
pub mod model;
pub mod models;
pub mod open;
pub mod plan;
pub mod release;
pub mod serve;
pub mod sweep;
pub mod tokens;
pub mod train;
pub mod vault;

use std::path::Path;

use anyhow::Context;

/// The model that answers where none is named.
pub const DEFAULT_MODEL: &str = infer::hub::registry::DEFAULT_CHAT;

/// A file's text, or which file cannot be read.
pub fn read_text(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Lets Ctrl+C end the work at the next good moment instead of in the middle; a second one ends the process.
pub fn on_interrupt(cancel: &infer::Cancel) {
    let cancel = cancel.clone();
    std::thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else {
            return;
        };
        runtime.block_on(async {
            while tokio::signal::ctrl_c().await.is_ok() {
                if cancel.is_cancelled() {
                    std::process::exit(130);
                }
                cancel.cancel();
            }
        });
    });
}
