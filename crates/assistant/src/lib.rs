//! One turn of conversation: understand, look up, quote, choose, write; always with sources.
//!
//! An answer is made by the cheapest step that can make it, and says which one did ([`answer::Step`]):
//!
//! question ──[`question`]──▶ reading ──[`lookup`]──▶ counts, agendas, contact details, or
//! ──[`evidence`]──▶ ranked sentences ──[`score`]──▶ sure enough? ──[`quote`]──▶ words with sources; if not, and the
//! model is large enough to choose among sentences, those that it chose; else the nearest passages, said to be no sure
//! answer; and where not even they come near, an abstention that says what was searched.

pub mod answer;
mod chooser;
mod compose;
mod draft;
pub mod embedding;
pub mod error;
pub mod evaluation;
pub mod evidence;
pub mod history;
mod lookup;
pub mod question;
mod quote;
mod reckon;
pub mod score;
mod turn;
mod words;

pub use chooser::Choosing;
pub use error::Error;
pub use turn::{Assistant, Options};
