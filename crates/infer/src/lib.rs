//! From a model to tokens: engine, session, sampling, scoring, embedding; and the hub that finds weights.
//!
//! The boundary is two nouns. An [`Engine`] is a loaded model: it never changes and everybody shares it. A
//! [`Session`] is one timeline of tokens: callers hand in whole prompts, and only this crate knows that the
//! session remembers what it has read before. An [`Embedder`] turns sentences into vectors.
//!
//! ```no_run
//! # fn main() -> Result<(), infer::Error> {
//! use infer::{Cancel, Engine, GenerateOptions, Session};
//!
//! let engine = Engine::load("SmolLM2-135M-Instruct.gguf".as_ref(), 4)?;
//! let prompt = engine.encode_text("The capital of France is")?;
//! let mut session = Session::new(&engine);
//! let options = GenerateOptions { max_tokens: 8, ..GenerateOptions::default() };
//! let mut text = String::new();
//! session.generate(&prompt, &options, &Cancel::new(), &mut |piece| text.push_str(&piece.text))?;
//! # Ok(())
//! # }
//! ```

mod batch;
mod engine;
mod session;

mod answer;
mod companion;
mod draft;
mod form;
mod turn;

mod generation;
mod sampling;
mod scoring;
mod stop;

mod embedder;
mod revision;

mod inspect;
mod vocabulary;

pub mod bench;
pub mod export;
pub mod hub;

mod error;

pub use batch::{Batcher, Counters, Limits};
pub use embedder::{Embedder, Purpose};
pub use engine::Engine;
pub use error::Error;
pub use form::Form;
pub use generation::{
    Cancel, Finish, GenerateOptions, Generation, Guesses, Piece, Score, Timings, TokenLogprobs,
    Truncate,
};
pub use inspect::{Info, Memory, TokenizerInfo, inspect};
pub use model::decoder::Precision as DecoderPrecision;
pub use model::encoder::Precision;
pub use sampling::{Sampler, Sampling, uniform};
pub use scoring::{ScoredText, ScoringCounts, score_texts};
pub use session::Session;
pub use vocabulary::tokenizer;
