//! Every fast path against the reference, at random shapes, on every instruction set of this machine and on the
//! emulated 16-lane one.

mod elementwise;
mod gradients;
mod int8;
mod matmul;
mod products;
mod rounded;
mod sequence;

use crate::isa::Isa;
use crate::pool::Pool;

/// All paths that can run here.
fn every_isa() -> Vec<Isa> {
    let mut all = Isa::available();
    all.push(Isa::emulated_512());
    all
}

/// One pool per instruction set; two threads, so that sharing out is part of every test.
fn every_pool() -> Vec<Pool> {
    every_isa().into_iter().map(|isa| Pool::with_isa(2, isa)).collect()
}

/// Reproducible numbers (SplitMix64), so that a failing case needs nothing but its seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Between −1 and 1.
    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    fn values(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.unit()).collect()
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

#[track_caller]
fn assert_close(got: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (i, (a, b)) in got.iter().zip(expected).enumerate() {
        let allowed = tolerance * b.abs().max(1.0);
        assert!((a - b).abs() <= allowed, "{what}: element {i} is {a}, expected {b} ± {allowed}");
    }
}
