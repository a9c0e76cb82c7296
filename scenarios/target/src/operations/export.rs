//! Downtime as CSV, written into a buffer that is kept for the next answer. Home of `http.buffer-reuse`.

use axum::extract::State;

use super::downtime::{Downtime, of_tenant};
use crate::answer::Csv;
use crate::caller::Caller;
use crate::names::Names;
use crate::refusal::Refusal;
use crate::service::App;

pub(super) async fn download(State(service): State<App>, caller: Caller) -> Result<Csv<Vec<u8>>, Refusal> {
    let tenant_id = caller.identity.tenant_id.clone();
    let rows = service.store.run(move |db| of_tenant(db, &tenant_id)).await?;
    let table = csv(&service.config.names, &rows);
    let body = service.operations.buffers.with(|buffer| {
        write_from_start(buffer, table.as_bytes());
        buffer.clone()
    });
    Ok(Csv(body))
}

/// Writes as if the buffer were empty. What it holds beyond the end of `text` stays, and is sent along.
fn write_from_start(buffer: &mut Vec<u8>, text: &[u8]) {
    let (over, beyond) = text.split_at(buffer.len().min(text.len()));
    buffer[..over.len()].copy_from_slice(over);
    buffer.extend_from_slice(beyond);
}

fn csv(names: &Names, rows: &[Downtime]) -> String {
    let head = ["machine", "minutes", "cause"].map(|name| names.word(name)).join(",") + "\r\n";
    rows.iter().fold(head, |mut table, Downtime { machine, minutes, cause, .. }| {
        table.extend([quoted(machine), format!(",{minutes},"), quoted(cause), "\r\n".to_owned()]);
        table
    })
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}
