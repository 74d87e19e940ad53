//! Causal attention over packed texts, in training, and its gradient.
//!
//! ```text
//! S = scale · Q Kᵀ (only keys at or before the query)    P = softmax(S)    O = P V
//! dV = Pᵀ dO     dP = dO Vᵀ     dS = P ∘ (dP − Σ_j dO_j O_j)     dQ = scale · dS K     dK = scale · dSᵀ Q
//! ```
//! P is not kept: the gradient computes it again from the log-sums (arXiv 2205.14135). Texts stand one behind the
//! other with no padding; a text attends only to itself. A task is one text and one key head with all its query
//! heads, so every gradient has one owner and one order of summation.

use std::ops::Range;

use crate::gemm::pack::Right;
use crate::gemm::tile::{self, Columns, RowPointers, TILE_ROWS, Update};
use crate::heads::Heads;
use crate::isa::{Isa, Kernel};
use crate::lanes::Lanes;
use crate::loss::exponentials;
use crate::pool::Pool;
use crate::reduce;
use crate::scratch::{self, SharedMut};

/// Queries per block of the gradient: a multiple of the tile's rows.
const QUERIES: usize = 48;

/// The batch: where texts begin and what stands in the rows.
#[derive(Debug, Clone, Copy)]
pub struct Texts<'a> {
    /// Text i is tokens `starts[i] .. starts[i + 1]`.
    pub starts: &'a [u32],
    pub heads: Heads,
    /// Factor on query · key.
    pub scale: f32,
    /// Keys that a query sees, its own position included.
    pub window: usize,
}

impl Texts<'_> {
    fn text(&self, idx: usize) -> Range<usize> {
        self.starts[idx] as usize..self.starts[idx + 1] as usize
    }

    fn n_tokens(&self) -> usize {
        self.starts.last().map_or(0, |&end| end as usize)
    }
}

/// o [tokens, n_heads · dim] and log_sum [tokens, n_heads] (of e^S), from `turned` and the value part of `raw` (see
/// [`crate::heads`]).
///
/// # Panics
/// When lengths differ.
pub fn attention(
    pool: &Pool,
    o: &mut [f32],
    log_sum: &mut [f32],
    turned: &[f32],
    raw: &[f32],
    texts: Texts<'_>,
) {
    let (n, heads) = (texts.n_tokens(), texts.heads);
    check(n, heads, o.len(), log_sum.len(), turned.len(), raw.len());
    let (o, log_sum) = (SharedMut::new(o), SharedMut::new(log_sum));
    let width = 2 * pool.isa().lanes();
    pool.run((texts.starts.len() - 1) * heads.n_kv_heads, |task_idx| {
        let text = texts.text(task_idx / heads.n_kv_heads);
        let kv_head = task_idx % heads.n_kv_heads;
        let n_keys = text.len().next_multiple_of(width);
        let dim = heads.dim.next_multiple_of(width);
        let view = View::new(&text, kv_head, turned, raw, heads);
        scratch::with(n_keys * heads.dim, |keys| {
            scratch::with(text.len() * dim, |values| {
                scratch::with(TILE_ROWS * n_keys, |scores| {
                    let isa = pool.isa();
                    view.keys_by_column().pack(isa, keys, 0..heads.dim, 0..text.len());
                    view.values_by_row().pack(isa, values, 0..text.len(), 0..heads.dim);
                    let (keys, values) = (&*keys, &*values);
                    let text = text.clone();
                    isa.dispatch(Forward {
                        o,
                        log_sum,
                        turned,
                        texts,
                        text,
                        kv_head,
                        keys,
                        values,
                        scores,
                    });
                });
            });
        });
    });
}

fn check(n: usize, heads: Heads, o: usize, log_sum: usize, turned: usize, raw: usize) {
    assert_eq!(o, n * heads.n_heads * heads.dim, "o is not [{n}, heads · dim]");
    assert_eq!(log_sum, n * heads.n_heads, "log_sum is not [{n}, heads]");
    assert_eq!(turned, n * heads.turned_width(), "turned is not [{n}, (heads + kv heads) · dim]");
    assert_eq!(raw, n * heads.raw_width(), "raw is not [{n}, (heads + 2 kv heads) · dim]");
}

/// The keys and values of one text and one key head.
struct View<'a> {
    keys: &'a [f32],
    key_stride: usize,
    values: &'a [f32],
    value_stride: usize,
}

impl<'a> View<'a> {
    fn new(
        text: &Range<usize>,
        kv_head: usize,
        turned: &'a [f32],
        raw: &'a [f32],
        heads: Heads,
    ) -> Self {
        let (key_stride, value_stride) = (heads.turned_width(), heads.raw_width());
        let key_at = (heads.n_heads + kv_head) * heads.dim;
        let value_at = (heads.n_heads + heads.n_kv_heads + kv_head) * heads.dim;
        Self {
            keys: &turned[text.start * key_stride + key_at..],
            key_stride,
            values: &raw[text.start * value_stride + value_at..],
            value_stride,
        }
    }

    /// b[k][j] = key j, element k.
    fn keys_by_column(&self) -> Right<'a> {
        Right::Transposed { values: self.keys, stride: self.key_stride }
    }

    fn keys_by_row(&self) -> Right<'a> {
        Right::Plain { values: self.keys, stride: self.key_stride }
    }

    fn values_by_row(&self) -> Right<'a> {
        Right::Plain { values: self.values, stride: self.value_stride }
    }

    fn values_by_column(&self) -> Right<'a> {
        Right::Transposed { values: self.values, stride: self.value_stride }
    }
}

struct Forward<'a> {
    o: SharedMut<f32>,
    log_sum: SharedMut<f32>,
    turned: &'a [f32],
    texts: Texts<'a>,
    text: Range<usize>,
    kv_head: usize,
    /// Panels over keys.
    keys: &'a [f32],
    /// Panels over the width of a head.
    values: &'a [f32],
    scores: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { o, log_sum, turned, texts, text, kv_head, keys, values, scores } = self;
        let (heads, n) = (texts.heads, text.len());
        let per_kv = heads.n_heads / heads.n_kv_heads;
        let stride = n.next_multiple_of(2 * L::N);
        for head in kv_head * per_kv..(kv_head + 1) * per_kv {
            for query in (0..n).step_by(TILE_ROWS) {
                let n_rows = TILE_ROWS.min(n - query);
                let seen = first_seen(query, texts.window, L::N)..query + n_rows;
                let q = rows_of(
                    turned,
                    text.start + query,
                    n_rows,
                    heads.turned_width(),
                    head * heads.dim,
                );
                products(lanes, scores, stride, q, keys, heads.dim, n_rows, seen.clone());
                for i in 0..n_rows {
                    let row = &mut scores[i * stride..(i + 1) * stride];
                    let sum = soften(lanes, row, seen.clone(), query + i, texts);
                    // SAFETY: the task owns this head of this token.
                    unsafe {
                        log_sum.part((text.start + query + i) * heads.n_heads + head, 1)[0] = sum;
                    }
                }
                let weights = RowPointers(std::array::from_fn(|i| {
                    scores[i.min(n_rows - 1) * stride + seen.start..].as_ptr()
                }));
                for col in (0..heads.dim).step_by(2 * L::N) {
                    let n_cols = (2 * L::N).min(heads.dim - col);
                    // SAFETY: the panel has a row per key; the task owns this head's part of these rows of o.
                    unsafe {
                        let panel = values.as_ptr().add(col * n + seen.start * 2 * L::N);
                        let width = heads.n_heads * heads.dim;
                        let to =
                            o.pointer().add((text.start + query) * width + head * heads.dim + col);
                        let update = Update::Replace;
                        tile::multiply(
                            lanes,
                            to,
                            width,
                            weights,
                            panel,
                            seen.len(),
                            n_rows,
                            n_cols,
                            update,
                        );
                    }
                }
            }
        }
    }
}

/// The first key that a strip of queries from `query` on can see, on a panel's boundary.
#[inline(always)]
fn first_seen(query: usize, window: usize, lanes: usize) -> usize {
    (query + 1).saturating_sub(window) / (2 * lanes) * (2 * lanes)
}

/// Pointers to `n_rows` rows from `first` on, at column `col`.
#[inline(always)]
fn rows_of(values: &[f32], first: usize, n_rows: usize, stride: usize, col: usize) -> RowPointers {
    RowPointers(std::array::from_fn(|i| {
        values[(first + i.min(n_rows - 1)) * stride + col..].as_ptr()
    }))
}

/// to[i · stride + j] = Σ_k a(i, k) · panel[k][j] for the columns in `cols`, whose start is on a panel's boundary;
/// columns up to the end of the last panel are written too.
#[inline(always)]
fn products<L: Lanes>(
    lanes: L,
    to: &mut [f32],
    stride: usize,
    a: RowPointers,
    panels: &[f32],
    k: usize,
    n_rows: usize,
    cols: Range<usize>,
) {
    let width = 2 * L::N;
    assert!(cols.end <= stride && n_rows * stride <= to.len() && panels.len() >= stride * k);
    for col in cols.step_by(width) {
        // SAFETY: the stride is a whole number of panels, so this one lies inside `to` and `panels`.
        unsafe {
            let panel = panels.as_ptr().add(col * k);
            let to = to.as_mut_ptr().add(col);
            tile::multiply(lanes, to, stride, a, panel, k, n_rows, width, Update::Replace);
        }
    }
}

/// Turns the scores of query `query` into weights: those in `seen` but outside its window become zero. Returns the
/// log of the sum of e^S.
#[inline(always)]
fn soften<L: Lanes>(
    lanes: L,
    row: &mut [f32],
    seen: Range<usize>,
    query: usize,
    texts: Texts<'_>,
) -> f32 {
    let own = (query + 1).saturating_sub(texts.window)..query + 1;
    row[seen.start..own.start].fill(0.0);
    row[own.end..seen.end].fill(0.0);
    let row = &mut row[own];
    row.iter_mut().for_each(|s| *s *= texts.scale);
    let highest = reduce::highest(lanes, row);
    let sum = exponentials(lanes, row, highest);
    let inverse = 1.0 / sum;
    row.iter_mut().for_each(|p| *p *= inverse);
    highest + sum.ln()
}

/// What the forward pass left.
#[derive(Debug, Clone, Copy)]
pub struct Kept<'a> {
    pub turned: &'a [f32],
    pub raw: &'a [f32],
    pub o: &'a [f32],
    pub log_sum: &'a [f32],
}

/// dturned (all of it) and the value part of draw, from the gradient `d_o` of o.
///
/// # Panics
/// When lengths differ.
pub fn attention_gradient(
    pool: &Pool,
    dturned: &mut [f32],
    draw: &mut [f32],
    d_o: &[f32],
    kept: Kept<'_>,
    texts: Texts<'_>,
) {
    let (n, heads) = (texts.n_tokens(), texts.heads);
    check(n, heads, kept.o.len(), kept.log_sum.len(), kept.turned.len(), kept.raw.len());
    check(n, heads, d_o.len(), kept.log_sum.len(), dturned.len(), draw.len());
    let (dturned, draw) = (SharedMut::new(dturned), SharedMut::new(draw));
    let back = Back { isa: pool.isa(), dturned, draw, d_o, kept, texts };
    pool.run((texts.starts.len() - 1) * heads.n_kv_heads, |task_idx| {
        back.text(texts.text(task_idx / heads.n_kv_heads), task_idx % heads.n_kv_heads);
    });
}

/// What all tasks of the gradient share.
struct Back<'a> {
    isa: Isa,
    dturned: SharedMut<f32>,
    draw: SharedMut<f32>,
    d_o: &'a [f32],
    kept: Kept<'a>,
    texts: Texts<'a>,
}

impl Back<'_> {
    /// One task: a text and a key head with all its query heads.
    fn text(&self, text: Range<usize>, kv_head: usize) {
        let Self { isa, dturned, d_o, kept, texts, .. } = *self;
        let (width, heads) = (2 * isa.lanes(), texts.heads);
        let view = View::new(&text, kv_head, kept.turned, kept.raw, heads);
        let (n_keys, dim) = (text.len(), heads.dim);
        let (stride, wide) = (n_keys.next_multiple_of(width), dim.next_multiple_of(width));
        let score = QUERIES * stride;
        let sizes = [stride * dim, stride * dim, n_keys * wide, score, score, QUERIES * wide];
        scratch::with(sizes.iter().sum(), |buffer| {
            let [keys, values, key_rows, p, ds, packed] = split(buffer, sizes);
            view.keys_by_column().pack(isa, keys, 0..dim, 0..n_keys);
            view.values_by_column().pack(isa, values, 0..dim, 0..n_keys);
            view.keys_by_row().pack(isa, key_rows, 0..n_keys, 0..dim);
            let per_kv = heads.n_heads / heads.n_kv_heads;
            for head in kv_head * per_kv..(kv_head + 1) * per_kv {
                for query in (0..n_keys).step_by(QUERIES) {
                    let queries = query..n_keys.min(query + QUERIES);
                    let block = &Block { head, first_token: text.start, queries, stride };
                    let (p, ds) = (&mut *p, &mut *ds);
                    isa.dispatch(Scores { block, keys, values, p, ds, d_o, kept, texts });
                    isa.dispatch(QueryGradient { block, dturned, key_rows, n_keys, ds, texts });
                    self.keys_and_values(block, kv_head, p, ds, packed);
                }
            }
        });
    }

    /// What a block of queries adds to dV (from P and dO) and to dK (from dS and Q).
    fn keys_and_values(
        &self,
        block: &Block,
        kv_head: usize,
        p: &[f32],
        ds: &[f32],
        packed: &mut [f32],
    ) {
        let heads = self.texts.heads;
        let (dim, raw, turned) = (heads.dim, heads.raw_width(), heads.turned_width());
        // A key's gradient begins with the first head's block of queries around it.
        let is_first = block.head == kv_head * (heads.n_heads / heads.n_kv_heads);
        let own = if is_first { Update::Replace } else { Update::Add };
        let value_col = (heads.n_heads + heads.n_kv_heads + kv_head) * dim;
        let key_col = (heads.n_heads + kv_head) * dim;
        let sides = [
            (
                p,
                self.d_o,
                heads.n_heads * dim,
                Target { base: self.draw, stride: raw, col: value_col },
            ),
            (
                ds,
                self.kept.turned,
                turned,
                Target { base: self.dturned, stride: turned, col: key_col },
            ),
        ];
        for (weights, from, from_stride, to) in sides {
            let first = (block.first_token + block.queries.start) * from_stride + block.head * dim;
            let right = Right::Plain { values: &from[first..], stride: from_stride };
            right.pack(self.isa, packed, 0..block.queries.len(), 0..dim);
            let (window, packed) = (self.texts.window, &*packed);
            self.isa.dispatch(KeyGradient { block, to, weights, packed, own, dim, window });
        }
    }
}

/// Cuts a buffer into parts of the given sizes.
fn split<const N: usize>(mut buffer: &mut [f32], sizes: [usize; N]) -> [&mut [f32]; N] {
    sizes.map(|size| {
        let (part, rest) = std::mem::take(&mut buffer).split_at_mut(size);
        buffer = rest;
        part
    })
}

/// A block of queries of one head.
struct Block {
    head: usize,
    /// Where the text begins in the batch.
    first_token: usize,
    /// Within the text.
    queries: Range<usize>,
    /// Of the score buffers.
    stride: usize,
}

/// P and scale · dS of a block; both zero where a query does not see a key.
struct Scores<'a, 'b> {
    block: &'a Block,
    keys: &'a [f32],
    values: &'a [f32],
    p: &'b mut [f32],
    ds: &'b mut [f32],
    d_o: &'a [f32],
    kept: Kept<'a>,
    texts: Texts<'a>,
}

impl Kernel for Scores<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { block, keys, values, p, ds, d_o, kept, texts } = self;
        let (heads, stride) = (texts.heads, block.stride);
        let (dim, wide) = (heads.dim, heads.n_heads * heads.dim);
        let all = first_seen(block.queries.start, texts.window, L::N)..block.queries.end;
        for query in block.queries.clone().step_by(TILE_ROWS) {
            let n_rows = TILE_ROWS.min(block.queries.end - query);
            let seen = first_seen(query, texts.window, L::N)..query + n_rows;
            let at = (query - block.queries.start) * stride;
            let (first, col) = (block.first_token + query, block.head * dim);
            let (p, ds) = (&mut p[at..at + n_rows * stride], &mut ds[at..at + n_rows * stride]);
            let q = rows_of(kept.turned, first, n_rows, heads.turned_width(), col);
            products(lanes, p, stride, q, keys, dim, n_rows, seen.clone());
            let d = rows_of(d_o, first, n_rows, wide, col);
            products(lanes, ds, stride, d, values, dim, n_rows, seen);
            for i in 0..n_rows {
                let token = first + i;
                let range = token * wide + col..token * wide + col + dim;
                let delta = reduce::dot(lanes, &d_o[range.clone()], &kept.o[range]);
                let log_sum = kept.log_sum[token * heads.n_heads + block.head];
                let rows =
                    (&mut p[i * stride..(i + 1) * stride], &mut ds[i * stride..(i + 1) * stride]);
                harden(lanes, rows, all.clone(), query + i, log_sum, delta, texts);
            }
        }
    }
}

/// From scores and dP to P and scale · dS, with zeros for the keys in `all` that the query does not see.
#[inline(always)]
fn harden<L: Lanes>(
    lanes: L,
    (p, ds): (&mut [f32], &mut [f32]),
    all: Range<usize>,
    query: usize,
    log_sum: f32,
    delta: f32,
    texts: Texts<'_>,
) {
    let own = (query + 1).saturating_sub(texts.window).max(all.start)..query + 1;
    for row in [&mut *p, &mut *ds] {
        row[all.start..own.start].fill(0.0);
        row[own.end..all.end].fill(0.0);
    }
    let (p, ds) = (&mut p[own.clone()], &mut ds[own]);
    p.iter_mut().for_each(|s| *s *= texts.scale);
    exponentials(lanes, p, log_sum);
    for (ds, p) in ds.iter_mut().zip(p) {
        *ds = *p * (*ds - delta) * texts.scale;
    }
}

/// dQ = dS · K.
struct QueryGradient<'a> {
    block: &'a Block,
    dturned: SharedMut<f32>,
    /// Panels over the width of a head, a row per key.
    key_rows: &'a [f32],
    n_keys: usize,
    ds: &'a [f32],
    texts: Texts<'a>,
}

impl Kernel for QueryGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { block, dturned, key_rows, n_keys, ds, texts } = self;
        let (heads, width) = (texts.heads, 2 * L::N);
        for query in block.queries.clone().step_by(TILE_ROWS) {
            let n_rows = TILE_ROWS.min(block.queries.end - query);
            let seen = first_seen(query, texts.window, L::N)..query + n_rows;
            let row = query - block.queries.start;
            let weights = RowPointers(std::array::from_fn(|i| {
                ds[(row + i.min(n_rows - 1)) * block.stride + seen.start..].as_ptr()
            }));
            for col in (0..heads.dim).step_by(width) {
                let n_cols = width.min(heads.dim - col);
                // SAFETY: the panel has a row per key; the task owns this head's part of these rows.
                unsafe {
                    let panel = key_rows.as_ptr().add(col * n_keys + seen.start * width);
                    let stride = heads.turned_width();
                    let to = dturned
                        .pointer()
                        .add((block.first_token + query) * stride + block.head * heads.dim + col);
                    tile::multiply(
                        lanes,
                        to,
                        stride,
                        weights,
                        panel,
                        seen.len(),
                        n_rows,
                        n_cols,
                        Update::Replace,
                    );
                }
            }
        }
    }
}

/// Where a gradient of keys or values goes.
#[derive(Clone, Copy)]
struct Target {
    base: SharedMut<f32>,
    stride: usize,
    col: usize,
}

/// to[key] (+)= Σ_query weights[query][key] · packed[query]: dV from P and dO, dK from dS and Q.
struct KeyGradient<'a> {
    block: &'a Block,
    to: Target,
    weights: &'a [f32],
    packed: &'a [f32],
    /// What happens to the keys at the queries' own places; those before them are added to.
    own: Update,
    dim: usize,
    window: usize,
}

impl Kernel for KeyGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { block, to, weights, packed, own, dim, window } = self;
        let (width, k) = (2 * L::N, block.queries.len());
        let before = first_seen(block.queries.start, window, L::N)..block.queries.start;
        for (keys, update) in [(before, Update::Add), (block.queries.clone(), own)] {
            for key in keys.clone().step_by(TILE_ROWS) {
                let n_rows = TILE_ROWS.min(keys.end - key);
                let a = Columns { base: weights[key..].as_ptr(), stride: block.stride };
                for col in (0..dim).step_by(width) {
                    let n_cols = width.min(dim - col);
                    // SAFETY: a has a row of weights per query; the task owns this head's part of these rows.
                    unsafe {
                        let panel = packed.as_ptr().add(col * k);
                        let at = (block.first_token + key) * to.stride + to.col + col;
                        let c = to.base.pointer().add(at);
                        tile::multiply(lanes, c, to.stride, a, panel, k, n_rows, n_cols, update);
                    }
                }
            }
        }
    }
}
