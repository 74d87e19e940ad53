//! `extractors ENGINE FILE` prints the text that a library finds in a PDF or DOCX file. See docs/extractors.md.

use std::error::Error;
use std::path::Path;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [engine, file] = args.as_slice() else { return Err("usage: extractors ENGINE FILE".into()) };
    let file = Path::new(file);
    let text = match engine.as_str() {
        "vault" => vault_reader(file)?,
        "pdf-extract" => pdf_extract::extract_text(file)?,
        "lopdf" => lopdf_text(file)?,
        "pdf_oxide" => pdf_oxide_text(file)?,
        "oxidize-pdf" => oxidize_text(file)?,
        "unpdf" => unpdf::parse_file(file)?.plain_text(),
        "pdf-inspector" => pdf_inspector::extract_text(file)?,
        "docx-rs" => docx_rs_text(file)?,
        "docx-lite" => docx_lite::extract_text(file)?,
        "undoc" => undoc::extract_text(file)?,
        other => return Err(format!("no engine {other}").into()),
    };
    println!("{text}");
    Ok(())
}

/// As the vault reads it, with its limits and its guard against panics.
fn vault_reader(file: &Path) -> Outcome<String> {
    let folder = file.parent().ok_or("a file in a folder")?;
    let name = file.file_name().ok_or("a file")?.to_string_lossy();
    let mut text = String::new();
    let mut failed = None;
    vault::read::file(folder, &name, &vault::read::Limits::default(), &mut |read| match read {
        Ok(item) => {
            for section in item.sections {
                text.push_str(&section.heading.join(" "));
                text.push('\n');
                text.push_str(&section.text);
                text.push('\n');
            }
        }
        Err(failure) => failed = Some(failure.reason),
    });
    failed.map_or(Ok(text), |reason| Err(reason.into()))
}

fn lopdf_text(file: &Path) -> Outcome<String> {
    let pdf = lopdf::Document::load(file)?;
    let mut text = String::new();
    for number in pdf.get_pages().into_keys() {
        // A page that fails must not take the others with it.
        text.push_str(&pdf.extract_text(&[number]).unwrap_or_default());
        text.push('\n');
    }
    Ok(text)
}

fn pdf_oxide_text(file: &Path) -> Outcome<String> {
    let pdf = pdf_oxide::document::PdfDocument::open(file)?;
    let mut text = String::new();
    for page in 0..pdf.page_count()? {
        text.push_str(&pdf.extract_text(page).unwrap_or_default());
        text.push('\n');
    }
    Ok(text)
}

fn oxidize_text(file: &Path) -> Outcome<String> {
    let pdf = oxidize_pdf::parser::PdfDocument::open(file)?;
    let mut text = String::new();
    for page in 0..pdf.page_count()? {
        text.push_str(&pdf.extract_text_from_page(page).map(|page| page.text).unwrap_or_default());
        text.push('\n');
    }
    Ok(text)
}

fn docx_rs_text(file: &Path) -> Outcome<String> {
    let docx = docx_rs::read_docx(&std::fs::read(file)?)?;
    let mut text = String::new();
    for child in &docx.document.children {
        match child {
            docx_rs::DocumentChild::Paragraph(paragraph) => {
                text.push_str(&paragraph.raw_text());
                text.push('\n');
            }
            docx_rs::DocumentChild::Table(table) => docx_rs_table(table, &mut text),
            _ => {}
        }
    }
    Ok(text)
}

fn docx_rs_table(table: &docx_rs::Table, text: &mut String) {
    for docx_rs::TableChild::TableRow(row) in &table.rows {
        for docx_rs::TableRowChild::TableCell(cell) in &row.cells {
            for content in &cell.children {
                match content {
                    docx_rs::TableCellContent::Paragraph(paragraph) => {
                        text.push_str(&paragraph.raw_text());
                        text.push('\n');
                    }
                    docx_rs::TableCellContent::Table(table) => docx_rs_table(table, text),
                    _ => {}
                }
            }
        }
    }
}
