//! Answers that are not what was asked for. None of them repeats what the request said.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::sql;

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    BadRequest(&'static str),
    Unauthenticated,
    Forbidden,
    NotFound,
    Conflict(&'static str),
    TooLarge,
    Busy,
    Fault,
}

impl Refusal {
    fn status(self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Fault => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::BadRequest(reason) | Self::Conflict(reason) => reason,
            Self::Unauthenticated => "log in first",
            Self::Forbidden => "you may not do that",
            Self::NotFound => "there is no such thing",
            Self::TooLarge => "the body is too large",
            Self::Busy => "too much at once, try again",
            Self::Fault => "the service failed",
        }
    }
}

/// The body of a refusal.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Error {
    pub(crate) error: &'static str,
    /// In the debug mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_request: Option<String>,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status(), Json(Error { error: self.reason(), last_request: None })).into_response()
    }
}

impl From<redis::RedisError> for Refusal {
    fn from(_: redis::RedisError) -> Self {
        Self::Fault
    }
}

impl From<sql::Error> for Refusal {
    fn from(_: sql::Error) -> Self {
        Self::Fault
    }
}
