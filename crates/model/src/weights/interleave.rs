//! Weights rearranged for fast products, in memory of their own.
//!
//! [`kernels::rounded::interleaved`] says how, and what it gains. It costs a copy of the weights (some 4 GB a second with
//! two threads). While it is made, what has been copied is given back, so that the process holds the weights once.

use kernels::pool::Pool;
use kernels::rounded::interleaved::{Interleaved, PANEL, gains};

use super::map::Room;
use super::{Layout, StoredMatrix};

/// Bytes that are copied before their originals are given back.
const PIECE: usize = 4 << 20;
/// What is taken to be available where the system does not say.
const AVAILABLE: u64 = 2 << 30;
/// Matrices begin at cache lines.
const ALIGNMENT: usize = 64;

/// Rearranges those of the matrices that gain from it, in the order in which a pass reads them: all, or none where
/// `available` bytes are less than twice their size, for the system needs memory for the file too, or where it refuses
/// the memory. They multiply to the same bits either way. Says whether any was rearranged.
pub(crate) fn interleave(
    pool: &Pool,
    matrices: Vec<&mut StoredMatrix>,
    available: Option<u64>,
) -> bool {
    let mut matrices: Vec<&mut StoredMatrix> = matrices
        .into_iter()
        .filter(|matrix| matrix.layout == Layout::Rows)
        .filter(|matrix| gains(pool.isa(), matrix.format, matrix.rows))
        .collect();
    let total: usize = matrices.iter().map(|matrix| place(matrix)).sum();
    if total == 0 || available.unwrap_or(AVAILABLE) / 2 < total as u64 {
        return false;
    }
    let Ok(mut room) = Room::new(total) else { return false };
    let mut rest = room.bytes_mut();
    for matrix in &matrices {
        let (own, others) = rest.split_at_mut(place(matrix));
        copy(pool, &mut own[..matrix.bytes()], matrix);
        rest = others;
    }
    let Ok(room) = room.finish() else { return false };
    let mut start = 0;
    for matrix in &mut matrices {
        let end = start + matrix.bytes();
        matrix.bytes = room.slice(start..end).expect("the room was made for all of them");
        matrix.layout = Layout::Panels;
        start = end.next_multiple_of(ALIGNMENT);
    }
    true
}

/// What a matrix takes of the room.
fn place(matrix: &StoredMatrix) -> usize {
    matrix.bytes().next_multiple_of(ALIGNMENT)
}

fn copy(pool: &Pool, to: &mut [u8], matrix: &StoredMatrix) {
    let rows = matrix.rows_view();
    let row_bytes = matrix.bytes() / matrix.rows;
    let step = (PIECE / row_bytes.max(1) / PANEL * PANEL).max(PANEL);
    for first in (0..matrix.rows).step_by(step) {
        let n = step.min(matrix.rows - first);
        let range = first * row_bytes..(first + n) * row_bytes;
        Interleaved::write(pool, &mut to[range.clone()], &rows.slice_rows(first, n));
        if let Some(copied) = matrix.bytes.slice(range) {
            copied.release();
        }
    }
}

#[cfg(test)]
mod tests {
    use kernels::format::Format;
    use kernels::rounded::Weight;

    use super::*;
    use crate::weights::map::Bytes;

    fn matrix(format: Format, rows: usize, first: u8) -> StoredMatrix {
        let len = rows * format.row_bytes(256).unwrap();
        let bytes = Bytes::owned((0..len).map(|i| first.wrapping_add(i as u8)).collect());
        StoredMatrix { format, rows, cols: 256, bytes, layout: Layout::Rows }
    }

    #[test]
    fn what_gains_is_rearranged_where_there_is_room_and_the_rest_stays() {
        let pool = Pool::new(2);
        if !gains(pool.isa(), Format::Q4K, 32) {
            return;
        }
        let formats =
            [(Format::Q4K, 32), (Format::Q5_0, 15), (Format::F16, 16), (Format::Q8_0, 48)];
        let matrices = || formats.map(|(format, rows)| matrix(format, rows, rows as u8));
        let total = 32 * 144 + 48 * 34 * 8;
        let (mut here, mut there) = (matrices(), matrices());
        assert!(!interleave(&pool, here.iter_mut().collect(), Some(2 * total - 1)));
        assert!(here.iter().all(|matrix| matrix.layout == Layout::Rows));
        assert!(interleave(&pool, there.iter_mut().collect(), Some(2 * total)));
        let layouts = there.each_ref().map(|matrix| matrix.layout);
        assert_eq!(layouts, [Layout::Panels, Layout::Rows, Layout::Rows, Layout::Panels]);
        for (before, after) in here.iter().zip(&there) {
            let Weight::Panels(after) = after.view() else { continue };
            for row_idx in 0..before.rows {
                let mut row = vec![0; before.bytes() / before.rows];
                after.copy_row(&mut row, row_idx);
                assert_eq!(row, before.rows_view().row(row_idx));
            }
        }
    }
}
