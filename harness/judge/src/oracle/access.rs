//! Could anyone read, change or remove another's object by its id?

use std::collections::HashMap;

use coalmine_canary::{Found, Strength};
use coalmine_core::history::{Answer, Channel, Event, Happening, Seen};
use coalmine_core::plan::{self, OpId, Purpose, ScopeId};
use coalmine_core::step::Action;
use coalmine_core::verdict::{Evidence, OracleId};

use super::foreign_canary::sighting_evidence;
use super::identity_echo::identity_evidence;
use super::{Oracle, Testimony};
use crate::book::{Origin, Plant};
use crate::identities::Whose;
use crate::lead::{Hit, Leads};
use crate::probes::victim_of;
use crate::round::{Place, Round, channel_of, receipt_of};

/// A try counts by what came of it, never by its status: a read by the victim's content in the answer, a change by the
/// attacker's secret in what the owner reads, a removal by the object's being gone for its owner.
pub(crate) struct Access {
    leads: Leads,
    /// Owners' objects that were read ok, and when first.
    read_ok: HashMap<(ScopeId, u16), u64>,
    /// When an operation of the principal's scope last ended ok.
    alive: HashMap<coalmine_core::PrincipalId, u64>,
    /// Scopes whose owner removed something by itself, and when that began.
    removed_by_owner: HashMap<ScopeId, u64>,
    /// When each try to remove ended ok.
    removals: HashMap<OpId, u64>,
    gone: Vec<Gone>,
}

/// An owner looked after a try to remove, and the object was not there.
struct Gone {
    probe: OpId,
    event: Event,
    status: u16,
}

/// What shows that a try succeeded.
struct Proof {
    channel: Option<Channel>,
    evidence: Evidence,
    plant: Option<Plant>,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            leads: Leads::of(OracleId::Access),
            read_ok: HashMap::new(),
            alive: HashMap::new(),
            removed_by_owner: HashMap::new(),
            removals: HashMap::new(),
            gone: Vec::new(),
        }
    }
}

impl Oracle for Access {
    fn id(&self) -> OracleId {
        OracleId::Access
    }

    fn event(&mut self, round: &Round, event: &Event) {
        let Some(place) = round.place_of(event) else { return };
        match place.purpose {
            Purpose::Probe { .. } => self.probe(round, event, place),
            Purpose::Confirm { probe } => self.confirm(round, event, place, probe),
            Purpose::Flow | Purpose::Visit { .. } => self.flow(round, event, place),
            Purpose::Role { .. }
            | Purpose::Unknown { .. }
            | Purpose::Timed { .. }
            | Purpose::Twin { .. }
            | Purpose::Anonymous { .. }
            | Purpose::Shake
            | Purpose::Fresh
            | Purpose::Revalidate { .. }
            | Purpose::Short { .. } => {}
        }
        self.changed(round, event, place);
        self.signed(round, event, place);
    }

    fn end(&mut self, round: &Round) {
        for gone in std::mem::take(&mut self.gone) {
            self.removed(round, &gone);
        }
        self.read_ok.clear();
        self.alive.clear();
        self.removed_by_owner.clear();
        self.removals.clear();
    }

    fn answer(&mut self) -> Testimony {
        Testimony { leads: self.leads.take(), ..Testimony::default() }
    }
}

impl Access {
    fn flow(&mut self, round: &Round, event: &Event, place: Place) {
        match &event.what {
            Happening::Invoke { .. } if removes(round, place) => {
                let first = self.removed_by_owner.entry(place.host()).or_insert(event.seq);
                *first = event.seq.min(*first);
            }
            Happening::Ok(_) => {
                self.note_alive(round, event, place);
                round.read_by_owner(place).into_iter().for_each(|object| self.note_read(object, event.seq));
            }
            _ => {}
        }
    }

    fn note_read(&mut self, object: (ScopeId, u16), seq: u64) {
        let first = self.read_ok.entry(object).or_insert(seq);
        *first = seq.min(*first);
    }

    fn note_alive(&mut self, round: &Round, event: &Event, place: Place) {
        let principal = round.receiver(place.scope).id;
        let last = self.alive.entry(principal).or_default();
        *last = event.seq.max(*last);
    }

    fn probe(&mut self, round: &Round, event: &Event, place: Place) {
        let Purpose::Probe { victim, access, .. } = place.purpose else { return };
        if access == plan::Access::Delete && matches!(event.what, Happening::Ok(_)) {
            self.removals.insert(event.op, event.seq);
        }
        let Some(receipt) = receipt_of(&event.what) else { return };
        for seen in &receipt.seen {
            self.read(round, event, place, seen);
        }
        let (attacker, owner) = (round.receiver(place.scope), round.receiver(victim));
        for fact in &receipt.identities {
            let foreign = matches!(round.whose(attacker, *fact), Whose::Others(_));
            if foreign && round.identities.belongs_to(owner, *fact) {
                let field = round.identities.name(fact.rule);
                let evidence = identity_evidence(round, event, attacker, Some(owner), field);
                let proof = Proof { channel: Some(channel_of(&event.what)), evidence, plant: None };
                self.add(round, place, plan::Access::Read, proof);
            }
        }
    }

    fn read(&mut self, round: &Round, event: &Event, place: Place, seen: &Seen) {
        let (Some(victim), Found::Canary { id, strength }) = (victim_of(place), seen.sighting.found.clone()) else {
            return;
        };
        let attacker = round.receiver(place.scope);
        let Origin::Known(planted) = round.book.origin(id) else { return };
        let of_victim = planted.owner.tenant == round.receiver(victim).tenant;
        if of_victim && strength != Strength::Masked && !round.is_allowed(place, id, &planted) {
            let evidence = sighting_evidence(round, event, attacker, seen, Some(&planted));
            let proof = Proof { channel: Some(seen.channel), evidence, plant: planted.plant };
            self.add(round, place, plan::Access::Read, proof);
        }
    }

    fn confirm(&mut self, round: &Round, event: &Event, place: Place, probe: OpId) {
        let tried = round.place(probe).map(|place| place.purpose);
        let Some(Purpose::Probe { victim, object, access }) = tried else { return };
        match &event.what {
            Happening::Ok(_) => {
                self.note_alive(round, event, place);
                self.note_read((victim, object), event.seq);
            }
            Happening::Fail { answer: Answer { status: Some(status), .. }, .. }
                if access == plan::Access::Delete && is_gone(*status) =>
            {
                self.gone.push(Gone { probe, event: event.clone(), status: *status });
            }
            _ => {}
        }
    }

    /// The owner of a tried object sees what the attacker sent.
    fn changed(&mut self, round: &Round, event: &Event, place: Place) {
        let Some(receipt) = receipt_of(&event.what) else { return };
        let owner = round.receiver(place.scope);
        for seen in &receipt.seen {
            let Found::Canary { id, strength } = seen.sighting.found else { continue };
            let Some(&probe) = round.probes.behind(id, owner.tenant).first() else { continue };
            let (Some(tried), Origin::Known(planted)) = (round.place(probe), round.book.origin(id)) else { continue };
            if strength != Strength::Masked && !round.is_allowed(place, id, &planted) {
                let evidence = sighting_evidence(round, event, owner, seen, Some(&planted));
                let proof = Proof { channel: Some(seen.channel), evidence, plant: planted.plant };
                self.add(round, tried, plan::Access::Update, proof);
            }
        }
    }

    /// The owner of a tried object is told that it is the attacker's.
    fn signed(&mut self, round: &Round, event: &Event, place: Place) {
        let Some(receipt) = receipt_of(&event.what) else { return };
        let owner = round.receiver(place.scope);
        for fact in &receipt.identities {
            let Whose::Others(_) = round.whose(owner, *fact) else { continue };
            let Some(tried) = round.change_behind(place, *fact).and_then(|probe| round.place(probe)) else { continue };
            let attacker = round.receiver(tried.scope);
            let evidence = identity_evidence(round, event, owner, Some(attacker), round.identities.name(fact.rule));
            let proof = Proof { channel: Some(channel_of(&event.what)), evidence, plant: None };
            self.add(round, tried, plan::Access::Update, proof);
        }
    }

    fn removed(&mut self, round: &Round, gone: &Gone) {
        let Some(tried) = round.place(gone.probe) else { return };
        let Purpose::Probe { victim, object, .. } = tried.purpose else { return };
        let Some(&removed) = self.removals.get(&gone.probe) else { return };
        let read_before = self.read_ok.get(&(victim, object)).is_some_and(|read| *read < removed);
        let alive = self.alive.get(&round.receiver(victim).id).is_some_and(|last| *last > removed);
        // Any other refusal than "not there" may as well mean that the owner's session is over.
        let session_works = matches!(gone.status, 404 | 410) || alive;
        // What owners remove later, when they clean up, says nothing about what they saw before.
        let by_owner = self.removed_by_owner.get(&victim).is_some_and(|removed| *removed < gone.event.seq);
        if read_before && session_works && !by_owner {
            let evidence = gone_evidence(round, gone, victim);
            self.add(round, tried, plan::Access::Delete, Proof { channel: None, evidence, plant: None });
        }
    }

    fn add(&mut self, round: &Round, tried: Place, access: plan::Access, proof: Proof) {
        let Purpose::Probe { victim, object, .. } = tried.purpose else { return };
        let (attacker, owner) = (round.receiver(tried.scope), round.receiver(victim));
        let object = round.plan.objects.get(usize::from(object)).map_or("?", |rule| rule.name.as_str());
        let (done, name) = match access {
            plan::Access::Read | plan::Access::List | plan::Access::Export => ("read", "read"),
            plan::Access::Update => ("changed", "update"),
            plan::Access::Delete => ("removed", "delete"),
        };
        let hit = Hit {
            names: &[object, name],
            place: tried,
            channel: proof.channel,
            summary: if attacker.is_anonymous() {
                format!("anybody can read the `{object}` of {owner} by its id: no credentials were sent")
            } else {
                format!("{attacker} {done} the `{object}` of {owner} by its id")
            },
            receiver: attacker,
            owner: Some(owner),
            evidence: proof.evidence,
            plant: proof.plant,
        };
        self.leads.add(round, hit);
    }
}

fn removes(round: &Round, place: Place) -> bool {
    let deletes = round.plan.objects.iter().any(|rule| rule.delete == Some(place.step));
    let method = matches!(&round.step(place).action, Action::Request(request) if request.method == "DELETE");
    deletes || method
}

fn is_gone(status: u16) -> bool {
    (400..500).contains(&status) && !matches!(status, 401 | 429)
}

fn gone_evidence(round: &Round, gone: &Gone, victim: ScopeId) -> Evidence {
    let owner = round.receiver(victim);
    let context = Some(format!("the owner's read was answered with {} afterwards", gone.status));
    Evidence { context, ..Evidence::of(owner, Some(owner), round.moment(&gone.event)) }
}

#[cfg(test)]
mod tests {
    use coalmine_core::history::Receipt;
    use coalmine_core::plan::Access::{Delete, Read, Update};
    use coalmine_core::plan::{Lane, Op, Phase, Stage};
    use coalmine_core::verdict::Outcome;

    use super::*;
    use crate::fixture::{CHANGE, DELETE, NOTE, READ, SECRET, Story, USER, fact, fail, seen, value_of};

    fn ok() -> Happening {
        Happening::Ok(Answer { status: Some(200), ..Answer::default() })
    }

    /// The try is answered with ok and nothing else comes of it.
    fn accepted(access: plan::Access) -> Story {
        let mut story = Story::honest(3);
        story.ends(story.probe(0, access), ok());
        story
    }

    fn summaries(story: &Story) -> Vec<String> {
        let findings = story.judge().verdict.findings;
        findings.into_iter().map(|finding| format!("{} {}", finding.oracle, finding.summary)).collect()
    }

    #[test]
    fn a_status_alone_proves_nothing() {
        for access in [Read, Update, Delete] {
            assert_eq!(accepted(access).judge().verdict.outcome, Outcome::Pass, "{access:?}");
        }
    }

    #[test]
    fn the_victims_canary_in_the_answer_is_a_read() {
        let mut story = accepted(Read);
        let theirs = story.canary(1, SECRET);
        story.answers(story.probe(0, Read), |answer| answer.receipt.seen.push(seen(Channel::Body, theirs)));
        assert_eq!(summaries(&story), ["access tenant 0 read the `note` of tenant 1 by its id"]);
        assert_eq!(story.judge().verdict.findings[0].operation, "read");
    }

    #[test]
    fn the_victims_identity_in_the_answer_is_a_read() {
        for (rule, leaks) in
            [(fact(USER, value_of(USER, 1)), 1), (fact(NOTE, value_of(NOTE, 1)), 1), (fact(USER, value_of(USER, 0)), 0)]
        {
            let mut story = accepted(Read);
            story.answers(story.probe(0, Read), |answer| answer.receipt.identities.push(rule));
            assert_eq!(summaries(&story).len(), leaks);
        }
    }

    #[test]
    fn what_an_attacker_captures_while_trying_does_not_become_its_own() {
        let mut story = accepted(Read);
        story.answers(story.probe(0, Read), |answer| {
            let id = coalmine_core::template::VariableRef { level: coalmine_core::template::Level::Flow, slot: 0 };
            answer.receipt.captured.push((id, value_of(NOTE, 1)));
            answer.receipt.identities.push(fact(NOTE, value_of(NOTE, 1)));
        });
        assert_eq!(summaries(&story).len(), 1);
    }

    #[test]
    fn a_third_tenants_canary_in_the_answer_is_a_foreign_canary() {
        let mut story = accepted(Read);
        let third = story.canary(2, SECRET);
        story.answers(story.probe(0, Read), |answer| answer.receipt.seen.push(seen(Channel::Body, third)));
        assert_eq!(story.found(), [(OracleId::ForeignCanary, "read".to_owned())]);
    }

    #[test]
    fn what_the_owner_reads_afterwards_shows_a_change() {
        let mut story = accepted(Update);
        let attackers = story.canary(0, CHANGE);
        story.answers(story.confirm(0, Update), |answer| answer.receipt.seen.push(seen(Channel::Body, attackers)));
        // It stays there for whoever of the victim's looks later.
        story.answers(story.confirm(0, Delete), |answer| answer.receipt.seen.push(seen(Channel::Body, attackers)));
        assert_eq!(summaries(&story), ["access tenant 0 changed the `note` of tenant 1 by its id"]);
        let finding = &story.judge().verdict.findings[0];
        assert_eq!((finding.operation.as_str(), finding.count), ("update", 2));
        assert_eq!(finding.evidence.planted.as_ref().map(|planted| planted.op), Some(story.probe(0, Update)));
    }

    #[test]
    fn an_object_that_is_the_attackers_afterwards_was_changed() {
        let signed = |mut story: Story| {
            let facts = vec![fact(USER, value_of(USER, 0))];
            story.answers(story.confirm(0, Update), |answer| answer.receipt.identities = facts.clone());
            story.answers(story.confirm(0, Delete), |answer| answer.receipt.identities = facts);
            story.found()
        };
        assert_eq!(signed(accepted(Update)), [(OracleId::Access, "update".to_owned())]);
        // Without a try that may have changed it, it is an echo.
        assert_eq!(signed(accepted(Read)), [(OracleId::IdentityEcho, "read".to_owned())]);
    }

    #[test]
    fn the_attackers_other_canaries_are_foreign_canaries_of_the_owner() {
        let mut story = accepted(Update);
        let attackers = story.canary(0, SECRET);
        story.answers(story.confirm(0, Update), |answer| answer.receipt.seen.push(seen(Channel::Body, attackers)));
        assert_eq!(story.found(), [(OracleId::ForeignCanary, "read".to_owned())]);
    }

    #[test]
    fn a_refused_try_is_not_blamed_for_what_the_attackers_flow_sends_as_well() {
        let mut story = Story::honest(3);
        story.plan.steps[usize::from(crate::fixture::CREATE.0)].action =
            story.plan.steps[usize::from(crate::fixture::UPDATE.0)].action.clone();
        let attackers = story.canary(0, CHANGE);
        story.answers(story.confirm(0, Update), |answer| answer.receipt.seen.push(seen(Channel::Body, attackers)));
        assert_eq!(story.found(), [(OracleId::ForeignCanary, "read".to_owned())]);
    }

    #[test]
    fn an_object_that_is_gone_for_its_owner_was_removed() {
        let mut story = accepted(Delete);
        story.ends(story.confirm(0, Delete), fail(404, Receipt::default()));
        assert_eq!(summaries(&story), ["access tenant 0 removed the `note` of tenant 1 by its id"]);
    }

    #[test]
    fn an_object_that_is_gone_without_an_accepted_try_was_not() {
        let mut story = Story::honest(3);
        story.ends(story.confirm(0, Delete), fail(404, Receipt::default()));
        assert_eq!(story.found(), []);
    }

    #[test]
    fn an_owner_whose_session_is_over_proves_nothing() {
        for status in [401, 429, 403, 500] {
            let mut story = accepted(Delete);
            story.ends(story.confirm(0, Delete), fail(status, Receipt::default()));
            assert_eq!(story.found(), [], "{status}");
        }
    }

    #[test]
    fn an_object_that_its_owner_never_read_or_removed_itself_proves_nothing() {
        let mut story = accepted(Delete);
        story.ends(story.confirm(0, Delete), fail(404, Receipt::default()));
        let mut unread = accepted(Delete);
        unread.ends(unread.confirm(0, Delete), fail(404, Receipt::default()));
        for op in [unread.op(1, READ), unread.confirm(0, Read), unread.confirm(0, Update)] {
            unread.ends(op, fail(500, Receipt::default()));
        }
        assert_eq!(unread.found(), []);
        let close = story.op(1, crate::fixture::CLOSE);
        let ops = story.plan.stages.iter_mut().flat_map(|stage| &mut stage.lanes).flat_map(|lane| &mut lane.ops);
        ops.filter(|op| op.id == close).for_each(|op| op.step = DELETE);
        assert_eq!(story.found(), []);
    }

    #[test]
    fn an_owner_who_cleans_up_later_has_not_removed_it_before() {
        let mut story = accepted(Delete);
        story.ends(story.confirm(0, Delete), fail(404, Receipt::default()));
        let id = OpId(story.plan.op_count);
        let (_, principal, op) =
            story.plan.ops().find(|(_, _, op)| op.id == story.op(1, crate::fixture::CLOSE)).unwrap();
        let op = Op { id, step: DELETE, ..op.clone() };
        let lane = Lane { principal, ops: vec![op], beside: None };
        story.plan.stages.push(Stage { phase: Phase::Cleanup, lanes: vec![lane] });
        story.plan.op_count += 1;
        story.add(id, Happening::Invoke { connection: None });
        story.add(id, fail(404, Receipt::default()));
        assert_eq!(summaries(&story), ["access tenant 0 removed the `note` of tenant 1 by its id"]);
    }

    #[test]
    fn a_masked_canary_proves_no_access() {
        let mut story = accepted(Read);
        let theirs = crate::fixture::seen_as(Channel::Body, story.canary(1, SECRET), Strength::Masked);
        story.answers(story.probe(0, Read), |answer| answer.receipt.seen.push(theirs));
        assert_eq!(story.found(), []);
    }
}
