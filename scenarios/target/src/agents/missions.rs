//! Missions: runs that stay, and start a child for each task. Home of `agents.child-shares-parent`.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use axum::Json;
use axum::extract::State;
use coalmine_models::{Context, Inherit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::Created;
use crate::caller::Caller;
use crate::input::{Input, Place};
use crate::lock::hold;
use crate::refusal::Refusal;
use crate::service::App;

/// When more were begun than this since, a mission is over.
const MISSIONS_MAX: usize = 16_384;
/// A mission that has had so many tasks takes no more.
const TASKS_MAX: usize = 256;
/// The variable in which a mission and its children keep what they have learned.
const NOTES: &str = "notes";

/// What a mission or a child knows: lists of texts by their names.
type Knowledge = Context<&'static str, Vec<String>>;

/// Missions under way.
pub(super) struct Missions {
    inherit: Inherit,
    under_way: Mutex<UnderWay>,
}

#[derive(Default)]
struct UnderWay {
    missions: HashMap<String, Mission>,
    oldest_first: VecDeque<String>,
}

struct Mission {
    user_id: String,
    knowledge: Knowledge,
    /// The children's, by their tasks.
    tasks: HashMap<String, Knowledge>,
}

impl Missions {
    pub(super) fn new(inherit: Inherit) -> Self {
        Self { inherit, under_way: Mutex::default() }
    }

    fn begin(&self, id: &str, user_id: &str, goal: String) {
        let knowledge = Context::new(self.inherit);
        knowledge.set(NOTES, vec![goal]);
        let mission = Mission { user_id: user_id.to_owned(), knowledge, tasks: HashMap::new() };
        let mut under_way = hold(&self.under_way);
        under_way.missions.insert(id.to_owned(), mission);
        under_way.oldest_first.push_back(id.to_owned());
        if under_way.oldest_first.len() > MISSIONS_MAX
            && let Some(oldest) = under_way.oldest_first.pop_front()
        {
            under_way.missions.remove(&oldest);
        }
    }

    /// Starts a child, which knows what its parent does, and what it is told.
    fn delegate(&self, mission: &str, user_id: &str, (task, text): (&str, String)) -> Result<(), Refusal> {
        let mut under_way = hold(&self.under_way);
        let mission = under_way.missions.get_mut(mission).filter(|mission| mission.user_id == user_id);
        let mission = mission.ok_or(Refusal::NotFound)?;
        if mission.tasks.len() == TASKS_MAX {
            return Err(Refusal::Conflict("the mission has had too many tasks"));
        }
        let child = mission.knowledge.child();
        let mut notes = child.value(&NOTES).unwrap_or_default();
        notes.push(text);
        child.set(NOTES, notes);
        mission.tasks.insert(task.to_owned(), child);
        Ok(())
    }

    fn notes(&self, mission: &str, user_id: &str, task: &str) -> Option<Vec<String>> {
        let under_way = hold(&self.under_way);
        let mission = under_way.missions.get(mission).filter(|mission| mission.user_id == user_id)?;
        mission.tasks.get(task)?.value(&NOTES)
    }
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Goal {
    goal: String,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Begun {
    id: String,
    user_id: String,
}

pub(super) async fn begin(
    State(service): State<App>,
    caller: Caller,
    Input(Goal { goal }): Input<Goal>,
) -> Created<Begun> {
    let begun = Begun { id: service.config.names.fresh_id("mission"), user_id: caller.identity.user_id.clone() };
    service.agents.missions.begin(&begun.id, &begun.user_id, goal);
    Created(begun)
}

#[derive(Deserialize, JsonSchema)]
pub(super) struct Errand {
    task: String,
}

/// What the child of a task knows.
#[derive(Serialize, JsonSchema)]
pub(super) struct Task {
    id: String,
    user_id: String,
    notes: Vec<String>,
}

pub(super) async fn delegate(
    State(service): State<App>,
    caller: Caller,
    Place(mission): Place<String>,
    Input(Errand { task }): Input<Errand>,
) -> Result<Created<Begun>, Refusal> {
    let (id, user_id) = (service.config.names.fresh_id("task"), caller.identity.user_id.clone());
    service.agents.missions.delegate(&mission, &user_id, (&id, task))?;
    Ok(Created(Begun { id, user_id }))
}

pub(super) async fn read(
    State(service): State<App>,
    caller: Caller,
    Place((mission, id)): Place<(String, String)>,
) -> Result<Json<Task>, Refusal> {
    let user_id = caller.identity.user_id.clone();
    let notes = service.agents.missions.notes(&mission, &user_id, &id).ok_or(Refusal::NotFound)?;
    Ok(Json(Task { id, user_id, notes }))
}
