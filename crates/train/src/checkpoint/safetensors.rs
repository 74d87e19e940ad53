//! The head of a safetensors file: eight bytes of length (little-endian), then JSON that says of each array its type,
//! shape and place. The rest of the file is the arrays one after the other, here in the order of the snapshot.
//!
//! The library for this format wants all bytes in memory at once; a checkpoint is as large as the memory of the
//! machine allows, so it is written and read array by array instead. Other programs open the file as any other.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::Array;

/// Eight bytes of length and the head, padded with spaces so that the arrays begin at a multiple of eight.
pub(super) fn head(arrays: &[Array]) -> Result<Vec<u8>, String> {
    let mut entries = Map::new();
    entries.insert("__metadata__".into(), json!({ "format": "pt" }));
    let mut start = 0;
    for Array { name, shape, values } in arrays {
        let expected = shape.iter().try_fold(1usize, |n, &extent| n.checked_mul(extent));
        if expected != Some(values.len()) {
            return Err(format!("array {name} of shape {shape:?} has {} values", values.len()));
        }
        let end = start + 4 * values.len() as u64;
        let entry = json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, end] });
        if entries.insert(name.clone(), entry).is_some() {
            return Err(format!("two arrays are named {name}"));
        }
        start = end;
    }
    let mut text = Value::Object(entries).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut head = (text.len() as u64).to_le_bytes().to_vec();
    head.append(&mut text);
    Ok(head)
}

/// The arrays a head describes, without values, in the order of their places. They must fill `data_bytes` without
/// gap or overlap.
pub(super) fn parse(text: &[u8], data_bytes: u64) -> Result<Vec<(String, Vec<usize>)>, String> {
    let entries: Map<String, Value> =
        serde_json::from_slice(text).map_err(|cause| format!("its head is no JSON ({cause})"))?;
    let mut arrays = Vec::new();
    for (name, entry) in entries.into_iter().filter(|(name, _)| name != "__metadata__") {
        arrays.push(
            place(&entry).map(|(start, end, shape)| (start, end, name.clone(), shape)).ok_or(
                format!("its head does not describe array {name} as f32 with shape and place"),
            )?,
        );
    }
    arrays.sort();
    let mut at = 0;
    let mut names = BTreeSet::new();
    for (start, end, name, shape) in &arrays {
        let values = shape.iter().try_fold(1u64, |n, &extent| n.checked_mul(extent as u64));
        let bytes = values.and_then(|values| values.checked_mul(4));
        if *start != at || bytes.is_none_or(|bytes| start.checked_add(bytes) != Some(*end)) {
            return Err(format!("array {name} does not lie where the one before it ends"));
        }
        names.insert(name);
        at = *end;
    }
    if at != data_bytes || names.len() != arrays.len() {
        return Err(format!("its arrays take {at} bytes, the file has {data_bytes}"));
    }
    Ok(arrays.into_iter().map(|(_, _, name, shape)| (name, shape)).collect())
}

fn place(entry: &Value) -> Option<(u64, u64, Vec<usize>)> {
    if entry.get("dtype")?.as_str()? != "F32" {
        return None;
    }
    let shape = entry.get("shape")?.as_array()?;
    let shape = shape.iter().map(|n| usize::try_from(n.as_u64()?).ok()).collect::<Option<_>>()?;
    let offsets = entry.get("data_offsets")?.as_array()?;
    Some((offsets.first()?.as_u64()?, offsets.get(1)?.as_u64()?, shape))
}
