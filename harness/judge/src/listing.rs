//! Lists as one sees them: the pages of one list together, beside everything that was made.

use std::collections::{BTreeMap, HashMap};

use coalmine_core::history::{Digest, ReadValue};
use coalmine_core::model::{Asks, Key, Model};
use coalmine_core::plan::{Purpose, ScopeId};
use coalmine_core::step::StepId;
use coalmine_core::{Principal, TenantId};

use crate::making::{Answered, Making, Part, Presence, Window, digest_key};
use crate::round::{Place, Round};

/// All pages of a list that one principal was shown.
pub(crate) struct Listing<'r> {
    pub(crate) model: &'r Model,
    pub(crate) key: Key,
    pub(crate) pages: Vec<Page<'r>>,
    /// Rows that were not kept.
    pub(crate) dropped: u64,
}

/// One answer with rows.
pub(crate) struct Page<'r> {
    pub(crate) answer: &'r Answered,
    pub(crate) rows: &'r [Digest],
}

/// What was made of the things that a model speaks of.
pub(crate) struct Inventory<'r> {
    all: Vec<&'r Making>,
    by_tenant: HashMap<TenantId, Vec<&'r Making>>,
    by_key: HashMap<Digest, Vec<&'r Making>>,
}

impl<'r> Inventory<'r> {
    /// With the key by which rows are recognised, where there is one.
    pub(crate) fn of(round: &'r Round, model: &'r Model, key: Option<Key>) -> Self {
        let digest_key = digest_key(&round.plan);
        let all: Vec<&Making> = round.makings.of(model).collect();
        let (mut by_tenant, mut by_key) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for making in &all {
            if let Some(owner) = round.principal(making.owner) {
                by_tenant.entry(owner.tenant).or_default().push(*making);
            }
            if let Some(digest) = key.and_then(|key| making.key(&round.plan, &digest_key, key)) {
                by_key.entry(digest).or_default().push(*making);
            }
        }
        Self { all, by_tenant, by_key }
    }

    /// What may be the principal's own, and all else if others share with it.
    pub(crate) fn near(&self, round: &Round, receiver: &Principal, model: &Model) -> &[&'r Making] {
        if model.scope == coalmine_core::Scope::Public || round.shares_anything() {
            return &self.all;
        }
        self.by_tenant.get(&receiver.tenant).map_or(&[], Vec::as_slice)
    }

    /// All of it.
    pub(crate) fn all(&self) -> &[&'r Making] {
        &self.all
    }

    /// Those that a row may be.
    pub(crate) fn behind(&self, row: Digest) -> &[&'r Making] {
        self.by_key.get(&row).map_or(&[], Vec::as_slice)
    }

    /// Whether two who share nothing have been given the same id: then an id does not say whose it is.
    pub(crate) fn is_ambiguous(&self) -> bool {
        let mut keys = self.by_key.values();
        keys.any(|makings| makings.iter().any(|making| making.owner != makings[0].owner))
    }
}

impl<'r> Listing<'r> {
    /// All lists of the round that were shown for one of these purposes.
    pub(crate) fn all(round: &'r Round, fits: impl Fn(Purpose) -> bool) -> Vec<Self> {
        let mut listings: BTreeMap<(ScopeId, StepId, u32, u16, Option<&str>), Self> = BTreeMap::new();
        for read in round.makings.answers(&round.plan).filter(|read| fits(read.answer.place.purpose)) {
            let (Asks::Rows { key, list, .. }, ReadValue::Rows { rows, dropped }) = (&read.model.asks, read.value)
            else {
                continue;
            };
            let Place { scope, step, .. } = read.answer.place;
            // Pages of a list are together, whichever steps and operations they come from.
            let id = match list {
                Some(name) => (scope, StepId(0), 0, 0, Some(name.as_str())),
                None => (scope, step, read.answer.op.0, read.number, None),
            };
            let new = || Self { model: read.model, key: *key, pages: vec![], dropped: 0 };
            let listing = listings.entry(id).or_insert_with(new);
            listing.pages.push(Page { answer: read.answer, rows });
            listing.dropped += dropped;
        }
        listings.into_values().collect()
    }

    /// From the first request to the last answer.
    pub(crate) fn window(&self) -> Window {
        let windows = || self.pages.iter().map(|page| page.answer.window);
        Window {
            begun: windows().map(|window| window.begun).min().unwrap_or_default(),
            ended: windows().map(|window| window.ended).max().unwrap_or_default(),
        }
    }

    /// Who was shown it, and where.
    pub(crate) fn asker<'a>(&self, round: &'a Round) -> Option<(&'a Principal, Place)> {
        let place = self.pages.first()?.answer.place;
        Some((round.receiver(place.scope), place))
    }

    /// Whether each of the steps that show a page of it was answered: a pass that was given up has seen some of them.
    pub(crate) fn is_whole(&self, round: &Round) -> bool {
        let Asks::Rows { list: Some(name), .. } = &self.model.asks else { return true };
        let Some(place) = self.pages.first().map(|page| page.answer.place) else { return false };
        let flow = &round.step(place).flow;
        let is_page = |model: &Model| matches!(&model.asks, Asks::Rows { list: Some(other), .. } if other == name);
        let steps = (0..).map(StepId).zip(&round.plan.steps);
        let mut pages = steps.filter(|(_, step)| step.flow == *flow && step.models.iter().any(is_page));
        pages.all(|(id, _)| self.pages.iter().any(|page| page.answer.place.step == id))
    }

    /// Whether any page shows the row.
    pub(crate) fn shows(&self, row: Digest) -> bool {
        self.pages.iter().any(|page| page.rows.contains(&row))
    }
}

impl Round {
    /// Whether the one who asks there has a part in what was made.
    pub(crate) fn part(&self, asker: (&Principal, Place), making: &Making, model: &Model) -> Part {
        making.part(&self.plan, &self.shares, asker, model.scope)
    }

    /// Whether it was there in that stretch.
    pub(crate) fn presence(&self, model: &Model, making: &Making, window: Window) -> Presence {
        self.makings.presence(model, making, window)
    }

    /// Whether anybody shares anything, by role or as a member.
    pub(crate) fn shares_anything(&self) -> bool {
        !self.plan.sharing.is_empty() || self.plan.flows.iter().any(|flow| !flow.members.is_empty())
    }
}
