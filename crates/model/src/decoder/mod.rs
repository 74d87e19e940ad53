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
//! A pass may read several texts together (`parts`). A prompt is taken in chunks, so that working memory does not
//! grow with it; that memory is kept for the next pass. Weights are read where they lie in the file, or, for fast
//! products, from an arranged copy ([`Decoder::interleaved`]). Nothing that a pass depends on ever changes in the decoder,
//! so any number of caches can share it.

mod attention;
mod cache;
mod experts;
mod feed_forward;
mod layer;
mod norm;
mod parts;
mod scratch;

use std::ops::Range;
use std::path::Path;

use kernels::pool::Pool;
use kernels::rope::Rotation;

use crate::Error;
use crate::config::{DecoderConfig, Rotary};
use crate::gguf::Gguf;
use crate::memory::{self, Demand};
use crate::names;
use crate::safetensors::{read_json, read_weights};
use crate::weights::interleave::interleave;
pub use crate::weights::linear::Precision;
use crate::weights::linear::multiply_all;
use crate::weights::split::QkvOrder;
use crate::weights::{StoredMatrix, Weights};
pub use cache::{KvCache, PAGE_TOKENS, Page};
use layer::Layer;
use norm::Norm;
pub use parts::Part;
use parts::Segment;
use scratch::{Idle, Scratch};

/// Tokens of a prompt that go through the layers together. Long enough that a weight, once
/// dequantised, is used many times; short enough that activations stay in the processor's cache.
const CHUNK_TOKENS: usize = 512;

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
    demand: Demand,
    /// Whether the weights are more than memory holds.
    is_streamed: bool,
    /// Whether weights lie as fast products read them.
    is_arranged: bool,
    precision: Precision,
    idle: Idle,
}

impl Decoder {
    /// Loads a GGUF file or a Hugging Face directory for exact products; see [`Decoder::load_with`].
    pub fn load(path: &Path) -> Result<Self, Error> {
        Self::load_with(path, Precision::Exact)
    }

    /// Loads a GGUF file or a Hugging Face directory.
    pub fn load_with(path: &Path, precision: Precision) -> Result<Self, Error> {
        let (config, weights) = read(path)?;
        let decoder = Self::new(config, &weights)?.with_precision(precision);
        Ok(decoder.within(memory::available()))
    }

    /// The same decoder on a machine with `available` bytes for it. Where the weights are more, those that every token
    /// reads are asked for now, and experts as soon as a token has chosen them; the system keeps what is used often.
    /// Nothing else changes.
    pub fn within(mut self, available: Option<u64>) -> Self {
        self.is_streamed = !self.demand.fits(available);
        for layer in &mut self.layers {
            layer.stream_experts(self.is_streamed);
        }
        let shared = self.demand.weight_bytes - self.demand.expert_bytes;
        if self.is_streamed && available.is_some_and(|available| shared < available) {
            self.layers.iter().for_each(Layer::will_need_shared);
            self.head.as_ref().unwrap_or(&self.embedding).will_need();
        }
        self
    }

    /// The same decoder with its weights arranged for the products of `pool`'s instruction set, where they are fast ones
    /// and the weights fit into memory twice. Every number stays what it was.
    pub fn interleaved(mut self, pool: &Pool) -> Self {
        if self.precision == Precision::Fast && !self.is_streamed {
            let mut matrices: Vec<&mut StoredMatrix> =
                self.layers.iter_mut().flat_map(Layer::matrices_mut).collect();
            matrices.push(self.head.as_mut().unwrap_or(&mut self.embedding));
            self.is_arranged |= interleave(pool, matrices, memory::available());
        }
        self
    }

    /// The same decoder computing in another precision; the weights stay what they are.
    ///
    /// # Panics
    /// When weights that were arranged for fast products ([`Decoder::interleaved`]) are to be multiplied exactly.
    pub fn with_precision(self, precision: Precision) -> Self {
        assert!(
            precision == Precision::Fast || !self.is_arranged,
            "arranged weights are multiplied in integers only"
        );
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
            demand: Demand::of(&config, weights),
            is_streamed: false,
            is_arranged: false,
            precision: Precision::Exact,
            idle: Idle::default(),
            config,
        })
    }

    pub fn config(&self) -> &DecoderConfig {
        &self.config
    }

    /// Size of the weights as stored in the file.
    pub fn weight_bytes(&self) -> usize {
        self.demand.weight_bytes as usize
    }

    /// What the weights ask of memory.
    pub fn demand(&self) -> Demand {
        self.demand
    }

    /// Whether the weights were more than the memory that was available when the decoder was loaded.
    pub fn is_streamed(&self) -> bool {
        self.is_streamed
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
        let part = Part { cache, tokens: tokens.into(), want };
        self.forward_parts(pool, &mut [part], logits)
    }

    /// Takes the residual stream of a pass through all layers.
    fn run_layers(&self, pool: &Pool, scratch: &mut Scratch, segments: &mut [Segment<'_>]) {
        let positions = &scratch.positions;
        let rotate = |frequencies, rotary: &Rotary| {
            Rotation::scaled(positions, frequencies, rotary.magnitude())
        };
        let rotation = rotate(&self.inverse_frequencies, &self.config.rotary);
        let local = rotate(&self.local_inverse_frequencies, &self.config.local_rotary);
        for layer in &self.layers {
            let rotation = if layer.is_local() { &local } else { &rotation };
            layer.run(pool, &self.config, scratch, segments, rotation);
        }
    }

    /// Logits of the wanted rows of the residual stream, at the beginning of `logits`; what is left of it.
    fn run_head<'l>(
        &self,
        pool: &Pool,
        scratch: &mut Scratch,
        wanted: &[Range<usize>],
        logits: &'l mut [f32],
    ) -> &'l mut [f32] {
        let (hidden, vocab) = (self.config.hidden, self.config.vocab);
        let n_rows: usize = wanted.iter().map(Range::len).sum();
        let (logits, left) = logits.split_at_mut(n_rows * vocab);
        if n_rows == 0 {
            return left;
        }
        // The rows move together at the front; their layers are done.
        let mut row = 0;
        for rows in wanted {
            scratch.x.copy_within(rows.start * hidden..rows.end * hidden, row * hidden);
            row += rows.len();
        }
        scratch.normed.values.resize(n_rows * hidden, 0.0);
        self.output_norm.apply(pool, &mut scratch.normed.values, &scratch.x[..n_rows * hidden]);
        scratch.normed.refresh(pool, hidden, self.precision);
        let head = self.head.as_ref().unwrap_or(&self.embedding).view();
        multiply_all(pool, std::iter::once((head, &mut *logits)), &scratch.normed);
        if let Some(cap) = self.config.logit_soft_cap {
            kernels::activation::soft_cap(pool, logits, cap);
        }
        left
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
        read_gguf(&Gguf::open(path)?)
    }
}

/// The same of a GGUF file that is open already.
///
/// # Errors
/// As [`read`].
pub fn read_gguf(gguf: &Gguf) -> Result<(DecoderConfig, Weights), Error> {
    let mut weights = Weights::from_gguf(gguf)?;
    let config = DecoderConfig::from_gguf(gguf, &weights)?;
    weights.split(&config, QkvOrder::Parts)?;
    Ok((config, weights))
}
