//! Attention of one sequence: out = softmax(mask(cap(scale · q kᵀ))) v, head by head.
//!
//! Shapes: q, out [n_queries, heads, head_dim]; k, v [n_keys, kv_heads, head_dim]; query head h reads key head
//! h / (heads / kv_heads). The softmax is computed online (arXiv 1805.02867): keys are taken in blocks, a running
//! maximum and sum are kept per query, and what was summed under a smaller maximum is scaled down when the maximum
//! grows. So nothing of size queries × keys is ever stored.
//!
//! Keys and values are f32 or half floats ([`Stored`]); sums are f32 either way.
//!
//! Two ways, as in `matmul`: `single` for one query at a time (decoding), `blocked` for many.

mod blocked;
mod single;

use half::f16;

use crate::lanes::Lanes;
use crate::pool::Pool;

/// How keys and values are stored. Only this crate's kernels read them; so the trait is sealed, and its methods may
/// speak of vectors that are private.
#[allow(private_bounds, private_interfaces)]
pub trait Stored: Copy + Send + Sync + sealed::Sealed {
    fn to_f32(self) -> f32;

    /// # Safety
    /// `from` points to `N` values.
    #[doc(hidden)]
    unsafe fn load<L: Lanes>(lanes: L, from: *const Self) -> L::F;

    /// The values themselves where they are f32.
    #[doc(hidden)]
    fn as_f32(values: &[Self]) -> Option<&[f32]>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for half::f16 {}
}

#[allow(private_bounds, private_interfaces)]
impl Stored for f32 {
    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }
    #[inline(always)]
    unsafe fn load<L: Lanes>(lanes: L, from: *const f32) -> L::F {
        // SAFETY: the caller's promise.
        unsafe { lanes.load(from) }
    }
    fn as_f32(values: &[f32]) -> Option<&[f32]> {
        Some(values)
    }
}

#[allow(private_bounds, private_interfaces)]
impl Stored for f16 {
    #[inline(always)]
    fn to_f32(self) -> f32 {
        f16::to_f32(self)
    }
    #[inline(always)]
    unsafe fn load<L: Lanes>(lanes: L, from: *const f16) -> L::F {
        // SAFETY: the caller's promise; an f16 is two bytes.
        unsafe { lanes.load_f16(from.cast()) }
    }
    fn as_f32(_: &[f16]) -> Option<&[f32]> {
        None
    }
}

/// Which keys a query sees.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mask {
    /// All of them (encoders).
    None,
    /// Query i stands at position `first + i` and sees keys up to its own position; with a window w only the last w
    /// of those, its own included.
    Causal { first: usize, window: Option<usize> },
}

impl Mask {
    /// The keys that query `query_idx` sees.
    pub(crate) fn keys(self, query_idx: usize, n_keys: usize) -> std::ops::Range<usize> {
        match self {
            Mask::None => 0..n_keys,
            Mask::Causal { first, window } => {
                let end = first + query_idx + 1;
                window.map_or(0, |w| end.saturating_sub(w))..end
            }
        }
    }
}

/// Sizes and rules of one call.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub n_queries: usize,
    pub n_keys: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    pub mask: Mask,
    /// Usually 1 / sqrt(head_dim).
    pub scale: f32,
    /// Scores become cap · tanh(score / cap), before the mask.
    pub soft_cap: Option<f32>,
}

/// From this many queries on, blocks of keys are rearranged for the register tile.
const BLOCKED_QUERIES: usize = 6;

/// Attention of one sequence; see the module for the formula. A query that sees no key gives zeros.
///
/// # Panics
/// When a slice has not the size that `shape` says, heads are no multiple of key heads, or a causal query stands
/// beyond the keys.
pub fn attend<E: Stored>(pool: &Pool, out: &mut [f32], q: &[f32], k: &[E], v: &[E], shape: &Shape) {
    let Shape { n_queries, n_keys, heads, kv_heads, head_dim, mask, .. } = *shape;
    assert!(
        q.len() == n_queries * heads * head_dim && out.len() == q.len(),
        "q [{}] and out [{}] are not of {shape:?}",
        q.len(),
        out.len()
    );
    assert!(
        k.len() == n_keys * kv_heads * head_dim && v.len() == k.len(),
        "k [{}] and v [{}] are not of {shape:?}",
        k.len(),
        v.len()
    );
    if q.is_empty() {
        return;
    }
    assert!(
        kv_heads > 0 && heads.is_multiple_of(kv_heads),
        "heads are no multiple of key heads: {shape:?}"
    );
    if let Mask::Causal { first, .. } = mask {
        assert!(first + n_queries <= n_keys, "a query stands beyond the keys: {shape:?}");
    }
    if n_queries < BLOCKED_QUERIES {
        single::attend(pool, out, q, k, v, shape);
    } else {
        blocked::attend(pool, out, q, k, v, shape);
    }
}
