//! What can be typed. Names, flags and JSON fields are a contract (see README, "Commands"): scripts depend on them.

mod eval;
mod release;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use eval::{Eval, EvalCommand, EvalLife, EvalTasks};
pub use release::{ReleaseCommand, Released};

/// Own the whole life of a language model: an assistant over your own mail, calendar, contacts, notes and
/// documents, on your own machine.
///
/// Without a command, Polymath opens the assistant: it serves a page on this machine only and prints its address.
#[derive(Debug, Parser)]
#[command(name = "polymath", version, disable_help_subcommand = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub open: OpenArguments,
}

/// Flags of the bare `polymath`.
#[derive(Debug, Args)]
pub struct OpenArguments {
    /// Address to serve the assistant on; only this machine can reach the default.
    #[arg(long, default_value = "127.0.0.1:4141")]
    pub addr: SocketAddr,
    /// Do not open the browser, only print the address.
    #[arg(long)]
    pub no_browser: bool,
    /// Folder of training runs to show, or of one run [also always: `runs` in POLYMATH_HOME].
    #[arg(long, value_name = "DIR")]
    pub runs: Vec<PathBuf>,
    #[command(flatten)]
    pub threads: Threads,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer one question from the vault, with sources.
    Ask(Ask),
    /// Converse in the terminal.
    Chat(Chat),
    /// Your data: add, sync, search, explain, forget, export.
    Vault(VaultArguments),
    /// Models: fetch, list, inspect.
    #[command(subcommand)]
    Model(ModelCommand),
    /// Show how a text becomes tokens.
    Tokenize(Tokenize),
    /// The raw next-token scores after each of the given tokens.
    Logits(Logits),
    /// Continue a text.
    Generate(Generate),
    /// Serve a model over the OpenAI-compatible HTTP interface.
    Serve(Serve),
    /// Measure how good a model is on known tasks, or the assistant on the sample life.
    Eval(Eval),
    /// Plan a training run: time, memory, money, energy, failures.
    #[command(subcommand)]
    Plan(PlanCommand),
    /// What a training run cost and what came of it, counted from its journal.
    Disclose(Disclose),
    /// Let a model out only when named reviewers have signed for it.
    #[command(subcommand)]
    Release(ReleaseCommand),
    /// Prepare text for training: read, clean, judge, pack into token shards.
    #[command(subcommand)]
    Corpus(CorpusCommand),
    /// Train a model from shards, or go on with one.
    Train(Train),
    /// Train many small models and fit a scaling law to them.
    Sweep(Sweep),
    /// Measure speed on this machine.
    #[command(subcommand)]
    Bench(BenchCommand),
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Disclose {
    #[command(subcommand)]
    pub command: Option<DiscloseCommand>,
    #[command(flatten)]
    pub write: WriteDisclosure,
}

#[derive(Debug, Subcommand)]
pub enum DiscloseCommand {
    /// Count again from the journals, or from the file of facts, whether a disclosure (JSON) holds, and check its
    /// signature.
    Verify {
        /// The document; its signature is looked for beside it, as FILE.minisig.
        file: PathBuf,
        /// Directories of the runs it names, the one whose weights are disclosed first.
        #[arg(long, value_name = "DIR", required_unless_present = "facts")]
        run: Vec<PathBuf>,
        /// The facts it was written from, where the run is someone else's.
        #[arg(long, value_name = "FILE", conflicts_with = "run")]
        facts: Option<PathBuf>,
        /// The public key of whoever signed it.
        #[arg(long, value_name = "FILE")]
        public_key: Option<PathBuf>,
    },
    /// Make a pair of keys to sign with: FILE, which is to be kept secret, and FILE.pub.
    Key { file: PathBuf },
}

#[derive(Debug, Args)]
pub struct WriteDisclosure {
    /// Directory of the run whose weights are disclosed, with journal.jsonl inside; or facts about someone else's run
    /// (TOML; examples/disclose has some).
    #[arg(required = true)]
    pub run_dir: Option<PathBuf>,
    /// Form of the document: everything as JSON, a page, a Hugging Face model card, SPDX 3.0 with the AI profile.
    #[arg(long, value_enum, default_value = "md")]
    pub format: DisclosureFormat,
    /// Directory of a run that led to this one (pre-training before fine-tuning); its compute counts. The latest first.
    #[arg(long, value_name = "DIR")]
    pub before: Vec<PathBuf>,
    /// Directory of a run that did not lead to these weights (failed, ablation); its compute is stated apart.
    #[arg(long, value_name = "DIR")]
    pub experiment: Vec<PathBuf>,
    /// Write the document to a file instead of stdout.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Sign that file with this secret key; the signature goes beside it, as FILE.minisig.
    #[arg(long, value_name = "FILE", requires = "out")]
    pub sign: Option<PathBuf>,
    /// Write the run's report, curves and all, as one HTML page.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DisclosureFormat {
    Json,
    Md,
    Hf,
    Spdx,
}

#[derive(Debug, Subcommand)]
pub enum CorpusCommand {
    /// Build token shards from the text that a description names.
    Build {
        /// The description; examples/train/ has some.
        config: PathBuf,
        /// Write the shards here instead of where the description says.
        #[arg(long, value_name = "DIR")]
        output: Option<PathBuf>,
        #[command(flatten)]
        json: Json,
        #[command(flatten)]
        threads: Threads,
    },
    /// Train the classifier of the hazard filter on labelled texts, and measure it and the terms on texts it has not seen.
    Hazard {
        /// JSON lines with `text` and `label` (true is hazardous); a fifth of them is kept to measure on.
        #[arg(required = true)]
        examples: Vec<PathBuf>,
        /// Labelled texts of another origin, to measure on.
        #[arg(long, value_name = "FILE")]
        test: Vec<PathBuf>,
        /// Write the classifier here, for `hazard.classifier` of a description.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Probability, from 0 to 1, from which the classifier's word counts in every row of the table.
        #[arg(long, value_name = "P", default_value_t = 0.5)]
        threshold: f32,
        #[arg(long, value_name = "S", default_value_t = 0)]
        seed: u64,
        #[command(flatten)]
        json: Json,
    },
    /// Show what a directory of shards holds, and check every file in it.
    Inspect {
        dir: PathBuf,
        /// Documents to show.
        #[arg(long, value_name = "N", default_value_t = 3)]
        documents: u64,
        #[command(flatten)]
        json: Json,
    },
}

#[derive(Debug, Subcommand)]
pub enum PlanCommand {
    /// Predict step time, utilisation and memory of the runs in a table.
    Predict {
        /// Tab-separated table; columns as in crates/plan/data/published_runs.tsv, any may be empty. K, M, B and T
        /// behind a number are decimal (a batch of 4K is 4,000), but those of contexts (`seq`) and widths are binary
        /// (8K is 8,192).
        #[arg(long, value_name = "FILE")]
        runs: PathBuf,
        /// Write predicted against measured times as one HTML page.
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
        #[command(flatten)]
        json: Json,
    },
    /// Find the best layouts of a planned run, with days, money, energy and failures.
    Search {
        /// The plan; examples/plan/ has some.
        plan: PathBuf,
        /// Explain why a named layout is not the best, as `tp=8,pp=4`.
        #[arg(long, value_name = "LAYOUT")]
        why: Option<String>,
        /// Write the report as one HTML page.
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
        #[command(flatten)]
        json: Json,
        #[command(flatten)]
        threads: Threads,
    },
    /// The largest model by each date for a cluster that grows, and whether claims about it hold.
    Timeline {
        plan: PathBuf,
        /// Write the report as one HTML page.
        #[arg(long, value_name = "FILE")]
        html: Option<PathBuf>,
        #[command(flatten)]
        json: Json,
    },
    /// Compare predictions with what a table of runs measured, as a Markdown page.
    Accuracy {
        #[arg(long, value_name = "FILE")]
        runs: PathBuf,
    },
}

#[derive(Debug, Clone, Copy, Args)]
pub struct Threads {
    /// Threads to compute with [default: all cores].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

impl Threads {
    pub fn count(self) -> usize {
        self.threads.map_or_else(
            || std::thread::available_parallelism().map_or(1, |n| n.get()),
            usize::from,
        )
    }
}

#[derive(Debug, Clone, Copy, Args)]
pub struct Json {
    /// Print one JSON document and nothing else on stdout.
    #[arg(long)]
    pub json: bool,
}

/// A second model that guesses ahead.
#[derive(Debug, Args)]
pub struct Draft {
    /// Smaller model with the same tokenizer that guesses what comes next: the same answer in fewer steps.
    #[arg(long, value_name = "MODEL")]
    pub draft: Option<String>,
}

/// Which vault a command works on.
#[derive(Debug, Args)]
pub struct VaultPath {
    /// Folder of the vault [default: `vault` in POLYMATH_HOME].
    #[arg(long, value_name = "DIR")]
    pub vault: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Ask {
    /// The question, in English, German or French.
    #[arg(required = true, num_args = 1.., trailing_var_arg = true)]
    pub question: Vec<String>,
    #[command(flatten)]
    pub vault: VaultPath,
    #[command(flatten)]
    pub model: ChatModel,
    /// Answer as if it were this moment (`2026-11-24T09:00[Europe/Berlin]`) [default: now, in this machine's zone].
    #[arg(long, value_name = "TIME")]
    pub now: Option<String>,
    #[command(flatten)]
    pub json: Json,
    #[command(flatten)]
    pub threads: Threads,
}

/// The models a turn may use. Without a model on this machine, the steps that need none still answer.
#[derive(Debug, Args)]
pub struct ChatModel {
    /// Model that chooses and writes: a name, a GGUF file or a folder; `none` answers without one
    /// [default: smollm2-135m where it has been pulled].
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    /// Model that makes sentence vectors [default: all-minilm-l6-v2 where it has been pulled].
    #[arg(long, value_name = "MODEL")]
    pub embedder: Option<String>,
    #[command(flatten)]
    pub draft: Draft,
    /// Whether the model chooses among sentences where the best is doubtful: `auto` lets models of a billion parameters
    /// and more.
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Choose::Auto)]
    pub choose: Choose,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Choose {
    Auto,
    Always,
    Never,
}

impl From<Choose> for assistant::Choosing {
    fn from(choose: Choose) -> Self {
        match choose {
            Choose::Auto => Self::Auto,
            Choose::Always => Self::Always,
            Choose::Never => Self::Never,
        }
    }
}

#[derive(Debug, Args)]
pub struct Chat {
    #[command(flatten)]
    pub vault: VaultPath,
    #[command(flatten)]
    pub model: ChatModel,
    #[command(flatten)]
    pub threads: Threads,
}

/// `polymath vault [--vault DIR] [--json] COMMAND`; the flags may also stand after the command.
#[derive(Debug, Args)]
pub struct VaultArguments {
    #[command(subcommand)]
    pub command: VaultCommand,
    #[command(flatten)]
    pub options: VaultOptions,
}

#[derive(Debug, Args)]
pub struct VaultOptions {
    /// Folder of the vault [default: `vault` in POLYMATH_HOME].
    #[arg(long, value_name = "DIR", global = true)]
    pub vault: Option<PathBuf>,
    /// Print one JSON document and nothing else on stdout.
    #[arg(long, global = true)]
    pub json: bool,
    /// Threads to compute with [default: all cores].
    #[arg(long, value_name = "N", global = true, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

#[derive(Debug, Args)]
pub struct Indexing {
    /// Stop when the text can be searched; make no vectors.
    #[arg(long)]
    pub text_only: bool,
    /// Model that makes the vectors [default: all-minilm-l6-v2 where it has been pulled].
    #[arg(long, value_name = "MODEL")]
    pub embedder: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum VaultCommand {
    /// Add files or folders and index them: text first, searchable at once, then vectors.
    Add {
        #[arg(required = true)]
        sources: Vec<PathBuf>,
        #[command(flatten)]
        indexing: Indexing,
    },
    /// Read again what changed.
    Sync {
        #[command(flatten)]
        indexing: Indexing,
    },
    /// What is in the vault, what is missing, and why.
    Status,
    /// Find passages. Understands from:anna, kind:mail, in:2026-06, "exact words".
    Search {
        #[arg(required = true, num_args = 1..)]
        query: Vec<String>,
        #[arg(long, default_value_t = 10)]
        limit: usize,
        /// Model whose vectors to search with; `none` searches words alone.
        #[arg(long, value_name = "MODEL")]
        embedder: Option<String>,
    },
    /// Show one item whole.
    Show { id: i64 },
    /// Why a file is, or is not, found.
    Why { path: String },
    /// Remove a source and every trace of its text.
    Forget { source: PathBuf },
    /// Give everything back as plain files with a manifest.
    Export { to: PathBuf },
}

#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// Fetch a model by name.
    Pull {
        name: String,
        /// Take it from this file or folder instead of the network.
        #[arg(long, value_name = "PATH")]
        from: Option<PathBuf>,
        #[command(flatten)]
        json: Json,
    },
    /// The models known by name, and which are here.
    List {
        #[command(flatten)]
        json: Json,
    },
    /// What a model is: architecture, parameters, tensors, tokenizer, licence.
    Inspect {
        /// A name, a GGUF file, or a folder with config.json.
        model: String,
        #[command(flatten)]
        json: Json,
    },
    /// Write a model as a GGUF file or a Hugging Face folder that other programs load.
    Export {
        /// A name, a GGUF file, or a folder with config.json.
        model: String,
        /// What to write.
        #[arg(long, value_enum)]
        to: ExportTarget,
        /// The file (gguf) or folder (hf) to write; it appears complete or not at all.
        out: PathBuf,
        /// How to store matrices: F32, F16, BF16, and for gguf Q8_0, Q5_0, Q4_0, Q4_1, Q4_K, Q5_K, Q6_K
        /// [default: as they are].
        #[arg(long = "type", value_name = "TYPE", value_parser = encoding)]
        encoding: Option<model::quantise::Encoding>,
        #[command(flatten)]
        json: Json,
        #[command(flatten)]
        threads: Threads,
    },
    /// Write a model as a GGUF file with smaller numbers: `export --to gguf` with a type.
    Quantize {
        /// A name, a GGUF file, or a folder with config.json.
        model: String,
        /// The file to write; it appears complete or not at all.
        out: PathBuf,
        /// How to store matrices: F32, F16, BF16, Q8_0, Q5_0, Q4_0, Q4_1, Q4_K, Q5_K, Q6_K.
        #[arg(long = "type", value_name = "TYPE", value_parser = encoding)]
        encoding: model::quantise::Encoding,
        #[command(flatten)]
        json: Json,
        #[command(flatten)]
        threads: Threads,
    },
}

/// Kinds of files that a model can be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ExportTarget {
    /// A Hugging Face folder: config.json, safetensors, tokenizer.
    Hf,
    /// One GGUF file.
    Gguf,
}

fn encoding(name: &str) -> Result<model::quantise::Encoding, String> {
    use model::quantise::Encoding;
    let names = || Encoding::ALL.map(Encoding::name).join(", ");
    Encoding::named(name).ok_or_else(|| format!("no such type; there are {}", names()))
}

#[derive(Debug, Args)]
pub struct Tokenize {
    #[arg(long, value_name = "MODEL")]
    pub model: String,
    #[arg(required = true)]
    pub text: String,
    /// Add the begin and end tokens the model's own file asks for.
    #[arg(long)]
    pub with_special: bool,
    #[command(flatten)]
    pub json: Json,
}

#[derive(Debug, Args)]
pub struct Logits {
    #[arg(long, value_name = "MODEL")]
    pub model: String,
    /// Token ids, separated by commas.
    #[arg(long, value_delimiter = ',', required = true, value_name = "1,2,3")]
    pub tokens: Vec<u32>,
    #[command(flatten)]
    pub json: Json,
    #[command(flatten)]
    pub threads: Threads,
}

#[derive(Debug, Args)]
pub struct Generate {
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    #[command(flatten)]
    pub draft: Draft,
    #[arg(long, value_name = "TEXT")]
    pub prompt: String,
    /// Wrap the prompt in the model's chat template.
    #[arg(long)]
    pub chat: bool,
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub max_tokens: usize,
    /// 0 takes the likeliest token each time.
    #[arg(long, value_name = "T", default_value_t = 0.0)]
    pub temperature: f32,
    #[arg(long, value_name = "K")]
    pub top_k: Option<usize>,
    #[arg(long, value_name = "P")]
    pub top_p: Option<f32>,
    #[arg(long, value_name = "P")]
    pub min_p: Option<f32>,
    #[arg(long, value_name = "R")]
    pub repetition_penalty: Option<f32>,
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub seed: u64,
    /// Stop before this text; may be given several times.
    #[arg(long, value_name = "TEXT")]
    pub stop: Vec<String>,
    #[command(flatten)]
    pub json: Json,
    #[command(flatten)]
    pub threads: Threads,
}

#[derive(Debug, Args)]
pub struct Serve {
    /// Model to serve [default: smollm2-135m].
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    #[command(flatten)]
    pub draft: Draft,
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub addr: SocketAddr,
    /// File with one key per line; requests must carry one as a bearer token.
    #[arg(long, value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,
    /// Serve only a model that this policy lets out: reviewed, unaltered, within its thresholds.
    #[arg(long, value_name = "POLICY")]
    pub require_release: Option<PathBuf>,
    #[command(flatten)]
    pub vault: VaultPath,
    #[command(flatten)]
    pub threads: Threads,
}

#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Prompt and generation speed of a model.
    Infer {
        #[arg(long, value_name = "MODEL")]
        model: Option<String>,
        #[command(flatten)]
        draft: Draft,
        /// Tokens of prompt.
        #[arg(long, value_name = "N", default_value_t = 512)]
        prompt: usize,
        /// Tokens to generate.
        #[arg(long, value_name = "N", default_value_t = 128)]
        generate: usize,
        #[command(flatten)]
        json: Json,
        #[command(flatten)]
        threads: Threads,
    },
    /// Sentence vectors per second.
    Embed {
        #[arg(long, value_name = "MODEL")]
        model: Option<String>,
        /// Compute as the reference does, not in eight-bit integers.
        #[arg(long)]
        exact: bool,
        #[command(flatten)]
        json: Json,
        #[command(flatten)]
        threads: Threads,
    },
    /// A training step: forward, backward and AdamW, 16 texts of 256 tokens.
    Train {
        /// `dense`, or `moe`: 32 experts, four per token, of the same active size.
        #[arg(long, value_enum, default_value_t = TrainShape::Moe)]
        shape: TrainShape,
        /// Steps that are timed.
        #[arg(long, value_name = "N", default_value_t = 8)]
        steps: usize,
        #[command(flatten)]
        json: Json,
        #[command(flatten)]
        threads: Threads,
    },
    /// Each kernel against this machine's measured peak.
    Kernels {
        #[command(flatten)]
        json: Json,
        #[command(flatten)]
        threads: Threads,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum TrainShape {
    Dense,
    Moe,
}

#[derive(Debug, Args)]
pub struct Train {
    /// The run's configuration; examples/train/ has some. Without one, --data and --depth are enough.
    pub config: Option<PathBuf>,
    /// Directory of shards made by `corpus build`.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The dial: 4 nano, 6 micro, 8 mini, 12 base, 20 pro; all else follows from it.
    #[arg(long, value_name = "N")]
    pub depth: Option<usize>,
    /// Tokens to train on [default: 20 per active parameter].
    #[arg(long, value_name = "N")]
    pub tokens: Option<f64>,
    /// Folder of the run [default: runs/NAME].
    #[arg(long, value_name = "DIR")]
    pub run_dir: Option<PathBuf>,
    /// Go on with a run that was stopped or killed.
    #[arg(long)]
    pub resume: bool,
    /// Stop after this step; `--resume` goes on.
    #[arg(long, value_name = "N")]
    pub until_step: Option<u64>,
    #[command(flatten)]
    pub json: Json,
    #[command(flatten)]
    pub threads: Threads,
}

#[derive(Debug, Args)]
pub struct Sweep {
    /// The sweep's file; examples/train/sweep.toml is one. Runs that are done are not made again.
    pub config: PathBuf,
    #[command(flatten)]
    pub json: Json,
    #[command(flatten)]
    pub threads: Threads,
}
