//! Operations over plain slices: matrix products over quantised weights, attention, norms. All SIMD lives here.
//!
//! The crate knows no model and no file. Arrays are row-major slices; a weight is stored `[out, in]`. Sums are
//! accumulated in f32. A wrong shape is a mistake of the caller and panics with the shapes in the message.
//!
//! How it is built: [`reference`] holds a naive version of each operation, which is the specification. The fast
//! versions are written once, generic over a small set of vector operations (`lanes`), and compiled for each
//! instruction set inside functions that enable it; [`isa::Isa`] is the proof that the machine has it. Work is
//! shared out by a [`pool::Pool`]; every output element is computed by exactly one task in a fixed order of
//! summation, so results have the same bits for any number of threads.

// SIMD intrinsics and pointers into caller-checked slices are what this crate is for; everything above it is safe.
#![allow(unsafe_code)]
// The layouts of weight files are little-endian and are read in place.
#[cfg(target_endian = "big")]
compile_error!(
    "kernels reads little-endian weight files in place and does not support big-endian targets"
);

pub mod format;
pub mod gemm;
pub mod int8;
pub mod matmul;
pub mod rounded;

pub mod attention;
pub mod norm;
pub mod rope;

pub mod causal;
pub mod embedding;
pub mod experts;
pub mod heads;
pub mod loss;
pub mod optimiser;
pub mod router;

pub mod activation;
pub mod softmax;

pub mod isa;
pub mod pool;
pub mod reference;

pub mod bench;

mod formats;
mod lanes;
mod maths;
mod reduce;
mod scratch;
#[cfg(target_arch = "x86_64")]
mod tiles;

#[cfg(test)]
mod tests;
