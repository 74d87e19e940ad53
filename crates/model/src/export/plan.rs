//! Which tensors a target wants, and from what they are put together.

use std::path::Path;

use kernels::rope::Layout;

use super::family::Family;
use super::tensors::{Part, Planned, head_order};
use crate::Error;
use crate::config::{Block, DecoderConfig, Norm, QkNorm, Scaling};
use crate::names::{self, Dialect};
use crate::quantise::Encoding;
use crate::weights::Weights;

/// What kind of file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Gguf,
    HuggingFace,
}

/// The tensors to write, in order.
pub(super) fn plan(
    config: &DecoderConfig,
    weights: &Weights,
    family: &Family,
    target: Target,
    wanted: Option<Encoding>,
    path: &Path,
) -> Result<Vec<Planned>, Error> {
    let mut planner =
        Planner { config, weights, family, target, wanted, path, planned: Vec::new() };
    planner.outside()?;
    for layer_idx in 0..config.n_layers() {
        planner.layer(layer_idx)?;
    }
    Ok(planner.planned)
}

struct Planner<'a> {
    config: &'a DecoderConfig,
    weights: &'a Weights,
    family: &'a Family,
    target: Target,
    wanted: Option<Encoding>,
    path: &'a Path,
    planned: Vec<Planned>,
}

impl Planner<'_> {
    fn outside(&mut self) -> Result<(), Error> {
        let (config, table) = (self.config, [self.config.vocab, self.config.hidden]);
        // The matrix that makes logits deserves more bits than the others.
        let (embedding, head) = ("token_embd.weight", "output.weight");
        self.matrix(embedding, &table, config.tied_head)?;
        if !config.tied_head {
            self.matrix(head, &table, true)?;
        }
        self.norm("output_norm")?;
        let scaled = matches!(config.rotary.scaling, Scaling::Llama3 { .. } | Scaling::Divisors(_));
        if self.target == Target::Gguf && scaled {
            let plain = crate::config::Rotary { scaling: Scaling::None, ..config.rotary.clone() };
            let plain = plain.inverse_frequencies();
            let divisors: Vec<f32> = plain
                .iter()
                .zip(config.rotary.inverse_frequencies())
                .map(|(plain, scaled)| plain / scaled)
                .collect();
            let (shape, part) = (vec![divisors.len()], Part::computed(&divisors));
            let name = "rope_freqs.weight".to_owned();
            self.planned.push(Planned::new(name, shape, Encoding::F32, vec![part]));
        }
        Ok(())
    }

    fn layer(&mut self, layer_idx: usize) -> Result<(), Error> {
        let config = self.config;
        let of = |part: &str| format!("blk.{layer_idx}.{part}");
        match config.block {
            Block::Sequential => {
                self.norm(&of("attn_norm"))?;
                self.norm(&of("ffn_norm"))?;
            }
            Block::Parallel { two_norms } => {
                self.norm(&of("attn_norm"))?;
                if two_norms {
                    self.norm(&of("attn_norm_2"))?;
                }
            }
        }
        if config.post_norms {
            self.norm(&of("post_attention_norm"))?;
            self.norm(&of("post_ffw_norm"))?;
        }
        self.qkv(layer_idx)?;
        let output = [config.hidden, config.query_width()];
        self.linear(&of("attn_output"), &output, config.biases.attention_output)?;
        if let Some(experts) = config.experts_of(layer_idx) {
            let (n, width, hidden) = (experts.n_experts, experts.width, config.hidden);
            self.router(&of("ffn_gate_inp.weight"), &[n, hidden])?;
            self.experts(&of("ffn_gate"), n, &[width, hidden])?;
            self.experts(&of("ffn_up"), n, &[width, hidden])?;
            return self.experts(&of("ffn_down"), n, &[hidden, width]);
        }
        let (inner, biased) = (config.feed_forward, config.biases.feed_forward);
        if config.gated {
            self.linear(&of("ffn_gate"), &[inner, config.hidden], biased)?;
        }
        self.linear(&of("ffn_up"), &[inner, config.hidden], biased)?;
        self.linear(&of("ffn_down"), &[config.hidden, inner], biased)
    }

    /// Queries, keys and values, with their biases and norms.
    fn qkv(&mut self, layer_idx: usize) -> Result<(), Error> {
        let config = self.config;
        let heads = [("q", config.n_heads), ("k", config.n_kv_heads), ("v", config.n_kv_heads)];
        let suffixes = if config.biases.qkv { &["weight", "bias"][..] } else { &["weight"] };
        for &suffix in suffixes {
            let mut parts = Vec::new();
            for (part, n_heads) in heads {
                let name = format!("blk.{layer_idx}.attn_{part}.{suffix}");
                let rows = n_heads * config.head_dim;
                let shape: &[usize] = match suffix {
                    "weight" => &[rows, config.hidden],
                    _ => &[rows],
                };
                // Values are not rotated.
                let order = match part {
                    "v" => None,
                    _ => head_order(config, n_heads, self.layout()),
                };
                parts.push(Part::new(self.weights, &name, shape, true)?.with_order(order));
            }
            if self.family.gguf == "falcon" {
                self.fused_qkv(layer_idx, suffix, &parts)?;
                continue;
            }
            for ((part, n_heads), rows) in heads.into_iter().zip(parts) {
                let name = format!("blk.{layer_idx}.attn_{part}.{suffix}");
                let mut shape = vec![n_heads * config.head_dim];
                if suffix == "weight" {
                    shape.push(config.hidden);
                }
                let encoding = self.encoding(&rows, &shape, false);
                self.push(&name, shape, encoding, vec![rows], 0.0)?;
            }
        }
        for (part, n_heads) in &heads[..2] {
            let len = match config.qk_norm {
                None => continue,
                Some(QkNorm::Head) => config.head_dim,
                Some(QkNorm::Width) => n_heads * config.head_dim,
            };
            // Norms over pairs in another order would need their gains in that order too.
            let name = format!("blk.{layer_idx}.attn_{part}_norm.weight");
            self.vector(&name, len, self.gain_offset())?;
        }
        Ok(())
    }

    /// Falcon's one matrix: parts one below the other in GGUF, group by group on Hugging Face.
    fn fused_qkv(&mut self, layer_idx: usize, suffix: &str, parts: &[Part]) -> Result<(), Error> {
        let config = self.config;
        let widths = [config.query_width(), config.kv_width(), config.kv_width()];
        let n_groups = match self.target {
            Target::Gguf => 1,
            Target::HuggingFace => config.n_kv_heads,
        };
        let mut fused = Vec::new();
        for group in 0..n_groups {
            for (part, width) in parts.iter().zip(widths) {
                let share = width / n_groups;
                fused.push(part.rows(group * share..(group + 1) * share));
            }
        }
        let mut shape = vec![widths.iter().sum()];
        if suffix == "weight" {
            shape.push(config.hidden);
        }
        let encoding = self.encoding(&parts[0], &shape, false);
        self.push(&format!("blk.{layer_idx}.attn_qkv.{suffix}"), shape, encoding, fused, 0.0)
    }

    /// The router: always in f32 in GGUF files, because rounding it changes who is chosen.
    fn router(&mut self, name: &str, shape: &[usize]) -> Result<(), Error> {
        let part = Part::new(self.weights, name, shape, true)?;
        let encoding = match self.target {
            Target::Gguf => Encoding::F32,
            Target::HuggingFace => self.encoding(&part, shape, false),
        };
        self.push(name, shape.to_vec(), encoding, vec![part], 0.0)
    }

    fn experts(&mut self, stem: &str, n_experts: usize, shape: &[usize]) -> Result<(), Error> {
        let one = |expert: usize| {
            let name = format!("{stem}.{expert}.weight");
            Ok((Part::new(self.weights, &name, shape, true)?, name))
        };
        let experts = (0..n_experts).map(one).collect::<Result<Vec<_>, Error>>()?;
        if self.target == Target::HuggingFace {
            for (part, name) in experts {
                let encoding = self.encoding(&part, shape, false);
                self.push(&name, shape.to_vec(), encoding, vec![part], 0.0)?;
            }
            return Ok(());
        }
        let stacked = [&[n_experts], shape].concat();
        let encoding = self.encoding(&experts[0].0, &stacked, false);
        let parts = experts.into_iter().map(|(part, _)| part).collect();
        self.push(&format!("{stem}_exps.weight"), stacked, encoding, parts, 0.0)
    }

    fn linear(&mut self, stem: &str, shape: &[usize; 2], biased: bool) -> Result<(), Error> {
        self.matrix(&format!("{stem}.weight"), shape, false)?;
        match biased {
            true => self.vector(&format!("{stem}.bias"), shape[0], 0.0),
            false => Ok(()),
        }
    }

    fn matrix(&mut self, name: &str, shape: &[usize], makes_logits: bool) -> Result<(), Error> {
        let part = Part::new(self.weights, name, shape, true)?;
        let encoding = self.encoding(&part, shape, makes_logits);
        self.push(name, shape.to_vec(), encoding, vec![part], 0.0)
    }

    /// A norm of the residual stream.
    fn norm(&mut self, stem: &str) -> Result<(), Error> {
        self.vector(&format!("{stem}.weight"), self.config.hidden, self.gain_offset())?;
        match self.config.norm {
            Norm::Layer => self.vector(&format!("{stem}.bias"), self.config.hidden, 0.0),
            Norm::Rms => Ok(()),
        }
    }

    fn vector(&mut self, name: &str, len: usize, offset: f32) -> Result<(), Error> {
        let part = Part::new(self.weights, name, &[len], false)?;
        let encoding = self.encoding(&part, &[len], false);
        self.push(name, vec![len], encoding, vec![part], offset)
    }

    fn push(
        &mut self,
        name: &str,
        shape: Vec<usize>,
        encoding: Encoding,
        parts: Vec<Part>,
        offset: f32,
    ) -> Result<(), Error> {
        let theirs = match self.target {
            Target::Gguf => Some(name.to_owned()),
            Target::HuggingFace => names::decoder_to_hugging_face(name, self.dialect()),
        };
        let Some(theirs) = theirs else {
            let what = format!("{} has no name for tensor {name}", self.family.class);
            let hint = "export to the other format, which has one";
            return Err(Error::export(self.path, what, hint));
        };
        self.planned.push(Planned::new(theirs, shape, encoding, parts).with_offset(offset));
        Ok(())
    }

    fn dialect(&self) -> Dialect {
        self.family.dialect(self.config)
    }

    fn layout(&self) -> Layout {
        match self.target {
            Target::Gguf => self.family.gguf_layout,
            Target::HuggingFace => Layout::Halves,
        }
    }

    /// What is added to stored gains: GGUF files have Gemma's one in them, Hugging Face's have not.
    fn gain_offset(&self) -> f32 {
        let theirs = match self.target {
            Target::HuggingFace if self.family.is_gemma() => 1.0,
            _ => 0.0,
        };
        self.config.gain_offset - theirs
    }

    /// The type to store a tensor in: vectors are small and delicate, so GGUF has them in f32; a matrix gets
    /// what was asked for as far as its rows allow, or keeps what it has.
    fn encoding(&self, part: &Part, shape: &[usize], makes_logits: bool) -> Encoding {
        let cols = *shape.last().unwrap_or(&1);
        let stored = part.encoding();
        let float = |encoding: &Encoding| encoding.block_len() == 1;
        match self.target {
            Target::Gguf if shape.len() == 1 => Encoding::F32,
            Target::Gguf => {
                let wanted = self.wanted.or(stored).unwrap_or(Encoding::F32);
                let four_bits = [Encoding::Q4_0, Encoding::Q4_1, Encoding::Q4K, Encoding::Q5_0];
                match makes_logits && self.wanted.is_some_and(|wanted| four_bits.contains(&wanted))
                {
                    true => Encoding::Q6K.for_rows_of(cols),
                    false => wanted.for_rows_of(cols),
                }
            }
            Target::HuggingFace => self.wanted.or(stored).filter(float).unwrap_or(Encoding::F32),
        }
    }
}
