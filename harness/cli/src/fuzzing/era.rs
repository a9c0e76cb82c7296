//! Rounds that share a run key, so that a secret of one which comes back in another is known for whose it is.

use coalmine_canary::CanaryId;
use coalmine_core::earlier::EarlierRound;
use coalmine_core::plan::Cast;
use coalmine_core::{Plan, Seed, TenantId};
use coalmine_plan::Numbering;
use serde::{Deserialize, Serialize};

/// With more principals under one key, canaries would get longer, and no longer fit where they did.
const PEOPLE_MAX: u32 = 1 << 14;
/// Earlier rounds of which is remembered whose secrets are whose, and passes of all of them together. Of older ones it is known that they were.
const ROUNDS_MAX: usize = 64;
const PASSES_MAX: usize = 50_000;

/// See the module. A campaign has one, or several after each other where the numbers of one are used up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Era {
    /// Its number in the campaign.
    number: u32,
    /// Numbers that were given to principals, be it in rounds that were not gone through.
    people: u32,
    tenants: u32,
    /// Rounds that were gone through, oldest first.
    earlier: Vec<EarlierRound>,
}

impl Era {
    /// The key of all of its rounds.
    pub(super) fn seed(&self, campaign: Seed) -> Seed {
        campaign.child("coalmine fuzz era v1", self.number)
    }

    /// Whence the people of a round are numbered.
    pub(super) fn numbering(&self, round: u32) -> Numbering {
        Numbering { round, principal_first: self.people, tenant_first: self.tenants }
    }

    /// Whether a round that was planned in it has numbers that canaries have room for.
    pub(super) fn has_room_for(&self, plan: &Plan) -> bool {
        self.people == 0 || last_numbers(plan).0 <= PEOPLE_MAX
    }

    /// The one that comes after it, in which nobody has acted.
    pub(super) fn next(&self) -> Self {
        Self { number: self.number.saturating_add(1), ..Self::default() }
    }

    /// Whether nobody has acted in it.
    pub(super) fn is_new(&self) -> bool {
        self.people == 0
    }

    /// Tells a plan what was planted before it. Its people have their numbers from now on, whatever becomes of the round.
    pub(super) fn begin(&mut self, plan: &mut Plan) {
        plan.earlier = Some(self.earlier.clone());
        (self.people, self.tenants) = last_numbers(plan);
    }

    /// Remembers a round that was gone through, of which these canaries were shown to everybody.
    pub(super) fn end(&mut self, plan: &Plan, public: &[CanaryId]) {
        self.earlier.push(EarlierRound::of(plan, public));
        let passes = |earlier: &[EarlierRound]| earlier.iter().map(EarlierRound::passes).sum::<usize>();
        while self.earlier.len() > ROUNDS_MAX || passes(&self.earlier) > PASSES_MAX {
            self.earlier.remove(0);
        }
    }
}

/// Each round of a campaign with accounts that exist already has a key of its own: with whom an account has shared what, and in which
/// round, would have to be known as well.
pub(super) fn is_shared_by_rounds(plan: &Plan) -> bool {
    plan.cast == Cast::New
}

/// The key of a round that shares it with no other.
pub(super) fn own_seed(campaign: Seed, round: u32) -> Seed {
    campaign.child("coalmine fuzz round v1", round)
}

/// The numbers after those of the last principal and of the last tenant.
fn last_numbers(plan: &Plan) -> (u32, u32) {
    let people = plan.principals.last().map_or(0, |last| last.id.0.saturating_add(1));
    let tenants = plan.principals.iter().map(|one| one.tenant).filter(|tenant| *tenant != TenantId::NOBODY);
    (people, tenants.max().map_or(0, |last| last.0.saturating_add(1)))
}
