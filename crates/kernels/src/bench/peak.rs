//! The roofs of a machine, each by the simplest loop that reaches it.

use std::hint::black_box;
use std::time::Duration;

use super::{Peaks, best_seconds};
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::pool::Pool;
use crate::scratch::SharedMut;

/// Independent sums: enough to cover the latency of two multipliers, few enough for sixteen registers.
const SUMS: usize = 12;
const STEPS: usize = 100_000;
/// Several times the last-level cache of most machines.
const MEMORY_BYTES: usize = 256 << 20;

/// 10⁹ operations per second.
pub(super) fn f32_gflops(pool: &Pool, effort: Duration) -> f64 {
    let n_threads = pool.n_threads();
    let operations = (n_threads * STEPS * SUMS * 2 * pool.isa().lanes()) as f64;
    let seconds = best_seconds(effort, || {
        pool.run(n_threads, |_| {
            black_box(pool.isa().dispatch(MultiplyAdd { factor: black_box(0.999) }));
        });
    });
    operations / seconds / 1e9
}

pub(super) fn measure(pool: &Pool, effort: Duration) -> Peaks {
    let n_threads = pool.n_threads();
    let operations = (n_threads * STEPS * SUMS * 2 * pool.isa().lanes()) as f64;
    let byte_operations = best_seconds(effort, || {
        pool.run(n_threads, |_| {
            black_box(pool.isa().dispatch_bytes(Bytes { factor: black_box(0x0101_0101) }));
        });
    });
    let by_vectors = 4.0 * operations / byte_operations / 1e9;
    Peaks {
        f32_gflops: f32_gflops(pool, effort),
        int8_gops: by_vectors.max(tile_gops(pool, effort)),
        read_gb_s: read_bandwidth(pool, effort),
    }
}

/// Products of bytes by tiles; 0 where there are none.
#[cfg(target_arch = "x86_64")]
fn tile_gops(pool: &Pool, effort: Duration) -> f64 {
    use crate::tiles::{OPERATIONS, multiply_bytes};
    let Some(tiles) = pool.isa().tiles() else { return 0.0 };
    let n_threads = pool.n_threads();
    let seconds = best_seconds(effort, || {
        pool.run(n_threads, |_| multiply_bytes(tiles, STEPS));
    });
    (n_threads * STEPS * OPERATIONS) as f64 / seconds / 1e9
}

#[cfg(not(target_arch = "x86_64"))]
fn tile_gops(_: &Pool, _: Duration) -> f64 {
    0.0
}

struct MultiplyAdd {
    factor: f32,
}

impl Kernel for MultiplyAdd {
    type Output = f32;

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> f32 {
        let factor = lanes.splat(self.factor);
        let mut sums = [lanes.splat(1.0); SUMS];
        for _ in 0..STEPS {
            for sum in &mut sums {
                *sum = lanes.fma(*sum, factor, factor);
            }
        }
        sums.into_iter().map(|sum| lanes.sum(sum)).sum()
    }
}

struct Bytes {
    factor: i32,
}

impl Kernel for Bytes {
    type Output = f32;

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> f32 {
        let factor = lanes.splat_int(self.factor);
        let mut sums = [factor; SUMS];
        for _ in 0..STEPS {
            for sum in &mut sums {
                // The sum is an operand of its own product, or the product would be computed once for all steps.
                *sum = lanes.dot_bytes(*sum, *sum, factor);
            }
        }
        sums.into_iter().map(|sum| lanes.sum(lanes.to_float(sum))).sum()
    }
}

fn read_bandwidth(pool: &Pool, effort: Duration) -> f64 {
    let memory = vec![1.0f32; MEMORY_BYTES / 4];
    let n_tasks = 8 * pool.n_threads();
    let task_len = memory.len() / n_tasks;
    let mut sums = vec![0.0f32; n_tasks];
    let results = SharedMut::new(&mut sums);
    let seconds = best_seconds(effort, || {
        pool.run(n_tasks, |task_idx| {
            let part = &memory[task_idx * task_len..(task_idx + 1) * task_len];
            // SAFETY: each task has its own result.
            unsafe { results.part(task_idx, 1)[0] = pool.isa().dispatch(Read { values: part }) };
        });
    });
    black_box(sums);
    (task_len * n_tasks * 4) as f64 / seconds / 1e9
}

/// Reads a part in several places side by side, which is faster than one after the other: the machine fetches ahead
/// within pages, and so in several at once.
struct Read<'a> {
    values: &'a [f32],
}

impl Kernel for Read<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> f32 {
        const PLACES: usize = 8;
        /// A cache line, and an odd number of them between places: else all would share the same few lines.
        const LINE: usize = 16;
        let len = (self.values.len() / PLACES / LINE).saturating_sub(1) / 2 * 2 * LINE + LINE;
        assert!(PLACES * len <= self.values.len());
        let mut sums = [lanes.splat(0.0); PLACES];
        for at in (0..len).step_by(L::N) {
            for (place, sum) in sums.iter_mut().enumerate() {
                // SAFETY: a place has `len` values, a whole number of vectors.
                let v = unsafe { lanes.load(self.values.as_ptr().add(place * len + at)) };
                *sum = lanes.add(*sum, v);
            }
        }
        sums.into_iter().map(|sum| lanes.sum(sum)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_roof_is_a_positive_rate() {
        let peaks = measure(&Pool::new(2), Duration::ZERO);
        for rate in [peaks.f32_gflops, peaks.int8_gops, peaks.read_gb_s] {
            assert!(rate > 0.0 && rate.is_finite());
        }
    }
}
