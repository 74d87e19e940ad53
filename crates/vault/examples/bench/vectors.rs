//! Vectors without a model, for measuring what searching them costs at sizes where no model has the time: the sum of
//! random directions of a text's longer words, so that texts that share words are near each other.

use std::hash::{DefaultHasher, Hash, Hasher};

use vault::embed::{Embed, EmbedError};

use crate::synthetic::Draw;

/// As many as MiniLM's.
const DIMS: usize = 384;

pub(crate) struct SumOfWords;

impl SumOfWords {
    fn vector(text: &str) -> Vec<f32> {
        let mut sum = vec![0f32; DIMS];
        for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 3) {
            let mut hash = DefaultHasher::new();
            word.to_lowercase().hash(&mut hash);
            let mut draw = Draw::new(hash.finish());
            for value in &mut sum {
                *value += if draw.below(2) == 0 { -1.0 } else { 1.0 };
            }
        }
        let length = sum.iter().map(|value| value * value).sum::<f32>().sqrt().max(1e-6);
        sum.iter_mut().for_each(|value| *value /= length);
        sum
    }
}

impl Embed for SumOfWords {
    fn id(&self) -> &str {
        "sum-of-words"
    }

    fn revision(&self) -> &str {
        "1"
    }

    fn dims(&self) -> usize {
        DIMS
    }

    fn documents(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        Ok(texts.iter().map(|text| Self::vector(text)).collect())
    }

    fn query(&self, text: &str) -> Result<Vec<f32>, EmbedError> {
        Ok(Self::vector(text))
    }
}
