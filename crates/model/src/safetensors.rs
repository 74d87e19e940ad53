//! A Hugging Face directory: `config.json` beside `model.safetensors`, or beside several files and an index.
//!
//! The `safetensors` crate checks the headers (sizes, overlaps, overflow); this module finds the files,
//! maps them and gives the tensors GGUF's names. F32, F16 and BF16 weights are used as they lie;
//! tensors of other types are carried along and refused only when the model asks for one.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use kernels::format::Format;
use safetensors::Dtype;
use serde_json::Value;

use crate::Error;
use crate::weights::map::{Bytes, Map};
use crate::weights::{Storage, Tensor, Weights};

/// A configuration of a real model has a few kilobytes, an index of shards a few megabytes.
const MAX_JSON_BYTES: u64 = 64 << 20;

/// Reads a JSON file of bounded size.
pub fn read_json(path: &Path) -> Result<Value, Error> {
    let io = |source| Error::Io {
        path: path.to_owned(),
        action: "read",
        source,
        hint: "a model directory holds config.json and model.safetensors; check the path",
    };
    let bytes = std::fs::metadata(path).map_err(io)?.len();
    if bytes > MAX_JSON_BYTES {
        return Err(Error::malformed(path, format!("{bytes} bytes are too many for a JSON file")));
    }
    let text = std::fs::read(path).map_err(io)?;
    serde_json::from_slice(&text)
        .map_err(|error| Error::malformed(path, format!("it is not valid JSON ({error})")))
}

/// All weights of the model in `directory`, each under `rename(its name)`; those without one are left out.
pub fn read_weights(
    directory: &Path,
    rename: impl Fn(&str) -> Option<String>,
) -> Result<Weights, Error> {
    let mut weights = Weights::new(directory);
    for file in weight_files(directory)? {
        add_file(&mut weights, &file, &rename)?;
    }
    Ok(weights)
}

/// The tensors of one file, renamed, added to `weights`.
pub fn add_file(
    weights: &mut Weights,
    path: &Path,
    rename: &impl Fn(&str) -> Option<String>,
) -> Result<(), Error> {
    let map = Map::open(path)?;
    let (header_bytes, header) = ::safetensors::SafeTensors::read_metadata(map.bytes())
        .map_err(|error| Error::malformed(path, format!("its safetensors header: {error:?}")))?;
    for (theirs, info) in header.tensors() {
        let Some(name) = rename(&theirs) else { continue };
        let (start, end) = info.data_offsets;
        // Eight bytes hold the header's length; offsets count from the header's end.
        let place = |offset: usize| offset.checked_add(header_bytes)?.checked_add(8);
        let bytes = place(start)
            .zip(place(end))
            .and_then(|(start, end)| Bytes::mapped(&map, start..end))
            .ok_or_else(|| {
                Error::malformed(path, format!("tensor {theirs} lies outside the file"))
            })?;
        let storage = match info.dtype {
            Dtype::F32 => Storage::Ready(Format::F32),
            Dtype::F16 => Storage::Ready(Format::F16),
            Dtype::BF16 => Storage::Ready(Format::Bf16),
            Dtype::I64 => Storage::Other("I64"),
            _ => Storage::Other("a type other than F32, F16 and BF16"),
        };
        let tensor = Tensor { storage, shape: info.shape.clone(), bytes };
        if weights.insert(name, tensor).is_some() {
            let what = format!("tensor {theirs} is there twice, here and in another file");
            return Err(Error::malformed(path, what));
        }
    }
    Ok(())
}

/// `model.safetensors`, or the files that `model.safetensors.index.json` names.
fn weight_files(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let single = directory.join("model.safetensors");
    if single.is_file() {
        return Ok(vec![single]);
    }
    let index_path = directory.join("model.safetensors.index.json");
    if !index_path.is_file() {
        return Err(Error::missing(
            directory,
            "model.safetensors and no model.safetensors.index.json",
            "fetch the safetensors files of the model; pickled .bin and .pt files are not read",
        ));
    }
    let index = read_json(&index_path)?;
    let Some(places) = index.get("weight_map").and_then(Value::as_object) else {
        return Err(Error::malformed(&index_path, "it has no weight_map"));
    };
    let mut files = BTreeSet::new();
    for (tensor, file) in places {
        // An index comes from outside: it may name files of its own directory and nothing else.
        let name = file.as_str().map(Path::new).filter(|name| is_plain_name(name));
        let Some(name) = name else {
            let what = format!("the place of tensor {tensor} is not a file name");
            return Err(Error::malformed(&index_path, what));
        };
        files.insert(directory.join(name));
    }
    Ok(files.into_iter().collect())
}

pub(crate) fn is_plain_name(name: &Path) -> bool {
    let mut parts = name.components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None))
}
