//! Those who act, and which of them belong together.

use std::ops::Range;

use coalmine_core::Principal;

use crate::compile::Course;
use crate::document::Who;

/// The principals of a round, by their places: those of a tenant stand side by side, and tenants need not be of one size.
/// Somebody without credentials comes last.
pub(super) struct People {
    principals: Vec<Principal>,
    /// Where the principals of each tenant stand.
    tenants: Vec<Range<usize>>,
    /// How many tenants at the end make nothing.
    fresh: usize,
}

impl People {
    /// Principals in the order of their tenants, of which so many at the end make nothing.
    pub(super) fn new(principals: Vec<Principal>, fresh: usize) -> Self {
        let mut tenants: Vec<Range<usize>> = vec![];
        for (place, principal) in principals.iter().enumerate().filter(|(_, principal)| !principal.is_anonymous()) {
            match tenants.last_mut().filter(|tenant| principals[tenant.start].tenant == principal.tenant) {
                Some(tenant) => tenant.end = place + 1,
                None => tenants.push(place..place + 1),
            }
        }
        Self { principals, tenants, fresh }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.principals.len()
    }

    /// How many tenants make nothing.
    pub(super) fn fresh(&self) -> usize {
        self.fresh
    }

    /// How many make something. They stand before those that do not.
    pub(super) fn makers(&self) -> usize {
        let first_fresh = self.tenants.len().checked_sub(self.fresh).and_then(|first| self.tenants.get(first));
        first_fresh.map_or(self.count_in_tenants(), |tenant| tenant.start)
    }

    /// Where those stand who make nothing, in tenants of their own.
    pub(super) fn fresh_places(&self) -> Range<usize> {
        self.makers()..self.count_in_tenants()
    }

    /// All of them.
    pub(super) fn all(&self) -> &[Principal] {
        &self.principals
    }

    /// How many there are that belong to tenants.
    pub(super) fn count_in_tenants(&self) -> usize {
        self.tenants.last().map_or(0, |last| last.end)
    }

    /// The place of somebody without credentials.
    pub(super) fn anonymous(&self) -> Option<usize> {
        Some(self.count_in_tenants()).filter(|place| *place < self.count())
    }

    /// The one at that place.
    pub(super) fn at(&self, place: usize) -> &Principal {
        &self.principals[place]
    }

    /// Where the principals of each tenant stand.
    pub(super) fn tenants(&self) -> &[Range<usize>] {
        &self.tenants
    }

    /// Which of the tenants the one at that place belongs to.
    pub(super) fn tenant_of(&self, place: usize) -> usize {
        self.tenants.partition_point(|tenant| tenant.end <= place)
    }

    /// The place of the first user's first session of each tenant.
    pub(super) fn is_first_of_tenant(&self, place: usize) -> bool {
        self.tenants.get(self.tenant_of(place)).is_some_and(|tenant| tenant.start == place)
    }

    /// The place of each user's first session.
    pub(super) fn is_first_of_user(&self, place: usize) -> bool {
        self.at(place).session == 0 && !self.at(place).is_anonymous()
    }

    /// Whether the one at that place goes through the flow: its role does, and where passes are shared with a colleague, it
    /// has one.
    pub(super) fn goes_through(&self, place: usize, course: &Course) -> bool {
        let alone = || {
            let tenant = &self.tenants[self.tenant_of(place)];
            self.principals[tenant.clone()].iter().all(|other| other.user == self.at(place).user)
        };
        let needs_colleague = course.draws.iter().any(|draw| draw.who == Who::Colleague);
        let makes = place < self.makers() || self.at(place).is_anonymous();
        makes && course.is_for(self.at(place)) && !(needs_colleague && alone())
    }

    pub(super) fn into_principals(self) -> Vec<Principal> {
        self.principals
    }
}
