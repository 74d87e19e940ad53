//! One turn of conversation: understand, look up, quote, choose, write; always with sources.
//!
//! An answer is made by the cheapest step that can make it, and says which one did ([`answer::Step`]).

pub mod answer;
