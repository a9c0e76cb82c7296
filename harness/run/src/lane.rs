//! One principal at work: its operations one after another, on connections that nobody else uses.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use coalmine_canary::{CanaryId, Minter};
use coalmine_core::Plan;
use coalmine_core::history::{Answer, Happening, Shaken};
use coalmine_core::perturb::Moment;
use coalmine_core::plan::{Cookies, HttpVersion, Op, OpId, Purpose};
use coalmine_core::principal::Principal;
use coalmine_core::step::{Action, Step, StepId};
use coalmine_core::template::Unfilled;
use coalmine_core::turns::Turns;
use hyper::HeaderMap;
use tokio::sync::{Semaphore, watch};

use crate::allow::{Destinations, Origin};
use crate::board::{Board, Values};
use crate::due::{Cases, Unsent};
use crate::engine::{Engine, Ticket};
use crate::exchange::{Connection, ConnectionIds};
use crate::jar::{Jar, Jars};
use crate::ledger::Metered;
use crate::observe::{Lens, Own};
use crate::onlooker::{Letter, Scene};
use crate::passes::Passes;
use crate::progress::Progress;
use crate::recorder::Recorder;
use crate::secrets::Secrets;
use crate::socket::{Socket, Window};
use crate::stillness::Stillness;
use crate::stop::Stop;
use crate::valve::Valved;
use crate::webhook::Hooks;
use line::Lines;

pub use capture::captured;

mod capture;
mod connections;
mod control;
mod events;
mod follow;
mod group;
mod leftover;
mod line;
mod path;
mod poll;
mod reading;
mod renewal;
mod request;
mod resend;
mod search;
mod shake;
mod stalled;
mod subscribe;
mod webhook;

/// What all lanes of a round have in common. Nothing in it belongs to a tenant, except what the board holds for the probes.
pub(crate) struct Round {
    pub(crate) plan: Arc<Plan>,
    pub(crate) lens: Arc<Lens>,
    pub(crate) known_types: Arc<BTreeSet<String>>,
    /// Whether a step waits for events by their bytes.
    pub(crate) keeps_bytes: bool,
    pub(crate) board: Board,
    pub(crate) jars: Jars,
    pub(crate) passes: Passes,
    pub(crate) block_turns: Turns,
    pub(crate) cases: Cases,
    pub(crate) hooks: Arc<Hooks>,
    pub(crate) minter: Minter,
    /// Under it `uuid`, `chosen` and `shared` make their words.
    pub(crate) word_key: [u8; 32],
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) destinations: Arc<Destinations>,
    pub(crate) connections: ConnectionIds,
    /// Connections that may be opening at the same time, so that a thousand tenants do not overrun the target's backlog.
    pub(crate) opening: Semaphore,
    /// Searches through stores that may go on at the same time.
    pub(crate) searches: Semaphore,
    /// Steps of which a search has told the tables without a policy: they are the same for all.
    pub(crate) told_tables: Mutex<BTreeSet<StepId>>,
    /// Lanes that may be at work at the same time, so that the budget of connections suffices for what each has open.
    pub(crate) turns: Semaphore,
    /// Operations that cleaned up.
    pub(crate) removals: Mutex<BTreeSet<OpId>>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) stop: Stop,
    pub(crate) engine: Arc<Engine>,
    pub(crate) stillness: Stillness,
}

impl Round {
    /// Keeps in mind that the operation removed something, or found that it was gone already.
    fn note_removal(&self, op: &Op, ended: &Happening) {
        let is_gone = match ended {
            Happening::Ok(_) => true,
            Happening::Fail { answer, .. } => matches!(answer.status, Some(404 | 410)),
            _ => false,
        };
        if is_gone && self.progress.ledger.is_cleaning_up() {
            self.removals.lock().unwrap_or_else(PoisonError::into_inner).insert(op.id);
        }
    }

    /// What fills the templates of an operation.
    pub(crate) fn values<'a>(&'a self, principal: &'a Principal, op: &'a Op) -> Values<'a> {
        let Round { plan, board, minter, hooks, secrets, word_key, .. } = self;
        Values { plan, board, minter, hooks, principal, op, secrets, word_key }
    }
}

/// A principal and what it has open.
pub(crate) struct Lane {
    round: Arc<Round>,
    principal: Arc<Principal>,
    /// For requests, one to each origin, the latest last.
    connections: Vec<(Arc<Origin>, Connection)>,
    /// Connections of groups that were done at the same time, for the next such groups.
    spare: Vec<Vec<(Arc<Origin>, Connection)>>,
    lines: Lines,
    /// None where the plan wants no cookies kept. Groups of operations at the same time share it, as the tabs of a browser do.
    jar: Option<Arc<Mutex<Jar>>>,
    session: Arc<tokio::sync::Mutex<renewal::Session>>,
    /// The place of the current operation in its gate.
    ticket: Option<Ticket>,
    /// What became of perturbations of the current operation that it has not told yet.
    shaken: Vec<Shaken>,
    /// Connections that were given up in silence: they stay open until the stage ends.
    silent: VecDeque<Connection>,
}

/// An operation that did not end ok while the session was made.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) op: Op,
    pub(crate) why: String,
}

impl Lane {
    pub(crate) fn new(round: Arc<Round>, principal: Principal) -> Self {
        let jar = round.jars.of(principal.id);
        Self::with(round, Arc::new(principal), jar)
    }

    /// For a short session, which has cookies of its own.
    pub(crate) fn beside(round: Arc<Round>, principal: Principal) -> Self {
        let jar = (round.plan.cookies == Cookies::Jar).then(Arc::default);
        Self::with(round, Arc::new(principal), jar)
    }

    fn with(round: Arc<Round>, principal: Arc<Principal>, jar: Option<Arc<Mutex<Jar>>>) -> Self {
        Self {
            round,
            principal,
            connections: vec![],
            spare: vec![],
            lines: Lines::default(),
            jar,
            session: Arc::default(),
            ticket: None,
            shaken: vec![],
            silent: VecDeque::new(),
        }
    }

    /// A short session beside the principal's own lane, with connections and cookies of its own: it begins once an operation has
    /// ended, and what it has opened stays open until the other lanes are through.
    pub(crate) async fn run_beside(&mut self, after: OpId, ops: &[Op], mut others: watch::Receiver<()>) {
        let (engine, stop) = (self.round.engine.clone(), self.round.stop.clone());
        tokio::select! {
            _ = engine.comes(after, Moment::Ended) => {}
            // Who sends it never does: it goes when the others are through.
            _ = others.changed() => {}
            () = stop.wait() => return,
        }
        self.run_one_by_one(ops).await;
        tokio::select! {
            _ = others.changed() => {}
            () = stop.wait() => {}
        }
        self.lines.close_all_but(None).await;
    }

    /// Carries out the operations, unless it is told to stop. Returns the first that did not end ok.
    pub(crate) async fn run(&mut self, ops: &[Op]) -> Option<Failure> {
        let mut first_failure = None;
        let round = Arc::clone(&self.round);
        let mut left = ops;
        while !left.is_empty() && !round.stop.is_set() {
            let (now, later) = left.split_at(group::stretch(&round.plan, left));
            left = later;
            let failure = match now {
                [_] => self.run_one_by_one(now).await,
                groups => self.run_groups(groups).await,
            };
            first_failure = first_failure.or(failure);
        }
        self.lines.close_all_but(None).await;
        self.silent.clear();
        first_failure
    }

    async fn run_one_by_one(&mut self, ops: &[Op]) -> Option<Failure> {
        let mut first_failure = None;
        let stop = self.round.stop.clone();
        for op in ops {
            let why = tokio::select! {
                why = self.perform(op) => why,
                () = stop.wait() => break,
            };
            self.round.progress.op_ended();
            if let Some(why) = why {
                first_failure.get_or_insert(Failure { op: op.clone(), why });
            }
        }
        first_failure
    }

    /// Does one operation and records how it ended. Returns why it did not end ok.
    async fn perform(&mut self, op: &Op) -> Option<String> {
        self.ticket = self.round.engine.ticket(op);
        self.shaken.clear();
        let round = Arc::clone(&self.round);
        round.engine.turn(op.id).await;
        if !matches!(op.purpose, Purpose::Short { .. }) {
            self.lines.close_all_but(Some((&round.plan, op.scope))).await;
        }
        round.stillness.begin(op).await;
        let ended = match round.check_due(&self.principal, op) {
            Ok(()) => {
                self.show(op, || Scene::Begins);
                self.act_renewing(op, round.plan.step(op.step)).await
            }
            Err(unsent) => Err(unsent),
        };
        let ended = ended.unwrap_or_else(|unsent| match unsent {
            Unsent::Skipped(why) => Happening::Skipped { why },
            Unsent::NotDue(because) => {
                round.note_idle(op);
                Happening::NotDue { because }
            }
        });
        let why = match &ended {
            Happening::Fail { why, .. } | Happening::Info { why, .. } | Happening::Skipped { why } => Some(why.clone()),
            Happening::Withheld { limit } => Some(format!("the budget of {limit} is used up")),
            _ => None,
        };
        self.ticket = None;
        round.note_removal(op, &ended);
        if op.purpose.is_allowed() && matches!(ended, Happening::Fail { .. } | Happening::Info { .. }) {
            round.progress.op_failed();
        }
        self.show(op, || Scene::Ends(&ended));
        round.recorder.event(op.id, ended);
        round.stillness.end(op);
        round.engine.note(op.id, Moment::Ended);
        why
    }

    async fn act(&mut self, op: &Op, step: &Step) -> Result<Happening, Unsent> {
        match &step.action {
            Action::Request(request) => self.request(op, step, request).await,
            Action::Open(open) => self.open(op, step, open).await,
            Action::Subscribe(subscribe) => self.subscribe(op, step, subscribe).await,
            Action::Send { socket, payload } => self.send(op, step, *socket, payload).await,
            Action::Receive(receive) => self.receive(op, step, receive).await,
            Action::AwaitWebhook(awaited) => self.await_webhook(op, step, awaited).await,
            Action::SearchPostgres(search) => self.search_postgres(op, step, search).await,
            Action::SearchRedis(search) => self.search_redis(op, step, search).await,
            Action::SearchLogs(search) => self.search_logs(op, step, search).await,
            Action::Ping { socket } => self.ping(op, step, *socket).await,
            Action::AwaitClose { socket, codes } => self.await_close(op, step, *socket, codes).await,
            Action::Close { socket, manner, code, .. } => self.close(op, *socket, *manner, *code).await,
            Action::Pause { .. } => Ok(self.pause(op).await),
        }
    }

    async fn pause(&mut self, op: &Op) -> Happening {
        self.invoke(op.id, None);
        tokio::time::sleep(Duration::from_millis(self.round.plan.pause_ms(op).unwrap_or_default())).await;
        Happening::Ok(Answer::default())
    }

    /// Whether somebody looks on.
    fn is_watched(&self) -> bool {
        self.round.progress.onlooker().is_some()
    }

    fn show<'s>(&self, op: &Op, scene: impl FnOnce() -> Scene<'s>) {
        if let Some(onlooker) = self.round.progress.onlooker() {
            onlooker.see(&self.principal, op, scene());
        }
    }

    fn show_answer(&self, op: &Op, answer: &Answer, headers: &HeaderMap, body: &[u8]) {
        if let Some(letter) = Letter::answer(answer, headers, body).filter(|_| self.is_watched()) {
            self.show(op, || Scene::Receives(letter));
        }
    }

    fn values<'a>(&'a self, op: &'a Op) -> Values<'a> {
        self.round.values(&self.principal, op)
    }

    fn unfilled(&self, op: &Op, unfilled: Unfilled) -> Unsent {
        self.round.unfilled(&self.principal, op, unfilled)
    }

    /// The canaries that the answer must show: the receiver's own, or its host's.
    fn controls(&self, op: &Op, step: &Step) -> Vec<CanaryId> {
        let scope = self.round.plan.whose_canaries(op);
        let plan = &self.round.plan;
        let own = step.sees.iter().map(|canary| plan.canary(scope, *canary));
        own.chain(self.round.block_turns.canaries(plan, scope, step)).collect()
    }

    async fn connect(&self, origin: &Origin, version: HttpVersion, window: Window) -> Result<Valved, String> {
        let ledger = &self.round.progress.ledger;
        let seat = if ledger.watches_sockets() { Some(ledger.seat().await?) } else { None };
        let _permit = self.round.opening.acquire().await.map_err(|_| "the round is over".to_owned())?;
        let socket = Socket::connect(origin, version, window).await;
        let socket = socket.map_err(|error| format!("cannot connect: {error}"))?;
        Ok(Valved::new(match seat {
            Some(seat) => Socket::Metered(Box::new(Metered::new(socket, seat))),
            None => socket,
        }))
    }

    /// Waits until the operation may be sent. It is withheld when the budget is used up.
    async fn admit(&self) -> Result<(), Happening> {
        self.round.progress.ledger.admit().await.map_err(|limit| Happening::Withheld { limit })
    }

    /// Lets go of the connection, where connections are few, so that other lanes may have one.
    pub(crate) fn rest(&mut self) {
        if self.round.progress.ledger.bounds_connections() {
            self.connections.clear();
        }
    }
}

fn ended_without_answer(outcome: Result<(), String>) -> Happening {
    match outcome {
        Ok(()) => Happening::Ok(Answer::default()),
        Err(why) => Happening::Info { answer: Answer::default(), why },
    }
}

/// Which of the receiver's own canaries are kept of the answer.
fn kept<'a>(round: &'a Round, op: &Op, step: &Step, controls: &'a [CanaryId]) -> Own<'a> {
    if step.public.is_some() {
        return Own::All;
    }
    Own::Only { wanted: controls, passes: &round.passes, here: round.plan.pass_of(op.scope) }
}

fn limit(step: &Step) -> Duration {
    Duration::from_millis(step.time_limit_ms)
}
