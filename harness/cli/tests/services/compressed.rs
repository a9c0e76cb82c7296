//! Answers in gzip, deflate of both kinds and zstd, and event streams in gzip. Flaw: the buffer that is compressed into is kept
//! for the next answer, which begins with what the last one had.

use std::io::Write;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use serde_json::{Value, json};

use crate::trial::{Build, assert_told_apart};

#[derive(Default)]
struct Notes {
    notes: Vec<(String, String)>,
    buffer: String,
}

type Site = (Build, Arc<Mutex<Notes>>);

/// Every way in turn.
fn packed(number: usize, text: &str) -> (&'static str, Vec<u8>) {
    fn written<W: Write>(mut encoder: W, text: &str) -> W {
        encoder.write_all(text.as_bytes()).unwrap();
        encoder
    }
    match number % 4 {
        0 => ("gzip", written(GzEncoder::new(vec![], Compression::fast()), text).finish().unwrap()),
        1 => ("deflate", written(ZlibEncoder::new(vec![], Compression::fast()), text).finish().unwrap()),
        2 => ("deflate", written(DeflateEncoder::new(vec![], Compression::fast()), text).finish().unwrap()),
        _ => ("zstd", zstd::encode_all(text.as_bytes(), 1).unwrap()),
    }
}

fn answer(number: usize, kind: &'static str, text: &str) -> Response {
    let (encoding, bytes) = packed(number, text);
    ([(CONTENT_TYPE, kind), (CONTENT_ENCODING, encoding)], bytes).into_response()
}

fn user(headers: &HeaderMap) -> Result<String, StatusCode> {
    let accepted = headers.get(ACCEPT_ENCODING).is_some_and(|accepted| accepted == "gzip, deflate, br, zstd");
    let user = headers.get("x-user").and_then(|user| user.to_str().ok()).filter(|_| accepted);
    user.map(str::to_owned).ok_or(StatusCode::NOT_ACCEPTABLE)
}

async fn write(State((_, site)): State<Site>, headers: HeaderMap, text: String) -> Result<Response, StatusCode> {
    let user = user(&headers)?;
    let mut site = site.lock().unwrap();
    site.notes.push((user.clone(), text));
    let id = site.notes.len() - 1;
    Ok(answer(id, "application/json", &json!({"id": id, "user": user}).to_string()))
}

fn shown(site: &Site, headers: &HeaderMap, id: usize) -> Result<Value, StatusCode> {
    let user = user(headers)?;
    let mut notes = site.1.lock().unwrap();
    let note = notes.notes.get(id).filter(|(owner, _)| *owner == user).ok_or(StatusCode::NOT_FOUND)?.1.clone();
    let before = std::mem::replace(&mut notes.buffer, note.clone());
    let before = if site.0 == Build::Flawed { before } else { String::new() };
    Ok(json!({"user": user, "text": note, "padding": before}))
}

async fn read(State(site): State<Site>, headers: HeaderMap, Path(id): Path<usize>) -> Result<Response, StatusCode> {
    Ok(answer(id, "application/json", &shown(&site, &headers, id)?.to_string()))
}

async fn listen(State(site): State<Site>, headers: HeaderMap, Path(id): Path<usize>) -> Result<Response, StatusCode> {
    let event = shown(&site, &headers, id)?;
    Ok(answer(id, "text/event-stream", &format!(": hello\n\ndata: {event}\n\n")))
}

fn service(build: Build) -> Router {
    let router = Router::new().route("/notes", post(write)).route("/notes/{id}", get(read));
    router.route("/events/{id}", get(listen)).with_state((build, Arc::default()))
}

#[test]
fn a_buffer_for_compression_that_is_kept_is_found() {
    assert_told_apart(include_str!("compressed.yaml"), service, &["foreign-canary"]);
}

/// Flaw: whoever wrote last is taken for the one who reads.
async fn read_as(State(site): State<Site>, headers: HeaderMap, Path(id): Path<usize>) -> Result<Response, StatusCode> {
    let mut note = shown(&(Build::Twin, Arc::clone(&site.1)), &headers, id)?;
    if site.0 == Build::Flawed {
        note["user"] = site.1.lock().unwrap().notes.last().map(|(writer, _)| Value::from(writer.as_str())).into();
    }
    Ok(answer(id, "application/json", &note.to_string()))
}

#[test]
fn identities_are_compared_although_nobody_logs_in() {
    let service = |build| {
        let router = Router::new().route("/notes", post(write)).route("/notes/{id}", get(read_as));
        // Events are those of the service without its buffer.
        let events =
            get(|State((_, notes)): State<Site>, headers, id| listen(State((Build::Twin, notes)), headers, id));
        router.route("/events/{id}", events).with_state((build, Arc::default()))
    };
    assert_told_apart(include_str!("compressed.yaml"), service, &["identity-echo"]);
}
