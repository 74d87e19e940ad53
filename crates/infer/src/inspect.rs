//! What a model is, without loading it: for `polymath model inspect`.

use crate::Error;
use crate::vocabulary::{self, Text};
use corpus::tokenizer::Tokenizer;
use model::config::{DecoderConfig, EncoderConfig};
use model::encoder::Encoder;
use model::gguf::Gguf;
use model::memory::Demand;
use model::packed_encoder::{PackedEncoder, is_packed};
use model::weights::Weights;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A description of a model's files.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Info {
    /// The file's name without its extension, or the directory's.
    pub name: String,
    /// Where it lies.
    pub path: String,
    /// `GGUF 3`, `safetensors`, `packed encoder`.
    pub format: String,
    /// What the file calls its architecture.
    pub architecture: String,
    /// `text generation` or `sentence embedding`.
    pub task: &'static str,
    /// Numbers in all weights; a head that shares the embedding counts once.
    pub parameters_total: u64,
    /// Numbers that one token is computed with; less than all for a mixture of experts.
    pub parameters_active: u64,
    /// How many tensors, by the type they are stored in.
    pub tensors: BTreeMap<String, usize>,
    /// Bytes of all weights as stored.
    pub weight_bytes: u64,
    /// Whether a text model fits into memory here and now.
    pub memory: Option<Memory>,
    /// Tokens that the model sees at once.
    pub context_len: usize,
    /// Layers, width, heads and so on.
    pub shape: BTreeMap<&'static str, usize>,
    /// The tokenizer, if there is one that can be used.
    pub tokenizer: Option<TokenizerInfo>,
    /// Whether it takes conversations.
    pub chat_template: bool,
    /// As stated in the file.
    pub licence: Option<String>,
}

/// What a model's weights ask of this machine's memory, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// All weights; the experts among them; what one token reads.
    #[serde(flatten)]
    pub demand: Demand,
    /// What this process could fill when it was asked; absent where the system does not say.
    pub available_bytes: Option<u64>,
    /// Whether all weights fit. If not, they are read from the file as they are needed.
    pub fits: bool,
}

impl Memory {
    pub(crate) fn of(demand: Demand) -> Self {
        let available_bytes = model::memory::available();
        Self { demand, available_bytes, fits: demand.fits(available_bytes) }
    }
}

/// A description of a tokenizer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenizerInfo {
    /// The algorithm.
    pub kind: String,
    /// Number of token ids.
    pub vocab: usize,
    /// Text of the token that begins a text, if there is one.
    pub bos: Option<String>,
    /// Text of the token that ends one.
    pub eos: Option<String>,
}

/// Describes the model at `path`: a GGUF file, a directory, or a packed encoder.
pub fn inspect(path: &Path) -> Result<Info, Error> {
    if path.is_dir() {
        return directory(path);
    }
    if is_packed(&first_bytes(path)?) {
        let packed = PackedEncoder::open(path)?;
        let mut info =
            Info::new(path, "packed encoder".to_string(), "XLM-R tokenizer, BERT encoder");
        info.count(&packed.weights);
        info.describe_encoder(&packed.config);
        info.describe_tokenizer(&vocabulary::packed_tokenizer(packed.vocabulary, path)?);
        return Ok(info);
    }
    let gguf = Gguf::open(path)?;
    let weights = Weights::from_gguf(&gguf)?;
    let architecture = gguf.string("general.architecture")?.unwrap_or("unknown");
    let mut info = Info::new(path, format!("GGUF {}", gguf.version()), architecture);
    info.count(&weights);
    for tensor in gguf.tensors() {
        *info.tensors.entry(tensor.kind.name.to_string()).or_insert(0) += 1;
    }
    info.licence = gguf.string("general.license")?.map(str::to_string);
    match architecture {
        "bert" => info.describe_encoder(Encoder::load(path)?.config()),
        _ => {
            let (config, weights) = model::decoder::read_gguf(&gguf)?;
            info.describe_decoder(&config, &weights);
        }
    }
    info.describe_text(&Text::from_gguf(&gguf)?);
    Ok(info)
}

fn directory(path: &Path) -> Result<Info, Error> {
    let config = model::safetensors::read_json(&path.join("config.json"))?;
    let architecture = config["architectures"][0].as_str().or(config["model_type"].as_str());
    let mut info = Info::new(path, "safetensors".to_string(), architecture.unwrap_or("unknown"));
    if config["model_type"].as_str() == Some("bert") {
        info.describe_encoder(Encoder::load(path)?.config());
    } else {
        let (config, weights) = model::decoder::read(path)?;
        info.count(&weights);
        info.describe_decoder(&config, &weights);
    }
    let stored = stored_tensors(path)?;
    if info.parameters_total == 0 {
        info.parameters_total = stored.elements;
        info.parameters_active = stored.elements;
        info.weight_bytes = stored.bytes;
    }
    info.tensors = stored.types;
    info.licence = licence_of_card(path);
    info.describe_text(&Text::from_directory(path)?);
    Ok(info)
}

impl Info {
    fn new(path: &Path, format: String, architecture: &str) -> Self {
        Self {
            name: name_of(path),
            path: path.display().to_string(),
            format,
            architecture: architecture.to_string(),
            task: "text generation",
            parameters_total: 0,
            parameters_active: 0,
            tensors: BTreeMap::new(),
            weight_bytes: 0,
            memory: None,
            context_len: 0,
            shape: BTreeMap::new(),
            tokenizer: None,
            chat_template: false,
            licence: None,
        }
    }

    fn count(&mut self, weights: &Weights) {
        self.parameters_total = weights.n_elements() as u64;
        self.parameters_active = self.parameters_total;
        self.weight_bytes = weights.bytes() as u64;
    }

    fn describe_decoder(&mut self, config: &DecoderConfig, weights: &Weights) {
        self.memory = Some(Memory::of(Demand::of(config, weights)));
        let parameters = model::cost::parameters(config);
        self.parameters_total = parameters.total;
        self.parameters_active = parameters.active;
        self.context_len = config.context_len;
        self.shape = BTreeMap::from([
            ("layers", config.n_layers()),
            ("width", config.hidden),
            ("heads", config.n_heads),
            ("key_value_heads", config.n_kv_heads),
            ("head_dim", config.head_dim),
            ("feed_forward", config.feed_forward),
            ("vocab", config.vocab),
        ]);
        if let Some(experts) = &config.experts {
            self.shape.insert("experts", experts.n_experts);
            self.shape.insert("active_experts", experts.n_active);
            self.shape.insert("expert_width", experts.width);
        }
    }

    fn describe_encoder(&mut self, config: &EncoderConfig) {
        self.task = "sentence embedding";
        self.context_len = config.max_tokens;
        self.shape = BTreeMap::from([
            ("layers", config.n_layers),
            ("width", config.hidden),
            ("heads", config.n_heads),
            ("feed_forward", config.feed_forward),
            ("vocab", config.vocab),
        ]);
    }

    fn describe_text(&mut self, text: &Text) {
        self.chat_template = text.template.is_some();
        if let Some(tokenizer) = &text.tokenizer {
            self.describe_tokenizer(tokenizer);
        }
    }

    fn describe_tokenizer(&mut self, tokenizer: &Tokenizer) {
        let text = |id: Option<u32>| id.and_then(|id| tokenizer.piece(id));
        self.tokenizer = Some(TokenizerInfo {
            kind: tokenizer.kind().to_string(),
            vocab: tokenizer.vocab_size(),
            bos: text(tokenizer.bos()),
            eos: text(tokenizer.eos()),
        });
    }
}

/// What the headers of a directory's safetensors files say.
#[derive(Default)]
struct Stored {
    types: BTreeMap<String, usize>,
    elements: u64,
    bytes: u64,
}

/// Longest header that is read: real ones are below a megabyte.
const MAX_HEADER_BYTES: u64 = 64 << 20;

fn stored_tensors(directory: &Path) -> Result<Stored, Error> {
    let unreadable = |path: &Path, reason: String| Error::Read { path: path.to_owned(), reason };
    let mut stored = Stored::default();
    let entries = std::fs::read_dir(directory).map_err(|e| unreadable(directory, e.to_string()))?;
    let is_weights = |path: &PathBuf| path.extension().is_some_and(|e| e == "safetensors");
    for path in entries.flatten().map(|entry| entry.path()).filter(is_weights) {
        let header = read_header(&path).map_err(|e| unreadable(&path, e.to_string()))?;
        for (_, tensor) in header.iter().filter(|(name, _)| *name != "__metadata__") {
            let kind = tensor["dtype"].as_str().unwrap_or("unknown");
            *stored.types.entry(kind.to_string()).or_insert(0) += 1;
            let sizes = tensor["shape"].as_array().into_iter().flatten();
            let elements = sizes.filter_map(Value::as_u64).fold(1u64, u64::saturating_mul);
            // Tables of whole numbers (position ids) are not learned.
            if kind.contains('F') {
                stored.elements = stored.elements.saturating_add(elements);
            }
            let offset = |idx: usize| tensor["data_offsets"][idx].as_u64().unwrap_or(0);
            stored.bytes = stored.bytes.saturating_add(offset(1).saturating_sub(offset(0)));
        }
    }
    Ok(stored)
}

/// The header of a safetensors file: its length as u64, then JSON.
fn read_header(path: &Path) -> std::io::Result<serde_json::Map<String, Value>> {
    use std::io::Read;
    let mut file = std::fs::File::open(path)?;
    let mut len = [0; 8];
    file.read_exact(&mut len)?;
    let mut json = Vec::new();
    file.take(u64::from_le_bytes(len).min(MAX_HEADER_BYTES)).read_to_end(&mut json)?;
    Ok(serde_json::from_slice(&json)?)
}

/// The `license:` line in the front matter of a model card.
pub(crate) fn licence_of_card(directory: &Path) -> Option<String> {
    let card = std::fs::read_to_string(directory.join("README.md")).ok()?;
    let front = card.strip_prefix("---")?.split("\n---").next()?;
    let line = front.lines().find_map(|line| line.strip_prefix("license:"))?;
    Some(line.trim().trim_matches(['"', '\'']).to_string())
}

/// The name that a model goes by when nobody gave it one.
pub(crate) fn name_of(path: &Path) -> String {
    let name = if path.is_dir() { path.file_name() } else { path.file_stem() };
    name.map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// The first four bytes of a file, by which its format is known.
pub(crate) fn first_bytes(path: &Path) -> Result<[u8; 4], Error> {
    use std::io::Read;
    let mut begin = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut file| file.read(&mut begin));
    match read {
        Ok(_) => Ok(begin),
        Err(error) => Err(Error::Read { path: path.to_owned(), reason: error.to_string() }),
    }
}
