//! Somebody without credentials: what it tries, and what it leaves alone.

#[macro_use]
mod facts;

use std::collections::BTreeSet;

use coalmine_core::plan::{Access, Phase, Purpose};
use coalmine_core::step::{Action, Request};
use coalmine_core::{Plan, Seed, TenantId};
use coalmine_plan::{Overrides, Scenario, plan};

const GOOD: &str = r#"
coalmine: 1
name: wiki
target: {url: http://127.0.0.1:8080}
tenants: {count: 6, users: [{role: EDITOR}, {}]}
canaries: {draft: text}
variables: {LANG: en, SECRET: {secret: true}}
auth:
  steps: [{id: enrol, post: /teams, capture: {key: $.key, team: $.team, ticket: $.ticket}}]
  send: {headers: {authorization: "{{key}}", x-name: "{{user.name}}"}, query: {key: "{{key}}"}}
flows:
  pages:
    repeat: 2
    steps:
      - {id: write, post: "/{{team}}/pages", json: {text: "{{canary.draft}}"}, capture: {page: $.id, link: $.link}}
      - {id: read, get: "/{{team}}/pages/{{page}}", headers: {accept: text/plain, x-trace: "{{page}}"}, sees: draft}
      - {id: export, post: /export, json: {page: "{{page}}"}, expect: {status: 200}}
      - {id: search, get: "/search?lang={{env.LANG}}"}
      - {id: own, get: "/{{tenant.name}}/users/{{user.index}}"}
      - {id: follow, get: "{{link}}"}
      - {id: by-ticket, get: "/search?ticket={{ticket}}"}
      - {id: by-key, get: "/keys/{{key}}"}
      - {id: by-password, get: "/login/{{user.password}}"}
      - {id: by-secret, get: "/operator/{{env.SECRET}}"}
      - {id: in-body, post: /rpc, json: {token: "{{key}}"}}
      - {id: front, get: /front, public: true}
objects:
  page: {id: page, read: read, export: export}
"#;

fn scenario_of(text: &str) -> Result<Scenario, String> {
    Scenario::parse(text, "wiki.yaml").map_err(|errors| errors.render(false))
}

fn planned(text: &str) -> Plan {
    let scenario = scenario_of(text).unwrap_or_else(|errors| panic!("{errors}"));
    plan(&scenario, Seed(7), 0, &Overrides::default()).expect("the scenario has a plan")
}

/// The good scenario with something more at its end.
fn good_and(more: &str) -> String {
    [GOOD, more, "\n"].concat()
}

/// Names of the operations of somebody without credentials, with what they try.
fn tried(plan: &Plan) -> BTreeSet<(String, Option<Access>)> {
    let anonymous = plan.principals.iter().filter(|who| who.is_anonymous()).map(|who| who.id).next_back();
    let ops = plan.ops().filter(|(_, who, _)| Some(*who) == anonymous);
    let name = |purpose, step| {
        let access = if let Purpose::Probe { access, .. } = purpose { Some(access) } else { None };
        (plan.step(step).name.clone(), access)
    };
    ops.map(|(_, _, op)| name(op.purpose, op.step)).collect()
}

fn request<'p>(plan: &'p Plan, name: &str, nth: usize) -> &'p Request {
    let step = plan.steps.iter().filter(|step| step.name == name).nth(nth).expect("there is such a step");
    let Action::Request(request) = &step.action else { panic!("{name} is a request") };
    request
}

fn named(names: &[(&str, Option<Access>)]) -> BTreeSet<(String, Option<Access>)> {
    names.iter().map(|(name, access)| ((*name).to_owned(), *access)).collect()
}

#[test]
fn by_default_objects_are_read_and_what_needs_nothing_captured() {
    let plan = planned(GOOD);
    let read_and_export = [("read", Some(Access::Read)), ("export", Some(Access::Export))];
    assert_eq!(tried(&plan), named(&[&read_and_export[..], &[("search", None), ("own", None)]].concat()));
    let anonymous = plan.principals.last().unwrap();
    assert_eq!((anonymous.tenant, anonymous.id.0), (TenantId::NOBODY, 12), "it comes after all others");
    assert_eq!(plan.principals.iter().filter(|who| who.is_anonymous()).count(), 1);
    let looks = plan.ops().filter(|(phase, ..)| *phase == Phase::Confirm).count();
    let probes = plan.ops().filter(|(_, _, op)| matches!(op.purpose, Purpose::Probe { .. })).count();
    assert_eq!(looks, probes, "the owner looks after each");
}

#[test]
fn credentials_are_left_out_and_the_rest_stays() {
    let plan = planned(GOOD);
    let names = |request: &Request| request.headers.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(request(&plan, "read", 0)), ["accept", "x-trace", "authorization", "x-name"]);
    assert_eq!(names(request(&plan, "read", 1)), ["accept", "x-trace"]);
    assert_eq!(request(&plan, "search", 0).path.segments.len(), 4);
    assert_eq!(request(&plan, "search", 1).path.segments.len(), 2);
    let bare = plan.steps.iter().filter(|step| step.name == "read").nth(1).unwrap();
    assert!(bare.sees.is_empty() && bare.captures.is_empty());
}

#[test]
fn nobody_without_credentials_makes_a_session_or_is_an_attacker_of_a_tenant() {
    let plan = planned(&good_and("anonymous: {steps: [{id: home, get: /, sees: []}], repeat: 3}"));
    let anonymous = plan.principals.last().unwrap().id;
    let phases: BTreeSet<Phase> = plan.ops().filter(|(_, who, _)| *who == anonymous).map(|(phase, ..)| phase).collect();
    assert_eq!(phases, BTreeSet::from([Phase::Flows, Phase::Probe]));
    let home = plan.ops().filter(|(_, who, op)| op.purpose.is_flow() && *who == anonymous).count();
    assert_eq!(home, 3);
    assert!(plan.ops().all(|(_, who, op)| plan.step(op.step).name != "home" || who == anonymous));
    for (_, who, op) in plan.ops() {
        assert_eq!(plan.scope(op.scope).principal, who);
    }
}

#[test]
fn named_tries_take_the_place_of_the_usual_ones_and_may_follow_links() {
    let plan = planned(&good_and("anonymous: {tries: [follow]}"));
    let all = [("read", Some(Access::Read)), ("export", Some(Access::Export)), ("follow", None)];
    assert_eq!(tried(&plan), named(&all));
}

#[test]
fn a_scenario_without_credentials_or_with_off_has_nobody_without_them() {
    let open = "coalmine: 1\nname: open\ntarget: {url: http://127.0.0.1:1}\nflows: {a: {steps: [{id: a, get: /a}]}}\n";
    for text in [open, &good_and("anonymous: off")] {
        assert!(planned(text).principals.iter().all(|who| !who.is_anonymous()));
    }
}

fn refused(more: &str) -> String {
    scenario_of(&good_and(more)).expect_err("the scenario is wrong")
}

facts! {
    by refused;
    a_word_that_is_neither_on_nor_off: "anonymous: never";
    a_try_of_a_step_that_is_not_there: "anonymous: {tries: [serch]}";
    a_try_that_cannot_do_without_credentials: "anonymous: {tries: [in-body, enrol]}";
    a_value_of_a_session_without_one: "anonymous: {steps: [{id: odd, get: \"/{{key}}\"}]}";
    an_attribute_that_nobody_has: "anonymous: {steps: [{id: odd, get: \"/{{tenant.name}}/{{run.id}}\"}]}";
}
