//! Tells a run to stop, from outside.

use std::sync::Arc;

use tokio::sync::watch;

/// Tells a run to stop; what has been recorded until then stays.
#[derive(Clone, Debug)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Stop {
    /// Not set.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Stops whoever waits on it.
    pub fn set(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was set.
    pub fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once it is set.
    pub async fn wait(&self) {
        let mut changes = self.0.subscribe();
        // The sender lives as long as `self`.
        let _ = changes.wait_for(|set| *set).await;
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}
