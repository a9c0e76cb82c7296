//! What was searched for, for whoever wonders why nothing was found. Home of `http.log-endpoint`.

use std::collections::VecDeque;
use std::sync::Mutex;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use crate::caller::Caller;
use crate::lock::hold;
use crate::service::App;

/// Older lines are forgotten.
const LINES_MAX: usize = 4096;

/// Of whose lines one sees some.
const SHOWN_MAX: usize = 100;

/// Who may read which lines.
#[derive(Clone, Copy)]
pub(crate) enum Readers {
    /// Guilty: all of them. The page was meant for operators, and is open to everybody.
    Everyone,
    /// Right: each user its own.
    TheirUser,
}

/// The last lines of the process, the newest first.
pub(crate) struct Diagnostics {
    readers: Readers,
    lines: Mutex<VecDeque<Line>>,
}

struct Line {
    user_id: String,
    text: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Log {
    lines: Vec<String>,
}

impl Diagnostics {
    pub(crate) fn new(readers: Readers) -> Self {
        Self { readers, lines: Mutex::default() }
    }

    pub(crate) fn note(&self, user_id: &str, text: String) {
        let mut lines = hold(&self.lines);
        lines.truncate(LINES_MAX - 1);
        lines.push_front(Line { user_id: user_id.to_owned(), text });
    }

    fn shown_to(&self, user_id: &str) -> Vec<String> {
        let may_read = |line: &&Line| match self.readers {
            Readers::Everyone => true,
            Readers::TheirUser => line.user_id == user_id,
        };
        hold(&self.lines).iter().filter(may_read).take(SHOWN_MAX).map(|line| line.text.clone()).collect()
    }
}

pub(crate) async fn read(State(service): State<App>, caller: Caller) -> Json<Log> {
    Json(Log { lines: service.diagnostics.shown_to(&caller.identity.user_id) })
}
