//! Finding model files and reading what PyTorch said about them.

#![allow(dead_code)]

pub(crate) mod gguf_writer;

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;

/// The repository's `golden/` directory.
pub(crate) fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden").join(name)
}

/// A model file that is too large for the repository: under `POLYMATH_TEST_MODELS`, or `.cache/models` of the
/// workspace. `None`, with a message, where it is not there.
pub(crate) fn real_model(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("POLYMATH_TEST_MODELS").map(PathBuf::from);
    let root =
        root.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/models"));
    let path = root.join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {} is absent; set POLYMATH_TEST_MODELS", path.display());
    None
}

/// Reference tensors by name.
pub(crate) struct Reference(Vec<u8>);

impl Reference {
    pub(crate) fn open(path: &Path) -> Self {
        Self(std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    }

    fn words(&self, name: &str) -> Vec<[u8; 4]> {
        let tensors = SafeTensors::deserialize(&self.0).unwrap();
        let view = tensors.tensor(name).unwrap();
        view.data().chunks_exact(4).map(|word| word.try_into().unwrap()).collect()
    }

    pub(crate) fn floats(&self, name: &str) -> Vec<f32> {
        self.words(name).into_iter().map(f32::from_le_bytes).collect()
    }

    pub(crate) fn ids(&self, name: &str) -> Vec<u32> {
        self.words(name).into_iter().map(u32::from_le_bytes).collect()
    }

    /// Sequences stored as one list with offsets, under names that begin with `prefix`.
    pub(crate) fn sequences(&self, prefix: &str) -> Vec<Vec<u32>> {
        let ids = |name: &str| self.ids(&format!("{prefix}{name}"));
        let (tokens, offsets) = (ids("tokens"), ids("offsets"));
        offsets.windows(2).map(|ends| tokens[ends[0] as usize..ends[1] as usize].to_vec()).collect()
    }
}

/// Log-probabilities of one row of logits, summed in f64.
pub(crate) fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let max = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = logits.iter().map(|&logit| (f64::from(logit) - max).exp()).sum();
    logits.iter().map(|&logit| f64::from(logit) - max - sum.ln()).collect()
}

pub(crate) fn argmax<T: PartialOrd>(row: &[T]) -> usize {
    (0..row.len()).fold(0, |best, idx| if row[idx] > row[best] { idx } else { best })
}

pub(crate) fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}
