//! Could a role do what it may not?

use std::collections::{BTreeMap, HashMap};

use coalmine_canary::{CanaryId, Found, Strength};
use coalmine_core::history::{Answer, Channel, Event, Happening, Seen};
use coalmine_core::plan::{OpId, Purpose};
use coalmine_core::verdict::{Evidence, OracleId, RoleCell, Rule, Shortfall, ShortfallKind};

use super::{Oracle, Testimony};
use crate::book::Origin;
use crate::lead::{Hit, Leads};
use crate::round::{Place, Round, receipt_of};

/// Which role may do which step. What is denied counts by what came of it, never by its status: by a colleague's secret or a
/// captured field in an answer that was ok, or by the secret that was sent in what the owner reads afterwards. What is
/// allowed must end ok: a matrix of which everything is refused proves nothing.
pub(crate) struct Role {
    leads: Leads,
    cells: BTreeMap<(String, String, bool), Cell>,
    /// What denied operations of this round have sent.
    sent: HashMap<CanaryId, OpId>,
}

#[derive(Default)]
struct Cell {
    tried: u64,
    /// Those that prove something: allowed and ok, or denied and answered by somebody who knew the session.
    counted: u64,
    /// Denied, and ok without anything to show for it.
    empty: u64,
}

impl Default for Role {
    fn default() -> Self {
        Self { leads: Leads::of(OracleId::Role), cells: BTreeMap::new(), sent: HashMap::new() }
    }
}

impl Oracle for Role {
    fn id(&self) -> OracleId {
        OracleId::Role
    }

    fn event(&mut self, round: &Round, event: &Event) {
        let Some(place) = round.place(event.op) else { return };
        match place.purpose {
            Purpose::Role { allowed, .. } => self.cell(round, event, place, allowed),
            Purpose::Flow => self.own(round, event, place),
            Purpose::Confirm { probe } => self.changed(round, event, probe),
            _ => {}
        }
    }

    fn end(&mut self, round: &Round) {
        let roles: Vec<&String> = round.plan.principals.iter().filter_map(|who| who.role.as_ref()).collect();
        for step in round.plan.steps.iter().filter(|step| !step.allowed.is_empty()) {
            for role in &roles {
                let key = (step.name.clone(), (*role).clone(), step.allowed.contains(role));
                self.cells.entry(key).or_default();
            }
        }
        self.sent.clear();
    }

    fn answer(&mut self) -> Testimony {
        let shortfalls: Vec<Shortfall> = self.cells.iter().filter_map(|(key, cell)| missing(key, cell)).collect();
        let roles = self.cells.iter().map(|((step, role, allowed), cell)| RoleCell {
            step: step.clone(),
            role: role.clone(),
            rule: if *allowed { Rule::Allowed } else { Rule::Denied },
            tried: cell.tried,
            counted: cell.counted,
        });
        Testimony { leads: self.leads.take(), shortfalls, roles: roles.collect(), ..Testimony::default() }
    }
}

impl Role {
    fn of(&mut self, round: &Round, place: Place, allowed: bool) -> &mut Cell {
        let role = round.receiver(place.scope).role.clone().unwrap_or_else(|| "none".to_owned());
        self.cells.entry((round.step(place).name.clone(), role, allowed)).or_default()
    }

    /// Those who go through a flow are allowed to do its steps.
    fn own(&mut self, round: &Round, event: &Event, place: Place) {
        if matches!(event.what, Happening::Ok(_)) && !round.step(place).allowed.is_empty() {
            let cell = self.of(round, place, true);
            cell.tried += 1;
            cell.counted += 1;
        }
    }

    fn cell(&mut self, round: &Round, event: &Event, place: Place, allowed: bool) {
        if let (Happening::Invoke { .. }, false) = (&event.what, allowed) {
            let sends = round.step(place).sends();
            let canaries = sends.into_iter().filter_map(|canary| round.canary(place.scope, canary));
            self.sent.extend(canaries.map(|canary| (canary, event.op)));
        }
        let proven = |answer: &Answer| answer.status.is_some_and(|status| !matches!(status, 401 | 429));
        match &event.what {
            Happening::Invoke { .. } => self.of(round, place, allowed).tried += 1,
            Happening::Ok(_) if allowed => self.of(round, place, allowed).counted += 1,
            Happening::Ok(answer) => {
                self.of(round, place, allowed).counted += 1;
                self.done(round, event, place, answer);
            }
            Happening::Fail { answer, .. } if !allowed && proven(answer) => {
                self.of(round, place, allowed).counted += 1;
            }
            _ => {}
        }
    }

    /// A denied operation ended ok.
    fn done(&mut self, round: &Round, event: &Event, place: Place, answer: &Answer) {
        let tenant = round.receiver(place.scope).tenant;
        let of_colleague = |seen: &&Seen| match seen.sighting.found {
            Found::Canary { id, strength } if strength != Strength::Masked => match round.book.origin(id) {
                Origin::Known(planted) => {
                    planted.owner.tenant == tenant && planted.owner.id != round.receiver(place.scope).id
                }
                _ => false,
            },
            _ => false,
        };
        let secret = answer.receipt.seen.iter().find(of_colleague);
        match secret {
            Some(seen) => self.add(round, event, place, "shown a colleague's secret", Some(seen.channel)),
            None if !answer.receipt.captured.is_empty() => {
                self.add(round, event, place, "given what the step is for", Some(Channel::Body));
            }
            None => self.of(round, place, false).empty += 1,
        }
    }

    /// The owner sees what a denied operation has sent.
    fn changed(&mut self, round: &Round, event: &Event, probe: OpId) {
        let (Some(tried), Some(receipt)) = (round.place(probe), receipt_of(&event.what)) else { return };
        for seen in &receipt.seen {
            let Found::Canary { id, strength } = seen.sighting.found else { continue };
            if strength != Strength::Masked && self.sent.get(&id) == Some(&probe) {
                self.add(round, event, tried, "heard, as its owner sees", Some(seen.channel));
            }
        }
    }

    fn add(&mut self, round: &Round, event: &Event, place: Place, how: &str, channel: Option<Channel>) {
        let Purpose::Role { host, .. } = place.purpose else { return };
        let (receiver, owner) = (round.receiver(place.scope), round.receiver(host));
        let role = receiver.role.as_deref().unwrap_or("none");
        let step = &round.step(place).name;
        let hit = Hit {
            names: &[role],
            place,
            channel,
            summary: format!("{receiver} in the role {role} did `{step}`, which it may not, and was {how}"),
            receiver,
            owner: Some(owner),
            evidence: Evidence::of(receiver, Some(owner), round.moment(event)),
            plant: None,
        };
        self.leads.add(round, hit);
    }
}

fn missing((step, role, allowed): &(String, String, bool), cell: &Cell) -> Option<Shortfall> {
    let tried = cell.tried;
    let (kind, message) = match (allowed, cell.counted, cell.empty) {
        (true, 0, _) => (
            ShortfallKind::Control,
            format!("in the role {role} `{step}` is allowed, and none of {tried} tries ended ok"),
        ),
        (false, 0, _) => (
            ShortfallKind::Probe,
            format!("in the role {role} `{step}` is not allowed, and none of {tried} tries was answered"),
        ),
        (false, _, 1..) => (
            ShortfallKind::Probe,
            format!("in the role {role} `{step}` is not allowed, and {} tries were not refused", cell.empty),
        ),
        _ => return None,
    };
    Some(Shortfall { kind, operation: Some(step.clone()), message })
}

#[cfg(test)]
mod tests {
    use coalmine_core::history::Receipt;
    use coalmine_core::plan::{Op, ScopeId};
    use coalmine_core::template::{Level, VariableRef};
    use coalmine_core::verdict::Outcome;

    use super::*;
    use crate::fixture::{READ, SECRET, Story, fail, seen, value_of};

    /// Users 0 (a leader) and 1 (a guest) of one tenant, and a second tenant; the guest reads the leader's note.
    fn guest_reading(allowed: bool, end: Happening) -> Story {
        let mut story = Story::honest(3);
        story.plan.principals[1].tenant = story.plan.principals[0].tenant;
        story.plan.principals[1].user = 1;
        story.plan.principals[0].role = Some("LEADER".into());
        story.plan.principals[1].role = Some("GUEST".into());
        let roles = ["LEADER", "GUEST"].map(str::to_owned);
        story.plan.steps[usize::from(READ.0)].allowed = roles[..if allowed { 2 } else { 1 }].to_vec();
        let mut ops = story.plan.stages.iter_mut().flat_map(|stage| &mut stage.lanes).flat_map(|lane| &mut lane.ops);
        let own = ops.find(|op| op.step == READ && op.scope == ScopeId(4)).unwrap();
        let Op { id, .. } = *own;
        own.purpose = Purpose::Role { host: ScopeId(3), allowed };
        story.ends(id, end);
        story
    }

    fn ok(receipt: Receipt) -> Happening {
        Happening::Ok(Answer { status: Some(200), receipt, ..Answer::default() })
    }

    fn about_roles(story: &Story) -> (usize, usize) {
        let verdict = story.judge().verdict;
        let findings = verdict.findings.iter().filter(|finding| finding.oracle == OracleId::Role).count();
        let shortfalls = verdict.shortfalls.iter().filter(|it| it.message.contains("in the role GUEST")).count();
        assert_ne!(findings > 0, verdict.outcome != Outcome::Leak);
        (findings, shortfalls)
    }

    fn leaders_secret() -> Receipt {
        let secret = Story::honest(3).canary(0, SECRET);
        Receipt { seen: vec![seen(Channel::Body, secret)], ..Receipt::default() }
    }

    #[test]
    fn every_cell_is_in_the_coverage_tested_or_not() {
        let cells = |end| {
            let cells = guest_reading(false, end).judge().verdict.coverage.roles;
            cells.into_iter().map(|cell| (cell.role, cell.rule, cell.counted > 0)).collect::<Vec<_>>()
        };
        let with = |tested| {
            let cells =
                [("GUEST", Rule::Denied, tested), ("LEADER", Rule::Allowed, true), ("none", Rule::Allowed, true)];
            cells.map(|(role, rule, tested)| (role.to_owned(), rule, tested)).to_vec()
        };
        assert_eq!(cells(fail(403, Receipt::default())), with(true));
        assert_eq!(cells(fail(401, Receipt::default())), with(false));
    }

    #[test]
    fn a_refused_guest_is_as_it_should_be() {
        assert_eq!(about_roles(&guest_reading(false, fail(403, Receipt::default()))), (0, 0));
    }

    #[test]
    fn a_guest_who_is_shown_a_secret_did_what_it_may_not() {
        assert_eq!(about_roles(&guest_reading(false, ok(leaders_secret()))), (1, 0));
    }

    #[test]
    fn a_guest_who_is_given_the_captured_field_did_what_it_may_not() {
        let id = VariableRef { level: Level::Flow, slot: 0 };
        let captured = Receipt { captured: vec![(id, value_of(0, 9))], ..Receipt::default() };
        assert_eq!(about_roles(&guest_reading(false, ok(captured))), (1, 0));
    }

    #[test]
    fn an_empty_answer_is_no_violation_and_no_pass() {
        assert_eq!(about_roles(&guest_reading(false, ok(Receipt::default()))), (0, 1));
    }

    #[test]
    fn a_session_that_is_over_proves_nothing() {
        assert_eq!(about_roles(&guest_reading(false, fail(401, Receipt::default()))), (0, 1));
    }

    #[test]
    fn what_is_allowed_must_end_ok() {
        assert_eq!(about_roles(&guest_reading(true, ok(leaders_secret()))), (0, 0));
        assert_eq!(about_roles(&guest_reading(true, fail(403, Receipt::default()))), (0, 1));
    }
}
