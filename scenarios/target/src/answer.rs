//! Answers with the status that says what has become of the request.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// 201, with what was made.
pub(crate) struct Created<T>(pub(crate) T);

/// 202, with what is under way.
pub(crate) struct Accepted<T>(pub(crate) T);

/// A table as CSV.
pub(crate) struct Csv<T>(pub(crate) T);

pub(crate) const CSV: &str = "text/csv; charset=utf-8";

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(self.0)).into_response()
    }
}

impl<T: Serialize> IntoResponse for Accepted<T> {
    fn into_response(self) -> Response {
        (StatusCode::ACCEPTED, Json(self.0)).into_response()
    }
}

impl<T: IntoResponse> IntoResponse for Csv<T> {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, CSV)], self.0).into_response()
    }
}
