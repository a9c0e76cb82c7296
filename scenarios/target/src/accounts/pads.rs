//! Pads: for notes that are thrown away. Home of `http.id-reuse`.

use std::collections::HashMap;
use std::sync::Mutex;

use axum::Json;
use axum::extract::State;
use axum::response::NoContent;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::Created;
use crate::caller::Caller;
use crate::input::{Input, Place};
use crate::lock::hold;
use crate::refusal::Refusal;
use crate::service::App;

/// Further ones get 503.
const PADS_MAX: usize = 4096;

/// What becomes of a pad that is thrown away.
#[derive(Clone, Copy)]
pub(crate) enum Discarded {
    /// Guilty: it waits for its next owner, as it is.
    IsGivenOutAgain,
    /// Right: it is gone, and its id is never given out again.
    IsGone,
}

/// The pads of all users.
pub(crate) struct Pads {
    discarded: Discarded,
    drawer: Mutex<Drawer>,
}

#[derive(Default)]
struct Drawer {
    pads: HashMap<u64, Pad>,
    /// Those that wait for their next owner, the one that was discarded last on top.
    free: Vec<u64>,
    last: u64,
}

#[derive(Default)]
struct Pad {
    owner: Option<String>,
    text: String,
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Draft {
    text: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Shown {
    id: u64,
    text: String,
}

impl Pads {
    pub(crate) fn new(discarded: Discarded) -> Self {
        Self { discarded, drawer: Mutex::default() }
    }

    fn open(&self, user_id: &str) -> Option<Shown> {
        let mut drawer = hold(&self.drawer);
        if drawer.pads.len() - drawer.free.len() >= PADS_MAX {
            return None;
        }
        let id = drawer.free.pop().unwrap_or(drawer.last + 1);
        drawer.last = drawer.last.max(id);
        let pad = drawer.pads.entry(id).or_default();
        pad.owner = Some(user_id.to_owned());
        Some(Shown { id, text: pad.text.clone() })
    }

    fn write(&self, user_id: &str, id: u64, text: String) -> Option<Shown> {
        let mut drawer = hold(&self.drawer);
        let pad = drawer.pads.get_mut(&id).filter(|pad| pad.owner.as_deref() == Some(user_id))?;
        pad.text.clone_from(&text);
        Some(Shown { id, text })
    }

    fn discard(&self, user_id: &str, id: u64) -> Option<()> {
        let mut drawer = hold(&self.drawer);
        let pad = drawer.pads.get_mut(&id).filter(|pad| pad.owner.as_deref() == Some(user_id))?;
        pad.owner = None;
        match self.discarded {
            Discarded::IsGivenOutAgain => drawer.free.push(id),
            Discarded::IsGone => drop(drawer.pads.remove(&id)),
        }
        Some(())
    }
}

pub(super) async fn open(State(service): State<App>, caller: Caller) -> Result<Created<Shown>, Refusal> {
    let shown = service.pads.open(&caller.identity.user_id).ok_or(Refusal::Busy)?;
    Ok(Created(shown))
}

pub(super) async fn write(
    State(service): State<App>,
    caller: Caller,
    Place(id): Place<u64>,
    Input(Draft { text }): Input<Draft>,
) -> Result<Json<Shown>, Refusal> {
    service.pads.write(&caller.identity.user_id, id, text).map(Json).ok_or(Refusal::NotFound)
}

pub(super) async fn discard(
    State(service): State<App>,
    caller: Caller,
    Place(id): Place<u64>,
) -> Result<NoContent, Refusal> {
    service.pads.discard(&caller.identity.user_id, id).map(|()| NoContent).ok_or(Refusal::NotFound)
}
