//! Blocks of steps: what a plan makes of them, and what a user is told who writes them wrong.

#[macro_use]
mod facts;

use std::collections::BTreeSet;

use coalmine_core::plan::{FlowId, Op, Phase, Purpose, ScopeId};
use coalmine_core::step::{Action, AnswerTest, Step};
use coalmine_core::template::Level;
use coalmine_core::turns::Turns;
use coalmine_core::{Plan, Seed};
use coalmine_plan::{Overrides, Scenario, plan};

const BLOCKS: &str = include_str!("scenarios/blocks.yaml");
const NOTES: &str = include_str!("scenarios/notes.yaml");

fn blocks() -> Plan {
    let scenario = Scenario::parse(BLOCKS, "blocks.yaml").unwrap_or_else(|errors| panic!("{errors}"));
    plan(&scenario, Seed(3), 0, &Overrides::default()).expect("the scenario has a plan")
}

fn step<'p>(plan: &'p Plan, name: &str) -> &'p Step {
    plan.steps.iter().find(|step| step.name == name).unwrap_or_else(|| panic!("there is a step {name}"))
}

/// The operations of one step in the flows of the first principal.
fn ops<'p>(plan: &'p Plan, name: &str) -> Vec<&'p Op> {
    let first = plan.principals[0].id;
    let own = plan.ops().filter(|(_, principal, op)| *principal == first && op.purpose.is_flow());
    own.map(|(.., op)| op).filter(|op| plan.step(op.step).name == name).collect()
}

#[test]
fn a_block_is_unrolled_with_a_scope_for_each_turn() {
    let plan = blocks();
    assert_eq!(ops(&plan, "add-book").len(), 2);
    let turns: BTreeSet<ScopeId> = ops(&plan, "add-page").iter().map(|op| op.scope).collect();
    assert_eq!(turns.len(), 6, "three turns in each of two passes, each a scope");
    let links: BTreeSet<ScopeId> = ops(&plan, "link").iter().map(|op| op.scope).collect();
    assert_eq!(links.len(), 12, "two turns in each of these");
    for link in links {
        let around: Vec<FlowId> = plan.around(link).map(|scope| plan.scope(scope).flow).collect();
        assert_eq!(around.len(), 3, "{around:?}");
        assert_eq!(plan.scope(plan.pass_of(link)).turn, None);
    }
}

#[test]
fn a_turn_has_canaries_of_its_own_and_knows_those_around_it() {
    let plan = blocks();
    let sent = |op: &&Op| plan.step(op.step).sends().iter().map(|canary| plan.canary(op.scope, *canary)).collect();
    let pages: Vec<Vec<_>> = ops(&plan, "add-page").iter().map(sent).collect();
    let lines: BTreeSet<_> = pages.iter().map(|page| page[0]).collect();
    let titles: BTreeSet<_> = pages.iter().map(|page| page[1]).collect();
    assert_eq!((lines.len(), titles.len()), (6, 2));
    let books: Vec<Vec<_>> = ops(&plan, "add-book").iter().map(sent).collect();
    assert_eq!(titles, books.into_iter().flatten().collect());
}

#[test]
fn a_step_after_a_block_sees_the_canaries_of_all_its_turns() {
    let plan = blocks();
    let (turns, all) = (Turns::new(&plan), step(&plan, "read-all"));
    let scope = ops(&plan, "read-all")[0].scope;
    let seen = turns.canaries(&plan, scope, all);
    assert_eq!(seen.len(), 3 + 6, "a line in each of three turns, and two marks in each of these");
    let mine = |canary| plan.scopes.iter().position(|of| of.canaries.contains(canary)).unwrap();
    assert!(seen.iter().all(|canary| plan.pass_of(ScopeId(u32::try_from(mine(canary)).unwrap())) == scope));
    let page = step(&plan, "read-page");
    let scope = ops(&plan, "read-page")[0].scope;
    assert_eq!((page.sees.len(), turns.canaries(&plan, scope, page).len()), (1, 2));
}

#[test]
fn conditions_and_groups_are_looked_at_in_the_scope_where_they_stand() {
    let plan = blocks();
    let link = step(&plan, "link");
    assert_eq!(link.due.iter().map(|due| due.at).collect::<Vec<_>>(), [Level::Outer(1)]);
    let (fold, glue) = (step(&plan, "fold").group.unwrap(), step(&plan, "glue").group.unwrap());
    assert_eq!((fold.parallel, fold.at), (glue.parallel, glue.at));
    assert_ne!(fold.number, glue.number);
    assert_eq!(step(&plan, "read-all").group, None);
    assert_eq!(plan.conditions.len(), 3);
}

#[test]
fn a_pause_is_drawn_from_its_range_by_the_seed() {
    let plan = blocks();
    let pauses: Vec<u64> = plan.ops().filter_map(|(.., op)| plan.pause_ms(op)).collect();
    let drawn: BTreeSet<u64> = pauses.iter().copied().filter(|ms| *ms != 5).collect();
    assert!(drawn.len() > 1 && drawn.iter().all(|ms| (10..=30).contains(ms)), "{drawn:?}");
    let again = blocks();
    assert_eq!(pauses, again.ops().filter_map(|(.., op)| again.pause_ms(op)).collect::<Vec<_>>());
    assert!(ops(&plan, "add-book").iter().all(|op| plan.pause_ms(op).is_none()));
}

#[test]
fn a_status_that_is_waited_for_is_expected() {
    let plan = blocks();
    let wait = step(&plan, "wait");
    let Action::Request(request) = &wait.action else { panic!("wait is a request") };
    assert_eq!(request.statuses, [200]);
    let until = wait.until.as_ref().unwrap();
    assert_eq!((until.every_ms, until.attempts_max), (20, 9));
    assert!(matches!(&until.tests[0], AnswerTest::OneOf { texts, .. } if texts.len() == 2));
}

#[test]
fn what_a_turn_makes_is_tried_by_others_and_removed_before_what_is_around_it() {
    let plan = blocks();
    let page = plan.objects[0].flow;
    let tried = plan.ops().filter_map(|(.., op)| match op.purpose {
        Purpose::Probe { victim, .. } => Some((plan.scope(victim).flow, plan.scope(op.scope).flow)),
        _ => None,
    });
    let tried: BTreeSet<_> = tried.collect();
    assert_eq!(tried, BTreeSet::from([(page, page)]));
    let cleanup = plan.stages.iter().find(|stage| stage.phase == Phase::Cleanup).unwrap();
    let names: Vec<&str> = cleanup.lanes[0].ops.iter().map(|op| plan.step(op.step).name.as_str()).collect();
    assert_eq!(names, ["tear", "tear", "tear", "burn"].repeat(2));
}

#[test]
fn every_reference_of_an_operation_leads_to_what_its_scope_has() {
    let plan = blocks();
    for (.., op) in plan.ops() {
        for canary in plan.step(op.step).sends() {
            let scope = plan.scope(plan.scope_at(op.scope, canary.level));
            assert!(usize::from(canary.slot) < scope.canaries.len(), "{}", plan.step(op.step).name);
            assert_eq!(scope.principal, plan.scope(op.scope).principal);
        }
    }
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
}

#[test]
fn the_size_of_a_round_counts_the_turns() {
    let scenario = BLOCKS.replace("repeat: 3", "repeat: 1000").replace("at_most: 2", "at_most: 1000");
    let scenario = Scenario::parse(&scenario, "blocks.yaml").unwrap_or_else(|errors| panic!("{errors}"));
    let refused = plan(&scenario, Seed(1), 0, &Overrides::default()).unwrap_err().to_string();
    assert!(refused.contains("and 2000000 is the limit"), "{refused}");
}

/// The good scenario with other steps at the end of its flow.
fn with(steps: &str) -> String {
    let at = NOTES.find("    cleanup:").expect("the good scenario has a cleanup");
    let steps = steps.replace('\n', "\n      ");
    parsed(&format!("{}      {steps}\n{}", &NOTES[..at], &NOTES[at..]))
}

fn parsed(text: &str) -> String {
    match Scenario::parse(text, "notes.yaml") {
        Ok(scenario) => panic!("{} has no problem", scenario.name()),
        Err(errors) => errors.render(false),
    }
}

const STEP: &str = "{id: odd, get: /x}";

fn nested(blocks: usize) -> String {
    let (open, close) = ("{repeat: 2, steps: [".repeat(blocks), "]}".repeat(blocks));
    with(&format!("- {open}{STEP}{close}"))
}

facts! {
    a_block_of_two_kinds: with("- {repeat: 2, parallel: [[{id: odd, get: /x}], [{id: odder, get: /y}]]}");
    a_block_without_steps: with("- {repeat: 2}");
    a_block_for_nothing: with("- {steps: [{id: odd, get: /x}]}");
    a_block_with_an_action: with("- {id: odd, repeat: 2, get: /x, steps: [{id: odder, get: /y}]}");
    a_block_in_auth: parsed(&NOTES.replace("auth:\n  steps:\n", "auth:\n  steps:\n    - {repeat: 2, steps: [{id: odd, get: /x}]}\n"));
    a_block_in_cleanup: parsed(&NOTES.replace("    cleanup:\n", "    cleanup:\n      - {parallel: [[{id: odd, get: /x}], [{id: odder, get: /y}]]}\n"));
    blocks_too_deep: nested(5);
    blocks_far_too_deep: nested(25);
    too_many_turns: with("- {repeat: 0, steps: [{id: odd, get: /x}]}\n- {repeat: 1001, steps: [{id: odder, get: /x}]}");
    each_without_a_bound: with("- {each: {one: note}, steps: [{id: odd, get: \"/x/{{one}}\"}]}");
    each_of_two_lists: with("- {each: {one: note, two: note}, at_most: 2, steps: [{id: odd, get: /x}]}");
    each_of_an_unknown_list: with("- {each: {one: notas}, at_most: 2, steps: [{id: odd, get: \"/x/{{one}}\"}]}");
    a_variable_of_a_turn_after_its_block: with("- {repeat: 2, steps: [{id: a, get: /x, capture: {thing: $.id}}]}\n- {id: odd, get: \"/x/{{thing}}\"}");
    a_variable_of_another_group: with("- parallel:\n    - [{id: a, get: /x, capture: {thing: $.id}}]\n    - [{id: odd, get: \"/x/{{thing}}\"}]");
    a_variable_that_two_groups_capture: with("- parallel:\n    - [{id: a, get: /x, capture: {thing: $.id}}]\n    - [{id: odd, get: /x, capture: {thing: $.id}}]");
    a_canary_that_two_groups_send: with("- parallel:\n    - [{id: a, post: /x, text: \"{{canary.other}}\"}]\n    - [{id: odd, post: /x, text: \"{{canary.other}}\"}]");
    a_canary_that_another_group_sends: with("- parallel:\n    - [{id: a, post: /x, text: \"{{canary.other}}\"}]\n    - [{id: odd, get: /x, sees: other}]");
    a_canary_that_turns_have_sent: with("- {repeat: 2, steps: [{id: a, post: /x, text: \"{{canary.other}}\"}]}\n- {id: odd, post: /x, text: \"{{canary.other}}\"}");
    one_group: with("- {parallel: [[{id: odd, get: /x}]]}");
    groups_in_a_group: with("- parallel:\n    - [{id: a, get: /x}]\n    - [{parallel: [[{id: b, get: /x}], [{id: odd, get: /x}]]}]");
    a_websocket_that_two_groups_use: with("- {id: open, websocket: /ws}\n- parallel:\n    - [{id: a, send: hello}]\n    - [{id: odd, send: hello}]");
    a_websocket_that_a_group_leaves_open: with("- parallel:\n    - [{id: a, get: /x}]\n    - [{id: odd, websocket: /ws}]");
    a_websocket_that_a_turn_closes_for_all: with("- {id: open, websocket: /ws}\n- {repeat: 2, steps: [{id: odd, close: handshake}]}");
    a_websocket_of_a_turn_after_its_block: with("- {repeat: 2, steps: [{id: open, websocket: /ws}]}\n- {id: odd, send: hello}");
    a_websocket_that_is_opened_under_a_condition: with("- {id: odd, websocket: /ws, when: {note: a}}");
    a_condition_on_what_nobody_knows: with("- {id: odd, get: /x, when: {nota: a}}");
    a_condition_on_a_canary: with("- {id: odd, get: /x, when: {canary.body: a}}");
    a_condition_on_a_role_that_nobody_has: with("- {id: odd, get: /x, unless: {user.role: LEADER}}");
    a_condition_that_compares_nothing: with("- {id: odd, get: /x, when: {note: {emty: true}}}\n- {id: odder, get: /x, when: {note: []}}");
    a_condition_of_nothing: with("- {id: odd, get: /x, when: {note: {empty: maybe}, token: [a, [b]]}}");
    until_something_that_no_answer_has: with("- {id: odd, get: /x, until: {state: done}}");
    until_no_status: with("- {id: odd, get: /x, until: {status: [200, soon]}}");
    until_the_status_is_empty: with("- {id: odd, get: /x, until: {status: {empty: true}}}");
    every_so_often_for_nothing: with("- {id: odd, get: /x, every: 10ms, attempts: 3}");
    too_many_attempts: with("- {id: odd, get: /x, until: {$.a: b}, attempts: 100000}");
    until_an_event: with("- {id: open, websocket: /ws}\n- {id: odd, send: hello, until: {$.a: b}}");
    a_pause_that_is_too_long: with("- pause: 2m");
    a_pause_between_a_longer_and_a_shorter_time: with("- pause: [20ms, 10ms]");
    a_pause_with_a_path: with("- {pause: 20ms, get: /x}");
    bytes_in_two_ways: with("- {id: odd, post: /x, binary: {hex: \"00ff\", random: 5}}");
    bytes_that_cannot_be_read: with("- {id: odd, post: /x, multipart: {a: {binary: {base64: \"no!\"}}, b: {file: b, binary: {hex: \"0g\"}}}}");
    too_many_random_bytes: with("- {id: open, websocket: /ws}\n- {id: odd, send_binary: {random: 0}}");
    a_visit_in_turns: parsed(&NOTES.replace("tenants: 8", "tenants: {count: 8, users: 2}").replace("    cleanup:\n", "    members: {peer: colleague}\n    visits:\n      peer:\n        - {repeat: 2, steps: [{id: odd, get: \"/x/{{note}}\"}]}\n    cleanup:\n"));
}
