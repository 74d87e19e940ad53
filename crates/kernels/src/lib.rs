//! Operations over plain slices: matrix products over quantised weights, attention, norms. All SIMD lives here.
