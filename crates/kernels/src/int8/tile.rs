//! Sums of products of bytes by tiles (AMX): 32 rows of x by two panels.
//!
//! A panel's bytes are tiles as they are: 64 inputs of 16 outputs, four inputs side by side. Rows of x are loaded where
//! they lie. Four products of tiles need four loads, half of the time that the products take.

use std::arch::asm;

use super::PANEL;
use crate::tiles::TILE;

/// Inputs in a tile.
pub(super) const TILE_K: usize = 64;
/// Rows of x.
pub(super) const ROWS: usize = 2 * TILE;

/// Sums of 32 rows of x by two panels.
#[repr(align(64))]
pub(super) struct Sums(pub(super) [[i32; 2 * PANEL]; ROWS]);

/// sums[i][j] = Σ_k x[i · stride + k] · panel[k / 4][j][k % 4] over `n_blocks` × 64 inputs, x unsigned and weights
/// signed, for rows from `x` on and, below the sixteenth, from `lower` on.
///
/// # Safety
/// `x` and `lower` point to 16 rows each at distance `stride`, the panels to as many inputs; tiles are configured as
/// whole ([`crate::tiles::Tiles::configure`]).
pub(super) unsafe fn sums(
    sums: &mut Sums,
    [x, lower]: [*const u8; 2],
    stride: usize,
    panels: [*const i8; 2],
    n_blocks: usize,
) {
    let to = sums.0.as_mut_ptr();
    // SAFETY: the caller's promise; tiles 0 … 3 are sums, 4 and 5 of x, 6 and 7 of the panels.
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "test {n}, {n}",
            "jz 3f",
            "2:",
            "tileloadd tmm4, [{x} + {stride}]",
            "tileloadd tmm6, [{w0} + {line}]",
            "tdpbusd tmm0, tmm4, tmm6",
            "tileloadd tmm7, [{w1} + {line}]",
            "tdpbusd tmm1, tmm4, tmm7",
            "tileloadd tmm5, [{lower} + {stride}]",
            "tdpbusd tmm2, tmm5, tmm6",
            "tdpbusd tmm3, tmm5, tmm7",
            "add {x}, {line}",
            "add {lower}, {line}",
            "add {w0}, {tile}",
            "add {w1}, {tile}",
            "dec {n}",
            "jnz 2b",
            "3:",
            "tilestored [{to} + {row}], tmm0",
            "tilestored [{to} + {row} + 64], tmm1",
            "tilestored [{to} + {row} + {half}], tmm2",
            "tilestored [{to} + {row} + {half} + 64], tmm3",
            x = inout(reg) x => _,
            lower = inout(reg) lower => _,
            stride = in(reg) stride,
            w0 = inout(reg) panels[0] => _,
            w1 = inout(reg) panels[1] => _,
            n = inout(reg) n_blocks => _,
            line = in(reg) TILE_K,
            to = in(reg) to,
            row = in(reg) size_of::<[i32; 2 * PANEL]>(),
            half = const TILE * size_of::<[i32; 2 * PANEL]>(),
            tile = const TILE_K * PANEL,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}
