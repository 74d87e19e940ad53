//! Falcon's `config.json`.
//!
//! Two generations share the name. The first (7B) has one norm before a parallel block and one key-value head; the
//! second (`new_decoder_architecture`: 40B, 180B) has grouped key-value heads and, usually, one norm for each half.
//! Falcon RW marks positions by ALiBi instead of rotation and is refused.

use super::fields::Fields;
use super::from_hugging_face::activation_named;
use super::{Biases, Block, DecoderConfig, Norm, Reach};
use crate::Error;

pub(super) fn config(fields: &Fields<'_>, architecture: String) -> Result<DecoderConfig, Error> {
    if fields.flag("alibi", false)? {
        return Err(Error::unsupported(
            fields.path,
            "ALiBi positions (alibi, as in Falcon RW)",
            "Falcon models with rotary positions run: 7B, 11B, 40B, 180B",
        ));
    }
    let hidden = fields.size("hidden_size")?;
    let n_heads = fields.size("num_attention_heads")?;
    let head_dim = hidden / n_heads.max(1);
    let second_generation = fields.flag("new_decoder_architecture", false)?;
    let kv_heads = fields.optional_size("num_kv_heads")?.unwrap_or(n_heads);
    let multi_query = fields.flag("multi_query", true)?;
    let n_kv_heads = match (second_generation, multi_query) {
        (true, _) => kv_heads,
        (false, true) => 1,
        (false, false) => n_heads,
    };
    let block = match (second_generation, fields.flag("parallel_attn", true)?) {
        (true, _) => {
            let n_norms = fields.optional_size("num_ln_in_parallel_attn")?.unwrap_or(2);
            Block::Parallel { two_norms: n_norms == 2 }
        }
        (false, true) => Block::Parallel { two_norms: false },
        (false, false) => Block::Sequential,
    };
    let bias = fields.flag("bias", false)?;
    let (rotary, local_rotary) = fields.rotaries(head_dim, 10_000.0)?;
    let wide = hidden.saturating_mul(4);
    Ok(DecoderConfig {
        vocab: fields.size("vocab_size")?,
        hidden,
        n_heads,
        n_kv_heads,
        head_dim,
        feed_forward: fields.optional_size("ffn_hidden_size")?.unwrap_or(wide),
        gated: false,
        experts: None,
        context_len: fields.optional_size("max_position_embeddings")?.unwrap_or(2048),
        norm: Norm::Layer,
        norm_eps: fields.number("layer_norm_epsilon")?.unwrap_or(1e-5) as f32,
        gain_offset: 0.0,
        post_norms: false,
        block,
        qk_norm: None,
        layers: vec![Reach::Global; fields.n_layers()?],
        rotary,
        window: 0,
        local_rotary,
        activation: activation_named(fields.text("activation")?.unwrap_or("gelu"), fields.path)?,
        attention_scale: 1.0 / (head_dim as f32).sqrt(),
        attention_soft_cap: None,
        logit_soft_cap: None,
        embedding_scale: 1.0,
        tied_head: fields.flag("tie_word_embeddings", true)?,
        biases: Biases { qkv: bias, attention_output: bias, feed_forward: bias },
        architecture,
    })
}
