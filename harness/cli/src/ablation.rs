//! A case with one thing changed, to see whether its leak comes back all the same.

use std::collections::{BTreeMap, BTreeSet};

use coalmine_campaign::{Own, PAUSE_US, Shape};
use coalmine_core::Seed;
use coalmine_core::diagnosis::Ablation;
use coalmine_core::function::Function;
use coalmine_core::perturb::{Perturbation, Start};
use coalmine_core::plan::{OpId, Phase, Plan, Schedule};
use coalmine_core::script::{Line, Person, Scene, Script};
use coalmine_core::step::{Action, Request, Step};
use coalmine_core::template::{Segment, Template};
use coalmine_core::verdict::Finding;
use serde_json::Value;

/// The field of a query by which a URL becomes one's own.
const OWN_URL: &str = "coalmine=";

/// What is known of the people of a case in which the leak came.
pub(crate) struct Clues {
    receiver: u32,
    /// None where nobody knows whose it is.
    owner: Option<u32>,
    planted: Option<OpId>,
    /// The order in which operations began.
    order: Vec<OpId>,
    shape: Shape,
    has_accounts: bool,
}

/// A case to try.
pub(crate) struct Ablated {
    pub(crate) script: Script,
    what: Ablation,
}

impl Clues {
    /// Of a trial of the script. `order` has the operations of its plan as they began.
    pub(crate) fn of(script: &Script, finding: &Finding, order: &[OpId], (own, has_accounts): (Own, bool)) -> Self {
        let receiver = script.line(finding.evidence.seen.op).map_or(0, |(_, by, _)| by);
        let planted = finding.evidence.planted.as_ref().and_then(|planted| script.line(planted.op));
        let tenant = |one: u32| script.tenant_of(one);
        // Where it is not known who sent it, it was somebody of another tenant.
        let others: BTreeSet<u32> =
            (0..).take(script.people.len()).filter(|one| tenant(*one) != tenant(receiver)).collect();
        let owner = planted.map(|(_, by, _)| by).or_else(|| others.first().copied());
        let label = |op: &OpId| script.line(*op).map(|(.., line)| line.op);
        Self {
            receiver,
            owner: owner.filter(|owner| *owner != receiver),
            planted: planted.map(|(.., line)| line.op),
            order: order.iter().filter_map(label).collect(),
            shape: Shape { own, operations: script.ops() },
            has_accounts,
        }
    }

    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }
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

/// Orders that are tried before it is said that the leak needs haste.
pub(crate) const ORDERS: u32 = 12;

/// One operation at a time, with pauses: the first time in the order in which they came, then in others that keep each lane's own.
pub(crate) fn in_another_order(script: &Script, clues: &Clues, nth: u32) -> Script {
    if nth == 0 {
        return without_haste(script, &clues.order);
    }
    let mut lanes: Vec<Vec<OpId>> = vec![];
    for role in script.stages.iter().flat_map(|scene| &scene.lanes) {
        lanes.push(role.ops.iter().rev().map(|line| line.op).collect());
    }
    let mut order = vec![];
    while lanes.iter().any(|lane| !lane.is_empty()) {
        let left: Vec<usize> = (0..lanes.len()).filter(|lane| !lanes[*lane].is_empty()).collect();
        // Which lane is next is drawn, the same each time.
        let lane = left[drawn(nth, order.len()) % left.len()];
        order.extend(lanes[lane].pop());
    }
    without_haste(script, &order)
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
    if scene.phase != Phase::Auth {
        for line in scene.lanes.iter_mut().flat_map(|role| &mut role.ops) {
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

/// The owner sends such secrets as before, and does nothing after that in each pass.
fn silent_owner(script: &Script, clues: &Clues) -> Option<Script> {
    let (owner, planted) = (clues.owner?, clues.planted?);
    let (.., sending) = script.lines().find(|(.., line)| line.op == planted)?;
    let sends = |pass| move |line: &&Line| line.pass == pass && line.step == sending.step;
    let owners: Vec<&Line> = script.lines().filter(|(_, by, _)| *by == owner).map(|(.., line)| line).collect();
    let mut kept = BTreeSet::new();
    for (at, line) in owners.iter().enumerate() {
        // What comes before it may be what it needs.
        if owners[at..].iter().copied().any(|later| sends(line.pass)(&later)) {
            kept.insert(line.op);
        }
    }
    Some(script.with_only(|phase, by, line| {
        by != owner || kept.contains(&line.op) || matches!(phase, Phase::Auth | Phase::Cleanup)
    }))
}

/// A query of its own behind each URL that is only read.
fn own_url(step: &mut Step) {
    let Action::Request(Request { method, path, .. }) = &mut step.action else { return };
    if method != "GET" && method != "HEAD" {
        return;
    }
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
