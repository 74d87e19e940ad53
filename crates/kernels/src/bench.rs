//! How fast the kernels run on this machine, beside how fast anything could.
//!
//! [`peaks`] measures the three roofs of a machine: multiply-adds in f32, products of bytes, and reading memory.
//! [`run`] measures each kernel at sizes that occur in models, after checking its answer against the reference, and
//! states the share of the roof that bounds it. A time is the best of many runs: the least disturbed one.

mod cases;
mod peak;

use std::fmt;
use std::time::{Duration, Instant};

use crate::pool::Pool;

/// What bounds a kernel, measured with all threads of a pool.
#[derive(Clone, Copy, Debug)]
pub struct Peaks {
    /// f32 multiply-adds of vectors, counted as two operations, in 10⁹ per second. Products of f32 by tiles of bf16 may
    /// exceed it.
    pub f32_gflops: f64,
    /// Products of bytes and their sums, of vectors or of tiles, counted as two operations, in 10⁹ per second.
    pub int8_gops: f64,
    /// Reading memory beyond the caches, in 10⁹ bytes per second.
    pub read_gb_s: f64,
}

/// One kernel at one size.
#[derive(Clone, Debug)]
pub struct Measurement {
    pub name: String,
    /// Sizes in words, for example `[512] × 1536 × 576`.
    pub size: String,
    pub value: f64,
    /// `GFLOP/s`, `GOP/s`, `GB/s` or `10⁹ values/s`.
    pub unit: &'static str,
    /// Share of the roof that bounds this kernel; none where that is a cache.
    pub share_of_peak: Option<f64>,
}

/// A kernel whose answer was not the reference's; nothing was measured.
#[derive(Clone, Debug)]
pub struct Mismatch {
    pub name: String,
    pub size: String,
    pub got: f32,
    pub expected: f32,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, size, got, expected } = self;
        write!(f, "{name} {size} computes {got} where the reference has {expected}")
    }
}

impl std::error::Error for Mismatch {}

/// Weights larger than the caches, about what a small model reads per token.
const DECODE_BYTES: usize = 96 << 20;

/// The first of the roofs alone: f32 multiply-adds in 10⁹ operations per second.
pub fn f32_peak(pool: &Pool, effort: Duration) -> f64 {
    peak::f32_gflops(pool, effort)
}

/// Measures the roofs, each for about `effort`.
pub fn peaks(pool: &Pool, effort: Duration) -> Peaks {
    peak::measure(pool, effort)
}

/// Checks and measures every kernel, each for about `effort`; `progress` sees each result as it comes.
///
/// # Errors
/// At the first kernel whose answer differs from the reference's.
pub fn run(
    pool: &Pool,
    peaks: &Peaks,
    effort: Duration,
    progress: &mut dyn FnMut(&Measurement),
) -> Result<Vec<Measurement>, Mismatch> {
    let mut results = Vec::new();
    cases::all(pool, peaks, effort, DECODE_BYTES, &mut |measurement| {
        progress(&measurement);
        results.push(measurement);
    })?;
    Ok(results)
}

/// Seconds of the best of as many runs as `effort` allows, at least three.
fn best_seconds(effort: Duration, mut work: impl FnMut()) -> f64 {
    let start = Instant::now();
    let (mut best, mut n_runs) = (f64::INFINITY, 0);
    while n_runs < 3 || start.elapsed() < effort {
        let begin = Instant::now();
        work();
        best = best.min(begin.elapsed().as_secs_f64());
        n_runs += 1;
    }
    best
}
