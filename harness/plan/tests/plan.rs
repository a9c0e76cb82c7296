//! What a plan is like, whatever the scenario.

use std::collections::BTreeSet;

use coalmine_core::plan::{Access, Phase, Purpose};
use coalmine_core::step::{Action, CaptureFrom, Payload, Step};
use coalmine_core::template::{Level, Segment, Template};
use coalmine_core::{Plan, Principal, Seed};
use coalmine_plan::{Overrides, Scenario, plan};

const AGENTS: &str = include_str!("scenarios/agents.yaml");

fn agents() -> Scenario {
    Scenario::parse(AGENTS, "agents.yaml").unwrap_or_else(|errors| panic!("{errors}"))
}

fn agents_plan(seed: u64, overrides: &Overrides) -> Plan {
    plan(&agents(), Seed(seed), 0, overrides).expect("the scenario has a plan")
}

fn bytes(plan: &Plan) -> String {
    serde_json::to_string(plan).expect("a plan is JSON")
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_gives_others() {
    let none = Overrides::default();
    assert_eq!(bytes(&agents_plan(7, &none)), bytes(&agents_plan(7, &none)));
    assert_ne!(bytes(&agents_plan(7, &none)), bytes(&agents_plan(8, &none)));
}

#[test]
fn a_plan_survives_serde() {
    let plan = agents_plan(7, &Overrides::default());
    assert_eq!(serde_json::from_str::<Plan>(&bytes(&plan)).unwrap(), plan);
}

/// Holds for every plan.
fn check(plan: &Plan) {
    let ids: BTreeSet<u32> = plan.ops().map(|(_, _, op)| op.id.0).collect();
    assert_eq!(ids, (0..plan.op_count).collect(), "ids are dense");
    assert_eq!(plan.ops().count(), plan.op_count as usize, "ids are unique");
    let mut canaries = BTreeSet::new();
    for scope in &plan.scopes {
        assert_eq!(scope.canaries.len(), plan.flow(scope.flow).canaries.len());
        for canary in &scope.canaries {
            assert!(canaries.insert(*canary), "{canary:?} is used twice");
            assert_eq!(canary.owner, scope.principal.owner());
        }
    }
    for (place, principal) in plan.principals.iter().enumerate() {
        assert_eq!(plan.principal(principal.id), Some(principal));
        assert_eq!(plan.session_scope(principal.id).0 as usize, place);
        assert_eq!(principal.attributes.len(), plan.attributes.len());
    }
    for (_, principal, op) in plan.ops() {
        assert_eq!(plan.scope(op.scope).principal, principal);
        let step = plan.step(op.step);
        assert_eq!(step.flow, plan.flow(plan.scope(op.scope).flow).name);
        for canary in step.sends().into_iter().chain(step.sees.iter().copied()) {
            plan.canary(op.scope, canary);
        }
        check_purpose(plan, op.purpose);
    }
}

fn check_purpose(plan: &Plan, purpose: Purpose) {
    match purpose {
        Purpose::Flow | Purpose::Shake | Purpose::Fresh => {}
        Purpose::Visit { host }
        | Purpose::Role { host, .. }
        | Purpose::Anonymous { host }
        | Purpose::Revalidate { other: host }
        | Purpose::Twin { with: host, .. }
        | Purpose::Short { session: host, .. } => {
            plan.scope(host);
        }
        Purpose::Probe { victim, object, .. } => {
            assert_eq!(plan.scope(victim).flow, plan.objects[usize::from(object)].flow);
        }
        Purpose::Unknown { like, object, .. } | Purpose::Timed { like, object, .. } => {
            assert_eq!(plan.scope(like).flow, plan.objects[usize::from(object)].flow);
        }
        Purpose::Confirm { probe } => {
            let (phase, _, op) = plan.ops().find(|(_, _, op)| op.id == probe).expect("the probe exists");
            assert_eq!(phase, Phase::Probe);
            assert!(!op.purpose.is_flow());
        }
    }
}

#[test]
fn every_reference_of_a_plan_leads_somewhere() {
    check(&agents_plan(7, &Overrides::default()));
    check(&agents_plan(8, &Overrides { tenants: Some(1), repeat: Some(1), ..Overrides::default() }));
    check(&agents_plan(9, &Overrides { tenants: Some(40), repeat: Some(7), ..Overrides::default() }));
}

#[test]
fn rounds_go_on_counting() {
    let rounds = [0, 1, 2].map(|round| plan(&agents(), Seed(7), round, &Overrides::default()).unwrap());
    let ids: Vec<u32> = rounds.iter().flat_map(|plan| plan.principals.iter().map(|it| it.id.0)).collect();
    assert_eq!(ids, (0..18).collect::<Vec<u32>>());
    let names: BTreeSet<&String> =
        rounds.iter().flat_map(|plan| plan.principals.iter().map(|it| &it.attributes[0])).collect();
    assert_eq!(names.len(), 9);
    rounds.iter().for_each(check);
}

#[test]
fn probes_come_from_other_tenants_and_what_changes_is_tried_apart() {
    let plan = agents_plan(7, &Overrides::default());
    let tenant = |principal| plan.principal(principal).unwrap().tenant;
    let mut reads = BTreeSet::new();
    let mut others = BTreeSet::new();
    for (_, attacker, op) in plan.ops() {
        let Purpose::Probe { victim, access, .. } = op.purpose else { continue };
        assert_ne!(tenant(attacker), tenant(plan.scope(victim).principal));
        if access == Access::Read {
            reads.insert(victim)
        } else {
            others.insert(victim)
        };
    }
    assert_eq!(reads.len(), 6);
    assert_eq!(others.len(), 12);
    assert!(reads.is_disjoint(&others));
}

const CREW: &str = r#"
coalmine: 1
name: crew
target: {url: http://127.0.0.1:8080}
tenants:
  count: 3
  users: [{role: LEADER}, {role: OPERATOR, count: 2}]
  sessions: 2
  attributes: {tier: [free, pro]}
variables: {REGION: eu, KEY: {secret: true}}
register:
  tenant: [{id: join, post: /tenants, json: {tier: "{{tenant.tier}}", region: "{{env.REGION}}"}, capture: {tenant: $.id}}]
  user: [{id: sign-up, post: "/{{tenant}}/users", json: {name: "{{user.name}}"}, capture: {user: $.id}}]
auth:
  steps: [{id: login, post: "/{{user}}/login", headers: {x-key: "{{env.KEY}}"}, capture: {token: $.token}}]
  send: {headers: {authorization: "{{token}}"}}
teardown:
  user: [{id: leave, delete: "/users/{{user}}"}]
  tenant: [{id: close, delete: "/tenants/{{tenant}}"}]
flows:
  look: {steps: [{id: look, get: /me}]}
anonymous: off
"#;

#[test]
fn tenants_and_users_are_registered_once_and_have_several_sessions() {
    let scenario = Scenario::parse(CREW, "crew.yaml").unwrap_or_else(|errors| panic!("{errors}"));
    let inputs = [("REGION".to_owned(), "us".to_owned()), ("KEY".to_owned(), "hush".to_owned())];
    let overrides = Overrides { inputs: inputs.into(), ..Overrides::default() };
    let plan = plan(&scenario, Seed(7), 0, &overrides).unwrap();
    check(&plan);
    let lanes: Vec<usize> = plan.stages.iter().map(|stage| stage.lanes.len()).collect();
    assert_eq!(lanes, [3, 9, 18, 18, 9, 3]);
    let of = |attribute: &str| plan.attributes.iter().position(|name| name == attribute).unwrap();
    let values = |place: usize, name| plan.principals[place].attributes[of(name)].clone();
    assert_eq!(values(0, "user.password"), values(1, "user.password"));
    assert_ne!(values(1, "user.password"), values(2, "user.password"));
    assert_eq!([0, 6, 12].map(|place| values(place, "tenant.tier")), ["free", "pro", "free"]);
    let roles: Vec<_> = plan.principals[..6].iter().map(|it| it.role.as_deref().unwrap()).collect();
    assert_eq!(roles, ["LEADER", "LEADER", "OPERATOR", "OPERATOR", "OPERATOR", "OPERATOR"]);
    assert_eq!(plan.inputs[0].value.as_deref(), Some("us"));
    assert!(!bytes(&plan).contains("hush"), "a secret stands in no plan");
    let Action::Request(leave) = &step(&plan, "leave").action else { panic!("leave is a request") };
    assert_eq!(leave.headers.len(), 1);
}

#[test]
fn with_too_few_passes_each_access_has_its_own_stages() {
    let plan = agents_plan(7, &Overrides { repeat: Some(1), ..Overrides::default() });
    let phases: Vec<Phase> = plan.stages.iter().map(|stage| stage.phase).collect();
    let (probe, confirm) = (Phase::Probe, Phase::Confirm);
    assert_eq!(phases, [Phase::Auth, Phase::Flows, probe, confirm, probe, confirm, probe, confirm, Phase::Cleanup]);
    check(&plan);
}

#[test]
fn the_example_of_the_documentation_is_a_scenario() {
    let source = include_str!("../src/lib.rs");
    let example = source.split("//! ```yaml\n").nth(1).unwrap().split("//! ```\n").next().unwrap();
    let lines: Vec<&str> = example.lines().map(|line| line.get(4..).unwrap_or_default()).collect();
    let text = lines.join("\n");
    let scenario = Scenario::parse(&text, "example").unwrap_or_else(|errors| panic!("{errors}"));
    check(&plan(&scenario, Seed(1), 0, &Overrides::default()).unwrap());
}

#[test]
fn a_small_plan_looks_like_this() {
    let notes = concat!(include_str!("scenarios/notes.yaml"), "anonymous: off\n");
    let scenario = Scenario::parse(notes, "notes.yaml").unwrap_or_else(|errors| panic!("{errors}"));
    let overrides = Overrides { tenants: Some(2), repeat: Some(2), ..Overrides::default() };
    insta::assert_json_snapshot!(plan(&scenario, "9c3f1e".parse().unwrap(), 1, &overrides).unwrap());
}

#[test]
fn what_cannot_be_planned_is_said() {
    let notes = concat!(include_str!("scenarios/notes.yaml"), "anonymous: off\n");
    let refusal = |notes: &str, overrides: Overrides| {
        let scenario = Scenario::parse(notes, "notes.yaml").unwrap_or_else(|errors| panic!("{errors}"));
        plan(&scenario, Seed(1), 0, &overrides).unwrap_err().to_string()
    };
    let none = Overrides::default;
    let refusals = [
        refusal(&notes.replace("url: http://127.0.0.1:8080, ", ""), none()),
        refusal(notes, Overrides { target_url: Some("http://example.com".to_owned()), ..none() }),
        refusal(notes, Overrides { target_url: Some("example.com".to_owned()), ..none() }),
        refusal(notes, Overrides { tenants: Some(0), ..none() }),
        refusal(notes, Overrides { tenants: Some(100_000), repeat: Some(100_000), ..none() }),
    ];
    insta::assert_snapshot!(refusals.join("\n"));
}

fn step<'p>(plan: &'p Plan, name: &str) -> &'p Step {
    plan.steps.iter().find(|step| step.name == name).unwrap_or_else(|| panic!("there is a step {name}"))
}

/// Text with `<flow 0>` and the like for holes.
fn shown(template: &Template) -> String {
    let level = |level| if level == Level::Flow { "flow" } else { "session" };
    let shown = template.segments.iter().map(|segment| match segment {
        Segment::Text(text) => text.clone(),
        Segment::Canary(canary) => format!("<canary {} {}>", level(canary.level), canary.slot),
        Segment::Variable(variable) => format!("<{} {}>", level(variable.level), variable.slot),
        Segment::Attribute(slot) => format!("<attribute {slot}>"),
        Segment::Member { level: of, member, value } => format!("<member {} {member} {value:?}>", level(*of)),
        Segment::Input(slot) => format!("<input {slot}>"),
        Segment::Call { function, arguments } => {
            let arguments: Vec<String> = arguments.iter().map(shown).collect();
            format!("<{function}({})>", arguments.join(", "))
        }
        Segment::Named(tree) => serde_json::to_string(tree).expect("a tree is JSON"),
        Segment::Webhook(slot) => format!("<webhook {slot}>"),
    });
    shown.collect()
}

#[test]
fn a_query_is_encoded_and_its_holes_stay_holes() {
    let plan = agents_plan(7, &Overrides::default());
    let Action::Open(open) = &step(&plan, "connect").action else { panic!("connect opens a WebSocket") };
    assert_eq!(shown(&open.path), "/agents/events?types=agent_started%2Cagent_completed&for=<flow 0>");
    assert_eq!(open.subprotocols, ["agents.v1"]);
}

#[test]
fn the_session_s_headers_go_with_every_step_that_does_not_have_its_own() {
    let plan = agents_plan(7, &Overrides::default());
    let authorization = |name| {
        let headers = match &step(&plan, name).action {
            Action::Request(request) => &request.headers,
            Action::Open(open) => &open.headers,
            other => panic!("{other:?} has headers"),
        };
        let values: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {}", shown(value))).collect();
        values.join(", ")
    };
    assert_eq!(authorization("create-thread"), "authorization: Bearer <session 0>");
    assert_eq!(authorization("connect"), "authorization: Bearer <session 0>");
    assert_eq!(authorization("read-thread"), "authorization: Bearer <session 0> x");
    assert_eq!(authorization("login"), "");
}

#[test]
fn quoted_text_in_a_hole_is_sent_as_it_stands() {
    let plan = agents_plan(7, &Overrides::default());
    let Action::Request(request) = &step(&plan, "list").action else { panic!("list is a request") };
    assert_eq!(request.method, "REPORT");
    assert_eq!(request.body, Some(Payload::Text(Template::text("a {{ b"))));
}

#[test]
fn header_fields_are_captured_by_their_names_in_small_letters() {
    let plan = agents_plan(7, &Overrides::default());
    let captures = &step(&plan, "create-thread").captures;
    assert_eq!(captures[1].from, CaptureFrom::Header("location".to_owned()));
}

#[test]
fn canaries_of_auth_belong_to_the_session_and_others_to_a_pass() {
    let plan = agents_plan(7, &Overrides::default());
    let names = |flow: usize| plan.flows[flow].canaries.iter().map(|it| it.name.as_str()).collect::<Vec<_>>();
    assert_eq!(names(0), ["email"]);
    assert_eq!(names(1), ["title", "renamed", "prompt"]);
    assert_eq!(names(2), [""; 0]);
    assert_eq!(step(&plan, "ask").sends()[0].slot, 2);
}

#[test]
fn passes_of_the_flows_are_mixed_but_not_split() {
    let plan = agents_plan(7, &Overrides { repeat: Some(6), ..Overrides::default() });
    let flows = plan.stages.iter().find(|stage| stage.phase == Phase::Flows).unwrap();
    let mut orders = BTreeSet::new();
    for lane in &flows.lanes {
        let mut scopes: Vec<u32> = lane.ops.iter().map(|op| op.scope.0).collect();
        scopes.dedup();
        let distinct: BTreeSet<u32> = scopes.iter().copied().collect();
        assert_eq!(scopes.len(), distinct.len(), "no pass is split");
        assert!(scopes.len() >= 12, "everyone goes through both flows six times");
        orders.insert(scopes.iter().map(|scope| scope - scopes.iter().min().unwrap()).collect::<Vec<u32>>());
    }
    assert!(orders.len() > 1, "principals have different orders");
}

#[test]
fn some_tenants_have_all_users_and_in_the_others_the_first_is_alone() {
    let text = AGENTS.replace("tenants: {count: 3, users: 2,", "tenants: {count: 3, users: 2, users_in: 1, fresh: 1,");
    assert_ne!(text, AGENTS);
    let scenario = Scenario::parse(&text, "agents.yaml").unwrap();
    let people = |round| {
        let plan = plan(&scenario, Seed(1), round, &Overrides::default()).unwrap();
        let person = |one: &Principal| (one.id.0, one.tenant.0, one.user);
        plan.principals.iter().map(person).collect::<Vec<_>>()
    };
    assert_eq!(people(0), [(0, 0, 0), (1, 0, 1), (2, 1, 0), (3, 2, 0), (4, 3, 0), (5, 3, 1)]);
    assert_eq!(people(1), [(6, 4, 0), (7, 4, 1), (8, 5, 0), (9, 6, 0), (10, 7, 0), (11, 7, 1)]);
}

#[test]
fn nobody_asks_with_an_etag_of_a_flow_that_the_round_leaves_out() {
    let more = "flows:\n  feed:\n    steps:\n      - {id: feed, get: /feed, sees: email, revalidate: others}\n  news:\n    steps: [{id: news, get: /news}]\n";
    let notes = include_str!("scenarios/notes.yaml").replace("flows:\n", more);
    let scenario = Scenario::parse(&notes, "notes.yaml").unwrap();
    let mut rounds_without = 0;
    for round in 0..60 {
        let plan = plan(&scenario, Seed(1), round, &Overrides::default()).unwrap();
        let of = |is: fn(&Purpose) -> bool| {
            let ops = plan.ops().filter(|(.., op)| is(&op.purpose) && plan.step(op.step).name == "feed");
            ops.map(|(.., op)| (op.scope, op.purpose)).collect::<Vec<_>>()
        };
        let given: BTreeSet<_> = of(Purpose::is_flow).into_iter().map(|(scope, _)| scope).collect();
        rounds_without += u32::from(given.is_empty());
        for (_, purpose) in of(|purpose| matches!(purpose, Purpose::Revalidate { .. })) {
            let Purpose::Revalidate { other } = purpose else { continue };
            assert!(given.contains(&other), "round {round}");
        }
    }
    assert!(rounds_without > 0, "some rounds leave the flow out");
}

#[test]
fn somebody_without_credentials_is_not_fresh() {
    let look = "      - {id: list, get: /notes, empty_for_fresh: $.notes}\n    cleanup:";
    let notes = include_str!("scenarios/notes.yaml").replace("tenants: 8", "tenants: {count: 3, fresh: 1}");
    let scenario = Scenario::parse(&notes.replace("    cleanup:", look), "notes.yaml").unwrap();
    let plan = plan(&scenario, Seed(1), 0, &Overrides::default()).unwrap();
    let anonymous = plan.principals.iter().find(|principal| principal.is_anonymous()).unwrap().id;
    let purposes: Vec<_> = plan.ops().filter(|(_, who, _)| *who == anonymous).map(|(.., op)| op.purpose).collect();
    assert!(!purposes.is_empty() && !purposes.contains(&Purpose::Fresh), "{purposes:?}");
}

#[test]
fn fresh_tenants_make_nothing_and_look_beside_the_others_and_after_them() {
    let notes = include_str!("scenarios/notes.yaml");
    let notes = notes.replace("tenants: 8", "anonymous: off\ntenants: {count: 3, fresh: 2, users: 2}");
    let look = "      - {id: list, get: /notes, empty_for_fresh: $.notes}\n    cleanup:";
    let scenario = Scenario::parse(&notes.replace("    cleanup:", look), "notes.yaml").unwrap();
    let plan = plan(&scenario, Seed(5), 1, &Overrides::default()).unwrap();
    check(&plan);
    assert_eq!((plan.principals.len(), plan.principals[0].tenant.0), (10, 5));
    let fresh: Vec<_> = plan.principals[6..].iter().map(|principal| principal.id).collect();
    let of_fresh = plan.ops().filter(|(phase, who, _)| fresh.contains(who) && *phase != Phase::Auth);
    let of_fresh: Vec<_> = of_fresh.map(|(_, _, op)| (op.purpose, plan.step(op.step).name.as_str())).collect();
    assert!(of_fresh.iter().all(|(purpose, step)| *purpose == Purpose::Fresh && *step == "list"), "{of_fresh:?}");
    let looks = plan.stages.iter().filter(|stage| stage.phase == Phase::Flows).map(|stage| stage.lanes.len());
    assert_eq!(looks.take(2).collect::<Vec<_>>(), [10, 4]);
}

#[test]
fn others_ask_with_the_etag_of_the_next_tenant() {
    let step = "      - {id: me, get: /me, sees: email, revalidate: others}\n    cleanup:";
    let notes = include_str!("scenarios/notes.yaml").replace("    cleanup:", step);
    let scenario = Scenario::parse(&notes, "notes.yaml").unwrap();
    let plan = plan(&scenario, Seed(5), 0, &Overrides::default()).unwrap();
    check(&plan);
    let asks = plan.ops().filter_map(|(phase, who, op)| match op.purpose {
        Purpose::Revalidate { other } => Some((phase, who, plan.scope(other).principal)),
        _ => None,
    });
    let asks: Vec<_> = asks.collect();
    assert_eq!(asks.len(), 8);
    assert!(asks.iter().all(|(phase, who, other)| *phase == Phase::Probe && who != other), "{asks:?}");
}

/// The names of the steps that make a session anew.
fn renewed_by(text: &str) -> Vec<String> {
    let scenario = Scenario::parse(text, "agents.yaml").unwrap_or_else(|errors| panic!("{errors}"));
    let plan = plan(&scenario, Seed(1), 0, &Overrides::default()).expect("the scenario has a plan");
    let renewal = plan.renewal.as_ref().expect("sessions are made anew");
    renewal.steps.iter().map(|step| plan.step(*step).name.clone()).collect()
}

#[test]
fn a_session_is_made_anew_by_the_steps_that_bring_its_credential_or_by_those_that_are_named() {
    assert_eq!(renewed_by(AGENTS), ["login"], "registering once more would be refused");
    let both = AGENTS.replace("auth:\n", "auth:\n  renew: {steps: [login, register]}\n");
    assert_eq!(renewed_by(&both), ["register", "login"]);
}

#[test]
fn a_session_that_shows_cookies_beside_a_token_of_a_page_is_made_anew_by_all_steps() {
    let page = "auth:\n  steps:\n    - {id: page, get: /login, capture: {token: {css: form, attribute: data-token}}}\n";
    let cookies = AGENTS.replace("auth:\n  steps:\n", page).replace("{token: $.token, user_id", "{user_id");
    assert_eq!(renewed_by(&cookies), ["page", "register", "login"]);
}

#[test]
fn roles_and_sessions_have_holes() {
    let text = AGENTS.replace("users: 2,", "users: [{role: CHIEF}, {}], sessions: 2,").replace(
        "get: /agents/threads/{{thread}}\n",
        "get: \"/agents/threads/{{thread}}?as={{user.role}}&on={{user.session}}\"\n",
    );
    let scenario = Scenario::parse(&text, "agents.yaml").unwrap_or_else(|errors| panic!("{errors}"));
    let plan = plan(&scenario, Seed(1), 0, &Overrides::default()).expect("the scenario has a plan");
    let of = |name: &str| plan.attributes.iter().position(|known| known == name).expect("everybody has it");
    let (role, session) = (of("user.role"), of("user.session"));
    let has: Vec<_> =
        plan.principals.iter().take(4).map(|it| (&*it.attributes[role], &*it.attributes[session])).collect();
    assert_eq!(has, [("CHIEF", "0"), ("CHIEF", "1"), ("", "0"), ("", "1")]);
}
