//! Bytes become a script: the first choose what of the scenario is played, the rest change how.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use arbitrary::Unstructured;
use coalmine_campaign::mutate;
use coalmine_core::perturb::{Manner, Perturbation, Start};
use coalmine_core::plan::Phase;
use coalmine_core::script::Line;
use coalmine_core::{Plan, Script, Seed};
use coalmine_plan::{Overrides, PlanError, Scenario};

/// So many rounds are drawn of a scenario; bytes choose one of them.
const PARENTS: u8 = 16;
/// A trial goes through so many flows at most: a small one shows what it shows sooner.
const FLOWS_MAX: usize = 3;
/// No operation begins later than so many microseconds: beside answers that take less than a millisecond this is long.
const DELAY_US_MAX: u32 = 5_000;
/// What is about sockets and times of an operating system, and would only take time here.
const OUT_OF_PLACE: [Perturbation; 2] = [Perturbation::Stall, Perturbation::Flood];

/// Draws scripts of one scenario.
#[derive(Debug)]
pub(crate) struct Draw {
    scenario: Scenario,
    overrides: Overrides,
    parents: BTreeMap<u8, Script>,
}

impl Draw {
    pub(crate) fn new(scenario: Scenario, overrides: Overrides) -> Self {
        Self { scenario, overrides, parents: BTreeMap::new() }
    }

    /// The plan that these bytes stand for, with people and secrets of this seed; none where nothing would be done.
    pub(crate) fn plan(&mut self, bytes: &[u8], seed: Seed) -> Option<Plan> {
        let mut choices = Unstructured::new(bytes);
        let parent = choices.int_in_range(0..=PARENTS - 1).unwrap_or(0);
        let excerpt = excerpt(self.parent(parent).ok()?, &mut choices);
        if excerpt.ops() == 0 {
            return None;
        }
        let mutant = hastened(&mutate(&excerpt, choices.take_rest()));
        let perform = |script| coalmine_plan::perform(&self.scenario, script, seed, &self.overrides);
        perform(&mutant).or_else(|_| perform(&excerpt)).ok()
    }

    fn parent(&mut self, number: u8) -> Result<&Script, PlanError> {
        Ok(match self.parents.entry(number) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let plan = coalmine_plan::plan(&self.scenario, Seed(u64::from(number)), 0, &self.overrides)?;
                place.insert(in_place(&Script::of(&plan)))
            }
        })
    }
}

/// The same without what is out of place.
fn in_place(script: &Script) -> Script {
    let without = |_: u32, line: &Line| OUT_OF_PLACE.into_iter().fold(line.manner, Manner::without);
    script.with_only(|_, _, line| !line.manner.flood).with_manners(without)
}

/// The same with short delays.
fn hastened(script: &Script) -> Script {
    script.with_manners(|_, line| {
        let start = match line.manner.start {
            Start::AtOnce => Start::AtOnce,
            Start::After { delay_us } => Start::After { delay_us: delay_us.min(DELAY_US_MAX) },
            Start::Once { op, moment, delay_us } => Start::Once { op, moment, delay_us: delay_us.min(DELAY_US_MAX) },
        };
        Manner { start, ..line.manner }
    })
}

/// Some flows of it, with what makes the sessions.
fn excerpt(script: &Script, choices: &mut Unstructured<'_>) -> Script {
    let sessions = script.people.len();
    let flows: BTreeSet<&str> = script
        .passes
        .iter()
        .enumerate()
        .filter(|(number, pass)| *number >= sessions && pass.turn.is_none())
        .map(|(_, pass)| pass.flow.as_str())
        .collect();
    let flows: Vec<&str> = flows.into_iter().collect();
    let count = choices.int_in_range(1..=FLOWS_MAX).unwrap_or(1);
    let chosen: BTreeSet<&str> = (0..count).filter_map(|_| choices.choose(&flows).ok().copied()).collect();
    let chosen = if chosen.is_empty() { flows.first().copied().into_iter().collect() } else { chosen };
    let is_inside = |pass: &u32| {
        let pass = outermost(script, *pass);
        (pass as usize) < sessions || chosen.contains(script.passes[pass as usize].flow.as_str())
    };
    script.with_only(|phase, _, line: &Line| phase == Phase::Auth || line.passes().iter().all(is_inside))
}

/// The pass around a turn, and around that.
fn outermost(script: &Script, pass: u32) -> u32 {
    let outward =
        |pass: &u32| script.passes[*pass as usize].turn.map(|(within, _)| within).filter(|outer| outer < pass);
    std::iter::successors(Some(pass), outward).last().unwrap_or(pass)
}
