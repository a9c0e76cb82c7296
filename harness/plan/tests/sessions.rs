//! Sessions that some users make and end beside their own.

#![expect(clippy::unwrap_used, reason = "facts about plans that must exist")]

#[macro_use]
mod facts;

use std::collections::BTreeSet;

use coalmine_core::Seed;
use coalmine_core::plan::{Lane, OpId, Part, Phase, Plan, Purpose, Schedule};
use coalmine_core::step::Action;
use coalmine_plan::{Overrides, Scenario, Shaking, Writes, plan};

const TEXT: &str = include_str!("scenarios/agents.yaml");
/// A service without sessions.
const OPEN: &str = "coalmine: 1\nname: open\ntarget: {url: http://127.0.0.1:1}\ntenants: 2\nauth:\n  logout: [{id: logout, post: /logout}]\nflows:\n  f:\n    steps: [{id: look, get: /x}]\n";
const SEND: &str = "  send:\n    headers: {authorization: \"Bearer {{token}}\"}\n";

/// The scenario with steps that end a session.
fn text(logout: &str) -> String {
    assert_eq!(TEXT.matches(SEND).count(), 1);
    TEXT.replace(SEND, &format!("{SEND}  logout: {logout}\n"))
}

fn scenario() -> Scenario {
    Scenario::parse(&text("[{id: logout, post: /auth/logout}]"), "agents.yaml").unwrap()
}

fn overrides() -> Overrides {
    Overrides { tenants: Some(6), repeat: Some(4), ..Overrides::default() }
}

fn short(overrides: &Overrides) -> Plan {
    plan(&scenario(), Seed(7), 0, overrides).unwrap()
}

fn beside(plan: &Plan) -> Vec<&Lane> {
    let flows = plan.stages.iter().find(|stage| stage.phase == Phase::Flows).unwrap();
    flows.lanes.iter().filter(|lane| lane.beside.is_some()).collect()
}

fn parts(plan: &Plan, lane: &Lane) -> Vec<(Part, String)> {
    let part = |purpose| match purpose {
        Purpose::Short { part, .. } => part,
        other => panic!("{other:?} is no part of a short session"),
    };
    lane.ops.iter().map(|op| (part(op.purpose), plan.step(op.step).name.clone())).collect()
}

#[test]
fn some_users_make_one_more_session_look_listen_end_it_and_look_again() {
    let plan = short(&overrides());
    let lanes = beside(&plan);
    assert_eq!(lanes.len(), 4);
    for lane in lanes {
        let parts = parts(&plan, lane);
        assert_eq!(parts[0], (Part::Login, "login".to_owned()), "registering once more would be refused");
        let order: Vec<Part> = parts.iter().map(|(part, _)| *part).collect();
        assert!(order.is_sorted(), "{order:?}");
        let reads = |wanted: Part| parts.iter().filter(move |(part, _)| *part == wanted).map(|(_, name)| name.clone());
        let before: BTreeSet<String> = reads(Part::Before).collect();
        assert!(!before.is_empty());
        assert_eq!(before, reads(Part::After).collect());
        assert_eq!(reads(Part::After).count(), 3 * before.len());
        assert_eq!(reads(Part::Logout).collect::<Vec<_>>(), ["logout"]);
    }
}

#[test]
fn the_steps_that_end_a_session_show_whose_it_is() {
    let plan = short(&overrides());
    let logout = plan.steps.iter().find(|step| step.name == "logout").unwrap();
    let Action::Request(request) = &logout.action else { panic!("{logout:?}") };
    assert_eq!(request.headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["authorization"]);
}

#[test]
fn what_such_a_session_reads_was_made_by_its_user_before_it_begins() {
    let plan = short(&overrides());
    for lane in beside(&plan) {
        let flows = plan.stages.iter().find(|stage| stage.phase == Phase::Flows).unwrap();
        let own = flows.lanes.iter().find(|it| it.principal == lane.principal && it.beside.is_none()).unwrap();
        let at = own.ops.iter().position(|op| Some(op.id) == lane.beside).unwrap();
        for op in lane.ops.iter().filter(|op| matches!(op.purpose, Purpose::Short { part: Part::Before, .. })) {
            assert!(own.ops[..=at].iter().any(|it| (it.step, it.scope) == (op.step, op.scope)));
            assert!(matches!(&plan.step(op.step).action, Action::Request(request) if request.method == "GET"));
        }
    }
}

#[test]
fn operations_are_numbered_once_and_the_same_seed_gives_the_same_sessions() {
    let plan = short(&overrides());
    let numbers: BTreeSet<OpId> = plan.ops().map(|(.., op)| op.id).collect();
    assert_eq!(numbers.len(), plan.op_count as usize);
    assert_eq!(plan, short(&overrides()));
}

#[test]
fn no_session_is_ended_where_nothing_is_shaken_or_written_or_tenants_act_one_after_another() {
    let calm = [
        Overrides { shaking: Shaking::Off, ..overrides() },
        Overrides { writes: Writes::LeftOut, ..overrides() },
        Overrides { schedule: Schedule::OneAtATime, ..overrides() },
    ];
    for overrides in calm {
        assert_eq!(beside(&short(&overrides)).len(), 0);
    }
}

#[test]
fn where_a_session_shows_itself_by_cookies_all_of_its_steps_make_one_more() {
    let text = text("[{id: logout, post: /auth/logout}]")
        .replace("    headers: {authorization: \"Bearer {{token}}\"}\n", "    headers: {x-client: coalmine}\n");
    let plan = plan(&Scenario::parse(&text, "agents.yaml").unwrap(), Seed(7), 0, &overrides()).unwrap();
    let login: Vec<&str> =
        plan.logout.iter().flat_map(|it| &it.login).map(|step| plan.step(*step).name.as_str()).collect();
    assert_eq!(login, ["register", "login"]);
}

/// The scenario where making a session anew makes void what it showed itself by before.
fn voiding(renew: &str) -> String {
    assert_eq!(TEXT.matches(SEND).count(), 1);
    TEXT.replace(SEND, &format!("{SEND}  renew: {renew}\n"))
}

#[test]
fn where_a_renewal_makes_void_what_was_some_users_renew_a_session_beside_their_own_and_look_again() {
    let scenario = Scenario::parse(&voiding("{voids: on}"), "agents.yaml").unwrap();
    let plan = plan(&scenario, Seed(7), 0, &overrides()).unwrap();
    let lanes = beside(&plan);
    assert_eq!(lanes.len(), 4);
    for lane in lanes {
        let parts = parts(&plan, lane);
        let of = |wanted: Part| parts.iter().filter(move |(part, _)| *part == wanted).map(|(_, name)| name.clone());
        assert_eq!(of(Part::Login).chain(of(Part::Renew)).collect::<Vec<_>>(), ["login", "login"]);
        assert!(parts.iter().map(|(part, _)| *part).collect::<Vec<_>>().is_sorted());
        assert!(of(Part::Before).count() > 0 && of(Part::After).count() == 3 * of(Part::Before).count());
        assert_eq!(of(Part::Listen).chain(of(Part::Logout)).count(), 0, "what is open may stay so");
    }
}

#[test]
fn who_has_ended_a_session_renews_none_where_there_are_others() {
    let both = voiding("{voids: on}").replace(SEND, &format!("{SEND}  logout: [{{id: logout, post: /auth/logout}}]\n"));
    let scenario = Scenario::parse(&both, "agents.yaml").unwrap();
    let plan = plan(&scenario, Seed(7), 0, &Overrides { tenants: Some(8), ..overrides() }).unwrap();
    let users: BTreeSet<_> = beside(&plan).iter().map(|lane| lane.principal).collect();
    assert!(users.len() > 4 && beside(&plan).len() == users.len(), "{users:?}");
}

#[test]
fn no_session_is_renewed_beside_another_by_default() {
    for renew in ["{steps: login}", "{voids: off}", "on", "off"] {
        let scenario = Scenario::parse(&voiding(renew), "agents.yaml").unwrap();
        let plan = plan(&scenario, Seed(7), 0, &overrides()).unwrap();
        assert!(plan.voiding.is_none() && beside(&plan).is_empty(), "{renew}");
    }
}

fn errors(text: &str) -> String {
    match Scenario::parse(text, "agents.yaml") {
        Ok(scenario) => panic!("{} has no problem", scenario.name()),
        Err(errors) => errors.render(false),
    }
}

#[test]
fn a_link_that_is_good_by_itself_is_not_asked_for_after_the_session() {
    const READ: &str = "        get: /agents/threads/{{thread}}\n";
    let all = text("[{id: logout, post: /auth/logout}]");
    assert_eq!(all.matches(READ).count(), 1);
    for (text, reads) in [(all.clone(), true), (all.replace(READ, &format!("{READ}        auth: off\n")), false)] {
        let plan = plan(&Scenario::parse(&text, "agents.yaml").unwrap(), Seed(7), 0, &overrides()).unwrap();
        let mut read = beside(&plan).into_iter().flat_map(|lane| parts(&plan, lane));
        assert_eq!(read.any(|(part, name)| part == Part::After && name == "read-thread"), reads);
    }
}

facts! {
    by errors;
    a_renewal_that_makes_void_nothing_that_is_shown: &voiding("{voids: on}").replace("{authorization: \"Bearer {{token}}\"}", "{x-client: coalmine}");
    a_logout_without_steps: &text("[]");
    a_logout_that_plants_a_secret: &text("[{id: logout, post: /auth/logout, json: {why: \"{{canary.title}}\"}}]");
    a_logout_that_captures: &text("[{id: logout, post: /auth/logout, capture: {bye: $.bye}}]");
    a_logout_over_a_socket: &text("[{id: logout, websocket: /auth/logout}]");
    a_logout_where_there_is_no_session: OPEN;
}
