//! What requests carry. What does not fit is refused without repeating it.

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::refusal::Refusal;
use crate::service::App;

/// A JSON body.
pub(crate) struct Input<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Input<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, service: &App) -> Result<Self, Refusal> {
        let names = &service.config.names;
        let read = if names.is_own() {
            Json::from_request(request, service).await.map(|Json(body)| Ok(body))
        } else {
            let read = Json::<Value>::from_request(request, service).await;
            read.map(|Json(body)| serde_json::from_value(names.renamed(body)))
        };
        match read {
            Ok(Ok(body)) => Ok(Self(body)),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(Refusal::TooLarge),
            Ok(Err(_)) | Err(_) => Err(Refusal::BadRequest("the body is not the JSON that this route takes")),
        }
    }
}

/// The variable part of the path. One that can be no id names nothing.
pub(crate) struct Place<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Place<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(place)) => Ok(Self(place)),
            Err(_) => Err(Refusal::NotFound),
        }
    }
}

/// The query.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Params<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, service: &App) -> Result<Self, Refusal> {
        let query = service.config.names.query(parts.uri.query().unwrap_or_default());
        match format!("/?{query}").parse::<Uri>().map(|uri| Query::try_from_uri(&uri)) {
            Ok(Ok(Query(params))) => Ok(Self(params)),
            Ok(Err(_)) | Err(_) => Err(Refusal::BadRequest("the query is not what this route takes")),
        }
    }
}

/// The header `idempotency-key`, where there is one.
pub(crate) struct IdempotencyKey(pub(crate) Option<String>);

const KEY_CHARS_MAX: usize = 128;

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let key = parts.headers.get("idempotency-key").map(|value| value.to_str().map(str::to_owned));
        match key.transpose() {
            Ok(key) if key.as_ref().is_none_or(|key| key.len() <= KEY_CHARS_MAX) => Ok(Self(key)),
            _ => Err(Refusal::BadRequest("the idempotency key is too long, or no plain text")),
        }
    }
}
