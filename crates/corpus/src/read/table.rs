//! Parquet files, as large public text sets ship them: one column, row group by row group.

use super::{Fault, Format, Found, Raw, Sink};
use parquet::column::reader::ColumnReader;
use parquet::data_type::ByteArray;
use parquet::file::reader::{FileReader, RowGroupReader};
use parquet::file::serialized_reader::SerializedFileReader;
use std::fs::File;
use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::path::Path;

/// Values fetched at a time.
const BATCH: usize = 1024;

/// The rows of one column of text. A damaged row group is a fault; the others are still read.
///
/// The library asserts what a damaged file may break (a negative length in the metadata, found by flipping bits), so
/// its panics end here and become a fault of the file.
pub(super) fn rows(number: usize, column: &str, path: &Path, sink: Sink<'_>) -> ControlFlow<()> {
    let read = AssertUnwindSafe(|| read_rows(number, column, path, sink));
    std::panic::catch_unwind(read).unwrap_or_else(|_| {
        let problem = "the file is damaged: its metadata contradicts itself".to_string();
        sink(Found::Fault(Fault { place: path.display().to_string(), problem }))
    })
}

fn read_rows(number: usize, column: &str, path: &Path, sink: Sink<'_>) -> ControlFlow<()> {
    let file_fault =
        |problem: String| Found::Fault(Fault { place: path.display().to_string(), problem });
    let opened = File::open(path)
        .map_err(|error| error.to_string())
        .and_then(|file| SerializedFileReader::new(file).map_err(|error| error.to_string()));
    let reader = match opened {
        Ok(reader) => reader,
        Err(problem) => return sink(file_fault(problem)),
    };
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let place = schema.columns().iter().position(|found| found.path().string() == column);
    let Some(place) = place else {
        return sink(file_fault(format!("there is no column `{column}`")));
    };
    let optional = schema.column(place).max_def_level();
    let mut row = 0_u64;
    for group in 0..reader.num_row_groups() {
        let n_rows = reader.metadata().row_group(group).num_rows().max(0) as u64;
        let first = row;
        let mut each = |text: &[u8]| {
            row += 1;
            let place = format!("{}:{row}", path.display());
            sink(Found::Raw(Raw {
                source: number,
                place,
                bytes: text.to_vec(),
                format: Format::Plain,
            }))
        };
        let read = reader
            .get_row_group(group)
            .map_err(|error| error.to_string())
            .and_then(|group| read_column(&*group, place, optional, &mut each));
        match read {
            Ok(flow) => flow?,
            Err(problem) => sink(file_fault(format!("row group {group}: {problem}")))?,
        }
        row = first + n_rows;
    }
    ControlFlow::Continue(())
}

fn read_column(
    group: &dyn RowGroupReader,
    place: usize,
    optional: i16,
    each: &mut dyn FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, String> {
    let column = group.get_column_reader(place).map_err(|error| error.to_string())?;
    let ColumnReader::ByteArrayColumnReader(mut column) = column else {
        return Err("the column holds no text".to_string());
    };
    loop {
        let mut values: Vec<ByteArray> = Vec::with_capacity(BATCH);
        let mut levels = Vec::with_capacity(BATCH);
        let levels = (optional > 0).then_some(&mut levels);
        let (n_records, ..) = column
            .read_records(BATCH, levels, None, &mut values)
            .map_err(|error| error.to_string())?;
        // Missing values have no text and are passed over.
        for value in &values {
            if each(value.data()).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        if n_records == 0 {
            return Ok(ControlFlow::Continue(()));
        }
    }
}
