//! Accounts that exist already: tenants of different sizes, secrets that stand in no plan, the same people in every round.

#[macro_use]
mod facts;

use std::collections::BTreeSet;

use coalmine_core::plan::{Access, Phase, Purpose};
use coalmine_core::{Plan, Seed, TenantId};
use coalmine_plan::{Overrides, PlanError, Scenario, plan};

const GOOD: &str = r#"
coalmine: 1
name: staging
target: {url: http://127.0.0.1:8080}
tenants: {accounts: {file: accounts.csv, open: [locale]}}
canaries: {text: text}
anonymous: off
auth:
  steps: [{id: login, post: /login, json: {name: "{{user.name}}", password: "{{user.password}}"}, capture: {token: $.token}}]
  send: {headers: {authorization: "{{token}}", x-key: "{{user.api_key}}", accept-language: "{{user.locale}}"}}
flows:
  notes:
    repeat: 3
    steps:
      - {id: write, post: /notes, json: {text: "{{canary.text}}"}, capture: {note: $.id}}
      - {id: read, get: "/notes/{{note}}", sees: text, allowed: [LEADER, MEMBER]}
    by: [LEADER, MEMBER]
  shared:
    members: {guest: colleague}
    steps: [{id: invite, post: /notes, json: {for: "{{guest.user.name}}"}, capture: {note: $.id}}]
    visits: {guest: [{id: look, get: "/notes/{{note}}"}]}
objects:
  note: {id: note, read: read}
"#;

/// A tenant of one, one of three, one of two without a leader.
const ACCOUNTS: &str = "\
tenant,user,role,password,locale,api_key
solo,ann,LEADER,hush-1,de,hush-2
trio,bob,LEADER,hush-3,fr,hush-4
trio,cid,MEMBER,hush-5,fr,hush-6
duo,dan,MEMBER,hush-7,en,hush-8
trio,eve,GUEST,hush-9,en,hush-10
duo,fay,GUEST,hush-11,en,hush-12
";

fn scenario_of(text: &str, accounts: &str) -> Result<Scenario, String> {
    let mut read = |name: &str| {
        assert_eq!(name, "accounts.csv");
        Ok(accounts.to_owned())
    };
    Scenario::parse_with(text, "staging.yaml", None, &mut read).map_err(|errors| errors.render(false))
}

fn scenario() -> Scenario {
    scenario_of(GOOD, ACCOUNTS).unwrap_or_else(|errors| panic!("{errors}"))
}

fn planned(round: u32) -> Plan {
    plan(&scenario(), Seed(7), round, &Overrides::default()).expect("the scenario has a plan")
}

fn name(plan: &Plan, place: usize) -> String {
    let attributes = &plan.principals[place].attributes;
    format!("{}/{}", attributes[0], attributes[2])
}

#[test]
fn tenants_have_the_users_that_the_table_gives_them() {
    let plan = planned(0);
    let names: Vec<String> = (0..plan.principals.len()).map(|place| name(&plan, place)).collect();
    assert_eq!(names, ["solo/ann", "trio/bob", "trio/cid", "trio/eve", "duo/dan", "duo/fay"]);
    let roles: Vec<&str> = plan.principals.iter().filter_map(|who| who.role.as_deref()).collect();
    assert_eq!(roles, ["LEADER", "LEADER", "MEMBER", "GUEST", "MEMBER", "GUEST"]);
    for (place, who) in plan.principals.iter().enumerate() {
        assert_eq!(plan.principal(who.id), Some(who));
        assert_eq!(plan.session_scope(who.id).0 as usize, place);
        assert_eq!(who.attributes.len(), plan.attributes.len());
    }
}

#[test]
fn secrets_stand_in_no_plan_and_open_columns_do() {
    let plan = planned(0);
    let bytes = serde_json::to_string(&plan).unwrap();
    assert!(!bytes.contains("hush"));
    let of = |name: &str| plan.attributes.iter().position(|known| known == name).unwrap();
    assert_eq!(plan.principals[1].attributes[of("user.locale")], "fr");
    let secret: Vec<&str> =
        plan.secret_attributes.iter().map(|slot| plan.attributes[usize::from(*slot)].as_str()).collect();
    assert_eq!(secret, ["user.password", "user.api_key"]);
    assert!(!format!("{:?}", scenario()).contains("hush"));
    let scenario = scenario();
    let eve: Vec<_> = scenario.account_secrets().filter(|(tenant, user, ..)| (*tenant, *user) == (1, 2)).collect();
    let eve: Vec<_> = eve.iter().map(|(.., name, value)| (name.as_str(), *value)).collect();
    assert_eq!(eve, [("user.password", "hush-9"), ("user.api_key", "hush-10")]);
}

#[test]
fn everybody_has_others_to_try_and_nobody_tries_their_own_tenant() {
    let plan = planned(0);
    let mut victims = BTreeSet::new();
    for (_, attacker, op) in plan.ops() {
        let Purpose::Probe { victim, access: Access::Read, .. } = op.purpose else { continue };
        let owner = plan.principal(plan.scope(victim).principal).unwrap();
        assert_ne!(plan.principal(attacker).unwrap().tenant, owner.tenant);
        victims.insert(owner.id.0);
    }
    assert_eq!(victims, BTreeSet::from([0, 1, 2, 4]), "leaders and members have notes");
}

#[test]
fn roles_are_tried_where_the_tenant_has_them() {
    let plan = planned(0);
    let mut cells = BTreeSet::new();
    for (_, visitor, op) in plan.ops() {
        let Purpose::Role { host, allowed } = op.purpose else { continue };
        let visitor = plan.principal(visitor).unwrap();
        assert_eq!(visitor.tenant, plan.principal(plan.scope(host).principal).unwrap().tenant);
        cells.insert((visitor.tenant.0, visitor.role.clone().unwrap(), allowed));
    }
    let cell = |tenant, role: &str, allowed| (tenant, role.to_owned(), allowed);
    let table = [(1, "LEADER", true), (1, "MEMBER", true), (1, "GUEST", false), (2, "GUEST", false)];
    assert_eq!(cells, table.map(|(tenant, role, allowed)| cell(tenant, role, allowed)).into());
}

#[test]
fn who_has_no_colleague_does_not_share_with_one() {
    let plan = planned(0);
    let invite = plan.steps.iter().position(|step| step.name == "invite").unwrap();
    let inviting: BTreeSet<u32> =
        plan.ops().filter(|(_, _, op)| usize::from(op.step.0) == invite).map(|(_, who, _)| who.0).collect();
    assert_eq!(inviting, (1..6).collect());
    for (_, visitor, op) in plan.ops() {
        let Purpose::Visit { host } = op.purpose else { continue };
        assert_ne!(plan.scope(host).principal, visitor);
    }
}

#[test]
fn the_same_people_act_in_every_round_under_new_numbers() {
    let rounds = [planned(0), planned(1), planned(2)];
    let mut canaries = BTreeSet::new();
    for (round, plan) in rounds.iter().enumerate() {
        let ids: Vec<usize> = plan.principals.iter().map(|who| who.id.0 as usize).collect();
        assert_eq!(ids, (round * 6..round * 6 + 6).collect::<Vec<_>>());
        let tenants: BTreeSet<TenantId> = plan.principals.iter().map(|who| who.tenant).collect();
        assert_eq!(tenants, BTreeSet::from([TenantId(0), TenantId(1), TenantId(2)]));
        let (all, before) = (plan.scopes.iter().flat_map(|scope| &scope.canaries), canaries.len());
        canaries.extend(all.clone().copied());
        assert_eq!(canaries.len(), before + all.count(), "canaries are unique through rounds");
        let members = |plan: &Plan| -> Vec<Vec<u32>> {
            let first = plan.principals[0].id.0;
            plan.scopes.iter().take(24).map(|scope| scope.members.iter().map(|it| it.0 - first).collect()).collect()
        };
        assert_eq!(members(plan), members(&rounds[0]));
    }
    assert!(rounds[1].is_self(rounds[1].principals[2].id, rounds[0].principals[2].id));
    assert!(!rounds[1].is_self(rounds[1].principals[2].id, rounds[0].principals[1].id));
}

#[test]
fn fewer_tenants_may_act_than_there_are_and_not_more() {
    let of = |tenants| plan(&scenario(), Seed(7), 0, &Overrides { tenants: Some(tenants), ..Overrides::default() });
    assert_eq!(of(2).unwrap().principals.len(), 4);
    assert!(matches!(of(4), Err(PlanError::FewAccounts { asked: 4, there: 3 })));
    let phases: Vec<Phase> = of(1).unwrap().stages.iter().map(|stage| stage.phase).collect();
    assert_eq!(phases, [Phase::Auth, Phase::Flows]);
}

/// The good scenario with one text replaced by another, and what is wrong with it.
fn with(this: &str, that: &str) -> String {
    assert_eq!(GOOD.matches(this).count(), 1, "`{this}` stands once in the good scenario");
    scenario_of(&GOOD.replace(this, that), ACCOUNTS).expect_err("the scenario is wrong")
}

facts! {
    more_tenants_than_accounts: with("tenants: {accounts:", "tenants: {count: 4, accounts:");
    a_column_that_is_not_there: with("{{user.api_key}}", "{{user.apikey}}");
    an_open_column_that_is_not_there: with("open: [locale]", "open: [locales]");
    accounts_that_are_registered: with("auth:\n", "register:\n  user: [{id: odd, post: /users}]\nauth:\n");
    accounts_and_users: with("tenants: {accounts:", "tenants: {users: 3, name: \"{{tenant.index}}\", accounts:");
    a_secret_of_an_account_as_identity: with("objects:\n", "identity: {key: {field: $.key, mine: user.api_key}}\nobjects:\n");
    a_secret_of_a_member: with("{{guest.user.name}}", "{{guest.user.api_key}}");
    a_role_that_no_account_has: with("by: [LEADER, MEMBER]", "by: [LEADERS]");
    tenants_without_a_number: with("tenants: {accounts: {file: accounts.csv, open: [locale]}}", "tenants: {sessions: 2}");
    accounts_that_are_no_table: scenario_of(GOOD, "tenant,user\na").expect_err("the table is wrong");
    a_password_that_accounts_do_not_have:
        scenario_of(GOOD, &ACCOUNTS.replace(",password,", ",pass,")).expect_err("there is no password");
    another_file_where_none_is_read: Scenario::parse(GOOD, "staging.yaml").expect_err("no file is read").render(false);
}
