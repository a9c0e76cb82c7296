//! One round: stages one after another, in each stage all lanes at once.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use coalmine_canary::{CanaryId, Detector, DictionaryError, Minter};
use coalmine_core::history::{Digest, Happening, RoundEnd};
use coalmine_core::perturb::Manner;
use coalmine_core::plan::{CanarySpec, Op, OpId, Phase, Purpose, Schedule, Webhooks};
use coalmine_core::step::{Action, StepId};
use coalmine_core::turns::Turns;
use coalmine_core::{Plan, fit};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::allow::Destinations;
use crate::board::Board;
use crate::due::Cases;
use crate::engine::Engine;
use crate::exchange::ConnectionIds;
use crate::jar::Jars;
use crate::lane::{Failure, Lane, Round};
use crate::observe::{Lens, identities_of};
use crate::passes::Passes;
use crate::paths::{PathError, Paths};
use crate::progress::Progress;
use crate::recorder::Recorder;
use crate::secrets::Secrets;
use crate::stillness::Stillness;
use crate::stop::Stop;
use crate::webhook::{Hooks, Listener, Receiver, Serving};
use crate::{ready, self_test};

/// Connections that may be opening at the same time.
const OPENING_MAX: usize = 128;
/// Searches through stores that may go on at the same time.
const SEARCHES_MAX: usize = 4;
/// Webhooks that no step waits for may come this long after the last operation.
const WEBHOOK_LINGER: Duration = Duration::from_millis(250);

/// Canaries of a round whose hashes are looked for as well; each takes 0.3 KiB.
const HASHED_CANARIES_MAX: usize = 200_000;

/// The plan cannot be carried out, whatever the target does.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A JSONPath in it is not one.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A canary in it cannot be minted.
    #[error("the plan has more canaries than its shapes allow: {0}")]
    Mint(String),
    /// Secrets of accounts cannot be looked for.
    #[error("the secrets of the accounts cannot be looked for: {0}")]
    Secrets(#[from] DictionaryError),
    /// Webhooks cannot be received there.
    #[error("cannot listen for webhooks on {address}: {source}")]
    Webhooks {
        /// Where the scenario wants them.
        address: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// A lane panicked: a fault of Coalmine's own.
    #[error("a lane broke down: {0}")]
    Lane(#[from] tokio::task::JoinError),
}

/// Carries out one plan and records what happened, from the beginning of the round to its end.
pub async fn run_round(
    plan: &Arc<Plan>,
    destinations: &Arc<Destinations>,
    secrets: &Arc<Secrets>,
    recorder: &Arc<Recorder>,
    progress: &Arc<Progress>,
    stop: &Stop,
) -> Result<RoundEnd, RunError> {
    let listener = plan.webhooks.as_ref().map(listen).transpose()?;
    let base_url = listener.as_ref().map_or_else(String::new, |(_, url)| url.clone());
    let hooks = Arc::new(Hooks::new(plan, base_url));
    let round = prepare(plan, hooks, destinations, secrets, recorder, progress, stop)?;
    recorder.round(plan);
    progress.ledger.begin_round(cleaning_up(plan));
    let end = match ready::wait_until_ready(&plan.target, destinations, &progress.ledger).await {
        Err(why) => RoundEnd::Untestable { step: None, why },
        Ok(()) => {
            self_test::run(plan, &round.lens, &round.minter, recorder).await;
            let serving = listener.map(|(listener, _)| serve(&round, listener)).transpose()?;
            let end = run_stages(&round).await?;
            if let Some(serving) = serving {
                tokio::time::sleep(WEBHOOK_LINGER).await;
                serving.close();
            }
            end
        }
    };
    recorder.round_end(end.clone());
    Ok(end)
}

fn listen(webhooks: &Webhooks) -> Result<(Listener, String), RunError> {
    let failed = |source| RunError::Webhooks { address: webhooks.listen.clone(), source };
    let listener = Listener::bind(webhooks).map_err(failed)?;
    let base_url = listener.base_url(webhooks).map_err(failed)?;
    Ok((listener, base_url))
}

fn serve(round: &Round, listener: Listener) -> Result<Serving, RunError> {
    let recorder = round.recorder.clone();
    let receiver = Receiver {
        plan: round.plan.clone(),
        lens: round.lens.clone(),
        hooks: round.hooks.clone(),
        onlooker: round.progress.onlooker().cloned(),
        sink: Mutex::new(Some(Box::new(move |op, frame| recorder.event(op, Happening::Frame(frame))))),
    };
    let address = || round.plan.webhooks.as_ref().map_or_else(String::new, |webhooks| webhooks.listen.clone());
    listener.serve(receiver).map_err(|source| RunError::Webhooks { address: address(), source })
}

fn prepare(
    plan: &Arc<Plan>,
    hooks: Arc<Hooks>,
    destinations: &Arc<Destinations>,
    secrets: &Arc<Secrets>,
    recorder: &Arc<Recorder>,
    progress: &Arc<Progress>,
    stop: &Stop,
) -> Result<Arc<Round>, RunError> {
    let run_key = plan.seed.run_key();
    let minter = Minter::new(&run_key);
    let mint = |(id, spec): (CanaryId, &CanarySpec)| fit::mint(&minter, id, spec.fit.as_ref());
    for canary in plan.canaries() {
        mint(canary).map_err(|error| RunError::Mint(error.to_string()))?;
    }
    let planted = plan.canaries().take(HASHED_CANARIES_MAX).filter_map(|canary| mint(canary).ok());
    let detector = Detector::builder(&run_key).planted(planted);
    let detector = if plan.sought.is_empty() { detector } else { detector.dictionary(secrets.marks(plan))? };
    let lens = Lens {
        detector: detector.build(),
        paths: Paths::compile(plan)?,
        digest_key: plan.seed.derive("coalmine digest v1", 0),
    };
    Ok(Arc::new(Round {
        plan: plan.clone(),
        lens: Arc::new(lens),
        known_types: Arc::new(types_of(plan)),
        keeps_bytes: plan.steps.iter().any(|step| matches!(&step.action, Action::Receive(it) if it.contains.is_some())),
        board: Board::new(plan),
        jars: Jars::new(plan),
        passes: Passes::new(plan),
        block_turns: Turns::new(plan),
        cases: Cases::default(),
        hooks,
        minter,
        word_key: plan.seed.derive("coalmine words v1", 0),
        secrets: secrets.clone(),
        recorder: recorder.clone(),
        destinations: destinations.clone(),
        connections: ConnectionIds::default(),
        opening: Semaphore::new(OPENING_MAX),
        searches: Semaphore::new(SEARCHES_MAX),
        told_tables: Mutex::default(),
        removals: Mutex::default(),
        turns: Semaphore::new(progress.ledger.lanes_max(1 + lines_max(plan))),
        progress: progress.clone(),
        stop: stop.clone(),
        engine: Arc::new(Engine::new(plan)),
        stillness: Stillness::default(),
    }))
}

/// Operations that remove what was made.
fn cleaning_up(plan: &Plan) -> u64 {
    let stages = plan.stages.iter().filter(|stage| stage.phase == Phase::Cleanup);
    stages.flat_map(|stage| &stage.lanes).map(|lane| lane.ops.len() as u64).sum()
}

/// WebSockets and event streams that a lane has open at the same time, unless it keeps those of earlier passes.
fn lines_max(plan: &Plan) -> usize {
    plan.flows.iter().map(|flow| flow.sockets.len()).max().unwrap_or_default()
}

/// The types of events that the scenario names.
fn types_of(plan: &Plan) -> BTreeSet<String> {
    let awaited = plan.steps.iter().filter_map(|step| match &step.action {
        Action::Receive(receive) => Some(&receive.events),
        _ => None,
    });
    awaited.flatten().cloned().collect()
}

async fn run_stages(round: &Arc<Round>) -> Result<RoundEnd, RunError> {
    let principals = round.plan.principals.iter();
    let mut lanes: Vec<Option<Lane>> =
        principals.map(|principal| Some(Lane::new(round.clone(), principal.clone()))).collect();
    let end = run_each_stage(round, &mut lanes).await?;
    list_leftovers(round, &lanes);
    Ok(end)
}

/// Whatever the round's end: what was captured and is still there.
fn list_leftovers(round: &Round, lanes: &[Option<Lane>]) {
    let first = round.plan.principals.first().map_or(0, |principal| principal.id.0);
    let removed = round.removals.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let due = round.plan.ops().filter(|(phase, _, op)| *phase == Phase::Cleanup && !removed.contains(&op.id));
    let left = due.filter_map(|(_, principal, op)| lanes[(principal.0 - first) as usize].as_ref()?.leftover(op));
    round.progress.leave(left);
}

async fn run_each_stage(round: &Arc<Round>, lanes: &mut [Option<Lane>]) -> Result<RoundEnd, RunError> {
    let mut are_known = false;
    for (index, stage) in round.plan.stages.iter().enumerate() {
        if stage.phase != Phase::Auth && !are_known {
            // Those whom nobody asks to log in are known from the beginning.
            record_people(round);
            are_known = true;
        }
        if stage.phase == Phase::Cleanup {
            round.progress.ledger.begin_cleaning_up();
        }
        let failure = run_stage(round, index, lanes).await?;
        if round.stop.is_set() || round.recorder.has_failed() {
            return Ok(RoundEnd::Interrupted);
        }
        if let (Phase::Auth, Some(Failure { op, why })) = (stage.phase, failure) {
            return Ok(RoundEnd::Untestable { step: Some(op.step), why });
        }
    }
    if !are_known {
        record_people(round);
    }
    Ok(RoundEnd::Completed)
}

/// Who the principals are, now that their sessions stand.
fn record_people(round: &Round) {
    record_identities(round);
    record_credentials(round);
}

/// Runs the lanes of one stage. Returns the failure of the lane with the lowest number that has one.
async fn run_stage(round: &Arc<Round>, index: usize, lanes: &mut [Option<Lane>]) -> Result<Option<Failure>, RunError> {
    let first = round.plan.principals.first().map_or(0, |principal| principal.id.0);
    let mut running = VecDeque::new();
    let mut failures = Vec::new();
    let (others, short) = begin_short_sessions(round, index);
    for (number, planned) in round.plan.stages[index].lanes.iter().enumerate() {
        if planned.beside.is_some() {
            continue;
        }
        let place = (planned.principal.0 - first) as usize;
        let lane = lanes[place].take().expect("a principal has one lane in a stage");
        running.push_back((place, tokio::spawn(run_lane(round.clone(), lane, index, number))));
        if round.plan.schedule == Schedule::OneAtATime {
            failures.extend(collect(&mut running, lanes).await?);
        }
    }
    failures.extend(collect(&mut running, lanes).await?);
    drop(others);
    for session in short {
        session.await?;
    }
    Ok(failures.into_iter().next())
}

/// Short sessions of principals that have a lane of their own in the stage. They end when what is handed out first is dropped.
fn begin_short_sessions(round: &Arc<Round>, stage: usize) -> (watch::Sender<()>, Vec<JoinHandle<()>>) {
    let (sender, others) = watch::channel(());
    let mut sessions = vec![];
    for (number, planned) in round.plan.stages[stage].lanes.iter().enumerate() {
        let (Some(after), Some(principal)) = (planned.beside, round.plan.principal(planned.principal)) else {
            continue;
        };
        let mut lane = Lane::beside(round.clone(), principal.clone());
        let (round, others) = (round.clone(), others.clone());
        sessions.push(tokio::spawn(async move {
            lane.run_beside(after, &round.plan.stages[stage].lanes[number].ops, others).await;
        }));
    }
    (sender, sessions)
}

type Running = VecDeque<(usize, JoinHandle<(Lane, Option<Failure>)>)>;

async fn collect(running: &mut Running, lanes: &mut [Option<Lane>]) -> Result<Vec<Failure>, RunError> {
    let mut failures = Vec::new();
    while let Some((place, task)) = running.pop_front() {
        let (lane, failure) = task.await?;
        lanes[place] = Some(lane);
        failures.extend(failure);
    }
    Ok(failures)
}

async fn run_lane(round: Arc<Round>, mut lane: Lane, stage: usize, number: usize) -> (Lane, Option<Failure>) {
    let _turn = round.turns.acquire().await.expect("turns are never closed");
    let failure = lane.run(&round.plan.stages[stage].lanes[number].ops).await;
    lane.rest();
    (lane, failure)
}

fn record_identities(round: &Round) {
    if round.plan.identities.is_empty() {
        return;
    }
    for principal in round.plan.principals.iter().filter(|principal| !principal.is_anonymous()) {
        let values = identities_of(&round.plan, &round.lens, &round.board, principal);
        let what = Happening::Identity { principal: principal.id, values };
        round.recorder.event(OpId(u32::MAX), what);
    }
}

fn record_credentials(round: &Round) {
    let credential = round.plan.webhooks.as_ref().and_then(|webhooks| webhooks.credential.as_ref());
    let Some(credential) = credential else { return };
    for principal in round.plan.principals.iter().filter(|principal| !principal.is_anonymous()) {
        let scope = round.plan.session_scope(principal.id);
        let op = Op { id: OpId(u32::MAX), step: StepId(0), scope, purpose: Purpose::Flow, manner: Manner::default() };
        // A principal that has none is one that no webhook can be compared with.
        let Ok(value) = credential.mine.fill(&round.values(principal, &op)) else { continue };
        let value = Digest::of(&round.lens.digest_key, &value.into());
        let what = Happening::Credential { principal: principal.id, value };
        round.recorder.event(OpId(u32::MAX), what);
    }
}
