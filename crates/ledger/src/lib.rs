//! What a training run cost: a journal that survives crashes, meters of energy, totals, the disclosure written from them.
//!
//! The journal is the only source. [`totals`] and [`disclosure`] read nothing else, so whoever has the journal can count
//! again and must arrive at the same numbers. Clocks are handed in.

mod error;
mod number;
mod sha256;

pub mod record;

pub mod journal;

pub mod energy;

pub mod history;

pub mod totals;

pub mod disclosure;

pub mod signature;

pub mod report;

pub mod release;

pub use error::Error;
pub use jiff::Timestamp;
