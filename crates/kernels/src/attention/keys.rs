//! Keys as attention reads them: in groups of sixteen, value by value.
//!
//! ```text
//! row-major  [keys, width]                    a vector holds neighbouring values of one key
//! here       [keys / 16, width, 16]           a vector holds the same value of many keys
//! ```
//! So scores are sums over values in turn with a key per lane, for one query and for many in the same order, and nobody
//! has to transpose. Groups begin at multiples of sixteen of the key's number; the last one may be filled in part.

use super::{Block, KEY_BLOCK, Stored};
use crate::isa::{Isa, Kernel};
use crate::lanes::Lanes;
use crate::pool::Pool;
use crate::scratch::{self, SharedMut};

/// Keys per group: a vector of AVX-512, two of AVX2, and the width of a register tile there.
pub(super) const GROUP: usize = 16;

/// The keys of one sequence whose values lie elsewhere, row after row.
#[derive(Clone, Debug)]
pub struct Keys<E> {
    /// [len / 16 rounded up, width, 16]
    keys: Vec<E>,
    len: usize,
    width: usize,
}

impl<E: Stored> Keys<E> {
    /// No keys yet; `width` values each, heads side by side.
    pub fn new(width: usize) -> Self {
        Self { keys: Vec::new(), len: 0, width }
    }

    /// Takes rows [n, width] in place of what was here.
    ///
    /// # Panics
    /// When `rows` is no whole number of rows.
    pub fn set(&mut self, pool: &Pool, rows: &[f32]) {
        self.len = n_rows(rows, self.width);
        let group_len = GROUP * self.width;
        self.keys.resize(self.len.div_ceil(GROUP) * group_len, E::ZERO);
        let groups = SharedMut::new(&mut self.keys);
        pool.run(self.len.div_ceil(GROUP), |i| {
            let rows = &rows[i * group_len..rows.len().min((i + 1) * group_len)];
            // SAFETY: each task has its own group, and room for all was just made.
            fill(pool.isa(), unsafe { groups.part(i * group_len, group_len) }, 0, rows, self.width);
        });
    }

    /// The blocks that [`super::attend`] reads, with values [len, width].
    ///
    /// # Panics
    /// When there are not as many values as keys.
    pub fn blocks<'a>(&'a self, values: &'a [E]) -> Vec<Block<'a, E>> {
        assert_eq!(
            values.len(),
            self.len * self.width,
            "values are not [{}, {}]",
            self.len,
            self.width
        );
        let block_len = KEY_BLOCK * self.width.max(1);
        let parts = self.keys.chunks(block_len).zip(values.chunks(block_len));
        parts.map(|(keys, values)| Block { keys, values }).collect()
    }
}

/// One block to write to: keys [4, width, 16] and values [64, width].
#[derive(Debug)]
pub struct BlockMut<'a, E> {
    pub keys: &'a mut [E],
    pub values: &'a mut [E],
}

/// Puts rows of keys and of values, [n, width] each, into the places from `first` on, counted from the first of
/// `blocks`, which follow each other.
///
/// # Panics
/// When keys or values are no whole number of rows, not equally many, or have no place.
pub fn put<E: Stored>(
    pool: &Pool,
    blocks: &mut [BlockMut<'_, E>],
    first: usize,
    keys: &[f32],
    values: &[f32],
    width: usize,
) {
    let new = first..first + n_rows(keys, width);
    assert_eq!(keys.len(), values.len(), "not as many keys as values");
    let block_len = KEY_BLOCK * width;
    let whole = |block: &BlockMut<'_, E>| (block.keys.len(), block.values.len());
    assert!(
        new.end <= blocks.len() * KEY_BLOCK
            && blocks.iter().all(|block| whole(block) == (block_len, block_len)),
        "no place for rows {new:?} of {width} in {} blocks",
        blocks.len()
    );
    let blocks: Vec<_> = blocks
        .iter_mut()
        .map(|block| (SharedMut::new(block.keys), SharedMut::new(block.values)))
        .collect();
    let first_group = new.start / GROUP;
    pool.run(new.end.div_ceil(GROUP) - first_group, |task_idx| {
        let start = (first_group + task_idx) * GROUP;
        let (from, to) = (new.start.max(start), new.end.min(start + GROUP));
        let rows = (from - new.start) * width..(to - new.start) * width;
        let (to_keys, to_values) = blocks[start / KEY_BLOCK];
        // SAFETY: each task has its own group of its block, which is whole.
        let (group, places) = unsafe {
            let group = to_keys.part(start % KEY_BLOCK * width, GROUP * width);
            (group, to_values.part(from % KEY_BLOCK * width, rows.len()))
        };
        fill(pool.isa(), group, from - start, &keys[rows.clone()], width);
        E::convert(places, &values[rows]);
    });
}

fn n_rows(rows: &[f32], width: usize) -> usize {
    assert!(
        width > 0 && rows.len().is_multiple_of(width),
        "{} values are no whole number of keys of {width}",
        rows.len()
    );
    rows.len() / width
}

/// Rows of keys become places `place …` of a group [width, 16].
fn fill<E: Stored>(isa: Isa, group: &mut [E], place: usize, rows: &[f32], width: usize) {
    if rows.len() < group.len() || !width.is_multiple_of(8) {
        return scatter(group, place, rows, width);
    }
    scratch::with(group.len(), |columns| {
        isa.dispatch_8(Transpose { to: columns, from: rows, width });
        E::convert(group, columns);
    });
}

/// Puts rows of `width` values into places `place …` of a group, one by one.
fn scatter<E: Stored>(group: &mut [E], place: usize, rows: &[f32], width: usize) {
    scratch::with(width, |buffer| {
        // SAFETY: E is f32 or two bytes, so the buffer has room for `width` of them, aligned; any bits are values.
        let row = unsafe { std::slice::from_raw_parts_mut(buffer.as_mut_ptr().cast::<E>(), width) };
        for (i, from) in rows.chunks_exact(width).enumerate() {
            E::convert(row, from);
            let places = group[place + i..].iter_mut().step_by(GROUP);
            places.zip(&*row).for_each(|(to, &value)| *to = value);
        }
    });
}

/// Sixteen rows of `width` values, a multiple of 8, become `width` rows of sixteen.
struct Transpose<'a> {
    to: &'a mut [f32],
    from: &'a [f32],
    width: usize,
}

impl Kernel for Transpose<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let Self { to, from, width } = self;
        assert!(to.len() == GROUP * width && from.len() == to.len() && width.is_multiple_of(8));
        for first in (0..GROUP).step_by(8) {
            for dim in (0..width).step_by(8) {
                // SAFETY: eight rows of at least dim + 8 values; eight columns of as many rows.
                unsafe {
                    let to = to.as_mut_ptr().add(dim * GROUP + first);
                    lanes.transpose_8x8(to, GROUP, from.as_ptr().add(first * width + dim), width);
                }
            }
        }
    }
}
