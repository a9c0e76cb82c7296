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

/// Who was learned from first is forgotten for whoever comes then.
const OWNERS_MAX: usize = 4096;

const SUGGESTIONS_MAX: usize = 20;

/// Texts by owner, unless all are learned together.
pub(super) struct Suggestions {
    keyed_by: KeyedBy,
    learned: Mutex<Learned>,
}

#[derive(Default)]
struct Learned {
    by_owner: HashMap<Option<String>, VecDeque<String>>,
    /// In the order in which they came.
    owners: VecDeque<Option<String>>,
}

impl Suggestions {
    pub(super) fn new(keyed_by: KeyedBy) -> Self {
        Self { keyed_by, learned: Mutex::default() }
    }

    pub(super) fn learn(&self, user_id: &str, text: &str) {
        hold(&self.learned).of(self.key(user_id)).push_front(text.to_owned());
    }

    /// What was learned last that begins so.
    fn beginning_with(&self, user_id: &str, beginning: &str) -> Vec<String> {
        let learned = hold(&self.learned);
        let texts = learned.by_owner.get(&self.key(user_id)).into_iter().flatten();
        texts.filter(|text| text.starts_with(beginning)).take(SUGGESTIONS_MAX).cloned().collect()
    }

    fn key(&self, user_id: &str) -> Option<String> {
        match self.keyed_by {
            KeyedBy::Name => None,
            KeyedBy::OwnerAndName => Some(user_id.to_owned()),
        }
    }
}

impl Learned {
    /// The owner's texts, with room for one more.
    fn of(&mut self, owner: Option<String>) -> &mut VecDeque<String> {
        if !self.by_owner.contains_key(&owner) {
            if self.owners.len() == OWNERS_MAX
                && let Some(first) = self.owners.pop_front()
            {
                self.by_owner.remove(&first);
            }
            self.owners.push_back(owner.clone());
        }
        let texts = self.by_owner.entry(owner).or_default();
        texts.truncate(TEXTS_MAX - 1);
        texts
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_comes_last_is_learned_from_however_many_there_were() {
        let suggestions = Suggestions::new(KeyedBy::OwnerAndName);
        for user in 0..=OWNERS_MAX {
            suggestions.learn(&user.to_string(), "tea");
        }
        assert_eq!(suggestions.beginning_with(&OWNERS_MAX.to_string(), "t"), ["tea"]);
        assert!(suggestions.beginning_with("0", "t").is_empty());
        assert_eq!(hold(&suggestions.learned).by_owner.len(), OWNERS_MAX);
    }

    #[test]
    fn older_texts_are_forgotten() {
        let suggestions = Suggestions::new(KeyedBy::OwnerAndName);
        for number in 0..=TEXTS_MAX {
            suggestions.learn("a", &format!("tea {number}"));
        }
        assert!(suggestions.beginning_with("a", "tea 0").is_empty());
        assert_eq!(suggestions.beginning_with("a", "tea 256"), ["tea 256"]);
    }
}
