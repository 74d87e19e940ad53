//! Printing: JSON documents, tables, sizes as people read them.

use std::io::{self, Write};

use serde::Serialize;

/// One JSON document on stdout.
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    serde_json::to_writer(&mut out, value).map_err(io::Error::from)?;
    writeln!(out)?;
    out.flush()?;
    Ok(())
}

/// Text on stdout, with a line end.
pub fn line(text: impl std::fmt::Display) -> anyhow::Result<()> {
    writeln!(io::stdout().lock(), "{text}")?;
    Ok(())
}

/// Text on stdout as it comes, shown at once.
pub fn piece(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// Whether the reader of our output went away.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// Rows in columns as wide as their widest cell; columns whose head starts with `>` are right-aligned.
pub fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let width = |cell: &str| cell.chars().count();
    let mut widths: Vec<usize> = heads.iter().map(|h| width(h.trim_start_matches('>'))).collect();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            widths[column] = widths[column].max(width(cell));
        }
    }
    let mut text = String::new();
    let mut push = |cells: &[&str]| {
        let mut line = String::new();
        for (column, cell) in cells.iter().enumerate() {
            let pad = " ".repeat(widths[column] - width(cell));
            let right = heads[column].starts_with('>');
            line += &if right { format!("{pad}{cell}  ") } else { format!("{cell}{pad}  ") };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    };
    push(&heads.iter().map(|head| head.trim_start_matches('>')).collect::<Vec<_>>());
    for row in rows {
        push(&row.iter().map(String::as_str).collect::<Vec<_>>());
    }
    text
}

/// `98.4 MB`, in powers of ten as disks and networks count.
pub fn bytes(n: u64) -> String {
    let mut value = n as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 1000.0 || unit == "GB" {
            return if unit == "B" { format!("{n} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1000.0;
    }
    unreachable!("the last unit returns")
}

/// `12,431`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_by_thousands() {
        let texts: Vec<String> = [0, 999, 1_000, 12_431, 1_000_000].map(count).into();
        assert_eq!(texts, ["0", "999", "1,000", "12,431", "1,000,000"]);
    }

    #[test]
    fn sizes_change_unit_at_a_thousand() {
        let texts: Vec<String> = [999, 1_000, 98_362_432, 18_560_000_000].map(bytes).into();
        assert_eq!(texts, ["999 B", "1.0 kB", "98.4 MB", "18.6 GB"]);
    }

    #[test]
    fn table_columns_line_up_and_numbers_stand_right() {
        let text = table(
            &["name", ">size"],
            &[vec!["a".into(), "10".into()], vec!["long".into(), "9".into()]],
        );
        assert_eq!(text, "name  size\na       10\nlong     9\n");
    }
}
