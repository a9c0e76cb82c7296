//! How an operation is done, where that is not the plain way: when it begins, over which connection, and what the valve does to it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use coalmine_core::history::{ConnectionId, Decision, Happening, Shaken};
use coalmine_core::perturb::{Cut, Freeze, HangUp, Manner, Moment, Pace, Perturbation, Point, Start, Via};
use coalmine_core::plan::{HttpVersion, Op, OpId};
use tokio::sync::OwnedMutexGuard;

use super::Lane;
use super::stalled::window;
use crate::allow::Origin;
use crate::engine::{Engine, Flooding, Passed, Shared, Ticket, wait};
use crate::exchange::Connection;
use crate::recorder::Recorder;
use crate::socket::Window;
use crate::valve::{Marks, Program, ReadStop, Unit, Valve, WriteStop};

/// Connections that are kept open in silence; beyond it, the oldest is closed.
const SILENT_MAX: usize = 16;
/// After a half-close the answer may take this long.
const HALF_CLOSED_WAIT_MAX: Duration = Duration::from_millis(500);

/// The connection that an operation goes over.
pub(super) enum Carrier {
    Own(Connection),
    Shared(OwnedMutexGuard<Shared>, Connection),
    /// One that others use at the same time, in HTTP/2.
    Multiplexed(Connection),
}

impl Carrier {
    pub(super) fn connection(&mut self) -> &mut Connection {
        match self {
            Self::Own(connection) | Self::Shared(_, connection) | Self::Multiplexed(connection) => connection,
        }
    }
}

/// How the last bytes go of requests that share a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Releases {
    /// With all the rest.
    Each,
    /// Those of all by one write.
    Together,
}

/// How an exchange ended that somebody watched.
pub(super) enum Watched<T> {
    Ended(T),
    TimedOut,
    GivenUp,
}

impl<E: From<String>> Watched<Result<(), E>> {
    /// What came of it, or why nothing did.
    pub(super) fn or_why(self, timed_out: impl FnOnce() -> String) -> Result<(), E> {
        match self {
            Self::Ended(outcome) => outcome,
            Self::TimedOut => Err(timed_out().into()),
            Self::GivenUp => Err("it was given up on purpose".to_owned().into()),
        }
    }
}

/// What shakes an operation besides its own bytes.
pub(super) struct Hub<'a> {
    pub(super) ticket: Option<Ticket>,
    pub(super) engine: &'a Arc<Engine>,
    pub(super) recorder: &'a Recorder,
    /// What else its lane has open, where that stands still with it.
    pub(super) lines: Vec<Arc<Valve>>,
}

impl Lane {
    /// Waits until the operation may begin.
    pub(super) async fn await_start(&mut self, op: &Op) {
        if op.manner.again {
            self.shaken.push(Shaken::new(Perturbation::Retry, true));
        }
        let shaken = match op.manner.start {
            Start::AtOnce => return,
            Start::After { delay_us } => {
                wait(micros(delay_us)).await;
                Shaken { after_us: Some(delay_us), ..Shaken::new(Perturbation::Delay, true) }
            }
            Start::Once { op: other, moment, delay_us } => {
                let shaken = self.await_moment(op.id, (other, moment)).await;
                wait(micros(delay_us)).await;
                shaken
            }
        };
        self.shaken.push(shaken);
    }

    /// Waits for the moment of another operation. It is hit where that is in flight, or has just ended.
    async fn await_moment(&self, own: OpId, (other, moment): (OpId, Moment)) -> Shaken {
        let engine = &self.round.engine;
        let was_early = !engine.has_come(other, moment);
        let began = Instant::now();
        engine.note(own, Moment::Ready);
        engine.moment_before(own, other, moment).await;
        let come = engine.come(other);
        let reached = match moment {
            Moment::Ready => come.is_some(),
            Moment::InFlight => come == Some(Moment::InFlight),
            Moment::Ended => was_early && come == Some(Moment::Ended),
        };
        Shaken { decided: Some(awaited(come, began)), ..Shaken::new(Perturbation::React, reached) }
    }

    /// A connection to go over, open and not used by anybody else meanwhile.
    pub(super) async fn carrier(&mut self, manner: &Manner, to: &Arc<Origin>) -> Result<Carrier, String> {
        if self.is_torn_down(manner) {
            return self.open_connection(self.round.connections.next(), to, Window::Usual).await.map(Carrier::Own);
        }
        match manner.via {
            // What tenants share is a connection to the target.
            Via::Shared(index) if to.is(self.round.destinations.target()) => {
                self.shared_carrier(index, self.releases()).await
            }
            Via::Own | Via::Shared(_) => self.own_connection(to).await.map(Carrier::Own),
            Via::Fresh => {
                let had = self.take_connection(to).is_some();
                self.shaken.push(Shaken::new(Perturbation::Reconnect, had));
                let connection = self.open_connection(self.round.connections.next(), to, window(manner.pace)).await?;
                Ok(Carrier::Own(self.lend(to, connection)))
            }
        }
    }

    /// A request is about to be sent that is spoiled, asks for more or shows what nobody was given.
    pub(super) fn note_contents(&mut self, manner: &Manner) {
        let kinds = [
            manner.poison.map(|_| Perturbation::Poison),
            manner.widen.map(|_| Perturbation::Widen),
            manner.forge.map(|_| Perturbation::Forge),
        ];
        let shaken = |what| Shaken::new(what, true);
        self.shaken.extend(kinds.into_iter().flatten().map(shaken));
    }

    /// A request of a flood is about to be sent: it hits its point where it is not alone.
    pub(super) fn note_flood(&mut self, manner: &Manner) -> Option<Flooding> {
        let (flooding, already) = manner.flood.then(|| self.round.engine.flood())?;
        self.shaken.push(Shaken::new(Perturbation::Flood, already > 0));
        Some(flooding)
    }

    /// In HTTP/2 other streams of the principal go over its connection. One that is to be given up whole is another.
    fn is_torn_down(&self, manner: &Manner) -> bool {
        let is_http2 = self.round.plan.target.http == HttpVersion::Http2;
        is_http2 && manner.cut.is_some_and(|cut| cut.by != HangUp::Stream)
    }

    /// Members of a race that share a connection of HTTP/2 let their last frames go by one write. Whoever has been let go already
    /// would wait on a new one for nobody.
    fn releases(&self) -> Releases {
        let is_http2 = self.round.plan.target.http == HttpVersion::Http2;
        if is_http2 && self.ticket.is_some() { Releases::Together } else { Releases::Each }
    }

    async fn shared_carrier(&mut self, index: u16, releases: Releases) -> Result<Carrier, String> {
        let mut shared = self.round.engine.shared(index).await;
        let tenant = self.principal.tenant;
        let (last, taken) = (shared.last.replace(tenant), shared.connection.take());
        let usable = match taken {
            Some(mut connection) => connection.is_usable().await.then_some(connection),
            None => None,
        };
        let reached = usable.is_some() && last.is_some_and(|last| last != tenant);
        self.shaken.push(Shaken::new(Perturbation::Share, reached));
        let connection = match usable {
            Some(connection) => connection,
            None if releases == Releases::Together => self.open_bundle(self.round.destinations.target()).await?,
            None => {
                let id = self.round.connections.next();
                self.open_connection(id, self.round.destinations.target(), Window::Usual).await?
            }
        };
        // Others need not wait for the answer.
        if let Some(stream) = connection.share() {
            shared.connection = Some(connection);
            return Ok(Carrier::Multiplexed(if stream.valve().is_bundled() { stream.ending_apart() } else { stream }));
        }
        Ok(Carrier::Shared(shared, connection))
    }

    /// Puts the connection back to where it came from.
    pub(super) fn keep(&mut self, to: &Arc<Origin>, carrier: Carrier) {
        match carrier {
            Carrier::Own(connection) => self.keep_connection(to, connection),
            Carrier::Shared(mut shared, connection) => shared.connection = Some(connection),
            Carrier::Multiplexed(_) => {}
        }
    }

    /// Records that it is about to be sent, and how it came to begin.
    pub(super) fn invoke(&mut self, op: OpId, connection: Option<ConnectionId>) {
        self.round.recorder.event(op, Happening::Invoke { connection });
        self.round.engine.note(op, Moment::InFlight);
        for shaken in self.shaken.drain(..) {
            self.round.recorder.event(op, Happening::Perturbed(shaken));
        }
        for guest in self.round.engine.collide(op) {
            let shaken = Shaken::new(Perturbation::Collide, true);
            self.round.recorder.event(guest, Happening::Perturbed(shaken));
        }
    }

    /// Waits for the end of what is exchanged over a valve, and shakes it meanwhile as the plan says. Where the valve watched, its
    /// marks come back.
    pub(super) async fn watch<T>(
        op: &Op,
        Hub { ticket, engine, recorder, lines }: Hub<'_>,
        (valve, unit, limit): (&Arc<Valve>, Unit, Duration),
        exchange: impl Future<Output = T>,
    ) -> (Watched<T>, Marks) {
        let manner = &op.manner;
        let is_stopped = ticket.is_some() || manner.cut.is_some() || manner.freeze.is_some();
        // On a connection that others use, what is theirs is not for one to arm.
        let is_bundled = ticket.is_some() && valve.is_bundled();
        let is_watched = is_stopped || manner.pace != Pace::Full;
        if is_watched && !is_bundled {
            valve.arm(program(manner, unit));
        }
        let notes = Notes::default();
        let ended = {
            let watched = async {
                tokio::select! {
                    biased;
                    ended = exchange => Watched::Ended(ended),
                    () = shake(op, (ticket, &lines), engine, (valve, &notes)) => Watched::GivenUp,
                }
            };
            tokio::time::timeout(limit, watched).await.unwrap_or(Watched::TimedOut)
        };
        if !is_watched {
            return (ended, Marks::default());
        }
        let marks = if is_bundled { valve.marks() } else { valve.disarm() };
        for shaken in account(manner, &marks, notes.read(), matches!(ended, Watched::GivenUp)) {
            recorder.event(op.id, Happening::Perturbed(shaken));
        }
        (ended, marks)
    }

    /// What becomes of a connection whose request was given up.
    pub(super) fn abandon(&mut self, manner: &Manner, carrier: Carrier) {
        let is_silent = manner.cut.is_some_and(|cut| cut.by == HangUp::Silence);
        if let (true, Carrier::Own(connection)) = (is_silent, carrier) {
            if self.silent.len() == SILENT_MAX {
                self.silent.pop_front();
            }
            self.silent.push_back(connection);
        }
    }
}

fn micros(count: u32) -> Duration {
    Duration::from_micros(u64::from(count))
}

fn program(manner: &Manner, unit: Unit) -> Program {
    let mut program = Program { unit, pace: manner.pace, ..Program::default() };
    if manner.gate.is_some() || manner.freeze.is_some() {
        program.write = WriteStop::LastByte;
    }
    match manner.cut.map(|cut| cut.at) {
        Some(Point::Nothing) => program.write = WriteStop::Nothing,
        Some(Point::Head) => program.write = WriteStop::Head,
        Some(Point::Body) => program.write = WriteStop::HalfBody,
        Some(Point::AllButLast) => program.write = WriteStop::LastByte,
        Some(Point::StatusLine) => program.read = ReadStop::StatusLine,
        Some(Point::AnswerBody { bytes }) => program.read = ReadStop::Body(u64::from(bytes)),
        Some(Point::Sent { .. } | Point::Once { .. } | Point::Frames { .. }) | None => {}
    }
    program
}

/// What was decided while an operation was watched: it may end before the one who decides does.
#[derive(Default)]
struct Notes(Mutex<Noted>);

#[derive(Clone, Copy, Default)]
struct Noted {
    patience: Option<Duration>,
    on_standstill: Option<Decision>,
    on_cut: Option<Decision>,
    /// Its gate had been opened without it.
    is_late: bool,
    /// The moment at which it was to be given up did not come.
    is_missed: bool,
}

impl Notes {
    fn take_down(&self, write: impl FnOnce(&mut Noted)) {
        write(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn read(&self) -> Noted {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn awaited(come: Option<Moment>, began: Instant) -> Decision {
    Decision::Awaited { come, waited_us: in_micros(began.elapsed()) }
}

fn in_micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

/// Returns when the operation is to be given up, if ever.
async fn shake(
    op: &Op,
    (ticket, lines): (Option<Ticket>, &[Arc<Valve>]),
    engine: &Arc<Engine>,
    (valve, notes): (&Arc<Valve>, &Notes),
) {
    if let Some(freeze) = op.manner.freeze {
        stand_still(freeze, lines, engine, (valve, notes)).await;
    }
    if let Some(ticket) = ticket {
        if !valve.is_bundled() {
            valve.stopped().await;
        }
        let patience = engine.patience();
        notes.take_down(|noted| noted.patience = Some(patience));
        if ticket.pass(valve, patience).await == Passed::Alone {
            notes.take_down(|noted| noted.is_late = true);
        }
    }
    let Some(cut) = op.manner.cut else { return std::future::pending().await };
    await_point(op, cut, engine, (valve, notes)).await;
    valve.hang_up(cut.by);
    if cut.by == HangUp::HalfClose {
        tokio::time::sleep(HALF_CLOSED_WAIT_MAX).await;
    }
}

/// Holds the last byte of the request and all lines of its lane until it may thaw.
async fn stand_still(freeze: Freeze, lines: &[Arc<Valve>], engine: &Engine, (valve, notes): (&Valve, &Notes)) {
    // Who is late does not thaw in the order that was drawn.
    let is_early = !engine.has_come(freeze.until, Moment::InFlight);
    let frozen: Vec<_> = lines.iter().filter_map(Valve::freeze).collect();
    valve.stopped().await;
    let began = Instant::now();
    let came = engine.moment(freeze.until, Moment::InFlight).await;
    let decided = awaited(engine.come(freeze.until), began);
    notes.take_down(|noted| noted.on_standstill = Some(decided));
    let thaws = Instant::now();
    wait(micros(freeze.after_us)).await;
    drop(frozen);
    valve.let_go(thaws, if is_early && came { 2 } else { 1 });
    valve.announce();
}

async fn await_point(op: &Op, cut: Cut, engine: &Arc<Engine>, (valve, notes): (&Arc<Valve>, &Notes)) {
    match cut.at {
        Point::Sent { wait_permille } => {
            valve.sent().await;
            let usual_us = engine.usual_us(op.step);
            let wait_us = u64::from(usual_us) * u64::from(wait_permille) / 1000;
            let wait_us = u32::try_from(wait_us).unwrap_or(u32::MAX);
            notes.take_down(|noted| noted.on_cut = Some(Decision::GivenUp { usual_us, wait_us }));
            wait(micros(wait_us)).await;
        }
        Point::Once { op: other, moment, delay_us } => {
            valve.sent().await;
            let began = Instant::now();
            let came = engine.moment(other, moment).await;
            let decided = awaited(engine.come(other), began);
            notes.take_down(|noted| (noted.on_cut, noted.is_missed) = (Some(decided), !came));
            wait(micros(delay_us)).await;
        }
        _ => valve.stopped().await,
    }
}

/// What came of the perturbations at the valve.
fn account(manner: &Manner, marks: &Marks, noted: Noted, given_up: bool) -> Vec<Shaken> {
    let mut all = vec![];
    let reached = !noted.is_late && marks.released.is_some_and(|(_, company)| company > 1);
    let after_us = marks.released.map(|(after, _)| in_micros(after));
    if manner.gate.is_some() {
        let let_go = |(patience, (_, company))| {
            let company = if noted.is_late { 1 } else { company };
            Decision::LetGo { company, patience_us: in_micros(patience) }
        };
        let decided = noted.patience.zip(marks.released).map(let_go);
        all.push(Shaken { what: Perturbation::Race, reached, after_us, decided });
    }
    if manner.freeze.is_some() {
        let decided = noted.on_standstill;
        all.push(Shaken { what: Perturbation::Swizzle, reached, after_us, decided });
    }
    if manner.pace != Pace::Full {
        all.push(Shaken::new(Perturbation::Stall, marks.pauses > 0));
    }
    if let Some(cut) = manner.cut {
        let after_us = marks.sent.map(|sent| in_micros(Instant::now().saturating_duration_since(sent)));
        let reached = was_reached(cut, marks, given_up) && !noted.is_missed;
        all.push(Shaken { what: Perturbation::Cancel, reached, after_us, decided: noted.on_cut });
    }
    all
}

fn was_reached(cut: Cut, marks: &Marks, given_up: bool) -> bool {
    let at_point = match cut.at {
        Point::Sent { .. } | Point::Once { .. } => marks.sent.is_some() && marks.answered.is_none(),
        _ => marks.stopped.is_some(),
    };
    // After a half-close the answer may come all the same.
    let by_half = cut.by == HangUp::HalfClose && marks.sent.is_some();
    given_up && at_point || by_half
}

#[cfg(all(test, not(coalmine_loom)))]
mod tests {
    use coalmine_core::perturb::GateId;

    use super::*;

    /// What the valve does when an operation is to be given up there. What each stop is on the wire, the valve's own tests show.
    fn stops(at: Point) -> (WriteStop, ReadStop) {
        let cut = Some(Cut { at, by: HangUp::Reset });
        let Program { write, read, .. } = program(&Manner { cut, ..Manner::default() }, Unit::Request);
        (write, read)
    }

    #[test]
    fn an_operation_stops_where_it_is_to_be_given_up() {
        assert_eq!(stops(Point::Nothing), (WriteStop::Nothing, ReadStop::None));
        assert_eq!(stops(Point::Head), (WriteStop::Head, ReadStop::None));
        assert_eq!(stops(Point::Body), (WriteStop::HalfBody, ReadStop::None));
        assert_eq!(stops(Point::AllButLast), (WriteStop::LastByte, ReadStop::None));
        assert_eq!(stops(Point::Sent { wait_permille: 0 }), (WriteStop::None, ReadStop::None));
        assert_eq!(stops(Point::StatusLine), (WriteStop::None, ReadStop::StatusLine));
        assert_eq!(stops(Point::AnswerBody { bytes: 7 }), (WriteStop::None, ReadStop::Body(7)));
    }

    #[test]
    fn who_meets_others_at_a_gate_holds_its_last_byte() {
        let manner = Manner { gate: Some(GateId(0)), ..Manner::default() };
        assert_eq!(program(&manner, Unit::Request).write, WriteStop::LastByte);
    }
}
