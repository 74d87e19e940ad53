//! Collectives: bytes over the slowest link they cross, by the ring formulas of Thakur et al. 2005.
//!
//! A group of chips that fits in a scale-up domain moves at its links' rate. Beyond it, a ring enters and leaves
//! each node once, so the group sees the NICs of all its chips in one node together, at most the scale-up rate.

use crate::chips::Chip;
use crate::constants::{Constants, General};

/// Rates of one cluster, bytes per second and chip, efficiencies included.
#[derive(Debug, Clone, Copy)]
pub struct Network {
    /// Chips joined by the scale-up network.
    pub domain: f64,
    pub scale_up: f64,
    pub nic: f64,
    /// What traffic to and from experts reaches inside and across domains.
    pub expert_scale_up: f64,
    pub expert_nic: f64,
    pub cross_node_rings: f64,
    pub latency_s: f64,
}

impl Network {
    pub fn new(chip: &Chip, domain: f64, nic_gb_s: f64, constants: &Constants) -> Self {
        let General { scale_up_efficiency, nic_efficiency, .. } = constants.general;
        let General { expert_scale_up_efficiency, expert_nic_efficiency, .. } = constants.general;
        let expert_nic_gb_s = nic_gb_s.min(constants.general.expert_nic_gb_s);
        Self {
            domain,
            scale_up: chip.scale_up_gb_s * 1e9 * scale_up_efficiency,
            nic: nic_gb_s * 1e9 * nic_efficiency,
            expert_scale_up: chip.scale_up_gb_s * 1e9 * expert_scale_up_efficiency,
            expert_nic: expert_nic_gb_s * 1e9 * expert_nic_efficiency,
            cross_node_rings: constants.general.cross_node_rings,
            latency_s: constants.general.collective_latency_s,
        }
    }

    /// Rate of a ring over `size` chips that lie `stride` apart.
    pub fn ring(&self, size: f64, stride: f64) -> f64 {
        if size * stride <= self.domain {
            self.scale_up
        } else if stride > 1.0 {
            let together = (self.domain / stride).max(1.0);
            (self.nic * together).min(self.scale_up)
        } else {
            (self.nic * self.cross_node_rings).min(self.scale_up)
        }
    }

    /// Seconds to gather (or reduce and scatter) `bytes`, the size of the whole, over a ring.
    pub fn gather(&self, bytes: f64, size: f64, rate: f64) -> f64 {
        if size <= 1.0 {
            return 0.0;
        }
        bytes * (size - 1.0) / size / rate + self.latency_s
    }

    /// Seconds for every chip to send `bytes`, spread evenly, to the others of a group of neighbours.
    pub fn all_to_all(&self, bytes: f64, crossing_bytes: f64, size: f64, stride: f64) -> f64 {
        if size <= 1.0 {
            return 0.0;
        }
        let inside = (self.domain / stride).clamp(1.0, size);
        let outside_share = 1.0 - inside / size;
        let within = bytes * (inside - 1.0).max(0.0) / size / self.expert_scale_up;
        within.max(crossing_bytes * outside_share / self.expert_nic) + self.latency_s
    }
}
