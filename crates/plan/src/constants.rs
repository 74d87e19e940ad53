//! What no data sheet says: efficiencies of kernels, networks and software (`data/constants.toml`).
//!
//! The file says of each number what it means and whether it was fitted. The fitted ones are reproduced by
//! `cargo run --release -p plan --example fit`. There is no constant per published row or per model.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// All constants.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constants {
    pub general: General,
    /// By chip name.
    pub kernels: BTreeMap<String, Kernels>,
    /// By name of the software.
    pub stack: BTreeMap<String, Stack>,
}

/// What holds on every chip.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct General {
    /// Share of HBM traffic of a matrix product that its arithmetic does not hide.
    pub gemm_traffic: f64,
    /// Achieved share of HBM bandwidth in element-wise kernels.
    pub hbm_efficiency: f64,
    /// Share of the traffic of turning operands into eight bits, and into four, that nothing hides.
    pub quantise_fp8: f64,
    pub quantise_fp4: f64,
    /// Achieved share of the scale-up link in large collectives.
    pub scale_up_efficiency: f64,
    /// Achieved share of the NIC in large collectives.
    pub nic_efficiency: f64,
    /// Share of the scale-up link that traffic to and from experts reaches.
    pub expert_scale_up_efficiency: f64,
    /// The same of the NIC.
    pub expert_nic_efficiency: f64,
    /// What expert traffic reaches at most over a NIC, GB/s per chip, however fast the NIC.
    pub expert_nic_gb_s: f64,
    /// A tensor-parallel group that spans nodes sees this many NICs' bandwidth per chip.
    pub cross_node_rings: f64,
    /// Latency of one collective, seconds.
    pub collective_latency_s: f64,
    /// Each doubling of the chips beyond one node makes a step longer by this share.
    pub straggler: f64,
    /// Head width at which fused attention reaches half of its limit.
    pub flash_half_head_dim: f64,
    /// Sequence at which it does so, per PFLOP/s of bf16 peak.
    pub flash_half_seq: f64,
    /// Backward over forward time of fused attention.
    pub flash_backward: f64,
}

/// What holds on one kind of chip: achieved share of peak where size is no limit.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kernels {
    pub bf16: f64,
    pub fp8: f64,
    pub mxfp8: f64,
    pub fp4: f64,
    /// Fused attention with heads of 128 and long sequences, of the bf16 peak.
    pub flash: f64,
}

/// What holds for one generation of training software.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stack {
    /// Year and month, as 2023.5.
    pub date: f64,
    /// Factor on all kernel efficiencies.
    pub speed: f64,
    /// Attention in one kernel that never writes the scores.
    pub flash: bool,
    /// Attention kernels skip pairs that the causal mask removes.
    pub causal: bool,
    /// Factor on the rate of fused attention, against the chip's `flash`.
    pub attention_speed: f64,
    /// Factor on the bytes of element-wise work (1: nothing fused).
    pub unfused: f64,
    /// The same for the movement of tokens to and from experts.
    pub moe_unfused: f64,
    /// Launch gaps per dense layer and pass, microseconds.
    pub layer_us: f64,
    /// The same per layer with experts, on top.
    pub moe_layer_us: f64,
    /// Launch gaps per expert on a chip, layer and pass: grouped products are not one kernel yet.
    pub expert_us: f64,
    /// Factor on expert products and their data movement (dropless routing is uneven).
    pub moe_slowdown: f64,
    /// Shares of communication hidden behind computation.
    pub tp_overlap: f64,
    pub dp_overlap: f64,
    pub ep_overlap: f64,
    /// The same with an interleaved pipeline, whose chunks hide each other's expert traffic.
    pub ep_overlap_interleaved: f64,
    pub pp_overlap: f64,
    /// Slowdown where pipelines of several replicas share a node's links (1 < tp < node, pp > 1).
    pub contention: f64,
    /// Seconds per step outside the model: data, logging, gradient norm.
    pub step_s: f64,
    /// Bytes per gradient element on the network.
    pub gradient_bytes: f64,
    /// Bytes per gradient element in memory, between micro-batches.
    pub kept_gradient_bytes: f64,
    /// Weights in eight bits are kept in eight bits alone; the optimiser's copy is the only wide one.
    pub narrow_weights: bool,
    /// Pipelines are fed from both ends (DualPipe, arXiv 2412.19437): each chip holds two stages, and one micro-batch
    /// more than there are stages is in flight.
    #[serde(default)]
    pub two_way: bool,
    pub sequence_parallel: bool,
    /// Dropout in the model, whose masks are kept.
    pub dropout: bool,
    /// Interleaving where a layout does not say: 0 means as many chunks as divide the layers, otherwise this.
    pub default_vpp: u32,
}

static CONSTANTS: LazyLock<Constants> = LazyLock::new(|| {
    parse(include_str!("../data/constants.toml")).expect("the constants are checked by the tests")
});

/// The constants this program was built with.
pub fn fitted() -> &'static Constants {
    &CONSTANTS
}

/// Reads constants in the format of `data/constants.toml`.
pub fn parse(text: &str) -> Result<Constants, toml::de::Error> {
    toml::from_str(text)
}

impl Constants {
    /// Kernel efficiencies of a chip; chips that were never measured take those of the nearest relative.
    pub fn kernels_of(&self, chip: &str) -> Kernels {
        let relative = match chip {
            "H100-PCIe" | "H800" | "H200" | "MI300X" => "H100",
            "GB200" => "B200",
            "GB300" => "B300",
            "A100-40GB" => "A100-80GB",
            other if other.starts_with("TPU") => "TPU",
            _ => "A100-80GB",
        };
        let found = self.kernels.get(chip).or_else(|| self.kernels.get(relative));
        found.copied().unwrap_or(Kernels { bf16: 0.7, fp8: 0.6, mxfp8: 0.6, fp4: 0.5, flash: 0.4 })
    }
}
