//! A request that met a connection which the target had given up is sent once more, where that is the same to the target.
//!
//! This is the one place where anything is sent a second time. It is what RFC 9112, section 9.3.1, lets every client do; without it a
//! server that closes idle connections, as all do, would look as if it lost requests.

use std::time::Duration;

use coalmine_core::history::Happening;
use coalmine_core::plan::Op;
use coalmine_core::step::Request;

use super::Lane;
use super::request::Received;
use super::shake::Carrier;
use crate::exchange::{Broken, How};
use crate::observe::Observer;
use crate::socket::Window;

impl Lane {
    /// What came of the exchange, or of a second one where that is allowed.
    pub(super) async fn or_resend(
        &mut self,
        outcome: Result<(), Broken>,
        sent: (&Op, &Request, Duration),
        carrier: &mut Carrier,
        observer: &mut Observer<'_>,
        received: &mut Received,
    ) -> Result<(), String> {
        let outcome = match outcome {
            Err(broken) if may_go_again(sent.0, sent.1, &broken) => {
                self.resend(sent, carrier, observer, received).await
            }
            outcome => outcome,
        };
        outcome.map_err(|broken| broken.why)
    }

    /// Sends it over a new connection, which takes the place of the old one. What `received` holds is true even if there is no
    /// time left in the middle.
    async fn resend(
        &mut self,
        (op, request, left): (&Op, &Request, Duration),
        carrier: &mut Carrier,
        observer: &mut Observer<'_>,
        received: &mut Received,
    ) -> Result<(), Broken> {
        let sending = async {
            let Ok((place, built)) = self.build(op, request) else {
                return Err(Broken::from("it cannot be made a second time".to_owned()));
            };
            self.round.progress.ledger.admit().await.map_err(|limit| format!("the budget of {limit} is used up"))?;
            let id = self.round.connections.next();
            let mut connection = self.open_connection(id, &place.origin, Window::Usual).await?;
            self.round.recorder.event(op.id, Happening::SentAgain { connection: id });
            let sent = connection.exchange(built, observer, &mut received.answer, &mut received.headers).await;
            *carrier.connection() = connection;
            sent
        };
        let late = || Err(Broken::from("no whole answer to its second sending in time".to_owned()));
        tokio::time::timeout(left, sending).await.unwrap_or_else(|_| late())
    }
}

/// Whether a second sending is the same to the target: nothing was sent, or it asked for nothing but to read (RFC 9110, section
/// 9.2.1). What is to be given up is not.
fn may_go_again(op: &Op, request: &Request, broken: &Broken) -> bool {
    let only_reads = matches!(request.method.as_str(), "GET" | "HEAD" | "OPTIONS");
    op.manner.cut.is_none()
        && match broken.how {
            How::Unsent => true,
            How::KeptTooLong => only_reads,
            How::Midway => false,
        }
}
