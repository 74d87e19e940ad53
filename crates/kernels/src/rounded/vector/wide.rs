//! The same with vectors of 64 bytes, which hold blocks of two weight rows.

mod large;
mod small;

use super::Few;
use crate::format::Format;
use crate::isa::Isa;
use crate::rounded::blocks;

/// Weight rows taken together.
const ROWS: usize = 16;

/// Whether rows of this length can be read so: places are counted in bytes from the first, in 32 bits.
pub(super) fn reaches(few: &Few<'_>) -> bool {
    few.w.row(0).len() <= i32::MAX as usize / (few.rows.len() + 2 * ROWS)
}

pub(super) fn run<const N_X: usize>(isa: Isa, few: Few<'_>) {
    match few.w.format() {
        Format::Q8_0 => isa.dispatch_vectors_16(small::Products::<blocks::Q8_0, N_X>::new(few)),
        Format::Q4_0 => isa.dispatch_vectors_16(small::Products::<blocks::Q4_0, N_X>::new(few)),
        Format::Q4_1 => isa.dispatch_vectors_16(small::Products::<blocks::Q4_1, N_X>::new(few)),
        Format::Q5_0 => isa.dispatch_vectors_16(small::Products::<blocks::Q5_0, N_X>::new(few)),
        Format::Q4K => isa.dispatch_vectors_16(large::Products::<blocks::Q4K, N_X>::new(few)),
        Format::Q5K => isa.dispatch_vectors_16(large::Products::<blocks::Q5K, N_X>::new(few)),
        Format::Q6K => isa.dispatch_vectors_16(large::Products::<blocks::Q6K, N_X>::new(few)),
        Format::F32 | Format::F16 | Format::Bf16 => unreachable!("checked by the caller"),
    }
}
