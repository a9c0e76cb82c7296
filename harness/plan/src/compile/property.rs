//! What the scenario states of the service: named properties, each with the steps that it is about and the oracles that decide it.

use std::collections::BTreeSet;

use coalmine_core::model::Asks;
use coalmine_core::plan::{IdentityRule, ObjectRule, Policy};
use coalmine_core::property::Property;
use coalmine_core::step::{Action, Step};
use coalmine_core::verdict::OracleId;

use super::{Compiler, ShownBy};
use crate::document::{Document, OneOrMore, PropertyText};
use crate::span::Spanned;
use crate::suggestion;

/// What of the scenario oracles ask about, besides its steps.
pub(super) struct Ground<'a> {
    pub(super) objects: &'a [ObjectRule],
    pub(super) identities: &'a [IdentityRule],
    pub(super) policy: &'a Policy,
    pub(super) has_credential: bool,
    /// Sessions end, or what they show themselves by becomes void.
    pub(super) ends: bool,
    pub(super) shown_by: ShownBy,
}

impl Compiler<'_> {
    /// Call it when all steps are known.
    pub(super) fn properties(&self, document: &Document, ground: &Ground<'_>) -> Vec<Property> {
        let properties = document.properties.0.iter();
        properties.map(|(name, written)| self.property(name, written, ground)).collect()
    }

    fn property(&self, name: &Spanned<String>, written: &PropertyText, ground: &Ground<'_>) -> Property {
        self.check_name(name, "property");
        let mut steps: Vec<String> = all(written.flows.as_ref()).flat_map(|flow| self.steps_named(flow)).collect();
        steps.extend(all(written.steps.as_ref()).filter_map(|step| self.known_step(step)));
        let oracles =
            all(written.oracles.as_ref()).filter_map(|oracle| self.oracle_with_ground(oracle, ground)).collect();
        if [&written.flows, &written.steps, &written.oracles].iter().all(|it| all(it.as_ref()).next().is_none()) {
            let help = "write `oracles`, `steps`, `flows`, or some of them".to_owned();
            let message = format!("the property `{}` says nothing", name.value);
            self.problems.add(name.span, message, Some(help));
        }
        Property { name: name.value.clone(), steps, oracles }
    }

    fn steps_named(&self, flow: &Spanned<String>) -> Vec<String> {
        if !self.flows.iter().skip(1).any(|known| known.name == flow.value && known.block.is_none()) {
            let names = self.flows.iter().skip(1).filter(|known| known.block.is_none()).map(|it| it.name.as_str());
            let help = suggestion::help(flow.as_str(), names);
            self.problems.absent(flow.span, format!("there is no flow `{}`", flow.value), help);
            return vec![];
        }
        // Steps of blocks name the block, which is called after its flow.
        let is_of = |step: &Step| step.flow.split('+').next() == Some(flow.as_str());
        let is_done = |step: &&Step| is_of(step) && !step.is_pause() && !self.is_cleanup(&step.name);
        let mut names: Vec<String> = self.steps.iter().filter(is_done).map(|step| step.name.clone()).collect();
        // What is tried without credentials is a step of its own with the same name.
        let mut known = BTreeSet::new();
        names.retain(|name| known.insert(name.clone()));
        names
    }

    fn is_cleanup(&self, step: &str) -> bool {
        self.places.get(step).is_some_and(|place| place.in_cleanup)
    }

    fn known_step(&self, step: &Spanned<String>) -> Option<String> {
        if self.places.contains_key(step.as_str()) {
            return Some(step.value.clone());
        }
        let help = suggestion::help(step.as_str(), self.places.keys().map(String::as_str));
        self.problems.absent(step.span, format!("there is no step `{}`", step.value), help);
        None
    }

    fn oracle_with_ground(&self, name: &Spanned<String>, ground: &Ground<'_>) -> Option<OracleId> {
        let Some(oracle) = OracleId::ALL.into_iter().find(|oracle| oracle.name() == name.value) else {
            let help = suggestion::help(name.as_str(), OracleId::ALL.map(OracleId::name));
            self.problems.add(name.span, format!("there is no oracle `{}`", name.value), help);
            return None;
        };
        if !ground.policy.asks(oracle) {
            let message = format!("the policy switches `{oracle}` off, so that it would decide nothing");
            self.problems.absent(name.span, message, None);
        }
        if ground.policy.asks(oracle) && ground.policy.is_note(oracle) {
            let help = format!("`policy: {{oracles: {{{oracle}: on}}}}` makes it a violation");
            let message = format!("what `{oracle}` finds is a note, so that it would decide nothing");
            self.problems.absent(name.span, message, Some(help));
        }
        if let Some(lack) = self.lack_of(oracle, ground) {
            let message = format!("`{oracle}` has nothing to ask about");
            self.problems.absent(name.span, message, Some(format!("it asks about {lack}; there is none")));
        }
        Some(oracle)
    }

    /// What the oracle asks about and the scenario does not have.
    fn lack_of(&self, oracle: OracleId, ground: &Ground<'_>) -> Option<&'static str> {
        let asks =
            |is_right: fn(&Asks) -> bool| self.steps.iter().flat_map(|it| &it.models).any(|it| is_right(&it.asks));
        let acts = |is_right: fn(&Action) -> bool| self.steps.iter().any(|step| is_right(&step.action));
        let (has, what) = match oracle {
            OracleId::ForeignCanary
            | OracleId::Caching
            | OracleId::FaultPropagation
            | OracleId::NoisyNeighbour
            | OracleId::ResponseMixUp => return None,
            OracleId::IdentityEcho => (!ground.identities.is_empty(), "the fields under `identity`"),
            OracleId::Access => (!ground.objects.is_empty(), "what stands under `objects`"),
            OracleId::Existence | OracleId::ExistenceByTime => {
                (ground.objects.iter().any(|it| it.indistinguishable), "`objects` with `indistinguishable: true`")
            }
            OracleId::UnguardedTable => (acts(|it| matches!(it, Action::SearchPostgres(_))), "steps with `postgres`"),
            OracleId::SecretInLog => (acts(|it| matches!(it, Action::SearchLogs(_))), "steps with `logs`"),
            OracleId::UnnamedKey => (acts(|it| matches!(it, Action::SearchRedis(_))), "steps with `redis`"),
            OracleId::Interference => {
                (acts(|it| matches!(it, Action::Request(request) if request.method == "GET")), "steps with `get`")
            }
            OracleId::MisroutedEvent => (
                acts(|it| matches!(it, Action::Open(_) | Action::Subscribe(_))) && !ground.identities.is_empty(),
                "events with fields under `identity`",
            ),
            OracleId::MissingEvent => (acts(|it| matches!(it, Action::Receive(_))), "steps with `receive`"),
            OracleId::WrongCredential => (ground.has_credential, "`webhooks.credential`"),
            OracleId::Role => (self.steps.iter().any(|step| !step.allowed.is_empty()), "steps with `allowed`"),
            OracleId::ForeignRow | OracleId::WrongList => {
                (asks(|it| matches!(it, Asks::Rows { .. })), "steps with `lists`")
            }
            OracleId::NotFresh => (asks(|it| matches!(it, Asks::Nothing)), "steps with `empty_for_fresh`"),
            OracleId::WrongAggregate => {
                (asks(|it| matches!(it, Asks::Count | Asks::Sum { .. })), "steps with `counts` or `sums`")
            }
            OracleId::SessionAfterLogout => (ground.ends, "`auth.logout`"),
            OracleId::ForgedCredential => {
                (ground.shown_by != ShownBy::Otherwise, "values in `auth.send` that were captured")
            }
        };
        (!has).then_some(what)
    }
}

fn all(written: Option<&OneOrMore>) -> impl Iterator<Item = &Spanned<String>> {
    written.into_iter().flat_map(OneOrMore::as_slice)
}
