//! Parameters from a Hugging Face folder: `config.json` beside safetensors.

use std::path::Path;

use model::config::DecoderConfig;
use model::safetensors;
use serde_json::Value;

use crate::Error;
use crate::layout::Layout;

/// A model to start from.
#[derive(Debug, Clone)]
pub struct Imported {
    /// Its `config.json`.
    pub json: Value,
    pub config: DecoderConfig,
    pub layout: Layout,
    /// In the layout's order.
    pub parameters: Vec<f32>,
}

/// Reads the model in `folder`.
///
/// # Errors
/// When a file is missing or damaged, or the model is of a kind that cannot be trained.
pub fn read(folder: &Path) -> Result<Imported, Error> {
    let json = safetensors::read_json(&folder.join("config.json"))?;
    let config = DecoderConfig::from_hugging_face(&json, &folder.join("config.json"))?;
    let layout = Layout::new(&config)?;
    let weights = safetensors::read_weights(folder, |name| Some(name.to_owned()))?;
    let mut parameters = vec![0.0; layout.len];
    for tensor in &layout.tensors {
        let to = &mut parameters[tensor.range.clone()];
        match tensor.shape[..] {
            [rows, cols] => {
                let matrix = weights.matrix(&tensor.name, rows, cols)?;
                let view = matrix.rows_view();
                for (row_idx, to) in to.chunks_exact_mut(cols).enumerate() {
                    view.dequantize_row(to, row_idx);
                }
            }
            _ => to.copy_from_slice(&weights.vector(&tensor.name, to.len())?),
        }
    }
    Ok(Imported { json, config, layout, parameters })
}
