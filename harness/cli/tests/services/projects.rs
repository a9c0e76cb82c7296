//! Projects with guests from the same company and from others, told over a WebSocket. Much is shared, and rightly. The flaws:
//! guests are shown what the owner keeps private; whoever was dismissed still hears what is written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{any, delete, get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::trial::{Build, assert_told_apart};

type Shared = State<Arc<Mutex<Office>>>;
type Answer = Result<Json<Value>, StatusCode>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    GuestsSeePrivateNotes,
    DismissedStillHear,
}

struct Office {
    flaw: Flaw,
    users: usize,
    projects: BTreeMap<usize, Project>,
    board: Vec<Value>,
    listeners: Vec<(usize, UnboundedSender<String>)>,
}

struct Project {
    title: Value,
    owner: usize,
    guests: BTreeSet<usize>,
    /// All who were ever invited.
    invited: BTreeSet<usize>,
    notes: Vec<Note>,
}

struct Note {
    text: Value,
    private: bool,
    author: usize,
}

impl Office {
    fn user(&self, headers: &HeaderMap) -> Result<usize, StatusCode> {
        let token = headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer t"));
        token.and_then(|id| id.parse().ok()).filter(|id| *id < self.users).ok_or(StatusCode::UNAUTHORIZED)
    }

    fn project(&mut self, id: usize, user: usize) -> Result<&mut Project, StatusCode> {
        let project = self.projects.get_mut(&id).filter(|it| it.owner == user || it.guests.contains(&user));
        project.ok_or(StatusCode::NOT_FOUND)
    }

    fn own_project(&mut self, id: usize, user: usize) -> Result<&mut Project, StatusCode> {
        self.project(id, user)?;
        self.projects.get_mut(&id).filter(|it| it.owner == user).ok_or(StatusCode::FORBIDDEN)
    }

    fn tell(&self, id: usize, note: &Note) {
        let project = &self.projects[&id];
        let event = json!({"type": "note", "project": id, "author": note.author, "text": note.text}).to_string();
        for (user, sender) in &self.listeners {
            let hears = match self.flaw {
                Flaw::DismissedStillHear => project.invited.contains(user),
                Flaw::GuestsSeePrivateNotes => project.guests.contains(user),
                Flaw::None => project.guests.contains(user) && !note.private,
            };
            let wrongly_private =
                self.flaw == Flaw::DismissedStillHear && project.guests.contains(user) && note.private;
            if *user == project.owner || hears && !wrongly_private {
                let _ = sender.send(event.clone());
            }
        }
    }
}

async fn register(State(office): Shared) -> Json<Value> {
    let mut office = office.lock().unwrap();
    let id = office.users;
    office.users += 1;
    Json(json!({"id": id, "token": format!("t{id}")}))
}

async fn create(State(office): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    let mut office = office.lock().unwrap();
    let owner = office.user(&headers)?;
    let id = office.projects.len();
    let (guests, invited) = (BTreeSet::new(), BTreeSet::new());
    office.projects.insert(id, Project { title: body["title"].clone(), owner, guests, invited, notes: vec![] });
    Ok(Json(json!({"id": id})))
}

async fn invite(State(office): Shared, Path(id): Path<usize>, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    let mut office = office.lock().unwrap();
    let user = office.user(&headers)?;
    let guest = body["user"].as_u64().and_then(|id| usize::try_from(id).ok()).ok_or(StatusCode::BAD_REQUEST)?;
    let project = office.own_project(id, user)?;
    project.guests.insert(guest);
    project.invited.insert(guest);
    Ok(Json(json!({})))
}

async fn dismiss(State(office): Shared, Path((id, guest)): Path<(usize, usize)>, headers: HeaderMap) -> Answer {
    let mut office = office.lock().unwrap();
    let user = office.user(&headers)?;
    office.own_project(id, user)?.guests.remove(&guest);
    Ok(Json(json!({})))
}

async fn write(State(office): Shared, Path(id): Path<usize>, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    let mut office = office.lock().unwrap();
    let author = office.user(&headers)?;
    office.project(id, author)?;
    let note = Note { text: body["text"].clone(), private: body["private"] == true, author };
    office.tell(id, &note);
    office.project(id, author)?.notes.push(note);
    Ok(Json(json!({})))
}

async fn read(State(office): Shared, Path(id): Path<usize>, headers: HeaderMap) -> Answer {
    let mut office = office.lock().unwrap();
    let user = office.user(&headers)?;
    let flaw = office.flaw;
    let project = office.project(id, user)?;
    let may_see = |note: &&Note| flaw == Flaw::GuestsSeePrivateNotes || project.owner == user || !note.private;
    let notes = project.notes.iter().filter(may_see).map(|note| json!({"text": note.text, "by": note.author}));
    Ok(Json(json!({"id": id, "owner": project.owner, "title": project.title, "notes": notes.collect::<Vec<_>>()})))
}

async fn list(State(office): Shared, headers: HeaderMap) -> Answer {
    let office = office.lock().unwrap();
    let user = office.user(&headers)?;
    let mine = office.projects.values().filter(|it| it.owner == user || it.guests.contains(&user));
    Ok(Json(mine.map(|project| project.title.clone()).collect()))
}

async fn announce(State(office): Shared, Json(body): Json<Value>) -> Json<Value> {
    office.lock().unwrap().board.push(body["text"].clone());
    Json(json!({}))
}

async fn board(State(office): Shared) -> Json<Value> {
    Json(office.lock().unwrap().board.clone().into())
}

async fn events(State(office): Shared, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Result<Response, StatusCode> {
    let mut office = office.lock().unwrap();
    let user = office.user(&headers)?;
    let (sender, receiver) = unbounded_channel();
    office.listeners.push((user, sender));
    Ok(upgrade.on_upgrade(|socket| tell(socket, receiver)))
}

async fn tell(mut socket: WebSocket, mut events: UnboundedReceiver<String>) {
    loop {
        let going = tokio::select! {
            Some(event) = events.recv() => socket.send(Message::text(event)).await.is_ok(),
            message = socket.recv() => matches!(message, Some(Ok(_))),
        };
        if !going {
            return;
        }
    }
}

fn service(flaw: Flaw) -> Router {
    let office = Office { flaw, users: 0, projects: BTreeMap::new(), board: vec![], listeners: vec![] };
    Router::new()
        .route("/users", post(register))
        .route("/projects", post(create).get(list))
        .route("/projects/{id}", get(read))
        .route("/projects/{id}/guests", post(invite))
        .route("/projects/{id}/guests/{guest}", delete(dismiss))
        .route("/projects/{id}/notes", post(write))
        .route("/board", post(announce).get(board))
        .route("/events", any(events))
        .with_state(Arc::new(Mutex::new(office)))
}

fn told_apart(flaw: Flaw) {
    let build = |build| service(if build == Build::Flawed { flaw } else { Flaw::None });
    assert_told_apart(include_str!("projects.yaml"), build, &["foreign-canary"]);
}

#[test]
fn guests_who_see_private_notes_are_found_among_much_that_is_shared() {
    told_apart(Flaw::GuestsSeePrivateNotes);
}

#[test]
fn a_dismissed_guest_who_still_hears_is_found() {
    told_apart(Flaw::DismissedStillHear);
}
