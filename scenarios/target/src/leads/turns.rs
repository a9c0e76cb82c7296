//! Whose job is next. Home of `leads.noisy-neighbour`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::lock::hold;
use crate::refusal::Refusal;

/// Who waits for whom.
#[derive(Clone, Copy)]
pub(super) enum OneAtATime {
    /// Guilty: everybody for everybody.
    OfAll,
    /// Right: a tenant for itself.
    OfEachTenant,
}

/// Jobs of a tenant that may wait. Further ones are refused.
const WAITING_MAX: usize = 512;

/// Lines of tenants without jobs are forgotten when there are more lines than this.
const LINES_MAX: usize = 1024;

pub(super) struct Turns {
    one_at_a_time: OneAtATime,
    all: Line,
    by_tenant: Mutex<HashMap<String, Line>>,
}

#[derive(Clone)]
struct Line {
    turn: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Line {
    fn new() -> Self {
        Self { turn: Arc::new(Semaphore::new(1)), places: Arc::new(Semaphore::new(WAITING_MAX)) }
    }

    fn is_empty(&self) -> bool {
        self.places.available_permits() == WAITING_MAX
    }
}

/// A place in the line.
pub(super) struct Place {
    turn: Arc<Semaphore>,
    place: OwnedSemaphorePermit,
}

/// A turn, which lasts until it is dropped.
pub(super) struct Turn {
    _turn: OwnedSemaphorePermit,
    _place: OwnedSemaphorePermit,
}

impl Turns {
    pub(super) fn new(one_at_a_time: OneAtATime) -> Self {
        Self { one_at_a_time, all: Line::new(), by_tenant: Mutex::default() }
    }

    /// Stands in line.
    pub(super) fn queue_up(&self, tenant_id: &str) -> Result<Place, Refusal> {
        let mut lines = hold(&self.by_tenant);
        if lines.len() > LINES_MAX {
            lines.retain(|_, line| !line.is_empty());
        }
        let own = lines.entry(tenant_id.to_owned()).or_insert_with(Line::new);
        let place = Arc::clone(&own.places).try_acquire_owned().map_err(|_| Refusal::Busy)?;
        let turn = match self.one_at_a_time {
            OneAtATime::OfAll => &self.all.turn,
            OneAtATime::OfEachTenant => &own.turn,
        };
        Ok(Place { turn: Arc::clone(turn), place })
    }
}

impl Place {
    /// Waits for its turn.
    pub(super) async fn turn(self) -> Result<Turn, Refusal> {
        let turn = self.turn.acquire_owned().await.map_err(|_| Refusal::Fault)?;
        Ok(Turn { _turn: turn, _place: self.place })
    }
}
