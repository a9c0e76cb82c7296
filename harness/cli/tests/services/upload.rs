//! Tables come in as files of a form and go out as a workbook.
//! Flaw: every export is written to a file of the same name, and read back a moment later.

use std::collections::HashMap;
use std::io::{Cursor, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::trial::{Build, assert_told_apart};

#[derive(Default)]
struct Files {
    rows: HashMap<String, Vec<String>>,
    exports: HashMap<String, Vec<u8>>,
}

type Office = State<(Build, Arc<Mutex<Files>>)>;

fn field<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The contents of the parts that are files of comma-separated values.
fn tables(headers: &HeaderMap, body: &str) -> Vec<String> {
    let boundary = field(headers, CONTENT_TYPE.as_str()).split("boundary=").nth(1).unwrap_or("-");
    let line = format!("--{boundary}");
    let parts = body.split(&line).filter_map(|part| part.split_once("\r\n\r\n"));
    parts.filter(|(head, _)| head.contains("text/csv")).map(|(_, content)| content.trim_end().to_owned()).collect()
}

async fn upload(State((_, files)): Office, headers: HeaderMap, body: Bytes) -> StatusCode {
    let tables = tables(&headers, &String::from_utf8_lossy(&body));
    if tables.is_empty() || !body.windows(4).any(|four| four == b"PK\x03\x04") {
        return StatusCode::BAD_REQUEST;
    }
    let rows = tables.iter().flat_map(|table| table.lines().skip(1).map(str::to_owned)).collect::<Vec<_>>();
    files.lock().unwrap().rows.entry(field(&headers, "x-user").to_owned()).or_default().extend(rows);
    StatusCode::NO_CONTENT
}

async fn export(State((build, files)): Office, headers: HeaderMap) -> Vec<u8> {
    let user = field(&headers, "x-user").to_owned();
    let name = if build == Build::Flawed { "export.xlsx".to_owned() } else { format!("export-{user}.xlsx") };
    {
        let mut files = files.lock().unwrap();
        let workbook = workbook(&files.rows.get(&user).cloned().unwrap_or_default());
        files.exports.insert(name.clone(), workbook);
    }
    tokio::time::sleep(Duration::from_millis(2)).await;
    files.lock().unwrap().exports.get(&name).cloned().unwrap_or_default()
}

fn workbook(rows: &[String]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(vec![]));
    archive.start_file("xl/worksheets/sheet1.xml", SimpleFileOptions::default()).unwrap();
    let rows: Vec<String> = rows.iter().map(|row| format!("<row><c><v>{row}</v></c></row>")).collect();
    archive.write_all(rows.concat().as_bytes()).unwrap();
    archive.finish().unwrap().into_inner()
}

fn service(build: Build) -> Router {
    let state = (build, Arc::default());
    Router::new().route("/uploads", post(upload)).route("/export", get(export)).with_state(state)
}

#[test]
fn exports_written_to_one_file_are_found() {
    assert_told_apart(include_str!("upload.yaml"), service, &["foreign-canary"]);
}
