//! Metadata values. Scalars and texts are read when the file is opened; an array is walked and
//! checked then, but stays in the file until it is asked for.

use super::cursor::Cursor;
use super::types::ValueType;
use crate::Error;
use crate::weights::map::Map;

/// Arrays of arrays are allowed; nobody writes them this deep.
const MAX_DEPTH: u32 = 8;

/// One metadata value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    U64(u64),
    I64(i64),
    F32(f32),
    F64(f64),
    Bool(bool),
    /// Invalid UTF-8 in a single text is replaced, not refused: it is a description.
    String(String),
    Array(Array),
}

impl Value {
    /// The value as a whole number that is not negative.
    pub fn as_u64(&self) -> Option<u64> {
        match *self {
            Self::U8(value) => Some(value.into()),
            Self::U16(value) => Some(value.into()),
            Self::U32(value) => Some(value.into()),
            Self::U64(value) => Some(value),
            _ => self.as_i64().and_then(|value| value.try_into().ok()),
        }
    }

    /// The value as a whole number; a boolean counts as 0 or 1.
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Self::U8(value) => Some(value.into()),
            Self::I8(value) => Some(value.into()),
            Self::U16(value) => Some(value.into()),
            Self::I16(value) => Some(value.into()),
            Self::U32(value) => Some(value.into()),
            Self::I32(value) => Some(value.into()),
            Self::U64(value) => value.try_into().ok(),
            Self::I64(value) => Some(value),
            Self::Bool(value) => Some(value.into()),
            _ => None,
        }
    }

    /// The value as a number.
    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            Self::F32(value) => Some(value.into()),
            Self::F64(value) => Some(value),
            Self::Bool(_) => None,
            _ => self.as_i64().map(|value| value as f64),
        }
    }
}

/// A list in the file: what it holds, how many, and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    pub element: ValueType,
    pub len: usize,
    start: usize,
}

impl Array {
    /// All elements as values of their own.
    pub(super) fn elements(&self, map: &Map) -> Vec<Value> {
        let mut cursor = Cursor::at(map.bytes(), map.path(), self.start);
        // The array was walked when the file was opened: reading it again cannot run out.
        (0..self.len).map_while(|_| read_typed(&mut cursor, self.element, "", 1).ok()).collect()
    }

    pub(super) fn strings(&self, map: &Map) -> Option<Vec<String>> {
        if self.element != ValueType::String {
            return None;
        }
        let mut cursor = Cursor::at(map.bytes(), map.path(), self.start);
        let next = |_| {
            let bytes = cursor.string("").ok()?;
            std::str::from_utf8(bytes).ok().map(str::to_owned)
        };
        (0..self.len).map(next).collect()
    }

    pub(super) fn floats(&self, map: &Map) -> Option<Vec<f32>> {
        let mut cursor = Cursor::at(map.bytes(), map.path(), self.start);
        let next = |_| Some(read_typed(&mut cursor, self.element, "", 1).ok()?.as_f64()? as f32);
        (0..self.len).map(next).collect()
    }

    pub(super) fn integers(&self, map: &Map) -> Option<Vec<i64>> {
        let mut cursor = Cursor::at(map.bytes(), map.path(), self.start);
        let next = |_| read_typed(&mut cursor, self.element, "", 1).ok()?.as_i64();
        (0..self.len).map(next).collect()
    }
}

/// The value of `key`: a type code, then the value.
pub(super) fn read(cursor: &mut Cursor<'_>, key: &str) -> Result<Value, Error> {
    let kind = read_type(cursor, key)?;
    read_typed(cursor, kind, key, 0)
}

fn read_type(cursor: &mut Cursor<'_>, key: &str) -> Result<ValueType, Error> {
    let code = cursor.u32(&in_key(key))?;
    ValueType::from_code(code).ok_or_else(|| {
        let what = format!("metadata key {key} has the unknown value type {code}");
        Error::malformed(cursor.path(), what)
    })
}

fn read_typed(
    cursor: &mut Cursor<'_>,
    kind: ValueType,
    key: &str,
    depth: u32,
) -> Result<Value, Error> {
    // The sentence is built where it is needed: a vocabulary has hundreds of thousands of elements.
    if let Some(needed) = kind.fixed_bytes()
        && needed > cursor.remaining()
    {
        cursor.take(needed as u64, &in_key(key))?;
    }
    Ok(match kind {
        ValueType::U8 => Value::U8(u8::from_le_bytes(cursor.array(key)?)),
        ValueType::I8 => Value::I8(i8::from_le_bytes(cursor.array(key)?)),
        ValueType::U16 => Value::U16(u16::from_le_bytes(cursor.array(key)?)),
        ValueType::I16 => Value::I16(i16::from_le_bytes(cursor.array(key)?)),
        ValueType::U32 => Value::U32(u32::from_le_bytes(cursor.array(key)?)),
        ValueType::I32 => Value::I32(i32::from_le_bytes(cursor.array(key)?)),
        ValueType::U64 => Value::U64(u64::from_le_bytes(cursor.array(key)?)),
        ValueType::I64 => Value::I64(i64::from_le_bytes(cursor.array(key)?)),
        ValueType::F32 => Value::F32(f32::from_le_bytes(cursor.array(key)?)),
        ValueType::F64 => Value::F64(f64::from_le_bytes(cursor.array(key)?)),
        ValueType::Bool => Value::Bool(cursor.array::<1>(key)?[0] != 0),
        ValueType::String => {
            let bytes = cursor.string(&in_key(key))?;
            Value::String(String::from_utf8_lossy(bytes).into_owned())
        }
        ValueType::Array => Value::Array(walk_array(cursor, key, depth)?),
    })
}

/// Steps over an array and checks that all of it is there.
fn walk_array(cursor: &mut Cursor<'_>, key: &str, depth: u32) -> Result<Array, Error> {
    if depth >= MAX_DEPTH {
        let what = format!("metadata key {key} nests lists more than {MAX_DEPTH} deep");
        return Err(Error::malformed(cursor.path(), what));
    }
    let element = read_type(cursor, key)?;
    let len = cursor.u64(&in_key(key))?;
    let start = cursor.position();
    // A list of nothing at all could claim any length without taking a byte; the smallest
    // element takes one, so a length beyond the remaining bytes is a lie.
    if len > cursor.remaining() as u64 {
        let what =
            format!("metadata key {key} claims {len} elements, more than the file has bytes");
        return Err(Error::malformed(cursor.path(), what));
    }
    match element.fixed_bytes() {
        Some(bytes) => {
            cursor.take(len.saturating_mul(bytes as u64), &in_key(key))?;
        }
        None => {
            for _ in 0..len {
                match element {
                    ValueType::Array => _ = walk_array(cursor, key, depth + 1)?,
                    _ => _ = cursor.string(key)?,
                }
            }
        }
    }
    Ok(Array { element, len: len as usize, start })
}

fn in_key(key: &str) -> String {
    format!("the value of metadata key {key}")
}
