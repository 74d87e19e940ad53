//! The families by both of their names, and whether a target can say what a configuration says.

use kernels::rope::Layout;

use crate::config::{Block, DecoderConfig};
use crate::names::Dialect;

/// A family as the two kinds of files know it.
#[derive(Debug)]
pub(super) struct Family {
    /// `general.architecture`.
    pub(super) gguf: &'static str,
    /// The class of `transformers`.
    pub(super) class: &'static str,
    /// Its `model_type`.
    pub(super) model_type: &'static str,
    /// Which elements of a head are pairs in GGUF files.
    pub(super) gguf_layout: Layout,
    pub(super) has_experts: bool,
}

const fn family(gguf: &'static str, class: &'static str, model_type: &'static str) -> Family {
    Family { gguf, class, model_type, gguf_layout: Layout::Halves, has_experts: false }
}

const FAMILIES: &[Family] = &[
    Family { gguf_layout: Layout::Interleaved, ..family("llama", "LlamaForCausalLM", "llama") },
    Family {
        gguf_layout: Layout::Interleaved,
        has_experts: true,
        ..family("llama", "MixtralForCausalLM", "mixtral")
    },
    family("falcon", "FalconForCausalLM", "falcon"),
    family("qwen2", "Qwen2ForCausalLM", "qwen2"),
    family("qwen3", "Qwen3ForCausalLM", "qwen3"),
    Family { has_experts: true, ..family("qwen3moe", "Qwen3MoeForCausalLM", "qwen3_moe") },
    Family { has_experts: true, ..family("olmoe", "OlmoeForCausalLM", "olmoe") },
    family("gemma2", "Gemma2ForCausalLM", "gemma2"),
    family("gemma3", "Gemma3ForCausalLM", "gemma3_text"),
];

impl Family {
    /// The family of a configuration, by the name either kind of file gave it.
    pub(super) fn of(config: &DecoderConfig) -> Option<&'static Self> {
        let named = |family: &&Self| [family.gguf, family.class].contains(&&*config.architecture);
        let same_kind = |family: &&Self| family.has_experts == config.experts.is_some();
        FAMILIES.iter().filter(named).find(same_kind)
    }

    /// What Hugging Face calls its tensors.
    pub(super) fn dialect(&self, config: &DecoderConfig) -> Dialect {
        match self.model_type {
            "falcon" => {
                let two_norms = config.block == (Block::Parallel { two_norms: true });
                Dialect::Falcon { two_norms }
            }
            "mixtral" => Dialect::Mixtral,
            "gemma2" | "gemma3_text" => Dialect::Gemma,
            _ => Dialect::Llama,
        }
    }

    pub(super) fn is_gemma(&self) -> bool {
        self.gguf.starts_with("gemma")
    }
}

/// The first thing that two configurations say differently, apart from how the numbers are laid out in the file.
pub(super) fn first_difference(a: &DecoderConfig, b: &DecoderConfig) -> Option<&'static str> {
    let near = |a: f32, b: f32| (a - b).abs() <= 1e-5 * a.abs().max(b.abs());
    let both_near = |a: Option<f32>, b: Option<f32>| match (a, b) {
        (Some(a), Some(b)) => near(a, b),
        (a, b) => a == b,
    };
    let rotates_alike = |a: &crate::config::Rotary, b: &crate::config::Rotary| {
        let (ours, theirs) = (a.inverse_frequencies(), b.inverse_frequencies());
        let same = ours.len() == theirs.len();
        same && ours.iter().zip(&theirs).all(|(a, b)| near(*a, *b))
            && near(a.magnitude(), b.magnitude())
    };
    let has_local = a.layers.contains(&crate::config::Reach::Local);
    let dense = a.n_sparse_layers() < a.n_layers();
    let same = [
        ("the vocabulary size", a.vocab == b.vocab),
        ("the width", a.hidden == b.hidden),
        (
            "the heads",
            (a.n_heads, a.n_kv_heads, a.head_dim) == (b.n_heads, b.n_kv_heads, b.head_dim),
        ),
        ("the feed-forward size", !dense || a.feed_forward == b.feed_forward),
        ("the gate of the feed-forward block", a.gated == b.gated && a.activation == b.activation),
        ("the experts", a.experts == b.experts),
        ("the context length", a.context_len == b.context_len),
        (
            "the norms",
            a.norm == b.norm && near(a.norm_eps, b.norm_eps) && a.post_norms == b.post_norms,
        ),
        ("the parallel block", a.block == b.block),
        ("the norms of queries and keys", a.qk_norm == b.qk_norm),
        ("which layers are local", a.layers == b.layers),
        ("the window", !has_local || a.window == b.window),
        ("the rotation", rotates_alike(&a.rotary, &b.rotary)),
        (
            "the rotation of local layers",
            !has_local || rotates_alike(&a.local_rotary, &b.local_rotary),
        ),
        ("the scale of attention", near(a.attention_scale, b.attention_scale)),
        (
            "the soft-caps",
            both_near(a.attention_soft_cap, b.attention_soft_cap)
                && both_near(a.logit_soft_cap, b.logit_soft_cap),
        ),
        ("the scale of embeddings", near(a.embedding_scale, b.embedding_scale)),
        ("whether the head is the embedding", a.tied_head == b.tied_head),
        ("the biases", a.biases == b.biases),
    ];
    same.into_iter().find(|(_, same)| !same).map(|(what, _)| what)
}
