//! The router of a mixture of experts: softmax over all experts, the k best, their weights; and its gradient.
//!
//! ```text
//! p = softmax(logits)      chosen = the k largest p, lower index first among equals
//! w_i = p_i / Σ_chosen p   (renormalised)   or   w_i = p_i
//! balance loss   c_b · E · Σ_i f_i P_i      f_i = share of all visits that went to i, P_i = mean p_i   (2101.03961)
//! z-loss         c_z · mean (log Σ e^logit)²                                                          (2202.08906)
//! ```
//! f has no gradient; with a perfect balance the first loss is c_b.

use crate::norm::by_rows;
use crate::pool::Pool;
use crate::scratch::SharedMut;

/// What the router decided for a batch of tokens.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// Softmax over experts, [tokens, experts].
    pub probability: Vec<f32>,
    /// log Σ e^logit, [tokens].
    pub log_sum: Vec<f32>,
    /// Chosen experts, best first, [tokens, choices].
    pub expert: Vec<u32>,
    /// Their weights, [tokens, choices].
    pub weight: Vec<f32>,
}

/// The same decision, sorted by expert.
#[derive(Debug, Clone, Default)]
pub struct Sorted {
    /// Slots of expert e: `starts[e] .. starts[e + 1]`.
    pub starts: Vec<u32>,
    /// Token of each slot.
    pub token: Vec<u32>,
    /// Weight of each slot.
    pub weight: Vec<f32>,
    /// Slot of each choice, [tokens, choices].
    pub slot_of: Vec<u32>,
}

/// Chooses `n_choices` experts for each row of `logits` [tokens, experts], which may be overwritten.
pub fn choose(
    pool: &Pool,
    choice: &mut Choice,
    logits: &[f32],
    n_experts: usize,
    n_choices: usize,
    renormalise: bool,
) {
    assert!(n_choices >= 1 && n_choices <= n_experts, "{n_choices} of {n_experts} experts");
    assert!(logits.len().is_multiple_of(n_experts), "logits are no whole number of rows");
    let n = logits.len() / n_experts;
    choice.probability.resize(n * n_experts, 0.0);
    choice.log_sum.resize(n, 0.0);
    choice.expert.resize(n * n_choices, 0);
    choice.weight.resize(n * n_choices, 0.0);
    let log_sum = SharedMut::new(&mut choice.log_sum);
    let expert = SharedMut::new(&mut choice.expert);
    let weight = SharedMut::new(&mut choice.weight);
    by_rows(pool, &mut choice.probability, n_experts, |first, probabilities| {
        for (offset, p) in probabilities.chunks_exact_mut(n_experts).enumerate() {
            let t = first + offset;
            let row = &logits[t * n_experts..][..n_experts];
            // SAFETY: each token is handled once.
            let (log_sum, expert, weight) = unsafe {
                (
                    log_sum.part(t, 1),
                    expert.part(t * n_choices, n_choices),
                    weight.part(t * n_choices, n_choices),
                )
            };
            log_sum[0] = softmax(p, row);
            best(expert, weight, p);
            if renormalise {
                let sum: f32 = weight.iter().sum();
                weight.iter_mut().for_each(|w| *w /= sum);
            }
        }
    });
}

/// p = softmax(x); returns log Σ e^x.
fn softmax(p: &mut [f32], x: &[f32]) -> f32 {
    let highest = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for (p, x) in p.iter_mut().zip(x) {
        *p = (x - highest).exp();
        sum += *p;
    }
    p.iter_mut().for_each(|p| *p /= sum);
    highest + sum.ln()
}

/// The largest of `p` in falling order, the lower index first among equals.
fn best(index: &mut [u32], value: &mut [f32], p: &[f32]) {
    let mut n = 0;
    for (i, &p) in p.iter().enumerate() {
        if n == index.len() && p <= value[n - 1] {
            continue;
        }
        let mut at = if n < index.len() { n } else { n - 1 };
        n = (n + 1).min(index.len());
        while at > 0 && value[at - 1] < p {
            value[at] = value[at - 1];
            index[at] = index[at - 1];
            at -= 1;
        }
        value[at] = p;
        index[at] = i as u32;
    }
}

/// Sorts a choice by expert; within an expert, by token.
pub fn sort(sorted: &mut Sorted, choice: &Choice, n_experts: usize) {
    let n_slots = choice.expert.len();
    let n_choices = n_slots.checked_div(choice.log_sum.len()).unwrap_or(0);
    sorted.starts.clear();
    sorted.starts.resize(n_experts + 1, 0);
    for &expert in &choice.expert {
        sorted.starts[expert as usize + 1] += 1;
    }
    for e in 0..n_experts {
        sorted.starts[e + 1] += sorted.starts[e];
    }
    sorted.token.resize(n_slots, 0);
    sorted.weight.resize(n_slots, 0.0);
    sorted.slot_of.resize(n_slots, 0);
    let mut next = sorted.starts.clone();
    for (at, (&expert, &weight)) in choice.expert.iter().zip(&choice.weight).enumerate() {
        let slot = &mut next[expert as usize];
        sorted.token[*slot as usize] = (at / n_choices) as u32;
        sorted.weight[*slot as usize] = weight;
        sorted.slot_of[at] = *slot;
        *slot += 1;
    }
}

/// What the router's own losses add to its gradient.
#[derive(Debug, Clone, Copy)]
pub struct RouterLoss<'a> {
    /// c_b · E · f_i for each expert.
    pub balance: &'a [f32],
    /// c_z.
    pub z: f32,
    /// Tokens that the means run over, here and in other parts of the batch.
    pub n_tokens: f32,
}

/// dlogits [tokens, experts] from the gradients of the chosen weights, `dweight` [slots, partials] by slot, and from
/// the router's own losses.
pub fn gradient(
    pool: &Pool,
    dlogits: &mut [f32],
    choice: &Choice,
    sorted: &Sorted,
    dweight: &[f32],
    loss: RouterLoss<'_>,
    renormalise: bool,
) {
    let n_experts = sorted.starts.len() - 1;
    let n = choice.log_sum.len();
    let n_choices = choice.expert.len().checked_div(n).unwrap_or(0);
    let n_partials = dweight.len().checked_div(choice.expert.len()).unwrap_or(0);
    assert_eq!(dlogits.len(), n * n_experts, "dlogits is not [{n}, {n_experts}]");
    assert_eq!(loss.balance.len(), n_experts, "one balance factor per expert");
    by_rows(pool, dlogits, n_experts, |first, rows| {
        for (offset, dp) in rows.chunks_exact_mut(n_experts).enumerate() {
            let t = first + offset;
            let p = &choice.probability[t * n_experts..][..n_experts];
            for (dp, factor) in dp.iter_mut().zip(loss.balance) {
                *dp = factor / loss.n_tokens;
            }
            let choices = t * n_choices..(t + 1) * n_choices;
            let dw = |at: usize| -> f32 {
                let slot = sorted.slot_of[at] as usize;
                dweight[slot * n_partials..][..n_partials].iter().sum()
            };
            let chosen = |at: usize| choice.expert[at] as usize;
            if renormalise {
                let sum: f32 = choices.clone().map(|at| p[chosen(at)]).sum();
                let mean: f32 = choices.clone().map(|at| dw(at) * choice.weight[at]).sum();
                choices.for_each(|at| dp[chosen(at)] += (dw(at) - mean) / sum);
            } else {
                choices.for_each(|at| dp[chosen(at)] += dw(at));
            }
            let mean: f32 = dp.iter().zip(p).map(|(dp, p)| dp * p).sum();
            let z = 2.0 * loss.z * choice.log_sum[t] / loss.n_tokens;
            for (dp, p) in dp.iter_mut().zip(p) {
                *dp = p * (*dp - mean + z);
            }
        }
    });
}
