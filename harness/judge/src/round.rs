//! One round, with what every oracle wants to know of it.

use std::collections::{HashMap, HashSet};

use coalmine_canary::{CanaryId, Found, Strength};
use coalmine_core::history::{Channel, Digest, Event, EventFrame, Happening, IdentityFact, Opcode, Receipt, Seen};
use coalmine_core::perturb::Perturbation;
use coalmine_core::plan::{Access, FlowId, OpId, Phase, Plan, Purpose, ScopeId};
use coalmine_core::step::{Step, StepId};
use coalmine_core::template::{CanaryRef, Level};
use coalmine_core::turns::Turns;
use coalmine_core::verdict::{Moment, OracleId};
use coalmine_core::{Principal, PrincipalId, Scope};

use crate::book::{Book, Origin, Plant, Planted};
use crate::credentials::Credentials;
use crate::identities::{Identities, Whose};
use crate::making::{self, Makings};
use crate::probes::{Probes, read_by_owner, victim_of};
use crate::sharing::Shares;
use crate::waived::Waived;

/// A round's plan, and what the history has told of it so far.
pub(crate) struct Round {
    pub(crate) plan: Plan,
    pub(crate) book: Book,
    pub(crate) identities: Identities,
    pub(crate) credentials: Credentials,
    pub(crate) probes: Probes,
    pub(crate) makings: Makings,
    /// Ids of objects, by the pass that was given them.
    object_ids: HashMap<(ScopeId, u16), Digest>,
    /// In how many passes each of them was given.
    holders: HashMap<(u16, Digest), u32>,
    pub(crate) shares: Shares,
    /// The round's place in the history, from 0.
    ordinal: u32,
    /// Whether any answer is declared public.
    publishes: bool,
    turns: Turns,
    waived: Waived,
    /// In which passes requests of which steps were given up.
    given_up: HashSet<(ScopeId, StepId)>,
    /// At which steps events come that are somebody else's, by which identity rule.
    misrouting: HashMap<StepId, u16>,
    places: Vec<Place>,
    states: Vec<State>,
}

/// A secret of an account that exists already.
#[derive(Clone, Copy)]
pub(crate) struct Secret<'a> {
    pub(crate) owner: &'a Principal,
    /// The attribute's name.
    pub(crate) name: &'a str,
}

/// Where an operation stands in its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) phase: Phase,
    pub(crate) step: StepId,
    pub(crate) scope: ScopeId,
    pub(crate) purpose: Purpose,
    /// Whether it was to be done to its end.
    pub(crate) course: Course,
}

/// How far an operation was to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Course {
    /// To its end.
    Whole,
    /// It was to be given up in the middle.
    CutOff,
}

impl Place {
    /// The scope whose canaries the operation has to show.
    pub(crate) fn host(self) -> ScopeId {
        match self.purpose {
            Purpose::Visit { host } => host,
            _ => self.scope,
        }
    }
}

/// How far an operation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Planned,
    Open,
    Ok,
    Fail,
    Info,
    Skipped,
    NotDue,
}

impl Round {
    /// Indexes the plan; an error says in what it contradicts itself. The book comes back in either case.
    pub(crate) fn begin(plan: Plan, ordinal: u32, mut book: Book) -> Result<Self, (String, Book)> {
        let places = match places_of(&plan) {
            Ok(places) => places,
            Err(why) => return Err((why, book)),
        };
        book.open(ordinal, &plan);
        let shares = Shares::new(&plan);
        let publishes = plan.steps.iter().any(|step| step.public.is_some());
        let states = vec![State::Planned; places.len()];
        let (turns, waived) = (Turns::new(&plan), Waived::new(&plan));
        let (identities, credentials, probes) = (Identities::new(&plan), Credentials::default(), Probes::new(&plan));
        let makings = Makings::new(&plan);
        Ok(Self {
            plan,
            book,
            identities,
            credentials,
            probes,
            shares,
            ordinal,
            publishes,
            turns,
            waived,
            makings,
            object_ids: HashMap::new(),
            holders: HashMap::new(),
            given_up: HashSet::new(),
            misrouting: HashMap::new(),
            places,
            states,
        })
    }

    /// Takes notice of an event before any oracle sees it; false if it does not belong to the round.
    pub(crate) fn note(&mut self, event: &Event) -> bool {
        if let Happening::Identity { principal, values } = &event.what {
            let Some(principal) = self.plan.principal(*principal) else { return false };
            for fact in values {
                self.identities.learn(principal, *fact);
            }
            return true;
        }
        if let Happening::Credential { principal, value } = &event.what {
            let Some(principal) = self.plan.principal(*principal) else { return false };
            self.credentials.learn(principal, *value);
            return true;
        }
        let Some(place) = self.place(event.op) else { return false };
        if let Some(state) = state_after(&event.what) {
            self.states[event.op.0 as usize] = state;
        }
        if matches!(&event.what, Happening::Perturbed(shaken) if shaken.what == Perturbation::Cancel && shaken.reached)
        {
            self.given_up.insert((place.scope, place.step));
        }
        self.waived.note(&self.plan, place, &event.what);
        self.note_probe(event, place);
        self.note_public(event, place);
        self.note_captures(event, self.place_of(event).unwrap_or(place));
        self.note_making(event, place);
        true
    }

    fn note_public(&mut self, event: &Event, place: Place) {
        let (Some(public), Some(receipt)) = (&self.plan.step(place.step).public, receipt_of(&event.what)) else {
            return;
        };
        for seen in &receipt.seen {
            let Found::Canary { id, .. } = seen.sighting.found else { continue };
            let Origin::Known(planted) = self.book.origin(id) else { continue };
            if planted.field.is_none_or(|field| public.includes(field)) {
                self.book.publish(id);
            }
        }
    }

    fn note_captures(&mut self, event: &Event, place: Place) {
        let Some(receipt) = receipt_of(&event.what) else { return };
        // What an attacker captures while trying is the victim's.
        if victim_of(place).is_some() || matches!(place.purpose, Purpose::Role { .. } | Purpose::Revalidate { .. }) {
            return;
        }
        let scope = &self.plan.scopes[place.scope.0 as usize];
        let Some(principal) = self.plan.principal(scope.principal) else { return };
        for (variable, value) in &receipt.captured {
            let objects =
                (0u16..).zip(&self.plan.objects).filter(|(_, it)| it.flow == scope.flow && it.id == *variable);
            for (object, _) in objects {
                if self.object_ids.insert((place.scope, object), *value) != Some(*value) {
                    *self.holders.entry((object, *value)).or_default() += 1;
                }
            }
            let home = self.plan.scope_at(place.scope, variable.level);
            self.identities.captured(principal, self.plan.scope(home).flow, *variable, *value);
        }
    }

    fn note_making(&mut self, event: &Event, place: Place) {
        let leaks = match &event.what {
            Happening::Ok(answer) if !answer.receipt.readings().is_empty() => {
                answer.receipt.seen.iter().any(|seen| !self.may_see(place, seen))
            }
            _ => false,
        };
        self.makings.note(&self.plan, event, place);
        self.makings.note_answer(event, place, leaks);
    }

    fn note_probe(&mut self, event: &Event, place: Place) {
        let Some(victim) = victim_of(place) else { return };
        let victim = self.receiver(victim).tenant;
        let sends = self.step(place).sends();
        let resolve = |plan: &Plan, refs: Vec<CanaryRef>| -> Vec<CanaryId> {
            refs.into_iter().filter_map(|canary| canary_of(plan, place.scope, canary)).collect()
        };
        match event.what {
            Happening::Invoke { .. } => {
                let canaries = resolve(&self.plan, sends);
                self.probes.sends(event.op, victim, canaries.into_iter());
            }
            Happening::Fail { .. } => {
                let shared = sends.into_iter().filter(|canary| self.probes.also_in_flow(&self.plan, place, *canary));
                let shared = resolve(&self.plan, shared.collect());
                self.probes.refused(event.op, victim, shared.into_iter());
            }
            Happening::Ok(_) | Happening::Info { .. }
                if matches!(place.purpose, Purpose::Probe { access: Access::Update, .. }) =>
            {
                self.probes.accepted(event.op, victim);
            }
            _ => {}
        }
    }

    /// Where the operation stands, if the plan has it.
    pub(crate) fn place(&self, op: OpId) -> Option<Place> {
        self.places.get(op.0 as usize).copied()
    }

    /// Whether, in the pass that planted something, a request of this step's route has been given up by now: its answer looks the
    /// same, whichever step of a flow asked for it.
    pub(crate) fn has_given_up(&self, plant: Plant, step: StepId) -> bool {
        let Some(asked) = self.plan.steps.get(usize::from(step.0)) else { return false };
        let is_given_up = |other: StepId| self.given_up.contains(&(plant.scope, other));
        let mut others = (0u16..).map(StepId).zip(&self.plan.steps).filter(|(other, _)| is_given_up(*other));
        plant.ordinal == self.ordinal && others.any(|(_, step)| step.route() == asked.route())
    }

    /// Where the operation of an event stands; what makes its session anew is a part of the session.
    pub(crate) fn place_of(&self, event: &Event) -> Option<Place> {
        let place = self.place(event.op)?;
        let Happening::Attempt { step: Some(step), .. } = event.what else { return Some(place) };
        let scope = self.plan.session_scope(self.receiver(place.scope).id);
        Some(Place { step, scope, purpose: Purpose::Flow, ..place })
    }

    /// Whether the operation has ended ok by now.
    pub(crate) fn ended_ok(&self, op: OpId) -> bool {
        self.states.get(op.0 as usize) == Some(&State::Ok)
    }

    /// Every operation's number, place and state.
    pub(crate) fn ops(&self) -> impl Iterator<Item = (OpId, Place, State)> + '_ {
        let numbered = (0..).map(OpId).zip(self.places.iter().zip(&self.states));
        numbered.map(|(op, (place, state))| (op, *place, *state))
    }

    /// The objects that an operation reads for their owner.
    pub(crate) fn read_by_owner(&self, place: Place) -> Vec<(ScopeId, u16)> {
        let tried = match place.purpose {
            Purpose::Confirm { probe } => self.place(probe),
            _ => None,
        };
        read_by_owner(&self.plan, place, tried)
    }

    /// The id of the object that a pass has made.
    pub(crate) fn object_id(&self, scope: ScopeId, object: u16) -> Option<Digest> {
        self.object_ids.get(&(scope, object)).copied()
    }

    /// Whether only one pass was given that id.
    pub(crate) fn is_one_pass_only(&self, object: u16, id: Digest) -> bool {
        self.holders.get(&(object, id)) == Some(&1)
    }

    /// The step's description.
    pub(crate) fn step(&self, place: Place) -> &Step {
        self.plan.step(place.step)
    }

    /// Who receives what comes back in a scope.
    pub(crate) fn receiver(&self, scope: ScopeId) -> &Principal {
        let id = self.plan.scope(scope).principal;
        self.plan.principal(id).expect("places_of has checked that every scope's principal is in the plan")
    }

    /// A principal of this round, as a path.
    pub(crate) fn principal(&self, id: PrincipalId) -> Option<&Principal> {
        self.plan.principal(id)
    }

    /// Which canary a reference of a step means in a scope.
    pub(crate) fn canary(&self, scope: ScopeId, canary: CanaryRef) -> Option<CanaryId> {
        canary_of(&self.plan, scope, canary)
    }

    /// The own canaries that the operation has to show. Those that nothing sent, since it was not due, are left out.
    pub(crate) fn controls(&self, place: Place) -> Vec<Option<CanaryId>> {
        let step = self.step(place);
        let own = step.sees.iter().map(|canary| self.canary(place.host(), *canary));
        let of_turns = self.turns.canaries(&self.plan, place.host(), step).into_iter().map(Some);
        let is_due = |canary: &Option<CanaryId>| canary.is_none_or(|canary| !self.waived.contains(canary));
        own.chain(of_turns).filter(is_due).collect()
    }

    /// Whether both belong to one pass of one principal through a flow, be it in turns of blocks.
    pub(crate) fn is_one_pass(&self, one: ScopeId, other: ScopeId) -> bool {
        self.plan.pass_of(one) == self.plan.pass_of(other)
    }

    /// Whether the oracle is asked in this round.
    pub(crate) fn asks(&self, oracle: OracleId) -> bool {
        self.plan.policy.asks(oracle)
    }

    /// The event as a place in the history.
    pub(crate) fn moment(&self, event: &Event) -> Moment {
        self.moment_of(event.op, event.seq, event.at_us)
    }

    /// A place in the history.
    pub(crate) fn moment_of(&self, op: OpId, seq: u64, at_us: u64) -> Moment {
        let operation = self.place(op).map_or_else(String::new, |place| self.step(place).name.clone());
        Moment { round: self.plan.round, op, operation, seq, at_us }
    }

    /// Whose the value is, seen from the receiver.
    pub(crate) fn whose(&self, receiver: &Principal, fact: IdentityFact) -> Whose {
        match self.identities.whose(receiver, fact) {
            Whose::Others(_) if self.is_shared(receiver, fact) => Whose::Mine,
            whose => whose,
        }
    }

    /// Whether the value is that of somebody of whom the receiver may hear: by its role, or as both share something.
    fn is_shared(&self, receiver: &Principal, fact: IdentityFact) -> bool {
        let acquaintances = self.shares.acquaintances(receiver.id).filter_map(|id| self.plan.principal(id));
        self.identities.is_of_any(acquaintances, fact)
            || self.identities.has_owner(fact, |owner| self.plan.sharing.by_role(receiver, owner))
    }

    /// Whose secret of an account the detector's dictionary has there.
    pub(crate) fn sought(&self, entry: u32) -> Option<Secret<'_>> {
        let sought = self.plan.sought.get(entry as usize)?;
        let is_owner = |who: &&Principal| who.tenant == sought.tenant && who.user == sought.user;
        let owner = self.plan.principals.iter().find(is_owner)?;
        Some(Secret { owner, name: self.plan.attributes.get(usize::from(sought.attribute))? })
    }

    /// Whether somebody may hear of what another has in common with its tenant: as a colleague, by its role, or as both share
    /// something.
    pub(crate) fn may_hear_of(&self, receiver: &Principal, owner: &Principal) -> bool {
        let mut acquaintances = self.shares.acquaintances(receiver.id).filter_map(|id| self.plan.principal(id));
        receiver.tenant == owner.tenant
            || self.plan.sharing.by_role(receiver, owner)
            || acquaintances.any(|other| other.tenant == owner.tenant)
    }

    /// The first identity of an event that belongs only to others.
    fn foreign_fact(&self, receiver: &Principal, receipt: &Receipt) -> Option<(IdentityFact, PrincipalId)> {
        receipt.identities.iter().find_map(|fact| match self.whose(receiver, *fact) {
            Whose::Others(owner) => Some((*fact, owner)),
            Whose::Mine | Whose::Unknown => None,
        })
    }

    /// Whose event the frame is, by which of the identity rules, if it is not the receiver's: as an identity in it says. Where that
    /// was cut off with the rest of it, the owner of a canary in it says so, if whole events go to others there.
    pub(crate) fn misrouted(&self, place: Place, frame: &EventFrame) -> Option<(u16, PrincipalId)> {
        if let Some((fact, owner)) = self.foreign_fact(self.receiver(place.scope), &frame.receipt) {
            return Some((fact.rule, owner));
        }
        let rule = self.misrouting.get(&place.step).filter(|_| frame.opcode == Opcode::EventCut)?;
        frame.receipt.seen.iter().find_map(|seen| self.leaked_by(place, seen)).map(|owner| (*rule, owner))
    }

    /// Takes notice of an event that names somebody, once every identity of the round is known.
    pub(crate) fn note_misrouted(&mut self, event: &Event) {
        let (Some(place), Happening::Frame(frame)) = (self.place(event.op), &event.what) else { return };
        if let Some((fact, _)) = self.foreign_fact(self.receiver(place.scope), &frame.receipt) {
            self.misrouting.entry(place.step).or_insert(fact.rule);
        }
    }

    /// The owner of a canary that the one who receives it there may not see, and that no try of a tenant has left there.
    fn leaked_by(&self, place: Place, seen: &Seen) -> Option<PrincipalId> {
        let Found::Canary { id, strength } = seen.sighting.found else { return None };
        let Origin::Known(planted) = self.book.origin(id) else { return None };
        let is_leak = strength != Strength::Masked
            && !self.is_allowed(place, id, &planted)
            && self.probes.behind(id, self.receiver(place.scope).tenant).is_empty();
        is_leak.then_some(planted.owner.id)
    }

    /// The try by which an attacker's identity may have come into what its owner looks at afterwards.
    pub(crate) fn change_behind(&self, place: Place, fact: IdentityFact) -> Option<OpId> {
        if !matches!(place.purpose, Purpose::Confirm { .. }) && place.phase != Phase::Cleanup {
            return None;
        }
        let mut tries = self.probes.changes(self.receiver(place.scope).tenant).iter().copied();
        tries.find(|probe| {
            let attacker = self.place(*probe).map(|tried| self.receiver(tried.scope));
            attacker.is_some_and(|attacker| self.identities.belongs_to(attacker, fact))
        })
    }

    /// Whether a later event of the round may still change what this one means: it carries a value that is not, or not
    /// yet, known to be the receiver's.
    pub(crate) fn is_undecided(&self, event: &Event) -> bool {
        let (Some(place), Some(receipt)) = (self.place(event.op), receipt_of(&event.what)) else { return false };
        let receiver = self.receiver(place.scope);
        let mine = |value| self.credentials.whose(receiver, value) == Whose::Mine;
        receipt.identities.iter().any(|fact| self.whose(receiver, *fact) != Whose::Mine)
            || (self.publishes || is_cut(event)) && receipt.seen.iter().any(|seen| !self.may_see(place, seen))
            || receipt.credential.is_some_and(|value| !mine(value))
    }

    /// Whether answers of the round may make secrets public.
    pub(crate) fn publishes(&self) -> bool {
        self.publishes
    }

    /// Whether the one who received it there may see what was seen.
    pub(crate) fn may_see(&self, place: Place, seen: &Seen) -> bool {
        match seen.sighting.found {
            Found::Canary { id, .. } => match self.book.origin(id) {
                Origin::Known(planted) => self.is_allowed(place, id, &planted),
                Origin::LongAgo(owner) => self.may_see_long_ago(place, owner),
                Origin::Forgotten | Origin::Stranger => false,
            },
            _ => false,
        }
    }

    /// Whether the one who receives a planted canary in an operation may see it: by its scope, by a role, as a member, or
    /// because everybody may.
    pub(crate) fn is_allowed(&self, place: Place, canary: CanaryId, planted: &Planted<'_>) -> bool {
        let receiver = self.receiver(place.scope);
        if self.step(place).is_search() && receiver.tenant == planted.owner.tenant {
            return true;
        }
        let path = receiver.may_see(planted.owner, planted.scope);
        let of_this_pass =
            planted.scope != Scope::Operation || planted.plant.is_none_or(|plant| self.is_same_pass(place, plant));
        let plant = planted.plant.filter(|plant| self.is_still_shared(*plant, planted.owner));
        path && of_this_pass
            || self.plan.sharing.by_role(receiver, planted.owner)
            || plant.is_some_and(|plant| self.shares.reach(&self.plan, receiver, plant, planted.scope))
            || self.book.is_public(canary)
    }

    /// Whether what the pass makes belongs to others as well.
    pub(crate) fn is_shared_with_members(&self, place: Place) -> bool {
        let flow = self.plan.scope(place.scope).flow;
        self.plan.flows.get(usize::from(flow.0)).is_some_and(|flow| !flow.members.is_empty())
    }

    /// Of a secret of which only the owner is known any more: its own tenant may see it.
    pub(crate) fn may_see_long_ago(&self, place: Place, owner: &Principal) -> bool {
        let receiver = self.receiver(place.scope);
        receiver.may_see(owner, Scope::Tenant) || self.plan.sharing.by_role(receiver, owner)
    }

    /// Whether secrets are shared beyond what their scopes say, so that of one from long ago nobody knows who may see it.
    pub(crate) fn shares(&self) -> bool {
        self.publishes || self.plan.flows.iter().any(|flow| !flow.members.is_empty())
    }

    /// A session's own canary belongs to all of its passes.
    fn is_same_pass(&self, place: Place, plant: Plant) -> bool {
        plant.flow == FlowId::SESSION || plant.ordinal == self.ordinal && self.is_one_pass(plant.scope, place.scope)
    }

    /// With whom a pass is shared, the current plan says of its own; and of one of an earlier round, if the same people act
    /// again and the same pass has the same place.
    fn is_still_shared(&self, plant: Plant, owner: &Principal) -> bool {
        let scope = || self.plan.scopes.get(plant.scope.0 as usize).filter(|scope| scope.flow == plant.flow);
        let again = || {
            scope()
                .and_then(|scope| self.plan.principal(scope.principal))
                .is_some_and(|now| (now.tenant, now.user, now.session) == (owner.tenant, owner.user, owner.session))
        };
        plant.ordinal == self.ordinal || self.book.is_of_cast(plant.ordinal) && again()
    }
}

/// Whether it is an event of which only the beginning came.
fn is_cut(event: &Event) -> bool {
    matches!(&event.what, Happening::Frame(frame) if frame.opcode == Opcode::EventCut)
}

/// What the event brought, if it brought something.
pub(crate) fn receipt_of(what: &Happening) -> Option<&Receipt> {
    match what {
        Happening::Ok(answer)
        | Happening::Fail { answer, .. }
        | Happening::Info { answer, .. }
        | Happening::Attempt { answer, .. } => Some(&answer.receipt),
        Happening::Frame(frame) => Some(&frame.receipt),
        _ => None,
    }
}

/// The same, to be changed.
pub(crate) fn receipt_of_mut(what: &mut Happening) -> Option<&mut Receipt> {
    match what {
        Happening::Ok(answer)
        | Happening::Fail { answer, .. }
        | Happening::Info { answer, .. }
        | Happening::Attempt { answer, .. } => Some(&mut answer.receipt),
        Happening::Frame(frame) => Some(&mut frame.receipt),
        _ => None,
    }
}

/// The channel through which an identity came.
pub(crate) fn channel_of(what: &Happening) -> Channel {
    match what {
        Happening::Frame(frame) => match frame.opcode {
            Opcode::Text => Channel::TextFrame,
            Opcode::Binary => Channel::BinaryFrame,
            Opcode::Close => Channel::CloseReason,
            Opcode::Event | Opcode::EventCut => Channel::SseEvent,
            Opcode::Webhook => Channel::Webhook,
        },
        _ => Channel::Body,
    }
}

fn state_after(what: &Happening) -> Option<State> {
    Some(match what {
        Happening::Invoke { .. } => State::Open,
        Happening::Ok(_) => State::Ok,
        Happening::Fail { .. } => State::Fail,
        Happening::Info { .. } => State::Info,
        Happening::Skipped { .. } | Happening::Withheld { .. } => State::Skipped,
        Happening::NotDue { .. } => State::NotDue,
        Happening::Perturbed(_)
        | Happening::SentAgain { .. }
        | Happening::Attempt { .. }
        | Happening::Renewed
        | Happening::Frame(_)
        | Happening::Identity { .. }
        | Happening::Credential { .. }
        | Happening::SelfTest { .. } => return None,
    })
}

/// Which canary a reference of a step means in a scope, if the plan has it.
pub(crate) fn canary_of(plan: &Plan, scope: ScopeId, canary: CanaryRef) -> Option<CanaryId> {
    let of = plan.scopes.get(scope.0 as usize)?;
    let of = match canary.level {
        Level::Flow | Level::Outer(_) => plan.scopes.get(plan.scope_at(scope, canary.level).0 as usize)?,
        Level::Session => {
            let first = plan.principals.first()?.id.0;
            plan.scopes.get(of.principal.0.checked_sub(first)? as usize)?
        }
    };
    of.canaries.get(usize::from(canary.slot)).copied()
}

fn places_of(plan: &Plan) -> Result<Vec<Place>, String> {
    check_people(plan)?;
    check_models(plan)?;
    if plan.ops().count() != plan.op_count as usize {
        return Err("it has another number of operations than it says".to_owned());
    }
    let mut places = vec![None; plan.op_count as usize];
    for (phase, _, op) in plan.ops() {
        let free = places.get_mut(op.id.0 as usize).filter(|place| place.is_none());
        let free = free.ok_or_else(|| format!("operation {} is there twice, or beyond their number", op.id.0))?;
        let course = if op.manner.cut.is_some() { Course::CutOff } else { Course::Whole };
        let place = Place { phase, step: op.step, scope: op.scope, purpose: op.purpose, course };
        check_place(plan, place).map_err(|what| format!("operation {} names {what} that is not there", op.id.0))?;
        *free = Some(place);
    }
    places.into_iter().collect::<Option<_>>().ok_or_else(|| "an operation is missing".to_owned())
}

fn check_people(plan: &Plan) -> Result<(), String> {
    let consecutive = plan.principals.windows(2).all(|pair| pair[0].id.0.checked_add(1) == Some(pair[1].id.0));
    let known = |scope: &coalmine_core::plan::ScopeOf| {
        plan.principal(scope.principal).is_some() && usize::from(scope.flow.0) < plan.flows.len()
    };
    match (consecutive, plan.scopes.iter().all(known)) {
        (true, true) => check_turns(plan),
        (false, _) => Err("its principals are not numbered one after another".to_owned()),
        (_, false) => Err("a scope names a principal or a flow that is not there".to_owned()),
    }
}

/// A turn belongs to the one in whose pass it is.
fn check_turns(plan: &Plan) -> Result<(), String> {
    for (scope, of) in (0..).map(ScopeId).zip(&plan.scopes) {
        let Some(turn) = of.turn else { continue };
        if turn.within >= scope || plan.scope(turn.within).principal != of.principal {
            return Err("a turn of a block stands in no pass of its principal".to_owned());
        }
    }
    Ok(())
}

fn check_place(plan: &Plan, place: Place) -> Result<(), &'static str> {
    let scope_is_there = |scope: ScopeId| (scope.0 as usize) < plan.scopes.len();
    let purpose = match place.purpose {
        Purpose::Flow | Purpose::Shake | Purpose::Fresh => true,
        Purpose::Visit { host }
        | Purpose::Role { host, .. }
        | Purpose::Anonymous { host }
        | Purpose::Revalidate { other: host }
        | Purpose::Twin { with: host, .. }
        | Purpose::Short { session: host, .. } => scope_is_there(host),
        Purpose::Probe { victim, object, .. } => {
            scope_is_there(victim)
                && plan.objects.get(usize::from(object)).is_some_and(|rule| usize::from(rule.read.0) < plan.steps.len())
        }
        Purpose::Unknown { like, object, .. } | Purpose::Timed { like, object, .. } => {
            scope_is_there(like) && usize::from(object) < plan.objects.len()
        }
        Purpose::Confirm { probe } => probe.0 < plan.op_count,
    };
    match (usize::from(place.step.0) < plan.steps.len(), scope_is_there(place.scope), purpose) {
        (false, ..) => Err("a step"),
        (_, false, _) => Err("a scope"),
        (.., false) => Err("a victim, an object or a try"),
        (true, true, true) => Ok(()),
    }
}

fn check_models(plan: &Plan) -> Result<(), String> {
    let mut named = plan.steps.iter().flat_map(|step| &step.models).flat_map(|model| {
        let flow = making::flow_of(plan, model);
        let flow_is_known = model.made_by.is_empty() || flow.is_some();
        let mut steps = model.made_by.iter().chain(&model.removed_by);
        std::iter::once(flow_is_known && steps.all(|step| usize::from(step.0) < plan.steps.len()))
    });
    if named.all(|is_there| is_there) { Ok(()) } else { Err("a model names a step that is not there".to_owned()) }
}
