//! What tensors are called: Hugging Face's and the packed encoder's names in GGUF's words.
//!
//! The rest of the crate uses GGUF's names alone. Numbers in names are layer numbers; `{}` stands for them.

/// Decoders of the Llama, Qwen and Gemma families, outside the layers.
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
    if let Some(outside) = find(DECODER, name) {
        return Some(outside.to_owned());
    }
    let (layer, inner, suffix) = split_layer(name.strip_prefix("model.layers.")?)?;
    let inner = match (inner, post_norms) {
        ("post_attention_layernorm", true) => "post_attention_norm",
        ("post_attention_layernorm", false) => "ffn_norm",
        _ => find(DECODER_LAYER, inner)?,
    };
    Some(format!("blk.{layer}.{inner}.{suffix}"))
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

fn find(table: &'static [(&str, &str)], name: &str) -> Option<&'static str> {
    table.iter().find(|(theirs, _)| *theirs == name).map(|(_, ours)| *ours)
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
