//! With whom each pass shares what it makes, drawn from the seed.

use coalmine_core::plan::{FlowId, ScopeId};
use coalmine_core::{Principal, PrincipalId, Seed};

use super::people::People;
use crate::compile::{Compiled, MemberDraw};
use crate::document::Who;
use crate::draw::Draw;

/// Who may be drawn as a member of whose passes.
pub(super) struct Acquaintances<'a> {
    compiled: &'a Compiled,
    people: &'a People,
    /// Each tenant's partner, by their places among the tenants of the round.
    partners: Vec<u32>,
    seed: Seed,
    round: u32,
}

impl<'a> Acquaintances<'a> {
    pub(super) fn new(compiled: &'a Compiled, people: &'a People, seed: Seed, round: u32) -> Self {
        // Accounts act in every round, and with the same partners and members: what they shared before stays shared.
        let round = if compiled.tenants.accounts.is_some() { 0 } else { round };
        // Nobody is the partner of a tenant that makes nothing.
        let tenants = u32::try_from(people.tenants().len() - people.fresh()).unwrap_or(u32::MAX);
        let mut partners = partners(tenants, &mut Draw::new(seed, "coalmine partners v1", round, 0));
        partners.extend((0..u32::MAX).take(people.fresh()).map(|_| 0));
        Self { compiled, people, partners, seed, round }
    }

    /// The members of a scope, different people as far as there are enough. Where nobody can be one, the owner stands in: that
    /// it shares with itself changes nothing.
    pub(super) fn draw(&self, owner: usize, flow: FlowId, scope: ScopeId) -> Vec<PrincipalId> {
        let draws = &self.compiled.courses[usize::from(flow.0)].draws;
        if self.people.at(owner).is_anonymous() {
            return vec![self.people.at(owner).id; draws.len()];
        }
        let mut draw = Draw::new(self.seed, "coalmine members v1", self.round, u64::from(scope.0));
        let mut members: Vec<PrincipalId> = vec![];
        for wanted in draws {
            let candidates = self.candidates(owner, wanted);
            let fresh: Vec<PrincipalId> = candidates.iter().copied().filter(|id| !members.contains(id)).collect();
            let from = if fresh.is_empty() { candidates } else { fresh };
            let bound = u32::try_from(from.len()).unwrap_or(u32::MAX).max(1);
            let drawn = from.get(draw.below(bound) as usize);
            members.push(drawn.copied().unwrap_or(self.people.at(owner).id));
        }
        members
    }

    /// All who fit; where nobody has the role besides the owner, others of the tenant.
    fn candidates(&self, owner: usize, wanted: &MemberDraw) -> Vec<PrincipalId> {
        let own = self.people.tenant_of(owner);
        let tenant = match wanted.who {
            Who::Colleague => own,
            Who::Partner => self.partners[own] as usize,
        };
        let people = &self.people.all()[self.people.tenants()[tenant].clone()];
        let owner = self.people.at(owner);
        let others = people.iter().filter(|other| other.tenant != owner.tenant || other.user != owner.user);
        let others: Vec<&Principal> = others.collect();
        let fits = |other: &&Principal| wanted.role.is_none() || other.role == wanted.role;
        let fitting: Vec<PrincipalId> = others.iter().copied().filter(fits).map(|other| other.id).collect();
        if fitting.is_empty() { others.iter().map(|other| other.id).collect() } else { fitting }
    }
}

/// Tenants in a ring in the order of a draw: each has the next one as its partner.
fn partners(tenants: u32, draw: &mut Draw) -> Vec<u32> {
    let mut ring: Vec<u32> = (0..tenants).collect();
    draw.shuffle(&mut ring);
    let mut partners = vec![0; ring.len()];
    for (place, tenant) in ring.iter().enumerate() {
        partners[*tenant as usize] = ring[(place + 1) % ring.len()];
    }
    partners
}
