//! The loop over tiles: 32 × 32 sums in four tile registers.

use std::arch::asm;

use super::super::tile::Update;
use super::stream_len;
use super::{BLOCK, TILE_K};
use crate::tiles::{TILE, Tiles};

/// Rows and columns of a step: two tiles each way.
const STEP: usize = 2 * TILE;

/// c[i · c_stride + j] (+)= Σ a(i, k) b(k, j) of packed factors of `n_rows` rows and `n_cols` columns, in order of k,
/// on top of c for [`Update::Add`]. Without k the sums are zero.
///
/// # Safety
/// c has these rows and columns and is neither factor; the factors are packed for this k.
pub(in crate::gemm) unsafe fn multiply(
    tiles: Tiles,
    c: *mut f32,
    c_stride: usize,
    (a, b): (&[f32], &[f32]),
    (n_rows, n_cols, k): (usize, usize, usize),
    update: Update,
) {
    let _configured = tiles.configure();
    let stream = stream_len(k);
    let n_blocks = k.div_ceil(TILE_K);
    for col in (0..n_cols).step_by(STEP) {
        let right = pair(b, col, n_cols, stream);
        for row in (0..n_rows).step_by(STEP) {
            let left = pair(a, row, n_rows, stream);
            let (rows, cols) = ((n_rows - row).min(STEP), (n_cols - col).min(STEP));
            let (next_row, next_col) = if row + STEP < n_rows {
                (row + STEP, col)
            } else if col + STEP < n_cols {
                (0, col + STEP)
            } else {
                (row, col)
            };
            // SAFETY: the caller's promise; `ahead` is only fetched.
            unsafe {
                let ahead = c.wrapping_add(next_row * c_stride + next_col);
                let c = c.add(row * c_stride + col);
                if rows == STEP && cols == STEP {
                    step(c, c_stride, left, right, n_blocks, update, ahead);
                } else {
                    edge(c, c_stride, left, right, n_blocks, update, (rows, cols));
                }
            }
        }
    }
}

/// The streams of tiles from `first` on; the last one twice where there is no second.
fn pair(packed: &[f32], first: usize, n: usize, stream: usize) -> [*const f32; 2] {
    let second = if first + TILE < n { first + TILE } else { first };
    [first, second].map(|at| packed[at / TILE * stream..][..stream].as_ptr())
}

/// A step that reaches over the edge of c, by way of a block of its own.
///
/// # Safety
/// As [`step`], for `rows` × `cols` of c.
unsafe fn edge(
    c: *mut f32,
    c_stride: usize,
    a: [*const f32; 2],
    b: [*const f32; 2],
    n_blocks: usize,
    update: Update,
    (rows, cols): (usize, usize),
) {
    let mut block = [0.0f32; STEP * STEP];
    let to = block.as_mut_ptr();
    // SAFETY: the caller's promise; the block is a whole step.
    unsafe {
        if update == Update::Add {
            for row in 0..rows {
                to.add(row * STEP).copy_from_nonoverlapping(c.add(row * c_stride), cols);
            }
        }
        step(to, STEP, a, b, n_blocks, update, to);
        for row in 0..rows {
            c.add(row * c_stride).copy_from_nonoverlapping(to.add(row * STEP), cols);
        }
    }
}

/// 32 × 32 sums over `n_blocks` × 32 values of k.
///
/// Each of the six products of parts changes one factor, so that 14 tiles are loaded for 24 products; a tile is loaded as
/// soon as its register is free, two products before it is needed. The last loads reach one block beyond the streams
/// ([`super::packed_len`] has room for it). Meanwhile the 32 rows at `ahead`, where the next step's sums will go, are
/// fetched to be written: stores wait in a queue with room for little more than one step, and would hold up the products
/// behind it.
///
/// # Safety
/// c is 32 × 32 at distance `c_stride`; each stream has `n_blocks` blocks of three tiles; tiles are configured as whole.
unsafe fn step(
    c: *mut f32,
    c_stride: usize,
    a: [*const f32; 2],
    b: [*const f32; 2],
    n_blocks: usize,
    update: Update,
    ahead: *const f32,
) {
    let rows_per_block = STEP.div_ceil(n_blocks.max(1));
    let ahead_end = ahead.wrapping_add(STEP * c_stride);
    // SAFETY: the caller's promise; tiles 0 … 3 are sums, 4 and 5 of a, 6 and 7 of b. Fetching ahead changes nothing,
    // wherever it points.
    unsafe {
        asm!(
            "test {t}, {t}",
            "jz 3f",
            "mov {t}, {row_bytes}",
            "shl {t}, 4",
            "add {t}, {c}",
            "tileloadd tmm0, [{c} + {row_bytes}]",
            "tileloadd tmm1, [{c} + {row_bytes} + 64]",
            "tileloadd tmm2, [{t} + {row_bytes}]",
            "tileloadd tmm3, [{t} + {row_bytes} + 64]",
            "jmp 4f",
            "3:",
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "4:",
            "test {n}, {n}",
            "jz 5f",
            "tileloadd tmm4, [{a0} + {row}]",
            "tileloadd tmm5, [{a1} + {row}]",
            "tileloadd tmm6, [{b0} + {row} + 2048]",
            "tileloadd tmm7, [{b1} + {row} + 2048]",
            "2:",
            "mov {t}, {rows_per_block}",
            "6:",
            "cmp {ahead}, {ahead_end}",
            "je 7f",
            "prefetchw [{ahead}]",
            "prefetchw [{ahead} + 64]",
            "add {ahead}, {row_bytes}",
            "dec {t}",
            "jnz 6b",
            "7:",
            // aₕ bₗ
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tileloadd tmm6, [{b0} + {row} + 1024]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "tileloadd tmm7, [{b1} + {row} + 1024]",
            // aₕ bₘ
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tileloadd tmm4, [{a0} + {row} + 1024]",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "tileloadd tmm5, [{a1} + {row} + 1024]",
            // aₘ bₘ
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tileloadd tmm6, [{b0} + {row}]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "tileloadd tmm7, [{b1} + {row}]",
            // aₘ bₕ
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tileloadd tmm4, [{a0} + {row} + 2048]",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "tileloadd tmm5, [{a1} + {row} + 2048]",
            // aₗ bₕ
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tileloadd tmm4, [{a0} + {row}]",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "tileloadd tmm5, [{a1} + {row}]",
            // aₕ bₕ, and the first tiles of the next block
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tileloadd tmm4, [{a0} + {row} + 3072]",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tileloadd tmm6, [{b0} + {row} + 5120]",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "tileloadd tmm5, [{a1} + {row} + 3072]",
            "tileloadd tmm7, [{b1} + {row} + 5120]",
            "add {a0}, {block}",
            "add {a1}, {block}",
            "add {b0}, {block}",
            "add {b1}, {block}",
            "dec {n}",
            "jnz 2b",
            "5:",
            "mov {t}, {row_bytes}",
            "shl {t}, 4",
            "add {t}, {c}",
            "tilestored [{c} + {row_bytes}], tmm0",
            "tilestored [{c} + {row_bytes} + 64], tmm1",
            "tilestored [{t} + {row_bytes}], tmm2",
            "tilestored [{t} + {row_bytes} + 64], tmm3",
            // Not zero: the sums start with c.
            t = inout(reg) usize::from(update == Update::Add) => _,
            c = in(reg) c,
            row_bytes = in(reg) 4 * c_stride,
            a0 = inout(reg) a[0] => _,
            a1 = inout(reg) a[1] => _,
            b0 = inout(reg) b[0] => _,
            b1 = inout(reg) b[1] => _,
            n = inout(reg) n_blocks => _,
            ahead = inout(reg) ahead => _,
            ahead_end = in(reg) ahead_end,
            rows_per_block = in(reg) rows_per_block,
            row = in(reg) 64usize,
            block = const 4 * BLOCK,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}
