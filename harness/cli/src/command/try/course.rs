//! What of a plan is gone through when a scenario is tried: each flow once, up to a step that may be named.

use std::collections::{BTreeMap, BTreeSet};

use coalmine_core::Plan;
use coalmine_core::plan::{FlowId, Op, OpId, Phase, Purpose, ScopeId};
use coalmine_core::principal::PrincipalId;

/// Leaves only the first pass through each flow, the visits of its members and what these need; nothing that tries others'
/// objects. With a step, only its pass, what comes before it, and what cleans up.
pub(super) fn narrow(plan: &mut Plan, last: Option<&str>) -> Result<(), String> {
    let mut passes = first_passes(plan);
    let last = last.map(|name| find(plan, &passes, name)).transpose()?;
    if let Some((_, pass)) = last {
        passes.retain(|_, kept| Some(*kept) == pass);
    }
    let passes: BTreeSet<ScopeId> = passes.into_values().collect();
    let actors = actors(plan, &passes);
    let kept: BTreeSet<OpId> =
        plan.ops().filter(|(.., op)| is_part(plan, &passes, &actors, op)).map(|(.., op)| op.id).collect();
    let mut is_over = false;
    for stage in &mut plan.stages {
        for lane in &mut stage.lanes {
            lane.ops.retain(|op| {
                let keep = kept.contains(&op.id) && (!is_over || stage.phase == Phase::Cleanup);
                is_over |= last.is_some_and(|(last, _)| last == op.id);
                keep
            });
        }
        stage.lanes.retain(|lane| !lane.ops.is_empty());
    }
    Ok(())
}

/// In whose pass an operation is done; none for what only tries or shakes something.
fn host(plan: &Plan, op: &Op) -> Option<ScopeId> {
    match op.purpose {
        Purpose::Flow => Some(plan.pass_of(op.scope)),
        Purpose::Visit { host } => Some(plan.pass_of(host)),
        _ => None,
    }
}

fn is_session(plan: &Plan, pass: ScopeId) -> bool {
    plan.scope(pass).flow == FlowId::SESSION
}

fn first_passes(plan: &Plan) -> BTreeMap<FlowId, ScopeId> {
    let mut first = BTreeMap::new();
    for (_, _, op) in plan.ops().filter(|(phase, ..)| *phase == Phase::Flows) {
        if let Some(pass) = host(plan, op).filter(|pass| !is_session(plan, *pass)) {
            first.entry(plan.scope(pass).flow).or_insert(pass);
        }
    }
    first
}

/// The first operation of that step, and its pass unless it makes the session.
fn find(plan: &Plan, passes: &BTreeMap<FlowId, ScopeId>, name: &str) -> Result<(OpId, Option<ScopeId>), String> {
    let found = plan.ops().filter(|(.., op)| plan.step(op.step).name == name).find_map(|(.., op)| {
        let pass = host(plan, op)?;
        let flow = plan.scope(pass).flow;
        (is_session(plan, pass) || passes.get(&flow) == Some(&pass)).then_some((op.id, pass))
    });
    let (op, pass) =
        found.ok_or_else(|| format!("no step `{name}` is done when one tenant goes through each flow once"))?;
    Ok((op, Some(pass).filter(|pass| !is_session(plan, *pass))))
}

/// Those who go through the passes, with whom they share, and the first user of each tenant, who makes what its users need.
fn actors(plan: &Plan, passes: &BTreeSet<ScopeId>) -> BTreeSet<PrincipalId> {
    let mut actors: BTreeSet<PrincipalId> = plan.principals.first().map(|first| first.id).into_iter().collect();
    for pass in passes {
        let scope = plan.scope(*pass);
        let session = plan.scope(plan.session_scope(scope.principal));
        actors.extend(scope.members.iter().chain(&session.members).chain([&scope.principal]));
    }
    let tenant_of = |id: &PrincipalId| plan.principal(*id).map(|principal| principal.tenant);
    let tenants: BTreeSet<_> = actors.iter().filter_map(tenant_of).collect();
    let first_of = |tenant| plan.principals.iter().find(|principal| principal.tenant == tenant).map(|first| first.id);
    actors.extend(tenants.into_iter().filter_map(first_of));
    actors
}

fn is_part(plan: &Plan, passes: &BTreeSet<ScopeId>, actors: &BTreeSet<PrincipalId>, op: &Op) -> bool {
    let Some(pass) = host(plan, op) else { return false };
    passes.contains(&pass) || is_session(plan, pass) && actors.contains(&plan.scope(pass).principal)
}

#[cfg(test)]
mod tests {
    use coalmine_core::Seed;
    use coalmine_plan::{Overrides, Scenario, plan};

    use super::*;

    fn narrowed(last: Option<&str>) -> Vec<String> {
        let scenario = Scenario::parse(include_str!("../../../tests/services/job_polling.yaml"), "jobs.yaml").unwrap();
        let target_url = Some("http://127.0.0.1:1".to_owned());
        let mut plan = plan(&scenario, Seed(1), 0, &Overrides { target_url, ..Overrides::default() }).unwrap();
        narrow(&mut plan, last).unwrap();
        plan.ops().map(|(.., op)| plan.step(op.step).name.clone()).collect()
    }

    #[test]
    fn each_flow_is_gone_through_once_and_nobody_tries_others_objects() {
        let steps = narrowed(None);
        let turns = ["remark", "read-remark", "pin"].repeat(3);
        let before = ["enrol", "start", "wait", "seal", "attach", "pause"];
        let expected: Vec<&str> = before.into_iter().chain(turns).chain(["remarks"]).chain(["forget"; 3]).collect();
        assert_eq!(steps, expected);
    }

    #[test]
    fn nothing_but_cleaning_up_comes_after_the_named_step() {
        assert_eq!(narrowed(Some("wait")), ["enrol", "start", "wait", "forget", "forget", "forget"]);
    }
}
