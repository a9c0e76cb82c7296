//! Passes in which a user chooses what a user of another tenant has chosen: idempotency keys, and what the scenario marks.
//!
//! Services keep such choices for each of their tenants, so that this harms no honest one. Users of one tenant never choose the same:
//! some services keep choices for the tenant as a whole.

use std::collections::BTreeMap;

use coalmine_core::perturb::Perturbation;
use coalmine_core::plan::{FlowId, Op, Purpose, ScopeId, Stage};
use coalmine_core::step::StepId;

use super::Mood;
use crate::compile::Compiled;
use crate::draw::Draw;
use crate::round::room::Rooms;

/// For each pass, or turn of a block, in which another's choices are taken: that of the other.
pub(crate) struct Collisions(BTreeMap<ScopeId, ScopeId>);

impl Collisions {
    /// Draws them for a round.
    pub(crate) fn draw(
        compiled: &Compiled,
        mood: &Mood,
        orders: &[Vec<(FlowId, u32)>],
        rooms: &Rooms<'_>,
        draw: &mut Draw,
    ) -> Self {
        let mut all = Self(BTreeMap::new());
        let mut passes: BTreeMap<(FlowId, u32), Vec<usize>> = BTreeMap::new();
        for (place, order) in orders.iter().enumerate() {
            for (flow, pass) in order.iter().filter(|(flow, _)| is_able(compiled, mood, *flow)) {
                passes.entry((*flow, *pass)).or_default().push(place);
            }
        }
        for ((flow, pass), mut places) in passes {
            draw.shuffle(&mut places);
            for (guest, host) in couples(&places, mood, rooms, draw) {
                let scope = |place| rooms.pass(place, flow, pass);
                all.add(compiled, rooms, (guest, scope(guest)), (host, scope(host)));
            }
        }
        all
    }

    fn add(&mut self, compiled: &Compiled, rooms: &Rooms<'_>, guest: (usize, ScopeId), host: (usize, ScopeId)) {
        self.0.insert(guest.1, host.1);
        let flow = rooms.flow(guest.1);
        let blocks = (0..).map(FlowId).zip(&compiled.courses);
        for (block, _) in blocks.filter(|(_, course)| course.block.is_some_and(|block| block.within == flow)) {
            let turns = |(place, scope)| rooms.turns(place, block, scope);
            for (of_guest, of_host) in turns(guest).zip(turns(host)) {
                self.add(compiled, rooms, (guest.0, of_guest), (host.0, of_host));
            }
        }
    }

    /// Tells all operations in which something stands that is chosen, also those of others who use what a pass has made.
    pub(crate) fn tell(&self, compiled: &Compiled, stages: &mut [Stage]) {
        if self.0.is_empty() {
            return;
        }
        let chooses: Vec<bool> = compiled.steps.iter().map(coalmine_core::step::Step::chooses).collect();
        let lanes = stages.iter_mut().flat_map(|stage| &mut stage.lanes);
        for op in lanes.flat_map(|lane| &mut lane.ops).filter(|op| chooses[usize::from(op.step.0)]) {
            op.manner.collide = self.0.get(&whose_choice(op)).copied();
        }
    }
}

/// The pass in which what an operation uses was chosen.
fn whose_choice(op: &Op) -> ScopeId {
    match op.purpose {
        Purpose::Probe { victim: host, .. }
        | Purpose::Unknown { like: host, .. }
        | Purpose::Timed { like: host, .. }
        | Purpose::Visit { host }
        | Purpose::Role { host, .. }
        | Purpose::Anonymous { host } => host,
        _ => op.scope,
    }
}

/// Who takes whose choice: nobody takes that of one who takes another's, or that which somebody of the same tenant takes.
fn couples(places: &[usize], mood: &Mood, rooms: &Rooms<'_>, draw: &mut Draw) -> Vec<(usize, usize)> {
    let tenant = |place: usize| rooms.people().tenant_of(place);
    let mut couples: Vec<(usize, usize)> = vec![];
    for guest in places.iter().copied() {
        let strikes = draw.below(1000) < mood.permille(Perturbation::Collide);
        if !strikes || couples.iter().any(|(_, host)| *host == guest) {
            continue;
        }
        let is_free = |host: &usize| {
            let is_taken =
                |(other, of): &(usize, usize)| *other == *host || *of == *host && tenant(*other) == tenant(guest);
            tenant(*host) != tenant(guest) && !couples.iter().any(is_taken)
        };
        let hosts: Vec<usize> = places.iter().copied().filter(is_free).collect();
        if let Some(bound) = u32::try_from(hosts.len()).ok().filter(|bound| *bound > 0) {
            couples.push((guest, hosts[draw.below(bound) as usize]));
        }
    }
    couples
}

/// Whether those who go through the flow choose something that is kept for each of them: what is sent without credentials is kept
/// for nobody.
fn is_able(compiled: &Compiled, mood: &Mood, flow: FlowId) -> bool {
    let course = &compiled.courses[usize::from(flow.0)];
    if mood.permille(Perturbation::Collide) == 0 || flow == FlowId::SESSION || course.is_anonymous {
        return false;
    }
    let courses = (0..).map(FlowId).zip(&compiled.courses).filter(|(part, _)| compiled.flow_of(*part) == flow);
    let steps = courses.flat_map(|(_, course)| course.steps.iter().chain(&course.cleanup));
    let choosing: Vec<StepId> = steps.copied().filter(|step| compiled.steps[usize::from(step.0)].chooses()).collect();
    let has_credentials = choosing.iter().all(|step| !compiled.without_auth.contains(step));
    has_credentials && choosing.iter().any(|step| mood.is_for(Perturbation::Collide, *step))
}
