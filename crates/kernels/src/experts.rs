//! The gated feed-forward block of training, dense or a mixture of experts, and its gradients.
//!
//! ```text
//! h_s = x_t(s) · [Wgate; Wup]ᵀ        a_s = w_s · silu(gate_s) ∘ up_s        y_t = Σ_{s of t} a_s · Wdownᵀ
//! ```
//! A *slot* s is one token's visit to one expert. Slots are sorted by expert ([`Slots`]), so each expert multiplies a
//! run of consecutive rows; the rows of x are gathered while they are multiplied and never copied, and no row is
//! padded or dropped. The router's weight w_s scales the inner activation, whose width is smaller than the token's.
//! Contributions of a token's slots are added in the order of its choices, so sums do not depend on threads.
//!
//! A dense block is one expert that all tokens visit with weight one.

use std::ops::Range;

use crate::gemm::Update;
use crate::gemm::outer::{self, Outer};
use crate::gemm::pack::Right;
use crate::gemm::rows::{self, COLUMN_STEP, Epilogue, Nothing, Product, Rows};
use crate::lanes::Lanes;
use crate::maths;
use crate::norm::by_rows;
use crate::pool::Pool;
use crate::scratch::SharedMut;

/// Which token meets which expert, sorted by expert.
#[derive(Debug, Clone, Copy)]
pub struct Slots<'a> {
    /// Slots of expert e: `starts[e] .. starts[e + 1]`.
    pub starts: &'a [u32],
    /// The token of each slot; `None` where slot and token are the same (dense).
    pub token: Option<&'a [u32]>,
    /// The router's weight of each slot; `None` means one.
    pub weight: Option<&'a [f32]>,
}

impl Slots<'_> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.starts.last().map_or(0, |&end| end as usize)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn n_experts(&self) -> usize {
        self.starts.len() - 1
    }

    fn rows<'b>(&self, values: &'b [f32], width: usize) -> Rows<'b>
    where
        Self: 'b,
    {
        Rows { values, width, index: self.token }
    }
}

/// Sizes of the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Width of a token.
    pub hidden: usize,
    /// Width of one expert's inner activation.
    pub inner: usize,
}

/// h[slots, 2 inner] = x_t(s) · [Wgate; Wup]ᵀ and a[slots, inner] = w · silu(gate) ∘ up.
///
/// `x` [tokens, hidden]; `gate_up` [experts, 2 inner, hidden].
pub fn gate_up(
    pool: &Pool,
    h: &mut [f32],
    a: &mut [f32],
    x: &[f32],
    gate_up: &[f32],
    slots: Slots<'_>,
    shape: Shape,
) {
    let Shape { hidden, inner } = shape;
    let n = slots.len();
    assert_eq!(h.len(), n * 2 * inner, "h is not [{n}, 2 · {inner}]");
    assert_eq!(a.len(), n * inner, "a is not [{n}, {inner}]");
    assert_eq!(gate_up.len(), slots.n_experts() * 2 * inner * hidden, "the experts' size differs");
    let h = SharedMut::new(h);
    let product = Product {
        x: slots.rows(x, hidden),
        starts: slots.starts,
        n_cols: 2 * inner,
        paired: true,
        update: Update::Replace,
        epilogue: Gate { h, a: SharedMut::new(a), weight: slots.weight, inner },
    };
    let size = 2 * inner * hidden;
    rows::multiply(pool, h, &product, |expert| Right::Transposed {
        values: &gate_up[expert * size..][..size],
        stride: hidden,
    });
}

/// a = w · silu(gate) ∘ up for a strip whose gate and up are finished.
struct Gate<'a> {
    h: SharedMut<f32>,
    a: SharedMut<f32>,
    weight: Option<&'a [f32]>,
    inner: usize,
}

impl Epilogue for Gate<'_> {
    #[inline(always)]
    fn strip<L: Lanes>(&self, lanes: L, rows: Range<usize>, cols: &[Range<usize>; 2]) {
        for s in rows {
            let weight = lanes.splat(self.weight.map_or(1.0, |weight| weight[s]));
            let (first, len) = (cols[0].start, cols[0].len());
            // SAFETY: the task owns these columns of gate, up and a in this row.
            let (gate, up, a) = unsafe {
                (
                    self.h.part(s * 2 * self.inner + first, len),
                    self.h.part(s * 2 * self.inner + self.inner + first, len),
                    self.a.part(s * self.inner + first, len),
                )
            };
            map(lanes, [gate, up, a], &mut Activate { weight });
        }
    }
}

/// [gate, up, _] → [gate, up, w · silu(gate) ∘ up].
struct Activate<F> {
    weight: F,
}

impl<L: Lanes> Ternary<L> for Activate<L::F> {
    #[inline(always)]
    fn apply(&mut self, lanes: L, gate: L::F, up: L::F, _: L::F) -> (L::F, L::F, L::F) {
        let silu = lanes.mul(gate, maths::sigmoid(lanes, gate));
        (gate, up, lanes.mul(lanes.mul(silu, up), self.weight))
    }
}

/// An operation on three values at a time. A trait and no closure: closures are compiled without the instruction set.
trait Ternary<L: Lanes> {
    fn apply(&mut self, lanes: L, a: L::F, b: L::F, c: L::F) -> (L::F, L::F, L::F);
}

/// Applies `op` to three rows of equal length, value by value; all three are written.
#[inline(always)]
fn map<L: Lanes>(lanes: L, rows: [&mut [f32]; 3], op: &mut impl Ternary<L>) {
    let [a, b, c] = rows;
    let len = a.len();
    assert!(b.len() == len && c.len() == len);
    let (a, b, c) = (a.as_mut_ptr(), b.as_mut_ptr(), c.as_mut_ptr());
    let mut at = 0;
    while at + L::N <= len {
        // SAFETY: N values are left in each row.
        unsafe {
            let (x, y, z) = op.apply(
                lanes,
                lanes.load(a.add(at)),
                lanes.load(b.add(at)),
                lanes.load(c.add(at)),
            );
            lanes.store(a.add(at), x);
            lanes.store(b.add(at), y);
            lanes.store(c.add(at), z);
        }
        at += L::N;
    }
    let rest = len - at;
    if rest > 0 {
        let mut buffers = [[0.0f32; 16]; 3];
        let [u, v, w] = &mut buffers;
        // SAFETY: `rest` values are left in each row, and vectors have at most 16 lanes.
        unsafe {
            std::ptr::copy_nonoverlapping(a.add(at), u.as_mut_ptr(), rest);
            std::ptr::copy_nonoverlapping(b.add(at), v.as_mut_ptr(), rest);
            std::ptr::copy_nonoverlapping(c.add(at), w.as_mut_ptr(), rest);
            let (x, y, z) = op.apply(
                lanes,
                lanes.load(u.as_ptr()),
                lanes.load(v.as_ptr()),
                lanes.load(w.as_ptr()),
            );
            lanes.store(u.as_mut_ptr(), x);
            lanes.store(v.as_mut_ptr(), y);
            lanes.store(w.as_mut_ptr(), z);
            std::ptr::copy_nonoverlapping(u.as_ptr(), a.add(at), rest);
            std::ptr::copy_nonoverlapping(v.as_ptr(), b.add(at), rest);
            std::ptr::copy_nonoverlapping(w.as_ptr(), c.add(at), rest);
        }
    }
}

/// o[slots, hidden] (+)= a · Wdownᵀ; `down` [experts, hidden, inner].
///
/// A dense block gives its residual stream for `o` with [`Update::Add`]; a mixture gives a buffer and then
/// [`combine`]s.
pub fn down(
    pool: &Pool,
    o: &mut [f32],
    a: &[f32],
    down: &[f32],
    slots: Slots<'_>,
    shape: Shape,
    update: Update,
) {
    let Shape { hidden, inner } = shape;
    assert_eq!(o.len(), slots.len() * hidden, "o is not [{}, {hidden}]", slots.len());
    assert_eq!(down.len(), slots.n_experts() * hidden * inner, "the experts' size differs");
    let product = Product {
        x: Rows::all(a, inner),
        starts: slots.starts,
        n_cols: hidden,
        paired: false,
        update,
        epilogue: Nothing,
    };
    rows::multiply(pool, SharedMut::new(o), &product, |expert| Right::Transposed {
        values: &down[expert * hidden * inner..][..hidden * inner],
        stride: inner,
    });
}

/// y[t] += Σ o[slot] over the slots of token t, in the order of `slot_of` [tokens, choices].
pub fn combine(pool: &Pool, y: &mut [f32], o: &[f32], slot_of: &[u32], hidden: usize) {
    let n_tokens = y.len() / hidden;
    let n_choices = slot_of.len().checked_div(n_tokens).unwrap_or(0);
    assert_eq!(slot_of.len(), n_tokens * n_choices, "slots are no whole number per token");
    by_rows(pool, y, hidden, |first, y| {
        let slots = &slot_of[first * n_choices..];
        for (y, slots) in y.chunks_exact_mut(hidden).zip(slots.chunks_exact(n_choices)) {
            for &slot in slots {
                let o = &o[slot as usize * hidden..][..hidden];
                y.iter_mut().zip(o).for_each(|(y, o)| *y += o);
            }
        }
    });
}

/// The number of partial sums that [`activation_gradient`] writes per slot: one wherever a task's columns may begin.
pub fn weight_partials(inner: usize) -> usize {
    inner.div_ceil(COLUMN_STEP)
}

/// From dy to the gradient of gate and up, where h stands; and a once more, for [`down_gradient`].
///
/// In: `dy` [tokens, hidden], `h` as [`gate_up`] left it. Out: `h` = dgate, dup; `a` [slots, inner] = w · silu(gate)
/// ∘ up; `dweight` [slots, weight_partials(inner)]: partial sums of the gradient of the router's weight.
pub fn activation_gradient(
    pool: &Pool,
    h: &mut [f32],
    a: &mut [f32],
    dweight: &mut [f32],
    dy: &[f32],
    down: &[f32],
    slots: Slots<'_>,
    shape: Shape,
) {
    let Shape { hidden, inner } = shape;
    let (n, n_partials) = (slots.len(), weight_partials(inner));
    assert_eq!(h.len(), n * 2 * inner, "h is not [{n}, 2 · {inner}]");
    assert_eq!(a.len(), n * inner, "a is not [{n}, {inner}]");
    assert_eq!(dweight.len(), n * n_partials, "dweight is not [{n}, {n_partials}]");
    let a = SharedMut::new(a);
    let product = Product {
        x: slots.rows(dy, hidden),
        starts: slots.starts,
        n_cols: inner,
        paired: false,
        update: Update::Replace,
        epilogue: GateGradient {
            h: SharedMut::new(h),
            a,
            dweight: SharedMut::new(dweight),
            weight: slots.weight,
            inner,
        },
    };
    rows::multiply(pool, a, &product, |expert| Right::Plain {
        values: &down[expert * hidden * inner..][..hidden * inner],
        stride: inner,
    });
}

/// With s = sigmoid(gate): d silu(gate) = s (1 + gate (1 − s)).
struct GateGradient<'a> {
    h: SharedMut<f32>,
    /// Holds da when the strip begins, a when it ends.
    a: SharedMut<f32>,
    dweight: SharedMut<f32>,
    weight: Option<&'a [f32]>,
    inner: usize,
}

impl Epilogue for GateGradient<'_> {
    #[inline(always)]
    fn strip<L: Lanes>(&self, lanes: L, rows: Range<usize>, cols: &[Range<usize>; 2]) {
        let one = lanes.splat(1.0);
        let (first, len) = (cols[0].start, cols[0].len());
        for s in rows {
            let weight = lanes.splat(self.weight.map_or(1.0, |weight| weight[s]));
            let partial = s * weight_partials(self.inner) + first / COLUMN_STEP;
            // SAFETY: the task owns these columns of gate, up and a in this row, and their partial sums.
            let (gate, up, a, partials) = unsafe {
                (
                    self.h.part(s * 2 * self.inner + first, len),
                    self.h.part(s * 2 * self.inner + self.inner + first, len),
                    self.a.part(s * self.inner + first, len),
                    self.dweight.part(partial, len.div_ceil(COLUMN_STEP)),
                )
            };
            let mut step = Differentiate { weight, one, sum: lanes.splat(0.0) };
            map(lanes, [gate, up, a], &mut step);
            partials.fill(0.0);
            partials[0] = lanes.sum(step.sum);
        }
    }
}

/// [gate, up, da] → [dgate, dup, a], adding da · silu(gate) ∘ up to `sum`.
struct Differentiate<F> {
    weight: F,
    one: F,
    sum: F,
}

impl<L: Lanes> Ternary<L> for Differentiate<L::F> {
    #[inline(always)]
    fn apply(&mut self, lanes: L, gate: L::F, up: L::F, da: L::F) -> (L::F, L::F, L::F) {
        let sigmoid = maths::sigmoid(lanes, gate);
        let silu = lanes.mul(gate, sigmoid);
        let gated = lanes.mul(silu, up);
        self.sum = lanes.fma(da, gated, self.sum);
        let scaled = lanes.mul(da, self.weight);
        let bend = lanes.fma(gate, lanes.sub(self.one, sigmoid), self.one);
        let dgate = lanes.mul(lanes.mul(scaled, up), lanes.mul(sigmoid, bend));
        (dgate, lanes.mul(scaled, silu), lanes.mul(gated, self.weight))
    }
}

/// dWdown[experts, hidden, inner] (+)= dy_t(s)ᵀ · a_s, with `a` from [`activation_gradient`].
pub fn down_gradient(
    pool: &Pool,
    d_down: &mut [f32],
    dy: &[f32],
    a: &[f32],
    slots: Slots<'_>,
    shape: Shape,
    update: Update,
) {
    let Shape { hidden, inner } = shape;
    assert_eq!(d_down.len(), slots.n_experts() * hidden * inner, "the experts' size differs");
    let outer =
        Outer { a: slots.rows(dy, hidden), b: Rows::all(a, inner), starts: slots.starts, update };
    outer::accumulate(pool, SharedMut::new(d_down), &outer, |expert| expert * hidden * inner);
}

/// dW[experts, 2 inner, hidden] (+)= dh_sᵀ · x_t(s).
pub fn gate_up_gradient(
    pool: &Pool,
    d_gate_up: &mut [f32],
    dh: &[f32],
    x: &[f32],
    slots: Slots<'_>,
    shape: Shape,
    update: Update,
) {
    let Shape { hidden, inner } = shape;
    assert_eq!(
        d_gate_up.len(),
        slots.n_experts() * 2 * inner * hidden,
        "the experts' size differs"
    );
    let outer = Outer {
        a: Rows::all(dh, 2 * inner),
        b: slots.rows(x, hidden),
        starts: slots.starts,
        update,
    };
    outer::accumulate(pool, SharedMut::new(d_gate_up), &outer, |expert| {
        expert * 2 * inner * hidden
    });
}

/// o[slots, hidden] (+)= dh_s · [Wgate; Wup]: what each slot adds to its token's gradient; see [`combine`].
pub fn input_gradient(
    pool: &Pool,
    o: &mut [f32],
    dh: &[f32],
    gate_up: &[f32],
    slots: Slots<'_>,
    shape: Shape,
    update: Update,
) {
    let Shape { hidden, inner } = shape;
    assert_eq!(o.len(), slots.len() * hidden, "o is not [{}, {hidden}]", slots.len());
    let product = Product {
        x: Rows::all(dh, 2 * inner),
        starts: slots.starts,
        n_cols: hidden,
        paired: false,
        update,
        epilogue: Nothing,
    };
    let size = 2 * inner * hidden;
    rows::multiply(pool, SharedMut::new(o), &product, |expert| Right::Plain {
        values: &gate_up[expert * size..][..size],
        stride: hidden,
    });
}
