//! The integer product: tiles of a few rows of x by one panel of 16 outputs, or by three.
//!
//! ```text
//! for each task: a range of panels and a range of rows of x
//!     for each panel (each three with AVX-512), which stays in the first-level cache
//!         for each 4 rows of x (8 with AVX-512)
//!             sums[rows, 16] = Σ over groups of four inputs: dot(broadcast x bytes, panel bytes)
//!             y = epilogue((sums − 128 Σ w) · x_scale · w_scale + bias)
//! ```
//! Per four inputs AVX2 spends three instructions on 32 products, two of them on the same two ports, so the roof is
//! 32 products per cycle: twice the f32 roof. With VNNI one instruction does 64, and with tiles (`tile`) 16,384 in sixteen
//! cycles.

use std::ops::Range;

#[cfg(target_arch = "x86_64")]
use super::tile;
use super::{Epilogue, PANEL, PackedWeights};
use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::maths;
use crate::pool::{Pool, locate};
use crate::scratch::SharedMut;
#[cfg(target_arch = "x86_64")]
use crate::tiles::{TILE, Tiles};

/// Rows of x per task: with 384 inputs they are 24 KB, with 1,536 they are 96 KB of the second-level cache.
const X_BLOCK: usize = 64;
/// Panels per task.
const PANEL_BLOCK: usize = 12;
/// Panels that are multiplied together where a vector holds one: eight rows by three are 24 sums of 32 registers. VNNI
/// begins two products a cycle and ends each after five, so fewer than ten sums would wait for one another.
const WIDE: usize = 3;

/// Rounded rows of x: row i from byte `i · stride` on, with its scale.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a> {
    pub(super) q: &'a [u8],
    pub(super) scales: &'a [f32],
    pub(super) stride: usize,
}

pub(super) fn run(
    pool: &Pool,
    products: &mut [super::Product<'_>],
    x: Bytes<'_>,
    epilogue: Epilogue,
) {
    let n = x.scales.len();
    let n_x_blocks = n.div_ceil(X_BLOCK);
    let products: Vec<_> =
        products.iter_mut().map(|p| (SharedMut::new(p.y), p.w, p.bias)).collect();
    let n_panels = |w: &PackedWeights| w.rows.div_ceil(PANEL);
    let n_panel_blocks =
        |product: &(_, &PackedWeights, _)| n_panels(product.1).div_ceil(PANEL_BLOCK);
    let total: usize = products.iter().map(n_panel_blocks).sum();
    // Neighbouring tasks share rows of x.
    pool.run(n_x_blocks * total, |task_idx| {
        let x_block = task_idx / total;
        let (product_idx, panel_block) = locate(&products, task_idx % total, n_panel_blocks);
        let (y, w, bias) = products[product_idx];
        let part = Part {
            y,
            x,
            w,
            bias,
            x_rows: x_block * X_BLOCK..n.min((x_block + 1) * X_BLOCK),
            panels: panel_block * PANEL_BLOCK..n_panels(w).min((panel_block + 1) * PANEL_BLOCK),
            #[cfg(target_arch = "x86_64")]
            tiles: pool.isa().tiles(),
        };
        match epilogue {
            Epilogue::None => pool.isa().dispatch_bytes(With::<_, Plain>(part, Plain)),
            Epilogue::Gelu => pool.isa().dispatch_bytes(With::<_, Gelu>(part, Gelu)),
            Epilogue::Add => pool.isa().dispatch_bytes(With::<_, Add>(part, Add)),
        }
    });
}

/// What to store, from a sum and what stands in y.
trait Finish: Copy {
    const READS_Y: bool = false;
    fn finish<L: Lanes>(self, lanes: L, sum: L::F, y: L::F) -> L::F;
}

#[derive(Clone, Copy)]
struct Plain;
#[derive(Clone, Copy)]
struct Gelu;
#[derive(Clone, Copy)]
struct Add;

impl Finish for Plain {
    #[inline(always)]
    fn finish<L: Lanes>(self, _: L, sum: L::F, _: L::F) -> L::F {
        sum
    }
}

impl Finish for Gelu {
    #[inline(always)]
    fn finish<L: Lanes>(self, lanes: L, sum: L::F, _: L::F) -> L::F {
        maths::gelu_coarse(lanes, sum)
    }
}

impl Finish for Add {
    const READS_Y: bool = true;
    #[inline(always)]
    fn finish<L: Lanes>(self, lanes: L, sum: L::F, y: L::F) -> L::F {
        lanes.add(y, sum)
    }
}

struct With<P, E>(P, E);

/// What one task multiplies.
struct Part<'a> {
    y: SharedMut<f32>,
    x: Bytes<'a>,
    w: &'a PackedWeights,
    bias: Option<&'a [f32]>,
    x_rows: Range<usize>,
    panels: Range<usize>,
    #[cfg(target_arch = "x86_64")]
    tiles: Option<Tiles>,
}

impl<E: Finish> Kernel for With<Part<'_>, E> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let With(part, end) = self;
        #[cfg(target_arch = "x86_64")]
        if let Some(tiles) = part.tiles {
            let _configured = tiles.configure();
            // SAFETY: they are configured.
            unsafe { part.by_tiles(lanes, end) };
            return;
        }
        let mut panel = part.panels.start;
        if L::N == PANEL {
            while panel + WIDE <= part.panels.end {
                // SAFETY: the panels are this task's.
                unsafe { part.by_rows::<L, E, WIDE>(lanes, end, panel) };
                panel += WIDE;
            }
        }
        while panel < part.panels.end {
            // SAFETY: the panel is this task's.
            unsafe { part.by_rows::<L, E, 1>(lanes, end, panel) };
            panel += 1;
        }
    }
}

impl Part<'_> {
    /// The bias of a panel's outputs, zero where there is none.
    #[inline(always)]
    fn bias_of(&self, panel: usize) -> [f32; PANEL] {
        let mut bias = [0.0; PANEL];
        if let Some(all) = self.bias {
            let part = &all[panel * PANEL..all.len().min((panel + 1) * PANEL)];
            bias[..part.len()].copy_from_slice(part);
        }
        bias
    }

    /// All of the task, 32 rows of x and two panels at a time.
    ///
    /// # Safety
    /// Tiles are configured.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn by_tiles<L: Lanes, E: Finish>(&self, lanes: L, end: E) {
        let depth = self.w.depth();
        let mut sums = tile::Sums([[0; 2 * PANEL]; tile::ROWS]);
        for panel in self.panels.clone().step_by(2) {
            // At the end one panel is multiplied twice.
            let panels = [panel, (panel + 1).min(self.panels.end - 1)];
            let bias = panels.map(|panel| self.bias_of(panel));
            for row in self.x_rows.clone().step_by(tile::ROWS) {
                let n_rows = tile::ROWS.min(self.x_rows.end - row);
                let lower = if n_rows > TILE { row + TILE } else { row };
                // SAFETY: q has rows for whole tiles, and the panels `depth` inputs.
                unsafe {
                    let x = [row, lower].map(|row| self.x.q.as_ptr().add(row * self.x.stride));
                    let w = panels.map(|p| self.w.bytes.as_ptr().add(p * PANEL * depth));
                    tile::sums(&mut sums, x, self.x.stride, w, depth / tile::TILE_K);
                }
                for (i, sums) in sums.0[..n_rows].iter().enumerate() {
                    for p in 0..1 + panels[1] - panels[0] {
                        let mut of_panel = [lanes.splat_int(0); 2];
                        for v in 0..PANEL / L::N {
                            let at = p * PANEL + v * L::N;
                            // SAFETY: a row of sums has two panels; the row and the panel are this task's.
                            of_panel[v] = unsafe { lanes.load_int(sums.as_ptr().add(at).cast()) };
                        }
                        // SAFETY: the row and the panel are this task's.
                        unsafe { self.finish(lanes, end, panels[p], row + i, of_panel, &bias[p]) };
                    }
                }
            }
        }
    }

    /// All rows of the task by P panels.
    ///
    /// # Safety
    /// Panels `panel … panel + P` belong to this task.
    #[inline(always)]
    unsafe fn by_rows<L: Lanes, E: Finish, const P: usize>(&self, lanes: L, end: E, panel: usize) {
        let mut biases = [[0.0; PANEL]; P];
        for p in 0..P {
            biases[p] = self.bias_of(panel + p);
        }
        let mut row = self.x_rows.start;
        // SAFETY: the panels are the caller's promise, and the rows lie inside the task's.
        unsafe {
            if L::N == PANEL {
                while row + 8 <= self.x_rows.end {
                    self.tile::<L, E, 8, P>(lanes, end, panel, row, &biases);
                    row += 8;
                }
            }
            while row + 4 <= self.x_rows.end {
                self.tile::<L, E, 4, P>(lanes, end, panel, row, &biases);
                row += 4;
            }
            while row < self.x_rows.end {
                self.tile::<L, E, 1, P>(lanes, end, panel, row, &biases);
                row += 1;
            }
        }
    }

    /// M rows of x by P panels.
    ///
    /// # Safety
    /// Rows `row … row + M` and panels `panel … panel + P` belong to this task.
    #[inline(always)]
    unsafe fn tile<L: Lanes, E: Finish, const M: usize, const P: usize>(
        &self,
        lanes: L,
        end: E,
        panel: usize,
        row: usize,
        biases: &[[f32; PANEL]; P],
    ) {
        let n_vectors = PANEL / L::N;
        let depth = self.w.depth();
        let mut sums = [[[lanes.splat_int(0); 2]; P]; M];
        // SAFETY: bytes of a panel are [depth / 4][16][4], panels lie one after the other; rows of q are `stride` ≥
        // depth long.
        unsafe {
            let mut w = self.w.bytes.as_ptr().add(panel * PANEL * depth);
            let mut x = self.x.q.as_ptr().add(row * self.x.stride);
            for _ in 0..depth / 4 {
                let mut weights = [[lanes.splat_int(0); 2]; P];
                for p in 0..P {
                    for v in 0..n_vectors {
                        weights[p][v] = lanes.load_int(w.add(p * PANEL * depth + 4 * L::N * v));
                    }
                }
                for m in 0..M {
                    let four = x.add(m * self.x.stride).cast::<i32>().read_unaligned();
                    let bytes = lanes.splat_int(four);
                    for p in 0..P {
                        for v in 0..n_vectors {
                            sums[m][p][v] = lanes.dot_bytes(sums[m][p][v], bytes, weights[p][v]);
                        }
                    }
                }
                w = w.add(4 * PANEL);
                x = x.add(4);
            }
        }
        for m in 0..M {
            for p in 0..P {
                // SAFETY: the caller's promise.
                unsafe { self.finish(lanes, end, panel + p, row + m, sums[m][p], &biases[p]) };
            }
        }
    }

    /// What a row's sums with one panel become in y.
    ///
    /// # Safety
    /// The row and the panel belong to this task.
    #[inline(always)]
    unsafe fn finish<L: Lanes, E: Finish>(
        &self,
        lanes: L,
        end: E,
        panel: usize,
        row: usize,
        sums: [L::I; 2],
        bias: &[f32; PANEL],
    ) {
        let first = panel * PANEL;
        let n_cols = PANEL.min(self.w.rows - first);
        let x_scale = lanes.splat(self.x.scales[row]);
        // SAFETY: scales, offsets and bias are padded to whole panels; y has `n_cols` columns here, and vectors reach
        // it directly only when the panel is full.
        unsafe {
            let y = self.y.pointer().add(row * self.w.rows + first);
            let mut edge = [0.0f32; PANEL];
            let full = n_cols == PANEL;
            if !full && E::READS_Y {
                std::ptr::copy_nonoverlapping(y, edge.as_mut_ptr(), n_cols);
            }
            let target = if full { y } else { edge.as_mut_ptr() };
            for v in 0..PANEL / L::N {
                let at = L::N * v;
                let offset = lanes.load_int(self.w.offsets.as_ptr().add(first + at).cast());
                let scale = lanes.load(self.w.scales.as_ptr().add(first + at));
                let sum = lanes.to_float(lanes.add_int(sums[v], offset));
                let bias = lanes.load(bias.as_ptr().add(at));
                let sum = lanes.fma(sum, lanes.mul(x_scale, scale), bias);
                let before = if E::READS_Y { lanes.load(target.add(at)) } else { sum };
                lanes.store(target.add(at), end.finish(lanes, sum, before));
            }
            if !full {
                std::ptr::copy_nonoverlapping(edge.as_ptr(), y, n_cols);
            }
        }
    }
}
