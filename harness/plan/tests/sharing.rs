//! Who is drawn as a member, who visits whom, and what is said about mistakes in it.

#[macro_use]
mod facts;

use std::collections::BTreeSet;

use coalmine_core::plan::{FlowId, Phase, Purpose, ScopeId};
use coalmine_core::{Plan, Principal, Seed};
use coalmine_plan::{Overrides, Scenario, plan};

const GOOD: &str = include_str!("scenarios/projects.yaml");

fn planned(seed: u64, overrides: &Overrides) -> Plan {
    let scenario = Scenario::parse(GOOD, "projects.yaml").unwrap_or_else(|errors| panic!("{errors}"));
    plan(&scenario, Seed(seed), 0, overrides).expect("the scenario has a plan")
}

fn person(plan: &Plan, scope: ScopeId) -> &Principal {
    plan.principal(plan.scope(scope).principal).expect("a scope is somebody's")
}

#[test]
fn a_colleague_is_of_the_tenant_and_a_partner_of_one_fixed_other() {
    let plan = planned(7, &Overrides::default());
    let mut partners = BTreeSet::new();
    for scope in plan.scopes.iter().filter(|scope| scope.flow == FlowId(1)) {
        let owner = plan.principal(scope.principal).unwrap();
        let [guest, reviewer] = [0, 1].map(|at| plan.principal(scope.members[at]).unwrap());
        assert_eq!(guest.tenant, owner.tenant);
        assert_ne!(guest.user, owner.user);
        assert!(guest.role.as_deref() == Some("GUEST") || owner.role.as_deref() == Some("GUEST"));
        assert_ne!(reviewer.tenant, owner.tenant);
        partners.insert((owner.tenant, reviewer.tenant));
    }
    for session in 0..12 {
        let scope = plan.scope(ScopeId(session));
        let auditor = plan.principal(scope.members[0]).unwrap();
        partners.insert((plan.principal(scope.principal).unwrap().tenant, auditor.tenant));
    }
    assert_eq!(partners.len(), 4, "each tenant has one partner: {partners:?}");
}

#[test]
fn only_the_roles_of_a_flow_go_through_it() {
    let plan = planned(7, &Overrides::default());
    for (phase, who, op) in plan.ops().filter(|(phase, _, op)| *phase == Phase::Flows && op.purpose.is_flow()) {
        assert_ne!(plan.principal(who).unwrap().role.as_deref(), Some("GUEST"), "{phase:?} {op:?}");
    }
}

#[test]
fn every_pass_is_visited_by_its_guest() {
    let plan = planned(7, &Overrides::default());
    let mut hosts = BTreeSet::new();
    for (_, visitor, op) in plan.ops() {
        let Purpose::Visit { host } = op.purpose else { continue };
        assert_eq!(plan.scope(host).members[0], visitor);
        assert_ne!(person(&plan, host).role.as_deref(), Some("GUEST"));
        hosts.insert(host);
    }
    assert_eq!(hosts.len(), 4 * 2 * 3);
}

#[test]
fn nobody_tries_what_is_shared_with_them() {
    for seed in 0..20 {
        let plan = planned(seed, &Overrides::default());
        let mut tried = 0;
        for (_, attacker, op) in plan.ops() {
            let Purpose::Probe { victim, .. } = op.purpose else { continue };
            let attacker = plan.principal(attacker).unwrap();
            let owner = person(&plan, victim);
            let auditor = plan.member(victim, coalmine_core::template::Level::Session, 0).unwrap();
            assert_ne!(plan.principal(auditor).unwrap().tenant, attacker.tenant);
            assert_ne!(owner.tenant, attacker.tenant);
            tried += 1;
        }
        assert!(tried > 0);
    }
}

#[test]
fn each_role_that_a_colleague_has_tries_each_step_with_roles() {
    let ruled = GOOD.replace("{id: board, get: /board,", "{id: board, get: /board, allowed: [LEADER, MEMBER],");
    let scenario = Scenario::parse(&ruled, "projects.yaml").unwrap_or_else(|errors| panic!("{errors}"));
    let plan = plan(&scenario, Seed(7), 0, &Overrides::default()).unwrap();
    let mut cells = BTreeSet::new();
    for (_, visitor, op) in plan.ops() {
        let Purpose::Role { host, allowed } = op.purpose else { continue };
        let (visitor, host) = (plan.principal(visitor).unwrap(), person(&plan, host));
        assert_eq!(visitor.tenant, host.tenant);
        assert_ne!(visitor.user, host.user);
        assert_eq!(allowed, visitor.role.as_deref() != Some("GUEST"));
        cells.insert((visitor.tenant, visitor.role.clone()));
    }
    assert_eq!(cells.len(), 4 * 3);
}

#[test]
fn a_tenant_alone_has_no_partner() {
    let scenario = Scenario::parse(GOOD, "projects.yaml").unwrap();
    let alone = Overrides { tenants: Some(1), ..Overrides::default() };
    let refused = plan(&scenario, Seed(1), 0, &alone).unwrap_err();
    assert_eq!(refused.to_string(), "tenants with partners may be 2 to 100000, not 1");
}

/// The good scenario with one text replaced by another.
fn with(this: &str, that: &str) -> String {
    assert_eq!(GOOD.matches(this).count(), 1, "`{this}` stands once in the good scenario");
    match Scenario::parse(&GOOD.replace(this, that), "projects.yaml") {
        Ok(scenario) => panic!("{} has no problem", scenario.name()),
        Err(errors) => errors.render(false),
    }
}

facts! {
    a_role_that_no_user_has: with("by: [LEADER, MEMBER]", "by: [LEADERS]");
    a_role_where_no_user_has_any: with("users: [{role: LEADER}, {role: MEMBER}, {role: GUEST}]", "users: 3");
    a_colleague_where_there_is_none: with("users: [{role: LEADER}, {role: MEMBER}, {role: GUEST}]", "users: 1");
    a_member_of_a_taken_name: with("reviewer: partner", "user: partner");
    a_member_from_nowhere: with("reviewer: partner", "reviewer: stranger");
    a_member_that_is_an_operation: with("scope: tenant", "scope: operation");
    a_member_that_sees_what_is_not_sent: with("sees: title}, reviewer", "sees: titel}, reviewer");
    a_value_of_a_member_that_is_not_known: with("{{guest.user_id}}", "{{guest.user_ids}}");
    a_captured_value_of_a_member_too_early: with("{{auditor.tenant.name}}", "{{auditor.user_id}}");
    a_visit_of_nobody: with("      guest:\n", "      gast:\n");
    a_visit_that_captures: with("sees: title}\n        -", "capture: {a: $.a}}\n        -");
    a_visit_that_is_no_request: with("{id: announce, post: /board, json: {text: \"{{canary.headline}}\"}}", "{id: announce, websocket: /board}");
    a_public_canary_that_is_not_declared: with("public: [headline]", "public: [headlines]");
    a_step_that_one_who_does_it_may_not: with("{id: look, get: \"/projects/{{project}}\",", "{id: look, get: \"/projects/{{project}}\", allowed: [LEADER, GUEST],");
    a_visit_with_roles: with("sees: title}\n        -", "allowed: GUEST}\n        -");
    a_role_that_reaches_nowhere: with("{LEADER: tenant}", "{LEADER: team}");
}
