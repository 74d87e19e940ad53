//! Between a layer's projections and its attention, in training: each query and key head is normalised (where the
//! family does that), scaled by a gain and rotated to its position; and the gradient of all that.
//!
//! A row of `raw` [tokens, (n_heads + 2 n_kv_heads) · dim] holds the query heads, the key heads and the value heads of
//! a token; a row of `turned` [tokens, (n_heads + n_kv_heads) · dim] the finished queries and keys. Rotation turns
//! pairs (i, i + dim / 2) by the angles of `turns` [positions, dim], cosines before sines (arXiv 2104.09864, in the
//! half-split order of Hugging Face weights).

use crate::gemm::Update;
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::norm::{add_parts, inverse_rms, rms_gradient_row, scale_row};
use crate::pool::Pool;
use crate::scratch::{self, SharedMut};

/// Rows per task, and per partial sum of the gains' gradients.
const ROWS: usize = 32;

/// Numbers of heads and their width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    pub n_heads: usize,
    pub n_kv_heads: usize,
    /// Width of a head, even.
    pub dim: usize,
}

impl Heads {
    /// Width of a row of `raw`.
    pub fn raw_width(self) -> usize {
        (self.n_heads + 2 * self.n_kv_heads) * self.dim
    }

    /// Width of a row of `turned`.
    pub fn turned_width(self) -> usize {
        (self.n_heads + self.n_kv_heads) * self.dim
    }
}

/// Gains of the norms of queries and of keys, [dim] each, and what keeps their roots from zero.
#[derive(Debug, Clone, Copy)]
pub struct HeadNorm<'a> {
    pub query_gain: &'a [f32],
    pub key_gain: &'a [f32],
    pub eps: f32,
}

/// turned = rotate(norm(raw)) for all query and key heads; `position` [tokens] is each token's place in its text.
///
/// # Panics
/// When lengths differ or a position is beyond the table.
pub fn turn(
    pool: &Pool,
    turned: &mut [f32],
    raw: &[f32],
    norm: Option<HeadNorm<'_>>,
    turns: &[f32],
    position: &[u32],
    heads: Heads,
) {
    let n = check(turned.len(), raw.len(), position, heads);
    let (turned, dim) = (SharedMut::new(turned), heads.dim);
    pool.run(n.div_ceil(ROWS), |task_idx| {
        for t in task_idx * ROWS..n.min((task_idx + 1) * ROWS) {
            // SAFETY: each row belongs to one task.
            let turned = unsafe { turned.part(t * heads.turned_width(), heads.turned_width()) };
            let raw = &raw[t * heads.raw_width()..][..heads.turned_width()];
            let angles = &turns[position[t] as usize * dim..][..dim];
            pool.isa().dispatch(TurnRow { turned, raw, norm, angles, heads });
        }
    });
}

fn check(turned: usize, raw: usize, position: &[u32], heads: Heads) -> usize {
    let n = position.len();
    assert!(heads.dim.is_multiple_of(2), "a head of {} values has no pairs", heads.dim);
    assert_eq!(raw, n * heads.raw_width(), "raw is not [{n}, {}]", heads.raw_width());
    assert_eq!(turned, n * heads.turned_width(), "turned is not [{n}, {}]", heads.turned_width());
    n
}

struct TurnRow<'a> {
    turned: &'a mut [f32],
    raw: &'a [f32],
    norm: Option<HeadNorm<'a>>,
    angles: &'a [f32],
    heads: Heads,
}

impl Kernel for TurnRow<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { turned, raw, norm, angles, heads } = self;
        let dim = heads.dim;
        let pairs = turned.chunks_exact_mut(dim).zip(raw.chunks_exact(dim));
        for (head_idx, (to, from)) in pairs.enumerate() {
            match norm {
                None => to.copy_from_slice(from),
                Some(norm) => {
                    let gain =
                        if head_idx < heads.n_heads { norm.query_gain } else { norm.key_gain };
                    assert_eq!(gain.len(), dim);
                    // SAFETY: all three have `dim` values.
                    unsafe {
                        let scale = inverse_rms(lanes, from.as_ptr(), dim, norm.eps);
                        scale_row(lanes, to.as_mut_ptr(), from.as_ptr(), gain, scale);
                    }
                }
            }
            rotate(to, angles, 1.0);
        }
    }
}

/// Turns pairs (i, i + dim / 2) by the angles, or back with `direction` −1.
#[inline(always)]
fn rotate(head: &mut [f32], angles: &[f32], direction: f32) {
    let half = head.len() / 2;
    let (cosines, sines) = angles.split_at(half);
    let (first, second) = head.split_at_mut(half);
    for i in 0..half {
        let (a, b, sine) = (first[i], second[i], sines[i] * direction);
        first[i] = a * cosines[i] - b * sine;
        second[i] = b * cosines[i] + a * sine;
    }
}

/// Gradients of the gains, added to or replaced.
#[derive(Debug)]
pub struct GainGradient<'a> {
    pub query: &'a mut [f32],
    pub key: &'a mut [f32],
    pub update: Update,
}

/// The gradient of [`turn`]: the query and key parts of `draw` from `dturned`, which is overwritten; value parts of
/// `draw` are left alone.
pub fn turn_gradient(
    pool: &Pool,
    draw: &mut [f32],
    dturned: &mut [f32],
    raw: &[f32],
    norm: Option<(HeadNorm<'_>, GainGradient<'_>)>,
    turns: &[f32],
    position: &[u32],
    heads: Heads,
) {
    let n = check(dturned.len(), raw.len(), position, heads);
    assert_eq!(draw.len(), raw.len(), "draw and raw differ in length");
    let dim = heads.dim;
    let (norm, gains) = norm.map_or((None, None), |(norm, gains)| (Some(norm), Some(gains)));
    let n_tasks = n.div_ceil(ROWS);
    scratch::with(n_tasks * 2 * dim, |parts| {
        let (draw, dturned) = (SharedMut::new(draw), SharedMut::new(dturned));
        let shared = SharedMut::new(parts);
        pool.run(n_tasks, |task_idx| {
            // SAFETY: one part per task.
            let dgains = unsafe { shared.part(task_idx * 2 * dim, 2 * dim) };
            dgains.fill(0.0);
            for t in task_idx * ROWS..n.min((task_idx + 1) * ROWS) {
                // SAFETY: each row belongs to one task.
                let (draw, dturned) = unsafe {
                    (
                        draw.part(t * heads.raw_width(), heads.turned_width()),
                        dturned.part(t * heads.turned_width(), heads.turned_width()),
                    )
                };
                let raw = &raw[t * heads.raw_width()..][..heads.turned_width()];
                let angles = &turns[position[t] as usize * dim..][..dim];
                let row = TurnRowGradient { draw, dturned, raw, norm, dgains, angles, heads };
                pool.isa().dispatch(row);
            }
        });
        if let Some(gains) = gains {
            // A part holds the queries' gradient and then the keys'.
            let mut total = vec![0.0; 2 * dim];
            add_parts(&mut total, parts, Update::Replace);
            add_parts(gains.query, &total[..dim], gains.update);
            add_parts(gains.key, &total[dim..], gains.update);
        }
    });
}

struct TurnRowGradient<'a> {
    draw: &'a mut [f32],
    dturned: &'a mut [f32],
    raw: &'a [f32],
    norm: Option<HeadNorm<'a>>,
    /// Of queries, then of keys.
    dgains: &'a mut [f32],
    angles: &'a [f32],
    heads: Heads,
}

impl Kernel for TurnRowGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { draw, dturned, raw, norm, dgains, angles, heads } = self;
        let dim = heads.dim;
        let (dquery, dkey) = dgains.split_at_mut(dim);
        let rows = draw.chunks_exact_mut(dim).zip(dturned.chunks_exact_mut(dim));
        for (head_idx, ((draw, dturned), raw)) in rows.zip(raw.chunks_exact(dim)).enumerate() {
            rotate(dturned, angles, -1.0);
            match norm {
                None => draw.copy_from_slice(dturned),
                Some(norm) => {
                    let (gain, dgain) = if head_idx < heads.n_heads {
                        (norm.query_gain, &mut *dquery)
                    } else {
                        (norm.key_gain, &mut *dkey)
                    };
                    let update = Update::Replace;
                    rms_gradient_row(lanes, draw, dgain, dturned, raw, gain, norm.eps, update);
                }
            }
        }
    }
}
