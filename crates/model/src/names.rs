//! What tensors are called: Hugging Face's and the packed encoder's names in GGUF's words.
//!
//! The rest of the crate uses GGUF's names alone, with one addition: expert 5's part of a layer is called
//! `ffn_up.5`, as GGUF files did before experts were stacked. Numbers in names are layer numbers; `{}` stands for them.

/// Decoders of all families but Falcon, outside the layers.
const DECODER: &[(&str, &str)] = &[
    ("model.embed_tokens.weight", "token_embd.weight"),
    ("model.norm.weight", "output_norm.weight"),
    ("lm_head.weight", "output.weight"),
];

/// The same, inside layer `{}`. `.weight` and `.bias` follow.
const DECODER_LAYER: &[(&str, &str)] = &[
    ("input_layernorm", "attn_norm"),
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.o_proj", "attn_output"),
    ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_norm", "attn_k_norm"),
    ("pre_feedforward_layernorm", "ffn_norm"),
    ("post_feedforward_layernorm", "post_ffw_norm"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
];

/// What comes after the number in the layers of mixtures of experts: the router, and the parts of expert `{}`.
const EXPERTS: &[(&str, &str)] = &[
    ("gate_proj", "ffn_gate"),
    ("up_proj", "ffn_up"),
    ("down_proj", "ffn_down"),
    // Mixtral's.
    ("w1", "ffn_gate"),
    ("w3", "ffn_up"),
    ("w2", "ffn_down"),
];

/// Falcon, outside the layers.
const FALCON: &[(&str, &str)] = &[
    ("transformer.word_embeddings.weight", "token_embd.weight"),
    ("transformer.ln_f.weight", "output_norm.weight"),
    ("transformer.ln_f.bias", "output_norm.bias"),
    ("lm_head.weight", "output.weight"),
];

/// The same, inside layer `{}`. With two norms, `attn_norm_2` is attention's and `attn_norm` the other half's.
const FALCON_LAYER: &[(&str, &str)] = &[
    ("input_layernorm", "attn_norm"),
    ("ln_mlp", "attn_norm"),
    ("ln_attn", "attn_norm_2"),
    ("post_attention_layernorm", "ffn_norm"),
    ("self_attention.query_key_value", "attn_qkv"),
    ("self_attention.dense", "attn_output"),
    ("mlp.dense_h_to_4h", "ffn_up"),
    ("mlp.dense_4h_to_h", "ffn_down"),
];

/// BERT, outside the layers.
const ENCODER: &[(&str, &str)] = &[
    ("embeddings.word_embeddings.weight", "token_embd.weight"),
    ("embeddings.position_embeddings.weight", "position_embd.weight"),
    ("embeddings.token_type_embeddings.weight", "token_types.weight"),
    ("embeddings.LayerNorm.weight", "token_embd_norm.weight"),
    ("embeddings.LayerNorm.bias", "token_embd_norm.bias"),
];

/// The same, inside layer `{}`.
const ENCODER_LAYER: &[(&str, &str)] = &[
    ("attention.self.query", "attn_q"),
    ("attention.self.key", "attn_k"),
    ("attention.self.value", "attn_v"),
    ("attention.output.dense", "attn_output"),
    ("attention.output.LayerNorm", "attn_output_norm"),
    ("intermediate.dense", "ffn_up"),
    ("output.dense", "ffn_down"),
    ("output.LayerNorm", "layer_output_norm"),
];

/// The packed multilingual-e5 file, outside the layers.
const PACKED: &[(&str, &str)] = &[
    ("emb.word", "token_embd.weight"),
    ("emb.pos", "position_embd.weight"),
    ("emb.type", "token_types.weight"),
    ("emb.ln.w", "token_embd_norm.weight"),
    ("emb.ln.b", "token_embd_norm.bias"),
];

/// The same, inside layer `l{}`; `.w` and `.b` follow.
const PACKED_LAYER: &[(&str, &str)] = &[
    ("q", "attn_q"),
    ("k", "attn_k"),
    ("v", "attn_v"),
    ("ao", "attn_output"),
    ("aln", "attn_output_norm"),
    ("fi", "ffn_up"),
    ("fo", "ffn_down"),
    ("oln", "layer_output_norm"),
];

/// GGUF's name of a Hugging Face decoder tensor; `None` for one the decoder does not use.
///
/// `post_attention_layernorm` means two things: with `post_norms` (Gemma) the norm after attention,
/// otherwise (Llama, Qwen) the norm before the feed-forward part.
pub fn decoder_from_hugging_face(name: &str, post_norms: bool) -> Option<String> {
    if let Some(outside) = find(DECODER, name).or(find(FALCON, name)) {
        return Some(outside.to_owned());
    }
    if let Some(inside) = name.strip_prefix("transformer.h.") {
        let (layer, inner, suffix) = split_layer(inside)?;
        return Some(format!("blk.{layer}.{}.{suffix}", find(FALCON_LAYER, inner)?));
    }
    let (layer, inner, suffix) = split_layer(name.strip_prefix("model.layers.")?)?;
    let inner = match (inner, post_norms) {
        ("post_attention_layernorm", true) => "post_attention_norm",
        ("post_attention_layernorm", false) => "ffn_norm",
        ("mlp.gate" | "block_sparse_moe.gate", _) => "ffn_gate_inp",
        _ => match find(DECODER_LAYER, inner) {
            Some(inner) => inner,
            None => {
                let (expert, part) = split_expert(inner)?;
                return Some(format!("blk.{layer}.{part}.{expert}.{suffix}"));
            }
        },
    };
    Some(format!("blk.{layer}.{inner}.{suffix}"))
}

/// How the families differ in what Hugging Face calls the tensors of a decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Llama's, Qwen's and OLMoE's.
    Llama,
    /// The same with norms after blocks.
    Gemma,
    /// Llama's with other words for the experts.
    Mixtral,
    /// One of its own; `two_norms` as in [`crate::config::Block`].
    Falcon { two_norms: bool },
}

/// The way back: the Hugging Face name of a decoder tensor; `None` for one that the dialect has no word for.
pub fn decoder_to_hugging_face(name: &str, dialect: Dialect) -> Option<String> {
    let falcon = matches!(dialect, Dialect::Falcon { .. });
    if let Some(outside) = find_back(if falcon { FALCON } else { DECODER }, name) {
        return Some(outside.to_owned());
    }
    let (layer, inner, suffix) = split_layer(name.strip_prefix("blk.")?)?;
    if let Dialect::Falcon { two_norms } = dialect {
        let inner = match inner {
            "attn_norm" if two_norms => "ln_mlp",
            _ => find_back(FALCON_LAYER, inner)?,
        };
        return Some(format!("transformer.h.{layer}.{inner}.{suffix}"));
    }
    let experts = if dialect == Dialect::Mixtral { "block_sparse_moe" } else { "mlp" };
    let inner = match (inner, dialect) {
        ("ffn_norm", Dialect::Llama | Dialect::Mixtral) => "post_attention_layernorm".to_owned(),
        ("post_attention_norm", Dialect::Gemma) => "post_attention_layernorm".to_owned(),
        ("ffn_gate_inp", _) => format!("{experts}.gate"),
        _ => match inner.rsplit_once('.') {
            None => find_back(DECODER_LAYER, inner)?.to_owned(),
            Some((part, expert)) => {
                // The table lists Mixtral's words after the others'.
                let mut words = EXPERTS.iter().filter(|(_, ours)| *ours == part);
                let skip = usize::from(dialect == Dialect::Mixtral);
                format!("{experts}.experts.{expert}.{}", words.nth(skip)?.0)
            }
        },
    };
    Some(format!("model.layers.{layer}.{inner}.{suffix}"))
}

/// GGUF's name of a Hugging Face BERT tensor; `None` for one the encoder does not use (pooler, heads).
pub fn encoder_from_hugging_face(name: &str) -> Option<String> {
    let name = name.strip_prefix("bert.").unwrap_or(name);
    if let Some(outside) = find(ENCODER, name) {
        return Some(outside.to_owned());
    }
    let (layer, inner, suffix) = split_layer(name.strip_prefix("encoder.layer.")?)?;
    Some(format!("blk.{layer}.{}.{suffix}", find(ENCODER_LAYER, inner)?))
}

/// GGUF's name of a tensor of the packed encoder file.
pub fn encoder_from_packed(name: &str) -> Option<String> {
    if let Some(outside) = find(PACKED, name) {
        return Some(outside.to_owned());
    }
    let (layer, inner, suffix) = split_layer(name.strip_prefix('l')?)?;
    let suffix = match suffix {
        "w" => "weight",
        "b" => "bias",
        _ => return None,
    };
    Some(format!("blk.{layer}.{}.{suffix}", find(PACKED_LAYER, inner)?))
}

/// `12.mlp.up_proj.weight` → (12, `mlp.up_proj`, `weight`).
fn split_layer(name: &str) -> Option<(usize, &str, &str)> {
    let (layer, rest) = name.split_once('.')?;
    let (inner, suffix) = rest.rsplit_once('.')?;
    Some((layer.parse().ok()?, inner, suffix))
}

/// `mlp.experts.5.up_proj` → (5, `ffn_up`).
fn split_expert(inner: &str) -> Option<(usize, &'static str)> {
    let (_, rest) = inner.split_once(".experts.")?;
    let (expert, part) = rest.split_once('.')?;
    Some((expert.parse().ok()?, find(EXPERTS, part)?))
}

fn find(table: &'static [(&str, &str)], name: &str) -> Option<&'static str> {
    table.iter().find(|(theirs, _)| *theirs == name).map(|(_, ours)| *ours)
}

fn find_back(table: &'static [(&str, &str)], name: &str) -> Option<&'static str> {
    table.iter().find(|(_, ours)| *ours == name).map(|(theirs, _)| *theirs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_norm_after_attention_is_told_by_the_family() {
        let name = "model.layers.7.post_attention_layernorm.weight";
        assert_eq!(decoder_from_hugging_face(name, false).unwrap(), "blk.7.ffn_norm.weight");
        assert_eq!(
            decoder_from_hugging_face(name, true).unwrap(),
            "blk.7.post_attention_norm.weight"
        );
    }

    #[test]
    fn every_name_comes_back_from_the_way_there() {
        let both = |theirs: &str, dialect: Dialect| {
            let ours = decoder_from_hugging_face(theirs, dialect == Dialect::Gemma).unwrap();
            assert_eq!(decoder_to_hugging_face(&ours, dialect).as_deref(), Some(theirs), "{ours}");
        };
        let inside = ["input_layernorm", "post_attention_layernorm", "self_attn.q_proj"];
        for part in inside {
            for dialect in [Dialect::Llama, Dialect::Gemma, Dialect::Mixtral] {
                both(&format!("model.layers.4.{part}.weight"), dialect);
            }
        }
        both("model.layers.4.pre_feedforward_layernorm.weight", Dialect::Gemma);
        both("model.layers.4.mlp.gate.weight", Dialect::Llama);
        both("model.layers.4.mlp.experts.11.down_proj.weight", Dialect::Llama);
        both("model.layers.4.block_sparse_moe.gate.weight", Dialect::Mixtral);
        both("model.layers.4.block_sparse_moe.experts.11.w2.weight", Dialect::Mixtral);
        both("lm_head.weight", Dialect::Llama);
        for (part, two_norms) in [("input_layernorm", false), ("ln_mlp", true), ("ln_attn", true)] {
            both(&format!("transformer.h.4.{part}.bias"), Dialect::Falcon { two_norms });
        }
        both("transformer.ln_f.bias", Dialect::Falcon { two_norms: false });
    }

    #[test]
    fn two_spellings_of_an_experts_tensor_meet() {
        let ours = "blk.3.ffn_up.17.weight";
        for theirs in ["mlp.experts.17.up_proj", "block_sparse_moe.experts.17.w3"] {
            let theirs = format!("model.layers.3.{theirs}.weight");
            assert_eq!(decoder_from_hugging_face(&theirs, false).unwrap(), ours);
        }
        let router = "model.layers.3.mlp.gate.weight";
        assert_eq!(decoder_from_hugging_face(router, false).unwrap(), "blk.3.ffn_gate_inp.weight");
        assert_eq!(
            decoder_from_hugging_face("model.layers.3.mlp.experts.x.up_proj.weight", false),
            None
        );
    }

    #[test]
    fn three_spellings_of_one_encoder_tensor_meet() {
        let ours = "blk.11.attn_output.bias";
        assert_eq!(encoder_from_packed("l11.ao.b").unwrap(), ours);
        let theirs = "encoder.layer.11.attention.output.dense.bias";
        assert_eq!(encoder_from_hugging_face(theirs).unwrap(), ours);
        assert_eq!(encoder_from_hugging_face(&format!("bert.{theirs}")).unwrap(), ours);
    }

    #[test]
    fn tensors_nobody_uses_have_no_name() {
        assert_eq!(encoder_from_hugging_face("pooler.dense.weight"), None);
        assert_eq!(decoder_from_hugging_face("model.layers.x.mlp.up_proj.weight", false), None);
        assert_eq!(encoder_from_packed("l0.q.z"), None);
    }
}
