//! Suggestions for what somebody begins to type, learned from what was booked. Home of `finance.suggest`.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use axum::Json;
use axum::extract::State;
use coalmine_models::KeyedBy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::caller::Caller;
use crate::input::Params;
use crate::lock::hold;
use crate::refusal::Refusal;
use crate::service::App;

/// Older texts are forgotten.
const TEXTS_MAX: usize = 256;

/// Further users are not learned from.
const OWNERS_MAX: usize = 4096;

const SUGGESTIONS_MAX: usize = 20;

/// Texts by owner, unless all are learned together.
pub(super) struct Suggestions {
    keyed_by: KeyedBy,
    learned: Mutex<HashMap<Option<String>, VecDeque<String>>>,
}

impl Suggestions {
    pub(super) fn new(keyed_by: KeyedBy) -> Self {
        Self { keyed_by, learned: Mutex::default() }
    }

    pub(super) fn learn(&self, user_id: &str, text: &str) {
        let mut learned = hold(&self.learned);
        let (key, is_full) = (self.key(user_id), learned.len() >= OWNERS_MAX);
        if is_full && !learned.contains_key(&key) {
            return;
        }
        let texts = learned.entry(key).or_default();
        texts.push_front(text.to_owned());
        texts.truncate(TEXTS_MAX);
    }

    /// What was learned last that begins so.
    fn beginning_with(&self, user_id: &str, beginning: &str) -> Vec<String> {
        let learned = hold(&self.learned);
        let texts = learned.get(&self.key(user_id)).into_iter().flatten();
        texts.filter(|text| text.starts_with(beginning)).take(SUGGESTIONS_MAX).cloned().collect()
    }

    fn key(&self, user_id: &str) -> Option<String> {
        match self.keyed_by {
            KeyedBy::Name => None,
            KeyedBy::OwnerAndName => Some(user_id.to_owned()),
        }
    }
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Typed {
    q: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Suggested {
    suggestions: Vec<String>,
}

pub(super) async fn read(
    State(service): State<App>,
    caller: Caller,
    Params(Typed { q }): Params<Typed>,
) -> Result<Json<Suggested>, Refusal> {
    let suggestions = service.finance.suggestions.beginning_with(&caller.identity.user_id, &q);
    Ok(Json(Suggested { suggestions }))
}
