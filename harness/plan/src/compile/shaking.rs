//! How much the target is shaken, and with what.

use std::collections::BTreeMap;

use coalmine_core::perturb::Perturbation;
use coalmine_core::step::{Step, StepId};

use super::{Compiler, ShownBy};
use crate::document::{AuthText, Document, Either, PerturbText};
use crate::span::Spanned;
use crate::suggestion;

/// What a scenario that says nothing gets, in thousandths of the operations; of the passes for `cancel` and `collide`, of the rounds for
/// `forge`, and of the
/// poisonings and floods that a round has room for.
const DEFAULTS_PERMILLE: [(Perturbation, u32); 14] = [
    (Perturbation::Race, 200),
    (Perturbation::React, 60),
    (Perturbation::Delay, 50),
    (Perturbation::Cancel, 200),
    (Perturbation::Share, 80),
    (Perturbation::Reconnect, 40),
    (Perturbation::Stall, 15),
    (Perturbation::Swizzle, 10),
    (Perturbation::Retry, 50),
    (Perturbation::Poison, 300),
    (Perturbation::Widen, 300),
    (Perturbation::Flood, 100),
    (Perturbation::Collide, 300),
    (Perturbation::Forge, 1000),
];

/// How the target is shaken.
#[derive(Clone, Debug)]
pub(crate) struct Shaking {
    /// How much there is of each, in thousandths.
    pub(crate) permille: BTreeMap<Perturbation, u32>,
    /// The steps that it may come over, where the scenario names them.
    pub(crate) only: BTreeMap<Perturbation, Vec<StepId>>,
    /// Those that the scenario asks for.
    pub(crate) demanded: Vec<Perturbation>,
}

impl Compiler<'_> {
    /// Call it when all steps are known.
    pub(super) fn shaking(&self, document: &Document) -> Shaking {
        let mut shaking = Shaking { permille: DEFAULTS_PERMILLE.into(), only: BTreeMap::new(), demanded: vec![] };
        let kinds = match &document.perturb {
            None => return shaking,
            Some(Either::Short(word)) => {
                self.all_or_nothing(word, &mut shaking);
                return shaking;
            }
            Some(Either::Long(kinds)) => kinds,
        };
        for (name, amount) in &kinds.0 {
            let Some(what) = self.perturbation(name) else { continue };
            let permille = match amount {
                Either::Short(word) => self.amount(word),
                Either::Long(long) => self.described(what, long, &mut shaking),
            };
            if let Some(permille) = permille {
                shaking.permille.insert(what, permille);
            }
            if shaking.permille.get(&what).is_some_and(|permille| *permille > 0) {
                self.check_possible(what, name, document.auth.as_ref());
                shaking.demanded.push(what);
            }
        }
        shaking
    }

    fn all_or_nothing(&self, word: &Spanned<String>, shaking: &mut Shaking) {
        match word.as_str() {
            "on" | "true" => {}
            "off" | "false" => shaking.permille.clear(),
            other => {
                let help =
                    "write `on`, `off`, or a map of perturbations, such as `{cancel: 30%, share: off}`".to_owned();
                self.problems.add(word.span, format!("`{other}` is no way to perturb"), Some(help));
            }
        }
    }

    fn perturbation(&self, name: &Spanned<String>) -> Option<Perturbation> {
        let found = Perturbation::ALL.into_iter().find(|what| what.name() == name.value);
        if found.is_none() {
            let help = suggestion::help(name.as_str(), Perturbation::ALL.map(Perturbation::name));
            self.problems.add(name.span, format!("there is no perturbation `{}`", name.value), help);
        }
        found
    }

    /// Tenants collide where they choose something, and what is forged is what a session has captured, or the cookies that it keeps.
    fn check_possible(&self, what: Perturbation, name: &Spanned<String>, auth: Option<&AuthText>) {
        if what == Perturbation::Collide && !self.steps.iter().any(Step::chooses) {
            let help = "mark what clients choose and the service keeps for each of its tenants: `{{chosen.NAME}}`, or \
                        `{{uuid('NAME')}}` in the header `idempotency-key`";
            self.problems.add(name.span, "no step sends anything that clients choose", Some(help.to_owned()));
        }
        if what == Perturbation::Forge && self.shown_by(auth) == ShownBy::Otherwise {
            let help =
                "capture it in `auth.steps`, and send it with `auth.send` with no attribute and no secret beside it";
            self.problems.add(name.span, "no session shows who it is by a captured value alone", Some(help.to_owned()));
        }
    }

    /// `off`, or a number of percent.
    fn amount(&self, word: &Spanned<String>) -> Option<u32> {
        match word.as_str() {
            "off" | "false" => Some(0),
            "on" | "true" => None,
            number => match number.trim_end_matches('%').trim_end().parse::<u32>() {
                Ok(percent @ 0..=100) => Some(percent * 10),
                _ => {
                    let message = format!("`{number}` is not an amount");
                    self.problems.add(
                        word.span,
                        message,
                        Some("write `on`, `off`, or a percentage from 0 to 100".to_owned()),
                    );
                    None
                }
            },
        }
    }

    fn described(&self, what: Perturbation, long: &PerturbText, shaking: &mut Shaking) -> Option<u32> {
        if let Some(steps) = &long.steps {
            let known = steps.value.as_slice().iter().filter_map(|name| self.step_named(name));
            shaking.only.insert(what, known.collect());
        }
        let percent = long.percent.as_ref()?;
        if percent.value > 100 {
            self.problems.add(percent.span, format!("{} percent: there may be 0 to 100", percent.value), None);
            return None;
        }
        Some(percent.value * 10)
    }

    fn step_named(&self, name: &Spanned<String>) -> Option<StepId> {
        let place = self.places.get(name.as_str());
        if place.is_none() {
            let help = suggestion::help(name.as_str(), self.places.keys().map(String::as_str));
            self.problems.add(name.span, format!("there is no step `{}`", name.value), help);
        }
        place.map(|place| place.step)
    }
}
