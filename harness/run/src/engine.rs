//! What the lanes of a round have in common to shake the target: gates, moments, shared connections, and how long answers usually take.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use coalmine_core::perturb::{GateId, Moment, Start};
use coalmine_core::plan::{Op, OpId, Schedule};
use coalmine_core::step::StepId;
use coalmine_core::{Plan, TenantId};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard, watch};

use crate::collision::Collisions;
use crate::exchange::Connection;
use crate::gate::{Arrival, Gate};
use crate::valve::Valve;

/// A member of a gate waits so long for the others.
const GATE_WAIT_MAX: Duration = Duration::from_millis(500);
/// After this many gates in a row that did not fill, waiting for them is not worth much: the limit is halved each time.
const HALVINGS_MAX: u32 = 5;
/// Between the last arrival and the opening: by then the target has taken what came before the last bytes, and is still.
const SETTLING: Duration = Duration::from_millis(1);
/// Between the opening and what is done about it here: on a machine that the target shares, reading answers takes time from those
/// requests that it has not seen yet.
const HUSH: Duration = Duration::from_millis(1);
/// An operation waits so long for another's moment.
const MOMENT_WAIT_MAX: Duration = Duration::from_millis(500);
/// Two that wait for each other, as the scenario asks for it, wait so long.
const RENDEZVOUS_WAIT_MAX: Duration = Duration::from_secs(3);

/// Where operations come one at a time, one waits so long for its turn.
const TURN_WAIT_MAX: Duration = Duration::from_secs(30);

/// See the module.
pub(crate) struct Engine {
    gates: Vec<Gate<Member>>,
    /// Gates that did not fill, since the last that did.
    unfilled: AtomicU32,
    moments: BTreeMap<OpId, watch::Sender<Option<Moment>>>,
    /// Operations that others wait for until they are ready, and those others.
    rendezvous: BTreeSet<OpId>,
    shared: Vec<Arc<Mutex<Shared>>>,
    usual: Vec<AtomicU32>,
    /// Operations that have not ended, where they come one at a time.
    left: Option<watch::Sender<BTreeSet<OpId>>>,
    /// Requests of floods that are in flight.
    flooding: AtomicU32,
    collisions: Collisions,
}

/// A request of a flood, in flight until it is dropped.
pub(crate) struct Flooding(Arc<Engine>);

impl Drop for Flooding {
    fn drop(&mut self) {
        self.0.flooding.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection that several tenants use.
#[derive(Default)]
pub(crate) struct Shared {
    pub(crate) connection: Option<Connection>,
    /// Who used it last.
    pub(crate) last: Option<TenantId>,
}

impl Engine {
    pub(crate) fn new(plan: &Plan) -> Self {
        let lanes = plan.stages.iter().flat_map(|stage| &stage.lanes);
        let awaited = plan.ops().flat_map(|(.., op)| op.manner.awaits()).chain(lanes.filter_map(|lane| lane.beside));
        Self {
            gates: plan.gates.iter().map(|gate| Gate::new(gate.members)).collect(),
            unfilled: AtomicU32::new(0),
            rendezvous: rendezvous(plan),
            moments: awaited.map(|op| (op, watch::Sender::new(None))).collect(),
            shared: (0..plan.shared_connections).map(|_| Arc::default()).collect(),
            usual: plan.steps.iter().map(|_| AtomicU32::new(0)).collect(),
            left: (plan.schedule == Schedule::InTurn)
                .then(|| watch::Sender::new(plan.ops().map(|(.., op)| op.id).collect())),
            flooding: AtomicU32::new(0),
            collisions: Collisions::new(plan),
        }
    }

    /// The place of one operation in its gate.
    pub(crate) fn ticket(self: &Arc<Self>, op: &Op) -> Option<Ticket> {
        let is_urgent = op.manner.cut.is_some() || self.moments.contains_key(&op.id);
        op.manner.gate.map(|gate| Ticket { engine: Arc::clone(self), gate, is_urgent, is_used: false })
    }

    /// An operation has come so far.
    pub(crate) fn note(&self, op: OpId, moment: Moment) {
        if let (Some(left), Moment::Ended) = (&self.left, moment) {
            left.send_modify(|left| {
                left.remove(&op);
            });
        }
        if let Some(sender) = self.moments.get(&op) {
            // Who is asked several times is ready again and again.
            sender.send_if_modified(|come| {
                let is_further = *come < Some(moment);
                if is_further {
                    *come = Some(moment);
                }
                is_further
            });
        }
    }

    /// Where operations come one at a time: waits until all before this one have ended, within patience.
    pub(crate) async fn turn(&self, op: OpId) {
        let Some(left) = &self.left else { return };
        let mut changes = left.subscribe();
        let is_next = changes.wait_for(|left| left.first().is_none_or(|first| *first >= op));
        // Whoever waits longer waits for an operation that will not come before it.
        let _ = tokio::time::timeout(TURN_WAIT_MAX, is_next).await;
    }

    /// Waits until an operation has come so far; false when that took too long.
    pub(crate) async fn moment(&self, op: OpId, moment: Moment) -> bool {
        self.moment_within(MOMENT_WAIT_MAX, op, moment).await
    }

    /// The same before an operation of one's own.
    pub(crate) async fn moment_before(&self, own: OpId, op: OpId, moment: Moment) -> bool {
        let patience = if self.rendezvous.contains(&own) { RENDEZVOUS_WAIT_MAX } else { MOMENT_WAIT_MAX };
        self.moment_within(patience, op, moment).await
    }

    async fn moment_within(&self, patience: Duration, op: OpId, moment: Moment) -> bool {
        tokio::time::timeout(patience, self.comes(op, moment)).await.unwrap_or(false)
    }

    /// How far an operation has come by now.
    pub(crate) fn come(&self, op: OpId) -> Option<Moment> {
        self.moments.get(&op).and_then(|sender| *sender.borrow())
    }

    /// Whether an operation has come so far by now.
    pub(crate) fn has_come(&self, op: OpId, moment: Moment) -> bool {
        self.come(op) >= Some(moment)
    }

    /// Waits until an operation has come so far, as long as that takes; false if nobody will say it.
    pub(crate) async fn comes(&self, op: OpId, moment: Moment) -> bool {
        let Some(sender) = self.moments.get(&op) else { return false };
        let mut changes = sender.subscribe();
        changes.wait_for(|come| *come >= Some(moment)).await.is_ok()
    }

    /// Waits for a connection that several tenants use.
    pub(crate) async fn shared(&self, index: u16) -> OwnedMutexGuard<Shared> {
        let all = &self.shared;
        Arc::clone(&all[usize::from(index) % all.len()]).lock_owned().await
    }

    /// One more request of a flood goes, and how many are in flight already.
    pub(crate) fn flood(self: &Arc<Self>) -> (Flooding, u32) {
        let already = self.flooding.fetch_add(1, Ordering::Relaxed);
        (Flooding(Arc::clone(self)), already)
    }

    /// An operation is sent: those that collide with another tenant's by it, itself or such as were sent before.
    pub(crate) fn collide(&self, op: OpId) -> Vec<OpId> {
        self.collisions.sent(op)
    }

    /// An operation was answered within this time.
    pub(crate) fn answered(&self, step: StepId, within: Duration) {
        let usual = &self.usual[usize::from(step.0)];
        let now = u32::try_from(within.as_micros()).unwrap_or(u32::MAX);
        let before = usual.load(Ordering::Relaxed);
        // An average in which the past fades; that two updates may overwrite each other does no harm.
        let after = if before == 0 { now } else { before - before / 8 + now / 8 };
        usual.store(after, Ordering::Relaxed);
    }

    /// The time that an operation's answers usually take, in microseconds.
    pub(crate) fn usual_us(&self, step: StepId) -> u32 {
        self.usual[usize::from(step.0)].load(Ordering::Relaxed)
    }

    fn gate(&self, gate: GateId) -> &Gate<Member> {
        &self.gates[gate.0 as usize]
    }

    /// How long a member of a gate waits for the others, by what has come of waiting so far.
    pub(crate) fn patience(&self) -> Duration {
        GATE_WAIT_MAX / 2_u32.pow(self.unfilled.load(Ordering::Relaxed).min(HALVINGS_MAX))
    }
}

fn rendezvous(plan: &Plan) -> BTreeSet<OpId> {
    let meets = |op: &Op| match op.manner.start {
        Start::Once { op: other, moment: Moment::Ready, .. } => Some([op.id, other]),
        _ => None,
    };
    plan.ops().filter_map(|(.., op)| meets(op)).flatten().collect()
}

/// The members of a gate that is full. They are let go when this is dropped, also where nobody waits for that any longer.
struct Full(Vec<Member>);

impl Full {
    fn company(&self) -> u16 {
        u16::try_from(self.0.len()).unwrap_or(u16::MAX)
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        release(&self.0);
    }
}

/// How an operation went through its gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    /// With those that had come.
    Together,
    /// After the others.
    Alone,
}

/// An operation's place in its gate. One that is dropped unused lets the others go on without it.
pub(crate) struct Ticket {
    engine: Arc<Engine>,
    gate: GateId,
    is_urgent: bool,
    is_used: bool,
}

impl Ticket {
    /// The operation stands ready with its last byte in the valve. Returns once it may have been let go.
    pub(crate) async fn pass(mut self, valve: &Arc<Valve>, patience: Duration) -> Passed {
        self.is_used = true;
        let gate = self.engine.gate(self.gate);
        match gate.arrive(Member { valve: Arc::clone(valve), is_urgent: self.is_urgent }) {
            Arrival::Opens(members) => {
                self.engine.unfilled.store(0, Ordering::Relaxed);
                let full = Full(members);
                // Where they are written by one write, those that have arrived may still be on their way to it.
                let _ = tokio::time::timeout(patience, valve.gathered(full.company())).await;
                tokio::time::sleep(SETTLING).await;
                drop(full);
            }
            Arrival::Late(alone) => {
                release(&[alone]);
                return Passed::Alone;
            }
            Arrival::Waits => {
                if tokio::time::timeout(patience, valve.sent()).await.is_err() {
                    self.engine.unfilled.fetch_add(1, Ordering::Relaxed);
                    release(&gate.force());
                }
            }
        }
        Passed::Together
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.is_used {
            release(&self.engine.gate(self.gate).withdraw());
        }
    }
}

/// Lets all go, and tells them once the target had time to take what came.
fn release(members: &[Member]) {
    let opened = Instant::now();
    let company = u16::try_from(members.len()).unwrap_or(u16::MAX);
    let released = members.iter().filter(|member| member.valve.let_go(opened, company));
    let (hasty, patient): (Vec<_>, Vec<_>) = released.collect::<Vec<_>>().into_iter().partition(|it| it.is_hasty());
    for member in hasty {
        member.valve.announce();
    }
    let patient = Hushed(patient.into_iter().map(|member| Arc::clone(&member.valve)).collect());
    if let (2.., Ok(runtime)) = (company, Handle::try_current()) {
        runtime.spawn(async move {
            tokio::time::sleep(HUSH).await;
            drop(patient);
        });
    }
}

/// An operation that waits at a gate.
struct Member {
    valve: Arc<Valve>,
    /// Something is to happen at a moment after it was sent.
    is_urgent: bool,
}

impl Member {
    fn is_hasty(&self) -> bool {
        self.is_urgent || self.valve.is_owing()
    }
}

/// Those that were let go and do not know it yet. They are told when this is dropped, also where the round has ended.
struct Hushed(Vec<Arc<Valve>>);

impl Drop for Hushed {
    fn drop(&mut self) {
        for valve in &self.0 {
            valve.announce();
        }
    }
}

/// The system's timers are too coarse for less than this.
const TIMER_MIN: Duration = Duration::from_millis(2);

/// Waits; short times by giving way to others until they have passed.
pub(crate) async fn wait(time: Duration) {
    if time >= TIMER_MIN {
        return tokio::time::sleep(time).await;
    }
    let began = Instant::now();
    while began.elapsed() < time {
        tokio::task::yield_now().await;
    }
}
