//! `polymath release`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Json;

/// What is released, and under which policy.
#[derive(Debug, Args)]
pub struct Released {
    /// A name, a GGUF file, or a folder with config.json.
    pub model: String,
    /// The policy: reviewers, how many of them, thresholds; examples/release/policy.toml is one.
    #[arg(long, value_name = "FILE")]
    pub policy: PathBuf,
}

#[derive(Debug, Subcommand)]
pub enum ReleaseCommand {
    /// Write the manifest that reviewers judge: hashes of every file, the disclosure, results, stated limits.
    Make {
        #[command(flatten)]
        released: Released,
        /// What training cost: `polymath disclose … --format json --out FILE`.
        #[arg(long, value_name = "FILE")]
        disclosure: Option<PathBuf>,
        /// What it can do, and what it refuses: `polymath eval … --json`, or results of the same form by other means.
        #[arg(long, value_name = "FILE")]
        results: Vec<PathBuf>,
        /// A text that says what the model must not be trusted with.
        #[arg(long, value_name = "FILE")]
        limits: PathBuf,
        /// What to call it [default: the name of its folder or file].
        #[arg(long)]
        name: Option<String>,
        /// Replace a manifest that stands there; its reviews count no more.
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        json: Json,
    },
    /// Approve a model as a reviewer whom the policy names, or object.
    Sign {
        #[command(flatten)]
        released: Released,
        /// The reviewer's secret key (`polymath disclose key`, or `minisign -G`).
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Object, and say why. The gate then stays shut.
        #[arg(long, value_name = "REASON")]
        object: Option<String>,
    },
    /// Say whether a model may be let out, and everything that stands against it.
    Verify {
        #[command(flatten)]
        released: Released,
        #[command(flatten)]
        json: Json,
    },
}
