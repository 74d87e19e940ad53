//! Shards to weights: the decoder with its gradients, optimisers, schedules, checkpoints, and the run that ties them;
//! and the evaluation of what came of it.

pub mod batch;
pub mod bench;
pub mod checkpoint;
pub mod collective;
pub mod config;
pub mod data;
pub mod describe;
pub mod dial;
pub mod error;
pub mod evaluation;
pub mod export;
pub mod import;
pub mod initial;
pub mod layout;
pub mod lora;
pub mod network;
pub mod optimise;
pub mod run;
pub mod schedule;
pub mod sweep;
pub mod tensorboard;

pub use error::Error;
pub use ledger::report;
