//! The finished model as a folder that other programs open: `config.json`, safetensors, tokenizer.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::Error;
use crate::layout::Layout;

const HINT: &str =
    "free some space and check who may write there; the run's checkpoints are untouched";

/// Writes `folder`, atomically: a temporary folder beside it takes its place when all files stand on the disk.
/// Returns the SHA-256 of the weights file.
///
/// `tokenizer` is a folder with `tokenizer.json` and perhaps `tokenizer_config.json`; `extra` are further files.
///
/// # Errors
/// When the disk refuses.
pub fn write(
    folder: &Path,
    json: &Value,
    layout: &Layout,
    parameters: &[f32],
    tokenizer: Option<&Path>,
    extra: &[(&str, String)],
) -> Result<String, Error> {
    let partial = folder.with_extension("partial");
    let io = |path: &Path, action| {
        let path = path.to_owned();
        move |source| Error::Io { path, action, source, hint: HINT }
    };
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(io(&partial, "remove"))?;
    }
    fs::create_dir_all(&partial).map_err(io(&partial, "make"))?;
    put(&partial.join("config.json"), format!("{json:#}\n").as_bytes())?;
    let weights = weights(layout, parameters).map_err(|what| {
        Error::configuration(format!("cannot lay out the weights: {what}"), HINT)
    })?;
    let hash = Sha256::digest(&weights).iter().map(|byte| format!("{byte:02x}")).collect();
    put(&partial.join("model.safetensors"), &weights)?;
    for (name, text) in extra {
        put(&partial.join(name), text.as_bytes())?;
    }
    if let Some(from) = tokenizer {
        for name in ["tokenizer.json", "tokenizer_config.json", "chat_template.jinja"] {
            let path = from.join(name);
            if path.is_file() {
                let bytes = fs::read(&path).map_err(io(&path, "read"))?;
                put(&partial.join(name), &bytes)?;
            }
        }
    }
    let old = folder.with_extension("old");
    if folder.exists() {
        if old.exists() {
            fs::remove_dir_all(&old).map_err(io(&old, "remove"))?;
        }
        fs::rename(folder, &old).map_err(io(folder, "rename"))?;
    }
    fs::rename(&partial, folder).map_err(io(&partial, "rename"))?;
    if old.exists() {
        fs::remove_dir_all(&old).map_err(io(&old, "remove"))?;
    }
    Ok(hash)
}

/// `generation_config.json` for these ends of text.
pub fn generation_config(eos: &[u32], pad: Option<u32>) -> String {
    let value = json!({ "eos_token_id": eos, "pad_token_id": pad, "do_sample": true, "temperature": 0.7, "top_p": 0.95 });
    format!("{value:#}\n")
}

/// The safetensors file, tensor by tensor as stored in the layout.
fn weights(layout: &Layout, parameters: &[f32]) -> Result<Vec<u8>, safetensors::SafeTensorError> {
    let bytes: Vec<Vec<u8>> = layout
        .tensors
        .iter()
        .map(|tensor| {
            parameters[tensor.range.clone()].iter().flat_map(|v| v.to_le_bytes()).collect()
        })
        .collect();
    let mut views = Vec::with_capacity(bytes.len());
    for (tensor, bytes) in layout.tensors.iter().zip(&bytes) {
        let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytes)?;
        views.push((tensor.name.clone(), view));
    }
    let metadata = std::iter::once(("format".to_owned(), "pt".to_owned())).collect();
    safetensors::serialize(views, Some(metadata))
}

fn put(path: &PathBuf, bytes: &[u8]) -> Result<(), Error> {
    let write = || -> std::io::Result<()> {
        let mut file = fs::File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(|source| Error::io(path, "write", source, HINT))
}
