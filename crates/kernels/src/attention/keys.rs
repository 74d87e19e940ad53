//! Keys as attention reads them: in groups of sixteen, value by value.
//!
//! ```text
//! row-major  [keys, width]                    a vector holds neighbouring values of one key
//! here       [keys / 16, width, 16]           a vector holds the same value of many keys
//! ```
//! So scores are sums over values in turn with a key per lane, for one query and for many in the same order, and nobody
//! has to transpose. Groups begin at multiples of sixteen of the key's number; the last one may be filled in part.

use std::collections::TryReserveError;

use super::Stored;
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::pool::Pool;
use crate::scratch::{self, SharedMut};

/// Keys per group: a vector of AVX-512, two of AVX2, and the width of a register tile there.
pub(super) const GROUP: usize = 16;

/// The keys of one sequence, arranged for [`super::attend`]. Grows at the end, and can be cut there.
#[derive(Clone, Debug)]
pub struct Keys<E> {
    /// [len / 16 rounded up, width, 16]
    values: Vec<E>,
    len: usize,
    width: usize,
}

impl<E: Stored> Keys<E> {
    /// No keys yet; `width` values each, heads side by side.
    pub fn new(width: usize) -> Self {
        Self { values: Vec::new(), len: 0, width }
    }

    /// Keys.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Values per key.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Forgets all keys from `len` on; does nothing if there are fewer.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
        self.values.truncate(self.len.div_ceil(GROUP) * GROUP * self.width);
    }

    /// The first `len` keys, or all if there are fewer.
    pub fn first(&self, len: usize) -> Self {
        let len = len.min(self.len);
        let values = self.values[..len.div_ceil(GROUP) * GROUP * self.width].to_vec();
        Self { values, len, width: self.width }
    }

    /// Makes room for `n` more keys.
    ///
    /// # Errors
    /// When there is no memory for them.
    pub fn try_reserve(&mut self, n: usize) -> Result<(), TryReserveError> {
        let n_groups = self.len.saturating_add(n).div_ceil(GROUP);
        let wanted = n_groups.saturating_mul(GROUP).saturating_mul(self.width);
        self.values.try_reserve(wanted - self.values.len())
    }

    /// Appends rows [n, width].
    ///
    /// # Panics
    /// When `rows` is no whole number of rows.
    pub fn extend(&mut self, pool: &Pool, rows: &[f32]) {
        let Self { values, len, width } = self;
        let width = *width;
        assert!(
            width > 0 && rows.len().is_multiple_of(width),
            "{} values are no whole number of keys of {width}",
            rows.len()
        );
        let new = *len..*len + rows.len() / width;
        let group_len = GROUP * width;
        values.resize(new.end.div_ceil(GROUP) * group_len, E::ZERO);
        let first_group = new.start / GROUP;
        let groups = SharedMut::new(&mut values[first_group * group_len..]);
        pool.run(new.end.div_ceil(GROUP) - first_group, |group_idx| {
            let start = (first_group + group_idx) * GROUP;
            let (from, to) = (new.start.max(start), new.end.min(start + GROUP));
            let rows = &rows[(from - new.start) * width..(to - new.start) * width];
            // SAFETY: each task has its own group, and room for all was just made.
            let group = unsafe { groups.part(group_idx * group_len, group_len) };
            if rows.len() == group_len && width.is_multiple_of(8) {
                scratch::with(group_len, |columns| {
                    pool.isa().dispatch_8(Transpose { to: columns, from: rows, width });
                    E::convert(group, columns);
                });
            } else {
                scatter(group, from - start, rows, width);
            }
        });
        *len = new.end;
    }

    /// From value `head_start` of group `group` on.
    pub(super) fn from(&self, group: usize, head_start: usize) -> &[E] {
        &self.values[(group * self.width + head_start) * GROUP..]
    }
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
