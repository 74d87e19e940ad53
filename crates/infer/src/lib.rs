//! From a model to tokens: engine, session, sampling, scoring, embedding; and the hub that finds weights.

pub mod hub;
