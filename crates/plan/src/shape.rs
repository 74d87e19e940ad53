//! The sizes of a decoder, as far as cost depends on them, and what follows from them: weights and FLOPs.
//!
//! FLOP conventions (multiply-add = 2, training = 3 forward passes, embedding lookup free):
//! *full* counts attention as if every position saw all (PaLM, arXiv 2204.02311 appendix B; also the 72 b s l h²
//! formula of arXiv 2104.04473 without recomputation); *causal* counts half of it.

use model::config::{DecoderConfig, Reach};
use serde::Serialize;

/// Multi-head latent attention (arXiv 2405.04434): ranks of the compressed queries and keys, widths per head.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, serde::Deserialize)]
pub struct Latent {
    pub query_rank: f64,
    pub key_rank: f64,
    pub nope: f64,
    pub rope: f64,
    pub value: f64,
}

/// A mixture of experts in all layers but the first few.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Experts {
    pub n_experts: f64,
    pub topk: f64,
    /// Inner width of one routed expert.
    pub width: f64,
    /// Inner width of all shared experts together.
    pub shared_width: f64,
    /// Layers at the start with a dense feed-forward block of the model's `ffn`.
    pub dense_layers: f64,
    /// Groups of devices that one token's experts may lie in; 0: no limit.
    pub limited_groups: f64,
}

/// Sizes are kept as floats: they only enter products.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Shape {
    pub layers: f64,
    pub hidden: f64,
    pub heads: f64,
    pub kv_heads: f64,
    pub head_dim: f64,
    pub ffn: f64,
    /// Three matrices in the feed-forward block instead of two.
    pub gated: bool,
    pub vocab: f64,
    pub tied: bool,
    pub experts: Option<Experts>,
    pub latent: Option<Latent>,
    /// Positions seen by every second layer; 0: all layers see all.
    pub window: f64,
    /// Learned attention sinks, which fused kernels of the time did not take (GPT-OSS).
    pub sinks: bool,
}

/// Weights of one layer by the way they are spread over chips.
#[derive(Debug, Clone, Copy, Default)]
pub struct LayerWeights {
    pub attention: f64,
    /// Dense or shared feed-forward, and the router.
    pub dense: f64,
    pub routed: f64,
}

impl Shape {
    pub fn query_width(&self) -> f64 {
        match self.latent {
            Some(latent) => self.heads * (latent.nope + latent.rope),
            None => self.heads * self.head_dim,
        }
    }

    /// Width of what attention gives to the output projection.
    pub fn value_width(&self) -> f64 {
        self.latent.map_or(self.heads * self.head_dim, |latent| self.heads * latent.value)
    }

    /// Keys and values of one position.
    pub fn kv_width(&self) -> f64 {
        match self.latent {
            Some(latent) => self.heads * (latent.nope + latent.rope + latent.value),
            None => 2.0 * self.kv_heads * self.head_dim,
        }
    }

    pub fn matrices(&self) -> f64 {
        if self.gated { 3.0 } else { 2.0 }
    }

    pub fn attention_weights(&self) -> f64 {
        let out = self.value_width() * self.hidden;
        match self.latent {
            Some(latent) => {
                let query =
                    self.hidden * latent.query_rank + latent.query_rank * self.query_width();
                let down = self.hidden * (latent.key_rank + latent.rope);
                let up = latent.key_rank * self.heads * (latent.nope + latent.value);
                query + down + up + out
            }
            None => self.hidden * (self.query_width() + self.kv_width()) + out,
        }
    }

    /// Number of layers with a mixture of experts.
    pub fn moe_layers(&self) -> f64 {
        self.experts.map_or(0.0, |experts| (self.layers - experts.dense_layers).max(0.0))
    }

    /// A layer without experts.
    pub fn dense_layer(&self) -> LayerWeights {
        LayerWeights {
            attention: self.attention_weights(),
            dense: self.matrices() * self.hidden * self.ffn,
            routed: 0.0,
        }
    }

    /// A layer with experts; the dense one where there are none.
    pub fn moe_layer(&self) -> LayerWeights {
        match self.experts {
            None => self.dense_layer(),
            Some(experts) => LayerWeights {
                attention: self.attention_weights(),
                dense: self.hidden * experts.n_experts
                    + self.matrices() * self.hidden * experts.shared_width,
                routed: experts.n_experts * self.matrices() * self.hidden * experts.width,
            },
        }
    }

    pub fn embedding_weights(&self) -> f64 {
        self.vocab * self.hidden
    }

    /// All parameters, norms and biases left out (below 0.1 %).
    pub fn parameters(&self) -> f64 {
        let sum = |layer: LayerWeights| layer.attention + layer.dense + layer.routed;
        let tables = if self.tied { 1.0 } else { 2.0 };
        let moe = self.moe_layers();
        moe * sum(self.moe_layer())
            + (self.layers - moe) * sum(self.dense_layer())
            + tables * self.embedding_weights()
    }

    /// Weights in matrix products for one token, the head among them, the lookup not.
    pub fn active_weights(&self) -> f64 {
        let moe = self.moe_layers();
        let dense = self.dense_layer();
        let layer = self.moe_layer();
        let share = self.experts.map_or(0.0, |experts| experts.topk / experts.n_experts);
        moe * (layer.attention + layer.dense + layer.routed * share)
            + (self.layers - moe) * (dense.attention + dense.dense)
            + self.embedding_weights()
    }

    /// Parameters that a token meets, both tables counted as in model names.
    pub fn active_parameters(&self) -> f64 {
        let tables = if self.tied { 0.0 } else { self.embedding_weights() };
        self.active_weights() + tables
    }

    /// Mean positions that count for one query, by convention.
    pub fn mean_span(&self, seq: f64, causal: bool) -> f64 {
        let half = if causal { 0.5 } else { 1.0 };
        if self.window > 0.0 && self.window < seq {
            0.5 * (seq * half + self.window)
        } else {
            seq * half
        }
    }

    /// Forward attention FLOPs per token and layer at a mean span of positions.
    pub fn attention_flops(&self, span: f64) -> f64 {
        2.0 * span * (self.query_width() + self.value_width())
    }

    /// Training FLOPs per token without recomputation.
    pub fn training_flops(&self, seq: f64, causal: bool) -> f64 {
        let attention = self.layers * self.attention_flops(self.mean_span(seq, causal));
        6.0 * self.active_weights() + 3.0 * attention
    }

    /// From a configuration as `model` reads it.
    pub fn from_config(config: &DecoderConfig) -> Self {
        let local = config.layers.contains(&Reach::Local);
        Self {
            layers: config.n_layers() as f64,
            hidden: config.hidden as f64,
            heads: config.n_heads as f64,
            kv_heads: config.n_kv_heads as f64,
            head_dim: config.head_dim as f64,
            ffn: config.feed_forward as f64,
            gated: config.gated,
            vocab: config.vocab as f64,
            tied: config.tied_head,
            experts: config.experts.as_ref().map(|experts| Experts {
                n_experts: experts.n_experts as f64,
                topk: experts.n_active as f64,
                width: experts.width as f64,
                shared_width: 0.0,
                dense_layers: experts.dense_layers.len() as f64,
                limited_groups: 0.0,
            }),
            latent: None,
            window: if local { config.window as f64 } else { 0.0 },
            sinks: false,
        }
    }
}
