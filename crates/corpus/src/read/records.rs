//! Files of records with fields (JSON lines, a JSON list, Parquet), as evaluation sets ship them: each record a JSON object.

use super::lines;
use crate::Error;
use parquet::errors::ParquetError;
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::record::{Field, Row};
use serde_json::{Map, Number, Value};
use std::fs::File;
use std::io::{self, Read};
use std::panic::AssertUnwindSafe;
use std::path::Path;

/// The records of a `.jsonl`, `.json` or `.parquet` file, in its order; the first two also with `.gz` or `.zst` behind.
///
/// # Errors
/// When the file cannot be read whole: half of an evaluation set is none.
pub fn records(path: &Path) -> Result<Vec<Value>, Error> {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase());
    let name = name.unwrap_or_default();
    if name.ends_with(".parquet") {
        return parquet_records(path);
    }
    let mut bytes = Vec::new();
    let mut reader = lines::open(path).map_err(|error| Error::io("read", path, error))?;
    reader.read_to_end(&mut bytes).map_err(|error| Error::io("read", path, error))?;
    json_records(&bytes).map_err(|problem| Error::io("read", path, malformed(problem)))
}

/// The records of JSON lines, or of one JSON list.
///
/// # Errors
/// What is wrong, with its line.
pub fn json_records(bytes: &[u8]) -> Result<Vec<Value>, String> {
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return serde_json::from_slice(bytes).map_err(|error| error.to_string());
    }
    let lines = bytes.split(|&byte| byte == b'\n').enumerate();
    lines
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .map(|(at, line)| {
            serde_json::from_slice(line).map_err(|error| format!("line {}: {error}", at + 1))
        })
        .collect()
}

fn malformed(problem: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem.to_string())
}

fn parquet_records(path: &Path) -> Result<Vec<Value>, Error> {
    // The library asserts what a damaged file may break; see `table`.
    let read =
        std::panic::catch_unwind(AssertUnwindSafe(|| -> Result<Vec<Value>, ParquetError> {
            let reader = SerializedFileReader::new(File::open(path)?)?;
            reader.get_row_iter(None)?.map(|row| Ok(object(&row?))).collect()
        }));
    let damaged = || malformed("the file is damaged: its metadata contradicts itself");
    read.map_err(|_| Error::io("read", path, damaged()))?
        .map_err(|error| Error::io("read", path, malformed(error)))
}

fn object(row: &Row) -> Value {
    let fields = row.get_column_iter().map(|(name, field)| (name.clone(), value(field)));
    Value::Object(fields.collect::<Map<String, Value>>())
}

/// Numbers stay numbers; what JSON has no kind for is written as text.
fn value(field: &Field) -> Value {
    let float = |number: f64| Number::from_f64(number).map_or(Value::Null, Value::Number);
    match field {
        Field::Null => Value::Null,
        Field::Bool(bool) => Value::Bool(*bool),
        Field::Byte(number) => (*number).into(),
        Field::Short(number) => (*number).into(),
        Field::Int(number) | Field::Date(number) | Field::TimeMillis(number) => (*number).into(),
        Field::Long(number)
        | Field::TimeMicros(number)
        | Field::TimestampMillis(number)
        | Field::TimestampMicros(number) => (*number).into(),
        Field::UByte(number) => (*number).into(),
        Field::UShort(number) => (*number).into(),
        Field::UInt(number) => (*number).into(),
        Field::ULong(number) => (*number).into(),
        Field::Float16(number) => float(f64::from(f32::from(*number))),
        Field::Float(number) => float(f64::from(*number)),
        Field::Double(number) => float(*number),
        Field::Str(text) => text.as_str().into(),
        Field::Bytes(bytes) => String::from_utf8_lossy(bytes.data()).into_owned().into(),
        Field::Group(row) => object(row),
        Field::ListInternal(list) => list.elements().iter().map(value).collect(),
        Field::MapInternal(map) => {
            let entries = map.entries().iter();
            Value::Object(entries.map(|(key, field)| (key.to_string(), value(field))).collect())
        }
        Field::Decimal(_) => field.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_lists_give_the_same_records_and_a_broken_line_is_named() {
        let lines = json_records(b"{\"a\": 1}\n\n{\"a\": [2]}\n").unwrap();
        assert_eq!(lines, json_records(b" [{\"a\": 1}, {\"a\": [2]}]").unwrap());
        assert!(json_records(b"{}\n{\n").unwrap_err().starts_with("line 2"));
    }
}
