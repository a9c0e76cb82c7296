//! The statement of a month, which browsers keep and ask for again. Home of `finance.cache-control` and `finance.etag`.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::transactions::{Period, Transaction, newest};
use crate::caller::Caller;
use crate::document::{Answered, Operation};
use crate::input::Params;
use crate::refusal::Refusal;
use crate::service::App;

/// Who may keep a statement.
#[derive(Clone, Copy)]
pub(super) enum Keep {
    /// Guilty: any cache on the way, for everybody.
    Anyone,
    /// Right: the browser of its user.
    Caller,
}

impl Keep {
    fn directives(self) -> &'static str {
        match self {
            Self::Anyone => "public, max-age=60",
            Self::Caller => "private, no-cache",
        }
    }
}

/// What the version of a statement is made of.
#[derive(Clone, Copy)]
pub(super) enum Version {
    /// Guilty: its month. All users have the same months.
    OfThePeriod,
    /// Right: whose it is, and all that stands in it.
    OfTheContent,
}

#[derive(Serialize, Hash, JsonSchema)]
pub(super) struct Statement {
    user_id: String,
    month: String,
    entries: Vec<Transaction>,
}

impl Statement {
    fn etag(&self, version: Version) -> String {
        match version {
            Version::OfThePeriod => format!("\"{}\"", self.month),
            Version::OfTheContent => {
                let mut hasher = DefaultHasher::new();
                self.hash(&mut hasher);
                format!("\"{:016x}\"", hasher.finish())
            }
        }
    }
}

pub(super) async fn read(
    State(service): State<App>,
    caller: Caller,
    Params(Period { month }): Params<Period>,
    headers: HeaderMap,
) -> Result<Kept, Refusal> {
    let user_id = caller.identity.user_id.clone();
    let reading = service.store.run(move |db| {
        let entries = newest(db, &user_id, &month)?;
        Ok(Statement { user_id, month, entries })
    });
    let statement = reading.await?;
    let etag = statement.etag(service.finance.version);
    let is_known = headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes());
    let keep = service.finance.keep;
    Ok(Kept { keep, etag, statement: (!is_known).then_some(statement) })
}

/// A statement, unless it is known already.
pub(super) struct Kept {
    keep: Keep,
    etag: String,
    statement: Option<Statement>,
}

impl IntoResponse for Kept {
    fn into_response(self) -> Response {
        let headers = [(CACHE_CONTROL, self.keep.directives().to_owned()), (ETAG, self.etag)];
        match self.statement {
            Some(statement) => (headers, Json(statement)).into_response(),
            None => (StatusCode::NOT_MODIFIED, headers).into_response(),
        }
    }
}

impl Answered for Kept {
    fn tell(operation: &mut Operation) {
        Json::<Statement>::tell(operation);
        operation.answers(304, "It is as the client knows it.", &[]);
        for status in [200, 304] {
            operation.answers_header(status, "etag");
        }
        operation.takes_header("if-none-match", json!({ "type": "string" }));
    }
}
