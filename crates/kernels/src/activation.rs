//! Element-wise operations between the matrix products.
//!
//! ```text
//! silu(v)       = v · sigmoid(v)
//! gelu_tanh(v)  = v · sigmoid(2 √(2/π) (v + 0.044715 v³))     the usual ½ v (1 + tanh …), written with one exp
//! gelu_erf(v)   = ½ v (1 + erf(v / √2))                        arXiv 1606.08415
//! ```

use crate::isa::{Isa, Kernel};
use crate::lanes::Lanes;
use crate::maths;
use crate::norm::by_rows;
use crate::pool::Pool;

/// y = silu(gate) · up: the gate of a SwiGLU feed-forward (arXiv 2002.05202).
pub fn silu_mul(pool: &Pool, y: &mut [f32], gate: &[f32], up: &[f32]) {
    binary(pool, y, gate, up, SiluMul);
}

/// y = gelu_tanh(gate) · up: the gate of a GeGLU feed-forward.
pub fn gelu_tanh_mul(pool: &Pool, y: &mut [f32], gate: &[f32], up: &[f32]) {
    binary(pool, y, gate, up, GeluTanhMul);
}

/// x = silu(x).
pub fn silu(pool: &Pool, x: &mut [f32]) {
    unary(pool, x, Silu);
}

/// x = gelu_tanh(x).
pub fn gelu_tanh(pool: &Pool, x: &mut [f32]) {
    unary(pool, x, GeluTanh);
}

/// x = gelu_erf(x).
pub fn gelu_erf(pool: &Pool, x: &mut [f32]) {
    unary(pool, x, GeluErf);
}

/// x = cap · tanh(x / cap): large logits approach ± cap.
pub fn soft_cap(pool: &Pool, x: &mut [f32], cap: f32) {
    unary(pool, x, SoftCap { cap });
}

/// x = x · factor.
pub fn scale(pool: &Pool, x: &mut [f32], factor: f32) {
    unary(pool, x, Scale { factor });
}

/// y += x: the residual stream.
pub fn add(pool: &Pool, y: &mut [f32], x: &[f32]) {
    assert_eq!(y.len(), x.len(), "y and x differ in length");
    by_rows(pool, y, 1, |first, y| {
        let x = &x[first..][..y.len()];
        in_place(pool.isa(), y, x, Add);
    });
}

/// y += bias for each row of y [rows, bias.len()].
pub fn add_bias(pool: &Pool, y: &mut [f32], bias: &[f32]) {
    let width = bias.len();
    assert!(
        if width == 0 { y.is_empty() } else { y.len().is_multiple_of(width) },
        "y of {} values is no whole number of rows of {width}",
        y.len()
    );
    by_rows(pool, y, width, |_, y| {
        for row in y.chunks_exact_mut(width) {
            in_place(pool.isa(), row, bias, Add);
        }
    });
}

/// An operation on one or two values, for any width of vector.
trait Elementwise: Copy + Sync {
    fn apply<L: Lanes>(self, lanes: L, a: L::F, b: L::F) -> L::F;
}

#[derive(Clone, Copy)]
struct Silu;
#[derive(Clone, Copy)]
struct SiluMul;
#[derive(Clone, Copy)]
struct GeluTanh;
#[derive(Clone, Copy)]
struct GeluTanhMul;
#[derive(Clone, Copy)]
struct GeluErf;
#[derive(Clone, Copy)]
struct Add;
#[derive(Clone, Copy)]
struct SoftCap {
    cap: f32,
}
#[derive(Clone, Copy)]
struct Scale {
    factor: f32,
}

impl Elementwise for Silu {
    #[inline(always)]
    fn apply<L: Lanes>(self, lanes: L, a: L::F, _: L::F) -> L::F {
        lanes.mul(a, maths::sigmoid(lanes, a))
    }
}

impl Elementwise for SiluMul {
    #[inline(always)]
    fn apply<L: Lanes>(self, lanes: L, a: L::F, b: L::F) -> L::F {
        lanes.mul(Silu.apply(lanes, a, b), b)
    }
}

impl Elementwise for GeluTanh {
    #[inline(always)]
    fn apply<L: Lanes>(self, lanes: L, a: L::F, _: L::F) -> L::F {
        const TWICE_ROOT_2_OVER_PI: f32 = 1.595_769;
        let square = lanes.mul(a, a);
        let factor = lanes.fma(square, lanes.splat(0.044_715), lanes.splat(1.0));
        let inner = lanes.mul(lanes.mul(a, factor), lanes.splat(TWICE_ROOT_2_OVER_PI));
        lanes.mul(a, maths::sigmoid(lanes, inner))
    }
}

impl Elementwise for GeluTanhMul {
    #[inline(always)]
    fn apply<L: Lanes>(self, lanes: L, a: L::F, b: L::F) -> L::F {
        lanes.mul(GeluTanh.apply(lanes, a, b), b)
    }
}

impl Elementwise for GeluErf {
    #[inline(always)]
    fn apply<L: Lanes>(self, lanes: L, a: L::F, _: L::F) -> L::F {
        maths::gelu(lanes, a)
    }
}

impl Elementwise for Add {
    #[inline(always)]
    fn apply<L: Lanes>(self, lanes: L, a: L::F, b: L::F) -> L::F {
        lanes.add(a, b)
    }
}

impl Elementwise for SoftCap {
    #[inline(always)]
    fn apply<L: Lanes>(self, lanes: L, a: L::F, _: L::F) -> L::F {
        let scaled = lanes.div(a, lanes.splat(self.cap));
        lanes.mul(lanes.splat(self.cap), maths::tanh(lanes, scaled))
    }
}

impl Elementwise for Scale {
    #[inline(always)]
    fn apply<L: Lanes>(self, lanes: L, a: L::F, _: L::F) -> L::F {
        lanes.mul(a, lanes.splat(self.factor))
    }
}

fn binary<E: Elementwise>(pool: &Pool, y: &mut [f32], a: &[f32], b: &[f32], op: E) {
    assert!(
        y.len() == a.len() && a.len() == b.len(),
        "y [{}], gate [{}] and up [{}] differ in length",
        y.len(),
        a.len(),
        b.len()
    );
    by_rows(pool, y, 1, |first, y| {
        let (a, b) = (&a[first..][..y.len()], &b[first..][..y.len()]);
        let (len, y) = (y.len(), y.as_mut_ptr());
        pool.isa().dispatch(Map { y, a: a.as_ptr(), b: b.as_ptr(), len, op, slices: (a, b) });
    });
}

fn unary<E: Elementwise>(pool: &Pool, x: &mut [f32], op: E) {
    by_rows(pool, x, 1, |_, x| {
        let (len, x) = (x.len(), x.as_mut_ptr());
        pool.isa().dispatch(Map { y: x, a: x, b: x, len, op, slices: (&[], &[]) });
    });
}

/// y = op(y, b).
fn in_place<E: Elementwise>(isa: Isa, y: &mut [f32], b: &[f32], op: E) {
    let (len, y) = (y.len(), y.as_mut_ptr());
    isa.dispatch(Map { y, a: y, b: b.as_ptr(), len, op, slices: (b, &[]) });
}

/// y[i] = op(a[i], b[i]) through pointers, because y may be a or b. `slices` keeps what was borrowed.
struct Map<'a, E> {
    y: *mut f32,
    a: *const f32,
    b: *const f32,
    len: usize,
    op: E,
    #[allow(dead_code)]
    slices: (&'a [f32], &'a [f32]),
}

impl<E: Elementwise> Kernel for Map<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let mut i = 0;
        // SAFETY: those who make a `Map` give three pointers to `len` values, and i + N ≤ len.
        unsafe {
            while i + L::N <= self.len {
                let (a, b) = (lanes.load(self.a.add(i)), lanes.load(self.b.add(i)));
                lanes.store(self.y.add(i), self.op.apply(lanes, a, b));
                i += L::N;
            }
        }
        let rest = self.len - i;
        if rest > 0 {
            let (mut a, mut b, mut y) = ([0.0f32; 16], [0.0f32; 16], [0.0f32; 16]);
            // SAFETY: `rest` values are left behind each pointer, and vectors have at most 16 lanes.
            unsafe {
                std::ptr::copy_nonoverlapping(self.a.add(i), a.as_mut_ptr(), rest);
                std::ptr::copy_nonoverlapping(self.b.add(i), b.as_mut_ptr(), rest);
                let (a, b) = (lanes.load(a.as_ptr()), lanes.load(b.as_ptr()));
                lanes.store(y.as_mut_ptr(), self.op.apply(lanes, a, b));
                std::ptr::copy_nonoverlapping(y.as_ptr(), self.y.add(i), rest);
            }
        }
    }
}
