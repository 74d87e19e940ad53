//! What a decoder costs by its description alone: parameters and floating-point operations.
//!
//! A multiply-add counts as two operations. Three conventions are in use and differ by up to a fifth at long
//! context, so each has its own name here:
//!
//! - *Model FLOPs* ([`forward_flops`]): matrix products per token, and attention over exactly the pairs of
//!   positions that see each other (causal: n(n + 1)/2 per text of n tokens; less with a window).
//! - *PaLM-convention FLOPs* ([`palm_training_flops_per_token`]): attention as if every position saw all n
//!   (arXiv 2204.02311, appendix B). For comparison with what others publish.
//! - *Hardware FLOPs* depend on what is recomputed and padded; whoever runs a model counts them.
//!
//! Looking up embeddings, norms, rotation, softmax and gates are left out of all three. Training costs three
//! forward passes: the gradients of inputs and of weights cost one each.

use crate::config::{Block, DecoderConfig, Experts, Norm, QkNorm, Reach};

/// Numbers of parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters {
    /// Everything in the file; a tied head counts once.
    pub total: u64,
    /// Those that a token meets: all but the experts that are not chosen.
    pub active: u64,
    /// The embedding table, part of both.
    pub embedding: u64,
}

/// Counts the parameters.
pub fn parameters(config: &DecoderConfig) -> Parameters {
    let hidden = config.hidden as u64;
    let embedding = config.vocab as u64 * hidden;
    let head = if config.tied_head { 0 } else { embedding };
    let shared = attention_parameters(config) + norm_parameters(config);
    let outside = embedding + head + norm_vector(config);
    let mut parameters = Parameters { total: outside, active: outside, embedding };
    for layer_idx in 0..config.n_layers() {
        let (all, active) = match config.experts_of(layer_idx) {
            None => (dense_parameters(config), dense_parameters(config)),
            Some(experts) => {
                let (router, expert) = expert_weights(config, experts);
                let some = |n: usize| router + n as u64 * expert;
                (some(experts.n_experts), some(experts.n_active))
            }
        };
        parameters.total += shared + all;
        parameters.active += shared + active;
    }
    parameters
}

/// Weights that take part in a matrix product for each token, the head among them.
pub fn matrix_weights_per_token(config: &DecoderConfig) -> u64 {
    let hidden = config.hidden as u64;
    let feed_forward = |layer_idx| match config.experts_of(layer_idx) {
        None => dense_weights(config),
        Some(experts) => {
            let (router, expert) = expert_weights(config, experts);
            router + experts.n_active as u64 * expert
        }
    };
    let head = hidden * config.vocab as u64;
    let layers =
        (0..config.n_layers()).map(|layer| attention_weights(config) + feed_forward(layer));
    layers.sum::<u64>() + head
}

/// Model FLOPs of one forward pass over texts of `lengths` tokens, logits for every token.
pub fn forward_flops(config: &DecoderConfig, lengths: &[u64]) -> f64 {
    let n_tokens: u64 = lengths.iter().sum();
    let products = 2.0 * n_tokens as f64 * matrix_weights_per_token(config) as f64;
    let pairs = |reach: &Reach| {
        let window = match reach {
            Reach::Global => u64::MAX,
            Reach::Local => config.window as u64,
        };
        lengths.iter().map(|&length| visible_pairs(length, window)).sum::<f64>()
    };
    // query · key and weight · value: a multiply-add each per element of a query head.
    let per_pair = 4.0 * config.query_width() as f64;
    products + per_pair * config.layers.iter().map(pairs).sum::<f64>()
}

/// Model FLOPs of one training step over texts of `lengths` tokens: three forward passes.
pub fn training_flops(config: &DecoderConfig, lengths: &[u64]) -> f64 {
    3.0 * forward_flops(config, lengths)
}

/// PaLM-convention FLOPs per trained token at texts of `length` tokens.
pub fn palm_training_flops_per_token(config: &DecoderConfig, length: u64) -> f64 {
    let attention = 12.0 * config.n_layers() as f64 * config.query_width() as f64 * length as f64;
    6.0 * matrix_weights_per_token(config) as f64 + attention
}

/// Weights of a layer's router, and of one of its experts.
fn expert_weights(config: &DecoderConfig, experts: &Experts) -> (u64, u64) {
    let hidden = config.hidden as u64;
    (hidden * experts.n_experts as u64, n_projections(config) * hidden * experts.width as u64)
}

/// Matrices of a dense feed-forward block.
fn dense_weights(config: &DecoderConfig) -> u64 {
    n_projections(config) * config.hidden as u64 * config.feed_forward as u64
}

/// The same with biases.
fn dense_parameters(config: &DecoderConfig) -> u64 {
    let into = (n_projections(config) - 1) * config.feed_forward as u64;
    let biases = if config.biases.feed_forward { into + config.hidden as u64 } else { 0 };
    dense_weights(config) + biases
}

/// Gate, up and down, or the last two.
fn n_projections(config: &DecoderConfig) -> u64 {
    if config.gated { 3 } else { 2 }
}

/// Gain of one norm of the residual stream, and its bias if it has one.
fn norm_vector(config: &DecoderConfig) -> u64 {
    let vectors = if config.norm == Norm::Layer { 2 } else { 1 };
    vectors * config.hidden as u64
}

/// All norms of a layer.
fn norm_parameters(config: &DecoderConfig) -> u64 {
    let before = if config.block == (Block::Parallel { two_norms: false }) { 1 } else { 2 };
    let after = if config.post_norms { 2 } else { 0 };
    let heads = match config.qk_norm {
        None => 0,
        Some(QkNorm::Head) => 2 * config.head_dim as u64,
        Some(QkNorm::Width) => (config.query_width() + config.kv_width()) as u64,
    };
    (before + after) * norm_vector(config) + heads
}

fn attention_parameters(config: &DecoderConfig) -> u64 {
    let widths = (config.query_width() + 2 * config.kv_width()) as u64;
    let qkv_bias = if config.biases.qkv { widths } else { 0 };
    let output_bias = if config.biases.attention_output { config.hidden as u64 } else { 0 };
    attention_weights(config) + qkv_bias + output_bias
}

fn attention_weights(config: &DecoderConfig) -> u64 {
    let widths = 2 * config.query_width() + 2 * config.kv_width();
    config.hidden as u64 * widths as u64
}

/// Pairs of positions (query, key it sees) in a text of `length` tokens.
fn visible_pairs(length: u64, window: u64) -> f64 {
    let triangle = |n: u64| n as f64 * (n as f64 + 1.0) / 2.0;
    if length <= window {
        triangle(length)
    } else {
        triangle(window) + (length - window) as f64 * window as f64
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;

    fn qwen3_moe(hidden: u64, n_layers: u64, n_heads: u64, width: u64) -> DecoderConfig {
        let config = json!({
            "architectures": ["Qwen3MoeForCausalLM"],
            "vocab_size": 151936, "hidden_size": hidden, "num_hidden_layers": n_layers,
            "num_attention_heads": n_heads, "num_key_value_heads": 4, "head_dim": 128,
            "intermediate_size": 6144, "num_experts": 128, "num_experts_per_tok": 8,
            "moe_intermediate_size": width, "norm_topk_prob": true,
            "max_position_embeddings": 40960, "rope_theta": 1000000.0,
        });
        DecoderConfig::from_hugging_face(&config, Path::new("config.json")).unwrap()
    }

    fn close(ours: f64, published: f64, tolerance: f64) {
        assert!(
            (ours / published - 1.0).abs() < tolerance,
            "{ours:.4e}, published {published:.4e}"
        );
    }

    /// NVIDIA's benchmark tables give 206 TFLOP/s at 8,960 tokens/s and 923 at 39,936 for the first, and
    /// 147.8–148.1 GFLOP per token for the second; they leave the router out (0.3 %).
    #[test]
    fn training_flops_agree_with_published_throughput_tables() {
        let small = qwen3_moe(2048, 48, 32, 768);
        let per_token = training_flops(&small, &[4096]) / 4096.0;
        close(per_token, 206e12 / 8960.0, 0.005);
        close(per_token, 923e12 / 39936.0, 0.005);
        let large = qwen3_moe(4096, 94, 64, 1536);
        close(training_flops(&large, &[4096]) / 4096.0, 148.0e9, 0.005);
    }

    #[test]
    fn qwen3_30b_has_the_parameters_on_its_card() {
        let parameters = parameters(&qwen3_moe(2048, 48, 32, 768));
        close(parameters.total as f64, 30.5e9, 0.005);
        close(parameters.active as f64, 3.3e9, 0.02);
        // 29.9 B without embeddings, by the card.
        close((parameters.total - 2 * parameters.embedding) as f64, 29.9e9, 0.005);
    }

    /// 46.7 B and 12.9 B by Mixtral's announcement, 6.9 B and 1.3 B by OLMoE's paper (arXiv 2409.02060).
    #[test]
    fn mixtral_and_olmoe_have_the_parameters_that_were_announced() {
        let common = json!({
            "num_hidden_layers": 32, "num_attention_heads": 32, "max_position_embeddings": 4096,
            "architectures": ["MixtralForCausalLM"], "vocab_size": 32000, "hidden_size": 4096,
            "num_key_value_heads": 8, "intermediate_size": 14336, "num_local_experts": 8,
            "num_experts_per_tok": 2,
        });
        let config =
            |json| DecoderConfig::from_hugging_face(json, Path::new("config.json")).unwrap();
        let mixtral = parameters(&config(&common));
        close(mixtral.total as f64, 46.7e9, 0.002);
        close(mixtral.active as f64, 12.9e9, 0.002);
        let olmoe = json!({
            "num_hidden_layers": 16, "num_attention_heads": 16, "max_position_embeddings": 4096,
            "architectures": ["OlmoeForCausalLM"], "vocab_size": 50304, "hidden_size": 2048,
            "intermediate_size": 1024, "num_experts": 64, "num_experts_per_tok": 8,
        });
        let olmoe = parameters(&config(&olmoe));
        close(olmoe.total as f64, 6.9e9, 0.005);
        close(olmoe.active as f64, 1.3e9, 0.02);
    }

    /// The FLOPs of a mixture are those of a dense model with as wide a block as all chosen experts together, and
    /// of the routers.
    #[test]
    fn a_mixture_costs_what_its_chosen_experts_cost() {
        let sparse = qwen3_moe(64, 3, 4, 32);
        let mut dense = sparse.clone();
        dense.experts = None;
        dense.feed_forward = 8 * 32;
        let routers = 2.0 * 3.0 * (64 * 128) as f64 * 10.0;
        assert_eq!(forward_flops(&sparse, &[10]), forward_flops(&dense, &[10]) + routers);
    }

    #[test]
    fn pairs_are_counted_one_by_one() {
        for window in [1, 3, 7, 50] {
            for length in 0..20_u64 {
                let counted: u64 = (1..=length).map(|seen| seen.min(window)).sum();
                assert_eq!(visible_pairs(length, window), counted as f64);
            }
        }
    }
}
