//! The feed-forward block as a mixture of experts: a router sends each token to a few of many small blocks.
//!
//! ```text
//! p = softmax(h·Wrouter);  the n_active largest are chosen;  w = p of the chosen, scaled to sum to one if so configured
//! update = Σ over the chosen  w_e · (act(h·Wgate_e) ∘ h·Wup_e)·Wdown_e
//! ```
//!
//! Work is grouped by expert: the rows of all tokens that chose it are gathered, go through its three
//! products together, and are scattered back with their weights. So an expert's weights are read once per chunk
//! however many tokens chose it, and those of an expert that nobody chose are not read at all: a step of one
//! token touches `n_active` experts. A token's experts are added in the order of their numbers, which makes
//! the sum independent of threads and of the other tokens. Router and softmax are f32 whatever the storage.
//!
//! Where the weights are more than memory holds, the experts of a layer are asked for as soon as they are chosen, so that
//! the disk reads the next ones in one stroke each while the first are computed.
//!
//! Paper: arXiv 1701.06538; renormalising over the chosen as in Mixtral (arXiv 2401.04088).

use kernels::matmul::matmul;
use kernels::pool::Pool;
use kernels::softmax::softmax;

use super::feed_forward::bend_gate;
use super::layer::Names;
use super::scratch::Scratch;
use crate::Error;
use crate::config::{DecoderConfig, Experts};
use crate::weights::StoredMatrix;
use crate::weights::linear::{Input, Linear, apply_all};

/// Experts that are read from the disk while others are computed, where the weights are more than memory holds: all that
/// a token chooses, in most models.
const AHEAD: usize = 8;

/// The router and the experts of one layer.
#[derive(Debug)]
pub(super) struct Mixture {
    router: StoredMatrix,
    experts: Vec<Expert>,
    n_active: usize,
    width: usize,
    renormalise: bool,
    /// Whether the weights are more than memory holds.
    pub(super) is_streamed: bool,
}

#[derive(Debug)]
struct Expert {
    gate: Linear,
    up: Linear,
    down: Linear,
}

/// Which token goes where, and the rows of the tokens of one expert. Kept between steps to allocate nothing.
#[derive(Debug, Default)]
pub(super) struct Routing {
    /// `[tokens, n_experts]`.
    probabilities: Vec<f32>,
    /// Every choice of every token; sorted by expert, then by token.
    choices: Vec<Choice>,
    /// Experts in falling order of one token's probabilities.
    order: Vec<u32>,
    /// Rows of the residual stream that one expert works on.
    gathered: Input,
    /// What it makes of them.
    answered: Vec<f32>,
}

/// A token's choice of an expert.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Choice {
    expert: u32,
    token: u32,
    weight: f32,
}

impl Mixture {
    pub(super) fn new(
        config: &DecoderConfig,
        experts: &Experts,
        names: &Names<'_>,
    ) -> Result<Self, Error> {
        let (hidden, width) = (config.hidden, experts.width);
        let expert = |expert_idx: usize| {
            let linear = |part: &str, rows, cols| {
                names.linear(&format!("{part}.{expert_idx}"), rows, cols, false)
            };
            Ok(Expert {
                gate: linear("ffn_gate", width, hidden)?,
                up: linear("ffn_up", width, hidden)?,
                down: linear("ffn_down", hidden, width)?,
            })
        };
        let router = names.of("ffn_gate_inp.weight");
        Ok(Self {
            router: names.weights.matrix(&router, experts.n_experts, hidden)?,
            experts: (0..experts.n_experts).map(expert).collect::<Result<_, Error>>()?,
            n_active: experts.n_active,
            width,
            renormalise: experts.renormalise,
            is_streamed: false,
        })
    }

    /// The experts' weights, one expert after the other.
    pub(super) fn matrices_mut(&mut self) -> impl Iterator<Item = &mut StoredMatrix> {
        let experts = self.experts.iter_mut();
        experts.flat_map(|Expert { gate, up, down }| [gate, up, down]).map(|part| &mut part.matrix)
    }

    /// Asks for the router's weights.
    pub(super) fn will_need_router(&self) {
        self.router.will_need();
    }

    /// `update` = the block's answer to `normed`.
    pub(super) fn run(&self, pool: &Pool, config: &DecoderConfig, scratch: &mut Scratch) {
        let Scratch { normed, update, inner, routing, precision, .. } = scratch;
        let (hidden, normed) = (config.hidden, &normed.values);
        self.route(pool, routing, normed, hidden);
        update.fill(0.0);
        let Routing { choices, gathered, answered, .. } = routing;
        let mut coming = choices.chunk_by(|a, b| a.expert == b.expert);
        if self.is_streamed {
            coming.by_ref().take(AHEAD).for_each(|chosen| self.will_need(chosen));
        }
        for chosen in choices.chunk_by(|a, b| a.expert == b.expert) {
            if self.is_streamed
                && let Some(next) = coming.next()
            {
                self.will_need(next);
            }
            let expert = &self.experts[chosen[0].expert as usize];
            gathered.values.clear();
            for choice in chosen {
                let start = choice.token as usize * hidden;
                gathered.values.extend_from_slice(&normed[start..start + hidden]);
            }
            gathered.refresh(pool, hidden, *precision);
            answered.resize(gathered.values.len(), 0.0);
            let (gate, up, gated) = inner.first(chosen.len() * self.width);
            apply_all(pool, &mut [(&expert.gate, &mut *gate), (&expert.up, &mut *up)], gathered);
            bend_gate(pool, config.activation, &mut gated.values, gate, up);
            gated.refresh(pool, self.width, *precision);
            apply_all(pool, &mut [(&expert.down, &mut answered[..])], gated);
            for (choice, answer) in chosen.iter().zip(answered.chunks_exact(hidden)) {
                let start = choice.token as usize * hidden;
                for (sum, value) in update[start..start + hidden].iter_mut().zip(answer) {
                    *sum += choice.weight * value;
                }
            }
        }
    }

    /// Asks for the expert of some choices.
    fn will_need(&self, chosen: &[Choice]) {
        let Expert { gate, up, down } = &self.experts[chosen[0].expert as usize];
        [gate, up, down].iter().for_each(|part| part.matrix.will_need());
    }

    /// Fills `routing.choices` for the rows of `normed`.
    fn route(&self, pool: &Pool, routing: &mut Routing, normed: &[f32], hidden: usize) {
        let n_experts = self.experts.len();
        let Routing { probabilities, choices, order, .. } = routing;
        probabilities.resize(normed.len() / hidden * n_experts, 0.0);
        matmul(pool, probabilities, normed, &self.router.rows_view());
        softmax(probabilities, n_experts);
        choices.clear();
        for (token, row) in probabilities.chunks_exact(n_experts).enumerate() {
            choose(choices, order, token as u32, row, self.n_active, self.renormalise);
        }
        choices.sort_unstable_by_key(|choice| (choice.expert, choice.token));
    }
}

/// Appends the `n_active` likeliest experts of one token; of equally likely ones the first.
fn choose(
    choices: &mut Vec<Choice>,
    order: &mut Vec<u32>,
    token: u32,
    probabilities: &[f32],
    n_active: usize,
    renormalise: bool,
) {
    order.clear();
    order.extend(0..probabilities.len() as u32);
    let probability = |expert: u32| probabilities[expert as usize];
    let likelier = |&a: &u32, &b: &u32| probability(b).total_cmp(&probability(a)).then(a.cmp(&b));
    if n_active < order.len() {
        order.select_nth_unstable_by(n_active - 1, likelier);
    }
    let chosen = &mut order[..n_active];
    chosen.sort_unstable_by(likelier);
    let total: f32 = chosen.iter().map(|&expert| probability(expert)).sum();
    let scale = if renormalise { 1.0 / total } else { 1.0 };
    choices.extend(chosen.iter().map(|&expert| Choice {
        expert,
        token,
        weight: probability(expert) * scale,
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(probabilities: &[f32], n_active: usize, renormalise: bool) -> Vec<(u32, f32)> {
        let (mut choices, mut order) = (Vec::new(), Vec::new());
        choose(&mut choices, &mut order, 0, probabilities, n_active, renormalise);
        choices.iter().map(|choice| (choice.expert, choice.weight)).collect()
    }

    #[test]
    fn the_likeliest_experts_are_chosen_and_their_weights_kept_or_scaled_to_one() {
        let probabilities = [0.125, 0.5, 0.125, 0.25];
        assert_eq!(chosen(&probabilities, 2, false), [(1, 0.5), (3, 0.25)]);
        assert_eq!(chosen(&probabilities, 2, true), [(1, 0.5 / 0.75), (3, 0.25 / 0.75)]);
        assert_eq!(chosen(&probabilities, 4, true).len(), 4);
    }

    #[test]
    fn of_equally_likely_experts_the_first_is_chosen() {
        assert_eq!(chosen(&[0.25; 4], 2, false), [(0, 0.25), (1, 0.25)]);
    }

    #[test]
    fn a_token_that_is_not_a_number_still_chooses_experts_that_exist() {
        let choices = chosen(&[f32::NAN; 4], 2, true);
        assert!(choices.iter().all(|&(expert, _)| expert < 4));
    }
}
