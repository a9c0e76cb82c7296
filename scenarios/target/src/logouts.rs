//! Sessions that have ended before their tokens did.

use std::collections::{HashSet, VecDeque};
use std::sync::Mutex;
use std::time::Instant;

use tokio::sync::watch;

use crate::lock::hold;
use crate::token::LIFETIME;

pub(crate) struct Logouts {
    ended: Mutex<Ended>,
    news: watch::Sender<()>,
}

#[derive(Default)]
struct Ended {
    sessions: HashSet<String>,
    /// When they ended, so that they are forgotten when their tokens are void anyhow.
    oldest_first: VecDeque<(Instant, String)>,
}

impl Logouts {
    pub(crate) fn new() -> Self {
        Self { ended: Mutex::default(), news: watch::Sender::new(()) }
    }

    /// Ends a session.
    pub(crate) fn end(&self, session_id: &str) {
        hold(&self.ended).add(session_id);
        self.news.send_replace(());
    }

    /// Whether the session has ended.
    pub(crate) fn has_ended(&self, session_id: &str) -> bool {
        hold(&self.ended).sessions.contains(session_id)
    }

    /// Waits until the session ends.
    pub(crate) async fn end_of(&self, session_id: &str) {
        let mut news = self.news.subscribe();
        while !self.has_ended(session_id) {
            // It fails only when this is dropped, which is borrowed here.
            let _ = news.changed().await;
        }
    }
}

impl Ended {
    fn add(&mut self, session_id: &str) {
        while self.oldest_first.front().is_some_and(|(when, _)| when.elapsed() > LIFETIME) {
            if let Some((_, session)) = self.oldest_first.pop_front() {
                self.sessions.remove(&session);
            }
        }
        if self.sessions.insert(session_id.to_owned()) {
            self.oldest_first.push_back((Instant::now(), session_id.to_owned()));
        }
    }
}
