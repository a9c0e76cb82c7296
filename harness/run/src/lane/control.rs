//! Control frames of a WebSocket: pings and closing, by us and by the target.

use coalmine_core::history::{Answer, Happening};
use coalmine_core::plan::Op;
use coalmine_core::step::{Closing, SocketSlot, Step};
use hyper::HeaderMap;

use super::capture::Caught;
use super::{Lane, ended_without_answer, limit};
use crate::due::Unsent;

impl Lane {
    /// The pong proves that everything which the target had sent before it has been read.
    pub(super) async fn ping(&mut self, op: &Op, step: &Step, slot: SocketSlot) -> Result<Happening, Unsent> {
        let mailbox = self.lines.mailbox(slot)?;
        self.lines.websocket(slot)?;
        if let Err(withheld) = self.admit().await {
            return Ok(withheld);
        }
        self.invoke(op.id, None);
        let socket = self.lines.websocket(slot)?;
        let answered = async { mailbox.pong(socket.ping().await?).await };
        let outcome = tokio::time::timeout(limit(step), answered).await;
        Ok(ended_without_answer(outcome.unwrap_or_else(|_| Err(format!("no pong within {:?}", limit(step))))))
    }

    /// A WebSocket that the target did not close stays open.
    pub(super) async fn await_close(
        &mut self,
        op: &Op,
        step: &Step,
        slot: SocketSlot,
        codes: &[u16],
    ) -> Result<Happening, Unsent> {
        let mailbox = self.lines.mailbox(slot)?;
        self.invoke(op.id, None);
        let outcome = tokio::time::timeout(limit(step), mailbox.closed()).await;
        let mut answer = Answer::default();
        let closed = match outcome {
            Err(_) => {
                let why = format!("it was not closed within {:?}", limit(step));
                return Ok(Happening::Info { answer, why });
            }
            Ok(Err(why)) => return Ok(Happening::Fail { answer, why: format!("no close frame came: {why}") }),
            Ok(Ok(closed)) => closed,
        };
        let line = self.lines.take(slot)?;
        // The target's close frame has been answered by the library; there is nothing left to say.
        let _ = line.close(Closing::HangUp, None).await;
        if !codes.contains(&closed.code) {
            return Ok(Happening::Fail { answer, why: format!("it was closed with {}", closed.code) });
        }
        let captured = self.capture(op, step, Caught::closed(&closed, &HeaderMap::new()), &mut answer.receipt);
        Ok(match captured {
            Ok(()) => Happening::Ok(answer),
            Err(why) => Happening::Fail { answer, why },
        })
    }

    pub(super) async fn close(
        &mut self,
        op: &Op,
        slot: SocketSlot,
        manner: Closing,
        code: Option<u16>,
    ) -> Result<Happening, Unsent> {
        let line = self.lines.take(slot)?;
        self.invoke(op.id, None);
        Ok(ended_without_answer(line.close(manner, code).await))
    }
}
