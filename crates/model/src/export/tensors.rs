//! What goes into a file: each tensor as rows taken from the tensors at hand, in the order the target wants.
//!
//! At hand is what [`crate::decoder::read`] gives: separate queries, keys and values, one matrix per expert,
//! names as in GGUF. The targets differ in three ways, and all three are orders of rows: GGUF's Llama pairs
//! neighbours where others pair halves ([`Layout`]), Falcon fuses queries, keys and values, and GGUF stacks a
//! layer's experts. Gains may be stored with or without the one that Gemma adds to them.

use kernels::format::{Format, dequantize};
use kernels::rope::Layout;

use super::file::Output;
use crate::Error;
use crate::config::DecoderConfig;
use crate::quantise::Encoding;
use crate::weights::{Storage, Tensor, Weights};

/// One tensor to write.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) name: String,
    /// Outermost first.
    pub(super) shape: Vec<usize>,
    pub(super) encoding: Encoding,
    /// One below the other.
    parts: Vec<Part>,
    /// Added to each value.
    offset: f32,
}

/// Rows of one tensor.
#[derive(Debug, Clone)]
pub(super) struct Part {
    tensor: Tensor,
    format: Format,
    cols: usize,
    n_rows: usize,
    /// Which rows, where not all in order.
    order: Option<Vec<usize>>,
}

/// Values that are dequantised and quantised together.
const BATCH_VALUES: usize = 1 << 22;

impl Part {
    /// The tensor `name`, which must have this shape. A vector counts as a column when `as_rows`, so that its
    /// elements can be ordered like the rows of the matrix it belongs to, and as a row otherwise.
    pub(super) fn new(
        weights: &Weights,
        name: &str,
        shape: &[usize],
        as_rows: bool,
    ) -> Result<Self, Error> {
        let tensor = weights.shaped(name, shape)?.clone();
        let format = match tensor.storage {
            Storage::Ready(format) => format,
            Storage::Other(kind) => return Err(weights.unusable(name, kind)),
        };
        let (n_rows, cols) = match *shape {
            [rows, cols] => (rows, cols),
            [len] if as_rows => (len, 1),
            _ => (1, shape.iter().product()),
        };
        let bytes = format.row_bytes(cols).and_then(|bytes| bytes.checked_mul(n_rows));
        if bytes != Some(tensor.bytes.len()) {
            let what =
                format!("tensor {name} has {} bytes, wrong for its shape", tensor.bytes.len());
            return Err(Error::malformed(weights.path(), what));
        }
        Ok(Self { tensor, format, cols, n_rows, order: None })
    }

    /// Numbers that stand in no file.
    pub(super) fn computed(values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let bytes = crate::weights::map::Bytes::owned(bytes);
        let (format, cols) = (Format::F32, values.len());
        let tensor = Tensor { storage: Storage::Ready(format), shape: vec![cols], bytes };
        Self { tensor, format, cols, n_rows: 1, order: None }
    }

    pub(super) fn with_order(mut self, order: Option<Vec<usize>>) -> Self {
        self.order = order;
        self
    }

    /// The given rows of it, counted in its present order.
    pub(super) fn rows(&self, rows: std::ops::Range<usize>) -> Self {
        let order = rows.map(|row| self.order.as_ref().map_or(row, |order| order[row])).collect();
        Self { order: Some(order), ..self.clone() }
    }

    /// The type it is stored in, if that can be written.
    pub(super) fn encoding(&self) -> Option<Encoding> {
        Encoding::named(self.format.name())
    }

    fn len(&self) -> usize {
        self.order.as_ref().map_or(self.n_rows, Vec::len)
    }

    fn row_bytes(&self, row: usize) -> &[u8] {
        let row = self.order.as_ref().map_or(row, |order| order[row]);
        let bytes = self.tensor.bytes.len() / self.n_rows;
        &self.tensor.bytes[row * bytes..(row + 1) * bytes]
    }
}

impl Planned {
    pub(super) fn new(
        name: String,
        shape: Vec<usize>,
        encoding: Encoding,
        parts: Vec<Part>,
    ) -> Self {
        Self { name, shape, encoding, parts, offset: 0.0 }
    }

    pub(super) fn with_offset(mut self, offset: f32) -> Self {
        self.offset = offset;
        self
    }

    /// Size in the file.
    pub(super) fn bytes(&self) -> usize {
        let n_elements: usize = self.shape.iter().product();
        n_elements / self.encoding.block_len() * self.encoding.block_bytes()
    }

    /// Appends it to a file.
    pub(super) fn write(&self, out: &mut Output, n_threads: usize) -> Result<(), Error> {
        for part in &self.parts {
            if self.offset == 0.0 && part.encoding() == Some(self.encoding) {
                (0..part.len()).try_for_each(|row| out.write(part.row_bytes(row)))?;
                continue;
            }
            // Vectors that are ordered like rows have rows of one value: those go together.
            let batch_rows = (BATCH_VALUES / part.cols.max(1)).max(1);
            for first in (0..part.len()).step_by(batch_rows) {
                let rows = first..part.len().min(first + batch_rows);
                for bytes in self.encoded(part, rows, n_threads) {
                    out.write(&bytes)?;
                }
            }
        }
        Ok(())
    }

    /// Rows in the target's type, in pieces, each made by a thread of its own.
    fn encoded(&self, part: &Part, rows: std::ops::Range<usize>, n_threads: usize) -> Vec<Vec<u8>> {
        let share = rows.len().div_ceil(n_threads.max(1));
        let encode = |rows: std::ops::Range<usize>| {
            let mut values = vec![0.0; rows.len() * part.cols];
            for (row, values) in rows.zip(values.chunks_exact_mut(part.cols)) {
                dequantize(values, part.format, part.row_bytes(row));
            }
            values.iter_mut().for_each(|value| *value += self.offset);
            let mut bytes = Vec::new();
            self.encoding.encode(&mut bytes, &values);
            bytes
        };
        std::thread::scope(|scope| {
            let starts = rows.clone().step_by(share.max(1));
            let workers: Vec<_> = starts
                .map(|start| {
                    scope.spawn({
                        let (encode, end) = (&encode, rows.end.min(start + share));
                        move || encode(start..end)
                    })
                })
                .collect();
            let join = |worker: std::thread::ScopedJoinHandle<'_, Vec<u8>>| {
                worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            workers.into_iter().map(join).collect()
        })
    }
}

/// In which order to take the rows of `n_heads` heads to bring them from one layout to the other; `None` for as
/// they are. Elements beyond the rotated part stay where they are.
pub(super) fn head_order(config: &DecoderConfig, n_heads: usize, to: Layout) -> Option<Vec<usize>> {
    let (from, half) = (config.rotary.layout, config.rotary.dim / 2);
    if from == to {
        return None;
    }
    let within = |i: usize| match to {
        _ if i >= 2 * half => i,
        Layout::Interleaved => i / 2 + i % 2 * half,
        Layout::Halves => i % half * 2 + i / half,
    };
    let heads = (0..n_heads).map(|head| head * config.head_dim);
    Some(heads.flat_map(|start| (0..config.head_dim).map(move |i| start + within(i))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn going_to_the_other_layout_and_back_changes_nothing() {
        let json = serde_json::json!({
            "architectures": ["LlamaForCausalLM"], "vocab_size": 4, "hidden_size": 32,
            "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 4,
            "max_position_embeddings": 8, "partial_rotary_factor": 0.5,
        });
        let path = std::path::Path::new("config.json");
        let halves = DecoderConfig::from_hugging_face(&json, path).unwrap();
        let there = head_order(&halves, 2, Layout::Interleaved).unwrap();
        assert_eq!(there[..9], [0, 4, 1, 5, 2, 6, 3, 7, 8]);
        let mut neighbours = halves;
        neighbours.rotary.layout = Layout::Interleaved;
        let back = head_order(&neighbours, 2, Layout::Halves).unwrap();
        assert!((0..32).all(|row| there[back[row]] == row));
        assert_eq!(head_order(&neighbours, 2, Layout::Interleaved), None);
    }
}
