//! A bidirectional transformer: a text's tokens in, one vector of length 1 out.
//!
//! ```text
//! x = norm(word[token] + position[i] + type[0])
//! per layer:  x = norm(x + attention(x·Wq, x·Wk, x·Wv)·Wo);  x = norm(x + gelu(x·Wup)·Wdown)
//! vector = mean over tokens, or the first token;  through a linear layer if the model has one;  to length 1
//! ```
//!
//! Texts of different lengths lie one after the other, never padded: everything but attention works on
//! tokens and does not care where a text ends. Texts are taken in groups of some hundred tokens: with
//! many groups each thread takes whole ones, with few all threads share each. The grouping
//! depends on the texts alone, so results have the same bits for any number of threads.

mod layer;
mod projection;

use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use kernels::norm::layer_norm;
use kernels::pool::Pool;

use crate::Error;
use crate::config::{EncoderConfig, Pooling};
use crate::gguf::Gguf;
use crate::names;
use crate::packed_encoder::{PackedEncoder, is_packed};
use crate::safetensors::{add_file, read_weights};
use crate::weights::linear::Linear;
use crate::weights::map::Map;
use crate::weights::{StoredMatrix, Weights};
use layer::{Layer, Norm, Scratch};

/// Tokens that go through the layers together: enough to use each weight many times once it is in
/// the processor's cache, few enough that their activations stay there too.
const GROUP_TOKENS: usize = 256;

/// Texts of up to so many tokens are always computed exactly: few tokens do not average the rounding of eight bits
/// away (one word of MiniLM: cosine 0.983, sentences: 0.996 and more), and they cost little.
const SHORT_TOKENS: usize = 8;

/// How the encoder's matrix products are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// In f32 from the weights as they are stored.
    Exact,
    /// In eight-bit integers from weights rounded when they are loaded: about twice as fast, at cosine 0.995 and
    /// more to the exact vectors. Texts of up to eight tokens stay exact.
    Int8,
}

/// Loaded weights of an encoder and how to run them.
#[derive(Debug)]
pub struct Encoder {
    config: EncoderConfig,
    precision: Precision,
    words: StoredMatrix,
    /// `[max_positions, hidden]`, with the vector of token type 0 added already.
    positions: Vec<f32>,
    embedding_norm: Norm,
    layers: Vec<Layer>,
    /// A linear layer after pooling.
    dense: Option<Linear>,
    /// Working memory of finished groups, for the next ones.
    spare: Mutex<Vec<Scratch>>,
}

impl Encoder {
    /// Loads an encoder for exact products; see [`Encoder::load_with`].
    pub fn load(path: &Path) -> Result<Self, Error> {
        Self::load_with(path, Precision::Exact)
    }

    /// Loads a Hugging Face or sentence-transformers directory, a GGUF file of architecture `bert`, or a packed
    /// multilingual-e5-small file.
    pub fn load_with(path: &Path, precision: Precision) -> Result<Self, Error> {
        if path.is_dir() {
            return Self::load_directory(path, precision);
        }
        let map = Map::open(path)?;
        if is_packed(map.bytes()) {
            let packed = PackedEncoder::open(path)?;
            return Self::new(packed.config, &packed.weights, None, precision);
        }
        let gguf = Gguf::read(map)?;
        if gguf.string("general.architecture")? != Some("bert") {
            let what = "as an encoder: its architecture is not bert";
            return Err(Error::unsupported(path, what, "use a sentence-embedding model here"));
        }
        let weights = Weights::from_gguf(&gguf)?;
        let rows = |name| weights.get(name).and_then(|tensor| tensor.shape.first().copied());
        let vocab = rows("token_embd.weight").unwrap_or(0);
        let n_token_types = rows("token_types.weight").unwrap_or(0);
        let config = EncoderConfig::from_gguf(&gguf, vocab, n_token_types)?;
        Self::new(config, &weights, None, precision)
    }

    fn load_directory(directory: &Path, precision: Precision) -> Result<Self, Error> {
        let (config, dense_directory) = EncoderConfig::from_directory(directory)?;
        let weights = read_weights(directory, names::encoder_from_hugging_face)?;
        let dense = match dense_directory {
            Some(directory) => Some(load_dense(&directory, config.hidden)?),
            None => None,
        };
        Self::new(config, &weights, dense, precision)
    }

    /// Puts an encoder together from its description, named tensors and an optional last linear layer.
    pub fn new(
        config: EncoderConfig,
        weights: &Weights,
        dense: Option<Linear>,
        precision: Precision,
    ) -> Result<Self, Error> {
        let hidden = config.hidden;
        let word_matrix = weights.matrix("token_embd.weight", config.vocab, hidden)?;
        let table = weights.matrix("position_embd.weight", config.max_positions, hidden)?;
        let types = weights.matrix("token_types.weight", config.n_token_types, hidden)?;
        let mut type_vector = vec![0.0; hidden];
        types.rows_view().dequantize_row(&mut type_vector, 0);
        let mut positions = vec![0.0; config.max_positions * hidden];
        for (idx, row) in positions.chunks_exact_mut(hidden).enumerate() {
            table.rows_view().dequantize_row(row, idx);
            row.iter_mut().zip(&type_vector).for_each(|(value, add)| *value += add);
        }
        let layers = (0..config.n_layers)
            .map(|layer_idx| Layer::new(&config, weights, layer_idx, precision))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            words: word_matrix,
            positions,
            embedding_norm: Norm::load(weights, "token_embd_norm", hidden)?,
            layers,
            dense,
            spare: Mutex::default(),
            precision,
            config,
        })
    }

    pub fn config(&self) -> &EncoderConfig {
        &self.config
    }

    /// Elements of a vector.
    pub fn dims(&self) -> usize {
        self.dense.as_ref().map_or(self.config.hidden, |dense| dense.matrix.rows)
    }

    /// One vector of length 1 per sequence of token ids (special tokens included by the caller).
    ///
    /// An empty sequence gives zeros.
    ///
    /// # Errors
    /// A token outside the vocabulary, or a sequence longer than the position table.
    pub fn embed(&self, pool: &Pool, sequences: &[Vec<u32>]) -> Result<Vec<Vec<f32>>, Error> {
        let (vocab, capacity) = (self.config.vocab, self.config.max_positions);
        for sequence in sequences {
            if sequence.len() > capacity {
                return Err(Error::Context { needed: sequence.len(), capacity });
            }
            if let Some(&token) = sequence.iter().find(|&&token| token as usize >= vocab) {
                return Err(Error::Token { token, vocab });
            }
        }
        // Exact texts first, then the others, each group of one kind; results go back to where they belong.
        let is_exact =
            |text: &[u32]| self.precision == Precision::Exact || text.len() <= SHORT_TOKENS;
        let mut order: Vec<usize> = (0..sequences.len()).collect();
        order.sort_by_key(|&idx| !is_exact(&sequences[idx]));
        let texts: Vec<&[u32]> = order.iter().map(|&idx| sequences[idx].as_slice()).collect();
        let (exact, others) = texts.split_at(texts.partition_point(|text| is_exact(text)));
        let groups: Vec<(Precision, &[&[u32]])> = group(exact)
            .into_iter()
            .map(|group| (Precision::Exact, group))
            .chain(group(others).into_iter().map(|group| (self.precision, group)))
            .collect();
        let results: Vec<OnceLock<Vec<Vec<f32>>>> =
            groups.iter().map(|_| OnceLock::new()).collect();
        let run = |group_idx: usize| {
            let (precision, texts) = groups[group_idx];
            // Each index is run once, so the cell is empty.
            results[group_idx].get_or_init(|| self.embed_group(pool, texts, precision));
        };
        // Inside a task of the pool the operations run on the task's own thread.
        if groups.len() >= pool.n_threads() {
            pool.run(groups.len(), run);
        } else {
            (0..groups.len()).for_each(run);
        }
        let mut vectors = vec![Vec::new(); sequences.len()];
        let in_order = results.into_iter().filter_map(OnceLock::into_inner).flatten();
        for (idx, vector) in order.into_iter().zip(in_order) {
            vectors[idx] = vector;
        }
        Ok(vectors)
    }

    fn embed_group(
        &self,
        pool: &Pool,
        sequences: &[&[u32]],
        precision: Precision,
    ) -> Vec<Vec<f32>> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut scratch = spare.unwrap_or_default();
        let n_tokens = sequences.iter().map(|text| text.len()).sum();
        scratch.resize(&self.config, n_tokens);
        self.look_up(pool, &mut scratch, sequences);
        let lengths: Vec<usize> = sequences.iter().map(|text| text.len()).collect();
        for layer in &self.layers {
            layer.run(pool, &self.config, &mut scratch, &lengths, precision);
        }
        let mut vectors = Vec::with_capacity(sequences.len());
        let mut start = 0;
        for length in lengths {
            let end = start + length * self.config.hidden;
            vectors.push(self.pool_tokens(pool, &scratch.x[start..end]));
            start = end;
        }
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
        vectors
    }

    /// The first norm over word, position and type vectors.
    fn look_up(&self, pool: &Pool, scratch: &mut Scratch, sequences: &[&[u32]]) {
        let hidden = self.config.hidden;
        let words = self.words.rows_view();
        let mut rows = scratch.update.chunks_exact_mut(hidden);
        for sequence in sequences {
            let positions = self.positions.chunks_exact(hidden);
            for ((&token, position), row) in sequence.iter().zip(positions).zip(&mut rows) {
                words.dequantize_row(row, token as usize);
                row.iter_mut().zip(position).for_each(|(value, add)| *value += add);
            }
        }
        let Norm { gain, bias } = &self.embedding_norm;
        layer_norm(pool, &mut scratch.x, &scratch.update, gain, bias, self.config.norm_eps);
    }

    /// Token vectors `[n, hidden]` of one text → its vector.
    fn pool_tokens(&self, pool: &Pool, x: &[f32]) -> Vec<f32> {
        let hidden = self.config.hidden;
        let mut vector = vec![0.0; hidden];
        if x.is_empty() {
            return vec![0.0; self.dims()];
        }
        match self.config.pooling {
            Pooling::Cls => vector.copy_from_slice(&x[..hidden]),
            Pooling::Mean => {
                for row in x.chunks_exact(hidden) {
                    vector.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
                }
                let n_tokens = (x.len() / hidden) as f32;
                vector.iter_mut().for_each(|sum| *sum /= n_tokens);
            }
        }
        if let Some(dense) = &self.dense {
            let mut projected = vec![0.0; self.dims()];
            dense.apply(pool, &mut projected, &vector);
            vector = projected;
        }
        let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        if length > 0.0 {
            vector.iter_mut().for_each(|value| *value /= length);
        }
        vector
    }
}

/// Cuts the texts, in order, into runs of at most [`GROUP_TOKENS`] tokens (or of one longer text).
fn group<'a, 'b>(sequences: &'a [&'b [u32]]) -> Vec<&'a [&'b [u32]]> {
    let mut groups = Vec::new();
    let mut start = 0;
    let mut n_tokens = 0;
    for (idx, sequence) in sequences.iter().enumerate() {
        if n_tokens + sequence.len() > GROUP_TOKENS && idx > start {
            groups.push(&sequences[start..idx]);
            (start, n_tokens) = (idx, 0);
        }
        n_tokens += sequence.len();
    }
    if start < sequences.len() {
        groups.push(&sequences[start..]);
    }
    groups
}

/// The linear layer in a module directory of sentence-transformers.
fn load_dense(directory: &Path, hidden: usize) -> Result<Linear, Error> {
    let path = directory.join("config.json");
    let json = crate::safetensors::read_json(&path)?;
    let activation = json["activation_function"].as_str().unwrap_or_default();
    if !activation.ends_with("Identity") {
        let what = format!("a dense module with the activation {activation}");
        return Err(Error::unsupported(&path, what, "dense modules without an activation run"));
    }
    let size = |key: &str| json[key].as_u64().and_then(|size| usize::try_from(size).ok());
    let (Some(cols), Some(rows)) = (size("in_features"), size("out_features")) else {
        return Err(Error::malformed(&path, "it lacks in_features or out_features"));
    };
    if cols != hidden || rows == 0 {
        let what = format!("a dense module of {cols} inputs follows vectors of {hidden}");
        return Err(Error::malformed(&path, what));
    }
    let mut weights = Weights::new(directory);
    let rename = |name: &str| name.strip_prefix("linear.").map(|rest| format!("dense.{rest}"));
    add_file(&mut weights, &directory.join("model.safetensors"), &rename)?;
    let biased = weights.contains("dense.bias");
    Linear::load(&weights, "dense", rows, cols, biased)
}
