//! Tensors that hold several weights in one, taken apart.
//!
//! Falcon keeps queries, keys and values in one matrix, GGUF keeps the experts of a layer in one tensor. The
//! decoder knows neither: after reading, `attn_qkv` becomes `attn_q`, `attn_k`, `attn_v`, and `ffn_up_exps`
//! becomes `ffn_up.0`, `ffn_up.1`, … over the same bytes. A row is a whole number of blocks in every storage
//! type, so rows can be taken without looking into them.

use std::ops::Range;

use super::{Tensor, Weights};
use crate::Error;
use crate::config::DecoderConfig;
use crate::weights::map::Bytes;

/// In which order a fused matrix holds the rows of queries, keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QkvOrder {
    /// All queries, all keys, all values (GGUF).
    Parts,
    /// For each key-value head: its query heads, its key, its value (Falcon on Hugging Face).
    Groups,
}

impl Weights {
    /// Replaces fused tensors by their parts.
    pub(crate) fn split(&mut self, config: &DecoderConfig, order: QkvOrder) -> Result<(), Error> {
        for layer_idx in 0..config.n_layers() {
            for suffix in ["weight", "bias"] {
                self.split_qkv(config, layer_idx, suffix, order)?;
            }
            if let Some(experts) = config.experts_of(layer_idx) {
                for part in ["ffn_gate", "ffn_up", "ffn_down"] {
                    self.split_experts(&format!("blk.{layer_idx}.{part}"), experts.n_experts)?;
                }
            }
        }
        Ok(())
    }

    fn split_qkv(
        &mut self,
        config: &DecoderConfig,
        layer_idx: usize,
        suffix: &str,
        order: QkvOrder,
    ) -> Result<(), Error> {
        let name = |part: &str| format!("blk.{layer_idx}.attn_{part}.{suffix}");
        let Some(fused) = self.remove(&name("qkv")) else { return Ok(()) };
        let n_rows = config.query_width() + 2 * config.kv_width();
        if fused.shape.first() != Some(&n_rows) || !fused.bytes.len().is_multiple_of(n_rows) {
            let what = format!(
                "tensor {} has shape {:?} where the configuration asks for {n_rows} rows",
                name("qkv"),
                fused.shape
            );
            return Err(Error::malformed(self.path(), what));
        }
        for (part, rows) in ["q", "k", "v"].into_iter().zip(rows_of_parts(config, order)) {
            let tensor = take_rows(&fused, n_rows, &rows);
            self.insert(name(part), tensor);
        }
        Ok(())
    }

    fn split_experts(&mut self, stem: &str, n_experts: usize) -> Result<(), Error> {
        let name = format!("{stem}_exps.weight");
        let Some(stacked) = self.remove(&name) else { return Ok(()) };
        let [n, rows, cols] = stacked.shape[..] else {
            let what = format!("tensor {name} has {} dimensions, not 3", stacked.shape.len());
            return Err(Error::malformed(self.path(), what));
        };
        if n != n_experts || !stacked.bytes.len().is_multiple_of(n) {
            let what = format!("tensor {name} holds {n} experts where there are {n_experts}");
            return Err(Error::malformed(self.path(), what));
        }
        for expert_idx in 0..n {
            let one = expert_idx..expert_idx + 1;
            let part = take_rows(&stacked, n, std::slice::from_ref(&one));
            let expert = Tensor { shape: vec![rows, cols], ..part };
            self.insert(format!("{stem}.{expert_idx}.weight"), expert);
        }
        Ok(())
    }
}

/// Which rows of the fused matrix are queries, which keys, which values.
fn rows_of_parts(config: &DecoderConfig, order: QkvOrder) -> [Vec<Range<usize>>; 3] {
    let head = config.head_dim;
    let (n_groups, group_queries) = match order {
        QkvOrder::Parts => (1, config.query_width()),
        QkvOrder::Groups => (config.n_kv_heads, config.query_width() / config.n_kv_heads),
    };
    let group_keys = config.kv_width() / n_groups;
    debug_assert!(group_keys.is_multiple_of(head));
    let group = group_queries + 2 * group_keys;
    let rows = |offset: usize, n: usize| {
        (0..n_groups).map(|g| g * group + offset..g * group + offset + n).collect()
    };
    [
        rows(0, group_queries),
        rows(group_queries, group_keys),
        rows(group_queries + group_keys, group_keys),
    ]
}

/// The given rows of a tensor of `n_rows`: the same bytes where they lie together, copied where they do not.
fn take_rows(tensor: &Tensor, n_rows: usize, rows: &[Range<usize>]) -> Tensor {
    let row_bytes = tensor.bytes.len() / n_rows;
    let place = |rows: &Range<usize>| rows.start * row_bytes..rows.end * row_bytes;
    let bytes = match rows {
        [together] => tensor.bytes.slice(place(together)).expect("rows were checked by the caller"),
        apart => {
            let parts = apart.iter().map(|rows| &tensor.bytes[place(rows)]);
            Bytes::owned(parts.collect::<Vec<_>>().concat())
        }
    };
    let mut shape = tensor.shape.clone();
    shape[0] = rows.iter().map(Range::len).sum();
    Tensor { storage: tensor.storage, shape, bytes }
}
