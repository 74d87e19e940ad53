//! F32, F16 and BF16: one value after the other, taken 32 at a time so that several sums run side by side.

use super::{Block, PADDED_LEN, Sink};
use crate::lanes::Lanes;

pub(crate) struct F32;
pub(crate) struct F16;
pub(crate) struct Bf16;

macro_rules! plain {
    ($name:ident, $bytes:literal, $load:expr) => {
        impl Block for $name {
            const LEN: usize = PADDED_LEN;
            const BYTES: usize = $bytes * PADDED_LEN;

            #[inline(always)]
            unsafe fn visit<L: Lanes, S: Sink<L>>(lanes: L, block: *const u8, sink: &mut S) {
                let mut column = 0;
                while column < Self::LEN {
                    // SAFETY: the columns lie inside the block.
                    unsafe {
                        let values = $load(lanes, block.add($bytes * column));
                        sink.put(lanes, column, values);
                    }
                    column += L::N;
                }
            }
        }
    };
}

plain!(F32, 4, load_f32);
plain!(F16, 2, L::load_f16);
plain!(Bf16, 2, L::load_bf16);

#[inline(always)]
unsafe fn load_f32<L: Lanes>(lanes: L, from: *const u8) -> L::F {
    // SAFETY: the caller's promise of N readable f32.
    unsafe { lanes.load(from.cast()) }
}
