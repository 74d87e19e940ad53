//! Numbers as they stand in JSON, which knows neither NaN nor infinity: those become the texts `NaN`, `inf`, `-inf`.
//! A loss that is not a number is exactly what one wants to find in a journal afterwards.

use serde::{Deserialize, Deserializer, Serializer};

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Finite(f64),
    Other(String),
}

pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_finite() {
        serializer.serialize_f64(*value)
    } else {
        serializer.serialize_str(&value.to_string())
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    match Number::deserialize(deserializer)? {
        Number::Finite(value) => Ok(value),
        Number::Other(text) => text.parse().map_err(serde::de::Error::custom),
    }
}

/// A sum that does not lose small terms beside large ones (Neumaier 1974): a million steps of a few joules each
/// add up to the same total in any grouping, to the last digit that is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    pub(crate) fn add(&mut self, term: f64) {
        let sum = self.sum + term;
        self.lost += if self.sum.abs() >= term.abs() {
            (self.sum - sum) + term
        } else {
            (term - sum) + self.sum
        };
        self.sum = sum;
    }

    pub(crate) fn get(self) -> f64 {
        self.sum + self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_terms_survive_beside_large_ones() {
        let mut sum = Sum::default();
        [1e16, 1.0, 1.0, 1.0, -1e16].into_iter().for_each(|term| sum.add(term));
        assert_eq!(sum.get(), 3.0);
        assert_ne!([1e16, 1.0, 1.0, 1.0, -1e16].into_iter().sum::<f64>(), 3.0);
    }
}
