//! Whole numbers in JSON, which knows only numbers: `8.0` is 8.

use serde::{Deserialize, Deserializer, de};

/// For `#[serde(deserialize_with)]` on an optional count.
pub(super) fn optional<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i128>,
{
    let Some(number) = Option::<serde_json::Number>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let whole = number.as_i128().or_else(|| {
        // Every whole f64 of this size is exact in an i128.
        number
            .as_f64()
            .filter(|value| value.fract() == 0.0 && value.abs() < 1e30)
            .map(|value| value as i128)
    });
    let fits = whole.and_then(|whole| T::try_from(whole).ok());
    fits.map(Some)
        .ok_or_else(|| de::Error::custom(format!("{number} is not a whole number in range")))
}
