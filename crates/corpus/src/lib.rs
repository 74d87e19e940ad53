//! Text as data: tokenizers and chat templates as models' files define them, and the corpus that a model is trained on.
//!
//! It knows no network and no weights. Three chapters:
//!
//! - [`tokenizer`]: text → token ids → text, for the four families in use (byte-level BPE, SentencePiece BPE,
//!   Unigram, WordPiece), built from a plain [`tokenizer::Vocabulary`] or from a `tokenizer.json`.
//! - [`chat`]: a conversation → the one text a chat model was trained on, by the Jinja template in the model's file.
//!   Templates are programs from outside and run on a ration of steps and output.
//! - [`build`](mod@build): a description ([`config`]) → documents ([`read`]) → cleaned ([`clean`]), judged
//!   ([`language`], [`quality`], [`hazard`], [`decontaminate`]), masked ([`private`]), without copies
//!   ([`duplicates`]) → a tokenizer ([`bpe`]) → packed token [`shards`], which the trainer reads.

pub mod tokenizer;

pub mod chat;

pub mod build;
pub mod config;
pub mod read;

pub mod clean;
pub mod decontaminate;
pub mod duplicates;
pub mod hazard;
pub mod language;
pub mod private;
pub mod quality;

pub mod bpe;
pub mod shards;

mod error;

pub use error::Error;
