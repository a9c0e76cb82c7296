//! What one principal has open besides its connection for requests: WebSockets and event streams.

use std::collections::VecDeque;
use std::sync::Arc;

use coalmine_core::Plan;
use coalmine_core::perturb::HangUp;
use coalmine_core::plan::ScopeId;
use coalmine_core::step::{Closing, SocketSlot};

use crate::event_stream::EventStream;
use crate::inbox::{Event, Mailbox, Rest};
use crate::valve::Valve;
use crate::websocket::WebSocket;

/// Something on which events come in.
pub(super) enum Line {
    WebSocket(WebSocket),
    EventStream(EventStream),
}

/// Lines that outlive their passes; beyond it, the oldest is closed.
const KEPT_MAX: usize = 64;

/// Those that are open. Their slots are unique in a pass with all its blocks.
#[derive(Default)]
pub(super) struct Lines {
    pub(super) open: Vec<(ScopeId, SocketSlot, Line)>,
    /// Those of earlier passes that go on listening.
    pub(super) kept: VecDeque<Line>,
    pub(super) keep: Vec<(ScopeId, SocketSlot)>,
    /// What is left of streams that were closed in the current pass.
    pub(super) rests: Vec<(ScopeId, SocketSlot, Rest)>,
}

impl Line {
    pub(super) fn mailbox(&self) -> &Arc<Mailbox> {
        match self {
            Self::WebSocket(socket) => socket.mailbox(),
            Self::EventStream(stream) => stream.mailbox(),
        }
    }

    pub(super) async fn close(self, manner: Closing, code: Option<u16>) -> Result<(), String> {
        match (self, manner) {
            (Self::WebSocket(socket), Closing::Handshake) => return socket.close(code).await,
            (Self::WebSocket(socket), Closing::HangUp) => socket.hang_up().await,
            (Self::EventStream(stream), _) => stream.hang_up().await,
        }
        Ok(())
    }
}

impl Lines {
    /// Where the bytes of all that is open can be held up.
    pub(super) fn valves(&self) -> Vec<Arc<Valve>> {
        let lines = self.open.iter().map(|(.., line)| line).chain(&self.kept);
        lines.map(Line::valve).map(Arc::clone).collect()
    }
}

impl Line {
    fn valve(&self) -> &Arc<Valve> {
        match self {
            Self::WebSocket(socket) => socket.valve(),
            Self::EventStream(stream) => stream.valve(),
        }
    }

    /// Ends it in the middle.
    pub(super) async fn give_up(self, by: HangUp) {
        if let (Self::WebSocket(socket), HangUp::Reset) = (&self, by) {
            socket.valve().hang_up(by);
        }
        let manner = if by == HangUp::CloseFrame { Closing::Handshake } else { Closing::HangUp };
        // Whether the other side takes leave is of no concern.
        let _ = self.close(manner, None).await;
    }
}

impl Lines {
    pub(super) fn add(&mut self, scope: ScopeId, slot: SocketSlot, line: Line, keep: bool) {
        self.keep.extend(keep.then_some((scope, slot)));
        self.open.push((scope, slot, line));
    }

    pub(super) fn mailbox(&self, slot: SocketSlot) -> Result<Arc<Mailbox>, String> {
        let place = self.place(slot)?;
        Ok(Arc::clone(self.open[place].2.mailbox()))
    }

    pub(super) fn websocket(&mut self, slot: SocketSlot) -> Result<&mut WebSocket, String> {
        let place = self.place(slot)?;
        match &mut self.open[place].2 {
            Line::WebSocket(socket) => Ok(socket),
            Line::EventStream(_) => Err("nothing can be sent on an event stream".to_owned()),
        }
    }

    /// Takes it out, to be closed.
    pub(super) fn take(&mut self, slot: SocketSlot) -> Result<Line, String> {
        let place = self.place(slot)?;
        let (scope, _, line) = self.open.remove(place);
        self.keep.retain(|kept| *kept != (scope, slot));
        self.rests.retain(|(_, at, _)| *at != slot);
        self.rests.extend(line.mailbox().rest().map(|rest| (scope, slot, rest)));
        Ok(line)
    }

    /// The id of the last event that came on the stream that had this slot before.
    pub(super) fn last_id(&self, slot: SocketSlot) -> Option<&str> {
        let of_slot = self.rests.iter().find(|(_, at, _)| *at == slot);
        of_slot.map(|(.., rest)| rest.last_id.as_str()).filter(|id| !id.is_empty())
    }

    /// Events of the stream that had this slot before which no step has taken. They are not sent again when it is resumed.
    pub(super) fn untaken(&mut self, slot: SocketSlot) -> Vec<Event> {
        let of_slot = self.rests.iter_mut().find(|(_, at, _)| *at == slot);
        of_slot.map_or(vec![], |(.., rest)| std::mem::take(&mut rest.untaken))
    }

    /// A line ends with the pass or turn that opened it, or with the stage if it is kept.
    pub(super) async fn close_all_but(&mut self, here: Option<(&Plan, ScopeId)>) {
        let stays = |of: ScopeId| here.is_some_and(|(plan, scope)| plan.around(scope).any(|around| around == of));
        while let Some(place) = self.open.iter().position(|(of, ..)| !stays(*of)) {
            let (of, slot, line) = self.open.remove(place);
            if self.keep.contains(&(of, slot)) {
                self.kept.push_back(line);
            } else {
                end(line).await;
            }
        }
        self.keep.retain(|(of, _)| stays(*of));
        let kept_max = if here.is_some() { KEPT_MAX } else { 0 };
        while self.kept.len() > kept_max {
            if let Some(line) = self.kept.pop_front() {
                end(line).await;
            }
        }
        self.rests.retain(|(of, ..)| stays(*of));
    }

    fn place(&self, slot: SocketSlot) -> Result<usize, String> {
        let place = self.open.iter().position(|(_, at, _)| *at == slot);
        place.ok_or_else(|| "it is not open: the step that opens it did not end ok".to_owned())
    }
}

/// It ends here in any case; no step waits to hear how.
async fn end(line: Line) {
    let _ = line.close(Closing::Handshake, None).await;
}
