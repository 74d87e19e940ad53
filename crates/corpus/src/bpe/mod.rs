//! Byte-level BPE, trained: from text to a `tokenizer.json` that other programs load.
//!
//! - [`count`]: text → how often each word occurs. Words are cut by exactly the rule of Qwen 2 and 3, so that our
//!   models can be written in that family's format.
//! - [`train`]: word counts → merge rules, the same ones as Hugging Face's trainer finds.
//! - [`export`]: merge rules → `tokenizer.json` and `tokenizer_config.json` with special tokens and chat template.

mod count;
mod export;
mod train;

pub use count::WordCounts;
pub use export::{CHAT_TEMPLATE, END_OF_TEXT, SPECIAL_TOKENS, SpecialToken, TURN_END, TURN_START};
pub use train::{Trained, train};

/// Smallest vocabulary: every byte and every special token has an id.
pub const MIN_VOCAB_SIZE: usize = 256 + SPECIAL_TOKENS.len();
