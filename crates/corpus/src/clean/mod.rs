//! Clean-up: what a text should look like before anybody judges it.
//!
//! - [`unicode`]: one form for what looks the same, nothing that no reader sees.
//! - [`boilerplate`]: lines that are not this document's own.

mod boilerplate;
mod unicode;

pub use boilerplate::{LineCounts, line_hashes, without_repeated_lines};
pub use unicode::clean;
