//! Shards to weights: the decoder with its gradients, optimisers, schedules, checkpoints, and the run that ties them.

pub mod batch;
pub mod bench;
pub mod checkpoint;
pub mod describe;
pub mod error;
pub mod import;
pub mod initial;
pub mod layout;
pub mod network;
pub mod report;
pub mod tensorboard;

pub use error::Error;
