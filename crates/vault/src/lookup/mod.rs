//! Typed look-ups: exact answers from the database for those who must not guess. No SQL leaves this crate.

pub mod events;
pub mod items;
pub mod mail;
pub mod people;
pub mod summary;
