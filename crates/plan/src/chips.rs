//! The chip table: what accelerators can do at best, by their data sheets (`data/chips.toml`).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::Error;

/// Bytes in the unit that memory is sold in.
pub const GIB: f64 = 1024.0 * 1024.0 * 1024.0;

/// Number format of the matrix products of linear layers. Attention, norms and the head stay in bf16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Precision {
    /// bf16 and fp16, which run at the same rate.
    Bf16,
    /// fp8 with one scale per tensor.
    Fp8,
    /// fp8 with one scale per block of 32 (OCP MX).
    Mxfp8,
    /// 4-bit blocks (NVFP4, MXFP4).
    Fp4,
}

impl Precision {
    /// Reads `bf16`, `fp16`, `amp_bf16`, `fp8`, `e4m3`, `mxfp8`, `nvfp4`…
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let has = |part: &str| text.contains(part);
        if has("fp4") {
            Some(Self::Fp4)
        } else if has("mxfp8") {
            Some(Self::Mxfp8)
        } else if ["fp8", "int8", "float8", "e4m3", "e5m2"].into_iter().any(has) {
            Some(Self::Fp8)
        } else if has("16") || has("half") {
            Some(Self::Bf16)
        } else {
            None
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Bf16 => "bf16",
            Self::Fp8 => "fp8",
            Self::Mxfp8 => "mxfp8",
            Self::Fp4 => "nvfp4",
        }
    }

    /// Bytes of one operand element.
    pub fn bytes(self) -> f64 {
        match self {
            Self::Bf16 => 2.0,
            Self::Fp8 | Self::Mxfp8 => 1.0,
            Self::Fp4 => 0.5625,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peaks {
    pub bf16: f64,
    pub fp8: Option<f64>,
    pub fp4: Option<f64>,
}

/// One line of the table. Units as in the file: TFLOP/s, GiB, TB/s, GB/s per direction, W, US dollars.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chip {
    #[serde(skip_deserializing)]
    pub name: String,
    /// Other spellings.
    pub names: Vec<String>,
    pub tflops: Peaks,
    pub hbm_gib: f64,
    pub hbm_tb_s: f64,
    /// Chips joined by the scale-up network.
    pub domain: u32,
    pub scale_up_gb_s: f64,
    pub nic_gb_s: f64,
    /// GB/s per direction per chip to the host's memory, where that link is fast enough to keep activations there.
    #[serde(default)]
    pub host_link_gb_s: f64,
    pub watts: f64,
    pub buy_usd: f64,
    pub hour_usd: f64,
    /// Year and month of first delivery.
    pub date: String,
    /// The generation of training software that a plan takes unless it names one, as in `data/constants.toml`.
    pub software: String,
    pub source: String,
}

impl Chip {
    /// Dense peak in FLOP/s; a format that the chip lacks runs at the next wider one's rate.
    pub fn peak(&self, precision: Precision) -> f64 {
        let fp8 = self.tflops.fp8.unwrap_or(self.tflops.bf16);
        1e12 * match precision {
            Precision::Bf16 => self.tflops.bf16,
            Precision::Fp8 | Precision::Mxfp8 => fp8,
            Precision::Fp4 => self.tflops.fp4.unwrap_or(fp8),
        }
    }

    pub fn memory_bytes(&self) -> f64 {
        self.hbm_gib * GIB
    }

    /// HBM bytes per second.
    pub fn bandwidth(&self) -> f64 {
        self.hbm_tb_s * 1e12
    }

    pub fn is_tpu(&self) -> bool {
        self.name.starts_with("TPU")
    }
}

static TABLE: LazyLock<BTreeMap<String, Chip>> = LazyLock::new(|| {
    let text = include_str!("../data/chips.toml");
    let mut table: BTreeMap<String, Chip> =
        toml::from_str(text).expect("the chip table is checked by the tests");
    for (name, chip) in &mut table {
        chip.name.clone_from(name);
    }
    table
});

/// All chips, by name.
pub fn all() -> impl Iterator<Item = &'static Chip> {
    TABLE.values()
}

/// Finds a chip by its name or one of its other spellings, ignoring case, spaces and dashes.
pub fn find(name: &str) -> Result<&'static Chip, Error> {
    let named = |wanted: &str| {
        TABLE.values().find(|chip| {
            plain(&chip.name) == wanted || chip.names.iter().any(|other| plain(other) == wanted)
        })
    };
    // Drivers and catalogues put the maker before the name and the kind of memory behind it.
    let essential: String = name
        .split([' ', '-', '_'])
        .map(plain)
        .filter(|word| !AROUND_NAMES.contains(&word.as_str()))
        .collect();
    named(&plain(name)).or_else(|| named(&essential)).ok_or_else(|| {
        let known: Vec<&str> = TABLE.keys().map(String::as_str).collect();
        let reason = format!("this chip is not in the table (known: {})", known.join(", "));
        Error::field("chip", name, &reason, "chip = \"H100\"")
    })
}

const AROUND_NAMES: [&str; 10] =
    ["nvidia", "amd", "google", "cloud", "instinct", "tesla", "hbm2", "hbm2e", "hbm3", "hbm3e"];

pub(crate) fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_in_published_tables_find_their_chip() {
        for (text, name) in [
            ("A100-80GB-SXM", "A100-80GB"),
            ("A100-40GB-SXM", "A100-40GB"),
            ("H100-SXM-80GB", "H100"),
            ("h100", "H100"),
            ("H800-SXM", "H800"),
            ("TPU v5e", "TPUv5e"),
            ("GB300", "GB300"),
            ("NVIDIA H100 80GB HBM3", "H100"),
            ("AMD Instinct MI300X", "MI300X"),
            ("Tesla V100-SXM2-32GB", "V100"),
            ("Google Cloud TPU v5e", "TPUv5e"),
        ] {
            assert_eq!(find(text).unwrap().name, name);
        }
        assert!(find("H900").unwrap_err().to_string().contains("H100"));
        assert!(find("GH200").is_err() && find("NVIDIA").is_err() && find("").is_err());
    }

    #[test]
    fn every_chip_is_physically_plausible() {
        for chip in all() {
            assert!(chip.hbm_gib > 1.0 && chip.hbm_tb_s > 0.01 && chip.watts > 50.0, "{chip:?}");
            // Between 50 and 1,000 operations per byte of memory traffic, except for a CPU.
            let intensity = chip.peak(Precision::Bf16) / chip.bandwidth();
            assert!((10.0..1000.0).contains(&intensity), "{}: {intensity}", chip.name);
            assert!(chip.peak(Precision::Fp4) >= chip.peak(Precision::Fp8));
            assert!(!chip.source.is_empty() && chip.date.len() == 7, "{}", chip.name);
        }
    }
}
