//! A case with one thing changed, to see whether its leak comes back all the same.

use std::collections::{BTreeMap, BTreeSet};

use coalmine_campaign::PAUSE_US;
use coalmine_core::Seed;
use coalmine_core::diagnosis::Ablation;
use coalmine_core::function::Function;
use coalmine_core::perturb::{Manner, Perturbation, Start};
use coalmine_core::plan::{OpId, Phase, Plan, Purpose, Schedule};
use coalmine_core::script::{Line, Person, Scene, Script, Side, moved};
use coalmine_core::step::{Action, Request, Step};
use coalmine_core::template::{Segment, Template};
use coalmine_core::verdict::Finding;
use serde_json::Value;

/// The field of a query by which a URL becomes one's own.
const OWN_URL: &str = "coalmine=";

/// How often the receiver asks: of some instances or workers of a service one alone may be guilty, and they take turns.
const ASKS: usize = 9;
/// What takes more operations than that is asked for once.
const ASKED_BY_MAX: usize = 3;
/// How often an owner sends secrets that are to be more than the receiver's.
const SENDS: usize = 3;

/// What is known of the people of a case in which the leak came.
pub(crate) struct Clues {
    receiver: u32,
    /// The operation that shows it.
    seen: Option<OpId>,
    /// None where nobody knows whose it is.
    owner: Option<u32>,
    planted: Option<OpId>,
    /// The order in which operations began.
    order: Vec<OpId>,
    /// What others do in the flow of the operation that shows it, before they come to that; see [`prelude`].
    prelude: Vec<Line>,
    has_accounts: bool,
}

/// A case to try.
pub(crate) struct Ablated {
    pub(crate) script: Script,
    what: Ablation,
}

impl Clues {
    /// Of a trial of the script. `order` has the operations of its plan as they began, `whole` is what the script is a part of.
    pub(crate) fn of(
        (script, whole): (&Script, &Script),
        finding: &Finding,
        order: &[OpId],
        has_accounts: bool,
    ) -> Self {
        let seen = script.line(finding.evidence.seen.op);
        let receiver = seen.map_or(0, |(_, by, _)| by);
        let planted = finding.evidence.planted.as_ref().and_then(|planted| script.line(planted.op));
        let tenant = |one: u32| script.tenant_of(one);
        // Where it is not known who sent it, it was somebody of another tenant.
        let others: BTreeSet<u32> =
            (0..).take(script.people.len()).filter(|one| tenant(*one) != tenant(receiver)).collect();
        let owner = planted.map(|(_, by, _)| by).or_else(|| others.first().copied());
        let label = |op: &OpId| script.line(*op).map(|(.., line)| line.op);
        Self {
            receiver,
            seen: seen.map(|(.., line)| line.op),
            prelude: seen.map(|(.., line)| prelude(whole, script, line)).unwrap_or_default(),
            owner: owner.filter(|owner| *owner != receiver),
            planted: planted.map(|(.., line)| line.op),
            order: order.iter().filter_map(label).collect(),
            has_accounts,
        }
    }

    /// The case in which the receiver asks again and again, and the same clues in it.
    pub(crate) fn asking_often(self, script: &Script, asking: Asking) -> (Script, Self) {
        let shows = |(.., line): &(Phase, u32, &Line)| Some(line.op) == self.seen;
        let Some((.., line)) = script.lines().find(shows) else { return (script.clone(), self) };
        let more: Vec<Line> = match asking {
            Asking::Once => return (script.clone(), self),
            Asking::ByReading => {
                vec![Line { purpose: Purpose::Shake, manner: Manner::default(), ..line.clone() }; ASKS - 1]
            }
            Asking::ByPass => {
                let pass = script.lines().filter(|(.., one)| one.pass == line.pass && one.op <= line.op);
                let pass: Vec<Line> = pass.map(|(.., one)| Line { manner: Manner::default(), ..one.clone() }).collect();
                (1..ASKS).flat_map(|_| pass.clone()).collect()
            }
        };
        let number = |op| moved(op, more.len());
        let order = self.order.iter().flat_map(|op| {
            let copies = if *op == line.op { more.len() } else { 0 };
            (number(*op).0..).map(OpId).take(1 + copies)
        });
        let order = order.collect();
        let (seen, planted) = (self.seen.map(number), self.planted.map(number));
        (script.with_lines(Side::After, line.op, &more), Self { seen, planted, order, ..self })
    }
}

/// How the receiver comes to what shows the leak, and may do so again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Asking {
    /// In a way that cannot just be repeated.
    #[default]
    Once,
    /// It only reads.
    ByReading,
    /// By some requests of a pass, one of which is for something to be done.
    ByPass,
}

impl Asking {
    /// What the operation of the plan allows that shows the leak.
    pub(crate) fn of(plan: &Plan, seen: OpId) -> Self {
        let Some((.., shows)) = plan.ops().find(|(.., op)| op.id == seen && op.purpose.is_traffic()) else {
            return Self::Once;
        };
        let of_pass = plan.ops().filter(|(.., op)| op.scope == shows.scope && op.id <= seen);
        let pass: Vec<_> = of_pass.map(|(.., op)| (op.purpose.is_flow(), plan.step(op.step))).collect();
        let is_done_again = |(is_flow, step): &(bool, &Step)| {
            *is_flow && matches!(step.action, Action::Request(_) | Action::AwaitWebhook(_))
        };
        let does_something = |(_, step): &(bool, &Step)| matches!(step.action, Action::Request(_)) && !is_read(step);
        if pass.len() <= ASKED_BY_MAX && pass.iter().all(is_done_again) && pass.iter().any(does_something) {
            Self::ByPass
        } else if is_read(plan.step(shows.step)) {
            Self::ByReading
        } else {
            Self::Once
        }
    }
}

/// What somebody does in the flow of that line before coming to its step, somewhere in `whole`: if possible the one who does the line.
fn prelude(whole: &Script, script: &Script, shows: &Line) -> Vec<Line> {
    let Some(flow) = script.passes.get(shows.pass.0 as usize) else { return vec![] };
    let person = script.people.get(flow.by as usize);
    let mut best: (bool, Vec<Line>) = (false, vec![]);
    for role in whole.stages.iter().filter(|scene| scene.phase == Phase::Flows).flat_map(|scene| &scene.lanes) {
        let is_plain = |line: &&Line| line.purpose.is_flow() && line.step == shows.step;
        for end in role.ops.iter().filter(is_plain) {
            let pass = whole.passes.get(end.pass.0 as usize);
            if pass.is_none_or(|pass| pass.flow != flow.flow || pass.turn.is_some()) {
                continue;
            }
            let before = role.ops.iter().take_while(|line| line.op != end.op);
            let before = before.filter(|line| line.pass == end.pass && line.purpose.is_flow());
            let lines: Vec<Line> = before.map(|line| Line { manner: Manner::default(), ..line.clone() }).collect();
            let is_same = whole.people.get(role.by as usize) == person;
            if !lines.is_empty() && (best.1.is_empty() || is_same && !best.0) {
                best = (is_same, lines);
            }
        }
    }
    best.1
}

impl Ablated {
    /// What is changed in the plan itself.
    pub(crate) fn change(&self, plan: &mut Plan) {
        match self.what {
            Ablation::UniqueUrls => plan.steps.iter_mut().for_each(own_url),
            Ablation::UniqueIds => own_ids(plan),
            _ => {}
        }
    }
}

/// Other orders that are tried before it is said that the leak does not come one operation at a time.
pub(crate) const ORDERS: u32 = 12;

/// One operation at a time, with pauses, in another order that keeps each lane's own.
pub(crate) fn in_another_order(script: &Script, nth: u32) -> Script {
    let repeats = repeats(script);
    let mut lanes: Vec<Vec<OpId>> = vec![];
    for role in script.stages.iter().flat_map(|scene| &scene.lanes) {
        lanes.push(role.ops.iter().rev().map(|line| line.op).collect());
    }
    let mut order = vec![];
    let mut draws = 0;
    while lanes.iter().any(|lane| !lane.is_empty()) {
        let left: Vec<usize> = (0..lanes.len()).filter(|lane| !lanes[*lane].is_empty()).collect();
        // Which lane is next is drawn, the same each time.
        let lane = left[drawn(nth, draws) % left.len()];
        draws += 1;
        order.extend(lanes[lane].pop());
        while lanes[lane].last().is_some_and(|op| repeats.contains(op)) {
            order.extend(lanes[lane].pop());
        }
    }
    without_haste(script, &order)
}

/// Operations by which the same is only asked again.
fn repeats(script: &Script) -> BTreeSet<OpId> {
    let roles = script.stages.iter().flat_map(|scene| &scene.lanes);
    let pairs = roles.flat_map(|role| role.ops.windows(2));
    let again = pairs.filter(|pair| is_again(&pair[0], &pair[1]));
    again.map(|pair| pair[1].op).collect()
}

fn is_again(before: &Line, line: &Line) -> bool {
    let is_same = before.step == line.step && before.pass == line.pass;
    is_same && line.purpose == Purpose::Shake && line.manner.is_plain()
}

/// A number that depends on nothing but these.
fn drawn(nth: u32, place: usize) -> usize {
    let bytes = Seed(place as u64).derive("coalmine orders v1", nth);
    usize::from(u16::from_le_bytes([bytes[0], bytes[1]]))
}

/// The case with that change; none where there is nothing to change.
pub(crate) fn ablated(what: Ablation, script: &Script, clues: &Clues) -> Option<Ablated> {
    let alone = script.people.len() < 2;
    let script = match what {
        Ablation::AsItIs => return None,
        Ablation::WithoutOverlap | Ablation::WithoutHaste if alone => return None,
        Ablation::WithoutOverlap => one_after_another(script, clues),
        Ablation::WithoutHaste => without_haste(script, &clues.order),
        Ablation::WithoutCancellation => {
            changed(script, script.with_manners(|_, line| line.manner.without(Perturbation::Cancel)))?
        }
        Ablation::SeparateConnections => {
            changed(script, script.with_manners(|_, line| line.manner.without(Perturbation::Share)))?
        }
        Ablation::UniqueUrls | Ablation::UniqueIds => script.clone(),
        Ablation::OwnSecrets => one_after_another(&own_secrets(script, clues)?, clues),
        Ablation::SilentOwner => one_after_another(&changed(script, silent_owner(script, clues)?)?, clues),
        Ablation::SecondOwner => {
            let owner = clues.owner.filter(|_| !clues.has_accounts)?;
            one_after_another(&script.with_second(owner), clues)
        }
        Ablation::SecondReceiver => {
            let receiver = *script.people.get(clues.receiver as usize)?;
            let is_of_two_tenants = receiver.tenant.is_some() && script.tenant_of(clues.owner?) != receiver.tenant;
            if clues.has_accounts || !is_of_two_tenants {
                return None;
            }
            let is_new = |person: &Person| !script.people.contains(person);
            one_by_one(&script.with_second(clues.receiver), |person| *person == receiver || is_new(person))
        }
    };
    Some(Ablated { script, what })
}

/// Whether the plan has names that tenants have in common.
pub(crate) fn has_common_ids(plan: &Plan) -> bool {
    let steps: BTreeSet<_> = plan.ops().map(|(.., op)| op.step).collect();
    let collides = plan.ops().any(|(.., op)| op.manner.collide.is_some());
    let is_shared = |step: &Step| serde_json::to_value(step).is_ok_and(|step| mentions_shared(&step));
    collides || steps.into_iter().any(|step| is_shared(plan.step(step)))
}

fn changed(before: &Script, after: Script) -> Option<Script> {
    (after != *before).then_some(after)
}

/// The receiver comes last, and everybody with pauses: what works in the background for one is through before the next begins.
fn one_after_another(script: &Script, clues: &Clues) -> Script {
    let receiver = script.people.get(clues.receiver as usize);
    one_by_one(script, |person| Some(person) == receiver)
}

/// One after another, some of them after all others.
fn one_by_one(script: &Script, is_late: impl Fn(&Person) -> bool) -> Script {
    let mut calm = Script { schedule: Schedule::OneAtATime, ..script.without_meetings() };
    let people = &script.people;
    for scene in &mut calm.stages {
        scene.lanes.sort_by_key(|role| people.get(role.by as usize).is_some_and(&is_late));
        pause(scene);
    }
    calm
}

/// Before each operation of a flow.
fn pause(scene: &mut Scene) {
    if scene.phase == Phase::Auth {
        return;
    }
    for role in &mut scene.lanes {
        let again: Vec<bool> = role.ops.windows(2).map(|pair| is_again(&pair[0], &pair[1])).collect();
        let first = std::iter::once(false).chain(again);
        for (line, _) in role.ops.iter_mut().zip(first).filter(|(_, again)| !again) {
            line.manner.start = Start::After { delay_us: PAUSE_US };
        }
    }
}

/// One at a time, in this order.
fn without_haste(script: &Script, order: &[OpId]) -> Script {
    let places: BTreeMap<OpId, u32> = order.iter().copied().zip(0..).collect();
    let mut calm = script.in_turn(|op| places.get(&op).copied().unwrap_or(u32::MAX));
    calm.stages.iter_mut().for_each(pause);
    calm
}

/// All of the owner's tenant send such secrets as before, and do nothing after that in each pass.
fn silent_owner(script: &Script, clues: &Clues) -> Option<Script> {
    let (owner, planted) = (clues.owner?, clues.planted?);
    let (.., sending) = script.lines().find(|(.., line)| line.op == planted)?;
    let is_owners = |by: u32| by != clues.receiver && script.tenant_of(by) == script.tenant_of(owner);
    let sends = |pass| move |line: &&Line| line.pass == pass && line.step == sending.step;
    let owners: Vec<&Line> = script.lines().filter(|(_, by, _)| is_owners(*by)).map(|(.., line)| line).collect();
    let mut kept = BTreeSet::new();
    for (at, line) in owners.iter().enumerate() {
        // What comes before it may be what it needs.
        if owners[at..].iter().copied().any(|later| sends(line.pass)(&later)) {
            kept.insert(line.op);
        }
    }
    Some(script.with_only(|phase, by, line| {
        !is_owners(by) || kept.contains(&line.op) || matches!(phase, Phase::Auth | Phase::Cleanup)
    }))
}

/// The receiver sends secrets of its own before it asks. The owner sends more: of a longer answer something is left behind a shorter one.
fn own_secrets(script: &Script, clues: &Clues) -> Option<Script> {
    let (owner, planted, seen) = (clues.owner?, clues.planted?, clues.seen?);
    let (.., shows) = script.lines().find(|(.., line)| line.op == seen)?;
    let (.., sending) = script.lines().find(|(.., line)| line.op == planted)?;
    let owners = script.lines().filter(|(_, by, line)| *by == owner && line.pass == sending.pass && line.op <= planted);
    let sent: Vec<Line> = owners.map(|(.., line)| Line { manner: Manner::default(), ..line.clone() }).collect();
    if clues.prelude.is_empty() || sent.iter().any(|line| !line.purpose.is_flow()) {
        return None;
    }
    let own: Vec<Line> = clues.prelude.iter().map(|line| Line { pass: shows.pass, ..line.clone() }).collect();
    let more: Vec<Line> = (1..SENDS).flat_map(|_| sent.clone()).collect();
    let first = moved(sent.first()?.op, own.len());
    Some(script.with_lines(Side::Before, seen, &own).with_lines(Side::Before, first, &more))
}

fn is_read(step: &Step) -> bool {
    matches!(&step.action, Action::Request(Request { method, .. }) if method == "GET" || method == "HEAD")
}

/// A query of its own behind each URL that is only read.
fn own_url(step: &mut Step) {
    if !is_read(step) {
        return;
    }
    let Action::Request(Request { path, .. }) = &mut step.action else { return };
    let has_query = path.segments.iter().any(|segment| matches!(segment, Segment::Text(text) if text.contains('?')));
    let mark = if has_query { '&' } else { '?' };
    path.segments.push(Segment::Text(format!("{mark}{OWN_URL}")));
    path.segments.push(Segment::Call { function: Function::Uuid, arguments: vec![Template::text("own url")] });
}

/// Names that tenants have in common become names of their own.
fn own_ids(plan: &mut Plan) {
    let lanes = plan.stages.iter_mut().flat_map(|stage| &mut stage.lanes);
    lanes.flat_map(|lane| &mut lane.ops).for_each(|op| op.manner.collide = None);
    for step in &mut plan.steps {
        let Ok(mut json) = serde_json::to_value(&*step) else { continue };
        if mentions_shared(&json) {
            unshare(&mut json);
            if let Ok(own) = serde_json::from_value(json) {
                *step = own;
            }
        }
    }
}

/// How a call of `shared` is written in a plan.
fn is_shared(value: &Value) -> bool {
    value.get("function").and_then(Value::as_str) == Some("shared")
}

fn mentions_shared(value: &Value) -> bool {
    match value {
        Value::Object(map) => is_shared(value) || map.values().any(mentions_shared),
        Value::Array(items) => items.iter().any(mentions_shared),
        _ => false,
    }
}

fn unshare(value: &mut Value) {
    if is_shared(value) {
        value["function"] = "uuid".into();
    }
    match value {
        Value::Object(map) => map.values_mut().for_each(unshare),
        Value::Array(items) => items.iter_mut().for_each(unshare),
        _ => {}
    }
}
