//! What a run knows while it thinks.

/// The working state of a run. `agents.shared-state` makes it the state of all runs at once.
#[derive(Clone, Debug, Default)]
pub(super) struct RunState {
    request: String,
    observations: Vec<String>,
}

impl RunState {
    /// Forgets what was there, and sets out to do what `prompt` asks for.
    pub(super) fn begin(&mut self, prompt: &str) {
        *self = Self { request: prompt.to_owned(), observations: Vec::new() };
    }

    /// What the model is to be told next.
    pub(super) fn request(&self) -> String {
        self.request.clone()
    }

    /// Keeps what the tool or the model found out.
    pub(super) fn observe(&mut self, observation: String) {
        self.observations.push(observation);
        self.observations.truncate(OBSERVATIONS_MAX);
    }

    /// The answer, put together from all that was learned.
    pub(super) fn conclude(&self) -> String {
        format!("On \"{}\": {}.", self.request, self.observations.join("; "))
    }
}

const OBSERVATIONS_MAX: usize = 16;
