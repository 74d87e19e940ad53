//! Arguments of `polymath eval`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{ChatModel, Json, Threads};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Eval {
    #[command(subcommand)]
    pub command: Option<EvalCommand>,
    #[command(flatten)]
    pub tasks: EvalTasks,
}

#[derive(Debug, Subcommand)]
pub enum EvalCommand {
    /// The questions of the sample life, scored without any model as judge.
    Life(EvalLife),
}

#[derive(Debug, Args)]
pub struct EvalTasks {
    /// Model to measure: a name, a GGUF file, or a folder with config.json.
    #[arg(long, value_name = "MODEL", required_unless_present = "list")]
    pub model: Option<String>,
    /// Tasks: names from `eval --list`, or TOML files that describe one.
    #[arg(value_name = "TASK", required_unless_present = "list")]
    pub tasks: Vec<String>,
    /// Show the tasks known by name, and whose data this program carries.
    #[arg(long, conflicts_with = "tasks")]
    pub list: bool,
    /// Folder (or file) with the tasks' data, as data sets are downloaded: JSONL or Parquet files named by split.
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// Only the first N documents of each task.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Examples before each question [default: as the task says].
    #[arg(long, value_name = "N")]
    pub shots: Option<usize>,
    /// Seed that the examples are drawn with.
    #[arg(long, value_name = "S", default_value_t = 1234)]
    pub seed: u64,
    /// Let the model read at most N tokens at once [default: as many as it was made for].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..))]
    pub max_length: Option<u64>,
    /// Compute as generation does, with activations rounded to eight bits: faster, and a little off.
    #[arg(long)]
    pub fast: bool,
    /// Log every document with what was asked, answered and counted, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    pub samples: Option<PathBuf>,
    #[command(flatten)]
    pub json: Json,
    #[command(flatten)]
    pub threads: Threads,
}

#[derive(Debug, Args)]
pub struct EvalLife {
    /// Folder with `data/` and `questions.jsonl` [default: the sample inside this program].
    #[arg(long, value_name = "DIR")]
    pub life: Option<PathBuf>,
    /// Another file of questions on the same `data/` [default: `questions.jsonl` beside it].
    #[arg(long, value_name = "FILE")]
    pub questions: Option<PathBuf>,
    #[command(flatten)]
    pub model: ChatModel,
    /// Which questions: `report` (kept aside), `fit` (used to set thresholds), or `all`.
    #[arg(long, default_value = "all", value_parser = ["all", "fit", "report"])]
    pub half: String,
    /// Print each question that was answered wrong.
    #[arg(long)]
    pub misses: bool,
    /// Instead of asking, write what the constants are fitted on, one question a line.
    #[arg(long, value_name = "FILE")]
    pub features: Option<PathBuf>,
    #[command(flatten)]
    pub json: Json,
    #[command(flatten)]
    pub threads: Threads,
}
