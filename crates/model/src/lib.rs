//! Configuration, layers, decoder and encoder, and the weight files they come from.
//!
//! A weight file ([`gguf`], [`safetensors`], [`packed_encoder`]) becomes named tensors over a memory
//! map ([`weights`]) and a plain description ([`config`]). One [`decoder`] runs every causal family and
//! one [`encoder`] every BERT-like one; which norms, rotations and windows they use is said by the
//! configuration, never by the name of an architecture. [`cost`] counts parameters and FLOPs from
//! the same configuration, and [`memory`] says whether the weights fit into this machine's. The way back, from named tensors to files that other programs load, is
//! [`export`], with [`quantise`] choosing the numbers of quantised blocks.

pub mod config;
pub mod cost;
pub mod decoder;
pub mod encoder;
pub mod error;
pub mod export;
pub mod gguf;
pub mod memory;
pub mod names;
pub mod packed_encoder;
pub mod quantise;
pub mod safetensors;
pub mod weights;

pub use error::Error;
