//! What agents remember for their user, in a server of its own.

mod backend;
mod line;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::caller::Caller;
use crate::input::{Input, Place};
use crate::refusal::Refusal;
use crate::service::App;
pub(crate) use backend::listen;
use backend::{Reply, Request};
pub(super) use line::Lines;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Draft {
    text: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Memory {
    name: String,
    user_id: String,
    text: String,
}

pub(super) async fn keep(
    State(service): State<App>,
    caller: Caller,
    Place(name): Place<String>,
    Input(Draft { text }): Input<Draft>,
) -> Result<Json<Memory>, Refusal> {
    let user_id = caller.identity.user_id.clone();
    let request = Request::Keep { key: key(&user_id, &name), text: text.clone() };
    match service.agents.memories.ask(request).await? {
        Reply::Kept => Ok(Json(Memory { name, user_id, text })),
        Reply::Text(_) => Err(Refusal::Fault),
    }
}

pub(super) async fn recall(
    State(service): State<App>,
    caller: Caller,
    Place(name): Place<String>,
) -> Result<Json<Memory>, Refusal> {
    let user_id = caller.identity.user_id.clone();
    match service.agents.memories.ask(Request::Recall { key: key(&user_id, &name) }).await? {
        Reply::Text(Some(text)) => Ok(Json(Memory { name, user_id, text })),
        Reply::Text(None) => Err(Refusal::NotFound),
        Reply::Kept => Err(Refusal::Fault),
    }
}

fn key(user_id: &str, name: &str) -> String {
    format!("{user_id}/{name}")
}
