//! A linear classifier over hashed words and word pairs: logistic regression.
//!
//! A text is the set of its words and pairs of neighbouring words, each hashed to one of 2¹⁸ weights; the
//! probability is the logistic function of their mean weight scaled by the root of their number, plus a bias.
//! Trained by stochastic gradient descent with AdaGrad steps and a little weight decay; a megabyte on disk, and
//! a few nanoseconds per word.

use super::Example;
use crate::Error;
use crate::shards::mix;
use std::path::Path;
use twox_hash::XxHash64;

const BITS: u32 = 18;
const MAGIC: &[u8; 16] = b"polymath hazard\n";
const EPOCHS: u64 = 8;
const STEP: f32 = 0.5;
const DECAY: f32 = 1e-6;

/// The weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Classifier {
    weights: Vec<f32>,
    bias: f32,
}

impl Classifier {
    /// The probability that a text is hazardous, as far as the training examples say.
    pub fn probability(&self, text: &str) -> f32 {
        self.of_features(&features(text))
    }

    fn of_features(&self, features: &[u32]) -> f32 {
        let scale = 1.0 / (features.len().max(1) as f32).sqrt();
        let sum: f32 = features.iter().map(|&at| self.weights[at as usize]).sum();
        1.0 / (1.0 + (-(self.bias + sum * scale)).exp())
    }

    /// Reads a classifier from a file.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bytes = std::fs::read(path).map_err(|error| Error::io("read", path, error))?;
        let numbers = bytes.strip_prefix(MAGIC).filter(|n| n.len() == 4 * ((1 << BITS) + 1));
        let Some(numbers) = numbers else {
            return Err(Error::Config(format!("{} is no hazard classifier", path.display())));
        };
        let mut numbers: Vec<f32> = numbers
            .chunks_exact(4)
            .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
            .collect();
        let bias = numbers.pop().unwrap_or(0.0);
        Ok(Self { weights: numbers, bias })
    }

    /// Writes the classifier to a file.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let mut bytes = MAGIC.to_vec();
        for number in self.weights.iter().chain([&self.bias]) {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        std::fs::write(path, bytes).map_err(|error| Error::io("write", path, error))
    }
}

/// Trains on four fifths of the examples and hands out the last fifth, chosen by seed, to measure on
/// ([`measure`](super::measure)) from whatever probability counts.
pub fn train(examples: &[Example], seed: u64) -> (Classifier, Vec<&Example>) {
    let place = |at: usize, salt: u64| mix(seed ^ mix(at as u64 + 1) ^ salt);
    let (unseen, seen): (Vec<usize>, Vec<usize>) =
        (0..examples.len()).partition(|&at| place(at, 0).is_multiple_of(5));
    let inputs: Vec<(Vec<u32>, bool)> =
        seen.iter().map(|&at| (features(&examples[at].text), examples[at].label)).collect();
    let mut classifier = Classifier { weights: vec![0.0; 1 << BITS], bias: 0.0 };
    let mut squares = vec![1e-3_f32; 1 << BITS];
    let mut bias_squares = 1e-3_f32;
    for epoch in 0..EPOCHS {
        let mut order: Vec<usize> = (0..inputs.len()).collect();
        order.sort_unstable_by_key(|&at| place(at, epoch + 1));
        for at in order {
            let (features, label) = &inputs[at];
            let error = classifier.of_features(features) - f32::from(u8::from(*label));
            let scale = 1.0 / (features.len().max(1) as f32).sqrt();
            for &feature in features {
                let weight = &mut classifier.weights[feature as usize];
                let gradient = error * scale + DECAY * *weight;
                let square = &mut squares[feature as usize];
                *square += gradient * gradient;
                *weight -= STEP * gradient / square.sqrt();
            }
            bias_squares += error * error;
            classifier.bias -= STEP * error / bias_squares.sqrt();
        }
    }
    (classifier, unseen.into_iter().map(|at| &examples[at]).collect())
}

/// The words and pairs of a text, each once.
fn features(text: &str) -> Vec<u32> {
    let mut features = Vec::new();
    let mut last = 0;
    let mut small = String::new();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        small.clear();
        small.extend(word.chars().flat_map(char::to_lowercase));
        let hash = XxHash64::oneshot(0, small.as_bytes());
        features.push((hash >> (64 - BITS)) as u32);
        features.push((mix(last ^ hash) >> (64 - BITS)) as u32);
        last = hash.rotate_left(17);
    }
    features.sort_unstable();
    features.dedup();
    features
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hazard::measure;

    fn examples() -> Vec<Example> {
        let text = |kind: &str, i: u64| {
            let word = |salt| format!("w{}", mix(i * 31 + salt) % 400);
            format!("{} {} {kind} {} {}", word(1), word(2), word(3), word(4))
        };
        (0..600)
            .map(|i| {
                let label = i % 3 == 0;
                Example { text: text(if label { "dark deed" } else { "good deed" }, i), label }
            })
            .collect()
    }

    #[test]
    fn what_tells_the_examples_apart_is_learnt_and_survives_the_file() {
        let examples = examples();
        let (classifier, unseen) = train(&examples, 1);
        let measured = measure(&unseen, |text| classifier.probability(text) >= 0.5);
        assert!(measured.n > 60, "{measured:?}");
        assert!(measured.precision > 0.95 && measured.recall > 0.95, "{measured:?}");
        assert!(classifier.probability("a dark deed") > 0.5);
        assert!(classifier.probability("a good deed") < 0.5);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c");
        classifier.write(&path).unwrap();
        assert_eq!(Classifier::read(&path).unwrap(), classifier);
        std::fs::write(&path, b"polymath hazard\nshort").unwrap();
        assert!(Classifier::read(&path).is_err());
    }
}
