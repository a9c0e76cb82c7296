//! Whose canaries are, by the plans of a recorded run.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use coalmine_canary::{Canary, CanaryId, Found, Minter, Strength};
use coalmine_core::fit::{self, Fit};
use coalmine_core::history::{HistoryError, Reader, Record};
use coalmine_core::{Plan, Seed};

use crate::exit::Failed;

/// Owners and fields of a run's canaries.
#[derive(Default)]
pub(super) struct Owners {
    seed: Option<Seed>,
    canaries: HashMap<CanaryId, Known>,
}

/// What the plan says of a canary.
struct Known {
    /// The tenant's words.
    owner: String,
    /// The scenario's name of the field.
    field: String,
    fit: Option<Fit>,
}

/// Whose a sighting is, as far as it is known.
pub(super) struct Origin<'a> {
    pub(super) owner: Option<String>,
    pub(super) field: Option<&'a str>,
}

impl Owners {
    /// Reads the plans of a history.
    pub(super) fn read(history: &Path) -> Result<Self, Failed> {
        let unreadable = |error: HistoryError| Failed::usage(format!("{}: {error}", history.display()));
        let file = File::open(history).map_err(|error| unreadable(HistoryError::Io(error)))?;
        let mut owners = Self::default();
        for record in Reader::new(file) {
            if let Record::Round(plan) = record.map_err(unreadable)? {
                owners.learn(&plan);
            }
        }
        Ok(owners)
    }

    fn learn(&mut self, plan: &Plan) {
        self.seed = Some(plan.seed);
        for scope in &plan.scopes {
            let owner = plan.principal(scope.principal).map_or_else(String::new, ToString::to_string);
            for (id, spec) in scope.canaries.iter().zip(&plan.flow(scope.flow).canaries) {
                let known = Known { owner: owner.clone(), field: spec.name.clone(), fit: spec.fit.clone() };
                self.canaries.insert(*id, known);
            }
        }
    }

    pub(super) fn seed(&self) -> Option<Seed> {
        self.seed
    }

    /// Every canary as it was planted.
    pub(super) fn canaries<'a>(&'a self, minter: &'a Minter) -> impl Iterator<Item = Canary> + 'a {
        self.canaries.iter().filter_map(|(id, known)| fit::mint(minter, *id, known.fit.as_ref()).ok())
    }

    pub(super) fn origin(&self, found: &Found) -> Origin<'_> {
        let known = match found {
            Found::Canary { id, .. } => self.canaries.get(id),
            _ => None,
        };
        Origin { owner: known.map(|known| known.owner.clone()), field: known.map(|known| known.field.as_str()) }
    }
}

impl Origin<'_> {
    /// `token of tenant 3, field note`.
    pub(super) fn in_words(&self, found: &Found) -> String {
        let words = match found {
            Found::Canary { id, strength } => {
                let owner = self.owner.clone().unwrap_or_else(|| format!("owner {}, serial {}", id.owner, id.serial));
                let how = match strength {
                    Strength::Exact => "",
                    Strength::Fragment => "a fragment of the ",
                    Strength::Hash => "a hash of the ",
                    Strength::Masked => "perhaps the masked end of the ",
                };
                format!("{how}{} of {owner}", id.shape)
            }
            Found::Residue { shape } => format!("{shape} of another run"),
            Found::Dictionary { entry } => format!("line {} of the dictionary", u64::from(*entry) + 1),
        };
        self.field.map_or_else(|| words.clone(), |field| format!("{words}, field `{field}`"))
    }
}
