//! What a plan does to shake the target, and what it must not do.

#![expect(clippy::unwrap_used, reason = "facts about plans that must exist")]

use std::collections::{BTreeMap, BTreeSet};

use coalmine_core::perturb::{Forgery, GateId, Moment, Pace, Perturbation, Point, PoisonKind, Start, Via, Widen};
use coalmine_core::plan::{Lane, Op, Phase, Plan, Purpose, Schedule, ScopeId, Stage};
use coalmine_core::step::{Action, StepId};
use coalmine_core::{Seed, TenantId};
use coalmine_plan::{Overrides, Scenario, Shaking, plan};

const FILE: &str = "agents.yaml";
const TEXT: &str = include_str!("scenarios/agents.yaml");

fn shaken(seed: u64, round: u32) -> Plan {
    let scenario = Scenario::parse(TEXT, FILE).unwrap();
    let overrides = Overrides { tenants: Some(12), repeat: Some(4), ..Overrides::default() };
    plan(&scenario, Seed(seed), round, &overrides).unwrap()
}

fn flows(plan: &Plan) -> &[Lane] {
    &plan.stages.iter().find(|stage| stage.phase == Phase::Flows).unwrap().lanes
}

fn many() -> impl Iterator<Item = Plan> {
    (0..6).flat_map(|seed| (0..5).map(move |round| shaken(seed, round)))
}

fn tenant(plan: &Plan, lane: &Lane) -> TenantId {
    plan.principal(lane.principal).unwrap().tenant
}

#[test]
fn the_same_seed_gives_the_same_plan_to_the_byte_with_everything_on() {
    for round in 0..4 {
        let bytes = || serde_json::to_vec(&shaken(3, round)).unwrap();
        assert_eq!(bytes(), bytes());
    }
}

#[test]
fn a_round_has_every_kind_of_perturbation() {
    let kinds: BTreeSet<Perturbation> = many()
        .chain(searching())
        .chain(choosing(""))
        .flat_map(|plan| plan.ops().flat_map(|(.., op)| op.manner.perturbations()).collect::<Vec<_>>())
        .collect();
    assert_eq!(kinds, BTreeSet::from(Perturbation::ALL));
}

#[test]
fn gates_stand_in_ascending_order_in_every_lane_so_that_nobody_waits_in_a_circle() {
    for plan in many() {
        for lane in flows(&plan) {
            let gates: Vec<GateId> = lane.ops.iter().filter_map(|op| op.manner.gate).collect();
            assert!(gates.windows(2).all(|pair| pair[0] < pair[1]), "{gates:?}");
        }
    }
}

#[test]
fn a_gate_brings_as_many_tenants_together_as_it_says() {
    for plan in many() {
        let mut members: BTreeMap<GateId, BTreeSet<TenantId>> = BTreeMap::new();
        for lane in flows(&plan) {
            for gate in lane.ops.iter().filter_map(|op| op.manner.gate) {
                assert!(members.entry(gate).or_default().insert(tenant(&plan, lane)), "each tenant once");
            }
        }
        assert_eq!(members.len(), plan.gates.len());
        for (gate, tenants) in members {
            assert_eq!(tenants.len(), usize::from(plan.gates[gate.0 as usize].members));
            assert!(tenants.len() > 1);
        }
    }
}

#[test]
fn who_waits_for_others_holds_no_connection_that_others_wait_for() {
    for plan in many() {
        for (.., op) in plan.ops().filter(|(.., op)| op.manner.gate.is_some() || op.manner.awaits().next().is_some()) {
            assert!(!matches!(op.manner.via, Via::Shared(_)), "{op:?}");
        }
    }
}

#[test]
fn what_is_expected_to_break_belongs_to_no_flow() {
    for plan in many() {
        for (.., op) in plan.ops() {
            let manner = op.manner;
            let breaks = manner.cut.is_some()
                || manner.again
                || manner.poison.is_some()
                || manner.widen.is_some()
                || manner.flood;
            assert!(!breaks || op.purpose == Purpose::Shake, "{op:?}");
        }
    }
}

#[test]
fn a_pass_that_is_given_up_ends_there() {
    for plan in many() {
        for lane in flows(&plan) {
            let cut: BTreeSet<u32> =
                lane.ops.iter().filter(|op| op.manner.cut.is_some()).map(|op| op.scope.0).collect();
            for scope in cut {
                let last = lane.ops.iter().rfind(|op| op.scope.0 == scope).unwrap();
                assert!(last.manner.cut.is_some() || last.manner.again, "{last:?}");
            }
        }
    }
}

#[test]
fn others_go_through_the_flow_before_a_poisoning_and_twice_after_it() {
    let mut count = 0;
    for plan in many() {
        let is_poisoned = |op: &&Op| op.manner.poison.is_some();
        for (at, stage) in plan.stages.iter().enumerate() {
            let Some(poisoned) = stage.lanes.iter().flat_map(|lane| &lane.ops).find(is_poisoned) else { continue };
            let [by] = &stage.lanes[..] else { panic!("one alone sends poison: {stage:?}") };
            for watch in [at - 1, at + 1, at + 2].map(|at| &plan.stages[at]) {
                assert_eq!(watch.phase, Phase::Flows);
                let plain = |op: &Op| op.purpose == Purpose::Flow && op.manner.is_plain();
                assert!(watch.lanes.iter().flat_map(|lane| &lane.ops).all(plain));
                let tenants: BTreeSet<TenantId> = watch.lanes.iter().map(|lane| tenant(&plan, lane)).collect();
                assert!(tenants.len() > 1 && !tenants.contains(&tenant(&plan, by)));
                assert!(watch.lanes.iter().all(|lane| lane.ops.iter().any(|op| op.step == poisoned.step)));
            }
            count += 1;
        }
    }
    assert!(count > 5, "{count}");
}

/// Plans of a scenario with a search.
fn searching() -> impl Iterator<Item = Plan> {
    let text = TEXT.replace(
        "steps:\n      - id: create-thread",
        "steps:\n      - {id: search, get: /search, query: {q: \"{{canary.title}}\"}}\n      - id: create-thread",
    );
    assert_ne!(text, TEXT);
    let scenario = Scenario::parse(&text, FILE).unwrap();
    let overrides = Overrides { tenants: Some(12), repeat: Some(4), ..Overrides::default() };
    (0..5).map(move |round| plan(&scenario, Seed(2), round, &overrides).unwrap())
}

#[test]
fn a_search_is_followed_by_a_wider_one_that_belongs_to_no_flow() {
    let mut kinds = BTreeSet::new();
    for plan in searching() {
        for lane in flows(&plan) {
            for (at, wider) in lane.ops.iter().enumerate().filter(|(_, op)| op.manner.widen.is_some()) {
                let search = lane.ops[..at].iter().rfind(|op| op.purpose == Purpose::Flow).unwrap();
                assert_eq!((search.step, search.scope), (wider.step, wider.scope));
                assert_eq!(wider.purpose, Purpose::Shake);
                kinds.extend(wider.manner.widen);
            }
        }
    }
    assert_eq!(kinds, BTreeSet::from(Widen::ALL));
}

#[test]
fn every_kind_of_poison_comes_over_the_steps_that_a_scenario_names() {
    let text = format!("{TEXT}\nperturb:\n  poison: {{percent: 100, steps: [create-thread]}}\n");
    let scenario = Scenario::parse(&text, FILE).map_err(|errors| errors.render(false)).unwrap();
    let plan = plan(&scenario, Seed(1), 0, &Overrides::default()).unwrap();
    let poisons: Vec<_> = plan.ops().filter_map(|(.., op)| Some((op.step, op.manner.poison?.kind))).collect();
    let kinds: BTreeSet<PoisonKind> = poisons.iter().map(|(_, kind)| *kind).collect();
    assert_eq!((kinds, poisons.len()), (BTreeSet::from(PoisonKind::ALL), PoisonKind::ALL.len()));
    assert!(poisons.iter().all(|(step, _)| plan.step(*step).name == "create-thread"));
}

#[test]
fn floods_and_quiet_stages_take_turns() {
    let text = format!("{TEXT}\nperturb:\n  flood: {{percent: 100, steps: [create-thread]}}\n");
    let scenario = Scenario::parse(&text, FILE).map_err(|errors| errors.render(false)).unwrap();
    let plan = plan(&scenario, Seed(1), 0, &Overrides::default()).unwrap();
    let floods = |stage: &Stage| stage.lanes.iter().flat_map(|lane| &lane.ops).filter(|op| op.manner.flood).count();
    let flooded: Vec<usize> = (0..plan.stages.len()).filter(|at| floods(&plan.stages[*at]) > 0).collect();
    assert!(flooded.len() > 6 && flooded.windows(2).all(|two| two[1] == two[0] + 2), "{flooded:?}");
    for at in flooded {
        let stage = &plan.stages[at];
        assert_eq!(floods(stage), 48);
        let (by, others): (Vec<_>, Vec<_>) =
            stage.lanes.iter().partition(|lane| lane.ops.iter().any(|op| op.manner.flood));
        assert!(by.len() == 1 && others.iter().all(|lane| tenant(&plan, lane) != tenant(&plan, by[0])));
        let of_flood = |lane: &&Lane| matches!(lane.ops[0].manner.start, Start::Once { op, .. } if by[0].ops.iter().any(|own| own.id == op));
        assert!(others.iter().all(of_flood));
        for quiet in [at - 1, at + 1].map(|at| &plan.stages[at]) {
            let acts = |lanes: &mut dyn Iterator<Item = &Lane>| {
                lanes.map(|lane| (lane.principal, lane.ops.len())).collect::<Vec<_>>()
            };
            assert_eq!(acts(&mut quiet.lanes.iter()), acts(&mut others.iter().copied()));
            assert!(quiet.lanes.iter().flat_map(|lane| &lane.ops).all(|op| op.manner.is_plain()));
        }
    }
}

#[test]
fn without_a_word_only_what_may_be_repeated_is_sent_many_times() {
    let mut count = 0;
    for plan in many() {
        for (.., op) in plan.ops().filter(|(.., op)| op.manner.flood) {
            let step = plan.step(op.step);
            let Action::Request(request) = &step.action else { panic!("a request: {step:?}") };
            assert!(
                matches!(request.method.as_str(), "GET" | "PUT")
                    || request.headers.iter().any(|(name, _)| name == "idempotency-key")
            );
            assert!(step.captures.is_empty());
            count += 1;
        }
    }
    assert!(count > 0);
}

#[test]
fn only_what_may_be_repeated_is_sent_twice() {
    for plan in many() {
        for (.., op) in plan.ops().filter(|(.., op)| op.manner.again) {
            let Action::Request(request) = &plan.step(op.step).action else { panic!("{op:?}") };
            assert!(["GET", "HEAD", "OPTIONS", "PUT"].contains(&request.method.as_str()), "{request:?}");
            assert!(plan.step(op.step).captures.is_empty(), "a second answer would replace what is captured");
        }
    }
}

#[test]
fn reactions_wait_for_operations_of_other_tenants() {
    let mut count = 0;
    for plan in many() {
        let owners: BTreeMap<u32, TenantId> =
            flows(&plan).iter().flat_map(|lane| lane.ops.iter().map(|op| (op.id.0, tenant(&plan, lane)))).collect();
        for lane in flows(&plan) {
            for other in lane.ops.iter().flat_map(|op| op.manner.awaits()) {
                assert_ne!(owners[&other.0], tenant(&plan, lane));
                count += 1;
            }
        }
    }
    assert!(count > 0);
}

#[test]
fn nothing_is_shaken_where_that_is_switched_off_or_tenants_take_turns() {
    let scenario = Scenario::parse(TEXT, FILE).unwrap();
    let off = Overrides { shaking: Shaking::Off, ..Overrides::default() };
    let turns = Overrides { schedule: Schedule::OneAtATime, ..Overrides::default() };
    for overrides in [off, turns] {
        let plan = plan(&scenario, Seed(1), 2, &overrides).unwrap();
        let plain = |op: &Op| op.manner.is_plain() && op.purpose != Purpose::Shake;
        assert!(plan.ops().all(|(.., op)| plain(op)));
        assert_eq!((plan.gates.len(), plan.shared_connections), (0, 0));
    }
}

#[test]
fn pairs_that_are_wanted_come_together_more_often() {
    let scenario = Scenario::parse(TEXT, FILE).unwrap();
    let wanted = [("list".to_owned(), "ask".to_owned())];
    let meetings = |wanted: &[(String, String)]| {
        let overrides = Overrides { tenants: Some(12), wanted: wanted.to_vec(), ..Overrides::default() };
        let count = |seed| together(&plan(&scenario, Seed(seed), 1, &overrides).unwrap(), "list", "ask");
        (0..20).map(count).sum::<usize>()
    };
    assert!(meetings(&wanted) > meetings(&[]), "{} and {}", meetings(&wanted), meetings(&[]));
}

/// Gates at which operations of both names meet.
fn together(plan: &Plan, one: &str, other: &str) -> usize {
    let mut names: BTreeMap<GateId, BTreeSet<&str>> = BTreeMap::new();
    for (.., op) in plan.ops() {
        if let Some(gate) = op.manner.gate {
            names.entry(gate).or_default().insert(&plan.step(op.step).name);
        }
    }
    names.values().filter(|names| names.contains(one) && names.contains(other)).count()
}

#[test]
fn a_scenario_can_weigh_name_and_forbid() {
    let text = format!("{TEXT}\nperturb:\n  race: off\n  delay: 50%\n  cancel: {{percent: 100, steps: [list]}}\n");
    let scenario = Scenario::parse(&text, FILE).map_err(|errors| errors.render(false)).unwrap();
    let plan = plan(&scenario, Seed(1), 0, &Overrides::default()).unwrap();
    let ops = || plan.ops().map(|(.., op)| op);
    assert!(ops().all(|op| op.manner.gate.is_none()));
    assert!(ops().filter(|op| matches!(op.manner.start, Start::After { .. })).count() > 10);
    let cut: BTreeSet<&str> =
        ops().filter(|op| op.manner.cut.is_some()).map(|op| plan.step(op.step).name.as_str()).collect();
    assert_eq!(cut, BTreeSet::from(["list"]));
    assert!(ops().filter_map(|op| op.manner.cut).any(|cut| matches!(cut.at, Point::Sent { .. })));
    assert_eq!(plan.demanded, [Perturbation::Delay, Perturbation::Cancel]);
}

#[test]
fn in_every_round_somebody_does_not_read_a_websocket_and_nothing_on_it_is_expected_to_end_ok() {
    for seed in 0..6 {
        let plan = shaken(seed, 0);
        let mut deaf = 0;
        for lane in flows(&plan) {
            let stalled = |op: &&Op| matches!(op.manner.pace, Pace::Deaf { .. } | Pace::Mute);
            for open in lane.ops.iter().filter(stalled) {
                deaf += u32::from(open.manner.pace != Pace::Mute);
                assert!(matches!(plan.step(open.step).action, Action::Open(_)));
                let over_it = |op: &&Op| {
                    let action = &plan.step(op.step).action;
                    op.scope == open.scope
                        && matches!(action, Action::Open(_) | Action::Send { .. } | Action::Receive(_))
                };
                let purposes: Vec<Purpose> = lane.ops.iter().filter(over_it).map(|op| op.purpose).collect();
                assert_eq!(purposes, [Purpose::Shake; 3]);
                let last = lane.ops.iter().rfind(|op| op.scope == open.scope && !op.manner.again).unwrap();
                assert!(matches!(plan.step(last.step).action, Action::Receive(_)), "{last:?}");
            }
        }
        assert!(deaf >= 2, "{deaf}");
    }
}

#[test]
fn who_stands_still_waits_for_another_tenant_and_no_two_of_them_thaw_together() {
    let mut orders = BTreeSet::new();
    for plan in many() {
        let mut thaws: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for lane in flows(&plan) {
            for freeze in lane.ops.iter().filter_map(|op| op.manner.freeze) {
                thaws.entry(freeze.until.0).or_default().push(freeze.after_us / 1_500);
            }
        }
        for turns in thaws.into_values() {
            let different: BTreeSet<u32> = turns.iter().copied().collect();
            assert_eq!(different.len(), turns.len(), "{turns:?}");
            orders.insert(turns.is_sorted());
        }
    }
    assert_eq!(orders, BTreeSet::from([false, true]), "in the order of the lanes, and in others");
}

const CHOOSING: &str = r#"
coalmine: 1
name: choices
target: {url: "http://127.0.0.1:8080"}
tenants: {count: 4, users: 2}
canaries: {text: text}
auth:
  steps:
    - {id: join, post: /join, headers: {idempotency-key: "{{uuid('join')}}"}, json: {name: "{{user.name}}"}, capture: {token: $.token}}
  send: {headers: {authorization: "Bearer {{token}}"}}
flows:
  pay:
    repeat: 6
    steps:
      - {id: pay, post: /payments, headers: {Idempotency-Key: "{{uuid('pay')}}"}, json: {text: "{{canary.text}}"}, sees: text}
      - {id: look, get: "/payments?page=1", sees: text}
      - {id: look-closer, get: "/members/{{token}}/payments/{{chosen.pay}}", sees: text}
      - repeat: 2
        steps:
          - {id: keep, put: "/files/{{chosen.file}}", json: {text: "{{canary.text}}"}}
          - {id: own, put: "/things/{{uuid('thing')}}", json: {text: "{{canary.text}}"}}
    cleanup:
      - {id: refund, delete: "/payments/{{chosen.pay}}"}
  upload:
    repeat: 6
    steps:
      - {id: upload, put: "/links/{{chosen.link}}", auth: off, json: {text: "{{canary.text}}"}}
"#;

fn choosing(perturb: &str) -> impl Iterator<Item = Plan> {
    let scenario = Scenario::parse(&format!("{CHOOSING}{perturb}"), FILE).unwrap();
    let all = (0..4).flat_map(|seed| (0..4).map(move |round| (Seed(seed), round)));
    all.map(move |(seed, round)| plan(&scenario, seed, round, &Overrides::default()).unwrap())
}

/// Whose pass, and the flow and the number of that pass.
fn pass(plan: &Plan, scope: ScopeId) -> (TenantId, (u16, u32)) {
    let of = plan.scope(scope);
    (plan.principal(of.principal).unwrap().tenant, (of.flow.0, of.pass))
}

#[test]
fn users_choose_what_users_of_other_tenants_choose_in_the_same_pass_and_never_what_their_colleagues_do() {
    let mut count = 0;
    for plan in choosing("") {
        let guests: BTreeMap<ScopeId, ScopeId> =
            plan.ops().filter_map(|(.., op)| Some((op.scope, op.manner.collide?))).collect();
        let mut same: BTreeMap<ScopeId, Vec<ScopeId>> = BTreeMap::new();
        for (guest, host) in &guests {
            assert!(!guests.contains_key(host), "a host chooses for itself");
            assert_eq!(pass(&plan, *guest).1, pass(&plan, *host).1);
            same.entry(*host).or_insert_with(|| vec![*host]).push(*guest);
        }
        for scopes in same.values() {
            let tenants: BTreeSet<TenantId> = scopes.iter().map(|scope| pass(&plan, *scope).0).collect();
            assert_eq!(tenants.len(), scopes.len(), "each tenant once");
        }
        count += guests.len();
    }
    assert!(count > 100, "{count}");
}

#[test]
fn all_of_a_pass_says_the_same_and_what_has_no_credentials_or_is_nobodys_choice_keeps_its_own() {
    let mut seen = BTreeSet::new();
    for plan in choosing("") {
        let mut passes: BTreeMap<ScopeId, BTreeSet<Option<ScopeId>>> = BTreeMap::new();
        for (.., op) in plan.ops() {
            let step = plan.step(op.step);
            seen.extend(op.manner.collide.map(|_| step.name.clone()));
            if step.chooses() && op.purpose.is_flow() {
                let choice = op.manner.collide.map(|host| plan.pass_of(host));
                passes.entry(plan.pass_of(op.scope)).or_default().insert(choice);
            }
        }
        assert!(passes.values().all(|choices| choices.len() == 1), "{passes:?}");
    }
    assert_eq!(seen, ["keep", "look-closer", "pay", "refund"].map(str::to_owned).into());
}

#[test]
fn collisions_can_be_forbidden_and_weighed() {
    let share = |perturb: &str| {
        let (mut all, mut collide) = (0, 0);
        for plan in choosing(perturb).filter(|plan| plan.round == 0) {
            for (.., op) in plan.ops().filter(|(.., op)| plan.step(op.step).name == "pay") {
                all += 1;
                collide += u32::from(op.manner.collide.is_some());
            }
        }
        collide * 100 / all
    };
    assert_eq!(share("perturb: {collide: off}"), 0);
    assert_eq!(share("perturb: off"), 0);
    let usual = share("");
    assert!((15..=35).contains(&usual), "{usual}");
    assert!(share("perturb: {collide: 90%}") > usual);
}

const RULES: &str = "
reactions:
  behind: {begin: read-note, once: {ended: add-note}, jitter: 3ms}
  beside: {begin: read-note, once: {in_flight: read-note}, percent: 50}
  give-up: {cancel: add-note, once: {in_flight: read-note}, by: close}
  side-by-side: {together: [add-note, read-note, add-note]}
";

fn ruled(seed: u64, round: u32, perturb: &str) -> Plan {
    let text = format!("{}{RULES}perturb: {perturb}\n", include_str!("scenarios/notes.yaml"));
    let scenario = Scenario::parse(&text, "notes.yaml").unwrap();
    plan(&scenario, Seed(seed), round, &Overrides::default()).unwrap()
}

fn many_ruled() -> impl Iterator<Item = Plan> {
    (0..6).flat_map(|seed| ["on", "off"].map(|perturb| ruled(seed, 1 + u32::from(perturb == "on"), perturb)))
}

/// Each operation of the flows with its tenant and the name of its step.
fn acts(plan: &Plan) -> BTreeMap<u32, (Op, TenantId, String)> {
    let lanes = flows(plan).iter().flat_map(|lane| lane.ops.iter().map(move |op| (op, tenant(plan, lane))));
    lanes.map(|(op, tenant)| (op.id.0, (op.clone(), tenant, plan.step(op.step).name.clone()))).collect()
}

#[test]
fn each_rule_is_planned_in_every_round_and_brings_different_tenants_together() {
    for plan in many_ruled() {
        let acts = acts(&plan);
        let mut counts = vec![0; plan.rules.len()];
        for (op, tenant, name) in acts.values().filter(|(op, ..)| op.manner.rule.is_some()) {
            let (rule, _) = op.manner.rule_shown_by().unwrap();
            counts[usize::from(rule.0)] += 1;
            let others: Vec<_> = match op.manner.gate {
                Some(gate) => acts.values().filter(|(other, ..)| other.manner.gate == Some(gate)).collect(),
                None => op.manner.awaits().map(|other| &acts[&other.0]).collect(),
            };
            assert!(others.iter().all(|(other, of, _)| of != tenant || other.id == op.id));
            let names: Vec<_> = others.iter().map(|(.., name)| name.as_str()).collect();
            match plan.rules[usize::from(rule.0)].as_str() {
                "behind" => assert_eq!((name.as_str(), names), ("read-note", vec!["add-note"])),
                "beside" => assert_eq!((name.as_str(), names), ("read-note", vec!["read-note"])),
                "give-up" => assert_eq!((name.as_str(), names), ("add-note", vec!["read-note", "read-note"])),
                _ => assert_eq!((name.as_str(), names.len()), ("add-note", 3)),
            }
        }
        assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    }
}

#[test]
fn who_is_waited_for_by_a_rule_waits_until_the_other_is_ready() {
    for plan in many_ruled() {
        let acts = acts(&plan);
        for (op, ..) in acts.values().filter(|(op, ..)| op.manner.rule.is_some() && op.manner.gate.is_none()) {
            let (other, ..) = &acts[&op.manner.awaits().next().unwrap().0];
            let expected = if op.manner.cut.is_some() { Moment::InFlight } else { Moment::Ready };
            assert!(
                matches!(other.manner.start, Start::Once { op: one, moment, .. } if one == op.id && moment == expected)
            );
        }
    }
}

#[test]
fn what_a_rule_gives_up_is_done_in_passes_besides_the_others_and_all_else_is_as_without() {
    let flow_ops = |plan: &Plan| acts(plan).values().filter(|(op, ..)| op.purpose == Purpose::Flow).count();
    for plan in many_ruled() {
        let acts = acts(&plan);
        let cut: Vec<_> =
            acts.values().filter(|(op, ..)| op.manner.rule.is_some() && op.manner.cut.is_some()).collect();
        assert!(cut.len() > 4 && cut.iter().all(|(op, ..)| op.purpose == Purpose::Shake), "{}", cut.len());
    }
    let text = include_str!("scenarios/notes.yaml");
    let still = Scenario::parse(&format!("{text}perturb: off\n"), "notes.yaml").unwrap();
    let still = plan(&still, Seed(3), 0, &Overrides::default()).unwrap();
    assert_eq!(flow_ops(&ruled(3, 0, "off")), flow_ops(&still));
}

#[test]
fn lanes_that_keep_rules_do_not_wait_in_a_circle() {
    for plan in many_ruled().chain(many()) {
        // Whoever has come to an operation has done all before it in its lane; those that wait are done in the order in which they can be.
        let lanes = flows(&plan);
        let mut next = vec![0; lanes.len()];
        let place: BTreeMap<u32, (usize, usize)> = lanes
            .iter()
            .enumerate()
            .flat_map(|(lane, ops)| ops.ops.iter().enumerate().map(move |(at, op)| (op.id.0, (lane, at))))
            .collect();
        loop {
            // Where an operation waits for another, that one's lane has to come as far as to it first.
            let has_come = |op: &Op, next: &[usize]| {
                let met = lanes.iter().flat_map(|lane| &lane.ops);
                let gate = met.filter(|other| op.manner.gate.is_some() && other.manner.gate == op.manner.gate);
                let others = op.manner.awaits().chain(gate.map(|other| other.id));
                others.filter_map(|other| place.get(&other.0)).all(|(lane, at)| next[*lane] >= *at)
            };
            let before = next.clone();
            for (lane, ops) in lanes.iter().enumerate() {
                while ops.ops.get(next[lane]).is_some_and(|op| has_come(op, &next)) {
                    next[lane] += 1;
                }
            }
            if next == before {
                break;
            }
        }
        let stuck: Vec<_> = lanes.iter().zip(&next).filter(|(lane, next)| **next < lane.ops.len()).collect();
        assert!(stuck.is_empty(), "{} lanes wait in a circle", stuck.len());
    }
}

#[test]
fn the_same_seed_gives_the_same_plan_to_the_byte_with_rules() {
    for (round, perturb) in (0..3).zip(["on", "off", "on"]) {
        let bytes = || serde_json::to_vec(&ruled(5, round, perturb)).unwrap();
        assert_eq!(bytes(), bytes());
    }
}

#[test]
fn without_shaking_no_rule_is_kept_or_missed() {
    let scenario = Scenario::parse(&format!("{}{RULES}", include_str!("scenarios/notes.yaml")), "notes.yaml").unwrap();
    let overrides = Overrides { shaking: Shaking::Off, ..Overrides::default() };
    let plan = plan(&scenario, Seed(1), 0, &overrides).unwrap();
    assert!(plan.rules.is_empty() && plan.ops().all(|(.., op)| op.manner.rule.is_none()));
}

fn forging(text: &str) -> BTreeMap<String, BTreeSet<Forgery>> {
    let scenario = Scenario::parse(text, FILE).unwrap();
    let mut forged: BTreeMap<String, BTreeSet<Forgery>> = BTreeMap::new();
    for plan in (0..4).map(|seed| plan(&scenario, Seed(seed), 0, &Overrides::default()).unwrap()) {
        let mut users = BTreeSet::new();
        for (phase, by, op) in plan.ops().filter(|(.., op)| op.manner.forge.is_some()) {
            assert_eq!((phase, op.purpose, op.manner.via), (Phase::Probe, Purpose::Shake, Via::Fresh));
            forged.entry(plan.step(op.step).name.clone()).or_default().extend(op.manner.forge);
            users.insert(by);
        }
        assert!(users.len() <= 3, "{users:?}");
    }
    forged
}

#[test]
fn a_few_users_read_with_every_kind_of_forged_credential_where_it_alone_says_who_asks() {
    let all = BTreeSet::from(Forgery::ALL);
    assert_eq!(forging(CHOOSING), BTreeMap::from([("look".to_owned(), all)]));
}

#[test]
fn nothing_is_forged_where_something_else_may_say_who_asks() {
    let beside = |more: &str| CHOOSING.replace("{{token}}\"}}\nflows", &format!("{{{{token}}}}\", {more}}}}}\nflows"));
    assert_eq!(forging(&beside("x-user: \"{{user.name}}\"")), BTreeMap::new());
    assert_eq!(forging(&beside("x-version: \"{{run.id}}\"")), BTreeMap::new());
    assert_eq!(forging(&beside("x-version: two")).len(), 1);
}

#[test]
fn cookies_are_forged_where_sessions_show_by_them_alone_who_they_are() {
    let send = "\n  send: {headers: {authorization: \"Bearer {{token}}\"}}";
    assert_eq!(CHOOSING.matches(send).count(), 1);
    let all = BTreeMap::from([("look".to_owned(), BTreeSet::from(Forgery::ALL))]);
    let in_jar = CHOOSING.replace(send, "").replace(", auth: off", "");
    assert_eq!(forging(&in_jar), all);
    assert_eq!(forging(&in_jar.replace("auth:\n", "auth:\n  cookies: off\n")), BTreeMap::new());
    let written_out = in_jar.replace(
        "sees: text}\n      - {id: look-closer",
        "headers: {cookie: a=b}, sees: text}\n      - {id: look-closer",
    );
    assert_ne!(written_out, in_jar);
    assert_eq!(forging(&written_out), BTreeMap::new());
}

/// The races of some rounds over HTTP/2: those in one packet, and the others.
fn over_http2(perturb: &str) -> (u32, u32) {
    let text = include_str!("scenarios/notes.yaml").replace("ready: /health}", "ready: /health, http: 2}");
    let scenario = Scenario::parse(&format!("{text}perturb: {perturb}\n"), "notes.yaml").unwrap();
    let (mut in_one_packet, mut apart) = (0, 0);
    for plan in (0..6).map(|seed| plan(&scenario, Seed(seed), 0, &Overrides::default()).unwrap()) {
        let mut races: BTreeMap<GateId, BTreeSet<Option<u16>>> = BTreeMap::new();
        let mut users: BTreeMap<u16, BTreeSet<Option<GateId>>> = BTreeMap::new();
        for (.., Op { manner, .. }) in plan.ops() {
            let shared = if let Via::Shared(connection) = manner.via { Some(connection) } else { None };
            assert!(shared.is_none_or(|connection| connection < plan.shared_connections));
            shared.map(|connection| users.entry(connection).or_default().insert(manner.gate));
            manner.gate.map(|gate| races.entry(gate).or_default().insert(shared));
        }
        assert!(users.values().all(|gates| gates.len() == 1), "{users:?}");
        assert!(races.values().all(|connections| connections.len() == 1), "{races:?}");
        in_one_packet += races.values().map(|connections| u32::from(!connections.contains(&None))).sum::<u32>();
        apart += races.values().map(|connections| u32::from(connections.contains(&None))).sum::<u32>();
    }
    (in_one_packet, apart)
}

#[test]
fn over_http2_some_races_go_over_one_connection_that_nobody_else_uses() {
    let (in_one_packet, apart) = over_http2("{race: 60%, share: 30%}");
    assert!(in_one_packet > 10 && apart > 10, "{in_one_packet} {apart}");
}

#[test]
fn no_race_goes_over_one_connection_where_tenants_may_not_share_any() {
    let (in_one_packet, apart) = over_http2("{race: 60%, share: off}");
    assert!(in_one_packet == 0 && apart > 20, "{in_one_packet} {apart}");
}

/// Of how many steps two tenants' operations pass one gate or wait for each other.
fn steps_that_met_themselves(plan: &Plan) -> usize {
    let ops: BTreeMap<_, _> = plan.ops().map(|(.., op)| (op.id, op.step)).collect();
    let mut gates: BTreeMap<(GateId, StepId), u32> = BTreeMap::new();
    let mut met = BTreeSet::new();
    for op in flows(plan).iter().flat_map(|lane| &lane.ops) {
        met.extend(op.manner.awaits().filter(|other| ops[other] == op.step).map(|_| op.step));
        if let Some(gate) = op.manner.gate {
            *gates.entry((gate, op.step)).or_default() += 1;
        }
    }
    met.extend(gates.into_iter().filter(|(_, members)| *members > 1).map(|((_, step), _)| step));
    met.len()
}

#[test]
fn every_step_of_a_wide_flow_meets_itself_in_a_round() {
    let step = |nth: u32| format!("      - {{id: make-{nth}, post: /things/{nth}, json: {{text: fixed}}}}\n");
    let steps: String = (0..40).map(step).collect();
    let head =
        "coalmine: 1\nname: wide\ntarget: {url: http://127.0.0.1:1}\ntenants: 4\nflows:\n  wide:\n    repeat: 4\n";
    let text = format!("{head}    steps:\n{steps}");
    let scenario = Scenario::parse(&text, "wide.yaml").unwrap_or_else(|errors| panic!("{errors}"));
    for seed in 0..20 {
        let plan = plan(&scenario, Seed(seed), 0, &Overrides::default()).unwrap();
        assert_eq!(steps_that_met_themselves(&plan), 40, "seed {seed}");
    }
}
