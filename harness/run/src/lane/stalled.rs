//! WebSockets that are not read for a while, or whose pings are not answered.

use std::time::Duration;

use coalmine_core::history::{Happening, Shaken};
use coalmine_core::perturb::{Pace, Perturbation};
use coalmine_core::plan::OpId;
use coalmine_core::step::SocketSlot;

use super::Lane;
use crate::engine::wait;
use crate::socket::Window;
use crate::valve::Valve;

/// So long a reader may take to look at its socket again.
const LOOK_WAIT_MAX: Duration = Duration::from_millis(500);

/// How much a connection takes in before somebody reads it.
pub(super) fn window(pace: Pace) -> Window {
    if matches!(pace, Pace::Read { .. } | Pace::Deaf { .. }) { Window::Small } else { Window::Usual }
}

/// Before the first message is read.
pub(super) fn stall(valve: &Valve, pace: Pace) {
    match pace {
        Pace::Deaf { .. } => valve.deafen(),
        Pace::Mute => valve.swallow_pongs(),
        Pace::Full | Pace::Write { .. } | Pace::Read { .. } => {}
    }
}

impl Lane {
    /// Events of the WebSocket are waited for: one that was not read is read again, after the time that is still due.
    pub(super) async fn begin_to_hear(&mut self, slot: SocketSlot) {
        let Ok(socket) = self.lines.websocket(slot) else { return };
        let Some((op, Pace::Deaf { wait_us })) = socket.stall() else { return };
        wait(Duration::from_micros(wait_us.into())).await;
        socket.valve().thaw();
        let waited = tokio::time::timeout(LOOK_WAIT_MAX, socket.valve().has_kept_waiting()).await;
        socket.end_stall();
        self.tell_stall(op, waited.unwrap_or(false));
    }

    /// Events were waited for on a WebSocket that does not answer pings.
    pub(super) fn account_for_silence(&mut self, slot: SocketSlot) {
        let Ok(socket) = self.lines.websocket(slot) else { return };
        let Some((op, Pace::Mute)) = socket.stall() else { return };
        let was_asked = socket.valve().pongs_swallowed() > 0;
        socket.end_stall();
        self.tell_stall(op, was_asked);
    }

    fn tell_stall(&self, op: OpId, reached: bool) {
        let shaken = Shaken::new(Perturbation::Stall, reached);
        self.round.recorder.event(op, Happening::Perturbed(shaken));
    }
}
