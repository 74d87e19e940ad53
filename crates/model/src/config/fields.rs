//! Typed reading of a JSON object that came from outside.

use std::path::Path;

use serde_json::Value;

use crate::Error;

/// A JSON object and the file it came from.
pub(super) struct Fields<'a> {
    pub(super) json: &'a Value,
    pub(super) path: &'a Path,
}

impl Fields<'_> {
    /// The value under `key`; JSON's null counts as absent.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.json.get(key).filter(|value| !value.is_null())
    }

    fn wrong(&self, key: &str, wanted: &str) -> Error {
        Error::malformed(self.path, format!("{key} is not {wanted}"))
    }

    pub(super) fn optional_size(&self, key: &str) -> Result<Option<usize>, Error> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let size = value.as_u64().and_then(|size| usize::try_from(size).ok());
        size.map(Some).ok_or_else(|| self.wrong(key, "a whole number"))
    }

    pub(super) fn size(&self, key: &str) -> Result<usize, Error> {
        self.optional_size(key)?
            .ok_or_else(|| Error::missing(self.path, key, "fetch config.json of the model again"))
    }

    pub(super) fn number(&self, key: &str) -> Result<Option<f64>, Error> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value.as_f64().map(Some).ok_or_else(|| self.wrong(key, "a number"))
    }

    /// A number whose absence means `default` and whose null means none.
    pub(super) fn nullable_number(
        &self,
        key: &str,
        default: Option<f64>,
    ) -> Result<Option<f64>, Error> {
        if self.json.get(key).is_none() { Ok(default) } else { self.number(key) }
    }

    pub(super) fn flag(&self, key: &str, default: bool) -> Result<bool, Error> {
        let Some(value) = self.get(key) else { return Ok(default) };
        value.as_bool().ok_or_else(|| self.wrong(key, "true or false"))
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&str>, Error> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| self.wrong(key, "text"))
    }

    /// Whole numbers; `None` where the key is absent.
    pub(super) fn sizes(&self, key: &str) -> Result<Option<Vec<usize>>, Error> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let size = |value: &Value| value.as_u64().and_then(|size| usize::try_from(size).ok());
        let sizes = value.as_array().map(|list| list.iter().map(size).collect::<Option<_>>());
        sizes.flatten().map(Some).ok_or_else(|| self.wrong(key, "a list of whole numbers"))
    }

    /// The number of layers, small enough to make lists of.
    pub(super) fn n_layers(&self) -> Result<usize, Error> {
        let n_layers = self.size("num_hidden_layers")?;
        if n_layers > 1 << 12 {
            return Err(Error::malformed(self.path, format!("it claims {n_layers} layers")));
        }
        Ok(n_layers)
    }
}
