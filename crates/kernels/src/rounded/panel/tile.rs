//! Integer sums by tiles (AMX): 32 rows of x by a panel, for two groups of inputs at a time.
//!
//! A group is 32 inputs (16 in `Q6_K`), half a tile: rows of x are loaded where they lie, as tiles of 16 rows of a group's
//! bytes, and the panel's bytes are tiles as they are.

use std::arch::asm;

use super::PANEL;
use crate::tiles::TILE;

/// Rows of x.
pub(super) const ROWS: usize = 2 * TILE;

/// Sums of 32 rows by a panel for each of two groups.
#[repr(align(64))]
pub(super) struct Sums(pub(super) [[[i32; PANEL]; ROWS]; 2]);

/// sums[g][i][j] = Σ_k x[i · stride + k] · panel[k / 4][j][k % 4] over the inputs k of group g, both signed; rows from the
/// sixteenth on begin at `lower`.
///
/// # Safety
/// Both pointers of x reach 16 rows at distance `stride` and, from there, the inputs of both groups, the second
/// `x_step` bytes further; `panels` point to the groups' bytes of the panel; tiles are configured for the group
/// ([`crate::tiles::Tiles::configure_bytes`]).
#[inline(always)]
pub(super) unsafe fn sums(
    sums: &mut Sums,
    [x, lower]: [*const i8; 2],
    stride: usize,
    x_step: usize,
    panels: [*const u8; 2],
) {
    // SAFETY: the caller's promise; tiles 0 … 3 are sums, 4 and 5 of x, 6 and 7 of the panel.
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "tileloadd tmm6, [{p0} + {row}]",
            "tileloadd tmm4, [{x} + {stride}]",
            "tdpbssd tmm0, tmm4, tmm6",
            "tileloadd tmm5, [{lower} + {stride}]",
            "tdpbssd tmm1, tmm5, tmm6",
            "tileloadd tmm7, [{p1} + {row}]",
            "tileloadd tmm4, [{x1} + {stride}]",
            "tdpbssd tmm2, tmm4, tmm7",
            "tileloadd tmm5, [{lower1} + {stride}]",
            "tdpbssd tmm3, tmm5, tmm7",
            "tilestored [{to} + {row}], tmm0",
            "tilestored [{to} + {row} + 1024], tmm1",
            "tilestored [{to} + {row} + 2048], tmm2",
            "tilestored [{to} + {row} + 3072], tmm3",
            x = in(reg) x,
            x1 = in(reg) x.wrapping_add(x_step),
            lower = in(reg) lower,
            lower1 = in(reg) lower.wrapping_add(x_step),
            stride = in(reg) stride,
            p0 = in(reg) panels[0],
            p1 = in(reg) panels[1],
            to = in(reg) sums.0.as_mut_ptr(),
            row = in(reg) 4 * PANEL,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}
