//! Bodies of several parts (RFC 7578), and the tables in their files.

use std::io::{Cursor, Write};

use coalmine_core::step::{Part, PartContent};
use coalmine_core::template::{Fill, Template, Unfilled};
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

/// No content of ours has it.
const BOUNDARY: &str = "coalmine-part-5f1d7c3a9e";

/// The content type that goes with [`encode`].
pub(crate) fn content_type() -> String {
    format!("multipart/form-data; boundary={BOUNDARY}")
}

/// The body with all holes filled.
pub(crate) fn encode(parts: &[Part], values: &impl Fill) -> Result<Vec<u8>, Unfilled> {
    let mut body = vec![];
    for part in parts {
        let file = part.file.as_ref().map(|name| format!("; filename=\"{name}\"")).unwrap_or_default();
        let mut head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{}\"{file}\r\n", part.name);
        if let Some(media_type) = part.media_type.as_deref().or(part.content.media_type(part.file.is_some())) {
            head = format!("{head}Content-Type: {media_type}\r\n");
        }
        body.extend_from_slice(format!("{head}\r\n").as_bytes());
        body.extend_from_slice(&content(&part.content, values)?);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    Ok(body)
}

fn content(content: &PartContent, values: &impl Fill) -> Result<Vec<u8>, Unfilled> {
    let filled = |rows: &[Vec<Template>]| {
        let row = |row: &Vec<Template>| row.iter().map(|cell| cell.fill(values)).collect::<Result<Vec<_>, _>>();
        rows.iter().map(row).collect::<Result<Vec<_>, _>>()
    };
    Ok(match content {
        PartContent::Text(text) => text.fill(values)?.into_bytes(),
        PartContent::Bytes(bytes) => bytes.fill(values),
        PartContent::Csv(rows) => csv(&filled(rows)?).into_bytes(),
        PartContent::Xlsx(rows) => xlsx(&filled(rows)?),
    })
}

/// RFC 4180.
fn csv(rows: &[Vec<String>]) -> String {
    let cell = |cell: &String| {
        let is_plain = !cell.contains(['"', ',', '\r', '\n']);
        if is_plain { cell.clone() } else { format!("\"{}\"", cell.replace('"', "\"\"")) }
    };
    let line = |row: &Vec<String>| row.iter().map(cell).collect::<Vec<_>>().join(",") + "\r\n";
    rows.iter().map(line).collect()
}

/// The least that a spreadsheet program opens: one sheet, its texts in place.
fn xlsx(rows: &[Vec<String>]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(vec![]));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let sheet = sheet(rows);
    let files = [
        ("[Content_Types].xml", CONTENT_TYPES),
        ("_rels/.rels", RELATIONS),
        ("xl/workbook.xml", WORKBOOK),
        ("xl/_rels/workbook.xml.rels", WORKBOOK_RELATIONS),
        ("xl/worksheets/sheet1.xml", sheet.as_str()),
    ];
    for (name, text) in files {
        archive.start_file(name, options).expect("an archive in memory takes five short names");
        archive.write_all(text.as_bytes()).expect("writing to memory does not fail");
    }
    archive.finish().expect("writing to memory does not fail").into_inner()
}

fn sheet(rows: &[Vec<String>]) -> String {
    let cell = |text: &String| format!("<c t=\"inlineStr\"><is><t xml:space=\"preserve\">{}</t></is></c>", xml(text));
    let row = |row: &Vec<String>| format!("<row>{}</row>", row.iter().map(cell).collect::<Vec<_>>().concat());
    let rows = rows.iter().map(row).collect::<Vec<_>>().concat();
    format!("{XML}<worksheet xmlns=\"{MAIN}\"><sheetData>{rows}</sheetData></worksheet>")
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

const XML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>";
const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
const CONTENT_TYPES: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
    "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\">",
    "<Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>",
    "<Override PartName=\"/xl/workbook.xml\" ",
    "ContentType=\"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml\"/>",
    "<Override PartName=\"/xl/worksheets/sheet1.xml\" ",
    "ContentType=\"application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml\"/></Types>"
);
const RELATIONS: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
    "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship Id=\"r1\" ",
    "Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument\" ",
    "Target=\"xl/workbook.xml\"/></Relationships>"
);
const WORKBOOK: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
    "<workbook xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\" ",
    "xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\">",
    "<sheets><sheet name=\"Sheet1\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>"
);
const WORKBOOK_RELATIONS: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
    "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship Id=\"r1\" ",
    "Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet\" ",
    "Target=\"worksheets/sheet1.xml\"/></Relationships>"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_that_need_it_are_quoted() {
        let rows = [vec!["a".to_owned(), "b,c".to_owned()], vec!["d\"e".to_owned(), String::new()]];
        assert_eq!(csv(&rows), "a,\"b,c\"\r\n\"d\"\"e\",\r\n");
    }

    #[test]
    fn a_workbook_is_an_archive_with_the_cells_in_its_sheet() {
        let bytes = xlsx(&[vec!["a<b & c".to_owned()]]);
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        let sheet = std::io::read_to_string(archive.by_name("xl/worksheets/sheet1.xml").unwrap()).unwrap();
        assert!(sheet.contains(">a&lt;b &amp; c</t>"), "{sheet}");
        assert_eq!(archive.len(), 5);
    }
}
