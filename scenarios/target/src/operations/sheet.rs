//! Tables as CSV and as the least that spreadsheet programs open.

use std::io::{Cursor, Write};

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::answer::{CSV, Csv};
use crate::document::{Answered, Operation};
use crate::refusal::Refusal;

/// The content type of a workbook.
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// A table as a file.
pub(super) enum Sheet {
    Csv(String),
    Xlsx(Vec<u8>),
}

impl IntoResponse for Sheet {
    fn into_response(self) -> Response {
        match self {
            Self::Csv(table) => Csv(table).into_response(),
            Self::Xlsx(workbook) => ([(CONTENT_TYPE, XLSX)], workbook).into_response(),
        }
    }
}

impl Answered for Sheet {
    fn tell(operation: &mut Operation) {
        operation.answers(200, "A table.", &[(CSV, json!({ "type": "string" })), (XLSX, json!({}))]);
    }
}

/// RFC 4180, all cells quoted.
pub(super) fn csv<const WIDTH: usize>(rows: &[[String; WIDTH]]) -> String {
    let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
    rows.iter().map(|row| row.each_ref().map(quoted).join(",") + "\r\n").collect()
}

/// A workbook with one sheet.
pub(super) fn xlsx<const WIDTH: usize>(rows: &[[String; WIDTH]]) -> Result<Vec<u8>, Refusal> {
    pack(&sheet(rows)).map_err(|_| Refusal::Fault)
}

fn pack(sheet: &str) -> zip::result::ZipResult<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(vec![]));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, text) in PARTS.into_iter().chain([("xl/worksheets/sheet1.xml", sheet)]) {
        archive.start_file(name, options)?;
        archive.write_all(text.as_bytes())?;
    }
    Ok(archive.finish()?.into_inner())
}

fn sheet<const WIDTH: usize>(rows: &[[String; WIDTH]]) -> String {
    let cell =
        |text: &String| format!("<c t=\"inlineStr\"><is><t xml:space=\"preserve\">{}</t></is></c>", escaped(text));
    let row = |row: &[String; WIDTH]| format!("<row>{}</row>", row.each_ref().map(cell).concat());
    let rows: String = rows.iter().map(row).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <worksheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"><sheetData>{rows}</sheetData></worksheet>"
    )
}

/// XML has no place for control characters.
fn escaped(text: &str) -> String {
    let text = text.replace(|c: char| c.is_control(), " ");
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

const PARTS: [(&str, &str); 4] = [
    ("[Content_Types].xml", include_str!("workbook/content_types.xml")),
    ("_rels/.rels", include_str!("workbook/package.rels")),
    ("xl/workbook.xml", include_str!("workbook/workbook.xml")),
    ("xl/_rels/workbook.xml.rels", include_str!("workbook/workbook.rels")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_quotes_what_would_end_a_cell() {
        assert_eq!(csv(&[["a\"b".to_owned(), "c,d".to_owned()]]), "\"a\"\"b\",\"c,d\"\r\n");
    }

    #[test]
    fn workbook_has_a_sheet_with_the_escaped_cells() {
        let bytes = xlsx(&[["a<b & c".to_owned()]]).unwrap();
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        let sheet = std::io::read_to_string(archive.by_name("xl/worksheets/sheet1.xml").unwrap()).unwrap();
        assert!(sheet.contains(">a&lt;b &amp; c</t>"), "{sheet}");
        assert_eq!(archive.len(), 5);
    }
}
