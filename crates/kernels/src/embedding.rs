//! Rows of a table by token, and the gradient of the table.

use crate::gemm::Update;
use crate::norm::by_rows;
use crate::pool::Pool;
use crate::scratch::SharedMut;

/// Rows of the table per task of the gradient.
const TASK_ROWS: usize = 256;

/// x[t] = table[token[t]], x [tokens, width], table [vocab, width].
///
/// # Panics
/// When a token is outside the table or lengths differ.
pub fn lookup(pool: &Pool, x: &mut [f32], table: &[f32], token: &[u32], width: usize) {
    assert_eq!(x.len(), token.len() * width, "x is not [{}, {width}]", token.len());
    by_rows(pool, x, width, |first, x| {
        for (row, &token) in x.chunks_exact_mut(width).zip(&token[first..]) {
            row.copy_from_slice(&table[token as usize * width..][..width]);
        }
    });
}

/// dtable[v] (+)= Σ dx[t] over the positions t of token v, in their order.
///
/// # Panics
/// When a token is outside the table or lengths differ.
pub fn gradient(
    pool: &Pool,
    dtable: &mut [f32],
    dx: &[f32],
    token: &[u32],
    width: usize,
    update: Update,
) {
    assert_eq!(dx.len(), token.len() * width, "dx is not [{}, {width}]", token.len());
    let vocab = dtable.len() / width;
    // Positions sorted by token: counted, then placed.
    let mut starts = vec![0_u32; vocab + 1];
    token.iter().for_each(|&v| starts[v as usize + 1] += 1);
    for v in 0..vocab {
        starts[v + 1] += starts[v];
    }
    let mut next = starts.clone();
    let mut position = vec![0_u32; token.len()];
    for (t, &v) in token.iter().enumerate() {
        let at = &mut next[v as usize];
        position[*at as usize] = t as u32;
        *at += 1;
    }
    let dtable = SharedMut::new(dtable);
    pool.run(vocab.div_ceil(TASK_ROWS), |task_idx| {
        for v in task_idx * TASK_ROWS..vocab.min((task_idx + 1) * TASK_ROWS) {
            // SAFETY: each row belongs to one task.
            let row = unsafe { dtable.part(v * width, width) };
            if update == Update::Replace {
                row.fill(0.0);
            }
            for &t in &position[starts[v] as usize..starts[v + 1] as usize] {
                let dx = &dx[t as usize * width..][..width];
                row.iter_mut().zip(dx).for_each(|(row, dx)| *row += dx);
            }
        }
    });
}
