//! Shards to weights: the decoder with its gradients, optimisers, schedules, checkpoints, and the run that ties them.

pub mod checkpoint;

pub mod report;

pub mod tensorboard;
