//! Attention of one sequence: out = softmax(mask(cap(scale · q kᵀ))) v, head by head.
//!
//! Shapes: q, out [n_queries, heads, head_dim]; n_keys keys and values of [kv_heads, head_dim] in [`Block`]s of 64; query
//! head h reads key head h / (heads / kv_heads). The softmax is computed online (arXiv 1805.02867): keys are taken in blocks, a running
//! maximum and sum are kept per query, and what was summed under a smaller maximum is scaled down when the maximum
//! grows. So nothing of size queries × keys is ever stored.
//!
//! Keys and values are f32 or half floats ([`Stored`]); sums are f32 either way.
//!
//! Two ways, as in `matmul`: `single` for one query at a time (decoding), `blocked` for many. Both give the same bits,
//! whatever other queries there are: a score is a sum over values in turn; a block of keys begins at a multiple of
//! `KEY_BLOCK` and has its own maximum and sum; blocks are joined in turn ([`join`]).

mod blocked;
mod keys;
mod single;

use half::f16;
use half::slice::HalfFloatSliceExt;

pub use keys::{BlockMut, Keys, put};

use crate::lanes::Lanes;
use crate::maths;
use crate::pool::Pool;
use crate::reduce::highest;

/// How keys and values are stored. Only this crate's kernels read them; so the trait is sealed, and its methods may
/// speak of vectors that are private.
#[allow(private_bounds, private_interfaces)]
pub trait Stored: Copy + Send + Sync + sealed::Sealed {
    #[doc(hidden)]
    const ZERO: Self;

    /// # Safety
    /// `from` points to `N` values.
    #[doc(hidden)]
    unsafe fn load<L: Lanes>(lanes: L, from: *const Self) -> L::F;

    /// Rounds to nearest; both of the same length.
    #[doc(hidden)]
    fn convert(to: &mut [Self], from: &[f32]);
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for half::f16 {}
}

#[allow(private_bounds, private_interfaces)]
impl Stored for f32 {
    const ZERO: f32 = 0.0;

    #[inline(always)]
    unsafe fn load<L: Lanes>(lanes: L, from: *const f32) -> L::F {
        // SAFETY: the caller's promise.
        unsafe { lanes.load(from) }
    }
    fn convert(to: &mut [f32], from: &[f32]) {
        to.copy_from_slice(from);
    }
}

#[allow(private_bounds, private_interfaces)]
impl Stored for f16 {
    const ZERO: f16 = f16::ZERO;

    #[inline(always)]
    unsafe fn load<L: Lanes>(lanes: L, from: *const f16) -> L::F {
        // SAFETY: the caller's promise; an f16 is two bytes.
        unsafe { lanes.load_f16(from.cast()) }
    }
    fn convert(to: &mut [f16], from: &[f32]) {
        to.convert_from_f32_slice(from);
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
    /// Positive, usually 1 / sqrt(head_dim).
    pub scale: f32,
    /// Scores become cap · tanh(score / cap), before the mask.
    pub soft_cap: Option<f32>,
}

/// From this many queries on, blocks of keys are widened and padded for the register tile.
const BLOCKED_QUERIES: usize = 6;
/// Keys whose softmax is taken together. A whole number of groups and of tiles for every instruction set; scores of one
/// head stay in small arrays, and 500 keys still make work for eight threads.
pub const KEY_BLOCK: usize = 64;

/// [`KEY_BLOCK`] keys and values of a sequence, those of all key heads side by side. The last block of a sequence may
/// be cut after the last group with a key, and after the last value.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a, E> {
    /// [4, width, 16]: groups of sixteen keys, value by value.
    pub keys: &'a [E],
    /// [64, width]
    pub values: &'a [E],
}

/// Attention of one sequence; see the module for the formula. A query that sees no key gives zeros.
///
/// # Panics
/// When a slice has not the size that `shape` says, heads are no multiple of key heads, or a causal query stands
/// beyond the keys.
pub fn attend<E: Stored>(
    pool: &Pool,
    out: &mut [f32],
    q: &[f32],
    blocks: &[Block<'_, E>],
    shape: &Shape,
) {
    let Shape { n_queries, n_keys, heads, kv_heads, head_dim, mask, .. } = *shape;
    assert!(
        q.len() == n_queries * heads * head_dim && out.len() == q.len(),
        "q [{}] and out [{}] are not of {shape:?}",
        q.len(),
        out.len()
    );
    let width = kv_heads * head_dim;
    let holds = |(i, block): (usize, &Block<'_, E>)| {
        let n = KEY_BLOCK.min(n_keys - i * KEY_BLOCK);
        block.keys.len() >= n.next_multiple_of(keys::GROUP) * width
            && block.values.len() >= n * width
    };
    let n_blocks = n_keys.div_ceil(KEY_BLOCK);
    assert!(
        blocks.len() >= n_blocks && blocks[..n_blocks].iter().enumerate().all(holds),
        "{} blocks are not the keys and values of {shape:?}",
        blocks.len()
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
        single::attend(pool, out, q, blocks, shape);
    } else {
        blocked::attend(pool, out, q, blocks, shape);
    }
}

/// A maximum below every score, of no keys; finite, so that its distance from itself is 0.
const NO_MAX: f32 = f32::MIN;

/// `running`, the maximum and sum of the blocks of keys that each of N queries has met so far, takes in one block
/// more: what was summed so far is to be multiplied by the first result,
/// the blocks' own sums by the second. Which maximum is larger cannot be foretold, so nothing branches on it.
#[inline(always)]
fn join<L: Lanes>(lanes: L, running: &mut [L::F; 2], block: [L::F; 2]) -> (L::F, L::F) {
    let ([max, sum], [block_max, block_sum]) = (*running, block);
    let one = lanes.splat(1.0);
    let smaller = lanes.min(max, block_max);
    let larger = lanes.max(max, block_max);
    let shrinks = maths::exp(lanes, lanes.sub(smaller, larger));
    let before = lanes.select_less(max, block_max, shrinks, one);
    let factor = lanes.select_less(max, block_max, one, shrinks);
    *running = [larger, lanes.fma(sum, before, lanes.mul(block_sum, factor))];
    (before, factor)
}

/// What a weighted sum of values is to be multiplied by in the end, from the sum of its weights.
#[inline(always)]
fn inverse(sum: f32) -> f32 {
    if sum > 0.0 { 1.0 / sum } else { 0.0 }
}

/// Products of one query head with a block of keys become weights, those outside `seen` zero; the block's maximum and
/// sum. The scale is positive.
#[inline(always)]
fn weigh<L: Lanes>(
    lanes: L,
    scores: &mut [f32; KEY_BLOCK],
    seen: std::ops::Range<usize>,
    scale: f32,
    soft_cap: Option<f32>,
) -> (f32, f32) {
    // A cap applies to scaled scores; without one they are scaled on the way into the exponential.
    let scale = match soft_cap {
        Some(cap) => {
            cap_scores(lanes, scores, scale, cap);
            1.0
        }
        None => scale,
    };
    scores[..seen.start].fill(f32::NEG_INFINITY);
    scores[seen.end..].fill(f32::NEG_INFINITY);
    let max = scale * highest(lanes, scores);
    let (factor, offset) = (lanes.splat(scale), lanes.splat(-max));
    let mut sum = lanes.splat(0.0);
    for chunk in scores.chunks_exact_mut(L::N) {
        // SAFETY: the chunk has N values.
        unsafe {
            let score = lanes.load(chunk.as_ptr());
            let weight = maths::exp(lanes, lanes.fma(score, factor, offset));
            sum = lanes.add(sum, weight);
            lanes.store(chunk.as_mut_ptr(), weight);
        }
    }
    (max, lanes.sum(sum))
}

/// x = cap · tanh(scale · x / cap) of one block of scores.
#[inline(always)]
fn cap_scores<L: Lanes>(lanes: L, scores: &mut [f32; KEY_BLOCK], scale: f32, cap: f32) {
    let (factor, inverse) = (lanes.splat(cap), lanes.splat(scale / cap));
    for chunk in scores.chunks_exact_mut(L::N) {
        // SAFETY: the chunk has N values.
        unsafe {
            let v = lanes.mul(lanes.load(chunk.as_ptr()), inverse);
            lanes.store(chunk.as_mut_ptr(), lanes.mul(factor, maths::tanh(lanes, v)));
        }
    }
}
