//! Where each tensor of a model lies in one flat array of f32.
//!
//! Parameters, gradients and the optimiser's averages are arrays of the same layout, so an update is one pass and a
//! checkpoint three arrays. Tensors that meet the same rows stand side by side and are multiplied as one: queries,
//! keys and values; gate and up. Names are those of Hugging Face's `Qwen3MoeForCausalLM`, `Qwen3ForCausalLM` and
//! `LlamaForCausalLM`.

use std::ops::Range;

use model::config::{Activation, Block, DecoderConfig, Norm, QkNorm};

use crate::Error;

/// What a tensor is, for initial values, optimisers and weight decay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Embedding,
    Head,
    /// A projection of a layer, or of one of its experts.
    Matrix,
    /// A projection that writes into the residual stream.
    Output,
    Router,
    Gain,
    Bias,
}

/// One tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Hugging Face's name.
    pub name: String,
    /// `[out, in]` or `[len]`.
    pub shape: Vec<usize>,
    pub range: Range<usize>,
    pub kind: Kind,
}

/// Where a layer's parts lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    pub attention_norm: Range<usize>,
    /// Queries, keys and values, [(n_heads + 2 n_kv_heads) · head_dim, hidden].
    pub qkv: Range<usize>,
    pub qkv_bias: Option<Range<usize>>,
    /// Gains of queries and of keys.
    pub qk_norm: Option<(Range<usize>, Range<usize>)>,
    /// [hidden, n_heads · head_dim]
    pub output: Range<usize>,
    pub feed_forward_norm: Range<usize>,
    /// [experts, hidden]
    pub router: Option<Range<usize>>,
    /// [experts, 2 inner, hidden]; a dense block counts as one expert.
    pub gate_up: Range<usize>,
    /// [experts, hidden, inner]
    pub down: Range<usize>,
    /// Width of the inner activation.
    pub inner: usize,
}

/// The whole model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    pub tensors: Vec<Tensor>,
    pub layers: Vec<Layer>,
    /// [vocab, hidden]
    pub embedding: Range<usize>,
    pub final_norm: Range<usize>,
    /// [vocab, hidden]; the embedding where they are one.
    pub head: Range<usize>,
    /// Values in all.
    pub len: usize,
}

impl Layout {
    /// Lays out the model that `config` describes.
    ///
    /// # Errors
    /// When it is of a kind that this version cannot train.
    pub fn new(config: &DecoderConfig) -> Result<Self, Error> {
        refuse_the_unknown(config)?;
        let mut builder = Builder { tensors: Vec::new(), len: 0 };
        let hidden = config.hidden;
        let embedding = builder.add(
            "model.embed_tokens.weight".into(),
            &[config.vocab, hidden],
            Kind::Embedding,
        );
        let layers = (0..config.n_layers()).map(|idx| builder.layer(config, idx)).collect();
        let final_norm = builder.add("model.norm.weight".into(), &[hidden], Kind::Gain);
        let head = if config.tied_head {
            embedding.clone()
        } else {
            builder.add("lm_head.weight".into(), &[config.vocab, hidden], Kind::Head)
        };
        let Builder { tensors, len } = builder;
        Ok(Self { tensors, layers, embedding, final_norm, head, len })
    }

    /// The tensor that holds value number `at`.
    pub fn tensor_at(&self, at: usize) -> &Tensor {
        let idx = self.tensors.partition_point(|tensor| tensor.range.end <= at);
        &self.tensors[idx]
    }
}

struct Builder {
    tensors: Vec<Tensor>,
    len: usize,
}

impl Builder {
    fn add(&mut self, name: String, shape: &[usize], kind: Kind) -> Range<usize> {
        let range = self.len..self.len + shape.iter().product::<usize>();
        self.len = range.end;
        self.tensors.push(Tensor { name, shape: shape.to_vec(), range: range.clone(), kind });
        range
    }

    fn layer(&mut self, config: &DecoderConfig, idx: usize) -> Layer {
        let hidden = config.hidden;
        let name = |rest: &str| format!("model.layers.{idx}.{rest}");
        let widths = [config.query_width(), config.kv_width(), config.kv_width()];
        let attention_norm = self.add(name("input_layernorm.weight"), &[hidden], Kind::Gain);
        let start = self.len;
        for (part, width) in ["q", "k", "v"].into_iter().zip(widths) {
            self.add(
                name(&format!("self_attn.{part}_proj.weight")),
                &[width, hidden],
                Kind::Matrix,
            );
        }
        let qkv = start..self.len;
        let qkv_bias = config.biases.qkv.then(|| {
            let start = self.len;
            for (part, width) in ["q", "k", "v"].into_iter().zip(widths) {
                self.add(name(&format!("self_attn.{part}_proj.bias")), &[width], Kind::Bias);
            }
            start..self.len
        });
        let qk_norm = config.qk_norm.map(|_| {
            let dim = [config.head_dim];
            (
                self.add(name("self_attn.q_norm.weight"), &dim, Kind::Gain),
                self.add(name("self_attn.k_norm.weight"), &dim, Kind::Gain),
            )
        });
        let shape = [hidden, config.query_width()];
        let output = self.add(name("self_attn.o_proj.weight"), &shape, Kind::Output);
        let feed_forward_norm =
            self.add(name("post_attention_layernorm.weight"), &[hidden], Kind::Gain);
        let (router, experts, inner) = match config.experts_of(idx) {
            None => (None, vec![name("mlp")], config.feed_forward),
            Some(experts) => {
                let shape = [experts.n_experts, hidden];
                let router = self.add(name("mlp.gate.weight"), &shape, Kind::Router);
                let names = (0..experts.n_experts).map(|e| name(&format!("mlp.experts.{e}")));
                (Some(router), names.collect(), experts.width)
            }
        };
        let start = self.len;
        for expert in &experts {
            for part in ["gate", "up"] {
                let name = format!("{expert}.{part}_proj.weight");
                self.add(name, &[inner, hidden], Kind::Matrix);
            }
        }
        let gate_up = start..self.len;
        for expert in &experts {
            self.add(format!("{expert}.down_proj.weight"), &[hidden, inner], Kind::Output);
        }
        let down = gate_up.end..self.len;
        Layer {
            attention_norm,
            qkv,
            qkv_bias,
            qk_norm,
            output,
            feed_forward_norm,
            router,
            gate_up,
            down,
            inner,
        }
    }
}

/// What the decoder can run and this version cannot train.
fn refuse_the_unknown(config: &DecoderConfig) -> Result<(), Error> {
    let refused = [
        (config.norm != Norm::Rms, "layer norms with a mean"),
        (config.block != Block::Sequential, "parallel blocks"),
        (config.post_norms || config.gain_offset != 0.0, "norms as in Gemma"),
        (config.activation != Activation::Silu || !config.gated, "activations other than SwiGLU"),
        (config.qk_norm == Some(QkNorm::Width), "norms over all heads together"),
        (config.biases.attention_output || config.biases.feed_forward, "biases beyond q, k and v"),
        (config.attention_soft_cap.is_some() || config.logit_soft_cap.is_some(), "soft-caps"),
        (config.embedding_scale != 1.0, "scaled embeddings"),
        (config.rotary.dim != config.head_dim, "partly rotated heads"),
    ];
    match refused.into_iter().find(|(applies, _)| *applies) {
        None => Ok(()),
        Some((_, what)) => Err(Error::configuration(
            format!("{} has {what}, which this version runs but cannot train", config.architecture),
            "models of the families Llama, SmolLM2, Qwen 2, Qwen 3 and Qwen 3 MoE can be trained",
        )),
    }
}
