//! The one place where workers of a run meet. Today a run is one process; message passing comes behind this trait.
//!
//! Everything that depends on the whole batch passes through it: gradients, losses, loads of experts. Which sequences
//! a worker reads follows from its rank and the step alone (see [`crate::data`]).

/// Sums over all workers. Results have the same bits on every worker.
pub trait Collective: Send {
    /// This worker's number, from 0.
    fn rank(&self) -> usize;
    /// How many workers there are.
    fn size(&self) -> usize;
    /// values = Σ over workers.
    fn sum_f32(&mut self, values: &mut [f32]);
    /// values = Σ over workers.
    fn sum_f64(&mut self, values: &mut [f64]);
    /// values = Σ over workers.
    fn sum_u64(&mut self, values: &mut [u64]);
}

/// A run of one worker.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

impl Collective for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn sum_f32(&mut self, _: &mut [f32]) {}

    fn sum_f64(&mut self, _: &mut [f64]) {}

    fn sum_u64(&mut self, _: &mut [u64]) {}
}
