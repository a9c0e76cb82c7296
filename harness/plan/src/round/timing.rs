//! A few users ask, again and again, for an object of another and for one that nobody has, so that the times of the answers can be
//! compared.
//!
//! Each pair is asked for side by side, in an order of its own that the seed draws. Where existence makes no difference, either is the
//! slower one as often as the other, whatever else the target and the machine have to do: so the error rate of the comparison is known.

use coalmine_core::plan::{ObjectRule, Phase, Purpose, ScopeId, TimedId};
use coalmine_core::verdict::OracleId;

use super::probe::{attackers, passes_read};
use super::room::Rooms;
use super::size::Size;
use super::stage::{Stages, Todo};
use crate::compile::Compiled;
use crate::draw::Draw;

/// Users who do so for each object in a round. They do it at the same time, and few of them hinder each other little.
const USERS_MAX: usize = 4;
/// Pairs of requests of each.
const PAIRS: usize = 24;

/// Operations of one of them at most, for one object.
pub(super) const OPS_MAX_EACH: u64 = 2 * PAIRS as u64;

/// Whether it is asked how long answers about it take.
pub(super) fn is_timed(compiled: &Compiled, rule: &ObjectRule) -> bool {
    // What it sends would be somebody's.
    let sends = compiled.steps[usize::from(rule.read.0)].sends();
    rule.indistinguishable && sends.is_empty() && compiled.policy.asks(OracleId::ExistenceByTime)
}

/// A stage for each object, when nothing else goes on.
pub(super) fn stage(compiled: &Compiled, size: &Size, draw: &mut Draw, rooms: &mut Rooms<'_>, stages: &mut Stages) {
    for (object, rule) in (0..).zip(&compiled.objects).filter(|(_, rule)| is_timed(compiled, rule)) {
        let passes = passes_read(compiled, size, rule);
        let mut lanes: Vec<Vec<Todo>> = (0..rooms.people().count()).map(|_| vec![]).collect();
        for (victim, attacker) in couples(compiled, rule, draw, rooms) {
            let Some(pass) = passes.get(draw.below(u32::try_from(passes.len()).unwrap_or(0).max(1)) as usize) else {
                continue;
            };
            let like = rooms.pass(victim, rule.flow, *pass);
            if lanes[attacker].is_empty() && !rooms.shares_with(like, attacker) {
                let scope = rooms.idle(attacker, rule.flow);
                lanes[attacker] = pairs(rule, (like, object), scope, draw);
            }
        }
        stages.add(Phase::Probe, rooms, lanes);
    }
}

/// Owners, and who asks for what is theirs.
fn couples(compiled: &Compiled, rule: &ObjectRule, draw: &mut Draw, rooms: &Rooms<'_>) -> Vec<(usize, usize)> {
    let people = rooms.people();
    let course = &compiled.courses[usize::from(compiled.flow_of(rule.flow).0)];
    let mut victims: Vec<usize> = (0..people.count()).filter(|place| people.goes_through(*place, course)).collect();
    draw.shuffle(&mut victims);
    let first = |victim: usize| Some((victim, attackers(compiled, victim, draw, people).into_iter().next()?));
    victims.into_iter().filter_map(first).take(USERS_MAX).collect()
}

fn pairs(rule: &ObjectRule, (like, object): (ScopeId, u16), scope: ScopeId, draw: &mut Draw) -> Vec<Todo> {
    let ask = |id| Todo::plain(rule.read, scope, Purpose::Timed { like, object, id });
    let mut todos = vec![];
    for _ in 0..PAIRS {
        let mut pair = [TimedId::Others, TimedId::Nobodys];
        draw.shuffle(&mut pair);
        todos.extend(pair.map(ask));
    }
    todos
}
