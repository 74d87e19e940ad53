//! Words and passages: how text is folded into index terms and cut into chunks. Pure functions, no database.

pub mod chunks;
pub mod header;
pub mod words;
