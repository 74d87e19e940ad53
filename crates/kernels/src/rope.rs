//! Rotary position embedding (arXiv 2104.09864): pairs of values of a head turn by an angle that grows with the
//! position.
//!
//! Pair i at position p turns by p · inv_freq[i]:  (a, b) → (a cos − b sin, b cos + a sin).
//! The sines of a batch of positions are the same for all layers, so they are computed once, in a [`Rotation`].

use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::norm::by_rows;
use crate::pool::Pool;

/// Which values of a head form pair i of r / 2 pairs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layout {
    /// i and i + r / 2: Hugging Face's order.
    Halves,
    /// 2 i and 2 i + 1: the order of the paper; Llama weights in GGUF files are permuted to it.
    Interleaved,
}

/// Cosines and sines of the angles of some positions.
#[derive(Clone, Debug)]
pub struct Rotation {
    cos: Vec<f32>,
    sin: Vec<f32>,
    n_positions: usize,
    n_pairs: usize,
}

impl Rotation {
    /// Angles of `positions` for the frequencies of a head's pairs. The angle is an f32 product, as in PyTorch.
    pub fn new(positions: &[u32], inv_freq: &[f32]) -> Self {
        Self::scaled(positions, inv_freq, 1.0)
    }

    /// The same with cosines and sines multiplied by a factor, as some long-context schemes ask.
    pub fn scaled(positions: &[u32], inv_freq: &[f32], factor: f32) -> Self {
        let angles =
            positions.iter().flat_map(|&p| inv_freq.iter().map(move |f| (p as f32 * f).sin_cos()));
        let (sin, cos) = angles.map(|(s, c)| (s * factor, c * factor)).unzip();
        Self { cos, sin, n_positions: positions.len(), n_pairs: inv_freq.len() }
    }
}

/// Turns the first `2 · inv_freq.len()` values of each head of x [positions, heads, head_dim], in place.
///
/// # Panics
/// When x has another shape or heads are narrower than what is to be turned.
pub fn rotate(
    pool: &Pool,
    x: &mut [f32],
    rotation: &Rotation,
    heads: usize,
    head_dim: usize,
    layout: Layout,
) {
    let n_pairs = rotation.n_pairs;
    assert_eq!(
        x.len(),
        rotation.n_positions * heads * head_dim,
        "x is not [{} positions, {heads} heads, {head_dim}]",
        rotation.n_positions
    );
    assert!(2 * n_pairs <= head_dim, "{n_pairs} pairs do not fit heads of {head_dim}");
    if n_pairs == 0 {
        return;
    }
    by_rows(pool, x, heads * head_dim, |first, x| {
        for (token, x) in x.chunks_exact_mut(heads * head_dim).enumerate() {
            let span = (first + token) * n_pairs..(first + token + 1) * n_pairs;
            let (cos, sin) = (&rotation.cos[span.clone()], &rotation.sin[span]);
            match layout {
                Layout::Halves => pool.isa().dispatch(Halves { x, cos, sin, head_dim }),
                Layout::Interleaved => {
                    for head in x.chunks_exact_mut(head_dim) {
                        interleaved(head, cos, sin);
                    }
                }
            }
        }
    });
}

fn interleaved(head: &mut [f32], cos: &[f32], sin: &[f32]) {
    for ((pair, cos), sin) in head.chunks_exact_mut(2).zip(cos).zip(sin) {
        let (a, b) = (pair[0], pair[1]);
        pair[0] = a * cos - b * sin;
        pair[1] = b * cos + a * sin;
    }
}

/// All heads of one token.
struct Halves<'a> {
    x: &'a mut [f32],
    cos: &'a [f32],
    sin: &'a [f32],
    head_dim: usize,
}

impl Kernel for Halves<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let n_pairs = self.cos.len();
        for head in self.x.chunks_exact_mut(self.head_dim) {
            let (low, high) = head[..2 * n_pairs].split_at_mut(n_pairs);
            let mut i = 0;
            while i + L::N <= n_pairs {
                // SAFETY: i + N ≤ n_pairs, the length of all four.
                unsafe {
                    let (a, b) =
                        (lanes.load(low.as_ptr().add(i)), lanes.load(high.as_ptr().add(i)));
                    let cos = lanes.load(self.cos.as_ptr().add(i));
                    let sin = lanes.load(self.sin.as_ptr().add(i));
                    let turned = lanes.sub(lanes.mul(a, cos), lanes.mul(b, sin));
                    lanes.store(low.as_mut_ptr().add(i), turned);
                    lanes.store(high.as_mut_ptr().add(i), lanes.fma(b, cos, lanes.mul(a, sin)));
                }
                i += L::N;
            }
            while i < n_pairs {
                let (a, b) = (low[i], high[i]);
                low[i] = a * self.cos[i] - b * self.sin[i];
                high[i] = b * self.cos[i] + a * self.sin[i];
                i += 1;
            }
        }
    }
}
