//! The debug mode, in which the page for unknown addresses shows what was asked last. Home of `http.error-echo`.

use std::sync::Mutex;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::lock::hold;
use crate::refusal::{Error, Refusal};
use crate::service::{App, BODY_BYTES_MAX};

/// Whether requests are remembered for whoever looks for a fault.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Debug {
    /// Guilty: it was on during development, and then forgotten.
    On,
    /// Right: nothing is kept.
    Off,
}

/// The request of the process that was answered last, whoever sent it.
pub(crate) type LastRequest = Mutex<String>;

/// Keeps a request when it is answered.
pub(crate) async fn remember(State(service): State<App>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        return Refusal::TooLarge.into_response();
    };
    let text = format!("{} {} {}", head.method, head.uri, String::from_utf8_lossy(&body));
    let response = next.run(Request::from_parts(head, Body::from(body))).await;
    *hold(&service.last_request) = text;
    response
}

/// The page for unknown addresses.
pub(crate) async fn nowhere(State(service): State<App>) -> Response {
    let refusal = Refusal::NotFound;
    match service.debug {
        Debug::Off => refusal.into_response(),
        Debug::On => {
            let last_request = hold(&service.last_request).clone();
            let page = Error { error: refusal.reason(), last_request: Some(last_request) };
            (StatusCode::NOT_FOUND, Json(page)).into_response()
        }
    }
}
