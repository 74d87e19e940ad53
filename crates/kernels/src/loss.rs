//! Cross-entropy of the next token and its gradient, in one pass over the logits.
//!
//! loss = log Σ e^l − l_target + z (log Σ e^l)²,  dl = (softmax(l) (1 + 2 z log Σ e^l) − [target]) · weight.

use crate::isa::Kernel;
use crate::lanes::Lanes;
use crate::maths;
use crate::norm::by_rows;
use crate::pool::Pool;
use crate::reduce;
use crate::scratch::SharedMut;

/// Replaces `logits` [n, vocab] by their gradient and writes each row's loss without the z term.
///
/// `target` [n]; `weight` [n] is what the row's loss counts in the total (0 leaves it out and gives zeros);
/// `z` is the factor of the square of the log-sum.
///
/// # Panics
/// When lengths differ or a target is outside the vocabulary.
pub fn cross_entropy(
    pool: &Pool,
    logits: &mut [f32],
    losses: &mut [f32],
    target: &[u32],
    weight: &[f32],
    z: f32,
) {
    let n = target.len();
    assert!(losses.len() == n && weight.len() == n, "{n} targets, {} losses", losses.len());
    if n == 0 {
        assert!(logits.is_empty());
        return;
    }
    let vocab = logits.len() / n;
    assert_eq!(logits.len(), n * vocab, "logits are no whole number of rows");
    assert!(target.iter().all(|&t| (t as usize) < vocab), "a target is outside the vocabulary");
    let losses = SharedMut::new(losses);
    by_rows(pool, logits, vocab, |first, rows| {
        for (offset, row) in rows.chunks_exact_mut(vocab).enumerate() {
            let at = first + offset;
            let (target, weight) = (target[at] as usize, weight[at]);
            // SAFETY: each row is handled once.
            let loss = unsafe { losses.part(at, 1) };
            loss[0] = pool.isa().dispatch(Row { row, target, weight, z });
        }
    });
}

struct Row<'a> {
    row: &'a mut [f32],
    target: usize,
    weight: f32,
    z: f32,
}

impl Kernel for Row<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) -> f32 {
        let Self { row, target, weight, z } = self;
        let highest = reduce::highest(lanes, row);
        let at_target = row[target];
        let sum = exponentials(lanes, row, highest);
        let log_sum = highest + sum.ln();
        if weight == 0.0 {
            row.fill(0.0);
        } else {
            let factor = weight * (1.0 + 2.0 * z * log_sum) / sum;
            row.iter_mut().for_each(|v| *v *= factor);
            row[target] -= weight;
        }
        log_sum - at_target
    }
}

/// x = e^(x − highest); returns the sum.
#[inline(always)]
pub(crate) fn exponentials<L: Lanes>(lanes: L, x: &mut [f32], highest: f32) -> f32 {
    let shift = lanes.splat(highest);
    let mut sums = [lanes.splat(0.0); 2];
    let mut chunks = x.chunks_exact_mut(2 * L::N);
    for chunk in &mut chunks {
        for (part, sum) in sums.iter_mut().enumerate() {
            // SAFETY: the chunk has 2 N values.
            unsafe {
                let at = chunk.as_mut_ptr().add(part * L::N);
                let v = maths::exp(lanes, lanes.sub(lanes.load(at), shift));
                *sum = lanes.add(*sum, v);
                lanes.store(at, v);
            }
        }
    }
    let rest = chunks.into_remainder();
    let mut total = lanes.sum(lanes.add(sums[0], sums[1]));
    let mut buffer = [0.0f32; 16];
    for part in rest.chunks_mut(L::N) {
        buffer[..part.len()].copy_from_slice(part);
        // SAFETY: the buffer has room for 16 lanes.
        unsafe {
            let v = maths::exp(lanes, lanes.sub(lanes.load(buffer.as_ptr()), shift));
            lanes.store(buffer.as_mut_ptr(), v);
        }
        part.copy_from_slice(&buffer[..part.len()]);
        total += part.iter().sum::<f32>();
    }
    total
}
