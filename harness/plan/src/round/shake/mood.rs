//! How much of each perturbation a round has.

use std::collections::BTreeMap;

use coalmine_core::Seed;
use coalmine_core::perturb::Perturbation;
use coalmine_core::plan::FlowId;
use coalmine_core::step::StepId;

use crate::compile::{Compiled, Reaction, Shaking};
use crate::draw::Draw;

/// A round's mix. The first round has a little of everything; later ones leave some out and have more of others, since what hinders
/// one bug shows another (swarm testing, Groce et al. 2012).
pub(crate) struct Mood {
    permille: BTreeMap<Perturbation, u32>,
    only: BTreeMap<Perturbation, Vec<StepId>>,
    /// Of each lane's operations this share is delayed, where the lane is one of low priority: in thousandths of all lanes.
    pub(super) slow_lanes_permille: u32,
    /// Flows that nobody goes through this time.
    left_out: Vec<FlowId>,
    /// Whether sessions may be made and ended beside those that the flows use.
    pub(crate) sessions: ShortSessions,
    /// Rules that are kept.
    pub(super) reactions: Vec<Reaction>,
}

/// Whether there are short sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShortSessions {
    /// Some users have one.
    Some,
    /// Nobody has.
    None,
}

/// Factors for one kind of perturbation in one round, each as likely as the others.
const FACTORS_PERCENT: [u32; 6] = [0, 50, 100, 100, 200, 300];
/// Shares of lanes of low priority; most rounds have none.
const SLOW_LANES_PERMILLE: [u32; 6] = [0, 0, 0, 200, 500, 800];
/// What lanes cannot do that take turns on few connections.
const NEED_CONNECTIONS: [Perturbation; 6] = [
    Perturbation::Race,
    Perturbation::React,
    Perturbation::Swizzle,
    Perturbation::Share,
    Perturbation::Cancel,
    Perturbation::Flood,
];
/// Of so many rounds, one leaves flows out.
const SWARM_EVERY: u32 = 3;

impl Mood {
    /// A round in which nothing is shaken.
    pub(crate) fn still() -> Self {
        Self {
            permille: BTreeMap::new(),
            only: BTreeMap::new(),
            slow_lanes_permille: 0,
            left_out: vec![],
            sessions: ShortSessions::None,
            reactions: vec![],
        }
    }

    pub(crate) fn draw(compiled: &Compiled, seed: Seed, round: u32, has_few_connections: bool) -> Self {
        let Shaking { mut permille, only, demanded } = compiled.shaking.clone();
        if has_few_connections {
            // Who waits for a connection can meet nobody, and a second connection would be one too many.
            permille.retain(|what, _| !NEED_CONNECTIONS.contains(what));
        }
        // A session beside one that waits for its turn would be one connection too many.
        let sessions = if has_few_connections { ShortSessions::None } else { ShortSessions::Some };
        let reactions = if has_few_connections { vec![] } else { compiled.reactions.clone() };
        if round == 0 {
            // What nobody asked for and takes stages of its own comes once a round without it has shown how the target is.
            let has_stages = |what| matches!(what, Perturbation::Poison | Perturbation::Flood);
            permille.retain(|what, _| !has_stages(*what) || demanded.contains(what));
            return Self { permille, only, sessions, reactions, ..Self::still() };
        }
        let mut draw = Draw::new(seed, "coalmine mood v1", round, 0);
        let mut vary = |base: u32| base * FACTORS_PERCENT[draw.below(6) as usize] / 100;
        let permille = permille.into_iter().map(|(what, base)| (what, vary(base).min(1000))).collect();
        let slow_lanes_permille = SLOW_LANES_PERMILLE[draw.below(6) as usize];
        let left_out = if draw.below(SWARM_EVERY) == 0 { leave_out(compiled, &mut draw) } else { vec![] };
        Self { permille, only, slow_lanes_permille, left_out, sessions, reactions }
    }

    /// Whether the perturbation comes over this step now.
    pub(super) fn strikes(&self, what: Perturbation, step: StepId, draw: &mut Draw) -> bool {
        let permille = self.permille(what);
        permille > 0 && self.is_for(what, step) && draw.below(1000) < permille
    }

    pub(super) fn permille(&self, what: Perturbation) -> u32 {
        self.permille.get(&what).copied().unwrap_or(0)
    }

    /// Whether the scenario lets this step be perturbed so.
    pub(super) fn is_for(&self, what: Perturbation, step: StepId) -> bool {
        self.only.get(&what).is_none_or(|steps| steps.contains(&step))
    }

    /// Whether the scenario says which steps are perturbed so.
    pub(super) fn names_steps(&self, what: Perturbation) -> bool {
        self.only.contains_key(&what)
    }

    /// Whether anybody goes through the flow.
    pub(crate) fn has(&self, flow: FlowId) -> bool {
        !self.left_out.contains(&flow)
    }
}

/// Some of the flows of which nothing else in the round needs what they make, and never all.
fn leave_out(compiled: &Compiled, draw: &mut Draw) -> Vec<FlowId> {
    let flows = (0..).map(FlowId).zip(&compiled.courses).skip(1);
    let flows = flows.filter(|(_, course)| course.block.is_none() && !course.is_anonymous);
    let all = flows.clone().count();
    let free = flows.filter(|(flow, course)| {
        course.visits.is_empty()
            && compiled.objects.iter().all(|object| compiled.flow_of(object.flow) != *flow)
            && !has_roles(compiled, *flow)
            && !has_rules(compiled, *flow)
    });
    let mut free: Vec<FlowId> = free.map(|(flow, _)| flow).collect();
    draw.shuffle(&mut free);
    free.truncate((all / 2).min(free.len()));
    free
}

fn has_rules(compiled: &Compiled, flow: FlowId) -> bool {
    let courses = (0..).map(FlowId).zip(&compiled.courses).filter(|(part, _)| compiled.flow_of(*part) == flow);
    let mut steps = courses.flat_map(|(_, course)| &course.steps);
    steps.any(|step| compiled.reactions.iter().any(|reaction| reaction.deed.steps().contains(step)))
}

fn has_roles(compiled: &Compiled, flow: FlowId) -> bool {
    let courses = (0..).map(FlowId).zip(&compiled.courses).filter(|(part, _)| compiled.flow_of(*part) == flow);
    let mut steps = courses.flat_map(|(_, course)| &course.steps);
    steps.any(|step| !compiled.steps[usize::from(step.0)].allowed.is_empty())
}
