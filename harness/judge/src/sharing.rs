//! Who may see more than scopes say: by role, and as a member of what somebody shares.

use std::collections::{BTreeSet, HashMap};

use coalmine_core::plan::{FlowId, Plan, Purpose, ScopeId};
use coalmine_core::sharing::Member;
use coalmine_core::template::{CanaryRef, Level};
use coalmine_core::{Principal, PrincipalId, Scope};

use crate::book::Plant;

/// Members that one pass may have in all; the parser lets no more pass.
const MEMBERS_MAX: usize = 64;

/// The sharing of one round, indexed.
#[derive(Default)]
pub(crate) struct Shares {
    /// Passes of each owner that have members.
    shared: HashMap<PrincipalId, Vec<ScopeId>>,
    /// For what a visitor writes: the pass into which it writes.
    hosts: HashMap<ScopeId, ScopeId>,
    /// Those who share a pass with each other.
    acquainted: HashMap<PrincipalId, BTreeSet<PrincipalId>>,
}

impl Shares {
    /// Reads the plan, of which scopes and principals were checked.
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut shares = Self::default();
        for (_, _, op) in plan.ops() {
            if let Purpose::Visit { host } = op.purpose {
                shares.hosts.insert(op.scope, host);
            }
        }
        for (scope, pass) in (0..).map(ScopeId).zip(&plan.scopes) {
            if !pass.members.is_empty() && !shares.hosts.contains_key(&scope) {
                shares.shared.entry(pass.principal).or_default().push(scope);
                shares.acquaint(plan, scope);
            }
        }
        shares
    }

    fn acquaint(&mut self, plan: &Plan, scope: ScopeId) {
        let pass = plan.scope(scope);
        let mut group = BTreeSet::from([pass.principal]);
        for (member, person) in members(plan, scope) {
            group.extend(colleagues(plan, person, member.scope));
        }
        for person in &group {
            self.acquainted.entry(*person).or_default().extend(&group);
        }
    }

    /// Whether the viewer is among those with whom the owner shares what was planted there.
    pub(crate) fn reach(&self, plan: &Plan, viewer: &Principal, plant: Plant, scope: Scope) -> bool {
        let Some(pass) = plan.scopes.get(plant.scope.0 as usize) else { return false };
        if let Some(host) = self.hosts.get(&plant.scope) {
            return reach_host(plan, viewer, *host, scope);
        }
        let level = if pass.flow == FlowId::SESSION { Level::Session } else { Level::Flow };
        let canary = CanaryRef { level, slot: plant.slot };
        // A member's canaries are named by the pass; those of its turns a member sees only with all of them.
        let is_named = pass.turn.is_none();
        let scopes = self.shared.get(&pass.principal).map_or(&[][..], Vec::as_slice);
        scopes.iter().any(|shared| {
            let of_session = plan.scope(*shared).flow == FlowId::SESSION;
            let here = *shared == plan.pass_of(plant.scope);
            let sees = |member: &Member| match &member.sees {
                None => of_session || here,
                Some(canaries) => is_named && (here || level == Level::Session) && canaries.contains(&canary),
            };
            members(plan, *shared).any(|(member, person)| sees(member) && viewer.may_see(person, member.scope))
        })
    }

    /// Those with whom a principal shares a pass, in either direction.
    pub(crate) fn acquaintances(&self, principal: PrincipalId) -> impl Iterator<Item = PrincipalId> + '_ {
        self.acquainted.get(&principal).into_iter().flatten().copied()
    }
}

/// What a visitor writes belongs to its host, and to the host's members.
fn reach_host(plan: &Plan, viewer: &Principal, host: ScopeId, scope: Scope) -> bool {
    let Some(owner) = plan.principal(plan.scope(host).principal) else { return false };
    viewer.may_see(owner, scope) || members(plan, host).any(|(member, person)| viewer.may_see(person, member.scope))
}

fn members(plan: &Plan, scope: ScopeId) -> impl Iterator<Item = (&Member, &Principal)> {
    let pass = plan.scope(scope);
    let named = plan.flow(pass.flow).members.iter().zip(&pass.members).take(MEMBERS_MAX);
    named.filter_map(|(member, person)| Some((member, plan.principal(*person)?)))
}

fn colleagues<'p>(plan: &'p Plan, person: &'p Principal, scope: Scope) -> impl Iterator<Item = PrincipalId> + 'p {
    // The principals of a tenant stand side by side.
    let first = plan.principals.partition_point(|other| other.tenant < person.tenant);
    let tenant = plan.principals[first..].iter().take_while(|other| other.tenant == person.tenant);
    tenant.filter(move |other| other.may_see(person, scope)).map(|other| other.id)
}

#[cfg(test)]
mod tests {
    use coalmine_core::history::Channel;
    use coalmine_core::plan::ScopeOf;
    use coalmine_core::sharing::{Public, Reach, RoleReach};
    use coalmine_core::verdict::OracleId;

    use super::*;
    use crate::fixture::{CHANGE, CREATE, LOGIN, OPEN, READ, SECRET, Story, USER, fact, frame, seen, value_of};

    /// Tenant 0 reads the secret of tenant 1, with whom nothing is shared yet.
    fn reading() -> Story {
        let mut story = Story::honest(3);
        let theirs = story.canary(1, SECRET);
        story.answers(story.op(0, READ), |answer| answer.receipt.seen.push(seen(Channel::Body, theirs)));
        story
    }

    /// The second tenant's pass, which plants its secrets.
    fn pass(story: &mut Story) -> &mut ScopeOf {
        &mut story.plan.scopes[4]
    }

    fn member(scope: Scope, sees: Option<u16>) -> Member {
        let canary = |slot| vec![CanaryRef { level: Level::Flow, slot }];
        Member { name: "guest".into(), scope, sees: sees.map(canary) }
    }

    #[test]
    fn a_member_sees_what_is_shared_with_it_and_nothing_else() {
        for (guest, sees, leaks) in [(0, None, 0), (0, Some(SECRET), 0), (0, Some(CHANGE), 1), (2, None, 1)] {
            let mut story = reading();
            story.plan.flows[1].members = vec![member(Scope::User, sees)];
            pass(&mut story).members = vec![PrincipalId(guest)];
            assert_eq!(story.found().len(), leaks, "{guest} {sees:?}");
        }
    }

    #[test]
    fn another_pass_shares_nothing_of_this_one() {
        let mut story = reading();
        let theirs = story.plan.scopes[4].clone();
        let canaries = vec![story.canary(2, CHANGE); 2];
        story.plan.flows[1].members = vec![member(Scope::User, None)];
        pass(&mut story).members = vec![PrincipalId(2)];
        story.plan.scopes.push(ScopeOf { members: vec![PrincipalId(0)], canaries, pass: 1, ..theirs });
        assert_eq!(story.found().len(), 1);
    }

    #[test]
    fn a_member_of_the_session_sees_every_pass() {
        let mut story = reading();
        story.plan.flows[0].members = vec![member(Scope::Tenant, None)];
        story.plan.scopes[1].members = vec![PrincipalId(0)];
        assert_eq!(story.found(), []);
    }

    #[test]
    fn a_tenant_as_a_member_is_all_of_its_users() {
        for (scope, leaks) in [(Scope::Tenant, 0), (Scope::User, 1)] {
            let mut story = reading();
            story.plan.principals[1].tenant = story.plan.principals[0].tenant;
            story.plan.principals[1].user = 1;
            let theirs = story.canary(2, SECRET);
            story.answers(story.op(0, READ), |answer| answer.receipt.seen = vec![seen(Channel::Body, theirs)]);
            story.plan.flows[1].members = vec![member(scope, None)];
            story.plan.scopes[5].members = vec![PrincipalId(1)];
            let leaks_found = story.found().iter().filter(|(oracle, _)| *oracle == OracleId::ForeignCanary).count();
            assert_eq!(leaks_found, leaks, "{scope:?}");
        }
    }

    #[test]
    fn those_who_share_something_may_be_named_to_each_other() {
        for (guest, misrouted) in [(0, 0), (2, 1)] {
            let mut story = Story::honest(3);
            story.plan.flows[1].members = vec![member(Scope::User, None)];
            pass(&mut story).members = vec![PrincipalId(guest)];
            story.add(story.op(0, OPEN), frame("done", vec![], vec![fact(USER, value_of(USER, 1))]));
            assert_eq!(story.found().len(), misrouted, "{guest}");
        }
    }

    #[test]
    fn a_role_sees_as_far_as_the_scenario_says() {
        for (reach, leaks) in [(Reach::Tenant, 1), (Reach::Everything, 0)] {
            let mut story = reading();
            story.plan.principals[0].role = Some("ROOT".into());
            story.plan.sharing.roles = vec![RoleReach { role: "ROOT".into(), reach }];
            assert_eq!(story.found().len(), leaks, "{reach:?}");
        }
    }

    #[test]
    fn what_belongs_to_one_pass_is_foreign_to_another_of_the_same_session() {
        for (scope, leaks) in [(Scope::Session, 0), (Scope::Operation, 1)] {
            let mut story = Story::honest(2);
            story.plan.flows[1].canaries[0].scope = scope;
            let mine = story.canary(0, SECRET);
            assert_eq!(story.found(), []);
            let read = story.op(0, READ);
            let sibling = ScopeId(u32::try_from(story.plan.scopes.len()).unwrap());
            let canaries = vec![story.canary(1, CHANGE); 2];
            story.plan.scopes.push(ScopeOf { canaries, pass: 1, ..story.plan.scopes[2].clone() });
            let mut ops =
                story.plan.stages.iter_mut().flat_map(|stage| &mut stage.lanes).flat_map(|lane| &mut lane.ops);
            ops.find(|op| op.id == read).unwrap().scope = sibling;
            story.answers(read, |answer| answer.receipt.seen = vec![seen(Channel::Body, mine)]);
            assert_eq!(story.found().len(), leaks, "{scope:?}");
        }
    }

    #[test]
    fn what_appeared_in_public_may_appear_anywhere_before_and_after() {
        let names = |name: &str| Public::Canaries(vec![name.into()]);
        for (public, leaks) in
            [(None, 2), (Some(Public::Everything), 0), (Some(names("secret")), 0), (Some(names("change")), 2)]
        {
            let mut story = reading();
            story.plan.steps[usize::from(CREATE.0)].public = public.clone();
            let theirs = story.canary(1, SECRET);
            let before = story.op(2, LOGIN);
            story.answers(before, |answer| answer.receipt.seen.push(seen(Channel::Body, theirs)));
            story.answers(story.op(1, CREATE), |answer| answer.receipt.seen.push(seen(Channel::Body, theirs)));
            assert_eq!(story.found().len(), leaks, "{public:?}");
        }
    }

    #[test]
    fn what_a_visitor_writes_belongs_to_its_host() {
        for (purpose, leaks) in [(Purpose::Visit { host: ScopeId(3) }, 0), (Purpose::Flow, 1)] {
            let mut story = reading();
            let create = story.op(1, CREATE);
            let mut ops =
                story.plan.stages.iter_mut().flat_map(|stage| &mut stage.lanes).flat_map(|lane| &mut lane.ops);
            ops.find(|op| op.id == create).unwrap().purpose = purpose;
            let leaked = story.found().iter().filter(|(oracle, _)| *oracle == OracleId::ForeignCanary).count();
            assert_eq!(leaked, leaks, "{purpose:?}");
        }
    }
}
