//! Text as data: tokenizers and chat templates, read from the files' own metadata.
//!
//! A model's file says how its text becomes numbers; this crate does exactly that, without knowing the
//! model or the file format. Two chapters:
//!
//! - [`tokenizer`]: text → token ids → text, for the four families in use (byte-level BPE, SentencePiece
//!   BPE, Unigram, WordPiece), built from a plain [`tokenizer::Vocabulary`] or from a `tokenizer.json`.
//! - [`chat`]: a conversation → the one text a chat model was trained on, by the Jinja template in the
//!   model's file. Templates are programs from outside and run on a ration of steps and output.

pub mod tokenizer;

pub mod chat;

pub mod clean;
pub mod config;
pub mod duplicates;
pub mod language;
pub mod quality;
pub mod read;

pub mod bpe;
pub mod shards;

mod error;

pub use error::Error;
