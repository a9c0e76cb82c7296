//! Looks of one user between which another tenant works, or is silent.

#![expect(clippy::unwrap_used, reason = "facts about plans that must exist")]

use std::collections::BTreeSet;

use coalmine_core::Seed;
use coalmine_core::plan::{Neighbour, Phase, Plan, Purpose, ScopeId};
use coalmine_core::step::Action;
use coalmine_plan::{Overrides, Scenario, Writes, plan};

const NOTES: &str = include_str!("scenarios/notes.yaml");

fn planned(policy: &str, seed: u64, round: u32, overrides: &Overrides) -> Plan {
    assert_eq!(NOTES.matches("missing-event: off").count(), 1, "{NOTES}");
    let text = NOTES.replace("missing-event: off", policy);
    let scenario = Scenario::parse(&text, "notes.yaml").unwrap_or_else(|errors| panic!("{errors}"));
    plan(&scenario, Seed(seed), round, overrides).unwrap()
}

/// What the other has done before each look, and in which pass.
fn looks(plan: &Plan) -> Vec<(Neighbour, ScopeId)> {
    let look = |purpose| match purpose {
        Purpose::Twin { with, neighbour } => Some((neighbour, with)),
        _ => None,
    };
    plan.ops().filter_map(|(.., op)| look(op.purpose)).collect()
}

/// Who looks at what, and who works.
fn cast(plan: &Plan) -> BTreeSet<(u32, String, u32)> {
    let first = plan.principals[0].id.0;
    let looks = plan.ops().filter_map(|(_, by, op)| match op.purpose {
        Purpose::Twin { with, .. } => {
            Some((by.0 - first, plan.step(op.step).name.clone(), plan.scope(with).principal.0 - first))
        }
        _ => None,
    });
    looks.collect()
}

#[test]
fn the_other_works_before_half_of_the_looks_in_an_order_that_the_seed_draws() {
    let mut orders = BTreeSet::new();
    for seed in 0..4 {
        let plan = planned("interference: on", seed, 0, &Overrides::default());
        let looks = looks(&plan);
        let count = |wanted| looks.iter().filter(|(neighbour, _)| *neighbour == wanted).count();
        assert_eq!([Neighbour::WarmingUp, Neighbour::Silent, Neighbour::Active].map(count), [2, 16, 16]);
        orders.insert(format!("{:?}", looks.iter().map(|(neighbour, _)| neighbour).collect::<Vec<_>>()));
    }
    assert_eq!(orders.len(), 4);
}

#[test]
fn each_look_stands_alone_and_has_the_work_that_it_names_right_before_it() {
    let plan = planned("interference: warn", 3, 0, &Overrides::default());
    let mut worked = None;
    for stage in &plan.stages {
        let ops: Vec<_> = stage.lanes.iter().flat_map(|lane| &lane.ops).collect();
        let Purpose::Twin { with, neighbour } = ops[0].purpose else {
            worked = Some(ops[0].scope).filter(|_| stage.lanes.len() == 1 && stage.phase == Phase::Flows);
            continue;
        };
        assert_eq!((stage.lanes.len(), stage.phase), (1, Phase::Probe));
        assert!(ops.iter().all(|op| op.purpose == ops[0].purpose && op.scope == ops[0].scope));
        assert!(matches!(&plan.step(ops[0].step).action, Action::Request(request) if request.method == "GET"));
        let tenant = |scope: ScopeId| plan.principal(plan.scope(scope).principal).unwrap().tenant;
        assert_ne!(tenant(with), tenant(ops[0].scope));
        if neighbour == Neighbour::Active {
            assert_eq!(worked.take(), Some(with));
        }
        if neighbour == Neighbour::Silent {
            assert_eq!(worked, None);
        }
        worked = None;
    }
}

#[test]
fn what_they_have_made_is_removed() {
    let plan = planned("interference: on", 1, 0, &Overrides::default());
    let passes: BTreeSet<ScopeId> = looks(&plan).into_iter().map(|(_, with)| with).collect();
    assert_eq!(passes.len(), 18);
    let is_removed = |pass: &ScopeId| plan.ops().any(|(phase, _, op)| phase == Phase::Cleanup && op.scope == *pass);
    assert!(passes.iter().all(is_removed));
}

#[test]
fn two_rounds_look_at_the_same_in_other_orders() {
    let [one, other] = [4, 5].map(|round| planned("interference: on", 2, round, &Overrides::default()));
    assert_eq!(cast(&one), cast(&other));
    let order = |plan: &Plan| looks(plan).into_iter().map(|(neighbour, _)| neighbour).collect::<Vec<_>>();
    assert_ne!(order(&one), order(&other));
    assert_eq!(one, planned("interference: on", 2, 4, &Overrides::default()));
}

#[test]
fn nobody_looks_where_nobody_asks_or_nobody_may_write() {
    for policy in ["interference: off", "missing-event: off"] {
        assert!(looks(&planned(policy, 1, 0, &Overrides::default())).is_empty(), "{policy}");
    }
    let calm = Overrides { writes: Writes::LeftOut, ..Overrides::default() };
    assert!(looks(&planned("interference: on", 1, 0, &calm)).is_empty());
}
