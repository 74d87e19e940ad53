//! The owner's mail, calendar, contacts, notes and documents: read, indexed, searched. Talks to no model.
//!
//! Files on disk ──[`read`]──▶ [`item::Item`]s ──store──▶ one SQLite database ──search──▶ passages with their place.
//! Vectors come through the [`embed::Embed`] trait that the caller hands in; without one, everything but
//! similarity by meaning still works.

pub mod embed;
pub mod error;
pub mod export;
mod index;
pub mod item;
pub mod lookup;
pub mod read;
pub mod search;
pub mod status;
pub mod store;
pub mod text;
pub mod when;

#[cfg(test)]
mod testing;
