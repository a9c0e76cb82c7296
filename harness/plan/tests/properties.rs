//! What holds for any text and any seed.

use std::collections::BTreeSet;

use coalmine_core::{Plan, Seed};
use coalmine_plan::{Overrides, Scenario, plan};
use proptest::prelude::*;
use proptest::sample::{Index, select};

const AGENTS: &str = include_str!("scenarios/agents.yaml");
const NOTES: &str = include_str!("scenarios/notes.yaml");
const BLOCKS: &str = include_str!("scenarios/blocks.yaml");

/// Pieces that break YAML, templates, paths and places.
const SHARDS: [&str; 30] = [
    "{{",
    "}}",
    "{",
    "}",
    "[",
    "]",
    ": ",
    "- ",
    "\n",
    "\n  ",
    "'",
    "\"",
    "*a",
    "&a ",
    "!x ",
    "|\n",
    ">\n",
    "---\n",
    "$",
    "$..",
    "é",
    "\u{1f426}",
    "\r\n",
    "\t",
    "\u{feff}",
    "#",
    "~",
    "99999999999999999999",
    "{{\"",
    "? ",
];

/// A scenario with some of its text cut out and shards put in.
fn mutilated() -> impl Strategy<Value = String> {
    let cut = (any::<Index>(), 0..40_usize, select(&SHARDS[..]));
    (select(&[AGENTS, NOTES, BLOCKS][..]), prop::collection::vec(cut, 1..6)).prop_map(|(text, cuts)| {
        let mut chars: Vec<char> = text.chars().collect();
        for (at, len, shard) in cuts {
            let start = at.index(chars.len());
            let end = chars.len().min(start + len);
            chars.splice(start..end, shard.chars());
        }
        chars.into_iter().collect()
    })
}

/// Errors can be shown, and their places lie in the text.
fn parse(text: &str) -> Option<Scenario> {
    match Scenario::parse(text, "any.yaml") {
        Ok(scenario) => Some(scenario),
        Err(errors) => {
            assert!(!errors.problems.is_empty());
            assert!(!errors.render(true).is_empty());
            for problem in &errors.problems {
                assert!(problem.line >= 1 && problem.column >= 1);
            }
            None
        }
    }
}

fn bytes(plan: &Plan) -> String {
    serde_json::to_string(plan).expect("a plan is JSON")
}

fn overrides() -> impl Strategy<Value = Overrides> {
    (1..12_u32, 1..6_u32).prop_map(|(tenants, repeat)| Overrides {
        tenants: Some(tenants),
        repeat: Some(repeat),
        ..Overrides::default()
    })
}

fn check_ids(plan: &Plan) {
    let ids: Vec<u32> = plan.ops().map(|(_, _, op)| op.id.0).collect();
    assert_eq!(ids, (0..plan.op_count).collect::<Vec<u32>>(), "operations are numbered in their order");
    let canaries: Vec<_> = plan.scopes.iter().flat_map(|scope| &scope.canaries).collect();
    assert_eq!(canaries.iter().collect::<BTreeSet<_>>().len(), canaries.len(), "no canary is there twice");
    for (_, principal, op) in plan.ops() {
        assert_eq!(plan.scope(op.scope).principal, principal);
        plan.step(op.step)
            .sends()
            .into_iter()
            .for_each(|canary| assert_eq!(plan.canary(op.scope, canary).owner, principal.owner()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>()) {
        parse(&text);
    }

    #[test]
    fn no_mutilated_scenario_makes_the_parser_panic(text in mutilated()) {
        if let Some(scenario) = parse(&text) {
            // A cut may have changed a number; a round that is too large is refused, not made.
            drop(plan(&scenario, Seed(1), 0, &Overrides { tenants: Some(3), repeat: Some(2), ..Overrides::default() }));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_arguments_give_the_same_bytes(seed in any::<u64>(), round in 0..1000_u32, overrides in overrides()) {
        let made = |seed| {
            let scenario = Scenario::parse(AGENTS, "agents.yaml").expect("the scenario is good");
            plan(&scenario, Seed(seed), round, &overrides).expect("it has a plan")
        };
        let first = made(seed);
        prop_assert_eq!(bytes(&first), bytes(&made(seed)));
        prop_assert_ne!(bytes(&first), bytes(&made(seed ^ 1)));
        check_ids(&first);
    }
}
