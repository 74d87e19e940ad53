//! Words of a text, as the published filters count them.
//!
//! `datatrove` takes words from spaCy's English tokenizer. What a chunk between white space becomes depends on the
//! chunk alone, and a text has few different chunks: [`Lexicon`] splits each once, numbers the words, and remembers
//! what the rules ask about them. From then on a word is a number.

pub(crate) mod chars;
mod exceptions;
mod lexicon;
mod split;
mod tables;

pub(crate) use lexicon::{Lexicon, Word, sentence_count};
