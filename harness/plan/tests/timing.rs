//! Requests of which the times are compared: for what belongs to others, and for what nobody has.

#![expect(clippy::unwrap_used, reason = "facts about plans that must exist")]

use std::collections::BTreeMap;

use coalmine_core::plan::{Op, Phase, Plan, Purpose, ScopeId, TimedId};
use coalmine_core::{PrincipalId, Seed};
use coalmine_plan::{Overrides, Scenario, plan};

const NOTES: &str = include_str!("scenarios/notes.yaml");

/// The notes, of which others may not know, with this policy.
fn planned(text: &str, policy: &str, seed: u64) -> Plan {
    let text = asking(&hidden(text), policy);
    let scenario = Scenario::parse(&text, "notes.yaml").unwrap_or_else(|errors| panic!("{errors}"));
    plan(&scenario, Seed(seed), 0, &Overrides::default()).unwrap()
}

fn hidden(text: &str) -> String {
    assert_eq!(text.matches("read: read").count(), 1, "{text}");
    text.replace("read: read", "indistinguishable: true, read: read")
}

fn asking(text: &str, policy: &str) -> String {
    assert_eq!(text.matches("missing-event: off").count(), 1, "{text}");
    text.replace("missing-event: off", policy)
}

/// Who asks, about whose object, in which order.
fn timed(plan: &Plan) -> BTreeMap<(PrincipalId, ScopeId), Vec<TimedId>> {
    let mut all: BTreeMap<_, Vec<TimedId>> = BTreeMap::new();
    for (phase, by, Op { purpose, .. }) in plan.ops() {
        if let Purpose::Timed { like, id, .. } = purpose {
            assert_eq!(phase, Phase::Probe);
            all.entry((by, *like)).or_default().push(*id);
        }
    }
    all
}

#[test]
fn a_few_users_ask_in_pairs_whose_order_the_seed_draws() {
    let mut first = (0, 0);
    for seed in 0..4 {
        let plan = planned(NOTES, "existence-by-time: on", seed);
        let all = timed(&plan);
        assert!((1..=4).contains(&all.len()), "{}", all.len());
        for ((by, like), ids) in all {
            let tenant = |principal| plan.principal(principal).unwrap().tenant;
            assert_ne!(tenant(by), tenant(plan.scope(like).principal));
            assert_eq!(ids.len(), 48);
            for pair in ids.chunks_exact(2) {
                assert_ne!(pair[0], pair[1]);
                if pair[0] == TimedId::Others { first.0 += 1 } else { first.1 += 1 }
            }
        }
    }
    assert!(first.0 * 3 > first.1 && first.1 * 3 > first.0, "{first:?}");
}

#[test]
fn the_same_seed_asks_the_same() {
    let [one, other] = [0, 0].map(|_| planned(NOTES, "existence-by-time: warn", 5));
    assert_eq!(one, other);
    assert!(!timed(&one).is_empty());
}

#[test]
fn nothing_is_timed_that_others_may_know_of_or_where_nobody_asks() {
    for policy in ["existence-by-time: off", "missing-event: off"] {
        assert!(timed(&planned(NOTES, policy, 1)).is_empty(), "{policy}");
    }
    let scenario = Scenario::parse(&asking(NOTES, "existence-by-time: on"), "notes.yaml").unwrap();
    assert!(timed(&plan(&scenario, Seed(1), 0, &Overrides::default()).unwrap()).is_empty());
}
