//! Reader for GGUF files, versions 2 and 3, little-endian.
//!
//! A file is: magic, version, counts; then key/value pairs; then the tensor directory; then, at the next
//! multiple of the alignment, the tensors' bytes. Opening walks the first three parts once and
//! checks every count, length and offset against the bytes that are there, so whatever is handed out
//! later lies inside the file. Nothing is trusted: memory taken while opening is proportional to the bytes
//! really present, the numbers of keys and tensors are capped, and arrays stay in the file until
//! somebody asks for them ([`Array`]).
//!
//! Specification: ggml's `docs/gguf.md`.

mod cursor;
mod types;
mod value;

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::Error;
use crate::weights::map::{Bytes, Map};
pub(crate) use cursor::Cursor;
pub use types::{TensorType, ValueType};
pub use value::{Array, Value};

const MAGIC: [u8; 4] = *b"GGUF";
/// Real files have a few dozen keys and at most some ten thousand tensors.
const MAX_KEYS: u64 = 1 << 16;
const MAX_TENSORS: u64 = 1 << 17;
const MAX_DIMENSIONS: u32 = 4;
const MAX_NAME_BYTES: u64 = 1 << 16;

/// An open file: its metadata and where its tensors lie.
#[derive(Debug)]
pub struct Gguf {
    map: Arc<Map>,
    version: u32,
    metadata: BTreeMap<String, Value>,
    /// Where each value lies in the file, its type code included.
    spans: BTreeMap<String, Range<usize>>,
    tensors: Vec<TensorInfo>,
}

/// One line of the tensor directory.
#[derive(Debug, Clone)]
pub struct TensorInfo {
    pub name: String,
    pub kind: TensorType,
    /// Outermost first, so a weight reads `[out, in]` (the file stores the reverse).
    pub shape: Vec<usize>,
    /// Where the bytes lie in the file; checked to be inside.
    pub range: Range<usize>,
}

impl TensorInfo {
    /// Number of elements.
    pub fn n_elements(&self) -> usize {
        self.shape.iter().product()
    }
}

impl Gguf {
    /// Maps the file and reads everything but the tensors themselves.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::read(Map::open(path)?)
    }

    /// The same over a file that is mapped already.
    pub fn read(map: Arc<Map>) -> Result<Self, Error> {
        let mut cursor = Cursor::new(map.bytes(), map.path());
        let (version, n_tensors, n_keys) = read_header(&mut cursor)?;
        let (metadata, spans) = read_metadata(&mut cursor, n_keys)?;
        let alignment = alignment(&metadata, map.path())?;
        let directory = read_directory(&mut cursor, n_tensors)?;
        let data_start = cursor.position().checked_next_multiple_of(alignment);
        let tensors = place_tensors(directory, data_start, alignment, &map)?;
        Ok(Self { version, metadata, spans, tensors, map })
    }

    pub fn path(&self) -> &Path {
        self.map.path()
    }

    /// Format version, 2 or 3.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Size of the whole file.
    pub fn bytes(&self) -> usize {
        self.map.bytes().len()
    }

    /// All keys and values, sorted by key.
    pub fn metadata(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.metadata.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The tensor directory in file order.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// A tensor's bytes.
    pub fn tensor_bytes(&self, tensor: &TensorInfo) -> Result<Bytes, Error> {
        Bytes::mapped(&self.map, tensor.range.clone()).ok_or_else(|| {
            Error::malformed(self.path(), format!("tensor {} lies outside the file", tensor.name))
        })
    }

    /// The value under `key`, if the file has one.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.metadata.get(key)
    }

    /// The value under `key` as the file writes it: type code, then the value.
    pub fn raw(&self, key: &str) -> Option<&[u8]> {
        self.map.bytes().get(self.spans.get(key)?.clone())
    }

    /// A text value; `Ok(None)` where the key is absent, an error where it is of another kind.
    pub fn string(&self, key: &str) -> Result<Option<&str>, Error> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong_kind(key, "text")),
        }
    }

    /// A whole number of any stored width that is not negative.
    pub fn integer(&self, key: &str) -> Result<Option<u64>, Error> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value.as_u64().map(Some).ok_or_else(|| self.wrong_kind(key, "a whole number"))
    }

    /// A number of any stored kind.
    pub fn number(&self, key: &str) -> Result<Option<f64>, Error> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value.as_f64().map(Some).ok_or_else(|| self.wrong_kind(key, "a number"))
    }

    /// A yes or no.
    pub fn boolean(&self, key: &str) -> Result<Option<bool>, Error> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(_) => Err(self.wrong_kind(key, "true or false")),
        }
    }

    /// A list of texts, for instance `tokenizer.ggml.tokens`.
    pub fn strings(&self, key: &str) -> Result<Option<Vec<String>>, Error> {
        let Some(array) = self.array(key)? else { return Ok(None) };
        array
            .strings(&self.map)
            .map(Some)
            .ok_or_else(|| self.wrong_kind(key, "a list of UTF-8 texts"))
    }

    /// A list of numbers of any stored kind as f32, for instance `tokenizer.ggml.scores`.
    pub fn floats(&self, key: &str) -> Result<Option<Vec<f32>>, Error> {
        let Some(array) = self.array(key)? else { return Ok(None) };
        array.floats(&self.map).map(Some).ok_or_else(|| self.wrong_kind(key, "a list of numbers"))
    }

    /// A list of whole numbers (or booleans, as 0 and 1), for instance `tokenizer.ggml.token_type`.
    pub fn integers(&self, key: &str) -> Result<Option<Vec<i64>>, Error> {
        let Some(array) = self.array(key)? else { return Ok(None) };
        array
            .integers(&self.map)
            .map(Some)
            .ok_or_else(|| self.wrong_kind(key, "a list of whole numbers"))
    }

    /// The elements of a list as values of their own; inner lists are read the same way in turn.
    pub fn elements(&self, array: &Array) -> Vec<Value> {
        array.elements(&self.map)
    }

    fn array(&self, key: &str) -> Result<Option<&Array>, Error> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Array(array)) => Ok(Some(array)),
            Some(_) => Err(self.wrong_kind(key, "a list")),
        }
    }

    fn wrong_kind(&self, key: &str, wanted: &str) -> Error {
        Error::malformed(self.path(), format!("metadata key {key} is not {wanted}"))
    }
}

/// Version, number of tensors, number of keys.
fn read_header(cursor: &mut Cursor<'_>) -> Result<(u32, u64, u64), Error> {
    if cursor.array::<4>("the magic number")? != MAGIC {
        return Err(Error::Malformed {
            path: cursor.path().to_owned(),
            what: "it does not begin with GGUF".into(),
            hint: "give a GGUF file, or a directory with config.json and model.safetensors",
        });
    }
    let version = cursor.u32("the version")?;
    if !(2..=3).contains(&version) {
        let what = if (2..=3).contains(&version.swap_bytes()) {
            format!("GGUF version {} in big-endian byte order", version.swap_bytes())
        } else {
            format!("GGUF version {version}")
        };
        return Err(Error::unsupported(
            cursor.path(),
            what,
            "versions 2 and 3 in little-endian order are read; convert the model again with a current converter",
        ));
    }
    let n_tensors = cursor.count("the number of tensors", MAX_TENSORS)?;
    let n_keys = cursor.count("the number of metadata keys", MAX_KEYS)?;
    Ok((version, n_tensors, n_keys))
}

/// Values by key, and where they lie.
type Metadata = (BTreeMap<String, Value>, BTreeMap<String, Range<usize>>);

fn read_metadata(cursor: &mut Cursor<'_>, n_keys: u64) -> Result<Metadata, Error> {
    let mut metadata = BTreeMap::new();
    let mut spans = BTreeMap::new();
    for key_idx in 0..n_keys {
        let key = cursor.name(&format!("metadata key {key_idx}"), MAX_NAME_BYTES)?;
        let start = cursor.position();
        let value = value::read(cursor, &key)?;
        spans.insert(key.clone(), start..cursor.position());
        if metadata.insert(key.clone(), value).is_some() {
            let what = format!("metadata key {key} appears twice");
            return Err(Error::malformed(cursor.path(), what));
        }
    }
    Ok((metadata, spans))
}

fn alignment(metadata: &BTreeMap<String, Value>, path: &Path) -> Result<usize, Error> {
    let Some(value) = metadata.get("general.alignment") else { return Ok(32) };
    match value.as_u64().and_then(|bytes| usize::try_from(bytes).ok()) {
        Some(bytes) if bytes.is_power_of_two() && bytes <= 1 << 20 => Ok(bytes),
        _ => Err(Error::malformed(path, "general.alignment is not a power of two up to 1 MiB")),
    }
}

/// A directory entry whose offset still counts from the start of the tensor data.
struct Entry {
    name: String,
    kind: TensorType,
    shape: Vec<usize>,
    bytes: u64,
    offset: u64,
}

fn read_directory(cursor: &mut Cursor<'_>, n_tensors: u64) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::new();
    let mut names = HashSet::new();
    for tensor_idx in 0..n_tensors {
        let name = cursor.name(&format!("the name of tensor {tensor_idx}"), MAX_NAME_BYTES)?;
        let entry = read_entry(cursor, name)?;
        if !names.insert(entry.name.clone()) {
            let what = format!("tensor {} appears twice", entry.name);
            return Err(Error::malformed(cursor.path(), what));
        }
        entries.push(entry);
    }
    Ok(entries)
}

fn read_entry(cursor: &mut Cursor<'_>, name: String) -> Result<Entry, Error> {
    let what = format!("the directory entry of tensor {name}");
    let n_dimensions = cursor.u32(&what)?;
    if n_dimensions > MAX_DIMENSIONS {
        let what = format!("tensor {name} has {n_dimensions} dimensions, more than 4");
        return Err(Error::malformed(cursor.path(), what));
    }
    let mut shape = Vec::new();
    for _ in 0..n_dimensions {
        shape.push(cursor.u64(&what)?);
    }
    let code = cursor.u32(&what)?;
    let offset = cursor.u64(&what)?;
    let Some(kind) = TensorType::from_code(code) else {
        return Err(Error::unsupported(
            cursor.path(),
            format!("tensor {name} has the unknown element type {code}"),
            "use a file quantised as Q8_0, Q4_K_M or F16",
        ));
    };
    let columns = shape.first().copied().unwrap_or(1);
    if !columns.is_multiple_of(kind.block_len as u64) {
        let what = format!(
            "tensor {name} has rows of {columns} elements, not a multiple of the {} in a block of {}",
            kind.block_len, kind.name
        );
        return Err(Error::malformed(cursor.path(), what));
    }
    let n_elements = shape.iter().try_fold(1_u64, |product, &size| product.checked_mul(size));
    let bytes = n_elements
        .map(|n| n / kind.block_len as u64)
        .and_then(|blocks| blocks.checked_mul(kind.block_bytes as u64));
    let shape = shape.iter().rev().map(|&size| usize::try_from(size)).collect::<Result<_, _>>();
    let (Some(bytes), Ok(shape)) = (bytes, shape) else {
        let what = format!("the size of tensor {name} overflows");
        return Err(Error::malformed(cursor.path(), what));
    };
    Ok(Entry { name, kind, shape, bytes, offset })
}

fn place_tensors(
    entries: Vec<Entry>,
    data_start: Option<usize>,
    alignment: usize,
    map: &Map,
) -> Result<Vec<TensorInfo>, Error> {
    let file_bytes = map.bytes().len();
    let place = |entry: Entry| {
        let name = &entry.name;
        if !entry.offset.is_multiple_of(alignment as u64) {
            let what = format!(
                "tensor {name} starts at offset {}, not a multiple of the alignment {alignment}",
                entry.offset
            );
            return Err(Error::malformed(map.path(), what));
        }
        let start = data_start.and_then(|start| (start as u64).checked_add(entry.offset));
        let end = start.and_then(|start| start.checked_add(entry.bytes));
        match (start, end) {
            (Some(start), Some(end)) if end <= file_bytes as u64 => Ok(TensorInfo {
                kind: entry.kind,
                shape: entry.shape,
                range: start as usize..end as usize,
                name: entry.name,
            }),
            _ => {
                let what = format!(
                    "tensor {name} ({} bytes at offset {} of the data) reaches past the end of the file, which has {file_bytes} bytes",
                    entry.bytes, entry.offset
                );
                Err(Error::malformed(map.path(), what))
            }
        }
    };
    entries.into_iter().map(place).collect()
}
