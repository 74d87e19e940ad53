//! The `config.json` of models that are made here.
//!
//! They are `Qwen3MoeForCausalLM` (every layer a mixture, weights of the chosen experts renormalised, a norm on each
//! query and key head, no biases) or `Qwen3ForCausalLM`, so that other programs run them.

use serde_json::{Value, json};

/// Sizes of a model of our own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sizes {
    pub vocab: usize,
    pub n_layers: usize,
    pub hidden: usize,
    pub n_heads: usize,
    pub n_kv_heads: usize,
    pub head_dim: usize,
    /// Width of a dense block; of all chosen experts together in a mixture.
    pub feed_forward: usize,
    /// Experts, those chosen, and the width of each; `None` for a dense model.
    pub experts: Option<(usize, usize, usize)>,
    /// Longest text.
    pub context: usize,
    pub tied_head: bool,
    pub rope_theta: f64,
}

impl Sizes {
    /// The `config.json`. Spellings of transformers 4 and 5 stand beside each other.
    pub fn to_json(&self) -> Value {
        let mut config = json!({
            "architectures": ["Qwen3ForCausalLM"],
            "model_type": "qwen3",
            "dtype": "float32",
            "torch_dtype": "float32",
            "vocab_size": self.vocab,
            "hidden_size": self.hidden,
            "intermediate_size": self.feed_forward,
            "num_hidden_layers": self.n_layers,
            "num_attention_heads": self.n_heads,
            "num_key_value_heads": self.n_kv_heads,
            "head_dim": self.head_dim,
            "hidden_act": "silu",
            "max_position_embeddings": self.context,
            "initializer_range": 0.02,
            "rms_norm_eps": 1e-6,
            "use_cache": true,
            "tie_word_embeddings": self.tied_head,
            "rope_theta": self.rope_theta,
            "rope_parameters": { "rope_type": "default", "rope_theta": self.rope_theta },
            "rope_scaling": null,
            "attention_bias": false,
            "attention_dropout": 0.0,
            "use_sliding_window": false,
            "sliding_window": null,
            "max_window_layers": self.n_layers,
        });
        if let Some((n_experts, n_active, width)) = self.experts {
            let experts = json!({
                "architectures": ["Qwen3MoeForCausalLM"],
                "model_type": "qwen3_moe",
                "intermediate_size": n_active * width,
                "decoder_sparse_step": 1,
                "moe_intermediate_size": width,
                "num_experts": n_experts,
                "num_local_experts": n_experts,
                "num_experts_per_tok": n_active,
                "norm_topk_prob": true,
                "output_router_logits": false,
                "router_aux_loss_coef": 0.001,
                "mlp_only_layers": [],
            });
            let (config, experts) = (config.as_object_mut(), experts.as_object());
            if let (Some(config), Some(experts)) = (config, experts) {
                config.extend(experts.clone());
            }
        }
        config
    }
}
