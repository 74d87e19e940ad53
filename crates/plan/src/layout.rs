//! How a model is spread over chips.

use serde::Serialize;

/// What the backward pass computes again instead of keeping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Recompute {
    None,
    /// The attention core (arXiv 2205.05198); with fused attention, norms and activations.
    Selective,
    /// The feed-forward block or the experts, with their norm; attention is kept (Megatron's modules `mlp` and `moe`).
    Mlp,
    /// Nothing; what a share of the layers keeps waits in the host's memory (chips with a fast link to it).
    Offload,
    /// Whole layers; only their inputs are kept.
    Full,
}

/// One way to spread a model. The chips are `tp · pp · cp · dp`; experts are spread over `ep` of the `tp · cp · dp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Layout {
    pub tp: u32,
    pub pp: u32,
    /// Model chunks per pipeline stage (interleaved schedule when above 1).
    pub vpp: u32,
    pub dp: u32,
    pub cp: u32,
    pub ep: u32,
    pub micro_batch: u32,
    pub recompute: Recompute,
    /// Share of the layers that `Full` and `Offload` apply to. The others keep everything, as Megatron-Core recomputes either
    /// whole layers or modules in them, not both.
    pub full_layers_pct: u8,
    /// 0: replicated; 1: optimiser state; 2: gradients too; 3: weights too (FSDP).
    pub zero: u8,
    /// Norms and dropout split along the sequence over the tensor-parallel group (arXiv 2205.05198).
    pub sequence_parallel: bool,
}

impl Layout {
    pub fn chips(&self) -> u32 {
        self.tp * self.pp * self.cp * self.dp
    }

    /// Micro-batches per step and replica.
    pub fn micro_batches(&self, global_batch: f64) -> f64 {
        global_batch / (f64::from(self.dp) * f64::from(self.micro_batch))
    }
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "tp={} pp={}", self.tp, self.pp)?;
        if self.vpp > 1 {
            write!(f, " vpp={}", self.vpp)?;
        }
        write!(f, " dp={}", self.dp)?;
        if self.cp > 1 {
            write!(f, " cp={}", self.cp)?;
        }
        if self.ep > 1 {
            write!(f, " ep={}", self.ep)?;
        }
        let recompute = match self.recompute {
            Recompute::None => "none",
            Recompute::Selective => "selective",
            Recompute::Mlp => "mlp",
            Recompute::Offload => "offload",
            Recompute::Full => "full",
        };
        write!(f, " mbs={} recompute={recompute}", self.micro_batch)?;
        let partly = matches!(self.recompute, Recompute::Full | Recompute::Offload);
        if partly && self.full_layers_pct < 100 {
            write!(f, "({} %)", self.full_layers_pct)?;
        }
        write!(f, " zero={}", self.zero)
    }
}
