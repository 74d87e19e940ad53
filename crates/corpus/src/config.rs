//! What to build: the description in a TOML file.
//!
//! Every stage has a table of its own; leaving the table out leaves the stage out, except for `[clean]`,
//! `[duplicates]` and `[shards]`, whose defaults are what one nearly always wants. Relative paths start at the
//! folder of the description.

use crate::Error;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A whole description.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the text comes from.
    #[serde(rename = "source")]
    pub sources: Vec<Source>,
    /// Where the shards go.
    pub output: Output,
    /// Unicode and boilerplate.
    #[serde(default)]
    pub clean: Clean,
    /// Languages to keep.
    pub language: Option<Language>,
    /// Rules about form.
    pub quality: Option<Quality>,
    /// Copies and near copies.
    #[serde(default)]
    pub duplicates: Duplicates,
    /// Masking of personal data.
    pub private: Option<Private>,
    /// Removal of evaluation texts.
    pub decontaminate: Option<Decontaminate>,
    /// Removal of hazardous texts.
    pub hazard: Option<Hazard>,
    /// The tokenizer: given or learnt.
    pub tokenizer: Tokenizer,
    /// Sizes of the shards.
    #[serde(default)]
    pub shards: ShardSizes,
}

/// What files of a source are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Files of text, Markdown or HTML: each file a document.
    Text,
    /// One JSON object per line, the text in one field.
    Jsonl,
    /// Parquet files, the text in one column.
    Parquet,
    /// A tree of source code: each file a document, without binaries, vendored and minified files.
    Code,
    /// One conversation per line: `{"messages": [{"role": …, "content": …}]}`.
    Chat,
}

/// One source.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// What its files are.
    pub kind: Kind,
    /// Files or folders, which are searched through and through.
    pub paths: Vec<PathBuf>,
    /// Name in the report; else the first path.
    pub name: Option<String>,
    /// Endings to read, without the dot and without `.gz`, `.dz`, `.zst`; empty: those usual for the kind.
    #[serde(default)]
    pub endings: Vec<String>,
    /// Field or column that holds the text.
    #[serde(default = "text_field")]
    pub field: String,
    /// Files of text: a line that consists of this separates documents (`%` in fortune files).
    pub separator: Option<String>,
    /// Files of text: longer ones are cut at blank lines into documents of about this many bytes.
    pub cut_bytes: Option<usize>,
    /// Whether language, quality and hazard rules apply. Off by default for code and conversations.
    pub prose: Option<bool>,
}

impl Source {
    /// Its name in the report.
    pub fn label(&self) -> String {
        let first = || self.paths.first().map_or(String::new(), |path| path.display().to_string());
        self.name.clone().unwrap_or_else(first)
    }

    /// Whether the rules for prose apply.
    pub fn is_prose(&self) -> bool {
        self.prose.unwrap_or(!matches!(self.kind, Kind::Code | Kind::Chat))
    }
}

fn text_field() -> String {
    "text".to_string()
}

/// `[output]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// The directory of shards to make.
    pub dir: PathBuf,
    /// Replace a directory of shards that is there.
    #[serde(default)]
    pub replace: bool,
}

/// `[clean]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Clean {
    /// NFC, one kind of line end, no control characters, no trailing spaces.
    pub unicode: bool,
    /// Remove lines that stand in at least this many documents (licences, navigation). Reads everything twice.
    pub shared_lines: Option<u32>,
    /// Remove lines that come back at least this often within one document, as page headers and footers do.
    pub repeated_lines: Option<u32>,
}

impl Default for Clean {
    fn default() -> Self {
        Self { unicode: true, shared_lines: None, repeated_lines: None }
    }
}

/// `[language]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Language {
    /// Languages to keep, by their ISO 639-3 codes: `eng`, `deu`.
    pub keep: Vec<String>,
    /// A document is dropped only if the guess is at least this sure of another language.
    #[serde(default = "half")]
    pub min_confidence: f64,
}

fn half() -> f64 {
    0.5
}

/// `[quality]`: the rule sets, each on or off.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quality {
    /// Gopher's rules about repetition.
    pub gopher_repetition: bool,
    /// Gopher's rules about words and lines.
    pub gopher_quality: bool,
    /// C4's rules, which also drop single lines.
    pub c4: bool,
    /// C4: drop lines without final punctuation.
    pub c4_terminal_punctuation: bool,
    /// FineWeb's rules about lines.
    pub fineweb: bool,
}

impl Default for Quality {
    fn default() -> Self {
        Self {
            gopher_repetition: true,
            gopher_quality: true,
            c4: true,
            c4_terminal_punctuation: false,
            fineweb: true,
        }
    }
}

/// `[duplicates]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Duplicates {
    /// Drop documents whose text was seen before.
    pub exact: bool,
    /// Drop near copies by MinHash.
    pub near: bool,
    /// Buckets: two documents that agree in one are near copies.
    pub buckets: usize,
    /// Hashes per bucket.
    pub hashes_per_bucket: usize,
    /// Words per shingle.
    pub words: usize,
}

impl Default for Duplicates {
    fn default() -> Self {
        Self { exact: true, near: true, buckets: 14, hashes_per_bucket: 8, words: 5 }
    }
}

/// `[private]`: what to mask.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Private {
    /// Mail addresses.
    pub mail: bool,
    /// Phone numbers.
    pub phone: bool,
    /// IP addresses.
    pub ip: bool,
    /// Keys, tokens, private key blocks.
    pub keys: bool,
}

impl Default for Private {
    fn default() -> Self {
        Self { mail: true, phone: true, ip: true, keys: true }
    }
}

/// `[decontaminate]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decontaminate {
    /// Evaluation files: text, or JSON lines of which every string counts.
    pub against: Vec<PathBuf>,
    /// Words in a row that give an overlap away.
    #[serde(default = "thirteen")]
    pub words: usize,
}

fn thirteen() -> usize {
    13
}

/// `[hazard]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hazard {
    /// Files with one term per line, besides the built-in list.
    pub terms: Vec<PathBuf>,
    /// Whether the built-in list is used.
    pub built_in_terms: bool,
    /// Different terms that make a document hazardous.
    pub min_terms: usize,
    /// A trained classifier.
    pub classifier: Option<PathBuf>,
    /// Probability from which the classifier's word counts.
    pub threshold: f32,
}

impl Default for Hazard {
    fn default() -> Self {
        Self {
            terms: Vec::new(),
            built_in_terms: true,
            min_terms: 1,
            classifier: None,
            threshold: 0.5,
        }
    }
}

/// `[tokenizer]`: either a path, or a size to learn.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokenizer {
    /// A `tokenizer.json`, or the folder that holds one.
    pub path: Option<PathBuf>,
    /// Learn a tokenizer with this many ids.
    pub vocab_size: Option<usize>,
    /// Text to learn from: an even sample of the kept documents of about this size.
    #[serde(default = "sample_bytes")]
    pub sample_bytes: u64,
}

fn sample_bytes() -> u64 {
    64 << 20
}

/// `[shards]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShardSizes {
    /// Most tokens in one sequence.
    pub sequence_length: u32,
    /// Share of documents set aside.
    pub held_out: f64,
    /// Size of a token file.
    pub file_bytes: u64,
    /// Chooses the documents set aside.
    pub seed: u64,
}

impl Default for ShardSizes {
    fn default() -> Self {
        Self { sequence_length: 1024, held_out: 0.01, file_bytes: 256 << 20, seed: 0 }
    }
}

impl Config {
    /// Reads a description; relative paths in it start at its folder.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|error| Error::io("read", path, error))?;
        let mut config: Self = toml::from_str(&text)
            .map_err(|error| Error::Config(format!("{}: {error}", path.display())))?;
        config.start_paths_at(path.parent().unwrap_or(Path::new("")));
        config.check()?;
        Ok(config)
    }

    fn start_paths_at(&mut self, folder: &Path) {
        let start = |path: &mut PathBuf| *path = folder.join(&*path);
        self.sources.iter_mut().flat_map(|source| &mut source.paths).for_each(start);
        start(&mut self.output.dir);
        self.tokenizer.path.iter_mut().for_each(start);
        self.decontaminate.iter_mut().flat_map(|d| &mut d.against).for_each(start);
        if let Some(hazard) = &mut self.hazard {
            hazard.terms.iter_mut().chain(&mut hazard.classifier).for_each(start);
        }
    }

    /// Says what cannot be, before any work is done.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |problem: &str| Err(Error::Config(problem.to_string()));
        if self.sources.is_empty() || self.sources.iter().any(|s| s.paths.is_empty()) {
            return wrong("there must be a [[source]], and each needs `paths`");
        }
        match (&self.tokenizer.path, self.tokenizer.vocab_size) {
            (Some(_), Some(_)) | (None, None) => {
                return wrong("[tokenizer] needs either `path` or `vocab_size`");
            }
            (_, Some(size)) if !(crate::bpe::MIN_VOCAB_SIZE..=1 << 24).contains(&size) => {
                return Err(Error::Config(format!(
                    "`vocab_size` must be at least {} (256 bytes and the special tokens)",
                    crate::bpe::MIN_VOCAB_SIZE
                )));
            }
            _ => {}
        }
        if !(2..=1 << 24).contains(&self.shards.sequence_length) {
            return wrong("`sequence_length` must be between 2 and 16,777,216");
        }
        if !(0.0..=0.5).contains(&self.shards.held_out) {
            return wrong("`held_out` is a share between 0 and 0.5");
        }
        let d = &self.duplicates;
        let sizes = [(d.buckets, 1024), (d.hashes_per_bucket, 256), (d.words, 64)];
        if sizes.iter().any(|&(n, most)| n == 0 || n > most) {
            return wrong("`buckets`, `hashes_per_bucket` and `words` must be at least 1");
        }
        if self.decontaminate.as_ref().is_some_and(|d| d.words == 0 || d.words > 1000) {
            return wrong("[decontaminate] `words` must be between 1 and 1000");
        }
        Ok(())
    }
}
