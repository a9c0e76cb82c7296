//! A few users read what is their own with credentials that nobody was given.
//!
//! Only what the session captured, and the cookies that it keeps, are changed, and only where nothing else shows who asks: so an answer with the user's own secrets has
//! no other explanation than that the changed credential was taken for good.

use std::collections::BTreeSet;

use coalmine_core::Principal;
use coalmine_core::perturb::{Forgery, Manner, Perturbation, Via};
use coalmine_core::plan::{Lane, Op, Phase, Purpose};
use coalmine_core::step::{Action, Request, StepId};
use coalmine_core::template::Segment;

use super::Mood;
use super::poison::empty_lanes;
use crate::compile::{Compiled, ShownBy};
use crate::draw::Draw;
use crate::round::room::Rooms;
use crate::round::short::is_read;
use crate::round::stage::{Stages, Todo};

/// Users who do so in a round.
const USERS_MAX: u32 = 3;
/// What each of them reads, in each way.
const READS_MAX: usize = 2;

/// Operations of one of them at most.
pub(crate) const FORGERIES_MAX_EACH: u64 = (READS_MAX * Forgery::ALL.len()) as u64;

/// Adds a stage of such reads; the lanes are those of the flows.
pub(crate) fn forgeries(
    compiled: &Compiled,
    mood: &Mood,
    lanes: &[Lane],
    draw: &mut Draw,
    rooms: &Rooms<'_>,
    stages: &mut Stages,
) {
    if compiled.shown_by == ShownBy::Otherwise || draw.below(1000) >= mood.permille(Perturbation::Forge) {
        return;
    }
    let first = rooms.people().all().first().map_or(0, |principal: &Principal| principal.id.0);
    let place = |lane: &Lane| (lane.principal.0 - first) as usize;
    let able: Vec<&Lane> =
        lanes.iter().filter(|lane| lane.beside.is_none() && place(lane) < rooms.people().makers()).collect();
    let mut todos = empty_lanes(rooms);
    for nth in draw.distinct_below(u32::try_from(able.len()).unwrap_or(u32::MAX), USERS_MAX) {
        let lane = able[nth as usize];
        for read in reads(compiled, mood, &lane.ops) {
            todos[place(lane)].extend(Forgery::ALL.map(|how| forgery(read, how)));
        }
    }
    stages.add(Phase::Probe, rooms, todos);
}

/// On a connection of its own, so that the target knows who asks by the credential alone.
fn forgery(read: &Op, how: Forgery) -> Todo {
    let manner = Manner { forge: Some(how), via: Via::Fresh, ..Manner::default() };
    Todo { manner, ..Todo::plain(read.step, read.scope, Purpose::Shake) }
}

/// The last reads, each address once.
fn reads<'o>(compiled: &Compiled, mood: &Mood, ops: &'o [Op]) -> Vec<&'o Op> {
    let mut known = BTreeSet::new();
    let step = |id: StepId| &compiled.steps[usize::from(id.0)];
    let able = ops.iter().rev().filter(|op| {
        op.purpose.is_flow() && mood.is_for(Perturbation::Forge, op.step) && shows_credential_alone(compiled, op.step)
    });
    able.filter(|op| known.insert(step(op.step).route())).take(READS_MAX).collect()
}

/// Whether the credential is all that says who asks, and for what.
fn shows_credential_alone(compiled: &Compiled, id: StepId) -> bool {
    let step = &compiled.steps[usize::from(id.0)];
    let Action::Request(request) = &step.action else { return false };
    let (mut shows, mut is_alone) = (shows_jar(compiled, id, request), true);
    request.each_hole(&mut |hole| match hole {
        Segment::Variable(variable) if compiled.credentials.contains(variable) => shows = true,
        Segment::Text(_) => {}
        Segment::Input(slot) => is_alone &= !compiled.inputs[usize::from(*slot)].is_secret,
        Segment::Call { function, .. } => is_alone &= !function.is_own_word(),
        _ => is_alone = false,
    });
    shows && is_alone && is_read(step) && request.follow == 0
}

/// Whether cookies of the jar go with it, by which the session shows who it is.
fn shows_jar(compiled: &Compiled, id: StepId, request: &Request) -> bool {
    let is_written_out = request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("cookie"));
    compiled.shown_by == ShownBy::Jar && !compiled.without_auth.contains(&id) && !is_written_out
}
