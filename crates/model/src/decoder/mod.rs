//! A causal transformer: tokens in, logits out, remembering what it has seen in a [`KvCache`].
//!
//! One code path for all families; the configuration says what each layer does:
//!
//! ```text
//! x = embedding[token] · embedding_scale
//! per layer:  h = norm(x);  q, k, v = h·Wq, h·Wk, h·Wv (+ biases);  q, k = normed (if qk_norm)
//!             rotate q, k;  append k, v to the cache;  a = attention(q, cache)·Wo
//!             x += norm?(a);  h = norm(x);  x += norm?((act(h·Wgate) ∘ h·Wup)·Wdown)
//! logits = norm(x)·Whead, soft-capped if configured
//! ```
//!
//! The last product of a layer may be one of a mixture of experts (`experts`), may lack its gate, and may read
//! the same h as attention (`layer`).
//!
//! A prompt is taken in chunks, so that working memory does not grow with it. All working memory lives
//! in the cache and is reused: a step of one token allocates nothing. Weights are read where they
//! lie in the file. The decoder itself never changes, so any number of caches can share it.

mod attention;
mod cache;
mod experts;
mod feed_forward;
mod layer;
mod norm;

use std::path::Path;

use kernels::pool::Pool;
use kernels::rope::Rotation;

use crate::Error;
use crate::config::{DecoderConfig, Rotary};
use crate::gguf::Gguf;
use crate::names;
use crate::safetensors::{read_json, read_weights};
pub use crate::weights::linear::Precision;
use crate::weights::linear::multiply_all;
use crate::weights::split::QkvOrder;
use crate::weights::{StoredMatrix, Weights};
use attention::Remembered;
pub use cache::KvCache;
use cache::Scratch;
use layer::Layer;
use norm::Norm;

/// Tokens of a prompt that go through the layers together. Long enough that a weight, once
/// dequantised, is used many times; short enough that activations stay in the processor's cache.
const CHUNK_TOKENS: usize = 256;

/// Which positions of the given tokens to return logits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// The last one.
    Last,
    /// Every one.
    All,
    /// None: the tokens are only remembered.
    None,
}

/// Loaded weights and how to run them.
#[derive(Debug)]
pub struct Decoder {
    config: DecoderConfig,
    embedding: StoredMatrix,
    layers: Vec<Layer>,
    output_norm: Norm,
    /// `None` where the embedding serves as the head.
    head: Option<StoredMatrix>,
    inverse_frequencies: Vec<f32>,
    local_inverse_frequencies: Vec<f32>,
    weight_bytes: usize,
    precision: Precision,
}

impl Decoder {
    /// Loads a GGUF file or a Hugging Face directory for exact products; see [`Decoder::load_with`].
    pub fn load(path: &Path) -> Result<Self, Error> {
        Self::load_with(path, Precision::Exact)
    }

    /// Loads a GGUF file or a Hugging Face directory.
    pub fn load_with(path: &Path, precision: Precision) -> Result<Self, Error> {
        let (config, weights) = read(path)?;
        Ok(Self::new(config, &weights)?.with_precision(precision))
    }

    /// The same decoder computing in another precision; the weights stay what they are.
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// Puts a decoder together from its description and named tensors.
    pub fn new(config: DecoderConfig, weights: &Weights) -> Result<Self, Error> {
        let (vocab, hidden) = (config.vocab, config.hidden);
        let layers = (0..config.n_layers())
            .map(|layer_idx| Layer::new(&config, weights, layer_idx))
            .collect::<Result<_, _>>()?;
        let head = match config.tied_head {
            true => None,
            false => Some(weights.matrix("output.weight", vocab, hidden)?),
        };
        Ok(Self {
            embedding: weights.matrix("token_embd.weight", vocab, hidden)?,
            layers,
            output_norm: Norm::load(&config, weights, "output_norm")?,
            head,
            inverse_frequencies: config.rotary.inverse_frequencies(),
            local_inverse_frequencies: config.local_rotary.inverse_frequencies(),
            weight_bytes: weights.bytes(),
            precision: Precision::Exact,
            config,
        })
    }

    pub fn config(&self) -> &DecoderConfig {
        &self.config
    }

    /// Size of the weights as stored in the file.
    pub fn weight_bytes(&self) -> usize {
        self.weight_bytes
    }

    /// Appends `tokens` to what `cache` remembers and returns logits `[rows, vocab]` for the wanted rows.
    ///
    /// # Errors
    /// A token outside the vocabulary, more tokens than the cache has room for, or no memory. The cache is
    /// unchanged then.
    ///
    /// # Panics
    /// If `cache` was made for another configuration.
    pub fn forward(
        &self,
        pool: &Pool,
        cache: &mut KvCache,
        tokens: &[u32],
        want: Rows,
    ) -> Result<Vec<f32>, Error> {
        let mut logits = Vec::new();
        self.forward_into(pool, cache, tokens, want, &mut logits)?;
        Ok(logits)
    }

    /// The same into a buffer that the caller keeps; what was in it is replaced.
    pub fn forward_into(
        &self,
        pool: &Pool,
        cache: &mut KvCache,
        tokens: &[u32],
        want: Rows,
        logits: &mut Vec<f32>,
    ) -> Result<(), Error> {
        let vocab = self.config.vocab;
        if let Some(&token) = tokens.iter().find(|&&token| token as usize >= vocab) {
            return Err(Error::Token { token, vocab });
        }
        cache.reserve(&self.config, tokens.len())?;
        let n_rows = match want {
            Rows::All => tokens.len(),
            Rows::Last => tokens.len().min(1),
            Rows::None => 0,
        };
        logits.clear();
        // A product of two checked sizes may still be more than this machine has.
        let bytes = n_rows.saturating_mul(vocab).saturating_mul(size_of::<f32>());
        logits
            .try_reserve_exact(n_rows.saturating_mul(vocab))
            .map_err(|_| Error::Memory { what: "logits", bytes })?;
        let mut n_left = tokens.len();
        for chunk in tokens.chunks(CHUNK_TOKENS) {
            self.run_layers(pool, cache, chunk);
            n_left -= chunk.len();
            let n_wanted = match want {
                Rows::All => chunk.len(),
                Rows::Last if n_left == 0 => 1,
                _ => 0,
            };
            self.run_head(pool, &mut cache.scratch, n_wanted, logits);
        }
        Ok(())
    }

    /// Takes a chunk through all layers; leaves the residual stream in the scratch.
    fn run_layers(&self, pool: &Pool, cache: &mut KvCache, tokens: &[u32]) {
        let config = &self.config;
        let first = cache.len();
        cache.scratch.resize(config, first, tokens.len());
        cache.scratch.precision = self.precision;
        let embedding = self.embedding.view();
        let rows = cache.scratch.x.chunks_exact_mut(config.hidden);
        for (row, &token) in rows.zip(tokens) {
            embedding.dequantize_row(row, token as usize);
            if config.embedding_scale != 1.0 {
                row.iter_mut().for_each(|value| *value *= config.embedding_scale);
            }
        }
        let positions = &cache.scratch.positions;
        let rotate = |frequencies, rotary: &Rotary| {
            Rotation::scaled(positions, frequencies, rotary.magnitude())
        };
        let rotation = rotate(&self.inverse_frequencies, &config.rotary);
        let local = rotate(&self.local_inverse_frequencies, &config.local_rotary);
        for (layer_idx, layer) in self.layers.iter().enumerate() {
            let rotation = if layer.is_local() { &local } else { &rotation };
            let (keys, values, scratch) = cache.layer(layer_idx, tokens.len());
            let remembered = Remembered { keys, values, first };
            layer.run(pool, config, scratch, remembered, rotation);
        }
        cache.advance(tokens.len());
    }

    /// Logits of the last `n_rows` rows of the chunk, appended to `logits`.
    fn run_head(&self, pool: &Pool, scratch: &mut Scratch, n_rows: usize, logits: &mut Vec<f32>) {
        if n_rows == 0 {
            return;
        }
        let config = &self.config;
        let x = &scratch.x[scratch.x.len() - n_rows * config.hidden..];
        scratch.normed.values.resize(n_rows * config.hidden, 0.0);
        self.output_norm.apply(pool, &mut scratch.normed.values, x);
        scratch.normed.refresh(pool, config.hidden, self.precision);
        let start = logits.len();
        logits.resize(start + n_rows * config.vocab, 0.0);
        let head = self.head.as_ref().unwrap_or(&self.embedding).view();
        multiply_all(pool, std::iter::once((head, &mut logits[start..])), &scratch.normed);
        if let Some(cap) = config.logit_soft_cap {
            kernels::activation::soft_cap(pool, &mut logits[start..], cap);
        }
    }
}

/// The description and the tensors of the decoder at `path`: a GGUF file or a Hugging Face directory.
pub fn read(path: &Path) -> Result<(DecoderConfig, Weights), Error> {
    if path.is_dir() {
        let config_path = path.join("config.json");
        let config = DecoderConfig::from_hugging_face(&read_json(&config_path)?, &config_path)?;
        let post_norms = config.post_norms;
        let mut weights =
            read_weights(path, |name| names::decoder_from_hugging_face(name, post_norms))?;
        weights.split(&config, QkvOrder::Groups)?;
        Ok((config, weights))
    } else {
        let gguf = Gguf::open(path)?;
        let mut weights = Weights::from_gguf(&gguf)?;
        let config = DecoderConfig::from_gguf(&gguf, &weights)?;
        weights.split(&config, QkvOrder::Parts)?;
        Ok((config, weights))
    }
}
